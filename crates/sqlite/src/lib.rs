//! `SQLite`: one file, one writer, a few readers.

mod audit_chain;
mod audit_retention;
#[cfg(feature = "population")]
mod bulk_load;
mod change;
mod deletion;
mod denials;
mod documents;
mod erasure;
mod error;
mod keyring;
mod list;
mod lookup;
mod machine_keys;
mod marks;
mod open;
mod organizations;
mod people;
mod place;
mod readers;
mod revocations;
mod rows;
mod seals;
mod sessions;
mod snapshot;
mod token_sync;
mod trail;
pub mod transfer;
mod webhooks;
mod writer;

use std::sync::Arc;

use narthex_directory::{Answer, By, Change, StoreError, Versions};
use narthex_usage::{SessionUses, UsageBuffer};

#[cfg(feature = "population")]
pub use self::bulk_load::bulk_load;
use self::error::Outcome;
pub use self::open::Options;
pub use self::open::known_version as schema_version;
use self::place::{Lock, Place};
use self::readers::Readers;
use self::writer::{Tx, Writer};
use narthex_tables::consequences::{Written, raise};
use narthex_tables::tag_cache::TagCache;

/// A directory in a `SQLite` database.
///
/// Dropping it writes the work in the queue, checkpoints the log into the database and closes the file. It does not
/// flush what was only noted: see [`narthex_directory::TokenSync::flush`].
#[derive(Debug)]
pub struct SqliteDirectory {
    // The readers close before the writer, which as the last one checkpoints the log.
    readers: Readers,
    writer: Writer,
    // Dropped after both of them.
    place: Arc<Place>,
    versions: Arc<Versions>,
    usage: Arc<UsageBuffer>,
    session_uses: SessionUses,
    tag_cache: Arc<TagCache>,
    /// Lock for one flush at a time. It holds the batches of marks that this process has written in short.
    flushing: tokio::sync::Mutex<Vec<i64>>,
}

impl SqliteDirectory {
    /// Opens a database, making or migrating it where needed. Blocks for that long.
    pub fn open(options: &Options) -> Result<Self, StoreError> {
        open::keep_private(&options.path);
        let serves = options.serves && options.path.is_file();
        let lock = serves.then(|| Lock::take(&options.path)).transpose()?;
        let connection = open::open_writer(options)?;
        marks::carry_over(&connection)?;
        let versions = Arc::new(Versions::default());
        raise(&versions, &token_sync::counters(&connection)?);
        let readers = (0..options.readers.max(1))
            .map(|_| open::open_reader(options))
            .collect::<Result<_, _>>()?;
        let place = Arc::new(Place::of(&options.path, lock));
        Ok(Self {
            readers: Readers::start(readers, Arc::clone(&place))?,
            writer: Writer::start(connection, Arc::clone(&versions), Arc::clone(&place))?,
            place,
            versions,
            usage: Arc::new(UsageBuffer::keeping()),
            session_uses: SessionUses::default(),
            tag_cache: Arc::default(),
            flushing: tokio::sync::Mutex::default(),
        })
    }

    /// Reads, changes and writes one record's worth in a transaction.
    async fn edit<T: Send + 'static>(
        &self,
        by: By,
        edit: impl FnOnce(&mut Tx<'_>) -> Outcome<(T, Vec<Change>)> + Send + 'static,
    ) -> Answer<T> {
        let work = move |tx: &mut Tx<'_>| {
            let (value, changes) = edit(tx)?;
            change::write(tx, &changes, &Written::of(&changes, &by))?;
            Ok(value)
        };
        self.writer.write(work).await
    }
}
