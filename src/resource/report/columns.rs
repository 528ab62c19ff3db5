//! What the columns of a report are called, of which type they are, and what their totals are.

use serde_json::{Map, Value};

use super::definition::{Definition, Group, Named};
use crate::doctype::column::Function;
use crate::doctype::{FieldType, Term};
use crate::resource::list::{Prepared, PreparedColumn};

/// Numbers up to which a Float is the same as the whole number.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A column as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportColumn {
    /// Its key in the rows.
    pub fieldname: String,
    pub label: String,
    /// The name of a field type.
    pub fieldtype: String,
    /// As of a field of that type; empty where there is nothing to say.
    pub options: String,
    /// In pixels, where the report says so.
    pub width: Option<i64>,
}

/// The columns that the caller may see, in the order of the rows' values.
pub(super) fn of(definition: &Definition, prepared: &Prepared) -> Vec<ReportColumn> {
    let named = |key: &str| definition.columns.iter().find(|column| column.key == key);
    prepared.columns().map(|shown| describe(&shown, named(shown.key), definition.group.as_ref())).collect()
}

fn describe(shown: &PreparedColumn<'_>, named: Option<&Named>, group: Option<&Group>) -> ReportColumn {
    let (label, fieldtype, options) = match (shown.term, shown.field, group) {
        (Term::Aggregate { .. }, field, Some(group)) => {
            let label = field.map(|field| field.label.as_str());
            (label_of(group.function, label), type_of(group.function, field.map(|field| field.fieldtype)), String::new())
        }
        // The name of a document leads to it.
        (_, Some(field), _) if field.fieldname == "name" => (field.label.clone(), FieldType::Link, shown.doctype.to_owned()),
        (_, Some(field), _) => (field.label.clone(), field.fieldtype, field.options.clone()),
        (_, None, _) => (shown.key.to_owned(), FieldType::Data, String::new()),
    };
    let said = |text: fn(&Named) -> Option<&String>| named.and_then(text).cloned();
    let own_type = said(|named| named.fieldtype.as_ref());
    ReportColumn {
        fieldname: shown.key.to_owned(),
        label: said(|named| named.label.as_ref()).unwrap_or(label),
        options: said(|named| named.options.as_ref()).unwrap_or_else(|| if own_type.is_some() { String::new() } else { options }),
        fieldtype: own_type.unwrap_or_else(|| fieldtype.as_str().to_owned()),
        width: named.and_then(|named| named.width),
    }
}

/// What Frappe calls it.
fn label_of(function: Function, of: Option<&str>) -> String {
    match (function, of) {
        (Function::Sum, Some(label)) => format!("Sum of {label}"),
        (Function::Avg, Some(label)) => format!("Average of {label}"),
        _ => "Count".to_owned(),
    }
}

fn type_of(function: Function, of: Option<FieldType>) -> FieldType {
    match (function, of) {
        (Function::Sum | Function::Avg, Some(same @ (FieldType::Currency | FieldType::Duration | FieldType::Percent))) => same,
        (Function::Sum | Function::Avg, _) => FieldType::Float,
        (Function::Count | Function::Min | Function::Max, _) => FieldType::Int,
    }
}

/// The term that makes one value of a whole column: sums, and of percentages the average, as in Frappe.
// Frappe: adds up whatever is a number in the rows, here: of groups only what was worked out of them, anew from all
// documents, because a sum of averages, or of what the groups go by, says nothing.
pub(super) fn total(column: &PreparedColumn<'_>, in_groups: bool) -> Option<Term> {
    let Term::Column(of) = column.term else { return Some(column.term.clone()) };
    let function = match column.field?.fieldtype {
        _ if in_groups => return None,
        FieldType::Int | FieldType::LongInt | FieldType::Float | FieldType::Currency | FieldType::Duration => Function::Sum,
        FieldType::Percent => Function::Avg,
        _ => return None,
    };
    // Names may be numbers too.
    (of.fieldname() != "name").then(|| Term::Aggregate { function, distinct: false, column: Some(of.clone()) })
}

/// The last row: a list of values, empty where a column has no total.
pub(super) fn total_row(columns: &[ReportColumn], totals: &Map<String, Value>) -> Value {
    let mut row: Vec<Value> = columns
        .iter()
        .map(|column| match totals.get(&column.fieldname) {
            None | Some(Value::Null) => "".into(),
            Some(total) if matches!(column.fieldtype.as_str(), "Int" | "Long Int") => whole(total),
            Some(total) => total.clone(),
        })
        .collect();
    if let (Some(first), Some(column)) = (row.first_mut(), columns.first())
        && !matches!(column.fieldtype.as_str(), "Currency" | "Int" | "Float" | "Percent" | "Date")
    {
        *first = "Total".into();
    }
    row.into()
}

/// A sum of whole numbers as one; the databases add them up as Floats.
fn whole(total: &Value) -> Value {
    match total.as_f64() {
        #[expect(clippy::cast_possible_truncation, reason = "it is a whole number, and not too large for that")]
        Some(number) if number.fract() == 0.0 && number.abs() < EXACT => Value::from(number as i64),
        _ => total.clone(),
    }
}
