//! The resources that tokens can be for besides this server's own API.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use super::schema::oauth_resources;
use super::{Conn, StoreError};
use crate::domain::resource::{Resource, Resources};
use crate::domain::{Instant, Scope};

type ResourceRow = (String, String, String, Option<String>);

/// The columns of [`ResourceRow`].
fn columns() -> (oauth_resources::resource, oauth_resources::resource_name, oauth_resources::scopes, oauth_resources::introspecting_client)
{
    (oauth_resources::resource, oauth_resources::resource_name, oauth_resources::scopes, oauth_resources::introspecting_client)
}

fn to_domain((uri, title, scopes, introspecting_client): ResourceRow) -> Result<Resource, StoreError> {
    Ok(Resource { uri, title, scope: Scope::parse(&scopes).map_err(StoreError::corrupt)?, introspecting_client })
}

/// The resource of a document's name.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn find_resource(conn: &mut Conn, name: &str) -> Result<Option<Resource>, StoreError> {
    let row: Option<ResourceRow> = oauth_resources::table.find(name).select(columns()).get_result(conn).optional()?;
    row.map(to_domain).transpose()
}

/// Every resource; how many there can be is bounded where they are registered.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn list_resources(conn: &mut Conn) -> Result<Resources, StoreError> {
    let rows: Vec<ResourceRow> = oauth_resources::table.order(oauth_resources::resource).select(columns()).load(conn)?;
    Ok(Resources::new(rows.into_iter().map(to_domain).collect::<Result<_, _>>()?))
}

/// How many there are.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn count_resources(conn: &mut Conn) -> Result<i64, StoreError> {
    Ok(oauth_resources::table.count().get_result(conn)?)
}

/// Keeps a new resource under a document's name.
///
/// # Errors
/// [`StoreError::Unique`] when its URL is taken, [`StoreError::ForeignKey`] when its client does not exist.
pub fn insert_resource(conn: &mut Conn, at: Instant, name: &str, resource: &Resource, by: &str) -> Result<(), StoreError> {
    let at: NaiveDateTime = at.naive_utc();
    diesel::insert_into(oauth_resources::table)
        .values((
            oauth_resources::name.eq(name),
            oauth_resources::resource.eq(&resource.uri),
            oauth_resources::resource_name.eq(&resource.title),
            oauth_resources::scopes.eq(resource.scope.to_string()),
            oauth_resources::introspecting_client.eq(resource.introspecting_client.as_deref()),
            oauth_resources::owner.eq(by),
            oauth_resources::creation.eq(at),
            oauth_resources::modified.eq(at),
            oauth_resources::modified_by.eq(by),
        ))
        .execute(conn)?;
    Ok(())
}

/// Replaces everything about a resource but its URL. Returns whether it exists.
///
/// # Errors
/// [`StoreError::ForeignKey`] when its client does not exist.
pub fn update_resource(conn: &mut Conn, at: Instant, name: &str, resource: &Resource, by: &str) -> Result<bool, StoreError> {
    let changed = diesel::update(oauth_resources::table.find(name))
        .set((
            oauth_resources::resource_name.eq(&resource.title),
            oauth_resources::scopes.eq(resource.scope.to_string()),
            oauth_resources::introspecting_client.eq(resource.introspecting_client.as_deref()),
            oauth_resources::modified.eq(at.naive_utc()),
            oauth_resources::modified_by.eq(by),
        ))
        .execute(conn)?;
    Ok(changed == 1)
}

/// Removes a resource. Returns whether it existed.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn delete_resource(conn: &mut Conn, name: &str) -> Result<bool, StoreError> {
    Ok(diesel::delete(oauth_resources::table.find(name)).execute(conn)? == 1)
}
