//! Threads that each serve the connections they were given.
//!
//! A connection stays with one thread, as it does in nginx, HAProxy and Envoy: what is known of it stays near one processor,
//! and nobody is woken to take work over (why: `docs/decisions/0008-workers.md`).

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// The threads. They end with this value, and so does whatever still runs on them: it must outlive the last connection,
/// and what was started on behalf of one, such as a fetch of keys or a connection to a database.
#[derive(Debug)]
pub struct Workers(Vec<Worker>);

#[derive(Debug)]
struct Worker {
    runtime: Handle,
    /// Held by each of its connections.
    connections: Arc<()>,
    /// Never sent to: that it is gone is what ends the thread.
    _running: oneshot::Sender<()>,
}

/// A connection's place with one of the threads, which counts it until this is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    /// Which thread it is, from 0; `None` where the runtime of the process serves connections.
    pub(crate) worker: Option<usize>,
    /// What runs on the thread.
    pub(crate) runtime: Handle,
    /// Counts the connection.
    pub(crate) counted: Arc<()>,
}

impl Seat {
    /// A place in the runtime that this is called in.
    pub(crate) fn here() -> Self {
        Self {
            worker: None,
            runtime: Handle::current(),
            counted: Arc::default(),
        }
    }
}

impl Workers {
    /// Starts so many threads.
    ///
    /// # Errors
    ///
    /// What the system says when it gives no further thread or no file descriptor.
    pub fn start(count: NonZeroUsize) -> io::Result<Self> {
        (0..count.get())
            .map(|_| Worker::start())
            .collect::<io::Result<_>>()
            .map(Self)
    }

    /// As many as this process may use processors, at least one.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn one_for_each_processor() -> io::Result<Self> {
        Self::start(thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))
    }

    /// How many threads there are.
    pub const fn count(&self) -> usize {
        self.0.len()
    }

    /// A place with the thread that has the fewest connections; `None` only if there is no thread.
    pub(crate) fn seat(&self) -> Option<Seat> {
        let all = self.0.iter().enumerate();
        let (number, least) = all.min_by_key(|(_, worker)| Arc::strong_count(&worker.connections))?;
        Some(Seat {
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
                // Nothing is ever sent, so this is until the other end is gone.
                let _ = runtime.block_on(ended);
                // What blocks must not keep the process from ending.
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
        let id = |seat: &Seat| seat.runtime.id();
        let mut seats: Vec<Seat> = (0..6).map(|_| workers.seat().unwrap()).collect();
        let of_first = id(&seats[0]);
        let with_first = seats.iter().filter(|seat| id(seat) == of_first).count();
        assert_eq!(with_first, 2, "six connections of three threads");
        seats.retain(|seat| id(seat) != of_first);
        assert_eq!(id(&workers.seat().unwrap()), of_first);
        assert_eq!(id(&workers.seat().unwrap()), of_first, "the last one was given back");
    }

    /// What runs on them ends with them.
    #[tokio::test]
    async fn threads_end_with_the_value() {
        let workers = Workers::start(NonZeroUsize::MIN).unwrap();
        let task = workers.seat().unwrap().runtime.spawn(std::future::pending::<()>());
        drop(workers);
        assert!(task.await.unwrap_err().is_cancelled());
    }
}
