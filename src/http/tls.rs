//! TLS for the listener: certificate and key from PEM files, read again on SIGHUP.

use std::path::PathBuf;
use std::sync::{Arc, RwLock};

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::config::ServerConfig;

/// Hands every new connection the certificate that was read last.
#[derive(Debug)]
struct Reloading(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Reloading {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.read().ok().map(|key| Arc::clone(&key))
    }
}

/// The TLS settings, when a certificate is configured.
///
/// # Errors
/// One line that says what is wrong with the files.
pub fn load(config: &ServerConfig) -> Result<Option<rustls::ServerConfig>, String> {
    let (Some(cert), Some(key)) = (config.tls_cert.clone(), config.tls_key.clone()) else { return Ok(None) };
    let resolver = Arc::new(Reloading(RwLock::new(Arc::new(read(&cert, &key)?))));
    reload_on_hangup(Arc::clone(&resolver), cert, key);
    let provider = Arc::new(aws_lc_rs::default_provider());
    let tls =
        rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    Ok(Some(tls.with_no_client_auth().with_cert_resolver(resolver)))
}

/// Whether certificate and key can be used, without a server.
///
/// # Errors
/// One line that says what is wrong with the files.
pub fn check(config: &ServerConfig) -> Result<(), String> {
    match (&config.tls_cert, &config.tls_key) {
        (Some(cert), Some(key)) => read(cert, key).map(drop),
        _ => Ok(()),
    }
}

fn read(cert: &PathBuf, key: &PathBuf) -> Result<CertifiedKey, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(cert).map_err(|error| format!("{}: {error}", cert.display()))?.collect();
    let chain = chain.map_err(|error| format!("{}: {error}", cert.display()))?;
    if chain.is_empty() {
        return Err(format!("{} holds no certificate", cert.display()));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| format!("{}: {error}", key.display()))?;
    let certified = CertifiedKey::from_der(chain, private, &aws_lc_rs::default_provider()).map_err(|error| error.to_string())?;
    certified.keys_match().map_err(|_| "certificate and key do not belong together".to_owned())?;
    Ok(certified)
}

/// A certificate that cannot be read leaves the old one in place.
fn reload_on_hangup(resolver: Arc<Reloading>, cert: PathBuf, key: PathBuf) {
    let Ok(mut hangups) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()) else { return };
    actix_web::rt::spawn(async move {
        while hangups.recv().await.is_some() {
            match read(&cert, &key) {
                Ok(certified) => {
                    if let Ok(mut current) = resolver.0.write() {
                        *current = Arc::new(certified);
                        tracing::info!("certificate read again");
                    }
                }
                Err(cause) => tracing::error!(%cause, "certificate not read again; the old one stays"),
            }
        }
    });
}
