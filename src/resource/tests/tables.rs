//! The table of a doctype that changes.

use std::sync::Arc;

use serde_json::json;

use super::House;
use super::definitions::THING;
use crate::doctype::{DocType, Origin};
use crate::domain::user::ADMINISTRATOR;
use crate::resource::doctypes;

#[test]
fn a_table_grows_with_its_definition_and_refuses_what_would_lose_values() {
    for house in House::all() {
        let alice = house.caller("alice@example.com");
        house.create(&alice, "Odd Thing", json!({"name": "a", "rank": 3})).expect("created");
        let change = |definition: &str| {
            let doctype = Arc::new(DocType::parse("thing.json", definition, Origin::Site).expect("valid"));
            house.write(move |cx| doctypes::keep(cx, &doctype, ADMINISTRATOR))
        };
        let wider = THING.replace(
            r#"{"fieldname": "note""#,
            r#"{"fieldname": "extra", "label": "Extra", "fieldtype": "Int", "search_index": 1}, {"fieldname": "note""#,
        );
        change(&wider).expect("extended");
        assert_eq!(
            house.read(&alice, "Odd Thing", "a").map(|thing| (thing["extra"].clone(), thing["rank"].clone())),
            Ok((json!(0), json!(3)))
        );
        let retyped = THING.replace(r#""rank", "label": "Rank", "fieldtype": "Int""#, r#""rank", "label": "Rank", "fieldtype": "Date""#);
        assert!(change(&retyped).is_err_and(|error| error.to_string().contains("rank")));
    }
}
