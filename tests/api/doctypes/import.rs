//! `ostiary doctype import`: the program beside a running server, on files as Frappe's apps have them.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{permissions, read};
use crate::both_databases;
use crate::support::process::{Launch, Outcome, program};
use crate::support::{Backend, Database, TemporaryDirectory};

both_databases!(
    an_apps_folder_is_imported_beside_a_running_server,
    importing_again_changes_what_is_new_and_keeps_documents,
    one_refusal_keeps_everything_as_it_is_unless_told_to_go_on,
    what_names_nothing_is_imported_with_a_warning,
    an_interrupted_import_is_finished_by_a_second_one,
    a_shipped_doctype_may_be_replaced_by_frappes_own,
);

/// A site with an app's folder of definitions.
struct Site {
    launch: Launch,
    directory: TemporaryDirectory,
    database: Database,
}

impl Site {
    fn new(backend: Backend) -> Self {
        let (database, directory) = (Database::new(backend), TemporaryDirectory::new());
        let launch = Launch::new(database.url(), directory.path());
        launch.command(&["migrate"], "");
        Self { launch, directory, database }
    }

    fn app(&self) -> PathBuf {
        self.directory.path().join("apps/lodge")
    }

    /// Writes a definition where an app has it.
    fn write(&self, definition: &Value) -> PathBuf {
        let name = definition["name"].as_str().expect("a name").to_lowercase().replace(' ', "_");
        self.write_as(&format!("lodge/lodge/doctype/{name}/{name}.json"), &format!("{definition:#}"))
    }

    fn write_as(&self, path: &str, text: &str) -> PathBuf {
        let path = self.app().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        std::fs::write(&path, text).expect("a file");
        path
    }

    fn import(&self, arguments: &[&str]) -> Outcome {
        let app = self.app();
        let all = [&["doctype", "import", app.to_str().expect("a path")], arguments].concat();
        self.launch.command(&all, "")
    }

    fn list(&self) -> String {
        self.launch.command(&["doctype", "list"], "").expect_success()
    }
}

/// As `bench new-doctype` and years of editing leave them: keys that only a form knows, and some that nobody knows.
fn booking() -> Value {
    json!({
        "actions": [], "allow_rename": 1, "autoname": "LB-.YYYY.-.#####", "beta": 0, "creation": "2019-04-02 10:11:12.131415",
        "custom": 0, "docstatus": 0, "doctype": "DocType", "document_type": "Document", "editable_grid": 1, "engine": "InnoDB",
        "field_order": ["guest_details", "guest", "col_1", "room", "arrival", "nights", "rooms", "extras", "total", "amended_from"],
        "fields": [
            {"collapsible": 0, "fieldname": "guest_details", "fieldtype": "Section Break", "label": "Guest", "oldfieldtype": "Section Break"},
            {"columns": 2, "fieldname": "guest", "fieldtype": "Data", "in_list_view": 1, "in_standard_filter": 1, "label": "Guest", "reqd": 1, "search_index": 1},
            {"fieldname": "col_1", "fieldtype": "Column Break", "width": "50%"},
            {"fetch_from": "room.rate", "fieldname": "rate", "fieldtype": "Currency", "label": "Rate", "options": "currency", "precision": "2", "read_only": 1},
            {"fieldname": "room", "fieldtype": "Link", "label": "Room", "options": "Lodge Room", "set_only_once": 1},
            {"default": "Today", "fieldname": "arrival", "fieldtype": "Date", "label": "Arrival", "allow_on_submit": 1},
            {"bold": 1, "default": "1", "fieldname": "nights", "fieldtype": "Int", "label": "Nights", "non_negative": 1},
            {"fieldname": "extras", "fieldtype": "Table", "label": "Extras", "options": "Lodge Extra"},
            {"fieldname": "help", "fieldtype": "HTML", "options": "<p>Ask <b>reception</b>.</p>"},
            {"fieldname": "check_in", "fieldtype": "Button", "label": "Check In", "options": "check_in"},
            {"depends_on": "eval:doc.nights > 7", "fieldname": "long_stay", "fieldtype": "Check", "hidden": 1, "label": "Long Stay"},
            {"fieldname": "total", "fieldtype": "Float", "is_virtual": 1, "label": "Total", "options": "doc.rate * doc.nights"},
            {"fieldname": "amended_from", "fieldtype": "Link", "label": "Amended From", "no_copy": 1, "options": "Lodge Booking", "print_hide": 1, "read_only": 1}
        ],
        "icon": "fa fa-bed", "idx": 1, "index_web_pages_for_search": 1, "is_submittable": 1, "links": [{"group": "Bills", "link_doctype": "Lodge Bill", "link_fieldname": "booking"}],
        "modified": "2025-12-24 08:00:00.000000", "modified_by": "Administrator", "module": "Lodge", "name": "Lodge Booking", "naming_rule": "Expression (old style)",
        "owner": "someone@lodge.example", "permissions": permissions(), "search_fields": "guest, room, nowhere", "show_name_in_global_search": 1,
        "sort_field": "modified", "sort_order": "DESC", "states": [], "timeline_field": "guest", "title_field": "guest", "track_changes": 1, "row_format": "Dynamic"
    })
}

