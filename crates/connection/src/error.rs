//! Reasons why a run fails.

use std::fmt;

use narthex_template::EvalError;
use thiserror::Error;

use crate::limits::SecretsTooLarge;

/// Kind of error of a service's answer, in the words of connection documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorType {
    /// Anything; what it is if the document does not say.
    Runtime,
    /// The data that was sent is wrong.
    Data,
    /// Too many requests.
    RateLimit,
    /// The account has no room left.
    OutOfSpace,
    /// The service cannot be reached.
    Connection,
    /// The connection is configured wrongly.
    InvalidConfiguration,
    /// The credentials are not accepted.
    InvalidAccessToken,
    /// The data is not complete yet.
    IncompleteData,
    /// The data is there already.
    DuplicateData,
}

impl ErrorType {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Runtime,
        Self::Data,
        Self::RateLimit,
        Self::OutOfSpace,
        Self::Connection,
        Self::InvalidConfiguration,
        Self::InvalidAccessToken,
        Self::IncompleteData,
        Self::DuplicateData,
    ];

    /// Its name in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Runtime => "RuntimeError",
            Self::Data => "DataError",
            Self::RateLimit => "RateLimitError",
            Self::OutOfSpace => "OutOfSpaceError",
            Self::Connection => "ConnectionError",
            Self::InvalidConfiguration => "InvalidConfigurationError",
            Self::InvalidAccessToken => "InvalidAccessTokenError",
            Self::IncompleteData => "IncompleteDataError",
            Self::DuplicateData => "DuplicateDataError",
        }
    }

    /// The type of that name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for ErrorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Advice on how to solve it, to be added after the message.
fn beside(error: &EvalError) -> String {
    error
        .fault()
        .help()
        .map(|help| format!(" ({help})"))
        .unwrap_or_default()
}

/// Reason why a run fails. No message holds a parameter, common data or stored data.
#[derive(Debug, Clone, Error)]
pub enum RunError {
    /// A template of the document failed.
    #[error("at `{pointer}`: {error}{}", beside(error))]
    Template {
        /// Its place in the document, as a JSON pointer.
        pointer: String,
        /// Error of the template.
        error: EvalError,
    },
    /// Result of the templates that is not a valid request.
    #[error("at `{pointer}`: {problem}")]
    Request {
        /// The place in the document, as a JSON pointer.
        pointer: String,
        /// Problem, and advice on how to solve it.
        problem: String,
    },
    /// The response cannot be read as what the document says it is.
    #[error("the response cannot be read: {problem}")]
    Response {
        /// Problem with the response.
        problem: String,
    },
    /// The service, or the document's `valid`, says no.
    #[error("{message}")]
    Judged {
        /// Kind of the error.
        kind: ErrorType,
        /// The message, in the document's words. Secrets that a service echoes are masked.
        message: String,
        /// The status of the response.
        status: u16,
    },
    /// The run would wait longer than it may.
    #[error("repeating would take more than {limit_ms} ms of waiting; lower `repeat.delay` or `repeat.limit`")]
    Waits {
        /// The limit, in milliseconds.
        limit_ms: u64,
    },
    /// The run would send more requests than it may.
    #[error("a run sends {limit} requests at most, repetitions included; lower `repeat.limit`, or request less")]
    Sends {
        /// The limit.
        limit: u32,
    },
    /// Inputs of the run, or additions by a response's `data`, that are too large to be kept.
    #[error(transparent)]
    Secrets(#[from] SecretsTooLarge),
    /// [`Run::answer`](crate::Run::answer) without a request that waits for one.
    #[error("no request is waiting for an answer")]
    NothingSent,
}

impl RunError {
    /// The message; where it is about a template, with its source and a caret under the place.
    pub fn render(&self) -> String {
        match self {
            Self::Template { pointer, error } => format!("at `{pointer}`:\n{}", error.render()),
            other => other.to_string(),
        }
    }

    pub(crate) fn request(pointer: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Request {
            pointer: pointer.into(),
            problem: problem.into(),
        }
    }
}
