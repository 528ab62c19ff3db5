//! The paths of a doctype, in both versions. What a document looks like stands in [`fields`].

use serde_json::{Map, Value, json};

use super::fields;
use super::shapes::{self, Shape, answer, json_of, schema, with_refusals, wrapped};
use crate::auth::Caller;
use crate::cx::Env;
use crate::domain::scope::{ALL, doctype_word};
use crate::resource::{self, Action as Right, Outline};

/// Refusals of the operations on documents.
const REFUSALS: [&str; 8] = ["400", "401", "403", "404", "408", "417", "429", "503"];
/// Those of operations that send a document.
const REFUSALS_OF_WRITES: [&str; 10] = ["400", "401", "403", "404", "408", "409", "413", "417", "429", "503"];

/// What an operation does to documents.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    Read,
    Create,
    Write,
    Delete,
}

impl Action {
    /// The right that it takes.
    fn right(self) -> Right {
        match self {
            Self::Read => Right::Read,
            Self::Create => Right::Create,
            Self::Write => Right::Write,
            Self::Delete => Right::Delete,
        }
    }
}

/// A doctype on its way into the description.
struct Part<'a> {
    outline: &'a Outline,
    /// The doctype as scopes spell it: what the names of its schemas and operations have in them.
    word: String,
    /// As paths have it.
    segment: String,
}

/// Adds what the document says about one doctype.
pub fn add(env: &Env, caller: &Caller, outline: &Outline, paths: &mut Map<String, Value>, schemas: &mut Map<String, Value>) {
    let name = &outline.doctype.name;
    let part = Part { outline, word: doctype_word(name), segment: name.replace(' ', "%20") };
    schemas.extend(fields::schemas(outline, &part.word));
    for table in outline.doctype.tables() {
        let child = doctype_word(&table.options);
        if let Some(outline) = resource::outline_of_child(env, caller, &table.options).filter(|_| !schemas.contains_key(&child)) {
            schemas.extend(fields::schemas(&outline, &child));
        }
    }
    part.version_one(paths);
    part.version_two(paths);
}

