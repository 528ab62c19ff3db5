//! Reports as CSV files.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{BOOKING, ask, file, given, make_bookings, read, refusal, save, someone};
use crate::both_databases;
use crate::support::{Caller, TestApp};

both_databases!(
    a_file_has_every_row_once,
    an_order_goes_by_the_documents_whatever_its_columns_are_called,
    a_file_is_saved_under_the_reports_name,
    texts_come_back_as_they_were_and_none_is_a_formula,
    who_accepts_a_table_gets_one,
    a_head_request_gets_no_rows,
    what_cannot_be_continued_is_one_whole_or_refused,
    who_is_blocked_gets_no_further_page_and_no_clean_end,
    a_field_that_is_gone_is_named,
);

/// Makes bookings `n0000`, … in a few requests.
pub(super) async fn many(caller: &Caller, numbers: std::ops::Range<usize>, fields: impl Fn(usize) -> Value) {
    let numbers: Vec<usize> = numbers.collect();
    for some in numbers.chunks(200) {
        let document = |number: &usize| {
            let mut document = json!({"doctype": "Lodge Booking", "name": format!("n{number:04}")});
            for (key, value) in fields(*number).as_object().expect("fields") {
                document[key] = value.clone();
            }
            document
        };
        let docs: Vec<Value> = some.iter().map(document).collect();
        caller.post("/api/method/frappe.client.insert_many").json(&json!({"docs": docs})).send().await.expect_status(200);
    }
}

