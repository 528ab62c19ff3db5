//! `id_token_hint`: whom a request is about, said by an id token that its client was given.
//!
//! Looked at before a flow begins, because checking a signature is slow.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::error::ProtocolError;
use super::params::Params;
use crate::cx::Env;
use crate::oidc::id_token::{self, Hint, Unreadable};
use crate::secrets::SealKey;

/// The parameter.
pub(super) const ID_TOKEN_HINT: &str = "id_token_hint";

/// Stands for it in what a browser is sent on with (to the login page and back, to the logout page): what it proved, sealed,
/// so that nobody reads it there or makes one. An id token is too long for an address, and says too much.
pub(super) const HINTED_USER: &str = "hinted_user";

/// What the other is sealed for.
const SEALED_FOR: &str = "hinted-user";

/// What became of the `id_token_hint` of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hinted {
    /// There was none.
    #[default]
    Nobody,
    /// It is no id token of this server.
    Broken,
    /// It says that it is one for this client, and the key that could prove it is long gone.
    Unproven {
        client_id: String,
    },
    Somebody(Hint),
}

impl Hinted {
    /// Looks at the hint of a request, and gives the parameters to go on with: they hold what it proved in its place.
    /// Checks a signature, so this is for outside of transactions.
    pub(super) fn take(env: &Env, params: Params) -> (Self, Params) {
        let Some(token) = params.get_lenient(ID_TOKEN_HINT) else {
            let carried = params.get_lenient(HINTED_USER).map(|sealed| Self::open(&env.seal, sealed).unwrap_or(Self::Broken));
            return (carried.unwrap_or_default(), params);
        };
        let hinted = match id_token::read_hint(&env.signing_keys(), env.public_url.as_str(), token) {
            Ok(hint) => Self::Somebody(hint),
            Err(Unreadable::KeyGone { client_id }) => Self::Unproven { client_id },
            Err(Unreadable::NotOurs) => return (Self::Broken, params),
        };
        let sealed = env.seal.seal(SEALED_FOR, json!(hinted).to_string().as_bytes());
        (hinted, params.without(ID_TOKEN_HINT).with(HINTED_USER, &sealed))
    }

    fn open(key: &SealKey, sealed: &str) -> Option<Self> {
        serde_json::from_slice(&key.open(SEALED_FOR, sealed).ok()?).ok()
    }

    /// Whether it is an id token that this server issued.
    pub(super) fn is_proven(&self) -> bool {
        matches!(self, Self::Somebody(_))
    }

    /// Which client it was issued to, or says that it was.
    ///
    /// # Errors
    /// `invalid_request` for one that is none of ours.
    pub(super) fn client_id(&self) -> Result<Option<&str>, ProtocolError> {
        match self {
            Self::Nobody => Ok(None),
            Self::Broken => Err(ProtocolError::invalid_request("id_token_hint is not an id token of this server.")),
            Self::Unproven { client_id } | Self::Somebody(Hint { client_id, .. }) => Ok(Some(client_id)),
        }
    }

    /// Whom it speaks of to this client, at any time. One that nobody can prove any more speaks of nobody: the client could
    /// have left it out, and its user must not be locked out by it.
    ///
    /// # Errors
    /// `invalid_request` for one that is none of ours, or another client's.
    pub(super) fn for_client(&self, client_id: &str) -> Result<Option<&Hint>, ProtocolError> {
        if self.client_id()?.is_some_and(|issued_to| issued_to != client_id) {
            return Err(ProtocolError::invalid_request("id_token_hint was issued to another client."));
        }
        Ok(match self {
            Self::Somebody(hint) => Some(hint),
            Self::Nobody | Self::Broken | Self::Unproven { .. } => None,
        })
    }
}
