//! Nobody sees, counts or infers what the permission model denies, and everybody sees what it allows.
//!
//! Contract 7.4 stands here a second time, as a few loops over documents in memory ([`World`]). Random
//! permission rows, levels, User Permissions, shares, owners and links are put into the server, and
//! everyone asks for everything through every door of [`DOORS`]: with filters, orders and single
//! documents as oracles. A failure prints the case.

use std::collections::{BTreeMap, BTreeSet};

use ostiary::cx::Cx;
use ostiary::doctype::{DocType, FieldValue, Origin, Registry, Values};
use ostiary::error::AppError;
use ostiary::store::documents::{self, Stamp};
use ostiary::store::epochs;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

use crate::both_databases;
use crate::support::{Caller, Reply, Request, TestApp};

both_databases!(nobody_sees_more_or_less_than_the_permission_model_says);

/// Cases on each database.
const CASES: usize = 10;

const USERS: [&str; 5] = ["amina@example.com", "boris@example.com", "chen@example.com", "Guest", "Administrator"];
const ROLES: [&str; 4] = ["Rho", "Sigma", "All", "Guest"];
/// The roles of each user; Administrator needs none.
const ROLES_OF: [&[&str]; 5] =
    [&["Rho", "All", "Guest"], &["Sigma", "All", "Guest"], &["Rho", "Sigma", "All", "Guest"], &["Guest"], &["All", "Guest"]];
const ADMINISTRATOR: usize = 4;
const GUEST: usize = 3;

const REGION: usize = 0;
const DOCTYPES: [&str; 3] = ["Region", "Client", "Deal"];
const RIGHTS: [&str; 6] = ["select", "read", "write", "create", "delete", "share"];

