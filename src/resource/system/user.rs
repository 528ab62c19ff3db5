//! `User`: who may act, with roles, password and the `default` API key.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{Created, Draft, SystemDoctype};
use crate::audit::{self, AuditEvent};
use crate::auth::{Caller, Via};
use crate::cx::Cx;
use crate::doctype::{FieldValue, Values};
use crate::domain::user::{ADMINISTRATOR, AUTOMATIC_ROLES, GUEST, User, UserType, fold_name, may_be_username};
use crate::error::{AppError, Denied};
use crate::oauth::revoke;
use crate::resource::share;
use crate::secrets::mint;
use crate::store::api_keys::{self, NewKey, SecretForm};
use crate::store::user_documents::{self, UserChange};
use crate::store::users::{self, NewUser};
use crate::store::{StoreError, epochs, roles, sessions};

/// Letters of a minted public key, as in Frappe.
const KEY_LENGTH: usize = 15;

/// The users that every installation has.
const STANDARD: [&str; 2] = [ADMINISTRATOR, GUEST];

/// The adapter.
pub struct UserDoctype;

impl SystemDoctype for UserDoctype {
    fn doctype(&self) -> &'static str {
        "User"
    }

    /// A user may change their name or picture with any credential that reaches it; what decides
    /// who may act takes more.
    fn guards_credentials(&self, draft: Option<&Draft<'_>>) -> bool {
        const HARMLESS: [&str; 9] =
            ["first_name", "middle_name", "last_name", "language", "time_zone", "user_image", "phone", "mobile_no", "logout_all_sessions"];
        let Some(draft) = draft else { return true };
        let secrets = ["new_password", "api_secret"].iter().any(|fieldname| draft.secret(fieldname).is_some());
        secrets || draft.values.iter_rows().next().is_some() || draft.values.iter().any(|(fieldname, _)| !HARMLESS.contains(&fieldname))
    }

    fn canonical_name<'n>(&self, name: &'n str) -> Cow<'n, str> {
        Cow::Owned(fold_name(name))
    }

    /// Frappe: only Administrator sees the standard users. Whoever could set Administrator's password would be Administrator.
    fn withheld_from(&self, caller: &Caller) -> &'static [&'static str] {
        if caller.is_administrator() { &[] } else { &STANDARD }
    }

    /// What a user was given ends with the user.
    fn deleted_along(&self) -> &'static [&'static str] {
        // Logs tell of users who are gone, too.
        &["Activity Log", "API Request Log", "OAuth Bearer Token", share::DOCTYPE, "User Permission"]
    }

    fn create(&self, cx: &mut Cx, draft: &Draft<'_>) -> Result<Created, AppError> {
        let values = draft.values;
        let name = fold_name(draft.name);
        let first_name = values.text("first_name").unwrap_or_default();
        check_username(values, &name)?;
        let username = match values.text("username") {
            Some(username) => Some(username.to_owned()),
            None => suggest_username(cx, &name)?,
        };
        let new = NewUser {
            name: &name,
            email: &name,
            first_name,
            last_name: values.text("last_name"),
            username: username.as_deref(),
            enabled: values.check("enabled").unwrap_or(true),
            user_type: UserType::WebsiteUser,
            password_hash: password_hash(draft)?,
            owner: draft.caller.name(),
        };
        users::insert_user(cx.conn, draft.at, &new).map_err(|error| refusal(draft, &name, error))?;
        let mut change = read_change(values)?;
        // Set by the insert already, and with what was worked out for it.
        (change.email, change.username, change.enabled) = (None, None, None);
        user_documents::update_user(cx.conn, draft.at, draft.caller.name(), &name, &change)
            .map_err(|error| refusal(draft, &name, error))?;
        set_roles(cx, draft, &name)?;
        set_api_key(cx, draft, &name)?;
        note_change(cx, draft.caller, &name)?;
        Ok(Created { name, shown_once: Map::new() })
    }

    fn update(&self, cx: &mut Cx, draft: &Draft<'_>, current: &Map<String, Value>) -> Result<Map<String, Value>, AppError> {
        let values = draft.values;
        let name = draft.name;
        let disabled = values.check("enabled") == Some(false);
        if disabled && is_standard(name) {
            return Err(AppError::Validation(format!("User {name} cannot be disabled")));
        }
        if let Some(email) = values.text("email").filter(|email| !is_standard(name) && fold_name(email) != name) {
            // The address is the name, and a document cannot be renamed by writing to it.
            return Err(AppError::Validation(format!("Email cannot be changed to {email}: it is the name of the user")));
        }
        check_username(values, name)?;
        let mut change = read_change(values)?;
        if !is_standard(name) {
            // Only upper and lower case can differ, and the stored address has none.
            change.email = None;
        }
        if values.has("first_name") || values.has("last_name") {
            let text = |fieldname: &str| match values.get(fieldname) {
                Some(sent) => sent.as_text(),
                None => current.get(fieldname).and_then(Value::as_str),
            };
            change.full_name = Some(User::join_name(text("first_name").unwrap_or_default(), text("last_name")));
        }
        user_documents::update_user(cx.conn, draft.at, draft.caller.name(), name, &change).map_err(|error| refusal(draft, name, error))?;
        if let Some(hash) = password_hash(draft)? {
            users::update_password_hash(cx.conn, name, hash)?;
            if values.check("logout_all_sessions") != Some(false) {
                let own = match &draft.caller.via {
                    Via::Session { id } if draft.caller.name() == name => Some(id.as_str()),
                    _ => None,
                };
                sessions::revoke_sessions_of(cx.conn, name, own)?;
            }
        }
        if disabled {
            end_everything(cx, name)?;
        }
        set_roles(cx, draft, name)?;
        set_api_key(cx, draft, name)?;
        note_change(cx, draft.caller, name)?;
        Ok(Map::new())
    }

    fn delete(&self, cx: &mut Cx, caller: &Caller, name: &str) -> Result<(), AppError> {
        if is_standard(name) {
            return Err(AppError::Validation(format!("User {name} cannot be deleted")));
        }
        end_everything(cx, name)?;
        // Whoever gets the name later starts without what was given to this user.
        share::remove_all_of(cx, name)?;
        user_documents::delete_user(cx.conn, name)?;
        note_change(cx, caller, name)
    }
}

