//! Users and the roles that decide what they may do.

/// The user that may do everything. It always exists and can be neither deleted nor disabled.
pub const ADMINISTRATOR: &str = "Administrator";
/// Who a request without credentials acts as.
pub const GUEST: &str = "Guest";

/// Roles Frappe gives without a row: `Guest` to everyone, `All` to every logged-in user,
/// `Desk User` to every System User, `Administrator` to Administrator.
pub const AUTOMATIC_ROLES: [&str; 4] = ["Guest", "All", "Desk User", "Administrator"];
/// The role that administers users, clients and keys.
pub const SYSTEM_MANAGER: &str = "System Manager";

/// Whether a user may enter the desk (Frappe's `user_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserType {
    /// Has at least one role with desk access.
    SystemUser,
    /// Everybody else.
    WebsiteUser,
}

impl UserType {
    /// Frappe's text form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SystemUser => "System User",
            Self::WebsiteUser => "Website User",
        }
    }

    /// Reads Frappe's text form; anything but `System User` is a Website User.
    pub fn from_text(text: &str) -> Self {
        if text == "System User" { Self::SystemUser } else { Self::WebsiteUser }
    }
}

/// A user as the flows see one. Passwords and secrets are not part of it.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    /// The lower-cased e-mail address, or `Administrator` / `Guest`.
    pub name: String,
    /// The stable random subject identifier of OpenID Connect; never the e-mail.
    pub sub: String,
    pub email: String,
    pub first_name: String,
    pub last_name: Option<String>,
    pub full_name: String,
    pub username: Option<String>,
    pub enabled: bool,
    pub user_type: UserType,
    pub language: Option<String>,
    pub time_zone: Option<String>,
    pub user_image: Option<String>,
    /// The mobile number, or the other one where there is none.
    pub phone_number: Option<String>,
    /// Comma separated addresses, networks (CIDR) or Frappe's string prefixes; empty means no restriction.
    pub restrict_ip: Option<String>,
    /// First hour (0–24, site time) at which a login is allowed.
    pub login_after: Option<i32>,
    /// Hour (0–24, site time) from which a login is refused.
    pub login_before: Option<i32>,
    /// Roles given by rows, without the automatic ones.
    pub assigned_roles: Vec<String>,
}

impl User {
    /// All roles including the automatic ones, assigned ones first, without repeats.
    pub fn roles(&self) -> Vec<String> {
        let mut roles = self.assigned_roles.clone();
        let mut add = |role: &str| {
            if !roles.iter().any(|known| known == role) {
                roles.push(role.to_owned());
            }
        };
        if self.name == ADMINISTRATOR {
            add("Administrator");
            add(SYSTEM_MANAGER);
        }
        if self.name != GUEST {
            add("All");
        }
        add("Guest");
        if self.user_type == UserType::SystemUser {
            add("Desk User");
        }
        roles
    }

    /// Joins first and last name as Frappe's `full_name`.
    pub fn join_name(first: &str, last: Option<&str>) -> String {
        match last.map(str::trim).filter(|last| !last.is_empty()) {
            Some(last) => format!("{} {last}", first.trim()),
            None => first.trim().to_owned(),
        }
    }
}

/// A user that may act, with the roles worked out once.
#[derive(Clone, Debug)]
pub struct CallerUser {
    pub user: User,
    /// Automatic roles included.
    pub roles: Vec<String>,
}

impl CallerUser {
    /// Works out the roles.
    pub fn new(user: User) -> Self {
        let roles = user.roles();
        Self { user, roles }
    }
}

/// Whether a user of this name may have a username: it must not read like the name or address of another, who may be
/// made later, so only one's own address may be one.
pub fn may_be_username(username: &str, name: &str) -> bool {
    let folded = fold_name(username);
    folded == name || !(folded.contains('@') || folded == ADMINISTRATOR || folded == GUEST)
}

/// How a login name is folded before it is looked up: Frappe's user names are e-mail addresses
/// compared without regard to case; the two literal names keep theirs.
pub fn fold_name(name: &str) -> String {
    let trimmed = name.trim();
    if trimmed.eq_ignore_ascii_case(ADMINISTRATOR) {
        ADMINISTRATOR.to_owned()
    } else if trimmed.eq_ignore_ascii_case(GUEST) {
        GUEST.to_owned()
    } else {
        trimmed.to_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_username_is_nobody_elses_name_or_address() {
        let may = |username| may_be_username(username, "amina@example.com");
        assert!(may("amina") && may("Amina K") && may("amina@example.com") && may(" AMINA@example.com"));
        for other in ["Administrator", "administrator", " ADMINISTRATOR ", "Guest", "gUEST", "boris@example.com", "Boris@Example.com"] {
            assert!(!may(other), "{other}");
        }
        assert!(may_be_username("administrator", ADMINISTRATOR) && !may_be_username("guest", ADMINISTRATOR));
    }
}
