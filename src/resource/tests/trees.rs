//! Trees, renaming, and the versions that are kept of both.

use serde_json::{Value, json};

use super::{House, column, text};
use crate::auth::Caller;
use crate::error::{AppError, TreeRule};

/// Name, parent, lft and rgt of every place.
fn tree_of(house: &House, caller: &Caller) -> Vec<(String, String, i64, i64)> {
    let rows = house.list(caller, "Place", json!({"fields": ["name", "above", "lft", "rgt"], "limit_page_length": "0", "order_by": "lft"}));
    let rows = rows.expect("listed");
    let number = |row: &Value, key: &str| row[key].as_i64().expect("a number");
    rows.as_array()
        .expect("rows")
        .iter()
        .map(|row| (text(row, "name"), row["above"].as_str().unwrap_or_default().to_owned(), number(row, "lft"), number(row, "rgt")))
        .collect()
}

/// Every place encloses exactly what is beneath it, and no number is left out or used twice.
fn assert_nested(tree: &[(String, String, i64, i64)]) {
    let mut numbers: Vec<i64> = tree.iter().flat_map(|(_, _, left, right)| [*left, *right]).collect();
    numbers.sort_unstable();
    let count = i64::try_from(numbers.len()).expect("few");
    assert_eq!(numbers, (1..=count).collect::<Vec<_>>(), "{tree:?}");
    let above = |name: &str| tree.iter().find(|(other, ..)| other == name).map(|(_, above, ..)| above.clone()).unwrap_or_default();
    for (name, _, left, right) in tree {
        for (other, _, other_left, other_right) in tree {
            let mut ancestor = above(other);
            while !ancestor.is_empty() && ancestor != *name {
                ancestor = above(&ancestor);
            }
            assert_eq!(left < other_left && other_right < right, ancestor == *name, "{name} {other} {tree:?}");
        }
    }
}

#[test]
fn a_tree_stays_nested_whatever_is_made_moved_renamed_merged_and_deleted() {
    for house in House::all() {
        let manager = house.caller("manager@example.com");
        // A linear congruential generator: the same moves every time.
        let mut state = 20_261_123_u64;
        let mut random = move |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).expect("31 bits") % below
        };
        let (mut made, mut loops) = (0, 0);
        for _ in 0..120 {
            let tree = tree_of(&house, &manager);
            let pick = |random: &mut dyn FnMut(usize) -> usize| (!tree.is_empty()).then(|| tree[random(tree.len())].0.clone());
            match (random(10), pick(&mut random), pick(&mut random)) {
                (0..=3, above, _) => {
                    made += 1;
                    house.create(&manager, "Place", json!({"title": format!("p{made}"), "above": above})).expect("created");
                }
                (4..=6, Some(name), above) => {
                    let moved = house.update(&manager, "Place", &name, json!({"above": above}));
                    match moved {
                        Ok(_) => {}
                        Err(AppError::Tree { rule: TreeRule::Recursion, .. }) => loops += 1,
                        Err(other) => panic!("{other}"),
                    }
                }
                (7, Some(name), _) => {
                    made += 1;
                    assert_eq!(house.rename(&manager, "Place", &name, &format!("p{made}"), false), Ok(format!("p{made}")));
                }
                (8, Some(name), Some(other)) if name != other => {
                    // Merging a place into one beneath it would put that one beneath itself.
                    match house.rename(&manager, "Place", &name, &other, true) {
                        Ok(_) | Err(AppError::Tree { rule: TreeRule::Recursion, .. }) => {}
                        Err(unexpected) => panic!("{unexpected}"),
                    }
                }
                (_, Some(name), _) => {
                    let has_children = tree.iter().any(|(_, above, ..)| *above == name);
                    let deleted = house.delete(&manager, "Place", &name);
                    assert_eq!(deleted.is_ok(), !has_children, "{deleted:?}");
                }
                (_, None, _) => {}
            }
            assert_nested(&tree_of(&house, &manager));
        }
        assert!(made > 40 && loops > 0, "{made} {loops}");
    }
}

#[test]
fn a_place_cannot_be_beneath_itself_and_a_leaf_has_nothing_beneath() {
    for house in House::all() {
        let manager = house.caller("manager@example.com");
        for (title, above) in [("a", None), ("b", Some("a")), ("c", Some("b"))] {
            house.create(&manager, "Place", json!({"title": title, "above": above, "is_group": 1})).expect("created");
        }
        let update = |name: &str, body: Value| house.update(&manager, "Place", name, body);
        for above in ["a", "b", "c"] {
            assert!(matches!(update("a", json!({"above": above})), Err(AppError::Tree { rule: TreeRule::Recursion, .. })), "{above}");
        }
        assert!(matches!(update("b", json!({"is_group": 0})), Err(AppError::Validation(_))));
        assert!(update("c", json!({"is_group": 0})).is_ok());
        assert!(matches!(house.delete(&manager, "Place", "b"), Err(AppError::Tree { rule: TreeRule::ChildrenExist, .. })));
        assert!(matches!(house.rename(&manager, "Place", "c", "b", true), Err(AppError::Tree { rule: TreeRule::InvalidMerge, .. })));
        let moved = update("c", json!({"above": "", "lft": 99})).expect("moved to the top");
        assert_eq!((&moved["lft"], &moved["rgt"]), (&json!(5), &json!(6)));
        house.delete(&manager, "Place", "b").expect("nothing is beneath it any more");
        assert_nested(&tree_of(&house, &manager));
    }
}

