//! Random questions about lists, and what the model answers.
//!
//! A question names fields of documents, of what they link to and of their rows, in `fields`, filters,
//! order and groups. The model answers with the very rows, so a row, a value or a position that the
//! server takes from what the caller may not see is a difference.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value, json};

use super::world::{ADMINISTRATOR, CLIENT, DOCTYPES, Document, FIELDS, ITEM_FIELDS, REGION, REGIONS, USERS, World, level, target};

/// A field as a list names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Path {
    Own(&'static str),
    /// That field of the document that a Link names.
    Linked(&'static str, &'static str),
    /// That field of a row of `items`.
    Item(&'static str),
}

impl Path {
    pub fn spelled(&self) -> String {
        match self {
            Self::Own(field) => (*field).to_owned(),
            Self::Linked(link, field) => format!("{link}.{field}"),
            Self::Item(field) => format!("items.{field}"),
        }
    }

    /// Its key in a row, which no other path has.
    fn key(&self) -> String {
        self.spelled().replace('.', "_")
    }

    pub fn field(&self) -> &'static str {
        match self {
            Self::Own(field) | Self::Linked(_, field) | Self::Item(field) => field,
        }
    }
}

/// What a row shows.
#[derive(Clone, Debug, PartialEq)]
pub enum Shown {
    Field(Path),
    /// `count(distinct field)`; without a field `count(*)`.
    Aggregate(&'static str, bool, Option<Path>),
}

impl Shown {
    fn spelled(&self) -> String {
        match self {
            Self::Field(path @ Path::Own(_)) => path.spelled(),
            Self::Field(path) => format!("{} as {}", path.spelled(), path.key()),
            Self::Aggregate(function, distinct, path) => {
                let inner = path.as_ref().map_or_else(|| "*".to_owned(), Path::spelled);
                format!("{function}({}{inner}) as {}", if *distinct { "distinct " } else { "" }, self.key())
            }
        }
    }

    pub fn key(&self) -> String {
        match self {
            Self::Field(path) => path.key(),
            Self::Aggregate(function, distinct, path) => {
                format!("{function}_{}_{}", i32::from(*distinct), path.as_ref().map_or_else(|| "all".to_owned(), Path::key))
            }
        }
    }

    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Field(path) => Some(path),
            Self::Aggregate(_, _, path) => path.as_ref(),
        }
    }
}

/// One condition of a filter.
#[derive(Clone, Debug)]
pub struct Condition {
    path: Path,
    operator: &'static str,
    value: Value,
}

impl Condition {
    fn holds(&self, value: &Value) -> bool {
        // The name of a document that is not there fulfils nothing; whatever else is missing counts as empty.
        if value.is_null() && self.path.field() == "name" && self.operator != "is" {
            return false;
        }
        let number = level_two(&self.path);
        let counted = if value.is_null() { if number { json!(0) } else { json!("") } } else { value.clone() };
        match self.operator {
            "=" => counted == self.value,
            "!=" => counted != self.value,
            ">" => compare(&counted, &self.value) == Ordering::Greater,
            "in" => self.value.as_array().is_some_and(|values| values.contains(&counted)),
            "like" => {
                let pattern = self.value.as_str().expect("a pattern").trim_matches('%').to_lowercase();
                value.as_str().unwrap_or_default().to_lowercase().contains(&pattern)
            }
            "is" => (value.is_null() || value == "") != (self.value == "set"),
            other => panic!("{other}"),
        }
    }

    pub fn spelled(&self) -> Value {
        json!([self.path.spelled(), self.operator, self.value])
    }
}

/// Whether this is the one field that is a number.
fn level_two(path: &Path) -> bool {
    path.field() == "deep"
}

/// A list that someone asks for.
#[derive(Clone, Debug)]
pub struct Question {
    pub doctype: usize,
    pub fields: Vec<Shown>,
    pub filters: Vec<Condition>,
    pub or_filters: Vec<Condition>,
    /// Whether it descends.
    pub order: Option<(Path, bool)>,
    pub groups: Vec<Path>,
    pub distinct: bool,
}

