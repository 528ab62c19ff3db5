//! Names that counters make, beside names that somebody chose.

use diesel::connection::SimpleConnection as _;
use ostiary::store::StoreError;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::assert_refused;
use crate::both_databases;
use crate::support::{Caller, Reply, TestApp, define, field};

both_databases!(
    a_counter_steps_over_names_that_somebody_chose,
    a_counter_steps_over_a_name_that_a_document_was_given_later,
    names_that_are_chosen_while_others_are_counted_keep_nobody_from_counting,
    numbers_that_documents_have_are_stepped_over,
    an_amendment_steps_over_a_name_that_somebody_chose,
    a_document_is_amended_once_whatever_its_amendment_is_called,
    one_of_many_amendments_at_once_is_made,
    names_that_are_no_texts_or_no_part_of_a_path_are_refused,
);

const TICKET: &str = "/api/resource/HD%20Ticket";
const RENAME: &str = "/api/method/frappe.client.rename_doc";

/// Asks for a document of this name, as Frappe 16 lets clients.
async fn choose(caller: &Caller, doctype: &str, mut fields: Value, name: &str) -> Reply {
    fields["name"] = json!(name);
    caller.post(&format!("/api/v2/document/{doctype}")).json(&fields).send().await
}

async fn ticket(caller: &Caller) -> String {
    let made = caller.post(TICKET).json(&json!({ "subject": "counted" })).send().await.expect_status(200).data();
    made["name"].as_str().expect("a name").to_owned()
}

async fn delete_ticket(caller: &Caller, name: &str) {
    caller.delete(&format!("{TICKET}/{name}")).send().await.expect_status(202);
}

async fn a_counter_steps_over_names_that_somebody_chose(app: TestApp) {
    let (amina, boris) = (app.user("amina@example.com").await.api_key().await, app.user("boris@example.com").await.api_key().await);
    let administrator = app.administrator().await;
    let chosen = async |number: &str| choose(&amina, "HD%20Ticket", json!({ "subject": "chosen" }), &format!("HD-{number}")).await;
    assert_eq!(ticket(&amina).await, "HD-00001");
    for number in ["00002", "00003", "00005", "0007", "00009"] {
        chosen(number).await.expect_status(200);
    }
    assert_eq!(ticket(&boris).await, "HD-00004");
    assert_eq!(ticket(&amina).await, "HD-00006");
    assert_eq!(ticket(&boris).await, "HD-00007", "other digits are another name");
    chosen("00007").await.expect_status(409);
    // The last number comes again once its document is gone, but for names that were never counted.
    delete_ticket(&administrator, "HD-00007").await;
    delete_ticket(&administrator, "HD-00009").await;
    assert_eq!(ticket(&boris).await, "HD-00007");
    chosen("00008").await.expect_status(200);
    assert_eq!(ticket(&boris).await, "HD-00009");
}

async fn a_counter_steps_over_a_name_that_a_document_was_given_later(app: TestApp) {
    const CUSTOMER: &str = "/api/resource/Customer";
    let administrator = app.administrator().await;
    let make = async || {
        let made = administrator.post(CUSTOMER).json(&json!({ "customer_name": "Acme" })).send().await.expect_status(200).data();
        made["name"].as_str().expect("a name").to_owned()
    };
    let first = make().await;
    let (prefix, number) = first.split_at(first.len() - 1);
    assert_eq!(number, "1");
    let renamed = json!({ "doctype": "Customer", "old_name": first, "new_name": format!("{prefix}2") });
    administrator.post(RENAME).json(&renamed).send().await.expect_status(200);
    assert_eq!([make().await, make().await], [format!("{prefix}3"), format!("{prefix}4")]);
}

async fn names_that_are_chosen_while_others_are_counted_keep_nobody_from_counting(app: TestApp) {
    let (amina, boris) = (app.user("amina@example.com").await.api_key().await, app.user("boris@example.com").await.api_key().await);
    let mut making = JoinSet::new();
    for number in 1..=20 {
        let (amina, boris) = (amina.clone(), boris.clone());
        making.spawn(async move { Some(ticket(&boris).await) });
        making.spawn(async move {
            let status = choose(&amina, "HD%20Ticket", json!({ "subject": "chosen" }), &format!("HD-{number:05}")).await.status;
            assert!(matches!(status, 200 | 409), "{status}");
            None
        });
    }
    let mut counted: Vec<String> = making.join_all().await.into_iter().flatten().collect();
    counted.sort();
    counted.dedup();
    assert_eq!(counted.len(), 20, "{counted:?}");
}

async fn numbers_that_documents_have_are_stepped_over(app: TestApp) {
    let administrator = app.administrator().await;
    let fields = [field("title", "Data", "")];
    define(&administrator, json!({ "name": "Tally", "autoname": "autoincrement", "fields": fields })).await;
    let make = async || administrator.post("/api/resource/Tally").json(&json!({})).send().await.expect_status(200).data()["name"].clone();
    for number in 1..=3 {
        assert_eq!(make().await, json!(number));
    }
    // As a loader leaves it that writes rows and knows of no counters.
    let forget = app.db().write("forget a counter", |conn, _| {
        conn.batch_execute("UPDATE document_series SET current = 0 WHERE doctype = 'Tally'").map_err(|error| StoreError::from(error).into())
    });
    forget.await.expect("written");
    assert_eq!([make().await, make().await], [json!(4), json!(5)]);
}

const BILL: &str = "/api/resource/Bill";

