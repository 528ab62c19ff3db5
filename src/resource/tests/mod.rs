//! The flows against real databases: every test runs on each kind that is there.

mod pages;
mod rights;
mod user_documents;
mod writes;

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Gathered, ListParams};
use crate::auth::{Caller, CallerUser, Via};
use crate::config::{Config, PublicUrl};
use crate::cx::{Clock, Cx, Env};
use crate::doctype::{DocType, Origin, Registry};
use crate::domain::Scope;
use crate::domain::resource::Reach;
use crate::domain::user::{ADMINISTRATOR, SYSTEM_MANAGER, UserType};
use crate::error::{AppError, Denied};
use crate::secrets::SealKey;
use crate::store::testing::{TestDatabase, databases};
use crate::store::users::{self, NewUser};
use crate::store::{Backend, roles};

const THING: &str = r#"{"name": "Odd Thing", "autoname": "prompt", "sort_field": "rank", "sort_order": "asc", "fields": [
    {"fieldname": "title", "label": "Title", "fieldtype": "Data", "unique": 1},
    {"fieldname": "code", "label": "Code", "fieldtype": "Data", "set_only_once": 1},
    {"fieldname": "rank", "label": "Rank", "fieldtype": "Int"},
    {"fieldname": "weight", "label": "Weight", "fieldtype": "Float"},
    {"fieldname": "done", "label": "Done", "fieldtype": "Check"},
    {"fieldname": "due", "label": "Due", "fieldtype": "Date"},
    {"fieldname": "seen", "label": "Seen", "fieldtype": "Datetime"},
    {"fieldname": "note", "label": "Note", "fieldtype": "Text"},
    {"fieldname": "todo", "label": "To Do", "fieldtype": "Link", "options": "ToDo"},
    {"fieldname": "about_type", "label": "About Type", "fieldtype": "Link", "options": "DocType"},
    {"fieldname": "about", "label": "About", "fieldtype": "Dynamic Link", "options": "about_type"},
    {"fieldname": "hidden", "label": "Hidden", "fieldtype": "Data", "permlevel": 1}
  ], "permissions": [{"role": "All", "read": 1, "write": 1, "create": 1, "delete": 1}, {"role": "System Manager", "permlevel": 1, "read": 1, "write": 1}]}"#;

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
                for definition in std::iter::once(&THING).chain(writes::DEFINITIONS) {
                    registry.insert("thing.json", DocType::parse("thing.json", definition, Origin::Site).expect("valid")).expect("new");
                }
                let url = PublicUrl::parse("http://127.0.0.1:8000", false).expect("valid");
                let env = Arc::new(Env::new(config, url, SealKey::generate(), Clock::System, registry, database.db.epochs()));
                let house = Self { database, env };
                house.write(super::ensure_tables).expect("tables are made");
                house.write(super::ensure_tables).expect("and nothing is made twice");
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
        let user = NewUser {
            name,
            email: name,
            first_name: name,
            last_name: None,
            username: None,
            enabled: true,
            user_type: UserType::SystemUser,
            password_hash: None,
            owner: ADMINISTRATOR,
        };
        users::insert_user(cx.conn, cx.now, &user)?;
    }
    Ok(users::insert_role_of(cx.conn, cx.now, "manager@example.com", SYSTEM_MANAGER, ADMINISTRATOR)?)
}

fn with_scope(caller: &Caller, scope: &str) -> Caller {
    let via = Via::Bearer { token_id: "t".into(), client_id: "c".into(), single_claims: false };
    Caller { via, scope: Some(Arc::new(Scope::parse(scope).expect("valid"))), ..caller.clone() }
}

