//! Connects to a server that takes writes, and backs off while there is none.

use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher as _, RandomState};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use narthex_directory::StoreError;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_postgres::{Client, Config, Connection, Error, Socket};

use super::error::{told, unavailable};
use super::options::PostgresOptions;
use super::pooler::Pooling;
use super::tls::{Session, Tls};

/// Number of connections that one node makes at the same time: after an outage they come a few at a time.
const AT_ONCE: usize = 4;

/// Settings of every connection.
///
/// Each limit is the server's half of a limit that the node keeps itself: the server must not go on with work that the
/// node no longer waits for, and a node that stops in the middle of a transaction must not keep the others from
/// writing. A prepared statement is planned once, for any values, and by indexes: all are short, and a plan that was
/// made while a table was small must do when it is large. An acknowledged change is on the disk, whatever the default
/// of the server is.
///
/// Behind a pooler a connection has no settings: there each transaction brings the same ones along (`session::LOCAL`).
const SETTINGS: &str = "SET statement_timeout = '5s'; SET lock_timeout = '4s'; \
     SET idle_in_transaction_session_timeout = '3s'; SET default_transaction_isolation = 'read committed'; \
     SET jit = off; SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; \
     SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

/// A connection and the half that drives it.
pub(super) type Wire = Connection<Socket, Session<Socket>>;

/// Makes connections to the hosts of one database.
#[derive(Debug)]
pub(super) struct Connector {
    hosts: Vec<Config>,
    per_host: Duration,
    tls: Tls,
    /// The host that answered last; it is tried first.
    last: AtomicUsize,
    at_once: Semaphore,
    /// Pooling mode: tells whether a pooler lends out its connections for one transaction at a time.
    pub(super) pooling: Pooling,
}

impl Connector {
    pub(super) fn new(options: &PostgresOptions) -> Result<Self, String> {
        Ok(Self {
            hosts: options.hosts().to_vec(),
            per_host: options.connect_timeout(),
            tls: options.tls()?,
            last: AtomicUsize::new(0),
            at_once: Semaphore::new(AT_ONCE),
            pooling: Pooling::new(options.pooled()),
        })
    }

    /// Longest time that [`Self::connect`] takes, if its caller uses this as a timeout as well.
    pub(super) fn patience(&self) -> Duration {
        let hosts = u32::try_from(self.hosts.len()).unwrap_or(u32::MAX);
        self.per_host
            .saturating_mul(hosts.max(1))
            .saturating_add(Duration::from_millis(500))
    }

    /// Connects to the first host that takes writes, beginning with the one that did the last time.
    ///
    /// A host that accepts the connection and then does not answer is given up like one that is not there. Only the
    /// last host has no limit here: the caller's own timeout ends it.
    pub(super) async fn connect(&self) -> Result<(Client, Wire), Error> {
        let first = self.last.load(Ordering::Relaxed);
        let count = self.hosts.len();
        for step in 0..count.saturating_sub(1) {
            let index = (first + step) % count;
            match timeout(self.per_host, self.try_host(index)).await {
                Ok(Ok(connected)) => return Ok(connected),
                Ok(Err(error)) => tracing::info!(host = index, error = %told(&error), "no usable database there"),
                Err(_) => tracing::info!(host = index, "no answer from this database host"),
            }
        }
        self.try_host((first + count.saturating_sub(1)) % count.max(1)).await
    }

    async fn try_host(&self, index: usize) -> Result<(Client, Wire), Error> {
        // Without a host this is the library's error for it.
        let empty = Config::new();
        let host = self.hosts.get(index).unwrap_or(&empty);
        let connected = host.connect(self.tls.clone()).await?;
        self.last.store(index, Ordering::Relaxed);
        Ok(connected)
    }
}

/// Opens a connection of its own, outside the pool.
pub(super) async fn connect(connector: &Connector) -> Result<(Client, JoinHandle<()>), StoreError> {
    let connected = timeout(connector.patience(), connector.connect()).await;
    let (client, wire) = connected
        .map_err(|_| unavailable("no database host answers"))?
        .map_err(|error| unavailable(told(&error)))?;
    let driver = tokio::spawn(async move {
        // The client's caller gets the error.
        let _ = wire.await;
    });
    Ok((client, driver))
}

