//! The store that a configuration names, opened.

use std::sync::Arc;

use anyhow::Context as _;
use narthex_config::StoreLocation;
use narthex_directory::Directory;
use narthex_store::{Options, PostgresDirectory, SqliteDirectory};

/// Purpose for which a store is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Serving: a second server on one file is refused.
    Serve,
    /// One command, which may run beside a server.
    Command,
}

/// Opens the store that the configuration names.
///
/// # Errors
///
/// Error of the store, with its place.
pub async fn open(location: &StoreLocation, purpose: Purpose) -> anyhow::Result<Arc<dyn Directory>> {
    match location {
        StoreLocation::Sqlite(path) => {
            let options = match purpose {
                Purpose::Serve => Options::new(path).to_serve(),
                Purpose::Command => Options::new(path),
            };
            let directory = SqliteDirectory::open(&options)
                .with_context(|| format!("while opening the store `{}`", path.display()))?;
            Ok(Arc::new(directory))
        }
        StoreLocation::Postgres(options) => {
            let directory = PostgresDirectory::open(options)
                .await
                .with_context(|| format!("while opening the store `{options}`"))?;
            Ok(Arc::new(directory))
        }
    }
}
