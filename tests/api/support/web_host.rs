//! A web host on this machine that speaks TLS under an authority of its own: what the server fetches from.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ostiary::config::Config;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::Value;

use super::TemporaryDirectory;

/// An answer, byte by byte where that matters.
#[derive(Clone)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    /// The body, and how long to wait before each piece.
    pieces: Vec<(Duration, Vec<u8>)>,
    chunked: bool,
}

impl Answer {
    /// 200 with a JSON document.
    pub fn json(body: &Value) -> Self {
        Self::text("application/json", body.to_string())
    }

    /// 200 with a body of any kind.
    pub fn text(kind: &str, body: impl Into<Vec<u8>>) -> Self {
        let answer = Self { status: 200, headers: Vec::new(), pieces: vec![(Duration::ZERO, body.into())], chunked: false };
        answer.header("content-type", kind)
    }

    /// Another status, without a body.
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), pieces: Vec::new(), chunked: false }
    }

    /// The same with another status.
    pub fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same body in chunks, so that its length is not said first.
    pub fn chunked(self) -> Self {
        Self { chunked: true, ..self }
    }

    /// The same body byte by byte, with a pause before each.
    pub fn dripping(mut self, pause: Duration) -> Self {
        let body: Vec<u8> = self.pieces.drain(..).flat_map(|(_, bytes)| bytes).collect();
        self.pieces = body.into_iter().map(|byte| (pause, vec![byte])).collect();
        self
    }

    /// The same after a while.
    pub fn after(mut self, pause: Duration) -> Self {
        self.pieces.insert(0, (pause, Vec::new()));
        self
    }

    fn send(&self, to: &mut impl Write) -> std::io::Result<()> {
        let mut head = format!("HTTP/1.1 {} Whatever\r\nconnection: close\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        match self.chunked {
            true => head.push_str("transfer-encoding: chunked\r\n\r\n"),
            false => head.push_str(&format!("content-length: {}\r\n\r\n", self.pieces.iter().map(|(_, bytes)| bytes.len()).sum::<usize>())),
        }
        to.write_all(head.as_bytes())?;
        for (pause, bytes) in &self.pieces {
            to.flush()?;
            std::thread::sleep(*pause);
            match self.chunked {
                true if !bytes.is_empty() => {
                    to.write_all(format!("{:x}\r\n", bytes.len()).as_bytes())?;
                    to.write_all(bytes)?;
                    to.write_all(b"\r\n")?;
                }
                _ => to.write_all(bytes)?,
            }
        }
        if self.chunked {
            to.write_all(b"0\r\n\r\n")?;
        }
        to.flush()
    }
}

type Handler = Arc<dyn Fn(&str) -> Answer + Send + Sync>;

/// What the threads of a host share.
#[derive(Default)]
struct Shared {
    handlers: Mutex<HashMap<String, Handler>>,
    heads: Mutex<Vec<String>>,
    connections: AtomicUsize,
}

/// The host. It listens until the test's process ends.
pub struct WebHost {
    address: SocketAddr,
    shared: Arc<Shared>,
    directory: TemporaryDirectory,
}

impl WebHost {
    /// Starts one on a port of its own, with nothing to give.
    pub fn start() -> Self {
        let (tls, root) = certificates();
        let tls = Arc::new(tls);
        let host = Self::listen(move |stream, shared| {
            let connection = rustls::ServerConnection::new(Arc::clone(&tls)).expect("a TLS connection");
            serve(&mut rustls::StreamOwned::new(connection, stream), shared)
        });
        std::fs::write(host.ca_file(), root).expect("a temporary file");
        host
    }

    /// The same without TLS.
    pub fn plain() -> Self {
        Self::listen(|mut stream, shared| serve(&mut stream, shared))
    }

    fn listen(talk: impl Fn(TcpStream, &Shared) -> std::io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let host =
            Self { address: listener.local_addr().expect("an address"), shared: Arc::default(), directory: TemporaryDirectory::new() };
        let (talk, shared) = (Arc::new(talk), Arc::clone(&host.shared));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                let (talk, shared) = (Arc::clone(&talk), Arc::clone(&shared));
                // A client that goes away early is what many tests are about.
                std::thread::spawn(move || drop(talk(stream, &shared)));
            }
        });
        host
    }

    /// The URL of a path, by name: `https://localhost:…`.
    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The root certificate that vouches for this host.
    pub fn ca_file(&self) -> PathBuf {
        self.directory.path().join("root.pem")
    }

    /// Has a server trust this host, and reach it although it is on this machine.
    pub fn open_to(&self, config: &mut Config) {
        config.fetch.ca_file = Some(self.ca_file());
        config.fetch.allow_networks = ["127.0.0.0/8", "::1/128"].map(|network| network.parse().expect("a network")).to_vec();
    }

    /// Answers a path from now on.
    pub fn serve(&self, path: &str, answer: Answer) {
        self.serve_with(path, move |_| answer.clone());
    }

    /// Answers a path by the head of each request, in lower case.
    pub fn serve_with(&self, path: &str, handler: impl Fn(&str) -> Answer + Send + Sync + 'static) {
        self.shared.handlers.lock().expect("no holder panics").insert(path.to_owned(), Arc::new(handler));
    }

    /// The heads of the requests so far, in lower case.
    pub fn heads(&self) -> Vec<String> {
        self.shared.heads.lock().expect("no holder panics").clone()
    }

    /// How many requests there were so far.
    pub fn requests(&self) -> usize {
        self.heads().len()
    }

    /// How many connections there were, whatever became of them.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

fn serve(stream: &mut (impl Read + Write), shared: &Shared) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte)? == 0 {
            return Ok(());
        }
        head.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
    let head = text.to_lowercase();
    shared.heads.lock().expect("no holder panics").push(head.clone());
    let handler = shared.handlers.lock().expect("no holder panics").get(&path).cloned();
    handler.map_or_else(|| Answer::status(404), |handler| handler(&head)).send(stream)
}

/// A server's settings, and the root certificate (PEM) that vouches for it.
fn certificates() -> (rustls::ServerConfig, String) {
    let root_key = KeyPair::generate().expect("a key");
    let mut root = CertificateParams::new(Vec::new()).expect("no names");
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root_pem = root.self_signed(&root_key).expect("a certificate").pem();
    let key = KeyPair::generate().expect("a key");
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let certificate = CertificateParams::new(names).expect("names").signed_by(&key, &Issuer::new(root, root_key)).expect("a certificate");
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let tls = rustls::ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the default versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .expect("certificate and key belong together");
    (tls, root_pem)
}
