//! Who may upload, read and delete which files.

use serde_json::{Value, json};

use super::{FILE, Form, fetch, on_disk, private, public, text, until};
use crate::both_databases;
use crate::support::{Caller, TestApp};

both_databases!(
    private_files_are_for_owners_readers_of_the_document_and_managers,
    a_guest_sees_the_public_ones,
    links_to_a_file_become_private_with_it,
    lists_show_ones_own_files,
    scopes_narrow_files,
    attaching_takes_the_right_to_change_the_document,
    a_field_of_type_attach_gets_the_url,
    a_document_takes_its_files_with_it,
);

const TODO: &str = "/api/resource/ToDo";

async fn todo(caller: &Caller) -> String {
    let created = caller.post(TODO).json(&json!({ "description": "x" })).send().await.expect_status(200).data();
    text(&created, "name").to_owned()
}

fn attached(doctype: &str, name: &str, content: &str) -> Form {
    Form::new().file("a.txt", content.as_bytes()).field("is_private", "1").field("doctype", doctype).field("docname", name)
}

fn path(document: &Value) -> String {
    format!("{FILE}/{}", text(document, "name"))
}

async fn private_files_are_for_owners_readers_of_the_document_and_managers(app: TestApp) {
    let amina = app.user("amina@example.com").await.api_key().await;
    let brian = app.user("brian@example.com").await.api_key().await;
    let manager = app.user_with_roles("mona@example.com", &["System Manager"]).await.api_key().await;
    let hers = private(&amina, "a.txt", "hers").await;
    for caller in [&amina, &manager] {
        assert_eq!(fetch(caller, &hers).await.expect_status(200).text(), "hers");
    }
    // Transcript 394: a page, and the same whether there is such a file or not.
    for caller in [&brian, &app.anonymous()] {
        let refused = fetch(caller, &hers).await.expect_status(403);
        let missing = caller.get("/private/files/never.txt").send().await.expect_status(403);
        assert!(refused.header("content-type").is_some_and(|kind| kind.starts_with("text/html")), "{:?}", refused.headers);
        assert!(refused.text().contains("<title>403 Forbidden"));
        // But for the address that its reader asked for, where the login leads back to.
        let back = |url: &str| format!("/login?again=1&#38;redirect-to={}", url.replace('/', "%2F"));
        let (of_hers, of_none) = (back(text(&hers, "file_url")), back("/private/files/never.txt"));
        assert!(refused.text().contains(&of_hers), "{}", refused.text());
        assert_eq!(refused.text().replace(&of_hers, &of_none), missing.text());
        assert!(!refused.text().contains("hers"));
    }
    for request in [brian.get(&path(&hers)), brian.put(&path(&hers)).json(&json!({ "is_private": 0 })), brian.delete(&path(&hers))] {
        request.send().await.expect_status(403);
    }
    // Attached by a manager to a document of Brian's: he reads it, and nobody else does.
    let document = todo(&brian).await;
    let note = attached("ToDo", &document, "for Brian").accepted(&manager).await;
    assert_eq!(fetch(&brian, &note).await.expect_status(200).text(), "for Brian");
    fetch(&amina, &note).await.expect_status(403);
    // No longer when it is attached no more.
    manager.put(&path(&note)).json(&json!({ "attached_to_doctype": null, "attached_to_name": null })).send().await.expect_status(200);
    fetch(&brian, &note).await.expect_status(403);
    // Whose session ended is told so, and asked to log in.
    let stale = app.browser();
    stale.set_cookie("sid", "ost_si_nobody");
    fetch(&stale, &hers).await.expect_status(401);
}

async fn a_guest_sees_the_public_ones(app: TestApp) {
    let amina = app.user("amina@example.com").await.api_key().await;
    let open = public(&amina, "a.txt", "for all").await;
    assert_eq!(fetch(&app.anonymous(), &open).await.expect_status(200).text(), "for all");
    let stale = app.browser();
    stale.set_cookie("sid", "ost_si_nobody");
    assert_eq!(fetch(&stale, &open).await.expect_status(200).text(), "for all");
    app.anonymous().get(FILE).send().await.expect_status(403);
    app.anonymous().get(&path(&open)).send().await.expect_status(403);
    app.anonymous().delete(&path(&open)).send().await.expect_status(403);
}

