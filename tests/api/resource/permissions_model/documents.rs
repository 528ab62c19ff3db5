//! Single documents, rights, suggestions and searches, and what the model says to them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::keeps_secrets;
use super::world::{CLIENT, DEAL, DOCTYPES, Document, FIELDS, GUEST, RIGHTS, USERS, World, level};
use crate::support::{Caller, Reply, Request};

/// The path of a document.
pub fn path(document: &Document) -> String {
    format!("/api/resource/{}/{}", DOCTYPES[document.doctype], document.name.replace(' ', "%20"))
}

/// A way to ask for a document: its request, and the document in its answer.
struct Door {
    name: &'static str,
    guests: bool,
    request: fn(&Caller, &Document) -> Request,
    document: fn(&Reply) -> Value,
}

fn of(document: &Document) -> [(&'static str, &str); 2] {
    [("doctype", DOCTYPES[document.doctype]), ("name", &document.name)]
}

const DOORS: &[Door] = &[
    Door { name: "/api/resource", guests: true, request: |caller, document| caller.get(&path(document)), document: Reply::data },
    Door {
        name: "/api/v2/document",
        guests: true,
        request: |caller, document| caller.get(&path(document).replace("/resource/", "/v2/document/")),
        document: Reply::data,
    },
    Door {
        name: "/api/v2/document/…/copy",
        guests: true,
        request: |caller, document| caller.get(&format!("{}/copy", path(document).replace("/resource/", "/v2/document/"))),
        document: Reply::data,
    },
    Door {
        name: "frappe.client.get",
        guests: false,
        request: |caller, document| caller.get("/api/method/frappe.client.get").query(&of(document)),
        document: Reply::message,
    },
    Door {
        name: "frappe.desk.form.load.getdoc",
        guests: false,
        request: |caller, document| caller.get("/api/method/frappe.desk.form.load.getdoc").query(&of(document)),
        document: |reply| reply.json()["docs"][0].clone(),
    },
];

/// Documents are shown to whom the model says, with the fields that it says.
pub async fn reads_agree(caller: &Caller, user: usize, world: &World) {
    for (index, document) in world.documents.iter().enumerate() {
        for door in [&DOORS[0], &DOORS[1 + (index + user) % (DOORS.len() - 1)]] {
            let reply = (door.request)(caller, document).send().await;
            let what = || format!("{} by {} as {}: {}\n{world:#?}", document.name, door.name, USERS[user], reply.text());
            keeps_secrets(&reply, user, world, "", &what);
            if !world.may(user, document, "read") || (user == GUEST && !door.guests) {
                assert_eq!(reply.status, 403, "{}", what());
                continue;
            }
            assert_eq!(reply.status, 200, "{}", what());
            let shown = (door.document)(&reply);
            for (field, _, _, level, _) in FIELDS[document.doctype] {
                let expected = document.fields.get(field).filter(|_| world.sees_level(user, document.doctype, *level));
                assert_eq!(shown.get(field).filter(|value| !value.is_null()), expected, "{field} of {}", what());
            }
            let costs: Vec<Option<&str>> = shown["items"].as_array().into_iter().flatten().map(|row| row["cost"].as_str()).collect();
            let sees_costs = world.sees_level(user, document.doctype, 1);
            let expected: Vec<Option<&str>> = document.items.iter().map(|(_, cost)| Some(cost.as_str()).filter(|_| sees_costs)).collect();
            assert_eq!(costs, expected, "{}", what());
        }
        links_agree(caller, user, world, document).await;
        expansions_agree(caller, user, world, document).await;
        rows_agree(caller, user, world, document).await;
    }
}

/// `validate_link` knows documents that may be selected, and shows of them what that gives.
async fn links_agree(caller: &Caller, user: usize, world: &World, document: &Document) {
    let doctype = document.doctype;
    let fields = json!(["title", "hidden"]).to_string();
    let asked = [("doctype", DOCTYPES[doctype]), ("docname", document.name.as_str()), ("fields", fields.as_str())];
    let reply = caller.get("/api/method/frappe.client.validate_link").query(&asked).send().await;
    let what = || format!("link to {} as {}: {}\n{world:#?}", document.name, USERS[user], reply.text());
    keeps_secrets(&reply, user, world, "", &what);
    if user == GUEST || !world.opens(user, doctype, "select") {
        assert_eq!(reply.status, 403, "{}", what());
        return;
    }
    let shown: Vec<&str> = ["name", "title", "hidden"].into_iter().filter(|field| world.may_name(user, doctype, field)).collect();
    let right = if shown.iter().all(|field| world.is_selectable(doctype, field)) { "select" } else { "read" };
    let value = |field: &&str| if *field == "name" { json!(document.name) } else { document.fields[field].clone() };
    let all = || shown.iter().map(|field| ((*field).to_owned(), value(field))).collect();
    let expected = if world.may(user, document, right) { Value::Object(all()) } else { json!({}) };
    assert_eq!(reply.message(), expected, "{}", what());
}

/// A linked document stands in the place of its name where it may be read, in a document and in a list.
async fn expansions_agree(caller: &Caller, user: usize, world: &World, document: &Document) {
    let link = ["parent_region", "region", "client"][document.doctype];
    let target = document.doctype.saturating_sub(1);
    let filters = json!({ "name": document.name }).to_string();
    let fields = json!(["name", link]).to_string();
    let of_one = caller.get(&path(document).replace("/resource/", "/v1/resource/")).query(&[("expand_links", "True")]).send().await;
    let in_list = caller
        .get(&format!("/api/resource/{}", DOCTYPES[document.doctype]))
        .query(&[("filters", &filters), ("fields", &fields), ("expand", &json!([link]).to_string())])
        .send()
        .await;
    for (reply, shown) in [(&of_one, of_one.data()), (&in_list, in_list.data()[0].clone())] {
        let what = || format!("{} expanded as {}: {}\n{world:#?}", document.name, USERS[user], reply.text());
        keeps_secrets(reply, user, world, "", &what);
        if !world.may(user, document, "read") {
            continue;
        }
        assert_eq!(reply.status, 200, "{}", what());
        let linked = document.fields.get(link).and_then(Value::as_str).and_then(|name| world.find(target, name));
        let readable = linked.filter(|linked| world.may(user, linked, "read"));
        assert_eq!(shown[link].is_object(), readable.is_some(), "{}", what());
        if let Some(linked) = linked {
            assert_eq!(shown[link].get("name").unwrap_or(&shown[link]), &json!(linked.name), "{}", what());
        }
    }
}

/// Rows are shown by their own names to whoever may read their document; nobody else hears which that is.
async fn rows_agree(caller: &Caller, user: usize, world: &World, document: &Document) {
    for (at, (_, cost)) in document.items.iter().enumerate() {
        let name = format!("{} {at}", document.name);
        let reply = caller.get(&format!("/api/resource/Deal%20Item/{}", name.replace(' ', "%20"))).send().await;
        let what = || format!("row {name} as {}: {}\n{world:#?}", USERS[user], reply.text());
        keeps_secrets(&reply, user, world, "", &what);
        if world.may(user, document, "read") {
            assert_eq!(reply.status, 200, "{}", what());
            assert_eq!(reply.data()["cost"] == json!(cost), world.sees_level(user, DEAL, 1), "{}", what());
        } else {
            assert_eq!(reply.status, 403, "{}", what());
            assert!(!reply.text().replace(&name, "").contains(&document.name), "{}", what());
        }
    }
    if document.name != "Deal 0" {
        return;
    }
    let fields = json!(["name", "parent", "cost"]).to_string();
    let asked = [("parent", "Deal"), ("fields", fields.as_str()), ("limit", "0")];
    let reply = caller.get("/api/resource/Deal%20Item").query(&asked).send().await;
    let what = || format!("rows as {}: {}\n{world:#?}", USERS[user], reply.text());
    keeps_secrets(&reply, user, world, "", &what);
    if !world.opens(user, DEAL, "read") {
        assert_eq!(reply.status, 403, "{}", what());
        return;
    }
    let sees_costs = world.sees_level(user, DEAL, 1);
    let of_deal = |deal: &Document| {
        let row =
            |(at, (_, cost)): (usize, &(Option<usize>, String))| (format!("{} {at}", deal.name), Some(cost.clone()).filter(|_| sees_costs));
        deal.items.iter().enumerate().map(row).collect::<Vec<_>>()
    };
    let expected: BTreeSet<_> = world.of(DEAL).filter(|deal| world.may(user, deal, "read")).flat_map(of_deal).collect();
    let text = |row: &Value, key: &str| row[key].as_str().map(str::to_owned);
    let found = reply.data();
    let found: Vec<_> =
        found.as_array().expect("a list").iter().map(|row| (text(row, "name").expect("a name"), text(row, "cost"))).collect();
    assert_eq!(found.len(), expected.len(), "{}", what());
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected, "{}", what());
    // What a row may not show is no condition either.
    let by_cost = caller
        .get("/api/resource/Deal%20Item")
        .query(&[("parent", "Deal"), ("filters", &json!([["cost", "like", "%cost%"]]).to_string())])
        .send()
        .await;
    assert_eq!(by_cost.status, if sees_costs { 200 } else { 417 }, "{}", what());
}

