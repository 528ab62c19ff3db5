//! Reading a definition: Frappe's DocType JSON as it is.
//!
//! What only concerns a form is ignored, as is every key that is not known. Refused is what cannot
//! be kept: an unknown fieldtype, a name that could not be an identifier.

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use serde_json::Value;

use super::super::Memo;
use super::{CHILD, DocType, FetchFrom, Field, InvalidDefinition, OPTIONAL, Origin, Permission, Rows, STANDARD, SortKey, exact};
use crate::doctype::fieldtype::{FieldType, Kind, Storage};
use crate::doctype::naming::{Naming, Pattern};

/// Longest name of a doctype or a field; with prefixes it must fit Postgres's 63 bytes.
const MAX_NAME: usize = 58;
/// Most fields of a doctype; SQLite's functions take 1,000 arguments and each field needs two.
const MAX_FIELDS: usize = 450;
/// What the databases call columns of their own: Postgres takes none of the first six, and in SQLite the others are the number of a row.
const DATABASE_COLUMNS: [&str; 9] = ["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid", "oid", "rowid", "_rowid_"];
/// Longest text in an index; Postgres's index rows hold some 2,700 bytes.
const MAX_INDEXED: usize = 500;

#[derive(Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "Frappe's switches of a doctype")]
struct RawDocType {
    name: String,
    #[serde(default)]
    module: Option<String>,
    #[serde(default)]
    autoname: Option<String>,
    #[serde(default)]
    naming_rule: Option<String>,
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
    #[serde(default)]
    nsm_parent_field: Option<String>,
    #[serde(default, deserialize_with = "flag")]
    is_virtual: bool,
    #[serde(default, deserialize_with = "flag")]
    track_changes: bool,
    #[serde(default, deserialize_with = "flag")]
    allow_rename: bool,
    #[serde(default)]
    title_field: Option<String>,
    #[serde(default)]
    search_fields: Option<String>,
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
#[expect(clippy::struct_excessive_bools, reason = "Frappe's switches of a field")]
struct RawField {
    #[serde(default, deserialize_with = "text")]
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
    #[serde(default, deserialize_with = "level")]
    permlevel: u8,
    #[serde(default)]
    length: Option<Value>,
    #[serde(default)]
    precision: Option<Value>,
    #[serde(default, deserialize_with = "flag")]
    set_only_once: bool,
    #[serde(default, deserialize_with = "flag")]
    non_negative: bool,
    #[serde(default, deserialize_with = "flag")]
    read_only: bool,
    #[serde(default, deserialize_with = "flag")]
    allow_on_submit: bool,
    #[serde(default, deserialize_with = "flag")]
    no_copy: bool,
    #[serde(default)]
    fetch_from: Option<String>,
    #[serde(default, deserialize_with = "flag")]
    fetch_if_empty: bool,
    #[serde(default, deserialize_with = "flag")]
    ignore_user_permissions: bool,
    #[serde(default, deserialize_with = "flag")]
    in_global_search: bool,
    #[serde(default, deserialize_with = "flag")]
    in_list_view: bool,
    #[serde(default, deserialize_with = "flag")]
    ostiary_write_only: bool,
    #[serde(default, deserialize_with = "flag")]
    ostiary_managed: bool,
    #[serde(default, deserialize_with = "flag")]
    ostiary_relied_on: bool,
}

/// Frappe writes flags as 0 and 1; people write them as anything.
pub(super) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(false),
        Value::Bool(flag) => Ok(flag),
        Value::Number(number) => Ok(number.as_f64() != Some(0.0)),
        Value::String(text) => Ok(!matches!(text.trim(), "" | "0" | "false")),
        Value::Array(_) | Value::Object(_) => Err(D::Error::custom("expected 0 or 1")),
    }
}

/// A level of permission, 0 to 9; nothing is 0.
pub(super) fn level<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    match number_of(Some(&Value::deserialize(deserializer)?)) {
        None => Ok(0),
        Some(level @ 0..=9) => Ok(u8::try_from(level).expect("it is at most 9")),
        Some(_) => Err(D::Error::custom("permlevel must be from 0 to 9")),
    }
}

