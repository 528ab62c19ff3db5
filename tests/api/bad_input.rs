//! Input that no client should send: each is a clear 4xx that names what is wrong, never a 500 and never a panic.
//!
//! A panic shows as a connection that ends without an answer, which fails the test too.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::both_databases;
use crate::support::{Caller, Reply, Request, TestApp, TestClient};

both_databases!(
    malformed_bodies_are_refused,
    repeated_and_oversized_parameters_are_refused,
    nul_and_invalid_utf8_are_refused,
    deep_nesting_is_refused,
    bodies_over_25_mib_are_refused,
    strangers_may_send_a_mebibyte_and_users_more,
    a_body_that_stops_coming_is_given_up,
    values_that_fit_no_field_are_refused,
    requests_that_are_hardly_http_do_not_harm,
);

const LOGIN: &str = "/api/method/login";
const TOKEN: &str = "/api/method/frappe.integrations.oauth2.get_token";
const AUTHORIZE: &str = "/api/method/frappe.integrations.oauth2.authorize";
const REVOKE: &str = "/api/method/frappe.integrations.oauth2.revoke_token";
const INTROSPECT: &str = "/api/method/frappe.integrations.oauth2.introspect_token";
const TODO: &str = "/api/resource/ToDo";

/// Collects what was not refused clearly, so that one run shows all of it.
#[derive(Default)]
struct Findings(Vec<String>);

impl Findings {
    /// Sends a bad request; its answer must be 4xx and say why in the dialect of its door.
    async fn refused(&mut self, what: &str, request: Request) {
        match request.try_send().await {
            Err(error) => self.0.push(format!("{what}: no answer: {error}")),
            Ok(reply) => self.judge(what, &reply),
        }
    }

    fn judge(&mut self, what: &str, reply: &Reply) {
        let text = reply.text();
        let shown: String = text.chars().take(200).collect();
        if !(400..500).contains(&reply.status) {
            self.0.push(format!("{what}: {} {shown}", reply.status));
        } else if text.trim().is_empty() {
            self.0.push(format!("{what}: {} says nothing", reply.status));
        } else if text.contains("panicked") || text.contains("diesel") || text.contains("SQL") || text.contains("src/") {
            self.0.push(format!("{what}: {} shows what is inside: {shown}", reply.status));
        } else if reply.header("content-type").is_some_and(|kind| kind.starts_with("application/json")) && reply.error().is_none() {
            self.0.push(format!("{what}: {} names no error: {shown}", reply.status));
        }
    }

    /// A request that may be answered either way, but not with 5xx.
    async fn survived(&mut self, what: &str, request: Request) {
        match request.try_send().await {
            Err(error) => self.0.push(format!("{what}: no answer: {error}")),
            Ok(reply) if reply.status >= 500 => self.0.push(format!("{what}: {} {}", reply.status, reply.text())),
            Ok(_) => {}
        }
    }

    async fn none(self, app: &TestApp) {
        app.anonymous().get("/api/method/ping").send().await.expect_status(200);
        app.anonymous().get("/health/ready").send().await.expect_status(200);
        assert!(self.0.is_empty(), "\n{}", self.0.join("\n"));
    }
}

async fn caller(app: &TestApp) -> Caller {
    app.user("amina@example.com").await.api_key().await
}

async fn scene(app: &TestApp) -> (Caller, TestClient) {
    (caller(app).await, app.client(json!({ "skip_authorization": 1 })).await)
}

