//! When a request reached this machine, as far as a worker can tell.
//!
//! A worker sees many connections at once and handles them one after another, so the last of a
//! burst is looked at long after its bytes arrived; by then the first may be answered already. A
//! race between them must not be mistaken for a replay of the answer. So all requests that a worker
//! finds together (a turn) share the moment the turn began; and when a turn of several follows
//! another without a pause, its requests were already there while that one ran.

use std::cell::Cell;
use std::time::Duration;

use crate::cx::Clock;
use crate::domain::Instant;

/// A turn that follows another within this time followed it without a pause.
const PAUSE: Duration = Duration::from_millis(5);

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
