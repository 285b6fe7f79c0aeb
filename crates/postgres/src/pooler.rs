//! A pooler between this node and the server, such as PgBouncer, that lends out a server connection for one transaction at a
//! time.
//!
//! Through such a pooler nothing that belongs to a connection outlives a transaction: no prepared statement, no setting
//! and no `LISTEN`. So each statement is sent whole, each transaction brings its settings along, and the node polls for
//! changes of other nodes or is notified on a direct connection (`listen_url`).

use std::time::Duration;

use narthex_directory::StoreError;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};

use super::connect::{Connector, connect};
use super::error::{told, unavailable};
use super::migrate::migrate;
use super::{PostgresDirectory, PostgresOptions};

/// Timeout for one answer of the probe.
const ANSWER: Duration = Duration::from_secs(2);
/// Order in which two connections ask; `true` is the second. Neither a pooler that lends out the connection used last
/// nor one that takes them in turn gives each of the two the same one every time.
const ORDER: [bool; 6] = [false, true, true, false, false, true];

/// Pooling mode, which decides how statements reach the server.
#[derive(Debug)]
pub(super) struct Pooling {
    /// The configuration's setting, if it has one.
    told: Option<bool>,
    pooled: watch::Sender<bool>,
}

impl Pooling {
    pub(super) fn new(told: Option<bool>) -> Self {
        Self {
            told,
            pooled: watch::Sender::new(told == Some(true)),
        }
    }

    /// Returns whether a server connection is lent for one transaction only.
    pub(super) fn is_pooled(&self) -> bool {
        *self.pooled.borrow()
    }

    /// Returns once it is known that there is a pooler.
    pub(super) async fn found(&self) {
        let mut pooled = self.pooled.subscribe();
        // The sender lives as long as `self`.
        let _ = pooled.wait_for(|pooled| *pooled).await;
    }

    /// Returns whether the configuration leaves it to the node.
    fn is_left_open(&self) -> bool {
        self.told.is_none()
    }

    /// Switches to the mode behind a pooler. Returns true the first time.
    fn switch(&self) -> bool {
        self.is_left_open() && !self.pooled.send_replace(true)
    }

    /// Checks an error of a statement: some come only from a pooler that does not keep connections apart.
    pub(super) fn met(&self, error: &Error) {
        let tells = |code: &SqlState| {
            [
                SqlState::INVALID_SQL_STATEMENT_NAME,
                SqlState::PROTOCOL_VIOLATION,
                SqlState::DUPLICATE_PSTATEMENT,
            ]
            .contains(code)
        };
        let Some(code) = error.code().filter(|code| tells(code)) else {
            return;
        };
        if self.switch() {
            tracing::warn!(
                event = "store_pooled",
                code = code.code(),
                "a statement failed as it does behind a connection pooler in transaction mode. {CHANGES} {CURE}"
            );
        }
    }
}

/// Differences behind a pooler, for messages.
const CHANGES: &str = "From now on statements are sent unprepared, and changes of other nodes are seen by asking twice a \
     second.";
const CURE: &str = "Set `[store] pooled = true`, and `listen_url` to a direct address of the database to hear of changes \
     at once.";

impl PostgresDirectory {
    /// Returns whether there is a pooler in transaction mode that the options do not mention.
    pub async fn finds_pooler(options: &PostgresOptions) -> bool {
        let Ok(connector) = Connector::new(options) else {
            return false;
        };
        let Ok((client, driver)) = connect(&connector).await else {
            return false;
        };
        let found = is_untold(&connector, &client).await;
        driver.abort();
        found
    }
}

/// Finds out whether there is a pooler, and migrates the schema: on the direct connection, if there is one.
pub(super) async fn set_up(connector: &Connector, direct: Option<&Connector>) -> Result<(), StoreError> {
    let (mut client, driver) = connect(connector).await?;
    look(connector, &client, direct.is_some()).await;
    let migrated = match direct {
        None => migrate(&mut client).await,
        Some(direct) => {
            let (mut beside, driver) = connect(direct).await?;
            let migrated = match same_database(&client, &beside).await {
                Ok(()) => migrate(&mut beside).await,
                Err(error) => Err(error),
            };
            driver.abort();
            migrated
        }
    };
    driver.abort();
    migrated
}

/// The database that a connection has reached: no two databases of one server have one number, and no two servers that run
/// began in one microsecond.
const DATABASE: &str = "SELECT d.datname::text, d.oid::bigint, pg_postmaster_start_time()::text \
     FROM pg_database d WHERE d.datname = current_database()";

/// Refuses a direct way that leads to another database: it would be migrated and listened to in the place of the right one.
pub(super) async fn same_database(pooled: &Client, direct: &Client) -> Result<(), StoreError> {
    let (one, other) = (database(pooled).await?, database(direct).await?);
    if one == other {
        return Ok(());
    }
    let (url, listen_url) = (one.0, other.0);
    let servers = if url == listen_url {
        "two databases of this name, of two servers or of one before and after a restart"
    } else {
        "two databases"
    };
    Err(unavailable(format!(
        "`listen_url` is another database than `url`: they lead to {servers} (`url` to `{url}`, `listen_url` to `{listen_url}`); \
         write a direct address of the database of `url` into `listen_url`"
    )))
}

async fn database(client: &Client) -> Result<(String, i64, String), StoreError> {
    let asked = client.query_typed_one(DATABASE, &[]).await;
    let row = asked.map_err(|error| unavailable(told(&error)))?;
    let read = || Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
    read().map_err(|error: Error| unavailable(told(&error)))
}

/// Finds out whether there is a pooler, where the configuration does not say, and logs what that changes.
async fn look(connector: &Connector, first: &Client, listens: bool) {
    let pooling = &connector.pooling;
    if pooling.is_pooled() {
        let changes = if listens {
            "changes of other nodes are heard through `listen_url`"
        } else {
            "changes of other nodes are seen by asking twice a second; with `listen_url` they are heard at once"
        };
        tracing::info!(
            event = "store_pooled",
            "`[store] pooled` is set: statements are sent unprepared, and {changes}"
        );
    } else if is_untold(connector, first).await && pooling.switch() {
        tracing::warn!(
            event = "store_pooled",
            "there is a connection pooler in transaction mode before the database. {CHANGES} {CURE}"
        );
    }
}

/// Tests whether there is a pooler that the configuration does not mention.
async fn is_untold(connector: &Connector, first: &Client) -> bool {
    connector.pooling.is_left_open() && is_shared(connector, first).await
}

/// Tests whether two connections that are open at the same time are served by one process of the server, or one of them
/// by two: only a pooler in transaction mode does that. False is no proof, since other clients may have taken turns
/// with these two.
async fn is_shared(connector: &Connector, first: &Client) -> bool {
    let Ok((second, driver)) = connect(connector).await else {
        return false;
    };
    let (mut of_first, mut of_second) = (None, None);
    let mut shared = false;
    for asks_second in ORDER {
        let (client, seen) = if asks_second {
            (&second, &mut of_second)
        } else {
            (first, &mut of_first)
        };
        let Some(process) = process(client).await else {
            break;
        };
        let before = seen.replace(process);
        shared |= before.is_some_and(|before| before != process) || of_first == of_second;
    }
    driver.abort();
    shared
}

/// The number of the process that serves a connection at this moment.
async fn process(client: &Client) -> Option<i32> {
    let asked = timeout(ANSWER, client.query_typed_one("SELECT pg_backend_pid()", &[])).await;
    asked.ok()?.ok()?.try_get(0).ok()
}