async fn malformed_bodies_are_refused(app: TestApp) {
    let (caller, client) = scene(&app).await;
    let browser = app.existing_user("amina@example.com", crate::support::PASSWORD).cookie().await;
    let mut findings = Findings::default();
    let json_kind = "application/json";
    for (name, body) in [
        ("cut off", "{\"description\": \"Wat"),
        ("no JSON", "description=Water"),
        ("single quotes", "{'description': 'Water'}"),
        ("trailing text", "{\"description\": \"Water\"} and more"),
        ("a number", "7"),
        ("a string", "\"Water\""),
        ("null", "null"),
        ("a list of numbers", "[1, 2]"),
        ("lone surrogate", "{\"description\": \"\\ud800\"}"),
        ("a number out of range", "{\"description\": 1e999}"),
    ] {
        findings.refused(&format!("create, {name}"), caller.post(TODO).header("content-type", json_kind).body(body)).await;
        findings.refused(&format!("login, {name}"), app.anonymous().post(LOGIN).header("content-type", json_kind).body(body)).await;
        findings.refused(&format!("get_token, {name}"), app.anonymous().post(TOKEN).header("content-type", json_kind).body(body)).await;
        findings.refused(&format!("revoke_token, {name}"), app.anonymous().post(REVOKE).header("content-type", json_kind).body(body)).await;
    }
    for kind in ["text/plain", "application/xml", "application/octet-stream", "nonsense"] {
        let body = "{\"description\": \"Water\"}";
        findings.refused(&format!("create as {kind}"), caller.post(TODO).header("content-type", kind).body(body)).await;
        findings
            .refused(
                &format!("get_token as {kind}"),
                app.anonymous().post(TOKEN).header("content-type", kind).body("grant_type=client_credentials"),
            )
            .await;
        findings
            .refused(
                &format!("login as {kind}"),
                app.anonymous().post(LOGIN).header("content-type", kind).body("usr=amina@example.com&pwd=x"),
            )
            .await;
    }
    for body in ["--x\r\nContent-Disposition: form-data\r\n\r\nno name\r\n--x--\r\n", "no boundary at all", "--x\r\n"] {
        findings
            .refused(
                "get_token, broken multipart",
                app.anonymous().post(TOKEN).header("content-type", "multipart/form-data; boundary=x").body(body),
            )
            .await;
        findings
            .refused("create, broken multipart", caller.post(TODO).header("content-type", "multipart/form-data; boundary=x").body(body))
            .await;
    }
    // Parameters that are no text where text is needed.
    for value in [json!(7), json!(null), json!([]), json!({}), json!(true)] {
        let body = json!({ "grant_type": "authorization_code", "code": value, "client_id": client.id, "client_secret": client.secret });
        findings.refused(&format!("get_token, code {value}"), app.anonymous().post(TOKEN).json(&body)).await;
        findings.refused(&format!("login, usr {value}"), app.anonymous().post(LOGIN).json(&json!({ "usr": value, "pwd": "x" }))).await;
        findings
            .refused(&format!("login, pwd {value}"), app.anonymous().post(LOGIN).json(&json!({ "usr": "amina@example.com", "pwd": value })))
            .await;
    }
    for parameters in ["", "client_id=", "client_id=none", "response_type=code", "client_id=%00&response_type=code"] {
        findings.refused(&format!("authorize?{parameters}"), browser.get(&format!("{AUTHORIZE}?{parameters}"))).await;
    }
    findings.none(&app).await;
}

