//! Making and changing documents as the resource API does, so that the same rules hold here.

use serde_json::{Map, Value};

use crate::app::Workshop;
use crate::auth::Caller;
use crate::cx::Cx;
use crate::error::AppError;
use crate::resource::{self, Gathered};
use crate::store::users;

/// Makes a document as `user`.
///
/// # Errors
/// One line that says which rule it breaks.
pub(super) fn create(workshop: &Workshop, user: &str, doctype: &'static str, body: Value) -> Result<(), String> {
    write(workshop, user, doctype, body, move |cx, caller, body, gathered| resource::create(cx, caller, doctype, body, gathered).map(drop))
}

/// Changes a document as `user`.
///
/// # Errors
/// As [`create`], and when there is none of that name.
pub(super) fn update(workshop: &Workshop, user: &str, doctype: &'static str, name: &str, body: Value) -> Result<(), String> {
    let name = name.to_owned();
    write(workshop, user, doctype, body, move |cx, caller, body, gathered| {
        resource::update(cx, caller, doctype, &name, body, gathered).map(drop)
    })
}

fn write(
    workshop: &Workshop,
    user: &str,
    doctype: &'static str,
    body: Value,
    flow: impl Fn(&mut Cx, &Caller, Map<String, Value>, &Gathered) -> Result<(), AppError> + Send + 'static,
) -> Result<(), String> {
    let Value::Object(body) = body else { return Err("a document is an object".into()) };
    // Slow, so before the transaction.
    let gathered = match resource::needs(doctype, &body) {
        Some(needs) => needs.gather(&workshop.env.seal).map_err(super::refusal)?,
        None => Gathered::default(),
    };
    let user = user.to_owned();
    let written = workshop.write("write document", move |cx| {
        let caller = Caller::command_line(users::get_user(cx.conn, &user)?);
        flow(cx, &caller, body.clone(), &gathered)
    });
    written.map_err(super::refusal)
}
