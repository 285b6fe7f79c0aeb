//! Moment.js's tokens for writing and reading dates.

pub(crate) mod format;
pub(crate) mod parse;

/// A part of a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece<'f> {
    Token(&'f str),
    Literal(&'f str),
}

/// Every token but the fractions of the second, longer ones before those they begin with.
const TOKENS: [&str; 49] = [
    "YYYY", "YY", "Y", "Qo", "Q", "MMMM", "MMM", "MM", "Mo", "M", "DDDD", "DDDo", "DDD", "DD", "Do", "D", "dddd",
    "ddd", "dd", "do", "d", "e", "E", "ww", "wo", "w", "WW", "Wo", "W", "gggg", "gg", "GGGG", "GG", "HH", "H", "hh",
    "h", "kk", "k", "A", "a", "mm", "m", "ss", "s", "ZZ", "Z", "X", "x",
];

/// Cuts a format into tokens and literals. Text in brackets is literal; so is any other letter.
pub(crate) fn pieces(format: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = format;
    while let Some(c) = rest.chars().next() {
        let (piece, length) = piece(rest, c);
        pieces.push(piece);
        rest = rest.get(length..).unwrap_or("");
    }
    pieces
}

/// The piece at the beginning of a format, and its length.
fn piece(rest: &str, first: char) -> (Piece<'_>, usize) {
    if first == '['
        && let Some(end) = rest.find(']')
    {
        return (Piece::Literal(rest.get(1..end).unwrap_or("")), end + 1);
    }
    let fraction = rest.bytes().take(9).take_while(|byte| *byte == b'S').count();
    if fraction > 0 {
        return (Piece::Token(rest.get(..fraction).unwrap_or("")), fraction);
    }
    match TOKENS.iter().find(|token| rest.starts_with(**token)) {
        Some(token) => (Piece::Token(rest.get(..token.len()).unwrap_or("")), token.len()),
        None => (
            Piece::Literal(rest.get(..first.len_utf8()).unwrap_or("")),
            first.len_utf8(),
        ),
    }
}

pub(crate) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// From Sunday, as moment counts.
pub(crate) const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// The 0-based position of a name, whole or by its first three letters, in any case.
pub(crate) fn named(names: &[&str], text: &str) -> Option<usize> {
    names
        .iter()
        .position(|name| name.eq_ignore_ascii_case(text) || name.get(..3).is_some_and(|s| s.eq_ignore_ascii_case(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_cut_into_the_longest_tokens() {
        use Piece::{Literal as L, Token as T};
        assert_eq!(
            pieces("YYYY-MM[ at ]SSS"),
            [T("YYYY"), L("-"), T("MM"), L(" at "), T("SSS")]
        );
        assert_eq!(pieces("DDDo[x"), [T("DDDo"), L("["), T("x")]);
    }
}
