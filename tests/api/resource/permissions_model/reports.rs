//! Saved reports: random ones about the world's documents, which everyone runs, on a page and as a file. A report is a
//! list within further rights, so the model of lists answers for it.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value, json};

use super::keeps_secrets;
use super::questions::{Answer, Condition, Path, Question, Shown, canonical, compared, paths};
use super::world::{ADMINISTRATOR, DEAL, DOCTYPES, GUEST, USERS, World};
use crate::support::{Caller, Reply};

const REPORT: &str = "/api/resource/Report";
/// The rights that a report takes, and a file of it.
const ON_A_PAGE: &[&str] = &["report", "read"];
const AS_A_FILE: &[&str] = &["report", "export", "read"];

/// A report that is saved.
#[derive(Clone, Debug)]
pub struct Report {
    name: String,
    /// What it asks of the documents.
    question: Question,
    /// How many of the question's conditions are saved; its readers send the others.
    saved_conditions: usize,
    add_total_row: bool,
    /// Whether all who are logged in may read it.
    is_shared: bool,
}

impl Report {
    fn is_grouped(&self) -> bool {
        !self.question.groups.is_empty()
    }

    /// What Frappe's report builder would write.
    fn json(&self) -> Value {
        let question = &self.question;
        let saved = &question.filters[..self.saved_conditions];
        let mut said = json!({ "filters": conditions(saved), "add_totals_row": i32::from(self.add_total_row) });
        if let Some(by) = question.groups.first() {
            said["group_by"] = json!({ "group_by": by.spelled(), "aggregate_function": "count" });
            if let Some(Shown::Aggregate(function, _, Some(on))) = question.fields.last() {
                (said["group_by"]["aggregate_function"], said["group_by"]["aggregate_on"]) = (json!(function), json!(on.spelled()));
            }
        } else {
            said["fields"] = question.fields.iter().filter_map(Shown::path).map(Path::spelled).collect();
            if let Some((path, descending)) = &question.order {
                said["order_by"] = json!(format!("{} {}", path.spelled(), if *descending { "desc" } else { "asc" }));
            }
        }
        said
    }

    /// The keys of its columns by those that the model's rows have: the last part of a path, numbered where there is one before.
    fn keys(&self) -> BTreeMap<String, String> {
        let mut given: Vec<String> = Vec::new();
        let key = |shown: &Shown| match shown {
            Shown::Field(path) => path.field(),
            Shown::Aggregate(..) => "_aggregate_column",
        };
        let mut keys = BTreeMap::new();
        for shown in &self.question.fields {
            let own = key(shown).to_owned();
            let numbered = (2..).map(|number| format!("{own}_{number}"));
            let free = std::iter::once(own.clone()).chain(numbered).find(|key| !given.contains(key)).expect("numbers go on");
            given.push(free.clone());
            keys.insert(shown.key(), free);
        }
        keys
    }

    /// What the model says to somebody who runs it.
    fn answer(&self, user: usize, world: &World, is_file: bool) -> Answer {
        if user == GUEST || !(self.is_shared || user == ADMINISTRATOR) {
            return Answer::Refused([403].into());
        }
        let mut asked = self.question.clone();
        if is_file && asked.order.is_none() && !self.is_grouped() {
            asked.order = Some((Path::Own("name"), false));
        }
        world.answer_within(user, &asked, if is_file { AS_A_FILE } else { ON_A_PAGE })
    }
}

fn conditions(of: &[Condition]) -> Value {
    of.iter().map(Condition::spelled).collect()
}

/// Random reports about a doctype of a world.
pub fn report(world: &World, doctype: usize, number: usize) -> impl Strategy<Value = Report> + use<> {
    let (paths, world) = (paths(doctype), world.clone());
    let path = select(paths);
    let condition = (path.clone(), select(vec!["=", "=", "!=", ">", "in", "like", "is"]), any::<Index>())
        .prop_map(move |(path, operator, index)| compared(&world, doctype, path, operator, index));
    let columns = (prop::collection::vec(path.clone(), 1..5), prop::option::of((path.clone(), any::<bool>())))
        .prop_map(|(fields, order)| (fields.into_iter().map(Shown::Field).collect::<Vec<_>>(), order, Vec::new()));
    let function = if doctype == DEAL { vec!["count", "sum", "avg"] } else { vec!["count"] };
    let groups = (path, select(function)).prop_map(|(by, function)| {
        let on = (function != "count").then_some(Path::Own("deep"));
        let shown = vec![Shown::Field(by.clone()), Shown::Aggregate(function, false, on.clone())];
        // Groups are sorted by what is worked out of them, so it is named there too.
        (shown, on.map(|on| (on, true)), vec![by])
    });
    let kind = prop_oneof![2 => columns, 1 => groups];
    (kind, prop::collection::vec(condition, 0..3), any::<Index>(), any::<bool>(), prop::bool::weighted(0.85)).prop_map(
        move |((mut fields, order, groups), filters, saved, totals, is_shared)| {
            let mut known = Vec::new();
            fields.retain(|shown| {
                !known.contains(shown) && {
                    known.push(shown.clone());
                    true
                }
            });
            Report {
                name: format!("{} {number}", DOCTYPES[doctype]),
                saved_conditions: saved.index(filters.len() + 1),
                // What a total is of rows that stand for parts of documents is said elsewhere.
                add_total_row: totals && groups.is_empty() && !fields.iter().any(|shown| matches!(shown.path(), Some(Path::Item(_)))),
                question: Question { doctype, fields, filters, or_filters: Vec::new(), order, groups, distinct: false },
                is_shared,
            }
        },
    )
}

