//! How a world comes into the server, and out of it again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ostiary::auth::Caller as Asker;
use ostiary::cx::Cx;
use ostiary::doctype::filter::Operation;
use ostiary::doctype::{DocType, FieldValue, Filter, Origin, Values};
use ostiary::error::AppError;
use ostiary::resource::Action;
use ostiary::resource::doctypes::keep;
use ostiary::resource::hooks::DocumentHooks;
use ostiary::store::documents::{self, Stamp};
use ostiary::store::epochs;
use serde_json::{Map, Value, json};

use super::world::{CLIENT, DEAL, DOCTYPES, FIELDS, FieldSpec, REGION, REGIONS, RIGHTS, ROLES, Row, USERS, VETOED, World};
use crate::support::{Caller, TestApp};

/// The definition of a doctype with these permission rows, as a file would have it.
fn definition(world: &World, doctype: usize) -> String {
    let field = |(name, fieldtype, options, level, ignored): &FieldSpec| json!({ "fieldname": name, "label": name, "fieldtype": fieldtype, "options": options, "permlevel": level, "ignore_user_permissions": i32::from(*ignored) });
    let mut fields: Vec<Value> = FIELDS[doctype].iter().map(field).collect();
    if doctype == DEAL {
        fields.push(json!({ "fieldname": "items", "label": "Items", "fieldtype": "Table", "options": "Deal Item" }));
    }
    let permission = |row: &Row| {
        let mut permission = json!({ "role": ROLES[row.role], "permlevel": row.level, "if_owner": i32::from(row.if_owner) });
        for (right, on) in RIGHTS.iter().zip(row.rights) {
            permission[*right] = json!(i32::from(on));
        }
        permission
    };
    let permissions: Vec<Value> = world.rows[doctype].iter().map(permission).collect();
    let look = &world.looks[doctype];
    json!({
        "name": DOCTYPES[doctype],
        "autoname": "prompt",
        "is_tree": i32::from(doctype == REGION),
        "is_submittable": i32::from(doctype == DEAL),
        "allow_import": i32::from(doctype == CLIENT),
        "allow_rename": 1,
        "sort_field": look.sort_field,
        "sort_order": "DESC",
        "title_field": look.title_field,
        "show_title_field_in_link": 1,
        "search_fields": world.search_fields(doctype).join(","),
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

/// An embedder's hook, which closes some deals while it is on.
pub struct Veto(pub Arc<AtomicBool>);

impl DocumentHooks for Veto {
    fn doctype(&self) -> &str {
        "Deal"
    }

    fn has_permission(&self, _: &mut Cx, _: &Asker, _: Action, document: &Map<String, Value>) -> Result<bool, AppError> {
        Ok(!self.0.load(Ordering::SeqCst) || document.get("note").is_none_or(|note| note != VETOED))
    }

    fn permission_filter(&self, _: &mut Cx, _: &Asker, _: Action) -> Result<Option<Filter>, AppError> {
        Ok(self.0.load(Ordering::SeqCst).then(|| Filter::on("note", Operation::NotEqual(text(VETOED)))))
    }
}

/// Runs a flow in a transaction of its own, as the server does.
fn write(app: &TestApp, name: &'static str, mut flow: impl FnMut(&mut Cx) -> Result<(), AppError> + Send + 'static) {
    let env = Arc::clone(app.env());
    let job = move |conn: &mut ostiary::store::Conn, effects: &mut ostiary::store::Effects| {
        flow(&mut Cx { conn, now: env.clock.now(), env: &env, effects })
    };
    app.db().write_blocking(name, job).expect("the database can be prepared");
}

/// Gives the server a world's doctypes and documents.
pub fn furnish(app: &TestApp, world: &World) {
    let read = |file: &str, text: &str| Arc::new(DocType::parse(file, text, Origin::Site).expect("a valid definition"));
    let mut doctypes = vec![read("item.json", &item_definition())];
    doctypes.extend((0..DOCTYPES.len()).map(|doctype| read(DOCTYPES[doctype], &definition(world, doctype))));
    write(app, "doctypes", move |cx| doctypes.iter().try_for_each(|doctype| keep(cx, doctype, "Administrator").map(drop)));
    let world = world.clone();
    write(app, "documents", move |cx| put_documents(cx, &world));
    // What is searched is not kept by whoever writes past the flows.
    while ostiary::search::index::go_on(app.db(), app.env()).expect("documents can be looked at") {}
}

fn put_documents(cx: &mut Cx, world: &World) -> Result<(), AppError> {
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
        let at = cx.now.minus(Duration::from_secs(60)).plus(Duration::from_secs(document.modified));
        documents::insert_document(cx.conn, doctype, &document.name, Stamp { user: USERS[document.owner], at }, &values)?;
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
    let mut switches = Values::default();
    switches.set("apply_strict_user_permissions", FieldValue::Int(world.strict.into()));
    switches.set("disable_document_sharing", FieldValue::Int(world.sharing_is_off.into()));
    documents::delete_document(cx.conn, settings, "System Settings")?;
    documents::insert_document(cx.conn, settings, "System Settings", by_administrator(cx), &switches)?;
    Ok(epochs::bump(cx.conn, cx.effects, cx.now, epochs::EVERYBODY)?)
}

/// Makes a deal the draft that it was.
pub fn draft_again(app: &TestApp, name: &str) {
    let name = name.to_owned();
    write(app, "draft again", move |cx| {
        let registry = cx.env.doctypes();
        let mut values = Values::default();
        values.set("docstatus", FieldValue::Int(0));
        let deal = registry.get("Deal").expect("added");
        Ok(documents::update_document(cx.conn, deal, &name, by_administrator(cx), &values).map(drop)?)
    });
}

/// Takes a world's documents away again.
pub fn clear(app: &TestApp) {
    write(app, "clear", |cx| {
        let registry = cx.env.doctypes();
        for doctype in ["Deal Item", "Deal", "Client", "Region", "User Permission", "DocShare", "Report"] {
            let doctype = registry.get(doctype).expect("known");
            let filter = Filter::always();
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
                let name = row["name"].as_str().expect("a name");
                documents::delete_document(cx.conn, doctype, name)?;
                ostiary::store::search::delete_document(cx.conn, &doctype.name, name)?;
            }
            ostiary::store::search::delete_progress(cx.conn, &doctype.name)?;
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

/// User Permissions and shares are documents, made as an administrator makes them.
pub async fn grant(administrator: &Caller, world: &World) {
    for permission in &world.user_permissions {
        let body = json!({
            "user": USERS[permission.user],
            "allow": DOCTYPES[permission.allow],
            "for_value": world.nth(permission.allow, permission.value).name,
            "apply_to_all_doctypes": i32::from(permission.applicable_for.is_none()),
            "applicable_for": permission.applicable_for.map(|doctype| DOCTYPES[doctype]),
            "hide_descendants": i32::from(permission.hide_descendants),
            "is_default": i32::from(permission.is_default),
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
            "submit": i32::from(share.submit && share.doctype == DEAL),
            "share": i32::from(share.share),
        });
        administrator.post("/api/resource/DocShare").json(&body).send().await.expect_status(200);
    }
}
