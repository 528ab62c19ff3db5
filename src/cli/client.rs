//! `ostiary client`: the registry of OAuth clients.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};

use super::table::table;
use crate::app::Workshop;
use crate::config::Config;
use crate::cx::Cx;
use crate::domain::client::{AuthMethod, Client};
use crate::domain::user::{ADMINISTRATOR, fold_name};
use crate::domain::{Instant, Scope};
use crate::error::AppError;
use crate::oauth::clients::{self, ClientKind, Overlap, Rotated};
use crate::store;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Register a client
    Add(Add),
    /// Show every client
    List,
    /// Replace a client's secret; the old one is refused within a second, unless it is kept for a time
    RotateSecret(RotateSecret),
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
    /// The app's public keys, a JWK Set in a file: it authenticates with its own key (private_key_jwt) and has no secret
    #[arg(long, value_name = "FILE", conflicts_with = "jwks_uri")]
    jwks: Option<PathBuf>,
    /// Where the app publishes its public keys; the same
    #[arg(long, value_name = "URL")]
    jwks_uri: Option<String>,
}

#[derive(Args)]
pub(super) struct RotateSecret {
    client_id: String,
    /// Accept the old secret too for this long: 30m, 12h, 7d; a number alone is days. A third secret ends the oldest
    #[arg(long, value_name = "TIME", value_parser = Overlap::from_text)]
    keep_old: Option<Overlap>,
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
        Command::RotateSecret(RotateSecret { client_id, keep_old }) => rotate_secret(&workshop, client_id, keep_old),
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
    if arguments.jwks.is_some() || arguments.jwks_uri.is_some() {
        if !matches!(kind, ClientKind::Web | ClientKind::Machine) {
            return Err(format!("a client of kind {} has no key of its own; --jwks and --jwks-uri are for web and machine", kind.as_str()));
        }
        client.auth_method = AuthMethod::PrivateKeyJwt;
        let read = |path: PathBuf| std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()));
        client.jwks = arguments.jwks.map(read).transpose()?;
        client.jwks_uri = arguments.jwks_uri;
    }
    let roles = arguments.allowed_role;
    let registered = workshop.write("add client", move |cx| clients::register(cx, client.clone(), &roles, ADMINISTRATOR));
    let clients::Registered { client, secret } = registered.map_err(super::refusal)?;
    let mut text = format!("Registered {} ({})\n  client id      {}\n", client.app_name, kind.as_str(), client.client_id);
    if let Some(secret) = secret {
        text.push_str(&format!("  client secret  {secret}\n                 shown this once; only its hash is kept\n"));
    }
    if client.auth_method == AuthMethod::PrivateKeyJwt {
        text.push_str("  authenticates  with its own key (private_key_jwt)\n");
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
    let read = |cx: &mut Cx| Ok((store::clients::list_records(cx.conn)?, store::clients::list_live_secrets(cx.conn, cx.now)?));
    let (records, secrets) = workshop.read(read).map_err(super::refusal)?;
    let rows: Vec<[String; 6]> = records
        .into_iter()
        .map(|record| {
            let made = minute(record.creation);
            let secrets = secrets.get(&record.client.client_id).map_or(&[][..], Vec::as_slice);
            let traits = traits(&record.client, secrets);
            let Client { client_id, app_name, scope, redirect_uris, .. } = record.client;
            [client_id, app_name, traits, scope.to_string(), redirect_uris.join(" "), made]
        })
        .collect();
    Ok(table(["client id", "name", "how", "scopes", "redirect uris", "made"], &rows, "No clients; register one with: ostiary client add"))
}

/// What sets a client apart, in a few words; `secrets` are the ends of those that are accepted now.
fn traits(client: &Client, secrets: &[Option<Instant>]) -> String {
    let secret = match (client.auth_method, secrets.iter().flatten().max()) {
        (AuthMethod::Secret | AuthMethod::SecretBasic | AuthMethod::SecretPost, None) => "secret".to_owned(),
        (AuthMethod::Secret | AuthMethod::SecretBasic | AuthMethod::SecretPost, Some(end)) => {
            format!("{} secrets (the old one until {} UTC)", secrets.len(), minute(*end))
        }
        (AuthMethod::PrivateKeyJwt, _) => "own key".to_owned(),
        (AuthMethod::None, _) => "public".to_owned(),
    };
    let acts_as = client.user.as_ref().map(|user| format!("as {user}"));
    let marks =
        [(client.legacy_no_pkce, "no PKCE"), (client.skip_authorization, "trusted"), (client.is_resource_server, "resource server")];
    let marks = marks.into_iter().filter(|(set, _)| *set).map(|(_, mark)| mark.to_owned());
    [secret].into_iter().chain(acts_as).chain(marks).collect::<Vec<_>>().join(", ")
}

fn minute(at: Instant) -> String {
    at.naive_utc().format("%Y-%m-%d %H:%M").to_string()
}

fn rotate_secret(workshop: &Workshop, client_id: String, keep_old: Option<Overlap>) -> Result<String, String> {
    let rotated = workshop.write("rotate client secret", move |cx| clients::rotate_secret(cx, &client_id, keep_old, ADMINISTRATOR));
    let Rotated { secret, old_until } = rotated.map_err(super::refusal)?;
    let old = match old_until {
        None => "The old one is refused within a second.".to_owned(),
        Some(end) => format!("The old one is accepted until {} UTC.", minute(end)),
    };
    Ok(format!("client secret  {secret}\nShown this once; only its hash is kept. {old}\n"))
}

fn remove(workshop: &Workshop, client_id: String, force: bool) -> Result<String, String> {
    let id = client_id.clone();
    match workshop.write("remove client", move |cx| clients::remove(cx, &id, ADMINISTRATOR, force)) {
        Ok(()) => Ok(format!("Removed {client_id}; its tokens are refused within a second.\n")),
        Err(AppError::LinkExists { .. }) => Err(format!("tokens of {client_id} are in force; --force ends them")),
        Err(error) => Err(super::refusal(error)),
    }
}
