//! `POST /api/method/login` and its old spelling.

use serde_json::json;

use crate::both_databases;
use crate::support::TestApp;

both_databases!(
    a_login_by_form_json_or_cmd_starts_a_session_with_frappes_five_cookies,
    a_user_without_the_desk_is_greeted_as_frappe_greets_it,
    wrong_unknown_missing_and_disabled_logins_are_401_with_frappes_texts,
    a_login_by_get_or_from_a_foreign_page_is_refused,
    an_old_session_id_planted_before_the_login_is_not_taken_over,
    names_are_compared_without_regard_to_case
);

const LOGIN: &str = "/api/method/login";

async fn a_login_by_form_json_or_cmd_starts_a_session_with_frappes_five_cookies(app: TestApp) {
    let amina = app.user_with_roles("amina@example.com", &["System Manager"]).await;
    let pairs = [("usr", amina.name.as_str()), ("pwd", amina.password.as_str())];
    let mut old = vec![("cmd", "login")];
    old.extend(pairs);
    let json = json!({ "usr": amina.name, "pwd": amina.password });
    for form in 0..4 {
        let browser = app.anonymous().with_cookies();
        let reply = match form {
            0 => browser.post(LOGIN).form(&pairs).send().await,
            1 => browser.post(LOGIN).json(&json).send().await,
            2 => browser.post("/").form(&old).send().await,
            _ => browser.post("/api/v1/method/login/").form(&pairs).send().await,
        }
        .expect_status(200);
        assert_eq!(reply.text(), r#"{"message":"Logged In","home_page":"/app","full_name":"amina"}"#);
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert!(browser.cookie("sid").is_some_and(|sid| sid.starts_with("ost_si_")));
        assert_eq!(browser.cookie("system_user").as_deref(), Some("yes"));
        assert_eq!(browser.cookie("full_name").as_deref(), Some("amina"));
        assert_eq!(browser.cookie("user_id").as_deref(), Some("amina%40example.com"));
        assert!(browser.cookie("user_image").is_none_or(|image| image.is_empty()));
        assert_eq!(browser.whoami().await.expect_status(200).message(), json!("amina@example.com"));
    }
}

async fn a_user_without_the_desk_is_greeted_as_frappe_greets_it(app: TestApp) {
    let carlos = app.user("carlos@example.com").await;
    let reply = app.anonymous().post(LOGIN).form(&[("usr", &carlos.name), ("pwd", &carlos.password)]).send().await.expect_status(200);
    assert_eq!(reply.json()["message"], "No App");
}

async fn wrong_unknown_missing_and_disabled_logins_are_401_with_frappes_texts(app: TestApp) {
    let amina = app.user("amina@example.com").await;
    let off = app.user("off@example.com").await;
    let change = json!({ "enabled": 0 });
    app.administrator().await.put("/api/resource/User/off@example.com").json(&change).send().await.expect_status(200);
    let long = "x".repeat(513);
    let cases: [(&[(&str, &str)], &str); 7] = [
        (&[("usr", &amina.name), ("pwd", "nope")], "Invalid login credentials"),
        (&[("usr", "ghost@example.com"), ("pwd", "nope")], "Invalid login credentials"),
        (&[("usr", "Guest"), ("pwd", "nope")], "Invalid login credentials"),
        (&[("usr", &amina.name)], "Incomplete login details"),
        (&[("pwd", "nope")], "Incomplete login details"),
        (&[("usr", &amina.name), ("pwd", &long)], "Password size exceeded the maximum allowed size"),
        (&[("usr", &off.name), ("pwd", &off.password)], "User disabled or missing"),
    ];
    for (form, text) in cases {
        let reply = app.anonymous().post(LOGIN).form(form).send().await.expect_status(401);
        let body = reply.json();
        assert_eq!((body["message"].as_str(), body["exc_type"].as_str()), (Some(text), Some("AuthenticationError")), "{form:?}");
        assert_eq!(body["exception"], "frappe.exceptions.AuthenticationError");
        assert_eq!(body["exc"], "[\"frappe.exceptions.AuthenticationError\\n\"]");
        assert_eq!(reply.header("set-cookie"), None, "no cookies on a failed login");
    }
}

async fn a_login_by_get_or_from_a_foreign_page_is_refused(app: TestApp) {
    let amina = app.user("amina@example.com").await;
    let pairs = [("usr", amina.name.as_str()), ("pwd", amina.password.as_str())];
    let reply = app.anonymous().get(LOGIN).query(&pairs).send().await.expect_status(403);
    assert_eq!((reply.error().as_deref(), reply.header("set-cookie")), (Some("PermissionError"), None));
    for (name, value) in [("Origin", "https://evil.example"), ("Origin", "null"), ("Sec-Fetch-Site", "cross-site")] {
        let reply = app.anonymous().post(LOGIN).header(name, value).form(&pairs).send().await.expect_status(400);
        assert_eq!((reply.error().as_deref(), reply.header("set-cookie")), (Some("CSRFTokenError"), None), "{name}: {value}");
    }
    app.anonymous()
        .post(LOGIN)
        .header("Origin", &app.url)
        .header("Sec-Fetch-Site", "same-origin")
        .form(&pairs)
        .send()
        .await
        .expect_status(200);
}

async fn an_old_session_id_planted_before_the_login_is_not_taken_over(app: TestApp) {
    let amina = app.user("amina@example.com").await;
    let planted = format!("ost_si_{}", "A".repeat(43));
    let browser = app.anonymous().with_cookies();
    browser.set_cookie("sid", &planted);
    browser.post(LOGIN).form(&[("usr", &amina.name), ("pwd", &amina.password)]).send().await.expect_status(200);
    assert_ne!(browser.cookie("sid"), Some(planted.clone()));
    let attacker = app.anonymous().with_cookies();
    attacker.set_cookie("sid", &planted);
    attacker.whoami().await.expect_status(401);
}

async fn names_are_compared_without_regard_to_case(app: TestApp) {
    let amina = app.user("amina@example.com").await;
    let reply = app.anonymous().post(LOGIN).form(&[("usr", " AMINA@Example.com"), ("pwd", &amina.password)]).send().await;
    reply.expect_status(200);
}
