//! What lists find and how they show it.

use serde_json::{Value, json};

use super::House;
use crate::auth::Caller;
use crate::error::AppError;
use crate::store::Backend;
use crate::store::testing::explain;

/// Names of the listed things, in the order of their rank.
fn names(house: &House, caller: &Caller, params: Value) -> Vec<String> {
    let listed = house.list(caller, "Odd Thing", params.clone()).unwrap_or_else(|error| panic!("{params}: {error}"));
    listed.as_array().expect("a list").iter().map(|row| row["name"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn filters_mean_the_same_on_every_database() {
    for house in House::all() {
        let alice = house.caller("alice@example.com");
        let things = [
            json!({"name": "a", "rank": 1, "weight": 1.5, "done": 1, "due": "2026-01-01", "seen": "2026-01-01 10:00:00", "note": "Hello World"}),
            json!({"name": "B", "rank": 2, "weight": 2, "due": "2026-01-02", "seen": "2026-01-02 00:00:00.5", "note": "hello_world"}),
            json!({"name": "c", "rank": 3, "weight": -1, "due": "2026-02-01", "note": "100%"}),
            json!({"name": "d", "rank": 4, "note": "ÄPFEL \\"}),
            json!({"name": "e", "rank": 5}),
        ];
        for thing in things {
            house.create(&alice, "Odd Thing", thing).expect("created");
        }
        for (filters, expected) in [
            (json!({"rank": 3}), "c"),
            (json!({"rank": ["!=", 3]}), "a B d e"),
            (json!([["rank", ">", "1"], ["rank", "<=", 3]]), "B c"),
            (json!({"rank": ["in", "1, 5"]}), "a e"),
            (json!({"rank": ["not in", [1, 5]]}), "B c d"),
            (json!({"rank": ["between", [2, 4]]}), "B c d"),
            (json!({"weight": [">=", 0]}), "a B d e"),
            (json!({"weight": ["<", 0]}), "c"),
            (json!({"done": 0}), "B c d e"),
            (json!({"done": true}), "a"),
            // What is missing counts as '' or the first day.
            (json!({"due": ["<", "2026-01-02"]}), "a d e"),
            (json!({"due": [">=", "2026-01-02"]}), "B c"),
            (json!({"due": ["is", "set"]}), "a B c"),
            (json!({"due": ["is", "not set"]}), "d e"),
            (json!({"seen": ["between", ["2026-01-01", "2026-01-02"]]}), "a B"),
            (json!({"seen": ["like", "2026-01-02 00:00:00.5%"]}), "B"),
            (json!({"due": ["like", "2026-01%"]}), "a B"),
            (json!({"weight": ["like", "2.0"]}), "B"),
            (json!({"note": ""}), "e"),
            (json!({"note": ["!=", ""]}), "a B c d"),
            (json!({"note": ["is", "set"]}), "a B c d"),
            (json!({"note": ["is", "not set"]}), "e"),
            (json!({"note": ["!=", "100%"]}), "a B d e"),
            (json!({"note": ["in", ["", "100%"]]}), "c e"),
            (json!({"note": ["not in", ["100%"]]}), "a B d e"),
            (json!({"note": ["in", []]}), "e"),
            (json!({"note": ["like", "%HELLO%"]}), "a B"),
            (json!({"note": ["like", "%hello\\_%"]}), "B"),
            (json!({"note": ["like", "100\\%"]}), "c"),
            (json!({"note": ["like", "äpfel%"]}), ""),
            (json!({"note": ["like", "Äpfel%"]}), "d"),
            (json!({"note": ["like", "%\\"]}), "d"),
            (json!({"note": ["like", "%"]}), "a B c d e"),
            (json!({"note": ["not like", "%hello%"]}), "c d e"),
            (json!({"note": [">", "b"]}), "B d"),
            (json!({"name": ["in", "a,e"]}), "a e"),
            (json!({"name": ["like", "A"]}), "a"),
            (json!({"owner": "alice@example.com", "rank": ["<", 2]}), "a"),
        ] {
            let expected: Vec<&str> = expected.split_whitespace().collect();
            assert_eq!(names(&house, &alice, json!({"filters": filters})), expected, "{filters}");
        }
        for (order_by, expected) in [
            ("name", "B a c d e"),
            ("`tabOdd Thing`.`name` desc", "e d c a B"),
            ("due desc, rank", "c B a d e"),
            ("due asc, rank desc", "e d a B c"),
            ("note asc", "e c a B d"),
            ("", "a B c d e"),
        ] {
            let expected: Vec<&str> = expected.split_whitespace().collect();
            assert_eq!(names(&house, &alice, json!({"order_by": order_by})), expected, "{order_by}");
        }
        assert_eq!(names(&house, &alice, json!({"limit_start": 1, "limit": 2})), ["B", "c"]);
        assert_eq!(names(&house, &alice, json!({"limit_start": 3, "limit_page_length": "0"})), ["d", "e"]);
    }
}

#[test]
fn values_are_shown_alike_by_every_database() {
    for house in House::all_in(chrono_tz::Asia::Kolkata) {
        let alice = house.caller("alice@example.com");
        let sent = json!({"name": "a", "rank": -7, "weight": 3, "done": "1", "due": "2026-01-31", "seen": "2026-11-22 21:14:24.12", "note": "é\"\\\n\u{1}😀"});
        let made = house.create(&alice, "Odd Thing", sent).expect("created");
        assert_eq!(made["rank"], json!(-7));
        assert_eq!(made["weight"].to_string(), "3.0");
        assert_eq!((&made["done"], &made["due"], &made["seen"]), (&json!(1), &json!("2026-01-31"), &json!("2026-11-22 21:14:24.120000")));
        assert_eq!(made["note"], "é\"\\\n\u{1}😀");
        let whole =
            house.update(&alice, "Odd Thing", "a", json!({"seen": "2026-11-22T15:44:24Z", "weight": 987_654_321_012.5})).expect("updated");
        assert_eq!(whole["seen"], "2026-11-22 21:14:24");
        assert_eq!(whole["weight"], json!(987_654_321_012.5));
        assert_eq!(names(&house, &alice, json!({"filters": {"seen": "2026-11-22 21:14:24"}})), ["a"]);
        let missing = house.create(&alice, "Odd Thing", json!({"name": "b"})).expect("created");
        assert_eq!((missing["weight"].to_string(), &missing["rank"], &missing["seen"]), ("0.0".to_owned(), &json!(0), &Value::Null));
        let listed =
            house.list(&alice, "Odd Thing", json!({"fields": "[\"weight\", \"seen as at\"]", "filters": {"name": "b"}})).expect("listed");
        assert_eq!(listed.to_string(), "[{\"weight\":0.0,\"at\":null}]");
    }
}

#[test]
fn nothing_that_could_be_sql_reaches_the_database() {
    for house in House::all() {
        let alice = house.caller("alice@example.com");
        for params in [
            json!({"fields": ["name; drop table x"]}),
            json!({"fields": ["rand() as n"]}),
            json!({"fields": ["name as \"x'y\""]}),
            json!({"fields": "name\" from users --"}),
            json!({"order_by": "(select 1)"}),
            json!({"order_by": "name desc; drop table x"}),
            json!({"order_by": "rand() desc"}),
            json!({"filters": {"1=1 or name": "x"}}),
            json!({"filters": {"name\"": "x"}}),
            json!({"fields": ["nosuch"]}),
        ] {
            let outcome = house.list(&alice, "ToDo", params.clone());
            assert!(matches!(outcome, Err(AppError::FieldNotPermitted(_))), "{params}: {outcome:?}");
        }
        for params in [json!({"fields": "[name"}), json!({"fields": [1]}), json!({"fields": 5})] {
            assert!(matches!(house.list(&alice, "ToDo", params.clone()), Err(AppError::InvalidData(_))), "{params}");
        }
        for params in [json!({"fields": ["role.disabled"]}), json!({"filters": {"role.name": "x"}}), json!({"group_by": "role.name"})] {
            assert!(matches!(house.list(&alice, "ToDo", params.clone()), Err(AppError::NotPermitted(_))), "{params}");
        }
        let quoted = "it's; \"drop\" -- %s ? $1";
        let name = house.todo(&alice, quoted);
        assert_eq!(house.list(&alice, "ToDo", json!({"filters": {"description": quoted}})), Ok(json!([{"name": name}])));
    }
}

#[test]
fn an_ordinary_users_list_is_served_by_an_index() {
    for house in House::all().into_iter().filter(|house| house.database.db.backend() == Backend::Sqlite) {
        let plan = house
            .look(|cx| {
                let sql = "SELECT json_object('name', d.\"name\") FROM \"tabToDo\" AS d WHERE (d.\"owner\" = ?) ORDER BY d.\"modified\" DESC, d.\"name\" DESC LIMIT ?";
                Ok(explain(cx.conn, sql)?)
            })
            .expect("a plan");
        assert!(plan.contains("tabToDo.owner.idx") && !plan.contains("TEMP B-TREE"), "{plan}");
    }
}
