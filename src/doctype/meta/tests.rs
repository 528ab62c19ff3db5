use proptest::prelude::*;
use serde_json::{Value, json};

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

fn any_json() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "name",
        "fields",
        "fieldname",
        "fieldtype",
        "options",
        "Data",
        "Link",
        "Table",
        "permissions",
        "role",
        "autoname",
        "field:a",
        "format:{a}-{##}",
        "naming_series:",
        "is_tree",
        "istable",
        "issingle",
        "default",
        "length",
        "precision",
        "a",
        "A",
        "\"; --",
        "é",
        "",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(|number| Value::from(f64::from(number) / 8.0)),
        words.clone().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 60, 8, move |inner| {
        let keys = prop_oneof![4 => words.clone().prop_map(str::to_owned), 1 => any::<String>()];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec((keys, inner), 0..8).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Something that is nearly a definition.
fn any_definition() -> impl Strategy<Value = Value> {
    let field = (
        prop_oneof!["[a-zA-Z_\" ;é]{0,12}", Just("x".repeat(70))],
        prop::sample::select(vec!["Data", "Int", "Link", "Table", "Heading", "Nope"]),
        any_json(),
    );
    let fields = prop::collection::vec(field, 0..6).prop_map(|fields| {
        let fields = fields.into_iter().map(|(name, fieldtype, options)| json!({"fieldname": name, "fieldtype": fieldtype, "options": options, "length": options, "default": options}));
        Value::Array(fields.collect())
    });
    let name = prop_oneof!["[A-Za-z][A-Za-z0-9 _-]{0,30}", any::<String>()];
    (name, prop_oneof![4 => fields, 1 => any_json()], any_json(), any_json()).prop_map(|(name, fields, autoname, other)| {
        json!({"name": name, "fields": fields, "autoname": autoname, "is_tree": other, "search_fields": other, "permissions": [{"role": other}]})
    })
}

proptest! {
    #[test]
    fn any_json_is_a_definition_or_refused(value in prop_oneof![any_json(), any_definition()], origin in prop::sample::select(vec![Origin::Site, Origin::Builtin])) {
        let text = value.to_string();
        if let Ok(doctype) = DocType::parse("x.json", &text, origin) {
            // What stands between quotes in SQL ends none.
            prop_assert!(doctype.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" -_".contains(&byte)), "{}", doctype.name);
            prop_assert!(doctype.columns().chain(doctype.optional_fields().iter().filter_map(|field| Some((field, field.kind()?)))).all(|(field, _)| is_fieldname(&field.fieldname)));
            prop_assert!(doctype.name.len() + "tab".len() <= 63 && doctype.fields.iter().all(|field| field.fieldname.len() <= 63));
            // It is kept as text and means the same when it is read again.
            let again = DocType::parse("x.json", &doctype.definition, origin);
            prop_assert_eq!(again.as_ref(), Ok(&doctype));
            prop_assert_eq!(crate::doctype::changes::changes(&doctype, &doctype), Vec::<String>::new());
            let _ = crate::doctype::validate::unreadable_defaults(&doctype);
        }
    }

    #[test]
    fn any_text_is_a_definition_or_refused(text in any::<String>()) {
        let _ = DocType::parse("x.json", &text, Origin::Site);
    }
}