/// A field of a document: name, type, options, level, and whether User Permissions leave it alone.
type FieldSpec = (&'static str, &'static str, &'static str, u8, bool);
const FIELDS: [&[FieldSpec]; 3] = [
    &[("title", "Data", "", 0, false), ("parent_region", "Link", "Region", 0, false), ("hidden", "Data", "", 1, false)],
    &[
        ("title", "Data", "", 0, false),
        ("region", "Link", "Region", 0, false),
        ("note", "Data", "", 0, false),
        ("hidden", "Data", "", 1, false),
    ],
    &[
        ("title", "Data", "", 0, false),
        ("client", "Link", "Client", 0, false),
        ("other", "Link", "Client", 0, true),
        ("about_type", "Link", "DocType", 0, false),
        ("about", "Dynamic Link", "about_type", 0, false),
        ("note", "Data", "", 0, false),
        ("hidden", "Data", "", 1, false),
        ("deep", "Int", "", 2, false),
    ],
];
/// What `select` gives besides the name.
const SELECTABLE: [&[&str]; 3] = [&["title"], &["title", "region"], &["title"]];
const STANDARD: [&str; 7] = ["name", "owner", "creation", "modified", "modified_by", "docstatus", "idx"];
/// The tree: name, parent, lft, rgt.
const REGIONS: [(&str, Option<usize>, i64, i64); 4] =
    [("World", None, 1, 8), ("North", Some(0), 2, 5), ("Summit", Some(1), 3, 4), ("South", Some(0), 6, 7)];

/// A way to ask for a list: its request, and where the rows are in its answer.
struct Door {
    name: &'static str,
    request: fn(&Caller, doctype: &str, parameters: &[(&str, &str)]) -> Request,
    rows: fn(&Reply) -> Value,
}

/// The doors through which lists are asked for; each must answer alike.
const DOORS: &[Door] = &[
    Door {
        name: "/api/resource",
        request: |caller, doctype, parameters| caller.get(&format!("/api/resource/{doctype}")).query(parameters),
        rows: Reply::data,
    },
    Door {
        name: "/api/v2/document",
        request: |caller, doctype, parameters| caller.get(&format!("/api/v2/document/{doctype}")).query(parameters),
        rows: Reply::data,
    },
];

/// One row of a doctype's permissions.
#[derive(Clone, Debug)]
struct Row {
    role: usize,
    level: u8,
    if_owner: bool,
    rights: [bool; 6],
}

impl Row {
    fn gives(&self, right: &str) -> bool {
        let is = |right: &str| RIGHTS.iter().position(|known| *known == right).is_some_and(|at| self.rights[at]);
        is(right) || (right == "select" && is("read"))
    }
}

#[derive(Clone, Debug)]
struct UserPermission {
    user: usize,
    allow: usize,
    value: usize,
    applicable_for: Option<usize>,
    hide_descendants: bool,
}

#[derive(Clone, Debug)]
struct Share {
    /// `None`: everyone.
    user: Option<usize>,
    doctype: usize,
    document: usize,
    write: bool,
}

#[derive(Clone, Debug)]
struct Document {
    doctype: usize,
    name: String,
    owner: usize,
    fields: BTreeMap<&'static str, Value>,
    /// The region and the level-1 cost of each row of `items`.
    items: Vec<(Option<usize>, String)>,
}

/// Everything that decides who may do what, and the rules of contract 7.4 over it.
#[derive(Clone, Debug)]
struct World {
    rows: Vec<Vec<Row>>,
    documents: Vec<Document>,
    user_permissions: Vec<UserPermission>,
    shares: Vec<Share>,
    strict: bool,
}

impl World {
    /// The documents of a doctype, in the order in which they were made.
    fn of(&self, doctype: usize) -> impl Iterator<Item = &Document> {
        self.documents.iter().filter(move |document| document.doctype == doctype)
    }

    fn nth(&self, doctype: usize, index: usize) -> &Document {
        let count = self.of(doctype).count();
        self.of(doctype).nth(index % count).expect("there are some of each")
    }

    /// The rows of a level that a user's roles give, for a right.
    fn rows<'a>(&'a self, user: usize, doctype: usize, level: u8, right: &'a str) -> impl Iterator<Item = &'a Row> {
        self.rows[doctype].iter().filter(move |row| row.level == level && row.gives(right) && ROLES_OF[user].contains(&ROLES[row.role]))
    }

    /// Whether a user may do something with a document.
    fn may(&self, user: usize, document: &Document, right: &str) -> bool {
        if user == ADMINISTRATOR {
            return true;
        }
        let for_all = self.rows(user, document.doctype, 0, right).any(|row| !row.if_owner);
        let for_owners = self.rows(user, document.doctype, 0, right).any(|row| row.if_owner);
        let by_role = if for_all { self.passes_user_permissions(user, document) } else { for_owners && document.owner == user };
        by_role || self.is_shared(user, document, right)
    }

    /// A document is created by whoever has a row that creates and leaves its links within their User Permissions.
    fn may_create(&self, user: usize, document: &Document) -> bool {
        user == ADMINISTRATOR
            || (self.rows(user, document.doctype, 0, "create").next().is_some() && self.passes_user_permissions(user, document))
    }

    fn is_shared(&self, user: usize, document: &Document, right: &str) -> bool {
        self.shares.iter().any(|share| {
            let with = share.user.map_or(user != GUEST, |with| with == user);
            let gives = match right {
                "select" | "read" => true,
                "write" => share.write,
                _ => false,
            };
            with && gives && share.doctype == document.doctype && self.nth(share.doctype, share.document).name == document.name
        })
    }

    fn passes_user_permissions(&self, user: usize, document: &Document) -> bool {
        let within = |target: usize, name: &str| self.allowed(user, target, document.doctype).is_none_or(|names| names.contains(name));
        let link = |target: usize, value: Option<&str>| match value {
            Some(name) => within(target, name),
            None => !self.strict || self.allowed(user, target, document.doctype).is_none(),
        };
        let target = |options: &str| DOCTYPES.iter().position(|doctype| *doctype == options);
        within(document.doctype, &document.name)
            && FIELDS[document.doctype].iter().all(|(name, fieldtype, options, _, ignored)| match target(options) {
                Some(target) if *fieldtype == "Link" && !ignored => link(target, document.fields.get(name).and_then(Value::as_str)),
                _ => true,
            })
            && document.items.iter().all(|(region, _)| link(REGION, region.map(|region| REGIONS[region].0)))
    }

    /// The documents of `target` that a user may use in documents of `doctype`; `None`: all.
    fn allowed(&self, user: usize, target: usize, doctype: usize) -> Option<BTreeSet<String>> {
        let mut names = BTreeSet::new();
        for permission in &self.user_permissions {
            let applies = permission.applicable_for.is_none_or(|only| only == doctype);
            if permission.user != user || permission.allow != target || !applies {
                continue;
            }
            let named = self.nth(target, permission.value);
            names.insert(named.name.clone());
            if target == REGION && !permission.hide_descendants {
                let (_, _, from, to) = REGIONS[permission.value % REGIONS.len()];
                names.extend(REGIONS.iter().filter(|(_, _, lft, rgt)| from < *lft && *rgt < to).map(|(name, ..)| (*name).to_owned()));
            }
        }
        (!names.is_empty()).then_some(names)
    }

    /// Whether anything opens a doctype for a user at all.
    fn opens(&self, user: usize, doctype: usize, right: &str) -> bool {
        let shared = self.shares.iter().any(|share| share.doctype == doctype && share.user.map_or(user != GUEST, |with| with == user));
        user == ADMINISTRATOR || self.rows(user, doctype, 0, right).next().is_some() || shared
    }

    fn sees_level(&self, user: usize, doctype: usize, level: u8) -> bool {
        level == 0 || user == ADMINISTRATOR || self.rows(user, doctype, level, "read").next().is_some()
    }

    fn writes_level(&self, user: usize, doctype: usize, level: u8) -> bool {
        level == 0 || user == ADMINISTRATOR || self.rows(user, doctype, level, "write").next().is_some()
    }

    /// What a list answers: the names of its rows and the fields that each shows. `Err`: the status of the refusal.
    fn list(&self, user: usize, doctype: usize, ask: &Ask) -> Result<(BTreeSet<String>, BTreeSet<&str>), u16> {
        if !self.opens(user, doctype, "select") {
            return Err(403);
        }
        let reads = self.opens(user, doctype, "read");
        let selectable = |field: &str| field == "name" || SELECTABLE[doctype].contains(&field);
        let level = |field: &str| FIELDS[doctype].iter().find(|(name, ..)| *name == field).map_or(0, |(_, _, _, level, _)| *level);
        let usable =
            |field: &str| if user == ADMINISTRATOR || reads { self.sees_level(user, doctype, level(field)) } else { selectable(field) };
        let asked = [ask.filter.as_ref().map(|(field, _)| *field), ask.order];
        if asked.iter().flatten().any(|field| !usable(field)) {
            return Err(417);
        }
        let shown: BTreeSet<&str> = ask.fields.iter().copied().filter(|field| usable(field)).collect();
        let right = if shown.iter().chain(asked.iter().flatten()).all(|field| selectable(field)) { "select" } else { "read" };
        let holds = |document: &&Document| match &ask.filter {
            Some((field, value)) => document.fields.get(field) == Some(value),
            None => true,
        };
        let rows = self.of(doctype).filter(|document| self.may(user, document, right)).filter(holds);
        Ok((rows.map(|document| document.name.clone()).collect(), shown))
    }
}

/// A list that someone asks for.
struct Ask {
    fields: Vec<&'static str>,
    filter: Option<(&'static str, Value)>,
    order: Option<&'static str>,
}

fn row() -> impl Strategy<Value = Row> {
    let level = prop_oneof![5 => Just(0_u8), 2 => Just(1), 1 => Just(2)];
    let often = || prop::bool::weighted(0.6);
    (0..ROLES.len(), level, prop::bool::weighted(0.3), (often(), often(), often(), often(), often(), any::<bool>())).prop_map(
        |(role, level, if_owner, (select, read, write, create, delete, share))| Row {
            role,
            level,
            if_owner: if_owner && level == 0,
            rights: [select, read, write, create, delete, share],
        },
    )
}

fn world() -> impl Strategy<Value = World> {
    let rows = prop::collection::vec(prop::collection::vec(row(), 0..5), 3);
    let owner = || 0..USERS.len();
    let link = || prop::option::weighted(0.75, 0..4_usize);
    let clients = prop::collection::vec((owner(), link()), 4);
    let deals = prop::collection::vec((owner(), link(), link(), link(), prop::collection::vec(link(), 0..3)), 5);
    let user_permission = (0..4_usize, 0..3_usize, 0..4_usize, prop::option::weighted(0.3, 0..3_usize), any::<bool>()).prop_map(
        |(user, allow, value, applicable_for, hide_descendants)| UserPermission { user, allow, value, applicable_for, hide_descendants },
    );
    let share = (prop::option::weighted(0.8, 0..4_usize), 0..3_usize, 0..4_usize, any::<bool>())
        .prop_map(|(user, doctype, document, write)| Share { user, doctype, document, write });
    let (user_permissions, shares) = (prop::collection::vec(user_permission, 0..4), prop::collection::vec(share, 0..3));
    (rows, prop::collection::vec(owner(), 4), clients, deals, user_permissions, shares, prop::bool::weighted(0.3)).prop_map(
        |(rows, regions, clients, deals, user_permissions, shares, strict)| {
            let mut documents = Vec::new();
            for ((name, parent, ..), owner) in REGIONS.iter().zip(regions) {
                let mut fields = texts(name);
                fields.extend(parent.map(|parent| ("parent_region", json!(REGIONS[parent].0))));
                documents.push(Document { doctype: 0, name: (*name).to_owned(), owner, fields, items: Vec::new() });
            }
            for (index, (owner, region)) in clients.into_iter().enumerate() {
                let name = format!("Client {index}");
                let mut fields = texts(&name);
                fields.insert("note", json!(format!("note {}", index % 2)));
                fields.extend(region.map(|region| ("region", json!(REGIONS[region].0))));
                documents.push(Document { doctype: 1, name, owner, fields, items: Vec::new() });
            }
            for (index, (owner, client, other, about, items)) in deals.into_iter().enumerate() {
                let name = format!("Deal {index}");
                let mut fields = texts(&name);
                fields.insert("note", json!(format!("note {}", index % 2)));
                fields.insert("deep", json!(index % 3 + 1));
                fields.extend(client.map(|client| ("client", json!(format!("Client {client}")))));
                fields.extend(other.map(|other| ("other", json!(format!("Client {other}")))));
                if let Some(about) = about {
                    fields.extend([("about_type", json!("Client")), ("about", json!(format!("Client {about}")))]);
                }
                let items = items.into_iter().enumerate().map(|(at, region)| (region, format!("cost {at}"))).collect();
                documents.push(Document { doctype: 2, name, owner, fields, items });
            }
            World { rows, documents, user_permissions, shares, strict }
        },
    )
}

fn texts(name: &str) -> BTreeMap<&'static str, Value> {
    BTreeMap::from([("title", json!(format!("title of {name}"))), ("hidden", json!(format!("hidden of {name}")))])
}

/// The definition of a doctype with these permission rows, as a file would have it.
fn definition(doctype: usize, rows: &[Row]) -> String {
    let field = |(name, fieldtype, options, level, ignored): &FieldSpec| json!({ "fieldname": name, "label": name, "fieldtype": fieldtype, "options": options, "permlevel": level, "ignore_user_permissions": i32::from(*ignored) });
    let mut fields: Vec<Value> = FIELDS[doctype].iter().map(field).collect();
    if doctype == 2 {
        fields.push(json!({ "fieldname": "items", "label": "Items", "fieldtype": "Table", "options": "Deal Item" }));
    }
    let permission = |row: &Row| {
        let mut permission = json!({ "role": ROLES[row.role], "permlevel": row.level, "if_owner": i32::from(row.if_owner) });
        for (right, on) in RIGHTS.iter().zip(row.rights) {
            permission[*right] = json!(i32::from(on));
        }
        permission
    };
    let permissions: Vec<Value> = rows.iter().map(permission).collect();
    json!({
        "name": DOCTYPES[doctype],
        "autoname": "prompt",
        "is_tree": i32::from(doctype == REGION),
        "title_field": "title",
        "search_fields": SELECTABLE[doctype][1..].join(","),
        "fields": fields,
        "permissions": permissions,
    })
    .to_string()
}

fn item_definition() -> String {
    json!({ "name": "Deal Item", "istable": 1, "fields": [
        { "fieldname": "region", "label": "Region", "fieldtype": "Link", "options": "Region" },
        { "fieldname": "cost", "label": "Cost", "fieldtype": "Data", "permlevel": 1 },
    ] })
    .to_string()
}

/// Runs a flow in a transaction of its own, as the server does.
fn write(app: &TestApp, name: &'static str, mut flow: impl FnMut(&mut Cx) -> Result<(), AppError> + Send + 'static) {
    let env = std::sync::Arc::clone(app.env());
    let job = move |conn: &mut ostiary::store::Conn, effects: &mut ostiary::store::Effects| {
        flow(&mut Cx { conn, now: env.clock.now(), env: &env, effects })
    };
    app.db().write_blocking(name, job).expect("the database can be prepared");
}

/// Gives the server a world's doctypes and documents.
fn furnish(app: &TestApp, world: &World) {
    let mut registry = Registry::builtin();
    let mut add = |file: &str, text: &str| {
        registry.insert(file, DocType::parse(file, text, Origin::Site).expect("a valid definition")).expect("a new doctype");
    };
    add("item.json", &item_definition());
    for (doctype, rows) in world.rows.iter().enumerate() {
        add(DOCTYPES[doctype], &definition(doctype, rows));
    }
    app.env().set_doctypes(registry);
    let world = world.clone();
    write(app, "tables", ostiary::resource::ensure_tables);
    write(app, "documents", move |cx| {
        let registry = cx.env.doctypes();
        let (items, settings) = (registry.get("Deal Item").expect("added"), registry.get("System Settings").expect("shipped"));
        for document in &world.documents {
            let doctype = registry.get(DOCTYPES[document.doctype]).expect("added");
            let mut values = Values::default();
            for (name, value) in &document.fields {
                values.set(name, value.as_i64().map_or_else(|| text(value.as_str().expect("a text")), FieldValue::Int));
            }
            if let Some((_, _, lft, rgt)) = REGIONS.iter().find(|(name, ..)| document.doctype == REGION && *name == document.name) {
                values.set("lft", FieldValue::Int(*lft));
                values.set("rgt", FieldValue::Int(*rgt));
            }
            documents::insert_document(cx.conn, doctype, &document.name, Stamp { user: USERS[document.owner], at: cx.now }, &values)?;
            for (at, (region, cost)) in document.items.iter().enumerate() {
                let mut row = Values::default();
                for (name, value) in
                    [("parent", document.name.as_str()), ("parenttype", "Deal"), ("parentfield", "items"), ("cost", cost.as_str())]
                {
                    row.set(name, text(value));
                }
                row.set("region", region.map_or(FieldValue::Null, |region| text(REGIONS[region].0)));
                documents::insert_document(cx.conn, items, &format!("{} {at}", document.name), by_administrator(cx), &row)?;
            }
        }
        let mut strict = Values::default();
        strict.set("apply_strict_user_permissions", FieldValue::Int(world.strict.into()));
        documents::delete_document(cx.conn, settings, "System Settings")?;
        documents::insert_document(cx.conn, settings, "System Settings", by_administrator(cx), &strict)?;
        Ok(epochs::bump(cx.conn, cx.effects, cx.now, epochs::EVERYBODY)?)
    });
}

/// Takes a world's documents away again.
fn clear(app: &TestApp) {
    write(app, "clear", |cx| {
        let registry = cx.env.doctypes();
        for doctype in ["Deal Item", "Deal", "Client", "Region", "User Permission", "DocShare"] {
            let doctype = registry.get(doctype).expect("known");
            let filter = ostiary::doctype::Filter::always();
            let selection = documents::Selection {
                doctype,
                fields: &[("name", "name")],
                filter: &filter,
                order: &[],
                start: 0,
                limit: None,
                zone: cx.env.config.site.time_zone,
            };
            for row in documents::list_documents(cx.conn, &selection)? {
                let row: Value = serde_json::from_str(&row).expect("a row is JSON");
                documents::delete_document(cx.conn, doctype, row["name"].as_str().expect("a name"))?;
            }
        }
        Ok(())
    });
}

fn by_administrator(cx: &Cx) -> Stamp<'static> {
    Stamp { user: "Administrator", at: cx.now }
}