fn is_standard(name: &str) -> bool {
    STANDARD.contains(&name)
}

/// Sessions, grants and tokens end with the user, and do not come back when it is enabled again.
fn end_everything(cx: &mut Cx, name: &str) -> Result<(), AppError> {
    sessions::revoke_sessions_of(cx.conn, name, None)?;
    revoke::end_all_of_user(cx, name)?;
    Ok(())
}

/// What is cached about a user is forgotten, and an administrator can see who changed it.
fn note_change(cx: &mut Cx, caller: &Caller, name: &str) -> Result<(), AppError> {
    epochs::bump(cx.conn, cx.effects, cx.now, name)?;
    audit::record(cx, None, &AuditEvent::UserChanged { by: caller.name().to_owned(), user: name.to_owned() })?;
    Ok(())
}

/// Frappe: any username that nobody has, here: none that reads like another user, because whoever looks a user up by
/// what was typed would find the wrong one.
fn check_username(values: &Values, name: &str) -> Result<(), AppError> {
    match values.text("username").filter(|username| !may_be_username(username, name)) {
        None => Ok(()),
        Some(username) => Err(AppError::Validation(format!(
            "Username cannot be {username}: {ADMINISTRATOR}, {GUEST} and e-mail addresses other than the user's own are not usernames"
        ))),
    }
}

/// Frappe: the part before the `@`, unless somebody has it.
fn suggest_username(cx: &mut Cx, email: &str) -> Result<Option<String>, AppError> {
    let Some(local) = email.split('@').next().filter(|local| !local.is_empty() && may_be_username(local, email)) else { return Ok(None) };
    Ok(if user_documents::is_username_taken(cx.conn, local)? { None } else { Some(local.to_owned()) })
}

fn password_hash<'a>(draft: &'a Draft<'_>) -> Result<Option<&'a str>, AppError> {
    if draft.secret("new_password").is_none() {
        return Ok(None);
    }
    if draft.caller.scope.is_some() {
        // A password reaches further and lives longer than any scoped credential that would set it.
        let text = "A password can be set in a session or with an unscoped API key only";
        return Err(AppError::NotPermitted(Denied::Because(text.into())));
    }
    draft.gathered.password_hash.as_deref().map(Some).ok_or_else(|| AppError::internal("new_password was not hashed before the write"))
}

