//! Errors of requests, as RFC 7644 names them.

/// Kind of an error: `scimType` of RFC 7644 section 3.12.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemKind {
    /// A filter cannot be read.
    InvalidFilter,
    /// A message cannot be read.
    InvalidSyntax,
    /// A path of a patch cannot be read.
    InvalidPath,
    /// A path of a patch names nothing that is there.
    NoTarget,
    /// A required value is missing, or a value breaks its rule.
    InvalidValue,
    /// An attribute that clients may not change.
    Mutability,
    /// Another resource has the value already.
    Uniqueness,
    /// There is more to do than one request may ask for.
    TooMany,
}

impl ProblemKind {
    /// Returns the word of the standard.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidFilter => "invalidFilter",
            Self::InvalidSyntax => "invalidSyntax",
            Self::InvalidPath => "invalidPath",
            Self::NoTarget => "noTarget",
            Self::InvalidValue => "invalidValue",
            Self::Mutability => "mutability",
            Self::Uniqueness => "uniqueness",
            Self::TooMany => "tooMany",
        }
    }
}

/// Error of a request. Its text says what to do, and repeats no value but names of attributes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct ScimProblem {
    /// Kind of the error.
    pub kind: ProblemKind,
    /// The error, in words.
    pub detail: String,
}

impl ScimProblem {
    /// Creates an error.
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
        }
    }
}
