//! The definitions of doctypes: those that came with the program and those of the site, each with the
//! table that was made from it.
//!
//! Everything that changes one takes the lock first ([`lock`]), so that two processes never change
//! tables at once. What is kept here is read by every process at its start and after a change.

use diesel::prelude::*;

use super::ddl::{self, Before, DdlError, Layout};
use super::schema::doctypes;
use super::{Conn, StoreError, dialect};
use crate::doctype::{DocType, Origin, Rows};
use crate::domain::Instant;
use crate::domain::scope::doctype_word;
use crate::secrets::SecretHash;

/// The definition of a site's doctype as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct SiteDefinition {
    pub name: String,
    pub definition: String,
}

/// What a definition comes to, together with how this program lays out tables.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Digest(String);

impl Digest {
    /// Of a doctype as it is known.
    pub fn of(doctype: &DocType) -> Self {
        let origin: &[u8] = match doctype.origin {
            Origin::Builtin => b"program",
            Origin::Site => b"site",
        };
        Self(SecretHash::of_tuple(&[&ddl::VERSION.to_le_bytes(), origin, doctype.definition.as_bytes()]).to_text())
    }
}

/// Waits until no other process changes definitions, and keeps them from it until the transaction ends.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn lock(conn: &mut Conn) -> Result<(), StoreError> {
    dialect::lock_tables(conn)
}

/// Every definition's digest, and whether it is the site's.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn list_digests(conn: &mut Conn) -> Result<Vec<(String, Digest, bool)>, StoreError> {
    let rows: Vec<(String, String, bool)> =
        doctypes::table.select((doctypes::name, doctypes::digest, doctypes::is_site)).order(doctypes::name).load(conn)?;
    Ok(rows.into_iter().map(|(name, digest, is_site)| (name, Digest(digest), is_site)).collect())
}

/// The site's definitions, all or those of these names.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn list_of_site(conn: &mut Conn, names: Option<&[String]>) -> Result<Vec<SiteDefinition>, StoreError> {
    /// Variables that every SQLite takes.
    const AT_ONCE: usize = 500;
    let all = || doctypes::table.filter(doctypes::is_site.eq(true)).select((doctypes::name, doctypes::definition)).order(doctypes::name);
    let Some(names) = names else { return Ok(all().load(conn)?) };
    let mut found = Vec::with_capacity(names.len());
    for names in names.chunks(AT_ONCE) {
        found.extend(all().filter(doctypes::name.eq_any(names)).load::<SiteDefinition>(conn)?);
    }
    Ok(found)
}

/// Refuses a definition that the documents that are there do not allow. Changes nothing.
///
/// # Errors
/// [`DdlError::Refused`] with a sentence that says what is in the way.
pub fn check(conn: &mut Conn, doctype: &DocType) -> Result<(), DdlError> {
    let before = find_before(conn, &doctype.name)?;
    ddl::check(conn, before.as_ref(), doctype)
}

/// Keeps a definition and makes or changes its table, inside the caller's transaction and after [`lock`].
///
/// # Errors
/// As [`check`]; [`StoreError::Unavailable`] when other transactions hold the table for too long.
pub fn upsert(conn: &mut Conn, now: Instant, doctype: &DocType, by: &str) -> Result<(), DdlError> {
    let before = find_before(conn, &doctype.name)?;
    let layout = ddl::apply(conn, before.as_ref(), doctype)?;
    let custom = doctype.origin == Origin::Site && is_custom(doctype);
    let values = (
        doctypes::definition.eq(&doctype.definition),
        doctypes::word.eq(doctype_word(&doctype.name)),
        doctypes::digest.eq(Digest::of(doctype).0),
        doctypes::layout.eq(layout.to_text()),
        doctypes::is_site.eq(doctype.origin == Origin::Site),
        doctypes::module.eq(&doctype.module),
        doctypes::istable.eq(doctype.is_child_table),
        doctypes::issingle.eq(doctype.is_single),
        doctypes::is_submittable.eq(doctype.is_submittable),
        doctypes::is_tree.eq(doctype.tree_parent.is_some()),
        doctypes::custom.eq(custom),
        doctypes::modified.eq(now.naive_utc()),
        doctypes::modified_by.eq(by),
    );
    if before.is_some() {
        diesel::update(doctypes::table.find(&doctype.name)).set(values).execute(conn)?;
    } else {
        let new = (doctypes::name.eq(&doctype.name), doctypes::owner.eq(by), doctypes::creation.eq(now.naive_utc()));
        match diesel::insert_into(doctypes::table).values((new, values)).execute(conn).map_err(StoreError::from) {
            Ok(_) => {}
            // Made by another process since this one last heard of it.
            Err(StoreError::Unique(_)) => {
                return Err(DdlError::Refused(format!("there is a doctype already that a scope spells {}", doctype_word(&doctype.name))));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Forgets a definition and drops its table, inside the caller's transaction and after [`lock`].
///
/// # Errors
/// [`DdlError::Refused`] when there are documents.
pub fn delete(conn: &mut Conn, name: &str) -> Result<(), DdlError> {
    if let Some(before) = find_before(conn, name)?
        && before.doctype.rows == Rows::OwnTable
    {
        ddl::drop_table(conn, &before.doctype)?;
    }
    diesel::delete(doctypes::table.find(name)).execute(conn)?;
    Ok(())
}

/// The definition of a doctype, and whether it is the site's.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn find_definition(conn: &mut Conn, name: &str) -> Result<Option<(String, bool)>, StoreError> {
    Ok(doctypes::table.find(name).select((doctypes::definition, doctypes::is_site)).get_result(conn).optional()?)
}

fn find_before(conn: &mut Conn, name: &str) -> Result<Option<Before>, DdlError> {
    let found: Option<(String, Option<String>, bool)> = doctypes::table
        .find(name)
        .select((doctypes::definition, doctypes::layout, doctypes::is_site))
        .get_result(conn)
        .optional()
        .map_err(StoreError::from)?;
    let Some((definition, layout, is_site)) = found else { return Ok(None) };
    let origin = if is_site { Origin::Site } else { Origin::Builtin };
    let doctype = DocType::parse(name, &definition, origin).map_err(StoreError::corrupt)?;
    let layout = match layout {
        Some(text) => Layout::parse(&text)?,
        None => Layout::before_layouts(conn, &doctype),
    };
    Ok(Some(Before { doctype, layout }))
}

fn is_custom(doctype: &DocType) -> bool {
    let value: Option<serde_json::Value> = serde_json::from_str(&doctype.definition).ok();
    value.as_ref().and_then(|value| value.get("custom")).is_some_and(|custom| custom.as_i64() == Some(1) || custom == true)
}
