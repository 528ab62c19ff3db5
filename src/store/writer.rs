//! SQLite's one writer: a thread that owns the only write connection and commits for many at once.
//!
//! It drains a bounded queue, runs each job inside one `BEGIN IMMEDIATE`, commits once, then answers
//! all (group commit). Jobs run bare first: a savepoint around each would copy every page that the
//! job touches. Only when a job fails after it has changed something is the batch rolled back and
//! run again, each job in a savepoint of its own.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Instant as Clock;

use tokio::sync::oneshot;

use super::db::{Db, contained, warn_if_slow};
use super::effects::Effects;
use super::epochs::{EVERYBODY, Epochs};
use super::pool::Pooled;
use super::{Conn, StoreError};
use crate::error::AppError;

/// How many jobs share one commit at most: bounds how long the first of them waits for the last.
const MAX_BATCH: usize = 256;

/// The way to SQLite's writer.
pub(super) struct Queue(SyncSender<Box<dyn Job>>);

impl Queue {
    /// Starts the writer thread, which ends when the last [`Queue`] is gone.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the system gives no thread.
    pub fn start(connection: Pooled, length: usize, epochs: Arc<Epochs>) -> Result<Self, StoreError> {
        let (sender, receiver) = sync_channel(length);
        std::thread::Builder::new()
            .name("sqlite-writer".into())
            .spawn(move || run(connection, &receiver, &epochs))
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self(sender))
    }

    /// Queues a job, whose outcome and effects are carried out through `db`.
    ///
    /// # Errors
    /// [`AppError::Unavailable`] when the queue is full or the writer is gone.
    pub fn push<T: Send + 'static>(
        &self,
        db: Db,
        name: &'static str,
        job: impl FnMut(&mut Conn, &mut Effects) -> Result<T, AppError> + Send + 'static,
        reply: Reply<T>,
    ) -> Result<(), AppError> {
        let job = Box::new(WriteJob { name, job, outcome: None, effects: Effects::default(), db, reply });
        self.0.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => AppError::unavailable("the write queue is full"),
            TrySendError::Disconnected(_) => AppError::unavailable("the writer ended"),
        })
    }
}

/// A job in SQLite's write queue: run inside the batch, answered after its commit.
trait Job: Send {
    fn name(&self) -> &'static str;
    /// Runs, possibly a second time after the first was undone; false asks to undo it.
    fn run(&mut self, conn: &mut Conn) -> bool;
    /// Lets nothing be trusted any more that was remembered before what `run` changed. The next jobs of the batch see these
    /// changes, so what they remember must not be older; and not as new where they are undone.
    fn forget(&self);
    /// Forgets what `run` did because the transaction is gone.
    fn fail(&mut self, error: AppError);
    /// Carries out the effects and answers.
    fn finish(self: Box<Self>);
}

/// Who waits for a job.
pub(super) enum Reply<T> {
    Async(oneshot::Sender<Result<T, AppError>>),
    Blocking(SyncSender<Result<T, AppError>>),
    Nobody,
}

struct WriteJob<T, F> {
    name: &'static str,
    job: F,
    outcome: Option<Result<T, AppError>>,
    effects: Effects,
    db: Db,
    reply: Reply<T>,
}

impl<T: Send, F: FnMut(&mut Conn, &mut Effects) -> Result<T, AppError> + Send> Job for WriteJob<T, F> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&mut self, conn: &mut Conn) -> bool {
        self.effects = Effects::default();
        let result = contained(|| (self.job)(conn, &mut self.effects));
        let keep = result.is_ok();
        self.outcome = Some(result);
        keep
    }

    fn forget(&self) {
        self.db.forget(&self.effects);
    }

    fn fail(&mut self, error: AppError) {
        self.outcome = Some(Err(error));
    }

    fn finish(self: Box<Self>) {
        let Self { outcome, effects, db, reply, name, .. } = *self;
        let outcome = outcome.unwrap_or_else(|| Err(AppError::internal("a write job was not run")));
        if outcome.is_ok() {
            db.carry_out(effects);
        }
        match reply {
            // The caller may have gone away; its write stands.
            Reply::Async(reply) => drop(reply.send(outcome)),
            Reply::Blocking(reply) => drop(reply.send(outcome)),
            Reply::Nobody => {
                if let Err(error) = outcome {
                    tracing::debug!(name, cause = %error, "a write that may be dropped was dropped");
                }
            }
        }
    }
}

