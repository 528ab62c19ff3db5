//! What is not random: refusals as oracles, and documents that are kept beside others.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::both_databases;
use crate::support::{Caller, Reply, TestApp};

both_databases!(
    a_hidden_field_is_refused_like_one_that_does_not_exist,
    an_order_that_is_not_asked_for_tells_nothing_hidden,
    who_may_change_but_not_read_hears_nothing_of_what_stands_there,
    what_is_kept_beside_a_document_is_no_way_around_its_rights,
);

const VAULT: &str = "/api/resource/Vault%20Box";

/// A doctype that everybody reads, with a field, a table field and a number for managers only, sorted by one of them.
fn vault() -> Value {
    json!({
        "doctype": "DocType", "name": "Vault Box", "module": "Vault", "autoname": "prompt", "track_changes": 1, "is_submittable": 1,
        "sort_field": "secret", "sort_order": "ASC", "title_field": "secret", "search_fields": "label, secret",
        "fields": [
            {"fieldname": "label", "label": "Label", "fieldtype": "Data"},
            {"fieldname": "secret", "label": "Secret", "fieldtype": "Data", "permlevel": 1},
            {"fieldname": "weight", "label": "Weight", "fieldtype": "Int", "permlevel": 1},
            {"fieldname": "amended_from", "label": "Amended From", "fieldtype": "Link", "options": "Vault Box"}
        ],
        "permissions": [
            {"role": "System Manager", "read": 1, "write": 1, "create": 1, "submit": 1, "cancel": 1, "delete": 1},
            {"role": "System Manager", "permlevel": 1, "read": 1, "write": 1},
            {"role": "All", "read": 1},
            {"role": "Vault Clerk", "write": 1, "submit": 1, "cancel": 1},
            {"role": "Vault Clerk", "permlevel": 1, "write": 1}
        ]
    })
}

/// Boxes a, b and c whose secrets stand in no order of names or times.
async fn given(app: &TestApp) -> Caller {
    let administrator = app.administrator().await;
    administrator.post("/api/resource/Role").json(&json!({ "role_name": "Vault Clerk" })).send().await.expect_status(200);
    administrator.post("/api/resource/DocType").json(&vault()).send().await.expect_status(200);
    for (name, secret) in [("c", "zebra"), ("a", "mango"), ("d", "apple"), ("b", "quince")] {
        let body = json!({ "name": name, "label": "box", "secret": secret, "weight": 3 });
        administrator.post(VAULT).json(&body).send().await.expect_status(200);
    }
    administrator
}

