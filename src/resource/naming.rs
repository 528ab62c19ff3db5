//! Names of new documents.

use serde_json::{Map, Value};

use super::permissions::{self, Action};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::filter::shorten;
use crate::doctype::naming::{Filled, Pattern};
use crate::doctype::validate::read_name;
use crate::doctype::{DocType, FieldValue, Filter, Naming, Rows, Values, value};
use crate::domain::Instant;
use crate::error::AppError;
use crate::secrets::mint;
use crate::store::StoreError;
use crate::store::documents::{self, Selection};
use crate::store::series::{self, Names, Series};

/// Letters of a random name, as in Frappe.
const HASH_LENGTH: usize = 10;
/// Longest name, as in Frappe.
const MAX_NAME: usize = 140;
/// The field that says which document one amends.
pub(super) const AMENDED_FROM: &str = "amended_from";

/// What a `name` in the body of a new document means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SentName {
    /// Counts only where the client is asked for one, as in Frappe 15.
    WhereAsked,
    /// Is the document's name, as in Frappe 16. Doctypes over typed tables, and those whose names
    /// are numbers, name themselves all the same.
    Honoured,
}

/// What a document's name comes from.
enum Source {
    /// This is it.
    Given(String),
    /// Ten random letters.
    Hash,
    Uuid,
    /// The next number of its doctype.
    Number,
    /// The next number of what a pattern begins with.
    Pattern(Pattern),
}

/// The name that a doctype's `autoname` gives to a new document, or the one that was sent; and whether a counter made it.
/// An amendment is called after the document that it amends.
///
/// # Errors
/// [`AppError::Validation`] when what the name is made of is missing, [`AppError::InvalidName`].
pub(super) fn name_document(
    cx: &mut Cx,
    doctype: &DocType,
    body: &Map<String, Value>,
    values: &Values,
    sent: SentName,
) -> Result<(String, bool), AppError> {
    let mut is_counted = false;
    let name = match source(doctype, body, values, sent)? {
        Source::Given(name) => name,
        Source::Hash => return Ok((mint::name(HASH_LENGTH), false)),
        Source::Uuid => return Ok((mint::id(cx.now), false)),
        Source::Number => return Ok((take_bare_number(cx, doctype)?, true)),
        Source::Pattern(pattern) => {
            let filled = fill(cx, &pattern, values, cx.now);
            let number = match filled.digits {
                Some(digits) => {
                    is_counted = true;
                    // Blanks around a name are no part of it.
                    let names = Names { doctype, before: filled.before.trim_start(), digits, after: filled.after.trim_end() };
                    series::take_number(cx.conn, Series::Prefix(&filled.before), names)?
                }
                None => 0,
            };
            let name = filled.with(number).trim().to_owned();
            if name.is_empty() {
                return Err(required("Name"));
            }
            name
        }
    };
    check(doctype, &name)?;
    Ok((name, is_counted))
}

/// The name of a new row of a child table.
///
/// # Errors
/// [`AppError`] from the database.
pub(super) fn name_row(cx: &mut Cx, child: &DocType) -> Result<String, AppError> {
    if child.has_numbers_for_names() {
        return take_bare_number(cx, child);
    }
    Ok(mint::name(HASH_LENGTH))
}

fn take_bare_number(cx: &mut Cx, doctype: &DocType) -> Result<String, AppError> {
    Ok(series::take_number(cx.conn, Series::DocType(&doctype.name), Names::numbers(doctype))?.to_string())
}

/// Refuses to amend what is amended already, whatever the amendment is called and whatever became of it. What is amended
/// is held meanwhile, so nobody else amends it.
///
/// Frappe: only the name `X-1` being taken keeps a document from a second amendment, here: that there is one, because
/// names may be chosen and changed.
///
/// # Errors
/// [`AppError::Duplicate`] with the amendment's name, or what would be its name to who may not read it.
pub(super) fn require_not_amended(cx: &mut Cx, caller: &Caller, doctype: &DocType, amended: &str) -> Result<(), AppError> {
    let amendments = Filter::equals(AMENDED_FROM, amended);
    let zone = cx.env.config.site.time_zone;
    if documents::count_documents(cx.conn, doctype, &amendments, zone)? == 0 {
        return Ok(());
    }
    let seen = amendments.and(permissions::rights(cx, caller, doctype, Action::Read)?);
    let fields = [("name", "name")];
    let selection = Selection { doctype, fields: &fields, filter: &seen, order: &[], start: 0, limit: Some(1), zone };
    let row = documents::list_documents(cx.conn, &selection)?.into_iter().next();
    let named = row.map(|row| serde_json::from_str(&row)).transpose().map_err(StoreError::corrupt)?;
    let name = named.as_ref().and_then(read_name).unwrap_or_else(|| format!("{amended}-1"));
    Err(AppError::Duplicate { doctype: doctype.name.clone(), name })
}

