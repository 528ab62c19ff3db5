//! [`Cx`], what every flow receives, and [`Env`], what lives as long as the process.
//!
//! A flow is a plain synchronous function over one connection and one instant. It never reads the
//! clock and never waits: what it lacks it asks for as a value, and what should happen after
//! COMMIT it leaves in [`Cx::effects`].

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, RwLock};

use crate::config::{Config, PublicUrl};
use crate::doctype::Registry;
use crate::domain::Instant;
use crate::domain::client::SigningAlgorithm;
use crate::domain::resource::Resources;
use crate::domain::user::CallerUser;
use crate::limits::Limits;
use crate::resource::helpdesk::Standing;
use crate::resource::hooks::{DocumentHooks, Hooks, Rules};
use crate::resource::{SiteRights, UserRights};
use crate::secrets::SealKey;
use crate::secrets::keys::SigningKey;
use crate::store::blobs::Blobs;
use crate::store::clients::ClientWithSecrets;
use crate::store::epochs::{EVERYBODY, EpochCache, Epochs};
use crate::store::{Conn, Effects};

/// One unit of work: a connection (inside a transaction where it writes), the request's instant, the environment.
pub struct Cx<'a> {
    pub conn: &'a mut Conn,
    /// Read once per request, so that everything in it happens at the same time.
    pub now: Instant,
    pub env: &'a Env,
    /// Carried out after COMMIT, discarded on rollback.
    pub effects: &'a mut Effects,
}

/// What every request shares.
pub struct Env {
    pub config: Config,
    /// The issuer, and what our own URLs begin with.
    pub public_url: PublicUrl,
    pub seal: SealKey,
    pub clock: Clock,
    pub limits: Limits,
    /// What single doctypes do when their documents are written or asked for.
    pub hooks: Hooks,
    pub races: Races,
    /// Clients as of their last commit, for the endpoints that authenticate one on every request.
    pub clients: EpochCache<ClientWithSecrets>,
    /// Users as of their last commit, for the credentials that speak for them.
    pub users: EpochCache<CallerUser>,
    /// Registered resources as of their last commit: all of them as one value, under the empty key.
    pub resources: EpochCache<Resources>,
    /// The contents of uploaded files.
    pub blobs: Blobs,
    /// What restricts single users and what is shared with them, as of their last commit.
    pub user_rights: EpochCache<UserRights>,
    /// The same of everybody: one value, under the empty key.
    pub site_rights: EpochCache<SiteRights>,
    /// Where single users stand in the helpdesk, as of the last commit.
    pub helpdesk: EpochCache<Standing>,
    /// The assignment rules of each doctype, as of the last commit.
    pub assignment_rules: EpochCache<Rules>,
    doctypes: Arc<Doctypes>,
    signing: RwLock<Arc<Vec<SigningKey>>>,
}

impl Env {
    /// Puts the environment together; doctypes and signing keys are loaded by `app`.
    pub fn new(config: Config, public_url: PublicUrl, seal: SealKey, clock: Clock, doctypes: Registry, epochs: &Arc<Epochs>) -> Self {
        let limits = Limits::new(&config.limits);
        let blobs = Blobs::new(config.files.directory(&config.database.url));
        Self {
            config,
            public_url,
            seal,
            clock,
            limits,
            hooks: Hooks::new(Vec::new()),
            races: Races::default(),
            clients: EpochCache::new(Arc::clone(epochs), 10_000, |known| known.client.user.as_deref().unwrap_or(&known.client.client_id)),
            users: EpochCache::new(Arc::clone(epochs), 20_000, |known| &known.user.name),
            resources: EpochCache::new(Arc::clone(epochs), 1, |_| EVERYBODY),
            blobs,
            user_rights: EpochCache::new(Arc::clone(epochs), 20_000, |known| &known.user),
            site_rights: EpochCache::new(Arc::clone(epochs), 1, SiteRights::subject),
            helpdesk: EpochCache::new(Arc::clone(epochs), 20_000, Standing::subject),
            assignment_rules: EpochCache::new(Arc::clone(epochs), 10_000, Rules::subject),
            doctypes: Arc::new(Doctypes(RwLock::new(Arc::new(doctypes)))),
            signing: RwLock::default(),
        }
    }

