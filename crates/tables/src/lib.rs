//! The tables of the directory, as both databases have them.
//!
//! Columns ([`columns`], [`marks`], [`audit_chain`], [`denials`]) and the records read from them ([`rows`]), what follows from changes ([`consequences`]),
//! the file format of exports ([`transfer`]), the tags that a node has lately looked up ([`tag_cache`]), and very many users
//! for tests and measurements (`population`). No database is opened here.

pub mod audit_chain;
pub mod columns;
pub mod consequences;
pub mod denials;
pub mod erasure;
pub mod marks;
#[cfg(feature = "population")]
pub mod population;
pub mod revocations;
pub mod rows;
pub mod tag_cache;
pub mod transfer;

/// A migration that a database does not have yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingMigration {
    /// Its number.
    pub version: i64,
    /// Its name.
    pub name: String,
    /// Its statements.
    pub sql: String,
}
