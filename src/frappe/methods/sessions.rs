//! `frappe.sessions.*`.

use crate::auth::{Via, session};
use crate::error::{AppError, Denied};
use crate::frappe::call::{Answer, Call, Reply};

/// Hands a single-page app the CSRF token of its session; from then on that session's writes need it.
pub fn get_csrf_token(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let Via::Session { id } = call.identity.caller.via.clone() else {
            return Err(AppError::NotPermitted(Denied::Because("Only a browser session has a CSRF token".into())));
        };
        let user = call.identity.caller.name().to_owned();
        let token = call.state.write("issue csrf token", move |cx| session::issue_csrf_token(cx, &id, &user)).await?;
        Ok(Reply::message(token))
    })
}
