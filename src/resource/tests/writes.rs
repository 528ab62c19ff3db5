//! Writing documents: names, rows, singles, states, hooks.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{House, keys};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::FieldValue;
use crate::domain::user::ADMINISTRATOR;
use crate::error::{AppError, Denied, Docstatus, FieldPlace, TreeRule};
use crate::resource::SentName;
use crate::resource::hooks::{Change, DocumentHooks, Hooks, Written};

/// Further doctypes of every house.
pub(super) const DEFINITIONS: &[&str] =
    &[ORDER, ORDER_LINE, ORDER_TAG, PRODUCT, TICKET, COUNTED, SERIES, UNIQUE_ID, SETTINGS, PLACE, VISIT];

const ORDER: &str = r#"{"name": "Order", "autoname": "format:ORD-{###}", "is_submittable": 1, "fields": [
    {"fieldname": "title", "label": "Title", "fieldtype": "Data", "reqd": 1},
    {"fieldname": "note", "label": "Note", "fieldtype": "Data", "allow_on_submit": 1},
    {"fieldname": "lines", "label": "Lines", "fieldtype": "Table", "options": "Order Line", "reqd": 1},
    {"fieldname": "tags", "label": "Tags", "fieldtype": "Table MultiSelect", "options": "Order Tag", "allow_on_submit": 1},
    {"fieldname": "amended_from", "label": "Amended From", "fieldtype": "Link", "options": "Order", "read_only": 1, "no_copy": 1},
    {"fieldname": "key", "label": "Key", "fieldtype": "Password"}
  ], "permissions": [{"role": "All", "read": 1, "write": 1, "create": 1, "delete": 1},
    {"role": "System Manager", "read": 1, "write": 1, "create": 1, "delete": 1, "submit": 1, "cancel": 1, "amend": 1},
    {"role": "System Manager", "permlevel": 1, "read": 1, "write": 1}]}"#;

const ORDER_LINE: &str = r#"{"name": "Order Line", "istable": 1, "fields": [
    {"fieldname": "item", "label": "Item", "fieldtype": "Link", "options": "Product", "reqd": 1},
    {"fieldname": "item_title", "label": "Item Title", "fieldtype": "Data", "fetch_from": "item.title"},
    {"fieldname": "rate", "label": "Rate", "fieldtype": "Float", "fetch_from": "item.rate", "fetch_if_empty": 1},
    {"fieldname": "qty", "label": "Qty", "fieldtype": "Int", "default": "1", "non_negative": 1},
    {"fieldname": "kind", "label": "Kind", "fieldtype": "Select", "options": "Normal\nGift"},
    {"fieldname": "cost", "label": "Cost", "fieldtype": "Int", "permlevel": 1},
    {"fieldname": "pin", "label": "PIN", "fieldtype": "Password"}
  ]}"#;

const ORDER_TAG: &str = r#"{"name": "Order Tag", "istable": 1, "fields": [
    {"fieldname": "tag", "label": "Tag", "fieldtype": "Data"}]}"#;

const PRODUCT: &str = r#"{"name": "Product", "autoname": "field:title", "fields": [
    {"fieldname": "title", "label": "Title", "fieldtype": "Data"},
    {"fieldname": "rate", "label": "Rate", "fieldtype": "Float"}
  ], "permissions": [{"role": "All", "read": 1, "write": 1, "create": 1, "delete": 1}]}"#;

const TICKET: &str = r#"{"name": "Odd Ticket", "autoname": "TK-.YYYY.-.#####", "fields": [
    {"fieldname": "subject", "label": "Subject", "fieldtype": "Data", "reqd": 1}
  ], "permissions": [{"role": "All", "read": 1, "write": 1, "create": 1, "delete": 1}]}"#;

const COUNTED: &str = r#"{"name": "Counted", "autoname": "autoincrement", "fields": [
    {"fieldname": "title", "label": "Title", "fieldtype": "Data"},
    {"fieldname": "next", "label": "Next", "fieldtype": "Link", "options": "Counted"}
  ], "permissions": [{"role": "All", "read": 1, "write": 1, "create": 1, "delete": 1}]}"#;

const SERIES: &str = r#"{"name": "In Series", "autoname": "naming_series:", "fields": [
    {"fieldname": "naming_series", "label": "Series", "fieldtype": "Select", "options": "S-\nT-.##"}
  ], "permissions": [{"role": "All", "read": 1, "write": 1, "create": 1, "delete": 1}]}"#;

