//! What is named while it is deleted or renamed, and what is shared by several at once: the second waits for the first.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ostiary::auth::Caller as Asking;
use ostiary::cx::Cx;
use ostiary::error::AppError;
use ostiary::resource::Action;
use ostiary::resource::hooks::{DocumentHooks, Written};
use serde_json::{Map, Value, json};
use tokio::task::{JoinHandle, JoinSet};

use super::assert_refused;
use crate::both_databases;
use crate::support::{Caller, Request, Setup, TestApp, all_rights, define, field};

both_databases!(
    what_is_being_named_is_not_deleted,
    what_is_being_named_is_renamed_with_the_link,
    what_is_being_deleted_is_not_named,
    what_a_submitted_document_is_about_to_name_is_not_cancelled,
    a_share_of_what_is_deleted_at_the_same_time_goes_with_it,
    a_file_of_what_is_deleted_at_the_same_time_goes_with_it,
    shares_with_one_user_that_are_made_at_once_are_one,
);

const PLACE: &str = "/api/resource/Place";
const SIGN: &str = "/api/resource/Sign";

/// Where a request stands still for a while, once somebody wants it to.
#[derive(Default)]
struct Pause {
    is_wanted: AtomicBool,
    is_reached: AtomicBool,
}

impl Pause {
    fn reach(&self) {
        if self.is_wanted.swap(false, Ordering::SeqCst) {
            self.is_reached.store(true, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(600));
        }
    }

