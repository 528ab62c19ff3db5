//! `docs/semantics.md`, worked out by hand: random filters, orders and groups give the same rows on
//! SQLite, on Postgres, and by the evaluation below, which was written from that page alone and uses
//! nothing of the program's own.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use chrono::{Datelike as _, NaiveDate, NaiveDateTime, TimeDelta, Timelike as _};
use diesel::connection::SimpleConnection as _;
use ostiary::store::Backend;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::support::{Caller, Setup, TestApp};

const DOC: &str = "Sem Doc";
/// Minutes that the site's clocks are ahead of UTC: Asia/Kolkata has no summer time.
const AHEAD: i64 = 330;
const OWNERS: [&str; 2] = ["amina@example.com", "Administrator"];

const DOCTYPES: [&str; 4] = [
    r#"{"name": "Sem Node", "is_tree": 1, "autoname": "prompt", "fields": [
        {"fieldname": "parent_sem_node", "fieldtype": "Link", "options": "Sem Node"},
        {"fieldname": "label", "fieldtype": "Data"}, {"fieldname": "weight", "fieldtype": "Float"}],
      "permissions": [{"role": "All", "read": 1}]}"#,
    r#"{"name": "Sem Row", "istable": 1, "fields": [
        {"fieldname": "note", "fieldtype": "Data"}, {"fieldname": "amount", "fieldtype": "Int"},
        {"fieldname": "day", "fieldtype": "Date"}, {"fieldname": "node", "fieldtype": "Link", "options": "Sem Node"}]}"#,
    r#"{"name": "Sem Number", "autoname": "autoincrement", "fields": [{"fieldname": "size", "fieldtype": "Int"}, {"fieldname": "hint", "fieldtype": "Data"}],
      "permissions": [{"role": "All", "read": 1, "if_owner": 1}]}"#,
    r#"{"name": "Sem Doc", "autoname": "prompt", "fields": [
        {"fieldname": "title", "fieldtype": "Data"}, {"fieldname": "memo", "fieldtype": "Text"}, {"fieldname": "num", "fieldtype": "Int"},
        {"fieldname": "ratio", "fieldtype": "Float"}, {"fieldname": "stars", "fieldtype": "Rating"}, {"fieldname": "flag", "fieldtype": "Check"},
        {"fieldname": "day", "fieldtype": "Date"}, {"fieldname": "moment", "fieldtype": "Datetime"}, {"fieldname": "clock", "fieldtype": "Time"},
        {"fieldname": "node", "fieldtype": "Link", "options": "Sem Node"}, {"fieldname": "other", "fieldtype": "Link", "options": "Sem Doc"},
        {"fieldname": "number", "fieldtype": "Link", "options": "Sem Number"},
        {"fieldname": "first", "fieldtype": "Table", "options": "Sem Row"}, {"fieldname": "second", "fieldtype": "Table", "options": "Sem Row"}],
      "permissions": [{"role": "System Manager", "read": 1}, {"role": "All", "read": 1, "if_owner": 1}]}"#,
];

/// What a field holds, ordered as lists are.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
enum Val {
    Text(String),
    Int(i64),
    Float(f64),
    Day(NaiveDate),
    /// UTC.
    Moment(NaiveDateTime),
    /// Microseconds since midnight.
    Clock(i64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Text,
    Int,
    Float,
    Check,
    Day,
    Moment,
    Clock,
}

type Record = BTreeMap<&'static str, Option<Val>>;

fn kind_of(fieldname: &str) -> Kind {
    match fieldname {
        "num" | "amount" | "size" | "idx" => Kind::Int,
        "ratio" | "stars" | "weight" => Kind::Float,
        "flag" => Kind::Check,
        "day" => Kind::Day,
        "moment" | "creation" | "modified" => Kind::Moment,
        "clock" => Kind::Clock,
        _ => Kind::Text,
    }
}

fn date(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).expect("a day")
}

/// What a missing value counts as.
fn stand_in(kind: Kind) -> Val {
    match kind {
        Kind::Text => Val::Text(String::new()),
        Kind::Int | Kind::Check => Val::Int(0),
        Kind::Float => Val::Float(0.0),
        Kind::Day => Val::Day(date(1, 1, 1)),
        Kind::Moment => Val::Moment(date(1, 1, 1).and_hms_opt(0, 0, 0).expect("midnight")),
        Kind::Clock => Val::Clock(0),
    }
}

/// The text of a value in a list, in the site's time zone.
fn shown(value: &Val) -> String {
    let fraction = |micros: i64| if micros == 0 { String::new() } else { format!(".{micros:06}") };
    match value {
        Val::Text(text) => text.clone(),
        Val::Int(number) => number.to_string(),
        Val::Float(number) => format!("{number:?}"),
        Val::Day(day) => day.to_string(),
        Val::Moment(at) => {
            let local = *at + TimeDelta::minutes(AHEAD);
            let (hour, minute, second) = (local.hour(), local.minute(), local.second());
            format!("{} {hour:02}:{minute:02}:{second:02}{}", local.date(), fraction(i64::from(local.nanosecond() / 1000)))
        }
        Val::Clock(micros) => {
            let seconds = micros / 1_000_000;
            format!("{}:{:02}:{:02}{}", seconds / 3600, seconds / 60 % 60, seconds % 60, fraction(micros % 1_000_000))
        }
    }
}