/// `has_permission` and `get_doc_permissions` say what the doors do.
pub async fn rights_agree(caller: &Caller, user: usize, world: &World) {
    if user == GUEST {
        return;
    }
    for document in &world.documents {
        let asked = [("doctype", DOCTYPES[document.doctype]), ("docname", document.name.as_str())];
        let reply = caller.get("/api/method/frappe.client.get_doc_permissions").query(&asked).send().await.expect_status(200);
        let what = || format!("rights to {} as {}: {}\n{world:#?}", document.name, USERS[user], reply.text());
        let told = reply.message()["permissions"].clone();
        let expected = RIGHTS.iter().map(|right| ((*right).to_owned(), json!(i32::from(world.may(user, document, right))))).collect();
        assert_eq!(told, Value::Object(expected), "{}", what());
    }
    let document = world.nth(CLIENT, user);
    for right in RIGHTS {
        let asked = [("doctype", "Client"), ("docname", document.name.as_str()), ("perm_type", right)];
        let reply = caller.get("/api/method/frappe.client.has_permission").query(&asked).send().await.expect_status(200);
        assert_eq!(reply.message()["has_permission"], world.may(user, document, right), "{right} on {}\n{world:#?}", document.name);
    }
    for (doctype, name) in DOCTYPES.iter().enumerate() {
        let reply = caller.get("/api/method/frappe.client.get_doc_permissions").query(&[("doctype", name)]).send().await.expect_status(200);
        let expected = RIGHTS.iter().map(|right| ((*right).to_owned(), json!(i32::from(world.opens(user, doctype, right))))).collect();
        assert_eq!(reply.message()["permissions"], Value::Object(expected), "{name} as {}\n{world:#?}", USERS[user]);
    }
}

