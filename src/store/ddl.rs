//! The table of a doctype: made and extended from its definition, never from a request.
//!
//! Everything is inside the caller's transaction, so a table is there with all its indexes or not
//! at all; running it again changes nothing. What a table was last made from is remembered in
//! `doctypes`.

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;

use super::schema::doctypes;
use super::{Conn, StoreError, dialect};
use crate::doctype::{DocType, Field, FieldType, Kind, Origin, Rows};
use crate::domain::Instant;
use crate::secrets::SecretHash;

/// Longest name of an index in Postgres.
const MAX_INDEX_NAME: usize = 63;

/// Creates the table of a doctype, or adds the columns and indexes that it lacks. Doctypes over
/// typed tables have none. Columns whose field is gone stay, with what is in them.
///
/// # Errors
/// [`StoreError::Fault`] when a field changed to a type that its column cannot hold,
/// [`StoreError::Unique`] when a field became unique and its values are not.
pub fn ensure_table(conn: &mut Conn, now: Instant, doctype: &DocType) -> Result<(), StoreError> {
    if doctype.rows == Rows::Typed {
        return Ok(());
    }
    dialect::lock_tables(conn)?;
    let table = format!("tab{}", doctype.name);
    let before = find_definition(conn, &doctype.name)?;
    let earlier = before.as_deref().and_then(|text| DocType::parse(&doctype.name, text, Origin::Site).ok());
    if let Some(earlier) = &earlier {
        refuse_retyped(earlier, doctype)?;
    }
    let existing = dialect::list_columns(conn, &table)?;
    if existing.is_empty() {
        let columns: Vec<String> = stored(doctype).map(|(field, kind)| column(conn, field, kind)).collect();
        let key = unique_index(doctype, "name");
        conn.batch_execute(&format!("CREATE TABLE \"{table}\" ({}, CONSTRAINT \"{key}\" PRIMARY KEY (\"name\"))", columns.join(", ")))?;
    } else {
        for (field, kind) in stored(doctype).filter(|(field, _)| !existing.contains(&field.fieldname)) {
            let column = column(conn, field, kind);
            conn.batch_execute(&format!("ALTER TABLE \"{table}\" ADD COLUMN {column}"))?;
        }
    }
    for (columns, name) in common_indexes(doctype) {
        let index = plain_index(doctype, name);
        conn.batch_execute(&format!("CREATE INDEX IF NOT EXISTS \"{index}\" ON \"{table}\" ({columns})"))?;
    }
    for field in &doctype.fields {
        let name = &field.fieldname;
        let nulls = dialect::missing_first(conn, false);
        if field.unique {
            let index = unique_index(doctype, name);
            conn.batch_execute(&format!("CREATE UNIQUE INDEX IF NOT EXISTS \"{index}\" ON \"{table}\" (\"{name}\"{nulls})"))?;
        } else if earlier.as_ref().and_then(|earlier| earlier.field(name)).is_some_and(|field| field.unique) {
            conn.batch_execute(&format!("DROP INDEX IF EXISTS \"{}\"", unique_index(doctype, name)))?;
        }
        if !field.unique && (field.search_index || matches!(field.fieldtype, FieldType::Link | FieldType::DynamicLink)) {
            let index = plain_index(doctype, name);
            conn.batch_execute(&format!("CREATE INDEX IF NOT EXISTS \"{index}\" ON \"{table}\" (\"{name}\"{nulls})"))?;
        }
    }
    if before.as_deref() != Some(&doctype.definition) {
        remember(conn, now, doctype, before.is_some())?;
    }
    Ok(())
}

/// The definition a doctype's table was last made from.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn find_definition(conn: &mut Conn, name: &str) -> Result<Option<String>, StoreError> {
    Ok(doctypes::table.find(name).select(doctypes::definition).first(conn).optional()?)
}

fn remember(conn: &mut Conn, now: Instant, doctype: &DocType, known: bool) -> Result<(), StoreError> {
    let values = (doctypes::definition.eq(&doctype.definition), doctypes::modified.eq(now.naive_utc()));
    if known {
        diesel::update(doctypes::table.find(&doctype.name)).set(values).execute(conn)?;
    } else {
        diesel::insert_into(doctypes::table).values((doctypes::name.eq(&doctype.name), values.0, values.1)).execute(conn)?;
    }
    Ok(())
}

/// All columns of a doctype's table, the optional ones last.
fn stored(doctype: &DocType) -> impl Iterator<Item = (&Field, Kind)> {
    let optional = doctype.optional_fields().iter().filter_map(|field| field.kind().map(|kind| (field, kind)));
    doctype.columns().chain(optional)
}

fn refuse_retyped(earlier: &DocType, doctype: &DocType) -> Result<(), StoreError> {
    for field in &doctype.fields {
        let Some(old) = earlier.field(&field.fieldname) else { continue };
        let same = match (old.kind(), field.kind()) {
            (Some(Kind::Text { .. }), Some(Kind::Text { .. })) => true,
            (old, new) => old == new,
        };
        if !same {
            return Err(StoreError::Fault(format!(
                "{}: field {} was {} and cannot become {}; its column keeps what is in it",
                doctype.name,
                field.fieldname,
                old.fieldtype.as_str(),
                field.fieldtype.as_str()
            )));
        }
    }
    Ok(())
}

/// The indexes of every table: for the default order and the documents of an owner, or for the rows of a parent.
fn common_indexes(doctype: &DocType) -> &'static [(&'static str, &'static str)] {
    if doctype.is_child_table {
        &[(r#""parent", "parentfield", "idx""#, "parent")]
    } else if doctype.is_single {
        &[]
    } else {
        &[(r#""modified", "name""#, "modified"), (r#""owner", "modified", "name""#, "owner")]
    }
}

/// Numbers are never missing, as in Frappe; of the texts every document has its standard ones.
fn column(conn: &Conn, field: &Field, kind: Kind) -> String {
    let constraint = match field.fieldname.as_str() {
        "name" | "owner" | "creation" | "modified" | "modified_by" => " NOT NULL",
        _ if field.fieldtype.may_be_missing() => "",
        _ => " NOT NULL DEFAULT 0",
    };
    format!("\"{}\" {}{constraint}", field.fieldname, dialect::column_type(conn, kind))
}

/// The name of the index that keeps a column unique; also what Postgres reports when it does.
pub(super) fn unique_index(doctype: &DocType, fieldname: &str) -> String {
    index_name(doctype, fieldname, "key")
}

fn plain_index(doctype: &DocType, fieldname: &str) -> String {
    index_name(doctype, fieldname, "idx")
}

/// Postgres cuts long names silently, and two indexes would become one.
fn index_name(doctype: &DocType, fieldname: &str, suffix: &str) -> String {
    // A dot is in neither name, so `A_b`.`c` and `A`.`b_c` stay apart.
    let name = format!("tab{}.{fieldname}.{suffix}", doctype.name);
    if name.len() <= MAX_INDEX_NAME {
        return name;
    }
    let hash = SecretHash::of(&name).to_text();
    format!("{}_{}_{suffix}", &name[..MAX_INDEX_NAME - 16], &hash[..10])
}