async fn repeated_and_oversized_parameters_are_refused(app: TestApp) {
    let (caller, client) = scene(&app).await;
    let browser = app.existing_user("amina@example.com", crate::support::PASSWORD).cookie().await;
    let secret = client.secret.as_deref().expect("a confidential client");
    let mut findings = Findings::default();
    let once = [("grant_type", "refresh_token"), ("refresh_token", "x"), ("client_id", client.id.as_str()), ("client_secret", secret)];
    for repeated in once {
        let twice: Vec<_> = once.iter().copied().chain([repeated]).collect();
        findings.refused(&format!("get_token, {} twice", repeated.0), app.anonymous().post(TOKEN).form(&twice)).await;
    }
    for name in ["client_id", "redirect_uri", "response_type", "scope", "state"] {
        let path = format!("{AUTHORIZE}?client_id={}&response_type=code&{name}=a&{name}=b", client.id);
        let reply = browser.get(&path).send().await;
        // A bad client or redirect URI is an error page; everything else goes back to the client.
        let redirected = reply.status == 302 && reply.location_parameter("error").as_deref() == Some("invalid_request");
        if !redirected {
            findings.judge(&format!("authorize, {name} twice"), &reply);
        }
    }
    let long = "x".repeat(1 << 20);
    for name in ["code", "client_id", "client_secret", "redirect_uri", "code_verifier", "grant_type", "scope"] {
        let mut form =
            vec![("grant_type", "authorization_code"), ("client_id", client.id.as_str()), ("client_secret", secret), ("code", "x")];
        form.retain(|(known, _)| *known != name);
        form.push((name, &long));
        findings.refused(&format!("get_token, {name} of 1 MiB"), app.anonymous().post(TOKEN).form(&form)).await;
    }
    findings.refused("login, user of 1 MiB", app.anonymous().post(LOGIN).json(&json!({ "usr": long, "pwd": "x" }))).await;
    findings
        .refused("login, password of 1 MiB", app.anonymous().post(LOGIN).json(&json!({ "usr": "amina@example.com", "pwd": long })))
        .await;
    findings.refused("a field of 1 MiB", caller.post(TODO).json(&json!({ "description": "Water", "reference_type": long }))).await;
    findings.refused("a field name of 1 MiB", caller.get(TODO).query(&[("fields", &format!("[\"{}\"]", &long[..30_000]))])).await;
    let many = format!("[{}]", vec!["[\"status\",\"=\",\"Open\"]"; 20_000].join(","));
    findings.survived("20,000 filters", caller.request(reqwest::Method::GET, TODO).json(&json!({ "filters": many }))).await;
    let form: Vec<_> = (0..20_000).map(|n| (format!("p{n}"), "x")).collect();
    let form: Vec<_> = form.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    findings.refused("get_token, 20,000 parameters", app.anonymous().post(TOKEN).form(&form)).await;
    findings.refused("a bearer of 6 KiB", app.anonymous().with_authorization(format!("Bearer {}", &long[..6144])).get(TODO)).await;
    findings.refused("a path of 6 KiB", caller.get(&format!("{TODO}/{}", &long[..6144]))).await;
    findings.none(&app).await;
}