/// Link fields suggest what may be selected, and look only into what may be seen.
pub async fn suggestions_agree(caller: &Caller, user: usize, world: &World) {
    for (doctype, name) in DOCTYPES.iter().enumerate() {
        for typed in ["", "hidden", "title", "1", "North"] {
            let asked = [("doctype", *name), ("txt", typed), ("page_length", "50")];
            let reply = caller.get("/api/method/frappe.desk.search.search_link").query(&asked).send().await;
            let what = || format!("{typed:?} in {name} as {}: {}\n{world:#?}", USERS[user], reply.text());
            keeps_secrets(&reply, user, world, "", &what);
            if user == GUEST || !world.opens(user, doctype, "select") {
                assert_eq!(reply.status, 403, "{}", what());
                continue;
            }
            assert_eq!(reply.status, 200, "{}", what());
            let title = world.looks[doctype].title_field;
            let looked_into =
                std::iter::once(title).chain(world.search_fields(doctype)).filter(|field| world.may_name(user, doctype, field));
            let looked_into: Vec<&str> = looked_into.collect();
            let says = |document: &Document, field: &str| {
                document.fields.get(field).and_then(Value::as_str).is_some_and(|text| contains(text, typed))
            };
            let found = |document: &&Document| {
                typed.is_empty() || contains(&document.name, typed) || looked_into.iter().any(|field| says(document, field))
            };
            let expected: BTreeSet<String> = world
                .of(doctype)
                .filter(|document| world.may(user, document, "select"))
                .filter(found)
                .map(|document| document.name.clone())
                .collect();
            let message = reply.message();
            let told = message.as_array().expect("a list").iter().map(|row| row["value"].as_str().expect("a name").to_owned());
            assert_eq!(told.collect::<BTreeSet<_>>(), expected, "{}", what());
        }
        // No other field may be looked into by name, and none be a condition.
        let hidden =
            |name: &'static str, value: String| [("doctype", DOCTYPES[doctype].to_owned()), ("txt", "hidden".to_owned()), (name, value)];
        for (parameter, value) in [("searchfield", "hidden".to_owned()), ("filters", json!([["hidden", "like", "%hidden%"]]).to_string())] {
            let asked = hidden(parameter, value);
            let asked: Vec<(&str, &str)> = asked.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let reply = caller.get("/api/method/frappe.desk.search.search_link").query(&asked).send().await;
            if user != GUEST && world.opens(user, doctype, "select") {
                let expected = if world.may_name(user, doctype, "hidden") { 200 } else { 417 };
                assert_eq!(reply.status, expected, "{asked:?} as {}: {}\n{world:#?}", USERS[user], reply.text());
            }
        }
    }
}

