//! The MCP TypeScript SDK's clients (npm), of the current generation and of the one before: MCP authorization as hosts do it.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ostiary::config::Config;
use rcgen::KeyPair;
use serde_json::json;

use super::driver::Driver;
use super::registration_open;
use crate::both_databases;
use crate::support::web_host::{Answer, WebHost};
use crate::support::{Setup, TestApp, TestUser};

both_databases!(
    a_host_finds_the_api_by_its_address,
    a_host_finds_its_way_from_a_tool_server_and_gets_tokens_for_it_alone,
    a_host_that_registers_nowhere_is_known_by_the_url_of_its_description,
    a_machine_gets_a_token_for_a_tool_server,
);

/// What the tool server of `mcp_server.mjs` asks of everybody, and what one of its tools needs besides.
const SCOPE: &str = "tools:run";
const MORE: &str = "tools:reset";

async fn a_host_finds_the_api_by_its_address(setup: Setup) {
    let app = registration_open(setup).await;
    let amina = app.user("amina@example.com").await;
    Driver::new("mcp_client.mjs", &app, &amina).run("api").await;
}

async fn a_host_finds_its_way_from_a_tool_server_and_gets_tokens_for_it_alone(setup: Setup) {
    let app = registration_open(setup).await;
    let amina = app.user("amina@example.com").await;
    beside_a_tool_server(&app, &amina).await.run("server").await;
}

async fn a_host_that_registers_nowhere_is_known_by_the_url_of_its_description(setup: Setup) {
    let web = WebHost::start();
    let open = |config: &mut Config| {
        web.open_to(config);
        config.oauth.client_metadata_documents = true;
    };
    let app = setup.configure(open).start().await;
    let url = web.url("/mcp-host.json");
    // As hosts publish it: what it will meet it does not know yet, so it names no scope.
    let description = json!({
        "client_id": url,
        "client_name": "An MCP host",
        "redirect_uris": ["http://127.0.0.1/callback"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    });
    web.serve("/mcp-host.json", Answer::json(&description));
    let amina = app.user("amina@example.com").await;
    beside_a_tool_server(&app, &amina).await.given("CLIENT_METADATA_URL", &url).run("document").await;
    assert_eq!(web.requests(), 1, "{:?}", web.heads());
}

async fn a_machine_gets_a_token_for_a_tool_server(app: TestApp) {
    let robot = app.user("robot@example.com").await;
    let machine = app.machine(&robot, SCOPE).await;
    let key = KeyPair::generate().expect("a key on P-256");
    let (x, y) = key.public_key_raw()[1..].split_at(32);
    let jwk = json!({ "kty": "EC", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y) });
    let fields = json!({
        "grant_type": "Client Credentials",
        "user": robot.name,
        "scopes": SCOPE,
        "token_endpoint_auth_method": "Private Key JWT",
        "jwks": json!({ "keys": [jwk] }).to_string(),
    });
    let with_key = app.client(fields).await;
    let driver = beside_a_tool_server(&app, &robot).await;
    let driver = driver.given("MACHINE_ID", &machine.id).given("MACHINE_SECRET", &machine.secret.expect("a machine has one"));
    driver.given("MACHINE_WITH_KEY", &with_key.id).given("MACHINE_KEY", &key.serialize_pem()).run("machine").await;
}

/// A free port that no test gets by chance: below those that Linux hands out to whoever asks for any.
fn port_by_number() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 5_000).expect("less than 5,000");
    let ports = std::iter::repeat_with(|| 20_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000);
    ports.take(10_000).find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a free port")
}

/// The hosts, with the address where a tool server is to listen and with its credentials; an administrator registered both.
async fn beside_a_tool_server(app: &TestApp, person: &TestUser) -> Driver {
    let port = port_by_number();
    let address = format!("http://127.0.0.1:{port}/tools");
    let introspecting = app.client(json!({ "app_name": "Tool server", "scopes": "openid" })).await;
    let resource = json!({
        "resource": address,
        "resource_name": "Tools",
        "scopes": format!("{SCOPE} {MORE}"),
        "introspecting_client": introspecting.id,
    });
    app.administrator().await.post("/api/resource/OAuth%20Resource").json(&resource).send().await.expect_status(200);
    Driver::new("mcp_client.mjs", app, person).client(&introspecting, "client_secret_basic").given("MCP_SERVER", &address)
}