const UNIQUE_ID: &str = r#"{"name": "Unique Id", "autoname": "UUID", "fields": [
    {"fieldname": "title", "label": "Title", "fieldtype": "Data"}
  ], "permissions": [{"role": "All", "read": 1, "write": 1, "create": 1, "delete": 1}]}"#;

const SETTINGS: &str = r#"{"name": "Odd Settings", "issingle": 1, "fields": [
    {"fieldname": "colour", "label": "Colour", "fieldtype": "Data", "default": "blue"},
    {"fieldname": "size", "label": "Size", "fieldtype": "Int"},
    {"fieldname": "since", "label": "Since", "fieldtype": "Date"},
    {"fieldname": "tags", "label": "Tags", "fieldtype": "Table", "options": "Order Tag"}
  ], "permissions": [{"role": "All", "read": 1}, {"role": "System Manager", "read": 1, "write": 1, "create": 1}]}"#;

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

#[test]
fn series_count_by_prefix_without_gaps_and_take_back_only_their_last_number() {
    for house in House::all() {
        let alice = house.caller("alice@example.com");
        let year = &house.env.clock.now().naive_utc().to_string()[..4];
        let make = || house.create(&alice, "Odd Ticket", json!({"subject": "x", "name": "mine"}));
        let name = |number: u32| format!("TK-{year}-{number:05}");
        for number in 1..=3 {
            assert_eq!(text(&make().expect("created"), "name"), name(number));
        }
        assert!(matches!(house.create(&alice, "Odd Ticket", json!({})), Err(AppError::Mandatory { name: taken, .. }) if taken == name(4)));
        house.delete(&alice, "Odd Ticket", &name(2)).expect("deleted");
        house.delete(&alice, "Odd Ticket", &name(3)).expect("deleted");
        assert_eq!(text(&make().expect("created"), "name"), name(3), "the last one was given back, the refused one never taken");
        assert_eq!(text(&make().expect("created"), "name"), name(4));
        let series = |naming_series: Option<&str>| {
            house.create(&alice, "In Series", json!({"naming_series": naming_series})).map(|made| text(&made, "name"))
        };
        assert_eq!(
            (series(None), series(Some("S-")), series(Some("T-.##"))),
            (Ok("S-00001".into()), Ok("S-00002".into()), Ok("T-01".into()))
        );
        assert!(matches!(series(Some("U-")), Err(AppError::NotAnOption { .. })));
        let honoured = house.write({
            let alice = alice.clone();
            move |cx| {
                let body = super::object(json!({"name": "mine", "subject": "x"}));
                crate::resource::create_named(cx, &alice, "Odd Ticket", body, SentName::Honoured, &Default::default())
            }
        });
        assert_eq!(honoured.map(|made| made["name"].clone()), Ok(json!("mine")));
    }
}

#[test]
fn names_that_are_numbers_are_numbers_wherever_they_are_shown() {
    for house in House::all() {
        let alice = house.caller("alice@example.com");
        let first = house.create(&alice, "Counted", json!({"title": "a", "name": 9})).expect("created");
        assert_eq!(first["name"], json!(1));
        let second = house.create(&alice, "Counted", json!({"title": "b", "next": 1})).expect("created");
        assert_eq!((&second["name"], &second["next"]), (&json!(2), &json!("1")));
        assert_eq!(house.list(&alice, "Counted", json!({"order_by": "name desc"})), Ok(json!([{"name": 2}, {"name": 1}])));
        assert_eq!(house.read(&alice, "Counted", "2").expect("read")["title"], "b");
        for other in ["02", "+2", "2.0", "x", "", "99999999999999999999"] {
            assert_eq!(house.read(&alice, "Counted", other), Err(AppError::not_found("Counted", other)), "{other}");
        }
        assert!(house.update(&alice, "Counted", "2", json!({"name": 2, "title": "c"})).is_ok());
        assert_eq!(house.update(&alice, "Counted", "2", json!({"name": 1})), Err(AppError::not_found("Counted", "1")));
        assert!(matches!(house.update(&alice, "Counted", "1", json!({"next": 77})), Err(AppError::LinkNotFound { .. })));
        assert!(matches!(house.delete(&alice, "Counted", "1"), Err(AppError::LinkExists { .. })));
        house.delete(&alice, "Counted", "2").expect("deleted");
        house.delete(&alice, "Counted", "1").expect("deleted");
        assert_eq!(house.create(&alice, "Counted", json!({})).expect("created")["name"], json!(3), "numbers are not used twice");
    }
}

