//! The registry of resources other than this server's API: what the doctype `OAuth Resource` does to it.

use std::sync::Arc;

use crate::audit::{self, AuditEvent};
use crate::cx::Cx;
use crate::domain::resource::{Resource, Resources, registered_form};
use crate::error::AppError;
use crate::store::epochs::{self, EVERYBODY};
use crate::store::oauth_resources as stored;
use crate::store::{StoreError, clients, codes, consents, grants};

/// The doctype.
const DOCTYPE: &str = "OAuth Resource";
/// Most of them: they are kept in memory as a whole, and anybody's request may have them read again.
const MAX: i64 = 1000;

/// Every resource as of the last commit. Not for flows that change one.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn known(cx: &mut Cx) -> Result<Arc<Resources>, StoreError> {
    let found = cx.env.resources.find("", || stored::list_resources(cx.conn).map(Some))?;
    Ok(found.unwrap_or_default())
}

/// Registers a resource as the document `name`. What users allowed at its URL before, when it was a part of the API or
/// somebody else's, is forgotten.
///
/// # Errors
/// [`AppError::Validation`] that says what is wrong with it; [`AppError::NotUnique`].
pub fn register(cx: &mut Cx, name: &str, resource: Resource, by: &str) -> Result<(), AppError> {
    let uri = registered_form(&resource.uri, cx.env.public_url.as_str()).map_err(|error| AppError::Validation(error.to_string()))?;
    let resource = Resource { uri, ..resource };
    check(cx, &resource)?;
    if stored::count_resources(cx.conn)? >= MAX {
        return Err(AppError::Validation(format!("There are {MAX} resources already: delete some that are not used any more")));
    }
    match stored::insert_resource(cx.conn, cx.now, name, &resource, by) {
        Ok(()) => {}
        Err(StoreError::Unique(_)) => return Err(AppError::NotUnique { label: "Resource".into() }),
        Err(error) => return Err(error.into()),
    }
    consents::revoke_consents_of_resource(cx.conn, &resource.uri)?;
    note(cx, resource.uri, by, "registered")
}

/// Replaces everything about a resource but its URL.
///
/// # Errors
/// As [`register`], and [`AppError::NotFound`].
pub fn update(cx: &mut Cx, at: crate::domain::Instant, name: &str, resource: Resource, by: &str) -> Result<(), AppError> {
    check(cx, &resource)?;
    if !stored::update_resource(cx.conn, at, name, &resource, by)? {
        return Err(AppError::not_found(DOCTYPE, name));
    }
    note(cx, resource.uri, by, "changed")
}

/// The resource of a document.
///
/// # Errors
/// [`AppError::NotFound`].
pub fn get(cx: &mut Cx, name: &str) -> Result<Resource, AppError> {
    stored::find_resource(cx.conn, name)?.ok_or_else(|| AppError::not_found(DOCTYPE, name))
}

/// Removes a resource: what was granted for it ends, and what users allowed there is forgotten. A token that a machine got
/// for itself belongs to no grant and lives to its own end.
///
/// # Errors
/// [`AppError::NotFound`].
pub fn remove(cx: &mut Cx, name: &str, by: &str) -> Result<(), AppError> {
    let resource = get(cx, name)?;
    stored::delete_resource(cx.conn, name)?;
    grants::revoke_of_resource(cx.conn, cx.now, &resource.uri)?;
    codes::burn_unspent_of_resource(cx.conn, cx.now, &resource.uri)?;
    consents::revoke_consents_of_resource(cx.conn, &resource.uri)?;
    note(cx, resource.uri, by, "removed")
}

fn check(cx: &mut Cx, resource: &Resource) -> Result<(), AppError> {
    if resource.title.trim().is_empty() {
        return Err(AppError::Validation("Resource Name is required".into()));
    }
    let Some(client_id) = &resource.introspecting_client else { return Ok(()) };
    match clients::find_client(cx.conn, client_id)? {
        None => Err(AppError::LinkNotFound { label: "Introspecting Client".into(), value: client_id.clone() }),
        Some(client) if client.auth_method.is_public() => Err(AppError::Validation(
            "Introspecting Client must be one that can prove who it is: a client without a secret may not introspect".into(),
        )),
        Some(_) => Ok(()),
    }
}

/// Also forgets what introspection answered and what was read of the registry.
fn note(cx: &mut Cx, resource: String, by: &str, what: &'static str) -> Result<(), AppError> {
    epochs::bump(cx.conn, cx.effects, cx.now, EVERYBODY)?;
    Ok(audit::record(cx, None, &AuditEvent::ResourceChanged { by: by.to_owned(), resource, what })?)
}
