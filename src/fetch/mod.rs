//! The one way out over HTTPS: what clients publish at addresses that they name themselves.
//!
//! Whoever names the address may mean harm (RFC 9700 section 4.15 and kin): it may lead inside, never end, or
//! point elsewhere. So: https only, no redirects, no proxies, no cookies, the address is resolved once and the
//! connection goes to exactly what was checked, three seconds for everything, few bytes, JSON only. The port is
//! free: TLS with a certificate of the host must be spoken there, which no other service does by accident.
//!
//! Knows neither the database nor who asks: limits per caller come before it, and who is asked how often is for the
//! `permit` of [`Fetcher::get`] to say. To fetch something new, call that with a size of its own.

mod address;
mod freshness;

use std::collections::HashMap;
use std::net::ToSocketAddrs as _;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, SystemTime};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use reqwest::{Certificate, StatusCode};
use tokio::sync::{OnceCell, Semaphore};
use url::{Host, Url};

use crate::config::FetchConfig;
use address::Rules;

/// Largest client metadata document, in bytes (draft-ietf-oauth-client-id-metadata-document-02 section 8.7).
pub const MAX_METADATA: usize = 5 * 1024;
/// Largest key set, in bytes.
pub const MAX_KEY_SET: usize = 64 * 1024;

/// Everything together: waiting for a place, the name, the connection, the last byte.
const PATIENCE: Duration = Duration::from_secs(3);
/// Fetches at once.
const PLACES: usize = 16;
/// How long a failure is the answer for whoever asks again.
const REMEMBER_FAILURE: Duration = Duration::from_secs(30);
/// Longest validator that is sent back.
const MAX_VALIDATOR: usize = 256;
/// Who asks, as the other side sees it.
const USER_AGENT: &str = concat!("Ostiary/", env!("CARGO_PKG_VERSION"));

/// What a copy is checked with later (RFC 9110 section 8.8).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Validators {
    pub etag: Option<String>,
    pub last_modified: Option<String>,
}

/// How long a copy may be used, and how it is checked after that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keep {
    /// One minute to one day, whatever the other side says.
    pub fresh_for: Duration,
    pub validators: Validators,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// The document as it is now: the bytes of a JSON text, not parsed.
    New { body: Vec<u8>, keep: Keep },
    /// The copy that the validators describe is still right (304).
    Same(Keep),
}

/// Why nothing came back. [`FetchError::public_text`] is what others may read; this is for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The URL is none that is fetched at all.
    #[error("the URL {0}")]
    Url(&'static str),
    /// The host is, or its name leads to, an address that is not public.
    #[error("{0} is not a public address")]
    Forbidden(String),
    #[error("not done within {} s", PATIENCE.as_secs())]
    Timeout,
    /// Too many others were being fetched all that time.
    #[error("no place within {} s", PATIENCE.as_secs())]
    Busy,
    /// No name, no connection, no TLS, or it broke off.
    #[error("not reachable: {0}")]
    Unreachable(String),
    #[error("status {0}")]
    Status(u16),
    /// The answer is not JSON as it stands.
    #[error("content type or encoding {0:?}")]
    NotJson(String),
    #[error("longer than {0} bytes")]
    TooLong(usize),
    /// This machine cannot fetch at all.
    #[error("cannot fetch: {0}")]
    Unusable(String),
}

impl FetchError {
    /// Whether the host answered, and said that the document is not there (any more).
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Status(404 | 410))
    }

    /// What is wrong, for the people who run the other side. Why a host cannot be reached is left out: the
    /// difference would tell a stranger what stands inside.
    pub fn public_text(&self) -> String {
        match self {
            Self::Url(reason) => format!("its address {reason}"),
            Self::Forbidden(_) | Self::Timeout | Self::Busy | Self::Unreachable(_) | Self::Unusable(_) => {
                "it could not be read over https from a public address within three seconds".to_owned()
            }
            Self::Status(status) if (300..400).contains(status) => "it is redirected; it must be answered at its own address".to_owned(),
            Self::Status(status) => format!("it is answered with status {status} instead of 200"),
            Self::NotJson(_) => "it is not served as application/json".to_owned(),
            Self::TooLong(most) => format!("it is longer than {most} bytes"),
        }
    }
}

/// What one fetch is about; equal ones that are under way at once are one.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Errand {
    url: Url,
    most: usize,
    known: Validators,
}

type Outcome = Result<Fetched, FetchError>;

/// The host that a URL leads to, by which fetches are counted: without the port, in lower case and without the dot that
/// a name may end with. Empty if it has none.
pub fn host(url: &str) -> String {
    let url = Url::parse(url).ok();
    let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
    host.strip_suffix('.').unwrap_or(host).to_owned()
}