#[test]
fn a_uuid_is_made_or_sent() {
    for house in House::all() {
        let alice = house.caller("alice@example.com");
        let made = text(&house.create(&alice, "Unique Id", json!({})).expect("created"), "name");
        assert_eq!((made.len(), &made[14..15]), (36, "7"));
        let sent = "0192e4a1-0000-7000-8000-000000000001";
        assert_eq!(text(&house.create(&alice, "Unique Id", json!({"name": sent})).expect("created"), "name"), sent);
        assert!(matches!(house.create(&alice, "Unique Id", json!({"name": sent})), Err(AppError::Duplicate { .. })));
        assert!(matches!(house.create(&alice, "Unique Id", json!({"name": "mine"})), Err(AppError::InvalidName(_))));
    }
}

#[test]
fn rows_are_stored_in_order_filled_in_and_shown_whole() {
    for house in House::all() {
        let alice = house.caller("alice@example.com");
        products(&house, &alice);
        let lines = json!([{"item": "Pear", "cost": 5, "name": "mine", "parent": "x", "idx": 7}, {"item": "Fig", "qty": 3, "rate": 1, "kind": "Gift"}]);
        let order = house.create(&alice, "Order", json!({"title": "T", "lines": lines})).expect("created");
        assert_eq!((&order["name"], &order["tags"]), (&json!("ORD-001"), &json!([])));
        assert_eq!(keys(&order)[7..], ["title", "note", "amended_from", "key", "doctype", "lines", "tags"]);
        let expected = [
            "name",
            "owner",
            "creation",
            "modified",
            "modified_by",
            "docstatus",
            "idx",
            "item",
            "item_title",
            "rate",
            "qty",
            "kind",
            "pin",
            "parent",
            "parentfield",
            "parenttype",
            "doctype",
        ];
        assert_eq!(keys(&order["lines"][0]), expected, "the cost is of a level that alice lacks");
        let lines = &order["lines"];
        assert_eq!(column(lines, "idx"), [1, 2]);
        assert_eq!(column(lines, "parent"), ["ORD-001", "ORD-001"]);
        assert_eq!((column(lines, "parentfield"), column(lines, "parenttype")), (vec![json!("lines"); 2], vec![json!("Order"); 2]));
        assert_eq!(column(lines, "item_title"), ["Pear", "Fig"]);
        assert_eq!(column(lines, "rate"), [2.5, 1.0]);
        assert_eq!((column(lines, "qty"), column(lines, "kind")), (vec![json!(1), json!(3)], vec![json!("Normal"), json!("Gift")]));
        assert_eq!(column(lines, "owner"), ["alice@example.com", "alice@example.com"]);
        assert_ne!(lines[0]["name"], "mine");
        assert_eq!(house.read(&alice, "Order", "ORD-001"), Ok(order.clone()));
        let administrator = house.caller(ADMINISTRATOR);
        assert_eq!(column(&house.read(&administrator, "Order", "ORD-001").expect("read")["lines"], "cost"), [0, 0]);
    }
}

