//! Assignment rules: who is given what was just made.

use serde_json::{Value, json};

use super::{CONTACT, RULE, TEAM, TICKET, TODO, count, create, names, path, set, someone, team, ticket};
use crate::both_databases;
use crate::support::{Caller, TestApp};

both_databases!(
    a_rule_gives_documents_to_its_users_in_turn,
    a_rule_holds_as_it_is_now,
    tickets_are_made_while_rules_are_renamed_and_contacts_come_and_go,
    the_least_loaded_user_is_given_the_next_document,
    a_rule_may_take_the_user_from_a_field,
    a_document_is_assigned_when_it_comes_to_meet_the_condition,
    a_rule_that_cannot_be_evaluated_is_refused_when_it_is_saved,
    a_team_shares_its_tickets_out_among_its_members,
    a_team_writes_only_rules_that_its_writer_may_write,
    a_new_team_has_its_own_members_also_under_the_name_of_an_old_one,
    an_agent_sees_what_is_assigned_to_them_whatever_their_team,
    a_ticket_that_is_deleted_takes_its_assignment_along,
);

/// A rule for urgent tickets, with further fields.
async fn rule(caller: &Caller, name: &str, fields: Value) -> Value {
    let users: Vec<Value> = ["one@example.com", "two@example.com"].iter().map(|user| json!({ "user": user })).collect();
    let mut rule = json!({ "name": name, "document_type": "HD Ticket", "assign_condition": "priority == \"Urgent\"", "users": users });
    for (key, value) in fields.as_object().expect("an object") {
        rule[key] = value.clone();
    }
    create(caller, RULE, rule).await
}

async fn agents(app: &TestApp) -> (Caller, Caller) {
    (someone(app, "one@example.com", &["Agent"]).await, someone(app, "two@example.com", &["Agent"]).await)
}

