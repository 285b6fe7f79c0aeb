//! The Directory on SQLite.
