//! Draft, submitted, cancelled: which steps there are between them, who may take them, what may
//! still change then, and the amendment of what was cancelled (contract 7.5).

use chrono_tz::Tz;
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value};

use super::body::Secret;
use super::store::Target;
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::filter::shorten;
use crate::doctype::{DocType, Field, FieldType, FieldValue, Values};
use crate::error::{AppError, Denied, Docstatus};
use crate::resource::permissions::{self, Action};
use crate::resource::values::same;
use crate::resource::{
    naming::{self, AMENDED_FROM},
    read,
};
use crate::store::documents::Hold;

/// What a write does to a document's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A draft stays one.
    Save,
    Submit,
    /// A submitted document changes where it still may.
    ChangeSubmitted,
    Cancel,
}

impl Step {
    /// The state afterwards.
    pub fn becomes(self) -> Docstatus {
        match self {
            Self::Save => Docstatus::Draft,
            Self::Submit | Self::ChangeSubmitted => Docstatus::Submitted,
            Self::Cancel => Docstatus::Cancelled,
        }
    }
}

/// The state of a document as it is shown.
pub(in crate::resource) fn of(document: &Map<String, Value>) -> Docstatus {
    document.get("docstatus").and_then(Value::as_i64).and_then(Docstatus::from_number).unwrap_or(Docstatus::Draft)
}

/// What creating a document is, `docstatus` being among what was sent.
///
/// # Errors
/// [`AppError::DocstatusTransition`]; [`AppError::NotPermitted`] without the right to submit.
pub(super) fn first_step(cx: &mut Cx, caller: &Caller, doctype: &DocType, body: &Map<String, Value>) -> Result<Step, AppError> {
    match sent(body)?.unwrap_or(Docstatus::Draft) {
        Docstatus::Draft => Ok(Step::Save),
        Docstatus::Submitted => {
            require_submittable(doctype)?;
            permissions::enter(cx, caller, &doctype.name, None, Action::Submit)?;
            Ok(Step::Submit)
        }
        to @ Docstatus::Cancelled => Err(AppError::DocstatusTransition { from: Docstatus::Draft, to }),
    }
}

/// What changing a document is.
///
/// # Errors
/// As [`first_step`]; [`AppError::Validation`] for a cancelled document, which nobody edits.
pub(super) fn next_step(
    cx: &mut Cx,
    caller: &Caller,
    doctype: &DocType,
    body: &Map<String, Value>,
    current: &Map<String, Value>,
) -> Result<Step, AppError> {
    let from = of(current);
    let to = sent(body)?.unwrap_or(from);
    let (step, action) = match (from, to) {
        (Docstatus::Draft, Docstatus::Draft) => return Ok(Step::Save),
        (Docstatus::Draft, Docstatus::Submitted) => (Step::Submit, Action::Submit),
        (Docstatus::Submitted, Docstatus::Submitted) => (Step::ChangeSubmitted, Action::Submit),
        (Docstatus::Submitted, Docstatus::Cancelled) => (Step::Cancel, Action::Cancel),
        (Docstatus::Draft, Docstatus::Cancelled) | (Docstatus::Submitted, Docstatus::Draft) => {
            return Err(AppError::DocstatusTransition { from, to });
        }
        (Docstatus::Cancelled, _) => return Err(AppError::Validation("Cannot edit cancelled document".into())),
    };
    require_submittable(doctype)?;
    permissions::require_document(cx, caller, doctype, action, current)?;
    Ok(step)
}

/// Whether a change is meant to cancel its document.
pub(super) fn asks_to_cancel(body: &Map<String, Value>) -> bool {
    matches!(sent(body), Ok(Some(Docstatus::Cancelled)))
}

fn require_submittable(doctype: &DocType) -> Result<(), AppError> {
    if doctype.is_submittable {
        return Ok(());
    }
    Err(AppError::NotPermitted(Denied::Because("Document Type is not submittable".into())))
}

fn sent(body: &Map<String, Value>) -> Result<Option<Docstatus>, AppError> {
    let sent = match body.get("docstatus") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => return Ok(None),
        Some(Value::Bool(flag)) => Some(f64::from(u8::from(*flag))),
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(Value::Array(_) | Value::Object(_)) => None,
    };
    let known = [Docstatus::Draft, Docstatus::Submitted, Docstatus::Cancelled];
    #[expect(clippy::cast_precision_loss, reason = "they are 0, 1 and 2")]
    let found = known.into_iter().find(|known| sent == Some(known.number() as f64));
    found.map(Some).ok_or_else(|| AppError::Validation("Invalid docstatus".into()))
}

/// Refuses to say later, or otherwise, what a document amends: whether its author may amend that is asked when it is made.
///
/// Frappe: changes it like any field, here: not, because nobody could then say that a document is amended once.
///
/// # Errors
/// [`AppError::SetOnce`].
pub(super) fn require_same_amended(doctype: &DocType, before: &Values, values: &Values) -> Result<(), AppError> {
    let changed = |field: &&Field| doctype.is_submittable && !same(before.get(&field.fieldname), values.get(&field.fieldname));
    match doctype.field(AMENDED_FROM).filter(changed) {
        Some(field) => Err(AppError::SetOnce { label: field.label.clone() }),
        None => Ok(()),
    }
}

