//! The work of the background: looking at documents that were there before anybody searched them.

use std::sync::Arc;

use crate::cx::{Cx, Env};
use crate::error::AppError;
use crate::resource::searched;
use crate::store::Db;

/// Batches of one turn; requests that write come in between.
const BATCHES: usize = 20;

/// Looks at some more documents; says whether there is anything left.
///
/// # Errors
/// [`AppError`] from the database.
pub fn go_on(db: &Db, env: &Arc<Env>) -> Result<bool, AppError> {
    let mut effects = crate::store::Effects::default();
    let unfinished =
        db.lookup_blocking(|conn, _| searched::list_unfinished(&mut Cx { conn, now: env.clock.now(), env, effects: &mut effects }))?;
    if unfinished.is_empty() {
        return Ok(false);
    }
    for _ in 0..BATCHES {
        let (env, doctypes) = (Arc::clone(env), unfinished.clone());
        let more = db.write_blocking("index documents", move |conn, effects| {
            searched::look_at_next(&mut Cx { conn, now: env.clock.now(), env: &env, effects }, &doctypes)
        })?;
        if !more {
            return Ok(false);
        }
    }
    Ok(true)
}
