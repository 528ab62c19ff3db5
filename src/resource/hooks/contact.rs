//! `Contact`: its name, address and numbers follow from its parts, so that a search and a ticket find them in one place.

use super::{Change, DocumentHooks};
use crate::cx::Cx;
use crate::doctype::{FieldValue, Values};
use crate::error::AppError;

/// `Contact`.
pub struct Contact;

/// The value of the row that is marked, else of the first one; empty where there is none. `None` when the rows are no part of the change.
fn primary(values: &Values, table: &str, column: &str, mark: &str) -> Result<Option<FieldValue>, AppError> {
    let Some(rows) = values.rows(table) else { return Ok(None) };
    let mut marked = rows.iter().filter(|row| row.check(mark) == Some(true));
    let first = marked.next();
    if marked.next().is_some() {
        return Err(AppError::Validation(format!("Only one of the {} can be primary", table.replace('_', " "))));
    }
    let chosen = first.or_else(|| rows.first()).and_then(|row| row.text(column));
    Ok(Some(chosen.map_or(FieldValue::Null, |text| FieldValue::Text(text.trim().to_owned()))))
}

impl DocumentHooks for Contact {
    fn doctype(&self) -> &'static str {
        "Contact"
    }

    fn validate(&self, _cx: &mut Cx, change: &mut Change<'_>) -> Result<(), AppError> {
        let values = &mut *change.values;
        let parts: Vec<&str> = ["first_name", "middle_name", "last_name"].iter().filter_map(|part| values.text(part)).collect();
        let full_name = if parts.is_empty() { values.text("company_name").unwrap_or_default().to_owned() } else { parts.join(" ") };
        values.set("full_name", FieldValue::Text(full_name));
        if let Some(address) = primary(values, "email_ids", "email_id", "is_primary")? {
            // Users are named in small letters, and a contact is found by its user's address.
            values.set("email_id", address.as_text().map_or(FieldValue::Null, |address| FieldValue::Text(address.to_lowercase())));
        }
        for (fieldname, mark) in [("phone", "is_primary_phone"), ("mobile_no", "is_primary_mobile_no")] {
            if let Some(number) = primary(values, "phone_nos", "phone", mark)? {
                values.set(fieldname, number);
            }
        }
        Ok(())
    }
}
