//! Names of new documents.

use serde_json::{Map, Value};

use crate::doctype::filter::shorten;
use crate::doctype::{DocType, Naming, Values};
use crate::error::AppError;
use crate::secrets::mint;

/// Letters of a random name, as in Frappe.
const HASH_LENGTH: usize = 10;
/// Longest name, as in Frappe.
const MAX_NAME: usize = 140;

/// The name that a doctype's `autoname` gives to a new document. A `name` in the body counts only
/// where the client is asked for one, as in Frappe.
///
/// # Errors
/// [`AppError::Validation`] when what the name is made of is missing, [`AppError::InvalidName`].
pub(super) fn name_document(doctype: &DocType, body: &Map<String, Value>, values: &Values) -> Result<String, AppError> {
    let name = match &doctype.naming {
        Naming::Hash => return Ok(mint::name(HASH_LENGTH)),
        Naming::Field(fieldname) => {
            let label = doctype.field(fieldname).map_or(fieldname.as_str(), |field| field.label.as_str());
            values.text(fieldname).map(str::trim).filter(|text| !text.is_empty()).ok_or_else(|| required(label))?
        }
        Naming::Prompt => {
            body.get("name").and_then(Value::as_str).map(str::trim).filter(|name| !name.is_empty()).ok_or_else(|| required("Name"))?
        }
        Naming::Series | Naming::Pattern(_) | Naming::AutoIncrement | Naming::Uuid => {
            return Err(AppError::Unsupported(format!("naming a {} by its rule", doctype.name)));
        }
    };
    check(doctype, name)?;
    Ok(name.to_owned())
}

fn required(label: &str) -> AppError {
    AppError::Validation(format!("{label} is required"))
}

/// Frappe's rules of names, and none that could not be a path or a text of Postgres.
fn check(doctype: &DocType, name: &str) -> Result<(), AppError> {
    if name.contains(['<', '>']) || name.chars().any(char::is_control) {
        return Err(AppError::InvalidName(format!("{} has one of < > or a control character", shorten(&name.replace('\0', "")))));
    }
    if name == doctype.name || name.starts_with(&format!("New {}", doctype.name)) {
        return Err(AppError::InvalidName(format!("{} cannot be called {}", doctype.name, shorten(name))));
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
    use crate::doctype::{FieldValue, Origin};

    fn name(autoname: &str, body: Value, title: Option<&str>) -> Result<String, AppError> {
        let definition =
            json!({"name": "Thing", "autoname": autoname, "fields": [{"fieldname": "title", "label": "Title", "fieldtype": "Data"}]});
        let doctype = DocType::parse("x.json", &definition.to_string(), Origin::Site).expect("valid");
        let mut values = Values::default();
        if let Some(title) = title {
            values.set("title", FieldValue::Text(title.into()));
        }
        name_document(&doctype, body.as_object().expect("an object"), &values)
    }

    #[test]
    fn a_sent_name_counts_only_where_it_is_asked_for() {
        let hash = name("hash", json!({"name": "mine"}), None).expect("named");
        assert_eq!(hash.len(), 10);
        assert_ne!(hash, "mine");
        assert_eq!(name("prompt", json!({"name": " a/b "}), None), Ok("a/b".into()));
        assert_eq!(name("field:title", json!({"name": "mine"}), Some("T1")), Ok("T1".into()));
    }

    #[test]
    fn names_that_are_missing_or_not_allowed_are_refused() {
        assert_eq!(name("field:title", json!({}), None), Err(AppError::Validation("Title is required".into())));
        assert!(name("prompt", json!({}), None).is_err());
        for bad in ["a<b", "Thing", "New Thing 1", "a\nb", "a\u{0}b"] {
            assert!(matches!(name("prompt", json!({"name": bad}), None), Err(AppError::InvalidName(_))), "{bad:?}");
        }
        assert!(matches!(name("prompt", json!({"name": "x".repeat(141)}), None), Err(AppError::TooLong { .. })));
    }
}
