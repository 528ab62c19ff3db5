//! Doctype definitions as data: what documents there are, what fields they have, what a filter on
//! them means and which values they accept.
//!
//! Pure: knows no database, no caller and no clock (time and time zone come in as arguments). To
//! add a doctype, add `builtin/<name>.json` and its name in `builtin.rs`; sites add theirs with
//! [`Registry::insert`].

mod builtin;
pub mod column;
pub mod condition;
pub mod fieldtype;
pub mod filter;
pub mod meta;
pub mod naming;
pub mod validate;
pub mod value;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

pub use builtin::records;
pub use column::{Column, Term};
pub use fieldtype::{FieldType, Kind};
pub use filter::Filter;
pub use meta::{DocType, FetchFrom, Field, InvalidDefinition, Origin, Permission, Rows, SortKey};
pub use naming::Naming;
pub use value::{FieldValue, Values};

/// All known doctypes.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    by_name: BTreeMap<String, Arc<DocType>>,
    /// Lower-cased name to name.
    folded: HashMap<String, String>,
}

impl Registry {
    /// The embedded doctypes.
    pub fn builtin() -> Self {
        let mut registry = Self::default();
        for (file, text) in builtin::DEFINITIONS {
            let doctype = DocType::parse(file, text, Origin::Builtin).expect("embedded definitions are tested");
            registry.put(doctype);
        }
        registry
    }

    /// Adds a site's doctype, or replaces its earlier definition.
    ///
    /// # Errors
    /// [`InvalidDefinition`] when the name belongs to a doctype that the server itself relies on,
    /// or differs from a known one only in upper and lower case.
    pub fn insert(&mut self, file: &str, doctype: DocType) -> Result<(), InvalidDefinition> {
        let refuse = |what: String| Err(InvalidDefinition { file: file.to_owned(), what });
        if let Some(known) = self.find(&doctype.name) {
            if known.name != doctype.name {
                return refuse(format!("the name {} differs from {} only in upper and lower case", doctype.name, known.name));
            }
            if known.rows == Rows::Typed {
                return refuse(format!("{} is built in and cannot be replaced", doctype.name));
            }
        }
        self.put(doctype);
        Ok(())
    }

    fn put(&mut self, doctype: DocType) {
        self.folded.insert(doctype.name.to_lowercase(), doctype.name.clone());
        self.by_name.insert(doctype.name.clone(), Arc::new(doctype));
    }

    /// A doctype by its exact name.
    pub fn get(&self, name: &str) -> Option<&Arc<DocType>> {
        self.by_name.get(name)
    }

    /// A doctype by its exact name, else without regard to upper and lower case, as some clients write it.
    pub fn find(&self, name: &str) -> Option<&Arc<DocType>> {
        self.get(name).or_else(|| self.get(self.folded.get(&name.to_lowercase())?))
    }

    /// All doctypes by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<DocType>> {
        self.by_name.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_exactly_first_and_then_without_case() {
        let registry = Registry::builtin();
        assert_eq!(registry.find("ToDo").map(|doctype| doctype.name.as_str()), Some("ToDo"));
        assert_eq!(registry.find("oauth client").map(|doctype| doctype.name.as_str()), Some("OAuth Client"));
        assert!(registry.find("Nope").is_none());
    }

    #[test]
    fn a_site_cannot_replace_what_the_server_relies_on() {
        let mut registry = Registry::builtin();
        for (name, says) in [("User", "built in"), ("uSER", "upper and lower case")] {
            let doctype = DocType::parse("x.json", &format!(r#"{{"name": "{name}"}}"#), Origin::Site).expect("valid");
            let said = registry.insert("x.json", doctype).expect_err("must be refused").to_string();
            assert!(said.contains(says), "{said}");
        }
    }
}
