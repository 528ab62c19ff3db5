//! What a report says: its document as it is stored, read once.
//!
//! There are two ways to say it, which may be mixed: the child tables `columns` and `filters`, and the text `json` that
//! Frappe's own report builder writes. Names of fields are texts here; the list that they end up in knows whether there
//! are such fields, and who may name them.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::doctype::column::Function;
use crate::doctype::filter::{is_operator, shorten};
use crate::doctype::meta::is_fieldname;
use crate::error::AppError;

/// The key of what is counted or summed up in each group, as in Frappe.
pub(super) const AGGREGATE: &str = "_aggregate_column";

/// Columns of a report at most, as many as a list has fields.
const MAX_COLUMNS: usize = 500;

/// A saved report.
#[derive(Debug, Default)]
pub(super) struct Definition {
    pub name: String,
    /// The doctype whose documents it lists.
    pub ref_doctype: String,
    /// What kind of report it is; only `Report Builder` can be run.
    pub report_type: String,
    pub is_standard: bool,
    pub disabled: bool,
    /// Whether the sums of its columns are its last row.
    pub add_total_row: bool,
    /// Empty where it names none.
    pub columns: Vec<Named>,
    /// Conditions that always hold, as lists have them.
    pub conditions: Vec<Value>,
    /// Filters that have a value unless the request gives another.
    pub filters: Vec<OwnFilter>,
    /// As `order_by` of a list.
    pub order_by: Option<String>,
    pub group: Option<Group>,
}

/// A column that it names.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Named {
    /// As `fields` of a list; [`AGGREGATE`] for what is worked out of each group.
    pub path: String,
    /// Its key in the rows: no two columns share one.
    pub key: String,
    /// What is shown instead of what the field's own definition says.
    pub label: Option<String>,
    pub fieldtype: Option<String>,
    pub options: Option<String>,
    pub width: Option<i64>,
}

/// A filter that a request may set.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct OwnFilter {
    pub fieldname: String,
    pub label: String,
    /// `None`: `=`, or `like` for a wildcard filter.
    pub operator: Option<String>,
    pub default: Option<Value>,
    pub mandatory: bool,
    /// Whether its value may stand anywhere in the field's.
    pub wildcard: bool,
}

/// Documents that are made one row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Group {
    pub by: String,
    pub function: Function,
    /// The field that is summed up; `None` where rows are counted.
    pub on: Option<String>,
}

impl Group {
    /// The term as lists write it.
    pub fn expression(&self) -> String {
        match (self.function, &self.on) {
            (Function::Sum, Some(on)) => format!("sum({on})"),
            (Function::Avg, Some(on)) => format!("avg({on})"),
            _ => "count(*)".to_owned(),
        }
    }
}

impl Definition {
    /// Reads the document.
    ///
    /// # Errors
    /// [`AppError::Validation`] naming what of it cannot be read, [`AppError::FieldNotPermitted`] for what can be no field.
    pub fn read(document: &Map<String, Value>) -> Result<Self, AppError> {
        let said = read_json(&text(document, "json").unwrap_or_default())?;
        let mut definition = Self {
            name: text(document, "name").unwrap_or_default(),
            ref_doctype: text(document, "ref_doctype").unwrap_or_default(),
            report_type: text(document, "report_type").unwrap_or_default(),
            is_standard: text(document, "is_standard").as_deref() == Some("Yes"),
            disabled: flag(document, "disabled"),
            add_total_row: flag(document, "add_total_row") || flag(&said, "add_totals_row") || flag(&said, "add_total_row"),
            filters: rows(document, "filters").map(read_filter).collect::<Result<_, _>>()?,
            conditions: read_conditions(&said)?,
            order_by: read_order(&said)?,
            group: read_group(&said)?,
            columns: Vec::new(),
        };
        let of_rows: Vec<Named> = rows(document, "columns").filter_map(read_column).collect();
        definition.columns = if of_rows.is_empty() { read_columns(&said, &definition.ref_doctype)? } else { of_rows };
        definition.complete_group();
        if definition.columns.len() > MAX_COLUMNS {
            return Err(refuse(format_args!("more than {MAX_COLUMNS} columns")));
        }
        give_keys(&mut definition.columns)?;
        Ok(definition)
    }