#[test]
fn rows_are_matched_by_name_replaced_added_and_removed() {
    for house in House::all() {
        let (alice, bob) = (house.caller("alice@example.com"), house.caller("bob@example.com"));
        products(&house, &alice);
        let lines = json!([{"item": "Pear"}, {"item": "Fig", "qty": 3}]);
        let order = house.create(&alice, "Order", json!({"title": "T", "lines": lines, "tags": [{"tag": "a"}]})).expect("created");
        let other = house.create(&alice, "Order", json!({"title": "U", "lines": [{"item": "Fig", "qty": 9}]})).expect("created");
        let (pear, fig, foreign) = (&order["lines"][0], &order["lines"][1], &other["lines"][0]);
        let sent = json!([{"name": fig["name"], "qty": 4}, {"name": foreign["name"], "item": "Pear", "qty": 8}, {"item": "Pear", "name": fig["name"]}]);
        let changed = house.update(&bob, "Order", "ORD-001", json!({"lines": sent})).expect("updated");
        let now = &changed["lines"];
        assert_eq!((column(now, "idx"), column(now, "qty")), (vec![json!(1), json!(2), json!(3)], vec![json!(4), json!(8), json!(1)]));
        assert_eq!((&now[0]["name"], &now[0]["item"], &now[0]["creation"]), (&fig["name"], &json!("Fig"), &fig["creation"]));
        assert_eq!((column(now, "owner")), ["alice@example.com", "bob@example.com", "bob@example.com"]);
        assert!(now[0]["modified"].as_str() > fig["modified"].as_str());
        assert!(column(now, "name")[1..].iter().all(|name| ![&pear["name"], &fig["name"], &foreign["name"]].contains(&name)));
        assert_eq!(house.read(&bob, "Order", "ORD-002"), Ok(other), "a row of another document stays there");
        assert_eq!(column(&changed["tags"], "tag"), ["a"], "a table that was not sent stays");
        let fewer = house.update(&bob, "Order", "ORD-001", json!({"tags": [], "lines": [{"name": now[2]["name"]}]})).expect("updated");
        assert_eq!((column(&fewer["lines"], "name"), &fewer["tags"]), (vec![now[2]["name"].clone()], &json!([])));
        let whole = house.read(&bob, "Order", "ORD-001").expect("read");
        assert_eq!(
            house.update(&bob, "Order", "ORD-001", whole.clone()).expect("sent back")["lines"][0]["name"],
            whole["lines"][0]["name"]
        );
        house.delete(&bob, "Order", "ORD-001").expect("deleted");
        let rows = |cx: &mut Cx| {
            let registry = cx.env.doctypes();
            let line = registry.get("Order Line").expect("known");
            Ok(crate::store::documents::count_documents(cx.conn, line, &crate::doctype::Filter::always(), chrono_tz::UTC)?)
        };
        assert_eq!(house.look(rows), Ok(1), "only the other order's row is left");
    }
}

#[test]
fn rows_are_checked_like_documents_and_named_by_number() {
    for house in House::all() {
        let alice = house.caller("alice@example.com");
        products(&house, &alice);
        let bad = |lines: Value| house.create(&alice, "Order", json!({"title": "T", "lines": lines})).expect_err("must be refused");
        let line = |more: Value| {
            let mut row = super::object(json!({"item": "Pear"}));
            row.extend(super::object(more));
            bad(json!([{"item": "Fig"}, row]))
        };
        assert!(matches!(line(json!({"kind": "Banana"})), AppError::NotAnOption { row: Some(2), label, .. } if label == "Kind"));
        assert_eq!(line(json!({"qty": -1})), AppError::Validation("Row #2: Value cannot be negative for Qty".into()));
        assert_eq!(line(json!({"item": "Plum"})), AppError::LinkNotFound { label: "Row #2: Item".into(), value: "Plum".into() });
        assert_eq!(line(json!({"item": "x".repeat(141)})), AppError::TooLong { label: "Row #2: Item".into(), max: 140 });
        let AppError::Mandatory { fields, .. } = line(json!({"item": ""})) else { panic!("a required field") };
        assert_eq!(fields.len(), 1);
        assert_eq!(fields[0].place, FieldPlace::Row { doctype: "Order Line".into(), number: 2 });
        let AppError::Mandatory { fields, .. } = bad(json!([])) else { panic!("a required table") };
        assert_eq!((fields[0].label.as_str(), &fields[0].place), ("Lines", &FieldPlace::Table));
        assert!(matches!(bad(json!([5])), AppError::InvalidData(_)));
        let made = house.create(&alice, "Order", json!({"title": "T", "lines": "[{\"item\": \"Fig\"}]"})).expect("a form sends text");
        let refused = house.update(&alice, "Order", &text(&made, "name"), json!({"lines": []}));
        assert!(matches!(refused, Err(AppError::Mandatory { .. })));
        let many: Vec<Value> = (0..700).map(|number| json!({"item": "Fig", "qty": number})).collect();
        let made = house.create(&alice, "Order", json!({"title": "T", "lines": many})).expect("created");
        assert_eq!(column(&made["lines"], "qty"), (0..700).map(Value::from).collect::<Vec<_>>());
    }
}

