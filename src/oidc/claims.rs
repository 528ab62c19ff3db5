//! Which claims about a user a scope opens, in Frappe's order.

use serde_json::{Map, Value};

use crate::domain::Scope;
use crate::domain::scope::ALL;
use crate::domain::user::User;

/// The claims that may be made, as announced.
pub const CLAIMS: [&str; 7] = ["sub", "name", "given_name", "family_name", "email", "picture", "roles"];

/// What a scope lets a client know about a user: `sub` always, the rest by `profile`, `email` and
/// `roles`; `all` opens everything. The order is Frappe's.
pub fn about_user(user: &User, scope: &Scope, issuer: &str) -> Map<String, Value> {
    let opens = |word: &str| scope.contains(ALL) || scope.contains(word);
    let mut claims = Map::new();
    claims.insert("sub".into(), user.sub.as_str().into());
    if opens("profile") {
        claims.insert("name".into(), user.full_name.as_str().into());
        claims.insert("given_name".into(), user.first_name.as_str().into());
        claims.insert("family_name".into(), user.last_name.as_deref().into());
    }
    if opens("email") {
        claims.insert("email".into(), user.email.as_str().into());
    }
    if opens("profile") {
        claims.insert("picture".into(), picture(user, issuer).into());
    }
    if opens("roles") {
        claims.insert("roles".into(), user.roles().into());
    }
    claims
}

/// The picture's absolute URL: what is stored may be a path on this site.
fn picture(user: &User, issuer: &str) -> Option<String> {
    let image = user.user_image.as_deref().filter(|image| !image.is_empty())?;
    if image.starts_with("https://") || image.starts_with("http://") {
        return Some(image.to_owned());
    }
    Some(format!("{issuer}/{}", image.trim_start_matches('/')))
}
