//! The statements that every document of a doctype goes through, composed once for each definition: they name all of its
//! columns, and putting that together took longer than running it.

use std::sync::{Arc, PoisonError, RwLock};

use chrono_tz::Tz;

use super::{Conn, dialect, expression_of, table};
use crate::doctype::{DocType, Field, Kind, Rows};
use crate::store::pool::Backend;

/// The unchanging parts of these statements.
pub(super) struct Composed {
    /// `SELECT … FROM table AS d`: all columns as the text of one JSON object.
    pub select: String,
    /// What goes at the very end of it.
    pub select_end: String,
    /// `INSERT INTO table (…) VALUES`; empty where the doctype has no table of its own.
    pub insert: String,
    /// ` RETURNING …`: what `select` would read of the row. Empty where that is to be asked.
    pub returning: String,
}

/// For each database and time zone: in one process there may be several servers.
#[derive(Default)]
struct Known(RwLock<Vec<(Key, Arc<Composed>)>>);
type Key = (Backend, Tz);

/// The statements of a doctype, as this database writes them and in this time zone.
pub(super) fn composed(conn: &Conn, doctype: &DocType, zone: Tz) -> Arc<Composed> {
    let Some(known) = doctype.memo.get_or_init(Known::default) else { return Arc::new(compose(conn, doctype, zone)) };
    let key = (dialect::backend(conn), zone);
    let find = |known: &[(Key, Arc<Composed>)]| known.iter().find(|(of, _)| *of == key).map(|(_, composed)| Arc::clone(composed));
    if let Some(found) = find(&known.0.read().unwrap_or_else(PoisonError::into_inner)) {
        return found;
    }
    let mut known = known.0.write().unwrap_or_else(PoisonError::into_inner);
    find(&known).unwrap_or_else(|| {
        let made = Arc::new(compose(conn, doctype, zone));
        known.push((key, Arc::clone(&made)));
        made
    })
}

fn compose(conn: &Conn, doctype: &DocType, zone: Tz) -> Composed {
    let shown = columns(conn, doctype, "d", zone);
    let (start, select_end) = dialect::rows_as_json(conn, dialect::Rows { columns: &shown, as_arrays: false, before: &[], size: None });
    let select = format!("{start}FROM {} AS d", table(doctype));
    if doctype.rows == Rows::Typed {
        return Composed { select, select_end, insert: String::new(), returning: String::new() };
    }
    let names: Vec<String> = doctype.columns().map(|(field, _)| format!("\"{}\"", field.fieldname)).collect();
    let table = table(doctype);
    let returned = || format!(" RETURNING {}", dialect::row_as_json(conn, &columns(conn, doctype, &table, zone)));
    Composed {
        insert: format!("INSERT INTO {table} ({}) VALUES ", names.join(", ")),
        returning: if dialect::should_return(conn) { returned() } else { String::new() },
        select,
        select_end,
    }
}

/// The keys of all columns, and what they show on rows called `row`.
fn columns<'d>(conn: &Conn, doctype: &'d DocType, row: &str, zone: Tz) -> Vec<(&'d str, String)> {
    let shown = |(field, kind): (&'d Field, Kind)| {
        (field.fieldname.as_str(), dialect::shown(conn, kind, &expression_of(conn, row, doctype, &field.fieldname), zone))
    };
    doctype.columns().map(shown).collect()
}
