//! SQLite passes the directory's suite, each case on a new file (so that the log and the locks are real).

#![expect(clippy::unwrap_used, reason = "tests may fail loudly")]

mod concurrency;
mod crash;
mod differential;
mod schema;

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

narthex_directory::conformance_suite!(crate::open);