#[test]
fn secrets_of_documents_and_rows_are_kept_sealed_and_shown_as_stars() {
    for house in House::all() {
        let alice = house.caller("alice@example.com");
        products(&house, &alice);
        let sent = json!({"title": "T", "key": "hush hush", "lines": [{"item": "Fig"}, {"item": "Pear", "pin": "1234"}]});
        let order = house.create(&alice, "Order", sent).expect("created");
        let name = text(&order, "name");
        assert_eq!((&order["key"], column(&order["lines"], "pin")), (&json!("*********"), vec![Value::Null, json!("****")]));
        let whole = house.update(&alice, "Order", &name, order.clone()).expect("stars change nothing");
        let row = text(&whole["lines"][1], "name");
        let open = |doctype: &'static str, name: &str, field: &'static str| {
            house.look(|cx| {
                crate::resource::open_secret(cx, doctype, name, field)
                    .map(|secret| secret.map(|secret| String::from_utf8_lossy(&secret).into_owned()))
            })
        };
        assert_eq!(open("Order", &name, "key"), Ok(Some("hush hush".into())));
        assert_eq!(open("Order Line", &row, "pin"), Ok(Some("1234".into())));
        let other = house.update(&alice, "Order", &name, json!({"key": "other"})).expect("updated");
        assert_eq!((&other["key"], open("Order", &name, "key")), (&json!("*****"), Ok(Some("other".into()))));
        let listed = house.list(&alice, "Order", json!({"fields": ["*"]})).expect("listed");
        assert!(!listed.to_string().contains("other") && listed[0].get("key").is_none());
        assert_eq!(house.list(&alice, "Order", json!({"filters": {"key": "other"}})), Err(AppError::FieldNotPermitted("key".into())));
        let gone = house.update(&alice, "Order", &name, json!({"key": ""})).expect("updated");
        assert_eq!((&gone["key"], open("Order", &name, "key")), (&Value::Null, Ok(None)));
        house.delete(&alice, "Order", &name).expect("deleted");
        assert_eq!(open("Order Line", &row, "pin"), Ok(None));
    }
}

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
        assert_eq!(house.look(|cx| crate::resource::single_value(cx, &alice, "Odd Settings", "size")), Ok(json!(5)));
        assert!(house.look(|cx| crate::resource::single_value(cx, &alice, "Odd Settings", "nosuch")).is_err());
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
            let mut row = crate::doctype::Values::default();
            row.set("tag", FieldValue::Text(format!("{}", rows.len())));
            rows.push(row);
        }
        self.note("validate", change.name)
    }
    fn on_update(&self, cx: &mut Cx, written: &Written<'_>) -> Result<(), AppError> {
        assert!(crate::resource::read(cx, written.caller, "Order", written.name).is_ok(), "it is stored by now");
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

const PLACE: &str = r#"{"name": "Place", "autoname": "field:title", "is_tree": 1, "nsm_parent_field": "above", "allow_rename": 1, "track_changes": 1, "fields": [
    {"fieldname": "title", "label": "Title", "fieldtype": "Data", "reqd": 1},
    {"fieldname": "above", "label": "Above", "fieldtype": "Link", "options": "Place"},
    {"fieldname": "is_group", "label": "Is Group", "fieldtype": "Check"},
    {"fieldname": "key", "label": "Key", "fieldtype": "Password"},
    {"fieldname": "tags", "label": "Tags", "fieldtype": "Table", "options": "Order Tag"}
  ], "permissions": [{"role": "All", "read": 1, "write": 1, "create": 1}, {"role": "System Manager", "read": 1, "write": 1, "create": 1, "delete": 1}]}"#;

const VISIT: &str = r#"{"name": "Visit", "autoname": "hash", "fields": [
    {"fieldname": "place", "label": "Place", "fieldtype": "Link", "options": "Place"},
    {"fieldname": "about_type", "label": "About Type", "fieldtype": "Link", "options": "DocType"},
    {"fieldname": "about", "label": "About", "fieldtype": "Dynamic Link", "options": "about_type"}
  ], "permissions": [{"role": "All", "read": 1, "write": 1, "create": 1, "delete": 1}]}"#;

/// Name, parent, lft and rgt of every place.
fn tree_of(house: &House, caller: &Caller) -> Vec<(String, String, i64, i64)> {
    let rows = house.list(caller, "Place", json!({"fields": ["name", "above", "lft", "rgt"], "limit_page_length": "0", "order_by": "lft"}));
    let rows = rows.expect("listed");
    let number = |row: &Value, key: &str| row[key].as_i64().expect("a number");
    rows.as_array()
        .expect("rows")
        .iter()
        .map(|row| (text(row, "name"), row["above"].as_str().unwrap_or_default().to_owned(), number(row, "lft"), number(row, "rgt")))
        .collect()
}