    /// A report in groups shows what it works out of each.
    // Frappe: without such a column the report ends in an error, here: there is one, because it is sorted by it.
    fn complete_group(&mut self) {
        let Some(group) = &self.group else { return };
        if self.columns.is_empty() {
            self.columns.push(Named { path: group.by.clone(), ..Named::default() });
        }
        if !self.columns.iter().any(|column| column.path == AGGREGATE) {
            self.columns.push(Named { path: AGGREGATE.to_owned(), ..Named::default() });
        }
    }
}

/// The last part of a path is a column's key, with a number where another column has that name.
fn give_keys(columns: &mut [Named]) -> Result<(), AppError> {
    let mut taken: HashSet<String> = HashSet::with_capacity(columns.len());
    for column in columns {
        let own = column.path.rsplit('.').next().unwrap_or_default().trim().trim_matches('`').to_owned();
        if !is_fieldname(&own) {
            return Err(AppError::FieldNotPermitted(shorten(&column.path)));
        }
        let numbered = (2..).map(|number| format!("{own}_{number}"));
        let free = std::iter::once(own.clone()).chain(numbered).find(|key| !taken.contains(key)).unwrap_or(own);
        column.key.clone_from(&free);
        taken.insert(free);
    }
    Ok(())
}

fn refuse(what: impl std::fmt::Display) -> AppError {
    AppError::Validation(format!("Report: {what}"))
}

/// The text that Frappe's report builder writes.
fn read_json(text: &str) -> Result<Map<String, Value>, AppError> {
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(said)) => Ok(said),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(_) => Err(refuse("JSON must be an object")),
        Err(error) => Err(refuse(format_args!("JSON cannot be read: {error}"))),
    }
}

/// `fields`, or `columns`: names, or pairs of a name and the doctype that has it.
fn read_columns(said: &Map<String, Value>, ref_doctype: &str) -> Result<Vec<Named>, AppError> {
    for key in ["fields", "columns"] {
        match said.get(key).filter(|value| !is_empty(value)) {
            None => {}
            Some(Value::Array(list)) => {
                let named = |item: &Value| match item {
                    Value::String(path) => Some(path.trim().to_owned()),
                    Value::Array(pair) => match pair.as_slice() {
                        [Value::String(fieldname), Value::String(doctype), ..] => Some(path_of(doctype, fieldname, ref_doctype)),
                        _ => None,
                    },
                    _ => None,
                };
                let read = |item: &Value| {
                    let path = named(item).ok_or_else(|| {
                        refuse(format_args!("{key} are names, or lists of a name and a doctype, not {}", shorten(&item.to_string())))
                    })?;
                    Ok(Named { path, ..Named::default() })
                };
                return list.iter().map(read).collect();
            }
            Some(_) => return Err(refuse(format_args!("{key} must be a list"))),
        }
    }
    Ok(Vec::new())
}

/// The path to a field of the reported doctype or of its child tables.
fn path_of(doctype: &str, fieldname: &str, ref_doctype: &str) -> String {
    if doctype == ref_doctype || fieldname == AGGREGATE { fieldname.trim().to_owned() } else { format!("`tab{doctype}`.`{fieldname}`") }
}

/// `filters`, as a list has them.
fn read_conditions(said: &Map<String, Value>) -> Result<Vec<Value>, AppError> {
    match said.get("filters").filter(|value| !is_empty(value)) {
        None => Ok(Vec::new()),
        Some(filters) => conditions_of(filters).ok_or_else(|| refuse("filters must be an object or a list")),
    }
}

