//! What the rows of a list show, how they are grouped and how they are sorted.

use serde_json::{Map, Value};

use super::ListParams;
use super::target::Asking;
use crate::doctype::column::{ChildRows, Function};
use crate::doctype::filter::shorten;
use crate::doctype::{Column, DocType, FieldType, Term, meta};
use crate::error::AppError;
use crate::store::documents::{Grouping, Order, Shown};

/// Most fields of a list.
const MAX_FIELDS: usize = 500;
/// Most columns a list is sorted or grouped by, and most links that are expanded.
const MAX_KEYS: usize = 10;
/// Most times that a list shows one field, under different keys: an answer must not be many times what is stored.
const MAX_REPEATS: usize = 3;
/// Longest key of a row; Postgres would cut a longer one.
const MAX_KEY: usize = 63;

/// The terms of a list.
pub(super) struct Terms {
    pub fields: Vec<Shown>,
    /// Leaves no two rows equal.
    pub order: Vec<Order>,
    groups: Groups,
}

enum Groups {
    Nothing,
    Everything,
    By(Vec<Column>),
    /// By all shown fields.
    Distinct(Vec<Column>),
}

impl Terms {
    /// Reads `fields`, `group_by`, `distinct`, `order_by` and `expand`.
    ///
    /// # Errors
    /// [`AppError::FieldNotPermitted`] and [`AppError::InvalidData`] for what cannot be read.
    pub fn read(asking: &mut Asking<'_, '_>, params: &ListParams) -> Result<Self, AppError> {
        let mut fields = read_fields(asking, params.fields.as_ref())?;
        let groups = read_groups(asking, params, &fields)?;
        let order = read_order(asking, params.order_by.as_deref(), &fields, &groups)?;
        expand(asking, &params.expand, &mut fields, &groups)?;
        Ok(Self { fields, order, groups })
    }

    /// Sorts by name, or by what makes rows one: the doctype's own order tells when documents changed.
    pub fn drop_default_order(&mut self) {
        match &self.groups {
            Groups::Nothing => self.order = vec![Order { term: Term::Column(Column::from("name")), descending: false }],
            Groups::Distinct(columns) => {
                self.order = columns.iter().map(|column| Order { term: Term::Column(column.clone()), descending: false }).collect();
            }
            Groups::Everything | Groups::By(_) => {}
        }
    }

    /// Which rows are made one.
    pub fn grouping(&self) -> Grouping<'_> {
        match &self.groups {
            Groups::Nothing => Grouping::Nothing,
            Groups::Everything => Grouping::Everything,
            Groups::By(columns) | Groups::Distinct(columns) => Grouping::By(columns),
        }
    }

    /// Whether a cursor can say where a page ended: its rows are documents, sorted by fields of their own.
    pub fn can_be_continued(&self) -> bool {
        let own = |term: &Term| matches!(term, Term::Column(Column::Own(_)));
        matches!(self.groups, Groups::Nothing)
            && self.order.iter().all(|order| own(&order.term))
            && child_rows(&self.fields, &[]).is_empty()
    }

    /// Terms that make of each document as many rows as the list has of it, because child rows are shown or sorted by.
    pub fn row_makers(&self) -> Vec<Term> {
        let names = child_rows(&self.fields, &self.order).into_iter().map(|rows| Column::Child { rows, fieldname: "name".to_owned() });
        names.map(|name| Term::Aggregate { function: Function::Count, distinct: false, column: Some(name) }).collect()
    }
}

/// What each row shows. Fields of a level the caller lacks are left out silently, as in Frappe.
fn read_fields(asking: &mut Asking<'_, '_>, fields: Option<&Value>) -> Result<Vec<Shown>, AppError> {
    let parsed;
    let fields = match fields {
        Some(Value::String(text)) if text.trim_start().starts_with(['[', '"', '{']) => {
            parsed = serde_json::from_str::<Value>(text).map_err(|error| AppError::InvalidData(format!("fields is not JSON: {error}")))?;
            Some(&parsed)
        }
        other => other,
    };
    let name = Value::String("name".into());
    let parts: Vec<Value>;
    let items: &[Value] = match fields {
        None | Some(Value::Null) => std::slice::from_ref(&name),
        Some(Value::String(text)) => {
            parts = text.split(',').map(|part| Value::String(part.to_owned())).collect();
            &parts
        }
        Some(Value::Array(list)) if list.is_empty() => std::slice::from_ref(&name),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(AppError::InvalidData("fields must be a list of names".into())),
    };
    if items.len() > MAX_FIELDS {
        return Err(AppError::InvalidData(format!("fields has {} entries; at most {MAX_FIELDS} are accepted", items.len())));
    }
    let mut shown = Vec::new();
    for item in items {
        match item {
            Value::String(text) => read_field(asking, text.trim(), &mut shown)?,
            Value::Object(map) => read_dictionary(asking, map, &mut shown)?,
            other => return Err(AppError::InvalidData(format!("fields must be a list of names, not of {}", shorten(&other.to_string())))),
        }
    }
    Ok(shown)
}

