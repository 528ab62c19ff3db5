//! Giving a column another type, with its values.

use diesel::connection::SimpleConnection as _;

use super::layout::{Column, Content, Presence};
use super::plan::Retyped;
use crate::store::{Conn, StoreError, dialect};

/// Changes a column whose indexes are dropped; that no value is lost was checked.
pub(super) fn retype(conn: &mut Conn, table: &str, retyped: &Retyped) -> Result<(), StoreError> {
    let (name, to) = (&retyped.fieldname, retyped.to);
    if retyped.from == to {
        return Ok(());
    }
    let new_type = to.sql_type(conn);
    let missing = if to.1 == Presence::Optional { "NULL" } else { "0" };
    let value = converted(&format!("\"{name}\""), retyped.from, to, cast_type(new_type), missing);
    let change = dialect::Retype { table, name, column: &to.sql(conn, None), value: &value, new_type, cast_type: cast_type(new_type) };
    let sql = dialect::retype_column(conn, &change);
    Ok(conn.batch_execute(&sql)?)
}

/// A type as `CAST` takes it.
fn cast_type(sql_type: &str) -> &str {
    sql_type.split_once(" COLLATE").map_or(sql_type, |(name, _)| name)
}

/// The old value in the new type. Where types do not convert there are no values.
fn converted(column: &str, Column(from, _): Column, Column(to, _): Column, cast_type: &str, missing: &str) -> String {
    match (from, to) {
        (from, to) if from == to => format!("COALESCE({column}, {missing})"),
        (Content::Check | Content::Int, Content::Int | Content::Float | Content::Text) => format!("CAST({column} AS {cast_type})"),
        _ => missing.to_owned(),
    }
}
