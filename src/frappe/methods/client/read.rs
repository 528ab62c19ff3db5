//! `frappe.client.get_list` and the others that only ask.

use serde_json::{Map, Value, json};

use crate::auth::Caller;
use crate::cx::Cx;
use crate::error::{AppError, Denied};
use crate::frappe::arguments::wrong;
use crate::frappe::call::{Answer, Call, Reply};
use crate::frappe::documents::{self, Document};
use crate::http::params::Params;
use crate::resource::{self, ListParams};

/// A list, with every parameter of `/api/resource`.
pub fn get_list(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let doctype = call.params.required("doctype")?;
        let params = ListParams::parse(&call.params.values)?;
        let caller = call.identity.caller;
        call.state.query(move |cx| resource::list(cx, &caller, &doctype, &params)).await.map(Reply::message_text)
    })
}

/// How many documents there are.
pub fn get_count(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let doctype = call.params.required("doctype")?;
        let filters = call.params.values.get("filters").cloned();
        let caller = call.identity.caller;
        call.state.query(move |cx| resource::count(cx, &caller, &doctype, filters.as_ref())).await.map(Reply::message)
    })
}

/// A document by `name`, the first that `filters` find, or a single one.
pub fn get(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let doctype = call.params.required("doctype")?;
        let name = call.params.text("name").filter(|name| !name.is_empty());
        let filters = read_filters(&call.params)?;
        let parent = call.params.values.get("parent").cloned();
        let caller = call.identity.caller;
        let find = move |cx: &mut Cx| {
            let name = match (name, filters) {
                (Some(name), _) => name,
                (None, Some(filters)) => {
                    let asked = First { doctype: doctype.clone(), fields: vec!["name".into()], filters: Some(filters.clone()), parent };
                    let row = first(cx, &caller, &asked)?;
                    let name = row.as_ref().and_then(|row| row.get("name")).map(text_of);
                    name.ok_or_else(|| AppError::not_found(doctype.as_str(), shorten(&filters)))?
                }
                (None, None) => doctype.clone(),
            };
            resource::read(cx, &caller, &doctype, &name)
        };
        call.state.query(find).await.map(documents::message)
    })
}

/// One or more fields of the first document that `filters` (a name or filters) find.
pub fn get_value(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let doctype = call.params.required("doctype")?;
        let fields = field_list(&call.params, "fieldname")?;
        let as_dict = !call.params.values.contains_key("as_dict") || call.params.flag("as_dict")?;
        let (filters, parent) = (read_filters(&call.params)?, call.params.values.get("parent").cloned());
        let asked = First { doctype: doctype.clone(), fields: fields.clone(), filters, parent };
        let caller = call.identity.caller;
        let row = call.state.query(move |cx| first(cx, &caller, &asked)).await.map_err(|error| no_permission(error, &doctype))?;
        Ok(Reply::message(match (row, as_dict) {
            (row, true) => Value::Object(row.unwrap_or_default()),
            (None, false) => Value::Null,
            (Some(row), false) if fields.len() == 1 => row.into_iter().next().map(|(_, value)| value).unwrap_or_default(),
            (Some(row), false) => Value::Array(row.into_iter().map(|(_, value)| value).collect()),
        }))
    })
}

/// A field of a doctype that has one document.
pub fn get_single_value(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let doctype = call.params.required("doctype")?;
        let field = call.params.required("field")?;
        let caller = call.identity.caller;
        let find = {
            let doctype = doctype.clone();
            move |cx: &mut Cx| resource::single_value(cx, &caller, &doctype, &field)
        };
        call.state.lookup(find).await.map(Reply::message).map_err(|error| no_permission(error, &doctype))
    })
}

/// The secret in a Password field, for System Managers.
pub fn get_password(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let (doctype, name) = (call.params.required("doctype")?, call.params.required("name")?);
        let fieldname = call.params.text("fieldname").filter(|name| !name.is_empty()).unwrap_or_else(|| "password".to_owned());
        let caller = call.identity.caller;
        let secret = call.state.lookup(move |cx| resource::password(cx, &caller, &doctype, &name, &fieldname)).await?;
        Ok(Reply::message(secret).secret(true))
    })
}

