//! The schemas of a doctype: what a document shows, and what one may send. The two differ: values are shown in one
//! form, and understood in several.

use serde_json::{Map, Value, json};

use super::shapes::{OPERATORS, schema};
use crate::doctype::validate::MAX_FLOAT;
use crate::doctype::{Field, FieldType, Kind, Naming};
use crate::domain::scope::doctype_word;
use crate::resource::{Action, Outline};

/// The formats that Frappe's `options` of a Data field stand for.
const FORMATS: [(&str, &str); 2] = [("Email", "email"), ("URL", "uri")];

/// All schemas of a doctype, whose names begin with its word.
pub fn schemas(outline: &Outline, word: &str) -> Vec<(String, Value)> {
    let mut all = vec![(word.to_owned(), shown(outline, false)), (format!("{word}.sent"), sent(outline))];
    if outline.allows(Action::Read) {
        all.push((format!("{word}.whole"), shown(outline, true)));
        all.push((format!("{word}.field"), fieldnames(outline)));
        all.push((format!("{word}.filters"), filters(&outline.doctype.name, word)));
        all.push((format!("{word}.row"), row(outline)));
    }
    all
}

/// The columns that the caller may name.
fn columns(outline: &Outline) -> impl Iterator<Item = (&Field, Kind)> {
    let own: Vec<&str> = outline.shown().map(|field| field.fieldname.as_str()).collect();
    outline
        .doctype
        .columns()
        .filter(move |(field, _)| outline.doctype.field(&field.fieldname).is_none() || own.contains(&field.fieldname.as_str()))
}

fn fieldnames(outline: &Outline) -> Value {
    let names: Vec<&str> = columns(outline).map(|(field, _)| field.fieldname.as_str()).collect();
    json!({ "type": "string", "enum": names })
}

/// The pattern of `order_by`.
pub fn order(outline: &Outline) -> String {
    let names: Vec<&str> = columns(outline).map(|(field, _)| field.fieldname.as_str()).collect();
    format!("^(({})( asc| desc)?)?$", names.join("|"))
}

fn filters(name: &str, word: &str) -> Value {
    let field = schema(&format!("{word}.field"));
    let value = json!({ "type": ["string", "number", "boolean", "null", "array"] });
    let operator = json!({ "type": "string", "enum": OPERATORS });
    json!({ "anyOf": [
        { "type": "object", "propertyNames": field, "additionalProperties": schema("FilterValue") },
        { "type": "array", "items": { "anyOf": [
            { "type": "array", "prefixItems": [field, operator, value], "minItems": 3, "maxItems": 3 },
            { "type": "array", "prefixItems": [{ "const": name }, field, operator, value], "minItems": 4, "maxItems": 4 },
        ] } },
    ] })
}

/// A row of a list: any of the fields, an empty one as null.
fn row(outline: &Outline) -> Value {
    let properties: Map<String, Value> =
        columns(outline).map(|(field, kind)| (field.fieldname.clone(), or_null(shown_value(field, kind, outline)))).collect();
    json!({ "type": "object", "properties": properties })
}

/// A whole document as it is shown; what is empty is null, or left out.
fn shown(outline: &Outline, with_nulls: bool) -> Value {
    let value = |field: &Field, kind| {
        let of = shown_value(field, kind, outline);
        if with_nulls && outline.doctype.field(&field.fieldname).is_some() { or_null(of) } else { of }
    };
    let mut properties: Map<String, Value> = columns(outline).map(|(field, kind)| (field.fieldname.clone(), value(field, kind))).collect();
    for table in outline.shown().filter(|field| field.is_table()) {
        // Rows are shown without what is empty in both versions' schemas: a child has one of its own.
        let rows = json!({ "type": "array", "title": table.label, "items": { "type": "object", "required": ["name", "doctype"] } });
        properties.insert(table.fieldname.clone(), rows);
    }
    properties.insert("doctype".into(), json!({ "const": outline.doctype.name }));
    json!({
        "type": "object",
        "title": outline.doctype.name,
        "required": ["name", "owner", "creation", "modified", "modified_by", "docstatus", "idx", "doctype"],
        "properties": properties,
    })
}

fn or_null(mut of: Value) -> Value {
    if let Some(kind) = of.get("type").cloned() {
        of["type"] = json!([kind, "null"]);
    }
    if let Some(Value::Array(options)) = of.get_mut("enum") {
        options.push(Value::Null);
    }
    of
}