async fn nul_and_invalid_utf8_are_refused(app: TestApp) {
    let (caller, client) = scene(&app).await;
    let secret = client.secret.as_deref().expect("a confidential client");
    let mut findings = Findings::default();
    for bad in ["%00", "a%00b", "%ff", "%c3%28", "%ed%a0%80"] {
        findings.refused(&format!("read {bad}"), caller.get(&format!("{TODO}/{bad}"))).await;
        findings.refused(&format!("doctype {bad}"), caller.get(&format!("/api/resource/{bad}"))).await;
        findings.refused(&format!("method {bad}"), caller.get(&format!("/api/method/{bad}"))).await;
        findings.refused(&format!("update {bad}"), caller.put(&format!("{TODO}/{bad}")).json(&json!({ "status": "Closed" }))).await;
        findings.refused(&format!("delete {bad}"), caller.delete(&format!("{TODO}/{bad}"))).await;
        findings.refused(&format!("order_by {bad}"), caller.get(&format!("{TODO}?order_by={bad}"))).await;
        findings.refused(&format!("fields {bad}"), caller.get(&format!("{TODO}?fields=[%22{bad}%22]"))).await;
        findings
            .survived(&format!("filter value {bad}"), caller.get(&format!("{TODO}?filters=[[%22status%22,%22=%22,%22{bad}%22]]")))
            .await;
        findings
            .survived(&format!("like {bad}"), caller.get(&format!("{TODO}?filters=[[%22description%22,%22like%22,%22{bad}%22]]")))
            .await;
        let form =
            |name: &str| format!("grant_type=refresh_token&client_id={}&client_secret={secret}&{name}={bad}", client.id).into_bytes();
        let form_kind = "application/x-www-form-urlencoded";
        for name in ["refresh_token", "scope", "other"] {
            findings
                .refused(
                    &format!("get_token, {name} {bad}"),
                    app.anonymous().post(TOKEN).header("content-type", form_kind).body(form(name)),
                )
                .await;
        }
        let login = format!("usr={bad}&pwd={bad}").into_bytes();
        findings.refused(&format!("login {bad}"), app.anonymous().post(LOGIN).header("content-type", form_kind).body(login)).await;
        let token = format!("token={bad}&client_id={}&client_secret={secret}", client.id).into_bytes();
        findings
            .survived(&format!("introspect {bad}"), app.anonymous().post(INTROSPECT).header("content-type", form_kind).body(token.clone()))
            .await;
        findings.survived(&format!("revoke {bad}"), app.anonymous().post(REVOKE).header("content-type", form_kind).body(token)).await;
        findings
            .survived(
                &format!("authorize, state {bad}"),
                caller.get(&format!("{AUTHORIZE}?client_id={}&response_type=code&state={bad}", client.id)),
            )
            .await;
        findings.survived(&format!("page {bad}"), app.anonymous().get(&format!("/login?redirect-to={bad}"))).await;
        findings.survived(&format!("path {bad}"), app.anonymous().get(&format!("/{bad}"))).await;
    }
    for (name, body) in [
        ("NUL", &b"{\"description\": \"a\\u0000b\"}"[..]),
        ("raw NUL", b"{\"description\": \"a\0b\"}"),
        ("not UTF-8", b"{\"description\": \"\xff\xfe\"}"),
    ] {
        findings.refused(&format!("create, {name}"), caller.post(TODO).header("content-type", "application/json").body(body)).await;
    }
    findings.refused("field name with NUL", caller.post(TODO).json(&json!({ "description": "x", "sta\0tus": "Open" }))).await;
    findings
        .refused(
            "user with NUL",
            app.administrator().await.post("/api/resource/User").json(&json!({ "email": "a\0b@example.com", "first_name": "A" })),
        )
        .await;
    findings
        .refused(
            "name with NUL",
            app.administrator().await.post("/api/resource/User").json(&json!({ "email": "ab@example.com", "first_name": "A\0B" })),
        )
        .await;
    for header in [
        "token a\u{e9}:b",
        "Bearer \u{e9}",
        "Basic \u{e9}",
        "Basic AAAA",
        "Basic /w==",
        "token :",
        "token a",
        "Bearer",
        "Bearer a b c",
        "\u{e9}",
    ] {
        findings
            .refused(
                &format!("Authorization: {header}"),
                app.anonymous().with_authorization(header).get("/api/method/frappe.auth.get_logged_user"),
            )
            .await;
    }
    for cookie in ["sid=\u{e9}", "sid=%00", "sid", "=;=;", "sid=\"", "sid=a; sid=b"] {
        findings
            .survived(&format!("Cookie: {cookie}"), app.anonymous().get("/api/method/frappe.auth.get_logged_user").header("cookie", cookie))
            .await;
    }
    findings.none(&app).await;
}

async fn deep_nesting_is_refused(app: TestApp) {
    let caller = caller(&app).await;
    let mut findings = Findings::default();
    for depth in [200, 10_000, 1_000_000] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let inner = if open == "[" { "" } else { "1" };
            let nested = format!("{}{inner}{}", open.repeat(depth), close.repeat(depth));
            let kind = "application/json";
            let body = format!("{{\"description\": {nested}}}");
            findings.refused(&format!("create, {depth} x {open}"), caller.post(TODO).header("content-type", kind).body(body)).await;
            findings
                .refused(
                    &format!("get_token, {depth} x {open}"),
                    app.anonymous().post(TOKEN).header("content-type", kind).body(nested.clone()),
                )
                .await;
            findings
                .refused(&format!("login, {depth} x {open}"), app.anonymous().post(LOGIN).header("content-type", kind).body(nested.clone()))
                .await;
            let listed = json!({ "filters": nested });
            findings.refused(&format!("filters, {depth} x {open}"), caller.request(reqwest::Method::GET, TODO).json(&listed)).await;
        }
    }
    findings.none(&app).await;
}

