//! The memory directory, which is the specification, passes the suite.

#![expect(clippy::unwrap_used, reason = "tests may fail loudly")]

mod concurrency;
mod properties;

use std::sync::Arc;

use narthex_directory::Directory;
use narthex_directory::memory::MemoryDirectory;

fn open() -> (Arc<dyn Directory>, ()) {
    (Arc::new(MemoryDirectory::default()), ())
}

narthex_directory::conformance_suite!(crate::open);
