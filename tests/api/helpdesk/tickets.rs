//! Who sees which ticket.

use serde_json::{Value, json};

use super::{CONTACT, CUSTOMER, RULE, TEAM, TICKET, count, create, names, path, set, someone, team, ticket};
use crate::both_databases;
use crate::support::{Caller, TestApp};

both_databases!(
    a_user_without_any_role_sees_their_own_tickets_and_no_others,
    a_ticket_is_its_customers_by_address_by_contact_and_by_owner,
    a_manager_of_a_customer_sees_all_of_its_tickets,
    an_agent_sees_all_tickets_and_a_guest_none,
    teams_restrict_agents_when_the_settings_say_so,
    a_list_shows_exactly_what_can_be_read_whoever_asks,
    what_opens_a_ticket_opens_it_under_a_new_name_too,
    an_inactive_agents_record_opens_nothing,
    a_new_ticket_is_filled_from_the_settings_and_the_contact,
    a_ticket_has_a_number_in_its_name,
    a_customer_learns_of_nobody_else_by_raising_a_ticket,
);

/// Fails unless someone sees exactly these tickets, in lists, counts and one by one, of `all` there are.
async fn assert_sees(caller: &Caller, seen: &[&str], all: &[&str]) {
    assert_eq!(names(caller, TICKET).await, seen);
    assert_eq!(count(caller).await, json!(seen.len()));
    for name in all {
        let (read, written) = if seen.contains(name) { (200, 200) } else { (403, 403) };
        let ticket = path(TICKET, name);
        caller.get(&ticket).send().await.expect_status(read);
        caller.put(&ticket).json(&json!({ "description": "more" })).send().await.expect_status(written);
        let found = caller.get(TICKET).query(&[("filters", &json!({ "name": name }).to_string())]).send().await.data();
        assert_eq!(found.as_array().map(Vec::len), Some(usize::from(seen.contains(name))), "{name}");
    }
}

async fn a_user_without_any_role_sees_their_own_tickets_and_no_others(app: TestApp) {
    let (amina, boris) = (someone(&app, "amina@example.com", &[]).await, someone(&app, "boris@example.com", &[]).await);
    let hers = ticket(&amina, json!({ "subject": "hers" })).await;
    let his = ticket(&boris, json!({ "subject": "his" })).await;
    assert_sees(&amina, &[&hers], &[&hers, &his]).await;
    assert_sees(&boris, &[&his], &[&hers, &his]).await;
    let read = amina.get(&path(TICKET, &hers)).send().await.expect_status(200).data();
    assert_eq!((&read["raised_by"], &read["via_customer_portal"]), (&json!("amina@example.com"), &json!(1)));
    // Customers do not delete tickets, be they their own.
    amina.delete(&path(TICKET, &hers)).send().await.expect_status(403);
    // Filters, orders and fields tell nothing of other people's either.
    for filters in
        [json!([["subject", "like", "%his%"]]), json!({ "raised_by": "boris@example.com" }), json!({ "owner": "boris@example.com" })]
    {
        let found = amina.get(TICKET).query(&[("filters", &filters.to_string())]).send().await.expect_status(200);
        assert_eq!(found.data(), json!([]), "{filters}");
    }
}

async fn a_ticket_is_its_customers_by_address_by_contact_and_by_owner(app: TestApp) {
    let agent = someone(&app, "agent@example.com", &["Agent"]).await;
    let (amina, boris) = (someone(&app, "amina@example.com", &[]).await, someone(&app, "boris@example.com", &["HD Customer"]).await);
    let contact = |email: &str| json!({ "first_name": email, "email_ids": [{ "email_id": email, "is_primary": 1 }] });
    let of_amina = create(&agent, CONTACT, contact("amina@example.com")).await["name"].clone();
    let of_boris = create(&agent, CONTACT, json!({ "first_name": "Boris", "user": "boris@example.com" })).await["name"].clone();
    // An address is the same in capitals.
    let by_address = ticket(&agent, json!({ "subject": "by address", "raised_by": "Amina@Example.com" })).await;
    let by_contact = ticket(&agent, json!({ "subject": "by contact", "contact": of_amina })).await;
    let by_user = ticket(&agent, json!({ "subject": "by the contact's user", "contact": of_boris })).await;
    let by_owner = ticket(&amina, json!({ "subject": "by owner" })).await;
    let raised_by = json!({ "raised_by": "somebody@example.com" });
    agent.put(&path(TICKET, &by_owner)).json(&raised_by).send().await.expect_status(200);
    let all = [by_address.as_str(), &by_contact, &by_user, &by_owner];
    assert_sees(&amina, &[&by_address, &by_contact, &by_owner], &all).await;
    assert_sees(&boris, &[&by_user], &all).await;
    assert_sees(&agent, &all, &all).await;
    // Nobody makes themselves a contact of others' tickets.
    amina
        .put(&path(CONTACT, of_boris.as_str().expect("a name")))
        .json(&json!({ "user": "amina@example.com" }))
        .send()
        .await
        .expect_status(403);
    amina.post(CONTACT).json(&contact("boris@example.com")).send().await.expect_status(403);
}