/// Every place encloses exactly what is beneath it, and no number is left out or used twice.
fn assert_nested(tree: &[(String, String, i64, i64)]) {
    let mut numbers: Vec<i64> = tree.iter().flat_map(|(_, _, left, right)| [*left, *right]).collect();
    numbers.sort_unstable();
    let count = i64::try_from(numbers.len()).expect("few");
    assert_eq!(numbers, (1..=count).collect::<Vec<_>>(), "{tree:?}");
    let above = |name: &str| tree.iter().find(|(other, ..)| other == name).map(|(_, above, ..)| above.clone()).unwrap_or_default();
    for (name, _, left, right) in tree {
        for (other, _, other_left, other_right) in tree {
            let mut ancestor = above(other);
            while !ancestor.is_empty() && ancestor != *name {
                ancestor = above(&ancestor);
            }
            assert_eq!(left < other_left && other_right < right, ancestor == *name, "{name} {other} {tree:?}");
        }
    }
}

#[test]
fn a_tree_stays_nested_whatever_is_made_moved_renamed_merged_and_deleted() {
    for house in House::all() {
        let manager = house.caller("manager@example.com");
        // A linear congruential generator: the same moves every time.
        let mut state = 20_261_123_u64;
        let mut random = move |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).expect("31 bits") % below
        };
        let (mut made, mut loops) = (0, 0);
        for _ in 0..120 {
            let tree = tree_of(&house, &manager);
            let pick = |random: &mut dyn FnMut(usize) -> usize| (!tree.is_empty()).then(|| tree[random(tree.len())].0.clone());
            match (random(10), pick(&mut random), pick(&mut random)) {
                (0..=3, above, _) => {
                    made += 1;
                    house.create(&manager, "Place", json!({"title": format!("p{made}"), "above": above})).expect("created");
                }
                (4..=6, Some(name), above) => {
                    let moved = house.update(&manager, "Place", &name, json!({"above": above}));
                    match moved {
                        Ok(_) => {}
                        Err(AppError::Tree { rule: TreeRule::Recursion, .. }) => loops += 1,
                        Err(other) => panic!("{other}"),
                    }
                }
                (7, Some(name), _) => {
                    made += 1;
                    assert_eq!(house.rename(&manager, "Place", &name, &format!("p{made}"), false), Ok(format!("p{made}")));
                }
                (8, Some(name), Some(other)) if name != other => {
                    // Merging a place into one beneath it would put that one beneath itself.
                    match house.rename(&manager, "Place", &name, &other, true) {
                        Ok(_) | Err(AppError::Tree { rule: TreeRule::Recursion, .. }) => {}
                        Err(unexpected) => panic!("{unexpected}"),
                    }
                }
                (_, Some(name), _) => {
                    let has_children = tree.iter().any(|(_, above, ..)| *above == name);
                    let deleted = house.delete(&manager, "Place", &name);
                    assert_eq!(deleted.is_ok(), !has_children, "{deleted:?}");
                }
                (_, None, _) => {}
            }
            assert_nested(&tree_of(&house, &manager));
        }
        assert!(made > 40 && loops > 0, "{made} {loops}");
    }
}

#[test]
fn a_place_cannot_be_beneath_itself_and_a_leaf_has_nothing_beneath() {
    for house in House::all() {
        let manager = house.caller("manager@example.com");
        for (title, above) in [("a", None), ("b", Some("a")), ("c", Some("b"))] {
            house.create(&manager, "Place", json!({"title": title, "above": above, "is_group": 1})).expect("created");
        }
        let update = |name: &str, body: Value| house.update(&manager, "Place", name, body);
        for above in ["a", "b", "c"] {
            assert!(matches!(update("a", json!({"above": above})), Err(AppError::Tree { rule: TreeRule::Recursion, .. })), "{above}");
        }
        assert!(matches!(update("b", json!({"is_group": 0})), Err(AppError::Validation(_))));
        assert!(update("c", json!({"is_group": 0})).is_ok());
        assert!(matches!(house.delete(&manager, "Place", "b"), Err(AppError::Tree { rule: TreeRule::ChildrenExist, .. })));
        assert!(matches!(house.rename(&manager, "Place", "c", "b", true), Err(AppError::Tree { rule: TreeRule::InvalidMerge, .. })));
        let moved = update("c", json!({"above": "", "lft": 99})).expect("moved to the top");
        assert_eq!((&moved["lft"], &moved["rgt"]), (&json!(5), &json!(6)));
        house.delete(&manager, "Place", "b").expect("nothing is beneath it any more");
        assert_nested(&tree_of(&house, &manager));
    }
}

