//! `login`, `logout`, `frappe.auth.*`, `ping`.

use actix_web::http::StatusCode;

use crate::auth::login::{self, LoginAttempt};
use crate::auth::{Via, csrf, session};
use crate::error::AppError;
use crate::frappe::call::{Answer, Call, Reply};
use crate::frappe::envelope;
use crate::frappe::exceptions::Exception;
use crate::http::login::log_in;
use crate::http::respond;

/// `{"message": "pong"}`.
pub fn ping(_: Call<'_>) -> Answer<'_> {
    Box::pin(async { Ok(Reply::message("pong")) })
}

/// The user's id.
pub fn get_logged_user(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move { Ok(Reply::message(call.identity.caller.name())) })
}

/// Logs in with `usr` and `pwd` and starts a session.
pub fn login(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        // Frappe: a login may come from anywhere, even by GET; here a browser must send it from
        // our own page, because logging somebody in as somebody else is an attack too.
        csrf::refuse_foreign(&call.state.csrf_rules(), &call.facts)?;
        let (usr, pwd) = (call.params.text("usr"), call.params.text("pwd"));
        let attempt = LoginAttempt::new(usr.as_deref(), pwd.as_deref(), &call.facts)?;
        match log_in(call.state, attempt).await? {
            Ok((started, user)) => {
                let (message, home_page) = login::greeting(user.user_type);
                let reply = Reply::flat().beside("message", message).beside("home_page", home_page);
                let reply = reply.beside("full_name", user.full_name.as_str());
                Ok(reply.starting(started.sid, user))
            }
            // A refusal is committed (it is counted), so it comes as a value; Frappe sends no cookies with it.
            Err(text) => {
                let exception = Exception::from(&AppError::LoginRefused(text));
                Ok(Reply::response(respond::json(StatusCode::UNAUTHORIZED, envelope::error_body(call.version, &exception, false))))
            }
        }
    })
}

/// Ends the session of the cookie; other sessions and approved apps go on.
pub fn logout(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        if let Via::Session { id } = call.identity.caller.via.clone() {
            let user = call.identity.caller.name().to_owned();
            let ip = call.facts.address.to_string();
            call.state.write("logout", move |cx| session::end(cx, &id, &user, Some(&ip))).await?;
        }
        // The answer is the guest's view whoever asked, as in Frappe 15.
        let reply = Reply::flat().beside("message", "No App").beside("home_page", "/login").beside("full_name", "Guest");
        Ok(reply.clearing())
    })
}