async fn a_file_has_every_row_once(app: TestApp) {
    let administrator = given(&app).await;
    // Some have no arrival, and many the same.
    let arrival = |number: usize| if number.is_multiple_of(7) { Value::Null } else { format!("2026-01-{:02}", number % 28 + 1).into() };
    many(&administrator, 0..2_600, |number| json!({"nights": number % 3, "arrival": arrival(number), "visitor": format!("v{number}")}))
        .await;
    for (name, order) in [
        ("By name", json!(null)),
        ("By arrival", json!("arrival desc, nights asc")),
        ("Upwards", json!("arrival asc")),
        ("By change", json!("modified desc")),
    ] {
        save(&administrator, name, json!({ "json": {"fields": ["name", "visitor", "nights", "arrival"], "order_by": order} })).await;
        let rows = read(&file(&administrator, name, &[]).await.expect_status(200));
        assert_eq!(rows[0], ["ID", "Visitor", "Nights", "Arrival"]);
        let mut found: Vec<&str> = rows[1..].iter().map(|row| row[0].as_str()).collect();
        if name == "By name" {
            assert!(found.is_sorted());
        }
        assert!(name != "Upwards" || rows[1..].is_sorted_by_key(|row| row[3].clone()), "{name}");
        assert!(name != "By arrival" || rows[1..].is_sorted_by(|one, two| one[3] >= two[3]), "{name}");
        found.sort_unstable();
        found.dedup();
        assert_eq!((rows.len(), found.len()), (2_601, 2_600), "{name}");
    }
    // Filters count, the limits of a page do not.
    let query = [("filters", r#"{"nights": 1}"#), ("limit", "5"), ("limit_start", "3")];
    let rows = read(&file(&administrator, "By%20arrival", &query).await.expect_status(200));
    assert!(rows.len() == 868 && rows[1..].iter().all(|row| row[2] == "1"), "{}", rows.len());
}

async fn an_order_goes_by_the_documents_whatever_its_columns_are_called(app: TestApp) {
    let administrator = given(&app).await;
    make_bookings(&administrator).await;
    for (name, order, houses) in [
        ("Unordered", json!(null), ["Hut", "Hut", "Barn", "", ""]),
        ("Backwards", json!("name desc"), ["", "", "Barn", "Hut", "Hut"]),
        ("By house", json!("house.name desc, name"), ["Hut", "Hut", "Barn", "", ""]),
    ] {
        save(&administrator, name, json!({ "json": {"fields": ["house.name"], "order_by": order} })).await;
        let rows = read(&file(&administrator, &name.replace(' ', "%20"), &[]).await.expect_status(200));
        assert_eq!(rows[1..].concat(), houses, "{name}");
    }
}

async fn a_file_is_saved_under_the_reports_name(app: TestApp) {
    let administrator = given(&app).await;
    make_bookings(&administrator).await;
    for (name, path, disposition) in [
        ("Plain", "Plain", r#"attachment; filename="Plain.csv""#),
        (
            "Gäste \"A/B\"",
            "G%C3%A4ste%20%22A%2FB%22",
            r#"attachment; filename="G_ste \"A_B\".csv"; filename*=UTF-8''G%C3%A4ste%20%22A_B%22.csv"#,
        ),
    ] {
        save(&administrator, name, json!({})).await;
        let reply = file(&administrator, path, &[]).await.expect_status(200);
        assert_eq!(reply.header("content-disposition"), Some(disposition));
        assert_eq!(reply.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert!(reply.text().starts_with("ID,Visitor,Status\r\n"), "{}", reply.text());
        assert!(reply.text().ends_with("\r\n") && !reply.text().replace("\r\n", "").contains(['\r', '\n']));
    }
}

async fn texts_come_back_as_they_were_and_none_is_a_formula(app: TestApp) {
    let administrator = given(&app).await;
    let texts = ["plain", "a \"quoted\", word", "Zoë 東京 🦀", "two\nlines", " space ", "'quoted", "a=b", "1,5"];
    let formulas = ["=1+1", "+49 123", "-5", "@SUM(A1)", "=HYPERLINK(\"http://evil.example\")"];
    for (number, text) in texts.iter().chain(&formulas).enumerate() {
        let booking = json!({"name": format!("b{number:02}"), "remark": text, "price": -1.5, "nights": -2});
        administrator.post(BOOKING).json(&booking).send().await.expect_status(200);
    }
    let columns =
        json!([{"fieldname": "remark", "label": "=Remark"}, {"fieldname": "price"}, {"fieldname": "nights"}, {"fieldname": "arrival"}]);
    save(&administrator, "Texts", json!({ "columns": columns, "json": {"order_by": "name"} })).await;
    let rows = read(&file(&administrator, "Texts", &[]).await.expect_status(200));
    assert_eq!(rows[0], ["'=Remark", "Price", "Nights", "Arrival"]);
    for (row, text) in rows[1..].iter().zip(texts) {
        assert_eq!(row, &[text, "-1.5", "-2", ""]);
    }
    for (row, formula) in rows[1 + texts.len()..].iter().zip(formulas) {
        assert_eq!(row, &[&format!("'{formula}"), "-1.5", "-2", ""]);
    }
    assert_eq!(rows.len(), 1 + texts.len() + formulas.len());
}

async fn who_accepts_a_table_gets_one(app: TestApp) {
    let administrator = given(&app).await;
    make_bookings(&administrator).await;
    save(&administrator, "Plain", json!({})).await;
    let accept = async |accept: &str, query: &[(&str, &str)]| {
        let reply = administrator.get("/api/report/Plain").header("accept", accept).query(query).send().await.expect_status(200);
        reply.header("content-type").is_some_and(|kind| kind.starts_with("text/csv"))
    };
    for (header, query, is_table) in [
        ("text/csv", &[][..], true),
        ("text/csv, */*;q=0.1", &[], true),
        ("application/json, text/csv;q=0.5", &[], false),
        ("*/*", &[], false),
        ("text/csv", &[("format", "json")], false),
        ("application/json", &[("format", "csv")], true),
    ] {
        assert_eq!(accept(header, query).await, is_table, "{header} {query:?}");
    }
    // A refusal is JSON for them too.
    let missing = administrator.get("/api/report/Nosuch").header("accept", "text/csv").send().await;
    assert_eq!((missing.status, missing.error().as_deref()), (404, Some("DoesNotExistError")));
}

async fn a_head_request_gets_no_rows(app: TestApp) {
    let administrator = given(&app).await;
    save(&administrator, "Plain", json!({})).await;
    let reply = administrator.request(reqwest::Method::HEAD, "/api/report/Plain?format=csv").send().await.expect_status(200);
    assert!(reply.body.is_empty() && reply.header("content-disposition").is_some(), "{:?}", reply.headers);
    administrator.request(reqwest::Method::HEAD, "/api/report/Nosuch?format=csv").send().await.expect_status(404);
}

async fn what_cannot_be_continued_is_one_whole_or_refused(app: TestApp) {
    let administrator = given(&app).await;
    let extras = |count: usize| json!({"extras": (0..count).map(|number| json!({"quantity": number})).collect::<Vec<_>>()});
    many(&administrator, 0..3, |_| extras(1_000)).await;
    save(&administrator, "Extras", json!({ "json": {"fields": ["name", ["quantity", "Lodge Extra"]]} })).await;
    let group = json!({"group_by": {"group_by": "extras.name", "aggregate_function": "count"}});
    save(&administrator, "Grouped", json!({ "json": group })).await;
    for name in ["Extras", "Grouped"] {
        let mut rows = read(&file(&administrator, name, &[]).await.expect_status(200));
        let all = rows.len();
        rows.sort();
        rows.dedup();
        assert_eq!((all, rows.len()), (3_001, 3_001), "{name}");
    }
    many(&administrator, 3..11, |_| extras(1_000)).await;
    for name in ["Extras", "Grouped"] {
        let (status, text) = refusal(&file(&administrator, name, &[]).await);
        assert!(status == 417 && text.contains("more than 10000 rows"), "{name}: {text}");
    }
    let query = [("filters", r#"{"name": "n0001"}"#)];
    assert_eq!(read(&file(&administrator, "Extras", &query).await.expect_status(200)).len(), 1_001);
}

/// Asks for a file and reads no more of it than its beginning.
async fn begin(caller: &Caller, app: &TestApp, path: &str) -> (TcpStream, Vec<u8>) {
    let host = app.url.strip_prefix("http://").expect("plain HTTP");
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    // So that the server cannot send everything ahead of who reads slowly.
    socket.set_recv_buffer_size(4_096).expect("a size");
    let mut stream = socket.connect(host.parse().expect("an address")).await.expect("the server listens");
    let authorization = caller.authorization().expect("a header");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {authorization}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut beginning = vec![0; 1_024];
    stream.read_exact(&mut beginning).await.expect("a beginning");
    assert!(beginning.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&beginning));
    (stream, beginning)
}

/// The rest of it, however it ends.
async fn finish((mut stream, mut body): (TcpStream, Vec<u8>)) -> Vec<u8> {
    let mut piece = vec![0; 1 << 16];
    while let Ok(Ok(read @ 1..)) = tokio::time::timeout(Duration::from_secs(60), stream.read(&mut piece)).await {
        body.extend(&piece[..read]);
    }
    body
}

async fn who_is_blocked_gets_no_further_page_and_no_clean_end(app: TestApp) {
    let administrator = given(&app).await;
    let remark = "x".repeat(5_000);
    many(&administrator, 0..3_000, |_| json!({ "remark": remark })).await;
    save(&administrator, "Remarks", json!({ "json": {"fields": ["name", "remark"]} })).await;
    let clerk = someone(&app, "clerk", &["Lodge Clerk"]).await.api_key().await;
    let path = "/api/report/Remarks?format=csv";
    let rows =
        |body: &[u8]| body.windows(8).filter(|bytes| bytes.starts_with(b"n") && bytes.ends_with(b",xx") && bytes[1..5].is_ascii()).count();
    let whole = finish(begin(&clerk, &app, path).await).await;
    assert!(rows(&whole) >= 2_990 && whole.ends_with(b"0\r\n\r\n"), "{} rows", rows(&whole));

    let begun = begin(&clerk, &app, path).await;
    administrator.put("/api/resource/User/clerk@example.com").json(&json!({"enabled": 0})).send().await.expect_status(200);
    let part = finish(begun).await;
    assert!((900..2_500).contains(&rows(&part)) && !part.ends_with(b"0\r\n\r\n"), "{} rows", rows(&part));
}

async fn a_field_that_is_gone_is_named(app: TestApp) {
    let administrator = given(&app).await;
    make_bookings(&administrator).await;
    save(&administrator, "Shown", json!({ "json": {"fields": ["name", "discount"]} })).await;
    save(&administrator, "Filtered", json!({ "filters": [{"fieldname": "discount", "operator": ">", "default": "5"}] })).await;
    file(&administrator, "Shown", &[]).await.expect_status(200);
    let mut definition = super::booking();
    definition["fields"].as_array_mut().expect("fields").retain(|field| field["fieldname"] != "discount");
    administrator.put("/api/resource/DocType/Lodge%20Booking").json(&definition).send().await.expect_status(200);
    for name in ["Shown", "Filtered"] {
        for reply in [ask(&administrator, name, &[]).await, file(&administrator, name, &[]).await] {
            assert_eq!(refusal(&reply), (417, "Field not permitted in query: discount".to_owned()), "{name}");
        }
    }
    // It can still be put aside, and is looked at when it is taken up again.
    let report = "/api/resource/Report/Shown";
    administrator.put(report).json(&json!({"add_total_row": 1})).send().await.expect_status(417);
    administrator.put(report).json(&json!({"disabled": 1})).send().await.expect_status(200);
    administrator.put(report).json(&json!({"disabled": 0})).send().await.expect_status(417);
}