impl Question {
    /// The parameters of its request.
    pub fn parameters(&self) -> Vec<(&'static str, String)> {
        let conditions = |of: &[Condition]| Value::from(of.iter().map(Condition::spelled).collect::<Vec<_>>()).to_string();
        let fields = Value::from(self.fields.iter().map(Shown::spelled).collect::<Vec<_>>()).to_string();
        let mut parameters = vec![("fields", fields), ("limit_page_length", "0".to_owned())];
        if !self.filters.is_empty() {
            parameters.push(("filters", conditions(&self.filters)));
        }
        if !self.or_filters.is_empty() {
            parameters.push(("or_filters", conditions(&self.or_filters)));
        }
        if let Some((path, descending)) = &self.order {
            parameters.push(("order_by", format!("{} {}", path.spelled(), if *descending { "desc" } else { "asc" })));
        }
        if !self.groups.is_empty() {
            parameters.push(("group_by", self.groups.iter().map(Path::spelled).collect::<Vec<_>>().join(",")));
        }
        if self.distinct {
            parameters.push(("distinct", "1".to_owned()));
        }
        parameters
    }

    /// Whether its rows are documents, or rows of documents.
    pub fn is_plain(&self) -> bool {
        self.groups.is_empty() && !self.distinct && self.fields.iter().all(|shown| matches!(shown, Shown::Field(_)))
    }
}

/// What the model says to a question.
#[derive(Debug)]
pub enum Answer {
    /// The statuses of which the refusal has one; which comes first is nobody's business.
    Refused(BTreeSet<u16>),
    Rows {
        /// In the order of `fields`.
        keys: Vec<String>,
        rows: Vec<Map<String, Value>>,
        /// Whether the rows stand in the order in which they must come.
        ordered: bool,
    },
}

/// A document and one of its rows, or none.
type Place<'a> = (&'a Document, Option<&'a (Option<usize>, String)>);

impl World {
    /// What a list answers.
    pub fn answer(&self, user: usize, question: &Question) -> Answer {
        self.answer_within(user, question, &[])
    }

    /// The same where these rights too must open the doctype, and each of the documents.
    pub fn answer_within(&self, user: usize, question: &Question, within: &[&str]) -> Answer {
        let doctype = question.doctype;
        if !["select"].iter().chain(within).all(|right| self.opens(user, doctype, right)) {
            return Answer::Refused([403].into());
        }
        let mut refusals = BTreeSet::new();
        let mut named = Vec::new();
        let mut shown = Vec::new();
        for item in &question.fields {
            match item.path().map_or(Ok(true), |path| self.names(user, doctype, path)) {
                Ok(true) => {
                    named.extend(item.path().cloned());
                    shown.push(item.clone());
                }
                // Left out silently, as in Frappe.
                Ok(false) => {}
                Err(status) => _ = refusals.insert(status),
            }
        }
        let conditions = question.filters.iter().chain(&question.or_filters);
        let further = question.groups.iter().chain(question.order.iter().map(|(path, _)| path)).chain(conditions.map(|one| &one.path));
        for path in further {
            match self.names(user, doctype, path) {
                Ok(true) => named.push(path.clone()),
                Ok(false) => _ = refusals.insert(417),
                Err(status) => _ = refusals.insert(status),
            }
        }
        if !refusals.is_empty() {
            return Answer::Refused(refusals);
        }
        let right = self.right_for(doctype, &named);
        let may = |document: &&Document| [right].iter().chain(within).all(|right| self.may(user, document, right));
        let documents: Vec<&Document> = self.of(doctype).filter(may).collect();
        let of_items = |path: &Path| matches!(path, Path::Item(_));
        let opened = shown.iter().filter_map(Shown::path).chain(&question.groups).chain(question.order.iter().map(|(path, _)| path));
        let by_row = opened.into_iter().any(of_items);
        let mut places: Vec<Place<'_>> = Vec::new();
        for document in &documents {
            let rows: Vec<_> = if document.items.is_empty() { vec![None] } else { document.items.iter().map(Some).collect() };
            let mut holding = rows.into_iter().map(|row| (*document, row)).filter(|place| self.holds(user, question, *place));
            if by_row {
                places.extend(holding);
            } else {
                places.extend(holding.next());
            }
        }
        let keys = shown.iter().map(Shown::key).collect();
        let (rows, ordered) = self.rows_of(user, question, &shown, places, right);
        Answer::Rows { keys, rows, ordered }
    }