fn text(text: &str) -> FieldValue {
    FieldValue::Text(text.to_owned())
}

async fn nobody_sees_more_or_less_than_the_permission_model_says(app: TestApp) {
    let administrator = app.administrator().await;
    for role in &ROLES[..2] {
        administrator.post("/api/resource/Role").json(&json!({ "role_name": role, "desk_access": 0 })).send().await.expect_status(200);
    }
    let mut callers = Vec::new();
    for (user, roles) in USERS.iter().zip(ROLES_OF).take(3) {
        let given: Vec<&str> = roles.iter().copied().filter(|role| ROLES[..2].contains(role)).collect();
        callers.push(app.user_with_roles(user, &given).await.api_key().await);
    }
    callers.extend([app.anonymous(), administrator.clone()]);
    let mut runner = TestRunner::default();
    for _ in 0..CASES {
        let world = world().new_tree(&mut runner).expect("a value").current();
        furnish(&app, &world);
        grant(&administrator, &world).await;
        for (user, caller) in callers.iter().enumerate() {
            lists_agree(caller, user, &world).await;
            documents_agree(caller, user, &world).await;
        }
        let mut changing = world.clone();
        for (user, caller) in callers.iter().enumerate() {
            updates_agree(caller, &administrator, user, &world).await;
            creations_agree(caller, &administrator, user, &world).await;
        }
        for (user, caller) in callers.iter().enumerate() {
            deletions_agree(caller, user, &mut changing, &world).await;
        }
        clear(&app);
    }
}