fn extra() -> Value {
    json!({"doctype": "DocType", "name": "Lodge Extra", "module": "Lodge", "istable": 1, "editable_grid": 1, "permissions": [], "fields": [
        {"fieldname": "what", "fieldtype": "Data", "label": "What", "reqd": 1, "in_list_view": 1},
        {"fieldname": "price", "fieldtype": "Currency", "label": "Price"}]})
}

fn room() -> Value {
    json!({"doctype": "DocType", "name": "Lodge Room", "module": "Lodge", "autoname": "field:number", "is_tree": 1, "nsm_parent_field": "within",
        "permissions": permissions(), "fields": [
        {"fieldname": "number", "fieldtype": "Data", "label": "Number", "reqd": 1, "unique": 1},
        {"fieldname": "rate", "fieldtype": "Currency", "label": "Rate"},
        {"fieldname": "within", "fieldtype": "Link", "label": "Within", "options": "Lodge Room", "ignore_user_permissions": 1},
        {"fieldname": "is_group", "fieldtype": "Check", "label": "Is Group"},
        {"fieldname": "lft", "fieldtype": "Int", "hidden": 1, "label": "Left", "no_copy": 1},
        {"fieldname": "rgt", "fieldtype": "Int", "hidden": 1, "label": "Right", "no_copy": 1}]})
}

fn settings() -> Value {
    json!({"doctype": "DocType", "name": "Lodge Settings", "module": "Lodge", "issingle": 1, "permissions": permissions(), "fields": [
        {"fieldname": "opens", "fieldtype": "Time", "label": "Opens", "default": "08:00:00"}, {"fieldname": "key", "fieldtype": "Password", "label": "Key"}]})
}

#[track_caller]
fn contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
}

