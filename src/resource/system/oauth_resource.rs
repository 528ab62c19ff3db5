//! `OAuth Resource`: what tokens can be for besides this server's own API.

use serde_json::{Map, Value};

use super::{Created, Draft, SystemDoctype};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::Values;
use crate::domain::Scope;
use crate::domain::resource::Resource;
use crate::error::AppError;
use crate::oauth::resources;

/// The adapter.
pub struct OAuthResource;

impl SystemDoctype for OAuthResource {
    fn doctype(&self) -> &'static str {
        "OAuth Resource"
    }

    fn create(&self, cx: &mut Cx, draft: &Draft<'_>) -> Result<Created, AppError> {
        let uri = draft.values.text("resource").unwrap_or_default().to_owned();
        let mut resource = Resource { uri, title: String::new(), scope: Scope::default(), introspecting_client: None };
        change(&mut resource, draft.values)?;
        resources::register(cx, draft.name, resource, draft.caller.name())?;
        Ok(Created { name: draft.name.to_owned(), shown_once: Map::new() })
    }

    fn update(&self, cx: &mut Cx, draft: &Draft<'_>, _: &Map<String, Value>) -> Result<Map<String, Value>, AppError> {
        let mut resource = resources::get(cx, draft.name)?;
        change(&mut resource, draft.values)?;
        resources::update(cx, draft.at, draft.name, resource, draft.caller.name())?;
        Ok(Map::new())
    }

    fn delete(&self, cx: &mut Cx, caller: &Caller, name: &str) -> Result<(), AppError> {
        resources::remove(cx, name, caller.name())
    }
}

/// Applies the fields that are part of a change; the URL never changes.
fn change(resource: &mut Resource, values: &Values) -> Result<(), AppError> {
    for (fieldname, value) in values.iter() {
        let text = value.as_text().map(str::trim).filter(|text| !text.is_empty());
        match fieldname {
            "resource_name" => resource.title = text.unwrap_or_default().to_owned(),
            "scopes" => {
                resource.scope =
                    Scope::parse(text.unwrap_or_default()).map_err(|error| AppError::Validation(format!("Scopes: {error}")))?;
            }
            "introspecting_client" => resource.introspecting_client = text.map(str::to_owned),
            _ => {}
        }
    }
    Ok(())
}
