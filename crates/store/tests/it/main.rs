//! Both databases pass the directory's suite: SQLite with each case on a new file (so that the log and the locks are
//! real), PostgreSQL with each case on a new database of a real server that the tests start.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests may fail loudly"
)]

mod concurrency;
mod crash;
mod differential;
mod erased_file;
mod every_method;
mod export_page;
mod place;
mod population;
mod postgres;
mod schema;
mod session_races;
mod sqlite_statements;
mod transfer;

use std::sync::Arc;

use narthex_directory::Directory;
use narthex_store::{Options, SqliteDirectory};

fn open_at(path: &std::path::Path) -> SqliteDirectory {
    SqliteDirectory::open(&Options::new(path)).unwrap()
}

fn open() -> (Arc<dyn Directory>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let directory = open_at(&folder.path().join("narthex.db"));
    (Arc::new(directory), folder)
}

fn open_new() -> std::future::Ready<(Arc<dyn Directory>, tempfile::TempDir)> {
    std::future::ready(open())
}

narthex_conformance::conformance_suite!(crate::open_new);
