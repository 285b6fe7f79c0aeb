//! Threads that each serve their own connections.
//!
//! A connection stays with one thread, as in nginx, HAProxy and Envoy: its data stays in the cache of one processor,
//! and no thread is woken to take work over (why: `docs/decisions/0008-workers.md`).

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// Pool of threads. They end with this value, and so does every task that still runs on them: it must outlive the last
/// connection, and tasks started on behalf of one, such as a fetch of keys or a connection to a database.
#[derive(Debug)]
pub struct Workers(Vec<Worker>);

#[derive(Debug)]
struct Worker {
    runtime: Handle,
    /// Held by each connection of the thread.
    connections: Arc<()>,
    /// Never sent to: dropping it ends the thread.
    _running: oneshot::Sender<()>,
}

/// A connection's place with one of the threads, which counts it until this is dropped.
#[derive(Debug)]
pub(crate) struct WorkerSlot {
    /// Number of the thread, from 0; `None` if the runtime of the process serves connections.
    pub(crate) worker: Option<usize>,
    /// Runtime of the thread.
    pub(crate) runtime: Handle,
    /// Counts the connection.
    pub(crate) counted: Arc<()>,
}

impl WorkerSlot {
    /// Takes a place in the calling runtime.
    pub(crate) fn here() -> Self {
        Self {
            worker: None,
            runtime: Handle::current(),
            counted: Arc::default(),
        }
    }
}

impl Workers {
    /// Starts this many threads.
    ///
    /// # Errors
    ///
    /// The system's error, if it gives no further thread or no file descriptor.
    pub fn start(count: NonZeroUsize) -> io::Result<Self> {
        (0..count.get())
            .map(|_| Worker::start())
            .collect::<io::Result<_>>()
            .map(Self)
    }

    /// Starts one thread for each processor that this process may use, at least one.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn one_for_each_processor() -> io::Result<Self> {
        Self::start(thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))
    }

    /// Returns the number of threads.
    pub const fn count(&self) -> usize {
        self.0.len()
    }

    /// Takes a place with the thread that has the fewest connections; `None` only if there is no thread.
    pub(crate) fn slot(&self) -> Option<WorkerSlot> {
        let all = self.0.iter().enumerate();
        let (number, least) = all.min_by_key(|(_, worker)| Arc::strong_count(&worker.connections))?;
        Some(WorkerSlot {
            worker: Some(number),
            runtime: least.runtime.clone(),
            counted: Arc::clone(&least.connections),
        })
    }
}

impl Worker {
    fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (running, ended) = oneshot::channel::<()>();
        thread::Builder::new()
            .name("narthex-worker".to_owned())
            .spawn(move || {
                // Nothing is ever sent, so this waits until the sender is dropped.
                let _ = runtime.block_on(ended);
                // Blocking tasks must not keep the process from ending.
                runtime.shutdown_background();
            })?;
        Ok(Self {
            runtime: handle,
            connections: Arc::default(),
            _running: running,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_goes_to_the_thread_that_has_the_fewest() {
        let workers = Workers::start(NonZeroUsize::new(3).unwrap()).unwrap();
        let id = |slot: &WorkerSlot| slot.runtime.id();
        let mut slots: Vec<WorkerSlot> = (0..6).map(|_| workers.slot().unwrap()).collect();
        let of_first = id(&slots[0]);
        let with_first = slots.iter().filter(|slot| id(slot) == of_first).count();
        assert_eq!(with_first, 2, "six connections of three threads");
        slots.retain(|slot| id(slot) != of_first);
        assert_eq!(id(&workers.slot().unwrap()), of_first);
        assert_eq!(id(&workers.slot().unwrap()), of_first, "the last one was given back");
    }

    /// Tasks on the threads end with the pool.
    #[tokio::test]
    async fn threads_end_with_the_value() {
        let workers = Workers::start(NonZeroUsize::MIN).unwrap();
        let task = workers.slot().unwrap().runtime.spawn(std::future::pending::<()>());
        drop(workers);
        assert!(task.await.unwrap_err().is_cancelled());
    }
}