#[test]
fn a_renamed_document_is_followed_by_everything_that_names_it() {
    for house in House::all() {
        let (alice, manager) = (house.caller("alice@example.com"), house.caller("manager@example.com"));
        let place = json!({"title": "a", "is_group": 1, "key": "hush", "tags": [{"tag": "x"}]});
        house.create(&alice, "Place", place).expect("created");
        house.create(&alice, "Place", json!({"title": "b", "above": "a"})).expect("created");
        house.create(&alice, "Place", json!({"title": "z"})).expect("created");
        let visit = house.create(&alice, "Visit", json!({"place": "a", "about_type": "Place", "about": "a"})).expect("created");
        let other = house.create(&alice, "Visit", json!({"about_type": "Product", "about": ""})).expect("created");
        house.create(&alice, "Product", json!({"title": "a"})).expect("of the same name");
        house.update(&alice, "Visit", &text(&other, "name"), json!({"about": "a"})).expect("updated");
        let comment = json!({"comment_type": "Comment", "reference_doctype": "Place", "reference_name": "a", "content": "c"});
        house.create(&manager, "Comment", comment).expect("created");
        house.update(&alice, "Place", "a", json!({"tags": []})).expect("updated");
        house.update(&alice, "Place", "a", json!({"tags": [{"tag": "x"}]})).expect("updated");
        let rename = |caller: &Caller, old: &str, new: &str, merge: bool| house.rename(caller, "Place", old, new, merge);
        for (new, merge) in [("a", false), ("", false), ("b", false), ("c", true)] {
            assert!(matches!(rename(&alice, "a", new, merge), Err(AppError::Validation(_))), "{new}");
        }
        assert!(matches!(rename(&alice, "a", "<c>", false), Err(AppError::InvalidName(_))));
        assert!(matches!(rename(&alice, "nosuch", "c", false), Err(AppError::NotFound { .. })));
        assert!(matches!(house.rename(&alice, "Product", "a", "c", false), Err(AppError::Validation(_))), "the doctype does not allow it");
        assert!(matches!(house.rename(&manager, "User", "bob@example.com", "c", false), Err(AppError::Validation(_))));
        assert!(matches!(rename(&Caller::guest(), "a", "c", false), Err(AppError::NotPermitted(_))));

        assert_eq!(rename(&alice, "a", " c ", false), Ok("c".into()));
        assert_eq!(house.read(&alice, "Place", "a"), Err(AppError::not_found("Place", "a")));
        let renamed = house.read(&alice, "Place", "c").expect("read");
        assert_eq!(
            (&renamed["title"], &renamed["key"], column(&renamed["tags"], "parent")),
            (&json!("c"), &json!("****"), vec![json!("c")])
        );
        assert_eq!(house.read(&alice, "Place", "b").expect("read")["above"], "c");
        let visited = house.read(&alice, "Visit", &text(&visit, "name")).expect("read");
        assert_eq!((&visited["place"], &visited["about"]), (&json!("c"), &json!("c")));
        assert_eq!(house.read(&alice, "Visit", &text(&other, "name")).expect("read")["about"], "a", "a product's name stays");
        let about = |doctype: &str, fields: [&str; 2]| {
            let filters = json!({fields[0]: "Place", fields[1]: "c"});
            house.list(&manager, doctype, json!({"filters": filters})).expect("listed").as_array().map(Vec::len)
        };
        assert_eq!(about("Version", ["ref_doctype", "docname"]), Some(2));
        assert_eq!(about("Comment", ["reference_doctype", "reference_name"]), Some(2), "one of them says that it was renamed");

        assert!(matches!(rename(&alice, "c", "z", true), Err(AppError::NotPermitted(_))), "alice may not delete");
        house.update(&manager, "Place", "z", json!({"is_group": 1})).expect("updated");
        assert_eq!(rename(&manager, "c", "z", true), Ok("z".into()));
        assert_eq!(house.read(&alice, "Place", "b").expect("read")["above"], "z");
        assert_eq!(house.read(&alice, "Visit", &text(&visit, "name")).expect("read")["place"], "z");
        assert_eq!(house.read(&alice, "Place", "z").expect("read")["tags"], json!([]), "rows go with the document that had them");
        assert_nested(&tree_of(&house, &manager));
    }
}