fn contains(text: &str, typed: &str) -> bool {
    text.to_lowercase().contains(&typed.to_lowercase())
}

/// Full-text search finds what may be read, by what everybody who may read it sees.
pub async fn searches_agree(caller: &Caller, user: usize, world: &World) {
    for typed in ["hidden", "title", "client", "north", "world"] {
        let mut asked = vec![("txt", typed), ("text", typed), ("limit", "100")];
        for doctype in [None, Some(CLIENT)] {
            asked.extend(doctype.map(|doctype| ("doctype", DOCTYPES[doctype])));
            for address in ["/api/search", "/api/method/frappe.utils.global_search.search"] {
                let reply = caller.get(address).query(&asked).send().await;
                let what = || format!("{address} {asked:?} as {}: {}\n{world:#?}", USERS[user], reply.text());
                keeps_secrets(&reply, user, world, "", &what);
                if user == GUEST || doctype.is_some_and(|doctype| !world.opens(user, doctype, "read")) {
                    assert_eq!(reply.status, 403, "{}", what());
                    continue;
                }
                assert_eq!(reply.status, 200, "{}", what());
                let searched = world.documents.iter().filter(|document| doctype.is_none_or(|doctype| document.doctype == doctype));
                let found = searched.filter(|document| world.may(user, document, "read") && has_word(world, document, typed));
                let expected: BTreeSet<String> = found.map(|document| document.name.clone()).collect();
                let rows = if address == "/api/search" { reply.data() } else { reply.message() };
                let ours = rows.as_array().expect("a list").iter().filter(|row| DOCTYPES.iter().any(|doctype| row["doctype"] == *doctype));
                let told: BTreeSet<String> = ours.map(|row| row["name"].as_str().expect("a name").to_owned()).collect();
                assert_eq!(told, expected, "{}", what());
            }
        }
    }
}

/// Whether one of the words that are searched begins so.
fn has_word(world: &World, document: &Document, typed: &str) -> bool {
    let doctype = document.doctype;
    let searched: Vec<&str> = std::iter::once(world.looks[doctype].title_field)
        .chain(world.search_fields(doctype))
        .filter(|field| level(doctype, field) == 0)
        .collect();
    // Where nothing is searched, names are not either.
    let texts = searched.iter().filter_map(|field| document.fields.get(field).and_then(Value::as_str)).chain([document.name.as_str()]);
    !searched.is_empty() && texts.flat_map(|text| text.split(' ')).any(|word| word.to_lowercase().starts_with(typed))
}

/// What is stored, as nobody is kept from seeing it.
pub async fn stored(administrator: &Caller, document: &Document) -> serde_json::Map<String, Value> {
    administrator.get(&path(document)).send().await.expect_status(200).data().as_object().expect("a document").clone()
}