/// Filters of either spelling as a list of conditions; `None` for what is none.
pub(super) fn conditions_of(filters: &Value) -> Option<Vec<Value>> {
    match filters {
        Value::Array(list) => Some(list.clone()),
        Value::Object(map) => {
            Some(map.iter().map(|(field, value)| Value::Object(Map::from_iter([(field.clone(), value.clone())]))).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// `order_by` of a list, or `sort_by` and `sort_by_next`.
fn read_order(said: &Map<String, Value>) -> Result<Option<String>, AppError> {
    let mut parts = Vec::new();
    if let Some(sort_by) = said_text(said, "sort_by")? {
        parts.push(sort_key(&sort_by, said_text(said, "sort_order")?));
    } else if let Some(order) = said_text(said, "order_by")? {
        parts.push(order);
    }
    if let Some(next) = said_text(said, "sort_by_next")? {
        parts.push(sort_key(&next, said_text(said, "sort_order_next")?));
    }
    Ok((!parts.is_empty()).then(|| parts.join(", ")))
}

/// `DocType.fieldname` and a direction, as a list has them.
fn sort_key(sort_by: &str, direction: Option<String>) -> String {
    let path = match sort_by.rsplit_once('.') {
        Some((doctype, fieldname)) if !doctype.contains('`') => format!("`tab{doctype}`.`{fieldname}`"),
        _ => sort_by.to_owned(),
    };
    format!("{path} {}", direction.as_deref().unwrap_or("asc"))
}

/// `group_by`: a field, a function, and the field that it takes.
fn read_group(said: &Map<String, Value>) -> Result<Option<Group>, AppError> {
    let group = match said.get("group_by").filter(|value| !is_empty(value)) {
        None => return Ok(None),
        Some(Value::Object(group)) => group,
        Some(_) => return Err(refuse("group_by must be an object")),
    };
    let Some(by) = said_text(group, "group_by")? else { return Err(refuse("group_by names no field")) };
    let function = said_text(group, "aggregate_function")?.unwrap_or_else(|| "count".to_owned());
    let function = Function::read(&function)
        .filter(|function| matches!(function, Function::Count | Function::Sum | Function::Avg))
        .ok_or_else(|| refuse(format_args!("aggregate_function must be count, sum or avg, not {}", shorten(&function))))?;
    let on = said_text(group, "aggregate_on")?.filter(|_| function != Function::Count);
    if function != Function::Count && on.is_none() {
        return Err(refuse("group_by lacks aggregate_on, the field that is summed up"));
    }
    Ok(Some(Group { by, function, on }))
}

/// A row of the table `columns`.
fn read_column(row: &Map<String, Value>) -> Option<Named> {
    let width = row.get("width").and_then(Value::as_i64).filter(|width| *width > 0);
    let (label, fieldtype, options) = (text(row, "label"), text(row, "fieldtype"), text(row, "options"));
    Some(Named { path: text(row, "fieldname")?, key: String::new(), label, fieldtype, options, width })
}

/// A row of the table `filters`.
fn read_filter(row: &Map<String, Value>) -> Result<OwnFilter, AppError> {
    let fieldname = text(row, "fieldname").unwrap_or_default();
    // Frappe: its rows have no operator, here: they may, because what a form asks for has to be compared somehow.
    let operator = text(row, "operator");
    if let Some(unknown) = operator.as_deref().filter(|operator| !is_operator(operator)) {
        return Err(refuse(format_args!("the filter {fieldname} has an unknown operator: {}", shorten(unknown))));
    }
    let default = text(row, "default").map(|text| match serde_json::from_str(&text) {
        Ok(Value::Array(list)) => Value::Array(list),
        _ => Value::String(text),
    });
    let label = text(row, "label").unwrap_or_else(|| fieldname.clone());
    Ok(OwnFilter { fieldname, label, operator, default, mandatory: flag(row, "mandatory"), wildcard: flag(row, "wildcard_filter") })
}

impl OwnFilter {
    /// The condition for a value, or for an operator and its value; `None` where the value is none.
    pub fn condition(&self, value: &Value) -> Option<Value> {
        if is_empty(value) {
            return None;
        }
        let (operator, value) = match value.as_array().map(Vec::as_slice) {
            Some([Value::String(operator), value]) if is_operator(operator) => (operator.clone(), value.clone()),
            _ => (self.own_operator().to_owned(), self.with_wildcards(value)),
        };
        Some(Value::from(vec![Value::String(self.fieldname.clone()), Value::String(operator), value]))
    }

    /// A condition that names the field, whatever values it will have.
    pub fn any(&self) -> Value {
        Value::from(vec![self.fieldname.as_str(), "is", "set"])
    }

    fn own_operator(&self) -> &str {
        match &self.operator {
            Some(operator) => operator,
            None if self.wildcard => "like",
            None => "=",
        }
    }

    fn with_wildcards(&self, value: &Value) -> Value {
        match value {
            Value::String(text) if self.wildcard && self.own_operator().ends_with("like") => Value::String(format!("%{text}%")),
            value => value.clone(),
        }
    }
}

/// A text of the document that says something.
fn text(document: &Map<String, Value>, key: &str) -> Option<String> {
    match document.get(key) {
        Some(Value::String(text)) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        // A site's own definition of a report may name its documents by numbers.
        Some(Value::Number(number)) => Some(number.to_string()),
        Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => None,
    }
}

/// A text of the JSON; other values than texts are refused.
fn said_text(said: &Map<String, Value>, key: &str) -> Result<Option<String>, AppError> {
    match said.get(key).filter(|value| !is_empty(value)) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.trim().to_owned())),
        Some(_) => Err(refuse(format_args!("{key} must be a text"))),
    }
}

fn flag(document: &Map<String, Value>, key: &str) -> bool {
    match document.get(key) {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::Number(number)) => number.as_f64() != Some(0.0),
        Some(Value::String(text)) => !matches!(text.trim(), "" | "0"),
        Some(Value::Null | Value::Array(_) | Value::Object(_)) | None => false,
    }
}

