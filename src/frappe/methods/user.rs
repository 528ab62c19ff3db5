//! `frappe.core.doctype.user.user.*`.

use serde_json::json;

use crate::auth::keys;
use crate::frappe::call::{Answer, Call, Reply};

/// Makes API keys for `user`; the secret is shown this once.
pub fn generate_keys(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let user = call.params.required("user")?;
        let caller = call.identity.caller.clone();
        let ip = call.facts.address.to_string();
        let pair = call.state.write("generate keys", move |cx| keys::generate(cx, &caller, &user, Some(&ip))).await?;
        Ok(Reply::message(json!({"api_key": pair.api_key, "api_secret": pair.api_secret})).secret(true))
    })
}