/// A text that may be null.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.unwrap_or_default())
}

fn text_of(value: Option<Value>) -> Option<String> {
    match value {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text),
        Some(other) => Some(other.to_string()),
    }
}

/// A whole number that may be written as text, as Frappe does with `precision`.
fn number_of(value: Option<&Value>) -> Option<u64> {
    match value? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn filled(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

impl DocType {
    /// Reads a definition in Frappe's DocType JSON. Keys that only concern a form are ignored.
    ///
    /// # Errors
    /// [`InvalidDefinition`] naming the file and what in it cannot be used.
    pub fn parse(file: &str, text: &str, origin: Origin) -> Result<Self, InvalidDefinition> {
        let refuse = |what: String| InvalidDefinition { file: file.to_owned(), what };
        let value: Value = serde_json::from_str(text).map_err(|error| refuse(format!("is not JSON: {error}")))?;
        if has_nul(&value) {
            return Err(refuse("has a NUL character, which Postgres cannot keep".into()));
        }
        let definition = value.to_string();
        let raw: RawDocType = serde_json::from_value(value).map_err(|error| refuse(format!("is not a DocType: {error}")))?;
        Self::of_raw(raw, definition, origin).map_err(refuse)
    }

    fn of_raw(raw: RawDocType, definition: String, origin: Origin) -> Result<Self, String> {
        check_doctype_name(&raw.name)?;
        if raw.istable && raw.issingle {
            return Err("istable and issingle exclude each other".into());
        }
        let rows = if raw.ostiary_typed && origin == Origin::Builtin { Rows::Typed } else { Rows::OwnTable };
        let mut fields = read_fields(raw.fields, rows, raw.istable)?;
        let tree_parent = if raw.is_tree { Some(read_tree(&raw.name, raw.nsm_parent_field, &mut fields)?) } else { None };
        let naming = read_naming(raw.autoname.as_deref().unwrap_or(""), raw.naming_rule.as_deref().unwrap_or(""), &fields)?;
        let mut doctype = Self {
            name: raw.name,
            module: raw.module.unwrap_or_default(),
            fields,
            permissions: raw.permissions,
            naming,
            is_child_table: raw.istable,
            is_single: raw.issingle,
            is_submittable: raw.is_submittable,
            tree_parent,
            track_changes: raw.track_changes,
            allow_rename: raw.allow_rename,
            is_virtual: raw.is_virtual,
            title_field: None,
            search_fields: Vec::new(),
            origin,
            rows,
            owner_field: raw.ostiary_owner_field.filter(|_| origin == Origin::Builtin).unwrap_or_else(|| "owner".into()),
            default_order: Vec::new(),
            definition,
            memo: Memo::default(),
        };
        let known = |name: &String| doctype.column(name).is_some();
        let title_field = filled(raw.title_field).filter(&known);
        let searched = raw.search_fields.unwrap_or_default();
        let search_fields = searched.split(',').map(|name| name.trim().to_owned()).filter(&known).collect();
        doctype.title_field = title_field;
        doctype.search_fields = search_fields;
        doctype.default_order = read_order(raw.sort_field.as_deref(), raw.sort_order.as_deref(), &doctype);
        Ok(doctype)
    }
}

/// Whether a text in it, or a key, has a NUL.
pub fn has_nul(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(members) => members.iter().any(|(key, value)| key.contains('\0') || has_nul(value)),
    }
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

fn read_fields(raw: Vec<RawField>, rows: Rows, is_child_table: bool) -> Result<Vec<Field>, String> {
    let mut fields: Vec<Field> = Vec::with_capacity(raw.len());
    for raw in raw {
        let Some(field) = read_field(raw, rows, is_child_table)? else { continue };
        if find(&fields, &field.fieldname).is_some() {
            return Err(format!("field {} is there twice", field.fieldname));
        }
        fields.push(field);
    }
    if fields.len() > MAX_FIELDS {
        return Err(format!("has {} fields; at most {MAX_FIELDS} are supported", fields.len()));
    }
    Ok(fields)
}

fn find<'a>(fields: &'a [Field], fieldname: &str) -> Option<&'a Field> {
    fields.iter().find(|field| field.fieldname.eq_ignore_ascii_case(fieldname))
}

