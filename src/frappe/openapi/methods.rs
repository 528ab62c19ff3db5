//! The paths of the method table's rows.

use serde_json::{Map, Value, json};

use super::described::{self, Answer, Described, Takes, What};
use super::shapes::{self, Shape, json_of, schema, with_refusals, wrapped};
use crate::auth::Caller;
use crate::cx::Env;
use crate::files;
use crate::frappe::call::Verb;
use crate::frappe::registry::{Door, Method};

/// Whether the caller's roles and scope open a method.
pub fn may_call(env: &Env, method: &Method, caller: &Caller) -> bool {
    let known = method.guest || !caller.is_guest();
    let in_scope = match (method.door, &caller.scope) {
        // These look at no token of a user.
        (Door::OAuth(_), _) | (_, None) => true,
        (Door::Frappe | Door::OAuthUser(_), Some(scope)) => method.reached.check(method.path, scope).is_ok(),
    };
    // The row of what takes files is open to everybody, because Frappe refuses guests by another text there.
    let may_send = !method.takes_file || files::require_uploader(env, caller).is_ok();
    known && in_scope && may_send && method.is_open_to(caller)
}

/// All verbs of a method.
pub fn path_item(method: &Method) -> Value {
    path_item_of(method, described::find(method.path).unwrap_or(&described::NOTHING))
}

/// The same for one that has a path of its own.
pub fn path_item_of(method: &Method, described: &Described) -> Value {
    Value::Object(method.verbs.iter().map(|verb| (verb.as_str().to_lowercase(), operation(method, described, *verb))).collect())
}

fn operation(method: &Method, described: &Described, verb: Verb) -> Value {
    let in_body = matches!(verb, Verb::Post | Verb::Put | Verb::Patch);
    let area = method.path.rsplit_once('.').map_or("API", |(module, _)| module);
    // Of a path of its own, what does not vary.
    let name = method.path.strip_prefix("/api/").map_or(method.path, |path| path.split('/').next().unwrap_or(path));
    let mut operation = json!({
        "operationId": format!("{}.{name}", verb.as_str().to_lowercase()),
        "summary": described.summary,
        "tags": [area],
        "security": security(method),
        "responses": answers(method, described, verb),
    });
    if in_body && !described.takes.is_empty() {
        let fields = body(described.takes, method.door == Door::Frappe || described.is_json);
        let required = described.takes.iter().any(|takes| takes.required);
        let form = json!({ "application/x-www-form-urlencoded": { "schema": fields } });
        operation["requestBody"] = match method.door {
            Door::Frappe if method.takes_file => {
                json!({ "required": required, "content": { "multipart/form-data": { "schema": fields } } })
            }
            Door::Frappe => json!({ "required": required, "content": json_of(&fields), "description": "Also as a form, JSON as text." }),
            Door::OAuth(_) | Door::OAuthUser(_) if described.is_json => json!({ "required": required, "content": json_of(&fields) }),
            Door::OAuth(_) | Door::OAuthUser(_) => json!({ "required": required, "content": form }),
        };
    } else if !described.takes.is_empty() {
        let parameter = |takes: &Takes| {
            let mut parameter = in_query(takes);
            if method.path.ends_with(&format!("{{{}}}", takes.name)) {
                parameter["in"] = "path".into();
            }
            parameter
        };
        operation["parameters"] = described.takes.iter().map(parameter).collect();
    }
    operation
}

fn security(method: &Method) -> Value {
    match method.door {
        Door::OAuth(_) => json!([{}, { "client": [] }]),
        // Of the words with a doctype in them there are too many to name.
        Door::OAuthUser(_) | Door::Frappe => {
            let words: Vec<&str> = method.reached.words().into_iter().filter(|word| !word.contains('<')).collect();
            shapes::security(method.guest && !method.takes_file, &words)
        }
    }
}

