//! `ostiary client`: the registry of OAuth clients.

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};

use super::table::table;
use crate::app::Workshop;
use crate::config::Config;
use crate::domain::Scope;
use crate::domain::client::{AuthMethod, Client};
use crate::domain::user::{ADMINISTRATOR, fold_name};
use crate::error::AppError;
use crate::oauth::clients::{self, ClientKind};
use crate::store;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Register a client
    Add(Add),
    /// Show every client
    List,
    /// Replace a client's secret; the old one is refused within a second
    RotateSecret(Id),
    /// Remove a client
    Remove(Remove),
}

#[derive(Args)]
pub(super) struct Add {
    /// web: a server that keeps a secret; browser: a page without one; native: a program on the
    /// user's device; machine: acts by itself as --user; old-frappe: written against Frappe's
    /// documents, exchanges a code without PKCE or secret
    #[arg(long, value_parser = PossibleValuesParser::new(ClientKind::ALL.map(ClientKind::as_str)))]
    kind: String,
    /// What the consent page calls it
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Where users are sent back to, compared letter by letter; may be repeated
    #[arg(long, value_name = "URI")]
    redirect_uri: Vec<String>,
    /// What it may ask for, separated by spaces [default: all for machine and old-frappe, else "openid profile email"]
    #[arg(long, value_name = "SCOPES")]
    scope: Option<String>,
    /// The user that a machine acts as
    #[arg(long, value_name = "USER", required_if_eq("kind", "machine"))]
    user: Option<String>,
    /// Only users with one of these roles may approve it; may be repeated
    #[arg(long, value_name = "ROLE")]
    allowed_role: Vec<String>,
    /// Do not ask users for consent
    #[arg(long)]
    trusted: bool,
    /// It may introspect every token, not its own alone
    #[arg(long)]
    resource_server: bool,
}

#[derive(Args)]
pub(super) struct Id {
    client_id: String,
}

#[derive(Args)]
pub(super) struct Remove {
    client_id: String,
    /// Also when tokens of it are in force; they end
    #[arg(long)]
    force: bool,
}

pub(super) fn run(config: Config, command: Command) -> Result<String, String> {
    let workshop = Workshop::beside(config).map_err(|error| error.to_string())?;
    match command {
        Command::Add(arguments) => add(&workshop, arguments),
        Command::List => list(&workshop),
        Command::RotateSecret(Id { client_id }) => rotate_secret(&workshop, client_id),
        Command::Remove(Remove { client_id, force }) => remove(&workshop, client_id, force),
    }
}

fn add(workshop: &Workshop, arguments: Add) -> Result<String, String> {
    let kind = ClientKind::from_text(&arguments.kind).ok_or_else(|| format!("no kind {}", arguments.kind))?;
    let scope = arguments.scope.as_deref().unwrap_or(match kind {
        ClientKind::Machine | ClientKind::OldFrappe => "all",
        ClientKind::Web | ClientKind::Browser | ClientKind::Native => "openid profile email",
    });
    let scope = Scope::parse(scope).map_err(|error| error.to_string())?;
    let mut client = kind.template(&arguments.name, scope, arguments.redirect_uri);
    client.user = arguments.user.as_deref().map(fold_name);
    client.skip_authorization = arguments.trusted;
    client.is_resource_server = arguments.resource_server;
    let roles = arguments.allowed_role;
    let registered = workshop.write("add client", move |cx| clients::register(cx, client.clone(), &roles, ADMINISTRATOR));
    let clients::Registered { client, secret } = registered.map_err(super::refusal)?;
    let mut text = format!("Registered {} ({})\n  client id      {}\n", client.app_name, kind.as_str(), client.client_id);
    if let Some(secret) = secret {
        text.push_str(&format!("  client secret  {secret}\n                 shown this once; only its hash is kept\n"));
    }
    for uri in &client.redirect_uris {
        text.push_str(&format!("  redirect URI   {uri}\n"));
    }
    text.push_str(&format!("  scopes         {}\n", client.scope));
    if client.legacy_no_pkce {
        text.push_str("Whoever gets hold of a code of this client can exchange it: use another kind when the app can do PKCE.\n");
    }
    Ok(text)
}

fn list(workshop: &Workshop) -> Result<String, String> {
    let records = workshop.read(|cx| Ok(store::clients::list_records(cx.conn)?)).map_err(super::refusal)?;
    let rows: Vec<[String; 6]> = records
        .into_iter()
        .map(|record| {
            let made = record.creation.naive_utc().format("%Y-%m-%d %H:%M").to_string();
            let traits = traits(&record.client);
            let Client { client_id, app_name, scope, redirect_uris, .. } = record.client;
            [client_id, app_name, traits, scope.to_string(), redirect_uris.join(" "), made]
        })
        .collect();
    Ok(table(["client id", "name", "how", "scopes", "redirect uris", "made"], &rows, "No clients; register one with: ostiary client add"))
}

/// What sets a client apart, in a few words.
fn traits(client: &Client) -> String {
    let secret = match client.auth_method {
        AuthMethod::Secret | AuthMethod::SecretBasic | AuthMethod::SecretPost => "secret",
        AuthMethod::None => "public",
    };
    let acts_as = client.user.as_ref().map(|user| format!("as {user}"));
    let marks =
        [(client.legacy_no_pkce, "no PKCE"), (client.skip_authorization, "trusted"), (client.is_resource_server, "resource server")];
    let marks = marks.into_iter().filter(|(set, _)| *set).map(|(_, mark)| mark.to_owned());
    [secret.to_owned()].into_iter().chain(acts_as).chain(marks).collect::<Vec<_>>().join(", ")
}

fn rotate_secret(workshop: &Workshop, client_id: String) -> Result<String, String> {
    let rotated = workshop.write("rotate client secret", move |cx| clients::rotate_secret(cx, &client_id, ADMINISTRATOR));
    let secret = rotated.map_err(super::refusal)?;
    Ok(format!("client secret  {secret}\nShown this once; only its hash is kept. The old one is refused within a second.\n"))
}

fn remove(workshop: &Workshop, client_id: String, force: bool) -> Result<String, String> {
    let id = client_id.clone();
    match workshop.write("remove client", move |cx| clients::remove(cx, &id, ADMINISTRATOR, force)) {
        Ok(()) => Ok(format!("Removed {client_id}; its tokens are refused within a second.\n")),
        Err(AppError::LinkExists { .. }) => Err(format!("tokens of {client_id} are in force; --force ends them")),
        Err(error) => Err(super::refusal(error)),
    }
}
