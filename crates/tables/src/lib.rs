//! The tables of the directory, as both databases have them.
//!
//! Rows and what follows from changes ([`record`]), the file format of exports ([`transfer`]), the tags that a node has lately
//! looked up ([`tag_cache`]), and very many users for tests and measurements (`population`). No database is opened here.

#[cfg(feature = "population")]
pub mod population;
pub mod record;
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