/// A value as JSON, as a list shows it.
fn as_json(value: Option<&Val>) -> Value {
    match value {
        None => Value::Null,
        Some(Val::Int(number)) => json!(number),
        Some(Val::Float(number)) => json!(number),
        Some(other) => json!(shown(other)),
    }
}

/// A site's documents, as they were written.
struct World {
    today: NaiveDate,
    docs: Vec<Record>,
    /// Rows of a document's tables, with `parent` and `parentfield`.
    rows: Vec<Record>,
    nodes: Vec<Record>,
    numbers: Vec<Record>,
}

const TEXTS: [&str; 14] = ["", "a", "A", "b", "ab", "aB", "É", "é", "ß", "a%b", "a_b", "a\\b", "z 'quoted\"", "\u{1f980}"];

fn text(text: &str) -> Option<Val> {
    Some(Val::Text(text.to_owned()))
}

impl World {
    /// Documents in which every kind of value, and its absence, is found with every other sooner or later.
    fn new(today: NaiveDate) -> Self {
        let mut seed = 12_345_u64;
        let mut roll = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        let nodes = [("root", ""), ("l", "root"), ("r", "root"), ("l1", "l"), ("l2", "l"), ("l21", "l2"), ("r1", "r"), ("lone", "")];
        let nodes = nodes
            .iter()
            .enumerate()
            .map(|(index, (name, parent))| {
                let parent = if parent.is_empty() { None } else { text(parent) };
                let label = if index % 3 == 0 { None } else { text(TEXTS[index]) };
                let weight = Val::Float(f64::from(u8::try_from(index).expect("few")) / 2.0);
                Record::from([("name", text(name)), ("parent_sem_node", parent), ("label", label), ("weight", Some(weight))])
            })
            .collect();
        let numbers = (1..=6)
            .map(|name| {
                let hint = if name % 2 == 0 { None } else { text(TEXTS[usize::try_from(name).expect("few")]) };
                Record::from([
                    ("name", Some(Val::Int(name))),
                    ("size", Some(Val::Int(name * 7 % 5))),
                    ("hint", hint),
                    ("owner", text(OWNERS[usize::from(name > 4)])),
                ])
            })
            .collect();
        let mut docs = Vec::new();
        let mut rows = Vec::new();
        for number in 0..60_u64 {
            let name = format!("D{number:02}");
            let some = |value: Val, roll: &mut dyn FnMut(u64) -> u64| if roll(4) == 0 { None } else { Some(value) };
            let one_text = |roll: &mut dyn FnMut(u64) -> u64| Val::Text(TEXTS[usize::try_from(roll(14)).expect("few")].to_owned());
            let days = i64::try_from(roll(500)).expect("few") - 250;
            let day = today + TimeDelta::days(days);
            let at = day
                .and_hms_micro_opt(u32::try_from(roll(24)).expect("few"), 30, 5, if roll(2) == 0 { 0 } else { 250_000 })
                .expect("a time");
            let node = ["root", "l", "r", "l1", "l2", "l21", "r1", "lone", "nowhere", ""][usize::try_from(roll(10)).expect("few")];
            let mut doc = Record::new();
            doc.insert("name", text(&name));
            doc.insert("owner", text(OWNERS[usize::try_from(roll(2)).expect("few")]));
            let made = today.and_hms_opt(0, 0, 0).expect("midnight") - TimeDelta::hours(i64::try_from(roll(4000)).expect("few"));
            doc.insert("creation", Some(Val::Moment(made)));
            doc.insert("title", some(one_text(&mut roll), &mut roll));
            doc.insert("memo", some(one_text(&mut roll), &mut roll));
            doc.insert("num", Some(Val::Int(i64::try_from(roll(7)).expect("few") - 3)));
            doc.insert("ratio", Some(Val::Float((roll(9) as f64 - 4.0) / 4.0)));
            doc.insert("stars", some(Val::Float(roll(5) as f64 / 4.0), &mut roll));
            doc.insert("flag", Some(Val::Int(i64::try_from(roll(2)).expect("few"))));
            doc.insert("day", some(Val::Day(day), &mut roll));
            doc.insert("moment", some(Val::Moment(at), &mut roll));
            doc.insert(
                "clock",
                some(
                    Val::Clock(i64::try_from(roll(4)).expect("few") * 21_600_000_000 + i64::try_from(roll(2)).expect("few") * 500_000),
                    &mut roll,
                ),
            );
            doc.insert("node", some(Val::Text(node.to_owned()), &mut roll));
            doc.insert("other", some(Val::Text(format!("D{:02}", roll(64))), &mut roll));
            doc.insert(
                "number",
                some(Val::Text(["1", "2", "3", "5", "6", "9", "", "x"][usize::try_from(roll(8)).expect("few")].to_owned()), &mut roll),
            );
            docs.push(doc);
            for table in ["first", "second"] {
                for idx in 1..=roll(3) {
                    let mut row = Record::new();
                    row.insert("name", text(&format!("{name}-{table}-{idx}")));
                    row.insert("parent", text(&name));
                    row.insert("parentfield", text(table));
                    row.insert("idx", Some(Val::Int(i64::try_from(idx).expect("few"))));
                    row.insert("note", some(one_text(&mut roll), &mut roll));
                    row.insert("amount", Some(Val::Int(i64::try_from(roll(4)).expect("few"))));
                    row.insert("day", some(Val::Day(day + TimeDelta::days(i64::try_from(roll(9)).expect("few"))), &mut roll));
                    row.insert(
                        "node",
                        some(Val::Text(["root", "l", "l2", "r1"][usize::try_from(roll(4)).expect("few")].to_owned()), &mut roll),
                    );
                    rows.push(row);
                }
            }
        }
        Self { today, docs, rows, nodes, numbers }
    }