/// User Permissions and shares are documents, made as an administrator makes them.
async fn grant(administrator: &Caller, world: &World) {
    for permission in &world.user_permissions {
        let body = json!({
            "user": USERS[permission.user],
            "allow": DOCTYPES[permission.allow],
            "for_value": world.nth(permission.allow, permission.value).name,
            "apply_to_all_doctypes": i32::from(permission.applicable_for.is_none()),
            "applicable_for": permission.applicable_for.map(|doctype| DOCTYPES[doctype]),
            "hide_descendants": i32::from(permission.hide_descendants),
        });
        administrator.post("/api/resource/User%20Permission").json(&body).send().await.expect_status(200);
    }
    for share in &world.shares {
        let body = json!({
            "user": share.user.map(|user| USERS[user]),
            "everyone": i32::from(share.user.is_none()),
            "share_doctype": DOCTYPES[share.doctype],
            "share_name": world.nth(share.doctype, share.document).name,
            "read": 1,
            "write": i32::from(share.write),
        });
        administrator.post("/api/resource/DocShare").json(&body).send().await.expect_status(200);
    }
}

async fn lists_agree(caller: &Caller, user: usize, world: &World) {
    for (doctype, fields) in FIELDS.iter().enumerate() {
        let own: Vec<&'static str> = fields.iter().map(|(name, ..)| *name).collect();
        let all: Vec<&'static str> = STANDARD.into_iter().chain(own.iter().copied()).collect();
        let mut asks = vec![
            Ask { fields: vec!["name"], filter: None, order: None },
            Ask { fields: all, filter: None, order: None },
            Ask { fields: vec!["name", "title"], filter: None, order: Some("title") },
        ];
        for field in own {
            // What a document holds that may be hidden: the answer must not tell.
            let values: BTreeSet<String> =
                world.of(doctype).filter_map(|document| document.fields.get(field)).map(Value::to_string).collect();
            let value = |text: &String| serde_json::from_str(text).expect("it was written as JSON");
            asks.extend(values.iter().map(|text| Ask { fields: vec!["name"], filter: Some((field, value(text))), order: None }));
            asks.push(Ask { fields: vec!["name"], filter: None, order: Some(field) });
            asks.push(Ask { fields: vec!["name", field], filter: None, order: None });
        }
        for door in DOORS {
            for ask in &asks {
                list_agrees(door, caller, user, world, doctype, ask).await;
            }
        }
    }
}

