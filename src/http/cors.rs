//! Which other origins a browser may let read our answers.

use std::sync::{Arc, RwLock};

use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};

use super::State;
use super::extract::text;
use crate::store;

/// Who may read an endpoint's answers across origins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Public documents: any origin, without credentials.
    Anyone,
    /// OAuth endpoints that browser apps call: origins of registered public clients, and configured ones.
    PublicClients,
    /// Everything else: configured origins (`allow_cors`), with credentials.
    Configured,
}

/// The origins of registered public clients, read again after a client changed.
#[derive(Default)]
pub(super) struct PublicClientOrigins(RwLock<Option<(u64, Arc<Vec<String>>)>>);

/// Adds the headers that `sharing` allows to an answer.
pub async fn apply(sharing: Sharing, request: &HttpRequest, response: &mut HttpResponse, state: &State) {
    let Some(origin) = text(request.headers(), &header::ORIGIN) else { return };
    let configured = state.env.config.security.allow_cors.iter().any(|listed| listed == origin || listed == "*");
    let headers = response.headers_mut();
    if sharing == Sharing::Anyone {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    } else {
        let shared = configured || (sharing == Sharing::PublicClients && is_public_client(state, origin).await);
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        let Ok(value) = HeaderValue::from_str(origin) else { return };
        if !shared {
            return;
        }
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, value);
        if configured {
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("WWW-Authenticate, Retry-After"));
    if request.method() == actix_web::http::Method::OPTIONS {
        let asked = |name: &HeaderName| request.headers().get(name).cloned();
        if let Some(method) = asked(&header::ACCESS_CONTROL_REQUEST_METHOD) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, method);
        }
        if let Some(names) = asked(&header::ACCESS_CONTROL_REQUEST_HEADERS) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names);
        }
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    }
}

async fn is_public_client(state: &State, origin: &str) -> bool {
    let cached = state.public_client_origins.0.read().ok().and_then(|cached| cached.clone());
    let origins = match cached {
        Some((as_of, origins)) if state.db.epochs().is_current(store::epochs::CLIENTS, as_of) => origins,
        _ => {
            let as_of = state.db.epochs().now();
            let Ok(uris) = state.lookup(|cx| Ok(store::clients::list_public_redirect_uris(cx.conn)?)).await else { return false };
            let origins = uris
                .iter()
                .filter_map(|uri| url::Url::parse(uri).ok())
                .map(|uri| uri.origin())
                .filter(url::Origin::is_tuple)
                .map(|origin| origin.ascii_serialization());
            let origins = Arc::new(origins.collect::<Vec<_>>());
            if let Ok(mut cached) = state.public_client_origins.0.write() {
                *cached = Some((as_of, Arc::clone(&origins)));
            }
            origins
        }
    };
    origins.iter().any(|known| known == origin)
}
