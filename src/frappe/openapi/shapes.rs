//! What all operations share: errors, security schemes, and the schemas of values as they are sent and shown.

use serde_json::{Map, Value, json};

use crate::domain::scope::{ADMIN_CREDENTIALS, ALL};
use crate::oidc::discovery::{self, ENDPOINTS};

/// A reference to a shared schema.
pub fn schema(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// Media types with one schema.
pub fn json_of(schema: &Value) -> Value {
    json!({ "application/json": { "schema": schema } })
}

/// An object with one required member, such as Frappe's `message` and `data`.
pub fn wrapped(member: &str, schema: &Value) -> Value {
    json!({ "type": "object", "required": [member], "properties": { member: schema } })
}

/// Whose shapes refusals have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    One,
    Two,
    OAuth,
}

impl Shape {
    const ALL: [Self; 3] = [Self::One, Self::Two, Self::OAuth];

    /// What the names of its shared responses begin with.
    fn prefix(self) -> &'static str {
        match self {
            Self::One => "",
            Self::Two => "v2.",
            Self::OAuth => "oauth.",
        }
    }

    fn schema(self) -> &'static str {
        match self {
            Self::One => "Exception",
            Self::Two => "Errors",
            Self::OAuth => "OAuthError",
        }
    }
}

/// Answers of an operation: its own, and the shared refusals with these statuses.
pub fn with_refusals(own: impl IntoIterator<Item = (&'static str, Value)>, shape: Shape, refusals: &[&str]) -> Value {
    let name = |status: &str| format!("#/components/responses/{}{status}", shape.prefix());
    let shared = refusals.iter().map(|status| ((*status).to_owned(), json!({ "$ref": name(status) })));
    Value::Object(own.into_iter().map(|(status, answer)| (status.to_owned(), answer)).chain(shared).collect())
}

/// An answer in JSON.
pub fn answer(description: &str, schema: &Value) -> Value {
    json!({ "description": description, "content": json_of(schema) })
}

/// Shared schemas.
pub fn schemas() -> Map<String, Value> {
    let text = json!({ "type": "string" });
    let all = json!({
        "Exception": {
            "type": "object",
            "description": "A refusal in the shape of Frappe 15.",
            "required": ["exc_type"],
            "properties": {
                "exc_type": { "type": "string", "description": "The class of the exception, such as ValidationError." },
                "exception": { "type": "string", "description": "The class with its text." },
                "exc": { "type": "string", "description": "A JSON list with the same line." },
                "_server_messages": { "type": "string", "description": "A JSON list of JSON texts: what people are told." },
                "_error_message": text,
                "message": text,
                "session_expired": { "const": 1 },
            },
        },
        "Errors": {
            "type": "object",
            "description": "A refusal in the shape of version 2.",
            "required": ["errors"],
            "properties": {
                "errors": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "required": ["type"],
                        "properties": { "type": text, "message": text, "title": text, "indicator": text, "exception": text },
                    },
                },
                "messages": { "type": "array", "items": { "type": "object" } },
            },
        },
        "OAuthError": {
            "type": "object",
            "description": "A refusal in the shape of RFC 6749.",
            "required": ["error"],
            "properties": { "error": text, "error_description": text, "description": text, "status_code": { "type": "integer" } },
        },
        "Document": {
            "type": "object",
            "description": "A document of any doctype.",
            "required": ["doctype", "name"],
            "properties": { "doctype": text, "name": schema("Name") },
        },
        "NameSent": { "type": ["string", "number"], "description": "The name of a document." },
        "Name": { "type": ["string", "integer"], "description": "The name of a document: its id." },
        "Flag": {
            "type": ["integer", "boolean", "string"],
            "description": "0 or 1; true and false are understood, also as texts.",
            "enum": [0, 1, true, false, "0", "1", "true", "false", ""],
        },
        "FilterValue": {
            "description": "A value to be equal to, or an operator and its value.",
            "anyOf": [
                { "type": ["string", "number", "boolean", "null"] },
                { "type": "array", "prefixItems": [schema("Operator"), {}], "minItems": 2, "maxItems": 2 },
            ],
        },
        "Number": {
            "description": "A whole number; its digits as a text are understood.",
            "anyOf": [
                { "type": "integer", "minimum": 0, "maximum": i64::MAX },
                { "type": "string", "pattern": r"^\s*\d{0,18}\s*$" },
                { "type": "null" },
            ],
        },
        "Operator": { "type": "string", "enum": OPERATORS },
        "Filters": {
            "description": "Conditions that all hold: an object of values by field, or a list of [field, operator, value] or [doctype, field, operator, value].",
            "anyOf": [
                { "type": "object", "additionalProperties": schema("FilterValue") },
                { "type": "array", "items": { "type": "array", "minItems": 3, "maxItems": 4 } },
            ],
        },
    });
    match all {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// What filters compare with (contract 6.1).
pub const OPERATORS: [&str; 20] = [
    "=",
    "!=",
    ">",
    "<",
    ">=",
    "<=",
    "like",
    "not like",
    "in",
    "not in",
    "is",
    "between",
    "timespan",
    "previous",
    "next",
    "ancestors of",
    "not ancestors of",
    "descendants of",
    "not descendants of",
    "descendants of (inclusive)",
];

/// The refusals that any operation may share, by shape and status.
pub fn responses() -> Value {
    const CAUSES: [(&str, &str); 10] = [
        ("400", "The CSRF token is missing or wrong, or the credentials cannot be decoded."),
        ("401", "The credentials are missing, wrong, expired or revoked."),
        ("403", "This caller, or this token's scope, does not reach it."),
        ("404", "There is no such document or doctype."),
        ("405", "The path does not take this verb."),
        ("408", "The body did not arrive in time."),
        ("409", "There is such a document already, or its name is not allowed."),
        ("413", "The body is too large."),
        ("417", "What was sent breaks a rule, which the answer names."),
        ("429", "Too many requests."),
    ];
    let mut all = Map::new();
    for (status, description) in CAUSES.into_iter().chain([("503", "The server cannot do this right now, or the query took too long.")]) {
        for shape in Shape::ALL {
            let mut answer = answer(description, &schema(shape.schema()));
            let page = json!({ "schema": { "type": "string" } });
            match status {
                // Frappe answers these from its HTTP layer, as a plain page.
                "405" | "408" | "413" if shape != Shape::OAuth => answer["content"] = json!({ "text/html": page }),
                // The same for a body that ends too early.
                "400" if shape != Shape::OAuth => answer["content"]["text/html"] = page,
                "429" | "503" => {
                    let seconds =
                        json!({ "schema": { "type": "integer", "minimum": 1 }, "description": "Seconds until it is worth asking again." });
                    answer["headers"] = json!({ "Retry-After": seconds });
                }
                _ => {}
            }
            all.insert(format!("{}{status}", shape.prefix()), answer);
        }
    }
    Value::Object(all)
}

/// How callers prove who they are.
pub fn security_schemes(issuer: &str) -> Value {
    let scopes: Map<String, Value> = discovery::scopes().into_iter().map(|word| (word.to_owned(), scope_line(word).into())).collect();
    let at = |name: &str| format!("{issuer}{ENDPOINTS}{name}");
    json!({
        "token": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`token <api_key>:<api_secret>`.",
        },
        "basic": { "type": "http", "scheme": "basic", "description": "API key and secret, or user and password." },
        "oauth2": {
            "type": "oauth2",
            "description": "`Bearer <access token>`.",
            "flows": {
                "authorizationCode": {
                    "authorizationUrl": at("authorize"),
                    "tokenUrl": at("get_token"),
                    "refreshUrl": at("get_token"),
                    "scopes": scopes,
                },
                "clientCredentials": { "tokenUrl": at("get_token"), "scopes": scopes },
            },
        },
        "session": { "type": "apiKey", "in": "cookie", "name": "sid", "description": "The cookie of a login." },
        "client": { "type": "http", "scheme": "basic", "description": "An OAuth client's id and secret (client_secret_basic)." },
    })
}

fn scope_line(word: &str) -> String {
    match word {
        ALL => "Do everything that the user may do, except making and changing credentials.".to_owned(),
        ADMIN_CREDENTIALS => "Make and change credentials: API keys, clients, users' passwords and roles, sessions.".to_owned(),
        "read" => "Read every document that the user may read.".to_owned(),
        "write" => "Read, create, change and delete every document that the user may.".to_owned(),
        "openid" => "Learn who the user is: an identifier that stays the same.".to_owned(),
        "offline_access" => "Stay connected while the user is away.".to_owned(),
        "profile" => "See the user's name and picture.".to_owned(),
        "email" => "See the user's e-mail address.".to_owned(),
        "phone" => "See the user's phone number.".to_owned(),
        word => format!("See the user's {word}."),
    }
}

/// What a caller needs: any of the schemes, for a token one of these scopes; `guests`: or nothing.
pub fn security(guests: bool, scopes: &[impl AsRef<str>]) -> Value {
    let nothing = guests.then(|| json!({}));
    let others = ["token", "basic", "session"].map(|scheme| json!({ scheme: [] }));
    let tokens = scopes.iter().map(|word| json!({ "oauth2": [word.as_ref()] }));
    nothing.into_iter().chain(others).chain(tokens).collect()
}
