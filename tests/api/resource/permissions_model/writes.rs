//! What writing gives away, and what it does.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::documents::{path, stored};
use super::furnish::draft_again;
use super::keeps_secrets;
use super::world::{ADMINISTRATOR, CLIENT, DEAL, DOCTYPES, Document, FIELDS, GUEST, REGION, REGIONS, USERS, World, texts};
use crate::support::{Caller, Reply, Request, TestApp};

/// A way to change fields of a document: its request, and the status and the document of its answer.
struct Door {
    name: &'static str,
    guests: bool,
    request: fn(&Caller, &Document, &Value) -> Request,
    outcome: fn(&Reply) -> (u16, Value),
}

const DOORS: &[Door] = &[
    Door {
        name: "/api/resource",
        guests: true,
        request: |caller, document, body| caller.put(&path(document)).json(body),
        outcome: |reply| (reply.status, reply.data()),
    },
    Door {
        name: "/api/v2/document",
        guests: true,
        request: |caller, document, body| caller.put(&path(document).replace("/resource/", "/v2/document/")).json(body),
        outcome: |reply| (reply.status, reply.data()),
    },
    Door {
        name: "frappe.client.set_value",
        guests: false,
        request: |caller, document, body| {
            let body = json!({ "doctype": DOCTYPES[document.doctype], "name": document.name, "fieldname": body });
            caller.post("/api/method/frappe.client.set_value").json(&body)
        },
        outcome: |reply| (reply.status, reply.message()),
    },
    Door {
        name: "frappe.client.save",
        guests: false,
        request: |caller, document, body| {
            caller.post("/api/method/frappe.client.save").json(&json!({ "doc": with_name(document, "name", body) }))
        },
        outcome: |reply| (reply.status, reply.message()),
    },
    Door {
        name: "frappe.client.bulk_update",
        guests: false,
        request: |caller, document, body| {
            caller.post("/api/method/frappe.client.bulk_update").json(&json!({ "docs": [with_name(document, "docname", body)] }))
        },
        outcome: |reply| {
            let failed = reply.message()["failed_docs"][0]["exc"].to_string();
            // It does not show what it did.
            (if failed.contains("PermissionError") { 403 } else { reply.status }, Value::Null)
        },
    },
];

fn with_name(document: &Document, key: &str, body: &Value) -> Value {
    let mut doc = body.clone();
    doc["doctype"] = json!(DOCTYPES[document.doctype]);
    doc[key] = json!(document.name);
    doc
}

/// Documents are changed by whom the model says, in the fields that it says, and what comes back shows no more than reading does.
pub async fn updates_agree(caller: &Caller, administrator: &Caller, user: usize, world: &World) {
    for (index, document) in world.documents.iter().enumerate() {
        let before = stored(administrator, document).await;
        let door = &DOORS[(index + user) % DOORS.len()];
        // A title decides nothing, and the level of the other one may be out of reach.
        let body = json!({ "title": document.fields["title"], "hidden": "taken over" });
        let reply = (door.request)(caller, document, &body).send().await;
        let what = || format!("update {} by {} as {}: {}\n{world:#?}", document.name, door.name, USERS[user], reply.text());
        keeps_secrets(&reply, user, world, &body.to_string(), &what);
        let after = stored(administrator, document).await;
        let (status, shown) = (door.outcome)(&reply);
        if !world.may(user, document, "write") || (user == GUEST && !door.guests) {
            assert_eq!(status, 403, "{}", what());
            assert_eq!(before, after, "{}", what());
            refusals_are_alike(caller, user, world, document).await;
            continue;
        }
        assert_eq!(status, 200, "{}", what());
        let writes = world.writes_level(user, document.doctype, 1);
        assert_eq!(after["hidden"] == "taken over", writes, "{}", what());
        if !shown.is_null() {
            let sees = world.may(user, document, "read") && world.sees_level(user, document.doctype, 1);
            assert_eq!(shown.get("hidden").is_some(), sees, "{}", what());
            if !world.may(user, document, "read") {
                assert!(FIELDS[document.doctype].iter().all(|(field, ..)| shown.get(field).is_none()), "{}", what());
            }
        }
        if writes {
            let back = json!({ "hidden": document.fields["hidden"] });
            administrator.put(&path(document)).json(&back).send().await.expect_status(200);
        }
        // A link may not be turned to where the writer could not have put it.
        if document.doctype == CLIENT {
            for (region, ..) in REGIONS {
                let mut turned = document.clone();
                turned.fields.insert("region", json!(region));
                let reply = caller.put(&path(document)).json(&json!({ "region": region })).send().await;
                let expected = if world.may(user, &turned, "write") { 200 } else { 403 };
                assert_eq!(reply.status, expected, "region {region} of {}", what());
            }
            administrator.put(&path(document)).json(&json!({ "region": document.fields.get("region") })).send().await.expect_status(200);
        }
    }
}

