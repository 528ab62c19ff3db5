//! Migrates a database of each kind and compares both with each other and with `src/store/schema.rs`:
//! tables, columns, types, nullability and primary keys with all three, unique and foreign keys
//! and indexes (of which `schema.rs` knows nothing) with both databases. And goes back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use diesel::connection::SimpleConnection as _;
use diesel::sql_types::{Bool, Nullable, Text};
use diesel::{QueryableByName, RunQueryDsl as _, sql_query};
use ostiary::domain::client::{AuthMethod, Client};
use ostiary::domain::{Instant, Scope};
use ostiary::error::AppError;
use ostiary::oauth::clients::ClientKind;
use ostiary::store::clients::{ClientRecord, insert_client};
use ostiary::store::{Backend, Conn, DatabaseUrl, Db, Settings, StoreError};

use crate::support::Database;

/// What is compared of a database.
#[derive(Debug, Default, PartialEq)]
struct Shape {
    tables: BTreeMap<String, Table>,
}

#[derive(Debug, Default, PartialEq)]
struct Table {
    columns: BTreeMap<String, Column>,
    primary: BTreeSet<String>,
    unique: BTreeSet<BTreeSet<String>>,
    foreign: BTreeSet<String>,
    indexes: BTreeSet<String>,
}

#[derive(Debug, PartialEq)]
struct Column {
    kind: String,
    nullable: bool,
}

#[test]
fn both_databases_have_the_same_tables_and_schema_rs_lists_them() {
    let sqlite = shape_of(Backend::Sqlite);
    let postgres = shape_of(Backend::Postgres);
    assert!(sqlite.tables.contains_key("users") && sqlite.tables["user_roles"].foreign.len() == 2, "the reader reads: {sqlite:?}");
    // Where the words of documents are is the one thing that each database has in its own way.
    let (sqlite, postgres) = (without_terms(sqlite, Backend::Sqlite), without_terms(postgres, Backend::Postgres));
    assert_eq!(differences(&sqlite, &postgres), Vec::<String>::new(), "SQLite (left) and Postgres (right) differ");

    let mut listed = schema_rs(include_str!("../../src/store/schema.rs"));
    for (name, table) in &mut listed.tables {
        if let Some(migrated) = sqlite.tables.get(name) {
            table.unique.clone_from(&migrated.unique);
            table.foreign.clone_from(&migrated.foreign);
            table.indexes.clone_from(&migrated.indexes);
        }
    }
    assert_eq!(differences(&listed, &sqlite), Vec::<String>::new(), "schema.rs (left) and the migrations (right) differ");
}

/// Takes out the full-text index, after a look at it.
fn without_terms(mut shape: Shape, backend: Backend) -> Shape {
    match backend {
        Backend::Sqlite => {
            // FTS5's own tables; there is none for the texts, which are not kept twice.
            for table in ["search_terms", "search_terms_data", "search_terms_idx", "search_terms_docsize", "search_terms_config"] {
                assert!(shape.tables.remove(table).is_some(), "no table {table}");
            }
        }
        Backend::Postgres => {
            let documents = shape.tables.get_mut("search_documents").expect("a table");
            let terms = documents.columns.remove("terms");
            assert_eq!(terms, Some(Column { kind: "tsvector".into(), nullable: false }));
            assert!(documents.indexes.remove("search_documents_terms (terms)"), "{:?}", documents.indexes);
        }
    }
    shape
}

/// What an operator runs to go back to the program from before clients had keys.
#[test]
fn going_back_leaves_only_clients_that_the_older_program_can_read() {
    const WITH_KEYS: &str = "20261123001000_client_keys";
    for (backend, folder) in [(Backend::Sqlite, "sqlite"), (Backend::Postgres, "postgres")] {
        let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder);
        let mut steps: Vec<_> = migrations.read_dir().expect("a folder").map(|entry| entry.expect("an entry").file_name()).collect();
        steps.retain(|step| step.to_str().is_some_and(|step| step >= WITH_KEYS));
        steps.sort();
        let back: Vec<String> =
            steps.iter().rev().map(|step| std::fs::read_to_string(migrations.join(step).join("down.sql")).expect("a file")).collect();

        let database = Database::new(backend);
        let url = DatabaseUrl::parse(database.url()).expect("a URL of our own");
        let db = Db::open(&url, Settings::default()).expect("migrations apply");
        let left = db.write_blocking("go back", move |conn, _| {
            for method in [AuthMethod::Secret, AuthMethod::None, AuthMethod::PrivateKeyJwt] {
                insert_client(conn, &client(method))?;
            }
            for step in &back {
                conn.batch_execute(step).map_err(StoreError::from)?;
            }
            #[derive(QueryableByName)]
            struct Kept {
                #[diesel(sql_type = Text)]
                client_id: String,
            }
            let kept: Vec<Kept> =
                sql_query("SELECT client_id FROM oauth_clients ORDER BY client_id").load(conn).map_err(StoreError::from)?;
            Ok(kept.into_iter().map(|kept| kept.client_id).collect::<Vec<_>>())
        });
        assert_eq!(left.expect("it goes back"), ["client_secret", "none"], "{folder}");
    }
}

