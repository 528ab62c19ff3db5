//! OAuth clients, the hashes of their secrets, and the roles whose users they accept.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::NaiveDateTime;
use diesel::prelude::*;

use super::schema::{oauth_client_roles, oauth_client_secrets, oauth_clients, users};
use super::statement::Statement;
use super::{Conn, StoreError, dialect};
use crate::domain::client::{AuthMethod, Client, SigningAlgorithm};
use crate::domain::{Instant, Scope};
use crate::secrets::{PublicKeySet, SecretHash, mint};

type ClientRow = (
    (String, String, Option<String>, bool, String, String, Option<String>, String),
    (String, bool, bool, String, String, bool, Option<String>, Option<String>, Option<String>),
    (Option<String>, Option<String>, Option<String>, Option<String>, Option<String>, Option<String>, Option<String>),
);

/// The columns of [`ClientRow`].
macro_rules! client_columns {
    () => {
        (
            (
                oauth_clients::client_id,
                oauth_clients::app_name,
                oauth_clients::user_name,
                oauth_clients::skip_authorization,
                oauth_clients::scopes,
                oauth_clients::redirect_uris,
                oauth_clients::default_redirect_uri,
                oauth_clients::grant_types,
            ),
            (
                oauth_clients::token_endpoint_auth_method,
                oauth_clients::legacy_no_pkce,
                oauth_clients::is_resource_server,
                oauth_clients::id_token_alg,
                oauth_clients::post_logout_redirect_uris,
                oauth_clients::verified,
                oauth_clients::jwks,
                oauth_clients::jwks_uri,
                oauth_clients::token_endpoint_auth_signing_alg,
            ),
            (
                oauth_clients::client_uri,
                oauth_clients::logo_uri,
                oauth_clients::tos_uri,
                oauth_clients::policy_uri,
                oauth_clients::software_id,
                oauth_clients::software_version,
                oauth_clients::contacts,
            ),
        )
    };
}

fn to_domain((core, kind, about): ClientRow) -> Result<Client, StoreError> {
    let (client_id, app_name, user, skip_authorization, scopes, redirect_uris, default_redirect_uri, grant_types) = core;
    let (auth_method, legacy_no_pkce, is_resource_server, id_token_alg, post_logout_redirect_uris, verified, jwks, jwks_uri, auth_alg) =
        kind;
    let (client_uri, logo_uri, tos_uri, policy_uri, software_id, software_version, contacts) = about;
    let algorithm = |name: &str| SigningAlgorithm::from_text(name).ok_or_else(|| StoreError::corrupt(name));
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
    Ok(Client {
        scope: Scope::parse(&scopes).map_err(StoreError::corrupt)?,
        redirect_uris: words(&redirect_uris),
        post_logout_redirect_uris: words(&post_logout_redirect_uris),
        grant_types: words(&grant_types),
        auth_method: AuthMethod::from_text(&auth_method).ok_or_else(|| StoreError::corrupt(&auth_method))?,
        id_token_algorithm: algorithm(&id_token_alg)?,
        auth_signing_algorithm: auth_alg.as_deref().map(algorithm).transpose()?,
        jwks,
        jwks_uri,
        contacts: contacts.unwrap_or_default().lines().map(str::to_owned).collect(),
        client_id,
        app_name,
        user,
        skip_authorization,
        verified,
        default_redirect_uri,
        legacy_no_pkce,
        is_resource_server,
        client_uri,
        logo_uri,
        tos_uri,
        policy_uri,
        software_id,
        software_version,
    })
}

/// A client as a document: with who made it and when.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientRecord {
    pub client: Client,
    pub owner: String,
    pub creation: Instant,
    pub modified: Instant,
    pub modified_by: String,
}

/// What a client's secret is compared with. Only the hash is known.
#[derive(Clone, Debug)]
pub struct StoredSecret {
    /// The hash's text form.
    pub hash: String,
    pub expires_at: Option<Instant>,
}

/// A client with what authenticates it.
#[derive(Clone, Debug)]
pub struct ClientWithSecrets {
    pub client: Client,
    pub secrets: Vec<StoredSecret>,
    /// The keys of its `jwks`.
    pub keys: Option<Arc<PublicKeySet>>,
    /// Whether its service account exists and may act.
    pub user_enabled: bool,
}

/// The client of an id.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn find_client(conn: &mut Conn, client_id: &str) -> Result<Option<Client>, StoreError> {
    let row: Option<ClientRow> = oauth_clients::table.find(client_id).select(client_columns!()).get_result(conn).optional()?;
    row.map(to_domain).transpose()
}

