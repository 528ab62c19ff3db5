//! `id_token_hint`: whom a request is about, said by an id token that its client was given.
//!
//! Looked at before a flow begins, because checking a signature is slow.

use super::error::ProtocolError;
use super::params::Params;
use crate::cx::Env;
use crate::oidc::id_token::{self, Hint, Unreadable};

/// The parameter.
pub(super) const ID_TOKEN_HINT: &str = "id_token_hint";
/// Stands for it on the way to a login and back: what it proved, sealed, so that nobody reads or makes one.
pub(super) const HINTED_USER: &str = "hinted_user";

/// What became of the `id_token_hint` of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// Looks at the hint of a request. Checks a signature, so this is for outside of transactions.
    pub(super) fn of(env: &Env, params: &Params) -> Self {
        let Some(token) = params.get_lenient(ID_TOKEN_HINT) else { return Self::Nobody };
        match id_token::read_hint(&env.signing_keys(), env.public_url.as_str(), token) {
            Ok(hint) => Self::Somebody(hint),
            Err(Unreadable::KeyGone { client_id }) => Self::Unproven { client_id },
            Err(Unreadable::NotOurs) => Self::Broken,
        }
    }

    /// The same for a request that may go by the login page, with its parameters as they go on from here. They hold what the
    /// hint proved in its place: they become an address, and an id token is too long for one and says too much.
    pub(super) fn exchanged(env: &Env, params: Params) -> (Self, Params) {
        match (params.get(ID_TOKEN_HINT), params.get(HINTED_USER)) {
            (Ok(Some(_)), _) => match Self::of(env, &params) {
                Self::Somebody(hint) => {
                    let proven = hint.seal(&env.seal);
                    (Self::Somebody(hint), params.without(ID_TOKEN_HINT).with(HINTED_USER, &proven))
                }
                Self::Unproven { client_id } => (Self::Unproven { client_id }, params.without(ID_TOKEN_HINT)),
                other => (other, params),
            },
            (Ok(None), Ok(Some(proven))) => (Hint::open(&env.seal, proven).map_or(Self::Broken, Self::Somebody), params),
            // Repeated ones are refused where the request is read.
            _ => (Self::Nobody, params),
        }
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
