//! A connection lent by the pool, and a transaction on it. Every wait here has a limit.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_postgres::{Object, PoolError, Timeouts};
use futures_util::FutureExt as _;
use futures_util::future::try_join_all;
use narthex_directory::{StoreError, Versions};
use tokio::time::timeout;
use tokio_postgres::{Error, Row, Statement};

use super::Shared;
use super::connect::Connector;
use super::error::{Fault, Outcome, ends_connection, told, unavailable};
use super::value::{Typed, bare, with_kinds};
pub(super) use super::value::{Value, borrowed};
use narthex_tables::consequences::raise;

/// Timeout for an answer of the server: a little longer than the server itself lets a statement run.
const ANSWER: Duration = Duration::from_secs(6);
/// Timeout for a free connection while all are in use.
const FREE: Duration = Duration::from_secs(3);

macro_rules! turn {
    () => {
        "SELECT pg_advisory_xact_lock(7953764261206259713)"
    };
}

/// Takes the one lock that every writer of every node takes first, and keeps until its commit: 'narthex' and a 1.
///
/// INVARIANT: audit events are numbered in the order of their commits, so that a reader that remembers a number misses
/// none; and what a writer has checked still holds when it writes.
pub(crate) const TURN: &str = turn!();
/// Begins a transaction with it.
const BEGIN: &str = concat!("BEGIN; ", turn!());
/// Begins what reads everything at one moment.
const MOMENT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

macro_rules! local {
    () => {
        "; SET LOCAL statement_timeout = '5s'; SET LOCAL lock_timeout = '4s'; \
         SET LOCAL idle_in_transaction_session_timeout = '3s'; SET LOCAL jit = off; \
         SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_seqscan = off; \
         SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'"
    };
}

/// The same three behind a pooler: a transaction brings along what a connection cannot be set to.
const POOLED_ALONE: &str = concat!("BEGIN ISOLATION LEVEL READ COMMITTED", local!());
const POOLED_BEGIN: &str = concat!("BEGIN ISOLATION LEVEL READ COMMITTED", local!(), "; ", turn!());
const POOLED_MOMENT: &str = concat!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", local!());
/// Number of statements that are sent together.
const TOGETHER: usize = 30;

/// A statement with its values.
pub(super) struct Command<'a> {
    pub(super) sql: &'static str,
    pub(super) values: Vec<Value<'a>>,
    /// Number of rows that it must change, where that shows whether the record is still the one that was read.
    pub(super) exactly: Option<u64>,
}

impl std::fmt::Debug for Command<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.sql)
    }
}

impl<'a> Command<'a> {
    pub(super) const fn new(sql: &'static str, values: Vec<Value<'a>>) -> Self {
        Self {
            sql,
            values,
            exactly: None,
        }
    }

    pub(super) fn exactly(self, rows: usize) -> Self {
        Self {
            exactly: u64::try_from(rows).ok(),
            ..self
        }
    }
}

/// A statement as it is sent: by the name under which this connection has prepared it, or whole.
enum Text<'s> {
    Prepared(Statement),
    Whole(&'s str),
}

impl Text<'_> {
    async fn query(&self, client: &Object, values: &[&dyn Typed]) -> Result<Vec<Row>, Error> {
        match self {
            Self::Prepared(statement) => client.query(statement, &bare(values)).await,
            Self::Whole(sql) => client.query_typed(sql, &with_kinds(values)).await,
        }
    }

    /// Runs it. Returns the number of rows that it changes.
    async fn execute(&self, client: &Object, values: &[&dyn Typed]) -> Result<u64, Error> {
        match self {
            Self::Prepared(statement) => client.execute(statement, &bare(values)).await,
            Self::Whole(sql) => client.execute_typed(sql, &with_kinds(values)).await,
        }
    }
}

/// A connection.
#[derive(Debug)]
pub(super) struct Session {
    object: Option<Object>,
    /// The connection must not be used again.
    broken: AtomicBool,
    connector: Arc<Connector>,
    /// A pooler lends its server connection for one transaction.
    pooled: bool,
    /// The connection is that of a [`Tx`].
    in_transaction: bool,
}

