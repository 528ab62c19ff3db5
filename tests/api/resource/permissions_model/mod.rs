//! Nobody sees, counts or infers what the permission model denies, and everybody sees what it allows.
//!
//! Contract 7.4 stands in `world.rs` a second time, as a few loops over documents in memory. Random
//! permission rows, levels, User Permissions, shares, owners, links, a hook of an embedder and what
//! definitions say of titles and orders are put into the server, and everyone asks for everything
//! through every door: lists, counts, groups and pages (`questions.rs`, `lists.rs`), saved reports (`reports.rs`),
//! single documents, rights, suggestions and searches (`documents.rs`), and by writing (`writes.rs`). Whatever is answered,
//! refusals too, is searched for what the caller must not be told. `oracles.rs` has what is not random.
//!
//! A failure prints the world, the request and the seed; `OSTIARY_TEST_SEED` repeats it.

mod documents;
mod furnish;
mod lists;
mod oracles;
mod questions;
mod reports;
mod world;
mod writes;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use proptest::prelude::{Strategy, any};
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::json;

use self::furnish::Veto;
use self::lists::DOORS;
use self::world::{DOCTYPES, ROLES, ROLES_OF, USERS, World};
use crate::both_databases;
use crate::support::{Caller, Reply, Setup, TestApp, setting};

both_databases!(nobody_sees_more_or_less_than_the_permission_model_says);

/// Worlds on each database, unless they take too long.
const WORLDS: usize = 8;
/// After so long no further world is begun: a busy machine looks at fewer of them.
const PATIENCE: Duration = Duration::from_secs(60);
/// Questions that each user asks in each.
const QUESTIONS: usize = 25;
/// Saved reports about each doctype in each.
const REPORTS: usize = 3;

async fn nobody_sees_more_or_less_than_the_permission_model_says(setup: Setup) {
    let vetoes = Arc::new(AtomicBool::new(false));
    let app = setup.hook(Arc::new(Veto(Arc::clone(&vetoes)))).start().await;
    let administrator = app.administrator().await;
    let callers = callers(&app, &administrator).await;
    let mut random = Random::new();
    let begun = Instant::now();
    for number in 0..WORLDS {
        if number > 0 && begun.elapsed() > PATIENCE {
            break;
        }
        let world = random.pick(&world::world());
        vetoes.store(world.vetoes, Ordering::SeqCst);
        furnish::furnish(&app, &world);
        furnish::grant(&administrator, &world).await;
        let asked = questions::question(&world);
        let mut saved = Vec::new();
        for number in 0..DOCTYPES.len() * REPORTS {
            let report = random.pick(&reports::report(&world, number % DOCTYPES.len(), number));
            reports::save(&administrator, &report).await;
            saved.push(report);
        }
        for (user, caller) in callers.iter().enumerate() {
            for turn in 0..QUESTIONS {
                let question = random.pick(&asked);
                DOORS[(turn + user) % DOORS.len()].agrees(caller, user, &world, &question).await;
                DOORS[(turn + user + 3) % DOORS.len()].agrees(caller, user, &world, &question).await;
                match turn % 3 {
                    0 => lists::counts_agree(caller, user, &world, &question).await,
                    1 => lists::values_agree(caller, user, &world, &question).await,
                    _ => lists::pages_agree(caller, &administrator, user, &world, &question).await,
                }
            }
            for doctype in 0..DOCTYPES.len() {
                let question = questions::names(doctype);
                DOORS[(number + doctype) % DOORS.len()].agrees(caller, user, &world, &question).await;
                lists::pages_agree(caller, &administrator, user, &world, &question).await;
            }
            for report in &saved {
                reports::runs_agree(caller, user, &world, report).await;
            }
            documents::reads_agree(caller, user, &world).await;
            documents::rights_agree(caller, user, &world).await;
            documents::suggestions_agree(caller, user, &world).await;
            documents::searches_agree(caller, user, &world).await;
        }
        for (user, caller) in callers.iter().enumerate() {
            writes::updates_agree(caller, &administrator, user, &world).await;
            writes::creations_agree(caller, &administrator, user, &world).await;
            writes::submissions_agree(&app, caller, &administrator, user, &world).await;
        }
        let mut left = world.clone();
        for (user, caller) in callers.iter().enumerate() {
            writes::deletions_agree(caller, user, &mut left, &world).await;
        }
        furnish::clear(&app);
    }
}

/// One caller for each of [`USERS`].
async fn callers(app: &TestApp, administrator: &Caller) -> Vec<Caller> {
    for role in &ROLES[..2] {
        administrator.post("/api/resource/Role").json(&json!({ "role_name": role, "desk_access": 0 })).send().await.expect_status(200);
    }
    let mut callers = Vec::new();
    for (user, roles) in USERS.iter().zip(ROLES_OF).take(3) {
        let given: Vec<&str> = roles.iter().copied().filter(|role| ROLES[..2].contains(role)).collect();
        callers.push(app.user_with_roles(user, &given).await.api_key().await);
    }
    callers.extend([app.anonymous(), administrator.clone()]);
    callers
}

/// Refuses an answer that has in it what its reader must not be told, unless they said it themselves.
fn keeps_secrets(reply: &Reply, user: usize, world: &World, sent: &str, what: &dyn Fn() -> String) {
    let said = reply.text();
    for secret in world.secrets(user) {
        assert!(!said.contains(secret) || sent.contains(secret), "{secret} is told: {}", what());
    }
}

/// Random values that a printed seed repeats.
struct Random {
    runner: TestRunner,
    seed: u64,
}

impl Random {
    fn new() -> Self {
        let seed = match setting("OSTIARY_TEST_SEED") {
            Some(seed) => seed.parse().expect("a seed is a number"),
            None => any::<u64>().new_tree(&mut TestRunner::default()).expect("a value").current(),
        };
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&u64::to_le_bytes(seed));
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        Self { runner: TestRunner::new_with_rng(Config::default(), rng), seed }
    }

    fn pick<S: Strategy>(&mut self, from: &S) -> S::Value {
        from.new_tree(&mut self.runner).expect("a value").current()
    }
}

impl Drop for Random {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("OSTIARY_TEST_SEED={}", self.seed);
        }
    }
}