    /// The statements that write it.
    fn to_sql(&self) -> String {
        let mut sql = String::new();
        // Only what has a value is written: the rest is missing.
        let mut insert = |table: &str, record: &Record, further: &str, numbered: bool| {
            let present: Vec<(&str, &Val)> = record.iter().filter_map(|(name, value)| Some((*name, value.as_ref()?))).collect();
            let mut columns: Vec<&str> = present.iter().map(|(name, _)| *name).collect();
            let mut values: Vec<String> = present.iter().map(|(_, value)| literal(value)).collect();
            for (name, value) in [
                ("owner", "'Administrator'"),
                ("creation", "'2026-01-01 00:00:00'"),
                ("modified", "'2026-01-01 00:00:00'"),
                ("modified_by", "'Administrator'"),
            ] {
                if !columns.contains(&name) {
                    columns.push(name);
                    values.push(value.to_owned());
                }
            }
            let _ = numbered;
            let columns: Vec<String> = columns.iter().map(|name| format!("\"{name}\"")).collect();
            let more = if further.is_empty() { String::new() } else { format!(", {further}") };
            let (names, more_values) = more.split_once(" = ").unwrap_or(("", ""));
            let more_values = if more_values.is_empty() { String::new() } else { format!(", {more_values}") };
            writeln!(sql, "INSERT INTO \"tab{table}\" ({}{names}) VALUES ({}{more_values});", columns.join(", "), values.join(", "))
                .expect("a text");
        };
        for (index, node) in self.nodes.iter().enumerate() {
            // The nested set of the tree above, numbered by a walk through it.
            let (left, right) = [(1, 14), (2, 9), (10, 13), (3, 4), (5, 8), (6, 7), (11, 12), (15, 16)][index];
            insert("Sem Node", node, &format!("\"lft\", \"rgt\" = {left}, {right}"), false);
        }
        for number in &self.numbers {
            insert("Sem Number", number, "", true);
        }
        for doc in &self.docs {
            insert(DOC, doc, "", false);
        }
        for row in &self.rows {
            insert("Sem Row", row, "\"parenttype\" = 'Sem Doc'", false);
        }
        sql
    }
}

fn literal(value: &Val) -> String {
    match value {
        Val::Text(text) => format!("'{}'", text.replace('\'', "''")),
        Val::Int(number) | Val::Clock(number) => number.to_string(),
        Val::Float(number) => format!("{number:?}"),
        Val::Day(day) => format!("'{day}'"),
        // As the program writes it: no digits of fraction, three, or six.
        Val::Moment(at) => format!("'{}'", at.format("%Y-%m-%d %H:%M:%S%.f")),
    }
}

/// A path of a request.
#[derive(Clone, Debug, PartialEq)]
enum Path {
    Own(&'static str),
    Linked(&'static str, &'static str),
    /// Prefix (`first`, `second`, or `Sem Row` for both) and field.
    Row(&'static str, &'static str),
}

const OWN: [&str; 14] =
    ["name", "title", "memo", "num", "ratio", "stars", "flag", "day", "moment", "clock", "node", "other", "creation", "owner"];
const LINKED: [(&str, &str); 9] = [
    ("node", "label"),
    ("node", "weight"),
    ("node", "name"),
    ("other", "title"),
    ("other", "num"),
    ("other", "day"),
    ("other", "creation"),
    ("number", "size"),
    ("number", "hint"),
];
const ROW: [&str; 5] = ["note", "amount", "day", "node", "name"];

impl Path {
    fn fieldname(&self) -> &'static str {
        match self {
            Self::Own(name) | Self::Linked(_, name) | Self::Row(_, name) => name,
        }
    }

    fn spelled(&self) -> String {
        match self {
            Self::Own(name) => (*name).to_owned(),
            Self::Linked(link, name) => format!("{link}.{name}"),
            Self::Row("Sem Row", name) => format!("`tabSem Row`.`{name}`"),
            Self::Row(table, name) => format!("{table}.{name}"),
        }
    }

    fn kind(&self) -> Kind {
        kind_of(self.fieldname())
    }
}

/// A document with the rows that were chosen for each prefix; `None` is the row in which everything is missing.
#[derive(Clone)]
struct Chosen<'a> {
    doc: &'a Record,
    rows: BTreeMap<&'static str, Option<&'a Record>>,
}

