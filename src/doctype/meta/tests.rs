use serde_json::json;

use super::*;
use crate::doctype::naming::{Part, Pattern};

fn refusal(text: &str) -> String {
    DocType::parse("x.json", text, Origin::Site).expect_err("must be refused").to_string()
}

fn parse(definition: &serde_json::Value) -> DocType {
    DocType::parse("x.json", &definition.to_string(), Origin::Site).expect("valid")
}

#[test]
fn what_cannot_be_kept_is_refused_by_file_and_name() {
    let with_field = |field: &str| format!(r#"{{"name": "Thing", "fields": [{field}]}}"#);
    for (field, says) in [
        (r#"{"fieldname": "at", "fieldtype": "Banana"}"#, "x.json: field at: there is no fieldtype \"Banana\""),
        (r#"{"fieldname": "a\"b", "fieldtype": "Data"}"#, "fieldname must be"),
        (r#"{"fieldname": "Owner", "fieldtype": "Data"}"#, "every document has a field"),
        (r#"{"fieldname": "to", "fieldtype": "Link"}"#, "needs options"),
        (r#"{"fieldname": "body", "fieldtype": "Text", "unique": 1}"#, "cannot be unique"),
        (r#"{"fieldname": "a", "fieldtype": "Data"}, {"fieldname": "A", "fieldtype": "Int"}"#, "twice"),
        (r#"{"fieldname": "a", "fieldtype": "Data", "permlevel": 12}"#, "permlevel"),
    ] {
        let said = refusal(&with_field(field));
        assert!(said.contains(says), "{said}");
    }
    for (text, says) in [
        ("{", "is not JSON"),
        (r#"{"name": "a\"; drop"}"#, "ASCII letters"),
        (r#"{"name": "Thing", "issingle": 1, "istable": 1}"#, "exclude each other"),
        (r#"{"name": "Thing", "autoname": "naming_series:"}"#, "naming_series"),
        (r#"{"name": "Thing", "autoname": "field:nosuch"}"#, "nosuch"),
        (r#"{"name": "Thing", "is_tree": 1}"#, "parent_thing"),
    ] {
        let said = refusal(text);
        assert!(said.contains(says), "{said}");
    }
}

#[test]
fn a_site_definition_cannot_point_at_a_typed_table() {
    let doctype = parse(&json!({"name": "User", "ostiary_typed": 1, "ostiary_owner_field": "name"}));
    assert_eq!(doctype.rows, Rows::OwnTable);
    assert_eq!(doctype.owner_field, "owner");
}

#[test]
fn what_has_no_value_of_its_own_has_no_column() {
    let doctype = parse(&json!({"name": "T", "unheard_of": [1], "fields": [
        {"fieldname": "s", "fieldtype": "Section Break"},
        {"fieldtype": "Column Break"},
        {"fieldname": "made_up", "fieldtype": "Data", "is_virtual": 1},
        {"fieldname": "_user_tags", "fieldtype": "Data"},
        {"fieldname": "a", "fieldtype": "Data", "length": 20, "unheard_of": 1}
    ]}));
    assert_eq!(doctype.fields.len(), 1);
    assert_eq!(doctype.column("a").map(|(_, kind)| kind), Some(Kind::Text { limit: Some(20) }));
    assert!(doctype.column("s").is_none());
    assert!(doctype.column("_user_tags").is_some());
    assert!(!doctype.columns().any(|(field, _)| field.fieldname == "_user_tags"));
}

#[test]
fn every_way_of_naming_is_read() {
    let naming = |autoname: &str, rule: &str| {
        let fields = json!([{"fieldname": "title", "fieldtype": "Data"}, {"fieldname": "naming_series", "fieldtype": "Select"}]);
        parse(&json!({"name": "T", "autoname": autoname, "naming_rule": rule, "fields": fields})).naming
    };
    assert_eq!(naming("", ""), Naming::Hash);
    assert_eq!(naming("Prompt", ""), Naming::Prompt);
    assert_eq!(naming("field:title", ""), Naming::Field("title".into()));
    assert_eq!(naming("naming_series:", ""), Naming::Series);
    assert_eq!(naming("autoincrement", ""), Naming::AutoIncrement);
    assert_eq!(naming("", "UUID"), Naming::Uuid);
    assert_eq!(naming("HD-.#####", ""), Naming::Pattern(Pattern(vec![Part::Text("HD-".into()), Part::Counter(5)])));
    assert_eq!(naming("format:{title}-{##}", ""), Naming::Pattern(Pattern::format("{title}-{##}", |word| word == "title")));
    let numbered = parse(&json!({"name": "T", "autoname": "autoincrement"}));
    assert_eq!(numbered.column("name").map(|(_, kind)| kind), Some(Kind::Int));
}

#[test]
fn a_tree_has_its_nested_set_and_a_child_its_parent() {
    let tree = parse(
        &json!({"name": "Customer Group", "is_tree": 1, "fields": [{"fieldname": "parent_customer_group", "fieldtype": "Link", "options": "Customer Group"}]}),
    );
    assert_eq!(tree.tree_parent.as_deref(), Some("parent_customer_group"));
    assert!(tree.field("lft").is_some_and(|field| field.managed));
    let child = parse(&json!({"name": "Row", "istable": 1}));
    assert!(child.column("parent").is_some());
    assert!(child.column("_assign").is_none());
}

#[test]
fn orders_may_name_several_fields_and_unknown_ones_are_left_out() {
    let order = |field: &str, order: &str| parse(&json!({"name": "T", "sort_field": field, "sort_order": order})).default_order;
    let key = |fieldname: &str, descending| SortKey { fieldname: fieldname.into(), descending };
    assert_eq!(order("idx desc, name asc", ""), [key("idx", true), key("name", false)]);
    assert_eq!(order("creation", "ASC"), [key("creation", false)]);
    assert_eq!(order("nosuch", "ASC"), [key("modified", true)]);
}