/// A value as an answer has it (contract 1.2).
fn shown_value(field: &Field, kind: Kind, outline: &Outline) -> Value {
    let mut of = match kind {
        Kind::Text { .. } => json!({ "type": "string" }),
        Kind::Int if field.fieldname == "docstatus" => json!({ "type": "integer", "enum": [0, 1, 2] }),
        Kind::Int => json!({ "type": "integer" }),
        Kind::Float => json!({ "type": "number" }),
        Kind::Check => json!({ "type": "integer", "enum": [0, 1] }),
        Kind::Date => json!({ "type": "string", "format": "date" }),
        Kind::Datetime => json!({ "type": "string", "pattern": r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{6})?$" }),
        Kind::Time => json!({ "type": "string", "pattern": r"^\d{1,3}:\d\d:\d\d(\.\d{6})?$" }),
    };
    of["title"] = field.label.clone().into();
    if outline.doctype.field(&field.fieldname).is_none() || field.managed {
        of["readOnly"] = true.into();
    }
    of
}

/// Fields that a new document must bring along.
pub fn required(outline: &Outline) -> Vec<&str> {
    let bare = |field: &&Field| field.required && field.default.is_none() && field.fieldtype != FieldType::Select && !field.is_secret();
    outline.taken().filter(bare).map(|field| field.fieldname.as_str()).collect()
}

/// What a request may say about a document.
fn sent(outline: &Outline) -> Value {
    let mut properties: Map<String, Value> = outline.taken().map(|field| (field.fieldname.clone(), sent_value(field))).collect();
    if outline.doctype.naming == Naming::Prompt {
        properties.insert("name".into(), json!({ "type": "string", "minLength": 1, "description": "The name of the new document." }));
    }
    json!({ "type": "object", "title": format!("{}, as it is sent", outline.doctype.name), "properties": properties })
}

fn sent_value(field: &Field) -> Value {
    let mut of = match field.kind() {
        None if field.is_table() => {
            let rows = schema(&format!("{}.sent", doctype_word(&field.options)));
            json!({ "type": ["array", "null"], "items": rows, "maxItems": 1000 })
        }
        None => json!({ "type": ["string", "null"], "writeOnly": true }),
        Some(Kind::Text { .. }) if field.fieldtype == FieldType::Select && !field.options.is_empty() => {
            let blank = [json!(""), Value::Null];
            let options: Vec<Value> = field.select_options().filter(|option| !option.is_empty()).map(Value::from).chain(blank).collect();
            json!({ "enum": options })
        }
        Some(Kind::Text { limit: Some(limit) })
            if field.fieldtype == FieldType::Data && FORMATS.iter().any(|(option, _)| *option == field.options) =>
        {
            let format = FORMATS.iter().find(|(option, _)| *option == field.options).map_or("", |(_, format)| format);
            json!({ "anyOf": [{ "type": "string", "format": format, "maxLength": limit }, { "type": "null" }, { "const": "" }] })
        }
        Some(Kind::Text { limit }) => {
            let mut of = json!({ "type": ["string", "number", "boolean", "null"] });
            if let Some(limit) = limit {
                of["maxLength"] = limit.into();
            }
            of
        }
        Some(Kind::Int) => number(field, r"^\s*([+-]?\d{1,15}(\.\d*)?)?\s*$", 9e15),
        Some(Kind::Float) => number(field, r"^\s*([+-]?\d{1,11}(\.\d*)?)?\s*$", MAX_FLOAT - 1.0),
        Some(Kind::Check) => json!({ "anyOf": [
            { "type": ["number", "boolean", "null"] },
            { "type": "string", "pattern": "^\\s*(0|1|[tT][rR][uU][eE]|[fF][aA][lL][sS][eE]|[yY][eE][sS]|[nN][oO]|[oO][nN]|[oO][fF][fF])?\\s*$" },
        ] }),
        Some(Kind::Date) => json!({ "anyOf": [{ "type": "string", "format": "date" }, { "type": "null" }, { "const": "" }] }),
        Some(Kind::Datetime) => json!({ "anyOf": [
            { "type": "string", "pattern": r"^(19|20)\d\d-(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8]) ([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?$" },
            { "type": "string", "format": "date" },
            { "type": "string", "format": "date-time" },
            { "type": "null" },
            { "const": "" },
        ] }),
        Some(Kind::Time) => json!({ "anyOf": [
            { "type": "string", "pattern": r"^([01]?\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?$" },
            { "type": "null" },
            { "const": "" },
        ] }),
    };
    of["title"] = field.label.clone().into();
    if field.required && field.default.is_none() && !field.is_table() && field.fieldtype != FieldType::Select {
        refuse_empty(&mut of);
    }
    let links_to = |doctype: &str| format!("The name of a document of {doctype}.");
    match field.fieldtype {
        FieldType::Link => of["description"] = links_to(&field.options).into(),
        FieldType::DynamicLink => of["description"] = links_to(&format!("the doctype that {} names", field.options)).into(),
        _ => {}
    }
    of
}

/// What is required must say something: white space and tags alone do not.
fn refuse_empty(of: &mut Value) {
    if let Some(Value::Array(types)) = of.get_mut("type") {
        types.retain(|kind| kind != "null");
        of["minLength"] = 1.into();
    }
    if let Some(Value::Array(alternatives)) = of.get_mut("anyOf") {
        alternatives.retain(|alternative| alternative.get("const").is_none() && alternative["type"] != "null");
    }
}

fn number(field: &Field, pattern: &str, most: f64) -> Value {
    let least = if field.non_negative { 0.0 } else { -most };
    json!({ "anyOf": [
        { "type": "number", "minimum": least, "maximum": most },
        { "type": ["boolean", "null"] },
        { "type": "string", "pattern": pattern },
    ] })
}
