//! [`State`]: what all handlers share, and the three stages of a request: gather, flow, effects.

use std::sync::Arc;
use std::time::Duration;

use super::arrival::Workers;
use super::gate::PasswordGate;
use crate::auth::csrf;
use crate::auth::identify::{self, Loaded};
use crate::auth::lockout::Lockout;
use crate::auth::{Credential, CredentialCache, Identity, Known, RequestFacts};
use crate::cx::{Cx, Env};
use crate::domain::resource::Resources;
use crate::error::AppError;
use crate::fetch::Fetcher;
use crate::limits::Limits;
use crate::oauth::introspect::IntrospectionCache;
use crate::oauth::resources;
use crate::store::{Conn, Db, Effects};

/// What lives as long as the server.
pub struct State {
    pub env: Arc<Env>,
    pub db: Db,
    pub credentials: CredentialCache,
    pub introspections: IntrospectionCache,
    pub lockout: Lockout,
    pub gate: PasswordGate,
    /// For what clients publish, in the stage before a flow.
    pub fetcher: Fetcher,
    pub workers: Workers,
    pub(super) key_sets: super::gather::KeySets,
    pub(super) public_client_origins: super::cors::PublicClientOrigins,
}

impl State {
    /// Puts the state together.
    pub fn new(env: Arc<Env>, db: Db, fetcher: Fetcher) -> Self {
        let credentials = CredentialCache::new(Arc::clone(db.epochs()));
        let introspections = IntrospectionCache::new(Arc::clone(db.epochs()));
        let lockout = Lockout::new(|limit| Limits::quota(&env.config.limits, limit));
        let gate = PasswordGate::new(env.config.security.password_checks, Duration::from_secs(env.config.security.password_wait));
        let workers = Workers::default();
        let key_sets = super::gather::KeySets::default();
        Self { env, db, credentials, introspections, lockout, gate, fetcher, workers, key_sets, public_client_origins: Default::default() }
    }

    /// What a CSRF check needs to know of this installation.
    pub fn csrf_rules(&self) -> csrf::Rules<'_> {
        csrf::Rules { security: &self.env.config.security, seal: &self.env.seal, public_url: self.env.public_url.as_str() }
    }

    /// Runs a flow that reads by key.
    ///
    /// # Errors
    /// The flow's own, and [`AppError::Unavailable`].
    pub async fn lookup<T: Send + 'static>(
        &self,
        flow: impl FnOnce(&mut Cx) -> Result<T, AppError> + Send + 'static,
    ) -> Result<T, AppError> {
        let env = Arc::clone(&self.env);
        self.db.lookup(move |conn, effects| run(conn, effects, &env, flow)).await
    }

    /// Runs a flow that lists, counts or searches.
    ///
    /// # Errors
    /// The flow's own, [`AppError::Unavailable`] and [`AppError::QueryTimeout`].
    pub async fn query<T: Send + 'static>(
        &self,
        flow: impl FnOnce(&mut Cx) -> Result<T, AppError> + Send + 'static,
    ) -> Result<T, AppError> {
        let env = Arc::clone(&self.env);
        self.db.query(move |conn, effects| run(conn, effects, &env, flow)).await
    }

    /// Runs a flow that changes something; durable when this returns `Ok`.
    ///
    /// # Errors
    /// The flow's own, and [`AppError::Unavailable`].
    pub async fn write<T: Send + 'static>(
        &self,
        name: &'static str,
        mut flow: impl FnMut(&mut Cx) -> Result<T, AppError> + Send + 'static,
    ) -> Result<T, AppError> {
        let env = Arc::clone(&self.env);
        self.db.write(name, move |conn, effects| run(conn, effects, &env, &mut flow)).await
    }

    /// The registered resources: from memory, or read once.
    ///
    /// # Errors
    /// Database errors.
    pub async fn resources(&self) -> Result<Arc<Resources>, AppError> {
        match self.env.resources.peek("") {
            Some(known) => Ok(known),
            None => self.lookup(|cx| Ok(resources::known(cx)?)).await,
        }
    }

    /// Who is calling.
    ///
    /// # Errors
    /// [`AppError::Unauthenticated`] and its kin; database errors.
    pub async fn identify(&self, facts: &RequestFacts<'_>) -> Result<Identity, AppError> {
        let credential = Credential::from_facts(facts)?;
        let Some(key) = self.credentials.key(&credential) else { return Ok(Identity::guest(false)) };
        let known = match self.credentials.find(&key) {
            Some(known) => Some(known),
            None => self.load(credential.clone(), key, facts).await?,
        };
        let now = self.env.clock.now();
        let Some(known) = known else {
            return if matches!(credential, Credential::Session(_)) { Ok(Identity::guest(true)) } else { Err(AppError::Unauthenticated) };
        };
        let (identity, due) = identify::evaluate(now, &self.env, &known, facts)?;
        if due {
            let mut effects = Effects::default();
            identify::record_use(&identity.caller.via, now, self.env.config.security.session_lifetime(), &mut effects);
            self.db.carry_out(effects);
        }
        Ok(identity)
    }

    /// Looks a credential up and remembers what was found.
    async fn load(&self, credential: Credential, key: [u8; 32], facts: &RequestFacts<'_>) -> Result<Option<Arc<Known>>, AppError> {
        // Read before the SELECT: whatever is revoked after this makes the entry stale.
        let as_of = self.credentials.epoch();
        let secret = if let Credential::KeyOrPassword { secret, .. } = &credential { Some(secret.clone()) } else { None };
        let loaded = self.lookup(move |cx| identify::load(cx, &credential)).await?;
        let known = match (loaded, secret) {
            (Loaded::Known(known), _) => known,
            (Loaded::NeedPassword { user, stored }, Some(secret)) => {
                // The limits come before the slow check.
                let attempt = self.lockout.begin(&user, facts.address)?;
                tokio::time::sleep(attempt.delay).await;
                if !self.gate.verify(secret, stored.clone()).await? {
                    attempt.failed();
                    return Ok(None);
                }
                attempt.succeeded();
                let checked = stored.ok_or_else(|| AppError::internal("a password without a hash was right"))?;
                match self.lookup(move |cx| identify::password_known(cx, &user, &checked)).await? {
                    Some(known) => known,
                    None => return Ok(None),
                }
            }
            (Loaded::Unknown | Loaded::NeedPassword { .. }, _) => return Ok(None),
        };
        let known = Arc::new(known);
        self.credentials.insert(key, Arc::clone(&known), as_of);
        Ok(Some(known))
    }
}

fn run<T>(conn: &mut Conn, effects: &mut Effects, env: &Env, flow: impl FnOnce(&mut Cx) -> Result<T, AppError>) -> Result<T, AppError> {
    let now = env.clock.now();
    flow(&mut Cx { conn, now, env, effects })
}