async fn list_agrees(door: &Door, caller: &Caller, user: usize, world: &World, doctype: usize, ask: &Ask) {
    let fields = json!(ask.fields).to_string();
    let filters = ask.filter.as_ref().map(|(field, value)| json!([[field, "=", value]]).to_string());
    let mut parameters = vec![("fields", fields.as_str()), ("limit_page_length", "0")];
    parameters.extend(filters.as_deref().map(|filters| ("filters", filters)));
    parameters.extend(ask.order.map(|order| ("order_by", order)));
    let reply = (door.request)(caller, DOCTYPES[doctype], &parameters).send().await;
    let what = || format!("{} {} {parameters:?} as {}: {}\n{world:#?}", door.name, DOCTYPES[doctype], USERS[user], reply.text());
    if ask.fields == ["name"] && ask.order.is_none() {
        let mut parameters = vec![("limit_page_length", "0")];
        parameters.extend(filters.as_deref().map(|filters| ("filters", filters)));
        let count = caller.get(&format!("/api/v2/doctype/{}/count", DOCTYPES[doctype])).query(&parameters).send().await;
        match world.list(user, doctype, ask) {
            Err(status) => assert_eq!(count.status, status, "count: {}", what()),
            Ok((names, _)) => assert_eq!(count.data(), json!(names.len()), "count: {}", what()),
        }
    }
    match world.list(user, doctype, ask) {
        Err(status) => assert_eq!(reply.status, status, "{}", what()),
        Ok((names, shown)) => {
            assert_eq!(reply.status, 200, "{}", what());
            let rows = (door.rows)(&reply);
            let rows = rows.as_array().expect("a list");
            for row in rows {
                let keys: BTreeSet<&str> = row.as_object().expect("an object").keys().map(String::as_str).collect();
                assert_eq!(keys, shown, "{}", what());
            }
            if shown.contains("name") {
                let found: Vec<&str> = rows.iter().map(|row| row["name"].as_str().expect("a name")).collect();
                assert_eq!(found.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(), names, "{}", what());
                assert_eq!(found.len(), names.len(), "{}", what());
            }
        }
    }
}