/// Whom a ticket is assigned to.
async fn assigned(caller: &Caller, ticket: &str) -> Value {
    let query = [("fields", r#"["_assign"]"#), ("filters", &json!({ "name": ticket }).to_string())];
    let row = caller.get(TICKET).query(&query).send().await.expect_status(200).data()[0]["_assign"].clone();
    row.as_str().map_or(Value::Null, |text| serde_json::from_str(text).expect("JSON"))
}

async fn urgent(caller: &Caller) -> String {
    ticket(caller, json!({ "subject": "burning", "priority": "Urgent" })).await
}

async fn a_rule_gives_documents_to_its_users_in_turn(app: TestApp) {
    let administrator = app.administrator().await;
    let (one, two) = agents(&app).await;
    rule(&administrator, "Urgent ones", json!({ "description": "Look at this at once" })).await;
    let mut given = Vec::new();
    for _ in 0..3 {
        let name = urgent(&administrator).await;
        given.push(assigned(&administrator, &name).await);
    }
    assert_eq!(given, [json!(["one@example.com"]), json!(["two@example.com"]), json!(["one@example.com"])]);
    assert_eq!((names(&one, TODO).await.len(), names(&two, TODO).await.len()), (2, 1));
    let todo = two.get(&path(TODO, &names(&two, TODO).await[0])).send().await.expect_status(200).data();
    for (key, value) in [
        ("allocated_to", "two@example.com"),
        ("reference_type", "HD Ticket"),
        ("reference_name", "HD-00002"),
        ("description", "Look at this at once"),
        ("assigned_by", "Administrator"),
        ("assignment_rule", "Urgent ones"),
        ("status", "Open"),
    ] {
        assert_eq!(todo[key], json!(value), "{key}");
    }
    // What does not meet the condition is left alone, and so is everything once the rule is disabled.
    let calm = ticket(&administrator, json!({ "subject": "calm", "priority": "Low" })).await;
    assert_eq!(assigned(&administrator, &calm).await, json!(null));
    administrator.put(&path(RULE, "Urgent ones")).json(&json!({ "disabled": 1 })).send().await.expect_status(200);
    let after = urgent(&administrator).await;
    assert_eq!(assigned(&administrator, &after).await, json!(null));
    // A user that is disabled is passed over.
    administrator.put(&path(RULE, "Urgent ones")).json(&json!({ "disabled": 0 })).send().await.expect_status(200);
    administrator.put("/api/resource/User/two@example.com").json(&json!({ "enabled": 0 })).send().await.expect_status(200);
    for _ in 0..2 {
        let name = urgent(&administrator).await;
        assert_eq!(assigned(&administrator, &name).await, json!(["one@example.com"]));
    }
}

async fn a_rule_holds_as_it_is_now(app: TestApp) {
    let administrator = app.administrator().await;
    agents(&app).await;
    // Before there is any rule, so that none is remembered.
    let before = urgent(&administrator).await;
    assert_eq!(assigned(&administrator, &before).await, json!(null));
    // In the very request that makes it.
    let rule_and_ticket = json!([
        { "doctype": "Assignment Rule", "name": "Now", "document_type": "HD Ticket", "assign_condition": "priority == \"Urgent\"", "users": [{ "user": "one@example.com" }] },
        { "doctype": "HD Ticket", "subject": "burning", "priority": "Urgent" },
    ]);
    let made = administrator
        .post("/api/method/frappe.client.insert_many")
        .json(&json!({ "docs": rule_and_ticket }))
        .send()
        .await
        .expect_status(200)
        .message();
    assert_eq!(assigned(&administrator, made[1].as_str().expect("a name")).await, json!(["one@example.com"]));
    let renamed = json!({ "doctype": "Assignment Rule", "old_name": "Now", "new_name": "Later" });
    administrator.post("/api/method/frappe.client.rename_doc").json(&renamed).send().await.expect_status(200);
    administrator.put(&path(RULE, "Later")).json(&json!({ "users": [{ "user": "two@example.com" }] })).send().await.expect_status(200);
    let after = urgent(&administrator).await;
    assert_eq!(assigned(&administrator, &after).await, json!(["two@example.com"]));
    let rule = administrator.get(&path(RULE, "Later")).send().await.expect_status(200).data();
    assert_eq!(rule["last_user"], json!("two@example.com"));
    // A rule of a request that is refused was never there.
    let refused = json!([
        { "doctype": "Assignment Rule", "name": "Never", "document_type": "HD Ticket", "assign_condition": "priority == \"Urgent\"", "priority": 9, "users": [{ "user": "one@example.com" }] },
        { "doctype": "HD Ticket", "subject": "burning", "priority": "Urgent" },
        { "doctype": "HD Ticket", "subject": "unclear", "priority": "Whenever" },
    ]);
    administrator.post("/api/method/frappe.client.insert_many").json(&json!({ "docs": refused })).send().await.expect_status(417);
    let after = urgent(&administrator).await;
    assert_eq!(assigned(&administrator, &after).await, json!(["two@example.com"]));
}

async fn tickets_are_made_while_rules_are_renamed_and_contacts_come_and_go(app: TestApp) {
    let administrator = app.administrator().await;
    let (one, _) = agents(&app).await;
    rule(&administrator, "Rule 0", json!({})).await;
    let changes = async {
        for number in 0..12 {
            let renamed =
                json!({ "doctype": "Assignment Rule", "old_name": format!("Rule {number}"), "new_name": format!("Rule {}", number + 1) });
            administrator.post("/api/method/frappe.client.rename_doc").json(&renamed).send().await.expect_status(200);
            let contact = json!({ "first_name": "One", "email_ids": [{ "email_id": "one@example.com", "is_primary": 1 }] });
            let contact = create(&administrator, CONTACT, contact).await["name"].as_str().expect("a name").to_owned();
            // Where a ticket names it meanwhile, it stays.
            administrator.delete(&path(CONTACT, &contact)).send().await;
        }
    };
    let tickets = futures_util::future::join_all((0..4).map(async |_| {
        for _ in 0..12 {
            one.post(TICKET).json(&json!({ "subject": "burning", "priority": "Urgent" })).send().await.expect_status(200);
        }
    }));
    futures_util::future::join(changes, tickets).await;
}

async fn the_least_loaded_user_is_given_the_next_document(app: TestApp) {
    let administrator = app.administrator().await;
    let (one, _) = agents(&app).await;
    rule(&administrator, "Urgent ones", json!({ "rule": "Load Balancing" })).await;
    let first = urgent(&administrator).await;
    let second = urgent(&administrator).await;
    assert_eq!(assigned(&administrator, &first).await, json!(["one@example.com"]));
    assert_eq!(assigned(&administrator, &second).await, json!(["two@example.com"]));
    let third = urgent(&administrator).await;
    assert_eq!(assigned(&administrator, &third).await, json!(["one@example.com"]));
    for name in names(&one, TODO).await {
        one.put(&path(TODO, &name)).json(&json!({ "status": "Closed" })).send().await.expect_status(200);
    }
    let next = urgent(&administrator).await;
    assert_eq!(assigned(&administrator, &next).await, json!(["one@example.com"]));
}

async fn a_rule_may_take_the_user_from_a_field(app: TestApp) {
    let administrator = app.administrator().await;
    let (one, _) = agents(&app).await;
    let fields = json!({
        "name": "Owners of leads",
        "document_type": "Lead",
        "assign_condition": "status in (\"Open\", \"Lead\")",
        "rule": "Based on Field",
        "field": "lead_owner",
    });
    create(&administrator, RULE, fields).await;
    let lead = json!({ "lead_name": "ABC Corp", "status": "Open", "lead_owner": "one@example.com" });
    create(&administrator, "/api/resource/Lead", lead).await;
    assert_eq!(names(&one, TODO).await.len(), 1);
    create(&administrator, "/api/resource/Lead", json!({ "lead_name": "Gone", "status": "Converted", "lead_owner": "one@example.com" }))
        .await;
    assert_eq!(names(&one, TODO).await.len(), 1);
}

async fn a_document_is_assigned_when_it_comes_to_meet_the_condition(app: TestApp) {
    let administrator = app.administrator().await;
    agents(&app).await;
    rule(&administrator, "Urgent ones", json!({})).await;
    let name = ticket(&administrator, json!({ "subject": "calm", "priority": "Low" })).await;
    let change = async |fields: Value| administrator.put(&path(TICKET, &name)).json(&fields).send().await.expect_status(200);
    change(json!({ "subject": "less calm" })).await;
    assert_eq!(assigned(&administrator, &name).await, json!(null));
    change(json!({ "priority": "Urgent" })).await;
    assert_eq!(assigned(&administrator, &name).await, json!(["one@example.com"]));
    // And once only: nobody else's turn comes when it is changed again.
    change(json!({ "subject": "burning" })).await;
    assert_eq!(assigned(&administrator, &name).await, json!(["one@example.com"]));
}

async fn a_rule_that_cannot_be_evaluated_is_refused_when_it_is_saved(app: TestApp) {
    let administrator = app.administrator().await;
    agents(&app).await;
    let valid = json!({
        "name": "Rule",
        "document_type": "HD Ticket",
        "assign_condition": "status == 'Open'",
        "users": [{ "user": "one@example.com" }],
    });
    for (fields, says) in [
        (json!({ "assign_condition": "frappe.db.exists('User')" }), "names frappe.db.exists"),
        (json!({ "assign_condition": "nosuch == 1" }), "names nosuch"),
        (json!({ "assign_condition": "status ==" }), "ends where"),
        (json!({ "close_condition": "status == 'Closed'" }), "close_condition"),
        (json!({ "unassign_condition": "status == 'Closed'" }), "unassign_condition"),
        (json!({ "users": [] }), "needs users"),
        (json!({ "rule": "Based on Field", "field": "subject" }), "no Link to User"),
        (json!({ "rule": "By Lot" }), "Rule"),
        (json!({ "document_type": "ToDo" }), "cannot be assigned"),
        (json!({ "document_type": "User" }), "cannot be assigned"),
    ] {
        let mut rule = valid.clone();
        for (key, value) in fields.as_object().expect("an object") {
            rule[key] = value.clone();
        }
        let refused = administrator.post(RULE).json(&rule).send().await;
        assert!(refused.status == 417 && refused.text().contains(says), "{fields}: {} {}", refused.status, refused.text());
    }
    create(&administrator, RULE, valid).await;
    let refused = administrator.put(&path(RULE, "Rule")).json(&json!({ "assign_condition": "import os" })).send().await.expect_status(417);
    assert!(refused.text().contains("names import"), "{}", refused.text());
    // Who may not make rules cannot make one.
    let agent = someone(&app, "three@example.com", &["Agent"]).await;
    agent.post(RULE).json(&json!({ "name": "Mine" })).send().await.expect_status(403);
}

async fn a_team_writes_only_rules_that_its_writer_may_write(app: TestApp) {
    let administrator = app.administrator().await;
    let (one, _) = agents(&app).await;
    let manager = app.user_with_roles("manager@example.com", &["Agent Manager"]).await;
    rule(&administrator, "Important", json!({})).await;
    rule(&administrator, "Handmade - Support Rotation", json!({})).await;
    let important = path(RULE, "Important");
    let before = administrator.get(&important).send().await.expect_status(200).data();
    let evil = json!({ "assignment_rule": "Important", "users": [{ "user": "one@example.com" }], "disabled": 1 });
    team(&one, "Evil", &["one@example.com"]).await;
    for fields in [evil.clone(), json!({ "assignment_rule": "Important" }), json!({ "assignment_rule": "Handmade - Support Rotation" })] {
        let refused = one.put(&path(TEAM, "Evil")).json(&fields).send().await.expect_status(403);
        assert_eq!(refused.error().as_deref(), Some("PermissionError"), "{fields}");
    }
    // Nor does a team take a rule for its own because of its name.
    let adopting = json!({ "team_name": "Handmade", "users": [{ "user": "one@example.com" }] });
    one.post(TEAM).json(&adopting).send().await.expect_status(403);
    let narrow = manager.bearer(&app, "write:hd_team read:assignment_rule read:user").await;
    assert_eq!(narrow.put(&path(TEAM, "Evil")).json(&evil).send().await.expect_status(403).error().as_deref(), Some("PermissionError"));
    assert_eq!(administrator.get(&important).send().await.expect_status(200).data(), before);

    // Who may write the rule links it; then only they change it by changing the team.
    let manager = manager.api_key().await;
    manager.put(&path(TEAM, "Evil")).json(&json!({ "assignment_rule": "Important" })).send().await.expect_status(200);
    for caller in [&one, &narrow] {
        caller.put(&path(TEAM, "Evil")).json(&json!({ "disabled": 1 })).send().await.expect_status(403);
        caller.put(&path(TEAM, "Evil")).json(&json!({ "ignore_restrictions": 1 })).send().await.expect_status(200);
    }
    manager.put(&path(TEAM, "Evil")).json(&json!({ "disabled": 1 })).send().await.expect_status(200);
    assert_eq!(administrator.get(&important).send().await.expect_status(200).data()["disabled"], json!(1));
    // Its own rule is the team's whoever changes it, also after it was unlinked.
    let own = json!({ "assignment_rule": "Evil - Support Rotation", "disabled": 0 });
    one.put(&path(TEAM, "Evil")).json(&own).send().await.expect_status(200);
    narrow.put(&path(TEAM, "Evil")).json(&json!({ "disabled": 1 })).send().await.expect_status(200);
    assert_eq!(administrator.get(&path(RULE, "Evil - Support Rotation")).send().await.expect_status(200).data()["disabled"], json!(1));
    one.put(&path(TEAM, "Evil")).json(&json!({ "assignment_rule": "nosuch" })).send().await.expect_status(417);
    // Once another team has it too, it is neither's own.
    team(&one, "Second", &["two@example.com"]).await;
    manager.put(&path(TEAM, "Second")).json(&json!({ "assignment_rule": "Evil - Support Rotation" })).send().await.expect_status(200);
    one.put(&path(TEAM, "Second")).json(&json!({ "users": [{ "user": "one@example.com" }] })).send().await.expect_status(403);
}

async fn a_new_team_has_its_own_members_also_under_the_name_of_an_old_one(app: TestApp) {
    let administrator = app.administrator().await;
    let (one, _) = agents(&app).await;
    team(&one, "Support", &["one@example.com"]).await;
    one.delete(&path(TEAM, "Support")).send().await.expect_status(202);
    team(&one, "Support", &["two@example.com"]).await;
    let first = ticket(&administrator, json!({ "subject": "x", "agent_group": "Support" })).await;
    assert_eq!(assigned(&administrator, &first).await, json!(["two@example.com"]));
}

async fn a_team_shares_its_tickets_out_among_its_members(app: TestApp) {
    let administrator = app.administrator().await;
    let (one, two) = agents(&app).await;
    team(&one, "Support", &["one@example.com"]).await;
    let made = one.get(&path(TEAM, "Support")).send().await.expect_status(200).data();
    assert_eq!(made["assignment_rule"], json!("Support - Support Rotation"));
    let first = ticket(&administrator, json!({ "subject": "x", "agent_group": "Support" })).await;
    assert_eq!(assigned(&administrator, &first).await, json!(["one@example.com"]));
    // Members come and go.
    let members = json!({ "users": [{ "user": "two@example.com" }] });
    two.put(&path(TEAM, "Support")).json(&members).send().await.expect_status(200);
    let second = ticket(&administrator, json!({ "subject": "x", "agent_group": "Support" })).await;
    assert_eq!(assigned(&administrator, &second).await, json!(["two@example.com"]));
    // Another team's tickets, nobody's and those of a disabled team are given to nobody.
    team(&one, "O'Neill's", &["one@example.com"]).await;
    let nobodys = ticket(&administrator, json!({ "subject": "x" })).await;
    assert_eq!(assigned(&administrator, &nobodys).await, json!(null));
    let third = ticket(&administrator, json!({ "subject": "x", "agent_group": "O'Neill's" })).await;
    assert_eq!(assigned(&administrator, &third).await, json!(["one@example.com"]));
    one.put(&path(TEAM, "Support")).json(&json!({ "disabled": 1 })).send().await.expect_status(200);
    let late = ticket(&administrator, json!({ "subject": "x", "agent_group": "Support" })).await;
    assert_eq!(assigned(&administrator, &late).await, json!(null));
    one.post(TEAM).json(&json!({ "team_name": "Nobody", "users": [] })).send().await.expect_status(417);
    let refused = one.post(TEAM).json(&json!({ "team_name": "\"It's\"", "users": [{ "user": "one@example.com" }] }));
    refused.send().await.expect_status(417);
}

async fn an_agent_sees_what_is_assigned_to_them_whatever_their_team(app: TestApp) {
    let administrator = app.administrator().await;
    let (one, two) = agents(&app).await;
    rule(&administrator, "Urgent ones", json!({ "users": [{ "user": "one@example.com" }] })).await;
    set(&administrator, json!({ "restrict_tickets_by_agent_group": 1 })).await;
    let name = urgent(&administrator).await;
    assert_eq!(names(&one, TICKET).await, [name.as_str()]);
    assert_eq!(count(&one).await, json!(1));
    one.get(&path(TICKET, &name)).send().await.expect_status(200);
    assert_eq!(names(&two, TICKET).await, [""; 0]);
    two.get(&path(TICKET, &name)).send().await.expect_status(403);
}

async fn a_ticket_that_is_deleted_takes_its_assignment_along(app: TestApp) {
    let administrator = app.administrator().await;
    let (one, two) = agents(&app).await;
    rule(&administrator, "Urgent ones", json!({})).await;
    let (first, second) = (urgent(&administrator).await, urgent(&administrator).await);
    let own = create(&one, TODO, json!({ "description": "no ticket's" })).await["name"].clone();
    assert_eq!(names(&one, TODO).await.len(), 2);
    one.delete(&path(TICKET, &first)).send().await.expect_status(202);
    assert_eq!(json!(names(&one, TODO).await), json!([own]));
    assert_eq!(names(&two, TODO).await.len(), 1);
    assert_eq!(names(&administrator, TICKET).await, [second]);
}
