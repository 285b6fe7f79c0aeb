//! The [`Directory`](narthex_directory::Directory) on `SQLite` and on PostgreSQL.
//!
//! **In** come the directory's use cases, **out** go rows. The databases are crates of their own (`crates/sqlite`,
//! `crates/postgres`), over the tables that both have (`crates/tables`). None of them decides anything: plans and commands are
//! turned into changes by `narthex-directory`, and what is here writes and reads them. It knows nothing of tokens,
//! HTTP or configuration files.
//!
//! `SQLite`: one thread writes, several read, and tokio is needed only for its channels. The writer commits in groups:
//! it takes all the work in its queue, runs each piece in a savepoint of its own, commits once, raises the version
//! numbers, and only then answers. One `fsync` serves every caller of the group, and a piece that fails spoils no
//! other.
//!
//! PostgreSQL: any number of nodes share one database. Their writers take turns, and plans are committed in groups. The
//! transaction that raises a version number also notifies all nodes of it.
//!
//! Invariants:
//! * What is acknowledged is on the disk: WAL with `synchronous = FULL`; `synchronous_commit` is never off.
//! * Version numbers move after the commit and before the answer.
//! * Reads of more than one statement see one moment.
//! * Audit events are numbered in the order of their commits.
//! * A database written by a newer program is refused, not guessed at.
//! * Every wait has a limit.

#[cfg(feature = "population")]
pub mod population;
pub mod transfer;

pub use narthex_postgres::{PostgresDirectory, PostgresOptions, PostgresUrlError};
pub use narthex_sqlite::{Options, SqliteDirectory};
pub use narthex_tables::PendingMigration;