/// The path of a document.
fn path(document: &Document) -> String {
    format!("/api/resource/{}/{}", DOCTYPES[document.doctype], document.name.replace(' ', "%20"))
}

async fn documents_agree(caller: &Caller, user: usize, world: &World) {
    for document in &world.documents {
        let reply = caller.get(&path(document)).send().await;
        let what = || format!("{} as {}: {}\n{world:#?}", document.name, USERS[user], reply.text());
        if !world.may(user, document, "read") {
            assert_eq!(reply.status, 403, "{}", what());
            assert!(!reply.text().contains("hidden of") && !reply.text().contains("title of"), "{}", what());
            continue;
        }
        assert_eq!(reply.status, 200, "{}", what());
        let shown = reply.data();
        for (field, _, _, level, _) in FIELDS[document.doctype] {
            let expected = document.fields.get(field).filter(|_| world.sees_level(user, document.doctype, *level));
            assert_eq!(shown.get(field), expected, "{field} of {}", what());
        }
        let costs: Vec<Option<&str>> = shown["items"].as_array().into_iter().flatten().map(|row| row["cost"].as_str()).collect();
        let sees_costs = world.sees_level(user, document.doctype, 1);
        let expected: Vec<Option<&str>> = document.items.iter().map(|(_, cost)| Some(cost.as_str()).filter(|_| sees_costs)).collect();
        assert_eq!(costs, expected, "{}", what());
    }
}

