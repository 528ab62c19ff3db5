//! What is said about a user: the claims that a scope opens and those that were asked for by name.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::cx::Env;
use crate::domain::Scope;
use crate::domain::claims::Claim;
use crate::domain::resource::path_below;
use crate::domain::scope::IDENTITY;
use crate::domain::user::User;

/// What of this server goes into claims.
#[derive(Clone, Copy, Debug)]
pub struct House<'a> {
    /// The public URL.
    pub issuer: &'a str,
    /// Whether whoever makes users has checked their addresses.
    pub emails_verified: bool,
}

impl<'a> House<'a> {
    /// Of this environment.
    pub fn of(env: &'a Env) -> Self {
        Self { issuer: env.public_url.as_str(), emails_verified: env.config.oauth.emails_verified }
    }
}

/// What of a scope opens claims. At a resource that is no part of this server `all` is somebody else's word, and means
/// nothing here; what identity means is the same everywhere.
pub fn identity_of<'s>(scope: &'s Scope, resource: Option<&str>, house: House<'_>) -> Cow<'s, Scope> {
    match resource {
        Some(uri) if path_below(uri, house.issuer).is_none() => Cow::Owned(scope.only(|word| IDENTITY.contains(&word))),
        _ => Cow::Borrowed(scope),
    }
}

/// What a client may know about a user: `sub` always, what its scope opens, and what it may have
/// besides because it asked for it by name.
pub fn about_user(user: &User, scope: &Scope, by_name: &[Claim], house: House<'_>) -> Map<String, Value> {
    let mut claims = Map::new();
    claims.insert("sub".into(), user.sub.as_str().into());
    for claim in Claim::ALL {
        if (claim.is_opened_by(scope) || by_name.contains(&claim))
            && let Some(value) = value(claim, user, house)
        {
            claims.insert(claim.as_str().into(), value);
        }
    }
    claims
}

/// A claim's value. Frappe's claims are null where there is nothing to say, others are left out
/// (OpenID Connect Core section 5.3.2).
fn value(claim: Claim, user: &User, house: House<'_>) -> Option<Value> {
    Some(match claim {
        Claim::Name => user.full_name.as_str().into(),
        Claim::GivenName => user.first_name.as_str().into(),
        Claim::FamilyName => user.last_name.as_deref().into(),
        Claim::Email => user.email.as_str().into(),
        Claim::Picture => picture(user, house.issuer).into(),
        Claim::Roles => user.roles().into(),
        Claim::PreferredUsername => user.username.as_deref()?.into(),
        // An address that is not the user's name (Administrator's, Guest's) is one that nobody checked.
        Claim::EmailVerified => (house.emails_verified && user.email == user.name).into(),
        Claim::PhoneNumber => user.phone_number.as_deref()?.into(),
        // Users write their numbers themselves, and nothing here calls them.
        Claim::PhoneNumberVerified => user.phone_number.as_ref().map(|_| false)?.into(),
    })
}

/// The picture's absolute URL: what is stored may be a path on this site.
fn picture(user: &User, issuer: &str) -> Option<String> {
    let image = user.user_image.as_deref().filter(|image| !image.is_empty())?;
    if image.starts_with("https://") || image.starts_with("http://") {
        return Some(image.to_owned());
    }
    Some(format!("{issuer}/{}", image.trim_start_matches('/')))
}
