//! Somebody else's web site, on another origin: a page with a link to log in, and a place to come back to.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use url::Url;

/// The site. It answers for as long as the test runs.
#[derive(Clone)]
pub struct ThirdParty {
    port: u16,
    shown: Arc<Mutex<Shown>>,
}

/// What its pages hold, and who came.
#[derive(Default)]
struct Shown {
    link: String,
    visits: Vec<Visit>,
}

/// A request to the callback.
#[derive(Clone, Debug)]
pub struct Visit {
    pub method: String,
    /// The parameters, of the query or of the posted form.
    pub parameters: Vec<(String, String)>,
    /// The `Referer` header: the page before should not have leaked into it.
    pub referer: Option<String>,
}

impl Visit {
    /// A parameter; fails when it is there twice.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.parameters.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let value = values.next();
        assert!(values.next().is_none(), "{name} came twice: {:?}", self.parameters);
        value
    }
}

impl ThirdParty {
    /// Opens it.
    pub fn open() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let site = Self { port, shown: Arc::default() };
        let answering = site.clone();
        // Browsers open connections that they may never use, so each has a thread. They end with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let site = answering.clone();
                std::thread::spawn(move || site.answer(&stream));
            }
        });
        site
    }

    /// Its address under the name `localhost`, another site to browsers than 127.0.0.1.
    pub fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.port)
    }

    /// The same under 127.0.0.1: another origin of the server's own site, where its cookies are sent along.
    pub fn near_url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Where it wants users sent back to.
    pub fn callback(&self) -> String {
        self.url("/callback")
    }

    /// A page of its own whose policy lets forms go nowhere else, with a form that is redirected to the link.
    pub fn strict_url(&self) -> String {
        self.url("/strict")
    }

    /// Lets its pages link to, frame and redirect to this address.
    pub fn link_to(&self, address: &Url) {
        self.shown.lock().expect("no holder panics").link = address.to_string();
    }

    /// The visit to the callback that is yet to come or has just come.
    pub async fn await_visit(&self) -> Visit {
        let started = Instant::now();
        loop {
            if let Some(visit) = self.shown.lock().expect("no holder panics").visits.pop() {
                return visit;
            }
            assert!(started.elapsed() < Duration::from_secs(30), "nobody came back");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn answer(&self, stream: &TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream);
        let mut lines = reader.by_ref().lines().map_while(Result::ok);
        let request = lines.next()?;
        let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
        let header = |name: &str| {
            let found = headers.iter().filter_map(|line| line.split_once(':')).find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.trim().to_owned())
        };
        let mut words = request.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?);
        let mut body = vec![0; header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0)];
        reader.read_exact(&mut body).ok()?;
        let url = Url::parse("http://localhost/").ok()?.join(target).ok()?;
        let sent = if method == "POST" { body.as_slice() } else { url.query().unwrap_or_default().as_bytes() };
        let parameters = url::form_urlencoded::parse(sent).into_owned().collect();
        let mut shown = self.shown.lock().expect("no holder panics");
        let link = shown.link.replace('&', "&amp;");
        let page = match url.path() {
            "/" => format!("<h1>A third party</h1><a id=login href=\"{link}\">Log in</a>"),
            "/frame" => format!("<h1>A trap</h1><iframe src=\"{link}\" width=800 height=600></iframe>"),
            "/strict" => "<form method=post action=/away><button id=go>Go</button></form>".to_owned(),
            "/callback" => {
                shown.visits.push(Visit { method, parameters, referer: header("referer") });
                "<h1 id=welcome>Welcome back</h1>".to_owned()
            }
            _ => String::new(),
        };
        drop(shown);
        let (status, header) = match url.path() {
            "/away" => ("302 Found", format!("location: {link}")),
            "/strict" => ("200 OK", "content-security-policy: form-action 'self'".to_owned()),
            _ if page.is_empty() => ("204 No Content", "x-empty: yes".to_owned()),
            _ => ("200 OK", "referrer-policy: unsafe-url".to_owned()),
        };
        let page = if page.is_empty() { page } else { format!("<!doctype html><title>A third party</title>{page}") };
        let length = page.len();
        let head =
            format!("HTTP/1.1 {status}\r\n{header}\r\ncontent-type: text/html\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
        let mut stream = stream;
        stream.write_all(head.as_bytes()).ok()?;
        stream.write_all(page.as_bytes()).ok()
    }
}