/// Saves a report, as its maker would.
pub async fn save(administrator: &Caller, report: &Report) {
    let body = json!({ "report_name": report.name, "ref_doctype": DOCTYPES[report.question.doctype], "json": report.json().to_string() });
    administrator.post(REPORT).json(&body).send().await.expect_status(200);
    if report.is_shared {
        let share = json!({ "everyone": 1, "share_doctype": "Report", "share_name": report.name, "read": 1 });
        administrator.post("/api/resource/DocShare").json(&share).send().await.expect_status(200);
    }
}

/// Runs it through every door, and compares what comes back with what the model says.
pub async fn runs_agree(caller: &Caller, user: usize, world: &World, report: &Report) {
    let further = &report.question.filters[report.saved_conditions..];
    let sent = conditions(further).to_string();
    let address = format!("/api/report/{}", report.name.replace(' ', "%20"));
    let filters = [("filters", sent.as_str())];
    let filters = if further.is_empty() { &filters[..0] } else { &filters[..] };
    let what = |door: &str, reply: &Reply| {
        format!("{door} {report:#?} {} with {sent} as {}: {}\n{world:#?}", report.json(), USERS[user], reply.text())
    };
    let run = "/api/method/frappe.desk.query_report.run";
    for (door, request) in [
        ("/api/report", caller.get(&address).query(filters)),
        (run, caller.get(run).query(&[("report_name", report.name.as_str())]).query(filters)),
    ] {
        let reply = request.send().await;
        let what = || what(door, &reply);
        keeps_secrets(&reply, user, world, &sent, &what);
        let Some(expected) = settled(report.answer(user, world, false), &reply, report, &what) else { continue };
        let body = if door == run { reply.message() } else { reply.data() };
        page_agrees(&body, &expected, report, &what);
    }
    let reply = caller.get(&address).query(filters).query(&[("format", "csv")]).send().await;
    let what = || what("file", &reply);
    keeps_secrets(&reply, user, world, &sent, &what);
    if let Some(expected) = settled(report.answer(user, world, true), &reply, report, &what) {
        file_agrees(&reply, &expected, &what);
    }
}

/// Rows and columns by the report's own keys.
struct Expected {
    keys: Vec<String>,
    rows: Vec<Map<String, Value>>,
    ordered: bool,
}

/// Compares refusals; what is expected where there is none.
fn settled(answer: Answer, reply: &Reply, report: &Report, what: &dyn Fn() -> String) -> Option<Expected> {
    match answer {
        Answer::Refused(statuses) => {
            assert!(statuses.contains(&reply.status), "not {statuses:?}: {}", what());
            None
        }
        Answer::Rows { keys, rows, ordered } => {
            assert_eq!(reply.status, 200, "{}", what());
            let own = report.keys();
            let row = |row: Map<String, Value>| row.into_iter().map(|(key, value)| (own[&key].clone(), value)).collect();
            Some(Expected {
                keys: keys.iter().map(|key| own[key].clone()).collect(),
                rows: rows.into_iter().map(row).collect(),
                // What is equal in its order may come in any.
                ordered: ordered && !report.is_grouped(),
            })
        }
    }
}

impl Expected {
    fn compare(&self, mut found: Vec<String>, what: &dyn Fn() -> String) {
        let mut expected: Vec<String> = self.rows.iter().map(canonical).collect();
        if !self.ordered {
            found.sort();
            expected.sort();
        }
        assert_eq!(found, expected, "{}", what());
    }
}

fn page_agrees(body: &Value, expected: &Expected, report: &Report, what: &dyn Fn() -> String) {
    let columns: Vec<&str> =
        body["columns"].as_array().expect("columns").iter().filter_map(|column| column["fieldname"].as_str()).collect();
    assert_eq!(columns, expected.keys, "{}", what());
    let mut rows = body["result"].as_array().expect("rows").clone();
    if report.add_total_row && !rows.is_empty() {
        let totals = rows.pop().expect("there is one");
        let totals = totals.as_array().unwrap_or_else(|| panic!("no totals: {}", what()));
        for (key, total) in expected.keys.iter().zip(totals) {
            let sum: f64 = expected.rows.iter().filter_map(|row| row[key].as_f64()).sum();
            let is_sum = total.as_f64().map_or(!key.starts_with("deep"), |total| key.starts_with("deep") && total == sum);
            assert!(is_sum, "{total} is the total of {key}: {}", what());
        }
    }
    expected.compare(rows.iter().map(|row| canonical(row.as_object().expect("an object"))).collect(), what);
}

fn file_agrees(reply: &Reply, expected: &Expected, what: &dyn Fn() -> String) {
    let text = reply.text();
    let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    if expected.keys.is_empty() {
        return;
    }
    assert_eq!(reader.headers().expect("labels").len(), expected.keys.len(), "{}", what());
    let value = |key: &String, text: &str| match text {
        "" => Value::Null,
        text if key.starts_with("deep") || key == "_aggregate_column" => json!(text.parse::<f64>().expect("a number")),
        text => json!(text),
    };
    let rows = reader.records().map(|record| {
        let record = record.expect("a line");
        canonical(&expected.keys.iter().zip(&record).map(|(key, text)| (key.clone(), value(key, text))).collect())
    });
    expected.compare(rows.collect(), what);
}
