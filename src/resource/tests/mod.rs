//! The flows against real databases: every test runs on each kind that is there.

mod definitions;
mod documents;
mod lists;
mod naming;
mod pages;
mod rights;
mod rows;
mod tables;
mod trees;
mod user_documents;
mod writes;

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Gathered, ListParams, doctypes};
use crate::auth::{Caller, CallerUser, Via};
use crate::config::{Config, PublicUrl};
use crate::cx::{Clock, Cx, Env};
use crate::doctype::{DocType, Origin, Registry};
use crate::domain::Scope;
use crate::domain::resource::Reach;
use crate::domain::user::{ADMINISTRATOR, SYSTEM_MANAGER, UserType};
use crate::error::AppError;
use crate::secrets::SealKey;
use crate::store::roles;
use crate::store::testing::{TestDatabase, databases};
use crate::store::users::{self, NewUser};

/// A database with users, and an environment in which flows run.
struct House {
    database: TestDatabase,
    env: Arc<Env>,
}

impl House {
    fn all() -> Vec<Self> {
        Self::all_in(chrono_tz::UTC)
    }

    fn all_in(zone: chrono_tz::Tz) -> Vec<Self> {
        databases()
            .into_iter()
            .map(|database| {
                let mut config = Config::for_tests("sqlite://unused.db");
                config.site.time_zone = zone;
                let mut registry = Registry::builtin();
                for definition in definitions::DEFINITIONS {
                    registry.insert("thing.json", DocType::parse("thing.json", definition, Origin::Site).expect("valid")).expect("new");
                }
                let url = PublicUrl::parse("http://127.0.0.1:8000", false).expect("valid");
                let env = Arc::new(Env::new(config, url, SealKey::generate(), Clock::System, registry, database.db.epochs()));
                let house = Self { database, env };
                house.write(ensure_tables).expect("tables are made");
                house.write(ensure_tables).expect("and nothing is made twice");
                house.write(make_users).expect("users are made");
                house
            })
            .collect()
    }

    fn write<T: Send + 'static>(&self, flow: impl Fn(&mut Cx) -> Result<T, AppError> + Send + 'static) -> Result<T, AppError> {
        let env = Arc::clone(&self.env);
        self.database.db.write_blocking("test", move |conn, effects| {
            let now = env.clock.now();
            flow(&mut Cx { conn, now, env: &env, effects })
        })
    }

    fn look<T>(&self, flow: impl Fn(&mut Cx) -> Result<T, AppError>) -> Result<T, AppError> {
        self.database.db.lookup_blocking(|conn, effects| {
            let now = self.env.clock.now();
            flow(&mut Cx { conn, now, env: &self.env, effects })
        })
    }

    fn caller(&self, name: &str) -> Caller {
        let user = self.look(|cx| Ok(users::get_user(cx.conn, name)?)).expect("the user exists");
        let via = Via::Session { id: "s".into() };
        Caller { user: Arc::new(CallerUser::new(user)), via, scope: None, expires_at: None, reach: Reach::Everything }
    }

    fn list(&self, caller: &Caller, doctype: &str, params: Value) -> Result<Value, AppError> {
        let params = ListParams::parse(&object(params))?;
        let text = self.look(|cx| super::list(cx, caller, doctype, &params))?;
        assert!(!text.contains("\": ") && !text.contains(" : "), "not compact: {text}");
        Ok(serde_json::from_str(&text).expect("a list is JSON"))
    }

    fn read(&self, caller: &Caller, doctype: &str, name: &str) -> Result<Value, AppError> {
        self.look(|cx| super::read(cx, caller, doctype, name)).map(Value::Object)
    }

    fn gather(&self, doctype: &str, body: &Map<String, Value>) -> Result<Gathered, AppError> {
        super::needs(doctype, body).map_or_else(|| Ok(Gathered::default()), |needs| needs.gather(&self.env.seal))
    }

    fn create(&self, caller: &Caller, doctype: &'static str, body: Value) -> Result<Value, AppError> {
        let (caller, body) = (caller.clone(), object(body));
        let gathered = self.gather(doctype, &body)?;
        self.write(move |cx| super::create(cx, &caller, doctype, body.clone(), &gathered)).map(Value::Object)
    }

    fn update(&self, caller: &Caller, doctype: &'static str, name: &str, body: Value) -> Result<Value, AppError> {
        let (caller, body, name) = (caller.clone(), object(body), name.to_owned());
        let gathered = self.gather(doctype, &body)?;
        self.write(move |cx| super::update(cx, &caller, doctype, &name, body.clone(), &gathered)).map(Value::Object)
    }

    fn delete(&self, caller: &Caller, doctype: &'static str, name: &str) -> Result<(), AppError> {
        let (caller, name) = (caller.clone(), name.to_owned());
        self.write(move |cx| super::delete(cx, &caller, doctype, &name))
    }

    fn rename(&self, caller: &Caller, doctype: &'static str, old: &str, new: &str, merge: bool) -> Result<String, AppError> {
        let (caller, old, new) = (caller.clone(), old.to_owned(), new.to_owned());
        self.write(move |cx| super::rename(cx, &caller, doctype, &old, &new, merge))
    }

    fn insert_row(&self, caller: &Caller, doctype: &'static str, row: Value) -> Result<Value, AppError> {
        let (caller, row) = (caller.clone(), object(row));
        self.write(move |cx| super::insert_row(cx, &caller, doctype, row.clone(), &Gathered::default())).map(Value::Object)
    }

    fn todo(&self, caller: &Caller, description: &str) -> String {
        let todo = self.create(caller, "ToDo", json!({"description": description})).expect("created");
        todo["name"].as_str().expect("a name").to_owned()
    }
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().expect("an object")
}