async fn links_to_a_file_become_private_with_it(app: TestApp) {
    let (amina, brian) = (app.user("amina@example.com").await.api_key().await, app.user("brian@example.com").await.api_key().await);
    let open = public(&amina, "a.txt", "for all").await;
    let link = Form::new().field("file_url", text(&open, "file_url")).accepted(&brian).await;
    let same = public(&brian, "b.txt", "for all").await;
    assert_eq!(text(&link, "file_url"), text(&open, "file_url"));
    let privacy = async |caller: &Caller, document: &Value, is_private: i64| {
        caller.put(&path(document)).json(&json!({ "is_private": is_private })).send().await.expect_status(200).data()
    };
    // Whoever only linked to it takes it from nobody.
    privacy(&brian, &link, 1).await;
    assert_eq!(fetch(&app.anonymous(), &open).await.expect_status(200).text(), "for all");
    let link = Form::new().field("file_url", text(&open, "file_url")).accepted(&brian).await;
    let closed = privacy(&amina, &open, 1).await;
    fetch(&app.anonymous(), &open).await.expect_status(404);
    fetch(&app.anonymous(), &closed).await.expect_status(403);
    let followed = brian.get(&path(&link)).send().await.expect_status(200).data();
    assert_eq!((&followed["file_url"], &followed["is_private"]), (&closed["file_url"], &json!(1)));
    // He has it still, and what he uploaded himself is as open as he made it.
    assert_eq!(fetch(&brian, &closed).await.expect_status(200).text(), "for all");
    assert_eq!(fetch(&app.anonymous(), &same).await.expect_status(200).text(), "for all");
}

async fn lists_show_ones_own_files(app: TestApp) {
    let amina = app.user("amina@example.com").await.api_key().await;
    let brian = app.user("brian@example.com").await.api_key().await;
    let names = |documents: [&Value; 2]| json!(documents.map(|document| json!({ "name": document["name"] })));
    let (first, second) = (private(&amina, "a.txt", "1").await, public(&amina, "b.txt", "2").await);
    private(&brian, "c.txt", "3").await;
    let listed = amina.get(FILE).query(&[("order_by", "creation asc")]).send().await.expect_status(200).data();
    assert_eq!(listed, names([&first, &second]));
    let everything = app.administrator().await.get(FILE).send().await.expect_status(200).data();
    assert_eq!(everything.as_array().map(Vec::len), Some(5), "three files and two folders");
}

async fn scopes_narrow_files(app: TestApp) {
    let amina = app.user("amina@example.com").await;
    let key = amina.api_key().await;
    let hers = private(&key, "a.txt", "hers").await;
    for scope in ["all", "write", "write:file"] {
        let token = amina.bearer(&app, scope).await;
        private(&token, "b.txt", scope).await;
        fetch(&token, &hers).await.expect_status(200);
    }
    for (scope, reads) in [("read", true), ("read:file", true), ("openid", false), ("write:todo", false), ("method:upload_file", false)] {
        let token = amina.bearer(&app, scope).await;
        fetch(&token, &hers).await.expect_status(if reads { 200 } else { 403 });
        let reply = Form::new().file("c.txt", b"refused").send(&token).await.expect_status(403);
        let challenge = reply.header("www-authenticate").expect("a challenge");
        assert!(challenge.contains("insufficient_scope") && challenge.contains("write:file"), "{scope}: {challenge}");
        // Whether there is such a file is no answer for it either.
        let (one, other) = (fetch(&token, &hers).await, token.get("/private/files/never.txt").send().await);
        if !reads {
            assert_eq!((one.status, one.header("www-authenticate")), (other.status, other.header("www-authenticate")));
        }
        // Public files are for anybody.
        fetch(&token, &public(&key, "open.txt", "x").await).await.expect_status(200);
    }
    // The document's scope is asked for besides.
    let document = todo(&key).await;
    let token = amina.bearer(&app, "write:file").await;
    attached("ToDo", &document, "x").send(&token).await.expect_status(403);
    attached("ToDo", &document, "x").accepted(&amina.bearer(&app, "write:file write:todo").await).await;
    until("nothing of what was refused is left", || on_disk(&app).len() == 5).await;
}

