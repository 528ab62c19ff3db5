//! Fields and tables of higher levels, and what is taken over from documents that the writer may not read.

use serde_json::{Value, json};

use super::create;
use crate::both_databases;
use crate::support::{Caller, TestApp, all_rights, define, field};

both_databases!(
    a_password_in_a_table_of_a_higher_level_stays_as_it_is,
    a_row_of_a_table_of_a_higher_level_is_not_deleted,
    what_the_writer_may_not_read_is_not_taken_over,
    what_the_writer_may_select_is_taken_over,
);

const DOC: &str = "/api/resource/Level%20Doc";
const ROW: &str = "/api/resource/Level%20Row";
const SOURCE: &str = "/api/resource/Level%20Source";

/// Someone with a role of their own.
async fn someone(app: &TestApp, role: &str) -> Caller {
    app.user_with_roles(&format!("{}@example.com", role.to_lowercase()), &[role]).await.api_key().await
}

/// `Low` has level 0 of the documents, `Sees` reads level 1 as well, `High` writes it. `Reads` has level 0 of the sources,
/// and `Picks` may select them.
async fn scene(app: &TestApp) {
    let administrator = app.administrator().await;
    for role in ["Low", "Sees", "High", "Reads", "Picks"] {
        create(&administrator, "/api/resource/Role", json!({ "role_name": role })).await;
    }
    let at = |level: i64, mut field: Value| {
        field["permlevel"] = json!(level);
        field
    };
    let data = |fieldname: &str, level: i64| at(level, field(fieldname, "Data", ""));
    let source = field("source", "Link", "Level Source");
    let fetched = |fieldname: &str| {
        let mut field = field(fieldname, "Data", "");
        field["fetch_from"] = json!(format!("source.{fieldname}"));
        field
    };
    let sources = json!({
        "name": "Level Source",
        "autoname": "prompt",
        "title_field": "title",
        "fields": [data("title", 0), data("open", 0), data("deep", 1)],
        "permissions": [all_rights("System Manager"), { "role": "Reads", "read": 1 }, { "role": "Picks", "select": 1 }],
    });
    define(&administrator, sources).await;
    let secret = field("secret", "Password", "");
    let rows = json!({ "name": "Level Row", "istable": 1, "fields": [data("item", 0), secret, source, fetched("open")] });
    define(&administrator, rows).await;
    let table = |fieldname: &str, level: i64| at(level, field(fieldname, "Table", "Level Row"));
    let mut permissions: Vec<Value> = ["System Manager", "Low", "Sees", "High", "Reads", "Picks"].map(all_rights).to_vec();
    permissions.push(json!({ "role": "Sees", "permlevel": 1, "read": 1 }));
    permissions.push(json!({ "role": "High", "permlevel": 1, "read": 1, "write": 1 }));
    let documents = json!({
        "name": "Level Doc",
        "fields": [data("note", 0), source, fetched("title"), fetched("open"), fetched("deep"), table("deep_rows", 1), table("rows", 0)],
        "permissions": permissions,
    });
    define(&administrator, documents).await;
}

fn path(collection: &str, name: &Value) -> String {
    format!("{collection}/{}", name.as_str().expect("a name"))
}

async fn read(caller: &Caller, path: &str) -> Value {
    caller.get(path).send().await.expect_status(200).data()
}

async fn put(caller: &Caller, path: &str, fields: Value) -> Value {
    caller.put(path).json(&fields).send().await.expect_status(200).data()
}

async fn a_password_in_a_table_of_a_higher_level_stays_as_it_is(app: TestApp) {
    scene(&app).await;
    let (low, high) = (someone(&app, "Low").await, someone(&app, "High").await);
    let rows = json!([{ "item": "a", "secret": "secret" }]);
    let made = high.post(DOC).json(&json!({ "deep_rows": rows, "rows": rows })).send().await.expect_status(200).data();
    let doc = path(DOC, &made["name"]);
    let evil = json!([{ "name": made["deep_rows"][0]["name"], "secret": "evil and longer" }]);
    let seen = put(&low, &doc, json!({ "deep_rows": evil, "rows": [{ "secret": "a longer one" }] })).await;
    assert_eq!((&seen["deep_rows"], &seen["rows"][0]["secret"]), (&json!(null), &json!("*".repeat(12))));
    assert_eq!(read(&high, &doc).await["deep_rows"][0]["secret"], "******");
    put(&low, &doc, json!({ "deep_rows": [{ "secret": null }] })).await;
    assert_eq!(read(&high, &doc).await["deep_rows"][0]["secret"], "******");
    put(&high, &doc, json!({ "deep_rows": evil })).await;
    assert_eq!(read(&high, &doc).await["deep_rows"][0]["secret"], "*".repeat(15));
}

