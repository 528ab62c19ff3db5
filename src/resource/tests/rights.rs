//! Rights beside roles: shares, User Permissions on trees, hooks, and the answers about them.

use super::*;
use crate::doctype::{FieldValue, Filter, Values};
use crate::resource::hooks::DocumentHooks;
use crate::resource::share::{self, Given, With};
use crate::resource::{Action, has_permission, permissions_of};
use crate::store::documents::{self, Stamp};
use crate::store::epochs;

const PLACE: &str = r#"{"name": "Locality", "autoname": "prompt", "is_tree": 1, "fields": [
    {"fieldname": "parent_locality", "label": "Parent", "fieldtype": "Link", "options": "Locality", "ignore_user_permissions": 1}
  ], "permissions": [{"role": "All", "read": 1, "create": 1}]}"#;
const VISIT: &str = r#"{"name": "Excursion", "autoname": "prompt", "title_field": "title", "fields": [
    {"fieldname": "title", "label": "Title", "fieldtype": "Data"},
    {"fieldname": "place", "label": "Locality", "fieldtype": "Link", "options": "Locality"}
  ], "permissions": [{"role": "All", "if_owner": 1, "read": 1, "write": 1, "create": 1, "delete": 1, "share": 1},
    {"role": "Agent", "read": 1}]}"#;

impl House {
    /// Houses with places, visits, and Agent carol.
    fn with_visits(hooks: &[Arc<dyn DocumentHooks>]) -> Vec<Self> {
        let furnish = |mut house: Self| {
            let mut registry = Registry::clone(&house.env.doctypes());
            for (file, text) in [("locality.json", PLACE), ("excursion.json", VISIT)] {
                registry.insert(file, DocType::parse(file, text, Origin::Site).expect("valid")).expect("new");
            }
            let url = PublicUrl::parse("http://127.0.0.1:8000", false).expect("valid");
            let env = Env::new(house.env.config.clone(), url, SealKey::generate(), Clock::System, registry, house.database.db.epochs());
            house.env = Arc::new(env.with_hooks(hooks.to_vec()));
            house.write(ensure_tables).expect("tables are made");
            house
                .write(|cx| {
                    users::insert_user(cx.conn, cx.now, &new_user("carol@example.com", "Carol"))?;
                    users::insert_role_of(cx.conn, cx.now, "carol@example.com", "Agent", ADMINISTRATOR)?;
                    let place = cx.env.doctypes().get("Locality").cloned().expect("added");
                    for (name, lft, rgt) in [("North", 1, 4), ("Fjord", 2, 3), ("South", 5, 6)] {
                        let mut values = Values::default();
                        values.set("lft", FieldValue::Int(lft));
                        values.set("rgt", FieldValue::Int(rgt));
                        documents::insert_document(cx.conn, &place, name, Stamp { user: ADMINISTRATOR, at: cx.now }, &values)?;
                    }
                    Ok(())
                })
                .expect("there are places");
            house
        };
        Self::all().into_iter().map(furnish).collect()
    }

    fn visit(&self, caller: &Caller, name: &str, place: Option<&str>) -> Result<Value, AppError> {
        self.create(caller, "Excursion", json!({"name": name, "title": format!("to {name}"), "place": place}))
    }

    fn visits(&self, caller: &Caller) -> Vec<String> {
        let rows = self.list(caller, "Excursion", json!({"order_by": "name", "limit": 0}));
        let rows = match rows {
            Ok(rows) => rows,
            Err(AppError::NotPermitted(_)) => return Vec::new(),
            Err(other) => panic!("{other}"),
        };
        rows.as_array().expect("a list").iter().map(|row| row["name"].as_str().expect("a name").to_owned()).collect()
    }

    fn share(&self, caller: &Caller, name: &'static str, with: &str, given: Given) -> Result<(), AppError> {
        let (caller, with) = (caller.clone(), With::User(with.to_owned()));
        self.write(move |cx| share::add(cx, &caller, "Excursion", name, &with, given).map(drop))
    }

    fn may(&self, caller: &Caller, name: Option<&str>, action: Action) -> Result<bool, AppError> {
        self.look(|cx| has_permission(cx, caller, "Excursion", name, action))
    }

    fn restrict(&self, user: &str, allow: &str, value: &str) {
        let administrator = self.caller(ADMINISTRATOR);
        self.create(&administrator, "User Permission", json!({"user": user, "allow": allow, "for_value": value})).expect("restricted");
    }
}

const READ: Given = Given { write: false, submit: false, share: false };