async fn a_hidden_field_is_refused_like_one_that_does_not_exist(app: TestApp) {
    let administrator = given(&app).await;
    let amina = app.user("amina@example.com").await.api_key().await;
    let ask = async |caller: &Caller, parameter: &str, value: &str| {
        let asked = [("doctype", "Vault Box"), (parameter, value)];
        caller.get("/api/method/frappe.client.get_list").query(&asked).send().await
    };
    for (parameter, value) in [
        ("filters", r#"{"FIELD": "zebra"}"#),
        ("filters", r#"[["FIELD", "like", "z%"]]"#),
        ("filters", r#"[["FIELD", "nonsense", 1]]"#),
        ("filters", r#"[["FIELD", "between", "x"]]"#),
        ("filters", r#"[["Vault Box", "FIELD", ">", "no number"]]"#),
        ("or_filters", r#"[["FIELD", "is", "set"], ["label", "=", "no box"]]"#),
        ("order_by", "FIELD desc"),
        ("order_by", "label, `tabVault Box`.`FIELD`"),
        ("group_by", "FIELD"),
        ("order_by", "count(FIELD)"),
    ] {
        let refused = async |field: &str| {
            let reply = ask(&amina, parameter, &value.replace("FIELD", field)).await;
            let told = reply.json();
            assert!(!told["_server_messages"].as_str().is_some_and(|told| told.contains("zebra")), "{told}");
            (reply.status, told["exc_type"].clone(), told["exception"].to_string().replace(field, "FIELD"))
        };
        let unknown = refused("nosuch").await;
        assert_eq!(unknown.0, 417, "{value}: {unknown:?}");
        for field in ["secret", "weight"] {
            assert_eq!(refused(field).await, unknown, "{field} in {value}");
        }
    }
    // To who may see it, it is a field like any other.
    assert_eq!(ask(&administrator, "filters", r#"{"secret": "zebra"}"#).await.message(), json!([{"name": "c"}]));
    let fields = r#"["name", "secret", "max(weight) as heaviest"]"#;
    assert_eq!(ask(&amina, "fields", r#"["sum(weight) as all", "count(secret) as some"]"#).await.message(), json!([{}, {}, {}, {}]));
    assert!(!ask(&amina, "fields", fields).await.text().contains("heaviest"));
    assert!(ask(&administrator, "fields", fields).await.text().contains("heaviest"));
}

async fn an_order_that_is_not_asked_for_tells_nothing_hidden(app: TestApp) {
    let administrator = given(&app).await;
    let amina = app.user("amina@example.com").await.api_key().await;
    let names = |reply: &Reply| -> String {
        let rows = reply.data();
        rows.as_array().expect("a list").iter().map(|row| row["name"].as_str().expect("a name").to_owned()).collect()
    };
    assert_eq!(names(&administrator.get(VAULT).send().await), "dabc");
    assert_eq!(names(&amina.get(VAULT).send().await), "abcd");
    for distinct in ["0", "1"] {
        let asked = [("fields", r#"["name", "label"]"#), ("distinct", distinct)];
        assert_eq!(names(&amina.get(VAULT).query(&asked).send().await), "abcd", "{distinct}");
    }
    let page = |caller: &Caller| caller.get("/api/v2/document/Vault%20Box").query(&[("limit", "2")]);
    let decoded = |reply: &Reply| {
        let cursor = reply.string("next_cursor");
        let bytes = base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, &cursor).expect("base64");
        (cursor, String::from_utf8(bytes).expect("text"))
    };
    let (all, some) = (page(&administrator).send().await.expect_status(200), page(&amina).send().await.expect_status(200));
    assert!(decoded(&all).1.contains("mango"), "the order is that of the secret, to who may see it");
    assert!(!decoded(&some).1.contains("quince") && !decoded(&some).1.contains("mango"), "{}", decoded(&some).1);
    assert_eq!(names(&page(&amina).query(&[("cursor", &decoded(&some).0)]).send().await), "cd");
    // A cursor goes on in the order that it was made for, and in no other.
    page(&amina).query(&[("cursor", &decoded(&all).0)]).send().await.expect_status(417);
}

async fn who_may_change_but_not_read_hears_nothing_of_what_stands_there(app: TestApp) {
    let administrator = given(&app).await;
    let clerk = app.user_with_roles("clerk@example.com", &["Vault Clerk"]).await.api_key().await;
    let a = format!("{VAULT}/a");
    // Level 1 is the clerk's to write, not to read.
    let changed = clerk.put(&a).json(&json!({ "secret": "papaya", "docstatus": 1 })).send().await.expect_status(200);
    assert!(!changed.text().contains("papaya"), "{}", changed.text());
    assert_eq!(administrator.get(&a).send().await.data()["secret"], "papaya");
    let refused = clerk.put(&a).json(&json!({ "secret": "guess" })).send().await.expect_status(417);
    assert_eq!(refused.error().as_deref(), Some("UpdateAfterSubmitError"));
    assert!(refused.text().contains("Secret") && !refused.text().contains("papaya"), "{}", refused.text());
    let told = administrator.put(&a).json(&json!({ "secret": "guess" })).send().await.expect_status(417);
    assert!(told.text().contains("papaya") && told.text().contains("guess"), "{}", told.text());
}

async fn what_is_kept_beside_a_document_is_no_way_around_its_rights(app: TestApp) {
    let administrator = given(&app).await;
    administrator.put(&format!("{VAULT}/a")).json(&json!({ "secret": "papaya" })).send().await.expect_status(200);
    for (doctype, body) in [
        (
            "Comment",
            json!({ "comment_type": "Comment", "reference_doctype": "Vault Box", "reference_name": "a", "content": "it is papaya" }),
        ),
        ("ToDo", json!({ "description": "move the papaya", "reference_type": "Vault Box", "reference_name": "a" })),
        ("DocShare", json!({ "user": "Guest", "share_doctype": "Vault Box", "share_name": "a", "read": 1 })),
        (
            "File",
            json!({
                "file_name": "papaya.txt", "file_url": "https://files.example/papaya.txt", "is_private": 1,
                "attached_to_doctype": "Vault Box", "attached_to_name": "a"
            }),
        ),
    ] {
        administrator.post(&format!("/api/resource/{doctype}")).json(&body).send().await.expect_status(200);
    }
    let amina = app.user("amina@example.com").await.api_key().await;
    let clerk = app.user_with_roles("clerk@example.com", &["Vault Clerk"]).await.api_key().await;
    let beside = ["Version", "Comment", "ToDo", "DocShare", "File", "Tag Link", "User Permission", "Activity Log", "API Request Log"];
    for doctype in beside {
        let rows = async |caller: &Caller| caller.get(&format!("/api/resource/{doctype}")).query(&[("fields", r#"["*"]"#)]).send().await;
        for caller in [&amina, &clerk] {
            let reply = rows(caller).await;
            let nothing = reply.status == 403 || (reply.status == 200 && reply.data() == json!([]));
            assert!(nothing, "{doctype}: {}", reply.text());
            let found = caller.get("/api/search").query(&[("txt", "papaya")]).send().await.expect_status(200);
            assert_eq!(found.data(), json!([]), "{doctype}");
        }
        // The names of those that are there tell nothing either.
        let all = rows(&administrator).await.expect_status(200).data();
        let there = all.as_array().expect("a list").iter().filter(|row| row.to_string().contains("papaya") || row["share_name"] == "a");
        for row in there {
            let name = row["name"].as_str().expect("a name");
            let reply = amina.get(&format!("/api/resource/{doctype}/{name}")).send().await;
            assert_eq!(reply.status, 403, "{doctype}: {}", reply.text());
            assert!(!reply.text().contains("papaya"), "{doctype}: {}", reply.text());
        }
    }
    let told: BTreeSet<String> =
        [rows_about(&administrator, "Version").await, rows_about(&administrator, "Comment").await].into_iter().collect();
    assert!(told.iter().all(|rows| rows.contains("papaya")), "what nobody else saw is there: {told:?}");
}

async fn rows_about(administrator: &Caller, doctype: &str) -> String {
    administrator.get(&format!("/api/resource/{doctype}")).query(&[("fields", r#"["*"]"#)]).send().await.expect_status(200).text()
}
