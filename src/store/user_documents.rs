//! Users and roles as documents: the changes that only the resource API makes.

use diesel::prelude::*;

use super::schema::{api_keys, oauth_client_roles, roles, user_roles, users};
use super::{Conn, StoreError};
use crate::domain::Instant;
use crate::domain::user::{ADMINISTRATOR, UserType};

/// The columns of a user that a document may change; `None` leaves one as it is.
#[derive(Clone, Debug, Default, AsChangeset)]
#[diesel(table_name = users)]
pub struct UserChange {
    pub email: Option<String>,
    pub first_name: Option<String>,
    pub middle_name: Option<Option<String>>,
    pub last_name: Option<Option<String>>,
    pub full_name: Option<String>,
    pub username: Option<Option<String>>,
    pub enabled: Option<bool>,
    pub language: Option<Option<String>>,
    pub time_zone: Option<Option<String>>,
    pub user_image: Option<Option<String>>,
    pub mobile_no: Option<Option<String>>,
    pub phone: Option<Option<String>>,
    pub restrict_ip: Option<Option<String>>,
    pub login_after: Option<Option<i32>>,
    pub login_before: Option<Option<i32>>,
}

/// Changes a user's own columns and who changed it when.
///
/// # Errors
/// [`StoreError::Unique`] when a username or mobile number is taken.
pub fn update_user(conn: &mut Conn, at: Instant, by: &str, name: &str, change: &UserChange) -> Result<(), StoreError> {
    diesel::update(users::table.find(name)).set((change, users::modified.eq(at.naive_utc()), users::modified_by.eq(by))).execute(conn)?;
    Ok(())
}

/// Whether someone has a username.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn is_username_taken(conn: &mut Conn, username: &str) -> Result<bool, StoreError> {
    let found: Option<String> = users::table.filter(users::username.eq(username)).select(users::name).first(conn).optional()?;
    Ok(found.is_some())
}

/// Deletes a user and what belongs to it: roles, sessions, keys, consents, grants.
///
/// # Errors
/// [`StoreError::ForeignKey`] when something that outlives it still names it.
pub fn delete_user(conn: &mut Conn, name: &str) -> Result<(), StoreError> {
    diesel::delete(users::table.find(name)).execute(conn)?;
    Ok(())
}

/// Changes the public half of a user's key of this name. Returns whether there is such a key.
///
/// # Errors
/// [`StoreError::Unique`] when another key has this public half.
pub fn update_api_key(conn: &mut Conn, user: &str, key_name: &str, key: &str) -> Result<bool, StoreError> {
    let of_user = api_keys::table.filter(api_keys::user_name.eq(user).and(api_keys::name.eq(key_name)));
    Ok(diesel::update(of_user).set(api_keys::api_key.eq(key)).execute(conn)? == 1)
}

/// Which unique column of a user or key a failed statement hit, by the name of its field.
pub fn find_taken(error: &StoreError) -> Option<&'static str> {
    let StoreError::Unique(text) = error else { return None };
    // SQLite names the column, Postgres the constraint.
    [
        ("username", ["users.username", "users_username_key"]),
        ("mobile_no", ["users.mobile_no", "users_mobile_no_key"]),
        ("api_key", ["api_keys.api_key", "api_keys_api_key_key"]),
        ("name", ["users.name", "users_pkey"]),
    ]
    .into_iter()
    .find(|(_, names)| names.iter().any(|name| text.ends_with(name)))
    .map(|(field, _)| field)
}

/// The marks of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleMarks {
    pub disabled: bool,
    pub desk_access: bool,
    pub is_custom: bool,
    pub two_factor_auth: bool,
}

/// Makes a role.
///
/// # Errors
/// [`StoreError::Unique`] when the name is taken.
pub fn insert_role(conn: &mut Conn, at: Instant, by: &str, name: &str, marks: RoleMarks) -> Result<(), StoreError> {
    let at = at.naive_utc();
    diesel::insert_into(roles::table)
        .values((
            roles::name.eq(name),
            roles::disabled.eq(marks.disabled),
            roles::desk_access.eq(marks.desk_access),
            roles::is_custom.eq(marks.is_custom),
            roles::two_factor_auth.eq(marks.two_factor_auth),
            roles::owner.eq(by),
            roles::creation.eq(at),
            roles::modified.eq(at),
            roles::modified_by.eq(by),
        ))
        .execute(conn)?;
    Ok(())
}

/// Changes a role's marks.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn update_role(conn: &mut Conn, at: Instant, by: &str, name: &str, marks: RoleMarks) -> Result<(), StoreError> {
    diesel::update(roles::table.find(name))
        .set((
            roles::disabled.eq(marks.disabled),
            roles::desk_access.eq(marks.desk_access),
            roles::is_custom.eq(marks.is_custom),
            roles::two_factor_auth.eq(marks.two_factor_auth),
            roles::modified.eq(at.naive_utc()),
            roles::modified_by.eq(by),
        ))
        .execute(conn)?;
    Ok(())
}

/// Deletes a role that nobody has.
///
/// # Errors
/// [`StoreError::ForeignKey`] when somebody has it.
pub fn delete_role(conn: &mut Conn, name: &str) -> Result<(), StoreError> {
    diesel::delete(roles::table.find(name)).execute(conn)?;
    Ok(())
}

/// Takes a role from every user and client that has it.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn remove_role_everywhere(conn: &mut Conn, name: &str) -> Result<(), StoreError> {
    diesel::delete(user_roles::table.filter(user_roles::role.eq(name))).execute(conn)?;
    diesel::delete(oauth_client_roles::table.filter(oauth_client_roles::role.eq(name))).execute(conn)?;
    Ok(())
}

/// Gives every user the type that follows from its roles, after a role changed.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn update_user_types(conn: &mut Conn) -> Result<(), StoreError> {
    let opening = || roles::table.filter(roles::desk_access.eq(true).and(roles::disabled.eq(false))).select(roles::name);
    let with_desk = || user_roles::table.filter(user_roles::role.eq_any(opening())).select(user_roles::user_name);
    let (system, website) = (UserType::SystemUser.as_str(), UserType::WebsiteUser.as_str());
    diesel::update(users::table.filter(users::user_type.ne(system).and(users::name.eq_any(with_desk()))))
        .set(users::user_type.eq(system))
        .execute(conn)?;
    let without = users::user_type.ne(website).and(users::name.ne_all(with_desk())).and(users::name.ne(ADMINISTRATOR));
    diesel::update(users::table.filter(without)).set(users::user_type.eq(website)).execute(conn)?;
    Ok(())
}