#[test]
fn what_changed_is_kept_as_a_version_and_goes_with_the_document() {
    for house in House::all() {
        let manager = house.caller("manager@example.com");
        house.create(&manager, "Place", json!({"title": "a", "tags": [{"tag": "x"}, {"tag": "y"}]})).expect("created");
        let versions =
            || house.list(&manager, "Version", json!({"fields": ["data", "docname", "owner"], "order_by": "creation"})).expect("listed");
        assert_eq!(versions(), json!([]), "a document that is made has no version");
        house.update(&manager, "Place", "a", json!({})).expect("updated");
        assert_eq!(versions(), json!([]), "nothing changed");
        let tags = house.read(&manager, "Place", "a").expect("read")["tags"].clone();
        let sent = json!([{"name": tags[0]["name"], "tag": "z"}, {"tag": "new"}]);
        house.update(&manager, "Place", "a", json!({"is_group": 1, "key": "hush", "tags": sent})).expect("updated");
        let kept = versions();
        assert_eq!((&kept[0]["docname"], &kept[0]["owner"]), (&json!("a"), &json!("manager@example.com")));
        let data: Value = serde_json::from_str(&text(&kept[0], "data")).expect("JSON");
        assert_eq!(data["changed"], json!([["is_group", 0, 1]]));
        assert_eq!(data["row_changed"], json!([["tags", 1, tags[0]["name"], [["tag", "x", "z"]]]]));
        assert_eq!((&data["removed"][0][1]["tag"], &data["added"][0][1]["tag"]), (&json!("y"), &json!("new")));
        assert!(!data.to_string().contains("hush"));
        house.delete(&manager, "Place", "a").expect("deleted");
        assert_eq!(versions(), json!([]));
    }
}

#[test]
fn a_row_is_read_changed_appended_and_removed_through_its_document() {
    for house in House::all() {
        let (alice, guest) = (house.caller("alice@example.com"), Caller::guest());
        products(&house, &alice);
        let order = house.create(&alice, "Order", json!({"title": "T", "lines": [{"item": "Pear"}, {"item": "Fig"}]})).expect("created");
        let (first, second) = (text(&order["lines"][0], "name"), text(&order["lines"][1], "name"));
        assert_eq!(house.read(&alice, "Order Line", &second), Ok(order["lines"][1].clone()));
        let changed = house.update(&alice, "Order Line", &second, json!({"qty": 9})).expect("changed");
        assert_eq!((&changed["qty"], &changed["item"], &changed["idx"]), (&json!(9), &json!("Fig"), &json!(2)));
        let whole = house.read(&alice, "Order", "ORD-001").expect("read");
        assert!(whole["modified"].as_str() > order["modified"].as_str());
        assert_eq!(column(&whole["lines"], "qty"), [1, 9]);
        let row = json!({"parent": "ORD-001", "parenttype": "Order", "parentfield": "lines", "item": "Fig", "qty": 4});
        let appended = house.insert_row(&alice, "Order Line", row.clone()).expect("appended");
        assert_eq!((&appended["doctype"], column(&appended["lines"], "qty")), (&json!("Order"), vec![json!(1), json!(9), json!(4)]));
        for (key, value) in [("parentfield", "tags"), ("parentfield", "nosuch"), ("parent", "nosuch"), ("parenttype", "Nope")] {
            let mut bad = row.clone();
            bad[key] = json!(value);
            assert!(
                matches!(house.insert_row(&alice, "Order Line", bad), Err(AppError::Validation(_) | AppError::NotFound { .. })),
                "{key} {value}"
            );
        }
        house.delete(&alice, "Order Line", &first).expect("removed");
        let left = house.read(&alice, "Order", "ORD-001").expect("read");
        assert_eq!((column(&left["lines"], "qty"), column(&left["lines"], "idx")), (vec![json!(9), json!(4)], vec![json!(1), json!(2)]));
        assert_eq!(house.read(&alice, "Order Line", &first), Err(AppError::not_found("Order Line", first.as_str())));
        assert!(matches!(house.update(&alice, "Order Line", &second, json!({"qty": -1})), Err(AppError::Validation(_))));
        for refused in [
            house.read(&guest, "Order Line", &second),
            house.update(&guest, "Order Line", &second, json!({"qty": 1})),
            house.insert_row(&guest, "Order Line", row),
        ] {
            assert!(matches!(refused, Err(AppError::NotPermitted(_))), "{refused:?}");
        }
    }
}
