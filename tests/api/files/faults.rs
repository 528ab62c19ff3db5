//! What must survive: the program killed between a content and its row, a full disk.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;

use super::{FILE, Form, encoded, fetch, files_below, text};
use crate::both_databases;
use crate::support::process::{Launch, SmallDisk};
use crate::support::{Backend, Caller, Database, TemporaryDirectory, block_on};

both_databases!(no_document_is_ever_without_its_content_after_kill_9);

const ROUNDS: u64 = 8;

async fn no_document_is_ever_without_its_content_after_kill_9(backend: Backend) {
    let (directory, database) = (TemporaryDirectory::new(), Database::new(backend));
    let launch = Launch::new(database.url(), directory.path());
    let mut program = launch.start().await;
    let amina = program.user("amina@example.com").await.api_key().await;
    let mut answered = BTreeMap::new();
    for round in 0..ROUNDS {
        let mut uploading = JoinSet::new();
        for worker in 0..4 {
            uploading.spawn(upload_until_it_dies(amina.clone(), round, worker));
        }
        // At another point of the work in every round.
        tokio::time::sleep(Duration::from_millis(250 + round * 41 % 97)).await;
        program.kill();
        for (url, content) in uploading.join_all().await.into_iter().flatten() {
            answered.insert(url, content);
        }
        program = launch.start().await;
        // Answered or not: what has a row has its content.
        let parameters = [("fields", r#"["file_url","file_size"]"#), ("limit_page_length", "0")];
        let rows = amina.get(FILE).query(&parameters).send().await.expect_status(200).data();
        for row in rows.as_array().expect("a list") {
            let reply = amina.get(&encoded(text(row, "file_url"))).send().await.expect_status(200);
            assert_eq!(json!(reply.body.len()), row["file_size"], "round {round}: {row}");
        }
        assert!(rows.as_array().map(Vec::len) >= Some(answered.len()));
    }
    assert!(answered.len() > 20, "enough was uploaded: {}", answered.len());
    for (url, content) in &answered {
        assert_eq!(&amina.get(&encoded(url)).send().await.expect_status(200).text(), content, "{url}");
    }
    assert!(program.terminate().success());
}

/// Uploads, and deletes every third, until nobody answers any more. Returns what was answered and not deleted.
async fn upload_until_it_dies(caller: Caller, round: u64, worker: u64) -> Vec<(String, String)> {
    let mut kept = Vec::new();
    for number in 0.. {
        // Every other content is shared with the other workers.
        let content = if number % 2 == 0 { format!("{round} {worker} {number}") } else { format!("{round} {number}") };
        let content = content.repeat(500);
        let form = Form::new().file("a.txt", content.as_bytes()).field("is_private", "1");
        let Ok(reply) = form.request(&caller).try_send().await else { break };
        let document = reply.expect_status(200).message();
        if number % 3 == 0 {
            if caller.delete(&format!("{FILE}/{}", text(&document, "name"))).try_send().await.is_err() {
                break;
            }
        } else {
            kept.push((text(&document, "file_url").to_owned(), content));
        }
    }
    kept
}

#[test]
fn on_a_full_disk_uploads_are_503_and_leave_nothing_half_written() {
    block_on(async {
        let (disk, directory, database) = (SmallDisk::mount(4096), TemporaryDirectory::new(), Database::new(Backend::Sqlite));
        let files = disk.path().join("files");
        let launch = Launch::new(database.url(), directory.path());
        let launch = launch.environment("OSTIARY_FILES_DIRECTORY", files.to_str().expect("UTF-8"));
        let program = launch.start().await;
        let amina = program.user("amina@example.com").await.api_key().await;
        let kept = Form::new().file("a.bin", &vec![1; 500_000]).accepted(&amina).await;
        let mut filler = std::fs::File::create(disk.path().join("filler")).expect("a file");
        filler.write_all(&vec![0; 2_500_000]).expect("there is room for this");
        for _ in 0..3 {
            let reply = Form::new().file("b.bin", &vec![2; 3_000_000]).send(&amina).await.expect_status(503);
            assert!(reply.header("retry-after").is_some_and(|seconds| seconds.parse::<u64>().is_ok_and(|seconds| seconds >= 1)));
        }
        super::until("nothing of them is left", || files_below(&files).len() == 1).await;
        let listed = amina.get(FILE).send().await.expect_status(200).data();
        assert_eq!(listed, json!([{ "name": kept["name"] }]));
        assert_eq!(fetch(&amina, &kept).await.expect_status(200).body.len(), 500_000);
        drop(filler);
        std::fs::remove_file(disk.path().join("filler")).expect("the filler goes");
        let next = Form::new().file("b.bin", &vec![2; 3_000_000]).accepted(&amina).await;
        assert_eq!(fetch(&amina, &next).await.expect_status(200).body.len(), 3_000_000);
    });
}

#[test]
fn a_backup_says_where_the_files_are() {
    block_on(async {
        let (directory, database) = (TemporaryDirectory::new(), Database::new(Backend::Sqlite));
        let launch = Launch::new(database.url(), directory.path());
        let program = launch.start().await;
        let before = launch.command(&["backup", "before.db", "--without-key"], "").expect_success();
        assert!(!before.contains("files"), "{before}");
        Form::new().file("a.txt", b"x").accepted(&program.user("amina@example.com").await.api_key().await).await;
        let after = launch.command(&["backup", "after.db", "--without-key"], "").expect_success();
        assert!(after.contains(&format!("copy {} as well", directory.path().join("files").display())), "{after}");
    });
}