async fn an_apps_folder_is_imported_beside_a_running_server(backend: Backend) {
    let site = Site::new(backend);
    // The parent before the child in every order that a folder could have.
    for definition in [booking(), extra(), room(), settings()] {
        site.write(&definition);
    }
    site.write_as("package.json", r#"{"name": "lodge", "doctype": 5}"#);
    site.write_as("lodge/lodge/workspace/lodge/lodge.json", r#"{"doctype": "Workspace", "name": "Lodge"}"#);
    site.write_as("lodge/fixtures/custom_field.json", r#"[{"doctype": "Custom Field", "dt": "DocType", "fields": []}]"#);
    site.write_as("desk/tsconfig.json", "{ /* not JSON */ \"compilerOptions\": {} }");
    site.write_as("node_modules/other/doctype.json", &extra().to_string().replace("Lodge Extra", "Hidden"));
    let server = site.launch.start().await;
    let administrator = server.administrator().await;
    administrator.get("/api/resource/Lodge%20Booking").send().await.expect_status(404);
    let report = site.import(&[]).expect_success();
    contains(&report, &["added      Lodge Booking", "added      Lodge Room", "4 added, 0 changed, 0 left alone, 0 refused; 4 other files"]);
    assert!(!report.contains("warning"), "{report}");
    let started = Instant::now();
    for doctype in ["Lodge%20Booking", "Lodge%20Room"] {
        while administrator.get(&format!("/api/resource/{doctype}")).send().await.status != 200 {
            assert!(started.elapsed() < Duration::from_secs(1), "still no {doctype} after a second");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let made = administrator.post("/api/resource/Lodge%20Room").json(&json!({"number": "12", "rate": 80})).send().await;
    made.expect_status(200);
    let shown = read(&administrator, "DocType", "Lodge Booking").await;
    assert_eq!((&shown["is_submittable"], &shown["track_changes"], &shown["document_type"]), (&json!(1), &json!(1), &json!("Document")));
    assert_eq!(shown["fields"][3]["fetch_from"], "room.rate");
    let again = site.import(&[]).expect_success();
    contains(&again, &["0 added, 0 changed, 4 left alone, 0 refused"]);
    let list = site.list();
    for (name, rest) in
        [("Lodge Extra", ["site", "child table"]), ("Lodge Room", ["site", "tree"]), ("ToDo", ["Ostiary", ""]), ("User", ["built in", ""])]
    {
        let line = list.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {list}"));
        contains(line, &rest);
    }
}

async fn importing_again_changes_what_is_new_and_keeps_documents(backend: Backend) {
    let site = Site::new(backend);
    site.write(&room());
    site.import(&[]).expect_success();
    let server = site.launch.start().await;
    let administrator = server.administrator().await;
    administrator.post("/api/resource/Lodge%20Room").json(&json!({"number": "12", "rate": 80})).send().await.expect_status(200);
    let mut changed = room();
    let fields = changed["fields"].as_array_mut().expect("a list");
    fields[1] =
        json!({"fieldname": "view", "fieldtype": "Select", "label": "View", "options": "Lake\nYard", "default": "Yard", "search_index": 1});
    fields[0]["fieldtype"] = "Small Text".into();
    site.write(&changed);
    let refused = site.import(&[]);
    contains(&refused.out, &["cannot be unique"]);
    changed["fields"][0]["fieldtype"] = "Select".into();
    site.write(&changed);
    let report = site.import(&[]).expect_success();
    contains(
        &report,
        &[
            "changed    Lodge Room",
            "field view added (Select)",
            "field rate removed (what is in it is kept)",
            "field number: Data became Select",
            "0 added, 1 changed",
        ],
    );
    let started = Instant::now();
    loop {
        let shown = read(&administrator, "Lodge Room", "12").await;
        if shown["view"] == "Yard" {
            assert_eq!((&shown["rate"], &shown["number"]), (&Value::Null, &json!("12")));
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(1), "{shown}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn one_refusal_keeps_everything_as_it_is_unless_told_to_go_on(backend: Backend) {
    let site = Site::new(backend);
    site.write(&room());
    let mut banana = extra();
    banana["fields"][1]["fieldtype"] = "Banana".into();
    site.write(&banana);
    site.write_as("lodge/lodge/doctype/broken/broken.json", "{\"doctype\": \"DocType\", \"fields\": [");
    let mut twin = settings();
    twin["name"] = "Lodge-Room".into();
    site.write(&twin);
    site.write_as("lodge/copy/room.json", &room().to_string());
    let mut other = room();
    other["title_field"] = "rate".into();
    site.write_as("lodge/other/room.json", &other.to_string());
    let mut user = settings();
    (user["name"], user["issingle"]) = ("User".into(), 0.into());
    site.write(&user);
    let refused = site.import(&[]);
    assert_eq!(refused.code, Some(1));
    contains(
        &refused.out,
        &[
            "lodge_extra.json: field price: there is no fieldtype \"Banana\"",
            "broken.json: is not JSON",
            "user.json: User is built in",
            "differently",
        ],
    );
    contains(&refused.out, &["in a scope"]);
    assert!(refused.errors.contains("5 of 7 definitions cannot be used, so nothing was changed. Mend what"), "{}", refused.errors);
    assert!(!site.list().contains("Lodge"));
    let gone_on = site.import(&["--keep-going"]);
    assert_eq!(gone_on.code, Some(1));
    contains(&gone_on.out, &["added      Lodge", "1 added, 0 changed, 0 left alone, 5 refused"]);
    assert!(gone_on.errors.contains("5 definitions cannot be used and are left out"), "{}", gone_on.errors);
    assert_eq!(site.list().lines().filter(|line| line.starts_with("Lodge")).count(), 1);
    let missing = site.launch.command(&["doctype", "import", "nowhere/at/all"], "").expect_refusal();
    assert!(missing.contains("nowhere/at/all"), "{missing}");
}

async fn what_names_nothing_is_imported_with_a_warning(backend: Backend) {
    let site = Site::new(backend);
    let mut booking = booking();
    booking["fields"][6]["default"] = "some".into();
    let fields = booking["fields"].as_array_mut().expect("a list");
    for (fieldname, source) in
        [("colour", "nights.colour"), ("size", "suite.size"), ("heir", "amended_from.heirs"), ("maker", "amended_from.owner")]
    {
        fields.push(json!({"fieldname": fieldname, "fieldtype": "Data", "label": fieldname, "fetch_from": source}));
    }
    site.write(&booking);
    let report = site.import(&[]).expect_success();
    contains(
        &report,
        &[
            "warning    Lodge Booking: field room links to Lodge Room",
            "warning    Lodge Booking: field extras has rows of Lodge Extra, which is no child table",
            "warning    Lodge Booking: field nights: the default \"some\"",
            "warning    Lodge Booking: field colour is fetched from nights.colour, and nights is no Link field of it",
            "warning    Lodge Booking: field size is fetched from suite.size, and suite is no Link field of it",
            "warning    Lodge Booking: field heir is fetched from amended_from.heirs, and Lodge Booking has no field heirs",
            "1 added",
        ],
    );
    // What every document has may be fetched; and of a doctype that is not there it is said once.
    assert!(!report.contains("maker") && !report.contains("room.rate"), "{report}");
    // A single file, by its own name.
    let file = site.write(&extra());
    let one = site.launch.command(&["doctype", "import", file.to_str().expect("a path")], "").expect_success();
    contains(&one, &["added      Lodge Extra", "1 added, 0 changed, 0 left alone, 0 refused"]);
}

/// Kills an import in its middle.
async fn kill_after(site: &Site, folder: &Path, patience: Duration) {
    let mut command = program(site.directory.path());
    command.args(["doctype", "import"]).arg(folder).args(["--database-url", site.database.url()]);
    command.env("OSTIARY_SEAL_KEY", crate::support::SEAL_KEY).stdout(Stdio::null()).stderr(Stdio::null());
    let mut import = command.spawn().expect("the program starts");
    tokio::time::sleep(patience).await;
    let _ = import.kill();
    import.wait().expect("a child of ours");
}

async fn an_interrupted_import_is_finished_by_a_second_one(backend: Backend) {
    const DOCTYPES: usize = 150;
    let site = Site::new(backend);
    for number in 0..DOCTYPES {
        let mut definition = room();
        definition["name"] = format!("Lodge Room {number:03}").into();
        definition["fields"][2]["options"] = definition["name"].clone();
        site.write(&definition);
    }
    let known = || site.list().lines().filter(|line| line.starts_with("Lodge Room")).count();
    let mut patience = Duration::from_millis(100);
    let made = loop {
        kill_after(&site, &site.app(), patience).await;
        match known() {
            0 => patience += Duration::from_millis(50),
            made => break made,
        }
    };
    let report = site.import(&[]).expect_success();
    contains(&report, &[&format!("{} added, 0 changed, {made} left alone, 0 refused", DOCTYPES - made)]);
    let server = site.launch.start().await;
    let administrator = server.administrator().await;
    for number in [0, made - 1, DOCTYPES - 1] {
        administrator.get(&format!("/api/resource/Lodge%20Room%20{number:03}")).send().await.expect_status(200);
    }
}

async fn a_shipped_doctype_may_be_replaced_by_frappes_own(backend: Backend) {
    let site = Site::new(backend);
    let server = site.launch.start().await;
    let administrator = server.administrator().await;
    let made = administrator.post("/api/resource/ToDo").json(&json!({"description": "kept"})).send().await.expect_status(200).data();
    let mut todo: Value = serde_json::from_str(include_str!("../../../src/doctype/builtin/todo.json")).expect("JSON");
    let fields = todo["fields"].as_array_mut().expect("a list");
    fields.push(json!({"fieldname": "effort", "fieldtype": "Float", "label": "Effort", "default": "1"}));
    site.write(&todo);
    let report = site.import(&[]).expect_success();
    contains(&report, &["changed    ToDo", "field effort added (Float)"]);
    let started = Instant::now();
    let name = made["name"].as_str().expect("a name");
    while read(&administrator, "ToDo", name).await["effort"] != 1.0 {
        assert!(started.elapsed() < Duration::from_secs(1), "still not after a second");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // It is the site's now, and stays so over a restart.
    drop(server);
    let server = site.launch.start().await;
    let shown = read(&server.administrator().await, "ToDo", name).await;
    assert_eq!((&shown["effort"], &shown["description"]), (&json!(1.0), &json!("kept")));
    contains(site.list().lines().find(|line| line.starts_with("ToDo ")).expect("a line"), &["site"]);
}
