//! The error of text that breaks the rule of what it is meant to be.

/// Text that breaks the rule of what it is meant to be. Never carries the text itself, but for a suggestion made of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// A name that breaks its rule.
    #[error("{}{}", self.problem(), advice(suggestion.as_deref()))]
    Rule {
        /// The kind of name.
        what: &'static str,
        /// The broken rule, as the end of a sentence.
        rule: &'static str,
        /// A name that the text suggests and that could be used. SECURITY: for administrators, who wrote the text; never for a
        /// caller whose token holds it.
        suggestion: Option<String>,
    },
    /// A field of a record that breaks its rule.
    #[error("`{field}` is not usable: {rule}")]
    Field {
        /// The field.
        field: &'static str,
        /// The broken rule, as the end of a sentence.
        rule: &'static str,
    },
    /// Not one of the known words.
    #[error("not a known {what}; use one of {}", known.join(", "))]
    Word {
        /// The kind of word.
        what: &'static str,
        /// The words there are.
        known: &'static [&'static str],
    },
    /// Not the text of an id.
    #[error("not the id of {} {what}; ids are 26 lower-case letters and digits", article(what))]
    Id {
        /// The kind of record that the id is of.
        what: &'static str,
    },
    /// A list of tags that breaks a rule.
    #[error("tag {position} of the list is not usable: {rule}")]
    Tag {
        /// The entry, counted from one.
        position: usize,
        /// The broken rule, as the end of a sentence.
        rule: &'static str,
    },
    /// Too many tags.
    #[error("the list holds {found} tags; the most is {limit}")]
    TooManyTags {
        /// Number of tags in the list.
        found: usize,
        /// Largest number of tags.
        limit: usize,
    },
}

impl NameError {
    /// The problem, without a suggestion.
    pub fn problem(&self) -> String {
        match self {
            Self::Rule { what, rule, .. } => format!("the {what} is not usable: {rule}"),
            other => other.to_string(),
        }
    }

    /// A name that could be used instead.
    pub fn suggestion(&self) -> Option<&str> {
        match self {
            Self::Rule { suggestion, .. } => suggestion.as_deref(),
            _ => None,
        }
    }
}

fn advice(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |name| format!("; use one such as `{name}`"))
}

const fn article(what: &str) -> &'static str {
    match what.as_bytes() {
        [b'a' | b'e' | b'i' | b'o', ..] => "an",
        _ => "a",
    }
}
