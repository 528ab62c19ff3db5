//! Full-text search: what is found, by whom, and in which shape (`docs/semantics.md`, "Search").

use std::time::Duration;

use ostiary::store::search::list_names;
use serde_json::{Value, json};

use crate::both_databases;
use crate::support::{Caller, Reply, TestApp, messages};

both_databases!(
    words_are_found_whatever_their_case_and_accents,
    all_words_must_be_there_and_the_last_may_be_a_beginning,
    nobody_finds_what_they_may_not_read,
    fields_of_a_higher_level_and_secrets_are_not_searched,
    what_is_changed_renamed_or_deleted_is_found_as_it_is_now,
    a_token_finds_only_doctypes_that_its_scope_reaches,
    signs_of_query_languages_are_no_more_than_signs,
    of_more_than_a_thousand_matches_the_newest_are_ranked,
    among_too_many_matches_everybody_still_finds_their_own,
    documents_from_before_a_doctype_was_searched_are_found_in_the_end,
    frappes_own_search_answers_in_its_own_shape,
    titles_come_first_and_what_was_found_is_marked,
    searches_that_make_no_sense_are_refused,
    a_guest_is_told_to_log_in,
    what_is_deleted_along_leaves_nothing_behind,
);

const SEARCH: &str = "/api/search";
const CABIN: &str = "/api/resource/Lodge%20Cabin";

/// A doctype whose documents only their owners read, but for System Managers.
fn cabin(search_fields: &str) -> Value {
    json!({
        "doctype": "DocType", "name": "Lodge Cabin", "module": "Lodge", "autoname": "prompt", "allow_rename": 1,
        "title_field": "label", "search_fields": search_fields,
        "fields": [
            {"fieldname": "label", "label": "Label", "fieldtype": "Data"},
            {"fieldname": "view", "label": "View", "fieldtype": "Data"},
            {"fieldname": "story", "label": "Story", "fieldtype": "Text Editor", "in_global_search": 1},
            {"fieldname": "ledger", "label": "Ledger", "fieldtype": "Data", "permlevel": 1, "in_global_search": 1},
            {"fieldname": "code", "label": "Code", "fieldtype": "Password"},
            {"fieldname": "plain", "label": "Plain", "fieldtype": "Data"}
        ],
        "permissions": [
            {"role": "System Manager", "read": 1, "write": 1, "create": 1, "delete": 1},
            {"role": "System Manager", "permlevel": 1, "read": 1, "write": 1},
            {"role": "All", "if_owner": 1, "read": 1, "write": 1, "create": 1, "delete": 1}
        ]
    })
}

async fn given(app: &TestApp) -> Caller {
    let administrator = app.administrator().await;
    administrator.post("/api/resource/DocType").json(&cabin("view, code, ledger")).send().await.expect_status(200);
    administrator
}

async fn make(caller: &Caller, name: &str, label: &str) {
    make_with(caller, json!({"name": name, "label": label})).await;
}

async fn make_with(caller: &Caller, fields: Value) {
    caller.post(CABIN).json(&fields).send().await.expect_status(200);
}

async fn search(caller: &Caller, txt: &str) -> Reply {
    caller.get(SEARCH).query(&[("txt", txt), ("limit", "100")]).send().await.expect_status(200)
}

/// The names found, sorted.
async fn found(caller: &Caller, txt: &str) -> Vec<String> {
    let mut names = ranked(&search(caller, txt).await);
    names.sort();
    names
}

/// The names found, best first.
fn ranked(reply: &Reply) -> Vec<String> {
    reply.data().as_array().expect("a list").iter().map(|hit| hit["name"].as_str().expect("a name").to_owned()).collect()
}

async fn amina(app: &TestApp) -> Caller {
    app.user("amina@example.com").await.api_key().await
}

