//! What the table of a doctype looks like: its columns and indexes, as one value that can be kept and compared.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::doctype::changes::is_indexed;
use crate::doctype::{DocType, Field, Kind};
use crate::secrets::SecretHash;
use crate::store::{Conn, StoreError, dialect};

/// Grows when tables are laid out differently than before, so that every table is looked at again.
pub(in crate::store) const VERSION: u32 = 1;
/// Longest name of an index in Postgres.
const MAX_INDEX_NAME: usize = 63;

/// What a column holds, in words that are the same on both databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct Column(pub Content, pub Presence);

/// The [`Kind`] of a column, without the limits that only the values of requests have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::store) enum Content {
    Text,
    Int,
    Float,
    Check,
    Date,
    Datetime,
    Time,
}

/// Whether every row has a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::store) enum Presence {
    Optional,
    Always,
    /// Always, and 0 where nothing was said.
    Counted,
}

impl Column {
    fn of(field: &Field, kind: Kind) -> Self {
        let content = match kind {
            Kind::Text { .. } => Content::Text,
            Kind::Int => Content::Int,
            Kind::Float => Content::Float,
            Kind::Check => Content::Check,
            Kind::Date => Content::Date,
            Kind::Datetime => Content::Datetime,
            Kind::Time => Content::Time,
        };
        // Numbers are never missing, as in Frappe; of the texts every document has its standard ones.
        let presence = match field.fieldname.as_str() {
            "name" | "owner" | "creation" | "modified" | "modified_by" => Presence::Always,
            _ if field.fieldtype.may_be_missing() => Presence::Optional,
            _ => Presence::Counted,
        };
        Self(content, presence)
    }

    /// The type in SQL.
    pub fn sql_type(self, conn: &Conn) -> &'static str {
        let kind = match self.0 {
            Content::Text => Kind::Text { limit: None },
            Content::Int => Kind::Int,
            Content::Float => Kind::Float,
            Content::Check => Kind::Check,
            Content::Date => Kind::Date,
            Content::Datetime => Kind::Datetime,
            Content::Time => Kind::Time,
        };
        dialect::column_type(conn, kind)
    }

    /// Type and constraints in SQL; rows that are there get `default`, or 0 where they must have something.
    pub fn sql(self, conn: &Conn, default: Option<&str>) -> String {
        let kind = self.sql_type(conn);
        let default = default.or(if self.1 == Presence::Counted { Some("0") } else { None });
        let default = default.map(|default| format!(" DEFAULT {default}")).unwrap_or_default();
        let constraint = if self.1 == Presence::Optional { "" } else { " NOT NULL" };
        format!("{kind}{constraint}{default}")
    }
}

/// The columns and indexes of a table, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct Layout {
    pub columns: BTreeMap<String, Column>,
    /// Columns in the database's SQL, in parentheses, after `UNIQUE` where they are.
    pub indexes: BTreeMap<String, String>,
}

impl Layout {
    /// What the table of a doctype has to look like.
    pub fn of(conn: &Conn, doctype: &DocType) -> Self {
        let columns = stored(doctype).map(|(field, kind)| (field.fieldname.clone(), Column::of(field, kind)));
        Self { columns: columns.collect(), indexes: indexes(conn, doctype) }
    }

    /// What tables looked like before layouts were kept: indexes on single columns.
    pub fn before_layouts(conn: &Conn, doctype: &DocType) -> Self {
        let mut layout = Self::of(conn, doctype);
        layout.indexes.retain(|_, columns| columns.starts_with("UNIQUE") || !columns.contains("\"modified\""));
        for (columns, name) in common_indexes(doctype) {
            layout.indexes.insert(plain_index(doctype, name), format!("({columns})"));
        }
        let nulls = dialect::missing_first(conn, false);
        for field in doctype.fields.iter().filter(|field| is_indexed(field)) {
            layout.indexes.insert(plain_index(doctype, &field.fieldname), format!("(\"{}\"{nulls})", field.fieldname));
        }
        layout
    }

    /// Reads what [`Layout::to_text`] wrote.
    ///
    /// # Errors
    /// [`StoreError::Fault`] for anything else.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        serde_json::from_str(text).map_err(StoreError::corrupt)
    }

    /// The form in which it is kept.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("maps of texts are JSON")
    }
}

/// All columns of a doctype's table, the optional ones last.
fn stored(doctype: &DocType) -> impl Iterator<Item = (&Field, Kind)> {
    let optional = doctype.optional_fields().iter().filter_map(|field| field.kind().map(|kind| (field, kind)));
    doctype.columns().chain(optional)
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

fn indexes(conn: &Conn, doctype: &DocType) -> BTreeMap<String, String> {
    let mut indexes: BTreeMap<String, String> =
        common_indexes(doctype).iter().map(|(columns, name)| (plain_index(doctype, name), format!("({columns})"))).collect();
    let nulls = dialect::missing_first(conn, false);
    // A single is one row, which is found without.
    for field in doctype.fields.iter().filter(|field| field.kind().is_some() && !doctype.is_single) {
        let name = &field.fieldname;
        if field.unique {
            indexes.insert(unique_index(doctype, name), format!("UNIQUE (\"{name}\"{nulls})"));
        } else if is_indexed(field) {
            // With what lists sort by, so that the newest of many documents that share a value are one range of it.
            let order = if doctype.is_child_table { "" } else { ", \"modified\", \"name\"" };
            indexes.insert(plain_index(doctype, name), format!("(\"{name}\"{nulls}{order})"));
        }
    }
    indexes
}

/// The name of the index that keeps a column unique; also what Postgres reports when it does.
pub(in crate::store) fn unique_index(doctype: &DocType, fieldname: &str) -> String {
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
