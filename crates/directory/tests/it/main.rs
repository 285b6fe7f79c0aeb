//! The memory directory, which is the specification, passes the suite.

#![expect(clippy::unwrap_used, reason = "tests may fail loudly")]

mod concurrency;
mod properties;

use std::sync::Arc;

use narthex_directory::Directory;
use narthex_memory::MemoryDirectory;

fn open() -> std::future::Ready<(Arc<dyn Directory>, ())> {
    std::future::ready((Arc::new(MemoryDirectory::default()), ()))
}

narthex_conformance::conformance_suite!(crate::open);
