//! Singles: doctypes with one document, called as the doctype. It is there from the start with the
//! defaults of its fields, and stored when it is first written.

use serde_json::{Map, Value};

use super::permissions::{self, Action};
use super::{read, values};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::validate::{self, Context};
use crate::doctype::{DocType, FieldType, FieldValue, Values};
use crate::domain::user::ADMINISTRATOR;
use crate::error::AppError;
use crate::store::documents::{self, IfTaken, Stamp};

/// A single as Frappe shows it: without `creation`, and with a text for `idx` (transcript 276).
pub(super) fn shown(mut document: Map<String, Value>) -> Map<String, Value> {
    document.shift_remove("creation");
    document.insert("idx".into(), "0".into());
    document
}

/// A single that was never written.
///
/// # Errors
/// Whatever is wrong with a default.
pub(super) fn unsaved(cx: &Cx, doctype: &DocType) -> Result<Map<String, Value>, AppError> {
    let zone = cx.env.config.site.time_zone;
    let defaults = defaults(cx, doctype, ADMINISTRATOR)?;
    let mut document = Map::new();
    for (field, _) in doctype.columns() {
        let value = match field.fieldname.as_str() {
            "name" => doctype.name.as_str().into(),
            "owner" | "modified_by" => ADMINISTRATOR.into(),
            "docstatus" => 0.into(),
            fieldname => defaults.get(fieldname).map_or(Value::Null, |value| values::shown(value, zone)),
        };
        document.insert(field.fieldname.clone(), value);
    }
    Ok(shown(document))
}

/// Stores a single that was never written, so that it can be changed like any other document.
///
/// # Errors
/// [`AppError`] from the database.
pub(super) fn ensure(cx: &mut Cx, caller: &Caller, doctype: &DocType) -> Result<(), AppError> {
    let defaults = defaults(cx, doctype, caller.name())?;
    let stamp = Stamp { user: caller.name(), at: cx.now };
    Ok(documents::insert_new(cx.conn, doctype, (&doctype.name, IfTaken::Skip), stamp, &defaults, cx.env.config.site.time_zone).map(drop)?)
}

/// The value of one field of a single, as it is shown.
///
/// # Errors
/// As [`super::read()`]; [`AppError::FieldNotPermitted`] for a field that it does not have or the caller may not read.
pub fn single_value(cx: &mut Cx, caller: &Caller, doctype: &str, fieldname: &str) -> Result<Value, AppError> {
    let doctype = permissions::enter(cx, caller, doctype, None, Action::Read)?;
    if !doctype.is_single {
        return Err(AppError::Validation(format!("{} is not a single", doctype.name)));
    }
    let mut document = read::read(cx, caller, &doctype.name, &doctype.name)?;
    document.shift_remove(fieldname).ok_or_else(|| AppError::FieldNotPermitted(fieldname.to_owned()))
}

fn defaults(cx: &Cx, doctype: &DocType, user: &str) -> Result<Values, AppError> {
    let mut values = Values::default();
    let context = Context { user, now: cx.now.naive_utc(), zone: cx.env.config.site.time_zone };
    validate::fill_defaults(doctype, &mut values, context);
    // A single has a value in every Select, be it the empty option (transcript 276); other documents have none.
    for field in doctype.fields.iter().filter(|field| field.fieldtype == FieldType::Select) {
        if values.text(&field.fieldname).is_none() {
            values.set(&field.fieldname, FieldValue::Text(String::new()));
        }
    }
    Ok(values)
}
