//! Uploads and files: `upload_file`, `frappe.client.attach_file`, `/files/…`, `/private/files/…`, the doctype `File`.

mod contents;
mod downloads;
mod faults;
mod rights;
mod uploads;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Caller, Reply, Request, TestApp};

const UPLOAD: &str = "/api/method/upload_file";
const FILE: &str = "/api/resource/File";

/// A form with a file, as browsers send it.
struct Form {
    body: Vec<u8>,
}

impl Form {
    fn new() -> Self {
        Self { body: Vec::new() }
    }

    fn field(mut self, name: &str, value: &str) -> Self {
        self.body.extend(format!("--xx\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").into_bytes());
        self
    }

    fn file(self, file_name: &str, content: &[u8]) -> Self {
        self.part(format!("form-data; name=\"file\"; filename=\"{file_name}\"").as_bytes(), content)
    }

    /// A file under any header.
    fn part(mut self, disposition: &[u8], content: &[u8]) -> Self {
        self.body.extend(b"--xx\r\nContent-Disposition: ");
        self.body.extend(disposition);
        // What a client says about the type counts for nothing.
        self.body.extend(b"\r\nContent-Type: text/html\r\n\r\n");
        self.body.extend(content);
        self.body.extend(b"\r\n");
        self
    }

    fn end(mut self) -> Vec<u8> {
        self.body.extend(b"--xx--\r\n");
        self.body
    }

    fn request(self, caller: &Caller) -> Request {
        caller.post(UPLOAD).header("content-type", "multipart/form-data; boundary=xx").body(self.end())
    }

    async fn send(self, caller: &Caller) -> Reply {
        self.request(caller).send().await
    }

    /// Sends it; it must be accepted. Returns the document.
    async fn accepted(self, caller: &Caller) -> Value {
        self.send(caller).await.expect_status(200).message()
    }
}

/// A private file of this text.
async fn private(caller: &Caller, file_name: &str, text: &str) -> Value {
    Form::new().file(file_name, text.as_bytes()).field("is_private", "1").accepted(caller).await
}

/// A public file of this text.
async fn public(caller: &Caller, file_name: &str, text: &str) -> Value {
    Form::new().file(file_name, text.as_bytes()).accepted(caller).await
}

#[track_caller]
fn text<'a>(document: &'a Value, field: &str) -> &'a str {
    document[field].as_str().unwrap_or_else(|| panic!("no text {field} in {document}"))
}

/// A file by its document.
async fn fetch(caller: &Caller, document: &Value) -> Reply {
    caller.get(&encoded(text(document, "file_url"))).send().await
}

/// A path as browsers send it.
fn encoded(path: &str) -> String {
    url::Url::parse("http://127.0.0.1").expect("a URL").join(path).expect("a path").path().to_owned()
}

/// Every file below the directory of contents.
fn on_disk(app: &TestApp) -> Vec<PathBuf> {
    files_below(app.env().blobs.directory())
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            found.extend(files_below(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}

/// Waits for what happens right after the answer.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(20), "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