    /// Sends a request, and returns once it stands still.
    async fn send(&self, request: Request) -> JoinHandle<crate::support::Reply> {
        self.is_reached.store(false, Ordering::SeqCst);
        self.is_wanted.store(true, Ordering::SeqCst);
        let asked = tokio::spawn(request.send());
        let started = Instant::now();
        while !self.is_reached.load(Ordering::SeqCst) {
            assert!(started.elapsed() < Duration::from_secs(20), "the request gets there");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        asked
    }
}

/// Signs stand still once they are stored.
struct Signs(Arc<Pause>);

impl DocumentHooks for Signs {
    fn doctype(&self) -> &str {
        "Sign"
    }
    fn on_update(&self, _cx: &mut Cx, _written: &Written<'_>) -> Result<(), AppError> {
        self.0.reach();
        Ok(())
    }
}

/// Places stand still once it is known who may share, write or delete them.
struct Places(Arc<Pause>);

impl DocumentHooks for Places {
    fn doctype(&self) -> &str {
        "Place"
    }
    fn has_permission(&self, _cx: &mut Cx, _: &Asking, action: Action, _: &Map<String, Value>) -> Result<bool, AppError> {
        if matches!(action, Action::Share | Action::Write | Action::Delete) {
            self.0.reach();
        }
        Ok(true)
    }
}

struct Scene {
    app: TestApp,
    amina: Caller,
    signs: Arc<Pause>,
    places: Arc<Pause>,
}

/// Amina, who may do everything with places and signs.
async fn scene(setup: Setup) -> Scene {
    let (signs, places) = (Arc::<Pause>::default(), Arc::<Pause>::default());
    let app = setup.hook(Arc::new(Signs(Arc::clone(&signs)))).hook(Arc::new(Places(Arc::clone(&places)))).start().await;
    let administrator = app.administrator().await;
    let everybody = json!([all_rights("All")]);
    let title = [field("title", "Data", "")];
    let places_are =
        json!({ "name": "Place", "autoname": "prompt", "allow_rename": 1, "is_submittable": 1, "permissions": everybody, "fields": title });
    define(&administrator, places_are).await;
    let link = field("place", "Link", "Place");
    define(&administrator, json!({ "name": "Sign Line", "istable": 1, "fields": [link] })).await;
    let fields = [
        link,
        field("about_type", "Link", "DocType"),
        field("about", "Dynamic Link", "about_type"),
        field("lines", "Table", "Sign Line"),
        field("user", "Link", "User"),
    ];
    define(&administrator, json!({ "name": "Sign", "is_submittable": 1, "permissions": everybody, "fields": fields })).await;
    let amina = app.user("amina@example.com").await.api_key().await;
    Scene { app, amina, signs, places }
}

async fn place(caller: &Caller, name: &str) -> String {
    caller.post(PLACE).json(&json!({ "name": name, "title": "a lake" })).send().await.expect_status(200);
    format!("{PLACE}/{name}")
}

/// A sign with each kind of link to a place.
fn signs(name: &str) -> [Value; 3] {
    [json!({ "place": name }), json!({ "about_type": "Place", "about": name }), json!({ "lines": [{ "place": name }] })]
}

async fn what_is_being_named_is_not_deleted(setup: Setup) {
    let Scene { app, amina, signs: pause, .. } = scene(setup).await;
    for number in 0..3 {
        let name = format!("P{number}");
        let path = place(&amina, &name).await;
        let sign = signs(&name)[number].clone();
        let asked = pause.send(amina.post(SIGN).json(&sign)).await;
        let refused = amina.delete(&path).send().await.expect_status(417);
        assert_eq!(refused.error().as_deref(), Some("LinkExistsError"), "{sign}");
        asked.await.expect("no panic").expect_status(200);
        amina.get(&path).send().await.expect_status(200);
    }
    let administrator = app.administrator().await;
    app.user("boris@example.com").await;
    let asked = pause.send(amina.post(SIGN).json(&json!({ "user": "boris@example.com" }))).await;
    let refused = administrator.delete("/api/resource/User/boris@example.com").send().await.expect_status(417);
    assert_eq!(refused.error().as_deref(), Some("LinkExistsError"));
    asked.await.expect("no panic").expect_status(200);
}

async fn what_is_being_named_is_renamed_with_the_link(setup: Setup) {
    let Scene { app: _app, amina, signs: pause, .. } = scene(setup).await;
    place(&amina, "Old").await;
    let asked = pause.send(amina.post(SIGN).json(&json!({ "place": "Old", "lines": [{ "place": "Old" }] }))).await;
    let renamed = json!({ "doctype": "Place", "old_name": "Old", "new_name": "New" });
    amina.post("/api/method/frappe.client.rename_doc").json(&renamed).send().await.expect_status(200);
    let sign = asked.await.expect("no panic").expect_status(200).data();
    let sign = amina.get(&format!("{SIGN}/{}", sign["name"].as_str().expect("a name"))).send().await.expect_status(200).data();
    assert_eq!((&sign["place"], &sign["lines"][0]["place"]), (&json!("New"), &json!("New")));
}

async fn what_is_being_deleted_is_not_named(setup: Setup) {
    let Scene { app: _app, amina, places: pause, .. } = scene(setup).await;
    for sign in signs("Lake") {
        let path = place(&amina, "Lake").await;
        let deleted = pause.send(amina.delete(&path)).await;
        let refused = amina.post(SIGN).json(&sign).send().await.expect_status(417);
        assert_eq!(refused.error().as_deref(), Some("LinkValidationError"), "{sign}");
        deleted.await.expect("no panic").expect_status(202);
    }
    assert_eq!(amina.get(SIGN).send().await.expect_status(200).data(), json!([]));
}

async fn what_a_submitted_document_is_about_to_name_is_not_cancelled(setup: Setup) {
    let Scene { app: _app, amina, signs: pause, .. } = scene(setup).await;
    let path = place(&amina, "Lake").await;
    amina.put(&path).json(&json!({ "docstatus": 1 })).send().await.expect_status(200);
    let asked = pause.send(amina.post(SIGN).json(&json!({ "place": "Lake", "docstatus": 1 }))).await;
    let refused = amina.put(&path).json(&json!({ "docstatus": 2 })).send().await.expect_status(417);
    assert_eq!(refused.error().as_deref(), Some("LinkExistsError"));
    asked.await.expect("no panic").expect_status(200);
}

fn share(caller: &Caller, method: &str, further: &[(&str, &str)]) -> Request {
    let form = [("doctype", "Place"), ("name", "Lake"), ("user", "boris@example.com")];
    let form: Vec<_> = form.iter().chain(further).copied().collect();
    caller.post(&format!("/api/method/frappe.share.{method}")).form(&form)
}

/// The names of the documents of a doctype with these values.
async fn found(app: &TestApp, doctype: &str, filters: Value) -> Value {
    let administrator = app.administrator().await;
    administrator
        .get(&format!("/api/resource/{doctype}"))
        .query(&[("filters", &filters.to_string())])
        .send()
        .await
        .expect_status(200)
        .data()
}

async fn a_share_of_what_is_deleted_at_the_same_time_goes_with_it(setup: Setup) {
    let Scene { app, amina, places: pause, .. } = scene(setup).await;
    app.user("boris@example.com").await;
    let path = place(&amina, "Lake").await;
    let shared = pause.send(share(&amina, "add", &[("write", "1")])).await;
    amina.delete(&path).send().await.expect_status(202);
    shared.await.expect("no panic").expect_status(200);
    assert_eq!(found(&app, "DocShare", json!({ "share_doctype": "Place" })).await, json!([]));
}

async fn a_file_of_what_is_deleted_at_the_same_time_goes_with_it(setup: Setup) {
    let Scene { app, amina, places: pause, .. } = scene(setup).await;
    let path = place(&amina, "Lake").await;
    let attach = json!({ "filename": "a.txt", "filedata": "hers", "doctype": "Place", "docname": "Lake", "is_private": 1 });
    let attached = pause.send(amina.post("/api/method/frappe.client.attach_file").json(&attach)).await;
    amina.delete(&path).send().await.expect_status(202);
    attached.await.expect("no panic").expect_status(200);
    assert_eq!(found(&app, "File", json!({ "attached_to_doctype": "Place" })).await, json!([]));
}

async fn shares_with_one_user_that_are_made_at_once_are_one(setup: Setup) {
    let Scene { app, amina, places: pause, .. } = scene(setup).await;
    app.user("boris@example.com").await;
    place(&amina, "Lake").await;
    let first = pause.send(share(&amina, "add", &[("write", "1")])).await;
    let mut sharing = JoinSet::new();
    for _ in 0..3 {
        sharing.spawn(share(&amina, "add", &[("write", "1")]).send());
    }
    for reply in sharing.join_all().await.into_iter().chain([first.await.expect("no panic")]) {
        reply.expect_status(200);
    }
    let of_boris = json!({ "share_doctype": "Place", "user": "boris@example.com" });
    let shares = found(&app, "DocShare", of_boris.clone()).await;
    assert_eq!(shares.as_array().map(Vec::len), Some(1));
    let share_of = async || found(&app, "DocShare", json!({ "share_doctype": "Place", "user": "boris@example.com", "write": 1 })).await;
    assert_eq!(share_of().await, shares);
    share(&amina, "set_permission", &[("permission_to", "write"), ("value", "0")]).send().await.expect_status(200);
    assert_eq!(share_of().await, json!([]));
    // Nor is another made as a document.
    let administrator = app.administrator().await;
    let body = json!({ "share_doctype": "Place", "share_name": "Lake", "user": "boris@example.com", "read": 1, "write": 1 });
    let refused = administrator.post("/api/resource/DocShare").json(&body).send().await;
    let text = "Place Lake is shared like this already; change that share instead";
    assert_refused(&refused, 417, "ValidationError", text);
    let share = format!("/api/resource/DocShare/{}", shares[0]["name"].as_str().expect("a name"));
    administrator.put(&share).json(&json!({ "write": 1 })).send().await.expect_status(200);
    for everyone in [200, 417] {
        let body = json!({ "share_doctype": "Place", "share_name": "Lake", "everyone": 1, "read": 1 });
        administrator.post("/api/resource/DocShare").json(&body).send().await.expect_status(everyone);
    }
}
