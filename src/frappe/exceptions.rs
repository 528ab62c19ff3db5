//! The one place where an [`AppError`] becomes Frappe's exception: class name, status, texts.

use std::time::Duration;

use actix_web::http::StatusCode;
use serde_json::{Value, json};

use super::controllers;
use crate::domain::limit::Limit;
use crate::error::{AppError, Denied, FieldLabel, FieldPlace, TreeRule};

/// An error as Frappe would have raised it.
#[derive(Clone, Debug, PartialEq)]
pub struct Exception {
    pub status: StatusCode,
    pub exc_type: &'static str,
    /// The text after the class name in `exception`; `None` shows the class alone.
    pub text: Option<String>,
    /// What goes into `_server_messages`.
    pub messages: Vec<Message>,
    /// `_error_message`.
    pub error_message: Option<String>,
    /// The plain `message` of a refused login.
    pub plain: Option<&'static str>,
    /// Whether `exception` and `exc` are shown; Frappe hides them for 404 and CSRF failures.
    pub shows_exception: bool,
    /// The answer deletes the login cookies.
    pub clears_cookies: bool,
    pub retry_after: Option<Duration>,
    /// `WWW-Authenticate` carries this scope with `insufficient_scope`.
    pub needed_scope: Option<String>,
    /// Title of the page for browsers.
    pub title: &'static str,
}

/// One entry of `_server_messages`.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    pub text: String,
    pub title: &'static str,
    /// Raised messages carry an indicator and an id.
    pub raised: bool,
}

impl Message {
    fn raised(text: impl Into<String>) -> Self {
        Self { text: text.into(), title: "Message", raised: true }
    }

    fn told(text: impl Into<String>) -> Self {
        Self { text: text.into(), title: "Message", raised: false }
    }

    /// The JSON text of this entry, spaced as Python's encoder does.
    pub fn to_json(&self) -> Value {
        if self.raised {
            json!({"message": self.text, "title": self.title, "indicator": "red", "raise_exception": 1, "__frappe_exc_id": crate::secrets::mint::name(28)})
        } else {
            json!({"message": self.text, "title": self.title})
        }
    }
}

impl Exception {
    /// What it says in one text: the exception's own, else the messages beside it, else its class.
    pub fn told(&self) -> String {
        let messages = || self.messages.iter().map(|message| message.text.as_str()).collect::<Vec<_>>().join(" ");
        let text = self.text.clone().unwrap_or_else(messages);
        if text.is_empty() { self.exc_type.to_owned() } else { text }
    }
}

fn exception(status: StatusCode, exc_type: &'static str, title: &'static str) -> Exception {
    Exception {
        status,
        exc_type,
        text: None,
        messages: Vec::new(),
        error_message: None,
        plain: None,
        shows_exception: true,
        clears_cookies: false,
        retry_after: None,
        needed_scope: None,
        title,
    }
}

/// An exception raised with a text: shown in `exception` and as a message.
fn thrown(status: StatusCode, exc_type: &'static str, title: &'static str, text: impl Into<String>) -> Exception {
    let text = text.into();
    Exception { messages: vec![Message::raised(&text)], text: Some(text), ..exception(status, exc_type, title) }
}

fn validation(exc_type: &'static str, text: impl Into<String>) -> Exception {
    thrown(StatusCode::EXPECTATION_FAILED, exc_type, "Invalid Request", text)
}

