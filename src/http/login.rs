//! The three steps of a password login: look up, check behind the gate, start the session.

use super::State;
use crate::auth::login::{self, LoginAttempt, LoginOutcome};
use crate::auth::session::StartedSession;
use crate::domain::user::User;
use crate::error::AppError;
use crate::secrets::password;

/// Logs in; the inner error is the text of a refusal, which was counted.
///
/// # Errors
/// [`AppError::Locked`] before anything slow, [`AppError::Unavailable`] when all checks are busy, and the store's.
pub async fn log_in(state: &State, attempt: LoginAttempt) -> Result<Result<(StartedSession, User), &'static str>, AppError> {
    let counted = state.lockout.begin(&attempt.user, attempt.address)?;
    tokio::time::sleep(counted.delay).await;
    let user = attempt.user.clone();
    let stored = state.lookup(move |cx| login::question(cx, &user)).await?;
    let right = state.gate.verify(attempt.password.clone(), stored.clone()).await?;
    let checked = stored.filter(|_| right);
    if checked.is_some() {
        counted.succeeded();
    } else {
        counted.failed();
    }
    let rehashed = match &checked {
        Some(hash) if password::needs_rehash(hash) => Some(state.gate.hash(attempt.password.clone()).await?),
        _ => None,
    };
    let outcome = state.write("login", move |cx| login::finish(cx, &attempt, checked.as_deref(), rehashed.as_deref())).await?;
    Ok(match outcome {
        LoginOutcome::Started { session, user } => Ok((session, *user)),
        LoginOutcome::Refused(text) => Err(text),
    })
}