/// Makes a submittable doctype and two documents of it that are cancelled.
async fn cancelled_bills(administrator: &Caller, autoname: &str) -> [String; 2] {
    let fields = [field("title", "Data", ""), field("amended_from", "Link", "Bill")];
    let bill = json!({ "name": "Bill", "autoname": autoname, "is_submittable": 1, "allow_rename": 1, "fields": fields });
    define(administrator, bill).await;
    let made = async || {
        let made = administrator.post(BILL).json(&json!({ "docstatus": 1 })).send().await.expect_status(200).data();
        let name = made["name"].as_str().map_or_else(|| made["name"].to_string(), str::to_owned);
        cancel(administrator, &name).await;
        name
    };
    [made().await, made().await]
}

async fn cancel(caller: &Caller, name: &str) {
    caller.put(&format!("{BILL}/{name}")).json(&json!({ "docstatus": 2 })).send().await.expect_status(200);
}

async fn amend(caller: &Caller, name: &str) -> Reply {
    caller.post(BILL).json(&json!({ "amended_from": name, "docstatus": 1 })).send().await
}

async fn an_amendment_steps_over_a_name_that_somebody_chose(app: TestApp) {
    let administrator = app.administrator().await;
    let [first, second] = cancelled_bills(&administrator, "BILL-.###").await;
    for name in ["BILL-001-1", "BILL-001-2"] {
        choose(&administrator, "Bill", json!({}), name).await.expect_status(200);
    }
    assert_eq!(amend(&administrator, &first).await.expect_status(200).data()["name"], "BILL-001-3");
    assert_eq!(amend(&administrator, &second).await.expect_status(200).data()["name"], "BILL-002-1");
}

async fn a_document_is_amended_once_whatever_its_amendment_is_called(app: TestApp) {
    let administrator = app.administrator().await;
    let [chosen, renamed] = cancelled_bills(&administrator, "BILL-.###").await;
    let already = async |name: &str, amendment: &str| {
        let text = format!("Bill {amendment} already exists");
        assert_refused(&amend(&administrator, name).await, 409, "DuplicateEntryError", &text);
    };
    choose(&administrator, "Bill", json!({}), "BILL-001-1").await.expect_status(200);
    assert_eq!(amend(&administrator, &chosen).await.expect_status(200).data()["name"], "BILL-001-2");
    already(&chosen, "BILL-001-2").await;
    amend(&administrator, &renamed).await.expect_status(200);
    let to = json!({ "doctype": "Bill", "old_name": "BILL-002-1", "new_name": "Corrected" });
    administrator.post(RENAME).json(&to).send().await.expect_status(200);
    already(&renamed, "Corrected").await;
    // Nor is it said later of a document that is there, or otherwise.
    choose(&administrator, "Bill", json!({}), "Loose").await.expect_status(200);
    for (name, amended) in [("Loose", json!(renamed)), ("BILL-001-2", json!(renamed)), ("BILL-001-2", json!(null))] {
        let reply = administrator.put(&format!("{BILL}/{name}")).json(&json!({ "amended_from": amended })).send().await.expect_status(417);
        assert_eq!(reply.json()["exc_type"], "CannotChangeConstantError", "{name}");
    }
    // What was cancelled is amended itself; its number goes on where it has one.
    cancel(&administrator, "BILL-001-2").await;
    already(&chosen, "BILL-001-2").await;
    assert_eq!(amend(&administrator, "BILL-001-2").await.expect_status(200).data()["name"], "BILL-001-3");
    // Once the amendment is gone there is none.
    cancel(&administrator, "Corrected").await;
    administrator.delete(&format!("{BILL}/Corrected")).send().await.expect_status(202);
    assert_eq!(amend(&administrator, &renamed).await.expect_status(200).data()["name"], "BILL-002-1");
}

async fn one_of_many_amendments_at_once_is_made(app: TestApp) {
    let administrator = app.administrator().await;
    let [first, second] = cancelled_bills(&administrator, "autoincrement").await;
    let mut amending = JoinSet::new();
    for _ in 0..10 {
        for name in [&first, &second] {
            let (caller, name) = (administrator.clone(), name.clone());
            amending.spawn(async move { amend(&caller, &name).await.status });
        }
    }
    let mut statuses = amending.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses, [vec![200; 2], vec![409; 18]].concat());
}

async fn names_that_are_no_texts_or_no_part_of_a_path_are_refused(app: TestApp) {
    let administrator = app.administrator().await;
    let made =
        administrator.post("/api/resource/Customer").json(&json!({ "customer_name": "Acme" })).send().await.expect_status(200).data();
    let rename = async |old: Value, new: Value| {
        administrator.post(RENAME).json(&json!({ "doctype": "Customer", "old_name": old, "new_name": new })).send().await
    };
    for other in [json!(["a"]), json!({ "a": 1 }), json!(true)] {
        assert_eq!(
            rename(made["name"].clone(), other.clone()).await.expect_status(417).error().as_deref(),
            Some("FrappeTypeError"),
            "{other}"
        );
        rename(other, json!("a")).await.expect_status(417);
    }
    for dots in [".", ".."] {
        let text = format!("Name cannot be {dots}");
        assert_refused(&rename(made["name"].clone(), json!(dots)).await, 409, "NameError", &text);
        choose(&administrator, "Customer", json!({ "customer_name": "Dots" }), dots).await.expect_status(409);
    }
    assert_eq!(rename(made["name"].clone(), json!("...")).await.expect_status(200).message(), "...");
    assert_eq!(rename(json!("..."), json!(7)).await.expect_status(200).message(), "7");
}