async fn a_row_of_a_table_of_a_higher_level_is_not_deleted(app: TestApp) {
    scene(&app).await;
    let (low, sees, high) = (someone(&app, "Low").await, someone(&app, "Sees").await, someone(&app, "High").await);
    let made = high.post(DOC).json(&json!({ "deep_rows": [{ "item": "a" }], "rows": [{ "item": "b" }] })).send().await;
    let made = made.expect_status(200).data();
    let (deep, open) = (path(ROW, &made["deep_rows"][0]["name"]), path(ROW, &made["rows"][0]["name"]));
    // Who is not shown the row is told of none, as with any other request for it.
    for request in [low.get(&deep), low.put(&deep).json(&json!({ "item": "x" })), low.delete(&deep)] {
        request.send().await.expect_status(404);
    }
    sees.get(&deep).send().await.expect_status(200);
    assert_eq!(sees.delete(&deep).send().await.expect_status(403).error().as_deref(), Some("PermissionError"));
    assert_eq!(read(&high, &deep).await["item"], "a");
    for (caller, row) in [(&low, &open), (&high, &deep)] {
        caller.delete(row).send().await.expect_status(202);
        high.get(row).send().await.expect_status(404);
    }
}

/// Two sources, and a document of a manager that names the first.
async fn sources(app: &TestApp) -> (Caller, String) {
    let manager = app.user_with_roles("manager@example.com", &["System Manager", "High"]).await.api_key().await;
    let administrator = app.administrator().await;
    for name in ["One", "Two"] {
        let source =
            json!({ "name": name, "title": format!("{name} title"), "open": format!("{name} open"), "deep": format!("{name} deep") });
        create(&administrator, SOURCE, source).await;
    }
    let made =
        administrator.post(DOC).json(&json!({ "source": "One", "rows": [{ "source": "One" }] })).send().await.expect_status(200).data();
    assert_eq!((&made["open"], &made["deep"], &made["rows"][0]["open"]), (&json!("One open"), &json!("One deep"), &json!("One open")));
    (manager, path(DOC, &made["name"]))
}

async fn what_the_writer_may_not_read_is_not_taken_over(app: TestApp) {
    scene(&app).await;
    let (manager, doc) = sources(&app).await;
    let (low, reads) = (someone(&app, "Low").await, someone(&app, "Reads").await);
    low.get(&format!("{SOURCE}/One")).send().await.expect_status(403);
    let body = json!({ "source": "One", "open": "mine", "rows": [{ "source": "One" }] });
    for (caller, open, deep) in
        [(&low, json!(null), json!(null)), (&reads, json!("One open"), json!(null)), (&manager, json!("One open"), json!(null))]
    {
        let made = caller.post(DOC).json(&body).send().await.expect_status(200).data();
        assert_eq!((&made["open"], &made["deep"], &made["rows"][0]["open"]), (&open, &deep, &open));
    }
    // What is stored stays while the link does, whatever is sent.
    let kept = put(&low, &doc, json!({ "note": "hers", "open": "mine" })).await;
    assert_eq!((&kept["open"], &kept["deep"]), (&json!("One open"), &json!("One deep")));
    let row = &kept["rows"][0]["name"];
    let kept = put(&low, &doc, json!({ "rows": [{ "name": row, "open": "mine", "item": "x" }] })).await;
    assert_eq!((&kept["rows"][0]["open"], &kept["rows"][0]["item"]), (&json!("One open"), &json!("x")));
    let moved = put(&low, &doc, json!({ "source": "Two", "rows": [{ "name": row, "source": "Two" }] })).await;
    assert_eq!((&moved["open"], &moved["deep"], &moved["rows"][0]["open"]), (&json!(null), &json!(null), &json!(null)));
    let moved = put(&reads, &doc, json!({ "source": "One" })).await;
    assert_eq!((&moved["open"], &moved["deep"]), (&json!("One open"), &json!(null)));
    // A User Permission leaves one of them.
    let only = json!({ "user": "reads@example.com", "allow": "Level Source", "for_value": "Two", "apply_to_all_doctypes": 0, "applicable_for": "Level Source" });
    create(&app.administrator().await, "/api/resource/User%20Permission", only).await;
    let moved = put(&reads, &doc, json!({ "source": "Two" })).await;
    assert_eq!(moved["open"], json!("Two open"));
    let moved = put(&reads, &doc, json!({ "source": "One" })).await;
    assert_eq!(moved["open"], json!(null));
}

async fn what_the_writer_may_select_is_taken_over(app: TestApp) {
    scene(&app).await;
    sources(&app).await;
    let fields = json!([
        { "fieldname": "source", "label": "Source", "fieldtype": "Link", "options": "Level Source" },
        { "fieldname": "title", "label": "Title", "fieldtype": "Data", "fetch_from": "source.title" },
    ]);
    let row = |role: &str| json!({ "role": role, "read": 1, "write": 1, "create": 1 });
    let pick = json!({ "name": "Pick", "fields": fields, "permissions": [row("Picks"), row("Low")] });
    define(&app.administrator().await, pick).await;
    for (role, title) in [("Picks", json!("One title")), ("Low", json!(null))] {
        let caller = someone(&app, role).await;
        let made = caller.post("/api/resource/Pick").json(&json!({ "source": "One" })).send().await.expect_status(200).data();
        assert_eq!(made["title"], title, "{role}");
        // Beside a field that takes more.
        let made = caller.post(DOC).json(&json!({ "source": "One" })).send().await.expect_status(200).data();
        assert_eq!((&made["title"], &made["open"]), (&title, &json!(null)), "{role}");
    }
}