fn answers(method: &Method, described: &Described, verb: Verb) -> Value {
    let done = |schema: &Value| vec![("200", shapes::answer("Done.", schema))];
    let own = match described.answer {
        Answer::Message(of) => done(&wrapped("message", &of())),
        Answer::FlatOrTable(of) => {
            let mut answer = shapes::answer("Done.", &of());
            answer["content"]["text/csv"] = json!({ "schema": { "type": "string" } });
            vec![("200", answer)]
        }
        Answer::Nothing => done(&json!({ "type": "object" })),
        Answer::Flat(of) => done(&of()),
        Answer::Page => {
            let page = json!({ "description": "A page.", "content": { "text/html": { "schema": { "type": "string" } } } });
            vec![("200", page), ("302", json!({ "description": "Onward.", "headers": { "Location": { "schema": { "type": "string" } } } }))]
        }
    };
    let (shape, refusals): (_, &[&str]) = match (method.door, verb) {
        (Door::Frappe, Verb::Get) => (Shape::One, &["400", "401", "403", "404", "408", "417", "429", "503"]),
        (Door::Frappe, _) => (Shape::One, &["400", "401", "403", "404", "408", "409", "413", "417", "429", "503"]),
        (Door::OAuth(_) | Door::OAuthUser(_), _) => (Shape::OAuth, &["400", "401", "403", "404", "405", "408", "413", "429", "503"]),
    };
    with_refusals(own, shape, refusals)
}

fn body(takes: &[Takes], is_json: bool) -> Value {
    let property = |takes: &Takes| match takes.what {
        // What need not be there may be null, where there is such a thing.
        What::Text if is_json && !takes.required => json!({ "type": ["string", "null"] }),
        what => in_body(what),
    };
    let properties: Map<String, Value> = takes.iter().map(|takes| (takes.name.to_owned(), described_as(takes, property(takes)))).collect();
    let required: Vec<&str> = takes.iter().filter(|takes| takes.required).map(|takes| takes.name).collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

fn described_as(takes: &Takes, mut of: Value) -> Value {
    of["description"] = takes.about.into();
    of
}

fn in_query(takes: &Takes) -> Value {
    let mut parameter = json!({ "name": takes.name, "in": "query", "required": takes.required, "description": takes.about });
    match takes.what {
        What::Text | What::TextIfAny => parameter["schema"] = json!({ "type": "string" }),
        What::Doctype | What::Flag | What::OneOf(_) => parameter["schema"] = in_body(takes.what),
        What::Number => parameter["schema"] = json!({ "type": "integer", "minimum": 0, "maximum": i64::MAX }),
        // One alone is no JSON, so it is left to be sent as a list.
        What::Fields => parameter["content"] = json_of(&json!({ "type": "array", "items": { "type": "string" }, "minItems": 1 })),
        What::Filters | What::Document | What::Documents | What::Objects | What::Json | What::Value | What::File => {
            parameter["content"] = json_of(&in_body(takes.what));
        }
    }
    parameter
}

fn in_body(what: What) -> Value {
    match what {
        What::Text => json!({ "type": "string" }),
        What::Doctype => schema("Doctype"),
        What::TextIfAny => json!({ "anyOf": [{ "type": "string" }, { "enum": [null, 0, false, [], {}] }] }),
        What::Number => schema("Number"),
        What::Flag => schema("Flag"),
        What::OneOf(words) => json!({ "type": "string", "enum": words }),
        What::Filters => json!({ "anyOf": [schema("Filters"), { "enum": [null, ""] }] }),
        What::Fields => json!({ "anyOf": [{ "type": "array", "items": { "type": "string" } }, { "type": ["string", "null"] }] }),
        What::Document => json!({ "type": "object", "required": ["doctype"], "properties": { "doctype": schema("Doctype") } }),
        What::Objects => json!({ "type": "array", "items": { "type": "object" } }),
        What::Documents => json!({ "type": "array", "items": in_body(What::Document) }),
        What::File => json!({ "type": "string", "format": "binary" }),
        What::Json | What::Value => json!({}),
    }
}
