//! `OAuth Bearer Token`: access tokens by their public ids; they can be looked at and deleted.

use serde_json::{Map, Value};

use super::{Created, Draft, SystemDoctype, refuse};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::error::AppError;
use crate::oauth::revoke;

/// The adapter.
pub struct OAuthBearerToken;

impl SystemDoctype for OAuthBearerToken {
    fn doctype(&self) -> &'static str {
        "OAuth Bearer Token"
    }

    fn create(&self, _: &mut Cx, _: &Draft<'_>) -> Result<Created, AppError> {
        refuse("creating a document of", self.doctype())
    }

    fn update(&self, _: &mut Cx, _: &Draft<'_>, _: &Map<String, Value>) -> Result<Map<String, Value>, AppError> {
        refuse("changing a document of", self.doctype())
    }

    fn delete(&self, cx: &mut Cx, _: &Caller, name: &str) -> Result<(), AppError> {
        revoke::delete_bearer_token(cx, name)
    }
}