/// Whoever may not write a document hears the same whatever they try: nothing of what is stored, of what is linked, of
/// which names are taken, can be told from it.
async fn refusals_are_alike(caller: &Caller, user: usize, world: &World, document: &Document) {
    if world.may(user, document, "write") {
        return;
    }
    let mut said = BTreeSet::new();
    for body in [
        json!({}),
        json!({ "modified": "2001-01-01 00:00:00" }),
        json!({ "hidden": document.fields["hidden"] }),
        json!({ "region": "Nowhere", "client": "Nowhere", "parent_region": "Nowhere" }),
        json!({ "docstatus": 2 }),
        json!({ "deep": "no number" }),
    ] {
        let reply = caller.put(&path(document)).json(&body).send().await;
        said.insert((reply.status, reply.text()));
    }
    assert_eq!(said.len(), 1, "{} as {}: {said:?}\n{world:#?}", document.name, USERS[user]);
    if user == GUEST {
        return;
    }
    let mut said = BTreeSet::new();
    for new in ["Fresh", &world.nth(document.doctype, 0).name, &world.nth(document.doctype, 1).name] {
        let body = json!({ "doctype": DOCTYPES[document.doctype], "old_name": document.name, "new_name": new });
        let reply = caller.post("/api/method/frappe.client.rename_doc").json(&body).send().await;
        said.insert((reply.status, reply.text()));
    }
    assert_eq!(said.len(), 1, "rename {} as {}: {said:?}\n{world:#?}", document.name, USERS[user]);
    assert_eq!(said.first().map(|(status, _)| *status), Some(403));
}

/// Deals are submitted, cancelled and amended by whom the model says, and shared by nobody else.
pub async fn submissions_agree(app: &TestApp, caller: &Caller, administrator: &Caller, user: usize, world: &World) {
    for deal in world.of(DEAL) {
        let what = |reply: &Reply| format!("{} as {}: {}\n{world:#?}", deal.name, USERS[user], reply.text());
        let may = |right: &str| world.may(user, deal, "write") && world.may(user, deal, right);
        let reply = caller.put(&path(deal)).json(&json!({ "docstatus": 1 })).send().await;
        assert_eq!(reply.status, if may("submit") { 200 } else { 403 }, "submit {}", what(&reply));
        keeps_secrets(&reply, user, world, "", &|| what(&reply));
        if !may("submit") {
            administrator.put(&path(deal)).json(&json!({ "docstatus": 1 })).send().await.expect_status(200);
        }
        // Whoever may not change it any more is told that, and to nobody else what stands in it.
        let reply = caller.put(&path(deal)).json(&json!({ "title": "other", "hidden": "other", "deep": 77 })).send().await;
        assert_eq!(reply.status, if may("submit") { 417 } else { 403 }, "change {}", what(&reply));
        keeps_secrets(&reply, user, world, "", &|| what(&reply));
        let reply = caller.put(&path(deal)).json(&json!({ "docstatus": 2 })).send().await;
        assert_eq!(reply.status, if may("cancel") { 200 } else { 403 }, "cancel {}", what(&reply));
        keeps_secrets(&reply, user, world, "", &|| what(&reply));
        if !may("cancel") {
            administrator.put(&path(deal)).json(&json!({ "docstatus": 2 })).send().await.expect_status(200);
        }
        let mut amendment = Document { name: format!("{}-1", deal.name), owner: user, items: Vec::new(), ..deal.clone() };
        amendment.fields = BTreeMap::from([("title", json!("amended")), ("amended_from", json!(deal.name))]);
        let body = json!({ "title": "amended", "amended_from": deal.name });
        let reply = caller.post("/api/resource/Deal").json(&body).send().await;
        let may_amend = world.may_create(user, &amendment) && world.may(user, deal, "amend");
        assert_eq!(reply.status, if may_amend { 200 } else { 403 }, "amend {}", what(&reply));
        keeps_secrets(&reply, user, world, "", &|| what(&reply));
        if may_amend {
            administrator.delete(&path(&amendment)).send().await.expect_status(202);
        }
        draft_again(app, &deal.name);
        if user != GUEST && !world.may(user, deal, "share") {
            let body = json!({ "doctype": "Deal", "name": deal.name, "user": USERS[user], "read": 1 });
            let reply = caller.post("/api/method/frappe.share.add").json(&body).send().await;
            assert_eq!(reply.status, 403, "share {}", what(&reply));
        }
    }
}