#[test]
fn a_share_opens_one_document_for_what_it_gives_and_as_long_as_it_is_there() {
    for house in House::with_visits(&[]) {
        let (alice, bob) = (house.caller("alice@example.com"), house.caller("bob@example.com"));
        for name in ["One", "Two"] {
            house.visit(&alice, name, None).expect("created");
        }
        assert_eq!(house.visits(&bob), Vec::<String>::new());
        assert!(matches!(house.read(&bob, "Excursion", "One"), Err(AppError::NotPermitted(_))));
        house.share(&alice, "One", "Bob@Example.com", READ).expect("shared");
        assert_eq!(house.visits(&bob), ["One"]);
        assert_eq!(house.read(&bob, "Excursion", "One").expect("shared")["title"], "to One");
        assert!(matches!(house.read(&bob, "Excursion", "Two"), Err(AppError::NotPermitted(_))));
        let change = || house.update(&bob, "Excursion", "One", json!({"title": "his"}));
        assert!(matches!(change(), Err(AppError::NotPermitted(_))));
        house.share(&alice, "One", "bob@example.com", Given { write: true, ..READ }).expect("shared");
        assert_eq!(change().expect("shared")["title"], "his");
        assert!(matches!(house.delete(&bob, "Excursion", "One"), Err(AppError::NotPermitted(_))), "a share gives no deletion");
        let shares = house.look(|cx| share::list(cx, &bob, "Excursion", "One")).expect("readable");
        assert_eq!(shares.len(), 1, "one share for one user: {shares:?}");
        assert_eq!((&shares[0]["user"], &shares[0]["write"]), (&json!("bob@example.com"), &json!(1)));
        let (by, with) = (alice.clone(), With::User("bob@example.com".into()));
        house.write(move |cx| share::remove(cx, &by, "Excursion", "One", &with)).expect("taken back");
        assert_eq!(house.visits(&bob), Vec::<String>::new());
        // Everyone is everybody but guests.
        let by = alice.clone();
        house.write(move |cx| share::add(cx, &by, "Excursion", "Two", &With::Everyone, READ).map(drop)).expect("shared");
        assert_eq!(house.visits(&bob), ["Two"]);
        assert_eq!(house.visits(&Caller::guest()), Vec::<String>::new());
        house.delete(&alice, "Excursion", "Two").expect("its shares go with it");
        house.visit(&alice, "Two", None).expect("created anew");
        assert_eq!(house.visits(&bob), Vec::<String>::new());
    }
}

#[test]
fn nobody_shares_what_they_do_not_have() {
    for house in House::with_visits(&[]) {
        let (alice, bob) = (house.caller("alice@example.com"), house.caller("bob@example.com"));
        house.visit(&alice, "One", None).expect("created");
        let refused = |result: Result<(), AppError>| assert!(matches!(result, Err(AppError::NotPermitted(_))), "{result:?}");
        refused(house.share(&bob, "One", "carol@example.com", READ));
        house.share(&alice, "One", "bob@example.com", READ).expect("shared");
        refused(house.share(&bob, "One", "carol@example.com", READ));
        house.share(&alice, "One", "bob@example.com", Given { share: true, ..READ }).expect("shared");
        house.share(&bob, "One", "manager@example.com", READ).expect("he may hand it on");
        refused(house.share(&bob, "One", "bob@example.com", Given { write: true, share: true, ..READ }));
        // Nor as a document, whatever the roles say about those.
        let body = json!({"user": "manager@example.com", "share_doctype": "Excursion", "share_name": "One", "write": 1});
        assert!(matches!(house.create(&house.caller("manager@example.com"), "DocShare", body), Err(AppError::NotPermitted(_))));
        let missing = house.share(&alice, "Nowhere", "bob@example.com", READ);
        assert_eq!(missing, Err(AppError::LinkNotFound { label: "Document Name".into(), value: "Nowhere".into() }));
        let nobody = house.share(&alice, "One", "nobody@example.com", READ);
        assert_eq!(nobody, Err(AppError::LinkNotFound { label: "User".into(), value: "nobody@example.com".into() }));
        let submit = house.share(&alice, "One", "bob@example.com", Given { submit: true, ..READ });
        assert!(matches!(submit, Err(AppError::Validation(_))), "{submit:?}");
        // A scope reaches what it shares.
        let narrow = house.share(&with_scope(&alice, "read:excursion"), "One", "carol@example.com", READ);
        assert_eq!(narrow, Err(AppError::InsufficientScope { needed: "write:excursion".into() }));
        // A right taken takes what stands on it.
        let with = With::User("bob@example.com".into());
        let by = alice.clone();
        let left = house.write(move |cx| share::set(cx, &by, "Excursion", "One", &with, "read", false)).expect("taken");
        assert_eq!(left, None);
        assert_eq!(house.visits(&bob), Vec::<String>::new());
    }
}