    /// How many documents the conditions of a question find.
    pub fn count(&self, user: usize, question: &Question) -> Answer {
        let counted = Shown::Aggregate("count", true, Some(Path::Own("name")));
        self.answer(user, &Question { fields: vec![counted], order: None, groups: Vec::new(), distinct: false, ..question.clone() })
    }

    /// `select` where nothing but what it gives is named, else `read`.
    fn right_for(&self, doctype: usize, named: &[Path]) -> &'static str {
        let selectable = |path: &Path| matches!(path, Path::Own(field) if self.is_selectable(doctype, field));
        if named.iter().all(selectable) { "select" } else { "read" }
    }

    /// Whether a user may name a path; `Err`: they are refused all of the linked doctype.
    fn names(&self, user: usize, doctype: usize, path: &Path) -> Result<bool, u16> {
        match path {
            Path::Own(field) => Ok(self.may_name(user, doctype, field)),
            Path::Linked(link, field) => {
                if !self.may_name(user, doctype, link) {
                    return Ok(false);
                }
                let linked = linked(doctype, link);
                if self.opens(user, linked, "read") { Ok(self.sees_level(user, linked, level(linked, field))) } else { Err(403) }
            }
            Path::Item(field) => {
                let level = ITEM_FIELDS.iter().find(|(name, _)| name == field).map_or(0, |(_, level)| *level);
                Ok(self.sees_level(user, doctype, level))
            }
        }
    }

    fn holds(&self, user: usize, question: &Question, place: Place<'_>) -> bool {
        let one = |condition: &Condition| condition.holds(&self.value(user, place, &condition.path));
        question.filters.iter().all(one) && (question.or_filters.is_empty() || question.or_filters.iter().any(one))
    }

    /// What a path leads to; nothing where the linked document is not the user's to read.
    fn value(&self, user: usize, (document, row): Place<'_>, path: &Path) -> Value {
        match path {
            Path::Own(field) => own(document, field),
            Path::Linked(link, field) => {
                let name = document.fields.get(link).and_then(Value::as_str).unwrap_or_default();
                let found = self.find(linked(document.doctype, link), name).filter(|found| self.may(user, found, "read"));
                found.map_or(Value::Null, |found| own(found, field))
            }
            Path::Item(field) => match (row, *field) {
                (Some((region, _)), "region") => region.map_or(Value::Null, |region| json!(REGIONS[region].0)),
                (Some((_, cost)), _) => json!(cost),
                (None, _) => Value::Null,
            },
        }
    }

    fn rows_of(
        &self,
        user: usize,
        question: &Question,
        shown: &[Shown],
        mut places: Vec<Place<'_>>,
        right: &str,
    ) -> (Vec<Map<String, Value>>, bool) {
        let value = |place: Place<'_>, path: &Path| self.value(user, place, path);
        let aggregates = shown.iter().any(|shown| matches!(shown, Shown::Aggregate(..)));
        let grouped: Vec<Path> = if question.distinct && !aggregates {
            shown.iter().filter_map(Shown::path).cloned().collect()
        } else {
            question.groups.clone()
        };
        if grouped.is_empty() && !aggregates {
            let ordered = self.sort(user, question, &mut places, right);
            let row = |place: Place<'_>| shown.iter().filter_map(|shown| Some((shown.key(), value(place, shown.path()?)))).collect();
            return (places.into_iter().map(row).collect(), ordered);
        }
        let mut groups: BTreeMap<Vec<String>, Vec<Place<'_>>> = BTreeMap::new();
        if grouped.is_empty() {
            groups.insert(Vec::new(), Vec::new());
        }
        for place in places {
            groups.entry(grouped.iter().map(|path| value(place, path).to_string()).collect()).or_default().push(place);
        }
        let row = |places: &Vec<Place<'_>>| -> Map<String, Value> {
            let show = |shown: &Shown| match shown {
                Shown::Field(path) => value(places[0], path),
                Shown::Aggregate(_, _, None) => json!(places.len()),
                Shown::Aggregate(function, distinct, Some(path)) => aggregate(
                    function,
                    *distinct,
                    places.iter().map(|place| value(*place, path)).filter(|value| !value.is_null()).collect(),
                ),
            };
            shown.iter().map(|shown| (shown.key(), show(shown))).collect()
        };
        (groups.values().map(row).collect(), false)
    }

    /// Puts places in order; says whether that order is the only right one.
    fn sort(&self, user: usize, question: &Question, places: &mut [Place<'_>], right: &str) -> bool {
        let look = &self.looks[question.doctype];
        let reads_all = places.iter().all(|(document, _)| self.may(user, document, "read"));
        let default = Path::Own(look.sort_field);
        let (key, descending, certain) = match &question.order {
            Some((path, descending)) => (Some(path.clone()), *descending, true),
            // Whoever sees documents that they may only select learns nothing from their order.
            None if !reads_all => (None, false, true),
            None if !self.may_name(user, question.doctype, look.sort_field) => (None, false, true),
            None => (Some(default), true, right == "read" || user == ADMINISTRATOR),
        };
        let turned = |ordering: Ordering| if descending { ordering.reverse() } else { ordering };
        places.sort_by(|one, other| {
            let by_key = key.as_ref().map_or(Ordering::Equal, |key| compare(&self.value(user, *one, key), &self.value(user, *other, key)));
            turned(by_key).then_with(|| turned(one.0.name.cmp(&other.0.name)))
        });
        certain
    }
}