struct Viewer<'a> {
    world: &'a World,
    /// `None`: sees everything.
    only_own_of: Option<&'a str>,
}

fn is_text(value: Option<&Val>, wanted: &str) -> bool {
    value == Some(&Val::Text(wanted.to_owned()))
}

impl<'a> Viewer<'a> {
    fn owns(&self, record: &Record) -> bool {
        self.only_own_of.is_none_or(|user| is_text(record.get("owner").and_then(Option::as_ref), user))
    }

    /// The value at a path; `None` if it is missing.
    fn value(&self, chosen: &Chosen<'a>, path: &Path) -> Option<&'a Val> {
        match path {
            Path::Own(name) => chosen.doc.get(name)?.as_ref(),
            Path::Row(prefix, name) => (*chosen.rows.get(prefix)?)?.get(name)?.as_ref(),
            Path::Linked(link, name) => {
                let Some(Val::Text(target)) = chosen.doc.get(link)?.as_ref() else { return None };
                let (records, private) = match *link {
                    "node" => (&self.world.nodes, false),
                    "other" => (&self.world.docs, true),
                    _ => (&self.world.numbers, true),
                };
                let found = records.iter().find(|record| record["name"].as_ref().is_some_and(|name| shown(name) == *target))?;
                if private && !self.owns(found) {
                    return None;
                }
                found.get(name)?.as_ref()
            }
        }
    }

    /// Every choice of rows for these prefixes.
    fn choices(&self, doc: &'a Record, prefixes: &BTreeSet<&'static str>) -> Vec<Chosen<'a>> {
        let mut choices = vec![Chosen { doc, rows: BTreeMap::new() }];
        for prefix in prefixes {
            let name = doc["name"].as_ref();
            let of_table = |row: &&Record| *prefix == "Sem Row" || is_text(row["parentfield"].as_ref(), prefix);
            let rows: Vec<Option<&Record>> =
                self.world.rows.iter().filter(|row| row["parent"].as_ref() == name).filter(of_table).map(Some).collect();
            let rows = if rows.is_empty() { vec![None] } else { rows };
            choices = choices
                .iter()
                .flat_map(|chosen| {
                    rows.iter().map(|row| {
                        let mut chosen = chosen.clone();
                        chosen.rows.insert(*prefix, *row);
                        chosen
                    })
                })
                .collect();
        }
        choices
    }

    fn holds(&self, chosen: &Chosen<'a>, condition: &Condition) -> bool {
        let (kind, value) = (condition.path.kind(), self.value(chosen, &condition.path));
        let never_missing = matches!(condition.path, Path::Own(_)) && !matches!(kind, Kind::Text | Kind::Day | Kind::Moment | Kind::Clock);
        debug_assert!(!never_missing || value.is_some() || condition.path.fieldname() == "stars");
        if value.is_none() && matches!(condition.path.fieldname(), "name" | "creation") {
            return condition.meaning == Meaning::Set(false);
        }
        let counted = value.cloned().unwrap_or_else(|| stand_in(kind));
        match &condition.meaning {
            Meaning::Compared(operator, wanted) => match *operator {
                "=" => counted == *wanted,
                "!=" => counted != *wanted,
                "<" => counted < *wanted,
                ">" => counted > *wanted,
                "<=" => counted <= *wanted,
                ">=" => counted >= *wanted,
                other => panic!("{other}"),
            },
            Meaning::OneOf(is, wanted) => {
                let found = if wanted.is_empty() { counted == stand_in(kind) } else { wanted.contains(&counted) };
                found == *is
            }
            Meaning::Between(from, to) => *from <= counted && counted <= *to,
            Meaning::Like(is, pattern) => {
                let text: Vec<char> = value.map(shown).unwrap_or_default().chars().collect();
                let pattern: Vec<char> = pattern.chars().collect();
                matches(&pattern, &text) == *is
            }
            Meaning::Set(is) => {
                let set = match value {
                    None => false,
                    Some(Val::Text(text)) => !text.is_empty(),
                    Some(_) => true,
                };
                set == *is
            }
            Meaning::Timespan(words) => {
                let day = match counted {
                    Val::Day(day) => day,
                    Val::Moment(at) => (at + TimeDelta::minutes(AHEAD)).date(),
                    other => panic!("{other:?}"),
                };
                value.is_some() && in_timespan(words, day, self.world.today)
            }
            Meaning::Node(is, relation, of) => {
                let related = matches!(value, Some(Val::Text(name)) if self.related(name, relation, of));
                related == *is
            }
        }
    }

    fn related(&self, name: &str, relation: &str, of: &str) -> bool {
        let exists = |name: &str| self.world.nodes.iter().any(|node| is_text(node["name"].as_ref(), name));
        if !exists(name) || !exists(of) {
            return false;
        }
        match relation {
            "ancestors of" => self.line(of).contains(&name.to_owned()),
            "descendants of" => self.line(name).contains(&of.to_owned()),
            _ => name == of || self.line(name).contains(&of.to_owned()),
        }
    }

