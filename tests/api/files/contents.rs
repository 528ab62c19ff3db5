//! Contents on disk: each once, as long as a document names it, never longer than a day without one.

use std::time::Duration;

use ostiary::background;
use tokio::task::JoinSet;

use super::{FILE, Form, fetch, on_disk, private, public, text, until};
use crate::both_databases;
use crate::support::TestApp;

both_databases!(
    a_content_is_kept_once_and_goes_with_its_last_document,
    uploads_beside_deletions_of_the_same_content_never_lose_it,
    what_nothing_names_is_collected_after_a_day,
);

async fn a_content_is_kept_once_and_goes_with_its_last_document(app: TestApp) {
    let amina = app.user("amina@example.com").await.api_key().await;
    let brian = app.user("brian@example.com").await.api_key().await;
    let (one, two) = (private(&amina, "a.txt", "the same").await, public(&brian, "b.txt", "the same").await);
    assert_eq!(one["content_hash"], two["content_hash"]);
    until("both share one content", || on_disk(&app).len() == 1).await;
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&on_disk(&app)[0]).expect("a file").permissions());
    assert_eq!(mode & 0o777, 0o600);
    amina.delete(&format!("{FILE}/{}", text(&one, "name"))).send().await.expect_status(202);
    fetch(&amina, &one).await.expect_status(403);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(fetch(&amina, &two).await.expect_status(200).text(), "the same");
    brian.delete(&format!("{FILE}/{}", text(&two, "name"))).send().await.expect_status(202);
    fetch(&amina, &two).await.expect_status(404);
    until("the content is gone", || on_disk(&app).is_empty()).await;
}

async fn uploads_beside_deletions_of_the_same_content_never_lose_it(app: TestApp) {
    let amina = app.user("amina@example.com").await.api_key().await;
    let mut work = JoinSet::new();
    for worker in 0..8 {
        let amina = amina.clone();
        work.spawn(async move {
            for round in 0..12 {
                let document = private(&amina, "same.txt", "fought over").await;
                // Whatever others delete meanwhile: as long as this document is there, so is its content.
                for _ in 0..2 {
                    assert_eq!(fetch(&amina, &document).await.expect_status(200).text(), "fought over");
                }
                if (worker + round) % 4 != 3 || round < 11 {
                    amina.delete(&format!("{FILE}/{}", text(&document, "name"))).send().await.expect_status(202);
                }
            }
        });
    }
    work.join_all().await;
    let left = amina.get(FILE).query(&[("fields", r#"["file_url"]"#)]).send().await.expect_status(200).data();
    let left = left.as_array().expect("a list").clone();
    assert!(!left.is_empty(), "some stay, or nothing is shown");
    tokio::time::sleep(Duration::from_millis(300)).await;
    for document in &left {
        assert_eq!(fetch(&amina, document).await.expect_status(200).text(), "fought over");
    }
}

async fn what_nothing_names_is_collected_after_a_day(app: TestApp) {
    let amina = app.user("amina@example.com").await.api_key().await;
    let kept = private(&amina, "a.txt", "kept").await;
    // What is refused goes at once.
    Form::new().file("b.txt", b"refused").field("folder", "Nowhere").send(&amina).await.expect_status(417);
    until("it is gone", || on_disk(&app).len() == 1).await;
    // Placed, and then a crash before the row.
    let directory = app.env().blobs.directory().to_owned();
    let unnamed = directory.join("cd").join("0".repeat(62));
    std::fs::create_dir_all(directory.join("cd")).expect("a directory");
    std::fs::write(&unnamed, b"no row names this").expect("a file");
    std::fs::write(directory.join("incoming").join("half"), b"what a killed upload leaves").expect("a file");
    let stranger = directory.join("ab").join("notes.txt");
    std::fs::create_dir_all(directory.join("ab")).expect("a directory");
    std::fs::write(&stranger, b"not ours").expect("a file");
    assert_eq!(on_disk(&app).len(), 4);
    let sweep = || async {
        let (db, env) = (app.db().clone(), app.env().clone());
        let all = move || (0..=255).for_each(|shelf| background::sweep_files(&db, &env, shelf));
        tokio::task::spawn_blocking(all).await.expect("no panic");
    };
    sweep().await;
    assert_eq!(on_disk(&app).len(), 4, "an upload may be about to name it");
    app.advance(Duration::from_secs(25 * 3600));
    sweep().await;
    assert_eq!(on_disk(&app).len(), 2);
    assert!(stranger.exists(), "what is no content of ours stays");
    assert_eq!(fetch(&amina, &kept).await.expect_status(200).text(), "kept");
}