/// Fetches.
pub struct Fetcher {
    rules: Arc<Rules>,
    roots: Vec<Certificate>,
    /// Made at first use: reading the system's root certificates takes a while, and most never fetch.
    client: OnceLock<Result<reqwest::Client, String>>,
    places: Semaphore,
    under_way: Mutex<HashMap<Errand, Weak<OnceCell<Outcome>>>>,
    failed: moka::sync::Cache<Errand, FetchError>,
}

impl Fetcher {
    /// A fetcher under these settings.
    ///
    /// # Errors
    /// One line that says what is wrong with the file of root certificates.
    pub fn new(config: &FetchConfig) -> Result<Self, String> {
        let roots = match &config.ca_file {
            None => Vec::new(),
            Some(path) => {
                let refuse = |cause: String| format!("fetch.ca_file {}: {cause}", path.display());
                let pem = std::fs::read(path).map_err(|error| refuse(error.to_string()))?;
                let roots = Certificate::from_pem_bundle(&pem).map_err(|error| refuse(chain(&error)))?;
                if roots.is_empty() {
                    return Err(refuse("holds no certificate".to_owned()));
                }
                roots
            }
        };
        Ok(Self {
            rules: Arc::new(Rules::new(&config.allow_networks)),
            roots,
            client: OnceLock::new(),
            places: Semaphore::new(PLACES),
            under_way: Mutex::default(),
            failed: moka::sync::Cache::builder().max_capacity(1000).time_to_live(REMEMBER_FAILURE).build(),
        })
    }

    /// Fetches a JSON document of at most `most` bytes. `known` describes the copy that the caller has, if any.
    /// Callers that ask for the same at once wait for one fetch; a failure is the answer for another half minute.
    /// Whoever starts a fetch must have its `permit`; who waits for another's, or hears of a failure, is not asked for it.
    ///
    /// # Errors
    /// Inside [`FetchError`]; nothing was connected to for [`FetchError::Url`] and [`FetchError::Forbidden`]. Outside the
    /// refusal of `permit`, after which nothing was connected to either.
    pub async fn get<E>(
        &self,
        url: &str,
        most: usize,
        known: Option<&Validators>,
        permit: impl FnOnce() -> Result<(), E>,
    ) -> Result<Outcome, E> {
        let url = match self.check(url) {
            Ok(url) => url,
            Err(error) => return Ok(Err(error)),
        };
        let errand = Errand { url, most, known: known.cloned().unwrap_or_default() };
        if let Some(error) = self.failed.get(&errand) {
            return Ok(Err(error));
        }
        let flight = self.board(&errand);
        // Whoever asked first runs it; if that one goes away or may not, the next takes over.
        let run = async || {
            permit()?;
            Ok(self.run(&errand).await)
        };
        flight.get_or_try_init(run).await.cloned()
    }

    /// The URL, if it is one that may be fetched. Names are checked when they are resolved.
    fn check(&self, url: &str) -> Result<Url, FetchError> {
        let url = Url::parse(url).map_err(|_| FetchError::Url("is not a URL"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(FetchError::Url("contains a user name or password"));
        }
        if url.fragment().is_some() {
            return Err(FetchError::Url("has a fragment"));
        }
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(address.into()),
            Some(Host::Ipv6(address)) => Some(address.into()),
            Some(Host::Domain(_)) => None,
            None => return Err(FetchError::Url("has no host")),
        };
        if let Some(address) = literal {
            self.rules.check(address)?;
        }
        match url.scheme() {
            "https" => Ok(url),
            // Between this machine and itself, where the settings open that, nobody can listen.
            "http" if literal.is_some_and(|address| address.is_loopback()) => Ok(url),
            _ => Err(FetchError::Url("is not https")),
        }
    }

    fn board(&self, errand: &Errand) -> Arc<OnceCell<Outcome>> {
        let mut under_way = self.under_way.lock().expect("no holder panics");
        if let Some(flight) = under_way.get(errand).and_then(Weak::upgrade) {
            return flight;
        }
        under_way.retain(|_, flight| flight.strong_count() > 0);
        let flight = Arc::default();
        under_way.insert(errand.clone(), Arc::downgrade(&flight));
        flight
    }

    async fn run(&self, errand: &Errand) -> Outcome {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        // Says nothing about the other side, so it is not remembered.
        let Ok(Ok(_place)) = tokio::time::timeout_at(deadline, self.places.acquire()).await else { return Err(FetchError::Busy) };
        let outcome = tokio::time::timeout_at(deadline, self.fetch(errand)).await.unwrap_or(Err(FetchError::Timeout));
        if let Err(error) = &outcome {
            tracing::info!(url = %errand.url, cause = %error, "not fetched");
            self.failed.insert(errand.clone(), error.clone());
        }
        outcome
    }