fn make_users(cx: &mut Cx) -> Result<(), AppError> {
    for role in [SYSTEM_MANAGER, "All", "Agent", "Customer"] {
        roles::insert_role_if_missing(cx.conn, cx.now, role, role != "Customer", false, ADMINISTRATOR)?;
    }
    for name in [ADMINISTRATOR, "manager@example.com", "alice@example.com", "bob@example.com"] {
        users::insert_user(cx.conn, cx.now, &new_user(name, name))?;
    }
    Ok(users::insert_role_of(cx.conn, cx.now, "manager@example.com", SYSTEM_MANAGER, ADMINISTRATOR)?)
}

fn new_user<'a>(name: &'a str, first_name: &'a str) -> NewUser<'a> {
    NewUser {
        name,
        email: name,
        first_name,
        last_name: None,
        username: None,
        enabled: true,
        user_type: UserType::SystemUser,
        password_hash: None,
        owner: ADMINISTRATOR,
    }
}

fn with_scope(caller: &Caller, scope: &str) -> Caller {
    let via = Via::Bearer { token_id: "t".into(), client_id: "c".into(), single_claims: false };
    Caller { via, scope: Some(Arc::new(Scope::parse(scope).expect("valid"))), ..caller.clone() }
}

fn keys(document: &Value) -> Vec<&str> {
    document.as_object().expect("an object").keys().map(String::as_str).collect()
}

/// The keys of a document that has these fields.
fn document_keys(own: &[&'static str]) -> Vec<&'static str> {
    [&["name", "owner", "creation", "modified", "modified_by", "docstatus", "idx"], own, &["doctype"]].concat()
}

/// The keys of a child row that has these fields.
fn row_keys(own: &[&'static str]) -> Vec<&'static str> {
    document_keys(&[own, &["parent", "parentfield", "parenttype"]].concat())
}

fn text(document: &Value, key: &str) -> String {
    document[key].as_str().unwrap_or_else(|| panic!("no text {key} in {document}")).to_owned()
}

fn column(rows: &Value, key: &str) -> Vec<Value> {
    rows.as_array().expect("rows").iter().map(|row| row[key].clone()).collect()
}

fn products(house: &House, caller: &Caller) {
    for (title, rate) in [("Pear", 2.5), ("Fig", 4.0)] {
        house.create(caller, "Product", json!({"title": title, "rate": rate})).expect("created");
    }
}

/// Makes the tables of all doctypes, as a start does.
fn ensure_tables(cx: &mut Cx) -> Result<(), AppError> {
    for doctype in doctypes::list_pending(cx)? {
        doctypes::ensure(cx, &doctype)?;
    }
    Ok(())
}
