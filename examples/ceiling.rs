//! The most this machine's actix can answer: one constant JSON, no middleware. `scripts/bench`
//! measures every endpoint as a multiple of it.
//!
//!     cargo run --release --example ceiling -- 127.0.0.1:8099

use actix_web::{App, HttpResponse, HttpServer, web};

fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8099".to_owned());
    actix_web::rt::System::new().block_on(
        HttpServer::new(|| {
            App::new().default_service(web::to(async || {
                HttpResponse::Ok().content_type("application/json").body(r#"{"message":"bench@example.com"}"#)
            }))
        })
        .bind(address)?
        .run(),
    )
}