/// Refuses changes of a submitted document but in the fields that allow them.
///
/// # Errors
/// [`AppError::AfterSubmit`], with the values for who may read them.
pub(super) fn require_allowed_after_submit(
    cx: &mut Cx,
    target: Target<'_>,
    current: &Map<String, Value>,
    before: &Values,
    values: &Values,
    secrets: &[Secret],
) -> Result<(), AppError> {
    let Target { caller, doctype, .. } = target;
    let reads = permissions::allows(cx, caller, doctype, Action::Read, current)?;
    // Frappe: tells what stands there, here: only to who may read it, because writing is another right.
    let sees = |field: &Field| reads && permissions::may_use(caller, doctype, field, Action::Read);
    let compare = Compare { zone: cx.env.config.site.time_zone, sees: &sees };
    let registry = cx.env.doctypes();
    compare.require_same_fields(doctype, before, values)?;
    for field in doctype.secrets().filter(|field| !field.allow_on_submit) {
        if secrets.iter().any(|secret| secret.row.is_none() && secret.fieldname == field.fieldname) {
            let to = if secrets.iter().all(|secret| secret.text.expose_secret().is_empty()) { "" } else { "*" };
            return Err(refuse(field, "*".into(), to.into()));
        }
    }
    for table in doctype.tables() {
        let Some(child) = registry.get(&table.options) else { continue };
        let (old, new) = (before.rows(&table.fieldname).unwrap_or_default(), values.rows(&table.fieldname).unwrap_or_default());
        if !table.allow_on_submit && old.len() != new.len() {
            return Err(compare.refuse(table, old.len().to_string(), new.len().to_string()));
        }
        for (index, row) in new.iter().enumerate() {
            match old.iter().find(|old| row.has("name") && old.get("name") == row.get("name")) {
                Some(old) => compare.require_same_fields(child, old, row).map_err(|error| error.in_row(index + 1))?,
                None if table.allow_on_submit => {}
                None => return Err(refuse(table, String::new(), row.text("name").unwrap_or_default().to_owned()).in_row(index + 1)),
            }
        }
    }
    Ok(())
}

/// How values are compared, and for whom.
struct Compare<'a> {
    zone: Tz,
    sees: &'a dyn Fn(&Field) -> bool,
}

impl Compare<'_> {
    fn require_same_fields(&self, doctype: &DocType, before: &Values, values: &Values) -> Result<(), AppError> {
        for field in doctype.fields.iter().filter(|field| !field.allow_on_submit) {
            let (old, new) = (before.get(&field.fieldname), values.get(&field.fieldname));
            if !same(old, new) {
                let shown = |value: Option<&FieldValue>| shorten(&value.map_or_else(String::new, |value| value.shown(self.zone)));
                return Err(self.refuse(field, shown(old), shown(new)));
            }
        }
        Ok(())
    }

    fn refuse(&self, field: &Field, from: String, to: String) -> AppError {
        if (self.sees)(field) { refuse(field, from, to) } else { refuse(field, String::new(), String::new()) }
    }
}

fn refuse(field: &Field, from: String, to: String) -> AppError {
    AppError::AfterSubmit { label: field.label.clone(), row: None, from, to }
}

/// The name of a document that amends a cancelled one: `X-1`, then `X-2`, but for names that other documents have. `None`
/// for any other document.
///
/// # Errors
/// [`AppError::NotPermitted`] without the right to amend, [`AppError::Validation`] when the other one is not cancelled,
/// [`AppError::Duplicate`] when it is amended already.
pub(super) fn amended_name(cx: &mut Cx, caller: &Caller, doctype: &DocType, values: &Values) -> Result<Option<String>, AppError> {
    let is_link = |field: &Field| field.fieldtype == FieldType::Link && field.options == doctype.name;
    let Some(field) = doctype.field(AMENDED_FROM).filter(|field| doctype.is_submittable && is_link(field)) else { return Ok(None) };
    let Some(amended) = values.text(AMENDED_FROM) else { return Ok(None) };
    permissions::enter(cx, caller, &doctype.name, Some(amended), Action::Amend)?;
    let missing = || AppError::LinkNotFound { label: field.label.clone(), value: shorten(amended) };
    let source = match read::find(cx, doctype, amended, Hold::Changed) {
        Err(AppError::NotFound { .. }) => return Err(missing()),
        found => found?,
    };
    permissions::require_document(cx, caller, doctype, Action::Amend, &source)?;
    if of(&source) != Docstatus::Cancelled {
        return Err(AppError::Validation(format!("{} {amended} cannot be amended because it is not cancelled", doctype.name)));
    }
    naming::require_not_amended(cx, caller, doctype, amended)?;
    if doctype.has_numbers_for_names() {
        return Ok(None);
    }
    let is_amendment = source.get(AMENDED_FROM).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    let earlier =
        if is_amendment { amended.rsplit_once('-').and_then(|(base, number)| Some((base, number.parse::<i64>().ok()?))) } else { None };
    let (base, number) = earlier.unwrap_or((amended, 0));
    naming::name_amendment(cx, doctype, base, number).map(Some)
}
