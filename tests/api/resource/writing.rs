//! How documents are written: names from series, child rows, singles, states, and an embedder's hooks.

use std::sync::{Arc, Mutex};

use ostiary::cx::Cx;
use ostiary::doctype::FieldValue;
use ostiary::error::AppError;
use ostiary::resource::hooks::{Change, DocumentHooks, Written};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{assert_refused, messages};
use crate::both_databases;
use crate::support::{Caller, Setup, TestApp, define, field};

both_databases!(
    fifty_tickets_at_once_get_fifty_names_without_a_gap,
    fifty_numbered_documents_at_once_get_fifty_numbers,
    rows_and_their_refusals_are_shown_as_frappe_shows_them,
    states_change_as_frappe_lets_them_and_are_refused_in_its_words,
    an_embedders_hooks_run_at_their_points_and_refuse,
    places_made_and_moved_at_once_stay_nested,
    numbers_are_kept_rounded_and_found_as_they_are_kept,
    a_rating_is_a_part_of_all_stars,
);

const BILL: &str = "/api/resource/Bill";

/// A submittable doctype with rows.
async fn bills(administrator: &Caller) {
    let fields = json!([
        { "fieldname": "item", "label": "Item", "fieldtype": "Data", "reqd": 1 },
        { "fieldname": "kind", "label": "Kind", "fieldtype": "Select", "options": "Normal\nGift" },
    ]);
    define(administrator, json!({ "name": "Bill Line", "istable": 1, "fields": fields })).await;
    let fields = json!([
        { "fieldname": "title", "label": "Title", "fieldtype": "Data", "reqd": 1 },
        { "fieldname": "note", "label": "Note", "fieldtype": "Data", "allow_on_submit": 1 },
        { "fieldname": "lines", "label": "Lines", "fieldtype": "Table", "options": "Bill Line", "reqd": 1 },
        { "fieldname": "amended_from", "label": "Amended From", "fieldtype": "Link", "options": "Bill" },
    ]);
    define(administrator, json!({ "name": "Bill", "autoname": "BILL-.###", "is_submittable": 1, "fields": fields })).await;
}

/// Creates fifty documents at the same time and returns their names.
async fn fifty(caller: &Caller, collection: &'static str, body: Value) -> Vec<Value> {
    let mut making = JoinSet::new();
    for _ in 0..50 {
        let (caller, body) = (caller.clone(), body.clone());
        making.spawn(async move { caller.post(collection).json(&body).send().await.expect_status(200).data()["name"].clone() });
    }
    let mut names = making.join_all().await;
    names.sort_by_key(|name| name.as_i64().map_or_else(|| name.to_string(), |number| format!("{number:09}")));
    names
}

async fn fifty_tickets_at_once_get_fifty_names_without_a_gap(app: TestApp) {
    let administrator = app.administrator().await;
    let names = fifty(&administrator, "/api/resource/HD%20Ticket", json!({ "subject": "help" })).await;
    assert_eq!(names, (1..=50).map(|number| json!(format!("HD-{number:05}"))).collect::<Vec<_>>());
}