    /// The nodes above a node.
    fn line(&self, name: &str) -> Vec<String> {
        let node = self.world.nodes.iter().find(|node| is_text(node["name"].as_ref(), name));
        match node.and_then(|node| node["parent_sem_node"].as_ref()) {
            Some(Val::Text(parent)) => [vec![parent.clone()], self.line(parent)].concat(),
            _ => Vec::new(),
        }
    }

    /// The documents, with the rows of `shown` prefixes, for which the question's conditions hold.
    fn found(&self, question: &Question, shown: &BTreeSet<&'static str>) -> Vec<Chosen<'a>> {
        let prefix = |path: &Path| if let Path::Row(prefix, _) = path { Some(*prefix) } else { None };
        let asked: BTreeSet<&'static str> =
            question.all.iter().chain(&question.any).filter_map(|condition| prefix(&condition.path)).chain(shown.iter().copied()).collect();
        let mut found: Vec<Chosen<'a>> = Vec::new();
        for doc in self.world.docs.iter().filter(|doc| self.owns(doc)) {
            for mut chosen in self.choices(doc, &asked) {
                let all = question.all.iter().all(|condition| self.holds(&chosen, condition));
                let any = question.any.is_empty() || question.any.iter().any(|condition| self.holds(&chosen, condition));
                chosen.rows.retain(|prefix, _| shown.contains(prefix));
                let known = found.iter().any(|known| std::ptr::eq(known.doc, chosen.doc) && same_rows(&known.rows, &chosen.rows));
                if all && any && !known {
                    found.push(chosen);
                }
            }
        }
        found
    }
}

fn same_rows(left: &BTreeMap<&'static str, Option<&Record>>, right: &BTreeMap<&'static str, Option<&Record>>) -> bool {
    left.iter().all(|(prefix, row)| match (row, right[prefix]) {
        (None, None) => true,
        (Some(one), Some(two)) => std::ptr::eq(*one, two),
        _ => false,
    })
}

fn matches(pattern: &[char], text: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['%', rest @ ..] => (0..=text.len()).any(|skipped| matches(rest, &text[skipped..])),
        ['_', rest @ ..] => !text.is_empty() && matches(rest, &text[1..]),
        ['\\', literal, rest @ ..] | [literal, rest @ ..] => {
            text.first().is_some_and(|letter| letter.eq_ignore_ascii_case(literal)) && matches(rest, &text[1..])
        }
    }
}

fn in_timespan(words: &str, day: NaiveDate, today: NaiveDate) -> bool {
    let away = (day - today).num_days();
    let week = |day: NaiveDate| (day - date(2023, 1, 1)).num_days().div_euclid(7); // a Sunday
    let month = |day: NaiveDate| day.year() * 12 + i32::try_from(day.month0()).expect("few");
    let quarter = |day: NaiveDate| month(day).div_euclid(3);
    match words {
        "today" => away == 0,
        "yesterday" => away == -1,
        "tomorrow" => away == 1,
        "last 7 days" => (-7..=0).contains(&away),
        "last 14 days" => (-14..=0).contains(&away),
        "last 30 days" => (-30..=0).contains(&away),
        "last 90 days" => (-90..=0).contains(&away),
        "next 7 days" => (0..=7).contains(&away),
        "next 30 days" => (0..=30).contains(&away),
        "last week" => week(day) == week(today) - 1,
        "this week" => week(day) == week(today),
        "next week" => week(day) == week(today) + 1,
        "last month" => month(day) == month(today) - 1,
        "this month" => month(day) == month(today),
        "next month" => month(day) == month(today) + 1,
        "last quarter" => quarter(day) == quarter(today) - 1,
        "this quarter" => quarter(day) == quarter(today),
        "next quarter" => quarter(day) == quarter(today) + 1,
        "last 6 months" => (quarter(today) - 2..=quarter(today) - 1).contains(&quarter(day)),
        "next 6 months" => (quarter(today) + 1..=quarter(today) + 2).contains(&quarter(day)),
        "last year" => day.year() == today.year() - 1,
        "this year" => day.year() == today.year(),
        "next year" => day.year() == today.year() + 1,
        other => panic!("{other}"),
    }
}

const WORDS: [&str; 23] = [
    "today",
    "yesterday",
    "tomorrow",
    "last 7 days",
    "last 14 days",
    "last 30 days",
    "last 90 days",
    "next 7 days",
    "next 30 days",
    "last week",
    "this week",
    "next week",
    "last month",
    "this month",
    "next month",
    "last quarter",
    "this quarter",
    "next quarter",
    "last 6 months",
    "next 6 months",
    "last year",
    "this year",
    "next year",
];
const LEGACY: [(&str, &str); 5] =
    [("1 week", "week"), ("1 month", "month"), ("3 months", "quarter"), ("6 months", "6 months"), ("1 year", "year")];
const PATTERNS: [&str; 16] =
    ["%", "", "a%", "%B", "_", "%a%", "A_b", "a\\%b", "a\\_b", "%\\\\%", "É", "é%", "%5%", "%-0%", "%:30:05%", "0.%"];