async fn a_manager_of_a_customer_sees_all_of_its_tickets(app: TestApp) {
    let agent = someone(&app, "agent@example.com", &["Agent"]).await;
    for name in ["Acme", "Other"] {
        create(&agent, CUSTOMER, json!({ "customer_name": name })).await;
    }
    let works_for = |user: &str, customer: &str| json!({ "first_name": user, "user": user, "links": [{ "link_doctype": "HD Customer", "link_name": customer }] });
    let manager = someone(&app, "manager@example.com", &["HD Customer Manager"]).await;
    let colleague = someone(&app, "colleague@example.com", &["HD Customer"]).await;
    for user in ["manager@example.com", "colleague@example.com"] {
        create(&agent, CONTACT, works_for(user, "Acme")).await;
    }
    let of_acme = ticket(&agent, json!({ "subject": "Acme's", "customer": "Acme" })).await;
    let of_other = ticket(&agent, json!({ "subject": "Other's", "customer": "Other" })).await;
    let of_nobody = ticket(&agent, json!({ "subject": "nobody's" })).await;
    let all = [of_acme.as_str(), &of_other, &of_nobody];
    assert_sees(&manager, &[&of_acme], &all).await;
    // Working for a customer is not enough.
    assert_sees(&colleague, &[], &all).await;
}

async fn an_agent_sees_all_tickets_and_a_guest_none(app: TestApp) {
    let amina = someone(&app, "amina@example.com", &[]).await;
    let name = ticket(&amina, json!({ "subject": "hers" })).await;
    for (email, roles) in
        [("agent@example.com", &["Agent"][..]), ("manager@example.com", &["Agent Manager"]), ("system@example.com", &["System Manager"])]
    {
        assert_sees(&someone(&app, email, roles).await, &[&name], &[&name]).await;
    }
    let guest = app.anonymous();
    guest.get(TICKET).send().await.expect_status(403);
    guest.get(&path(TICKET, &name)).send().await.expect_status(403);
    guest.post(TICKET).json(&json!({ "subject": "x" })).send().await.expect_status(403);
}

async fn teams_restrict_agents_when_the_settings_say_so(app: TestApp) {
    let administrator = app.administrator().await;
    let (first, second) = (someone(&app, "first@example.com", &["Agent"]).await, someone(&app, "second@example.com", &["Agent"]).await);
    let manager = someone(&app, "manager@example.com", &["Agent Manager"]).await;
    team(&administrator, "One", &["first@example.com"]).await;
    team(&administrator, "Two", &["second@example.com"]).await;
    // What somebody was given stays open to them, so here nobody is given anything.
    for rule in ["One - Support Rotation", "Two - Support Rotation"] {
        administrator.put(&path(RULE, rule)).json(&json!({ "disabled": 1 })).send().await.expect_status(200);
    }
    let of_one = ticket(&administrator, json!({ "subject": "of one", "agent_group": "One" })).await;
    let of_two = ticket(&administrator, json!({ "subject": "of two", "agent_group": "Two" })).await;
    let of_none = ticket(&administrator, json!({ "subject": "of none" })).await;
    let all = [of_one.as_str(), &of_two, &of_none];
    assert_sees(&first, &all, &all).await;

    set(&administrator, json!({ "restrict_tickets_by_agent_group": 1 })).await;
    assert_sees(&first, &[&of_one], &all).await;
    assert_sees(&second, &[&of_two], &all).await;
    assert_sees(&manager, &all, &all).await;

    set(&administrator, json!({ "do_not_restrict_tickets_without_an_agent_group": 1 })).await;
    assert_sees(&first, &[&of_one, &of_none], &all).await;

    // What somebody raised stays theirs, whichever team has it.
    let own = ticket(&first, json!({ "subject": "own", "agent_group": "Two" })).await;
    assert_sees(&first, &[&of_one, &of_none, &own], &[&of_one, &of_two, &of_none, &own]).await;

    // A disabled team opens nothing; one that ignores restrictions opens everything.
    administrator.put(&path(super::TEAM, "One")).json(&json!({ "disabled": 1 })).send().await.expect_status(200);
    assert_sees(&first, &[&of_none, &own], &[&of_one, &of_two, &of_none, &own]).await;
    administrator.put(&path(super::TEAM, "Two")).json(&json!({ "ignore_restrictions": 1 })).send().await.expect_status(200);
    assert_sees(&second, &[&of_one, &of_two, &of_none, &own], &[&of_one, &of_two, &of_none, &own]).await;
}

