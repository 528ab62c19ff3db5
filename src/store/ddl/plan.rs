//! How a table gets from one layout to the next, and what it would take with it.

use std::collections::BTreeMap;

use super::layout::{Column, Content, Presence};
use super::{Before, DdlError, Layout};
use crate::doctype::{DocType, Field};

/// Most columns that a table ever gets: Postgres takes 1,600, SQLite 2,000.
const MAX_COLUMNS: usize = 1500;

/// The steps, in the order in which they are taken.
pub(super) struct Plan {
    pub table: Table,
    pub dropped_indexes: Vec<String>,
    pub retyped: Vec<Retyped>,
    pub added: Vec<(String, Column)>,
    /// Fields that were not unique, with the columns that they have until now.
    pub becomes_unique: Vec<(String, Option<Column>)>,
    pub added_indexes: Vec<(String, String)>,
    /// What the table looks like afterwards.
    pub layout: Layout,
}

/// Whether the table itself can stay.
pub(super) enum Table {
    Kept,
    /// Its documents would not fit, so it is dropped and made again, if there are none.
    MadeAnew {
        because: String,
    },
}

/// A column that gets another type.
pub(super) struct Retyped {
    pub fieldname: String,
    pub from: Column,
    pub to: Column,
    /// A condition on rows whose values would be lost; `because` says how.
    pub loses: Option<String>,
    pub because: String,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        matches!(self.table, Table::Kept)
            && self.dropped_indexes.is_empty()
            && self.retyped.is_empty()
            && self.added.is_empty()
            && self.added_indexes.is_empty()
    }
}

/// Works out the steps from what a table was made from to what a definition wants.
///
/// # Errors
/// [`DdlError::Refused`] for what no table could take, whatever is in it.
pub(super) fn plan(before: &Before, doctype: &DocType, wanted: &Layout) -> Result<Plan, DdlError> {
    let mut plan = Plan {
        table: table(&before.doctype, doctype),
        dropped_indexes: Vec::new(),
        retyped: Vec::new(),
        added: Vec::new(),
        becomes_unique: Vec::new(),
        added_indexes: Vec::new(),
        layout: wanted.clone(),
    };
    if matches!(plan.table, Table::MadeAnew { .. }) {
        return Ok(plan);
    }
    for (name, column) in &wanted.columns {
        match before.layout.columns.get(name) {
            None => {
                refuse_other_case(&before.layout.columns, name)?;
                plan.added.push((name.clone(), *column));
            }
            Some(old) => plan.retyped.extend(retyped(before, doctype, name, *old, *column)),
        }
    }
    // Columns of fields that are gone stay, and so does what is known of them.
    for (name, column) in &before.layout.columns {
        plan.layout.columns.entry(name.clone()).or_insert(*column);
    }
    if plan.layout.columns.len() > MAX_COLUMNS && !plan.added.is_empty() {
        return Err(DdlError::Refused(format!(
            "{} would have had {} different fields by now, and what was in fields that are gone is kept; at most {MAX_COLUMNS} are possible",
            doctype.name,
            plan.layout.columns.len()
        )));
    }
    let changes_type = |columns: &str| plan.retyped.iter().any(|retyped| columns.contains(&format!("\"{}\"", retyped.fieldname)));
    for (name, columns) in &before.layout.indexes {
        if wanted.indexes.get(name) != Some(columns) || changes_type(columns) {
            plan.dropped_indexes.push(name.clone());
        }
    }
    for (name, columns) in &wanted.indexes {
        if before.layout.indexes.get(name) == Some(columns) && !changes_type(columns) {
            continue;
        }
        plan.added_indexes.push((name.clone(), columns.clone()));
        let unique = doctype.fields.iter().find(|field| field.unique && super::unique_index(doctype, &field.fieldname) == *name);
        if let Some(field) = unique.filter(|_| !before.layout.indexes.contains_key(name)) {
            plan.becomes_unique.push((field.fieldname.clone(), before.layout.columns.get(&field.fieldname).copied()));
        }
    }
    Ok(plan)
}

fn table(before: &DocType, doctype: &DocType) -> Table {
    let name = &doctype.name;
    let because = if before.has_numbers_for_names() != doctype.has_numbers_for_names() {
        format!("{name} has documents, so its naming cannot change to or from autoincrement")
    } else if before.is_child_table != doctype.is_child_table {
        format!("{name} has documents, so istable cannot change")
    } else if before.is_single != doctype.is_single {
        format!("{name} has documents, so issingle cannot change")
    } else if let Some(field) = hides_or_shows_a_secret(before, doctype) {
        format!("{name} has documents, so field {} cannot change to or from Password", field.fieldname)
    } else {
        return Table::Kept;
    };
    Table::MadeAnew { because }
}

fn hides_or_shows_a_secret<'a>(before: &DocType, doctype: &'a DocType) -> Option<&'a Field> {
    doctype.fields.iter().find(|field| before.field(&field.fieldname).is_some_and(|old| old.is_secret() != field.is_secret()))
}

/// SQLite's columns differ by more than upper and lower case.
fn refuse_other_case(columns: &BTreeMap<String, Column>, name: &str) -> Result<(), DdlError> {
    match columns.keys().find(|known| known.eq_ignore_ascii_case(name)) {
        None => Ok(()),
        Some(known) => Err(DdlError::Refused(format!("field {name} differs from the earlier field {known} only in upper and lower case"))),
    }
}

/// The change of a column's type; `None` where it stays as it is.
fn retyped(before: &Before, doctype: &DocType, name: &str, from: Column, to: Column) -> Option<Retyped> {
    let holds_json = |doctype: &DocType| doctype.field(name).is_some_and(|field| field.fieldtype.holds_json());
    let becomes_json = holds_json(doctype) && !holds_json(&before.doctype);
    if from == to && !becomes_json {
        return None;
    }
    let fieldtype = |doctype: &DocType| doctype.field(name).map_or("", |field| field.fieldtype.as_str());
    let was = if fieldtype(&before.doctype).is_empty() { "a field of another type" } else { fieldtype(&before.doctype) };
    Some(Retyped {
        fieldname: name.to_owned(),
        from,
        to,
        loses: loses(name, from, to, becomes_json),
        because: format!("was {was} and cannot become {}: its values would be lost", fieldtype(doctype)),
    })
}

/// A condition on rows whose value does not survive; `None` where every value does.
fn loses(name: &str, Column(from, presence): Column, Column(to, _): Column, becomes_json: bool) -> Option<String> {
    let something = match (from, presence) {
        (Content::Text, _) => format!("\"{name}\" <> ''"),
        (_, Presence::Counted) => format!("\"{name}\" <> 0"),
        (_, Presence::Optional | Presence::Always) => format!("\"{name}\" IS NOT NULL"),
    };
    match (from, to) {
        (Content::Text, Content::Text) => becomes_json.then_some(something),
        (Content::Check, Content::Int | Content::Float | Content::Text) | (Content::Int, Content::Text) if !becomes_json => None,
        // Beyond this a binary floating point number leaves whole numbers out.
        (Content::Int, Content::Float) => Some(format!("\"{name}\" NOT BETWEEN -9007199254740992 AND 9007199254740992")),
        (from, to) if from == to => None,
        _ => Some(something),
    }
}
