//! `helpdesk.api.auth.get_user`, and saved replies, which are some users' own.

use serde_json::{Value, json};

use super::{AGENT, create, names, path, someone, team};
use crate::both_databases;
use crate::support::{Caller, TestApp};

both_databases!(
    everybody_is_told_who_they_are,
    a_scope_narrows_what_is_told,
    managers_make_agents_of_users_whom_they_may_not_read,
    a_saved_reply_is_its_owners_its_teams_or_everybodys,
);

const GET_USER: &str = "/api/method/helpdesk.api.auth.get_user";
const REPLY: &str = "/api/resource/HD%20Saved%20Reply";

async fn told(caller: &Caller) -> Value {
    caller.get(GET_USER).send().await.expect_status(200).message()
}

/// `is_agent`, `is_admin`, `is_manager`, `has_desk_access`.
async fn marks(caller: &Caller) -> [bool; 4] {
    let told = told(caller).await;
    ["is_agent", "is_admin", "is_manager", "has_desk_access"].map(|key| told[key].as_bool().unwrap_or_else(|| panic!("{key} in {told}")))
}

async fn everybody_is_told_who_they_are(app: TestApp) {
    let administrator = app.administrator().await;
    app.anonymous().get(GET_USER).send().await.expect_status(403);
    let customer = someone(&app, "amina@example.com", &["HD Customer"]).await;
    let agent = someone(&app, "agent@example.com", &["Agent"]).await;
    let manager = someone(&app, "manager@example.com", &["Agent Manager"]).await;
    let system = someone(&app, "system@example.com", &["System Manager"]).await;
    assert_eq!(marks(&customer).await, [false, false, false, false]);
    assert_eq!(marks(&agent).await, [true, false, false, true]);
    assert_eq!(marks(&manager).await, [true, false, true, true]);
    assert_eq!(marks(&system).await, [false, true, false, true]);
    assert_eq!(marks(&administrator).await, [true, true, false, true]);

    let user = "/api/resource/User/agent@example.com";
    let fields = json!({ "last_name": "Smith", "time_zone": "America/New_York", "language": "de" });
    administrator.put(user).json(&fields).send().await.expect_status(200);
    team(&administrator, "Support Team", &["agent@example.com", "manager@example.com"]).await;
    team(&administrator, "Technical Team", &["agent@example.com"]).await;
    team(&administrator, "Gone", &["agent@example.com"]).await;
    administrator.put(&path(super::TEAM, "Gone")).json(&json!({ "disabled": 1 })).send().await.expect_status(200);
    let record = json!({ "user": "agent@example.com", "availability": "Busy" });
    assert_eq!(create(&administrator, AGENT, record).await["agent_name"], json!("agent Smith"));
    assert_eq!(
        told(&agent).await,
        json!({
            "user_id": "agent@example.com",
            "user_name": "agent Smith",
            "user_first_name": "agent",
            "username": "agent",
            "user_image": null,
            "is_agent": true,
            "is_admin": false,
            "is_manager": false,
            "has_desk_access": true,
            "user_teams": ["Support Team", "Technical Team"],
            "time_zone": "America/New_York",
            "language": "de",
            "has_agent_record": true,
            "availability": "Busy",
            "availability_changed_on": null,
        })
    );
    let told = told(&customer).await;
    assert_eq!((&told["user_teams"], &told["time_zone"], &told["language"]), (&json!([]), &json!("UTC"), &json!("en")));
}

async fn managers_make_agents_of_users_whom_they_may_not_read(app: TestApp) {
    let manager = someone(&app, "manager@example.com", &["Agent Manager"]).await;
    someone(&app, "carla@example.com", &[]).await;
    let carla = "/api/resource/User/carla@example.com";
    app.administrator().await.put(carla).json(&json!({ "last_name": "Diaz" })).send().await.expect_status(200);
    manager.get(carla).send().await.expect_status(403);
    let record = json!({ "user": "carla@example.com" });
    assert_eq!(create(&manager, AGENT, record).await["agent_name"], json!("carla Diaz"));
}

async fn a_scope_narrows_what_is_told(app: TestApp) {
    let agent = app.user_with_roles("agent@example.com", &["Agent"]).await;
    agent.bearer(&app, "read").await.get(GET_USER).send().await.expect_status(200);
    agent.bearer(&app, "all").await.get(GET_USER).send().await.expect_status(200);
    agent.bearer(&app, "openid profile").await.get(GET_USER).send().await.expect_status(403);
    agent.bearer(&app, "read:hd_ticket").await.get(GET_USER).send().await.expect_status(403);
}

async fn a_saved_reply_is_its_owners_its_teams_or_everybodys(app: TestApp) {
    let administrator = app.administrator().await;
    let (one, two) = (someone(&app, "one@example.com", &["Agent"]).await, someone(&app, "two@example.com", &["Agent"]).await);
    team(&administrator, "Twos", &["two@example.com"]).await;
    let reply = |scope: &str| json!({ "title": scope, "scope": scope, "message": "Hello", "teams": [{ "team": "Twos" }] });
    let mut made = Vec::new();
    for scope in ["Personal", "Team", "Global"] {
        made.push(create(&administrator, REPLY, reply(scope)).await["name"].as_str().expect("a name").to_owned());
    }
    let sorted = |names: &[&String]| {
        let mut names: Vec<String> = names.iter().map(|name| (*name).clone()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&one, REPLY).await, sorted(&[&made[2]]));
    assert_eq!(names(&two, REPLY).await, sorted(&[&made[1], &made[2]]));
    assert_eq!(names(&administrator, REPLY).await, sorted(&[&made[0], &made[1], &made[2]]));
    one.get(&path(REPLY, &made[1])).send().await.expect_status(403);
    two.get(&path(REPLY, &made[1])).send().await.expect_status(200);
    two.delete(&path(REPLY, &made[0])).send().await.expect_status(403);
    someone(&app, "customer@example.com", &["HD Customer"]).await.get(REPLY).send().await.expect_status(403);
}
