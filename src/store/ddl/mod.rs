//! The table of a doctype: made, changed and dropped from its definition, never from a request.
//!
//! What a table looks like is a [`Layout`] (`layout.rs`), remembered beside the definition; how it
//! gets from one to the next is worked out from the two (`plan.rs`), so that nothing is asked of the
//! database where nothing changes. Everything is inside the caller's transaction, so a table is
//! there with all its indexes or not at all. Columns whose field is gone stay, with what is in them.

mod layout;
mod plan;
mod retype;

use diesel::connection::SimpleConnection as _;

use super::statement::Statement;
use super::{Conn, StoreError, dialect};
use crate::doctype::{DocType, FieldValue, Rows, validate};
use crate::error::AppError;

use layout::{Column, Content};
pub(super) use layout::{Layout, VERSION, unique_index};
use plan::{Plan, Retyped, Table};

/// Most documents that a refusal names.
const NAMED: i64 = 10;

/// Why a table is not changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DdlError {
    /// It would lose or hide what documents hold, or break a promise of the new definition.
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<diesel::result::Error> for DdlError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<DdlError> for AppError {
    fn from(error: DdlError) -> Self {
        match error {
            DdlError::Refused(text) => AppError::Validation(text),
            DdlError::Store(error) => error.into(),
        }
    }
}

/// What a table looked like when it was last made, and the definition it was made from.
pub(super) struct Before {
    pub doctype: DocType,
    pub layout: Layout,
}

/// Refuses a definition whose table the documents that are there do not allow. Changes nothing.
///
/// # Errors
/// [`DdlError::Refused`] with a sentence that says what is in the way.
pub(super) fn check(conn: &mut Conn, before: Option<&Before>, doctype: &DocType) -> Result<(), DdlError> {
    let Some(before) = before.filter(|_| doctype.rows == Rows::OwnTable) else { return Ok(()) };
    let plan = plan::plan(before, doctype, &Layout::of(conn, doctype))?;
    check_plan(conn, doctype, &plan)
}

/// Makes the table of a doctype, or changes it. Returns what it looks like now.
///
/// # Errors
/// As [`check`]; [`StoreError::Unavailable`] when other transactions hold the table for too long.
pub(super) fn apply(conn: &mut Conn, before: Option<&Before>, doctype: &DocType) -> Result<Layout, DdlError> {
    if doctype.rows == Rows::Typed {
        return Ok(Layout::default());
    }
    let wanted = Layout::of(conn, doctype);
    let Some(before) = before else {
        let sql = create(conn, doctype, &wanted);
        conn.batch_execute(&sql)?;
        return Ok(wanted);
    };
    let plan = plan::plan(before, doctype, &wanted)?;
    if plan.is_empty() {
        return Ok(plan.layout);
    }
    dialect::limit_waiting_for_tables(conn)?;
    match change(conn, doctype, &plan) {
        Err(DdlError::Store(StoreError::Fault(cause))) if dialect::is_lock_timeout(&cause) => Err(DdlError::Store(
            StoreError::Unavailable(format!("other transactions hold the documents of {} for too long; try again", doctype.name)),
        )),
        Ok(()) => Ok(plan.layout),
        Err(error) => Err(error),
    }
}

/// Drops the table of a doctype that has no documents.
///
/// # Errors
/// [`DdlError::Refused`] when there are some.
pub(super) fn drop_table(conn: &mut Conn, doctype: &DocType) -> Result<(), DdlError> {
    dialect::limit_waiting_for_tables(conn)?;
    dialect::lock_table(conn, &table(doctype))?;
    if has_rows(conn, doctype, "")? {
        return Err(DdlError::Refused(format!("{} has documents and cannot be deleted", doctype.name)));
    }
    conn.batch_execute(&format!("DROP TABLE {}", table(doctype)))?;
    Ok(())
}

fn table(doctype: &DocType) -> String {
    format!("\"tab{}\"", doctype.name)
}

