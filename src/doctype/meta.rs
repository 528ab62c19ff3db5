//! What a doctype is: read from Frappe's DocType JSON, checked once, trusted afterwards.
//!
//! Identifiers of tables and columns come from here and from nowhere else, so everything that
//! could not stand between SQL quotes is refused here.

use std::sync::LazyLock;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use serde_json::Value;

use super::fieldtype::{DATA_LENGTH, FieldType, Kind, Storage};

/// Longest name of a doctype or a field; with prefixes it must fit Postgres's 63 bytes.
const MAX_NAME: usize = 58;
/// Most fields of a doctype; SQLite's functions take 1,000 arguments and each field needs two.
const MAX_FIELDS: usize = 450;

/// Longest text in an index; Postgres's index rows hold some 2,700 bytes.
const MAX_INDEXED: usize = 500;

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

/// How documents get their name (Frappe's `autoname`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Naming {
    /// Ten random letters.
    Hash,
    /// The value of a field.
    Field(String),
    /// The client sends it.
    Prompt,
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
    pub set_only_once: bool,
    pub non_negative: bool,
    /// Heard when a document is written, but not kept.
    pub write_only: bool,
    /// Kept by the server; what a request says about it is ignored.
    pub managed: bool,
}

/// One row of a doctype's permissions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Permission {
    pub role: String,
    pub permlevel: u8,
    #[serde(deserialize_with = "flag")]
    pub if_owner: bool,
    #[serde(deserialize_with = "flag")]
    pub read: bool,
    #[serde(deserialize_with = "flag")]
    pub write: bool,
    #[serde(deserialize_with = "flag")]
    pub create: bool,
    #[serde(deserialize_with = "flag")]
    pub delete: bool,
}

/// A column to sort by, and whether downwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortKey {
    pub fieldname: String,
    pub descending: bool,
}

/// A doctype.
#[derive(Clone, Debug, PartialEq)]
pub struct DocType {
    pub name: String,
    pub module: String,
    /// Its own fields that have a value, in the order of the definition.
    pub fields: Vec<Field>,
    pub permissions: Vec<Permission>,
    pub naming: Naming,
    pub is_child_table: bool,
    pub rows: Rows,
    /// The field that `if_owner` compares with the caller; `owner` but for `User`, whose documents belong to themselves.
    pub owner_field: String,
    pub default_order: Vec<SortKey>,
    /// The definition as it was read, without white space.
    pub definition: String,
}

#[derive(Deserialize)]
struct RawDocType {
    name: String,
    #[serde(default)]
    module: Option<String>,
    #[serde(default)]
    autoname: Option<String>,
    #[serde(default)]
    fields: Vec<RawField>,
    #[serde(default)]
    permissions: Vec<Permission>,
    #[serde(default, deserialize_with = "flag")]
    istable: bool,
    #[serde(default, deserialize_with = "flag")]
    issingle: bool,
    #[serde(default, deserialize_with = "flag")]
    is_submittable: bool,
    #[serde(default, deserialize_with = "flag")]
    is_tree: bool,
    #[serde(default, deserialize_with = "flag")]
    is_virtual: bool,
    #[serde(default)]
    sort_field: Option<String>,
    #[serde(default)]
    sort_order: Option<String>,
    /// Ostiary's own keys, heard only in embedded definitions.
    #[serde(default, deserialize_with = "flag")]
    ostiary_typed: bool,
    #[serde(default)]
    ostiary_owner_field: Option<String>,
}

#[derive(Deserialize)]
struct RawField {
    #[serde(default)]
    fieldname: String,
    #[serde(default)]
    label: Option<String>,
    fieldtype: String,
    #[serde(default)]
    options: Option<Value>,
    #[serde(default, deserialize_with = "flag")]
    reqd: bool,
    #[serde(default)]
    default: Option<Value>,
    #[serde(default, deserialize_with = "flag")]
    unique: bool,
    #[serde(default, deserialize_with = "flag")]
    search_index: bool,
    #[serde(default, deserialize_with = "flag")]
    is_virtual: bool,
    #[serde(default)]
    permlevel: u8,
    #[serde(default)]
    length: Option<usize>,
    #[serde(default, deserialize_with = "flag")]
    set_only_once: bool,
    #[serde(default, deserialize_with = "flag")]
    non_negative: bool,
    #[serde(default, deserialize_with = "flag")]
    ostiary_write_only: bool,
    #[serde(default, deserialize_with = "flag")]
    ostiary_managed: bool,
}