fn run(mut connection: Pooled, queue: &Receiver<Box<dyn Job>>, epochs: &Arc<Epochs>) {
    let mut batch = Vec::with_capacity(MAX_BATCH);
    while let Ok(first) = queue.recv() {
        batch.push(first);
        let result = match run_bare(&mut connection, queue, &mut batch) {
            Ok(Ended::Committed) => Ok(()),
            Ok(Ended::Undone) => run_in_savepoints(&mut connection, &mut batch),
            Err(error) => Err(error),
        };
        if let Err(error) = result {
            fail(&mut connection, epochs, &mut batch, &error.into());
        }
        for job in batch.drain(..) {
            job.finish();
        }
    }
}

/// How a batch without savepoints ended.
enum Ended {
    Committed,
    /// A job failed after it had changed something, so everything was rolled back.
    Undone,
}

/// Runs what is queued, until nothing more is or the batch is full, and commits.
fn run_bare(connection: &mut Pooled, queue: &Receiver<Box<dyn Job>>, batch: &mut Vec<Box<dyn Job>>) -> Result<Ended, StoreError> {
    connection.execute_kept("BEGIN IMMEDIATE")?;
    let mut next = 0;
    while let Some(job) = batch.get_mut(next) {
        let before = connection.changes();
        if !run_job(connection, &mut **job)? && connection.has_changed_since(before) {
            connection.roll_back()?;
            batch[..=next].iter().for_each(|job| job.forget());
            return Ok(Ended::Undone);
        }
        next += 1;
        if next == batch.len() && next < MAX_BATCH {
            batch.extend(queue.try_recv());
        }
    }
    connection.execute_kept("COMMIT")?;
    Ok(Ended::Committed)
}

/// Runs the jobs of an undone batch again, so that only those that fail are undone.
fn run_in_savepoints(connection: &mut Pooled, batch: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
    connection.execute_kept("BEGIN IMMEDIATE")?;
    for job in batch {
        connection.execute_kept("SAVEPOINT job")?;
        if !run_job(connection, &mut **job)? {
            connection.execute_kept("ROLLBACK TO job")?;
        }
        connection.execute_kept("RELEASE job")?;
    }
    connection.execute_kept("COMMIT")
}

/// Runs one job: whether it is to be kept, or an error when the whole transaction is gone.
fn run_job(connection: &mut Pooled, job: &mut dyn Job) -> Result<bool, StoreError> {
    let started = Clock::now();
    let keep = job.run(&mut connection.conn);
    if keep {
        job.forget();
    }
    warn_if_slow(job.name(), started);
    if connection.left_transaction() {
        return Err(StoreError::Unavailable("SQLite ended the transaction (disk full or I/O error)".into()));
    }
    Ok(keep)
}

/// Nothing of this batch is durable, so every job of it failed.
fn fail(connection: &mut Pooled, epochs: &Epochs, batch: &mut [Box<dyn Job>], error: &AppError) {
    if !connection.left_transaction() {
        let _ = connection.roll_back();
    }
    tracing::error!(cause = %error, jobs = batch.len(), "a write batch was rolled back");
    // A job may have remembered what an earlier one of the batch wrote.
    epochs.bump(EVERYBODY);
    for job in batch {
        job.fail(error.clone());
    }
}

#[cfg(test)]
mod tests {
    use diesel::RunQueryDsl as _;

    use super::*;
    use crate::store::installation;
    use crate::store::testing::databases;

    type TestJob = Box<dyn FnMut(&mut Conn) -> Result<(), AppError> + Send>;

