//! Migrations, embedded for both databases and applied under a lock so that several processes may start at once.

use diesel::connection::SimpleConnection as _;
use diesel::migration::{Migration, MigrationSource as _, MigrationVersion};
use diesel::{Connection as _, RunQueryDsl as _};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _, embed_migrations};

use super::{Conn, StoreError, dialect};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");
/// Key of Postgres's advisory lock: "ostiary" in ASCII, cut to what fits.
const LOCK: i64 = 0x006f_7374_6961_7279;

fn fault(error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Fault(format!("migration: {error}"))
}

/// Applies what is pending.
///
/// # Errors
/// [`StoreError::Version`] when the database knows migrations that this binary does not;
/// [`StoreError::Fault`] when one fails.
pub(super) fn run(conn: &mut Conn) -> Result<(), StoreError> {
    match conn {
        Conn::Sqlite(sqlite) => sqlite.immediate_transaction(|sqlite| {
            refuse_newer(&texts(&sqlite.applied_migrations().map_err(|error| fault(&error))?), &SQLITE)?;
            sqlite.run_pending_migrations(SQLITE).map_err(|error| fault(&error))?;
            Ok(())
        }),
        Conn::Postgres(postgres) => {
            diesel::sql_query("SELECT pg_advisory_lock($1)").bind::<diesel::sql_types::BigInt, _>(LOCK).execute(postgres)?;
            let result = postgres.transaction(|postgres| {
                refuse_newer(&texts(&postgres.applied_migrations().map_err(|error| fault(&error))?), &POSTGRES)?;
                postgres.run_pending_migrations(POSTGRES).map_err(|error| fault(&error))?;
                Ok(())
            });
            postgres.batch_execute(&format!("SELECT pg_advisory_unlock({LOCK})"))?;
            result
        }
    }
}

/// Looks, without changing anything, whether exactly the migrations this binary knows are applied. Returns how many.
///
/// # Errors
/// [`StoreError::Version`] when they are not.
pub(super) fn check(conn: &mut Conn) -> Result<usize, StoreError> {
    #[derive(diesel::QueryableByName)]
    struct Applied {
        #[diesel(sql_type = diesel::sql_types::Text)]
        version: String,
    }
    const TABLE: &str = "__diesel_schema_migrations";
    if dialect::list_columns(conn, TABLE)?.is_empty() {
        return Err(StoreError::Version("the database is empty; fill it with: ostiary migrate".into()));
    }
    let applied: Vec<Applied> = diesel::sql_query(format!("SELECT version FROM {TABLE}")).load(conn)?;
    let applied: Vec<String> = applied.into_iter().map(|row| row.version).collect();
    let source = match conn {
        Conn::Sqlite(_) => &SQLITE,
        Conn::Postgres(_) => &POSTGRES,
    };
    refuse_newer(&applied, source)?;
    let pending = names::<diesel::sqlite::Sqlite>(source)?.iter().filter(|name| !applied.contains(name)).count();
    match pending {
        0 => Ok(applied.len()),
        _ => Err(StoreError::Version(format!(
            "the database is older than this program ({pending} migrations to apply); stop the older server, then: ostiary migrate"
        ))),
    }
}

/// Whether every migration this binary knows is applied.
///
/// # Errors
/// [`StoreError`] when the database does not answer.
pub(super) fn is_current(conn: &mut Conn) -> Result<bool, StoreError> {
    // A readiness probe must not create tables, so the list is only counted.
    #[derive(diesel::QueryableByName)]
    struct Count {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        count: i64,
    }
    let query = diesel::sql_query("SELECT count(*) AS count FROM __diesel_schema_migrations");
    let (count, known) = match conn {
        Conn::Sqlite(sqlite) => (query.get_result::<Count>(sqlite)?.count, names::<diesel::sqlite::Sqlite>(&SQLITE)?.len()),
        Conn::Postgres(postgres) => (query.get_result::<Count>(postgres)?.count, names::<diesel::pg::Pg>(&POSTGRES)?.len()),
    };
    Ok(usize::try_from(count).is_ok_and(|count| count == known))
}

fn names<B: diesel::backend::Backend>(source: &EmbeddedMigrations) -> Result<Vec<String>, StoreError> {
    let migrations: Vec<Box<dyn Migration<B>>> = source.migrations().map_err(|error| fault(&error))?;
    Ok(migrations.iter().map(|migration| migration.name().version().to_string()).collect())
}

fn texts(applied: &[MigrationVersion<'static>]) -> Vec<String> {
    applied.iter().map(ToString::to_string).collect()
}

fn refuse_newer(applied: &[String], source: &EmbeddedMigrations) -> Result<(), StoreError> {
    let known = names::<diesel::sqlite::Sqlite>(source)?;
    match applied.iter().find(|version| !known.contains(version)) {
        Some(newer) => {
            Err(StoreError::Version(format!("the database is newer than this program (it has migration {newer}); start the newer version")))
        }
        None => Ok(()),
    }
}