/// Frappe writes flags as 0 and 1; people write them as anything.
fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(false),
        Value::Bool(flag) => Ok(flag),
        Value::Number(number) => Ok(number.as_f64() != Some(0.0)),
        Value::String(text) => Ok(!matches!(text.trim(), "" | "0" | "false")),
        Value::Array(_) | Value::Object(_) => Err(D::Error::custom("expected 0 or 1")),
    }
}

fn text_of(value: Option<Value>) -> Option<String> {
    match value {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text),
        Some(other) => Some(other.to_string()),
    }
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
            set_only_once: false,
            non_negative: false,
            write_only: false,
            managed: false,
        }
    }

    /// How its values are typed; `None` for secrets and tables.
    pub fn kind(&self) -> Option<Kind> {
        match self.fieldtype.storage() {
            Storage::Column(Kind::Text { limit: Some(_) }) => Some(Kind::Text { limit: Some(self.length.unwrap_or(DATA_LENGTH)) }),
            Storage::Column(kind) => Some(kind),
            Storage::Rows | Storage::Layout | Storage::Secret | Storage::Unsupported => None,
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
static STANDARD: LazyLock<Vec<Field>> = LazyLock::new(|| {
    vec![
        Field::standard("name", "ID", FieldType::Data, ""),
        Field::standard("owner", "Created By", FieldType::Link, "User"),
        Field::standard("creation", "Created On", FieldType::Datetime, ""),
        Field::standard("modified", "Last Updated On", FieldType::Datetime, ""),
        Field::standard("modified_by", "Last Updated By", FieldType::Link, "User"),
        Field::standard("docstatus", "Document Status", FieldType::Int, ""),
        Field::standard("idx", "Index", FieldType::Int, ""),
    ]
});

/// The further fields of child rows, shown after their own.
static CHILD: LazyLock<Vec<Field>> = LazyLock::new(|| {
    vec![
        Field::standard("parent", "Parent", FieldType::Data, ""),
        Field::standard("parentfield", "Parent Field", FieldType::Data, ""),
        Field::standard("parenttype", "Parent Type", FieldType::Data, ""),
    ]
});

impl DocType {
    /// Reads a definition in Frappe's DocType JSON. Keys that only concern a form are ignored.
    ///
    /// # Errors
    /// [`InvalidDefinition`] naming the file and what in it cannot be used.
    pub fn parse(file: &str, text: &str, origin: Origin) -> Result<Self, InvalidDefinition> {
        let refuse = |what: String| InvalidDefinition { file: file.to_owned(), what };
        let value: Value = serde_json::from_str(text).map_err(|error| refuse(format!("is not JSON: {error}")))?;
        let definition = value.to_string();
        let raw: RawDocType = serde_json::from_value(value).map_err(|error| refuse(format!("is not a DocType: {error}")))?;
        check_doctype_name(&raw.name).map_err(&refuse)?;
        for (set, what) in
            [(raw.issingle, "issingle"), (raw.is_submittable, "is_submittable"), (raw.is_tree, "is_tree"), (raw.is_virtual, "is_virtual")]
        {
            if set {
                return Err(refuse(format!("{what} is not supported yet")));
            }
        }
        let rows = if raw.ostiary_typed && origin == Origin::Builtin { Rows::Typed } else { Rows::OwnTable };
        if raw.istable && rows == Rows::OwnTable {
            return Err(refuse("istable is not supported yet".into()));
        }
        let mut fields: Vec<Field> = Vec::new();
        for raw in raw.fields {
            let Some(field) = read_field(raw, rows).map_err(&refuse)? else { continue };
            if find(&fields, &field.fieldname).is_some() {
                return Err(refuse(format!("field {} is there twice", field.fieldname)));
            }
            fields.push(field);
        }
        if fields.len() > MAX_FIELDS {
            return Err(refuse(format!("has {} fields; at most {MAX_FIELDS} are supported", fields.len())));
        }
        let naming = read_naming(raw.autoname.as_deref().unwrap_or(""), &fields).map_err(&refuse)?;
        let owner_field = raw.ostiary_owner_field.filter(|_| origin == Origin::Builtin).unwrap_or_else(|| "owner".into());
        let mut doctype = Self {
            name: raw.name,
            module: raw.module.unwrap_or_default(),
            fields,
            permissions: raw.permissions,
            naming,
            is_child_table: raw.istable,
            rows,
            owner_field,
            default_order: Vec::new(),
            definition,
        };
        doctype.default_order = read_order(raw.sort_field.as_deref(), raw.sort_order.as_deref(), &doctype).map_err(refuse)?;
        Ok(doctype)
    }

    /// A field that has a column, a standard one included. Secrets and tables are not found.
    pub fn column(&self, fieldname: &str) -> Option<(&Field, Kind)> {
        let field = exact(&STANDARD, fieldname)
            .or_else(|| exact(&self.fields, fieldname))
            .or_else(|| if self.is_child_table { exact(&CHILD, fieldname) } else { None })?;
        if field.write_only { None } else { field.kind().map(|kind| (field, kind)) }
    }

    /// All columns in the order in which Frappe shows them.
    pub fn columns(&self) -> impl Iterator<Item = (&Field, Kind)> {
        let child: &[Field] = if self.is_child_table { &CHILD } else { &[] };
        STANDARD
            .iter()
            .chain(&self.fields)
            .chain(child)
            .filter(|field| !field.write_only)
            .filter_map(|field| field.kind().map(|kind| (field, kind)))
    }

    /// One of its own fields.
    pub fn field(&self, fieldname: &str) -> Option<&Field> {
        exact(&self.fields, fieldname)
    }

    /// The fields that hold rows of a child doctype.
    pub fn tables(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|field| field.is_table())
    }
}

fn exact<'a>(fields: &'a [Field], fieldname: &str) -> Option<&'a Field> {
    fields.iter().find(|field| field.fieldname == fieldname)
}

