//! This product's decisions where Make's documents say nothing, or contradict each other.

/// The function, and this product's own decision about it.
pub(super) const SILENT: &[(&str, &str)] = &[
    (
        "if",
        "without a third argument, a condition that is not true gives undefined",
    ),
    (
        "switch",
        "cases compare strictly; without a match and an else, the result is undefined",
    ),
    ("get", "what is not there is undefined"),
    ("pick", "names that are not there are left out"),
    ("equal", "it is in the palette of scenarios only"),
    ("round", "a negative half goes up, as in JavaScript"),
    ("trunc", "negative decimals make zeros before the point"),
    ("sum", "no numbers have the sum 0; what does not exist does not count"),
    (
        "min",
        "of no numbers it is undefined; what does not exist does not count",
    ),
    (
        "max",
        "of no numbers it is undefined; what does not exist does not count",
    ),
    (
        "average",
        "of no numbers it is undefined; what does not exist does not count",
    ),
    (
        "median",
        "of no numbers it is undefined; what does not exist does not count",
    ),
    (
        "stdevP",
        "of no numbers it is undefined; what does not exist does not count",
    ),
    (
        "stdevS",
        "of fewer than two numbers it is undefined; what does not exist does not count",
    ),
    (
        "parseNumber",
        "the default separator is a point; text that shows no number is an error",
    ),
    ("base64", "a binary gives its bytes"),
    ("capitalize", "the rest stays as it is"),
    ("encodeURL", "it is JavaScript's `encodeURIComponent`"),
    ("decodeURL", "a `%` without its two digits is an error"),
    ("escapeHTML", "`&`, `\"` and `'` are escaped too"),
    (
        "escapeMarkdown",
        "two of their documents contradict each other; this is the one with entities",
    ),
    ("escapeJSON", "it is in the palette of scenarios only"),
    ("length", "characters are UTF-16 units, as in JavaScript"),
    ("indexOf", "positions are UTF-16 units, as in JavaScript"),
    ("replace", "plain text is replaced once, as in JavaScript"),
    ("contains", "items compare strictly"),
    ("deduplicate", "the first of equal items stays"),
    ("distinct", "the first of equal items stays"),
    ("first", "of an empty list it is undefined"),
    ("last", "of an empty list it is undefined"),
    ("flatten", "the default depth is 1, as in JavaScript"),
    ("map", "keys may be dotted; items without the key are left out"),
    ("slice", "the end is exclusive, and negative positions count from it"),
    (
        "toArray",
        "two of their documents contradict each other; this is the inverse of `toCollection`",
    ),
    ("arrayDiff", "it is in the palette of scenarios only"),
    ("arrayIntersect", "it is in the palette of scenarios only"),
    ("addMonths", "a day that the month does not have becomes its last"),
    ("addYears", "a day that the month does not have becomes its last"),
    ("setMonth", "a day that the month does not have becomes its last"),
    (
        "createJSON",
        "the text has no blanks; integers keep all of their digits",
    ),
    ("parseJSON", "text that is no JSON is an error"),
    ("mime", "an extension that is not known is `application/octet-stream`"),
];