async fn words_are_found_whatever_their_case_and_accents(app: TestApp) {
    given(&app).await;
    let caller = amina(&app).await;
    make(&caller, "c1", "Crème Brûlée").await;
    make(&caller, "c2", "CREME FRAICHE").await;
    make(&caller, "c3", "Straße nach Łódź").await;
    make(&caller, "c4", "東京タワー").await;
    for (txt, names) in [
        ("creme", &["c1", "c2"][..]),
        ("CRÈME", &["c1", "c2"]),
        ("cre\u{300}me", &["c1", "c2"]),
        ("brulee", &["c1"]),
        ("strasse", &["c3"]),
        ("LODZ", &["c3"]),
        ("東京", &["c4"]),
        ("crema", &[]),
        ("nothing of it", &[]),
    ] {
        assert_eq!(found(&caller, txt).await, names, "{txt}");
    }
}

async fn all_words_must_be_there_and_the_last_may_be_a_beginning(app: TestApp) {
    given(&app).await;
    let caller = amina(&app).await;
    make(&caller, "c1", "red house by the lake").await;
    make(&caller, "c2", "red houseboat").await;
    make_with(
        &caller,
        json!({"name": "c3", "label": "house", "view": "lake", "story": "<p class=\"red\">painted <b>red</b></p>", "plain": "unheard"}),
    )
    .await;
    for (txt, names) in [
        ("house", &["c1", "c2", "c3"][..]),
        ("house ", &["c1", "c3"]),
        ("hou red", &[]),
        ("red hou", &["c1", "c2", "c3"]),
        ("lake house", &["c1", "c3"]),
        ("house, lake", &["c1", "c3"]),
        ("painted", &["c3"]),
        ("l", &[]),
        ("c2", &["c2"]),
        // Neither tags nor fields that are not searched.
        ("class", &[]),
        ("unheard", &[]),
    ] {
        assert_eq!(found(&caller, txt).await, names, "{txt:?}");
    }
    let one = caller.get(SEARCH).query(&[("txt", "house"), ("doctype", "lodge cabin"), ("limit", "1")]).send().await.expect_status(200);
    assert_eq!(one.data().as_array().map(Vec::len), Some(1));
    assert_eq!(caller.get(SEARCH).query(&[("txt", "house"), ("doctype", "ToDo")]).send().await.expect_status(200).data(), json!([]));
}

async fn nobody_finds_what_they_may_not_read(app: TestApp) {
    let administrator = given(&app).await;
    let (amina, bea) = (amina(&app).await, app.user("bea@example.com").await.api_key().await);
    make(&amina, "c1", "secret meadow").await;
    make(&bea, "c2", "meadow").await;
    let before = search(&bea, "meadow").await;
    assert_eq!(ranked(&before), ["c2"]);
    assert_eq!(found(&amina, "meadow").await, ["c1"]);
    assert_eq!(found(&administrator, "meadow").await, ["c1", "c2"]);
    assert_eq!(found(&bea, "secret").await, Vec::<String>::new());
    // What others write changes nothing in what is answered, ranks included.
    for number in 0..5 {
        make(&amina, &format!("more{number}"), "meadow meadow").await;
    }
    assert_eq!(search(&bea, "meadow").await.json(), before.json());
    // A share opens it, and only as long as it is there.
    let share = json!({"doctype": "Lodge Cabin", "name": "c1", "user": "bea@example.com", "read": 1});
    administrator.post("/api/method/frappe.share.add").json(&share).send().await.expect_status(200);
    assert_eq!(found(&bea, "secret").await, ["c1"]);
    app.anonymous().get(SEARCH).query(&[("txt", "meadow")]).send().await.expect_status(403);
}

async fn fields_of_a_higher_level_and_secrets_are_not_searched(app: TestApp) {
    let administrator = given(&app).await;
    make_with(&administrator, json!({"name": "c1", "label": "hut", "ledger": "bankrupt", "code": "opensesame", "view": "valley"})).await;
    assert_eq!(found(&administrator, "valley").await, ["c1"]);
    for txt in ["bankrupt", "opensesame"] {
        assert_eq!(found(&administrator, txt).await, Vec::<String>::new(), "{txt}");
    }
    // A field that becomes one of a higher level is searched no more, at once.
    let mut definition = cabin("view");
    definition["fields"][1]["permlevel"] = 1.into();
    administrator.put("/api/resource/DocType/Lodge%20Cabin").json(&definition).send().await.expect_status(200);
    assert_eq!(found(&administrator, "valley").await, Vec::<String>::new());
}