/// Documents are made by whom the model says, with the links that it says.
pub async fn creations_agree(caller: &Caller, administrator: &Caller, user: usize, world: &World) {
    for region in REGIONS.iter().map(|(name, ..)| Some(*name)).chain([None, Some("Nowhere")]) {
        let mut fields = texts("New");
        fields.extend(region.map(|region| ("region", json!(region))));
        let document = Document { doctype: 1, name: "New one".into(), owner: user, fields, items: Vec::new(), modified: 0 };
        let body = json!({ "name": "New one", "title": "title of New", "hidden": "hidden of New", "region": region });
        let reply = caller.post("/api/resource/Client").json(&body).send().await;
        let what = || format!("create in {region:?} as {}: {}\n{world:#?}", USERS[user], reply.text());
        let opens = user == ADMINISTRATOR || world.rows(user, 1, 0, "create").next().is_some();
        let expected = match region {
            // What is not there is refused as what may not be used, where there is a difference to hide.
            Some("Nowhere") if opens && world.allowed(user, REGION, 1).is_none_or(|_| user == ADMINISTRATOR) => 417,
            _ if world.may_create(user, &document) => 200,
            _ => 403,
        };
        assert_eq!(reply.status, expected, "{}", what());
        let there = administrator.get(&path(&document)).send().await;
        assert_eq!(there.status, if expected == 200 { 200 } else { 404 }, "{}", what());
        if expected == 200 {
            let hidden = there.data().get("hidden").is_some();
            assert_eq!(hidden, world.writes_level(user, 1, 1), "{}", what());
            administrator.delete(&path(&document)).send().await.expect_status(202);
        }
    }
}

/// Documents are deleted by whom the model says; what keeps one there is named to those who may read it.
pub async fn deletions_agree(caller: &Caller, user: usize, left: &mut World, world: &World) {
    // Deals name the others, so they go first.
    for document in world.documents.iter().rev() {
        if !left.documents.iter().any(|other| other.name == document.name) {
            continue;
        }
        let reply = caller.delete(&path(document)).send().await;
        let what = || format!("delete {} as {}: {}\n{world:#?}", document.name, USERS[user], reply.text());
        if !world.may(user, document, "delete") {
            assert_eq!(reply.status, 403, "{}", what());
            continue;
        }
        if reply.status == 202 {
            left.documents.retain(|other| other.name != document.name);
            continue;
        }
        // Something names it; which document that is, only who may read it hears.
        assert_eq!(reply.status, 417, "{}", what());
        let said = reply.text();
        for other in world.documents.iter().filter(|other| other.name != document.name && !world.may(user, other, "read")) {
            assert!(!said.contains(&other.name), "{} in {}", other.name, what());
        }
    }
}
