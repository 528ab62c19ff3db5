//! What a doctype is: read from Frappe's DocType JSON (`read.rs`), checked once, trusted afterwards.
//!
//! Identifiers of tables and columns come from here and from nowhere else, so everything that
//! could not stand between SQL quotes is refused when a definition is read.

mod read;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use serde::Deserialize;

use super::Memo;
use super::fieldtype::{DATA_LENGTH, FieldType, Kind, Storage};
use super::naming::Naming;

pub use read::{has_nul, is_fieldname};

/// A definition that cannot be used; the text names the file and the field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {what}")]
pub struct InvalidDefinition {
    pub file: String,
    pub what: String,
}

/// Where a definition comes from, and so what it may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Embedded; may name a typed table and another owner field.
    Builtin,
    /// A file of the site.
    Site,
}

/// Where the rows of a doctype are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// A table of its own, made from the definition.
    OwnTable,
    /// Typed tables that the server itself reasons about; `store::document_sources` maps the fields.
    Typed,
}

/// One field of a doctype.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    pub fieldname: String,
    pub label: String,
    pub fieldtype: FieldType,
    /// Link: the doctype; Dynamic Link: the field that names it; Select: one option a line; Table: the child doctype.
    pub options: String,
    pub required: bool,
    pub default: Option<String>,
    pub unique: bool,
    pub search_index: bool,
    pub permlevel: u8,
    pub length: Option<usize>,
    /// Digits after the point that a number keeps.
    pub precision: Option<u8>,
    pub set_only_once: bool,
    pub non_negative: bool,
    /// Requests cannot set it where a form could not; kept when a new document is made.
    pub read_only: bool,
    /// May be changed after the document was submitted.
    pub allow_on_submit: bool,
    /// Left out of copies.
    pub no_copy: bool,
    /// The field is filled from the document that a Link names.
    pub fetch_from: Option<FetchFrom>,
    /// User Permissions of the linked doctype do not restrict it.
    pub ignore_user_permissions: bool,
    /// Found by full-text search.
    pub in_global_search: bool,
    /// Shown where documents are listed without saying how.
    pub in_list_view: bool,
    /// Heard when a document is written, but not kept.
    pub write_only: bool,
    /// Kept by the server; what a request says about it is ignored.
    pub managed: bool,
    /// Code of the server reads or writes it, so a site that replaces the definition keeps it.
    pub relied_on: bool,
}

/// Frappe's `fetch_from`: `link_field.source`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchFrom {
    /// The Link of the same document.
    pub link: String,
    /// The field of the linked document.
    pub source: String,
    /// Only where the field is empty.
    pub if_empty: bool,
}

/// One row of a doctype's permissions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "one for each right that Frappe knows")]
pub struct Permission {
    #[serde(deserialize_with = "read::text")]
    pub role: String,
    #[serde(deserialize_with = "read::level")]
    pub permlevel: u8,
    #[serde(deserialize_with = "read::flag")]
    pub if_owner: bool,
    #[serde(deserialize_with = "read::flag")]
    pub select: bool,
    #[serde(deserialize_with = "read::flag")]
    pub read: bool,
    #[serde(deserialize_with = "read::flag")]
    pub write: bool,
    #[serde(deserialize_with = "read::flag")]
    pub create: bool,
    #[serde(deserialize_with = "read::flag")]
    pub delete: bool,
    #[serde(deserialize_with = "read::flag")]
    pub submit: bool,
    #[serde(deserialize_with = "read::flag")]
    pub cancel: bool,
    #[serde(deserialize_with = "read::flag")]
    pub amend: bool,
    #[serde(deserialize_with = "read::flag")]
    pub report: bool,
    #[serde(deserialize_with = "read::flag")]
    pub export: bool,
    #[serde(deserialize_with = "read::flag")]
    pub import: bool,
    #[serde(deserialize_with = "read::flag")]
    pub share: bool,
    #[serde(deserialize_with = "read::flag")]
    pub print: bool,
    #[serde(deserialize_with = "read::flag")]
    pub email: bool,
}