/// `field`, `link.field as key`, `count(name) as key`, `*`.
fn read_field(asking: &mut Asking<'_, '_>, item: &str, shown: &mut Vec<Shown>) -> Result<(), AppError> {
    let refused = || AppError::FieldNotPermitted(shorten(item));
    let doctype = &asking.target().doctype;
    if is_star(doctype, item) {
        for (field, _) in doctype.columns() {
            if let Some(column) = asking.name(&field.fieldname)? {
                show(shown, field.fieldname.clone(), Term::Column(column))?;
            }
        }
        return Ok(());
    }
    let (text, alias) = split_alias(item);
    if alias.is_some_and(|alias| !meta::is_fieldname(alias)) {
        return Err(refused());
    }
    let (key, term) = match read_aggregate(asking, text).map_err(|error| repeat(error, item))? {
        Some(Called { key, term }) => (key, term),
        None => {
            let column = asking.name(text).map_err(|error| repeat(error, item))?;
            let Some(column) = column else { return Ok(()) };
            (column.fieldname().to_owned(), Some(Term::Column(column)))
        }
    };
    if let Some(term) = term {
        put(shown, alias.map_or(key, str::to_owned), term)?;
    }
    Ok(())
}

/// A refusal repeats what was sent, not the part of it that is wrong.
fn repeat(error: AppError, item: &str) -> AppError {
    match error {
        AppError::FieldNotPermitted(_) => AppError::FieldNotPermitted(shorten(item)),
        other => other,
    }
}

/// Frappe 17's aggregates: `{"COUNT": "name", "as": "key"}`.
fn read_dictionary(asking: &mut Asking<'_, '_>, item: &Map<String, Value>, shown: &mut Vec<Shown>) -> Result<(), AppError> {
    let refused = || {
        let text = shorten(&Value::Object(item.clone()).to_string());
        AppError::InvalidData(format!("fields must be names or objects like {{\"COUNT\": \"name\", \"as\": \"n\"}}, not {text}"))
    };
    let mut alias = None;
    let mut called = None;
    for (key, value) in item {
        let text = value.as_str().ok_or_else(refused)?;
        if key.eq_ignore_ascii_case("as") {
            alias = Some(text.trim());
        } else if called.is_none() && Function::read(key).is_some() {
            called = Some(format!("{key}({text})"));
        } else {
            return Err(refused());
        }
    }
    let called = called.ok_or_else(refused)?;
    if alias.is_some_and(|alias| !meta::is_fieldname(alias)) {
        return Err(refused());
    }
    let Some(Called { key, term: Some(term) }) = read_aggregate(asking, &called)? else { return Ok(()) };
    put(shown, alias.map_or(key, str::to_owned), term)
}

/// An aggregate as it was written.
struct Called {
    /// Its key in a row, unless it has another.
    key: String,
    /// `None` for a field that the caller may not see.
    term: Option<Term>,
}

/// `count(name)`, `count(*)`, `sum(distinct field)`; `None` for what calls no function.
fn read_aggregate(asking: &mut Asking<'_, '_>, text: &str) -> Result<Option<Called>, AppError> {
    let Some((name, inner)) = text.strip_suffix(')').and_then(|text| text.split_once('(')) else { return Ok(None) };
    let (name, inner) = (name.trim(), inner.trim());
    let refused = || AppError::FieldNotPermitted(shorten(text));
    let function = Function::read(name).ok_or_else(refused)?;
    if inner == "*" {
        let term = Term::Aggregate { function, distinct: false, column: None };
        return if function == Function::Count { Ok(Some(Called { key: format!("{name}(*)"), term: Some(term) })) } else { Err(refused()) };
    }
    let (distinct, field) = match inner.split_once(char::is_whitespace) {
        Some((word, rest)) if word.eq_ignore_ascii_case("distinct") => (true, rest.trim()),
        _ => (false, inner),
    };
    let Some(column) = asking.name(field)? else { return Ok(Some(Called { key: String::new(), term: None })) };
    let (label, kind) = match column.field(&asking.target().doctype) {
        Some((field, kind)) => (field.label.clone(), kind),
        None => return Err(refused()),
    };
    if !function.takes(kind) {
        return Err(AppError::Validation(format!("{name} takes numbers, and {label} ({field}) is none")));
    }
    let key = format!("{name}({}{})", if distinct { "distinct " } else { "" }, column.fieldname());
    Ok(Some(Called { key, term: Some(Term::Aggregate { function, distinct, column: Some(column) }) }))
}

