//! Doctype definitions as data: what documents there are, what fields they have, what a filter on
//! them means and which values they accept.
//!
//! Pure: knows no database, no caller and no clock (time and time zone come in as arguments). To
//! add a doctype, add `builtin/<name>.json` and its name in `builtin.rs`; sites add theirs with
//! [`Registry::insert`].

mod builtin;
pub mod changes;
pub mod column;
pub mod condition;
pub mod fieldtype;
pub mod filter;
pub mod format;
pub mod memo;
pub mod meta;
pub mod naming;
pub mod validate;
pub mod value;
pub mod words;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};

pub use builtin::records;
pub use column::{Column, Term};
pub use fieldtype::{FieldType, Kind};
pub use filter::Filter;
pub use memo::Memo;
pub use meta::{DocType, FetchFrom, Field, InvalidDefinition, Origin, Permission, Rows, SortKey, is_standard_field};
pub use naming::Naming;
pub use value::{FieldValue, Values};

use crate::domain::scope::doctype_word;

/// The embedded doctypes, read once.
static SHIPPED: LazyLock<Registry> = LazyLock::new(|| {
    let mut registry = Registry::default();
    for (file, text) in builtin::DEFINITIONS {
        let doctype = DocType::parse(file, text, Origin::Builtin).expect("embedded definitions are tested");
        registry.put(Arc::new(doctype));
    }
    registry
});

/// All known doctypes.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    by_name: BTreeMap<String, Arc<DocType>>,
    /// How a scope spells it to its name: two doctypes of one spelling could not be told apart in a scope,
    /// and SQLite's tables not by upper and lower case.
    by_word: HashMap<String, String>,
}

impl Registry {
    /// The embedded doctypes.
    pub fn builtin() -> Self {
        SHIPPED.clone()
    }

    /// The embedded definition of that name, also where the site has replaced it.
    pub fn shipped(name: &str) -> Option<&'static Arc<DocType>> {
        LazyLock::force(&SHIPPED).get(name)
    }

    /// Adds a site's doctype, or replaces its earlier definition.
    ///
    /// # Errors
    /// [`InvalidDefinition`] when the name is spelled like a known one, or belongs to a doctype that the
    /// server itself relies on and that the new definition could not stand in for.
    pub fn insert(&mut self, file: &str, doctype: impl Into<Arc<DocType>>) -> Result<(), InvalidDefinition> {
        let doctype = doctype.into();
        self.check(&doctype).map_err(|what| InvalidDefinition { file: file.to_owned(), what })?;
        self.put(doctype);
        Ok(())
    }

    fn check(&self, doctype: &DocType) -> Result<(), String> {
        let name = &doctype.name;
        if let Some(known) = self.by_word.get(&doctype_word(name)).filter(|known| *known != name) {
            return Err(if known.eq_ignore_ascii_case(name) {
                format!("the name {name} differs from {known} only in upper and lower case")
            } else {
                format!("the name {name} is spelled like {known} in a scope: {}", doctype_word(name))
            });
        }
        match Self::shipped(name) {
            Some(shipped) => stands_in(shipped, doctype),
            None => Ok(()),
        }
    }

    /// Takes a doctype away; what came with the program comes back.
    pub fn remove(&mut self, name: &str) {
        self.by_name.remove(name);
        match Self::shipped(name) {
            Some(shipped) => self.put(Arc::clone(shipped)),
            None => {
                self.by_word.remove(&doctype_word(name));
            }
        }
    }

    /// Takes a doctype away, one that came with the program too.
    pub fn withhold(&mut self, name: &str) {
        if self.by_name.remove(name).is_some() {
            self.by_word.remove(&doctype_word(name));
        }
    }

    fn put(&mut self, doctype: Arc<DocType>) {
        self.by_word.insert(doctype_word(&doctype.name), doctype.name.clone());
        self.by_name.insert(doctype.name.clone(), doctype);
    }

    /// A doctype by its exact name.
    pub fn get(&self, name: &str) -> Option<&Arc<DocType>> {
        self.by_name.get(name)
    }

    /// A doctype by its exact name, else without regard to upper and lower case, as some clients write it.
    pub fn find(&self, name: &str) -> Option<&Arc<DocType>> {
        let folded = || self.by_word.get(&doctype_word(name)).filter(|known| known.eq_ignore_ascii_case(name));
        self.get(name).or_else(|| self.get(folded()?))
    }

    /// All doctypes by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<DocType>> {
        self.by_name.values()
    }

    /// What of a doctype names doctypes that are not there, or are not what they would have to be; a sentence each.
    pub fn unresolved(&self, doctype: &DocType) -> Vec<String> {
        let unresolved = doctype.fields.iter().filter_map(|field| match field.fieldtype {
            FieldType::Link if self.get(&field.options).is_none() => {
                Some(format!("field {} links to {}, which is no doctype: it can only stay empty", field.fieldname, field.options))
            }
            FieldType::Table | FieldType::TableMultiSelect if !self.get(&field.options).is_some_and(|child| child.is_child_table) => {
                Some(format!("field {} has rows of {}, which is no child table: it can only stay empty", field.fieldname, field.options))
            }
            _ => None,
        });
        unresolved.chain(self.unfetched(doctype)).collect()
    }

    /// What is taken over from nowhere. Where a link leads to no doctype, that is said of the link.
    fn unfetched<'d>(&'d self, doctype: &'d DocType) -> impl Iterator<Item = String> + 'd {
        let fetched = doctype.fields.iter().filter_map(|field| Some((&field.fieldname, field.fetch_from.as_ref()?)));
        fetched.filter_map(|(fieldname, fetch)| {
            let FetchFrom { link, source, .. } = fetch;
            let why = match doctype.field(link).filter(|field| field.fieldtype == FieldType::Link) {
                None => format!("and {link} is no Link field of it"),
                Some(link) => match self.get(&link.options) {
                    Some(target) if target.column(source).is_none() => format!("and {} has no field {source}", target.name),
                    Some(_) | None => return None,
                },
            };
            Some(format!("field {fieldname} is fetched from {link}.{source}, {why}: it keeps what is sent"))
        })
    }
}