impl Part<'_> {
    fn version_one(&self, paths: &mut Map<String, Value>) {
        let mut collection = Map::new();
        let mut document = Map::new();
        self.operations(Shape::One, &mut collection, &mut document);
        if self.outline.allows(Right::Read) {
            document.insert("post".into(), self.run_method());
        }
        let path = format!("/api/resource/{}", self.segment);
        put(paths, path.clone(), collection);
        put(paths, format!("{path}/{{name}}"), named(document));
    }

    fn version_two(&self, paths: &mut Map<String, Value>) {
        let mut collection = Map::new();
        let mut document = Map::new();
        self.operations(Shape::Two, &mut collection, &mut document);
        if let Some(update) = document.get("put").cloned() {
            let mut update = update;
            update["operationId"] = format!("v2.patch.{}", self.word).into();
            document.insert("patch".into(), update);
        }
        let path = format!("/api/v2/document/{}", self.segment);
        put(paths, path.clone(), collection);
        put(paths, format!("{path}/{{name}}"), named(document));
        let one = |verb: &str, operation: Option<Value>| {
            operation.map(|operation| (verb.to_owned(), operation)).into_iter().collect::<Map<_, _>>()
        };
        let reading = self.outline.allows(Right::Read);
        put(paths, format!("{path}/{{name}}/copy"), named(one("get", reading.then(|| self.copy()))));
        let mut method = one("get", reading.then(|| self.method("v2.ask")));
        method.extend(one("post", reading.then(|| self.method("v2.run"))));
        put(paths, format!("{path}/{{name}}/method/{{method}}"), named(method));
        for (what, action) in [("bulk_update", Action::Write), ("bulk_delete", Action::Delete)] {
            put(paths, format!("{path}/{what}"), one("post", self.outline.allows(action.right()).then(|| self.bulk(what, action))));
        }
        let path = format!("/api/v2/doctype/{}", self.segment);
        put(paths, format!("{path}/meta"), one("get", reading.then(|| self.meta())));
        put(paths, format!("{path}/count"), one("get", reading.then(|| self.count())));
    }

    /// What both versions have, in different shapes.
    fn operations(&self, shape: Shape, collection: &mut Map<String, Value>, document: &mut Map<String, Value>) {
        if self.outline.allows(Right::Read) {
            collection.insert("get".into(), self.list(shape));
            document.insert("get".into(), self.operation(shape, Action::Read));
        }
        for (verb, action) in [("put", Action::Write), ("delete", Action::Delete)] {
            if self.outline.allows(action.right()) {
                document.insert(verb.into(), self.operation(shape, action));
            }
        }
        if self.outline.allows(Right::Create) {
            collection.insert("post".into(), self.operation(shape, Action::Create));
        }
    }

    /// What every operation says.
    fn begin(&self, id: &str, summary: &str, action: Action, responses: Value) -> Value {
        json!({
            "operationId": format!("{id}.{}", self.word),
            "summary": summary,
            "tags": [self.outline.doctype.name],
            "security": self.security(action),
            "responses": responses,
        })
    }

    /// Who may do it: a token takes one of these scopes.
    fn security(&self, action: Action) -> Value {
        let own = |access: &str| format!("{access}:{}", self.word);
        let scopes = match action {
            Action::Read => vec![ALL.to_owned(), "read".into(), "write".into(), own("read"), own("write")],
            Action::Create | Action::Write | Action::Delete => vec![ALL.to_owned(), "write".into(), own("write")],
        };
        shapes::security(self.outline.allows_guests(action.right()), &scopes)
    }

    fn operation(&self, shape: Shape, action: Action) -> Value {
        let (verb, summary) = match action {
            Action::Read => ("read", "Read a document"),
            Action::Create => ("create", "Create a document"),
            Action::Write => ("update", "Change the fields that are sent"),
            Action::Delete => ("delete", "Delete a document"),
        };
        let of_document = answer("The document.", &wrapped("data", &schema(&self.shown(shape))));
        let refusals: &[&str] = if action == Action::Read { &REFUSALS } else { &REFUSALS_OF_WRITES };
        let own = match action {
            Action::Read | Action::Write => ("200", of_document),
            Action::Create => ("200", self.with_links(shape, of_document, "$response.body#/data/name")),
            Action::Delete => ("202", answer("It is gone.", &wrapped("data", &json!({ "const": "ok" })))),
        };
        let mut operation = self.begin(&id(shape, verb), summary, action, with_refusals([own], shape, refusals));
        let required = match action {
            Action::Create => fields::required(self.outline),
            Action::Write => Vec::new(),
            Action::Read | Action::Delete => return operation,
        };
        let sent = schema(&format!("{}.sent", self.word));
        operation["requestBody"] = json!({
            "required": !required.is_empty(),
            "description": "Also as a form, or as a form's field `data` that holds this as JSON. `modified`, if sent, must be the one that is stored.",
            "content": json_of(&json!({ "allOf": [sent], "required": required })),
        });
        operation
    }

    fn shown(&self, shape: Shape) -> String {
        match shape {
            // Version 1 leaves out what is empty.
            Shape::One | Shape::OAuth => self.word.clone(),
            Shape::Two => format!("{}.whole", self.word),
        }
    }

    /// What can be done with a document that an answer names.
    fn with_links(&self, shape: Shape, mut answer: Value, name: &str) -> Value {
        let to = |verb: &str| json!({ "operationId": format!("{}.{}", id(shape, verb), self.word), "parameters": { "name": name } });
        let all = [(Action::Read, "read"), (Action::Write, "update"), (Action::Delete, "delete")];
        let links = all.into_iter().filter(|(action, _)| self.outline.allows(action.right())).map(|(_, verb)| (verb.to_owned(), to(verb)));
        answer["links"] = Value::Object(links.collect());
        answer
    }

    fn list(&self, shape: Shape) -> Value {
        let word = &self.word;
        let names = json!({ "anyOf": [{ "type": "array", "items": schema(&format!("{word}.field")) }, { "const": "*" }] });
        let number = json!({ "type": "integer", "minimum": 0, "maximum": i64::MAX });
        let order = json!({ "type": "string", "pattern": fields::order(self.outline) });
        let (start, limit, zero) = match shape {
            Shape::One | Shape::OAuth => ("limit_start", "limit_page_length", "0 for all of them"),
            Shape::Two => ("start", "limit", "0 for no row"),
        };
        let conditions = schema(&format!("{word}.filters"));
        let mut parameters = vec![
            in_json("fields", "Names of fields; default `[\"name\"]`.", &names),
            in_json("filters", "Conditions that all hold.", &conditions),
            in_json("or_filters", "Conditions of which at least one holds as well.", &conditions),
            plain("order_by", "A field, and `asc` or `desc`.", &order),
            plain(start, "Rows to skip; 0 by default.", &number),
            plain(limit, &format!("Most rows to answer with; 20 by default, {zero}."), &number),
        ];
        if shape == Shape::Two {
            let text = json!({ "type": "string" });
            parameters.push(plain(
                "cursor",
                "Empty for the first page, then `next_cursor` of the answer before; instead of `start`.",
                &text,
            ));
        }
        let rows = json!({ "type": "array", "items": schema(&format!("{word}.row")) });
        let mut body = wrapped("data", &rows);
        if shape == Shape::Two {
            body["properties"]["has_next_page"] = json!({ "type": "boolean" });
            body["properties"]["next_cursor"] = json!({ "type": "string" });
        }
        let own = self.with_links(shape, answer("Rows with the fields that were asked for.", &body), "$response.body#/data/0/name");
        let mut operation = self.begin(&id(shape, "list"), "List documents", Action::Read, with_refusals([("200", own)], shape, &REFUSALS));
        operation["parameters"] = parameters.into();
        operation
    }

    /// A POST to a document of version 1.
    fn run_method(&self) -> Value {
        let own = answer("What the method returns.", &json!({ "type": "object" }));
        let mut operation =
            self.begin("run", "Run a method of the document", Action::Read, with_refusals([("200", own)], Shape::One, &REFUSALS_OF_WRITES));
        let fields = json!({ "type": "object", "required": ["run_method"], "properties": { "run_method": method_name() } });
        operation["requestBody"] = json!({ "required": true, "content": json_of(&fields) });
        operation
    }

    fn method(&self, id: &str) -> Value {
        let own = answer("What the method returns, and the document as it is then.", &json!({ "type": "object", "required": ["docs"] }));
        let responses = with_refusals([("200", own)], Shape::Two, &REFUSALS_OF_WRITES);
        let mut operation = self.begin(id, "Run a method of the document", Action::Read, responses);
        operation["parameters"] = json!([{ "name": "method", "in": "path", "required": true, "schema": method_name() }]);
        operation
    }

    fn copy(&self) -> Value {
        let own = answer("What a new document would begin with.", &wrapped("data", &json!({ "type": "object" })));
        self.begin("v2.copy", "What a copy begins with", Action::Read, with_refusals([("200", own)], Shape::Two, &REFUSALS))
    }

    fn bulk(&self, what: &str, action: Action) -> Value {
        let (done, member, summary) = match action {
            Action::Delete => ("deleted", "names", "Delete documents"),
            Action::Read | Action::Create | Action::Write => ("updated", "docs", "Change documents, each by itself"),
        };
        let names = json!({ "type": "array", "items": { "type": "string" } });
        let count = json!({ "type": "integer", "minimum": 0 });
        let result = json!({
            "type": "object",
            "required": [done, "failed", "total", "success_count", "failure_count"],
            "properties": { done: names, "failed": { "type": "array" }, "total": count, "success_count": count, "failure_count": count },
        });
        let own = answer("What was done, and what could not be.", &wrapped("data", &result));
        let item = match action {
            Action::Delete => schema("NameSent"),
            // Each is judged by itself, and told if it fails; a name alone changes nothing.
            Action::Read | Action::Create | Action::Write => {
                let change = json!({ "type": "object", "required": ["name"], "properties": { "name": schema("NameSent") } });
                json!({ "anyOf": [change, schema("NameSent")] })
            }
        };
        let mut operation =
            self.begin(&format!("v2.{what}"), summary, action, with_refusals([("200", own)], Shape::Two, &REFUSALS_OF_WRITES));
        let fields = json!({ "type": "object", "required": [member], "properties": { member: { "type": "array", "items": item, "maxItems": 500 } } });
        operation["requestBody"] = json!({ "required": true, "content": json_of(&fields) });
        operation
    }

    fn meta(&self) -> Value {
        let own = answer("The doctype's definition.", &wrapped("data", &json!({ "type": "object", "required": ["name", "fields"] })));
        self.begin("v2.meta", "The definition of the doctype", Action::Read, with_refusals([("200", own)], Shape::Two, &REFUSALS))
    }

    fn count(&self) -> Value {
        let own = answer("How many there are.", &wrapped("data", &json!({ "type": "integer", "minimum": 0 })));
        let mut operation = self.begin("v2.count", "Count documents", Action::Read, with_refusals([("200", own)], Shape::Two, &REFUSALS));
        operation["parameters"] = json!([in_json("filters", "Conditions that all hold.", &schema(&format!("{}.filters", self.word)))]);
        operation
    }
}

fn id(shape: Shape, verb: &str) -> String {
    match shape {
        Shape::One | Shape::OAuth => verb.to_owned(),
        Shape::Two => format!("v2.{verb}"),
    }
}

/// The name of a method of documents.
fn method_name() -> Value {
    json!({ "type": "string", "pattern": "^[A-Za-z_]+$" })
}

/// The operations on one document. A slash at an end of its name would belong to the path.
fn named(mut operations: Map<String, Value>) -> Map<String, Value> {
    if !operations.is_empty() {
        let which = json!({ "type": "string", "minLength": 1, "pattern": "^[^/]+$" });
        operations.insert(
            "parameters".into(),
            json!([{ "name": "name", "in": "path", "required": true, "description": "The document's name.", "schema": which }]),
        );
    }
    operations
}

fn put(paths: &mut Map<String, Value>, path: String, operations: Map<String, Value>) {
    if !operations.is_empty() {
        paths.insert(path, operations.into());
    }
}

fn in_json(name: &str, description: &str, of: &Value) -> Value {
    json!({ "name": name, "in": "query", "description": description, "content": json_of(of) })
}

fn plain(name: &str, description: &str, of: &Value) -> Value {
    json!({ "name": name, "in": "query", "description": description, "schema": of })
}