/// What a condition says.
#[derive(Clone, Debug, PartialEq)]
enum Meaning {
    Compared(&'static str, Val),
    OneOf(bool, Vec<Val>),
    Between(Val, Val),
    Like(bool, &'static str),
    Set(bool),
    Timespan(String),
    Node(bool, &'static str, &'static str),
}

/// A condition, as it is meant and as it is sent.
#[derive(Clone, Debug)]
struct Condition {
    path: Path,
    meaning: Meaning,
    operator: String,
    value: Value,
    /// In one of the spellings.
    quadruple: bool,
}

impl Condition {
    fn sent(&self) -> Value {
        match (&self.path, self.quadruple) {
            (Path::Row("Sem Row", name), true) => json!(["Sem Row", name, self.operator, self.value]),
            (path, true) => json!([DOC, path.spelled(), self.operator, self.value]),
            (path, false) => json!([path.spelled(), self.operator, self.value]),
        }
    }
}

#[derive(Clone, Debug)]
struct Question {
    all: Vec<Condition>,
    any: Vec<Condition>,
    order: Vec<(Path, bool)>,
    shown: Vec<Path>,
    group: Vec<Path>,
}

fn paths() -> impl Strategy<Value = Path> {
    prop_oneof![
        3 => prop::sample::select(&OWN[..]).prop_map(Path::Own),
        2 => prop::sample::select(&LINKED[..]).prop_map(|(link, name)| Path::Linked(link, name)),
        2 => (prop::sample::select(&["first", "second", "Sem Row"][..]), prop::sample::select(&ROW[..])).prop_map(|(prefix, name)| Path::Row(prefix, name)),
    ]
}

/// A value of a kind, and how it is sent.
fn values(kind: Kind, today: NaiveDate) -> BoxedStrategy<(Val, Value)> {
    let nothing = Just((stand_in(kind), Value::Null));
    let some = match kind {
        Kind::Text => prop_oneof![
            prop::sample::select(&TEXTS[..]).prop_map(str::to_owned),
            (0..64_u8).prop_map(|number| format!("D{number:02}")),
            prop::sample::select(&["root", "l", "l2", "amina@example.com", "Administrator"][..]).prop_map(str::to_owned),
        ]
        .prop_map(|text| (Val::Text(text.clone()), json!(text)))
        .boxed(),
        Kind::Int => (-4..6_i64, any::<bool>())
            .prop_map(|(number, as_text)| (Val::Int(number), if as_text { json!(number.to_string()) } else { json!(number) }))
            .boxed(),
        Kind::Check => (0..2_i64).prop_map(|number| (Val::Int(number), json!(number))).boxed(),
        Kind::Float => (-5..6_i8).prop_map(|number| f64::from(number) / 4.0).prop_map(|number| (Val::Float(number), json!(number))).boxed(),
        Kind::Day => (-260..260_i64)
            .prop_map(move |days| today + TimeDelta::days(days))
            .prop_map(|day| (Val::Day(day), json!(day.to_string())))
            .boxed(),
        Kind::Moment => (-260..260_i64, 0..48_i64, any::<bool>())
            .prop_map(move |(days, halves, fraction)| {
                let local = (today + TimeDelta::days(days)).and_hms_opt(0, 0, 5).expect("a time") + TimeDelta::minutes(halves * 30);
                let local = if fraction { local + TimeDelta::microseconds(250_000) } else { local };
                (Val::Moment(local - TimeDelta::minutes(AHEAD)), json!(local.format("%Y-%m-%d %H:%M:%S%.6f").to_string()))
            })
            .boxed(),
        Kind::Clock => (0..4_i64, 0..2_i64)
            .prop_map(|(quarter, half)| quarter * 21_600_000_000 + half * 500_000)
            .prop_map(|micros| (Val::Clock(micros), json!(shown(&Val::Clock(micros)))))
            .boxed(),
    };
    prop_oneof![1 => nothing, 6 => some].boxed()
}

fn conditions(today: NaiveDate) -> impl Strategy<Value = Condition> {
    (paths(), any::<bool>()).prop_flat_map(move |(path, quadruple)| {
        let kind = path.kind();
        let value = values(kind, today);
        let mut meanings: Vec<BoxedStrategy<(Meaning, &'static str, Value)>> = vec![
            (prop::sample::select(&["=", "!=", "<", ">", "<=", ">="][..]), value.clone())
                .prop_map(|(operator, (value, sent))| (Meaning::Compared(operator, value), operator, sent))
                .boxed(),
            (any::<bool>(), prop::collection::vec(value.clone(), 0..4))
                .prop_map(|(is, values)| {
                    let (values, sent): (Vec<Val>, Vec<Value>) = values.into_iter().unzip();
                    (Meaning::OneOf(is, values), if is { "in" } else { "Not In" }, json!(sent))
                })
                .boxed(),
            (value.clone(), value)
                .prop_map(|((from, sent_from), (to, sent_to))| (Meaning::Between(from, to), "between", json!([sent_from, sent_to])))
                .boxed(),
            (any::<bool>(), prop::sample::select(&PATTERNS[..]))
                .prop_map(|(is, pattern)| (Meaning::Like(is, pattern), if is { "like" } else { "not like" }, json!(pattern)))
                .boxed(),
            any::<bool>().prop_map(|is| (Meaning::Set(is), "is", json!(if is { "set" } else { "not set" }))).boxed(),
        ];
        if matches!(kind, Kind::Day | Kind::Moment) {
            meanings.push(
                prop::sample::select(&WORDS[..]).prop_map(|words| (Meaning::Timespan(words.to_owned()), "timespan", json!(words))).boxed(),
            );
            let legacy = (any::<bool>(), prop::sample::select(&LEGACY[..])).prop_map(|(next, (sent, unit))| {
                let (operator, which) = if next { ("next", "next") } else { ("previous", "last") };
                (Meaning::Timespan(format!("{which} {unit}")), operator, json!(sent))
            });
            meanings.push(legacy.boxed());
        }
        if matches!(&path, Path::Own("node") | Path::Row(_, "node") | Path::Linked("node", "name")) {
            let relations = [
                (true, "ancestors of", "ancestors of"),
                (false, "ancestors of", "not ancestors of"),
                (true, "descendants of", "descendants of"),
                (false, "descendants of", "not descendants of"),
                (true, "inclusive", "descendants of (inclusive)"),
            ];
            let nodes = prop::sample::select(&["root", "l", "l2", "l21", "lone", "nowhere"][..]);
            let tree = (prop::sample::select(relations.to_vec()), nodes)
                .prop_map(|((is, relation, operator), node)| (Meaning::Node(is, relation, node), operator, json!(node)));
            meanings.push(tree.boxed());
        }
        prop::strategy::Union::new(meanings).prop_map(move |(meaning, operator, value)| Condition {
            path: path.clone(),
            meaning,
            operator: operator.to_owned(),
            value,
            quadruple,
        })
    })
}

fn questions(today: NaiveDate) -> impl Strategy<Value = Question> {
    (
        prop::collection::vec(conditions(today), 0..4),
        prop::collection::vec(conditions(today), 0..4),
        prop::collection::vec((paths(), any::<bool>()), 0..3),
        prop::collection::vec(paths(), 0..3),
        prop::collection::vec(paths(), 1..3),
    )
        .prop_map(|(all, any, order, shown, group)| Question { all, any, order, shown, group })
}

/// The rows of a list in their order, each a list of values.
fn listed(viewer: &Viewer<'_>, question: &Question) -> Vec<Value> {
    let rows_of = |paths: &mut dyn Iterator<Item = &Path>| -> Vec<&'static str> {
        let mut prefixes = Vec::new();
        for path in paths {
            if let Path::Row(prefix, _) = path
                && !prefixes.contains(prefix)
            {
                prefixes.push(*prefix);
            }
        }
        prefixes
    };
    let prefixes = rows_of(&mut question.shown.iter().chain(question.order.iter().map(|(path, _)| path)));
    let mut found = viewer.found(question, &prefixes.iter().copied().collect());
    let mut order: Vec<(Path, bool)> = Vec::new();
    for (path, down) in &question.order {
        if !order.iter().any(|(known, _)| known == path) {
            order.push((path.clone(), *down));
        }
    }
    let down = order.last().is_some_and(|(_, down)| *down);
    order.push((Path::Own("name"), down));
    for prefix in prefixes {
        order.push((Path::Row(prefix, "idx"), false));
        order.push((Path::Row(prefix, "name"), false));
    }
    found.sort_by(|left, right| {
        let mut compared = std::cmp::Ordering::Equal;
        for (path, down) in &order {
            // A missing value is less than every other.
            let one = viewer.value(left, path).partial_cmp(&viewer.value(right, path)).expect("values of one kind");
            compared = compared.then(if *down { one.reverse() } else { one });
        }
        compared
    });
    let row = |chosen: &Chosen<'_>| {
        let values = question.shown.iter().map(|path| as_json(viewer.value(chosen, path)));
        let name = as_json(viewer.value(chosen, &Path::Own("name")));
        Value::Array([name].into_iter().chain(values).collect())
    };
    found.iter().map(row).collect()
}