fn own(document: &Document, field: &str) -> Value {
    match field {
        "name" => json!(document.name),
        "owner" => json!(USERS[document.owner].to_owned()),
        // Only ever compared.
        "modified" => json!(document.modified),
        field => document.fields.get(field).cloned().unwrap_or_default(),
    }
}

fn linked(doctype: usize, link: &str) -> usize {
    let field = FIELDS[doctype].iter().find(|(name, ..)| *name == link).expect("a link");
    target(field.2).expect("one of ours")
}

/// A missing value is less than every other.
fn compare(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64().partial_cmp(&other.as_f64()).expect("numbers"),
        (Value::String(one), Value::String(other)) => one.cmp(other),
        (one, other) => (!one.is_null()).cmp(&!other.is_null()),
    }
}

fn aggregate(function: &str, distinct: bool, mut values: Vec<Value>) -> Value {
    values.sort_by(compare);
    if distinct {
        values.dedup();
    }
    let sum = || values.iter().filter_map(Value::as_f64).sum::<f64>();
    match function {
        "count" => json!(values.len()),
        _ if values.is_empty() => Value::Null,
        "sum" => json!(sum()),
        "avg" => json!(sum() / values.len() as f64),
        "min" => values[0].clone(),
        "max" => values[values.len() - 1].clone(),
        other => panic!("{other}"),
    }
}

/// A row as it is compared: 2 is 2.0, and keys have no order.
pub fn canonical(row: &Map<String, Value>) -> String {
    let number = |value: &Value| value.as_f64().map_or_else(|| value.to_string(), |number| format!("{number:.6}"));
    row.iter()
        .map(|(key, value)| (key.as_str(), number(value)))
        .collect::<BTreeMap<_, _>>()
        .into_iter()
        .map(|(key, value)| format!("{key}={value};"))
        .collect()
}

/// The paths of a doctype.
pub fn paths(doctype: usize) -> Vec<Path> {
    let own = ["name", "owner", "_user_tags", "_assign"].into_iter().chain(FIELDS[doctype].iter().map(|(name, ..)| *name)).map(Path::Own);
    let further: &[Path] = match doctype {
        REGION => &[Path::Linked("parent_region", "title"), Path::Linked("parent_region", "hidden")],
        CLIENT => &[Path::Linked("region", "name"), Path::Linked("region", "title"), Path::Linked("region", "hidden")],
        _ => &[
            Path::Linked("client", "name"),
            Path::Linked("client", "title"),
            Path::Linked("client", "hidden"),
            Path::Linked("client", "region"),
            Path::Linked("other", "note"),
            Path::Linked("other", "hidden"),
            Path::Item("region"),
            Path::Item("cost"),
            Path::Item("cost"),
        ],
    };
    own.chain(further.iter().cloned()).collect()
}

