//! Trees: the nested set (`lft`, `rgt`) is kept while documents come, move and go. Whoever writes a
//! document of a tree locks the whole of it first, so that two moves cannot cross.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value};

use crate::cx::Cx;
use crate::doctype::validate::read_name;
use crate::doctype::{DocType, Filter, SortKey, Values};
use crate::error::{AppError, TreeRule};
use crate::store::StoreError;
use crate::store::documents::{self, Selection, tree};

use tree::Span;

/// The field that says whether others may stand beneath a document, where the doctype has it.
const IS_GROUP: &str = "is_group";

/// Keeps others from moving documents of this tree until the transaction ends; nothing for other doctypes.
///
/// # Errors
/// [`AppError`] from the database.
pub(super) fn lock(cx: &mut Cx, doctype: &DocType) -> Result<(), AppError> {
    if doctype.tree_parent.is_some() {
        tree::lock_tree(cx.conn, doctype)?;
    }
    Ok(())
}

/// Gives a document that was just stored its place: a new one, or one whose parent changed.
///
/// # Errors
/// [`AppError::Tree`] for a document beneath itself; [`AppError::Validation`] for one that has others beneath it and
/// stops being a group.
pub(super) fn settle(cx: &mut Cx, doctype: &DocType, name: &str, before: Option<&Values>, values: &Values) -> Result<(), AppError> {
    let Some(parent_field) = doctype.tree_parent.as_deref() else { return Ok(()) };
    let parent = values.text(parent_field);
    let Some(before) = before else { return insert(cx, doctype, name, parent) };
    if before.text(parent_field) != parent {
        move_below(cx, doctype, name, parent)?;
    }
    if before.check(IS_GROUP) == Some(true) && values.check(IS_GROUP) == Some(false) && has_children(cx, doctype, name)? {
        return Err(AppError::Validation(format!("{} {name} cannot be a leaf node as it has children", doctype.name)));
    }
    Ok(())
}

/// Refuses to delete a document with others beneath it, and closes its place.
///
/// # Errors
/// [`AppError::Tree`].
pub(super) fn remove(cx: &mut Cx, doctype: &DocType, name: &str) -> Result<(), AppError> {
    if doctype.tree_parent.is_none() {
        return Ok(());
    }
    if has_children(cx, doctype, name)? {
        let text = format!("Cannot delete {name} as it has child nodes");
        return Err(AppError::Tree { rule: TreeRule::ChildrenExist, text });
    }
    if let Some(span) = tree::find_span(cx.conn, doctype, name)? {
        // Its own row goes next; until then it is not in the tree.
        tree::set_span(cx.conn, doctype, name, Span { left: 0, right: 0 })?;
        tree::shift(cx.conn, doctype, span.right + 1, -span.width())?;
    }
    Ok(())
}

/// Refuses to make one document of two that are not both groups or both leaves.
///
/// # Errors
/// [`AppError::Tree`].
pub(super) fn require_same_kind(doctype: &DocType, one: &Map<String, Value>, other: &Map<String, Value>) -> Result<(), AppError> {
    if doctype.tree_parent.is_some() && one.get(IS_GROUP) != other.get(IS_GROUP) {
        let text = "Merging is only possible between Group-to-Group or Leaf Node-to-Leaf Node".to_owned();
        return Err(AppError::Tree { rule: TreeRule::InvalidMerge, text });
    }
    Ok(())
}

fn has_children(cx: &mut Cx, doctype: &DocType, name: &str) -> Result<bool, AppError> {
    let Some(parent_field) = doctype.tree_parent.as_deref() else { return Ok(false) };
    let beneath = Filter::equals(parent_field, name);
    Ok(documents::count_documents(cx.conn, doctype, &beneath, cx.env.config.site.time_zone)? > 0)
}

fn insert(cx: &mut Cx, doctype: &DocType, name: &str, parent: Option<&str>) -> Result<(), AppError> {
    let Some(at) = place_below(cx, doctype, parent)? else { return rebuild(cx, doctype) };
    tree::shift(cx.conn, doctype, at, 2)?;
    Ok(tree::set_span(cx.conn, doctype, name, Span { left: at, right: at + 1 })?)
}

/// Where the next document beneath a parent stands; `None` when the parent itself has no place yet.
fn place_below(cx: &mut Cx, doctype: &DocType, parent: Option<&str>) -> Result<Option<i64>, AppError> {
    Ok(match parent {
        None => Some(tree::last_place(cx.conn, doctype)? + 1),
        Some(parent) => tree::find_span(cx.conn, doctype, parent)?.map(|span| span.right),
    })
}

