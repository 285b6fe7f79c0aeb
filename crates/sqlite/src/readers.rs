//! A few threads that read, each with a connection of its own, from one queue.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use narthex_directory::StoreError;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::error::{Outcome, unavailable};
use super::place::Place;

/// Capacity of the queue of reads; beyond it the store refuses.
const QUEUE: usize = 16_384;

type Read = Box<dyn FnOnce(&Connection) + Send>;

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Read>,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    arrived: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the next read, or `None` at the end.
    fn next(&self) -> Option<Read> {
        let mut queue = self.lock();
        loop {
            if let Some(read) = queue.waiting.pop_front() {
                return Some(read);
            }
            if queue.closed {
                return None;
            }
            queue = self.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Handle of the reading threads.
pub(super) struct Readers {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    place: Arc<Place>,
}

impl std::fmt::Debug for Readers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Readers")
            .field("threads", &self.threads.len())
            .finish_non_exhaustive()
    }
}

impl Readers {
    pub(super) fn start(connections: Vec<Connection>, place: Arc<Place>) -> Result<Self, StoreError> {
        let shared = Arc::new(Shared::default());
        let threads = connections.into_iter().map(|connection| {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new()
                .name("narthex-reader".to_owned())
                .spawn(move || {
                    while let Some(read) = shared.next() {
                        // A read that panicked sends no answer, and the thread goes on.
                        let panicked = catch_unwind(AssertUnwindSafe(|| read(&connection))).is_err();
                        if panicked && !connection.is_autocommit() {
                            let _ = connection.execute_batch("ROLLBACK");
                        }
                    }
                })
        });
        let threads = threads.collect::<Result<Vec<_>, _>>().map_err(unavailable)?;
        Ok(Self { shared, threads, place })
    }

    /// Reads at one moment: all statements of the closure see the same state.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.place.ensure()?;
        let (waiting, answer) = oneshot::channel();
        let job: Read = Box::new(move |connection| {
            if !waiting.is_closed() {
                let _ = waiting.send(at_one_moment(connection, read));
            }
        });
        {
            let mut queue = self.shared.lock();
            if queue.closed || queue.waiting.len() >= QUEUE {
                return Err(unavailable("too many reads are waiting"));
            }
            queue.waiting.push_back(job);
        }
        self.shared.arrived.notify_one();
        answer.await.map_err(|_| unavailable("a reader has stopped"))?
    }
}

fn at_one_moment<T>(connection: &Connection, read: impl FnOnce(&Connection) -> Outcome<T>) -> Result<T, StoreError> {
    let run = |statement: &str| -> Outcome<()> {
        connection.prepare_cached(statement)?.execute([])?;
        Ok(())
    };
    let outcome = run("BEGIN").and_then(|()| {
        let outcome = read(connection);
        run("COMMIT").and(outcome)
    });
    if outcome.is_err() && !connection.is_autocommit() {
        let _ = connection.execute_batch("ROLLBACK");
    }
    Ok(outcome?)
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.arrived.notify_all();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a reader had panicked");
            }
        }
    }
}