fn read_change(values: &Values) -> Result<UserChange, AppError> {
    let text = |fieldname: &str| values.get(fieldname).map(|_| values.text(fieldname).map(str::to_owned));
    let hour = |fieldname: &str| match values.int(fieldname) {
        None => Ok(None),
        // Frappe's columns cannot be empty: 0 there means no restriction.
        Some(0) => Ok(Some(None)),
        Some(hour @ 1..=24) => Ok(Some(i32::try_from(hour).ok())),
        Some(_) => Err(AppError::Validation(format!("{fieldname} must be an hour from 0 to 24"))),
    };
    Ok(UserChange {
        email: values.text("email").map(str::to_owned),
        first_name: values.text("first_name").map(str::to_owned),
        middle_name: text("middle_name"),
        last_name: text("last_name"),
        full_name: None,
        username: text("username"),
        enabled: values.check("enabled"),
        language: text("language"),
        time_zone: text("time_zone"),
        user_image: text("user_image"),
        mobile_no: text("mobile_no"),
        phone: text("phone"),
        restrict_ip: text("restrict_ip"),
        login_after: hour("login_after")?,
        login_before: hour("login_before")?,
    })
}

/// Replaces the roles when they were sent, and works out the user type from them.
fn set_roles(cx: &mut Cx, draft: &Draft<'_>, name: &str) -> Result<(), AppError> {
    let Some(rows) = draft.values.rows("roles") else { return Ok(()) };
    let mut wanted: Vec<String> = Vec::new();
    for role in rows.iter().filter_map(|row| row.text("role")) {
        if role == ADMINISTRATOR && name != ADMINISTRATOR {
            return Err(AppError::Validation(format!("Role {ADMINISTRATOR} cannot be given to a user")));
        }
        // Everybody who should have the automatic roles has them without a row.
        if !AUTOMATIC_ROLES.contains(&role) && !wanted.iter().any(|known| known == role) {
            wanted.push(role.to_owned());
        }
    }
    if users::list_roles_of(cx.conn, name)? != wanted {
        users::remove_roles_of(cx.conn, name)?;
        for role in &wanted {
            users::insert_role_of(cx.conn, draft.at, name, role, draft.caller.name())?;
        }
    }
    let desk = name == ADMINISTRATOR || roles::any_opens_desk(cx.conn, &wanted)?;
    users::update_user_type(cx.conn, name, if desk { UserType::SystemUser } else { UserType::WebsiteUser })?;
    Ok(())
}

/// The `default` key as the public documents make it: by setting its two halves on the user.
fn set_api_key(cx: &mut Cx, draft: &Draft<'_>, name: &str) -> Result<(), AppError> {
    let refuse = |error: StoreError| refusal(draft, name, error);
    let sent = draft.values.text("api_key");
    if let Some(key) = sent
        && (key.contains(':') || !key.bytes().all(|byte| byte.is_ascii_graphic()))
    {
        return Err(AppError::Validation("API Key (api_key) must be visible ASCII characters without a colon".into()));
    }
    if draft.secret("api_secret").is_some() {
        let mac = draft.gathered.api_secret_mac.clone().ok_or_else(|| AppError::internal("api_secret was not hashed before the write"))?;
        let known = api_keys::find_key_of(cx.conn, name, api_keys::DEFAULT)?;
        let key = sent.map(str::to_owned).or(known).unwrap_or_else(|| mint::name(KEY_LENGTH));
        let new = NewKey {
            user: name,
            name: api_keys::DEFAULT,
            key: &key,
            secret: SecretForm::Hmac(mac),
            // What a scoped credential makes reaches no further and lives no longer than it.
            scope: draft.caller.scope.as_deref(),
            expires_at: draft.caller.expires_at,
        };
        return api_keys::upsert_key(cx.conn, cx.now, &new).map_err(refuse);
    }
    match (sent, draft.values.get("api_key")) {
        (Some(key), _) => {
            if !user_documents::update_api_key(cx.conn, name, api_keys::DEFAULT, key).map_err(refuse)? {
                return Err(AppError::Validation("API Secret (api_secret) is needed with a new API Key".into()));
            }
        }
        (None, Some(FieldValue::Null | FieldValue::Text(_))) => {
            api_keys::revoke_key(cx.conn, name, api_keys::DEFAULT)?;
        }
        (None, _) => {}
    }
    Ok(())
}

fn refusal(draft: &Draft<'_>, name: &str, error: StoreError) -> AppError {
    match user_documents::find_taken(&error) {
        Some("name") => AppError::Duplicate { doctype: draft.doctype.name.clone(), name: name.to_owned() },
        Some(fieldname) => {
            let label = draft.doctype.field(fieldname).map_or(fieldname, |field| &field.label);
            AppError::NotUnique { label: label.to_owned() }
        }
        None => error.into(),
    }
}