/// What is stored, as nobody is kept from seeing it.
async fn stored(administrator: &Caller, document: &Document) -> Map<String, Value> {
    administrator.get(&path(document)).send().await.expect_status(200).data().as_object().expect("a document").clone()
}

async fn updates_agree(caller: &Caller, administrator: &Caller, user: usize, world: &World) {
    for document in &world.documents {
        let before = stored(administrator, document).await;
        // A title decides nothing, and the levels of the other two may be out of reach.
        let body = json!({ "title": document.fields["title"], "hidden": "taken over" });
        let reply = caller.put(&path(document)).json(&body).send().await;
        let what = || format!("update {} as {}: {}\n{world:#?}", document.name, USERS[user], reply.text());
        let after = stored(administrator, document).await;
        if !world.may(user, document, "write") {
            assert_eq!(reply.status, 403, "{}", what());
            assert_eq!(before, after, "{}", what());
            continue;
        }
        assert_eq!(reply.status, 200, "{}", what());
        let writes = world.writes_level(user, document.doctype, 1);
        assert_eq!(after["hidden"] == "taken over", writes, "{}", what());
        let shown = reply.data();
        let sees = world.may(user, document, "read") && world.sees_level(user, document.doctype, 1);
        assert_eq!(shown.get("hidden").is_some(), sees, "{}", what());
        if !world.may(user, document, "read") {
            assert!(FIELDS[document.doctype].iter().all(|(field, ..)| shown.get(field).is_none()), "{}", what());
        }
        if writes {
            let back = json!({ "hidden": document.fields["hidden"] });
            administrator.put(&path(document)).json(&back).send().await.expect_status(200);
        }
        // A link may not be turned to where the writer could not have put it.
        if document.doctype == 1 {
            for (region, ..) in REGIONS {
                let mut turned = document.clone();
                turned.fields.insert("region", json!(region));
                let reply = caller.put(&path(document)).json(&json!({ "region": region })).send().await;
                let expected = if world.may(user, &turned, "write") { 200 } else { 403 };
                assert_eq!(reply.status, expected, "region {region} of {}", what());
            }
            administrator.put(&path(document)).json(&json!({ "region": document.fields.get("region") })).send().await.expect_status(200);
        }
    }
}