/// Whether a document exists that the caller may read, with the fields asked for; `{}` when it does not.
pub fn validate_link(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let doctype = text_argument(&call.params, "doctype", "DocType must be a string")?;
        let name = text_argument(&call.params, "docname", "Document Name must be a string")?;
        if doctype == "DocType" {
            // Which doctypes there are is no secret.
            let known = call.state.env.doctypes().get(&name).is_some();
            return Ok(Reply::message(if known { json!({"name": name}) } else { json!({}) }));
        }
        let mut fields = vec!["name".to_owned()];
        if call.params.values.contains_key("fields") {
            fields.extend(field_list(&call.params, "fields")?);
        }
        let asked = First { doctype: doctype.clone(), fields, filters: Some(json!({"name": name})), parent: None };
        let caller = call.identity.caller;
        let row = call.state.query(move |cx| first(cx, &caller, &asked)).await.map_err(|error| match error {
            AppError::NotPermitted(Denied::Doctype { .. }) => {
                AppError::NotPermitted(Denied::Because(format!("You do not have Read or Select Permissions for {doctype}")))
            }
            other => other,
        })?;
        Ok(Reply::message(row.unwrap_or_default()))
    })
}

/// The site's time zone.
pub fn get_time_zone(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move { Ok(Reply::message(json!({"time_zone": call.state.env.config.site.time_zone.name()}))) })
}

/// What the first row of a list is asked for.
struct First {
    doctype: String,
    fields: Vec<String>,
    filters: Option<Value>,
    /// Whose rows a child table's are.
    parent: Option<Value>,
}

/// The first row of a list; of a doctype with one document that one.
fn first(cx: &mut Cx, caller: &Caller, asked: &First) -> Result<Option<Document>, AppError> {
    if cx.env.doctypes().find(&asked.doctype).is_some_and(|doctype| doctype.is_single) {
        let mut document = resource::read(cx, caller, &asked.doctype, &asked.doctype)?;
        let mut field = |name: &String| match document.shift_remove(name) {
            Some(value) => Ok((name.clone(), value)),
            None => Err(AppError::FieldNotPermitted(name.clone())),
        };
        return asked.fields.iter().map(&mut field).collect::<Result<_, _>>().map(Some);
    }
    let parameters = [
        ("fields", Some(Value::from(asked.fields.clone()))),
        ("filters", asked.filters.clone()),
        ("parent", asked.parent.clone()),
        ("limit", Some(1.into())),
    ];
    let parameters = parameters.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    let rows = resource::list(cx, caller, &asked.doctype, &ListParams::parse(&parameters)?)?;
    let rows: Vec<Map<String, Value>> = serde_json::from_str(&rows).map_err(AppError::internal)?;
    Ok(rows.into_iter().next())
}

/// `filters` as filters; a bare text or number is a name. The Python client sends a name, and nothing at all, as JSON
/// too: `"NAME"` in quotes, `null`.
fn read_filters(params: &Params) -> Result<Option<Value>, AppError> {
    let filters = match params.json("filters")? {
        Some(Value::String(text)) => match serde_json::from_str(text.trim()) {
            Ok(Value::Null) => None,
            Ok(Value::String(name)) => Some(Value::String(name)),
            // A number may be a name that begins with zeros.
            Ok(_) | Err(_) => Some(Value::String(text)),
        },
        other => other,
    };
    Ok(match filters {
        None => None,
        Some(Value::String(name)) if name.trim().is_empty() => None,
        Some(name @ (Value::String(_) | Value::Number(_))) => Some(json!({"name": name})),
        Some(Value::Object(filters)) if filters.is_empty() => None,
        Some(filters) => Some(filters),
    })
}

/// Names of fields: one, or a JSON list of them.
fn field_list(params: &Params, name: &str) -> Result<Vec<String>, AppError> {
    match params.json(name)? {
        None => Err(AppError::InvalidData(format!("parameter {name} is required"))),
        Some(Value::String(field)) => Ok(vec![field]),
        Some(Value::Array(fields)) if !fields.is_empty() => {
            fields.iter().map(|field| field.as_str().map(str::to_owned).ok_or_else(|| wrong(name, "str", field))).collect()
        }
        Some(other) => Err(wrong(name, "list", &other)),
    }
}

fn text_argument(params: &Params, name: &str, refusal: &str) -> Result<String, AppError> {
    match params.values.get(name) {
        None | Some(Value::Null) => Err(AppError::InvalidData(format!("parameter {name} is required"))),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err(AppError::Validation(refusal.to_owned())),
    }
}

/// Frappe's text where a method asks for a value of a doctype that is closed to the caller.
fn no_permission(error: AppError, doctype: &str) -> AppError {
    match error {
        AppError::NotPermitted(Denied::Doctype { .. }) => AppError::NotPermitted(Denied::Because(format!("No permission for {doctype}"))),
        other => other,
    }
}

fn text_of(name: &Value) -> String {
    name.as_str().map_or_else(|| name.to_string(), str::to_owned)
}

fn shorten(filters: &Value) -> String {
    filters.to_string().chars().take(140).collect()
}