fn put(shown: &mut Vec<Shown>, key: String, term: Term) -> Result<(), AppError> {
    if key.len() > MAX_KEY {
        return Err(AppError::InvalidData(format!("{} needs a shorter name: write `as` and a name behind it", shorten(&key))));
    }
    show(shown, key, term)
}

/// Repeated keys count once: an object cannot have them twice.
fn show(shown: &mut Vec<Shown>, key: String, term: Term) -> Result<(), AppError> {
    if shown.iter().any(|known| known.key == key) {
        return Ok(());
    }
    let repeats = shown.iter().filter(|known| shows_same(&known.term, &term)).count();
    if repeats >= MAX_REPEATS {
        let fieldname = term.column().map_or("", |column| column.fieldname());
        return Err(AppError::InvalidData(format!("fields has {fieldname} more than {MAX_REPEATS} times")));
    }
    shown.push(Shown { key, term, expanded: Vec::new() });
    Ok(())
}

/// Whether both show values of one field; numbers worked out from them are none.
fn shows_same(one: &Term, other: &Term) -> bool {
    let shows = |term: &Term| match term {
        Term::Column(_) => true,
        Term::Aggregate { function, .. } => matches!(function, Function::Min | Function::Max),
    };
    shows(one) && shows(other) && one.column() == other.column()
}

fn is_star(doctype: &DocType, item: &str) -> bool {
    match item.rsplit_once('.') {
        None => item == "*",
        Some((table, field)) => field == "*" && table.trim_matches('`').strip_prefix("tab") == Some(doctype.name.as_str()),
    }
}

/// `field as key`. The name may have spaces: `` `tabOdd Thing`.`name` ``.
fn split_alias(item: &str) -> (&str, Option<&str>) {
    match item.to_ascii_lowercase().rfind(" as ") {
        Some(at) => (item[..at].trim(), Some(item[at + 4..].trim().trim_matches(|quote| matches!(quote, '`' | '\'' | '"')))),
        None => (item, None),
    }
}

