//! `ostiary demo`: everything a newcomer needs to see a whole login in a browser, gone afterwards.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use secrecy::SecretString;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::documents;
use crate::app::{self, Application, Parts, Workshop};
use crate::config::Config;
use crate::domain::Scope;
use crate::domain::client::Client;
use crate::domain::user::ADMINISTRATOR;
use crate::oauth::clients::{self, ClientKind};
use crate::sample_app::{self, SampleAppConfig};
use crate::secrets::{SecretHash, mint};
use crate::store::clients::{ClientRecord, insert_client, insert_secret};
use crate::telemetry;

const ADMINISTRATOR_PASSWORD: &str = "demo-administrator";
/// E-mail address, password, first and last name, roles.
const USERS: [(&str, &str, &str, &str, &[&str]); 2] = [
    ("agent@example.com", "demo-agent", "Ada", "Agent", &["Agent"]),
    ("customer@example.com", "demo-customer", "Carla", "Customer", &["Customer"]),
];
/// Owner, description, status, priority.
const TODOS: [(&str, &str, &str, &str); 5] = [
    ("customer@example.com", "Ask for the invoice of March", "Open", "High"),
    ("customer@example.com", "Renew the support contract", "Open", "Medium"),
    ("customer@example.com", "Return the borrowed projector", "Closed", "Low"),
    ("agent@example.com", "Call back about the printer", "Open", "High"),
    ("agent@example.com", "Write up how to reset a password", "Open", "Low"),
];
/// Owner, subject, priority.
const TICKETS: [(&str, &str, &str); 3] = [
    ("customer@example.com", "The printer prints blank pages", "High"),
    ("customer@example.com", "How do I change my address?", "Low"),
    ("agent@example.com", "Rework the greeting of the hotline", "Medium"),
];
/// Owner, title, content.
const NOTES: [(&str, &str, &str); 2] =
    [("customer@example.com", "Opening hours", "Monday to Friday, 9 to 17"), ("agent@example.com", "Shift", "Late shift this week")];
/// A saved report that whoever may report on tickets can run, as docs/frappe.md shows.
const REPORT: &str = "Open Tickets";
/// The client of the walk in README.md, whose lines are to be pasted as they are.
const CURL_CLIENT: (&str, &str) = ("demo-client", "demo-secret");
const CURL_REDIRECT_URI: &str = "http://127.0.0.1:9000/callback";

/// Serves until SIGTERM, SIGINT or SIGHUP, then removes the database.
pub(super) fn run(mut settings: Config) -> Result<(), String> {
    let listen = settings.server.listen;
    if !listen.ip().is_loopback() {
        // Its passwords are printed in the README.
        return Err(format!("the demo listens on loopback only, not on {listen}"));
    }
    // What to do next should stand alone on the terminal.
    settings.log.filter.get_or_insert_with(|| "warn".to_owned());
    let _log = telemetry::start(&settings.log).map_err(|error| error.to_string())?;
    let directory = ThrowAway::make()?;
    end_on_signals(directory.0.clone())?;
    // Nothing else of the settings: a demo must not touch a real database or seal with a real key.
    let mut config = Config::default();
    config.server.listen = listen;
    config.limits = settings.limits;
    config.log = settings.log;
    config.database.url = format!("sqlite://{}", directory.0.join("demo.db").display());
    config.security.admin_password = Some(SecretString::from(ADMINISTRATOR_PASSWORD));
    app::serve(config, Parts::default(), furnish)
}

/// Fills the database, starts the sample app beside the server, and says what to try.
fn furnish(application: &Application) -> Result<(), String> {
    let workshop = Workshop { db: application.db().clone(), env: application.env(), first_password: None };
    let listener = listen_beside(application.address(), application.env().config.server.listen.port())?;
    let app_origin = origin_of(listener.local_addr().map_err(|error| error.to_string())?);
    make_documents(&workshop)?;
    make_curl_client(&workshop)?;
    let (client_id, client_secret) = register_sample_app(&workshop, &app_origin)?;
    let issuer = application.public_url().to_owned();
    sample_app::start(SampleAppConfig { listener, origin: app_origin.clone(), issuer: issuer.clone(), client_id, client_secret })?;
    super::print(&welcome(&issuer, &app_origin, &application.env().config.database.url));
    Ok(())
}

/// The sample app listens on the next port; on any when the server was told to (port 0).
fn listen_beside(server: SocketAddr, asked: u16) -> Result<TcpListener, String> {
    let next = if asked == 0 { 0 } else { server.port().checked_add(1).unwrap_or(0) };
    let address = SocketAddr::new(server.ip(), next);
    TcpListener::bind(address).map_err(|error| format!("the sample app cannot listen on {address}: {error}; choose another --listen"))
}

/// The app's own name: `localhost` where that leads to it, so that to browsers it is another site than the server, as an
/// app elsewhere would be; ports alone make none.
fn origin_of(address: SocketAddr) -> String {
    if [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)].contains(&address.ip()) {
        format!("http://localhost:{}", address.port())
    } else {
        format!("http://{address}")
    }
}