#[test]
fn a_renamed_document_is_followed_by_everything_that_names_it() {
    for house in House::all() {
        let (alice, manager) = (house.caller("alice@example.com"), house.caller("manager@example.com"));
        let place = json!({"title": "a", "is_group": 1, "key": "hush", "tags": [{"tag": "x"}]});
        house.create(&alice, "Place", place).expect("created");
        house.create(&alice, "Place", json!({"title": "b", "above": "a"})).expect("created");
        house.create(&alice, "Place", json!({"title": "z"})).expect("created");
        let visit = house.create(&alice, "Visit", json!({"place": "a", "about_type": "Place", "about": "a"})).expect("created");
        let other = house.create(&alice, "Visit", json!({"about_type": "Product", "about": ""})).expect("created");
        house.create(&alice, "Product", json!({"title": "a"})).expect("of the same name");
        house.update(&alice, "Visit", &text(&other, "name"), json!({"about": "a"})).expect("updated");
        let comment = json!({"comment_type": "Comment", "reference_doctype": "Place", "reference_name": "a", "content": "c"});
        house.create(&manager, "Comment", comment).expect("created");
        house.update(&alice, "Place", "a", json!({"tags": []})).expect("updated");
        house.update(&alice, "Place", "a", json!({"tags": [{"tag": "x"}]})).expect("updated");
        let rename = |caller: &Caller, old: &str, new: &str, merge: bool| house.rename(caller, "Place", old, new, merge);
        for (new, merge) in [("a", false), ("", false), ("b", false), ("c", true)] {
            assert!(matches!(rename(&alice, "a", new, merge), Err(AppError::Validation(_))), "{new}");
        }
        assert!(matches!(rename(&alice, "a", "<c>", false), Err(AppError::InvalidName(_))));
        assert!(matches!(rename(&alice, "nosuch", "c", false), Err(AppError::NotFound { .. })));
        assert!(matches!(house.rename(&alice, "Product", "a", "c", false), Err(AppError::Validation(_))), "the doctype does not allow it");
        assert!(matches!(house.rename(&manager, "User", "bob@example.com", "c", false), Err(AppError::Validation(_))));
        assert!(matches!(rename(&Caller::guest(), "a", "c", false), Err(AppError::NotPermitted(_))));

        assert_eq!(rename(&alice, "a", " c ", false), Ok("c".into()));
        assert_eq!(house.read(&alice, "Place", "a"), Err(AppError::not_found("Place", "a")));
        let renamed = house.read(&alice, "Place", "c").expect("read");
        assert_eq!(
            (&renamed["title"], &renamed["key"], column(&renamed["tags"], "parent")),
            (&json!("c"), &json!("****"), vec![json!("c")])
        );
        assert_eq!(house.read(&alice, "Place", "b").expect("read")["above"], "c");
        let visited = house.read(&alice, "Visit", &text(&visit, "name")).expect("read");
        assert_eq!((&visited["place"], &visited["about"]), (&json!("c"), &json!("c")));
        assert_eq!(house.read(&alice, "Visit", &text(&other, "name")).expect("read")["about"], "a", "a product's name stays");
        let about = |doctype: &str, fields: [&str; 2]| {
            let filters = json!({fields[0]: "Place", fields[1]: "c"});
            house.list(&manager, doctype, json!({"filters": filters})).expect("listed").as_array().map(Vec::len)
        };
        assert_eq!(about("Version", ["ref_doctype", "docname"]), Some(2));
        assert_eq!(about("Comment", ["reference_doctype", "reference_name"]), Some(2), "one of them says that it was renamed");

        assert!(matches!(rename(&alice, "c", "z", true), Err(AppError::NotPermitted(_))), "alice may not delete");
        house.update(&manager, "Place", "z", json!({"is_group": 1})).expect("updated");
        assert_eq!(rename(&manager, "c", "z", true), Ok("z".into()));
        assert_eq!(house.read(&alice, "Place", "b").expect("read")["above"], "z");
        assert_eq!(house.read(&alice, "Visit", &text(&visit, "name")).expect("read")["place"], "z");
        assert_eq!(house.read(&alice, "Place", "z").expect("read")["tags"], json!([]), "rows go with the document that had them");
        assert_nested(&tree_of(&house, &manager));
    }
}

#[test]
fn what_changed_is_kept_as_a_version_and_goes_with_the_document() {
    for house in House::all() {
        let manager = house.caller("manager@example.com");
        house.create(&manager, "Place", json!({"title": "a", "tags": [{"tag": "x"}, {"tag": "y"}]})).expect("created");
        let versions =
            || house.list(&manager, "Version", json!({"fields": ["data", "docname", "owner"], "order_by": "creation"})).expect("listed");
        assert_eq!(versions(), json!([]), "a document that is made has no version");
        house.update(&manager, "Place", "a", json!({})).expect("updated");
        assert_eq!(versions(), json!([]), "nothing changed");
        let tags = house.read(&manager, "Place", "a").expect("read")["tags"].clone();
        let sent = json!([{"name": tags[0]["name"], "tag": "z"}, {"tag": "new"}]);
        house.update(&manager, "Place", "a", json!({"is_group": 1, "key": "hush", "tags": sent})).expect("updated");
        let kept = versions();
        assert_eq!((&kept[0]["docname"], &kept[0]["owner"]), (&json!("a"), &json!("manager@example.com")));
        let data: Value = serde_json::from_str(&text(&kept[0], "data")).expect("JSON");
        assert_eq!(data["changed"], json!([["is_group", 0, 1]]));
        assert_eq!(data["row_changed"], json!([["tags", 1, tags[0]["name"], [["tag", "x", "z"]]]]));
        assert_eq!((&data["removed"][0][1]["tag"], &data["added"][0][1]["tag"]), (&json!("y"), &json!("new")));
        assert!(!data.to_string().contains("hush"));
        house.delete(&manager, "Place", "a").expect("deleted");
        assert_eq!(versions(), json!([]));
    }
}