fn create(conn: &Conn, doctype: &DocType, layout: &Layout) -> String {
    let columns: Vec<String> = layout.columns.iter().map(|(name, column)| format!("\"{name}\" {}", column.sql(conn, None))).collect();
    let (table, key) = (table(doctype), unique_index(doctype, "name"));
    let mut sql = format!("CREATE TABLE {table} ({}, CONSTRAINT \"{key}\" PRIMARY KEY (\"name\"));\n", columns.join(", "));
    for (name, columns) in &layout.indexes {
        sql.push_str(&create_index(doctype, name, columns));
    }
    sql
}

/// `columns` as a [`Layout`] has them: in parentheses, with `UNIQUE` before them where they are.
fn create_index(doctype: &DocType, name: &str, columns: &str) -> String {
    match columns.strip_prefix("UNIQUE ") {
        Some(columns) => format!("CREATE UNIQUE INDEX \"{name}\" ON {} {columns};\n", table(doctype)),
        None => format!("CREATE INDEX \"{name}\" ON {} {columns};\n", table(doctype)),
    }
}

fn check_plan(conn: &mut Conn, doctype: &DocType, plan: &Plan) -> Result<(), DdlError> {
    if let Table::MadeAnew { because } = &plan.table
        && has_rows(conn, doctype, "")?
    {
        return Err(DdlError::Refused(because.clone()));
    }
    if matches!(plan.table, Table::MadeAnew { .. }) {
        return Ok(());
    }
    for Retyped { fieldname, loses, because, .. } in &plan.retyped {
        if let Some(loses) = loses
            && has_rows(conn, doctype, loses)?
        {
            let names = names_where(conn, doctype, loses)?;
            return Err(DdlError::Refused(format!("field {fieldname} {because} (in {})", names.join(", "))));
        }
    }
    for (fieldname, column) in &plan.becomes_unique {
        match column {
            Some(column) => refuse_repeated(conn, doctype, fieldname, *column)?,
            // Every document gets the same default: that is unique only where it is nothing.
            None if default_of(doctype, fieldname).is_none() && counts(doctype, fieldname) => {}
            None if !has_rows(conn, doctype, "")? => {}
            None => {
                return Err(DdlError::Refused(format!("field {fieldname} cannot be unique: every document would get the same value")));
            }
        }
    }
    Ok(())
}

/// Whether documents without a value of a field have nothing there, not 0.
fn counts(doctype: &DocType, fieldname: &str) -> bool {
    doctype.field(fieldname).is_some_and(|field| field.fieldtype.may_be_missing())
}

/// Whether any row holds for a condition, or is there at all.
fn has_rows(conn: &mut Conn, doctype: &DocType, condition: &str) -> Result<bool, DdlError> {
    let mut statement = Statement::default();
    let condition = if condition.is_empty() { String::new() } else { format!(" WHERE {condition}") };
    statement.sql(&format!("SELECT '1' FROM {}{condition} LIMIT 1", table(doctype)));
    Ok(!statement.load(conn)?.is_empty())
}

fn names_where(conn: &mut Conn, doctype: &DocType, condition: &str) -> Result<Vec<String>, DdlError> {
    let mut statement = Statement::default();
    statement.sql(&format!("SELECT CAST(\"name\" AS TEXT) FROM {} WHERE {condition} ORDER BY \"name\" LIMIT ", table(doctype)));
    statement.int(NAMED);
    Ok(statement.load(conn)?)
}

/// Refuses to make a field unique whose values are not, naming documents that share one.
fn refuse_repeated(conn: &mut Conn, doctype: &DocType, fieldname: &str, column: Column) -> Result<(), DdlError> {
    let filled = match column.0 {
        Content::Text => format!("\"{fieldname}\" <> ''"),
        _ => format!("\"{fieldname}\" IS NOT NULL"),
    };
    let repeated = format!(
        "{filled} AND \"{fieldname}\" IN (SELECT \"{fieldname}\" FROM {} WHERE {filled} GROUP BY \"{fieldname}\" HAVING count(*) > 1)",
        table(doctype)
    );
    let names = names_where(conn, doctype, &repeated)?;
    if names.is_empty() {
        return Ok(());
    }
    Err(DdlError::Refused(format!("field {fieldname} cannot be unique: these documents share values of it: {}", names.join(", "))))
}