impl Session {
    /// A connection of the pool.
    pub(super) async fn open(shared: &Shared) -> Result<Self, StoreError> {
        let (pool, gate) = (&shared.pool, &shared.gate);
        let status = pool.status();
        // Without a free connection and while the gate lets no attempt through, the call fails at once.
        let makes_one = status.available == 0 && status.size < status.max_size;
        if makes_one && !gate.may_try(shared.connector.patience()) {
            return Err(unavailable(
                "PostgreSQL cannot be reached; it is tried again in a moment",
            ));
        }
        let timeouts = Timeouts {
            wait: Some(FREE),
            create: Some(shared.connector.patience()),
            recycle: Some(FREE),
        };
        match pool.timeout_get(&timeouts).await {
            Ok(object) => {
                gate.succeeded();
                Ok(Self {
                    object: Some(object),
                    broken: AtomicBool::new(false),
                    connector: Arc::clone(&shared.connector),
                    pooled: shared.connector.pooling.is_pooled(),
                    in_transaction: false,
                })
            }
            // All are in use, which says nothing of the server.
            Err(PoolError::Timeout(deadpool_postgres::TimeoutType::Wait)) => {
                Err(unavailable("all connections to PostgreSQL are in use"))
            }
            Err(error) => {
                let why = match &error {
                    PoolError::Backend(error) => told(error),
                    PoolError::Timeout(_) => "no database host answers".to_owned(),
                    error => error.to_string(),
                };
                gate.failed(&why);
                Err(unavailable(why))
            }
        }
    }

    fn client(&self) -> Result<&Object, Fault> {
        let gone = || unavailable("the connection to PostgreSQL is gone");
        self.object.as_ref().ok_or_else(|| gone().into())
    }