/// The name of a document that amends another one: `base` and the first number after `number` that no other document
/// has.
///
/// # Errors
/// [`AppError::InvalidName`], [`AppError::TooLong`].
pub(super) fn name_amendment(cx: &mut Cx, doctype: &DocType, base: &str, number: i64) -> Result<String, AppError> {
    let before = format!("{base}-");
    let names = Names { doctype, before: &before, digits: 1, after: "" };
    let name = format!("{before}{}", series::find_free_number(cx.conn, names, number.saturating_add(1))?);
    check(doctype, &name)?;
    Ok(name)
}

/// Lets the next document have the number of one that is deleted, if it was the last of its series. Nothing is left that
/// names the deleted one, because it was held while that was looked for.
///
/// # Errors
/// [`AppError`] from the database.
pub(super) fn give_back(cx: &mut Cx, doctype: &DocType, name: &str, values: &Values) -> Result<(), AppError> {
    let pattern = match &doctype.naming {
        Naming::Series => series_pattern(doctype, values),
        Naming::Pattern(pattern) => Some(pattern.clone()),
        Naming::Hash | Naming::Field(_) | Naming::Prompt | Naming::AutoIncrement | Naming::Uuid => None,
    };
    let created = match values.get("creation") {
        Some(FieldValue::Datetime(at)) => Instant::new(*at),
        _ => cx.now,
    };
    // Frappe: fills the pattern with today, here: with the day on which the document got its name.
    let Some(filled) = pattern.map(|pattern| fill(cx, &pattern, values, created)) else { return Ok(()) };
    if let Some(number) = filled.number_of(name) {
        series::give_back_number(cx.conn, Series::Prefix(&filled.before), number)?;
    }
    Ok(())
}

fn source(doctype: &DocType, body: &Map<String, Value>, values: &Values, sent: SentName) -> Result<Source, AppError> {
    if doctype.is_single {
        return Ok(Source::Given(doctype.name.clone()));
    }
    if doctype.naming == Naming::AutoIncrement {
        return Ok(Source::Number);
    }
    let sent_name = read_name(body);
    if let Some(name) = sent_name.as_ref().filter(|_| sent == SentName::Honoured && doctype.rows == Rows::OwnTable) {
        return Ok(Source::Given(name.clone()));
    }
    Ok(match &doctype.naming {
        Naming::Hash => Source::Hash,
        Naming::AutoIncrement => Source::Number,
        Naming::Field(fieldname) => {
            let label = doctype.field(fieldname).map_or(fieldname.as_str(), |field| field.label.as_str());
            let text = values.text(fieldname).map(str::trim).filter(|text| !text.is_empty());
            Source::Given(text.ok_or_else(|| required(label))?.to_owned())
        }
        Naming::Prompt => Source::Given(sent_name_or_refuse(body, sent_name)?),
        Naming::Uuid => match sent_name {
            None => Source::Uuid,
            Some(name) => {
                let uuid = uuid::Uuid::parse_str(&name).map_err(|_| AppError::InvalidName(format!("{} is no UUID", shorten(&name))))?;
                Source::Given(uuid.to_string())
            }
        },
        Naming::Series => Source::Pattern(series_pattern(doctype, values).ok_or_else(|| required("Naming Series"))?),
        Naming::Pattern(pattern) => Source::Pattern(pattern.clone()),
    })
}

/// A name with NUL is refused as such and not called missing.
fn sent_name_or_refuse(body: &Map<String, Value>, name: Option<String>) -> Result<String, AppError> {
    match (name, body.get("name")) {
        (Some(name), _) => Ok(name),
        (None, Some(Value::String(text))) if text.contains('\0') => {
            Err(AppError::InvalidName(format!("{} has a control character", shorten(&text.replace('\0', "")))))
        }
        (None, _) => Err(required("Name")),
    }
}

/// The pattern in the document's `naming_series`, or the first that the field offers.
fn series_pattern(doctype: &DocType, values: &Values) -> Option<Pattern> {
    let field = doctype.field("naming_series")?;
    let first = || field.select_options().find(|option| !option.is_empty());
    let text = values.text("naming_series").or_else(first)?;
    Some(Pattern::expression(text, |word| doctype.field(word).is_some_and(|field| field.kind().is_some())))
}

fn fill(cx: &Cx, pattern: &Pattern, values: &Values, at: Instant) -> Filled {
    let zone = cx.env.config.site.time_zone;
    pattern
        .fill(value::to_local(at.naive_utc(), zone), |fieldname| values.get(fieldname).map_or_else(String::new, |value| value.shown(zone)))
}