/// Whether a site's definition can replace one that came with the program.
fn stands_in(shipped: &DocType, doctype: &DocType) -> Result<(), String> {
    let name = &doctype.name;
    if shipped.rows == Rows::Typed {
        return Err(format!("{name} is built in and cannot be replaced"));
    }
    if (shipped.is_child_table, shipped.is_single) != (doctype.is_child_table, doctype.is_single) {
        return Err(format!("{name} comes with Ostiary, which relies on its istable and issingle staying as they are"));
    }
    for needed in shipped.fields.iter().filter(|field| field.relied_on) {
        let kind = |field: &Field| field.kind().map(|kind| std::mem::discriminant(&kind));
        match doctype.field(&needed.fieldname) {
            Some(field) if kind(field) == kind(needed) && field.is_table() == needed.is_table() => {}
            Some(_) | None => {
                let (fieldname, fieldtype) = (&needed.fieldname, needed.fieldtype.as_str());
                return Err(format!("{name} comes with Ostiary, which relies on its field {fieldname} ({fieldtype})"));
            }
        }
    }
    Ok(())
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
        for (name, says) in [
            ("User", "built in"),
            ("uSER", "upper and lower case"),
            ("OAuth-Client", "in a scope: oauth_client"),
            ("Has_Role", "in a scope"),
        ] {
            let doctype = DocType::parse("x.json", &format!(r#"{{"name": "{name}"}}"#), Origin::Site).expect("valid");
            let said = registry.insert("x.json", doctype).expect_err("must be refused").to_string();
            assert!(said.contains(says), "{said}");
        }
        assert_eq!(registry.iter().count(), Registry::builtin().iter().count());
    }

    #[test]
    fn a_site_may_replace_a_shipped_doctype_that_keeps_what_the_server_relies_on() {
        let parse = |text: &str, origin| DocType::parse("x.json", text, origin).expect("valid");
        let shipped =
            parse(r#"{"name": "T", "fields": [{"fieldname": "a", "fieldtype": "Int", "ostiary_relied_on": 1}]}"#, Origin::Builtin);
        for (definition, says) in [
            (r#"{"name": "T", "fields": [{"fieldname": "a", "fieldtype": "Int"}, {"fieldname": "b", "fieldtype": "Data"}]}"#, None),
            (r#"{"name": "T", "fields": [{"fieldname": "a", "fieldtype": "Long Int"}]}"#, None),
            (r#"{"name": "T", "fields": [{"fieldname": "a", "fieldtype": "Data"}]}"#, Some("field a (Int)")),
            (r#"{"name": "T"}"#, Some("field a (Int)")),
            (r#"{"name": "T", "istable": 1, "fields": [{"fieldname": "a", "fieldtype": "Int"}]}"#, Some("istable")),
        ] {
            let said = stands_in(&shipped, &parse(definition, Origin::Site)).err();
            assert_eq!(said.is_some(), says.is_some(), "{definition}: {said:?}");
            assert!(says.is_none_or(|says| said.is_some_and(|said| said.contains(says))), "{definition}");
        }
    }

    #[test]
    fn a_removed_doctype_is_gone_and_a_shipped_one_comes_back() {
        let mut registry = Registry::builtin();
        for name in ["Lodge", "Note"] {
            let doctype = DocType::parse("x.json", &format!(r#"{{"name": "{name}"}}"#), Origin::Site).expect("valid");
            registry.insert("x.json", doctype).expect("new, or one that may be replaced");
            assert_eq!(registry.get(name).map(|doctype| doctype.origin), Some(Origin::Site));
            registry.remove(name);
        }
        assert!(registry.find("lodge").is_none());
        assert_eq!(registry.get("Note").map(|doctype| doctype.origin), Some(Origin::Builtin));
    }
}