    /// Waits for an answer, and remembers if the connection is not to be used again.
    pub(super) async fn within<T>(&self, answer: impl Future<Output = Result<T, Error>>) -> Outcome<T> {
        match timeout(ANSWER, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                self.connector.pooling.met(&error);
                if ends_connection(&error) {
                    self.broken.store(true, Ordering::Relaxed);
                }
                Err(error.into())
            }
            Err(_) => {
                self.broken.store(true, Ordering::Relaxed);
                Err(unavailable("PostgreSQL does not answer").into())
            }
        }
    }

    /// A statement, prepared once per connection where a connection stays the same.
    async fn text<'s>(&self, sql: &'s str) -> Outcome<Text<'s>> {
        if self.pooled {
            return Ok(Text::Whole(sql));
        }
        let client = self.client()?;
        self.within(client.prepare_cached(sql)).await.map(Text::Prepared)
    }

    /// The rows of a statement.
    pub(super) async fn rows(&self, sql: &str, values: &[&dyn Typed]) -> Outcome<Vec<Row>> {
        let client = self.client()?;
        let text = self.text(sql).await?;
        let rows = text.query(client, values);
        if self.pooled && !self.in_transaction {
            return self.between(POOLED_ALONE, rows).await;
        }
        self.within(rows).await
    }

    /// Runs statements in a transaction of their own, all of it sent together: one round trip.
    async fn between<T>(&self, begin: &str, answer: impl Future<Output = Result<T, Error>>) -> Outcome<T> {
        let client = self.client()?;
        // INVARIANT: polled in this order the first time, and each sends its message when it is first polled.
        let all =
            async { tokio::try_join!(biased; client.batch_execute(begin), answer, client.batch_execute("COMMIT")) };
        self.within(all).await.map(|((), answer, ())| answer)
    }

    /// The only row of a statement, if there is one.
    pub(super) async fn row(&self, sql: &str, values: &[&dyn Typed]) -> Outcome<Option<Row>> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }

    /// Statements without values, in one message.
    pub(super) async fn batch(&self, sql: &str) -> Outcome<()> {
        let client = self.client()?;
        self.within(client.batch_execute(sql)).await
    }

    /// The rows of several statements, all of one moment, sent together: one round trip.
    pub(super) async fn moment(&self, queries: &[(&str, Vec<Value<'_>>)]) -> Outcome<Vec<Vec<Row>>> {
        let client = self.client()?;
        let mut texts = Vec::with_capacity(queries.len());
        for (sql, _) in queries {
            texts.push(self.text(sql).await?);
        }
        let all = texts
            .into_iter()
            .zip(queries)
            .map(|(text, (_, values))| {
                let values = borrowed(values);
                async move { text.query(client, &values).await }
            })
            .collect::<Vec<_>>();
        let begin = match (self.pooled, queries.len() < 2) {
            (false, true) => return self.within(try_join_all(all)).await,
            (false, false) => MOMENT,
            (true, _) => POOLED_MOMENT,
        };
        self.between(begin, try_join_all(all)).await
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A connection that was set up without a pooler is of no use once one is found.
        let outdated = self.connector.pooling.is_pooled() != self.pooled;
        if let Some(object) = self.object.take()
            && (outdated || self.broken.load(Ordering::Relaxed))
        {
            // Its server has gone, stopped or changed its role: the idle connections are dropped with it, so that one
            // caller gets the error and not one for each connection.
            if let Some(pool) = Object::pool(&object) {
                pool.retain(|_, _| false);
            }
            drop(Object::take(object));
        }
    }
}

/// A transaction that writes. Dropped before its commit, it is rolled back.
#[derive(Debug)]
pub(super) struct Tx {
    session: Session,
    /// Counters that moved, and what they are now.
    moved: Vec<(i64, u64)>,
    open: bool,
}

impl std::ops::Deref for Tx {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl Tx {
    /// Begins a transaction, and waits until no other writer has its turn.
    pub(super) async fn begin(shared: &Shared) -> Outcome<Self> {
        let mut session = Session::open(shared).await?;
        session.in_transaction = true;
        let begin = if session.pooled { POOLED_BEGIN } else { BEGIN };
        // Open from before the first message: a caller who goes away meanwhile leaves nothing behind.
        let tx = Self {
            session,
            moved: Vec::new(),
            open: true,
        };
        tx.batch(begin).await?;
        Ok(tx)
    }

    /// Runs statements, sent together. With [`Then::Commit`] the commit goes with them, unless a number of changed rows
    /// has to be looked at first.
    pub(super) async fn run_all(&mut self, commands: &[Command<'_>], then: Then) -> Outcome<()> {
        let chunks = commands.len().div_ceil(TOGETHER);
        let looks_first = commands.iter().any(|command| command.exactly.is_some());
        for (index, chunk) in commands.chunks(TOGETHER).enumerate() {
            let last = index + 1 == chunks;
            let commits = last && then == Then::Commit && !looks_first;
            let rows = self.send(chunk, commits).await?;
            let agree = |(command, rows): (&Command<'_>, u64)| command.exactly.is_none_or(|exactly| exactly == rows);
            // Another writer has changed a record that is no longer at the version the change was made from.
            if !chunk.iter().zip(rows).all(agree) {
                return Err(StoreError::Conflict.into());
            }
        }
        if then == Then::Commit && self.open {
            self.batch("COMMIT").await?;
            self.open = false;
        }
        Ok(())
    }

    /// Sends statements. Returns the number of rows that each changed.
    async fn send(&mut self, commands: &[Command<'_>], commits: bool) -> Outcome<Vec<u64>> {
        let mut texts = Vec::with_capacity(commands.len());
        for command in commands {
            texts.push(self.text(command.sql).await?);
        }
        let client = self.session.client()?;
        let all = texts
            .into_iter()
            .zip(commands)
            .map(|(text, command)| {
                let values = borrowed(&command.values);
                async move { text.execute(client, &values).await }
            })
            .collect::<Vec<_>>();
        if !commits {
            return self.session.within(try_join_all(all)).await;
        }
        // If one fails, the transaction is over and the commit after it rolls back.
        let both = async { tokio::try_join!(biased; try_join_all(all), client.batch_execute("COMMIT")) };
        let (rows, ()) = self.session.within(both).await?;
        self.open = false;
        Ok(rows)
    }

    /// Runs one statement.
    pub(super) async fn run(&mut self, command: Command<'_>) -> Outcome<()> {
        self.run_all(&[command], Then::GoOn).await
    }

    /// Notes counters that moved.
    pub(super) fn moved(&mut self, counters: impl IntoIterator<Item = (i64, u64)>) {
        self.moved.extend(counters);
    }

    /// Commits; then the numbers move, before any caller is answered.
    pub(super) async fn commit(mut self, versions: &Versions) -> Outcome<()> {
        if self.open {
            self.batch("COMMIT").await?;
            self.open = false;
        }
        raise(versions, &self.moved);
        Ok(())
    }
}

/// Action after the statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    Commit,
    GoOn,
}

impl Drop for Tx {
    fn drop(&mut self) {
        if self.open
            && let Ok(client) = self.session.client()
        {
            // Polled once, it is on its way; whatever comes next on this connection comes after it.
            let _ = client.batch_execute("ROLLBACK").now_or_never();
        }
    }
}
