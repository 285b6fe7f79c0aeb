//! The kinds of compile-time problems.

use thiserror::Error;

/// Kind of problem with a template.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProblemKind {
    /// Longer than [`Limits::source_bytes`](crate::Limits::source_bytes).
    #[error("the template has {bytes} bytes, more than the {limit} allowed")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Nested deeper than [`Limits::depth`](crate::Limits::depth).
    #[error("nested more than {limit} levels deep")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// A `{{` without its `}}`.
    #[error("this `{{{{` has no `}}}}`")]
    UnclosedHole,
    /// Nothing between `{{` and `}}`.
    #[error("nothing between the braces")]
    EmptyHole,
    /// A text literal without its closing quote.
    #[error("this text has no closing {quote}")]
    UnclosedText {
        /// The quote that opened it.
        quote: char,
    },
    /// A back-quoted name without its closing back-quote, or an empty one.
    #[error("this name has no closing back-quote")]
    UnclosedName,
    /// A back-quoted name with nothing in it.
    #[error("a back-quoted name cannot be empty")]
    EmptyName,
    /// A character that means nothing here.
    #[error("`{found}` means nothing here")]
    UnexpectedCharacter {
        /// The character.
        found: char,
    },
    /// Something other than what must follow.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// The tokens that may stand here.
        expected: &'static str,
        /// The token that stands here.
        found: String,
    },
    /// A bare name that is no root, keyword or function.
    #[error("unknown name `{name}`")]
    UnknownName {
        /// The name.
        name: String,
        /// Advice on what to write instead.
        help: String,
    },
    /// A call of a function that does not exist.
    #[error("there is no function `{name}`")]
    UnknownFunction {
        /// The name.
        name: String,
        /// Advice on what to write instead.
        help: String,
    },
    /// A call with too few or too many arguments.
    #[error("`{function}` takes {expected}, not {given}")]
    ArgumentCount {
        /// The function.
        function: String,
        /// Number of arguments that it takes, in words.
        expected: String,
        /// Number of arguments that there are.
        given: usize,
        /// Notation of the function's call.
        signature: String,
    },
    /// A path that begins with a literal: `1.email`.
    #[error("a path cannot begin with a number or a text")]
    PathOfLiteral,
    /// A regular expression that cannot be used.
    #[error("{reason}")]
    Pattern {
        /// The cause.
        reason: String,
    },
}

impl ProblemKind {
    /// Advice on what to do, if there is any.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::UnclosedHole => {
                Some("to write braces as text, put them into a text: {{\"{{\"}}".to_owned())
            }
            Self::UnclosedText { quote } => {
                Some(format!("a {quote} inside a text is written twice; a backslash is an ordinary character"))
            }
            Self::UnexpectedCharacter { found: '\\' } => Some(
                "the backslashes before braces in copied documentation are not part of the template: remove them"
                    .to_owned(),
            ),
            Self::UnexpectedCharacter { found: '{' } => {
                Some("a hole holds no other hole and no collection: reach a computed name with get(…), and write a collection in \
                 the document around the template".to_owned())
            }
            Self::UnexpectedCharacter { found: '?' } => Some("use if(condition; then; else)".to_owned()),
            Self::UnexpectedCharacter { found } if *found == '\u{201c}' || *found == '\u{201d}' || *found == '\u{2019}' => {
                Some("use straight quotes, \" or '".to_owned())
            }
            Self::UnexpectedCharacter { found: '#' } => {
                Some("there are no blocks here: use if(condition; then; else), and map(list; key) for the items of a list".to_owned())
            }
            Self::UnexpectedCharacter { found: ':' | '@' | '$' | '~' | '^' } => Some(
                "a name with such signs in it goes into back-quotes: payload.`https://example.com/roles`".to_owned(),
            ),
            Self::Unexpected { expected, found } => unexpected(expected, found).map(str::to_owned),
            Self::UnknownName { help, .. } | Self::UnknownFunction { help, .. } => {
                (!help.is_empty()).then(|| help.clone())
            }
            Self::PathOfLiteral => Some("there are no numbered modules here; a path begins with a name".to_owned()),
            Self::ArgumentCount { signature, .. } => Some(signature.clone()),
            _ => None,
        }
    }
}

/// Advice for a token that stands where it cannot.
fn unexpected(expected: &str, found: &str) -> Option<&'static str> {
    let first = found.trim_start_matches('`').chars().next()?;
    if found == "the end" {
        return None;
    }
    if expected.starts_with("a property name") && first.is_ascii_digit() {
        return Some("positions go into brackets and begin at 1: payload.groups[1]");
    }
    if !expected.starts_with("an operator") {
        return None;
    }
    match first {
        '(' => Some("a function stands in front of its value: upper(payload.name)"),
        '"' | '\'' => Some("texts are joined with +; a quote inside a text is written twice"),
        _ if first.is_alphabetic() => Some(
            "texts are joined with +; a function needs parentheses, upper(payload.name); a name with blanks goes into \
             back-quotes, payload.`first name`",
        ),
        _ => None,
    }
}
