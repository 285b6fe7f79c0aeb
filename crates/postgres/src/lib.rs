//! `PostgreSQL`: many nodes, one database.
//!
//! Reads take any free connection, each as one statement or as one read-only transaction of one moment. Writers of all
//! nodes take turns: a lock, taken first and kept until the commit, gives audit events the order of their commits and
//! keeps what was checked true until it is written. Plans, of which there are many, are committed in groups
//! (`group_commit`).

mod audit_chain;
mod audit_retention;
#[cfg(feature = "population")]
mod bulk_load;
mod connect;
mod deletion;
mod denials;
mod documents;
mod edit;
mod erasure;
mod error;
mod group_commit;
mod keyring;
mod list;
mod machine_keys;
mod migrate;
mod notifications;
mod options;
mod organizations;
mod people;
mod pooler;
mod revocations;
mod rows;
mod seals;
mod session;
mod sessions;
mod snapshot;
mod tls;
mod token_sync;
mod trail;
pub mod transfer;
mod usage;
mod value;
mod webhooks;
mod write;

use std::sync::Arc;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use narthex_directory::{Answer, By, Change, StoreError, Versions};
use narthex_usage::{SessionUses, UsageBuffer};
use tokio::task::JoinHandle;

#[cfg(feature = "population")]
pub use self::bulk_load::bulk_load;
use self::connect::{Connector, Gate, PoolConnect, connect};
use self::erasure::KeyCache;
use self::error::unavailable;
use self::group_commit::Plans;
pub use self::migrate::known_version as schema_version;
use self::notifications::LastLook;
pub use self::options::{PostgresOptions, PostgresUrlError};
use self::session::{Session, Tx};
use self::snapshot::{Reader, Texts};
use narthex_tables::PendingMigration;
use narthex_tables::tag_cache::TagCache;

/// State that the tasks of a directory share.
#[derive(Debug)]
struct Shared {
    connector: Arc<Connector>,
    /// The way around the pooler, if it is known.
    direct: Option<Connector>,
    pool: Pool,
    gate: Gate,
    versions: Arc<Versions>,
    usage: UsageBuffer,
    session_uses: SessionUses,
    tag_cache: TagCache,
    texts: Texts,
    last_look: LastLook,
    erasure_key: KeyCache,
}

/// A directory in a `PostgreSQL` database, which other nodes may be using too.
///
/// Dropping it applies the plans in the queue, as long as the runtime goes on. It does not flush what was only noted:
/// see [`narthex_directory::TokenSync::flush`].
#[derive(Debug)]
pub struct PostgresDirectory {
    shared: Arc<Shared>,
    plans: Plans,
    flushing: tokio::sync::Mutex<()>,
    listening: JoinHandle<()>,
}

impl Drop for PostgresDirectory {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl PostgresDirectory {
    /// Connects, and makes or migrates the schema where needed. Needs a tokio runtime.
    pub async fn open(options: &PostgresOptions) -> Result<Self, StoreError> {
        let connector = Arc::new(Connector::new(options).map_err(unavailable)?);
        let direct = options.direct().map(Connector::new).transpose().map_err(unavailable)?;
        pooler::set_up(&connector, direct.as_ref()).await?;
        let config = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let manager = Manager::from_connect(
            tokio_postgres::Config::new(),
            PoolConnect(Arc::clone(&connector)),
            config,
        );
        let pool = Pool::builder(manager)
            .max_size(options.connections())
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(unavailable)?;
        let shared = Arc::new(Shared {
            connector,
            direct,
            pool,
            gate: Gate::default(),
            versions: Arc::default(),
            usage: UsageBuffer::default(),
            session_uses: SessionUses::default(),
            tag_cache: TagCache::default(),
            texts: Texts::new(),
            last_look: LastLook::default(),
            erasure_key: KeyCache::default(),
        });
        let session = Session::open(&shared).await?;
        notifications::look(&session, &shared.last_look, &shared.versions).await?;
        drop(session);
        Ok(Self {
            plans: Plans::start(&shared),
            listening: tokio::spawn(notifications::listen(Arc::clone(&shared))),
            flushing: tokio::sync::Mutex::default(),
            shared,
        })
    }

    /// The migrations that opening would run on a database.
    pub async fn pending(options: &PostgresOptions) -> Result<Vec<PendingMigration>, StoreError> {
        let connector = Connector::new(options).map_err(unavailable)?;
        let (client, driver) = connect(&connector).await?;
        let pending = migrate::pending(&client).await;
        driver.abort();
        pending
    }

    async fn session(&self) -> Answer<Session> {
        Session::open(&self.shared).await
    }

    async fn begin(&self) -> Answer<Tx> {
        Ok(Tx::begin(&self.shared).await?)
    }

    /// Writes changes and commits them.
    async fn finish(&self, mut tx: Tx, changes: &[Change], by: &By) -> Answer<()> {
        if changes.is_empty() {
            // The record is so already, perhaps because another node has just changed it. The answer acknowledges it
            // like a change made here, so this node must honour it at once.
            self.look(&tx).await?;
        }
        tx.write(changes, by).await?;
        Ok(tx.commit(&self.shared.versions).await?)
    }

    async fn look(&self, session: &Session) -> Answer<()> {
        Ok(notifications::look(session, &self.shared.last_look, &self.shared.versions).await?)
    }

    fn reader<'r>(&'r self, session: &'r Session) -> Reader<'r> {
        Reader {
            session,
            texts: &self.shared.texts,
            versions: &self.shared.versions,
            cache: &self.shared.tag_cache,
            erasure_key: &self.shared.erasure_key,
        }
    }
}
