//! `ostiary token`: ending what clients were granted.

use clap::{Args, Subcommand};

use crate::app::Workshop;
use crate::audit::{self, AuditEvent};
use crate::config::Config;
use crate::domain::user::fold_name;
use crate::error::AppError;
use crate::oauth::revoke;
use crate::store::{clients, users};

#[derive(Subcommand)]
pub(super) enum Command {
    /// End every grant of a user, of a client, or of everybody; running servers refuse them within a second
    Revoke(Whose),
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub(super) struct Whose {
    /// Everything that apps may do as this user
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Everything that this client was granted
    #[arg(long, value_name = "CLIENT_ID")]
    client: Option<String>,
    /// Everything that any client was granted
    #[arg(long)]
    all: bool,
}

pub(super) fn run(config: Config, Command::Revoke(whose): &Command) -> Result<String, String> {
    let workshop = Workshop::beside(config).map_err(|error| error.to_string())?;
    let user = whose.user.as_deref().map(fold_name);
    let client_id = whose.client.clone();
    let ended = workshop.write("revoke tokens", move |cx| {
        let ended = match (&user, &client_id) {
            (Some(user), _) => {
                users::find_user(cx.conn, user)?.ok_or_else(|| AppError::not_found("User", user))?;
                revoke::end_all_of_user(cx, user)?
            }
            (None, Some(client_id)) => {
                clients::find_client(cx.conn, client_id)?.ok_or_else(|| AppError::not_found("OAuth Client", client_id))?;
                revoke::end_all_of_client(cx, client_id)?
            }
            (None, None) => revoke::end_all(cx)?,
        };
        audit::record(cx, None, &AuditEvent::GrantsEnded { client_id: client_id.clone(), user: user.clone() })?;
        Ok(ended)
    });
    Ok(match ended.map_err(super::refusal)? {
        1 => "Ended 1 grant, with all its tokens.\n".to_owned(),
        ended => format!("Ended {ended} grants, with all their tokens.\n"),
    })
}
