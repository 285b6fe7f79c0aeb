//! From PostgreSQL's errors to the directory's.

use std::error::Error as _;
use std::fmt::Display;

use narthex_directory::StoreError;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

/// Internal error of the store.
#[derive(Debug)]
pub(super) enum Fault {
    /// An error that the directory has a word for.
    Store(StoreError),
    /// A unique value is taken, or a referenced record is missing: the writer finds out which.
    Constraint,
}

pub(super) type Outcome<T> = Result<T, Fault>;

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error.code() {
            Some(code) if *code == SqlState::UNIQUE_VIOLATION || *code == SqlState::FOREIGN_KEY_VIOLATION => {
                Self::Constraint
            }
            // Another writer was quicker: read again, plan again.
            Some(code) if *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED => {
                Self::Store(StoreError::Conflict)
            }
            Some(code) if *code == SqlState::PROGRAM_LIMIT_EXCEEDED => Self::Store(StoreError::Refused(
                "a name or a tag is longer than PostgreSQL can index: some 2,600 bytes, together with its realm",
            )),
            Some(code) if *code == SqlState::CHARACTER_NOT_IN_REPERTOIRE => Self::Store(StoreError::Refused(
                "a text holds the character U+0000, which PostgreSQL cannot keep",
            )),
            _ => Self::Store(unavailable(told(&error))),
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
        }
    }
}

/// Tests whether the connection must not be used again: it is closed or closing, or its server no longer takes writes
/// (after a failover, the old primary).
pub(super) fn ends_connection(error: &Error) -> bool {
    error.is_closed()
        || error.code().is_none_or(|code| {
            let class = code.code().get(..2);
            matches!(class, Some("57" | "08" | "25")) && *code != SqlState::QUERY_CANCELED
        })
}

/// Text of an error that may be shown.
///
/// SECURITY: messages about data can quote it, so those give only their code. Messages about the server, the
/// connection, rights and the schema name hosts, roles and tables, which an operator needs.
pub(super) fn told(error: &Error) -> String {
    if let Some(db) = error.as_db_error() {
        let code = db.code().code();
        return match code.get(..2) {
            Some("08" | "0A" | "25" | "28" | "3D" | "3F" | "42" | "53" | "54" | "55" | "57" | "58") => {
                format!("PostgreSQL says: {} ({code})", db.message())
            }
            _ => format!("PostgreSQL refused a statement ({code})"),
        };
    }
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

pub(super) fn unavailable(error: impl Display) -> StoreError {
    StoreError::Unavailable(error.to_string())
}