fn read_groups(asking: &mut Asking<'_, '_>, params: &ListParams, fields: &[Shown]) -> Result<Groups, AppError> {
    limit_keys("group_by", params.group_by.len())?;
    if !params.group_by.is_empty() {
        if params.distinct {
            return Err(AppError::InvalidData("distinct and group_by exclude each other: group_by already makes rows one".into()));
        }
        let mut columns: Vec<Column> = Vec::new();
        for name in &params.group_by {
            let column = asking.name_visible(name)?;
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        return Ok(Groups::By(columns));
    }
    if fields.iter().any(|shown| shown.term.is_aggregate()) {
        return Ok(Groups::Everything);
    }
    if params.distinct && !fields.is_empty() {
        return Ok(Groups::Distinct(fields.iter().filter_map(|shown| shown.term.column().cloned()).collect()));
    }
    Ok(Groups::Nothing)
}

fn limit_keys(parameter: &str, number: usize) -> Result<(), AppError> {
    if number > MAX_KEYS {
        return Err(AppError::InvalidData(format!("{parameter} has {number} fields; at most {MAX_KEYS} are accepted")));
    }
    Ok(())
}

/// `field asc|desc, …`, and then whatever tells two rows apart.
fn read_order(asking: &mut Asking<'_, '_>, order_by: Option<&str>, fields: &[Shown], groups: &Groups) -> Result<Vec<Order>, AppError> {
    let doctype = &asking.target().doctype;
    let mut order = match (order_by.map(str::trim).filter(|text| !text.is_empty()), groups) {
        (Some(text), _) => {
            let parts: Vec<&str> = text.split(',').collect();
            limit_keys("order_by", parts.len())?;
            let mut order: Vec<Order> = Vec::new();
            for part in parts {
                let key = read_sort_key(asking, part.trim(), fields, groups)?;
                // What has sorted rows once leaves nothing to sort by it again.
                if !order.iter().any(|known| known.term == key.term) {
                    order.push(key);
                }
            }
            order
        }
        (None, Groups::Nothing | Groups::Distinct(_)) => {
            let own = |key: &meta::SortKey| Order { term: Term::Column(Column::from(key.fieldname.as_str())), descending: key.descending };
            // Frappe: sorts by it whoever asks, here: not by what the caller may not see, because the order and a cursor tell it.
            doctype.default_order.iter().filter(|key| asking.may_see(&key.fieldname)).map(own).collect()
        }
        (None, Groups::By(_) | Groups::Everything) => Vec::new(),
    };
    match groups {
        Groups::Nothing => {
            // In the same direction: an index on (modified, name) then serves the default order without sorting.
            let descending = order.last().is_some_and(|key| key.descending);
            let rows = child_rows(fields, &order);
            sort_also(&mut order, Column::from("name"), descending);
            for rows in rows {
                for fieldname in ["idx", "name"] {
                    sort_also(&mut order, Column::Child { rows: rows.clone(), fieldname: fieldname.to_owned() }, false);
                }
            }
        }
        Groups::Everything => {}
        Groups::By(columns) | Groups::Distinct(columns) => {
            for column in columns {
                sort_also(&mut order, column.clone(), false);
            }
        }
    }
    Ok(order)
}

fn sort_also(order: &mut Vec<Order>, column: Column, descending: bool) {
    let term = Term::Column(column);
    if !order.iter().any(|key| key.term == term) {
        order.push(Order { term, descending });
    }
}

/// The child rows for each of which there is a row of the list.
fn child_rows(fields: &[Shown], order: &[Order]) -> Vec<ChildRows> {
    let mut found: Vec<ChildRows> = Vec::new();
    for term in fields.iter().map(|shown| &shown.term).chain(order.iter().map(|key| &key.term)) {
        if let Some(Column::Child { rows, .. }) = term.column()
            && !found.contains(rows)
        {
            found.push(rows.clone());
        }
    }
    found
}

/// A key of `fields`, an aggregate, or a field, and a direction.
fn read_sort_key(asking: &mut Asking<'_, '_>, part: &str, fields: &[Shown], groups: &Groups) -> Result<Order, AppError> {
    let (text, descending) = split_direction(part);
    let alias = text.strip_prefix('`').and_then(|text| text.strip_suffix('`')).unwrap_or(text);
    if let Some(shown) = fields.iter().find(|shown| shown.key == alias) {
        return Ok(Order { term: shown.term.clone(), descending });
    }
    let refused = || AppError::FieldNotPermitted(shorten(text));
    let term = match read_aggregate(asking, text).map_err(|error| repeat(error, text))? {
        Some(Called { term: Some(term), .. }) if !matches!(groups, Groups::Nothing) => term,
        Some(_) => return Err(refused()),
        None => Term::Column(asking.name_visible(text)?),
    };
    Ok(Order { term, descending })
}

/// `field`, `field asc` or `field desc`.
fn split_direction(part: &str) -> (&str, bool) {
    match part.rsplit_once(char::is_whitespace) {
        Some((name, direction)) if direction.eq_ignore_ascii_case("asc") => (name.trim(), false),
        Some((name, direction)) if direction.eq_ignore_ascii_case("desc") => (name.trim(), true),
        _ => (part, false),
    }
}

/// Puts an object of the linked document in the place of each Link that is shown: its name, its title and what it is searched by.
/// Links into doctypes that the caller may not read stay names, and so do links of groups.
fn expand(asking: &mut Asking<'_, '_>, links: &[String], fields: &mut [Shown], groups: &Groups) -> Result<(), AppError> {
    limit_keys("expand", links.len())?;
    let target = asking.target();
    for link in links {
        let field = target.doctype.column(link.trim()).map(|(field, _)| field).filter(|field| field.fieldtype == FieldType::Link);
        let field = field.ok_or_else(|| AppError::FieldNotPermitted(shorten(link)))?;
        let Some(linked) = target.registry.get(&field.options).filter(|_| matches!(groups, Groups::Nothing)) else { continue };
        let mut expanded: Vec<(String, Column)> = Vec::new();
        for name in ["name"].into_iter().chain(linked.title_field.as_deref()).chain(linked.search_fields.iter().map(String::as_str)) {
            match asking.name(&format!("{}.{name}", field.fieldname)) {
                Ok(Some(column)) if !expanded.iter().any(|(key, _)| key == name) => expanded.push((name.to_owned(), column)),
                Ok(_) | Err(AppError::NotPermitted(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let own = Term::Column(Column::from(field.fieldname.as_str()));
        for shown in fields.iter_mut().filter(|shown| shown.term == own) {
            shown.expanded.clone_from(&expanded);
        }
    }
    Ok(())
}
