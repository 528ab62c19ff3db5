//! Who a request acts as, and how that was proven.

use std::sync::{Arc, LazyLock};

use crate::domain::resource::Reach;
use crate::domain::scope::{ADMIN_CREDENTIALS, Access, doctype_word};
use crate::domain::user::{ADMINISTRATOR, CallerUser, GUEST, SYSTEM_MANAGER, User, UserType};
use crate::domain::{Instant, Scope};
use crate::error::{AppError, Denied};

/// The one who asks: a user, and the credential that speaks for it.
#[derive(Clone, Debug)]
pub struct Caller {
    pub user: Arc<CallerUser>,
    pub via: Via,
    /// `None`: everything the user may do. Bearer tokens always have one, API keys may.
    pub scope: Option<Arc<Scope>>,
    /// When the credential ends, if it does; what it makes lives no longer.
    pub expires_at: Option<Instant>,
    /// Which paths the credential opens; access tokens may be for less than the whole API (RFC 8707).
    pub reach: Reach,
}

/// How the caller was recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// No credential at all.
    Guest,
    /// A browser session, by its public id.
    Session { id: String },
    /// An API key, by its id (schemes `token` and `Basic`).
    ApiKey { id: String },
    /// User name and password in `Basic`.
    Password,
    /// The command line: whoever runs it holds the database anyway.
    CommandLine,
    /// An OAuth access token, by its id.
    Bearer {
        token_id: String,
        client_id: String,
        /// Whether its grant was asked for single claims, which userinfo then looks up.
        single_claims: bool,
    },
}

impl Via {
    /// The word for logs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::Session { .. } => "session",
            Self::ApiKey { .. } => "api_key",
            Self::Password => "password",
            Self::CommandLine => "command_line",
            Self::Bearer { .. } => "bearer",
        }
    }
}

/// Who asks without credentials: the same for every such request, so it is made once.
static GUEST_USER: LazyLock<Arc<CallerUser>> = LazyLock::new(|| {
    Arc::new(CallerUser::new(User {
        name: GUEST.into(),
        sub: String::new(),
        email: "guest@example.com".into(),
        first_name: GUEST.into(),
        last_name: None,
        full_name: GUEST.into(),
        username: None,
        enabled: true,
        user_type: UserType::WebsiteUser,
        language: None,
        time_zone: None,
        user_image: None,
        phone_number: None,
        restrict_ip: None,
        login_after: None,
        login_before: None,
        assigned_roles: Vec::new(),
    }))
});

impl Caller {
    /// A caller without credentials.
    pub fn guest() -> Self {
        Self { user: Arc::clone(&GUEST_USER), via: Via::Guest, scope: None, expires_at: None, reach: Reach::Everything }
    }

    /// A user as whom the command line acts.
    pub fn command_line(user: User) -> Self {
        Self { user: Arc::new(CallerUser::new(user)), via: Via::CommandLine, scope: None, expires_at: None, reach: Reach::Everything }
    }

    /// The user's name (its id).
    pub fn name(&self) -> &str {
        &self.user.user.name
    }

    /// Whether nobody is logged in.
    pub fn is_guest(&self) -> bool {
        self.name() == GUEST
    }

    /// Whether it is Administrator, who may do everything.
    pub fn is_administrator(&self) -> bool {
        self.name() == ADMINISTRATOR
    }

    /// Whether the user has a role.
    pub fn has_role(&self, role: &str) -> bool {
        self.user.roles.iter().any(|known| known == role)
    }

    /// Whether the user administers the site.
    pub fn is_system_manager(&self) -> bool {
        self.is_administrator() || self.has_role(SYSTEM_MANAGER)
    }

    /// Refuses when the credential's scope does not reach a doctype. The user's own rights are
    /// another question, asked in `resource::permissions`.
    ///
    /// # Errors
    /// [`AppError::InsufficientScope`] naming the scope that would do.
    pub fn require_doctype_scope(&self, doctype: &str, access: Access) -> Result<(), AppError> {
        let Some(scope) = &self.scope else { return Ok(()) };
        let word = doctype_word(doctype);
        if scope.allows_doctype(&word, access) {
            return Ok(());
        }
        let verb = match access {
            Access::Read => "read",
            Access::Write => "write",
        };
        Err(AppError::InsufficientScope { needed: format!("{verb}:{word}") })
    }

    /// Whether the credential is less than its user: it has a scope, or an end. What it makes must not be more.
    pub fn is_limited(&self) -> bool {
        self.scope.is_some() || self.expires_at.is_some()
    }

    /// Refuses to make or change credentials (keys, clients, roles, passwords, sessions) unless
    /// asked by a session, an unscoped key or with `admin:credentials` (design: "Credentials are guarded").
    ///
    /// # Errors
    /// [`AppError::InsufficientScope`], [`Denied::Guarded`] for guests, [`Denied::Because`] for a token that is for
    /// one path: what it made would reach further.
    pub fn require_credential_rights(&self) -> Result<(), AppError> {
        if self.reach != Reach::Everything {
            let text = "An access token for a part of the API cannot make or change credentials: use one for the whole of it";
            return Err(AppError::NotPermitted(Denied::Because(text.into())));
        }
        match (&self.via, &self.scope) {
            (Via::Guest, _) => Err(AppError::NotPermitted(Denied::Guarded)),
            (_, Some(scope)) if !scope.contains(ADMIN_CREDENTIALS) => Err(AppError::InsufficientScope { needed: ADMIN_CREDENTIALS.into() }),
            _ => Ok(()),
        }
    }
}