async fn what_is_changed_renamed_or_deleted_is_found_as_it_is_now(app: TestApp) {
    let administrator = given(&app).await;
    make(&administrator, "c1", "old mill").await;
    administrator.put(&format!("{CABIN}/c1")).json(&json!({"label": "new mill"})).send().await.expect_status(200);
    assert_eq!((found(&administrator, "old").await, found(&administrator, "new").await), (vec![], vec!["c1".to_owned()]));
    administrator.put(&format!("{CABIN}/c1")).json(&json!({"plain": "x"})).send().await.expect_status(200);
    assert_eq!(found(&administrator, "mill").await, ["c1"]);
    let renaming = json!({"doctype": "Lodge Cabin", "old_name": "c1", "new_name": "watermill"});
    administrator.post("/api/method/frappe.client.rename_doc").json(&renaming).send().await.expect_status(200);
    assert_eq!((found(&administrator, "mill").await, found(&administrator, "c1").await), (vec!["watermill".to_owned()], vec![]));
    administrator.delete(&format!("{CABIN}/watermill")).send().await.expect_status(202);
    assert_eq!(found(&administrator, "mill").await, Vec::<String>::new());
    // A refused change leaves everything as it was.
    make(&administrator, "c2", "barn").await;
    administrator.post(CABIN).json(&json!({"name": "c2", "label": "stable"})).send().await.expect_status(409);
    assert_eq!((found(&administrator, "barn").await, found(&administrator, "stable").await), (vec!["c2".to_owned()], vec![]));
}

async fn a_token_finds_only_doctypes_that_its_scope_reaches(app: TestApp) {
    given(&app).await;
    let user = app.user("amina@example.com").await;
    let caller = user.api_key().await;
    make(&caller, "c1", "orchard").await;
    let todo = caller.post("/api/resource/ToDo").json(&json!({"description": "orchard"})).send().await.expect_status(200).data();
    let todo = todo["name"].as_str().expect("a name").to_owned();
    let mut both = vec!["c1".to_owned(), todo.clone()];
    both.sort();
    assert_eq!(found(&caller, "orchard").await, both);
    for (scope, names) in [("read:todo", vec![todo]), ("read:lodge_cabin", vec!["c1".to_owned()]), ("all", both), ("openid", vec![])] {
        let token = user.bearer(&app, scope).await;
        assert_eq!(found(&token, "orchard").await, names, "{scope}");
    }
    let token = user.bearer(&app, "read:todo").await;
    token.get(SEARCH).query(&[("txt", "orchard"), ("doctype", "Lodge Cabin")]).send().await.expect_status(403);
}

async fn signs_of_query_languages_are_no_more_than_signs(app: TestApp) {
    given(&app).await;
    let caller = amina(&app).await;
    make(&caller, "c1", "alpha beta OR NEAR not and").await;
    make(&caller, "c2", "gamma").await;
    for (txt, names) in [
        ("alpha OR gamma", &[][..]),
        ("alpha or beta", &["c1"]),
        ("NOT alpha", &["c1"]),
        ("\"alpha", &["c1"]),
        ("alpha*", &["c1"]),
        ("alph*", &[]),
        ("terms:alpha", &[]),
        ("NEAR(alpha beta)", &["c1"]),
        ("alpha & !beta | (", &["c1"]),
        ("alpha:*", &["c1"]),
        ("^alpha + beta", &["c1"]),
        ("alpha' -- ; drop table x", &[]),
        ("\\alpha\\", &["c1"]),
        ("%", &[]),
        ("_____", &[]),
        // The word by which a doctype is kept.
        ("\u{E000}lodge\u{E001}cabin", &[]),
    ] {
        assert_eq!(found(&caller, txt).await, names, "{txt:?}");
    }
}