impl From<&AppError> for Exception {
    #[expect(clippy::too_many_lines, reason = "one exhaustive table, one row per error")]
    fn from(error: &AppError) -> Self {
        const UNAUTHORIZED: StatusCode = StatusCode::UNAUTHORIZED;
        match error {
            AppError::Unauthenticated | AppError::WrongResource => {
                Exception { clears_cookies: true, ..exception(UNAUTHORIZED, "AuthenticationError", "Session Expired") }
            }
            AppError::SessionExpired => {
                Exception { clears_cookies: true, ..exception(UNAUTHORIZED, "AuthenticationError", "Session Expired") }
            }
            AppError::LoginRefused(text) => Exception { plain: Some(text), ..exception(UNAUTHORIZED, "AuthenticationError", "Login") },
            AppError::MalformedCredentials => thrown(
                StatusCode::BAD_REQUEST,
                "InvalidAuthorizationToken",
                "Invalid Request",
                "Failed to decode token, please provide a valid base64-encoded token.",
            ),
            AppError::Csrf => Exception {
                shows_exception: false,
                ..thrown(StatusCode::BAD_REQUEST, "CSRFTokenError", "Invalid Request", "Invalid Request")
            },
            // Frappe: 500 SecurityException, here: 429 with Retry-After, because a lockout is not a server fault.
            AppError::Locked { retry_after } => {
                let seconds = retry_after.as_secs().max(1);
                let text = format!("Your account has been locked and will resume after {seconds} seconds");
                Exception { retry_after: Some(*retry_after), ..thrown(StatusCode::TOO_MANY_REQUESTS, "SecurityException", "Locked", text) }
            }
            // Frappe: the site's limit and an endpoint's own are two classes; clients that back off know the first.
            AppError::TooManyRequests { limit, retry_after } if *limit == Limit::Request.name() => Exception {
                retry_after: Some(*retry_after),
                ..exception(StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsError", "Too Many Requests")
            },
            AppError::TooManyRequests { retry_after, .. } => Exception {
                retry_after: Some(*retry_after),
                ..thrown(
                    StatusCode::TOO_MANY_REQUESTS,
                    "RateLimitExceededError",
                    "Too Many Requests",
                    "You hit the rate limit because of too many requests. Please try after sometime.",
                )
            },
            AppError::NotPermitted(denied) => denied_exception(denied),
            AppError::InsufficientScope { needed } => Exception {
                needed_scope: Some(needed.clone()),
                messages: vec![Message::told(format!("The access token lacks the scope <strong>{}</strong>", escape(needed)))],
                ..exception(StatusCode::FORBIDDEN, "PermissionError", "Not Permitted")
            },
            AppError::NotFound { doctype, name } => {
                let text = format!("{} {} not found", escape(doctype), escape(name));
                Exception { shows_exception: false, ..thrown(StatusCode::NOT_FOUND, "DoesNotExistError", "Not Found", text) }
            }
            AppError::NoSuchPath => {
                let text = "There is nothing at this path; /api/openapi.json lists what there is".to_owned();
                Exception { text: Some(text), shows_exception: false, ..exception(StatusCode::NOT_FOUND, "DoesNotExistError", "Not Found") }
            }
            AppError::NoSuchMethod(path) => {
                let path = escape(path);
                let (app, rest) = path.split_once('.').unwrap_or((&path, ""));
                if app == "frappe" {
                    validation(
                        "ValidationError",
                        format!("Failed to get method for command {path} with module 'frappe' has no attribute '{rest}'"),
                    )
                } else {
                    let cause = format!("App {app} is not installed");
                    let mut exception = validation("ValidationError", format!("Failed to get method for command {path} with {cause}"));
                    exception.messages.insert(0, Message::raised(cause));
                    exception
                }
            }
            AppError::InvalidData(text) => validation("DataError", escape(text)),
            AppError::WrongArgument { name, expected, got } => validation(
                "FrappeTypeError",
                format!("Argument '{}' should be of type '{expected}' but got '{got}' instead.", escape(name)),
            ),
            AppError::Validation(text) => validation("ValidationError", escape(text)),
            AppError::Unsupported(what) => validation("ValidationError", format!("{} is not supported yet", escape(what))),
            AppError::FieldNotPermitted(field) => validation("DataError", format!("Field not permitted in query: {}", escape(field))),
            AppError::Mandatory { doctype, name, fields } => {
                let names: Vec<&str> = fields.iter().map(|field| field.fieldname.as_str()).collect();
                Exception {
                    text: Some(format!("[{doctype}, {}]: {}", escape(name), names.join(", "))),
                    messages: fields.iter().map(|field| Message::told(missing(doctype, field))).collect(),
                    ..exception(StatusCode::EXPECTATION_FAILED, "MandatoryError", "Missing Fields")
                }
            }
            AppError::LinkNotFound { label, value } => {
                validation("LinkValidationError", format!("Could not find {label}: {}", escape(value)))
            }
            AppError::Duplicate { doctype, name } => {
                let text = format!("{doctype} {} already exists", escape(name));
                Exception {
                    messages: vec![Message { title: "Duplicate Name", ..Message::raised(&text) }],
                    text: Some(text),
                    ..exception(StatusCode::CONFLICT, "DuplicateEntryError", "Duplicate Name")
                }
            }
            AppError::NotUnique { label } => validation("UniqueValidationError", format!("{label} must be unique")),
            AppError::NotAnOption { label, value, options, row } => {
                let options = options.iter().map(|option| format!("\"{option}\"")).collect::<Vec<_>>().join(", ");
                // Frappe's text begins with the (often empty) row number and a space.
                validation(
                    "ValidationError",
                    format!("{} {label} cannot be \"{}\". It should be one of {options}", row_number(*row), escape(value)),
                )
            }
            AppError::Stale { sent, stored } => validation(
                "TimestampMismatchError",
                format!(
                    "Error: Document has been modified after you have opened it ({stored}, {}). Please refresh to get the latest document.",
                    escape(sent)
                ),
            ),
            AppError::TooLong { label, max } => {
                validation("CharacterLengthExceededError", format!("{label} will get truncated, as max characters allowed is {max}"))
            }
            AppError::LinkExists { doctype, name, by_doctype, by_name } => validation(
                "LinkExistsError",
                format!("Cannot delete or cancel because {doctype} {} is linked with {by_doctype} {}", escape(name), escape(by_name))
                    .trim_end()
                    .to_owned(),
            ),
            AppError::SetOnce { label } => validation("CannotChangeConstantError", format!("Value cannot be changed for {label}")),
            AppError::DocstatusTransition { from, to } => {
                validation("DocstatusTransitionError", format!("Cannot change docstatus from {from} to {to}"))
            }
            AppError::AfterSubmit { label, row, from, to } => {
                let mut text = format!("{} Not allowed to change <strong>{label}</strong> after submission", row_number(*row));
                // Neither is told to who may not read the field.
                if !(from.is_empty() && to.is_empty()) {
                    text.push_str(&format!(" from <strong>{}</strong> to <strong>{}</strong>", escape(from), escape(to)));
                }
                validation("UpdateAfterSubmitError", text)
            }
            AppError::CancelledLink { label, value } => {
                validation("CancelledLinkError", format!("Cannot link cancelled document: {label}: {}", escape(value)))
            }
            AppError::Tree { rule, text } => {
                let exc_type = match rule {
                    TreeRule::Recursion => "NestedSetRecursionError",
                    TreeRule::ChildrenExist => "NestedSetChildExistsError",
                    TreeRule::InvalidMerge => "NestedSetInvalidMergeError",
                };
                validation(exc_type, escape(text))
            }
            AppError::InvalidName(text) => thrown(StatusCode::CONFLICT, "NameError", "Invalid Name", escape(text)),
            AppError::Unavailable { retry_after, .. } => Exception {
                retry_after: Some(*retry_after),
                text: Some("The server cannot do this right now. Try again shortly.".into()),
                ..exception(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailableError", "Try Again")
            },
            AppError::QueryTimeout => Exception {
                text: Some("The query took too long. Ask for less, or filter by an indexed field.".into()),
                retry_after: Some(Duration::from_secs(1)),
                ..exception(StatusCode::SERVICE_UNAVAILABLE, "QueryTimeoutError", "Request Timeout")
            },
            AppError::Internal(_) => Exception {
                text: Some("Something went wrong on our side.".into()),
                ..exception(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", "Server Error")
            },
        }
    }
}

/// What Frappe says of one required field without a value.
fn missing(doctype: &str, field: &FieldLabel) -> String {
    let label = &field.label;
    match &field.place {
        FieldPlace::Document => format!("Error: Value missing for {doctype}: {label}"),
        FieldPlace::Table => format!("Error: Data missing in table: {label}"),
        FieldPlace::Row { doctype, number } => format!("Error: <strong>{doctype}</strong> Row #{number}: Value missing for: {label}"),
    }
}

fn row_number(row: Option<usize>) -> String {
    row.map_or_else(String::new, |number| format!("Row #{number}:"))
}

fn denied_exception(denied: &Denied) -> Exception {
    let forbidden = exception(StatusCode::FORBIDDEN, "PermissionError", "Not Permitted");
    match denied {
        Denied::Method(path) => {
            let path = escape(path);
            let text = format!(
                "<details><summary>You are not permitted to access this resource.</summary>Function <strong>{path}</strong> is not whitelisted.</details>"
            );
            Exception { messages: vec![Message { title: "Method Not Allowed", ..Message::raised(&text) }], text: Some(text), ..forbidden }
        }
        Denied::Verb => thrown(StatusCode::FORBIDDEN, "PermissionError", "Not Permitted", "Not permitted"),
        Denied::Doctype { user, doctype, name: None } => Exception {
            messages: vec![Message::told(no_role(user, doctype))],
            error_message: Some(format!("No permission for {doctype}")),
            ..forbidden
        },
        Denied::Doctype { user, doctype, name: Some(name) } => {
            let lines = refused_by_controller(doctype, name).into_iter().chain([no_role(user, doctype), no_access(user)]);
            Exception { messages: vec![Message::told(lines.collect::<Vec<_>>().join("<br>"))], ..forbidden }
        }
        Denied::Document { user, doctype, name, own_only } => {
            let which = format!("{}: {doctype} - {}", no_access(user), escape(name));
            let no_role = (*own_only && controllers::is_shared_with_its_owner(doctype)).then(|| no_role(user, doctype));
            let lines = refused_by_controller(doctype, name).into_iter().chain(no_role).chain([which]);
            Exception { messages: vec![Message::told(lines.collect::<Vec<_>>().join("<br>"))], ..forbidden }
        }
        Denied::ChildTable(_) => forbidden,
        Denied::Login(path) => {
            let text = format!("{path} is for users: log in, or send an API key or an access token");
            thrown(StatusCode::FORBIDDEN, "PermissionError", "Not Permitted", text)
        }
        Denied::Files => Exception { title: "403 Forbidden", ..forbidden },
        Denied::Guarded => {
            let text = "Credentials can be changed only in a session, with an unscoped API key or with the scope admin:credentials";
            Exception { messages: vec![Message::told(text)], ..forbidden }
        }
        Denied::Because(text) => thrown(StatusCode::FORBIDDEN, "PermissionError", "Not Permitted", escape(text)),
    }
}

fn no_role(user: &str, doctype: &str) -> String {
    let user = escape(user);
    format!("User <strong>{user}</strong> does not have doctype access via role permission for document <strong>{doctype}</strong>")
}

fn no_access(user: &str) -> String {
    format!("User <strong>{}</strong> does not have access to this document", escape(user))
}

fn refused_by_controller(doctype: &str, name: &str) -> Option<String> {
    controllers::refuses(doctype, name).then(|| "Not allowed via controller permission check".to_owned())
}

/// Frappe's messages are HTML, so whatever a caller sent is escaped before it comes back.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// The text that [`escape`] was given, for what is no HTML itself, or escapes what it shows.
pub fn unescape(text: &str) -> String {
    // The ampersand last, or what was escaped twice would be undone twice.
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}
