//! The one thread that writes, with group commit. It takes all the work in its queue, runs each piece in a savepoint of
//! its own, commits once, raises the version numbers, and then answers all callers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use narthex_directory::{StoreError, Stripe, Versions};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::error::{Fault, Outcome, unavailable};
use super::place::Place;

/// Capacity of the queue of work; senders wait when it is full.
const QUEUE: usize = 4_096;
/// Shortest time between two log lines about a failure: a full disk fails every piece of work.
const TOLD_EVERY: Duration = Duration::from_secs(1);
/// Largest number of pieces of work in one commit: an answer should not wait for thousands of others.
const GROUP: usize = 256;

/// Transaction of a piece of work: the connection, and the numbers that it moves.
#[derive(Debug)]
pub(super) struct Tx<'c> {
    connection: &'c Connection,
    effects: Effects,
}

/// Consequences of the work of a group once it is committed.
#[derive(Debug, Default)]
struct Effects {
    /// Numbers that moved.
    moved: Vec<Move>,
    /// True if the log must not keep the pages as they were before.
    cleans_log: bool,
}

/// A number that moved, and what it is now.
#[derive(Debug, Clone, Copy)]
enum Move {
    Policy(u64),
    Stripe(Stripe, u64),
}

impl std::ops::Deref for Tx<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

impl Tx<'_> {
    pub(super) fn move_policy(&mut self) -> Outcome<()> {
        let number = self.count(0)?;
        self.effects.moved.push(Move::Policy(number));
        Ok(())
    }

    /// Overwrites what this transaction deletes, in the file and in its log. Without it, deleted values stay readable there
    /// until something else takes their place.
    pub(super) fn delete_securely(&mut self) -> Outcome<()> {
        self.connection.execute_batch("PRAGMA secure_delete = ON")?;
        self.effects.cleans_log = true;
        Ok(())
    }

    /// Returns the stripe's number after the move.
    pub(super) fn move_stripe(&mut self, stripe: Stripe) -> Outcome<u64> {
        let number = self.count(i64::from(stripe.number()) + 1)?;
        self.effects.moved.push(Move::Stripe(stripe, number));
        Ok(number)
    }

    fn count(&self, id: i64) -> Outcome<u64> {
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO change_counters (id, version) VALUES (?1, 1) \
             ON CONFLICT (id) DO UPDATE SET version = version + 1 RETURNING version",
        )?;
        Ok(statement
            .query_row([id], |row| row.get::<_, i64>(0))
            .map(i64::unsigned_abs)?)
    }
}

/// Work in a transaction, and the answer to the caller that waits for it.
trait Work: Send {
    /// Runs it. Returns whether to keep its changes.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;
    /// Answers, once the transaction is over.
    fn answer(self: Box<Self>, committed: Result<(), &StoreError>);
}

struct Piece<T, F> {
    work: Option<F>,
    done: Option<Outcome<T>>,
    waiting: oneshot::Sender<Result<T, StoreError>>,
}

impl<T: Send, F: FnOnce(&mut Tx<'_>) -> Outcome<T> + Send> Work for Piece<T, F> {
    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        // A piece that panics is rolled back like one that fails, and the thread goes on.
        let panicked = || Err(unavailable("the work panicked").into());
        self.done = self
            .work
            .take()
            .map(|work| catch_unwind(AssertUnwindSafe(|| work(tx))).unwrap_or_else(|_| panicked()));
        matches!(self.done, Some(Ok(_)))
    }

    fn answer(self: Box<Self>, committed: Result<(), &StoreError>) {
        let answer = match (self.done, committed) {
            (Some(Ok(value)), Ok(())) => Ok(value),
            (Some(Ok(_)) | None, Err(error)) => Err(error.clone()),
            (Some(Err(fault)), _) => Err(fault.into()),
            (None, Ok(())) => Err(unavailable("the work was not begun")),
        };
        // The caller may have gone away; the work is done all the same.
        let _ = self.waiting.send(answer);
    }
}

/// Handle of the writing thread.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Work>>>,
    thread: Option<JoinHandle<()>>,
    /// The last change that was to be written could not be.
    failing: Arc<AtomicBool>,
}

impl std::fmt::Debug for dyn Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Work")
    }
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        versions: Arc<Versions>,
        place: Arc<Place>,
    ) -> Result<Self, StoreError> {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let failing = Arc::new(AtomicBool::new(false));
        let outcome = Outcomes {
            failing: Arc::clone(&failing),
            told: None,
            untold: 0,
        };
        let thread = std::thread::Builder::new()
            .name("narthex-writer".to_owned())
            .spawn(move || serve(&connection, (&versions, &place), waiting, outcome))
            .map_err(unavailable)?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
            failing,
        })
    }

    /// Returns whether the last change failed to be written.
    pub(super) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// Runs a piece of work in a transaction. Returns when it is durable.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Outcome<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (waiting, answer) = oneshot::channel();
        let piece = Box::new(Piece {
            work: Some(work),
            done: None,
            waiting,
        });
        let stopped = || unavailable("the writer has stopped");
        self.queue
            .as_ref()
            .ok_or_else(stopped)?
            .send(piece)
            .await
            .map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

/// Waits until the queue is written.
impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writer had panicked");
        }
    }
}

/// Outcome of the groups so far, for callers that ask and for the log.
struct Outcomes {
    failing: Arc<AtomicBool>,
    /// Time of the last log line about a failure; `untold` counts the failures since.
    told: Option<Instant>,
    untold: u64,
}

impl Outcomes {
    fn failed(&mut self, error: &StoreError) {
        self.failing.store(true, Ordering::Relaxed);
        if self.told.is_some_and(|told| told.elapsed() < TOLD_EVERY) {
            self.untold += 1;
            return;
        }
        let untold = std::mem::take(&mut self.untold);
        tracing::error!(event = "store_write_failed", %error, untold, "a group of changes could not be written");
        self.told = Some(Instant::now());
    }

