//! Users, their passwords and their roles.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use super::schema::{user_roles, users};
use super::{Conn, StoreError};
use crate::domain::Instant;
use crate::domain::user::{User, UserType};
use crate::secrets::mint;

type UserRow = (
    String,
    String,
    String,
    String,
    Option<String>,
    String,
    Option<String>,
    bool,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    (Option<String>, Option<String>),
    Option<String>,
    Option<i32>,
    Option<i32>,
);

/// A user to be made. The password is already hashed.
#[derive(Clone, Debug)]
pub struct NewUser<'a> {
    pub name: &'a str,
    pub email: &'a str,
    pub first_name: &'a str,
    pub last_name: Option<&'a str>,
    pub username: Option<&'a str>,
    pub enabled: bool,
    pub user_type: UserType,
    pub password_hash: Option<&'a str>,
    /// Who makes it.
    pub owner: &'a str,
}

fn to_domain(row: UserRow, assigned_roles: Vec<String>) -> User {
    let (
        name,
        sub,
        email,
        first_name,
        last_name,
        full_name,
        username,
        enabled,
        user_type,
        language,
        time_zone,
        user_image,
        (mobile_no, phone),
        restrict_ip,
        login_after,
        login_before,
    ) = row;
    let number = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    User {
        name,
        sub,
        email,
        first_name,
        last_name,
        full_name,
        username,
        enabled,
        user_type: UserType::from_text(&user_type),
        language,
        time_zone,
        user_image,
        phone_number: number(mobile_no).or_else(|| number(phone)),
        restrict_ip,
        login_after,
        login_before,
        assigned_roles,
    }
}

/// The user of this exact name, with its roles.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn find_user(conn: &mut Conn, name: &str) -> Result<Option<User>, StoreError> {
    let row: Option<UserRow> = users::table
        .find(name)
        .select((
            users::name,
            users::sub,
            users::email,
            users::first_name,
            users::last_name,
            users::full_name,
            users::username,
            users::enabled,
            users::user_type,
            users::language,
            users::time_zone,
            users::user_image,
            (users::mobile_no, users::phone),
            users::restrict_ip,
            users::login_after,
            users::login_before,
        ))
        .get_result(conn)
        .optional()?;
    match row {
        Some(row) => {
            let roles = list_roles_of(conn, name)?;
            Ok(Some(to_domain(row, roles)))
        }
        None => Ok(None),
    }
}

/// The user of this name; it must exist.
///
/// # Errors
/// [`StoreError::NotFound`], or from the database.
pub fn get_user(conn: &mut Conn, name: &str) -> Result<User, StoreError> {
    find_user(conn, name)?.ok_or(StoreError::NotFound)
}

/// The roles a user was given, in the order they were.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn list_roles_of(conn: &mut Conn, name: &str) -> Result<Vec<String>, StoreError> {
    Ok(user_roles::table.filter(user_roles::user_name.eq(name)).order(user_roles::idx).select(user_roles::role).load(conn)?)
}

/// The stored password hash; `None` when there is no such user or it has no password.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn find_password_hash(conn: &mut Conn, name: &str) -> Result<Option<String>, StoreError> {
    Ok(users::table.find(name).select(users::password_hash).get_result::<Option<String>>(conn).optional()?.flatten())
}

/// Every user's name, enabled flag, type and full name, by name.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn list_users(conn: &mut Conn) -> Result<Vec<(String, bool, String, String)>, StoreError> {
    Ok(users::table.order(users::name).select((users::name, users::enabled, users::user_type, users::full_name)).load(conn)?)
}

/// Whether any user exists: a database without one is new.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn any_user(conn: &mut Conn) -> Result<bool, StoreError> {
    Ok(users::table.select(users::name).first::<String>(conn).optional()?.is_some())
}

/// Makes a user, with a new random subject identifier.
///
/// # Errors
/// [`StoreError::Unique`] when the name or username is taken.
pub fn insert_user(conn: &mut Conn, now: Instant, user: &NewUser) -> Result<(), StoreError> {
    let at = now.naive_utc();
    diesel::insert_into(users::table)
        .values((
            users::name.eq(user.name),
            users::sub.eq(mint::name(32)),
            users::email.eq(user.email),
            users::first_name.eq(user.first_name),
            users::last_name.eq(user.last_name),
            users::full_name.eq(User::join_name(user.first_name, user.last_name)),
            users::username.eq(user.username),
            users::enabled.eq(user.enabled),
            users::user_type.eq(user.user_type.as_str()),
            users::password_hash.eq(user.password_hash),
            users::owner.eq(user.owner),
            users::creation.eq(at),
            users::modified.eq(at),
            users::modified_by.eq(user.owner),
        ))
        .execute(conn)?;
    Ok(())
}

/// Gives a user a role; giving it twice changes nothing.
///
/// # Errors
/// [`StoreError::ForeignKey`] when there is no such user or role.
pub fn insert_role_of(conn: &mut Conn, now: Instant, name: &str, role: &str, owner: &str) -> Result<(), StoreError> {
    let known: Option<String> = user_roles::table
        .filter(user_roles::user_name.eq(name).and(user_roles::role.eq(role)))
        .select(user_roles::id)
        .first(conn)
        .optional()?;
    if known.is_some() {
        return Ok(());
    }
    let last: Option<i32> =
        user_roles::table.filter(user_roles::user_name.eq(name)).select(diesel::dsl::max(user_roles::idx)).first(conn)?;
    let at = now.naive_utc();
    diesel::insert_into(user_roles::table)
        .values((
            user_roles::id.eq(mint::name(10)),
            user_roles::user_name.eq(name),
            user_roles::role.eq(role),
            user_roles::idx.eq(last.unwrap_or(0) + 1),
            user_roles::owner.eq(owner),
            user_roles::creation.eq(at),
            user_roles::modified.eq(at),
            user_roles::modified_by.eq(owner),
        ))
        .execute(conn)?;
    Ok(())
}

/// Takes every role from a user.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn remove_roles_of(conn: &mut Conn, name: &str) -> Result<(), StoreError> {
    diesel::delete(user_roles::table.filter(user_roles::user_name.eq(name))).execute(conn)?;
    Ok(())
}

/// Replaces the password hash. Returns whether there is such a user.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn update_password_hash(conn: &mut Conn, name: &str, hash: &str) -> Result<bool, StoreError> {
    Ok(diesel::update(users::table.find(name)).set(users::password_hash.eq(hash)).execute(conn)? == 1)
}

/// Replaces the password hash only while it is still `old`: a rehash at login must not undo a
/// password change that happened meanwhile.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn update_password_hash_if(conn: &mut Conn, name: &str, old: &str, new: &str) -> Result<bool, StoreError> {
    let target = users::table.filter(users::name.eq(name).and(users::password_hash.eq(old)));
    Ok(diesel::update(target).set(users::password_hash.eq(new)).execute(conn)? == 1)
}

/// Sets the user type that follows from the roles. Returns whether there is such a user.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn update_user_type(conn: &mut Conn, name: &str, user_type: UserType) -> Result<bool, StoreError> {
    Ok(diesel::update(users::table.find(name)).set(users::user_type.eq(user_type.as_str())).execute(conn)? == 1)
}

/// Remembers a login.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn update_last_login(conn: &mut Conn, now: Instant, name: &str, ip: Option<&str>) -> Result<(), StoreError> {
    let at: NaiveDateTime = now.naive_utc();
    diesel::update(users::table.find(name))
        .set((users::last_login.eq(at), users::last_active.eq(at), users::last_ip.eq(ip)))
        .execute(conn)?;
    Ok(())
}