#[test]
fn user_permissions_reach_down_a_tree_and_hold_at_once() {
    for house in House::with_visits(&[]) {
        let (alice, carol) = (house.caller("alice@example.com"), house.caller("carol@example.com"));
        for (name, place) in [("A", Some("North")), ("B", Some("Fjord")), ("C", Some("South")), ("D", None)] {
            house.visit(&alice, name, place).expect("created");
        }
        assert_eq!(house.visits(&carol), ["A", "B", "C", "D"]);
        house.restrict("carol@example.com", "Locality", "North");
        assert_eq!(house.visits(&carol), ["A", "B", "D"]);
        assert!(matches!(house.read(&carol, "Excursion", "C"), Err(AppError::NotPermitted(_))));
        let places = house.list(&carol, "Locality", json!({"order_by": "name"})).expect("open to all");
        assert_eq!(places, json!([{"name": "Fjord"}, {"name": "North"}]));
        // What may not be used and what is not there are refused alike.
        let text = |result: Result<Value, AppError>| result.expect_err("refused");
        let said = [Some("South"), Some("Nowhere")].map(|place| text(house.visit(&carol, "E", place)));
        assert_eq!(said[0], said[1]);
        assert!(matches!(house.read(&alice, "Excursion", "E"), Err(AppError::NotFound { .. })), "rolled back");
        house.visit(&carol, "E", Some("Fjord")).expect("within");
        // Hers by ownership alone it would be, did her role not open all: the role's restriction counts.
        let moved = house.update(&carol, "Excursion", "E", json!({"place": "South"})).expect("an owner writes by owning");
        assert_eq!(moved["title"], Value::Null, "and does not read what she moved away: {moved}");
        // Strict: what has no place is no place of hers.
        house
            .write(|cx| {
                let settings = cx.env.doctypes().get("System Settings").cloned().expect("shipped");
                let mut values = Values::default();
                values.set("apply_strict_user_permissions", FieldValue::Int(1));
                documents::insert_document(cx.conn, &settings, "System Settings", Stamp { user: ADMINISTRATOR, at: cx.now }, &values)?;
                Ok(epochs::bump(cx.conn, cx.effects, cx.now, epochs::EVERYBODY)?)
            })
            .expect("set");
        assert_eq!(house.visits(&carol), ["A", "B"]);
        house.restrict("carol@example.com", "Excursion", "C");
        assert_eq!(house.visits(&carol), Vec::<String>::new(), "both restrictions hold");
    }
}

#[test]
fn rights_are_told_as_they_hold() {
    for house in House::with_visits(&[]) {
        let (alice, carol) = (house.caller("alice@example.com"), house.caller("carol@example.com"));
        house.visit(&alice, "One", Some("South")).expect("created");
        let of = |caller: &Caller, name: Option<&str>| -> Vec<&'static str> {
            let answer = house.look(|cx| permissions_of(cx, caller, "Excursion", name)).expect("an answer");
            answer.into_iter().filter(|(_, holds)| *holds).map(|(action, _)| action.as_str()).collect()
        };
        assert_eq!(of(&alice, Some("One")), ["select", "read", "write", "create", "delete", "share"]);
        assert_eq!(of(&carol, Some("One")), ["select", "read", "create"]);
        assert_eq!(of(&carol, None), ["select", "read", "write", "create", "delete", "share"]);
        assert_eq!(of(&Caller::guest(), Some("One")), Vec::<&str>::new());
        assert_eq!(of(&house.caller(ADMINISTRATOR), Some("One")).len(), Action::ALL.len());
        assert_eq!(of(&with_scope(&alice, "read:excursion"), Some("One")), ["select", "read"]);
        assert_eq!(house.may(&alice, Some("One"), Action::Write), Ok(true));
        assert_eq!(house.may(&carol, Some("One"), Action::Write), Ok(false));
        assert_eq!(house.may(&carol, Some("Nowhere"), Action::Read), Err(AppError::not_found("Excursion", "Nowhere")));
        house.restrict("carol@example.com", "Locality", "North");
        assert_eq!(house.may(&carol, Some("One"), Action::Read), Ok(false));
        house.share(&alice, "One", "carol@example.com", Given { write: true, ..READ }).expect("shared");
        assert_eq!(of(&carol, Some("One")), ["select", "read", "write", "print", "email"]);
    }
}

/// Visits to the South are nobody's business, and One is not to be written.
struct Discreet;

impl DocumentHooks for Discreet {
    fn doctype(&self) -> &str {
        "Excursion"
    }

