//! "The published examples run unchanged": what Frappe's, Helpdesk's and ERPNext's public documents
//! print about login, keys, OAuth and `/api/resource`, run as printed by the real `curl` and by
//! Python with `requests`. Only what a reader would fill in is filled in: host, ids and credentials, and
//! `%20` for a space that would end the word in a shell.
//!
//! A printed line is a string of its own here, with its blanks beside it; [`Reader::shell`] fails
//! when a blank is not in it, so that a line cannot drift away from what is run. What a document
//! only claims in words is tried in the tests named after the claim.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::both_databases;
use crate::support::{
    ADMIN_PASSWORD, Backend, PASSWORD, REDIRECT_URI, Reply, SEAL_KEY, Setup, TemporaryDirectory, TestApp, TestUser, decide, setting,
};

both_databases!(
    a_login_with_curl_lasts_in_its_cookie_file_until_logout,
    an_api_key_reads_and_writes_with_curl,
    an_api_key_reads_with_python,
    basic_takes_a_key_pair_or_a_user_and_password,
    a_code_is_exchanged_as_a_form_and_the_token_used,
    a_code_is_exchanged_as_json_and_the_token_used,
    a_social_login_key_registers_a_client_whose_credentials_work,
    a_script_sets_the_key_pair_of_a_user,
    the_python_client_finds_its_way,
    a_source_header_names_the_doctype_of_the_key,
    the_csrf_section_holds,
    the_401_section_holds,
    the_403_section_holds,
    the_429_section_holds,
    restricting_addresses_restricts_keys,
);

/// Somebody who follows the documents in a terminal.
struct Reader {
    directory: TemporaryDirectory,
    url: String,
}

/// What came back.
#[derive(Debug)]
struct Answer {
    status: u16,
    text: String,
}

impl Answer {
    #[track_caller]
    fn expect_status(self, status: u16) -> Self {
        assert_eq!(self.status, status, "body: {}", self.text);
        self
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// Frappe's `exc_type`.
    #[track_caller]
    fn error(&self) -> Value {
        self.json()["exc_type"].clone()
    }

    /// The names in a list's `data`.
    #[track_caller]
    fn names(&self) -> Vec<String> {
        let body = self.json();
        let rows = body["data"].as_array().unwrap_or_else(|| panic!("no list: {}", self.text));
        rows.iter().map(|row| row["name"].as_str().expect("a name").to_owned()).collect()
    }
}

impl Reader {
    fn of(app: &TestApp) -> Self {
        let directory = TemporaryDirectory::new();
        // So that the line itself need not be changed to learn the status.
        let curlrc = "silent\nshow-error\nmax-time = 30\nwrite-out = \"\\n%{http_code}\"\n";
        std::fs::write(directory.path().join(".curlrc"), curlrc).expect("a file");
        Self { directory, url: app.url.clone() }
    }

    /// Runs a printed command line with its blanks filled in. The hosts of the documents are always blanks.
    #[track_caller]
    fn shell(&self, printed: &str, blanks: &[(&str, &str)]) -> Answer {
        let line = self.fill(printed, blanks);
        Self::answer(self.command("sh").args(["-c", &line]))
    }

    /// Runs a printed Python program; the last line, which shows what came back, is ours.
    #[track_caller]
    fn python(&self, printed: &str, blanks: &[(&str, &str)], environment: &[(&str, &str)]) -> Answer {
        let program = format!("{}\nprint(response.text)\nprint(response.status_code, end='')\n", self.fill(printed, blanks));
        // `scripts/test` looks for, or installs, one that has `requests`.
        let python = setting("OSTIARY_TEST_PYTHON").unwrap_or_else(|| "python3".into());
        Self::answer(self.command(&python).args(["-c", &program]).envs(environment.iter().copied()))
    }

    #[track_caller]
    fn fill(&self, printed: &str, blanks: &[(&str, &str)]) -> String {
        const HOSTS: [&str; 4] =
            ["https://your-site.frappe.cloud", "https://your-instance.erpnext.com", "https://your-site", "http://frappe.local:8000"];
        let mut line = printed.to_owned();
        if let Some(host) = HOSTS.into_iter().find(|host| line.contains(host)) {
            line = line.replace(host, &self.url);
        }
        for (blank, filled) in blanks {
            assert!(line.contains(blank), "{blank:?} is not in {printed}");
            line = line.replace(blank, filled);
        }
        line
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.directory.path()).env("CURL_HOME", self.directory.path()).env("NO_PROXY", "*");
        command.stdin(Stdio::null());
        command
    }

