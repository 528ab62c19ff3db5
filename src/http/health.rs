//! `/health/live` and `/health/ready`.

use actix_web::HttpResponse;

use super::State;

/// The process runs.
pub fn live() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(r#"{"status":"ok"}"#)
}

/// The database answers and its migrations are applied; else 503.
pub async fn ready(state: &State) -> HttpResponse {
    match state.db.ready().await {
        Ok(true) => HttpResponse::Ok().content_type("application/json").body(r#"{"status":"ok"}"#),
        Ok(false) => HttpResponse::ServiceUnavailable().content_type("application/json").body(r#"{"status":"migrations pending"}"#),
        Err(error) => {
            tracing::warn!(cause = %error, "not ready");
            HttpResponse::ServiceUnavailable()
                .insert_header(("Retry-After", "1"))
                .content_type("application/json")
                .body(r#"{"status":"database unavailable"}"#)
        }
    }
}