    fn permission_filter(&self, _cx: &mut Cx, _caller: &Caller, _action: Action) -> Result<Option<Filter>, AppError> {
        Ok(Some(Filter::on("place", crate::doctype::filter::Operation::NotEqual(FieldValue::Text("South".into())))))
    }

    fn has_permission(&self, _cx: &mut Cx, _caller: &Caller, action: Action, document: &Map<String, Value>) -> Result<bool, AppError> {
        Ok(action != Action::Write || document["name"] != "One")
    }
}

#[test]
fn hooks_narrow_what_roles_open_and_nothing_else() {
    for house in House::with_visits(&[Arc::new(Discreet)]) {
        let (alice, carol) = (house.caller("alice@example.com"), house.caller("carol@example.com"));
        house.visit(&alice, "One", Some("North")).expect("created");
        house.visit(&alice, "Two", None).expect("created");
        assert!(matches!(house.visit(&alice, "Three", Some("South")), Err(AppError::NotPermitted(_))), "nor can one be made");
        house.visit(&house.caller(ADMINISTRATOR), "Four", Some("South")).expect("Administrator does everything");
        assert_eq!(house.visits(&carol), ["One", "Two"]);
        assert_eq!(house.visits(&house.caller(ADMINISTRATOR)), ["Four", "One", "Two"]);
        assert!(matches!(house.read(&carol, "Excursion", "Four"), Err(AppError::NotPermitted(_))));
        assert!(matches!(house.update(&alice, "Excursion", "One", json!({"title": "x"})), Err(AppError::NotPermitted(_))));
        assert!(house.update(&alice, "Excursion", "Two", json!({"title": "x"})).is_ok());
        assert!(matches!(house.update(&alice, "Excursion", "Two", json!({"place": "South"})), Err(AppError::NotPermitted(_))));
        assert_eq!(house.may(&alice, Some("One"), Action::Write), Ok(false));
        assert_eq!(house.may(&carol, Some("Four"), Action::Read), Ok(false));
        // What was shared by hand is open all the same (contract 7.4, 4).
        let by = house.caller(ADMINISTRATOR);
        house.write(move |cx| share::add(cx, &by, "Excursion", "Four", &With::Everyone, READ).map(drop)).expect("shared");
        assert_eq!(house.visits(&carol), ["Four", "One", "Two"]);
    }
}

#[test]
fn doctypes_over_typed_tables_are_shared_and_restricted_alike() {
    for house in House::with_visits(&[]) {
        let (bob, manager) = (house.caller("bob@example.com"), house.caller("manager@example.com"));
        let users = |caller: &Caller| column(&house.list(caller, "User", json!({"order_by": "name"})).expect("open"), "name");
        assert_eq!(users(&bob), ["bob@example.com"]);
        let by = house.caller(ADMINISTRATOR);
        let with = With::User("bob@example.com".into());
        house.write(move |cx| share::add(cx, &by, "User", "Alice@Example.com", &with, READ).map(drop)).expect("shared");
        assert_eq!(users(&bob), ["alice@example.com", "bob@example.com"]);
        assert!(house.read(&bob, "User", "alice@example.com").is_ok());
        assert!(matches!(house.read(&bob, "User", "carol@example.com"), Err(AppError::NotPermitted(_))));
        for (description, to) in [("for bob", Some("bob@example.com")), ("for alice", Some("alice@example.com")), ("for nobody", None)] {
            house.create(&bob, "ToDo", json!({"description": description, "allocated_to": to})).expect("created");
        }
        house.restrict("manager@example.com", "User", "bob@example.com");
        assert_eq!(users(&manager), ["bob@example.com"]);
        let todos = house.list(&manager, "ToDo", json!({"fields": ["description"], "order_by": "description"})).expect("open");
        assert_eq!(column(&todos, "description"), ["for bob", "for nobody"]);
        // What is deleted with a user does not come back with the name.
        let administrator = house.caller(ADMINISTRATOR);
        house.share_user(&administrator, "carol@example.com");
        house.delete(&administrator, "User", "carol@example.com").expect("nothing links to her");
        assert!(
            house.list(&administrator, "DocShare", json!({"filters": {"share_name": "carol@example.com"}})).expect("open") == json!([])
        );
    }
}

impl House {
    fn share_user(&self, by: &Caller, name: &'static str) {
        let by = by.clone();
        self.write(move |cx| share::add(cx, &by, "User", name, &With::Everyone, READ).map(drop)).expect("shared");
    }
}

/// One column of a list.
fn column(rows: &Value, fieldname: &str) -> Vec<String> {
    let rows = rows.as_array().expect("a list");
    rows.iter().map(|row| row[fieldname].as_str().expect("a text").to_owned()).collect()
}