    /// Holds the writer until every job is queued, so that all of them share a batch.
    fn as_one_batch(db: &Db, jobs: Vec<TestJob>) -> Vec<bool> {
        let gate = Arc::new(std::sync::Barrier::new(2));
        let held = Arc::clone(&gate);
        let mut waited = false;
        let holder = db.clone();
        let holder = std::thread::spawn(move || {
            holder.write_blocking("hold", move |_, _| {
                if !std::mem::replace(&mut waited, true) {
                    held.wait();
                }
                Ok(())
            })
        });
        let answers: Vec<_> = jobs
            .into_iter()
            .map(|mut job| {
                let queue = db.queue();
                let (reply, answer) = sync_channel(1);
                queue.push(db.clone(), "job", move |conn, _| job(conn), Reply::Blocking(reply)).expect("room in the queue");
                answer
            })
            .collect();
        gate.wait();
        holder.join().expect("no panic").expect("held");
        answers.into_iter().map(|answer| answer.recv().expect("an answer").is_ok()).collect()
    }

    #[test]
    fn a_job_that_fails_after_a_change_is_undone_alone() {
        let database = databases().swap_remove(0);
        let db = &database.db;
        let jobs = (0..6)
            .map(|number| {
                Box::new(move |conn: &mut Conn| {
                    installation::insert_value(conn, &format!("job {number}"), "kept")?;
                    if number % 3 == 1 { Err(AppError::InvalidData("on purpose".into())) } else { Ok(()) }
                }) as TestJob
            })
            .collect();
        assert_eq!(as_one_batch(db, jobs), [true, false, true, true, false, true]);
        for number in 0..6 {
            let found = db.lookup_blocking(|conn, _| Ok(installation::find_value(conn, &format!("job {number}"))?)).expect("reads");
            assert_eq!(found.is_some(), number % 3 != 1, "job {number}");
        }
    }

    #[test]
    fn a_job_that_fails_before_any_change_has_nobody_run_again() {
        let database = databases().swap_remove(0);
        let db = &database.db;
        let runs = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counted = |runs: &Arc<std::sync::atomic::AtomicUsize>| {
            let runs = Arc::clone(runs);
            Box::new(move |_: &mut Conn| {
                runs.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                Ok(())
            }) as TestJob
        };
        let refused = || Box::new(|_: &mut Conn| Err(AppError::InvalidData("on purpose".into()))) as TestJob;
        // The first time nothing is known yet of the tables.
        assert_eq!(as_one_batch(db, vec![refused()]), [false]);
        for round in 1..=3 {
            assert_eq!(as_one_batch(db, vec![counted(&runs), refused(), counted(&runs)]), [true, false, true]);
            assert_eq!(runs.load(std::sync::atomic::Ordering::SeqCst), round * 2);
        }
    }

    #[test]
    fn a_table_that_a_failed_job_made_is_undone_too() {
        let database = databases().swap_remove(0);
        let db = &database.db;
        let make = |name: &'static str, fail: bool| {
            Box::new(move |conn: &mut Conn| {
                diesel::sql_query(format!("CREATE TABLE {name} (x INTEGER)")).execute(conn).map_err(StoreError::from)?;
                if fail { Err(AppError::InvalidData("on purpose".into())) } else { Ok(()) }
            }) as TestJob
        };
        assert_eq!(as_one_batch(db, vec![make("first", false), make("second", true), make("third", false)]), [true, false, true]);
        // And again: the counter of tables went back when the one before was undone.
        for name in ["fourth", "fifth", "sixth"] {
            assert_eq!(as_one_batch(db, vec![make(name, true)]), [false]);
        }
        let there = [("first", true), ("second", false), ("third", true), ("fourth", false), ("fifth", false), ("sixth", false)];
        for (name, there) in there {
            let read = db.lookup_blocking(|conn, _| {
                Ok(diesel::sql_query(format!("SELECT x FROM {name}")).execute(conn).map_err(StoreError::from)?)
            });
            assert_eq!(read.is_ok(), there, "{name}");
        }
    }
}