async fn bodies_over_25_mib_are_refused(app: TestApp) {
    let caller = caller(&app).await;
    let mut findings = Findings::default();
    let size = 26 * 1024 * 1024;
    for (what, path, kind, prefix, suffix) in [
        ("create", TODO, "application/json", "{\"description\": \"", "\"}"),
        ("get_token", TOKEN, "application/x-www-form-urlencoded", "grant_type=", ""),
        ("login", LOGIN, "application/json", "{\"usr\": \"", "\"}"),
        ("ping", "/api/method/ping", "application/json", "{\"a\": \"", "\"}"),
    ] {
        let body = format!("{prefix}{}{suffix}", "x".repeat(size));
        // The server may answer and close before it was told everything.
        let (status, text) = raw(
            &app,
            &format!(
                "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
                body.len()
            ),
            body.as_bytes(),
        );
        if status != Some(413) {
            findings.0.push(format!("{what} of 26 MiB: {status:?} {}", text.chars().take(200).collect::<String>()));
        }
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n",
            body.len()
        );
        let (status, text) = raw(&app, &head, format!("{body}\r\n0\r\n\r\n").as_bytes());
        if status != Some(413) {
            findings.0.push(format!("{what} of 26 MiB in chunks: {status:?} {}", text.chars().take(200).collect::<String>()));
        }
    }
    let allowed = json!({ "description": "x".repeat(1024 * 1024) });
    caller.post(TODO).json(&allowed).send().await.expect_status(200);
    findings.none(&app).await;
}

async fn strangers_may_send_a_mebibyte_and_users_more(app: TestApp) {
    const MEBIBYTE: usize = 1024 * 1024;
    let (caller, client) = scene(&app).await;
    let anonymous = app.anonymous();
    let form = |size: usize| format!("client_id={}&padding={}", client.id, "x".repeat(size - client.id.len() - 19)).into_bytes();
    assert_eq!(form(MEBIBYTE).len(), MEBIBYTE);
    for path in [TOKEN, REVOKE, INTROSPECT, LOGIN, "/api/method/ping", TODO, "/api/resource/ToDo/x"] {
        let post = |size| anonymous.post(path).header("content-type", "application/x-www-form-urlencoded").body(form(size)).send();
        let fits = post(MEBIBYTE).await;
        assert!(fits.status != 413 && fits.status < 500, "{path}: {} {}", fits.status, fits.text());
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
            MEBIBYTE + 1
        );
        // Told before anything of it is sent, and without waiting for it.
        let (status, text) = raw(&app, &head, b"");
        assert_eq!(status, Some(413), "{path}: {text}");
        if path.contains("oauth2") {
            assert!(text.contains("application/json") && text.contains(r#""error":"invalid_request""#), "{text}");
        }
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n",
            MEBIBYTE + 1
        );
        let mut body = form(MEBIBYTE + 1);
        body.extend(b"\r\n0\r\n\r\n");
        let (status, text) = raw(&app, &head, &body);
        assert_eq!(status, Some(413), "{path} in chunks: {text}");
    }
    // A credential that is none opens nothing either: it is refused before its body is read.
    let head = format!(
        "POST {TODO} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ost_at_none\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        20 * MEBIBYTE
    );
    let (status, text) = raw(&app, &head, b"");
    assert_eq!(status, Some(401), "{text}");

    let long = json!({ "description": "x".repeat(2 * MEBIBYTE) });
    let made = caller.post(TODO).json(&long).send().await.expect_status(200).data();
    assert_eq!(made["description"], long["description"]);
    caller.post("/api/method/ping").json(&json!({ "a": "x".repeat(24 * MEBIBYTE) })).send().await.expect_status(200);
}