fn find<'a>(fields: &'a [Field], fieldname: &str) -> Option<&'a Field> {
    fields.iter().find(|field| field.fieldname.eq_ignore_ascii_case(fieldname))
}

fn check_doctype_name(name: &str) -> Result<(), String> {
    let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'-' | b'_'));
    if name.is_empty() || name.len() > MAX_NAME || !letters || name.trim() != name {
        return Err(format!("the name {name:?} must be 1 to {MAX_NAME} ASCII letters, digits, spaces, hyphens or underscores"));
    }
    Ok(())
}

/// Whether a text can be the name of a field, and so of a column or a key.
pub fn is_fieldname(name: &str) -> bool {
    name.len() <= MAX_NAME
        && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// `None` for what only a form shows.
fn read_field(raw: RawField, rows: Rows) -> Result<Option<Field>, String> {
    let name = raw.fieldname;
    let Some(fieldtype) = FieldType::from_text(&raw.fieldtype) else {
        return Err(format!("field {name}: there is no fieldtype {:?}", raw.fieldtype));
    };
    match fieldtype.storage() {
        Storage::Layout => return Ok(None),
        Storage::Unsupported => return Err(format!("field {name}: fieldtype {} is not supported yet", raw.fieldtype)),
        Storage::Rows | Storage::Secret if rows == Rows::OwnTable => {
            return Err(format!("field {name}: fieldtype {} is not supported yet", raw.fieldtype));
        }
        Storage::Rows | Storage::Secret | Storage::Column(_) => {}
    }
    if !is_fieldname(&name) {
        return Err(format!("field {name:?}: the fieldname must be at most {MAX_NAME} ASCII letters, digits or underscores"));
    }
    if find(&STANDARD, &name).is_some() || find(&CHILD, &name).is_some() || name.eq_ignore_ascii_case("doctype") {
        return Err(format!("field {name}: every document has a field of that name"));
    }
    if raw.is_virtual {
        return Err(format!("field {name}: is_virtual is not supported yet"));
    }
    let options = text_of(raw.options).unwrap_or_default();
    if matches!(fieldtype, FieldType::Link | FieldType::DynamicLink | FieldType::Table | FieldType::TableMultiSelect) && options.is_empty()
    {
        return Err(format!("field {name}: a {} needs options", raw.fieldtype));
    }
    let length = raw.length.filter(|length| *length > 0);
    let indexed = raw.unique || raw.search_index || matches!(fieldtype, FieldType::Link | FieldType::DynamicLink);
    let limit = match fieldtype.storage() {
        Storage::Column(Kind::Text { limit }) => limit.map(|limit| length.unwrap_or(limit)).or(Some(usize::MAX)),
        _ => None,
    };
    if rows == Rows::OwnTable && indexed && limit.is_some_and(|limit| limit > MAX_INDEXED) {
        return Err(format!(
            "field {name}: a {} longer than {MAX_INDEXED} characters cannot be unique or have search_index",
            raw.fieldtype
        ));
    }
    Ok(Some(Field {
        label: raw.label.filter(|label| !label.is_empty()).unwrap_or_else(|| name.clone()),
        fieldname: name,
        fieldtype,
        options,
        required: raw.reqd,
        default: text_of(raw.default).filter(|text| !text.is_empty()),
        unique: raw.unique,
        search_index: raw.search_index,
        permlevel: raw.permlevel,
        length,
        set_only_once: raw.set_only_once,
        non_negative: raw.non_negative,
        write_only: raw.ostiary_write_only && rows == Rows::Typed,
        managed: raw.ostiary_managed && rows == Rows::Typed,
    }))
}

fn read_naming(autoname: &str, fields: &[Field]) -> Result<Naming, String> {
    let autoname = autoname.trim();
    if autoname.is_empty() || autoname.eq_ignore_ascii_case("hash") {
        return Ok(Naming::Hash);
    }
    if autoname.eq_ignore_ascii_case("prompt") {
        return Ok(Naming::Prompt);
    }
    match autoname.strip_prefix("field:") {
        Some(fieldname) if exact(fields, fieldname).is_some_and(|field| matches!(field.kind(), Some(Kind::Text { .. }))) => {
            Ok(Naming::Field(fieldname.to_owned()))
        }
        Some(fieldname) => Err(format!("autoname names the field {fieldname}, which is no text field")),
        None => Err(format!("autoname {autoname:?} is not supported yet")),
    }
}

/// Frappe's `sort_field` and `sort_order`; without them the last change comes first.
fn read_order(field: Option<&str>, order: Option<&str>, doctype: &DocType) -> Result<Vec<SortKey>, String> {
    let fieldname = field.map(str::trim).filter(|field| !field.is_empty()).unwrap_or("modified");
    if doctype.column(fieldname).is_none() {
        return Err(format!("sort_field {fieldname:?} is no field of it"));
    }
    let descending = !order.is_some_and(|order| order.trim().eq_ignore_ascii_case("asc"));
    Ok(vec![SortKey { fieldname: fieldname.to_owned(), descending }])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        DocType::parse("x.json", text, Origin::Site).expect_err("must be refused").to_string()
    }

    #[test]
    fn unsupported_parts_are_refused_by_file_and_name() {
        let with_field = |field: &str| format!(r#"{{"name": "Thing", "fields": [{field}]}}"#);
        for (field, says) in [
            (r#"{"fieldname": "at", "fieldtype": "Time"}"#, "x.json: field at: fieldtype Time is not supported yet"),
            (r#"{"fieldname": "at", "fieldtype": "Banana"}"#, "x.json: field at: there is no fieldtype \"Banana\""),
            (r#"{"fieldname": "rows", "fieldtype": "Table", "options": "Row"}"#, "field rows: fieldtype Table"),
            (r#"{"fieldname": "a\"b", "fieldtype": "Data"}"#, "fieldname must be"),
            (r#"{"fieldname": "Owner", "fieldtype": "Data"}"#, "every document has a field"),
            (r#"{"fieldname": "to", "fieldtype": "Link"}"#, "needs options"),
            (r#"{"fieldname": "body", "fieldtype": "Text", "unique": 1}"#, "cannot be unique"),
            (r#"{"fieldname": "a", "fieldtype": "Data"}, {"fieldname": "A", "fieldtype": "Int"}"#, "twice"),
        ] {
            let said = refusal(&with_field(field));
            assert!(said.contains(says), "{said}");
        }
        for (text, says) in [
            ("{", "is not JSON"),
            (r#"{"name": "a\"; drop"}"#, "ASCII letters"),
            (r#"{"name": "Thing", "issingle": 1}"#, "issingle is not supported yet"),
            (r#"{"name": "Thing", "autoname": "naming_series:"}"#, "autoname"),
            (r#"{"name": "Thing", "sort_field": "nosuch"}"#, "sort_field"),
        ] {
            let said = refusal(text);
            assert!(said.contains(says), "{said}");
        }
    }

    #[test]
    fn a_site_definition_cannot_point_at_a_typed_table() {
        let text = r#"{"name": "User", "ostiary_typed": 1, "ostiary_owner_field": "name"}"#;
        let doctype = DocType::parse("x.json", text, Origin::Site).expect("valid");
        assert_eq!(doctype.rows, Rows::OwnTable);
        assert_eq!(doctype.owner_field, "owner");
    }

    #[test]
    fn layout_fields_have_no_column() {
        let text = r#"{"name": "T", "fields": [{"fieldname": "s", "fieldtype": "Section Break"}, {"fieldname": "a", "fieldtype": "Data", "length": 20}]}"#;
        let doctype = DocType::parse("x.json", text, Origin::Site).expect("valid");
        assert_eq!(doctype.fields.len(), 1);
        assert_eq!(doctype.column("a").map(|(_, kind)| kind), Some(Kind::Text { limit: Some(20) }));
        assert!(doctype.column("s").is_none());
    }
}
