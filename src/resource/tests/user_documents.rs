//! Users and roles as documents, and what of typed tables is never shown.

use serde_json::{Value, json};

use super::{House, document_keys, keys, row_keys, with_scope};
use crate::domain::user::{ADMINISTRATOR, SYSTEM_MANAGER};
use crate::error::{AppError, Denied};
use crate::store::{api_keys, users};

#[test]
fn a_user_is_made_with_password_roles_and_a_derived_type() {
    for house in House::all() {
        let manager = house.caller("manager@example.com");
        let body = json!({
            "email": "Carol@Example.com", "first_name": "Carol", "last_name": "Test", "new_password": "Str0ng#Pass9x", "enabled": 1,
            "send_welcome_email": 0, "user_type": "System User", "roles": [{"role": "Customer"}, {"role": "Customer"}, {"role": "All"}], "language": "de"
        });
        let user = house.create(&manager, "User", body).expect("created");
        assert_eq!(
            (&user["name"], &user["email"], &user["full_name"], &user["username"]),
            (&json!("carol@example.com"), &json!("carol@example.com"), &json!("Carol Test"), &json!("carol"))
        );
        assert_eq!(
            (&user["user_type"], &user["enabled"], &user["language"], &user["login_after"]),
            (&json!("Website User"), &json!(1), &json!("de"), &json!(0))
        );
        assert!(!user.to_string().contains("assword"), "{user}");
        let roles = user["roles"].as_array().expect("rows");
        assert_eq!(roles.len(), 1);
        assert_eq!(keys(&roles[0]), row_keys(&["role"]));
        assert_eq!(
            (&roles[0]["idx"], &roles[0]["parent"], &roles[0]["doctype"]),
            (&json!(1), &json!("carol@example.com"), &json!("Has Role"))
        );
        assert_eq!(user.as_object().expect("an object").keys().rev().take(2).collect::<Vec<_>>(), ["roles", "doctype"]);
        let hash = house.look(|cx| Ok(users::find_password_hash(cx.conn, "carol@example.com")?)).expect("found").expect("set");
        assert!(crate::secrets::password::verify("Str0ng#Pass9x", Some(&hash)));
        let agent = house
            .update(&manager, "User", "CAROL@example.com", json!({"roles": [{"role": "Agent"}], "first_name": "Caro"}))
            .expect("updated");
        assert_eq!((&agent["user_type"], &agent["full_name"]), (&json!("System User"), &json!("Caro Test")));
        let again = house.create(&manager, "User", json!({"email": "carol@example.com", "first_name": "C"}));
        assert_eq!(again, Err(AppError::Duplicate { doctype: "User".into(), name: "carol@example.com".into() }));
        let taken = house.create(&manager, "User", json!({"email": "c@example.com", "first_name": "C", "username": "carol"}));
        assert_eq!(taken, Err(AppError::NotUnique { label: "Username".into() }));
        let unknown = house.create(&manager, "User", json!({"email": "d@example.com", "first_name": "D", "roles": [{"role": "Nope"}]}));
        assert_eq!(unknown, Err(AppError::LinkNotFound { label: "Row #1: Role".into(), value: "Nope".into() }));
        assert!(matches!(
            house.create(&manager, "User", json!({"first_name": "D"})),
            Err(AppError::Validation(_) | AppError::Mandatory { .. })
        ));
        let listed =
            house.list(&manager, "User", json!({"fields": ["name", "enabled"], "filters": [["User", "full_name", "like", "caro%"]]}));
        assert_eq!(listed, Ok(json!([{"name": "carol@example.com", "enabled": 1}])));
    }
}

#[test]
fn secrets_are_never_selected_filtered_or_sorted_by() {
    for house in House::all() {
        let admin = house.caller(ADMINISTRATOR);
        for (doctype, field) in [
            ("User", "password_hash"),
            ("User", "new_password"),
            ("User", "api_secret"),
            ("OAuth Client", "client_secret"),
            ("OAuth Client", "secret_hash"),
            ("OAuth Bearer Token", "access_token"),
            ("OAuth Bearer Token", "token_hash"),
            ("Social Login Key", "client_secret"),
        ] {
            let refused = Err(AppError::FieldNotPermitted(field.into()));
            assert_eq!(house.list(&admin, doctype, json!({"fields": [field]})), refused);
            assert_eq!(house.list(&admin, doctype, json!({"filters": {field: ["like", "a%"]}})), refused);
            assert_eq!(house.list(&admin, doctype, json!({"order_by": field})), refused);
        }
        for doctype in ["User", "Role", "OAuth Client", "OAuth Bearer Token", "Social Login Key"] {
            assert!(house.list(&admin, doctype, json!({"fields": ["*"], "order_by": "name", "limit": 0})).is_ok(), "{doctype}");
            let registry = house.env.doctypes();
            for (field, _) in registry.get(doctype).expect("builtin").columns() {
                let filters = json!({&field.fieldname: ["like", "%"]});
                assert!(
                    house.list(&admin, doctype, json!({"filters": filters, "order_by": &field.fieldname})).is_ok(),
                    "{doctype}.{}",
                    field.fieldname
                );
            }
        }
    }
}

