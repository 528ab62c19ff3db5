//! Documents over a table of their own: shape, rights, scopes, rules of values and names.

use serde_json::{Value, json};

use super::{House, document_keys, keys, object, with_scope};
use crate::auth::Caller;
use crate::domain::user::ADMINISTRATOR;
use crate::error::{AppError, Denied};
use crate::resource::{count, strip_nulls};

#[test]
fn a_todo_is_created_read_and_listed_in_frappes_shape() {
    for house in House::all() {
        let alice = house.caller("alice@example.com");
        let todo = house
            .create(&alice, "todo", json!({"description": "first", "name": "mine", "owner": "bob@example.com", "banana": 1}))
            .expect("created");
        assert_eq!(
            keys(&todo),
            document_keys(&[
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
                "assignment_rule"
            ])
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
        let stripped = strip_nulls(object(todo.clone()));
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
        let open = |caller: &Caller| house.look(|cx| count(cx, caller, "ToDo", Some(&json!({"status": "Open"}))));
        assert_eq!(open(&alice), Ok(1));
        assert_eq!(open(&house.caller(ADMINISTRATOR)), Ok(2));
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
