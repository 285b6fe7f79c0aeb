//! Faults of an evaluation.

use thiserror::Error;

/// Reason why an evaluation gave no value. Messages never contain values from the scope.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// More steps than [`Limits::fuel`](crate::Limits::fuel).
    #[error("the template took more than {fuel} steps")]
    OutOfFuel {
        /// The limit.
        fuel: u64,
    },
    /// Larger results than [`Limits::made_bytes`](crate::Limits::made_bytes).
    #[error("the template made more than {bytes} bytes")]
    TooLarge {
        /// The limit.
        bytes: usize,
    },
    /// An argument of the wrong kind.
    #[error("`{function}` wants {wanted} as argument {position}, not {given}")]
    Argument {
        /// The function.
        function: &'static str,
        /// 1-based position of the argument.
        position: usize,
        /// The kind that it should be.
        wanted: &'static str,
        /// The kind that it is, never a value.
        given: &'static str,
    },
    /// Bytes that are not UTF-8 where text is needed.
    #[error("binary that is not UTF-8 cannot become text; use base64()")]
    NotText,
    /// A regular expression that cannot be used.
    #[error("{reason}")]
    Pattern {
        /// The cause.
        reason: String,
    },
    /// Encoded text that cannot be decoded.
    #[error("`{function}` cannot read argument {position} as {form}")]
    Unreadable {
        /// The function.
        function: &'static str,
        /// 1-based position of the argument.
        position: usize,
        /// The form that it should have: `hex`, `JSON`, a date format.
        form: String,
    },
    /// A date outside of the years -9999 to 9999.
    #[error("`{function}` leaves the years that dates can have")]
    DateRange {
        /// The function.
        function: &'static str,
    },
    /// `random`, `uuid` or `shuffle` where the caller offers no randomness.
    #[error("there is no randomness here: `{name}` cannot be used")]
    NoRandom {
        /// The word.
        name: &'static str,
    },
    /// The value of a spread key is no collection.
    #[error("the value of a {{{{...}}}} key must be a collection, not {given}")]
    Spread {
        /// The kind that it is, never a value.
        given: &'static str,
    },
    /// A function of the host failed, in its own words.
    #[error("{message}")]
    Host {
        /// The host's message.
        message: String,
        /// The host's advice beside it.
        help: Option<&'static str>,
    },
}

impl Fault {
    /// Advice on what to do, if there is any.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Argument {
                given: "undefined" | "null",
                ..
            } => Some("the value is not there: give another in its place with ifempty(value; otherwise)"),
            Self::Unreadable { form, .. } if form == "a date" => {
                Some("say how the text is written with parseDate(text; format)")
            }
            Self::Unreadable { form, .. } if form == "a date in this format" => {
                Some("a format is made of tokens, such as YYYY-MM-DD HH:mm")
            }
            Self::Host { help, .. } => *help,
            _ => None,
        }
    }
}