/// A column to sort by, and whether downwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortKey {
    pub fieldname: String,
    pub descending: bool,
}

/// A doctype.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "Frappe's switches of a doctype")]
pub struct DocType {
    pub name: String,
    pub module: String,
    /// Its own fields that have a value, in the order of the definition.
    pub fields: Vec<Field>,
    pub permissions: Vec<Permission>,
    pub naming: Naming,
    /// Rows of other documents (`istable`).
    pub is_child_table: bool,
    /// One document, called as the doctype (`issingle`).
    pub is_single: bool,
    pub is_submittable: bool,
    /// The field that names a document's parent in the tree, where the doctype is one (`is_tree`).
    pub tree_parent: Option<String>,
    /// Changes are kept as `Version` documents.
    pub track_changes: bool,
    pub allow_rename: bool,
    /// Virtual in Frappe, where code makes up its documents; kept in a table here.
    pub is_virtual: bool,
    pub title_field: Option<String>,
    /// Further fields that a search looks into.
    pub search_fields: Vec<String>,
    pub origin: Origin,
    pub rows: Rows,
    /// The field that `if_owner` compares with the caller; `owner` but for `User`, whose documents belong to themselves.
    pub owner_field: String,
    pub default_order: Vec<SortKey>,
    /// The definition as it was read, without white space.
    pub definition: String,
    /// What the store composes of all this.
    pub memo: Memo,
}

impl Field {
    fn standard(fieldname: &str, label: &str, fieldtype: FieldType, options: &str) -> Self {
        Self {
            fieldname: fieldname.into(),
            label: label.into(),
            fieldtype,
            options: options.into(),
            required: false,
            default: None,
            unique: false,
            search_index: false,
            permlevel: 0,
            length: None,
            precision: None,
            set_only_once: false,
            non_negative: false,
            read_only: false,
            allow_on_submit: false,
            no_copy: false,
            fetch_from: None,
            ignore_user_permissions: false,
            in_global_search: false,
            in_list_view: false,
            write_only: false,
            managed: false,
            relied_on: false,
        }
    }

    /// How its values are typed; `None` for secrets and tables.
    pub fn kind(&self) -> Option<Kind> {
        match self.fieldtype.storage() {
            Storage::Column(Kind::Text { limit: Some(_) }) => Some(Kind::Text { limit: Some(self.length.unwrap_or(DATA_LENGTH)) }),
            Storage::Column(kind) => Some(kind),
            Storage::Rows | Storage::Layout | Storage::Secret => None,
        }
    }

    /// Whether its value is never shown, filtered by or sorted by.
    pub fn is_secret(&self) -> bool {
        self.fieldtype.storage() == Storage::Secret
    }

    /// Whether it holds rows of a child doctype.
    pub fn is_table(&self) -> bool {
        self.fieldtype.storage() == Storage::Rows
    }

    /// The options of a Select, a leading blank one included.
    pub fn select_options(&self) -> impl Iterator<Item = &str> {
        self.options.split('\n').map(str::trim)
    }
}

/// The fields that every document has.
static STANDARD: LazyLock<Vec<Field>> = LazyLock::new(|| standard(FieldType::Data));
/// The same where names are numbers.
static NUMBERED: LazyLock<Vec<Field>> = LazyLock::new(|| standard(FieldType::LongInt));

fn standard(name: FieldType) -> Vec<Field> {
    vec![
        Field::standard("name", "ID", name, ""),
        Field::standard("owner", "Created By", FieldType::Link, "User"),
        Field::standard("creation", "Created On", FieldType::Datetime, ""),
        Field::standard("modified", "Last Updated On", FieldType::Datetime, ""),
        Field::standard("modified_by", "Last Updated By", FieldType::Link, "User"),
        Field::standard("docstatus", "Document Status", FieldType::Int, ""),
        Field::standard("idx", "Index", FieldType::Int, ""),
    ]
}

