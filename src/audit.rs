//! What happened that an administrator will ask about, written in the caller's transaction.

use crate::cx::Cx;
use crate::secrets::mint;
use crate::store::{self, StoreError};

/// An event worth keeping. Details never contain a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditEvent {
    Login {
        user: String,
    },
    LoginFailed {
        /// Whose password was tried; `None` for a name that is nobody's.
        user: Option<String>,
    },
    Logout {
        user: String,
    },
    KeysGenerated {
        by: String,
        user: String,
    },
    UserChanged {
        by: String,
        user: String,
    },
    ClientChanged {
        by: String,
        client_id: String,
        what: &'static str,
    },
    ResourceChanged {
        by: String,
        /// Its URL.
        resource: String,
        what: &'static str,
    },
    DoctypeChanged {
        by: String,
        doctype: String,
        what: &'static str,
    },
    Consented {
        user: String,
        client_id: String,
        scope: String,
        /// What for; `None` for this server's API.
        resource: Option<String>,
    },
    Denied {
        user: String,
        client_id: String,
    },
    CodeReplayed {
        client_id: String,
        user: String,
    },
    RefreshReused {
        client_id: String,
        user: String,
    },
    TokenRevoked {
        client_id: String,
        user: String,
    },
    /// Everything that was granted to a client, by a user, or (both absent) at all.
    GrantsEnded {
        client_id: Option<String>,
        user: Option<String>,
    },
    SigningKeysRotated,
}

/// Keeps an event.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn record(cx: &mut Cx, ip: Option<&str>, event: &AuditEvent) -> Result<(), StoreError> {
    let (name, user, client_id, detail) = match event {
        AuditEvent::Login { user } => ("login", Some(user), None, None),
        AuditEvent::LoginFailed { user } => ("login_failed", user.as_ref(), None, None),
        AuditEvent::Logout { user } => ("logout", Some(user), None, None),
        AuditEvent::KeysGenerated { by, user } => ("keys_generated", Some(user), None, Some(format!("by {by}"))),
        AuditEvent::UserChanged { by, user } => ("user_changed", Some(user), None, Some(format!("by {by}"))),
        AuditEvent::ClientChanged { by, client_id, what } => ("client_changed", Some(by), Some(client_id), Some((*what).to_owned())),
        AuditEvent::ResourceChanged { by, resource, what } => ("resource_changed", Some(by), None, Some(format!("{what}: {resource}"))),
        AuditEvent::DoctypeChanged { by, doctype, what } => ("doctype_changed", Some(by), None, Some(format!("{what}: {doctype}"))),
        AuditEvent::Consented { user, client_id, scope, resource } => {
            let at = resource.as_ref().map(|uri| format!(" at {uri}")).unwrap_or_default();
            ("consented", Some(user), Some(client_id), Some(format!("{scope}{at}")))
        }
        AuditEvent::Denied { user, client_id } => ("denied", Some(user), Some(client_id), None),
        AuditEvent::CodeReplayed { client_id, user } => ("code_replayed", Some(user), Some(client_id), None),
        AuditEvent::RefreshReused { client_id, user } => ("refresh_reused", Some(user), Some(client_id), None),
        AuditEvent::TokenRevoked { client_id, user } => ("token_revoked", Some(user), Some(client_id), None),
        AuditEvent::GrantsEnded { client_id, user } => ("grants_ended", user.as_ref(), client_id.as_ref(), None),
        AuditEvent::SigningKeysRotated => ("signing_keys_rotated", None, None, None),
    };
    let row = store::audit::NewEvent {
        id: mint::id(cx.now),
        at: cx.now,
        event: name,
        user: user.map(String::as_str),
        client_id: client_id.map(String::as_str),
        ip,
        detail: detail.as_deref(),
    };
    store::audit::insert_event(cx.conn, &row)
}
