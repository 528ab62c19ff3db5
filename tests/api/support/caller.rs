//! Who asks, how, and what came back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderName, HeaderValue, LOCATION, SET_COOKIE};
use serde_json::Value;

/// Someone who sends requests, always with the same credential. Redirects are not followed.
#[derive(Clone)]
pub struct Caller {
    http: reqwest::Client,
    base: String,
    credential: Credential,
}

#[derive(Clone)]
enum Credential {
    None,
    /// The `Authorization` header's value.
    Header(String),
    /// A browser's cookies; answers change them.
    Cookies(Arc<Mutex<BTreeMap<String, String>>>),
}

impl Caller {
    /// Without any credential; cookies are not kept.
    pub fn anonymous(base: &str) -> Self {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(std::time::Duration::from_secs(60))
            .build()
            .expect("an HTTP client");
        Self { http, base: base.to_owned(), credential: Credential::None }
    }

    /// The same connections with this `Authorization` header.
    pub fn with_authorization(&self, value: impl Into<String>) -> Self {
        Self { credential: Credential::Header(value.into()), ..self.clone() }
    }

    /// The same connections with an empty cookie jar.
    pub fn with_cookies(&self) -> Self {
        Self { credential: Credential::Cookies(Arc::default()), ..self.clone() }
    }

    /// The `Authorization` header it sends, for requests that are put together by hand.
    pub fn authorization(&self) -> Option<&str> {
        match &self.credential {
            Credential::Header(value) => Some(value),
            Credential::None | Credential::Cookies(_) => None,
        }
    }

    /// A cookie of this caller's jar.
    pub fn cookie(&self, name: &str) -> Option<String> {
        match &self.credential {
            Credential::Cookies(jar) => jar.lock().expect("no holder panics").get(name).cloned(),
            Credential::None | Credential::Header(_) => None,
        }
    }

    /// Puts a cookie into the jar.
    pub fn set_cookie(&self, name: &str, value: &str) {
        if let Credential::Cookies(jar) = &self.credential {
            jar.lock().expect("no holder panics").insert(name.to_owned(), value.to_owned());
        }
    }

    /// A request to a path of the server, or to an absolute URL.
    pub fn request(&self, method: Method, path: &str) -> Request {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base) };
        let mut inner = self.http.request(method, url);
        match &self.credential {
            Credential::None => {}
            Credential::Header(value) => inner = inner.header(AUTHORIZATION, value),
            Credential::Cookies(jar) => {
                let jar = jar.lock().expect("no holder panics");
                if !jar.is_empty() {
                    let cookies: Vec<_> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
                    inner = inner.header(COOKIE, cookies.join("; "));
                }
            }
        }
        Request { inner, caller: self.clone() }
    }

    pub fn get(&self, path: &str) -> Request {
        self.request(Method::GET, path)
    }

    pub fn post(&self, path: &str) -> Request {
        self.request(Method::POST, path)
    }

    pub fn put(&self, path: &str) -> Request {
        self.request(Method::PUT, path)
    }

    pub fn delete(&self, path: &str) -> Request {
        self.request(Method::DELETE, path)
    }

    /// What `frappe.auth.get_logged_user` says.
    pub async fn whoami(&self) -> Reply {
        self.get("/api/method/frappe.auth.get_logged_user").send().await
    }

    fn keep_cookies(&self, headers: &HeaderMap) {
        let Credential::Cookies(jar) = &self.credential else { return };
        let mut jar = jar.lock().expect("no holder panics");
        for cookie in headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok()) {
            let mut parts = cookie.split(';').map(str::trim);
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { continue };
            let gone = value.is_empty() || parts.any(|attribute| attribute.eq_ignore_ascii_case("max-age=0"));
            if gone {
                jar.remove(name);
            } else {
                jar.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

/// A request that is being put together.
pub struct Request {
    inner: reqwest::RequestBuilder,
    caller: Caller,
}

impl Request {
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
        self.inner = self.inner.header(name, HeaderValue::from_bytes(value.as_ref()).expect("a header value"));
        self
    }

    /// Appends query parameters, percent-encoded.
    pub fn query(mut self, pairs: &[(&str, &str)]) -> Self {
        let encoded = form_encode(pairs);
        self.inner = {
            let (client, request) = self.inner.build_split();
            let mut request = request.expect("a request");
            let joined = request.url().query().map_or_else(|| encoded.clone(), |query| format!("{query}&{encoded}"));
            request.url_mut().set_query(Some(&joined));
            reqwest::RequestBuilder::from_parts(client, request)
        };
        self
    }

    pub fn json(mut self, body: &Value) -> Self {
        self.inner = self.inner.header("content-type", "application/json").body(body.to_string());
        self
    }

    pub fn form(mut self, pairs: &[(&str, &str)]) -> Self {
        self.inner = self.inner.header("content-type", "application/x-www-form-urlencoded").body(form_encode(pairs));
        self
    }

    /// Any body; set `content-type` as a header.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.inner = self.inner.body(body.into());
        self
    }

    pub async fn send(self) -> Reply {
        self.try_send().await.expect("the server answers")
    }

    /// For servers that may be dead.
    pub async fn try_send(self) -> Result<Reply, reqwest::Error> {
        let response = self.inner.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await?.to_vec();
        self.caller.keep_cookies(&headers);
        Ok(Reply { status, headers, body })
    }
}

fn form_encode(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Reply {
    /// Fails the test, showing the body, unless the status is this one.
    #[track_caller]
    pub fn expect_status(self, status: u16) -> Self {
        assert_eq!(self.status, status, "body: {}", self.text());
        self
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}; status {}, body: {}", self.status, self.text()))
    }

    /// A string member of the JSON body.
    #[track_caller]
    pub fn string(&self, member: &str) -> String {
        self.json()[member].as_str().unwrap_or_else(|| panic!("no string {member} in {}", self.text())).to_owned()
    }

    /// Member `message`, as methods answer.
    #[track_caller]
    pub fn message(&self) -> Value {
        self.json()["message"].clone()
    }

    /// Member `data`, as resources answer.
    #[track_caller]
    pub fn data(&self) -> Value {
        self.json()["data"].clone()
    }

    /// Frappe's `exc_type`, or OAuth's `error`.
    pub fn error(&self) -> Option<String> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        Some(body.get("exc_type").or_else(|| body.get("error"))?.as_str()?.to_owned())
    }

    /// Where a redirect leads.
    #[track_caller]
    pub fn location(&self) -> url::Url {
        let location = self.headers.get(LOCATION).unwrap_or_else(|| panic!("no redirect: {} {}", self.status, self.text()));
        let location = location.to_str().expect("an ASCII location");
        url::Url::parse("http://127.0.0.1/").expect("a URL").join(location).expect("a location")
    }

    /// A query parameter of [`Reply::location`].
    #[track_caller]
    pub fn location_parameter(&self, name: &str) -> Option<String> {
        self.location().query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

/// The texts of Frappe's `_server_messages`.
#[track_caller]
pub fn messages(reply: &Reply) -> Vec<String> {
    let list: Vec<String> = serde_json::from_str(&reply.string("_server_messages")).expect("a JSON list of texts");
    let text = |entry: &String| serde_json::from_str::<Value>(entry).expect("each text is JSON")["message"].as_str().map(str::to_owned);
    list.iter().map(|entry| text(entry).expect("a message")).collect()
}
