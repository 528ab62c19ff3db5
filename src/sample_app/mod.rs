//! A third-party app to try Ostiary with: a small site of its own that logs users in with OAuth,
//! shows who they are, lists their ToDos, refreshes and logs out.
//!
//! It is honest client code: the `oauth2` crate over HTTP, the addresses from the issuer's
//! discovery document, PKCE and `state` and `iss` checked. It must not know anything of Ostiary
//! that [`SampleAppConfig`] does not tell; no other room is imported here.
//!
//! | path | what |
//! | --- | --- |
//! | `/` | "Log in", or the board of who is logged in |
//! | `/login` | off to the issuer |
//! | `/callback` | back from there, with a code or a refusal |
//! | `/refresh`, `/logout` | the buttons (POST) |

mod handlers;
mod provider;
mod sessions;
mod views;

use std::net::TcpListener;

use actix_web::web::{self, Data};
use actix_web::{App, HttpServer};
use secrecy::SecretString;

use provider::Provider;
use sessions::Sessions;

/// What the app's developer was told when the client was registered.
pub struct SampleAppConfig {
    /// Where the app listens.
    pub listener: TcpListener,
    /// What browsers call it, which leads there.
    pub origin: String,
    /// The server that users log in with.
    pub issuer: String,
    pub client_id: String,
    pub client_secret: SecretString,
}

/// What every handler shares.
struct Site {
    /// The app's own origin: what forms must be posted from.
    origin: String,
    provider: Provider,
    sessions: Sessions,
}

/// The redirect URI of an app that listens there.
pub fn redirect_uri(origin: &str) -> String {
    format!("{origin}/callback")
}

/// Serves the app beside whatever else runs on this runtime, until that ends.
///
/// # Errors
/// One line when it cannot be served.
pub fn start(config: SampleAppConfig) -> Result<(), String> {
    let origin = config.origin;
    let provider = Provider::new(&config.issuer, &config.client_id, &config.client_secret, &redirect_uri(&origin))?;
    let site = Data::new(Site { origin, provider, sessions: Sessions::default() });
    let server = HttpServer::new(move || App::new().app_data(site.clone()).default_service(web::to(handlers::handle)))
        .workers(1)
        // The server beside it hears the signals and ends the program.
        .disable_signals()
        .listen(config.listener)
        .map_err(|error| error.to_string())?
        .run();
    actix_web::rt::spawn(server);
    Ok(())
}
