//! Lists that are turned page by page with a cursor.

use serde_json::{Value, json};

use super::{House, object};
use crate::auth::Caller;
use crate::error::AppError;
use crate::resource::list::{ListParams, Page};

fn page(house: &House, caller: &Caller, params: &Value) -> Result<Page, AppError> {
    let params = ListParams::parse_pages(&object(params.clone()))?;
    house.look(|cx| crate::resource::list_page(cx, caller, "Odd Thing", &params))
}

/// Things whose fields are missing, equal and different.
fn fill(house: &House, caller: &Caller) {
    for number in 0..23_i32 {
        let some = |every: i32, value: Value| if number % every == 0 { Value::Null } else { value };
        let thing = json!({
            "name": format!("t{:02}", (number * 7) % 23),
            "code": some(3, json!(format!("c{}", number % 4))),
            "rank": number % 5,
            "weight": 0.1 * f64::from(number % 6),
            "due": some(4, json!(format!("2026-01-{:02}", number % 3 + 1))),
            "seen": some(2, json!(format!("2026-01-01 10:00:00.{:06}", number % 3))),
        });
        house.create(caller, "Odd Thing", thing).expect("created");
    }
}

#[test]
fn a_cursor_goes_on_where_the_page_ended_in_every_order() {
    for house in House::all_in(chrono_tz::Tz::Asia__Kolkata) {
        let alice = house.caller("alice@example.com");
        fill(&house, &alice);
        for order in [
            "",
            "modified desc",
            "name",
            "name desc",
            "rank, name desc",
            "rank desc",
            "weight",
            "weight desc, code",
            "code",
            "code desc",
            "due desc, seen",
            "seen desc, due desc",
            "seen, code desc, rank",
        ] {
            let whole = json!({"fields": ["name", "code"], "order_by": order, "limit": 0});
            let expected = page(&house, &alice, &whole).expect("a list").rows;
            assert_eq!(expected.len(), 23);
            let mut found = Vec::new();
            let mut cursor = None;
            loop {
                let params = json!({"fields": ["name", "code"], "order_by": order, "limit": 4, "cursor": cursor});
                let Page { rows, has_next_page, next_cursor, keys } = page(&house, &alice, &params).expect("a page");
                assert_eq!((rows.len(), &keys[..]), (4.min(23 - found.len()), &["name".to_owned(), "code".to_owned()][..]), "{order}");
                found.extend(rows);
                assert_eq!((has_next_page, next_cursor.is_some()), (found.len() < 23, found.len() < 23), "{order}");
                cursor = next_cursor;
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(found, expected, "{order}");
        }
    }
}

#[test]
fn a_cursor_that_is_none_or_that_is_for_another_list_is_refused() {
    for house in House::all() {
        let alice = house.caller("alice@example.com");
        fill(&house, &alice);
        let first = page(&house, &alice, &json!({"order_by": "rank", "limit": 5})).expect("a page");
        let cursor = first.next_cursor.expect("there is more");
        let mut bent = cursor.clone();
        bent.insert(20, 'A');
        for (order, text) in [("rank", "x"), ("rank", &*bent), ("rank desc", &cursor), ("name", &cursor), ("rank", "é"), ("rank", "AAAA")]
        {
            let refused = page(&house, &alice, &json!({"order_by": order, "limit": 5, "cursor": text}));
            assert!(matches!(refused, Err(AppError::InvalidData(ref says)) if says.contains("cursor")), "{order} {text}: {refused:?}");
        }
        // Filters may change: it only says where to begin.
        let params = json!({"order_by": "rank", "limit": 5, "cursor": cursor, "filters": {"rank": 4}});
        assert_eq!(page(&house, &alice, &params).expect("a page").rows.len(), 4);
        for params in [
            json!({"group_by": "rank", "fields": ["rank"], "limit": 2, "cursor": cursor}),
            json!({"order_by": "todo.status", "limit": 2, "cursor": cursor}),
            json!({"order_by": "rank", "limit": 0, "cursor": cursor}),
        ] {
            assert!(matches!(page(&house, &alice, &params), Err(AppError::InvalidData(_))), "{params}");
        }
        let grouped = page(&house, &alice, &json!({"group_by": "rank", "fields": ["rank"], "limit": 2})).expect("a page");
        assert_eq!((grouped.rows.len(), grouped.has_next_page, grouped.next_cursor), (2, true, None));
    }
}

#[test]
fn a_deep_page_is_one_range_of_an_index() {
    for house in House::all().into_iter().filter(|house| house.database.db.backend() == crate::store::Backend::Sqlite) {
        let sql = "SELECT json_object('name', d.\"name\") FROM \"tabToDo\" AS d WHERE (d.\"owner\" = ?) AND (d.\"modified\", d.\"name\") < (?, ?) \
                   ORDER BY d.\"modified\" DESC, d.\"name\" DESC LIMIT ?";
        let plan = house.look(|cx| Ok(crate::store::testing::explain(cx.conn, sql)?)).expect("a plan");
        assert!(plan.contains("tabToDo.owner.idx") && plan.contains("<(") && !plan.contains("TEMP B-TREE"), "{plan}");
    }
}