/// Makes documents of one label by way of `insert_many`.
async fn many(caller: &Caller, prefix: &str, count: usize, label: &str) {
    for start in (0..count).step_by(200) {
        let docs: Vec<Value> = (start..count.min(start + 200))
            .map(|number| json!({"doctype": "Lodge Cabin", "name": format!("{prefix}{number:04}"), "label": label}))
            .collect();
        caller.post("/api/method/frappe.client.insert_many").json(&json!({"docs": docs})).send().await.expect_status(200);
    }
}

async fn of_more_than_a_thousand_matches_the_newest_are_ranked(app: TestApp) {
    let administrator = given(&app).await;
    make(&administrator, "first", "common common common").await;
    many(&administrator, "n", 999, "common thing").await;
    let all = search(&administrator, "common").await.json();
    assert_eq!((all["truncated"].clone(), all["data"][0]["name"].clone()), (json!(false), json!("first")));
    make(&administrator, "last", "common thing").await;
    let newest = search(&administrator, "common").await.json();
    assert_eq!((newest["truncated"].clone(), newest["data"][0]["name"].clone()), (json!(true), json!("last")));
    let page = administrator.get(SEARCH).query(&[("txt", "common"), ("start", "990"), ("limit", "100")]).send().await.expect_status(200);
    assert_eq!(page.data().as_array().map(Vec::len), Some(10));
    let exact = search(&administrator, "first common").await.json();
    assert_eq!((exact["truncated"].clone(), exact["data"][0]["name"].clone()), (json!(false), json!("first")));
}

async fn among_too_many_matches_everybody_still_finds_their_own(app: TestApp) {
    let administrator = given(&app).await;
    let amina = amina(&app).await;
    make(&amina, "mine", "common nook").await;
    make(&amina, "other", "nook").await;
    many(&administrator, "n", 1100, "common thing").await;
    let reply = search(&amina, "common").await;
    assert_eq!((ranked(&reply), reply.json()["truncated"].clone()), (vec!["mine".to_owned()], json!(false)));
}