/// What identifies the documents of a doctype, in no order that is asked for.
pub fn names(doctype: usize) -> Question {
    let fields = vec![Shown::Field(Path::Own("name"))];
    Question { doctype, fields, filters: Vec::new(), or_filters: Vec::new(), order: None, groups: Vec::new(), distinct: false }
}

/// Questions about a world: what they compare with is mostly what is stored somewhere, seen or not.
pub fn question(world: &World) -> impl Strategy<Value = Question> {
    let world = world.clone();
    let path = |doctype: usize| select(paths(doctype));
    (0..DOCTYPES.len()).prop_flat_map(move |doctype| {
        let world = world.clone();
        let condition = (path(doctype), select(vec!["=", "=", "!=", ">", "in", "like", "is"]), any::<Index>())
            .prop_map(move |(path, operator, index)| compared(&world, doctype, path, operator, index));
        let aggregated =
            (select(vec!["count", "count", "min", "max", "sum", "avg"]), any::<bool>(), prop::option::weighted(0.85, path(doctype)))
                .prop_map(|(function, distinct, path)| match path {
                    None => Shown::Aggregate("count", false, None),
                    Some(path) if matches!(function, "sum" | "avg") && !level_two(&path) => Shown::Aggregate("max", false, Some(path)),
                    Some(path) => Shown::Aggregate(function, distinct, Some(path)),
                });
        let conditions = move || prop::collection::vec(condition.clone(), 0..3);
        let order = prop::option::of((path(doctype), any::<bool>()));
        let few = move || prop::collection::vec(path(doctype), 1..4);
        let kind = prop_oneof![
            4 => (few(), order.clone()).prop_map(|(fields, order)| (fields, Vec::new(), order, Vec::new(), false)),
            2 => few().prop_map(|fields| (fields, Vec::new(), None, Vec::new(), true)),
            2 => prop::collection::vec(aggregated.clone(), 1..3).prop_map(|aggregates| (Vec::new(), aggregates, None, Vec::new(), false)),
            2 => (prop::collection::vec(path(doctype), 1..3), prop::collection::vec(aggregated, 1..3), any::<bool>()).prop_map(
                |(groups, aggregates, descending)| {
                    let order = Some((groups[0].clone(), descending));
                    (groups.clone(), aggregates, order, groups, false)
                }
            ),
        ];
        (kind, conditions(), conditions()).prop_map(move |((fields, aggregates, order, groups, distinct), filters, or_filters)| {
            let mut shown: Vec<Shown> = Vec::new();
            for one in fields.into_iter().map(Shown::Field).chain(aggregates) {
                if !shown.contains(&one) {
                    shown.push(one);
                }
            }
            let or_filters = if or_filters.len() == 1 { Vec::new() } else { or_filters };
            Question { doctype, fields: shown, filters, or_filters, order, groups, distinct }
        })
    })
}

pub fn compared(world: &World, doctype: usize, path: Path, operator: &'static str, index: Index) -> Condition {
    let places = world.of(doctype).flat_map(|document| {
        let rows: Vec<_> = if document.items.is_empty() { vec![None] } else { document.items.iter().map(Some).collect() };
        rows.into_iter().map(move |row| (document, row))
    });
    let mut values: Vec<Value> = places.map(|place| world.value(ADMINISTRATOR, place, &path)).filter(|value| !value.is_null()).collect();
    if values.is_empty() {
        values.push(if level_two(&path) { json!(7) } else { json!("Nowhere") });
    }
    let value = index.get(&values).clone();
    let (operator, value) = match operator {
        "in" => ("in", json!([value, values[0]])),
        "like" if !level_two(&path) => {
            let text = value.as_str().expect("a text");
            ("like", json!(format!("%{}%", text.split(' ').next_back().unwrap_or_default())))
        }
        "like" => ("=", value),
        // 0 is set.
        "is" if level_two(&path) => ("!=", value),
        "is" => ("is", json!(if index.index(2) == 0 { "set" } else { "not set" })),
        other => (other, value),
    };
    Condition { path, operator, value }
}