async fn attaching_takes_the_right_to_change_the_document(app: TestApp) {
    let amina = app.user("amina@example.com").await.api_key().await;
    let brian = app.user("brian@example.com").await.api_key().await;
    let document = todo(&amina).await;
    let file = attached("todo", &document, "x").field("folder", "Home/Attachments").accepted(&amina).await;
    assert_eq!((text(&file, "attached_to_doctype"), text(&file, "attached_to_name")), ("ToDo", document.as_str()));
    attached("ToDo", &document, "y").send(&brian).await.expect_status(403);
    attached("ToDo", "nothing", "y").send(&amina).await.expect_status(404);
    attached("Nothing", "nothing", "y").send(&amina).await.expect_status(404);
    attached("Role", "System Manager", "y").send(&amina).await.expect_status(403);
    let own = private(&brian, "b.txt", "z").await;
    let change = json!({ "attached_to_doctype": "ToDo", "attached_to_name": document });
    brian.put(&path(&own)).json(&change).send().await.expect_status(403);
    // Nothing of what was refused can be read or listed.
    let of_document = [("filters", json!({ "attached_to_name": document }).to_string())];
    let of_document = of_document.each_ref().map(|(name, value)| (*name, value.as_str()));
    let listed = app.administrator().await.get(FILE).query(&of_document).send().await.expect_status(200).data();
    assert_eq!(listed, json!([{ "name": file["name"] }]));
}

async fn a_field_of_type_attach_gets_the_url(app: TestApp) {
    let amina = app.user("amina@example.com").await.api_key().await;
    let brian = app.user("brian@example.com").await.api_key().await;
    let picture = |field: &str| {
        let form = Form::new().file("me.png", b"png").field("doctype", "User").field("docname", "amina@example.com");
        form.field("fieldname", field)
    };
    let file = picture("user_image").accepted(&amina).await;
    assert_eq!((text(&file, "file_url"), text(&file, "attached_to_field")), ("/files/me.png", "user_image"));
    let user = amina.get("/api/resource/User/amina@example.com").send().await.expect_status(200).data();
    assert_eq!(user["user_image"], "/files/me.png");
    // Other fields are remembered, not written; those that do not exist are refused, and so is the file.
    let file = picture("last_name").accepted(&amina).await;
    assert_eq!(text(&file, "attached_to_field"), "last_name");
    assert_eq!(amina.get("/api/resource/User/amina@example.com").send().await.data()["last_name"], user["last_name"]);
    let reply = picture("usr_image").send(&amina).await.expect_status(417);
    assert!(reply.text().contains("usr_image"), "{}", reply.text());
    picture("user_image").send(&brian).await.expect_status(403);
    assert_eq!(amina.get(FILE).send().await.expect_status(200).data().as_array().map(Vec::len), Some(2));
}

async fn a_document_takes_its_files_with_it(app: TestApp) {
    let amina = app.user("amina@example.com").await.api_key().await;
    let manager = app.administrator().await;
    let (first, second) = (todo(&amina).await, todo(&amina).await);
    let hers = attached("ToDo", &first, "one").accepted(&amina).await;
    let theirs = attached("ToDo", &first, "two").accepted(&manager).await;
    let other = attached("ToDo", &second, "two").accepted(&amina).await;
    amina.delete(&format!("{TODO}/{first}")).send().await.expect_status(202);
    for gone in [&hers, &theirs] {
        manager.get(&path(gone)).send().await.expect_status(404);
        fetch(&manager, gone).await.expect_status(404);
    }
    assert_eq!(fetch(&amina, &other).await.expect_status(200).text(), "two");
    until("the content that nothing names any more goes, the other stays", || on_disk(&app).len() == 1).await;
    assert_eq!(fetch(&amina, &other).await.expect_status(200).text(), "two");
}