    fn client(&self) -> Result<&reqwest::Client, FetchError> {
        let made = self.client.get_or_init(|| {
            let resolver = CheckedResolver { rules: Arc::clone(&self.rules), lookups: Arc::new(Semaphore::new(PLACES)) };
            reqwest::Client::builder()
                .user_agent(USER_AGENT)
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .referer(false)
                .http1_only()
                .dns_resolver(resolver)
                // A connection is not kept: the next fetch resolves and checks anew.
                .pool_max_idle_per_host(0)
                .tls_certs_merge(self.roots.iter().cloned())
                .build()
                .map_err(|error| chain(&error))
        });
        made.as_ref().map_err(|cause| FetchError::Unusable(cause.clone()))
    }

    async fn fetch(&self, errand: &Errand) -> Outcome {
        let Errand { url, most, known } = errand;
        let client = self.client()?;
        let mut request = client.get(url.clone()).header(ACCEPT, "application/json");
        if let Some(etag) = &known.etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        if let Some(last_modified) = &known.last_modified {
            request = request.header(IF_MODIFIED_SINCE, last_modified);
        }
        let request = request.build().map_err(unreachable)?;
        // Another's clock is compared with this machine's own, so it is read here and not given.
        let (asked, sent) = (request.try_clone(), SystemTime::now());
        let asked = asked.ok_or_else(|| FetchError::Unusable("a request without a body is copied".to_owned()))?;
        let mut response = client.execute(request).await.map_err(unreachable)?;
        let keep =
            Keep { fresh_for: freshness::lifetime(&asked, response.headers(), sent), validators: Validators::of(response.headers()) };
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED if *known != Validators::default() => return Ok(Fetched::Same(keep)),
            other => return Err(FetchError::Status(other.as_u16())),
        }
        require_json(response.headers())?;
        // Asked for without compression, so these bytes are the document.
        if response.content_length().is_some_and(|length| usize::try_from(length).is_ok_and(|length| length > *most)) {
            return Err(FetchError::TooLong(*most));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > *most {
                return Err(FetchError::TooLong(*most));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Fetched::New { body, keep })
    }
}

impl Validators {
    fn of(headers: &HeaderMap) -> Self {
        let text = |name| {
            let value: &reqwest::header::HeaderValue = headers.get(name)?;
            value.to_str().ok().filter(|text| text.len() <= MAX_VALIDATOR).map(str::to_owned)
        };
        Self { etag: text(ETAG), last_modified: text(LAST_MODIFIED) }
    }
}

fn require_json(headers: &HeaderMap) -> Result<(), FetchError> {
    let text = |name| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_lowercase());
    let kind = text(CONTENT_TYPE).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    let json = essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    if !json {
        return Err(FetchError::NotJson(kind));
    }
    match text(CONTENT_ENCODING) {
        Some(coding) if coding != "identity" => Err(FetchError::NotJson(coding)),
        _ => Ok(()),
    }
}

/// Resolves a name once and hands on only what was checked.
struct CheckedResolver {
    rules: Arc<Rules>,
    lookups: Arc<Semaphore>,
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (rules, lookups) = (Arc::clone(&self.rules), Arc::clone(&self.lookups));
        Box::pin(async move {
            // The system's resolver cannot be interrupted: its place is free when it is, not when we gave up.
            let place = lookups.acquire_owned().await?;
            let host = name.as_str().to_owned();
            let resolved = tokio::task::spawn_blocking(move || {
                let _place = place;
                (host.as_str(), 0).to_socket_addrs().map(Vec::from_iter)
            });
            let found = resolved.await??;
            // One that must not be reached spoils the others: a name that leads to both is a trick or a mistake,
            // and which of them a connection takes would depend on what answers first.
            for address in &found {
                rules.check(address.ip())?;
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// What a fetch ran into. Our own resolver's refusal travels inside the client's error.
fn unreachable(error: reqwest::Error) -> FetchError {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(cause) = source {
        if let Some(own) = cause.downcast_ref::<FetchError>() {
            return own.clone();
        }
        source = cause.source();
    }
    FetchError::Unreachable(chain(&error.without_url()))
}

/// An error with what led to it, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_finds_no_place_may_ask_again_at_once() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let fetcher = Fetcher::new(&FetchConfig::default()).expect("the defaults can be used");
            let get = || fetcher.get("https://localhost/client.json", MAX_METADATA, None, || Ok::<(), ()>(()));
            let places = fetcher.places.acquire_many(u32::try_from(PLACES).expect("a few")).await.expect("never closed");
            assert_eq!(get().await, Ok(Err(FetchError::Busy)));
            drop(places);
            assert!(matches!(get().await, Ok(Err(FetchError::Forbidden(_)))));
        });
    }

    #[test]
    fn a_host_is_one_whatever_the_port_and_the_spelling() {
        for url in ["https://app.example/a", "https://App.Example:8443/b", "https://app.example./", "https://user@app.example.:1/"] {
            assert_eq!(host(url), "app.example", "{url}");
        }
        assert_eq!(host("https://[::1]:8443/"), "[::1]");
        assert_ne!(host("https://www.app.example/"), host("https://app.example/"));
        assert_eq!(host("app.example"), "");
    }
}