async fn fifty_numbered_documents_at_once_get_fifty_numbers(app: TestApp) {
    let administrator = app.administrator().await;
    let fields = json!([{ "fieldname": "title", "label": "Title", "fieldtype": "Data" }]);
    define(&administrator, json!({ "name": "Tally", "autoname": "autoincrement", "fields": fields })).await;
    let names = fifty(&administrator, "/api/resource/Tally", json!({ "title": "x" })).await;
    assert_eq!(names, (1..=50).map(Value::from).collect::<Vec<_>>());
    let read = administrator.get("/api/resource/Tally/7").send().await.expect_status(200);
    assert!(read.text().starts_with(r#"{"data":{"name":7,"#), "{}", read.text());
    for other in ["x", "07", "7.0"] {
        administrator.get(&format!("/api/resource/Tally/{other}")).send().await.expect_status(404);
    }
}

async fn rows_and_their_refusals_are_shown_as_frappe_shows_them(app: TestApp) {
    let administrator = app.administrator().await;
    bills(&administrator).await;
    let send = async |body: Value| administrator.post(BILL).json(&body).send().await;
    let made = send(json!({ "title": "T", "lines": [{ "item": "a" }, { "item": "b", "kind": "Gift" }] })).await.expect_status(200).data();
    let lines = made["lines"].as_array().expect("rows");
    let shown: Vec<_> = lines.iter().map(|row| (&row["idx"], &row["item"], &row["kind"], &row["parent"], &row["doctype"])).collect();
    let (name, line) = (&made["name"], &json!("Bill Line"));
    assert_eq!(*name, json!("BILL-001"));
    let (a, b, normal, gift) = (&json!("a"), &json!("b"), &json!("Normal"), &json!("Gift"));
    assert_eq!(shown, [(&json!(1), a, normal, name, line), (&json!(2), b, gift, name, line)]);

    let refused = send(json!({ "title": "T", "lines": [{ "item": "a", "kind": "Banana" }] })).await;
    assert_refused(&refused, 417, "ValidationError", r#"Row #1: Kind cannot be "Banana". It should be one of "Normal", "Gift""#);
    let refused = send(json!({ "lines": [{ "item": "a" }, {}] })).await.expect_status(417);
    assert_eq!(refused.string("exception"), "frappe.exceptions.MandatoryError: [Bill, BILL-002]: title, item");
    let said = ["Error: Value missing for Bill: Title", "Error: <strong>Bill Line</strong> Row #2: Value missing for: Item"];
    assert_eq!(messages(&refused), said);
    let refused = send(json!({ "title": "T" })).await.expect_status(417);
    assert_eq!(messages(&refused), ["Error: Data missing in table: Lines"]);

    // A row by its own name, as Frappe's clients may change it: its document is saved.
    let row = format!("/api/resource/Bill%20Line/{}", lines[1]["name"].as_str().expect("a name"));
    let changed = administrator.put(&row).json(&json!({ "item": "c" })).send().await.expect_status(200).data();
    assert_eq!((&changed["item"], &changed["idx"], &changed["doctype"]), (&json!("c"), &json!(2), line));
    let document = administrator.get(&format!("{BILL}/BILL-001")).send().await.expect_status(200).data();
    assert_eq!((&document["lines"][1]["item"], document["modified"] == made["modified"]), (&json!("c"), false));
}

async fn states_change_as_frappe_lets_them_and_are_refused_in_its_words(app: TestApp) {
    let administrator = app.administrator().await;
    bills(&administrator).await;
    administrator.post(BILL).json(&json!({ "title": "T", "lines": [{ "item": "a" }] })).send().await.expect_status(200);
    let bill = format!("{BILL}/BILL-001");
    let put = async |body: Value| administrator.put(&bill).json(&body).send().await;
    let refused = put(json!({ "docstatus": 2 })).await;
    assert_refused(&refused, 417, "DocstatusTransitionError", "Cannot change docstatus from 0 (Draft) to 2 (Cancelled)");
    assert_eq!(put(json!({ "docstatus": 1 })).await.expect_status(200).data()["lines"][0]["docstatus"], 1);
    assert_eq!(put(json!({ "note": "n" })).await.expect_status(200).data()["note"], "n");
    let text = " Not allowed to change <strong>Title</strong> after submission from <strong>T</strong> to <strong>&lt;b&gt;</strong>";
    assert_refused(&put(json!({ "title": "<b>" })).await, 417, "UpdateAfterSubmitError", text);
    assert_eq!(administrator.delete(&bill).send().await.expect_status(417).error().as_deref(), Some("ValidationError"));
    put(json!({ "docstatus": 2 })).await.expect_status(200);
    assert_refused(&put(json!({ "note": "m" })).await, 417, "ValidationError", "Cannot edit cancelled document");
    let amended = json!({ "title": "T", "lines": [{ "item": "a" }], "amended_from": "BILL-001" });
    assert_eq!(administrator.post(BILL).json(&amended).send().await.expect_status(200).data()["name"], "BILL-001-1");
}

/// Notes what it is called for, refuses one of it, and writes a note into what is written.
struct Watch {
    calls: Mutex<Vec<&'static str>>,
    refuses: Mutex<&'static str>,
}

impl Watch {
    fn note(&self, call: &'static str) -> Result<(), AppError> {
        self.calls.lock().expect("no holder panics").push(call);
        if *self.refuses.lock().expect("no holder panics") == call { Err(AppError::Validation(format!("no {call}"))) } else { Ok(()) }
    }
}

impl DocumentHooks for Watch {
    fn doctype(&self) -> &str {
        "Bill"
    }
    fn before_insert(&self, _cx: &mut Cx, change: &mut Change<'_>) -> Result<(), AppError> {
        change.values.set("note", FieldValue::Text("hooked".into()));
        self.note("before_insert")
    }
    fn validate(&self, _cx: &mut Cx, _change: &mut Change<'_>) -> Result<(), AppError> {
        self.note("validate")
    }
    fn on_update(&self, _cx: &mut Cx, _written: &Written<'_>) -> Result<(), AppError> {
        self.note("on_update")
    }
    fn on_submit(&self, _cx: &mut Cx, _written: &Written<'_>) -> Result<(), AppError> {
        self.note("on_submit")
    }
    fn on_cancel(&self, _cx: &mut Cx, _written: &Written<'_>) -> Result<(), AppError> {
        self.note("on_cancel")
    }
    fn on_trash(&self, _cx: &mut Cx, _written: &Written<'_>) -> Result<(), AppError> {
        self.note("on_trash")
    }
}

async fn an_embedders_hooks_run_at_their_points_and_refuse(setup: Setup) {
    let watch = Arc::new(Watch { calls: Mutex::default(), refuses: Mutex::new("") });
    let app = setup.hook(Arc::clone(&watch) as Arc<dyn DocumentHooks>).start().await;
    let administrator = app.administrator().await;
    bills(&administrator).await;
    let bill = format!("{BILL}/BILL-001");
    let body = json!({ "title": "T", "lines": [{ "item": "a" }] });
    let calls = || std::mem::take(&mut *watch.calls.lock().expect("no holder panics"));
    let refuse = |call: &'static str| *watch.refuses.lock().expect("no holder panics") = call;
    for call in ["before_insert", "validate", "on_update"] {
        refuse(call);
        assert_refused(&administrator.post(BILL).json(&body).send().await, 417, "ValidationError", &format!("no {call}"));
    }
    refuse("");
    calls();
    let made = administrator.post(BILL).json(&body).send().await.expect_status(200).data();
    assert_eq!((&made["name"], &made["note"]), (&json!("BILL-001"), &json!("hooked")), "what was refused left nothing behind");
    assert_eq!(calls(), ["before_insert", "validate", "on_update"]);
    for (call, docstatus, expected) in [("on_submit", 1, &["validate", "on_update", "on_submit"][..]), ("on_cancel", 2, &["on_cancel"])] {
        let put = async || administrator.put(&bill).json(&json!({ "docstatus": docstatus })).send().await;
        refuse(call);
        assert_refused(&put().await, 417, "ValidationError", &format!("no {call}"));
        refuse("");
        calls();
        assert_eq!(put().await.expect_status(200).data()["docstatus"], docstatus);
        assert_eq!(calls(), expected);
    }
    refuse("on_trash");
    assert_refused(&administrator.delete(&bill).send().await, 417, "ValidationError", "no on_trash");
    refuse("");
    calls();
    administrator.delete(&bill).send().await.expect_status(202);
    assert_eq!(calls(), ["on_trash"]);
}

async fn places_made_and_moved_at_once_stay_nested(app: TestApp) {
    const TERRITORY: &str = "/api/resource/Territory";
    let administrator = app.administrator().await;
    let create = async |name: &str, parent: &str| {
        let body = json!({ "territory_name": name, "parent_territory": parent, "is_group": 1 });
        administrator.post(TERRITORY).json(&body).send().await.expect_status(200);
    };
    for top in ["a", "b"] {
        create(top, "").await;
    }
    let mut working = JoinSet::new();
    for number in 0..20 {
        let caller = administrator.clone();
        working.spawn(async move {
            let body = json!({ "territory_name": format!("t{number}"), "parent_territory": "a", "is_group": 1 });
            caller.post(TERRITORY).json(&body).send().await.expect_status(200);
            let moved = json!({ "parent_territory": if number == 0 { "b".to_owned() } else { format!("t{}", number - 1) } });
            // Its new parent may not be there yet, or be beneath it by now; then it stays.
            let status = caller.put(&format!("{TERRITORY}/t{number}")).json(&moved).send().await.status;
            assert!(matches!(status, 200 | 417), "{status}");
        });
    }
    working.join_all().await;
    let fields = r#"["name","parent_territory","lft","rgt"]"#;
    let rows = super::list(&administrator, TERRITORY, &[("fields", fields), ("limit_page_length", "0"), ("order_by", "lft")]).await;
    let rows: Vec<(String, String, i64, i64)> = serde_json::from_value(Value::Array(
        rows.as_array()
            .expect("rows")
            .iter()
            .map(|row| json!([row["name"], row["parent_territory"].as_str().unwrap_or(""), row["lft"], row["rgt"]]))
            .collect(),
    ))
    .expect("rows");
    let mut numbers: Vec<i64> = rows.iter().flat_map(|(_, _, left, right)| [*left, *right]).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=i64::try_from(rows.len()).expect("few") * 2).collect::<Vec<_>>(), "{rows:?}");
    for (name, parent, left, right) in rows.iter().filter(|(_, parent, ..)| !parent.is_empty()) {
        let (_, _, above_left, above_right) = rows.iter().find(|(other, ..)| other == parent).expect("the parent is there");
        assert!(above_left < left && right < above_right, "{name} in {parent}: {rows:?}");
    }
}

const PRICE: &str = "/api/resource/Price";

/// Prices, which take some of their numbers over from others.
async fn prices(administrator: &Caller) {
    let number = |fieldname: &str, fieldtype: &str, more: Value| {
        let mut field = field(fieldname, fieldtype, "");
        field.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        field
    };
    let fields = [
        number("rate", "Currency", json!({ "precision": "2" })),
        number("share", "Percent", json!({})),
        number("long", "Float", json!({ "default": "0.12345678949" })),
        number("count", "Int", json!({})),
        number("stars", "Rating", json!({ "precision": "1" })),
        field("like", "Link", "Price"),
        number("rate_there", "Currency", json!({ "precision": "1", "fetch_from": "like.long" })),
        number("stars_there", "Rating", json!({ "fetch_from": "like.count" })),
    ];
    define(administrator, json!({ "name": "Price", "autoname": "prompt", "fields": fields })).await;
}

/// The names of the prices that a condition finds.
async fn priced(caller: &Caller, condition: Value) -> Value {
    let parameters = [("filters", json!([condition]).to_string()), ("order_by", "name".to_owned())];
    let parameters: Vec<(&str, &str)> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Value::Array(super::column(caller, PRICE, "name", &parameters).await)
}

async fn numbers_are_kept_rounded_and_found_as_they_are_kept(app: TestApp) {
    let administrator = app.administrator().await;
    prices(&administrator).await;
    let make = async |body: Value| administrator.post(PRICE).json(&body).send().await.expect_status(200).data();
    let one = make(json!({ "name": "one", "rate": 2.675, "share": 33.333_333_333_33, "count": 2.9 })).await;
    let shown = |price: &Value| ["rate", "share", "long", "count"].map(|fieldname| price[fieldname].clone());
    assert_eq!(shown(&one), [json!(2.67), json!(33.333_333_333), json!(0.123_456_789), json!(2)]);
    let two = make(json!({ "name": "two", "rate": "0.125", "long": 0.25, "count": "-2.9", "like": "one" })).await;
    assert_eq!(shown(&two), [json!(0.12), json!(0.0), json!(0.25), json!(-2)]);
    // What is fetched is rounded as its own field rounds, and what comes back unchanged changes nothing.
    assert_eq!((&two["rate_there"], &two["stars_there"]), (&json!(0.1), &json!(1.0)));
    for (condition, found) in [
        (json!(["rate", "=", 2.67]), json!(["one"])),
        (json!(["rate", "=", 2.675]), json!([])),
        (json!(["rate", "<", 2.675]), json!(["one", "two"])),
        (json!(["rate_there", "=", 0.1]), json!(["two"])),
        (json!(["count", "=", 2]), json!(["one"])),
    ] {
        assert_eq!(priced(&administrator, condition.clone()).await, found, "{condition}");
    }
    make(json!({ "name": "three", "rate": 0.01 })).await;
    let average = super::list(&administrator, PRICE, &[("fields", r#"["avg(rate) as average"]"#)]).await[0]["average"].clone();
    let average = average.as_f64().expect("a number");
    assert!((average - 2.8 / 3.0).abs() < 1e-12, "{average} is not rounded to two digits");
}

async fn a_rating_is_a_part_of_all_stars(app: TestApp) {
    let administrator = app.administrator().await;
    prices(&administrator).await;
    for (name, sent, kept) in [
        ("a", json!(0.6), json!(0.6)),
        ("b", json!("0.123456789123"), json!(0.123_456_789)),
        ("c", json!(4), json!(1.0)),
        ("d", json!(-0.5), json!(0.0)),
        ("e", json!(null), json!(null)),
    ] {
        let made = administrator.post(PRICE).json(&json!({ "name": name, "stars": sent })).send().await.expect_status(200).data();
        assert_eq!(made["stars"], kept, "{name}");
    }
    assert_eq!(priced(&administrator, json!(["stars", "is", "not set"])).await, json!(["e"]));
    assert_eq!(priced(&administrator, json!(["stars", "=", 0])).await, json!(["d", "e"]));
    assert_eq!(priced(&administrator, json!(["stars", ">=", 0.6])).await, json!(["a", "c"]));
}
