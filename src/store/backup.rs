//! A copy of a SQLite database while others use it.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use diesel::prelude::*;
use diesel::sql_types::Text;

use super::durable::sync_directory_of;
use super::pool::{self, Mode};
use super::{Conn, StoreError};

/// Writes a consistent copy of the database file `from` to the new file `to`, which only its owner
/// can read, and checks it. Readers and the writer go on meanwhile.
///
/// # Errors
/// [`StoreError::Unavailable`] when either file cannot be used or `to` exists already.
pub fn copy_sqlite(from: &Path, to: &Path) -> Result<(), StoreError> {
    let unusable = |error: std::io::Error| StoreError::Unavailable(format!("cannot write {}: {error}", to.display()));
    let text = to.to_str().ok_or_else(|| StoreError::Unavailable("the copy's path is not UTF-8".into()))?;
    // SQLite fills an empty file as readily as a missing one, but this one nobody else can read.
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).map_err(unusable)?;
    let copied = copy(from, text).and_then(|()| {
        // VACUUM INTO leaves the copy to the system's cache.
        File::open(to).and_then(|file| file.sync_all()).map_err(unusable)?;
        sync_directory_of(to).map_err(unusable)
    });
    if copied.is_err() {
        let _ = std::fs::remove_file(to);
    }
    copied
}

fn copy(from: &Path, to: &str) -> Result<(), StoreError> {
    // A connection that may only read is not allowed to fill the copy either.
    let mut source = pool::open_sqlite(from, Mode::Write)?;
    diesel::sql_query("VACUUM INTO ?").bind::<Text, _>(to).execute(&mut source.conn)?;
    drop(source);
    let mut copy = pool::open_sqlite(Path::new(to), Mode::Read)?;
    match check(&mut copy.conn)?.as_str() {
        "ok" => Ok(()),
        broken => Err(StoreError::Fault(format!("the copy is damaged: {broken}"))),
    }
}

fn check(conn: &mut Conn) -> Result<String, StoreError> {
    #[derive(QueryableByName)]
    struct Verdict {
        #[diesel(sql_type = Text)]
        quick_check: String,
    }
    Ok(diesel::sql_query("PRAGMA quick_check(1)").get_result::<Verdict>(conn)?.quick_check)
}
