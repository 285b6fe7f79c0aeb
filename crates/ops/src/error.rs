//! Refusals and faults of operations. They know no status codes and no JSON; a caller of the operations translates them.

use narthex_clock::NoEntropy;
use narthex_connection::DocumentProblems;
use narthex_decision::Reason;
use narthex_directory::{OrganizationId, PAGE_LIMIT_MAX, StoreError};
use narthex_engine::respond::Refusal;

use super::connections::record::HeldError;

/// Error of an operation. Its text is for the caller; the part for the log only is in [`OpError::private`].
#[derive(Debug, Clone, thiserror::Error)]
pub enum OpError {
    /// The token is refused, the caller's organization is suspended, or nothing could be decided.
    #[error("{}", .0.reason.advice())]
    Refused(Refusal),
    /// The API key is unknown, revoked or expired, or it is a machine key.
    #[error("the API key {0}; make one with `narthex key create`")]
    Key(KeyFault),
    /// The caller may not do this.
    #[error("only {needs} may do this")]
    Forbidden {
        /// The reason, which names the scope where a role is missing.
        reason: Reason,
        /// The callers who may.
        needs: &'static str,
        /// The organization that the operation concerns, for the log; `None` if it concerns none, or none was found.
        organization: Option<OrganizationId>,
    },
    /// There is no such record, or none that the caller may know of.
    #[error("no such {what}")]
    Unknown {
        /// Kind of record.
        what: &'static str,
    },
    /// The text that names a record is not an id.
    #[error("{what}s are named by their ids here")]
    NotAnId {
        /// Kind of record.
        what: &'static str,
        /// Collection that lists these records.
        list: &'static str,
    },
    /// The number of items on a page is out of range.
    #[error("a page has 1 to {PAGE_LIMIT_MAX} items")]
    PageLimit,
    /// A value breaks its rule.
    #[error("`{field}`: {detail}")]
    Invalid {
        /// Name of the value.
        field: &'static str,
        /// Description of the error.
        detail: String,
    },
    /// The record is not at the version that the caller expects.
    #[error("the record has changed since it was read; read it again")]
    Changed,
    /// The change is made only to a named version of the record.
    #[error("name the version of the {what} that you have read: {why}")]
    Unconditional {
        /// Kind of record to change.
        what: &'static str,
        /// Reason why the version is needed.
        why: &'static str,
    },
    /// The caller asked too often.
    #[error("{what}; try again later")]
    TooOften {
        /// The limit that was exceeded, as a clause.
        what: &'static str,
    },
    /// The operation conflicts with the state of the directory.
    #[error("{0}")]
    Conflict(&'static str),
    /// The role to revoke is given by a source that cannot be revoked by hand; the text names it.
    #[error("{0}")]
    Given(String),
    /// A connection's templates did not give a request, or the service did not give a response that could be read. The
    /// text holds no secret.
    #[error("{0}")]
    Run(String),
    /// A connection's secrets cannot be stored or read; the text says what to do.
    #[error("{0}")]
    Secrets(String),
    /// The directory refused or failed.
    #[error("{}", store_text(.0))]
    Store(#[from] StoreError),
    /// An internal error; the text is for the log.
    #[error("something went wrong here; the log has more")]
    Internal(String),
}

/// Reason why an API key is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// No such key was created.
    #[error("is not known here")]
    Unknown,
    /// It was revoked.
    #[error("has been revoked")]
    Revoked,
    /// It has expired.
    #[error("has expired")]
    Expired,
    /// It is a machine key.
    #[error("is a machine key, which is for the routes of its organization alone")]
    MachineKey,
}

// SECURITY: a store's own error texts (paths, statements, addresses) are for the log.
fn store_text(error: &StoreError) -> String {
    match error {
        StoreError::Conflict | StoreError::Unavailable(_) | StoreError::Gone(_) => {
            "the directory cannot answer now; try again".to_owned()
        }
        StoreError::SchemaNewer { .. } | StoreError::Corrupt { .. } => OpError::Internal(String::new()).to_string(),
        StoreError::VersionMismatch { what, .. } => format!("the {what} has changed since it was read; read it again"),
        // SECURITY: the text names the record that has the unique value. Only platform admins set values that are
        // unique beyond an organization (`Action::RuleOrganization`, `CreateOrganization`, `WriteUsers`), and they see
        // every record.
        other => other.to_string(),
    }
}

impl OpError {
    /// Returns the error for a value that breaks its rule.
    pub fn invalid(field: &'static str, detail: impl std::fmt::Display) -> Self {
        Self::Invalid {
            field,
            detail: detail.to_string(),
        }
    }

    /// Returns the error for a connection document that does not compile: everything that is wrong with it, in one
    /// sentence each.
    pub(crate) fn document(problems: &DocumentProblems) -> Self {
        let sentences: Vec<String> = problems
            .problems()
            .iter()
            .map(|problem| match &problem.help {
                Some(help) => format!("{problem} ({help})"),
                None => problem.to_string(),
            })
            .collect();
        Self::invalid("document", sentences.join("; "))
    }

    /// Tests whether it is a fault of the server or its directory, which the caller cannot mend.
    pub fn is_fault(&self) -> bool {
        match self {
            Self::Internal(_) => true,
            Self::Store(error) => matches!(
                error,
                StoreError::Conflict
                    | StoreError::Unavailable(_)
                    | StoreError::Gone(_)
                    | StoreError::Declaration(_)
                    | StoreError::SchemaNewer { .. }
                    | StoreError::Corrupt { .. }
            ),
            _ => false,
        }
    }

    /// Returns the text for the log beside the public text; `None` where there is nothing to add.
    pub fn private(&self) -> Option<String> {
        match self {
            Self::Internal(text) => Some(text.clone()),
            Self::Store(error) if self.is_fault() => Some(error.to_string()),
            _ => None,
        }
    }
}

impl From<HeldError> for OpError {
    fn from(error: HeldError) -> Self {
        match error {
            HeldError::Store(error) => error.into(),
            HeldError::Document(problems) => Self::document(&problems),
            HeldError::Suspended => Refusal::new(Reason::OrganizationSuspended).into(),
            HeldError::NoOrganization => Self::Unknown { what: "organization" },
            HeldError::Changed => Self::Changed,
            HeldError::NoKey | HeldError::Sealed(_) | HeldError::TooMuch(_) => Self::Secrets(error.to_string()),
            other => Self::Internal(other.to_string()),
        }
    }
}

impl From<NoEntropy> for OpError {
    fn from(error: NoEntropy) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<Refusal> for OpError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_fails_is_not_quoted() {
        for error in [
            StoreError::Unavailable("/var/lib/secret.db: disk I/O error".to_owned()),
            StoreError::Corrupt {
                what: "user",
                why: "secret.db row 7".to_owned(),
            },
        ] {
            let error = OpError::from(error);
            assert!(!error.to_string().contains("secret.db"), "{error}");
            assert!(error.private().unwrap().contains("secret.db"));
            assert!(error.is_fault());
        }
    }
}