/// One row for each group: its values, how many rows it has, how many have a number, the least title and their sum.
fn grouped(viewer: &Viewer<'_>, question: &Question) -> Vec<Value> {
    let prefixes = question.group.iter().filter_map(|path| if let Path::Row(prefix, _) = path { Some(*prefix) } else { None }).collect();
    let mut groups: Vec<(Vec<Option<&Val>>, Vec<Chosen<'_>>)> = Vec::new();
    for chosen in viewer.found(question, &prefixes) {
        let key: Vec<Option<&Val>> = question.group.iter().map(|path| viewer.value(&chosen, path)).collect();
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, rows)) => rows.push(chosen),
            None => groups.push((key, vec![chosen])),
        }
    }
    groups.sort_by(|(left, _), (right, _)| left.partial_cmp(right).expect("values of one kind"));
    groups
        .iter()
        .map(|(key, rows)| {
            let of = |path: &Path| rows.iter().filter_map(|row| viewer.value(row, path).cloned()).collect::<Vec<Val>>();
            let stars: Vec<f64> =
                of(&Path::Own("stars")).iter().map(|value| if let Val::Float(number) = value { *number } else { panic!() }).collect();
            let least = of(&Path::Own("title")).into_iter().reduce(|one, two| if two < one { two } else { one });
            let latest = of(&Path::Own("moment")).into_iter().reduce(|one, two| if two > one { two } else { one });
            let sum = if stars.is_empty() { Value::Null } else { json!(stars.iter().sum::<f64>()) };
            let mut values: Vec<Value> = key.iter().map(|value| as_json(*value)).collect();
            values.extend([json!(rows.len()), json!(stars.len()), as_json(least.as_ref()), as_json(latest.as_ref()), sum]);
            Value::Array(values)
        })
        .collect()
}