/// The clients of these ids, in no order.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn list_by_id(conn: &mut Conn, client_ids: &[&str]) -> Result<Vec<Client>, StoreError> {
    let rows: Vec<ClientRow> =
        oauth_clients::table.filter(oauth_clients::client_id.eq_any(client_ids)).select(client_columns!()).load(conn)?;
    rows.into_iter().map(to_domain).collect()
}

/// The client of an id with its secrets' hashes, newest first. One query.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn find_with_secrets(conn: &mut Conn, client_id: &str) -> Result<Option<ClientWithSecrets>, StoreError> {
    type Row = (ClientRow, Option<(String, Option<NaiveDateTime>)>, Option<bool>);
    let rows: Vec<Row> = oauth_clients::table
        .left_join(oauth_client_secrets::table.on(oauth_client_secrets::client_id.eq(oauth_clients::client_id)))
        .left_join(users::table.on(oauth_clients::user_name.eq(users::name.nullable())))
        .filter(oauth_clients::client_id.eq(client_id))
        .select((
            client_columns!(),
            (oauth_client_secrets::secret_hash, oauth_client_secrets::expires_at).nullable(),
            users::enabled.nullable(),
        ))
        .load(conn)?;
    let mut found: Option<ClientWithSecrets> = None;
    for (client, secret, user_enabled) in rows {
        let entry = match &mut found {
            Some(entry) => entry,
            None => {
                let client = to_domain(client)?;
                let keys = client.jwks.as_deref().map(PublicKeySet::parse).transpose().map_err(StoreError::corrupt)?;
                found.insert(ClientWithSecrets {
                    client,
                    secrets: Vec::new(),
                    keys: keys.map(Arc::new),
                    user_enabled: user_enabled.unwrap_or(false),
                })
            }
        };
        entry.secrets.extend(secret.map(|(hash, expires_at)| StoredSecret { hash, expires_at: expires_at.map(Instant::new) }));
    }
    Ok(found)
}

type RecordRow = (ClientRow, String, NaiveDateTime, NaiveDateTime, String);

fn to_record((client, owner, creation, modified, modified_by): RecordRow) -> Result<ClientRecord, StoreError> {
    Ok(ClientRecord { client: to_domain(client)?, owner, creation: Instant::new(creation), modified: Instant::new(modified), modified_by })
}

/// Every client, newest first.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn list_records(conn: &mut Conn) -> Result<Vec<ClientRecord>, StoreError> {
    let rows: Vec<RecordRow> = oauth_clients::table
        .order(oauth_clients::creation.desc())
        .select((client_columns!(), oauth_clients::owner, oauth_clients::creation, oauth_clients::modified, oauth_clients::modified_by))
        .load(conn)?;
    rows.into_iter().map(to_record).collect()
}

/// Every redirect URI of the clients without a secret: whose pages may call from a browser.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn list_public_redirect_uris(conn: &mut Conn) -> Result<Vec<String>, StoreError> {
    let rows: Vec<(String, Option<String>)> = oauth_clients::table
        .filter(oauth_clients::token_endpoint_auth_method.eq(AuthMethod::None.as_str()))
        .select((oauth_clients::redirect_uris, oauth_clients::default_redirect_uri))
        .load(conn)?;
    Ok(rows.into_iter().flat_map(|(uris, default)| uris.split_whitespace().map(str::to_owned).chain(default).collect::<Vec<_>>()).collect())
}

/// Keeps a new client.
///
/// # Errors
/// [`StoreError::Unique`] when the id is taken, [`StoreError::ForeignKey`] when its user does not exist.
pub fn insert_client(conn: &mut Conn, record: &ClientRecord) -> Result<(), StoreError> {
    diesel::insert_into(oauth_clients::table)
        .values((
            oauth_clients::client_id.eq(&record.client.client_id),
            ClientChanges::of(&record.client),
            oauth_clients::owner.eq(&record.owner),
            oauth_clients::creation.eq(record.creation.naive_utc()),
            oauth_clients::modified.eq(record.modified.naive_utc()),
            oauth_clients::modified_by.eq(&record.modified_by),
        ))
        .execute(conn)?;
    Ok(())
}