fn change(conn: &mut Conn, doctype: &DocType, plan: &Plan) -> Result<(), DdlError> {
    let table = table(doctype);
    dialect::lock_table(conn, &table)?;
    check_plan(conn, doctype, plan)?;
    if matches!(plan.table, Table::MadeAnew { .. }) {
        let sql = format!("DROP TABLE {table};\n{}", create(conn, doctype, &plan.layout));
        conn.batch_execute(&sql)?;
        return Ok(());
    }
    for name in &plan.dropped_indexes {
        conn.batch_execute(&format!("DROP INDEX IF EXISTS \"{name}\""))?;
    }
    for retyped in &plan.retyped {
        retype::retype(conn, &table, retyped)?;
    }
    for (name, column) in &plan.added {
        add_column(conn, doctype, name, *column)?;
    }
    for (fieldname, _) in plan.becomes_unique.iter().filter(|(_, column)| column.is_some()) {
        if plan.layout.columns.get(fieldname).is_some_and(|column| column.0 == Content::Text) {
            // An empty text in a unique field is nothing, or two documents could not lack it.
            conn.batch_execute(&format!("UPDATE {table} SET \"{fieldname}\" = NULL WHERE \"{fieldname}\" = ''"))?;
        }
    }
    for (name, columns) in &plan.added_indexes {
        conn.batch_execute(&create_index(doctype, name, columns))?;
    }
    Ok(())
}

/// Documents that are there get the field's default, where that is the same for all of them, as in Frappe.
fn add_column(conn: &mut Conn, doctype: &DocType, name: &str, column: Column) -> Result<(), DdlError> {
    let table = table(doctype);
    let default = default_of(doctype, name);
    let literal = default.as_ref().and_then(literal);
    let sql = format!("ALTER TABLE {table} ADD COLUMN \"{name}\" {}", column.sql(conn, literal.as_deref()));
    conn.batch_execute(&sql)?;
    if let Some(value) = default.filter(|_| literal.is_none())
        && let Some((_, kind)) = doctype.column(name)
    {
        let mut statement = Statement::default();
        statement.sql(&format!("UPDATE {table} SET \"{name}\" = ")).bind(kind, &value);
        statement.execute(conn)?;
    }
    Ok(())
}

/// The default that every document gets, unless it is nothing or what the column begins with.
fn default_of(doctype: &DocType, fieldname: &str) -> Option<FieldValue> {
    let (field, kind) = doctype.column(fieldname)?;
    let value = validate::fixed_default(field, kind)?;
    let begins_so = value == FieldValue::Null || (!field.fieldtype.may_be_missing() && value == FieldValue::missing(kind));
    (!begins_so).then_some(value)
}

/// A value that can stand in SQL as it is, so that a new column begins with it without every row being
/// written again; `None` for whatever would have to be escaped, which is bound instead.
fn literal(value: &FieldValue) -> Option<String> {
    match value {
        FieldValue::Int(number) => Some(number.to_string()),
        FieldValue::Float(number) => number.is_finite().then(|| format!("{number:?}")),
        FieldValue::Text(text) => {
            let plain = text.chars().all(|letter| letter.is_ascii_alphanumeric() || " -_.,:/@#".contains(letter));
            plain.then(|| format!("'{text}'"))
        }
        FieldValue::Date(day) => Some(format!("'{}'", day.format("%Y-%m-%d"))),
        FieldValue::Time(micros) => Some(micros.to_string()),
        FieldValue::Null | FieldValue::Datetime(_) => None,
    }
}
