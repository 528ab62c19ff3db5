//! What an upload makes, and which ones are refused.

use std::path::PathBuf;

use base64::Engine as _;
use serde_json::json;

use super::{FILE, Form, UPLOAD, fetch, on_disk, private, public, text, until};
use crate::both_databases;
use crate::support::{Setup, TestApp};

both_databases!(
    an_upload_answers_its_document_and_the_file_comes_back,
    a_guest_uploads_nothing,
    names_from_clients_never_become_paths,
    a_name_that_is_taken_gets_letters,
    a_file_that_is_too_large_is_refused_without_reading_it_all,
    only_listed_endings_are_taken,
    forms_that_are_no_upload_are_refused_by_name,
    a_url_is_kept_as_a_link_and_never_fetched,
    base64_is_taken_by_attach_file,
    a_browser_session_needs_its_csrf_token,
    folders_hold_files_and_nothing_else_does,
    fields_of_a_file_change_and_its_content_does_not,
);

async fn an_upload_answers_its_document_and_the_file_comes_back(app: TestApp) {
    let amina = app.user("amina@example.com").await.api_key().await;
    let content: Vec<u8> = (0..700_000_u32).flat_map(|number| number.to_le_bytes()).collect();
    let form = Form::new().field("is_private", "1").file("Größe 日本.bin", &content).field("folder", "Home").field("optimize", "1");
    let document = form.accepted(&amina).await;
    let hash = text(&document, "content_hash").to_owned();
    assert_eq!(hash.len(), 64);
    let expected = json!({
        "name": document["name"], "owner": "amina@example.com", "creation": document["creation"], "modified": document["creation"],
        "modified_by": "amina@example.com", "docstatus": 0, "idx": 0, "file_name": "Größe 日本.bin", "is_private": 1, "file_type": "BIN",
        "is_home_folder": 0, "is_attachments_folder": 0, "file_size": content.len(), "file_url": "/private/files/Größe 日本.bin",
        "thumbnail_url": null, "folder": "Home", "is_folder": 0, "attached_to_doctype": null, "attached_to_name": null,
        "attached_to_field": null, "old_parent": "Home", "content_hash": hash, "uploaded_to_dropbox": 0, "uploaded_to_google_drive": 0,
        "doctype": "File",
    });
    assert_eq!(document.to_string(), expected.to_string(), "also in this order");
    let reply = fetch(&amina, &document).await.expect_status(200);
    assert_eq!(reply.body, content);
    let (shelf, rest) = hash.split_at(2);
    until("the content is kept under its hash alone", || on_disk(&app) == [app.env().blobs.directory().join(shelf).join(rest)]).await;

    // The same document in lists, by name, and in both spellings of the path.
    let name = text(&document, "name");
    let read = amina.get(&format!("{FILE}/{name}")).send().await.expect_status(200).data();
    assert_eq!((&read["file_url"], &read["content_hash"]), (&document["file_url"], &document["content_hash"]));
    let fields = [("fields", r#"["name","file_size"]"#), ("filters", r#"[["file_name","like","%日本%"]]"#)];
    assert_eq!(
        amina.get(FILE).query(&fields).send().await.expect_status(200).data(),
        json!([{ "name": name, "file_size": content.len() }])
    );
    let again = Form::new().file("b.txt", b"b");
    let request = amina.post("/api/v1/method/upload_file").header("content-type", "multipart/form-data; boundary=xx").body(again.end());
    assert_eq!(request.send().await.expect_status(200).message()["file_url"], "/files/b.txt");
    // An empty file is a file.
    let empty = public(&amina, "empty", "").await;
    assert_eq!((&empty["file_size"], &empty["file_type"]), (&json!(0), &json!(null)));
    assert_eq!(fetch(&amina, &empty).await.expect_status(200).body, b"");
}

async fn a_guest_uploads_nothing(app: TestApp) {
    // Transcript 392.
    let reply = Form::new().file("a.txt", b"hello").field("is_private", "1").send(&app.anonymous()).await.expect_status(403);
    let mut body = reply.json();
    body.as_object_mut().expect("an object").remove("exc");
    assert_eq!(body, json!({ "exception": "frappe.exceptions.PermissionError", "exc_type": "PermissionError" }));
    app.anonymous().post(UPLOAD).form(&[("file_url", "https://example.com/a.txt")]).send().await.expect_status(403);
    let encoded = base64::engine::general_purpose::STANDARD.encode("x");
    let attach = json!({ "filename": "a.txt", "filedata": encoded, "decode_base64": 1 });
    app.anonymous().post("/api/method/frappe.client.attach_file").json(&attach).send().await.expect_status(403);
    app.anonymous().post(FILE).json(&json!({ "file_url": "https://example.com/a.txt" })).send().await.expect_status(403);
    // Nor is what they send read: it may be much.
    Form::new().file("a.bin", &vec![0; 20_000_000]).send(&app.anonymous()).await.expect_status(403);
    assert!(on_disk(&app).is_empty());
    // Whose session ended is told so.
    let stale = app.browser();
    stale.set_cookie("sid", "ost_si_nobody");
    Form::new().file("a.txt", b"hello").send(&stale).await.expect_status(401);
    // The control.
    Form::new().file("a.txt", b"hello").accepted(&app.user("amina@example.com").await.api_key().await).await;
    until("its content is kept, and no other", || on_disk(&app).len() == 1).await;
}

async fn names_from_clients_never_become_paths(app: TestApp) {
    let amina = app.user("amina@example.com").await.api_key().await;
    let long = format!("{}.txt", "x".repeat(5000));
    let cut = format!("{}.txt", "x".repeat(136));
    let cases: [(&[u8], &str); 10] = [
        (b"\"../../../../tmp/evil.txt\"", "evil.txt"),
        (b"\"/etc/passwd\"", "passwd"),
        (b"\"..\\\\..\\\\win.ini\"", "win.ini"),
        (b"\"..\"", "file"),
        (b"\"notes. . \"", "notes"),
        (b"\"a%2f..%2fb?x=y#z.txt\"", "a_2f.._2fb_x=y_z.txt"),
        (b"\"<img src=x>.png\"", "_img src=x_.png"),
        ("\"photo\u{202e}gnp.exe\"".as_bytes(), "photo_gnp.exe"),
        (b"x; filename*=UTF-8''..%2F..%2Fsecret%0d%0aSet-Cookie:%20a=b.txt", "secret__Set-Cookie: a=b.txt"),
        (long.as_bytes(), &cut),
    ];
    for (number, (sent, kept)) in cases.into_iter().enumerate() {
        let disposition = [b"form-data; name=\"file\"; filename=", sent].concat();
        let content = format!("content {number}");
        let document = Form::new().part(&disposition, content.as_bytes()).field("is_private", "1").accepted(&amina).await;
        assert_eq!((text(&document, "file_name"), text(&document, "file_url")), (kept, format!("/private/files/{kept}").as_str()));
        let reply = fetch(&amina, &document).await.expect_status(200);
        assert_eq!(reply.text(), content);
        assert!(reply.header("set-cookie").is_none());
    }
    // A line break or NUL ends the header, which is no upload then.
    for broken in [b"form-data; name=\"file\"; filename=\"a\0b.txt\"".as_slice(), b"form-data; name=\"file\"; filename=\"a\r\nb.txt\""] {
        let reply = Form::new().part(broken, b"x").send(&amina).await;
        assert!(matches!(reply.status, 400 | 417), "{} {}", reply.status, reply.text());
    }
    // Parameters can spell both; they name the file where the form does not.
    let named = Form::new().part(b"form-data; name=\"file\"; filename=\"\"", b"x").field("filename", "../c\nd.txt");
    assert_eq!(text(&named.accepted(&amina).await, "file_name"), "c_d.txt");
    let nul = Form::new().file("a.txt", b"x").field("filename", "c\0d").send(&amina).await;
    assert_eq!((nul.status, nul.error().as_deref()), (417, Some("DataError")));
    let is_content = |path: &PathBuf| path.file_name().is_some_and(|name| name.len() == 62);
    until("contents, and nothing else", || on_disk(&app).len() == 11 && on_disk(&app).iter().all(is_content)).await;
}

async fn a_name_that_is_taken_gets_letters(app: TestApp) {
    let amina = app.user("amina@example.com").await.api_key().await;
    let brian = app.user("brian@example.com").await.api_key().await;
    let first = public(&amina, "a.txt", "one").await;
    let second = public(&brian, "a.txt", "two").await;
    assert_eq!(first["file_url"], "/files/a.txt");
    let url = text(&second, "file_url");
    assert!(url.starts_with("/files/a") && url.ends_with(".txt") && url.len() == "/files/a.txt".len() + 6, "{url}");
    assert_eq!(text(&second, "file_name"), url.trim_start_matches("/files/"));
    assert_eq!(fetch(&amina, &first).await.text(), "one");
    assert_eq!(fetch(&amina, &second).await.text(), "two");
    // Public and private are two places.
    assert_eq!(private(&brian, "a.txt", "three").await["file_url"], "/private/files/a.txt");
    // Many at once get as many names.
    let mut uploads = tokio::task::JoinSet::new();
    for number in 0..20 {
        let amina = amina.clone();
        uploads.spawn(async move {
            let content = format!("content {number}");
            let document = public(&amina, "same.txt", &content).await;
            (document["file_url"].to_string(), fetch(&amina, &document).await.text() == content)
        });
    }
    let uploads = uploads.join_all().await;
    assert!(uploads.iter().all(|(_, same)| *same));
    assert_eq!(uploads.iter().map(|(url, _)| url).collect::<std::collections::BTreeSet<_>>().len(), 20);
}

async fn a_file_that_is_too_large_is_refused_without_reading_it_all(setup: Setup) {
    let app = setup.configure(|config| config.files.max_size = 100_000).start().await;
    let amina = app.user("amina@example.com").await.api_key().await;
    let fits = Form::new().file("a.bin", &vec![7; 100_000]).accepted(&amina).await;
    assert_eq!(fits["file_size"], 100_000);
    // One byte too many is found while reading; a length that says so, before.
    Form::new().file("a.bin", &vec![7; 100_001]).send(&amina).await.expect_status(413);
    Form::new().file("a.bin", b"x").field("long", &"y".repeat(1_100_000)).send(&amina).await.expect_status(413);
    let declared = raw(&app, &amina, "Content-Length: 99999999999", b"--xx\r\n").await;
    assert!(declared.starts_with("HTTP/1.1 413"), "{declared}");
    let chunk = [b"10000\r\n".as_slice(), &[b'z'; 0x10000], b"\r\n"].concat();
    let head = b"--xx\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n\r\n";
    let first = [format!("{:x}\r\n", head.len()).as_bytes(), head, b"\r\n"].concat();
    let endless = raw(&app, &amina, "Transfer-Encoding: chunked", &[first, chunk.repeat(3)].concat()).await;
    assert!(endless.starts_with("HTTP/1.1 413"), "{endless}");
    until("what was written of them is gone", || on_disk(&app).len() == 1).await;
    // And base64 has no way around it.
    let encoded = base64::engine::general_purpose::STANDARD.encode(vec![7; 100_001]);
    let attach = json!({ "filename": "a.bin", "filedata": encoded, "decode_base64": 1 });
    amina.post("/api/method/frappe.client.attach_file").json(&attach).send().await.expect_status(417);
    // A body that breaks off leaves nothing either.
    let broken = raw(&app, &amina, "Content-Length: 50000", head).await;
    assert!(broken.is_empty() || broken.starts_with("HTTP/1.1 4"), "{broken}");
    until("what was written of it is gone", || on_disk(&app).len() == 1).await;
}

/// Sends the beginning of an upload and nothing more, and reads what is answered to that.
async fn raw(app: &TestApp, caller: &crate::support::Caller, length: &str, body: &[u8]) -> String {
    use std::io::{Read as _, Write as _};
    let host = app.url.trim_start_matches("http://").to_owned();
    let authorization = caller.authorization().expect("a header");
    let head = format!(
        "POST {UPLOAD} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {authorization}\r\nContent-Type: multipart/form-data; boundary=xx\r\n{length}\r\n\r\n"
    );
    let sent = [head.as_bytes(), body].concat();
    let is_broken_off = length.ends_with(" 50000");
    tokio::task::spawn_blocking(move || {
        let mut stream = std::net::TcpStream::connect(host).expect("connected");
        stream.set_read_timeout(Some(std::time::Duration::from_secs(30))).expect("a timeout");
        let _ = stream.write_all(&sent);
        if is_broken_off {
            let _ = stream.shutdown(std::net::Shutdown::Write);
        }
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    })
    .await
    .expect("no panic")
}

async fn only_listed_endings_are_taken(setup: Setup) {
    let app = setup.configure(|config| config.files.extensions = vec!["pdf".into(), "PNG".into()]).start().await;
    let amina = app.user("amina@example.com").await.api_key().await;
    for name in ["a.pdf", "a.PNG", "a.html.png"] {
        public(&amina, name, name).await;
    }
    for name in ["a.html", "a.png.html", "a", "png", "a.pdf "] {
        let reply = Form::new().file(name, b"refused").send(&amina).await;
        // A blank at the end is cut before the ending is looked at.
        assert_eq!(reply.status, if name == "a.pdf " { 200 } else { 417 }, "{name}: {}", reply.text());
    }
    let attach = json!({ "filename": "a.html", "filedata": "x" });
    let reply = amina.post("/api/method/frappe.client.attach_file").json(&attach).send().await.expect_status(417);
    assert!(reply.text().contains("HTML"), "{}", reply.text());
    until("the contents of four are kept", || on_disk(&app).len() == 4).await;
}

async fn forms_that_are_no_upload_are_refused_by_name(app: TestApp) {
    let amina = app.user("amina@example.com").await.api_key().await;
    let form = || Form::new().file("a.txt", b"x");
    for (form, says) in [
        (Form::new(), "file_url"),
        (Form::new().field("file", "text"), "file_url"),
        (form().field("is_private", "perhaps"), "is_private"),
        (form().field("doctype", "ToDo"), "docname"),
        (form().field("folder", "Nowhere"), "Folder"),
        (form().field("total_chunk_count", "3"), "chunks"),
        (form().field("library_file_name", "abc"), "library_file_name"),
        (form().field("method", "os.system"), "method"),
        (form().file("b.txt", b"y"), "one file"),
        (form().part(b"form-data; name=\"other\"; filename=\"b.txt\"", b"y"), "one file"),
        (form().part(b"attachment; filename=\"b.txt\"", b"y"), "malformed"),
    ] {
        let reply = form.send(&amina).await;
        assert_eq!(reply.status, 417, "{says}: {}", reply.text());
        assert!(reply.text().contains(says), "{says}: {}", reply.text());
    }
    let cut = amina.post(UPLOAD).header("content-type", "multipart/form-data; boundary=xx").body("--xx\r\nContent-Disp");
    let reply = cut.send().await;
    assert!(matches!(reply.status, 400 | 417), "{} {}", reply.status, reply.text());
    let unbounded = amina.post(UPLOAD).header("content-type", "multipart/form-data").body("x");
    unbounded.send().await.expect_status(417);
    Form::new()
        .file("a.txt", b"x")
        .field("total_chunk_count", "1")
        .field("chunk_index", "0")
        .field("fieldname", "undefined")
        .accepted(&amina)
        .await;
    // A GET is another verb than this method takes.
    amina.get(UPLOAD).send().await.expect_status(403);
}

async fn a_url_is_kept_as_a_link_and_never_fetched(app: TestApp) {
    let amina = app.user("amina@example.com").await.api_key().await;
    let brian = app.user("brian@example.com").await.api_key().await;
    let link = amina.post(UPLOAD).form(&[("file_url", "https://example.invalid/a/b%20c.pdf?x=1"), ("is_private", "0")]).send().await;
    let link = link.expect_status(200).message();
    assert_eq!(
        (text(&link, "file_url"), &link["file_size"], &link["content_hash"]),
        ("https://example.invalid/a/b%20c.pdf?x=1", &json!(0), &json!(null))
    );
    for bad in ["http://example.com/a", "javascript:alert(1)", "file:///etc/passwd", "//example.com/a", "/etc/passwd", "https://", "x"] {
        let reply = amina.post(UPLOAD).form(&[("file_url", bad)]).send().await;
        assert_eq!(reply.status, 417, "{bad}: {}", reply.text());
    }
    // A file that is here: the same URL and content under a document of one's own, if one may read it.
    let secret = private(&amina, "secret.txt", "hers").await;
    let again = [("file_url", text(&secret, "file_url"))];
    let second = amina.post(UPLOAD).form(&again).send().await.expect_status(200).message();
    assert_eq!(
        (&second["file_url"], &second["content_hash"], &second["is_private"]),
        (&secret["file_url"], &secret["content_hash"], &json!(1))
    );
    assert_ne!(second["name"], secret["name"]);
    for url in [text(&secret, "file_url"), "/private/files/nothing.txt"] {
        let reply = brian.post(UPLOAD).form(&[("file_url", url)]).send().await;
        assert_eq!((reply.status, reply.error().as_deref()), (403, Some("PermissionError")), "{url}");
    }
    fetch(&brian, &secret).await.expect_status(403);
    // It stays when the first document goes.
    amina.delete(&format!("{FILE}/{}", text(&secret, "name"))).send().await.expect_status(202);
    assert_eq!(fetch(&amina, &second).await.expect_status(200).text(), "hers");
}

async fn base64_is_taken_by_attach_file(app: TestApp) {
    let amina = app.user("amina@example.com").await.api_key().await;
    let path = "/api/method/frappe.client.attach_file";
    let todo = amina.post("/api/resource/ToDo").json(&json!({ "description": "x" })).send().await.expect_status(200).data();
    let body = json!({
        "filename": "a.txt", "filedata": "aGVs\nbG8=", "decode_base64": true, "is_private": 1, "doctype": "ToDo", "docname": todo["name"],
    });
    let document = amina.post(path).json(&body).send().await.expect_status(200).message();
    assert_eq!((&document["folder"], &document["attached_to_name"]), (&json!("Home/Attachments"), &todo["name"]));
    assert_eq!(fetch(&amina, &document).await.expect_status(200).text(), "hello");
    let plain = json!({ "filename": "b.txt", "filedata": "as it is" });
    let document = amina.post(path).json(&plain).send().await.expect_status(200).message();
    assert_eq!(fetch(&amina, &document).await.expect_status(200).text(), "as it is");
    for wrong in [
        json!({ "filedata": "x" }),
        json!({ "filename": "a.txt" }),
        json!({ "filename": "a.txt", "filedata": "not base64!", "decode_base64": 1 }),
        json!({ "filename": "a.txt", "filedata": "x", "doctype": "ToDo", "docname": "nothing" }),
    ] {
        let status = amina.post(path).json(&wrong).send().await.status;
        assert!(matches!(status, 404 | 417), "{wrong}: {status}");
    }
}

async fn a_browser_session_needs_its_csrf_token(app: TestApp) {
    let browser = app.user("amina@example.com").await.cookie().await;
    let token = browser.get("/api/method/frappe.sessions.get_csrf_token").send().await.expect_status(200).message();
    let token = token.as_str().expect("a token");
    let reply = Form::new().file("a.txt", b"forged").send(&browser).await.expect_status(400);
    assert_eq!(reply.error().as_deref(), Some("CSRFTokenError"));
    Form::new().file("a.txt", b"own").request(&browser).header("X-Frappe-CSRF-Token", token).send().await.expect_status(200);
    // The field may come after the file.
    Form::new().file("b.txt", b"own").field("csrf_token", token).accepted(&browser).await;
    let foreign =
        Form::new().file("c.txt", b"forged").field("csrf_token", token).request(&browser).header("Origin", "https://evil.example");
    foreign.send().await.expect_status(400);
    let count = browser.get(FILE).send().await.expect_status(200).data();
    assert_eq!(count.as_array().map(Vec::len), Some(2));
}

async fn folders_hold_files_and_nothing_else_does(app: TestApp) {
    let amina = app.user("amina@example.com").await.api_key().await;
    let manager = app.administrator().await;
    let folder = amina.post(FILE).json(&json!({ "file_name": "Photos", "is_folder": 1 })).send().await.expect_status(200).data();
    assert_eq!((text(&folder, "name"), text(&folder, "folder"), &folder["is_folder"]), ("Home/Photos", "Home", &json!(1)));
    let reply = amina.post(FILE).json(&json!({ "file_name": "Photos", "is_folder": 1 })).send().await.expect_status(409);
    assert_eq!(reply.error().as_deref(), Some("DuplicateEntryError"));
    let file = Form::new().file("a.txt", b"x").field("folder", "Home/Photos").accepted(&amina).await;
    assert_eq!(text(&file, "folder"), "Home/Photos");
    let inside = Form::new().file("b.txt", b"y").field("folder", text(&file, "name")).send(&amina).await.expect_status(417);
    assert_eq!(inside.error().as_deref(), Some("LinkValidationError"));
    // Folders that hold something stay, and so do the two that every site has.
    let reply = amina.delete(&format!("{FILE}/Home%2FPhotos")).send().await.expect_status(417);
    assert_eq!(reply.error().as_deref(), Some("LinkExistsError"));
    for name in ["Home", "Home%2FAttachments"] {
        amina.delete(&format!("{FILE}/{name}")).send().await.expect_status(403);
        manager.delete(&format!("{FILE}/{name}")).send().await.expect_status(417);
    }
    amina.delete(&format!("{FILE}/{}", text(&file, "name"))).send().await.expect_status(202);
    amina.delete(&format!("{FILE}/Home%2FPhotos")).send().await.expect_status(202);
    let home = manager.get(&format!("{FILE}/Home")).send().await.expect_status(200).data();
    assert_eq!((&home["is_home_folder"], &home["is_folder"], &home["is_attachments_folder"]), (&json!(1), &json!(1), &json!(0)));
}

async fn fields_of_a_file_change_and_its_content_does_not(app: TestApp) {
    let amina = app.user("amina@example.com").await.api_key().await;
    let document = public(&amina, "a.txt", "x").await;
    let path = format!("{FILE}/{}", text(&document, "name"));
    let put = |body: serde_json::Value| amina.put(&path).json(&body).send();
    // What the server keeps itself is not heard.
    let ignored = json!({ "file_size": 7, "content_hash": "0".repeat(64), "file_type": "EXE", "is_home_folder": 1 });
    let after = put(ignored).await.expect_status(200).data();
    assert_eq!((&after["file_size"], &after["content_hash"], &after["file_type"]), (&json!(1), &document["content_hash"], &json!("TXT")));
    let reply = put(json!({ "file_url": "/private/files/other.txt" })).await.expect_status(417);
    assert_eq!(reply.error().as_deref(), Some("CannotChangeConstantError"));
    put(json!({ "is_folder": 1 })).await.expect_status(417);
    // Private files have another path; the old one is gone at once.
    let after = put(json!({ "is_private": 1, "file_name": "../b.html" })).await.expect_status(200).data();
    assert_eq!((text(&after, "file_name"), text(&after, "file_url")), ("b.html", "/private/files/b.html"));
    amina.get("/files/a.txt").send().await.expect_status(404);
    app.anonymous().get("/private/files/b.html").send().await.expect_status(403);
    assert_eq!(fetch(&amina, &after).await.expect_status(200).text(), "x");
    put(json!({ "folder": "Home/Attachments" })).await.expect_status(200);
    put(json!({ "folder": "Home/Nowhere" })).await.expect_status(417);
    put(json!({ "attached_to_doctype": "ToDo" })).await.expect_status(417);
    put(json!({ "attached_to_doctype": "ToDo", "attached_to_name": "nothing" })).await.expect_status(404);
    let todo = amina.post("/api/resource/ToDo").json(&json!({ "description": "x" })).send().await.expect_status(200).data();
    let after = put(json!({ "attached_to_doctype": "ToDo", "attached_to_name": todo["name"] })).await.expect_status(200).data();
    assert_eq!(after["attached_to_name"], todo["name"]);
}