/// Replaces everything about a client but its id and secrets. Returns whether it exists.
///
/// # Errors
/// [`StoreError::ForeignKey`] when its user does not exist.
pub fn update_client(conn: &mut Conn, now: Instant, client: &Client, by: &str) -> Result<bool, StoreError> {
    let changed = diesel::update(oauth_clients::table.find(&client.client_id))
        .set((ClientChanges::of(client), oauth_clients::modified.eq(now.naive_utc()), oauth_clients::modified_by.eq(by)))
        .execute(conn)?;
    Ok(changed == 1)
}

/// Removes a client with its secrets, consents and grants. Returns whether it existed.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn delete_client(conn: &mut Conn, client_id: &str) -> Result<bool, StoreError> {
    Ok(diesel::delete(oauth_clients::table.find(client_id)).execute(conn)? == 1)
}

#[derive(AsChangeset, Insertable)]
#[diesel(table_name = oauth_clients, treat_none_as_null = true)]
struct ClientChanges<'a> {
    app_name: &'a str,
    user_name: Option<&'a str>,
    skip_authorization: bool,
    scopes: String,
    redirect_uris: String,
    default_redirect_uri: Option<&'a str>,
    post_logout_redirect_uris: String,
    verified: bool,
    grant_types: String,
    token_endpoint_auth_method: &'a str,
    jwks: Option<&'a str>,
    jwks_uri: Option<&'a str>,
    token_endpoint_auth_signing_alg: Option<&'a str>,
    legacy_no_pkce: bool,
    is_resource_server: bool,
    id_token_alg: &'a str,
    client_uri: Option<&'a str>,
    logo_uri: Option<&'a str>,
    tos_uri: Option<&'a str>,
    policy_uri: Option<&'a str>,
    software_id: Option<&'a str>,
    software_version: Option<&'a str>,
    contacts: Option<String>,
}

impl<'a> ClientChanges<'a> {
    fn of(client: &'a Client) -> Self {
        Self {
            app_name: &client.app_name,
            user_name: client.user.as_deref(),
            skip_authorization: client.skip_authorization,
            scopes: client.scope.to_string(),
            redirect_uris: client.redirect_uris.join(" "),
            default_redirect_uri: client.default_redirect_uri.as_deref(),
            post_logout_redirect_uris: client.post_logout_redirect_uris.join(" "),
            verified: client.verified,
            grant_types: client.grant_types.join(" "),
            token_endpoint_auth_method: client.auth_method.as_str(),
            jwks: client.jwks.as_deref(),
            jwks_uri: client.jwks_uri.as_deref(),
            token_endpoint_auth_signing_alg: client.auth_signing_algorithm.map(SigningAlgorithm::as_str),
            legacy_no_pkce: client.legacy_no_pkce,
            is_resource_server: client.is_resource_server,
            id_token_alg: client.id_token_algorithm.as_str(),
            client_uri: client.client_uri.as_deref(),
            logo_uri: client.logo_uri.as_deref(),
            tos_uri: client.tos_uri.as_deref(),
            policy_uri: client.policy_uri.as_deref(),
            software_id: client.software_id.as_deref(),
            software_version: client.software_version.as_deref(),
            contacts: (!client.contacts.is_empty()).then(|| client.contacts.join("\n")),
        }
    }
}

/// Gives a client a further secret.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn insert_secret(conn: &mut Conn, now: Instant, client_id: &str, hash: &SecretHash) -> Result<(), StoreError> {
    diesel::insert_into(oauth_client_secrets::table)
        .values((
            oauth_client_secrets::id.eq(mint::id(now)),
            oauth_client_secrets::client_id.eq(client_id),
            oauth_client_secrets::secret_hash.eq(hash.to_text()),
            oauth_client_secrets::created.eq(now.naive_utc()),
        ))
        .execute(conn)?;
    Ok(())
}

/// Takes its secrets from a client, but lets the newest one live until `end` if there is one.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn retire_secrets(conn: &mut Conn, client_id: &str, end: Option<Instant>) -> Result<(), StoreError> {
    // Who rotates at the same time waits here, and then sees what we left.
    let mut lock = Statement::default();
    lock.sql("SELECT client_id FROM oauth_clients WHERE client_id = ").text(client_id).sql(dialect::locked(conn));
    lock.load(conn)?;
    let of_client = || oauth_client_secrets::table.filter(oauth_client_secrets::client_id.eq(client_id));
    let Some(end) = end else {
        diesel::delete(of_client()).execute(conn)?;
        return Ok(());
    };
    // The newest is the one without an end.
    diesel::delete(of_client().filter(oauth_client_secrets::expires_at.is_not_null())).execute(conn)?;
    diesel::update(of_client()).set(oauth_client_secrets::expires_at.eq(end.naive_utc())).execute(conn)?;
    Ok(())
}