#[test]
fn users_change_their_own_document_within_limits() {
    for house in House::all() {
        let alice = house.caller("alice@example.com");
        let own = house.read(&alice, "User", "alice@example.com").expect("read");
        assert!(!keys(&own).contains(&"roles") && !keys(&own).contains(&"api_key"));
        assert_eq!(house.list(&alice, "User", json!({})), Ok(json!([{"name": "alice@example.com"}])));
        assert!(matches!(house.read(&alice, "User", ADMINISTRATOR), Err(AppError::NotPermitted(Denied::Document { .. }))));
        let body = json!({"first_name": "Al", "roles": [{"role": SYSTEM_MANAGER}], "enabled": 0, "api_key": "k", "api_secret": "u7Q_d91Lx-0vRzPq4mT2yB8s"});
        assert_eq!(house.update(&alice, "User", "alice@example.com", body).expect("updated")["full_name"], "Al");
        let user = house.look(|cx| Ok(users::get_user(cx.conn, "alice@example.com")?)).expect("there");
        assert!(user.enabled && user.assigned_roles.is_empty());
        assert_eq!(house.look(|cx| Ok(api_keys::find_key_of(cx.conn, "alice@example.com", "default")?)), Ok(None));
        let scoped = with_scope(&alice, "write:user");
        assert!(house.update(&scoped, "User", "alice@example.com", json!({"first_name": "Ally"})).is_ok());
        let guarded = Err(AppError::InsufficientScope { needed: "admin:credentials".into() });
        assert_eq!(house.update(&scoped, "User", "alice@example.com", json!({"new_password": "another pass phrase 8"})), guarded);
        assert_eq!(
            house.create(&with_scope(&house.caller(ADMINISTRATOR), "all"), "User", json!({"email": "x@example.com", "first_name": "X"})),
            guarded
        );
        assert_eq!(house.delete(&with_scope(&house.caller(ADMINISTRATOR), "all"), "User", "bob@example.com"), guarded.map(drop));
    }
}

#[test]
fn setting_both_halves_on_a_user_makes_the_default_key() {
    for house in House::all() {
        let manager = house.caller("manager@example.com");
        let secret = "u7Q_d91Lx-0vRzPq4mT2yB8s";
        let update = |body: Value| house.update(&manager, "User", "alice@example.com", body);
        assert!(matches!(update(json!({"api_key": "alices-key"})), Err(AppError::Validation(text)) if text.contains("api_secret")));
        assert!(matches!(update(json!({"api_key": "a:b", "api_secret": secret})), Err(AppError::Validation(_))));
        assert!(matches!(update(json!({"api_key": "alices-key", "api_secret": "weak"})), Err(AppError::Validation(_))));
        let user = update(json!({"api_key": "alices-key", "api_secret": secret})).expect("updated");
        assert_eq!(user["api_key"], "alices-key");
        assert!(!user.to_string().contains(secret));
        let find = |key: &str| house.look(|cx| Ok(api_keys::find_by_key(cx.conn, key)?)).expect("answers");
        let (key, form) = find("alices-key").expect("there");
        assert_eq!((key.user.as_str(), key.name.as_str()), ("alice@example.com", "default"));
        assert_eq!(form, api_keys::SecretForm::Hmac(house.env.seal.mac(api_keys::HMAC_PURPOSE, secret.as_bytes())));
        let taken = house.update(&manager, "User", "bob@example.com", json!({"api_key": "alices-key", "api_secret": secret}));
        assert_eq!(taken, Err(AppError::NotUnique { label: "API Key".into() }));
        update(json!({"api_key": "renamed"})).expect("updated");
        assert!(find("renamed").is_some_and(|(_, same)| same == form));
        update(json!({"api_key": ""})).expect("updated");
        assert!(find("renamed").is_none());
    }
}

