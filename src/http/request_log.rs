//! One log line per request: what was asked, who asked, how it ended and why. Never a secret: no
//! query string, no header, no body.

use std::time::Instant;

use actix_web::http::{Method, StatusCode};

use crate::secrets::mint::redacted;

/// Collects what the line will say while a request is handled.
pub struct RequestLog {
    started: Instant,
    pub method: Method,
    /// The pattern, not the path.
    pub route: &'static str,
    pub address: std::net::IpAddr,
    pub caller: Option<String>,
    pub scheme: &'static str,
    pub cause: Option<String>,
    pub fault: bool,
}

impl RequestLog {
    /// Begins a line.
    pub fn new(method: Method, address: std::net::IpAddr) -> Self {
        Self { started: Instant::now(), method, route: "-", address, caller: None, scheme: "none", cause: None, fault: false }
    }

    /// Notes why a request was refused or failed.
    pub fn note_error(&mut self, error: &crate::error::AppError) {
        self.cause = Some(error.to_string());
        self.fault = error.is_fault();
    }

    /// Writes the line and counts the request.
    pub fn finish(self, status: StatusCode) {
        let elapsed = self.started.elapsed();
        crate::telemetry::count_request(self.route, status.as_u16(), elapsed);
        #[expect(clippy::cast_precision_loss, reason = "a duration for people")]
        let milliseconds = elapsed.as_micros() as f64 / 1000.0;
        let cause = self.cause.as_deref().map(redacted);
        let (method, route, status) = (self.method.as_str(), self.route, status.as_u16());
        let (caller, scheme, address) = (self.caller.as_deref().unwrap_or("Guest"), self.scheme, self.address);
        match (self.fault, cause.as_deref()) {
            (true, cause) => {
                tracing::error!(target: "ostiary::request", method, route, status, milliseconds, caller, scheme, %address, cause)
            }
            (false, Some(cause)) => {
                tracing::info!(target: "ostiary::request", method, route, status, milliseconds, caller, scheme, %address, cause)
            }
            (false, None) => tracing::info!(target: "ostiary::request", method, route, status, milliseconds, caller, scheme, %address),
        }
    }
}