/// Until when the secrets live that clients have now, by client id; `None` is for good.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn list_live_secrets(conn: &mut Conn, now: Instant) -> Result<HashMap<String, Vec<Option<Instant>>>, StoreError> {
    let rows: Vec<(String, Option<NaiveDateTime>)> = oauth_client_secrets::table
        .filter(oauth_client_secrets::expires_at.is_null().or(oauth_client_secrets::expires_at.gt(now.naive_utc())))
        .select((oauth_client_secrets::client_id, oauth_client_secrets::expires_at))
        .load(conn)?;
    let mut found: HashMap<String, Vec<Option<Instant>>> = HashMap::new();
    for (client_id, end) in rows {
        found.entry(client_id).or_default().push(end.map(Instant::new));
    }
    Ok(found)
}

/// Removes up to `limit` secrets that have ended. Returns how many.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn purge_secrets(conn: &mut Conn, now: Instant, limit: i64) -> Result<usize, StoreError> {
    let ids: Vec<String> = oauth_client_secrets::table
        .filter(oauth_client_secrets::expires_at.lt(now.naive_utc()))
        .select(oauth_client_secrets::id)
        .limit(limit)
        .load(conn)?;
    Ok(diesel::delete(oauth_client_secrets::table.filter(oauth_client_secrets::id.eq_any(ids))).execute(conn)?)
}

/// Takes every secret from a client. Returns how many.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn revoke_secrets(conn: &mut Conn, client_id: &str) -> Result<usize, StoreError> {
    Ok(diesel::delete(oauth_client_secrets::table.filter(oauth_client_secrets::client_id.eq(client_id))).execute(conn)?)
}

/// Whether a client has a secret at all.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn has_secret(conn: &mut Conn, client_id: &str) -> Result<bool, StoreError> {
    let found: Option<String> = oauth_client_secrets::table
        .filter(oauth_client_secrets::client_id.eq(client_id))
        .select(oauth_client_secrets::id)
        .first(conn)
        .optional()?;
    Ok(found.is_some())
}

/// One row of a client's table of allowed roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedRole {
    pub id: String,
    pub role: String,
    pub idx: i32,
    pub owner: String,
    pub creation: Instant,
    pub modified: Instant,
    pub modified_by: String,
}

/// The roles of which a user must hold one to approve a client, in order; none means every user.
///
/// # Errors
/// [`StoreError`] from the database.
pub fn list_allowed_roles(conn: &mut Conn, client_id: &str) -> Result<Vec<AllowedRole>, StoreError> {
    type Row = (String, String, i32, String, NaiveDateTime, NaiveDateTime, String);
    let rows: Vec<Row> = oauth_client_roles::table
        .filter(oauth_client_roles::client_id.eq(client_id))
        .order(oauth_client_roles::idx)
        .select((
            oauth_client_roles::id,
            oauth_client_roles::role,
            oauth_client_roles::idx,
            oauth_client_roles::owner,
            oauth_client_roles::creation,
            oauth_client_roles::modified,
            oauth_client_roles::modified_by,
        ))
        .load(conn)?;
    Ok(rows
        .into_iter()
        .map(|(id, role, idx, owner, creation, modified, modified_by)| AllowedRole {
            id,
            role,
            idx,
            owner,
            creation: Instant::new(creation),
            modified: Instant::new(modified),
            modified_by,
        })
        .collect())
}

/// Replaces the roles of which a user must hold one.
///
/// # Errors
/// [`StoreError::ForeignKey`] when a role does not exist.
pub fn replace_allowed_roles(conn: &mut Conn, now: Instant, client_id: &str, roles: &[String], by: &str) -> Result<(), StoreError> {
    diesel::delete(oauth_client_roles::table.filter(oauth_client_roles::client_id.eq(client_id))).execute(conn)?;
    for (idx, role) in (1_i32..).zip(roles) {
        diesel::insert_into(oauth_client_roles::table)
            .values((
                oauth_client_roles::id.eq(mint::name(10)),
                oauth_client_roles::client_id.eq(client_id),
                oauth_client_roles::role.eq(role),
                oauth_client_roles::idx.eq(idx),
                oauth_client_roles::owner.eq(by),
                oauth_client_roles::creation.eq(now.naive_utc()),
                oauth_client_roles::modified.eq(now.naive_utc()),
                oauth_client_roles::modified_by.eq(by),
            ))
            .execute(conn)?;
    }
    Ok(())
}