/// The further fields of child rows, shown after their own.
static CHILD: LazyLock<Vec<Field>> = LazyLock::new(|| {
    vec![
        Field::standard("parent", "Parent", FieldType::Data, ""),
        Field::standard("parentfield", "Parent Field", FieldType::Data, ""),
        Field::standard("parenttype", "Parent Type", FieldType::Data, ""),
    ]
});

/// Columns that documents with a table of their own also have, shown only to lists that ask for them.
static OPTIONAL: LazyLock<Vec<Field>> = LazyLock::new(|| {
    vec![
        Field::standard("_user_tags", "Tags", FieldType::Text, ""),
        Field::standard("_comments", "Comments", FieldType::Text, ""),
        Field::standard("_assign", "Assigned To", FieldType::Text, ""),
        Field::standard("_liked_by", "Liked By", FieldType::Text, ""),
        Field::standard("_seen", "Seen", FieldType::Text, ""),
    ]
});

/// Whether every document or every child row has a field of this name besides its own.
pub fn is_standard_field(fieldname: &str) -> bool {
    STANDARD.iter().chain(CHILD.iter()).any(|field| field.fieldname == fieldname)
}

impl DocType {
    fn standard_fields(&self) -> &'static [Field] {
        if self.naming == Naming::AutoIncrement { &NUMBERED } else { &STANDARD }
    }

    fn child_fields(&self) -> &'static [Field] {
        if self.is_child_table { &CHILD } else { &[] }
    }

    /// The columns that are shown only to lists that ask for them.
    pub fn optional_fields(&self) -> &'static [Field] {
        if self.rows == Rows::OwnTable && !self.is_child_table && !self.is_single { &OPTIONAL } else { &[] }
    }

    /// A field that has a column, a standard one included. Secrets and tables are not found.
    pub fn column(&self, fieldname: &str) -> Option<(&Field, Kind)> {
        let field = exact(self.standard_fields(), fieldname)
            .or_else(|| exact(&self.fields, fieldname))
            .or_else(|| exact(self.child_fields(), fieldname))
            .or_else(|| exact(self.optional_fields(), fieldname))?;
        if field.write_only { None } else { field.kind().map(|kind| (field, kind)) }
    }

    /// All columns in the order in which Frappe shows them, but for the optional ones.
    pub fn columns(&self) -> impl Iterator<Item = (&Field, Kind)> {
        self.standard_fields()
            .iter()
            .chain(&self.fields)
            .chain(self.child_fields())
            .filter(|field| !field.write_only)
            .filter_map(|field| field.kind().map(|kind| (field, kind)))
    }

    /// Whether a column can be empty.
    pub fn may_be_missing(&self, field: &Field) -> bool {
        match self.rows {
            Rows::OwnTable if exact(self.standard_fields(), &field.fieldname).is_some() => false,
            Rows::OwnTable => field.fieldtype.may_be_missing(),
            Rows::Typed => exact(&self.fields, &field.fieldname).is_some(),
        }
    }

    /// One of its own fields.
    pub fn field(&self, fieldname: &str) -> Option<&Field> {
        exact(&self.fields, fieldname)
    }

    /// The fields that hold rows of a child doctype.
    pub fn tables(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|field| field.is_table())
    }

    /// The fields whose values are kept sealed.
    pub fn secrets(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|field| field.is_secret())
    }

    /// Whether its names are integers.
    pub fn has_numbers_for_names(&self) -> bool {
        self.naming == Naming::AutoIncrement
    }

    /// The number that a name is where names are integers; `None` for any other text.
    pub fn number_of_name(&self, name: &str) -> Option<i64> {
        // Another spelling of the number is not the name.
        name.parse::<i64>().ok().filter(|number| self.has_numbers_for_names() && number.to_string() == name)
    }
}

fn exact<'a>(fields: &'a [Field], fieldname: &str) -> Option<&'a Field> {
    fields.iter().find(|field| field.fieldname == fieldname)
}