    fn changed(&mut self) {
        if self.failing.swap(false, Ordering::Relaxed) {
            tracing::info!(event = "store_write_succeeded", "changes can be written again");
        }
    }
}

fn serve(
    connection: &Connection,
    (versions, place): (&Versions, &Place),
    mut waiting: mpsc::Receiver<Box<dyn Work>>,
    mut outcomes: Outcomes,
) {
    let mut group = Vec::with_capacity(GROUP);
    while let Some(first) = waiting.blocking_recv() {
        group.push(first);
        let mut effects = Effects::default();
        let changes = connection.total_changes();
        // Known to be gone, it may be back; there by now, it may be gone when the commit is through.
        let there = place.ensure().or_else(|_| place.check());
        let committed = there.and_then(|()| commit(connection, &mut group, &mut waiting, &mut effects));
        // INVARIANT: nothing is acknowledged that is in a file which is no longer at its path.
        let committed = committed.and_then(|()| place.check());
        match &committed {
            Err(error) => outcomes.failed(error),
            // What only looked can succeed on a full disk.
            Ok(()) if connection.total_changes() != changes => outcomes.changed(),
            Ok(()) => {}
        }
        if committed.is_ok() {
            // INVARIANT: after the commit, before any answer.
            for number in effects.moved {
                match number {
                    Move::Policy(number) => versions.raise_policy(number),
                    Move::Stripe(stripe, number) => versions.raise_stripe(stripe, number),
                }
            }
        }
        if effects.cleans_log {
            clean_log(connection);
        }
        for work in group.drain(..) {
            work.answer(committed.as_ref().copied());
        }
    }
    // The next start finds nothing to recover.
    let _ = connection.execute_batch("PRAGMA optimize; PRAGMA wal_checkpoint(TRUNCATE);");
}

/// Moves the log into the file and empties it, and goes back to the cheap way of overwriting what is deleted.
fn clean_log(connection: &Connection) {
    let cleaned = connection.execute_batch("PRAGMA secure_delete = FAST; PRAGMA wal_checkpoint(TRUNCATE);");
    if let Err(error) = cleaned {
        tracing::warn!(event = "store_log_kept", %error, "the log of the store could not be emptied after an erasure");
    }
}

/// Commits everything in the queue, and what arrives meanwhile, in one transaction.
fn commit(
    connection: &Connection,
    group: &mut Vec<Box<dyn Work>>,
    waiting: &mut mpsc::Receiver<Box<dyn Work>>,
    effects: &mut Effects,
) -> Result<(), StoreError> {
    let run = |statement: &str| connection.prepare_cached(statement)?.execute([]);
    let mut all = || -> Result<(), rusqlite::Error> {
        run("BEGIN IMMEDIATE")?;
        let mut next = 0;
        loop {
            while let Some(work) = group.get_mut(next) {
                run("SAVEPOINT piece")?;
                let mut tx = Tx {
                    connection,
                    effects: Effects::default(),
                };
                let is_kept = work.run(&mut tx);
                // Also of a piece that is rolled back: the way of deleting is the connection's.
                effects.cleans_log |= tx.effects.cleans_log;
                if is_kept {
                    effects.moved.append(&mut tx.effects.moved);
                } else {
                    run("ROLLBACK TO piece")?;
                }
                run("RELEASE piece")?;
                next += 1;
            }
            if group.len() >= GROUP {
                break;
            }
            match waiting.try_recv() {
                Ok(work) => group.push(work),
                Err(_) => break,
            }
        }
        run("COMMIT").map(drop)
    };
    all().map_err(|error| {
        if !connection.is_autocommit() {
            let _ = connection.execute_batch("ROLLBACK");
        }
        StoreError::from(Fault::from(error))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer() -> Writer {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE kept (value INTEGER NOT NULL CHECK (value > 0))")
            .unwrap();
        Writer::start(
            connection,
            Arc::new(Versions::default()),
            Arc::new(Place::of(std::path::Path::new(""), None)),
        )
        .unwrap()
    }

    async fn kept(writer: &Writer) -> i64 {
        let count = |tx: &mut Tx<'_>| Ok(tx.query_row("SELECT count(*) FROM kept", [], |row| row.get(0))?);
        writer.write(count).await.unwrap()
    }

    fn insert(tx: &Tx<'_>, value: i64) -> Outcome<()> {
        tx.execute("INSERT INTO kept VALUES (?1)", [value])?;
        Ok(())
    }

    #[tokio::test]
    async fn a_piece_that_fails_or_panics_leaves_nothing_and_the_thread_goes_on() {
        let writer = writer();
        let failed = writer.write(|tx| insert(tx, 1).and_then(|()| insert(tx, 0))).await;
        assert_eq!(failed, Err(StoreError::Conflict));
        let panicked = writer.write(|tx| -> Outcome<()> {
            insert(tx, 2)?;
            panic!("on purpose");
        });
        assert!(matches!(panicked.await, Err(StoreError::Unavailable(_))));
        assert_eq!(kept(&writer).await, 0);
        writer.write(|tx| insert(tx, 3)).await.unwrap();
        assert_eq!(kept(&writer).await, 1);
    }

    #[tokio::test]
    async fn work_goes_on_when_nobody_waits_for_it_any_more() {
        let writer = writer();
        for value in 1..=10 {
            // Polled once, it is in the queue; then the caller goes away.
            let work = writer.write(move |tx| insert(tx, value));
            let _ = tokio::time::timeout(std::time::Duration::ZERO, work).await;
        }
        assert_eq!(kept(&writer).await, 10);
    }
}
