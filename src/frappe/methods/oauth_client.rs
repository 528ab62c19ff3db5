//! `frappe.integrations.doctype.oauth_client.oauth_client.*`.

use actix_web::http::StatusCode;
use serde_json::json;

use crate::frappe::call::{Answer, Call, Reply};
use crate::http::respond;
use crate::oauth::clients;

/// Replaces a client's secret and shows the new one this once. Ostiary's own: Frappe keeps secrets readable.
pub fn rotate_secret(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let caller = &call.identity.caller;
        caller.require_credential_rights()?;
        let client_id = call.params.required("client_id")?;
        let (id, caller) = (client_id.clone(), caller.clone());
        let secret = call.state.write("rotate client secret", move |cx| clients::rotate_secret_for(cx, &caller, &id)).await?;
        let body = json!({"message": {"client_id": client_id, "client_secret": secret}});
        Ok(Reply::response(respond::json_no_store(StatusCode::OK, body.to_string())))
    })
}
