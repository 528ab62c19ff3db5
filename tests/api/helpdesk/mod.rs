//! Helpdesk (contract 8.3 to 8.6): who sees which ticket, what users and guests are told, who is given what to do.

mod assignment;
mod knowledge_base;
mod tickets;
mod users;

use serde_json::{Value, json};

use crate::support::{Caller, TestApp};

const TICKET: &str = "/api/resource/HD%20Ticket";
const TEAM: &str = "/api/resource/HD%20Team";
const AGENT: &str = "/api/resource/HD%20Agent";
const CUSTOMER: &str = "/api/resource/HD%20Customer";
const CONTACT: &str = "/api/resource/Contact";
const ARTICLE: &str = "/api/resource/HD%20Article";
const TODO: &str = "/api/resource/ToDo";
const RULE: &str = "/api/resource/Assignment%20Rule";
const SETTINGS: &str = "/api/resource/HD%20Settings/HD%20Settings";

/// Makes a document and returns it.
async fn create(caller: &Caller, collection: &str, fields: Value) -> Value {
    caller.post(collection).json(&fields).send().await.expect_status(200).data()
}

/// Makes a ticket and returns its name.
async fn ticket(caller: &Caller, fields: Value) -> String {
    create(caller, TICKET, fields).await["name"].as_str().expect("a name").to_owned()
}

fn path(collection: &str, name: &str) -> String {
    format!("{collection}/{}", name.replace(' ', "%20"))
}

/// The names of all documents of a collection that someone is shown, in their order.
async fn names(caller: &Caller, collection: &str) -> Vec<String> {
    let query = [("limit", "0"), ("order_by", "name asc")];
    let rows = caller.get(collection).query(&query).send().await.expect_status(200).data();
    rows.as_array().expect("a list").iter().map(|row| row["name"].as_str().expect("a name").to_owned()).collect()
}

/// How many tickets someone is told that there are.
async fn count(caller: &Caller) -> Value {
    let query = [("doctype", "HD Ticket")];
    caller.get("/api/method/frappe.client.get_count").query(&query).send().await.expect_status(200).message()
}

/// Someone with these roles and an API key.
async fn someone(app: &TestApp, email: &str, roles: &[&str]) -> Caller {
    app.user_with_roles(email, roles).await.api_key().await
}

/// A team of these users.
async fn team(caller: &Caller, name: &str, users: &[&str]) {
    let users: Vec<Value> = users.iter().map(|user| json!({ "user": user })).collect();
    create(caller, TEAM, json!({ "team_name": name, "users": users })).await;
}

/// Changes a setting of the helpdesk.
async fn set(caller: &Caller, fields: Value) {
    caller.put(SETTINGS).json(&fields).send().await.expect_status(200);
}