    /// Runs a program that prints a body and, on the last line, the status.
    #[track_caller]
    fn answer(command: &mut Command) -> Answer {
        let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {}: {complaint}", output.status);
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let (text, status) = text.trim_end().rsplit_once('\n').unwrap_or_else(|| panic!("no status in {text:?}: {complaint}"));
        Answer { status: status.parse().unwrap_or_else(|_| panic!("no status: {status:?}")), text: text.trim_end().to_owned() }
    }
}

/// Someone who works on tickets and for customers, with one of each.
struct Reads {
    amina: TestUser,
    ticket: String,
    customer: String,
}

async fn user_with_documents(app: &TestApp) -> Reads {
    let amina = app.user_with_roles("amina@example.com", &["Agent", "Sales Manager"]).await;
    let basic = amina.basic();
    let make = async |collection: &str, fields: Value| {
        let made = basic.post(collection).json(&fields).send().await.expect_status(200).data();
        made["name"].as_str().expect("a name").to_owned()
    };
    let ticket = make("/api/resource/HD%20Ticket", json!({ "subject": "Call the printer" })).await;
    let customer = make("/api/resource/Customer", json!({ "customer_name": "Acme", "territory": "United States" })).await;
    Reads { amina, ticket, customer }
}

/// What the documents print where the web site that shows them hides an address.
const ADDRESS: &str = "[email protected]";

/// A name with a space is two words to the shell as it is printed; who sends it writes %20.
const SPACE: &[(&str, &str)] = &[("HD Ticket", "HD%20Ticket")];

