//! From `SQLite`'s errors to the directory's.

use std::fmt::Display;

use narthex_directory::StoreError;
use rusqlite::ErrorCode;

/// Internal error of the store.
#[derive(Debug)]
pub(super) enum Fault {
    /// An error that the directory has a word for.
    Store(StoreError),
    /// A constraint does not hold: the writer finds out which.
    Constraint,
    /// `SQLite` failed.
    Sqlite(rusqlite::Error),
}

pub(super) type Outcome<T> = Result<T, Fault>;

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::ConstraintViolation) => Self::Constraint,
            _ => Self::Sqlite(error),
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Store(error) => error,
            Fault::Constraint => Self::Conflict,
            Fault::Sqlite(error) => unavailable(error),
        }
    }
}

/// `SQLite`'s messages name files, tables and columns, never values.
pub(super) fn unavailable(error: impl Display) -> StoreError {
    StoreError::Unavailable(error.to_string())
}
