//! The keywords.

use indexmap::IndexMap;

use crate::program::Word;
use crate::value::Value;

/// Meaning of a keyword.
pub(crate) enum Meaning {
    Constant(Value),
    Word(Word),
}

/// A keyword for the reference page.
#[derive(Debug, Clone, Copy)]
pub struct Keyword {
    /// The word.
    pub name: &'static str,
    /// Its meaning, in one sentence.
    pub summary: &'static str,
}

/// Every keyword, in the order of the reference page.
pub const KEYWORDS: &[Keyword] = &[
    Keyword {
        name: "now",
        summary: "the instant of the evaluation, a date",
    },
    Keyword {
        name: "timestamp",
        summary: "the instant of the evaluation in whole seconds since the epoch, a number",
    },
    Keyword {
        name: "true",
        summary: "true",
    },
    Keyword {
        name: "false",
        summary: "false",
    },
    Keyword {
        name: "null",
        summary: "null, a value",
    },
    Keyword {
        name: "undefined",
        summary: "no value: the key it would fill is dropped",
    },
    Keyword {
        name: "ignore",
        summary: "the same as undefined",
    },
    Keyword {
        name: "erase",
        summary: "the same as null",
    },
    Keyword {
        name: "emptystring",
        summary: "text without characters",
    },
    Keyword {
        name: "emptyarray",
        summary: "a list without items",
    },
    Keyword {
        name: "emptyobject",
        summary: "a collection without members",
    },
    Keyword {
        name: "space",
        summary: "a space (U+0020)",
    },
    Keyword {
        name: "tab",
        summary: "a tabulator (U+0009)",
    },
    Keyword {
        name: "newline",
        summary: "a line feed (U+000A)",
    },
    Keyword {
        name: "nbsp",
        summary: "a no-break space (U+00A0)",
    },
    Keyword {
        name: "carriagereturn",
        summary: "a carriage return (U+000D)",
    },
    Keyword {
        name: "pi",
        summary: "the number pi",
    },
    Keyword {
        name: "random",
        summary: "a random number from 0 up to, but not including, 1",
    },
    Keyword {
        name: "uuid",
        summary: "a random UUID (RFC 9562 version 4)",
    },
];

/// Meaning of a word, if it is a keyword.
pub(crate) fn find(name: &str) -> Option<Meaning> {
    let constant = match name {
        "now" => return Some(Meaning::Word(Word::Now)),
        "timestamp" => return Some(Meaning::Word(Word::Timestamp)),
        "random" => return Some(Meaning::Word(Word::Random)),
        "uuid" => return Some(Meaning::Word(Word::Uuid)),
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "null" | "erase" => Value::Null,
        "undefined" | "ignore" => Value::Undefined,
        "emptystring" => Value::from(""),
        "emptyarray" => Value::Array(Vec::new()),
        "emptyobject" => Value::Object(IndexMap::new()),
        "space" => Value::from(" "),
        "tab" => Value::from("\t"),
        "newline" => Value::from("\n"),
        "nbsp" => Value::from("\u{a0}"),
        "carriagereturn" => Value::from("\r"),
        "pi" => Value::Number(std::f64::consts::PI),
        _ => return None,
    };
    Some(Meaning::Constant(constant))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_keyword_means_something() {
        for keyword in KEYWORDS {
            assert!(find(keyword.name).is_some(), "{}", keyword.name);
        }
    }
}