async fn a_login_with_curl_lasts_in_its_cookie_file_until_logout(app: TestApp) {
    let reader = Reader::of(&app);
    let Reads { amina, ticket, .. } = user_with_documents(&app).await;
    let who = [(ADDRESS, amina.name.as_str()), (r#""password""#, &format!("{PASSWORD:?}"))];

    // Helpdesk.
    let login = r#"curl -X POST https://your-site.frappe.cloud/api/method/login \
  -H "Content-Type: application/json" \
  -d '{
    "usr": "[email protected]",
    "pwd": "password"
  }' \
  -c cookies.txt"#;
    let answer = reader.shell(login, &who).expect_status(200).json();
    assert_eq!((&answer["message"], &answer["full_name"]), (&json!("Logged In"), &json!("amina")));
    let use_session = "curl https://your-site.frappe.cloud/api/resource/HD Ticket \\\n  -b cookies.txt";
    let tickets = |answer: Answer| answer.expect_status(200).names();
    assert_eq!(tickets(reader.shell(use_session, SPACE)), [ticket.as_str()]);
    // "Keep the session alive by making periodic requests": an unused one ends, and 401 says so.
    let days = |count: u64| Duration::from_secs(count * 86_400);
    for _ in 0..3 {
        app.advance(days(6));
        assert_eq!(tickets(reader.shell(use_session, SPACE)), [ticket.as_str()]);
    }
    app.advance(days(8));
    let expired = reader.shell(use_session, SPACE).expect_status(401);
    assert_eq!(expired.json()["session_expired"], json!(1));
    // "Handle 401 responses by re-authenticating."
    reader.shell(login, &who).expect_status(200);
    assert_eq!(tickets(reader.shell(use_session, SPACE)), [ticket.as_str()]);
    let logout = "curl -X POST https://your-site.frappe.cloud/api/method/logout \\\n  -b cookies.txt";
    reader.shell(logout, &[]).expect_status(200);
    reader.shell(use_session, SPACE).expect_status(401);

    // ERPNext.
    let login = r#"curl -X POST \
'https://your-instance.erpnext.com/api/method/login' \
-H 'Content-Type: application/json' \
-d '{
"usr": "[email protected]",
"pwd": "password"
}'"#;
    let administrator = [(ADDRESS, "Administrator"), (r#""password""#, &format!("{ADMIN_PASSWORD:?}"))];
    assert_eq!(reader.shell(login, &administrator).expect_status(200).json()["message"], json!("Logged In"));
    let sid = amina.cookie().await.cookie("sid").expect("a session");
    let logout = "curl -X POST \\\n'https://your-instance.erpnext.com/api/method/logout' \\\n--cookie 'cookies_from_login'";
    let cookie = format!("sid={sid}");
    reader.shell(logout, &[("cookies_from_login", &cookie)]).expect_status(200);
    let browser = app.browser();
    browser.set_cookie("sid", &sid);
    browser.whoami().await.expect_status(401);
}

async fn an_api_key_reads_and_writes_with_curl(app: TestApp) {
    let reader = Reader::of(&app);
    let Reads { amina, customer, .. } = user_with_documents(&app).await;
    let (key, secret) = amina.generate_keys().await;
    let pair = format!("{key}:{secret}");

    // Helpdesk.
    let read = "curl https://your-site.frappe.cloud/api/resource/HD Ticket/HD-00042 \\\n  -H \"Authorization: token api_key:api_secret\"";
    let basic = amina.basic();
    let mut last = String::new();
    for _ in 1..42 {
        let made = basic.post("/api/resource/HD%20Ticket").json(&json!({ "subject": "The answer" })).send().await.expect_status(200).data();
        last = made["name"].as_str().expect("a name").to_owned();
    }
    assert_eq!(last, "HD-00042");
    let blanks = [SPACE[0], ("api_key:api_secret", &pair)];
    assert_eq!(reader.shell(read, &blanks).expect_status(200).json()["data"]["subject"], json!("The answer"));
    let blanks = [("HD Ticket", "OAuth%20Client"), ("api_key:api_secret", &pair)];
    reader.shell(read, &blanks).expect_status(403);

    // The v15 guide: a body's type on a GET without a body, and a document with members left at their defaults.
    let list = r#"curl -X GET https://your-site/api/resource/Customer \
-H "Authorization: token YOUR_API_KEY:YOUR_API_SECRET" \
-H "Content-Type: application/json""#;
    let keys = [("YOUR_API_KEY", key.as_str()), ("YOUR_API_SECRET", &secret)];
    assert_eq!(reader.shell(list, &keys).expect_status(200).names(), [customer.as_str()]);
    let create = r#"curl -X POST https://your-site/api/resource/Lead \
-H "Authorization: token YOUR_API_KEY:YOUR_API_SECRET" \
-H "Content-Type: application/json" \
-d '{
"lead_name": "ABC Corp",
"status": "Open"
}'"#;
    let created = reader.shell(create, &keys).expect_status(200).json()["data"].clone();
    assert_eq!((&created["lead_name"], &created["status"]), (&json!("ABC Corp"), &json!("Open")));
    assert_eq!(created["owner"], json!(amina.name), "requests with a key count as its user's");

    // ERPNext.
    let list = "curl -X GET \\\n'https://your-instance.erpnext.com/api/resource/Customer' \\\n-H 'Authorization: token api_key:api_secret'";
    assert_eq!(reader.shell(list, &[("api_key:api_secret", &pair)]).expect_status(200).names(), [customer.as_str()]);
}

async fn an_api_key_reads_with_python(app: TestApp) {
    let reader = Reader::of(&app);
    let Reads { amina, ticket, .. } = user_with_documents(&app).await;
    let (key, secret) = amina.generate_keys().await;
    let pair = format!("{key}:{secret}");

    // Helpdesk. `requests` escapes the space of a doctype's name by itself.
    let list = r#"import requests
import os

API_KEY = os.environ.get("FRAPPE_API_KEY")
API_SECRET = os.environ.get("FRAPPE_API_SECRET")
BASE_URL = "https://your-site.frappe.cloud"

headers = {
    "Authorization": f"token {API_KEY}:{API_SECRET}"
}

response = requests.get(
    f"{BASE_URL}/api/resource/HD Ticket",
    headers=headers
)

tickets = response.json()["data"]"#;
    let environment = [("FRAPPE_API_KEY", key.as_str()), ("FRAPPE_API_SECRET", &secret)];
    assert_eq!(reader.python(list, &[], &environment).expect_status(200).names(), [ticket.as_str()]);

    // Frappe. The asterisks in the address are the web site's emphasis gone astray.
    let token = r#"import requests

url = "http://frappe.local:8000/api/method/frappe.auth.get_logged_user"
headers = {
    'Authorization': "token <api_key>:<api_secret>"
}
response = requests.request("GET", url, headers=headers)"#;
    let keys = [("<api_key>", key.as_str()), ("<api_secret>", &secret)];
    assert_eq!(reader.python(token, &keys, &[]).expect_status(200).json(), json!({ "message": amina.name }));
    let basic = r#"import requests
import base64

url = "http://frappe.local:8000**/api/method/frappe.auth.get_logged_user**"
headers = {
    'Authorization': "Basic %s" % base64.b64encode(<api_key>:<api_secret>)
}
response = requests.request("GET", url, headers=headers)"#;
    // Python 3 encodes bytes and would print them as b'…': the credentials are filled in as the
    // bytes they are, and the result as the text it was to Python 2.
    let encoded = format!("base64.b64encode(b{pair:?}).decode()");
    let blanks = [("**", ""), ("base64.b64encode(<api_key>:<api_secret>)", encoded.as_str())];
    assert_eq!(reader.python(basic, &blanks, &[]).expect_status(200).json(), json!({ "message": amina.name }));
}

async fn basic_takes_a_key_pair_or_a_user_and_password(app: TestApp) {
    let reader = Reader::of(&app);
    let Reads { amina, customer, .. } = user_with_documents(&app).await;
    let (key, secret) = amina.generate_keys().await;
    // ERPNext.
    let basic = "curl -X GET \\\n'https://your-instance.erpnext.com/api/resource/Customer' \\\n-u 'username:password'";
    for right in [format!("{}:{PASSWORD}", amina.name), format!("{key}:{secret}")] {
        let blanks = [("username:password", right.as_str())];
        assert_eq!(reader.shell(basic, &blanks).expect_status(200).names(), [customer.as_str()]);
    }
    for wrong in [format!("{}:wrong", amina.name), format!("{key}:wrong"), format!("nobody@example.com:{PASSWORD}")] {
        let blanks = [("username:password", wrong.as_str())];
        assert_eq!(reader.shell(basic, &blanks).expect_status(401).error(), json!("AuthenticationError"));
    }
}

/// Registers a client beside the running server, as its administrator does in a terminal; returns its id.
fn old_integration(app: &TestApp) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ostiary"));
    command.args(["client", "add", "--kind", "old-frappe", "--name", "Old integration", "--redirect-uri", REDIRECT_URI]);
    command.args(["--database-url", app.database().url()]).env("OSTIARY_SEAL_KEY", SEAL_KEY);
    if app.backend() == Backend::Sqlite {
        // The key file beside the database.
        command.env_remove("OSTIARY_SEAL_KEY");
    }
    let output = command.stdin(Stdio::null()).output().expect("the program starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let line = text.lines().find_map(|line| line.trim().strip_prefix("client id")).unwrap_or_else(|| panic!("no id in {text}"));
    line.trim().to_owned()
}

/// Sends a browser to a printed address, presses Allow, and returns the code that arrives.
async fn allow(reader: &Reader, user: &TestUser, printed: &str, blanks: &[(&str, &str)]) -> String {
    // It is printed with a parameter on each line.
    let address: String = reader.fill(printed, blanks).split_whitespace().collect();
    let browser = user.cookie().await;
    let page = browser.get(&address).send().await.expect_status(200);
    assert!(page.text().contains("asks for access to your account"), "{}", page.text());
    let landed = decide(&browser, &page, "allow").await.expect_status(302);
    assert!(landed.location().as_str().starts_with(REDIRECT_URI));
    landed.location_parameter("code").expect("a code")
}

async fn a_code_is_exchanged_as_a_form_and_the_token_used(app: TestApp) {
    let reader = Reader::of(&app);
    let Reads { amina, ticket, .. } = user_with_documents(&app).await;
    let client_id = old_integration(&app);
    // Helpdesk.
    let authorize = "https://your-site.frappe.cloud/api/method/frappe.integrations.oauth2.authorize
  ?client_id=<client_id>
  &redirect_uri=<redirect_uri>
  &response_type=code";
    let client = [("<client_id>", client_id.as_str()), ("<redirect_uri>", REDIRECT_URI)];
    let code = allow(&reader, &amina, authorize, &client).await;
    let exchange = r#"curl -X POST https://your-site.frappe.cloud/api/method/frappe.integrations.oauth2.get_token \
  -d "grant_type=authorization_code" \
  -d "code=<authorization_code>" \
  -d "client_id=<client_id>" \
  -d "redirect_uri=<redirect_uri>""#;
    let tokens = reader.shell(exchange, &[&[("<authorization_code>", code.as_str())], &client[..]].concat()).expect_status(200).json();
    assert_eq!((&tokens["token_type"], &tokens["scope"]), (&json!("Bearer"), &json!("all")));
    assert!(tokens["refresh_token"].is_string() && tokens["expires_in"].is_u64(), "{tokens}");
    let access_token = tokens["access_token"].as_str().expect("an access token");
    let call = "curl https://your-site.frappe.cloud/api/resource/HD Ticket \\\n  -H \"Authorization: Bearer <access_token>\"";
    let blanks = [SPACE[0], ("<access_token>", access_token)];
    assert_eq!(reader.shell(call, &blanks).expect_status(200).names(), [ticket.as_str()]);

    // Frappe.
    let python = r#"import requests
import base64

url = "http://frappe.local:8000**/api/method/frappe.auth.get_logged_user**"
headers = {
    "Authorization": "Bearer %s" % access_token
}
response = requests.request("GET", url, headers=headers)"#;
    let blanks = [("**", ""), ("access_token", &format!("{access_token:?}")[..])];
    assert_eq!(reader.python(python, &blanks, &[]).expect_status(200).json(), json!({ "message": amina.name }));

    // The code is spent, and whoever tries it again ends what it bought.
    let again = reader.shell(exchange, &[&[("<authorization_code>", code.as_str())], &client[..]].concat()).expect_status(400);
    assert_eq!(again.json()["error"], json!("invalid_grant"));
    // A client that was not registered for it learns what is missing.
    let strict = app.client(json!({ "scopes": "all" })).await;
    let client = [("<client_id>", strict.id.as_str()), ("<redirect_uri>", REDIRECT_URI)];
    let code = allow(&reader, &amina, authorize, &client).await;
    let refused = reader.shell(exchange, &[&[("<authorization_code>", code.as_str())], &client[..]].concat()).expect_status(401).json();
    assert_eq!(refused["error"], json!("invalid_client"));
    assert!(refused["error_description"].as_str().expect("a description").contains("old-frappe"), "{refused}");
}

async fn a_code_is_exchanged_as_json_and_the_token_used(app: TestApp) {
    let reader = Reader::of(&app);
    let Reads { amina, customer, .. } = user_with_documents(&app).await;
    let client_id = old_integration(&app);
    // ERPNext.
    let authorize = "https://your-instance.erpnext.com/api/method/frappe.integrations.oauth2.authorize
?client_id=YOUR_CLIENT_ID
&response_type=code
&redirect_uri=YOUR_REDIRECT_URI
&scope=all";
    let client = [("YOUR_CLIENT_ID", client_id.as_str()), ("YOUR_REDIRECT_URI", REDIRECT_URI)];
    let code = allow(&reader, &amina, authorize, &client).await;
    let exchange = r#"curl -X POST \
'https://your-instance.erpnext.com/api/method/frappe.integrations.oauth2.get_token' \
-H 'Content-Type: application/json' \
-d '{
"grant_type": "authorization_code",
"code": "AUTHORIZATION_CODE",
"redirect_uri": "YOUR_REDIRECT_URI",
"client_id": "YOUR_CLIENT_ID"
}'"#;
    let tokens = reader.shell(exchange, &[&[("AUTHORIZATION_CODE", code.as_str())], &client[..]].concat()).expect_status(200).json();
    let call = "curl -X GET \\\n'https://your-instance.erpnext.com/api/resource/Customer' \\\n-H 'Authorization: Bearer ACCESS_TOKEN'";
    let blanks = [("ACCESS_TOKEN", tokens["access_token"].as_str().expect("an access token"))];
    assert_eq!(reader.shell(call, &blanks).expect_status(200).names(), [customer.as_str()]);
}

