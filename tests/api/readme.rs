//! The README's walk, executed as it is printed.

use std::process::Command;

use ostiary::config::Config;

use crate::support::process::{Demo, Outcome};
use crate::support::{Backend, Site, run};

/// Where the README says the demo listens.
const PRINTED: &str = "127.0.0.1:8000";

#[test]
fn the_walk_with_curl_works_as_it_is_printed() {
    run(Backend::Sqlite, walk);
}

async fn walk(_: Backend) {
    let blocks = blocks("## The whole login with curl");
    assert!(blocks.len() >= 8, "the walk has its steps: {}", blocks.len());
    let demo = Demo::start().await;
    let host = demo.issuer.strip_prefix("http://").expect("plain HTTP on loopback");
    let script = format!("set -euo pipefail\n{}", blocks.join("\n").replace(PRINTED, host));
    let mut bash = Command::new("bash");
    bash.args(["-c", &script]).current_dir(demo.directory());
    // Twice in one demo: nothing in it may work only the first time.
    for _ in 0..2 {
        let outcome = Outcome::of(&mut bash, "");
        assert_eq!(outcome.code, Some(0), "{}\n{}", outcome.out, outcome.errors);
        assert_eq!(outcome.out.lines().last(), Some("revoked: 401"), "{}", outcome.out);
        for shown in
            ["asks for access to your account", "http://127.0.0.1:9000/callback?code=ost_ac_", "Carla", "Thank whoever", "\"active\":true"]
        {
            assert!(outcome.out.contains(shown), "{shown:?} is not in {}", outcome.out);
        }
    }
}

#[test]
fn the_reports_of_the_demo_run_as_they_are_printed() {
    run(Backend::Sqlite, reports);
}

async fn reports(_: Backend) {
    let page = std::fs::read_to_string(root().join("docs/frappe.md")).expect("docs/frappe.md");
    let section = page.split("\n## Reports\n").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("a section");
    let lines: Vec<&str> = section.lines().filter(|line| line.starts_with("    ")).collect();
    assert_eq!(lines.iter().filter(|line| line.trim_start().starts_with("curl ")).count(), 4, "{lines:#?}");
    let demo = Demo::start().await;
    let host = demo.issuer.strip_prefix("http://").expect("plain HTTP on loopback");
    let script = format!("set -e\ncurl() {{ command curl -fsS -w '\\n' \"$@\"; }}\n{}", lines.join("\n").replace(PRINTED, host));
    let mut bash = Command::new("bash");
    let outcome = Outcome::of(bash.args(["-c", &script]).current_dir(demo.directory()), "");
    assert_eq!(outcome.code, Some(0), "{}\n{}", outcome.out, outcome.errors);
    let ticket = "The printer prints blank pages";
    for shown in [r#""has_next_page":true"#, ticket, "customer@example.com", "Renew the support contract"] {
        assert!(outcome.out.contains(shown), "{shown:?} is not in {}", outcome.out);
    }
    // The other side: who may not report.
    let customer = Site::at(&demo.issuer).existing_user("customer@example.com", "demo-customer").basic();
    let refused = customer.get("/api/report/Open%20Tickets").send().await.expect_status(403);
    assert_eq!(refused.error().as_deref(), Some("PermissionError"));
}

#[test]
fn every_page_that_the_readme_links_exists() {
    let text = readme();
    let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next()).filter(|link| !link.starts_with("http"));
    let mut count = 0;
    for link in links {
        assert!(root().join(link).exists(), "{link}");
        count += 1;
    }
    assert!(count > 0);
}

#[test]
fn every_test_that_the_security_table_names_exists() {
    let table = std::fs::read_to_string(root().join("docs/security.md")).expect("docs/security.md");
    let mut sources = String::new();
    for folder in ["src", "tests/api"] {
        read_all(&root().join(folder), &mut sources);
    }
    // A test's name is a sentence; whatever else stands in code marks is shorter.
    let quoted = table.split('`').skip(1).step_by(2).filter(|text| text.matches('_').count() >= 4);
    let mut count = 0;
    for name in quoted {
        assert!(sources.contains(&format!("fn {name}(")), "{name} is no test");
        count += 1;
    }
    assert!(count > 50, "{count}");
}

/// Adds every Rust source below a folder.
fn read_all(folder: &std::path::Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            read_all(&entry, text);
        } else if entry.extension().is_some_and(|kind| kind == "rs") {
            text.push_str(&std::fs::read_to_string(&entry).expect("UTF-8"));
        }
    }
}

#[test]
fn the_settings_file_of_the_documents_holds_every_setting_at_its_default() {
    let text = std::fs::read_to_string(root().join("docs/operating.md")).expect("docs/operating.md");
    let file = text.split_once("```toml\n").and_then(|(_, rest)| rest.split("```").next()).expect("the settings file");
    let shown: Config = toml::from_str(file).expect("it is accepted");
    assert_eq!(format!("{shown:#?}"), format!("{:#?}", Config::default()));

    // What has no default stands there as a comment; with it the file names every field there is.
    let all: toml::Table = file.replace("\n# ", "\n").parse().expect("it is accepted with every line in force");
    let printed = format!("{shown:?}");
    for (section, fields) in &all {
        for field in fields.as_table().expect("a section").keys() {
            assert!(printed.contains(&format!("{field}: ")), "{section}.{field} is no setting");
        }
    }
    let named: usize = all.values().filter_map(toml::Value::as_table).map(toml::Table::len).sum();
    // `security.admin_password` and `security.seal_key` come from the environment alone; `Config` itself holds the sections.
    assert_eq!(named, printed.matches(": ").count() - all.len() - 2, "{printed}");
}

fn root() -> &'static std::path::Path {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    std::fs::read_to_string(root().join("README.md")).expect("README.md")
}

/// The shell blocks of a section.
fn blocks(heading: &str) -> Vec<String> {
    let text = readme();
    let section = text.split_once(&format!("{heading}\n")).expect("the section").1;
    let section = section.split("\n## ").next().expect("split yields one part at least");
    section.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next()).map(str::to_owned).collect()
}