async fn a_body_that_stops_coming_is_given_up(app: TestApp) {
    let stalled: Vec<_> = [TOKEN, LOGIN, TODO]
        .into_iter()
        .map(|path| {
            let address = app.url.strip_prefix("http://").expect("a loopback URL").to_owned();
            std::thread::spawn(move || {
                let mut stream = TcpStream::connect(address).expect("the server listens");
                stream.set_read_timeout(Some(Duration::from_secs(35))).expect("a time limit");
                let head = format!(
                    "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\na=1"
                );
                stream.write_all(head.as_bytes()).expect("the server reads");
                let begun = Instant::now();
                let mut answer = Vec::new();
                // To the end: the rest of the body must not become a request of its own.
                let closed = stream.read_to_end(&mut answer);
                (path, begun.elapsed(), String::from_utf8_lossy(&answer).into_owned(), closed.is_ok())
            })
        })
        .collect();
    // Others are served meanwhile.
    app.anonymous().get("/api/method/ping").send().await.expect_status(200);
    for thread in stalled {
        let (path, took, answer, closed) = thread.join().expect("reading does not panic");
        assert!(answer.starts_with("HTTP/1.1 408 "), "{path} after {took:?}: {answer}");
        assert!((5..30).contains(&took.as_secs()), "{path}: {took:?}");
        assert!(closed, "{path}: the connection stays open");
        if path == TOKEN {
            assert!(answer.contains("application/json") && answer.contains(r#""error":"invalid_request""#), "{answer}");
        }
    }
}

async fn values_that_fit_no_field_are_refused(app: TestApp) {
    let caller = caller(&app).await;
    let mut findings = Findings::default();
    for (field, value) in [
        ("status", json!("Nonsense")),
        ("status", json!(["Open"])),
        ("status", json!({ "a": 1 })),
        ("priority", json!(7.5)),
        ("date", json!("yesterday")),
        ("date", json!("2026-02-30")),
        ("date", json!(20_260_101_i64)),
        ("date", json!("99999999-01-01")),
        ("allocated_to", json!("nobody@example.com")),
        ("allocated_to", json!({})),
        ("no_such_field", json!({ "deep": [1] })),
        ("docstatus", json!(7)),
        ("idx", json!("x")),
    ] {
        let body = json!({ "description": "Water", field: value });
        let request = caller.post(TODO).json(&body);
        // Frappe drops what it does not know, and what the caller may not set.
        if matches!(field, "no_such_field" | "docstatus" | "idx") {
            findings.survived(&format!("create with {field} {value}"), request).await;
        } else {
            findings.refused(&format!("create with {field} {value}"), request).await;
        }
    }
    for (name, value) in [
        ("filters", "nonsense"),
        ("filters", "[[\"status\"]]"),
        ("filters", "[[\"status\",\"=\"]]"),
        ("filters", "[[\"status\",\"resembles\",\"Open\"]]"),
        ("filters", "[[\"no_such_field\",\"=\",\"Open\"]]"),
        ("filters", "[[\"status\",\"in\",{}]]"),
        ("filters", "[[\"date\",\"between\",[\"2026-01-01\"]]]"),
        ("filters", "7"),
        ("filters", "[[[[1]]]]"),
        ("filters", "{\"status\":[\"=\"]}"),
        ("filters", "[[\"status\\\" OR 1=1 --\",\"=\",\"Open\"]]"),
        ("fields", "nonsense"),
        ("fields", "[7]"),
        ("fields", "[\"name; DROP TABLE users\"]"),
        ("fields", "[\"(SELECT password_hash FROM users)\"]"),
        ("order_by", "name; DROP TABLE users"),
        ("order_by", "no_such_field desc"),
        ("order_by", "name sideways"),
        ("limit_start", "-1"),
        ("limit_start", "x"),
        ("limit_page_length", "-1"),
        ("limit_page_length", "99999999999999999999999"),
        ("limit_page_length", "1e3"),
        ("limit", "x"),
        ("group_by", "1; --"),
    ] {
        findings.refused(&format!("list with {name}={value}"), caller.get(TODO).query(&[(name, value)])).await;
    }
    for path in [
        "/api",
        "/api/",
        "/api/resource",
        "/api/resource/",
        "/api/resource/No Such",
        "/api/method",
        "/api/method/",
        "/api/method/os.system",
        "/api/v9/method/ping",
        "/api/resource//x",
    ] {
        findings.refused(path, caller.get(path)).await;
    }
    for verb in ["PATCH", "TRACE", "BREW", "PROPFIND"] {
        let verb = reqwest::Method::from_bytes(verb.as_bytes()).expect("a token");
        for path in [TODO, TOKEN, LOGIN, AUTHORIZE] {
            findings.refused(&format!("{verb} {path}"), app.anonymous().request(verb.clone(), path)).await;
        }
    }
    findings.none(&app).await;
}

async fn requests_that_are_hardly_http_do_not_harm(app: TestApp) {
    let mut findings = Findings::default();
    for (what, head) in [
        ("no HTTP", "hello\r\n\r\n".to_owned()),
        ("no version", "GET /api/method/ping\r\n\r\n".to_owned()),
        ("two lengths", "POST /api/method/ping HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc".to_owned()),
        (
            "length and chunks",
            "POST /api/method/ping HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc".to_owned(),
        ),
        ("bad chunk", "POST /api/method/ping HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n".to_owned()),
        ("raw bytes in the path", "GET /api/resource/\u{fffd}\u{7} HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()),
        ("an absolute target elsewhere", "GET http://evil.example/api/method/ping HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_owned()),
        ("a header of 300 KiB", format!("GET /api/method/ping HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "x".repeat(300 * 1024))),
        ("a path of 300 KiB", format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(300 * 1024))),
        ("500 headers", format!("GET /api/method/ping HTTP/1.1\r\nHost: x\r\n{}\r\n", "X-Many: x\r\n".repeat(500))),
        ("control characters in a header", "GET /api/method/ping HTTP/1.1\r\nHost: x\r\nCookie: sid=\u{1}\u{2}\r\n\r\n".to_owned()),
    ] {
        let (status, text) = raw(&app, &head, b"");
        if status.is_some_and(|status| status >= 500) {
            findings.0.push(format!("{what}: {status:?} {text}"));
        }
    }
    findings.none(&app).await;
}

/// Sends bytes as they are and reads one answer; no status when the server just closed.
fn raw(app: &TestApp, head: &str, body: &[u8]) -> (Option<u16>, String) {
    let address = app.url.strip_prefix("http://").expect("a loopback URL");
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a time limit");
    stream.set_write_timeout(Some(Duration::from_secs(10))).expect("a time limit");
    let mut reading = stream.try_clone().expect("a second handle");
    let reader = std::thread::spawn(move || {
        let (mut answer, mut buffer) = (Vec::new(), [0_u8; 4096]);
        while let Ok(length @ 1..) = reading.read(&mut buffer) {
            answer.extend_from_slice(&buffer[..length]);
            if answer.len() > 65_536 || (answer.windows(4).any(|four| four == b"\r\n\r\n") && length < buffer.len()) {
                break;
            }
        }
        String::from_utf8_lossy(&answer).into_owned()
    });
    // A server that has answered may stop listening.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
    let text = reader.join().expect("reading does not panic");
    (text.split(' ').nth(1).and_then(|status| status.parse().ok()), text)
}