/// Source of the pool's connections.
pub(super) struct PoolConnect(pub(super) Arc<Connector>);

type Connecting<'a> = Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + 'a>>;

impl deadpool_postgres::Connect for PoolConnect {
    fn connect(&self, _config: &Config) -> Connecting<'_> {
        Box::pin(async {
            // The semaphore is never closed.
            let _turn = self.0.at_once.acquire().await;
            let (client, wire) = self.0.connect().await?;
            let task = tokio::spawn(async move {
                if let Err(error) = wire.await {
                    tracing::debug!(error = %told(&error), "a database connection ended");
                }
            });
            if self.0.pooling.is_pooled() {
                return Ok((client, task));
            }
            match client.batch_execute(SETTINGS).await {
                Ok(()) => Ok((client, task)),
                Err(error) => {
                    task.abort();
                    Err(error)
                }
            }
        })
    }
}

/// Longest pause between two attempts. A promoted standby should not wait for nodes that pause, and one attempt of each
/// node in a second or so burdens no server.
const BACK_OFF_MAX: Duration = Duration::from_secs(1);

/// Pause after this many failures in a row: longer each time, and with jitter.
pub(super) fn back_off(failures: u32) -> Duration {
    let full = Duration::from_millis(100)
        .saturating_mul(1 << failures.min(6))
        .min(BACK_OFF_MAX);
    // Random enough for jitter; the standard library seeds it from the system.
    let dice = u32::try_from(RandomState::new().hash_one(failures) % 512).unwrap_or(0);
    full / 2 + full.saturating_mul(dice) / 1024
}

/// Lets one caller at a time try while no server can be reached; the others get their answer at once.
#[derive(Default)]
pub(super) struct Gate(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    failures: u32,
    shut_until: Option<Instant>,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("failures", &self.lock().failures).finish()
    }
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether the caller may try now. It is then the only one that may for as long as an attempt takes.
    pub(super) fn may_try(&self, attempt: Duration) -> bool {
        let now = Instant::now();
        let mut seen = self.lock();
        match seen.shut_until {
            None => true,
            Some(until) if until <= now => {
                seen.shut_until = Some(now + attempt);
                true
            }
            Some(_) => false,
        }
    }

    pub(super) fn succeeded(&self) {
        let mut seen = self.lock();
        if seen.shut_until.is_some() {
            tracing::info!(
                event = "store_reached",
                failures = seen.failures,
                "the database can be reached again"
            );
        }
        *seen = Seen::default();
    }

    pub(super) fn failed(&self, why: &str) {
        let mut seen = self.lock();
        if seen.failures == 0 {
            tracing::warn!(event = "store_lost", error = why, "the database cannot be reached");
        }
        seen.failures = seen.failures.saturating_add(1);
        seen.shut_until = Some(Instant::now() + back_off(seen.failures));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_grows_is_spread_out_and_stays_short() {
        let mut seen = std::collections::HashSet::new();
        for failures in [0, 1, 5, 100, u32::MAX] {
            for _ in 0..20 {
                let wait = back_off(failures);
                assert!(wait >= Duration::from_millis(50) && wait <= BACK_OFF_MAX, "{wait:?}");
                seen.insert(wait);
            }
        }
        assert!(back_off(100) > back_off(0));
        assert!(seen.len() > 50, "{}", seen.len());
    }

    #[tokio::test(start_paused = true)]
    async fn while_it_is_shut_one_at_a_time_may_try() {
        let (gate, attempt) = (Gate::default(), Duration::from_secs(3));
        assert!(gate.may_try(attempt) && gate.may_try(attempt));
        gate.failed("down");
        assert!(!gate.may_try(attempt));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(gate.may_try(attempt), "the one that tries");
        assert!(!gate.may_try(attempt), "the others");
        // The caller that tried went away without a report.
        tokio::time::advance(attempt).await;
        assert!(gate.may_try(attempt));
        gate.succeeded();
        assert!(gate.may_try(attempt) && gate.may_try(attempt));
    }
}
