//! `frappe.integrations.doctype.oauth_client.oauth_client.*`.

use serde_json::json;

use crate::cx::Cx;
use crate::doctype::value;
use crate::error::AppError;
use crate::frappe::call::{Answer, Call, Reply};
use crate::oauth::clients::{self, Overlap};

/// Replaces a client's secret and shows the new one this once; `keep_old` (such as `7d`) lets the old one be
/// accepted for a time. Ostiary's own: Frappe keeps secrets readable.
pub fn rotate_secret(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let caller = &call.identity.caller;
        caller.require_credential_rights()?;
        let client_id = call.params.required("client_id")?;
        let keep_old = call.params.text("keep_old").filter(|text| !text.is_empty()).map(|text| Overlap::from_text(&text));
        let keep_old = keep_old.transpose().map_err(|expected| AppError::Validation(format!("keep_old: {expected}")))?;
        let (id, caller) = (client_id.clone(), caller.clone());
        let rotate = move |cx: &mut Cx| clients::rotate_secret_for(cx, &caller, &id, keep_old);
        let rotated = call.state.write("rotate client secret", rotate).await?;
        let mut message = json!({"client_id": client_id, "client_secret": rotated.secret});
        if let Some(end) = rotated.old_until {
            let shown = value::format_local(value::to_local(end.naive_utc(), call.state.env.config.site.time_zone));
            message["old_secret_expires"] = shown.into();
        }
        Ok(Reply::message(message).secret(true))
    })
}
