//! What a new document begins with that is to be like another one.

use serde_json::{Map, Value};

/// What every document has of its own; a row's place in its table is not among it.
const OWN: [&str; 7] = ["name", "owner", "creation", "modified", "modified_by", "docstatus", "amended_from"];
/// What ties a row to its parent.
const TIES: [&str; 3] = ["parent", "parentfield", "parenttype"];

/// A document without what makes it that one: name, owner, times and state, in its rows too.
pub fn clean_copy(mut document: Map<String, Value>) -> Map<String, Value> {
    document.retain(|key, _| !OWN.contains(&key.as_str()) && key != "idx");
    for value in document.values_mut() {
        for row in value.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
            row.retain(|key, _| !OWN.contains(&key.as_str()) && !TIES.contains(&key.as_str()));
        }
    }
    document
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_copy_keeps_what_was_written_and_nothing_of_what_was_kept_about_it() {
        let document = json!({
            "name": "a", "owner": "o", "creation": "c", "modified": "m", "modified_by": "b", "docstatus": 1, "idx": 3, "title": "T",
            "note": null, "doctype": "Thing",
            "rows": [{"name": "r", "owner": "o", "idx": 1, "x": 5, "parent": "a", "parentfield": "rows", "parenttype": "Thing", "doctype": "Row"}],
        });
        let copy = clean_copy(document.as_object().cloned().expect("an object"));
        let expected = json!({"title": "T", "note": null, "doctype": "Thing", "rows": [{"idx": 1, "x": 5, "doctype": "Row"}]});
        assert_eq!(Value::Object(copy), expected);
    }
}