async fn an_inactive_agents_record_opens_nothing(app: TestApp) {
    let administrator = app.administrator().await;
    let amina = someone(&app, "amina@example.com", &[]).await;
    let name = ticket(&administrator, json!({ "subject": "anybody's" })).await;
    assert_sees(&amina, &[], &[&name]).await;
    create(&administrator, super::AGENT, json!({ "user": "amina@example.com", "agent_name": "Amina" })).await;
    assert_sees(&amina, &[&name], &[&name]).await;
    let record = path(super::AGENT, "amina@example.com");
    administrator.put(&record).json(&json!({ "is_active": 0 })).send().await.expect_status(200);
    assert_sees(&amina, &[], &[&name]).await;
}

async fn a_new_ticket_is_filled_from_the_settings_and_the_contact(app: TestApp) {
    let administrator = app.administrator().await;
    let agent = someone(&app, "agent@example.com", &["Agent"]).await;
    create(&agent, CUSTOMER, json!({ "customer_name": "Acme" })).await;
    let contact = json!({
        "first_name": "Chen",
        "last_name": "Li",
        "email_ids": [{ "email_id": "old@acme.example" }, { "email_id": "chen@acme.example", "is_primary": 1 }],
        "links": [{ "link_doctype": "HD Customer", "link_name": "Acme" }],
    });
    let contact = create(&agent, CONTACT, contact).await;
    assert_eq!((&contact["full_name"], &contact["email_id"]), (&json!("Chen Li"), &json!("chen@acme.example")));
    let made = create(&agent, TICKET, json!({ "subject": "printer", "raised_by": "chen@acme.example" })).await;
    assert_eq!((&made["contact"], &made["customer"]), (&contact["name"], &json!("Acme")));
    assert_eq!((&made["status"], &made["priority"], &made["status_category"]), (&json!("Open"), &json!("Medium"), &json!("Open")));
    assert_eq!((&made["via_customer_portal"], &made["ticket_type"]), (&json!(0), &json!(null)));

    set(&administrator, json!({ "default_priority": "Low", "default_ticket_type": "Question" })).await;
    let made = create(&agent, TICKET, json!({ "subject": "x" })).await;
    assert_eq!((&made["priority"], &made["ticket_type"]), (&json!("Low"), &json!("Question")));
    let made = create(&agent, TICKET, json!({ "subject": "x", "priority": "Urgent" })).await;
    assert_eq!(made["priority"], json!("Urgent"));
    agent.post(TICKET).json(&json!({ "subject": "x", "priority": "Whenever" })).send().await.expect_status(417);
    agent.post(TICKET).json(&json!({ "description": "no subject" })).send().await.expect_status(417);
    let closed = agent.put(&path(TICKET, made["name"].as_str().expect("a name"))).json(&json!({ "status": "Closed" }));
    assert_eq!(closed.send().await.expect_status(200).data()["status_category"], json!("Resolved"));
}

async fn a_ticket_has_a_number_in_its_name(app: TestApp) {
    let agent = someone(&app, "agent@example.com", &["Agent"]).await;
    let first = ticket(&agent, json!({ "subject": "first" })).await;
    let second = ticket(&agent, json!({ "subject": "second" })).await;
    assert_eq!([first, second], ["HD-00001", "HD-00002"]);
}

