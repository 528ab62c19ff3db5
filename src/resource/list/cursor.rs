//! Where a page of a list ended: the sort keys of its last row, as a text that clients send back.
//!
//! It holds what the order sorts by, which its reader could have asked for; whoever makes one up
//! only chooses where to begin among the rows that they may see. So it is checked, not signed.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::doctype::column::Missing;
use crate::doctype::{DocType, FieldValue, Kind, Term, value};
use crate::error::AppError;
use crate::secrets::SecretHash;
use crate::store::documents::Order;

/// What a cursor is for: a doctype and an order.
pub(super) fn signature(doctype: &DocType, order: &[Order]) -> String {
    let mut text = doctype.name.clone();
    for key in order {
        let fieldname = key.term.column().map_or("", |column| column.fieldname());
        text.push_str(&format!("/{fieldname} {}", key.descending));
    }
    SecretHash::of(&text).to_text().chars().take(12).collect()
}

/// The cursor behind a row with these sort keys, a JSON list.
pub(super) fn write(signature: &str, keys: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("{signature}{keys}"))
}

/// The sort keys of a cursor.
///
/// # Errors
/// [`AppError::InvalidData`] for any text that is no cursor of this list.
pub(super) fn read(text: &str, doctype: &DocType, order: &[Order]) -> Result<Vec<FieldValue>, AppError> {
    let decoded = BASE64_URL_SAFE_NO_PAD.decode(text.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let keys = decoded.and_then(|decoded| {
        let keys = decoded.strip_prefix(&signature(doctype, order))?;
        let keys: Vec<Value> = serde_json::from_str(keys).ok()?;
        let read = |(key, order): (&Value, &Order)| read_key(key, doctype, &order.term);
        (keys.len() == order.len()).then(|| keys.iter().zip(order).map(read).collect::<Option<Vec<_>>>())?
    });
    keys.ok_or_else(|| AppError::InvalidData("cursor is none that a list of this doctype in this order gave".into()))
}

fn read_key(key: &Value, doctype: &DocType, term: &Term) -> Option<FieldValue> {
    let column = term.column()?;
    let (_, kind) = column.field(doctype)?;
    if key.is_null() {
        return (column.missing(doctype) != Missing::Never).then_some(FieldValue::Null);
    }
    match kind {
        Kind::Text { .. } => key.as_str().filter(|text| !text.contains('\0')).map(|text| FieldValue::Text(text.to_owned())),
        Kind::Int | Kind::Check => key.as_i64().map(FieldValue::Int),
        Kind::Float => key.as_str()?.parse().ok().filter(|number: &f64| number.is_finite()).map(FieldValue::Float),
        Kind::Date => value::parse_date(key.as_str()?).map(FieldValue::Date),
        Kind::Datetime => value::parse_stored(key.as_str()?).map(FieldValue::Datetime),
        Kind::Time => key.as_i64().map(FieldValue::Time),
    }
}