fn keys(document: &Value) -> Vec<&str> {
    document.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[test]
fn a_todo_is_created_read_and_listed_in_frappes_shape() {
    for house in House::all() {
        let alice = house.caller("alice@example.com");
        let todo = house
            .create(&alice, "todo", json!({"description": "first", "name": "mine", "owner": "bob@example.com", "banana": 1}))
            .expect("created");
        assert_eq!(
            keys(&todo),
            [
                "name",
                "owner",
                "creation",
                "modified",
                "modified_by",
                "docstatus",
                "idx",
                "status",
                "priority",
                "color",
                "date",
                "allocated_to",
                "description",
                "reference_type",
                "reference_name",
                "role",
                "assigned_by",
                "assigned_by_full_name",
                "sender",
                "assignment_rule",
                "doctype"
            ]
        );
        let name = todo["name"].as_str().expect("a name");
        assert_eq!(name.len(), 10);
        assert_eq!(todo["owner"], "alice@example.com");
        assert_eq!(
            (&todo["status"], &todo["priority"], &todo["docstatus"], &todo["color"]),
            (&json!("Open"), &json!("Medium"), &json!(0), &Value::Null)
        );
        assert_eq!(todo["creation"], todo["modified"]);
        assert_eq!(house.read(&alice, "ToDo", name), Ok(todo.clone()));
        let stripped = super::strip_nulls(object(todo.clone()));
        assert!(!stripped.contains_key("color") && stripped.contains_key("doctype"));
        let listed = house.list(&alice, "ToDo", json!({"fields": "[\"name\",\"color\",\"docstatus\"]"})).expect("listed");
        assert_eq!(listed, json!([{"name": name, "color": null, "docstatus": 0}]));
        assert_eq!(house.list(&alice, "ToDo", json!({})), Ok(json!([{"name": name}])));
        let all = house.list(&alice, "ToDo", json!({"fields": ["*"]})).expect("listed");
        assert_eq!(keys(&all[0]).len(), keys(&todo).len() - 1);
    }
}

#[test]
fn everybody_sees_their_own_todos_and_managers_see_all() {
    for house in House::all() {
        let (alice, bob) = (house.caller("alice@example.com"), house.caller("bob@example.com"));
        let hers = house.todo(&alice, "hers");
        let his = house.todo(&bob, "his");
        assert_eq!(house.list(&alice, "ToDo", json!({})), Ok(json!([{"name": hers}])));
        assert_eq!(house.list(&alice, "ToDo", json!({"filters": {"owner": "bob@example.com"}})), Ok(json!([])));
        let denied = |name: &str| {
            let (user, doctype, name) = ("alice@example.com".into(), "ToDo".into(), name.into());
            AppError::NotPermitted(Denied::Document { user, doctype, name, own_only: true })
        };
        assert_eq!(house.read(&alice, "ToDo", &his), Err(denied(&his)));
        assert_eq!(house.update(&alice, "ToDo", &his, json!({"status": "Closed"})), Err(denied(&his)));
        assert_eq!(house.delete(&alice, "ToDo", &his), Err(denied(&his)));
        assert_eq!(house.read(&alice, "ToDo", "nosuch"), Err(AppError::not_found("ToDo", "nosuch")));
        assert_eq!(house.read(&alice, "ToDo", "no\u{0}such"), Err(AppError::not_found("ToDo", "nosuch")));
        for everything in [house.caller("manager@example.com"), house.caller(ADMINISTRATOR)] {
            assert_eq!(house.list(&everything, "ToDo", json!({})).expect("listed").as_array().map(Vec::len), Some(2));
            assert!(house.read(&everything, "ToDo", &his).is_ok());
        }
        let count = |caller: &Caller| house.look(|cx| super::count(cx, caller, "ToDo", Some(&json!({"status": "Open"}))));
        assert_eq!(count(&alice), Ok(1));
        assert_eq!(count(&house.caller(ADMINISTRATOR)), Ok(2));
        let guest = Caller::guest();
        for outcome in [house.list(&guest, "ToDo", json!({})), house.read(&guest, "ToDo", &his), house.create(&guest, "ToDo", json!({}))] {
            assert!(matches!(outcome, Err(AppError::NotPermitted(Denied::Doctype { .. }))), "{outcome:?}");
        }
        assert_eq!(house.list(&guest, "Nope", json!({})), Err(AppError::not_found("DocType", "Nope")));
        assert_eq!(house.list(&alice, "Has Role", json!({})), Err(AppError::NotPermitted(Denied::ChildTable("Has Role".into()))));
    }
}

#[test]
fn scopes_narrow_before_roles_are_asked() {
    for house in House::all() {
        let alice = house.caller("alice@example.com");
        let name = house.todo(&alice, "x");
        let reader = with_scope(&alice, "read:todo");
        assert!(house.read(&reader, "ToDo", &name).is_ok());
        let needed = |scope: &str| AppError::InsufficientScope { needed: scope.into() };
        assert_eq!(house.update(&reader, "ToDo", &name, json!({"status": "Closed"})), Err(needed("write:todo")));
        assert_eq!(house.list(&reader, "Note", json!({})), Err(needed("read:note")));
        assert_eq!(house.list(&with_scope(&alice, "openid"), "ToDo", json!({})), Err(needed("read:todo")));
    }
}

#[test]
fn an_update_changes_what_was_sent_and_is_stopped_by_an_older_modified() {
    for house in House::all() {
        let alice = house.caller("alice@example.com");
        let name = house.todo(&alice, "x");
        let before = house.read(&alice, "ToDo", &name).expect("read");
        let after =
            house.update(&alice, "ToDo", &name, json!({"status": "Closed", "creation": "2000-01-01", "name": name})).expect("updated");
        assert_eq!(after["status"], "Closed");
        assert_eq!((&after["description"], &after["creation"]), (&before["description"], &before["creation"]));
        assert!(after["modified"].as_str() > before["modified"].as_str());
        let stale = house.update(&alice, "ToDo", &name, json!({"status": "Open", "modified": before["modified"]}));
        let stored = after["modified"].as_str().expect("a time").to_owned();
        assert_eq!(stale, Err(AppError::Stale { sent: before["modified"].as_str().expect("a time").into(), stored }));
        assert!(house.update(&alice, "ToDo", &name, json!({"status": "Open", "modified": after["modified"]})).is_ok());
        assert!(house.update(&alice, "ToDo", &name, json!({"modified": "yesterday"})).is_err());
        let submitted = house.update(&alice, "ToDo", &name, json!({"docstatus": 1}));
        assert_eq!(submitted, Err(AppError::NotPermitted(Denied::Because("Document Type is not submittable".into()))));
        assert_eq!(house.update(&alice, "ToDo", &name, json!({"name": "other"})), Err(AppError::not_found("ToDo", "other")));
        assert_eq!(house.update(&alice, "ToDo", "nosuch", json!({})), Err(AppError::not_found("ToDo", "nosuch")));
        assert!(matches!(house.update(&alice, "ToDo", &name, json!({"description": ""})), Err(AppError::Mandatory { .. })));
        let whole = house.read(&alice, "ToDo", &name).expect("read");
        assert!(house.update(&alice, "ToDo", &name, whole).is_ok(), "a document can be sent back as it was read");
    }
}

#[test]
fn rules_of_values_are_named_when_they_are_broken() {
    for house in House::all() {
        let alice = house.caller("alice@example.com");
        let bad = |body: Value| house.create(&alice, "ToDo", body).expect_err("must be refused");
        assert!(matches!(bad(json!({})), AppError::Mandatory { fields, .. } if fields[0].label == "Description"));
        assert!(
            matches!(bad(json!({"description": "x", "status": "Banana"})), AppError::NotAnOption { options, .. } if options == ["Open", "Closed", "Cancelled"])
        );
        assert!(matches!(bad(json!({"description": "x", "date": "notadate"})), AppError::Validation(text) if text.contains("date")));
        assert!(matches!(bad(json!({"description": "a\u{0}b"})), AppError::InvalidData(text) if text.contains("description")));
        let missing = |value: &str, label: &str| AppError::LinkNotFound { label: label.into(), value: value.into() };
        assert_eq!(bad(json!({"description": "x", "allocated_to": "nobody@example.com"})), missing("nobody@example.com", "Allocated To"));
        assert_eq!(bad(json!({"description": "x", "reference_type": "Nope"})), missing("Nope", "Reference Type"));
        assert_eq!(bad(json!({"description": "x", "reference_type": "Note", "reference_name": "n"})), missing("n", "Reference Name"));
        assert!(
            matches!(bad(json!({"description": "x", "reference_name": "n"})), AppError::Validation(text) if text == "Reference Type must be set first")
        );
        assert_eq!(bad(json!({"description": "x", "assignment_rule": "r"})), missing("r", "Assignment Rule"));
    }
}

#[test]
fn names_unique_fields_and_fields_set_once_are_kept() {
    for house in House::all() {
        let alice = house.caller("alice@example.com");
        let made = house.create(&alice, "Odd Thing", json!({"name": "a/b", "title": "T", "code": "c", "hidden": "x"})).expect("created");
        assert_eq!(made["name"], "a/b");
        assert!(!keys(&made).contains(&"hidden"), "a field of a higher level is neither written nor shown");
        assert_eq!(house.read(&alice, "Odd Thing", "a/b").expect("read")["title"], "T");
        let again = house.create(&alice, "Odd Thing", json!({"name": "a/b"}));
        assert_eq!(again, Err(AppError::Duplicate { doctype: "Odd Thing".into(), name: "a/b".into() }));
        let taken = AppError::NotUnique { label: "Title".into() };
        assert_eq!(house.create(&alice, "Odd Thing", json!({"name": "c", "title": "T"})), Err(taken.clone()));
        for name in ["d", "e"] {
            house.create(&alice, "Odd Thing", json!({"name": name, "title": " "})).expect("an empty unique field is nothing");
        }
        assert_eq!(house.update(&alice, "Odd Thing", "d", json!({"title": "T"})), Err(taken));
        assert_eq!(house.update(&alice, "Odd Thing", "a/b", json!({"code": "d"})), Err(AppError::SetOnce { label: "Code".into() }));
        assert!(house.update(&alice, "Odd Thing", "d", json!({"code": "d"})).is_ok());
        assert!(matches!(house.create(&alice, "Odd Thing", json!({})), Err(AppError::Validation(_))));
        assert!(matches!(house.create(&alice, "Odd Thing", json!({"name": "<b>"})), Err(AppError::InvalidName(_))));
        let manager = house.caller("manager@example.com");
        let seen = house.update(&manager, "Odd Thing", "a/b", json!({"hidden": "x"})).expect("updated");
        assert_eq!(seen["hidden"], "x");
        assert_eq!(
            house.list(&alice, "Odd Thing", json!({"fields": ["hidden", "title"], "filters": {"name": "a/b"}})),
            Ok(json!([{"title": "T"}]))
        );
        assert_eq!(house.list(&alice, "Odd Thing", json!({"filters": {"hidden": "x"}})), Err(AppError::FieldNotPermitted("hidden".into())));
        assert_eq!(house.list(&alice, "Odd Thing", json!({"order_by": "hidden"})), Err(AppError::FieldNotPermitted("hidden".into())));
    }
}

#[test]
fn a_document_that_is_named_elsewhere_cannot_be_deleted() {
    for house in House::all() {
        let alice = house.caller("alice@example.com");
        let todo = house.todo(&alice, "x");
        let linked = |by: &str| AppError::LinkExists {
            doctype: "ToDo".into(),
            name: todo.clone(),
            by_doctype: "Odd Thing".into(),
            by_name: by.into(),
        };
        house.create(&alice, "Odd Thing", json!({"name": "a/1", "todo": todo})).expect("created");
        assert_eq!(house.delete(&alice, "ToDo", &todo), Err(linked("a/1")));
        house.delete(&alice, "Odd Thing", "a/1").expect("deleted");
        house.create(&alice, "Odd Thing", json!({"name": "a2", "about_type": "ToDo", "about": todo})).expect("created");
        assert_eq!(house.delete(&alice, "ToDo", &todo), Err(linked("a2")));
        house.update(&alice, "Odd Thing", "a2", json!({"about_type": "", "about": ""})).expect("updated");
        house.delete(&alice, "ToDo", &todo).expect("deleted");
        assert_eq!(house.delete(&alice, "ToDo", &todo), Err(AppError::not_found("ToDo", todo.as_str())));
    }
}

/// Names of the listed things, in the order of their rank.
fn names(house: &House, caller: &Caller, params: Value) -> Vec<String> {
    let listed = house.list(caller, "Odd Thing", params.clone()).unwrap_or_else(|error| panic!("{params}: {error}"));
    listed.as_array().expect("a list").iter().map(|row| row["name"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn filters_mean_the_same_on_every_database() {
    for house in House::all() {
        let alice = house.caller("alice@example.com");
        let things = [
            json!({"name": "a", "rank": 1, "weight": 1.5, "done": 1, "due": "2026-01-01", "seen": "2026-01-01 10:00:00", "note": "Hello World"}),
            json!({"name": "B", "rank": 2, "weight": 2, "due": "2026-01-02", "seen": "2026-01-02 00:00:00.5", "note": "hello_world"}),
            json!({"name": "c", "rank": 3, "weight": -1, "due": "2026-02-01", "note": "100%"}),
            json!({"name": "d", "rank": 4, "note": "ÄPFEL \\"}),
            json!({"name": "e", "rank": 5}),
        ];
        for thing in things {
            house.create(&alice, "Odd Thing", thing).expect("created");
        }
        for (filters, expected) in [
            (json!({"rank": 3}), "c"),
            (json!({"rank": ["!=", 3]}), "a B d e"),
            (json!([["rank", ">", "1"], ["rank", "<=", 3]]), "B c"),
            (json!({"rank": ["in", "1, 5"]}), "a e"),
            (json!({"rank": ["not in", [1, 5]]}), "B c d"),
            (json!({"rank": ["between", [2, 4]]}), "B c d"),
            (json!({"weight": [">=", 0]}), "a B d e"),
            (json!({"weight": ["<", 0]}), "c"),
            (json!({"done": 0}), "B c d e"),
            (json!({"done": true}), "a"),
            // What is missing counts as '' or the first day.
            (json!({"due": ["<", "2026-01-02"]}), "a d e"),
            (json!({"due": [">=", "2026-01-02"]}), "B c"),
            (json!({"due": ["is", "set"]}), "a B c"),
            (json!({"due": ["is", "not set"]}), "d e"),
            (json!({"seen": ["between", ["2026-01-01", "2026-01-02"]]}), "a B"),
            (json!({"seen": ["like", "2026-01-02 00:00:00.5%"]}), "B"),
            (json!({"due": ["like", "2026-01%"]}), "a B"),
            (json!({"weight": ["like", "2.0"]}), "B"),
            (json!({"note": ""}), "e"),
            (json!({"note": ["!=", ""]}), "a B c d"),
            (json!({"note": ["is", "set"]}), "a B c d"),
            (json!({"note": ["is", "not set"]}), "e"),
            (json!({"note": ["!=", "100%"]}), "a B d e"),
            (json!({"note": ["in", ["", "100%"]]}), "c e"),
            (json!({"note": ["not in", ["100%"]]}), "a B d e"),
            (json!({"note": ["in", []]}), "e"),
            (json!({"note": ["like", "%HELLO%"]}), "a B"),
            (json!({"note": ["like", "%hello\\_%"]}), "B"),
            (json!({"note": ["like", "100\\%"]}), "c"),
            (json!({"note": ["like", "äpfel%"]}), ""),
            (json!({"note": ["like", "Äpfel%"]}), "d"),
            (json!({"note": ["like", "%\\"]}), "d"),
            (json!({"note": ["like", "%"]}), "a B c d e"),
            (json!({"note": ["not like", "%hello%"]}), "c d e"),
            (json!({"note": [">", "b"]}), "B d"),
            (json!({"name": ["in", "a,e"]}), "a e"),
            (json!({"name": ["like", "A"]}), "a"),
            (json!({"owner": "alice@example.com", "rank": ["<", 2]}), "a"),
        ] {
            let expected: Vec<&str> = expected.split_whitespace().collect();
            assert_eq!(names(&house, &alice, json!({"filters": filters})), expected, "{filters}");
        }
        for (order_by, expected) in [
            ("name", "B a c d e"),
            ("`tabOdd Thing`.`name` desc", "e d c a B"),
            ("due desc, rank", "c B a d e"),
            ("due asc, rank desc", "e d a B c"),
            ("note asc", "e c a B d"),
            ("", "a B c d e"),
        ] {
            let expected: Vec<&str> = expected.split_whitespace().collect();
            assert_eq!(names(&house, &alice, json!({"order_by": order_by})), expected, "{order_by}");
        }
        assert_eq!(names(&house, &alice, json!({"limit_start": 1, "limit": 2})), ["B", "c"]);
        assert_eq!(names(&house, &alice, json!({"limit_start": 3, "limit_page_length": "0"})), ["d", "e"]);
    }
}

#[test]
fn values_are_shown_alike_by_every_database() {
    for house in House::all_in(chrono_tz::Asia::Kolkata) {
        let alice = house.caller("alice@example.com");
        let sent = json!({"name": "a", "rank": -7, "weight": 3, "done": "1", "due": "2026-01-31", "seen": "2026-11-22 21:14:24.12", "note": "é\"\\\n\u{1}😀"});
        let made = house.create(&alice, "Odd Thing", sent).expect("created");
        assert_eq!(made["rank"], json!(-7));
        assert_eq!(made["weight"].to_string(), "3.0");
        assert_eq!((&made["done"], &made["due"], &made["seen"]), (&json!(1), &json!("2026-01-31"), &json!("2026-11-22 21:14:24.120000")));
        assert_eq!(made["note"], "é\"\\\n\u{1}😀");
        let whole = house.update(&alice, "Odd Thing", "a", json!({"seen": "2026-11-22T15:44:24Z", "weight": 1e300})).expect("updated");
        assert_eq!(whole["seen"], "2026-11-22 21:14:24");
        assert_eq!(whole["weight"], json!(1e300));
        assert_eq!(names(&house, &alice, json!({"filters": {"seen": "2026-11-22 21:14:24"}})), ["a"]);
        let missing = house.create(&alice, "Odd Thing", json!({"name": "b"})).expect("created");
        assert_eq!((missing["weight"].to_string(), &missing["rank"], &missing["seen"]), ("0.0".to_owned(), &json!(0), &Value::Null));
        let listed =
            house.list(&alice, "Odd Thing", json!({"fields": "[\"weight\", \"seen as at\"]", "filters": {"name": "b"}})).expect("listed");
        assert_eq!(listed.to_string(), "[{\"weight\":0.0,\"at\":null}]");
    }
}

#[test]
fn nothing_that_could_be_sql_reaches_the_database() {
    for house in House::all() {
        let alice = house.caller("alice@example.com");
        for params in [
            json!({"fields": ["name; drop table x"]}),
            json!({"fields": ["rand() as n"]}),
            json!({"fields": ["name as \"x'y\""]}),
            json!({"fields": "name\" from users --"}),
            json!({"order_by": "(select 1)"}),
            json!({"order_by": "name desc; drop table x"}),
            json!({"order_by": "rand() desc"}),
            json!({"filters": {"1=1 or name": "x"}}),
            json!({"filters": {"name\"": "x"}}),
            json!({"fields": ["nosuch"]}),
        ] {
            let outcome = house.list(&alice, "ToDo", params.clone());
            assert!(matches!(outcome, Err(AppError::FieldNotPermitted(_))), "{params}: {outcome:?}");
        }
        for params in [json!({"fields": "[name"}), json!({"fields": [1]}), json!({"fields": 5})] {
            assert!(matches!(house.list(&alice, "ToDo", params.clone()), Err(AppError::InvalidData(_))), "{params}");
        }
        for params in [json!({"fields": ["role.disabled"]}), json!({"filters": {"role.name": "x"}}), json!({"group_by": "role.name"})] {
            assert!(matches!(house.list(&alice, "ToDo", params.clone()), Err(AppError::NotPermitted(_))), "{params}");
        }
        let quoted = "it's; \"drop\" -- %s ? $1";
        let name = house.todo(&alice, quoted);
        assert_eq!(house.list(&alice, "ToDo", json!({"filters": {"description": quoted}})), Ok(json!([{"name": name}])));
    }
}

#[test]
fn a_table_grows_with_its_definition_and_refuses_what_would_lose_values() {
    for house in House::all() {
        let alice = house.caller("alice@example.com");
        house.create(&alice, "Odd Thing", json!({"name": "a", "rank": 3})).expect("created");
        let change = |definition: &str| {
            let doctype = Arc::new(DocType::parse("thing.json", definition, Origin::Site).expect("valid"));
            house.write(move |cx| super::doctypes::keep(cx, &doctype, ADMINISTRATOR))
        };
        let wider = THING.replace(
            r#"{"fieldname": "note""#,
            r#"{"fieldname": "extra", "label": "Extra", "fieldtype": "Int", "search_index": 1}, {"fieldname": "note""#,
        );
        change(&wider).expect("extended");
        assert_eq!(
            house.read(&alice, "Odd Thing", "a").map(|thing| (thing["extra"].clone(), thing["rank"].clone())),
            Ok((json!(0), json!(3)))
        );
        let retyped = THING.replace(r#""rank", "label": "Rank", "fieldtype": "Int""#, r#""rank", "label": "Rank", "fieldtype": "Date""#);
        assert!(change(&retyped).is_err_and(|error| error.to_string().contains("rank")));
    }
}

#[test]
fn an_ordinary_users_list_is_served_by_an_index() {
    for house in House::all().into_iter().filter(|house| house.database.db.backend() == Backend::Sqlite) {
        let plan = house
            .look(|cx| {
                let sql = "SELECT json_object('name', d.\"name\") FROM \"tabToDo\" AS d WHERE (d.\"owner\" = ?) ORDER BY d.\"modified\" DESC, d.\"name\" DESC LIMIT ?";
                Ok(crate::store::testing::explain(cx.conn, sql)?)
            })
            .expect("a plan");
        assert!(plan.contains("tabToDo.owner.idx") && !plan.contains("TEMP B-TREE"), "{plan}");
    }
}
