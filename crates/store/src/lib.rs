//! The [`Directory`](narthex_directory::Directory) on `SQLite`.
//!
//! **In** come the directory's use cases, **out** go rows. This crate decides nothing: plans and commands are
//! turned into changes by `narthex-directory`, and what is here writes and reads them. It knows nothing of tokens,
//! HTTP or configuration files, and needs tokio only for its channels.
//!
//! One thread writes, several read. The writer takes whatever is waiting, makes each piece of work in a savepoint
//! of its own, commits once, raises the version numbers, and only then answers: one `fsync` serves everybody who
//! waited, and a piece that fails spoils no other.
//!
//! Invariants:
//! * What is acknowledged is on the disk: WAL with `synchronous = FULL`.
//! * Version numbers move after the commit and before the answer.
//! * Reads of more than one statement see one moment.
//! * A database written by a newer program is refused, not guessed at.

mod record;
mod sqlite;
mod tag_cache;

pub use sqlite::{Options, PendingMigration, SqliteDirectory};
