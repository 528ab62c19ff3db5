//! Singles, states and hooks.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{House, column, keys, products, text};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::{FieldValue, Values};
use crate::domain::user::ADMINISTRATOR;
use crate::error::{AppError, Denied, Docstatus};
use crate::resource::hooks::{Change, DocumentHooks, Hooks, Written};
use crate::resource::{read, single_value};

#[test]
fn a_single_is_there_with_its_defaults_and_changed_in_place() {
    for house in House::all() {
        let (alice, manager) = (house.caller("alice@example.com"), house.caller("manager@example.com"));
        let unsaved = house.read(&alice, "Odd Settings", "Odd Settings").expect("read");
        assert_eq!(
            keys(&unsaved),
            ["name", "owner", "modified", "modified_by", "docstatus", "idx", "colour", "size", "since", "doctype", "tags"]
        );
        assert_eq!((&unsaved["name"], &unsaved["idx"], &unsaved["colour"]), (&json!("Odd Settings"), &json!("0"), &json!("blue")));
        let changed = house.update(&manager, "Odd Settings", "Odd Settings", json!({"size": 5, "tags": [{"tag": "x"}]})).expect("changed");
        assert_eq!(
            (&changed["size"], &changed["colour"], &changed["modified_by"]),
            (&json!(5), &json!("blue"), &json!("manager@example.com"))
        );
        assert_eq!(keys(&changed), keys(&unsaved));
        assert_eq!(house.read(&alice, "Odd Settings", "Odd Settings"), Ok(changed.clone()));
        assert!(house.update(&manager, "Odd Settings", "Odd Settings", changed.clone()).is_ok());
        assert!(matches!(house.update(&manager, "Odd Settings", "Odd Settings", changed), Err(AppError::Stale { .. })));
        assert_eq!(house.look(|cx| single_value(cx, &alice, "Odd Settings", "size")), Ok(json!(5)));
        assert!(house.look(|cx| single_value(cx, &alice, "Odd Settings", "nosuch")).is_err());
        assert_eq!(house.read(&alice, "Odd Settings", "other"), Err(AppError::not_found("Odd Settings", "other")));
        assert_eq!(house.update(&manager, "Odd Settings", "x", json!({})), Err(AppError::not_found("Odd Settings", "x")));
        assert!(matches!(house.update(&alice, "Odd Settings", "Odd Settings", json!({})), Err(AppError::NotPermitted(_))));
        assert!(matches!(house.create(&manager, "Odd Settings", json!({})), Err(AppError::Validation(_))));
        assert!(matches!(house.delete(&house.caller(ADMINISTRATOR), "Odd Settings", "Odd Settings"), Err(AppError::Validation(_))));
    }
}

#[test]
fn documents_are_submitted_changed_where_they_may_cancelled_and_amended() {
    for house in House::all() {
        let (alice, manager) = (house.caller("alice@example.com"), house.caller("manager@example.com"));
        products(&house, &alice);
        let body = json!({"title": "T", "lines": [{"item": "Fig"}]});
        let make = || text(&house.create(&alice, "Order", body.clone()).expect("created"), "name");
        let set = |caller: &Caller, name: &str, docstatus: u8| house.update(caller, "Order", name, json!({"docstatus": docstatus}));
        let name = make();
        let transition = |from, to| Err(AppError::DocstatusTransition { from, to });
        assert_eq!(set(&manager, &name, 2), transition(Docstatus::Draft, Docstatus::Cancelled));
        assert!(matches!(set(&alice, &name, 1), Err(AppError::NotPermitted(_))), "alice may not submit");
        assert!(matches!(set(&manager, &name, 7), Err(AppError::Validation(_))));
        let submitted = set(&manager, &name, 1).expect("submitted");
        assert_eq!((&submitted["docstatus"], column(&submitted["lines"], "docstatus")), (&json!(1), vec![json!(1)]));
        assert_eq!(set(&manager, &name, 0), transition(Docstatus::Submitted, Docstatus::Draft));
        let change = |body: Value| house.update(&manager, "Order", &name, body);
        assert_eq!(change(json!({"note": "n", "tags": [{"tag": "late"}]})).expect("allowed")["note"], "n");
        let after = |label: &str, row, from: &str, to: &str| {
            Err(AppError::AfterSubmit { label: label.into(), row, from: from.into(), to: to.into() })
        };
        assert_eq!(change(json!({"title": "U"})), after("Title", None, "T", "U"));
        let row = &submitted["lines"][0]["name"];
        assert_eq!(change(json!({"lines": [{"name": row, "qty": 2}]})), after("Qty", Some(1), "1", "2"));
        assert_eq!(change(json!({"lines": [{"name": row}, {"item": "Fig"}]})), after("Lines", None, "1", "2"));
        assert!(matches!(change(json!({"key": "x"})), Err(AppError::AfterSubmit { .. })));
        assert!(matches!(house.delete(&manager, "Order", &name), Err(AppError::Validation(_))));
        assert!(matches!(
            house.create(&manager, "Order", json!({"title": "U", "lines": [{"item": "Fig"}], "amended_from": name})),
            Err(AppError::Validation(_))
        ));
        assert_eq!(set(&manager, &name, 2).expect("cancelled")["lines"][0]["docstatus"], json!(2));
        assert_eq!(change(json!({"note": "x"})), Err(AppError::Validation("Cannot edit cancelled document".into())));
        let amend = |caller: &Caller, from: &str| {
            house.create(caller, "Order", json!({"title": "U", "lines": [{"item": "Fig"}], "amended_from": from, "docstatus": 1}))
        };
        assert!(matches!(amend(&alice, &name), Err(AppError::NotPermitted(_))));
        let first = amend(&manager, &name).expect("amended");
        assert_eq!((text(&first, "name"), &first["docstatus"]), (format!("{name}-1"), &json!(1)));
        set(&manager, &format!("{name}-1"), 2).expect("cancelled");
        assert_eq!(text(&amend(&manager, &format!("{name}-1")).expect("amended"), "name"), format!("{name}-2"));
        assert!(matches!(amend(&manager, "nosuch"), Err(AppError::LinkNotFound { .. })));
        let created = house.create(&alice, "Order", json!({"title": "T", "lines": [{"item": "Fig"}], "docstatus": 1}));
        assert!(matches!(created, Err(AppError::NotPermitted(Denied::Doctype { .. }))), "{created:?}");
        assert_eq!(house.create(&manager, "Order", json!({"docstatus": 2})), transition(Docstatus::Draft, Docstatus::Cancelled));
        house.delete(&manager, "Order", &make()).expect("a draft is deleted");
    }
}

