//! Articles: published ones are for everybody.

use serde_json::json;

use super::{ARTICLE, create, names, path, someone};
use crate::both_databases;
use crate::support::TestApp;

both_databases!(a_published_article_is_read_by_guests_and_a_draft_by_agents_alone, an_article_comes_with_its_category_and_author);

const GET_ARTICLE: &str = "/api/method/helpdesk.api.knowledge_base.get_article";

async fn a_published_article_is_read_by_guests_and_a_draft_by_agents_alone(app: TestApp) {
    let agent = someone(&app, "agent@example.com", &["Agent"]).await;
    let customer = someone(&app, "amina@example.com", &[]).await;
    let make = async |title: &str, status: &str| {
        let made = create(&agent, ARTICLE, json!({ "title": title, "status": status, "content": "<p>How to</p>" })).await;
        made["name"].as_str().expect("a name").to_owned()
    };
    let (published, draft) = (make("Out", "Published").await, make("Not yet", "Draft").await);
    let guest = app.anonymous();
    for caller in [&guest, &customer, &agent] {
        let article = caller.get(GET_ARTICLE).query(&[("name", &published)]).send().await.expect_status(200).message();
        assert_eq!((&article["title"], &article["content"]), (&json!("Out"), &json!("<p>How to</p>")));
        caller.get(GET_ARTICLE).query(&[("name", "nosuch")]).send().await.expect_status(404);
    }
    for caller in [&guest, &customer] {
        let refused = caller.get(GET_ARTICLE).query(&[("name", &draft)]).send().await.expect_status(403);
        assert_eq!(refused.error().as_deref(), Some("PermissionError"));
        assert!(refused.text().contains("Access denied"), "{}", refused.text());
    }
    agent.get(GET_ARTICLE).query(&[("name", &draft)]).send().await.expect_status(200);
    guest.get(GET_ARTICLE).send().await.expect_status(417);

    // The same through /api/resource, where guests read nothing.
    guest.get(ARTICLE).send().await.expect_status(403);
    assert_eq!(names(&customer, ARTICLE).await, std::slice::from_ref(&published));
    customer.get(&path(ARTICLE, &draft)).send().await.expect_status(403);
    customer.put(&path(ARTICLE, &published)).json(&json!({ "title": "Mine" })).send().await.expect_status(403);
    assert_eq!(names(&agent, ARTICLE).await.len(), 2);
    agent.put(&path(ARTICLE, &published)).json(&json!({ "status": "Archived" })).send().await.expect_status(200);
    guest.get(GET_ARTICLE).query(&[("name", &published)]).send().await.expect_status(403);
}

async fn an_article_comes_with_its_category_and_author(app: TestApp) {
    let agent = someone(&app, "agent@example.com", &["Agent"]).await;
    let category = create(&agent, "/api/resource/HD%20Article%20Category", json!({ "category_name": "Printers" })).await["name"].clone();
    let made = create(&agent, ARTICLE, json!({ "title": "Paper", "category": category })).await;
    assert_eq!((&made["status"], &made["published_on"]), (&json!("Draft"), &json!(null)));
    let name = made["name"].as_str().expect("a name");
    let made = agent.put(&path(ARTICLE, name)).json(&json!({ "status": "Published" })).send().await.expect_status(200).data();
    assert_eq!(made["published_on"], made["modified"]);
    let article = app.anonymous().get(GET_ARTICLE).query(&[("name", name)]).send().await.expect_status(200).message();
    assert_eq!(
        article,
        json!({
            "name": name,
            "title": "Paper",
            "content": null,
            "author": { "name": "agent", "email": "agent@example.com", "image": null },
            "creation": made["creation"],
            "status": "Published",
            "published_on": made["published_on"],
            "modified": made["modified"],
            "category_name": "Printers",
            "category_id": category,
            "feedback": 0,
        })
    );
}