async fn a_social_login_key_registers_a_client_whose_credentials_work(app: TestApp) {
    let reader = Reader::of(&app);
    let Reads { amina, ticket, .. } = user_with_documents(&app).await;
    // "Create an OAuth Client in Frappe (Social Login Key DocType)": as the API spells it.
    let administrator = app.administrator().await;
    let key = json!({ "provider_name": "Zapier Connector", "redirect_url": REDIRECT_URI });
    let created = administrator.post("/api/resource/Social%20Login%20Key").json(&key).send().await.expect_status(200).data();
    let text = |name: &str| created[name].as_str().unwrap_or_else(|| panic!("no {name} in {created}")).to_owned();
    let (client_id, client_secret) = (text("client_id"), text("client_secret"));
    let read = |reply: Reply| reply.expect_status(200).data();
    let again = read(administrator.get("/api/resource/Social%20Login%20Key/zapier_connector").send().await);
    assert_ne!(again["client_secret"], json!(client_secret), "the secret is shown once");

    let authorize = "https://your-site.frappe.cloud/api/method/frappe.integrations.oauth2.authorize
  ?client_id=<client_id>
  &redirect_uri=<redirect_uri>
  &response_type=code";
    let client = [("<client_id>", client_id.as_str()), ("<redirect_uri>", REDIRECT_URI)];
    let exchange = r#"curl -X POST https://your-site.frappe.cloud/api/method/frappe.integrations.oauth2.get_token \
  -d "grant_type=authorization_code" \
  -d "code=<authorization_code>" \
  -d "client_id=<client_id>" \
  -d "redirect_uri=<redirect_uri>""#;
    // Such a client has a secret, which it sends in either of the usual ways.
    for proof in [format!(r#" -d "client_secret={client_secret}""#), format!(" -u '{client_id}:{client_secret}'")] {
        let code = allow_or_remembered(&reader, &amina, authorize, &client).await;
        let blanks = [&[("<authorization_code>", code.as_str())], &client[..]].concat();
        let tokens = reader.shell(&format!("{exchange}{proof}"), &blanks).expect_status(200).json();
        let call = "curl https://your-site.frappe.cloud/api/resource/HD Ticket \\\n  -H \"Authorization: Bearer <access_token>\"";
        let blanks = [SPACE[0], ("<access_token>", tokens["access_token"].as_str().expect("an access token"))];
        assert_eq!(reader.shell(call, &blanks).expect_status(200).names(), [ticket.as_str()]);
    }
}

/// [`allow`] for a client that the user may have allowed before.
async fn allow_or_remembered(reader: &Reader, user: &TestUser, printed: &str, blanks: &[(&str, &str)]) -> String {
    let address: String = reader.fill(printed, blanks).split_whitespace().collect();
    let browser = user.cookie().await;
    let reply = browser.get(&address).send().await;
    match reply.status {
        302 => reply.location_parameter("code").expect("a code"),
        _ => decide(&browser, &reply, "allow").await.location_parameter("code").expect("a code"),
    }
}

async fn a_script_sets_the_key_pair_of_a_user(app: TestApp) {
    // The v15 guide's server script, as a script elsewhere does it: read the user, set both halves, save.
    let (user, administrator) = (app.user("api.user@example.com").await, app.administrator().await);
    let path = "/api/resource/User/api.user@example.com";
    let document = administrator.get(path).send().await.expect_status(200).data();
    let save = async |api_key: &str, api_secret: &str| {
        let mut document = document.clone();
        document["api_key"] = json!(api_key);
        document["api_secret"] = json!(api_secret);
        administrator.put(path).json(&document).send().await
    };
    let (api_key, api_secret) = ("7d4f0f1b2a9c3e8", "b1946ac92492d2347c6235b4d2611184");
    let saved = save(api_key, api_secret).await.expect_status(200);
    assert!(!saved.text().contains(api_secret), "a secret is never shown again: {}", saved.text());
    let holder = app.anonymous().with_authorization(format!("token {api_key}:{api_secret}"));
    assert_eq!(holder.whoami().await.expect_status(200).message(), json!(user.name));
    // A secret that could be guessed is refused in words, and the pair before stays.
    let document = save(api_key, "password").await.expect_status(417);
    assert!(document.text().contains("generate_keys"), "{}", document.text());
    holder.whoami().await.expect_status(200);
    // "Regenerate credentials": the old pair ends.
    user.generate_keys().await;
    holder.whoami().await.expect_status(401);
}

async fn the_python_client_finds_its_way(app: TestApp) {
    // What the package frappe-client sends for the printed calls.
    let Reads { amina, customer, .. } = user_with_documents(&app).await;
    assert_eq!(customer, "CUST-00001");
    let (key, secret) = amina.generate_keys().await;
    use base64::Engine as _;
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{key}:{secret}"));
    let client = app.anonymous().with_authorization(format!("Basic {basic}"));
    // client.get_doc("Customer", "CUST-00001")
    let mut document = client.get("/api/resource/Customer/CUST-00001").send().await.expect_status(200).data();
    assert_eq!(document["customer_name"], json!("Acme"));
    // client.get_list("Customer", fields=[…], filters=[["territory", "=", "United States"]], limit_page_length=10)
    let list = client.get("/api/resource/Customer").query(&[
        ("fields", r#"["name", "customer_name", "territory"]"#),
        ("filters", r#"[["territory", "=", "United States"]]"#),
        ("limit_start", "0"),
        ("limit_page_length", "10"),
    ]);
    let list = list.send().await.expect_status(200).data();
    assert_eq!(list, json!([{ "name": "CUST-00001", "customer_name": "Acme", "territory": "United States" }]));
    // client.insert({…})
    let new = json!({ "doctype": "Customer", "customer_name": "John Doe", "customer_type": "Individual", "territory": "United States" });
    let created = client.post("/api/resource/Customer").form(&[("data", &new.to_string())]).send().await.expect_status(200).data();
    assert_eq!((&created["name"], &created["customer_type"]), (&json!("CUST-00002"), &json!("Individual")));
    // customer.mobile_no = "+1-555-0123"; client.update(customer)
    document["mobile_no"] = json!("+1-555-0123");
    let whole = document.to_string();
    let updated = client.put("/api/resource/Customer/CUST-00001").form(&[("data", &whole)]).send().await.expect_status(200).data();
    assert_eq!(updated["mobile_no"], json!("+1-555-0123"));
    // client.delete("Customer", "CUST-00001")
    client.delete("/api/resource/Customer/CUST-00001").send().await.expect_status(202);
    client.get("/api/resource/Customer/CUST-00001").send().await.expect_status(404);
}

async fn a_source_header_names_the_doctype_of_the_key(app: TestApp) {
    let amina = app.user("amina@example.com").await;
    let key = amina.api_key().await;
    let with_source = async |source: &str| {
        let request = key.get("/api/method/frappe.auth.get_logged_user");
        request.header("Frappe-Authorization-Source", source).send().await
    };
    assert_eq!(with_source("User").await.expect_status(200).message(), json!(amina.name));
    for wrong in ["ToDo", "Nope"] {
        assert_eq!(with_source(wrong).await.expect_status(401).error().as_deref(), Some("AuthenticationError"), "{wrong}");
    }
}

async fn the_csrf_section_holds(setup: Setup) {
    let app = setup.configure(|config| config.security.allowed_referrers = vec!["https://portal.example.com".into()]).start().await;
    let amina = app.user("amina@example.com").await;
    let reader = Reader::of(&app);
    let browser = amina.cookie().await;
    let token = browser.get("/api/method/frappe.sessions.get_csrf_token").send().await.expect_status(200).string("message");
    let cookie = format!("sid={}", browser.cookie("sid").expect("a session"));
    let create = "curl -X POST https://your-site/api/resource/ToDo -b COOKIE";
    let body = r#" -H "Content-Type: application/json" -d '{"description": "x"}'"#;
    let blanks = [("COOKIE", cookie.as_str())];
    // "CSRFTokenError: Missing or invalid CSRF token for session auth"
    let missing = reader.shell(&format!("{create}{body}"), &blanks).expect_status(400);
    assert_eq!(missing.error(), json!("CSRFTokenError"));
    let invalid = reader.shell(&format!("{create}{body} -H 'X-Frappe-CSRF-Token: wrong'"), &blanks).expect_status(400);
    assert_eq!(invalid.error(), json!("CSRFTokenError"));
    // "Include the token in one of these ways": a header or a field.
    reader.shell(&format!("{create}{body} -H 'X-Frappe-CSRF-Token: {token}'"), &blanks).expect_status(200);
    reader.shell(&format!("{create} -d description=x -d csrf_token={token}"), &blanks).expect_status(200);
    // "Bypassing CSRF": keys and bearer tokens need none, whatever cookie is sent along.
    let (key, secret) = amina.generate_keys().await;
    reader.shell(&format!("{create}{body} -H 'Authorization: token {key}:{secret}'"), &blanks).expect_status(200);
    let client = app.client(json!({ "skip_authorization": 1 })).await;
    let access = client.log_in(&amina.cookie().await, "all").await.access;
    reader.shell(&format!("{create}{body} -H 'Authorization: Bearer {access}'"), &blanks).expect_status(200);
    // An allowed referrer may post from its own page; here still with the token, because the cookie alone proves nothing.
    let from_portal = format!("{create}{body} -H 'Origin: https://portal.example.com' -H 'X-Frappe-CSRF-Token: {token}'");
    reader.shell(&from_portal, &blanks).expect_status(200);
    let from_elsewhere = format!("{create}{body} -H 'Origin: https://evil.example.com' -H 'X-Frappe-CSRF-Token: {token}'");
    reader.shell(&from_elsewhere, &blanks).expect_status(400);
}

async fn the_401_section_holds(app: TestApp) {
    let reader = Reader::of(&app);
    let Reads { amina, customer, .. } = user_with_documents(&app).await;
    let (key, secret) = amina.generate_keys().await;
    let call = "curl -X GET \\\n'https://your-instance.erpnext.com/api/resource/Customer' \\\n-H 'Authorization: token api_key:api_secret'";
    let with = |authorization: &str| reader.shell(call, &[("token api_key:api_secret", authorization)]);
    assert_eq!(with(&format!("token {key}:{secret}")).expect_status(200).names(), [customer.as_str()]);
    // "Verify API key and secret are correct." "Ensure Authorization header is properly formatted."
    for wrong in [
        format!("token {key}:wrong"),
        format!("token wrong:{secret}"),
        format!("token {key}"),
        format!("{key}:{secret}"),
        "Bearer wrong".into(),
    ] {
        assert_eq!(with(&wrong).expect_status(401).error(), json!("AuthenticationError"), "{wrong}");
    }
    // "InvalidAuthorizationToken: Malformed or invalid token format"
    assert_eq!(with("Basic !").expect_status(400).error(), json!("InvalidAuthorizationToken"));
    // "Check that the user account is active", on the very next request.
    let administrator = app.administrator().await;
    let path = format!("/api/resource/User/{}", amina.name);
    administrator.put(&path).json(&json!({ "enabled": 0 })).send().await.expect_status(200);
    with(&format!("token {key}:{secret}")).expect_status(401);
}

async fn the_403_section_holds(app: TestApp) {
    let reader = Reader::of(&app);
    let amina = app.user("amina@example.com").await;
    let (key, secret) = amina.generate_keys().await;
    let pair = format!("{key}:{secret}");
    let call = "curl -X GET \\\n'https://your-instance.erpnext.com/api/resource/Customer' \\\n-H 'Authorization: token api_key:api_secret'";
    let list_customers = || reader.shell(call, &[("api_key:api_secret", &pair)]);
    // "User lacks required role for the operation": valid credentials, insufficient permissions.
    assert_eq!(list_customers().expect_status(403).error(), json!("PermissionError"));
    // "Verify the user has required role permissions": with the role it works.
    let roles = json!({ "roles": [{ "role": "Sales User" }] });
    let path = format!("/api/resource/User/{}", amina.name);
    app.administrator().await.put(&path).json(&roles).send().await.expect_status(200);
    list_customers().expect_status(200);
    // Without any credential: Frappe's Guest.
    let nobody = "curl -X GET \\\n'https://your-instance.erpnext.com/api/resource/Customer'";
    reader.shell(nobody, &[]).expect_status(403);
}

async fn the_429_section_holds(setup: Setup) {
    // "Slow down request rate": three in a minute here.
    let app = setup.configure(|config| config.limits.scale = 0.0005).start().await;
    let reader = Reader::of(&app);
    let ping = "curl -i https://your-site/api/method/ping";
    let mut answer = reader.shell(ping, &[]);
    for _ in 0..6 {
        if answer.status == 429 {
            break;
        }
        assert_eq!(answer.status, 200);
        answer = reader.shell(ping, &[]);
    }
    let answer = answer.expect_status(429);
    assert!(answer.text.to_lowercase().contains("\nretry-after: "), "{}", answer.text);
    assert!(answer.text.contains("TooManyRequestsError"), "{}", answer.text);
}

async fn restricting_addresses_restricts_keys(app: TestApp) {
    // "Configure IP restrictions on User documents to limit API access to specific IP addresses."
    let amina = app.user("amina@example.com").await;
    let (key, administrator) = (amina.api_key().await, app.administrator().await);
    let path = format!("/api/resource/User/{}", amina.name);
    key.whoami().await.expect_status(200);
    administrator.put(&path).json(&json!({ "restrict_ip": "203.0.113.7" })).send().await.expect_status(200);
    key.whoami().await.expect_status(401);
    administrator.put(&path).json(&json!({ "restrict_ip": "203.0.113.7\n127.0.0.1" })).send().await.expect_status(200);
    key.whoami().await.expect_status(200);
}