/// A client of this way to authenticate, with its name as its id.
fn client(auth_method: AuthMethod) -> ClientRecord {
    let template = ClientKind::Web.template("App", Scope::parse("openid").expect("valid"), vec!["https://app.example.com/".into()]);
    let now = Instant::from_unix(1_800_000_000).expect("in range");
    ClientRecord {
        client: Client { client_id: auth_method.as_str().to_owned(), auth_method, ..template },
        owner: "Administrator".into(),
        creation: now,
        modified: now,
        modified_by: "Administrator".into(),
    }
}

fn differences(left: &Shape, right: &Shape) -> Vec<String> {
    let names: BTreeSet<_> = left.tables.keys().chain(right.tables.keys()).collect();
    let mut found = Vec::new();
    for name in names {
        match (left.tables.get(name), right.tables.get(name)) {
            (Some(a), Some(b)) => {
                let columns: BTreeSet<_> = a.columns.keys().chain(b.columns.keys()).collect();
                for column in columns.into_iter().filter(|column| a.columns.get(*column) != b.columns.get(*column)) {
                    found.push(format!("{name}.{column}: {:?} and {:?}", a.columns.get(column), b.columns.get(column)));
                }
                if a.primary != b.primary {
                    found.push(format!("{name} primary key: {:?} and {:?}", a.primary, b.primary));
                }
                for key in a.unique.symmetric_difference(&b.unique) {
                    found.push(format!("{name}: unique {key:?} on one side only"));
                }
                for key in a.foreign.symmetric_difference(&b.foreign) {
                    found.push(format!("{name}: foreign key {key} on one side only"));
                }
                for index in a.indexes.symmetric_difference(&b.indexes) {
                    found.push(format!("{name}: index {index} on one side only"));
                }
            }
            (a, _) => found.push(format!("table {name} is only on the {}", if a.is_some() { "left" } else { "right" })),
        }
    }
    found
}

fn shape_of(backend: Backend) -> Shape {
    let database = Database::new(backend);
    let url = DatabaseUrl::parse(database.url()).expect("a URL of our own");
    let db = Db::open(&url, Settings::default()).expect("migrations apply");
    let rows = db.lookup_blocking(|conn, _| read(conn).map_err(AppError::from)).expect("the catalogue can be read");
    drop(db);
    let mut shape = Shape::default();
    for row in rows {
        let table = shape.tables.entry(row.tbl).or_default();
        let listed = || row.name.split(',').map(str::to_owned).collect::<BTreeSet<_>>();
        match row.what.as_str() {
            "column" => {
                let kind = kind(row.detail.as_deref().unwrap_or_default());
                table.columns.insert(row.name, Column { kind, nullable: row.nullable.unwrap_or_default() });
            }
            "primary" => table.primary = listed(),
            "unique" => drop(table.unique.insert(listed())),
            "index" => drop(table.indexes.insert(format!("{} ({})", row.name, row.detail.unwrap_or_default()))),
            _ => drop(table.foreign.insert(format!("({}) to {}", row.name, row.detail.unwrap_or_default()))),
        }
    }
    shape
}

/// One name for what the two databases and diesel call differently.
fn kind(declared: &str) -> String {
    match declared.to_lowercase().as_str() {
        "text" => "text",
        // A SQLite INTEGER has 64 bits, and only `INTEGER PRIMARY KEY` counts up, so its ids are written so.
        "integer" | "int4" | "bigint" | "int8" => "integer",
        "boolean" | "bool" => "bool",
        "timestamp" => "timestamp",
        "double" | "double precision" | "float8" => "double",
        other => other,
    }
    .to_owned()
}

/// A fact about a table: a column, a key.
#[derive(QueryableByName)]
struct Fact {
    #[diesel(sql_type = Text)]
    tbl: String,
    #[diesel(sql_type = Text)]
    what: String,
    /// The column, or a key's columns with commas.
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Nullable<Text>)]
    detail: Option<String>,
    #[diesel(sql_type = Nullable<Bool>)]
    nullable: Option<bool>,
}

fn read(conn: &mut Conn) -> Result<Vec<Fact>, StoreError> {
    Ok(match conn {
        Conn::Sqlite(sqlite) => sql_query(SQLITE).load(sqlite)?,
        Conn::Postgres(postgres) => sql_query(POSTGRES).load(postgres)?,
    })
}

