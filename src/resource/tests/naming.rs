//! How documents get their names.

use serde_json::json;

use super::{House, object, text};
use crate::error::AppError;
use crate::resource::{SentName, create_named};

#[test]
fn series_count_by_prefix_without_gaps_and_take_back_only_their_last_number() {
    for house in House::all() {
        let alice = house.caller("alice@example.com");
        let year = &house.env.clock.now().naive_utc().to_string()[..4];
        let make = || house.create(&alice, "Odd Ticket", json!({"subject": "x", "name": "mine"}));
        let name = |number: u32| format!("TK-{year}-{number:05}");
        for number in 1..=3 {
            assert_eq!(text(&make().expect("created"), "name"), name(number));
        }
        assert!(matches!(house.create(&alice, "Odd Ticket", json!({})), Err(AppError::Mandatory { name: taken, .. }) if taken == name(4)));
        house.delete(&alice, "Odd Ticket", &name(2)).expect("deleted");
        house.delete(&alice, "Odd Ticket", &name(3)).expect("deleted");
        assert_eq!(text(&make().expect("created"), "name"), name(3), "the last one was given back, the refused one never taken");
        assert_eq!(text(&make().expect("created"), "name"), name(4));
        let series = |naming_series: Option<&str>| {
            house.create(&alice, "In Series", json!({"naming_series": naming_series})).map(|made| text(&made, "name"))
        };
        assert_eq!(
            (series(None), series(Some("S-")), series(Some("T-.##"))),
            (Ok("S-00001".into()), Ok("S-00002".into()), Ok("T-01".into()))
        );
        assert!(matches!(series(Some("U-")), Err(AppError::NotAnOption { .. })));
        let honoured = house.write({
            let alice = alice.clone();
            move |cx| {
                let body = object(json!({"name": "mine", "subject": "x"}));
                create_named(cx, &alice, "Odd Ticket", body, SentName::Honoured, &Default::default())
            }
        });
        assert_eq!(honoured.map(|made| made["name"].clone()), Ok(json!("mine")));
    }
}

#[test]
fn names_that_are_numbers_are_numbers_wherever_they_are_shown() {
    for house in House::all() {
        let alice = house.caller("alice@example.com");
        let first = house.create(&alice, "Counted", json!({"title": "a", "name": 9})).expect("created");
        assert_eq!(first["name"], json!(1));
        let second = house.create(&alice, "Counted", json!({"title": "b", "next": 1})).expect("created");
        assert_eq!((&second["name"], &second["next"]), (&json!(2), &json!("1")));
        assert_eq!(house.list(&alice, "Counted", json!({"order_by": "name desc"})), Ok(json!([{"name": 2}, {"name": 1}])));
        assert_eq!(house.read(&alice, "Counted", "2").expect("read")["title"], "b");
        for other in ["02", "+2", "2.0", "x", "", "99999999999999999999"] {
            assert_eq!(house.read(&alice, "Counted", other), Err(AppError::not_found("Counted", other)), "{other}");
        }
        assert!(house.update(&alice, "Counted", "2", json!({"name": 2, "title": "c"})).is_ok());
        assert_eq!(house.update(&alice, "Counted", "2", json!({"name": 1})), Err(AppError::not_found("Counted", "1")));
        assert!(matches!(house.update(&alice, "Counted", "1", json!({"next": 77})), Err(AppError::LinkNotFound { .. })));
        assert!(matches!(house.delete(&alice, "Counted", "1"), Err(AppError::LinkExists { .. })));
        house.delete(&alice, "Counted", "2").expect("deleted");
        house.delete(&alice, "Counted", "1").expect("deleted");
        assert_eq!(house.create(&alice, "Counted", json!({})).expect("created")["name"], json!(3), "numbers are not used twice");
    }
}

#[test]
fn a_uuid_is_made_or_sent() {
    for house in House::all() {
        let alice = house.caller("alice@example.com");
        let made = text(&house.create(&alice, "Unique Id", json!({})).expect("created"), "name");
        assert_eq!((made.len(), &made[14..15]), (36, "7"));
        let sent = "0192e4a1-0000-7000-8000-000000000001";
        assert_eq!(text(&house.create(&alice, "Unique Id", json!({"name": sent})).expect("created"), "name"), sent);
        assert!(matches!(house.create(&alice, "Unique Id", json!({"name": sent})), Err(AppError::Duplicate { .. })));
        assert!(matches!(house.create(&alice, "Unique Id", json!({"name": "mine"})), Err(AppError::InvalidName(_))));
    }
}
