//! What each row of the method table takes and answers: one row here for each there, by name. A test compares the two.
//!
//! A family of methods has a file; its row stands there in the order of the names. What several families need is in
//! [`common`], and a new family has a line in [`FAMILIES`]. Paths of their own are in [`own_paths`].

mod client;
mod common;
mod desk;
mod helpdesk;
mod oauth;
mod own_paths;
mod share;
mod site;

use serde_json::Value;

pub use own_paths::OWN_PATHS;

/// What is said about a method.
pub struct Described {
    /// Its name in the method table.
    pub path: &'static str,
    pub summary: &'static str,
    pub takes: &'static [Takes],
    pub answer: Answer,
    /// For an OAuth endpoint: its body is JSON, not a form.
    pub is_json: bool,
}

impl Described {
    const fn in_json(self) -> Self {
        Self { is_json: true, ..self }
    }
}

/// A parameter.
pub struct Takes {
    pub name: &'static str,
    pub what: What,
    pub required: bool,
    pub about: &'static str,
}

/// The kinds of parameters.
#[derive(Clone, Copy)]
pub enum What {
    Text,
    /// The name of a doctype.
    Doctype,
    /// A text; `0`, `false` and what else is empty counts as nothing.
    TextIfAny,
    Number,
    /// 0 or 1.
    Flag,
    OneOf(&'static [&'static str]),
    /// Conditions, as JSON.
    Filters,
    /// Names of fields: one, or a JSON list.
    Fields,
    /// A whole document, as JSON.
    Document,
    /// A JSON list of documents.
    Documents,
    /// A JSON list of objects, each of which is judged by itself.
    Objects,
    /// Any JSON.
    Json,
    /// The value of a field.
    Value,
    /// The bytes of a file, in a form of several parts.
    File,
}

/// The shapes of an answer.
#[derive(Clone, Copy)]
pub enum Answer {
    /// Under `message`.
    Message(fn() -> Value),
    /// An empty object.
    Nothing,
    /// At the top level.
    Flat(fn() -> Value),
    /// The same, or a CSV file.
    FlatOrTable(fn() -> Value),
    /// A page for people, or a redirect.
    Page,
}

const fn row(path: &'static str, summary: &'static str, takes: &'static [Takes], answer: Answer) -> Described {
    Described { path, summary, takes, answer, is_json: false }
}

const fn needs(name: &'static str, what: What, about: &'static str) -> Takes {
    Takes { name, what, required: true, about }
}

const fn may(name: &'static str, what: What, about: &'static str) -> Takes {
    Takes { name, what, required: false, about }
}

/// What stands for a method without a row; a test keeps it from being needed.
pub static NOTHING: Described = row("", "", &[], Answer::Nothing);

/// The rows by family, each family sorted by name.
static FAMILIES: &[&[Described]] =
    &[client::DESCRIBED, desk::DESCRIBED, helpdesk::DESCRIBED, oauth::DESCRIBED, share::DESCRIBED, site::DESCRIBED];

/// The row of a method.
pub fn find(path: &str) -> Option<&'static Described> {
    FAMILIES.iter().find_map(|rows| rows.binary_search_by(|row| row.path.cmp(path)).ok().map(|index| &rows[index]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frappe::registry::METHODS;

    #[test]
    fn every_method_has_its_row_and_every_row_its_method() {
        let methods: Vec<&str> = METHODS.iter().map(|method| method.path).collect();
        let mut described: Vec<&str> = FAMILIES.iter().copied().flatten().map(|row| row.path).collect();
        described.sort_unstable();
        assert_eq!(described, methods, "add the row of a new method here too");
    }

    #[test]
    fn every_row_is_found_by_its_name() {
        for row in FAMILIES.iter().copied().flatten() {
            assert!(find(row.path).is_some_and(|found| found.path == row.path), "sort the rows of the family of {}", row.path);
        }
    }

    #[test]
    fn every_row_says_what_it_is_for() {
        for row in FAMILIES.iter().copied().flatten() {
            assert!(!row.summary.is_empty() && row.takes.iter().all(|takes| !takes.about.is_empty()), "{}", row.path);
        }
    }
}