fn move_below(cx: &mut Cx, doctype: &DocType, name: &str, parent: Option<&str>) -> Result<(), AppError> {
    let Some(span) = tree::find_span(cx.conn, doctype, name)? else { return rebuild(cx, doctype) };
    if let Some(parent) = parent {
        let Some(above) = tree::find_span(cx.conn, doctype, parent)? else { return rebuild(cx, doctype) };
        if span.holds(above) {
            return Err(beneath_itself());
        }
    }
    tree::set_aside(cx.conn, doctype, span)?;
    tree::shift(cx.conn, doctype, span.right + 1, -span.width())?;
    let at = place_below(cx, doctype, parent)?.ok_or_else(|| AppError::internal("a parent that had a place has none"))?;
    tree::shift(cx.conn, doctype, at, span.width())?;
    Ok(tree::put_back(cx.conn, doctype, at - span.left)?)
}

fn beneath_itself() -> AppError {
    AppError::Tree { rule: TreeRule::Recursion, text: "Item cannot be added to its own descendants".into() }
}

/// Works out all places anew from the parents, brothers and sisters by name.
///
/// # Errors
/// [`AppError::Tree`] when a document is beneath itself.
pub(super) fn rebuild(cx: &mut Cx, doctype: &DocType) -> Result<(), AppError> {
    let Some(parent_field) = doctype.tree_parent.as_deref() else { return Ok(()) };
    let fields = [("name", "name"), ("parent", parent_field), ("lft", "lft"), ("rgt", "rgt")];
    let order = [SortKey { fieldname: "name".into(), descending: false }];
    let (filter, zone) = (Filter::always(), cx.env.config.site.time_zone);
    let selection = Selection { doctype, fields: &fields, filter: &filter, order: &order, start: 0, limit: None, zone };
    let mut nodes = Vec::new();
    for row in documents::list_documents(cx.conn, &selection)? {
        let row: Map<String, Value> = serde_json::from_str(&row).map_err(StoreError::corrupt)?;
        let text = |key: &str| row.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
        let number = |key: &str| row.get(key).and_then(Value::as_i64).unwrap_or(0);
        nodes.push((read_name(&row).unwrap_or_default(), text("parent"), Span { left: number("lft"), right: number("rgt") }));
    }
    let links: Vec<(&str, Option<&str>)> = nodes.iter().map(|(name, parent, _)| (name.as_str(), parent.as_deref())).collect();
    let spans = spans(&links).ok_or_else(beneath_itself)?;
    for (name, _, old) in &nodes {
        let span = spans[name.as_str()];
        if span != *old {
            tree::set_span(cx.conn, doctype, name, span)?;
        }
    }
    Ok(())
}

/// The places of documents with these parents, in this order; `None` when some are beneath themselves.
/// A parent that is not among them counts as none.
fn spans<'a>(links: &[(&'a str, Option<&'a str>)]) -> Option<BTreeMap<&'a str, Span>> {
    let known: HashSet<&str> = links.iter().map(|(name, _)| *name).collect();
    let mut beneath: BTreeMap<Option<&str>, Vec<&str>> = BTreeMap::new();
    for (name, parent) in links {
        beneath.entry(parent.filter(|parent| known.contains(parent))).or_default().push(name);
    }
    let mut spans = BTreeMap::new();
    let mut place = 0;
    // Names still to be entered, and those to be left once everything beneath them is done.
    let mut stack: Vec<(&str, Option<i64>)> = beneath.get(&None).into_iter().flatten().rev().map(|name| (*name, None)).collect();
    while let Some((name, entered)) = stack.pop() {
        place += 1;
        match entered {
            Some(left) => {
                spans.insert(name, Span { left, right: place });
            }
            None => {
                stack.push((name, Some(place)));
                stack.extend(beneath.get(&Some(name)).into_iter().flatten().rev().map(|name| (*name, None)));
            }
        }
    }
    (spans.len() == known.len()).then_some(spans)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_enclose_everything_beneath() {
        let links = [("b", Some("a")), ("a", None), ("c", Some("b")), ("d", Some("a")), ("e", Some("gone"))];
        let spans = spans(&links).expect("no circle");
        let span = |name: &str| (spans[name].left, spans[name].right);
        assert_eq!((span("a"), span("b"), span("c"), span("d"), span("e")), ((1, 8), (2, 5), (3, 4), (6, 7), (9, 10)));
        assert_eq!(super::spans(&[("a", Some("b")), ("b", Some("a")), ("c", None)]), None);
        assert_eq!(super::spans(&[]), Some(BTreeMap::new()));
    }
}