    /// With an embedder's hooks behind the built-in ones.
    #[must_use]
    pub fn with_hooks(mut self, further: Vec<Arc<dyn DocumentHooks>>) -> Self {
        self.hooks = Hooks::new(further);
        self
    }

    /// The doctypes as they are now.
    pub fn doctypes(&self) -> Arc<Registry> {
        self.doctypes.now()
    }

    /// The doctypes, for whoever changes them after a COMMIT.
    pub fn shared_doctypes(&self) -> Arc<Doctypes> {
        Arc::clone(&self.doctypes)
    }

    /// The signing keys in use: the current one of each algorithm first.
    pub fn signing_keys(&self) -> Arc<Vec<SigningKey>> {
        Arc::clone(&self.signing.read().expect("no reader or writer of the keys panics"))
    }

    /// The key that signs now for an algorithm.
    pub fn signing_key(&self, algorithm: SigningAlgorithm) -> Option<SigningKey> {
        self.signing_keys().iter().find(|key| key.algorithm == algorithm).cloned()
    }

    /// Replaces the signing keys.
    pub fn set_signing_keys(&self, keys: Vec<SigningKey>) {
        *self.signing.write().expect("no reader or writer of the keys panics") = Arc::new(keys);
    }
}

/// The doctypes as of the last commit that this process has heard of.
pub struct Doctypes(RwLock<Arc<Registry>>);

impl Doctypes {
    /// As they are now; what is changed later does not show in it.
    pub fn now(&self) -> Arc<Registry> {
        Arc::clone(&self.0.read().expect("no reader or writer of the registry panics"))
    }

    /// Changes them for everybody who asks from now on.
    pub fn change(&self, change: impl FnOnce(&mut Registry)) {
        change(Arc::make_mut(&mut self.0.write().expect("no reader or writer of the registry panics")));
    }
}

/// How the winner of a race stands, as this process knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Winner {
    /// It has won, but nothing is durable yet.
    Committing,
    /// A request that arrived before this moment lost the race; one that arrived after it saw the
    /// answer, or stole it.
    Answered(Instant),
}

/// The winners of recent races in this process.
#[derive(Clone)]
pub struct Races(moka::sync::Cache<String, Winner>);

impl Default for Races {
    fn default() -> Self {
        Self(moka::sync::Cache::builder().max_capacity(10_000).time_to_live(std::time::Duration::from_secs(60)).build())
    }
}

impl Races {
    /// Remembers how the winner of the race for `id` stands.
    pub fn note(&self, id: &str, winner: Winner) {
        self.0.insert(id.to_owned(), winner);
    }

    /// The winner is durable and its answer on the way; [`Races::answered`] says when it leaves. If that
    /// never comes, because who asked went away, it counts as answered after a second.
    pub fn committed(&self, id: &str, now: Instant) {
        self.note(id, Winner::Answered(now.plus(std::time::Duration::from_secs(1))));
    }

    /// The winner's answer leaves now.
    pub fn answered(&self, id: &str, now: Instant) {
        self.note(id, Winner::Answered(now));
    }

    /// How the winner of the race for `id` stands, if it won here and lately.
    pub fn winner(&self, id: &str) -> Option<Winner> {
        self.0.get(id)
    }
}

/// Where the time comes from: the system, or a test that moves it.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    #[default]
    System,
    /// The system's time plus an offset in microseconds.
    Shifted(Arc<AtomicI64>),
}

impl Clock {
    /// The time now.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    pub fn now(&self) -> Instant {
        let now = Instant::new(chrono::Utc::now().naive_utc());
        match self {
            Self::System => now,
            Self::Shifted(offset) => Instant::from_unix_micros(now.unix_micros() + offset.load(Ordering::SeqCst)).unwrap_or(now),
        }
    }
}
