//! How files are sent: types that cannot hurt, ranges, caches.

use super::{FILE, Form, fetch, private, public, text};
use crate::both_databases;
use crate::support::{Caller, Reply, Setup, TestApp};

both_databases!(
    what_could_run_in_a_browser_is_saved_and_never_shown,
    ranges_are_answered_with_just_those_bytes,
    a_caller_that_has_the_file_is_not_sent_it_again,
    private_files_stay_in_no_cache,
    paths_that_are_no_file_are_404,
    listed_origins_may_read_files,
);

async fn what_could_run_in_a_browser_is_saved_and_never_shown(app: TestApp) {
    let amina = app.user("amina@example.com").await.api_key().await;
    let evil = "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>";
    let bytes = "application/octet-stream";
    for (name, content_type, inline) in [
        ("a.html", bytes, false),
        ("a.svg", bytes, false),
        ("a.xhtml", bytes, false),
        ("a.xml", bytes, false),
        ("a.js", bytes, false),
        ("a.png.htm", bytes, false),
        ("noending", bytes, false),
        ("a.pdf", "application/pdf", false),
        ("a.png", "image/png", true),
        ("a.JPG", "image/jpeg", true),
        ("a.txt", "text/plain; charset=utf-8", true),
        ("a.csv", "text/csv; charset=utf-8", false),
    ] {
        let document = public(&amina, name, evil).await;
        let reply = fetch(&app.anonymous(), &document).await.expect_status(200);
        assert_eq!(reply.text(), evil);
        assert_eq!(reply.header("content-type"), Some(content_type), "{name}");
        let how = reply.header("content-disposition").expect("a disposition");
        let expected = format!("{}; filename=\"{}\"", if inline { "inline" } else { "attachment" }, text(&document, "file_name"));
        assert_eq!(how, expected);
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        let policy = reply.header("content-security-policy").expect("a policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("sandbox"), "{policy}");
    }
    let document = public(&amina, "Größe \\\"x.txt", "x").await;
    let how = fetch(&amina, &document).await.header("content-disposition").expect("ASCII").to_owned();
    assert!(how.contains("filename=\"Gr__e _x.txt\"") && how.contains("filename*=UTF-8''Gr%C3%B6%C3%9Fe%20_x.txt"), "{how}");
    // Renaming the document makes nothing else of what is sent.
    let html = public(&amina, "page.html", evil).await;
    let renamed = amina.put(&format!("{FILE}/{}", text(&html, "name"))).json(&serde_json::json!({ "file_name": "page.png" })).send().await;
    assert_eq!(renamed.expect_status(200).data()["file_url"], html["file_url"]);
    assert_eq!(fetch(&amina, &html).await.header("content-type"), Some(bytes));
}

async fn get(caller: &Caller, path: &str, headers: &[(&str, &str)]) -> Reply {
    headers.iter().fold(caller.get(path), |request, (name, value)| request.header(name, value)).send().await
}

async fn ranges_are_answered_with_just_those_bytes(app: TestApp) {
    let amina = app.user("amina@example.com").await.api_key().await;
    let content: Vec<u8> = (0..200_000_u32).flat_map(|number| number.to_be_bytes()).collect();
    let document = Form::new().file("a.bin", &content).field("is_private", "1").accepted(&amina).await;
    let (path, size) = (text(&document, "file_url"), content.len());
    let whole = get(&amina, path, &[]).await.expect_status(200);
    assert_eq!((whole.header("accept-ranges"), whole.header("content-length")), (Some("bytes"), Some(size.to_string().as_str())));
    assert_eq!(whole.body, content);
    let tag = whole.header("etag").expect("a tag").to_owned();
    assert_eq!(tag, format!("\"{}\"", text(&document, "content_hash")));

    for (range, first, last) in
        [("bytes=0-0", 0, 0), ("bytes=65535-65537", 65535, 65537), ("bytes=100-", 100, size - 1), ("bytes=-7", size - 7, size - 1)]
    {
        let part = get(&amina, path, &[("range", range)]).await.expect_status(206);
        assert_eq!(part.body, &content[first..=last], "{range}");
        assert_eq!(part.header("content-range"), Some(format!("bytes {first}-{last}/{size}").as_str()));
        assert_eq!(part.header("content-length"), Some((last - first + 1).to_string().as_str()));
    }
    let beyond = get(&amina, path, &[("range", "bytes=9999999-")]).await.expect_status(416);
    assert_eq!(beyond.header("content-range"), Some(format!("bytes */{size}").as_str()));
    for ignored in ["bytes=0-1,5-6", "bytes=x", "items=0-1"] {
        assert_eq!(get(&amina, path, &[("range", ignored)]).await.expect_status(200).body.len(), size, "{ignored}");
    }
    assert_eq!(get(&amina, path, &[("range", "bytes=0-1"), ("if-range", &tag)]).await.expect_status(206).body, &content[..2]);
    assert_eq!(get(&amina, path, &[("range", "bytes=0-1"), ("if-range", "\"other\"")]).await.expect_status(200).body.len(), size);

    // HEAD says the same and sends nothing; and the connection goes on.
    for _ in 0..3 {
        let head = amina.request(reqwest::Method::HEAD, path).send().await.expect_status(200);
        assert_eq!((head.header("content-length"), head.body.len()), (Some(size.to_string().as_str()), 0));
        assert_eq!(head.header("etag"), Some(tag.as_str()));
    }
    // Who may not read it learns nothing by ranges.
    get(&app.anonymous(), path, &[("range", "bytes=0-1")]).await.expect_status(403);
    get(&app.anonymous(), path, &[("if-none-match", &tag)]).await.expect_status(403);
}

async fn a_caller_that_has_the_file_is_not_sent_it_again(app: TestApp) {
    let amina = app.user("amina@example.com").await.api_key().await;
    let document = public(&amina, "a.txt", "x").await;
    let path = text(&document, "file_url");
    let tag = format!("\"{}\"", text(&document, "content_hash"));
    for known in [tag.as_str(), "*", &format!("\"other\", W/{tag}")] {
        let reply = get(&app.anonymous(), path, &[("if-none-match", known)]).await.expect_status(304);
        assert!(reply.body.is_empty() && reply.header("etag") == Some(tag.as_str()), "{known}");
    }
    get(&app.anonymous(), path, &[("if-none-match", "\"other\"")]).await.expect_status(200);
    // The name may come to stand for something else.
    amina.delete(&format!("{FILE}/{}", text(&document, "name"))).send().await.expect_status(202);
    get(&app.anonymous(), path, &[("if-none-match", &tag)]).await.expect_status(404);
    let next = public(&amina, "a.txt", "another").await;
    assert_eq!(text(&next, "file_url"), path);
    assert_eq!(get(&app.anonymous(), path, &[("if-none-match", &tag)]).await.expect_status(200).text(), "another");
}

async fn private_files_stay_in_no_cache(app: TestApp) {
    let amina = app.user("amina@example.com").await.api_key().await;
    let hers = fetch(&amina, &private(&amina, "a.txt", "x").await).await.expect_status(200);
    assert_eq!(hers.header("cache-control"), Some("private, no-store"));
    assert_eq!(hers.header("cross-origin-resource-policy"), Some("same-origin"));
    let open = fetch(&amina, &public(&amina, "a.txt", "x").await).await.expect_status(200);
    assert_eq!(open.header("cache-control"), Some("public, no-cache"));
}

async fn paths_that_are_no_file_are_404(app: TestApp) {
    let amina = app.user("amina@example.com").await.api_key().await;
    let administrator = app.administrator().await;
    public(&amina, "a.txt", "x").await;
    private(&amina, "b.txt", "y").await;
    for path in [
        "/files/",
        "/files/b.txt",
        "/files/a.txt/",
        "/files/..%2fa.txt",
        "/files/../private/files/b.txt",
        "/files/%2e%2e/%2e%2e/etc/passwd",
        "/files/A.TXT",
        "/files/Home",
    ] {
        for caller in [&amina, &app.anonymous()] {
            let status = caller.get(path).send().await.status;
            // The client resolves dots itself, and then it is a private path.
            let expected: &[u16] = if path.contains("/../") { &[200, 403] } else { &[404] };
            assert!(expected.contains(&status), "{path}: {status}");
        }
    }
    let page = amina.get("/files/nothing.txt").send().await.expect_status(404);
    assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")));
    // Below private only who may read everything is told that there is nothing.
    for path in ["/private/files/nothing.txt", "/private/files/", "/private/files/..%2f..%2fostiary.db"] {
        amina.get(path).send().await.expect_status(403);
        administrator.get(path).send().await.expect_status(404);
    }
    let bad = amina.get("/files/%ff.txt").send().await;
    assert_eq!(bad.status, 417);
    amina.get("/files/a%00.txt").send().await.expect_status(417);
    for request in [amina.post("/files/a.txt"), amina.put("/files/a.txt"), amina.delete("/files/a.txt")] {
        let reply = request.send().await.expect_status(405);
        assert_eq!(reply.header("allow"), Some("GET, HEAD"));
    }
}

async fn listed_origins_may_read_files(setup: Setup) {
    let app = setup.configure(|config| config.security.allow_cors = vec!["https://app.example".into()]).start().await;
    let amina = app.user("amina@example.com").await.api_key().await;
    let document = private(&amina, "a.txt", "x").await;
    let path = text(&document, "file_url");
    let listed = get(&amina, path, &[("origin", "https://app.example")]).await.expect_status(200);
    assert_eq!(listed.header("access-control-allow-origin"), Some("https://app.example"));
    let other = get(&amina, path, &[("origin", "https://other.example")]).await.expect_status(200);
    assert_eq!(other.header("access-control-allow-origin"), None);
}