async fn documents_from_before_a_doctype_was_searched_are_found_in_the_end(app: TestApp) {
    let administrator = app.administrator().await;
    let mut definition = cabin("");
    definition["title_field"] = Value::Null;
    definition["fields"][2]["in_global_search"] = 0.into();
    definition["fields"][3]["in_global_search"] = 0.into();
    administrator.post("/api/resource/DocType").json(&definition).send().await.expect_status(200);
    many(&administrator, "n", 250, "ancient").await;
    assert_eq!(found(&administrator, "ancient").await, Vec::<String>::new());
    definition["title_field"] = "label".into();
    administrator.put("/api/resource/DocType/Lodge%20Cabin").json(&definition).send().await.expect_status(200);
    let mut seen = 0;
    for _ in 0..150 {
        let page =
            administrator.get(SEARCH).query(&[("txt", "ancient"), ("start", "200"), ("limit", "100")]).send().await.expect_status(200);
        seen = page.data().as_array().map_or(0, Vec::len);
        if seen == 50 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("only {seen} of the last fifty are found");
}

async fn frappes_own_search_answers_in_its_own_shape(app: TestApp) {
    given(&app).await;
    let caller = amina(&app).await;
    make_with(&caller, json!({"name": "c1", "label": "Mill & <Barn>", "view": "lake"})).await;
    let query = [("text", "mill"), ("start", "0"), ("limit", "5"), ("doctype", "Lodge Cabin")];
    let reply = caller.get("/api/method/frappe.utils.global_search.search").query(&query).send().await.expect_status(200);
    let hits = reply.message();
    assert_eq!(hits.as_array().map(Vec::len), Some(1));
    assert_eq!(hits[0]["content"], "Label : Mill & <Barn> ||| View : lake");
    assert_eq!(
        (hits[0]["doctype"].clone(), hits[0]["name"].clone(), hits[0]["title"].clone()),
        (json!("Lodge Cabin"), json!("c1"), json!("Mill & <Barn>"))
    );
    assert!(hits[0]["rank"].as_f64().is_some_and(|rank| rank > 0.0));
    for query in [&[("text", "")][..], &[("text", " & ")], &[("text", "mill"), ("start", "1")]] {
        let reply = caller.post("/api/method/frappe.utils.global_search.search").form(query).send().await.expect_status(200);
        assert_eq!(reply.message(), json!([]), "{query:?}");
    }
    caller.post("/api/method/frappe.utils.global_search.search").send().await.expect_status(417);
}

async fn titles_come_first_and_what_was_found_is_marked(app: TestApp) {
    given(&app).await;
    let caller = amina(&app).await;
    make_with(&caller, json!({"name": "c1", "label": "hut", "story": "by a <b>big</b> brook & a \"tree\""})).await;
    make(&caller, "c2", "brook").await;
    make(&caller, "c3", "brookside").await;
    for path in [SEARCH, "/api/v1/search"] {
        let reply = caller.get(path).query(&[("txt", "broo")]).send().await.expect_status(200);
        assert_eq!(ranked(&reply)[2], "c1", "{}", reply.text());
        assert_eq!(reply.data()[2]["content"], "by a big <mark>brook</mark> &amp; a &quot;tree&quot;");
    }
    assert_eq!(ranked(&search(&caller, "brook").await), ["c2", "c3", "c1"]);
}

async fn searches_that_make_no_sense_are_refused(app: TestApp) {
    given(&app).await;
    let caller = amina(&app).await;
    let long = "x".repeat(201);
    let many = (0..20).map(|number| format!("w{number}")).collect::<Vec<_>>().join(" ");
    for (query, status) in [
        (vec![("doctype", "ToDo")], 417),
        (vec![("txt", "")], 417),
        (vec![("txt", long.as_str())], 417),
        (vec![("txt", many.as_str())], 417),
        (vec![("txt", "a\0b")], 417),
        (vec![("txt", "ab"), ("limit", "-1")], 417),
        (vec![("txt", "ab"), ("limit", "many")], 417),
        (vec![("txt", "ab"), ("doctype", "No Such Thing")], 404),
        (vec![("txt", "ab"), ("doctype", "OAuth Client")], 403),
    ] {
        assert_eq!(caller.get(SEARCH).query(&query).send().await.status, status, "{query:?}");
    }
    assert_eq!(caller.get(SEARCH).query(&[("txt", "?!")]).send().await.expect_status(200).data(), json!([]));
}

async fn a_guest_is_told_to_log_in(app: TestApp) {
    for (path, named) in [("/api/search?txt=mill", "/api/search"), ("/api/report/Any", "/api/report/{name}")] {
        let refused = app.anonymous().get(path).send().await.expect_status(403);
        let text = format!("{named} is for users: log in, or send an API key or an access token");
        assert_eq!(refused.string("exception"), format!("frappe.exceptions.PermissionError: {text}"));
        assert_eq!(messages(&refused), [text]);
    }
    // What Frappe has too is refused in its words (transcript 014).
    let refused = app.anonymous().get("/api/method/frappe.utils.global_search.search?text=mill").send().await.expect_status(403);
    assert!(refused.text().contains("<strong>frappe.utils.global_search.search</strong> is not whitelisted"), "{}", refused.text());
    amina(&app).await.get("/api/search?txt=mill").send().await.expect_status(200);
}

async fn what_is_deleted_along_leaves_nothing_behind(app: TestApp) {
    let administrator = given(&app).await;
    make(&administrator, "c1", "mill").await;
    make(&administrator, "c2", "barn").await;
    for (cabin, description) in [("c1", "sweep the chimney"), ("c1", "chimney again"), ("c2", "mend the fence")] {
        let todo = json!({ "description": description, "reference_type": "Lodge Cabin", "reference_name": cabin });
        administrator.post("/api/resource/ToDo").json(&todo).send().await.expect_status(200);
    }
    let kept = async || app.db().lookup(|conn, _| Ok(list_names(conn, "ToDo", None, None)?)).await.expect("read").len();
    assert_eq!((found(&administrator, "chimney").await.len(), found(&administrator, "fence").await.len(), kept().await), (2, 1, 3));
    administrator.delete(&format!("{CABIN}/c1")).send().await.expect_status(202);
    assert_eq!((found(&administrator, "chimney").await.len(), found(&administrator, "fence").await.len(), kept().await), (0, 1, 1));
}
