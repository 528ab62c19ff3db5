//! The indexes of document tables, as the databases' planners see them.

use diesel::connection::SimpleConnection as _;
use diesel::sql_types::Text;
use diesel::{QueryableByName, RunQueryDsl as _, sql_query};
use ostiary::store::{Backend, Conn, StoreError};
use serde_json::json;

use super::{define, definition, redefine};
use crate::both_databases;
use crate::support::{Setup, TestApp};

both_databases!(
    the_newest_documents_of_one_value_are_one_range_of_an_index,
    indexes_come_and_go_with_their_fields,
    a_table_that_an_older_program_made_gets_the_indexes_of_this_one,
);

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    detail: String,
}

#[derive(QueryableByName)]
struct PostgresLine {
    #[diesel(sql_type = Text, column_name = "QUERY PLAN")]
    detail: String,
}

/// How the database would find the newest documents with a value.
fn plan(app: &TestApp, table: &str, fieldname: &str) -> String {
    let newest = "ORDER BY \"modified\" DESC, \"name\" DESC LIMIT 20";
    explain(app, table, &format!("WHERE \"{fieldname}\" = 'x' {newest}"))
}

/// How the database would run a query; Postgres may not read or sort a whole small table.
fn explain(app: &TestApp, table: &str, rest: &str) -> String {
    let sql = format!("SELECT \"name\" FROM \"{table}\" {rest}");
    let lines = app.db().lookup_blocking(|conn, _| {
        Ok(match conn {
            Conn::Sqlite(sqlite) => {
                // What EXPLAIN sees of the schema is what the connection's last real query saw.
                sql_query(format!("{sql} -- looked at again")).execute(sqlite).map_err(StoreError::from)?;
                let lines: Vec<Line> = sql_query(format!("EXPLAIN QUERY PLAN {sql}")).load(sqlite).map_err(StoreError::from)?;
                lines.into_iter().map(|line| line.detail).collect::<Vec<_>>()
            }
            Conn::Postgres(postgres) => {
                const OFF: &str = "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off";
                postgres.batch_execute(OFF).map_err(StoreError::from)?;
                let lines: Vec<PostgresLine> = sql_query(format!("EXPLAIN {sql}")).load(postgres).map_err(StoreError::from)?;
                postgres.batch_execute("RESET ALL").map_err(StoreError::from)?;
                lines.into_iter().map(|line| line.detail).collect()
            }
        })
    });
    lines.expect("a plan").join("\n")
}

/// The names of a table's indexes.
fn indexes(app: &TestApp, table: &str) -> Vec<String> {
    let lines = app.db().lookup_blocking(|conn, _| {
        let lines: Vec<Line> = match conn {
            Conn::Sqlite(sqlite) => sql_query("SELECT name AS detail FROM sqlite_master WHERE type = 'index' AND tbl_name = ?")
                .bind::<Text, _>(table)
                .load(sqlite),
            Conn::Postgres(postgres) => {
                sql_query("SELECT indexname::text AS detail FROM pg_indexes WHERE tablename = $1").bind::<Text, _>(table).load(postgres)
            }
        }
        .map_err(StoreError::from)?;
        Ok(lines)
    });
    lines.expect("a list").into_iter().map(|line| line.detail).collect()
}

#[track_caller]
fn is_one_range(plan: &str, index: &str) {
    assert!(plan.contains(index) && !plan.contains("TEMP B-TREE") && !plan.contains("Sort"), "{plan}");
}

fn fields(indexed: bool) -> serde_json::Value {
    json!([
        {"fieldname": "guest", "fieldtype": "Link", "options": "User"},
        {"fieldname": "town", "fieldtype": "Data", "search_index": i32::from(indexed)},
        {"fieldname": "card", "fieldtype": "Data", "unique": i32::from(indexed)},
        {"fieldname": "story", "fieldtype": "Text Editor", "search_index": 1}
    ])
}

async fn the_newest_documents_of_one_value_are_one_range_of_an_index(app: TestApp) {
    let administrator = app.administrator().await;
    define(&administrator, &definition("Lodge Guest", fields(true))).await.expect_status(200);
    for fieldname in ["guest", "town", "owner"] {
        is_one_range(&plan(&app, "tabLodge Guest", fieldname), &format!("tabLodge Guest.{fieldname}.idx"));
    }
    assert!(explain(&app, "tabLodge Guest", "WHERE \"card\" = 'x'").contains("tabLodge Guest.card.key"));
}

async fn indexes_come_and_go_with_their_fields(app: TestApp) {
    let administrator = app.administrator().await;
    let has = |name: &str| indexes(&app, "tabLodge Guest").contains(&format!("tabLodge Guest.{name}"));
    define(&administrator, &definition("Lodge Guest", fields(false))).await.expect_status(200);
    for (round, indexed) in [(0, false), (1, true), (2, false), (3, true)] {
        redefine(&administrator, &definition("Lodge Guest", fields(indexed))).await.expect_status(200);
        assert_eq!((has("town.idx"), has("card.key")), (indexed, indexed), "{round}");
        assert!(has("guest.idx"));
    }
}

async fn a_table_that_an_older_program_made_gets_the_indexes_of_this_one(setup: Setup) {
    let before = setup.clone().start().await;
    let made = before.db().write_blocking("go back", |conn, _| {
        let nulls = if matches!(conn, Conn::Postgres(_)) { " NULLS FIRST" } else { "" };
        let sql = format!(
            r#"DROP INDEX "tabToDo.allocated_to.idx"; CREATE INDEX "tabToDo.allocated_to.idx" ON "tabToDo" ("allocated_to"{nulls});
               UPDATE doctypes SET layout = NULL, digest = ''"#
        );
        Ok(conn.batch_execute(&sql).map_err(StoreError::from)?)
    });
    made.expect("the indexes of an older program");
    let after = setup.start().await;
    is_one_range(&plan(&after, "tabToDo", "allocated_to"), "tabToDo.allocated_to.idx");
    assert_eq!(after.backend() == Backend::Postgres, before.backend() == Backend::Postgres);
}