const SQLITE: &str = r#"
WITH tables AS (SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND name NOT LIKE '\_\_%' ESCAPE '\')
SELECT t.name AS tbl, 'column' AS what, c.name AS name, c.type AS detail, c."notnull" = 0 AS nullable
  FROM tables t, pragma_table_info(t.name) c
UNION ALL
SELECT t.name, 'primary', group_concat(c.name), NULL, NULL
  FROM tables t, pragma_table_info(t.name) c WHERE c.pk > 0 GROUP BY t.name
UNION ALL
SELECT t.name, 'unique', group_concat(c.name), NULL, NULL
  FROM tables t, pragma_index_list(t.name) i, pragma_index_info(i.name) c
 WHERE i."unique" AND i.origin <> 'pk' AND NOT i.partial GROUP BY t.name, i.name
UNION ALL
SELECT t.name, 'foreign', group_concat(f."from"), f."table" || '(' || group_concat(f."to") || ') on delete ' || lower(f.on_delete), NULL
  FROM tables t, pragma_foreign_key_list(t.name) f GROUP BY t.name, f.id
UNION ALL
SELECT t.name, 'index', i.name, group_concat(c.name), NULL
  FROM tables t, pragma_index_list(t.name) i, pragma_index_info(i.name) c WHERE i.origin = 'c' GROUP BY t.name, i.name
"#;

const POSTGRES: &str = r#"
WITH tables AS (
    SELECT c.oid, c.relname::text AS name FROM pg_class c
     WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace AND c.relname NOT LIKE '\_\_%'),
named AS (
    SELECT k.oid, k.conrelid, k.confrelid, k.contype, k.confdeltype,
           (SELECT string_agg(a.attname, ',' ORDER BY u.n) FROM unnest(k.conkey) WITH ORDINALITY u(attnum, n)
              JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum) AS columns,
           (SELECT string_agg(a.attname, ',' ORDER BY u.n) FROM unnest(k.confkey) WITH ORDINALITY u(attnum, n)
              JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum) AS targets
      FROM pg_constraint k JOIN tables t ON t.oid = k.conrelid)
SELECT t.name AS tbl, 'column' AS what, a.attname::text AS name, y.typname::text AS detail, NOT a.attnotnull AS nullable
  FROM tables t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped JOIN pg_type y ON y.oid = a.atttypid
UNION ALL
SELECT t.name, 'primary', n.columns, NULL, NULL FROM named n JOIN tables t ON t.oid = n.conrelid WHERE n.contype = 'p'
UNION ALL
SELECT t.name, 'unique', (SELECT string_agg(a.attname, ',') FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attnum = ANY (i.indkey)), NULL, NULL
  FROM tables t JOIN pg_index i ON i.indrelid = t.oid WHERE i.indisunique AND NOT i.indisprimary AND i.indpred IS NULL
UNION ALL
SELECT t.name, 'foreign', n.columns,
       r.relname || '(' || n.targets || ') on delete '
       || CASE n.confdeltype WHEN 'a' THEN 'no action' WHEN 'c' THEN 'cascade' WHEN 'n' THEN 'set null' WHEN 'r' THEN 'restrict' ELSE 'set default' END, NULL
  FROM named n JOIN tables t ON t.oid = n.conrelid JOIN pg_class r ON r.oid = n.confrelid WHERE n.contype = 'f'
UNION ALL
SELECT t.name, 'index', c.relname::text,
       (SELECT string_agg(a.attname, ',' ORDER BY u.n) FROM unnest(i.indkey::int2[]) WITH ORDINALITY u(attnum, n)
          JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = u.attnum), NULL
  FROM tables t JOIN pg_index i ON i.indrelid = t.oid JOIN pg_class c ON c.oid = i.indexrelid
 WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
"#;

/// Reads diesel's `table!` blocks.
fn schema_rs(text: &str) -> Shape {
    let mut shape = Shape::default();
    let blocks = text.split("diesel::table! {").skip(1);
    for block in blocks {
        let mut lines = block.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
        let head = lines.next().expect("a table's head");
        let (name, rest) = head.split_once('(').expect("a primary key");
        let primary = rest.split(')').next().expect("a primary key").split(',').map(|column| column.trim().to_owned()).collect();
        let mut table = Table { primary, ..Table::default() };
        let mut renamed = None;
        for line in lines.take_while(|line| *line != "}") {
            if let Some(sql_name) = line.strip_prefix("#[sql_name = \"") {
                renamed = sql_name.strip_suffix("\"]").map(str::to_owned);
                continue;
            }
            let (column, declared) = line.trim_end_matches(',').split_once(" -> ").expect("a column");
            let inner = declared.strip_prefix("Nullable<").map(|inner| inner.trim_end_matches('>'));
            let column_shape = Column { kind: kind(inner.unwrap_or(declared)), nullable: inner.is_some() };
            table.columns.insert(renamed.take().unwrap_or_else(|| column.to_owned()), column_shape);
        }
        shape.tables.insert(name.trim().to_owned(), table);
    }
    shape
}