fn required(label: &str) -> AppError {
    AppError::Validation(format!("{label} is required"))
}

/// Frappe's rules of names, and none that could not be a path or a text of Postgres.
///
/// # Errors
/// [`AppError::InvalidName`], [`AppError::TooLong`].
pub(super) fn check(doctype: &DocType, name: &str) -> Result<(), AppError> {
    if matches!(name, "." | "..") {
        // Clients and proxies take them out of a path, whatever they are written as (RFC 3986 section 5.2.4).
        return Err(AppError::InvalidName(format!("Name cannot be {name}")));
    }
    if name.contains(['<', '>']) {
        return Err(AppError::InvalidName("Name cannot contain special characters like '<', '>'".into()));
    }
    if name.chars().any(char::is_control) {
        return Err(AppError::InvalidName(format!("{} has a control character", shorten(&name.replace('\0', "")))));
    }
    let is_doctype = name == doctype.name && !doctype.is_single;
    if is_doctype || name.starts_with(&format!("New {}", doctype.name)) {
        return Err(AppError::InvalidName(format!("Name of {} cannot be {}", doctype.name, shorten(name))));
    }
    if name.chars().count() > MAX_NAME {
        return Err(AppError::TooLong { label: "Name".into(), max: MAX_NAME });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::doctype::Origin;

    /// The name where it is given; `None` where it is made up.
    fn name(autoname: &str, body: Value, title: Option<&str>, sent: SentName) -> Result<Option<String>, AppError> {
        let definition =
            json!({"name": "Thing", "autoname": autoname, "fields": [{"fieldname": "title", "label": "Title", "fieldtype": "Data"}]});
        let doctype = DocType::parse("x.json", &definition.to_string(), Origin::Site).expect("valid");
        let mut values = Values::default();
        if let Some(title) = title {
            values.set("title", FieldValue::Text(title.into()));
        }
        let name = match source(&doctype, body.as_object().expect("an object"), &values, sent)? {
            Source::Given(name) => name,
            Source::Hash | Source::Uuid | Source::Number | Source::Pattern(_) => return Ok(None),
        };
        check(&doctype, &name)?;
        Ok(Some(name))
    }

    #[test]
    fn a_sent_name_counts_only_where_it_is_asked_for() {
        let asked = |autoname: &str, body: Value, title: Option<&str>| name(autoname, body, title, SentName::WhereAsked);
        assert_eq!(asked("hash", json!({"name": "mine"}), None), Ok(None));
        assert_eq!(asked("A-.##", json!({"name": "mine"}), None), Ok(None));
        assert_eq!(asked("prompt", json!({"name": " a/b "}), None), Ok(Some("a/b".into())));
        assert_eq!(asked("field:title", json!({"name": "mine"}), Some("T1")), Ok(Some("T1".into())));
        let uuid = "0192E4A1-0000-7000-8000-000000000001";
        assert_eq!(asked("UUID", json!({"name": uuid}), None), Ok(Some(uuid.to_lowercase())));
        assert_eq!(asked("UUID", json!({}), None), Ok(None));
    }

    #[test]
    fn an_honoured_name_is_the_name_unless_names_are_numbers() {
        for autoname in ["hash", "A-.##", "field:title", "prompt"] {
            assert_eq!(name(autoname, json!({"name": "mine"}), Some("T1"), SentName::Honoured), Ok(Some("mine".into())), "{autoname}");
        }
        assert_eq!(name("autoincrement", json!({"name": 7}), None, SentName::Honoured), Ok(None));
        assert!(name("hash", json!({"name": "a<b"}), None, SentName::Honoured).is_err());
    }

    #[test]
    fn names_that_are_missing_or_not_allowed_are_refused() {
        let asked = |autoname: &str, body: Value| name(autoname, body, None, SentName::WhereAsked);
        assert_eq!(asked("field:title", json!({})), Err(AppError::Validation("Title is required".into())));
        assert!(asked("prompt", json!({})).is_err());
        assert_eq!(asked("prompt", json!({"name": "..."})), Ok(Some("...".into())));
        assert!(matches!(asked("UUID", json!({"name": "x"})), Err(AppError::InvalidName(_))));
        for bad in ["a<b", ".", "..", "Thing", "New Thing 1", "a\nb", "a\u{0}b"] {
            assert!(matches!(asked("prompt", json!({"name": bad})), Err(AppError::InvalidName(_))), "{bad:?}");
        }
        assert!(matches!(asked("prompt", json!({"name": "x".repeat(141)})), Err(AppError::TooLong { .. })));
    }
}