#[test]
fn disabling_a_user_ends_what_it_has_and_standard_users_stay() {
    for house in House::all() {
        let manager = house.caller("manager@example.com");
        let epochs = house.database.db.epochs();
        let before = epochs.now();
        house.update(&manager, "User", "bob@example.com", json!({"enabled": 0})).expect("updated");
        assert!(!house.look(|cx| Ok(users::get_user(cx.conn, "bob@example.com")?)).expect("there").enabled);
        assert!(!epochs.is_current("bob@example.com", before));
        for body in [json!({"enabled": 0}), json!({"enabled": false})] {
            assert!(matches!(house.update(&house.caller(ADMINISTRATOR), "User", ADMINISTRATOR, body), Err(AppError::Validation(_))));
        }
        assert!(matches!(house.delete(&house.caller(ADMINISTRATOR), "User", ADMINISTRATOR), Err(AppError::Validation(_))));
        let todo = house.create(&manager, "ToDo", json!({"description": "x", "allocated_to": "bob@example.com"})).expect("created");
        let refused = house.delete(&manager, "User", "bob@example.com").expect_err("named by a ToDo");
        assert!(matches!(&refused, AppError::LinkExists { by_doctype, .. } if by_doctype == "ToDo"), "{refused:?}");
        house.delete(&manager, "ToDo", todo["name"].as_str().expect("a name")).expect("deleted");
        house.delete(&manager, "User", "bob@example.com").expect("deleted");
        assert_eq!(house.read(&manager, "User", "bob@example.com"), Err(AppError::not_found("User", "bob@example.com")));
    }
}

#[test]
fn roles_are_documents_too() {
    for house in House::all() {
        let manager = house.caller("manager@example.com");
        let role = house.create(&manager, "Role", json!({"role_name": "Peer Role"})).expect("created");
        assert_eq!(
            (keys(&role), &role["desk_access"], &role["disabled"]),
            (document_keys(&["role_name", "disabled", "is_custom", "desk_access", "two_factor_auth"]), &json!(1), &json!(0))
        );
        let again = house.create(&manager, "Role", json!({"role_name": "Peer Role"}));
        assert_eq!(again, Err(AppError::Duplicate { doctype: "Role".into(), name: "Peer Role".into() }));
        assert!(matches!(house.update(&manager, "Role", "Peer Role", json!({"role_name": "Other"})), Err(AppError::SetOnce { .. })));
        house.update(&manager, "User", "alice@example.com", json!({"roles": [{"role": "Peer Role"}]})).expect("updated");
        let linked = house.delete(&manager, "Role", "Peer Role");
        assert!(
            matches!(linked, Err(AppError::LinkExists { by_doctype, by_name, .. }) if by_doctype == "User" && by_name == "alice@example.com")
        );
        house.update(&manager, "Role", "Peer Role", json!({"desk_access": 0})).expect("updated");
        assert_eq!(house.read(&manager, "User", "alice@example.com").expect("read")["user_type"], "Website User");
        house.update(&manager, "Role", "Peer Role", json!({"disabled": 1})).expect("updated");
        house.delete(&manager, "Role", "Peer Role").expect("deleted");
        assert!(matches!(house.delete(&manager, "Role", SYSTEM_MANAGER), Err(AppError::Validation(_) | AppError::LinkExists { .. })));
        assert!(matches!(house.list(&house.caller("alice@example.com"), "Role", json!({})), Err(AppError::NotPermitted(_))));
    }
}

#[test]
fn only_administrator_reaches_administrator() {
    for house in House::all() {
        let manager = house.caller("manager@example.com");
        let denied = |outcome: Result<Value, AppError>| matches!(outcome, Err(AppError::NotPermitted(Denied::Document { .. })));
        assert!(denied(house.read(&manager, "User", "administrator")));
        assert!(denied(house.update(&manager, "User", ADMINISTRATOR, json!({"new_password": "a pass phrase 9 of mine"}))));
        assert!(denied(house.delete(&manager, "User", ADMINISTRATOR).map(|()| Value::Null)));
        assert_eq!(house.list(&manager, "User", json!({"filters": {"name": ADMINISTRATOR}})), Ok(json!([])));
        assert!(house.read(&house.caller(ADMINISTRATOR), "User", ADMINISTRATOR).is_ok());
    }
}
