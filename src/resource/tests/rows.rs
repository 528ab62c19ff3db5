//! Child rows, with their document and through it; secrets of both.

use serde_json::{Value, json};

use super::{House, column, keys, object, products, row_keys, text};
use crate::auth::Caller;
use crate::cx::Cx;
use crate::doctype::Filter;
use crate::domain::user::ADMINISTRATOR;
use crate::error::{AppError, FieldPlace};
use crate::resource::open_secret;
use crate::store::documents::count_documents;

#[test]
fn rows_are_stored_in_order_filled_in_and_shown_whole() {
    for house in House::all() {
        let alice = house.caller("alice@example.com");
        products(&house, &alice);
        let lines = json!([{"item": "Pear", "cost": 5, "name": "mine", "parent": "x", "idx": 7}, {"item": "Fig", "qty": 3, "rate": 1, "kind": "Gift"}]);
        let order = house.create(&alice, "Order", json!({"title": "T", "lines": lines})).expect("created");
        assert_eq!((&order["name"], &order["tags"]), (&json!("ORD-001"), &json!([])));
        assert_eq!(keys(&order)[7..], ["title", "note", "amended_from", "key", "doctype", "lines", "tags"]);
        let expected = row_keys(&["item", "item_title", "rate", "qty", "kind", "pin"]);
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
            Ok(count_documents(cx.conn, line, &Filter::always(), chrono_tz::UTC)?)
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
            let mut row = object(json!({"item": "Pear"}));
            row.extend(object(more));
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
                open_secret(cx, doctype, name, field).map(|secret| secret.map(|secret| String::from_utf8_lossy(&secret).into_owned()))
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
