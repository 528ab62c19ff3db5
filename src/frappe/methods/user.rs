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
        let mut reply = Reply::message(json!({"api_key": pair.api_key, "api_secret": pair.api_secret}));
        let crate::frappe::call::Body::Message(value) = &reply.body else { return Ok(reply) };
        let mut response = crate::frappe::envelope::message(value);
        crate::http::respond::no_store(&mut response);
        reply.body = crate::frappe::call::Body::Response(response);
        Ok(reply)
    })
}
