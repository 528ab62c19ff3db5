//! What differs between two definitions of a doctype, in words for whoever imports the newer one.

use super::fieldtype::FieldType;
use super::meta::{DocType, Field};

/// A line for each field that came, went or changed, and for what else is different; empty where nothing is.
pub fn changes(before: &DocType, after: &DocType) -> Vec<String> {
    let mut lines = Vec::new();
    for field in &after.fields {
        match before.field(&field.fieldname) {
            None => lines.push(format!("field {} added ({})", field.fieldname, field.fieldtype.as_str())),
            Some(old) => lines.extend(change_of(old, field)),
        }
    }
    for gone in before.fields.iter().filter(|field| after.field(&field.fieldname).is_none()) {
        lines.push(format!("field {} removed (what is in it is kept)", gone.fieldname));
    }
    if before.permissions != after.permissions {
        lines.push("permissions changed".to_owned());
    }
    if before.naming != after.naming {
        lines.push("naming changed".to_owned());
    }
    if lines.is_empty() && before.definition != after.definition {
        lines.push("other keys changed".to_owned());
    }
    lines
}

fn change_of(old: &Field, new: &Field) -> Option<String> {
    let mut what = Vec::new();
    if old.fieldtype != new.fieldtype {
        what.push(format!("{} became {}", old.fieldtype.as_str(), new.fieldtype.as_str()));
    }
    let mut switch = |old: bool, new: bool, name: &str| {
        if old != new {
            what.push(if new { name.to_owned() } else { format!("no longer {name}") });
        }
    };
    switch(old.unique, new.unique, "unique");
    switch(is_indexed(old), is_indexed(new), "indexed");
    switch(old.required, new.required, "required");
    if what.is_empty() && old != new {
        what.push("changed".to_owned());
    }
    (!what.is_empty()).then(|| format!("field {}: {}", new.fieldname, what.join(", ")))
}

/// Whether documents are looked up by the field: it is indexed, though not unique.
pub fn is_indexed(field: &Field) -> bool {
    !field.unique && (field.search_index || matches!(field.fieldtype, FieldType::Link | FieldType::DynamicLink))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctype::Origin;

    fn of(fields: &str) -> DocType {
        let text = format!(r#"{{"name": "T", "fields": [{fields}]}}"#);
        DocType::parse("t.json", &text, Origin::Site).expect("valid")
    }

    #[test]
    fn every_difference_is_named_by_its_field() {
        let before = of(
            r#"{"fieldname": "a", "fieldtype": "Data"}, {"fieldname": "b", "fieldtype": "Int"}, {"fieldname": "c", "fieldtype": "Data"}"#,
        );
        let after = of(
            r#"{"fieldname": "a", "fieldtype": "Link", "options": "User", "reqd": 1}, {"fieldname": "c", "fieldtype": "Data", "label": "Sea"}, {"fieldname": "d", "fieldtype": "Check"}"#,
        );
        assert_eq!(
            changes(&before, &after),
            [
                "field a: Data became Link, indexed, required",
                "field c: changed",
                "field d added (Check)",
                "field b removed (what is in it is kept)",
            ]
        );
        assert_eq!(changes(&before, &before), Vec::<String>::new());
    }
}
