//! Which other origins may read answers.

use crate::both_databases;
use crate::support::{Setup, TestApp};

both_databases!(
    without_settings_no_origin_may_read_the_api,
    a_configured_origin_may_read_and_preflight,
    a_preflight_with_wrong_credentials_is_refused,
    public_documents_are_readable_from_anywhere
);

const PATH: &str = "/api/method/frappe.auth.get_logged_user";

async fn without_settings_no_origin_may_read_the_api(app: TestApp) {
    let reply = app.anonymous().get(PATH).header("Origin", "http://a.example").send().await.expect_status(403);
    assert_eq!(reply.header("access-control-allow-origin"), None);
    let reply =
        app.anonymous().request(reqwest::Method::OPTIONS, PATH).header("Origin", "http://a.example").send().await.expect_status(200);
    assert_eq!((reply.text().as_str(), reply.header("access-control-allow-origin")), ("", None));
}

async fn a_configured_origin_may_read_and_preflight(setup: Setup) {
    let app = setup.configure(|config| config.security.allow_cors = vec!["*".into()]).start().await;
    let reply = app
        .anonymous()
        .request(reqwest::Method::OPTIONS, PATH)
        .header("Origin", "http://a.example")
        .header("Access-Control-Request-Method", "GET")
        .header("Access-Control-Request-Headers", "authorization")
        .send()
        .await
        .expect_status(200);
    for (name, value) in [
        ("access-control-allow-origin", "http://a.example"),
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-methods", "GET"),
        ("access-control-allow-headers", "authorization"),
        ("access-control-max-age", "86400"),
        ("vary", "Origin"),
    ] {
        assert_eq!(reply.header(name), Some(value), "{name}");
    }
    // Errors too, or a browser app cannot tell what went wrong.
    let reply = app.anonymous().get(PATH).header("Origin", "http://a.example").send().await.expect_status(403);
    assert_eq!(reply.header("access-control-allow-origin"), Some("http://a.example"));
}

async fn a_preflight_with_wrong_credentials_is_refused(app: TestApp) {
    let reply = app.anonymous().with_authorization("token a:x").request(reqwest::Method::OPTIONS, "/api/resource/ToDo").send().await;
    let reply = reply.expect_status(401);
    assert_eq!((reply.error().as_deref(), reply.header("set-cookie")), (Some("AuthenticationError"), None));
}

async fn public_documents_are_readable_from_anywhere(app: TestApp) {
    for path in [
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-protected-resource",
        "/api/method/frappe.integrations.oauth2.jwks",
    ] {
        let reply = app.anonymous().get(path).header("Origin", "http://a.example").send().await.expect_status(200);
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"), "{path}");
        assert_eq!(reply.header("access-control-allow-credentials"), None);
    }
}