/// Notes what it is called for, and refuses what it is told to.
#[derive(Default)]
struct Watch {
    calls: Mutex<Vec<String>>,
    refuses: Mutex<Option<&'static str>>,
}

impl Watch {
    fn note(&self, call: &str, name: &str) -> Result<(), AppError> {
        self.calls.lock().expect("no holder panics").push(format!("{call} {name}"));
        match *self.refuses.lock().expect("no holder panics") {
            Some(refused) if refused == call => Err(AppError::Validation(format!("not {call}"))),
            _ => Ok(()),
        }
    }
}

impl DocumentHooks for Watch {
    fn doctype(&self) -> &str {
        "Order"
    }
    fn before_insert(&self, _cx: &mut Cx, change: &mut Change<'_>) -> Result<(), AppError> {
        change.values.set("note", FieldValue::Text("hooked".into()));
        self.note("before_insert", change.name)
    }
    fn validate(&self, _cx: &mut Cx, change: &mut Change<'_>) -> Result<(), AppError> {
        if let Some(rows) = change.values.rows_mut("tags") {
            let mut row = Values::default();
            row.set("tag", FieldValue::Text(format!("{}", rows.len())));
            rows.push(row);
        }
        self.note("validate", change.name)
    }
    fn on_update(&self, cx: &mut Cx, written: &Written<'_>) -> Result<(), AppError> {
        assert!(read(cx, written.caller, "Order", written.name).is_ok(), "it is stored by now");
        self.note("on_update", written.name)
    }
    fn on_submit(&self, _cx: &mut Cx, written: &Written<'_>) -> Result<(), AppError> {
        self.note("on_submit", written.name)
    }
    fn on_cancel(&self, _cx: &mut Cx, written: &Written<'_>) -> Result<(), AppError> {
        self.note("on_cancel", written.name)
    }
    fn on_trash(&self, _cx: &mut Cx, written: &Written<'_>) -> Result<(), AppError> {
        self.note("on_trash", written.name)
    }
}

#[test]
fn hooks_run_at_their_points_change_what_is_written_and_undo_what_they_refuse() {
    for mut house in House::all() {
        let watch = Arc::new(Watch::default());
        Arc::get_mut(&mut house.env).expect("nobody else has it").hooks = Hooks::new(vec![Arc::clone(&watch) as Arc<dyn DocumentHooks>]);
        let manager = house.caller("manager@example.com");
        products(&house, &manager);
        let body = json!({"title": "T", "lines": [{"item": "Fig"}]});
        let refuse = |call: Option<&'static str>| *watch.refuses.lock().expect("no holder panics") = call;
        let refused = |call: &str| Err(AppError::Validation(format!("not {call}")));
        let calls = || std::mem::take(&mut *watch.calls.lock().expect("no holder panics"));
        for call in ["before_insert", "validate", "on_update"] {
            refuse(Some(call));
            assert_eq!(house.create(&manager, "Order", body.clone()), refused(call));
        }
        refuse(None);
        calls();
        let made = house.create(&manager, "Order", body.clone()).expect("created");
        assert_eq!((&made["name"], &made["note"], column(&made["tags"], "tag")), (&json!("ORD-001"), &json!("hooked"), vec![json!("0")]));
        assert_eq!(calls(), ["before_insert ", "validate ORD-001", "on_update ORD-001"]);
        let set = |docstatus: u8| house.update(&manager, "Order", "ORD-001", json!({"docstatus": docstatus}));
        let submit: &[&str] = &["validate ORD-001", "on_update ORD-001", "on_submit ORD-001"];
        for (call, docstatus, expected) in [("on_submit", 1, submit), ("on_cancel", 2, &["on_cancel ORD-001"])] {
            refuse(Some(call));
            assert_eq!(set(docstatus), refused(call));
            refuse(None);
            calls();
            assert_eq!(set(docstatus).expect("allowed")["docstatus"], docstatus);
            assert_eq!(calls(), expected);
        }
        refuse(Some("on_trash"));
        assert_eq!(house.delete(&manager, "Order", "ORD-001").map(|()| Value::Null), refused("on_trash"));
        refuse(None);
        calls();
        house.delete(&manager, "Order", "ORD-001").expect("deleted");
        assert_eq!(calls(), ["on_trash ORD-001"]);
    }
}