/// Whether every document has a field of that name, which a definition may repeat.
fn is_standard(name: &str, is_child_table: bool) -> bool {
    exact(&STANDARD, name).is_some()
        || name == "doctype"
        || exact(&OPTIONAL, name).is_some()
        || (is_child_table && exact(&CHILD, name).is_some())
}

/// `None` for what only a form shows, for what Frappe's code makes up, and for what every document has anyway.
fn read_field(raw: RawField, rows: Rows, is_child_table: bool) -> Result<Option<Field>, String> {
    let name = raw.fieldname;
    let Some(fieldtype) = FieldType::from_text(&raw.fieldtype) else {
        return Err(format!("field {name}: there is no fieldtype {:?}", raw.fieldtype));
    };
    if fieldtype.storage() == Storage::Layout || raw.is_virtual || is_standard(&name, is_child_table) {
        return Ok(None);
    }
    if !is_fieldname(&name) {
        return Err(format!("field {name:?}: the fieldname must be at most {MAX_NAME} ASCII letters, digits or underscores"));
    }
    if find(&STANDARD, &name).is_some() || (is_child_table && find(&CHILD, &name).is_some()) {
        return Err(format!("field {name}: every document has a field of that name in other letters"));
    }
    if rows == Rows::OwnTable && DATABASE_COLUMNS.iter().any(|column| column.eq_ignore_ascii_case(&name)) {
        return Err(format!("field {name}: databases have a column of that name themselves"));
    }
    let options = text_of(raw.options).unwrap_or_default();
    if matches!(fieldtype, FieldType::Link | FieldType::DynamicLink | FieldType::Table | FieldType::TableMultiSelect)
        && options.trim().is_empty()
    {
        return Err(format!("field {name}: a {} needs options", raw.fieldtype));
    }
    let length = number_of(raw.length.as_ref()).and_then(|length| usize::try_from(length).ok()).filter(|length| *length > 0);
    let limit = match fieldtype.storage() {
        Storage::Column(Kind::Text { limit }) => limit.map(|limit| length.unwrap_or(limit)).or(Some(usize::MAX)),
        Storage::Column(_) | Storage::Rows | Storage::Layout | Storage::Secret => None,
    };
    let too_long = rows == Rows::OwnTable && limit.is_some_and(|limit| limit > MAX_INDEXED);
    if too_long && raw.unique {
        return Err(format!("field {name}: a {} longer than {MAX_INDEXED} characters cannot be unique", raw.fieldtype));
    }
    let fetch_from = filled(raw.fetch_from).and_then(|text| {
        let (link, source) = text.split_once('.')?;
        Some(FetchFrom { link: link.trim().to_owned(), source: source.trim().to_owned(), if_empty: raw.fetch_if_empty })
    });
    Ok(Some(Field {
        label: raw.label.filter(|label| !label.is_empty()).unwrap_or_else(|| name.clone()),
        fieldname: name,
        fieldtype,
        options: if fieldtype == FieldType::Select { options } else { options.trim().to_owned() },
        required: raw.reqd,
        default: text_of(raw.default).filter(|text| !text.is_empty()),
        unique: raw.unique,
        // Frappe indexes the beginning of a long text; here it goes without.
        search_index: raw.search_index && !too_long,
        permlevel: raw.permlevel,
        length,
        precision: number_of(raw.precision.as_ref()).and_then(|digits| u8::try_from(digits).ok()).filter(|digits| (1..=9).contains(digits)),
        set_only_once: raw.set_only_once,
        non_negative: raw.non_negative,
        read_only: raw.read_only,
        allow_on_submit: raw.allow_on_submit,
        no_copy: raw.no_copy,
        fetch_from,
        ignore_user_permissions: raw.ignore_user_permissions,
        in_global_search: raw.in_global_search,
        in_list_view: raw.in_list_view,
        write_only: raw.ostiary_write_only && rows == Rows::Typed,
        managed: raw.ostiary_managed && rows == Rows::Typed,
        relied_on: raw.ostiary_relied_on,
    }))
}