/// A site with the documents.
async fn site(backend: Backend, sql: &str) -> (TestApp, Caller, Caller) {
    let app = Setup::new(backend).configure(|config| config.site.time_zone = chrono_tz::Asia::Kolkata).start().await;
    let administrator = app.administrator().await;
    for text in DOCTYPES {
        let mut definition: Value = serde_json::from_str(text).expect("JSON");
        definition["module"] = "Semantics".into();
        administrator.post("/api/resource/DocType").json(&definition).send().await.expect_status(200);
    }
    let sql = sql.to_owned();
    let write = move |conn: &mut ostiary::store::Conn, _: &mut ostiary::store::Effects| {
        conn.batch_execute(&sql).expect("the documents are written");
        Ok(())
    };
    app.db().write("documents", write).await.expect("documents");
    let amina = app.user("amina@example.com").await.api_key().await;
    (app, amina, administrator)
}

async fn ask(caller: &Caller, body: &Value) -> Result<Vec<Value>, String> {
    let reply = caller.get("/api/resource/Sem%20Doc").json(body).send().await;
    if reply.status != 200 {
        return Err(format!("{} {}", reply.status, reply.text()));
    }
    Ok(reply.data().as_array().expect("a list").clone())
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the site's clock is the system's")]
fn random_lists_are_the_same_on_both_databases_and_by_hand() {
    let now = chrono::Utc::now().naive_utc();
    let world = World::new((now + TimeDelta::minutes(AHEAD)).date());
    let sql = world.to_sql();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let sites = runtime.block_on(async { [site(Backend::Sqlite, &sql).await, site(Backend::Postgres, &sql).await] });
    let mut runner = TestRunner::new(Config { cases: 300, failure_persistence: None, ..Config::default() });
    let result = runner.run(&questions(world.today), |question| {
        let filters: Vec<Value> = question.all.iter().map(Condition::sent).collect();
        let or_filters: Vec<Value> = question.any.iter().map(Condition::sent).collect();
        let spelled =
            |paths: &[Path]| paths.iter().enumerate().map(|(index, path)| format!("{} as f{index}", path.spelled())).collect::<Vec<_>>();
        let order: Vec<String> =
            question.order.iter().map(|(path, down)| format!("{}{}", path.spelled(), if *down { " desc" } else { "" })).collect();
        // Without an order the doctype's own counts, which is another question.
        let order = if order.is_empty() { "name".to_owned() } else { order.join(", ") };
        let mut fields = vec!["name".to_owned()];
        fields.extend(spelled(&question.shown));
        let rows = json!({ "filters": filters, "or_filters": or_filters, "fields": fields, "order_by": order, "limit": 0, "as_dict": 0 });
        let mut fields = spelled(&question.group);
        fields.extend(["count(*) as c", "count(stars) as n", "title", "max(moment) as m", "sum(stars) as s"].map(str::to_owned));
        let group: Vec<String> = question.group.iter().map(Path::spelled).collect();
        let groups = json!({ "filters": filters, "or_filters": or_filters, "fields": fields, "group_by": group, "limit": 0, "as_dict": 0 });
        let number = json!({ "filters": filters, "or_filters": or_filters, "fields": ["count(name) as n"], "as_dict": 0 });
        for (only_own_of, who) in [(Some("amina@example.com"), 0), (None, 1)] {
            let viewer = Viewer { world: &world, only_own_of };
            let by_hand = listed(&viewer, &question);
            let by_hand_grouped = grouped(&viewer, &question);
            let documents = viewer.found(&question, &BTreeSet::new()).len();
            for (app, amina, administrator) in &sites {
                let caller = if who == 0 { amina } else { administrator };
                let where_ = format!("{:?}, {}\n{rows}", app.backend(), caller_name(who));
                let found = runtime.block_on(ask(caller, &rows)).map_err(TestCaseError::fail)?;
                prop_assert_eq!(&found, &by_hand, "{}", where_);
                let found = runtime.block_on(ask(caller, &groups)).map_err(TestCaseError::fail)?;
                prop_assert_eq!(&found, &by_hand_grouped, "{}\n{}", where_, groups);
                let found = runtime.block_on(ask(caller, &number)).map_err(TestCaseError::fail)?;
                prop_assert_eq!(&found, &vec![json!([documents])], "{}", where_);
            }
        }
        Ok(())
    });
    drop(sites);
    if let Err(failure) = result {
        panic!("{failure}");
    }
}

fn caller_name(who: usize) -> &'static str {
    if who == 0 { "amina" } else { "administrator" }
}
