//! When a request reached this machine, as far as a worker can tell.
//!
//! A worker sees many connections at once and handles them one after another, so the last of a
//! burst is looked at long after its bytes arrived; by then the first may be answered already. A
//! race between them must not be mistaken for a replay of the answer. So all requests that a worker
//! finds together (a turn) share the moment the turn began; and when a turn of several follows
//! another without a pause, its requests were already there while that one ran.
//!
//! Workers know nothing of each other's turns, and on a busy machine one may wake up long after
//! another has answered. So before a winner is answered all [`Workers`] are asked to look at what is
//! there: what any of them finds later was sent later.

use std::cell::Cell;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::cx::Clock;
use crate::domain::Instant;

/// A turn that follows another within this time followed it without a pause.
const PAUSE: Duration = Duration::from_millis(5);

/// A worker that takes longer than this to look is not waited for.
const LOOK: Duration = Duration::from_millis(250);

#[derive(Clone, Copy)]
struct Turn {
    began: Instant,
    arrival: Instant,
    requests: u32,
}

#[derive(Clone, Copy)]
struct Ended {
    began: Instant,
    ended: Instant,
    requests: u32,
}

thread_local! {
    static OPEN: Cell<Option<Turn>> = const { Cell::new(None) };
    static LAST: Cell<Option<Ended>> = const { Cell::new(None) };
}

/// The moment to judge races by. Call it once per request, first thing.
pub fn stamp(clock: &Clock) -> Instant {
    if let Some(turn) = OPEN.get() {
        OPEN.set(Some(Turn { requests: turn.requests + 1, ..turn }));
        return turn.arrival;
    }
    let now = clock.now();
    let arrival = match LAST.get() {
        // One request alone is no burst: whoever sends a second one after it may have seen its answer.
        Some(last) if last.requests > 1 && now.since(last.ended) < PAUSE => last.began,
        _ => now,
    };
    OPEN.set(Some(Turn { began: now, arrival, requests: 1 }));
    let clock = clock.clone();
    // Runs behind everything that is ready now, which is the rest of this turn.
    actix_web::rt::spawn(async move {
        if let Some(turn) = OPEN.take() {
            LAST.set(Some(Ended { began: turn.began, ended: clock.now(), requests: turn.requests }));
        }
    });
    arrival
}

/// The workers of a server: whom to ask whether something has arrived.
#[derive(Default)]
pub struct Workers(Mutex<Vec<mpsc::UnboundedSender<oneshot::Sender<()>>>>);

impl Workers {
    /// Makes this thread one of them. Call it once on each, within its runtime.
    pub fn join(&self) {
        let (worker, mut asked) = mpsc::unbounded_channel::<oneshot::Sender<()>>();
        self.lock().push(worker);
        actix_web::rt::spawn(async move {
            let mut asking = Vec::new();
            while asked.recv_many(&mut asking, 1024).await > 0 {
                // Giving way has the sockets looked at, and what is found there comes before us in the
                // queue; twice, because the first time may be on the way back from an earlier look.
                tokio::task::yield_now().await;
                tokio::task::yield_now().await;
                for answer in asking.drain(..) {
                    // Who asked may have gone away.
                    let _ = answer.send(());
                }
            }
        });
    }

    /// Waits until every worker has stamped whatever reached it before this call.
    pub async fn look(&self) {
        let mut looking = Vec::new();
        self.lock().retain(|worker| {
            let (answer, looked) = oneshot::channel();
            looking.push(looked);
            // One that ended is not asked again.
            worker.send(answer).is_ok()
        });
        let all = async {
            for looked in looking {
                let _ = looked.await;
            }
        };
        let _ = tokio::time::timeout(LOOK, all).await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<mpsc::UnboundedSender<oneshot::Sender<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
