//! Saved reports: `/api/report/{name}` and `frappe.desk.query_report.run` (`docs/frappe.md`, "Reports").

mod files;
mod rights;
mod rows;
mod saving;

use serde_json::{Value, json};

use crate::support::{Caller, Reply, TestApp, TestUser};

const REPORT: &str = "/api/resource/Report";
const RUN: &str = "/api/method/frappe.desk.query_report.run";
const BOOKING: &str = "/api/resource/Lodge%20Booking";

/// Roles, and what each may do with bookings; levels and owners apart.
const ROLES: [&str; 5] = ["Lodge Clerk", "Lodge Reader", "Lodge Viewer", "Lodge Owner", "Lodge Boss"];

fn house() -> Value {
    json!({
        "doctype": "DocType", "name": "Lodge House", "module": "Lodge", "autoname": "prompt",
        "fields": [{"fieldname": "valley", "label": "Valley", "fieldtype": "Data"}],
        "permissions": [
            {"role": "System Manager", "read": 1, "write": 1, "create": 1},
            {"role": "Lodge Clerk", "read": 1}
        ]
    })
}

fn extra() -> Value {
    json!({
        "doctype": "DocType", "name": "Lodge Extra", "module": "Lodge", "istable": 1,
        "fields": [
            {"fieldname": "item", "label": "Item", "fieldtype": "Data"},
            {"fieldname": "quantity", "label": "Quantity", "fieldtype": "Int"}
        ]
    })
}

/// What reports are about here. Most roles read it; some may not report on it, or not save what they report.
fn booking() -> Value {
    json!({
        "doctype": "DocType", "name": "Lodge Booking", "module": "Lodge", "autoname": "prompt",
        "fields": [
            {"fieldname": "visitor", "label": "Visitor", "fieldtype": "Data", "in_list_view": 1},
            {"fieldname": "status", "label": "Status", "fieldtype": "Select", "options": "Open\nClosed", "default": "Open", "in_list_view": 1},
            {"fieldname": "nights", "label": "Nights", "fieldtype": "Int"},
            {"fieldname": "price", "label": "Price", "fieldtype": "Currency"},
            {"fieldname": "discount", "label": "Discount", "fieldtype": "Percent"},
            {"fieldname": "arrival", "label": "Arrival", "fieldtype": "Date"},
            {"fieldname": "remark", "label": "Remark", "fieldtype": "Long Text"},
            {"fieldname": "ledger", "label": "Ledger", "fieldtype": "Float", "permlevel": 1},
            {"fieldname": "house", "label": "House", "fieldtype": "Link", "options": "Lodge House"},
            {"fieldname": "extras", "label": "Extras", "fieldtype": "Table", "options": "Lodge Extra"}
        ],
        "permissions": [
            {"role": "System Manager", "read": 1, "write": 1, "create": 1, "delete": 1, "report": 1, "export": 1},
            {"role": "Lodge Clerk", "read": 1, "write": 1, "create": 1, "report": 1, "export": 1},
            {"role": "Lodge Reader", "read": 1},
            {"role": "Lodge Viewer", "read": 1, "report": 1},
            {"role": "Lodge Owner", "if_owner": 1, "read": 1, "write": 1, "create": 1, "report": 1, "export": 1},
            {"role": "Lodge Boss", "permlevel": 1, "read": 1, "write": 1}
        ]
    })
}

/// The doctypes and roles; returns Administrator.
async fn given(app: &TestApp) -> Caller {
    let administrator = app.administrator().await;
    for role in ROLES {
        let role = json!({"role_name": role, "desk_access": 1});
        administrator.post("/api/resource/Role").json(&role).send().await.expect_status(200);
    }
    for definition in [house(), extra(), booking()] {
        administrator.post("/api/resource/DocType").json(&definition).send().await.expect_status(200);
    }
    administrator
}

async fn someone(app: &TestApp, name: &str, roles: &[&str]) -> TestUser {
    app.user_with_roles(&format!("{name}@example.com"), roles).await
}

/// Five bookings: three are open, two of them in one house.
async fn make_bookings(administrator: &Caller) {
    for house in ["Hut", "Barn"] {
        let house = json!({"name": house, "valley": format!("{house} valley")});
        administrator.post("/api/resource/Lodge%20House").json(&house).send().await.expect_status(200);
    }
    for booking in [
        json!({"name": "b1", "visitor": "Ada", "status": "Open", "nights": 1, "price": 10.5, "discount": 10, "house": "Hut", "ledger": 1}),
        json!({"name": "b2", "visitor": "Ben", "status": "Closed", "nights": 2, "price": 20, "discount": 20, "house": "Hut", "ledger": 2}),
        json!({"name": "b3", "visitor": "Cleo", "status": "Open", "nights": 3, "price": 30, "discount": 30, "house": "Barn", "ledger": 3}),
        json!({"name": "b4", "visitor": "Dan", "status": "Open", "nights": 5, "price": 40, "discount": 50, "ledger": 4}),
        json!({"name": "b5", "visitor": "Eve", "status": "Closed", "nights": 5, "price": 50, "discount": 50, "ledger": 5}),
    ] {
        administrator.post(BOOKING).json(&booking).send().await.expect_status(200);
    }
}

/// Tries to save a report about bookings: these fields over the ones that every report has.
async fn try_saving(caller: &Caller, name: &str, fields: Value) -> Reply {
    let mut document = json!({"report_name": name, "ref_doctype": "Lodge Booking", "report_type": "Report Builder"});
    for (key, value) in fields.as_object().expect("fields") {
        // What Frappe's report builder saves is a text.
        document[key] = if key == "json" { value.to_string().into() } else { value.clone() };
    }
    caller.post(REPORT).json(&document).send().await
}

async fn save(caller: &Caller, name: &str, fields: Value) {
    try_saving(caller, name, fields).await.expect_status(200);
}

async fn ask(caller: &Caller, name: &str, query: &[(&str, &str)]) -> Reply {
    caller.get(&format!("/api/report/{name}")).query(query).send().await
}

/// What a report answers.
async fn answer(caller: &Caller, name: &str, query: &[(&str, &str)]) -> Value {
    ask(caller, name, query).await.expect_status(200).data()
}

/// The values of a report's rows, without their keys.
fn values(answer: &Value) -> Vec<Value> {
    let rows = answer["result"].as_array().expect("rows");
    let plain = |row: &Value| match row {
        Value::Object(row) => row.values().cloned().collect(),
        other => other.clone(),
    };
    rows.iter().map(plain).collect()
}

/// The names that a report shows.
async fn names(caller: &Caller, name: &str, query: &[(&str, &str)]) -> Vec<String> {
    let answer = answer(caller, name, query).await;
    answer["result"].as_array().expect("rows").iter().map(|row| row["name"].as_str().expect("a name").to_owned()).collect()
}

/// A report as a file.
async fn file(caller: &Caller, name: &str, query: &[(&str, &str)]) -> Reply {
    ask(caller, name, &[&[("format", "csv")], query].concat()).await
}

/// The lines of a file, read by another program than the one that wrote it.
fn read(file: &Reply) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&file.body[..]);
    reader.records().map(|record| record.expect("a record").iter().map(str::to_owned).collect()).collect()
}

/// What was refused, in the words of the refusal.
fn refusal(reply: &Reply) -> (u16, String) {
    (reply.status, reply.json()["exception"].as_str().unwrap_or_default().split_once(": ").map_or("", |(_, text)| text).to_owned())
}