async fn creations_agree(caller: &Caller, administrator: &Caller, user: usize, world: &World) {
    for region in REGIONS.iter().map(|(name, ..)| Some(*name)).chain([None, Some("Nowhere")]) {
        let mut fields = texts("New");
        fields.extend(region.map(|region| ("region", json!(region))));
        let document = Document { doctype: 1, name: "New one".into(), owner: user, fields, items: Vec::new() };
        let body = json!({ "name": "New one", "title": "title of New", "hidden": "hidden of New", "region": region });
        let reply = caller.post("/api/resource/Client").json(&body).send().await;
        let what = || format!("create in {region:?} as {}: {}\n{world:#?}", USERS[user], reply.text());
        let opens = user == ADMINISTRATOR || world.rows(user, 1, 0, "create").next().is_some();
        let expected = match region {
            // What is not there is refused as what may not be used, where there is a difference to hide.
            Some("Nowhere") if opens && world.allowed(user, REGION, 1).is_none_or(|_| user == ADMINISTRATOR) => 417,
            _ if world.may_create(user, &document) => 200,
            _ => 403,
        };
        assert_eq!(reply.status, expected, "{}", what());
        let there = administrator.get(&path(&document)).send().await;
        assert_eq!(there.status, if expected == 200 { 200 } else { 404 }, "{}", what());
        if expected == 200 {
            let hidden = there.data().get("hidden").is_some();
            assert_eq!(hidden, world.writes_level(user, 1, 1), "{}", what());
            administrator.delete(&path(&document)).send().await.expect_status(202);
        }
    }
}

async fn deletions_agree(caller: &Caller, user: usize, left: &mut World, world: &World) {
    // Deals name the others, so they go first.
    for document in world.documents.iter().rev() {
        if !left.documents.iter().any(|other| other.name == document.name) {
            continue;
        }
        let reply = caller.delete(&path(document)).send().await;
        let what = || format!("delete {} as {}: {}\n{world:#?}", document.name, USERS[user], reply.text());
        if !world.may(user, document, "delete") {
            assert_eq!(reply.status, 403, "{}", what());
            continue;
        }
        if reply.status == 202 {
            left.documents.retain(|other| other.name != document.name);
            continue;
        }
        // Something names it; which document that is, only who may read it hears.
        assert_eq!(reply.status, 417, "{}", what());
        let said = reply.text();
        for other in world.documents.iter().filter(|other| other.name != document.name && !world.may(user, other, "read")) {
            assert!(!said.contains(&other.name), "{} in {}", other.name, what());
        }
    }
}