fn make_documents(workshop: &Workshop) -> Result<(), String> {
    for (email, password, first_name, last_name, roles) in USERS {
        let roles: Vec<_> = roles.iter().map(|role| json!({ "role": role })).collect();
        let user = json!({ "email": email, "first_name": first_name, "last_name": last_name, "new_password": password, "roles": roles });
        documents::create(workshop, ADMINISTRATOR, "User", user)?;
    }
    for (owner, description, status, priority) in TODOS {
        documents::create(workshop, owner, "ToDo", json!({ "description": description, "status": status, "priority": priority }))?;
    }
    for (owner, subject, priority) in TICKETS {
        documents::create(workshop, owner, "HD Ticket", json!({ "subject": subject, "priority": priority }))?;
    }
    for (owner, title, content) in NOTES {
        documents::create(workshop, owner, "Note", json!({ "title": title, "content": content }))?;
    }
    let columns = ["name", "subject", "priority", "raised_by"].map(|fieldname| json!({ "fieldname": fieldname }));
    let report = json!({
        "report_name": REPORT,
        "ref_doctype": "HD Ticket",
        "columns": columns,
        "filters": [{ "fieldname": "status", "label": "Status", "default": "Open" }],
    });
    documents::create(workshop, ADMINISTRATOR, "Report", report)
}

/// The client of the sample app, as `ostiary client add` would register it.
fn register_sample_app(workshop: &Workshop, origin: &str) -> Result<(String, SecretString), String> {
    let client = template("Paper Trail (sample app)", "openid profile email read:todo", &sample_app::redirect_uri(origin))?;
    let registered = workshop.write("register sample app", move |cx| clients::register(cx, client.clone(), &[], ADMINISTRATOR));
    let clients::Registered { client, secret } = registered.map_err(super::refusal)?;
    let secret = secret.ok_or("a web client has a secret")?;
    Ok((client.client_id, SecretString::from(secret)))
}

/// A client under a name and a secret that the README can print; real ones are minted.
fn make_curl_client(workshop: &Workshop) -> Result<(), String> {
    let (client_id, secret) = CURL_CLIENT;
    let client = Client { client_id: client_id.to_owned(), ..template("curl", "openid profile email all", CURL_REDIRECT_URI)? };
    let made = workshop.write("make curl client", move |cx| {
        let by = ADMINISTRATOR.to_owned();
        let record = ClientRecord { client: client.clone(), owner: by.clone(), creation: cx.now, modified: cx.now, modified_by: by };
        insert_client(cx.conn, &record)?;
        Ok(insert_secret(cx.conn, cx.now, client_id, &SecretHash::of(secret))?)
    });
    made.map_err(super::refusal)
}

fn template(name: &str, scope: &str, redirect_uri: &str) -> Result<Client, String> {
    let scope = Scope::parse(scope).map_err(|error| error.to_string())?;
    Ok(ClientKind::Web.template(name, scope, vec![redirect_uri.to_owned()]))
}

fn welcome(issuer: &str, app_origin: &str, database: &str) -> String {
    let (client_id, client_secret) = CURL_CLIENT;
    let mut text = format!(
        "Ostiary {} demo; everything in it is gone when it ends (Ctrl-C)\n\n  \
         sample app   {app_origin}   start here: press \"Log in with Ostiary\"\n  \
         Ostiary      {issuer}\n  \
         database     {database}\n\n  {:<22} password\n",
        env!("CARGO_PKG_VERSION"),
        "user",
    );
    let users = USERS.iter().map(|(email, password, ..)| (*email, *password));
    for (user, password) in std::iter::once((ADMINISTRATOR, ADMINISTRATOR_PASSWORD)).chain(users) {
        text.push_str(&format!("  {user:<22} {password}\n"));
    }
    let report = REPORT.replace(' ', "%20");
    text.push_str(&format!(
        "\nTry also\n  \
         curl -u customer@example.com:demo-customer {issuer}/api/resource/ToDo\n  \
         curl -u agent@example.com:demo-agent '{issuer}/api/report/{report}?format=csv'\n  \
         the walk in README.md with curl (client {client_id}, secret {client_secret})\n"
    ));
    text
}

/// Removes the directory and ends the program on SIGINT, SIGTERM and SIGHUP (a closed terminal). From
/// the first moment on, which is before there is a server to hear them; a demo has nothing to finish.
fn end_on_signals(directory: PathBuf) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(|error| error.to_string())?;
    let entered = runtime.enter();
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let signals: Result<Vec<_>, _> = kinds.into_iter().map(signal).collect();
    for mut signal in signals.map_err(|error| error.to_string())? {
        let directory = directory.clone();
        runtime.spawn(async move {
            if signal.recv().await.is_some() {
                let _ = std::fs::remove_dir_all(&directory);
                std::process::exit(0);
            }
        });
    }
    drop(entered);
    let wait = move || runtime.block_on(std::future::pending::<()>());
    std::thread::Builder::new().name("signals".into()).spawn(wait).map(drop).map_err(|error| error.to_string())
}

/// A directory that goes away with the demo.
struct ThrowAway(PathBuf);

impl ThrowAway {
    fn make() -> Result<Self, String> {
        let path = std::env::temp_dir().join(format!("ostiary-demo-{}", mint::name(10)));
        std::fs::DirBuilder::new().mode(0o700).create(&path).map_err(|error| format!("cannot make {}: {error}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for ThrowAway {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
