//! The doors through which lists, counts, single values and pages are asked for; each must answer as the model does.

use serde_json::{Map, Value};

use super::keeps_secrets;
use super::questions::{Answer, Path, Question, Shown, canonical};
use super::world::{DOCTYPES, GUEST, USERS, World};
use crate::support::{Caller, Reply, Request};

/// The rows of a list, by their keys.
type Rows = Vec<Map<String, Value>>;

/// A way to ask for a list: its request, and its rows.
pub struct Door {
    pub name: &'static str,
    /// Whether guests may knock at all.
    pub guests: bool,
    request: fn(&Caller, &'static str, &[(&str, &str)]) -> Request,
    rows: fn(&Reply, &[String]) -> Rows,
}

/// The doors through which lists are asked for; each must answer alike.
pub const DOORS: &[Door] = &[
    Door {
        name: "/api/resource",
        guests: true,
        request: |caller, doctype, parameters| caller.get(&format!("/api/resource/{doctype}")).query(parameters),
        rows: |reply, _| objects(&reply.data()),
    },
    Door {
        name: "/api/v2/document",
        guests: true,
        request: |caller, doctype, parameters| caller.get(&format!("/api/v2/document/{doctype}")).query(parameters),
        rows: |reply, _| objects(&reply.data()),
    },
    Door {
        name: "/api/resource with as_dict=0",
        guests: true,
        request: |caller, doctype, parameters| {
            caller.get(&format!("/api/resource/{doctype}")).query(&[parameters, &[("as_dict", "0")]].concat())
        },
        rows: |reply, keys| lists(&reply.data(), keys),
    },
    Door {
        name: "frappe.client.get_list",
        guests: false,
        request: |caller, doctype, parameters| {
            caller.get("/api/method/frappe.client.get_list").query(&[parameters, &[("doctype", doctype)]].concat())
        },
        rows: |reply, _| objects(&reply.message()),
    },
    Door {
        name: "frappe.desk.reportview.get_list",
        guests: false,
        request: |caller, doctype, parameters| {
            caller.post("/api/method/frappe.desk.reportview.get_list").form(&[parameters, &[("doctype", doctype)]].concat())
        },
        rows: |reply, _| objects(&reply.message()),
    },
    Door {
        name: "frappe.desk.reportview.get",
        guests: false,
        request: |caller, doctype, parameters| {
            caller.get("/api/method/frappe.desk.reportview.get").query(&[parameters, &[("doctype", doctype)]].concat())
        },
        rows: |reply, keys| {
            let message = reply.message();
            if message.is_array() {
                return Vec::new();
            }
            let told: Vec<String> = serde_json::from_value(message["keys"].clone()).expect("keys");
            assert_eq!(told, keys, "{}", reply.text());
            lists(&message["values"], keys)
        },
    },
];

impl Door {
    /// Asks, and compares what comes back with what the model says.
    pub async fn agrees(&self, caller: &Caller, user: usize, world: &World, question: &Question) {
        let parameters = question.parameters();
        let sent: Vec<(&str, &str)> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let reply = (self.request)(caller, DOCTYPES[question.doctype], &sent).send().await;
        let what = || {
            let user = USERS[user];
            format!("{} {} {parameters:?} as {user}: {}\n{world:#?}", self.name, DOCTYPES[question.doctype], reply.text())
        };
        keeps_secrets(&reply, user, world, &format!("{parameters:?}"), &what);
        let answer = if user == GUEST && !self.guests { Answer::Refused([403].into()) } else { world.answer(user, question) };
        match answer {
            Answer::Refused(statuses) => assert!(statuses.contains(&reply.status), "not {statuses:?}: {}", what()),
            Answer::Rows { keys, rows, ordered } => {
                assert_eq!(reply.status, 200, "{}", what());
                let mut found: Vec<String> = (self.rows)(&reply, &keys).iter().map(canonical).collect();
                let mut expected: Vec<String> = rows.iter().map(canonical).collect();
                if !ordered {
                    found.sort();
                    expected.sort();
                }
                assert_eq!(found, expected, "{}", what());
            }
        }
    }
}

fn objects(rows: &Value) -> Rows {
    rows.as_array().expect("a list").iter().map(|row| row.as_object().expect("an object").clone()).collect()
}

fn lists(rows: &Value, keys: &[String]) -> Rows {
    let row = |row: &Value| {
        let values = row.as_array().expect("a list");
        assert_eq!(values.len(), keys.len(), "{rows}");
        keys.iter().cloned().zip(values.iter().cloned()).collect()
    };
    rows.as_array().expect("a list").iter().map(row).collect()
}

/// Counts, through each of their doors.
pub async fn counts_agree(caller: &Caller, user: usize, world: &World, question: &Question) {
    let parameters = question.parameters();
    let mut sent: Vec<(&str, &str)> =
        parameters.iter().filter(|(name, _)| name.contains("filters")).map(|(name, value)| (*name, value.as_str())).collect();
    sent.push(("doctype", DOCTYPES[question.doctype]));
    let without_or: Vec<(&str, &str)> = sent.iter().copied().filter(|(name, _)| *name != "or_filters").collect();
    let only_filters = Question { or_filters: Vec::new(), ..question.clone() };
    let v2 = caller.get(&format!("/api/v2/doctype/{}/count", DOCTYPES[question.doctype])).query(&without_or[..without_or.len() - 1]);
    let client = caller.get("/api/method/frappe.client.get_count").query(&without_or);
    let reportview = caller.get("/api/method/frappe.desk.reportview.get_count").query(&sent);
    for (name, request, asked, guests) in
        [("v2", v2, &only_filters, true), ("client", client, &only_filters, false), ("reportview", reportview, question, false)]
    {
        let reply = request.send().await;
        let what = || format!("count by {name} {sent:?} as {}: {}\n{world:#?}", USERS[user], reply.text());
        let answer = if user == GUEST && !guests { Answer::Refused([403].into()) } else { world.count(user, asked) };
        match answer {
            Answer::Refused(statuses) => assert!(statuses.contains(&reply.status), "not {statuses:?}: {}", what()),
            Answer::Rows { rows, .. } => {
                assert_eq!(reply.status, 200, "{}", what());
                let found = if name == "v2" { reply.data() } else { reply.message() };
                assert_eq!(Some(&found), rows[0].values().next(), "{}", what());
            }
        }
    }
}

/// `frappe.client.get_value`: one row of the same list.
pub async fn values_agree(caller: &Caller, user: usize, world: &World, question: &Question) {
    let fields: Vec<Path> = question.fields.iter().filter_map(Shown::path).filter(|path| matches!(path, Path::Own(_))).cloned().collect();
    if fields.is_empty() {
        return;
    }
    let mut shown: Vec<Shown> = Vec::new();
    for path in fields {
        let one = Shown::Field(path);
        if !shown.contains(&one) {
            shown.push(one);
        }
    }
    let asked = Question { fields: shown, or_filters: Vec::new(), order: None, groups: Vec::new(), distinct: false, ..question.clone() };
    let names = Value::from(asked.fields.iter().map(Shown::key).collect::<Vec<_>>()).to_string();
    let parameters = asked.parameters();
    let mut sent = vec![("doctype", DOCTYPES[asked.doctype]), ("fieldname", names.as_str())];
    sent.extend(parameters.iter().filter(|(name, _)| *name == "filters").map(|(name, value)| (*name, value.as_str())));
    let reply = caller.get("/api/method/frappe.client.get_value").query(&sent).send().await;
    let what = || format!("get_value {sent:?} as {}: {}\n{world:#?}", USERS[user], reply.text());
    keeps_secrets(&reply, user, world, &format!("{sent:?}"), &what);
    let answer = if user == GUEST { Answer::Refused([403].into()) } else { world.answer(user, &asked) };
    match answer {
        Answer::Refused(statuses) => assert!(statuses.contains(&reply.status), "not {statuses:?}: {}", what()),
        Answer::Rows { rows, ordered, .. } => {
            assert_eq!(reply.status, 200, "{}", what());
            let found = canonical(reply.message().as_object().expect("an object"));
            let mut expected: Vec<String> = rows.iter().map(canonical).collect();
            expected.truncate(if ordered { 1 } else { usize::MAX });
            if expected.is_empty() {
                expected.push(String::new());
            }
            assert!(expected.contains(&found), "{}", what());
        }
    }
}

/// Pages of two rows, one after the other, are the list; nothing in a cursor is anything that its reader may not
/// see, and the cursor of someone who sees more shows no more.
pub async fn pages_agree(caller: &Caller, administrator: &Caller, user: usize, world: &World, question: &Question) {
    if !question.is_plain() || question.fields.iter().any(|shown| matches!(shown.path(), Some(Path::Item(_)))) {
        return;
    }
    let Answer::Rows { rows, ordered, .. } = world.answer(user, question) else { return };
    let parameters = question.parameters();
    let mut sent: Vec<(&str, &str)> =
        parameters.iter().filter(|(name, _)| *name != "limit_page_length").map(|(name, value)| (*name, value.as_str())).collect();
    sent.push(("limit", "2"));
    let address = format!("/api/v2/document/{}", DOCTYPES[question.doctype]);
    let expected: Vec<String> = rows.iter().map(canonical).collect();
    let (mut found, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let asked: Vec<(&str, &str)> = sent.iter().copied().chain(cursor.as_deref().map(|cursor| ("cursor", cursor))).collect();
        let reply = caller.get(&address).query(&asked).send().await;
        let what = || format!("pages of {asked:?} as {}: {}\n{world:#?}", USERS[user], reply.text());
        assert_eq!(reply.status, 200, "{}", what());
        found.extend(objects(&reply.data()).iter().map(canonical));
        keeps_secrets(&reply, user, world, &format!("{sent:?}"), &what);
        let next = reply.json()["next_cursor"].as_str().map(str::to_owned);
        let Some(next) = next else { break };
        let read = base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, &next).expect("base64");
        let read = String::from_utf8(read).expect("text");
        for secret in world.secrets(user) {
            assert!(!read.contains(secret), "{secret} in the cursor {read} of {}", what());
        }
        assert!(found.len() <= expected.len(), "{}", what());
        cursor = Some(next);
    }
    // An order that no cursor can go on in has one page only.
    let whole = expected.len() <= 2 || found.len() > 2;
    if whole && ordered {
        assert_eq!(found, expected, "{sent:?} as {user}\n{world:#?}");
    } else {
        assert!(found.iter().all(|row| expected.contains(row)), "{sent:?} as {user}\n{world:#?}");
    }
    let others = administrator.get(&address).query(&sent).send().await.expect_status(200).json()["next_cursor"].clone();
    if let Some(cursor) = others.as_str() {
        let reply = caller.get(&address).query(&sent).query(&[("cursor", cursor)]).send().await;
        let what = || format!("the administrator's cursor {sent:?} as {}: {}\n{world:#?}", USERS[user], reply.text());
        keeps_secrets(&reply, user, world, &format!("{sent:?}"), &what);
        match reply.status {
            200 => assert!(objects(&reply.data()).iter().all(|row| expected.contains(&canonical(row))), "{}", what()),
            status => assert_eq!(status, 417, "{}", what()),
        }
    }
}