async fn a_customer_learns_of_nobody_else_by_raising_a_ticket(app: TestApp) {
    let agent = someone(&app, "agent@example.com", &["Agent"]).await;
    let (amina, boris) = (someone(&app, "amina@example.com", &[]).await, someone(&app, "boris@example.com", &["HD Customer"]).await);
    create(&agent, CUSTOMER, json!({ "customer_name": "Acme" })).await;
    let contact = json!({
        "first_name": "Amina",
        "email_ids": [{ "email_id": "amina@example.com", "is_primary": 1 }],
        "links": [{ "link_doctype": "HD Customer", "link_name": "Acme" }],
    });
    // Before anybody knows her, so that nothing about her is remembered.
    assert_eq!(create(&amina, TICKET, json!({ "subject": "x" })).await["contact"], json!(null));
    let contact = create(&agent, CONTACT, contact).await["name"].clone();
    let raise = async |caller: &Caller, fields: Value| {
        let mut body = json!({ "subject": "x" });
        body.as_object_mut().expect("an object").extend(fields.as_object().cloned().expect("an object"));
        caller.post(TICKET).json(&body).send().await
    };
    let refused = raise(&boris, json!({ "raised_by": "Amina@example.com" })).await.expect_status(403);
    assert!(!refused.text().contains("Acme"), "{}", refused.text());
    let made = raise(&boris, json!({ "contact": contact })).await.expect_status(200).data();
    assert_eq!((&made["raised_by"], &made["customer"]), (&json!("boris@example.com"), &json!(null)));
    let made = create(&boris, TICKET, json!({ "subject": "x", "raised_by": "Boris@Example.com" })).await;
    let own = path(TICKET, made["name"].as_str().expect("a name"));
    boris.put(&own).json(&json!({ "raised_by": "amina@example.com" })).send().await.expect_status(403);
    boris.put(&own).json(&json!({ "raised_by": "boris@example.com", "subject": "y" })).send().await.expect_status(200);
    // Of herself she does, and an agent of anybody.
    for (caller, fields) in
        [(&amina, json!({})), (&amina, json!({ "contact": contact })), (&agent, json!({ "raised_by": "amina@example.com" }))]
    {
        let made = raise(caller, fields).await.expect_status(200).data();
        assert_eq!((&made["contact"], &made["customer"]), (&contact, &json!("Acme")));
    }
    // Their agent may raise it for somebody else later; then they go on with it as it is.
    agent.put(&own).json(&json!({ "raised_by": "amina@example.com" })).send().await.expect_status(200);
    boris.put(&own).json(&json!({ "subject": "z", "raised_by": "amina@example.com" })).send().await.expect_status(200);
}

/// Somebody, and what of a ticket opens it to them beside its owner and its address.
struct Person {
    user: &'static str,
    contact: Option<Value>,
    customer: Option<&'static str>,
    team: Option<&'static str>,
    is_agent: bool,
    is_unrestricted: bool,
}

impl Person {
    /// Contract 8.4, written down once more.
    fn sees(&self, ticket: &Value, teams_restrict: bool, without_team: bool) -> bool {
        let is = |field: &str, value: &str| ticket[field].as_str() == Some(value);
        let mut sees = is("owner", self.user) || is("raised_by", self.user);
        sees |= self.contact.as_ref().is_some_and(|contact| ticket["contact"] == *contact);
        sees |= self.customer.is_some_and(|customer| is("customer", customer));
        if self.is_agent {
            sees |= !teams_restrict || self.is_unrestricted;
            sees |= self.team.is_some_and(|team| is("agent_group", team)) || (without_team && ticket["agent_group"].is_null());
            sees |= ticket["_assign"].as_str().is_some_and(|assigned| assigned.contains(self.user));
        }
        sees
    }
}