/// The field of a tree that names the parent. Its nested set (`lft`, `rgt`) is kept by the server.
fn read_tree(doctype: &str, parent: Option<String>, fields: &mut Vec<Field>) -> Result<String, String> {
    let parent = filled(parent).unwrap_or_else(|| format!("parent_{}", doctype.to_lowercase().replace([' ', '-'], "_")));
    if !exact(fields, &parent).is_some_and(|field| field.fieldtype == FieldType::Link && field.options == doctype) {
        return Err(format!("is_tree takes a Link {parent} to {doctype} (nsm_parent_field)"));
    }
    for (name, label) in [("lft", "Left"), ("rgt", "Right")] {
        match fields.iter_mut().find(|field| field.fieldname == name) {
            Some(field) => (field.managed, field.search_index) = (true, true),
            None => fields.push(Field { managed: true, search_index: true, ..Field::standard(name, label, FieldType::Int, "") }),
        }
    }
    Ok(parent)
}

fn read_naming(autoname: &str, rule: &str, fields: &[Field]) -> Result<Naming, String> {
    let autoname = autoname.trim();
    let is_field = |word: &str| exact(fields, word).is_some_and(|field| field.kind().is_some());
    match autoname.to_lowercase().as_str() {
        "autoincrement" => return Ok(Naming::AutoIncrement),
        "uuid" => return Ok(Naming::Uuid),
        "prompt" => return Ok(Naming::Prompt),
        "hash" => return Ok(Naming::Hash),
        "" if rule.eq_ignore_ascii_case("uuid") => return Ok(Naming::Uuid),
        "" if rule.eq_ignore_ascii_case("autoincrement") => return Ok(Naming::AutoIncrement),
        // Frappe: named by the doctype's code, here: without that code at random, as Frappe does when it names nothing.
        "" => return Ok(Naming::Hash),
        _ => {}
    }
    if let Some(fieldname) = autoname.strip_prefix("field:") {
        let fieldname = fieldname.trim();
        return match exact(fields, fieldname) {
            Some(field) if matches!(field.kind(), Some(Kind::Text { .. })) => Ok(Naming::Field(fieldname.to_owned())),
            Some(_) | None => Err(format!("autoname names the field {fieldname}, which is no text field")),
        };
    }
    if autoname.starts_with("naming_series:") {
        return match exact(fields, "naming_series") {
            Some(_) => Ok(Naming::Series),
            None => Err("autoname takes the series from the field naming_series, which is missing".into()),
        };
    }
    if let Some(format) = autoname.strip_prefix("format:") {
        return Ok(Naming::Pattern(Pattern::format(format, is_field)));
    }
    if autoname.contains(['.', '#']) {
        return Ok(Naming::Pattern(Pattern::expression(autoname, is_field)));
    }
    Err(format!("autoname {autoname:?} is no rule of naming"))
}

/// Frappe's `sort_field` and `sort_order`; without them, or where they name no field, the last change comes first.
fn read_order(field: Option<&str>, order: Option<&str>, doctype: &DocType) -> Vec<SortKey> {
    let ascending = order.is_some_and(|order| order.trim().eq_ignore_ascii_case("asc"));
    let keys: Vec<SortKey> = field
        .unwrap_or_default()
        .split(',')
        .filter_map(|part| {
            let mut words = part.split_whitespace();
            let fieldname = words.next().filter(|name| doctype.column(name).is_some())?.to_owned();
            let descending = words.next().map_or(!ascending, |word| !word.eq_ignore_ascii_case("asc"));
            Some(SortKey { fieldname, descending })
        })
        .collect();
    if keys.is_empty() { vec![SortKey { fieldname: "modified".into(), descending: true }] } else { keys }
}