fn rows<'a>(document: &'a Map<String, Value>, table: &str) -> impl Iterator<Item = &'a Map<String, Value>> {
    document.get(table).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}

/// Whether a value says nothing.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

impl Named {
    /// As `fields` of a list.
    pub fn field(&self, group: Option<&Group>) -> String {
        let path = match group {
            Some(group) if self.path == AGGREGATE => group.expression(),
            _ => self.path.clone(),
        };
        // Lists repeat in their refusals what was asked for.
        if path.ends_with(&self.key) { path } else { format!("{path} as {}", self.key) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(document: Value) -> Result<Definition, AppError> {
        Definition::read(document.as_object().expect("an object"))
    }

    fn of_json(said: Value) -> Result<Definition, AppError> {
        read(json!({"name": "R", "ref_doctype": "ToDo", "json": said.to_string()}))
    }

    #[test]
    fn columns_are_named_in_all_of_frappes_ways_and_each_has_a_key_of_its_own() {
        let definition =
            of_json(json!({"fields": [["status", "ToDo"], "owner", ["status", "Child Row"], "role.name", "`tabToDo`.`status`"]}));
        let columns = definition.expect("a definition").columns;
        let fields: Vec<String> = columns.iter().map(|column| column.field(None)).collect();
        let expected = ["status", "owner", "`tabChild Row`.`status` as status_2", "role.name", "`tabToDo`.`status` as status_3"];
        assert_eq!(fields, expected);
        let rows = json!({"name": "R", "ref_doctype": "ToDo", "json": r#"{"columns": ["owner"]}"#, "columns": [
            {"fieldname": "date", "label": "Due", "width": 0}, {"fieldname": "status", "label": "", "width": 90}
        ]});
        let columns = read(rows).expect("a definition").columns;
        assert_eq!((columns.len(), columns[0].label.as_deref(), columns[0].width), (2, Some("Due"), None));
        assert_eq!((columns[1].label.as_deref(), columns[1].width), (None, Some(90)));
    }

    #[test]
    fn an_order_is_that_of_a_list_or_two_sort_keys() {
        let order = |said: Value| of_json(said).expect("a definition").order_by;
        assert_eq!(order(json!({"order_by": "`tabToDo`.`modified` desc"})).as_deref(), Some("`tabToDo`.`modified` desc"));
        let sorted = json!({"sort_by": "ToDo.date", "sort_order": "desc", "sort_by_next": "ToDo.owner", "sort_order_next": null});
        assert_eq!(order(sorted).as_deref(), Some("`tabToDo`.`date` desc, `tabToDo`.`owner` asc"));
        assert_eq!(order(json!({"sort_by": "", "order_by": null})), None);
    }

    #[test]
    fn a_group_has_its_aggregate_as_a_column() {
        let definition =
            of_json(json!({"group_by": {"group_by": "`tabToDo`.`status`", "aggregate_function": "count"}})).expect("a definition");
        let fields: Vec<String> = definition.columns.iter().map(|column| column.field(definition.group.as_ref())).collect();
        assert_eq!(fields, ["`tabToDo`.`status` as status", "count(*) as _aggregate_column"]);
        for refused in [
            json!({"group_by": "status"}),
            json!({"group_by": {"aggregate_function": "count"}}),
            json!({"group_by": {"group_by": "status", "aggregate_function": "max", "aggregate_on": "x"}}),
            json!({"group_by": {"group_by": "status", "aggregate_function": "sum"}}),
        ] {
            assert!(matches!(of_json(refused.clone()), Err(AppError::Validation(_))), "{refused}");
        }
    }

    #[test]
    fn what_is_no_definition_is_refused() {
        for said in
            [json!([]), json!("x"), json!({"fields": "status"}), json!({"fields": [1]}), json!({"filters": 3}), json!({"sort_by": 1})]
        {
            assert!(matches!(of_json(said.clone()), Err(AppError::Validation(_))), "{said}");
        }
        for json in ["{", "[1]", "3"] {
            assert!(matches!(read(json!({"json": json})), Err(AppError::Validation(_))), "{json}");
        }
        for path in ["count(name)", "status as x", "*", "", "a.b-c"] {
            assert!(matches!(of_json(json!({"fields": [path]})), Err(AppError::FieldNotPermitted(_))), "{path}");
        }
        let operator = json!({"filters": [{"fieldname": "status", "operator": "resembles"}]});
        assert!(matches!(read(operator), Err(AppError::Validation(_))));
    }

    #[test]
    fn a_filter_takes_a_value_or_an_operator_and_its_value() {
        let filter = |operator: Option<&str>, wildcard| OwnFilter {
            fieldname: "f".into(),
            label: "F".into(),
            operator: operator.map(str::to_owned),
            default: None,
            mandatory: false,
            wildcard,
        };
        let plain = filter(None, false);
        assert_eq!(plain.condition(&json!("x")), Some(json!(["f", "=", "x"])));
        assert_eq!(plain.condition(&json!(["like", "x%"])), Some(json!(["f", "like", "x%"])));
        assert_eq!(plain.condition(&json!(0)), Some(json!(["f", "=", 0])));
        for nothing in [json!(null), json!(" "), json!([])] {
            assert_eq!(plain.condition(&nothing), None, "{nothing}");
        }
        assert_eq!(filter(Some("in"), false).condition(&json!(["a", "b"])), Some(json!(["f", "in", ["a", "b"]])));
        assert_eq!(filter(None, true).condition(&json!("x")), Some(json!(["f", "like", "%x%"])));
        assert_eq!(filter(Some("="), true).condition(&json!("x")), Some(json!(["f", "=", "x"])));
    }
}