async fn a_list_shows_exactly_what_can_be_read_whoever_asks(app: TestApp) {
    let administrator = app.administrator().await;
    for name in ["Acme", "Other"] {
        create(&administrator, CUSTOMER, json!({ "customer_name": name })).await;
    }
    let mut people = Vec::new();
    for (user, roles, customer, is_agent) in [
        ("amina@example.com", &[][..], None, false),
        ("boris@example.com", &["HD Customer"], None, false),
        ("chen@example.com", &["HD Customer Manager"], Some("Acme"), false),
        ("dora@example.com", &["Agent"], None, true),
        ("emil@example.com", &["Agent"], None, true),
        ("fay@example.com", &["Agent Manager"], None, true),
    ] {
        let caller = someone(&app, user, roles).await;
        let contact = if is_agent {
            None
        } else {
            let works_for = json!([{ "link_doctype": "HD Customer", "link_name": "Acme" }]);
            Some(create(&administrator, CONTACT, json!({ "first_name": user, "user": user, "links": works_for })).await["name"].clone())
        };
        let team = (user == "dora@example.com").then_some("One");
        let is_unrestricted = matches!(user, "emil@example.com" | "fay@example.com");
        people.push((caller, Person { user, contact, customer, team, is_agent, is_unrestricted }));
    }
    team(&administrator, "One", &["dora@example.com"]).await;
    team(&administrator, "Two", &["emil@example.com"]).await;
    administrator.put(&path(TEAM, "Two")).json(&json!({ "ignore_restrictions": 1 })).send().await.expect_status(200);
    let urgent = json!({ "name": "Urgent", "document_type": "HD Ticket", "assign_condition": "priority == 'Urgent'", "priority": 1, "users": [{ "user": "dora@example.com" }] });
    create(&administrator, RULE, urgent).await;

    // Any mixture will do; this one is the same in every run.
    let mut state = 20_u32;
    let mut pick = |values: &[Value]| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        values[(state >> 16) as usize % values.len()].clone()
    };
    for number in 0..18 {
        let mut fields = json!({
            "subject": number.to_string(),
            "raised_by": pick(&[json!("amina@example.com"), json!("boris@example.com"), json!("nobody@example.com"), json!("nobody@example.com")]),
            "contact": pick(&[json!(null), json!(null), people[0].1.contact.clone().into(), people[1].1.contact.clone().into()]),
            "customer": pick(&[json!(null), json!("Acme"), json!("Other")]),
            "agent_group": pick(&[json!(null), json!("One"), json!("Two")]),
            "priority": pick(&[json!("Low"), json!("Low"), json!("Urgent")]),
        });
        let by = match pick(&[json!(0), json!(1), json!(2), json!(0)]).as_u64() {
            Some(1) => &people[0].0,
            Some(2) => &people[3].0,
            _ => &administrator,
        };
        // Customers raise tickets for themselves, and their agent says whose it is.
        let raised_by = fields["raised_by"].take();
        let name = ticket(by, fields).await;
        administrator.put(&path(TICKET, &name)).json(&json!({ "raised_by": raised_by })).send().await.expect_status(200);
    }
    let fields = r#"["name", "owner", "raised_by", "contact", "customer", "agent_group", "_assign"]"#;
    let query = [("fields", fields), ("limit", "0"), ("order_by", "name asc")];
    let tickets = administrator.get(TICKET).query(&query).send().await.expect_status(200).data();
    let tickets = tickets.as_array().expect("a list");
    for (teams_restrict, without_team) in [(false, false), (true, false), (true, true)] {
        let switches = json!({
            "restrict_tickets_by_agent_group": i64::from(teams_restrict),
            "do_not_restrict_tickets_without_an_agent_group": i64::from(without_team),
        });
        set(&administrator, switches).await;
        for (caller, person) in &people {
            let seen: Vec<&Value> = tickets.iter().filter(|ticket| person.sees(ticket, teams_restrict, without_team)).collect();
            let expected: Vec<&str> = seen.iter().filter_map(|ticket| ticket["name"].as_str()).collect();
            assert_eq!(names(caller, TICKET).await, expected, "{}, {teams_restrict}, {without_team}", person.user);
            assert_eq!(count(caller).await, json!(expected.len()), "{}", person.user);
            for ticket in tickets {
                let name = ticket["name"].as_str().expect("a name");
                let status = caller.get(&path(TICKET, name)).send().await.status;
                assert_eq!(status, if expected.contains(&name) { 200 } else { 403 }, "{} and {ticket}", person.user);
            }
        }
    }
}

async fn what_opens_a_ticket_opens_it_under_a_new_name_too(app: TestApp) {
    let administrator = app.administrator().await;
    let manager = someone(&app, "manager@example.com", &["HD Customer Manager"]).await;
    let agent = someone(&app, "agent@example.com", &["Agent"]).await;
    create(&administrator, CUSTOMER, json!({ "customer_name": "Acme" })).await;
    let links = json!([{ "link_doctype": "HD Customer", "link_name": "Acme" }]);
    create(&administrator, CONTACT, json!({ "first_name": "Manager", "user": "manager@example.com", "links": links })).await;
    team(&administrator, "One", &["agent@example.com"]).await;
    // Else the agent would be given the ticket, and see it for that.
    administrator.put(&path(RULE, "One - Support Rotation")).json(&json!({ "disabled": 1 })).send().await.expect_status(200);
    let name = ticket(&administrator, json!({ "subject": "Acme's", "customer": "Acme", "agent_group": "One" })).await;
    set(&administrator, json!({ "restrict_tickets_by_agent_group": 1 })).await;
    for caller in [&manager, &agent] {
        assert_sees(caller, &[&name], &[&name]).await;
    }
    for (doctype, old, new) in [("HD Customer", "Acme", "Acme Limited"), ("HD Team", "One", "First")] {
        let renamed = json!({ "doctype": doctype, "old_name": old, "new_name": new });
        administrator.post("/api/method/frappe.client.rename_doc").json(&renamed).send().await.expect_status(200);
    }
    for caller in [&manager, &agent] {
        assert_sees(caller, &[&name], &[&name]).await;
    }
}
