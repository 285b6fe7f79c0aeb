//! Mapping from bytes of a TOML string's value to bytes of the file, so that a template's problems can be pointed at.

use crate::problem::Span;

/// Place in the file of byte `offset` of a TOML string's value, given the string's literal (quotes and all) and its
/// place.
pub fn place_in_literal(literal: &str, place: &Span, offset: usize) -> usize {
    let (delimiter, escapes) = match literal {
        text if text.starts_with("\"\"\"") => ("\"\"\"", true),
        text if text.starts_with("'''") => ("'''", false),
        text if text.starts_with('"') => ("\"", true),
        text if text.starts_with('\'') => ("'", false),
        _ => return place.start,
    };
    let mut rest = literal.strip_prefix(delimiter).unwrap_or_default();
    if delimiter.len() == 3 {
        // A line break right after the opening quotes is not part of the value.
        rest = rest
            .strip_prefix("\r\n")
            .or_else(|| rest.strip_prefix('\n'))
            .unwrap_or(rest);
    }
    let mut value_bytes = 0;
    while value_bytes < offset {
        let (raw, decoded) = next_piece(rest, escapes);
        if raw == 0 {
            break;
        }
        value_bytes += decoded;
        rest = rest.get(raw..).unwrap_or_default();
    }
    let consumed = literal.len() - rest.len();
    (place.start + consumed).min(place.end)
}

/// The bytes that the next character takes in the literal and in the value.
fn next_piece(rest: &str, escapes: bool) -> (usize, usize) {
    let mut characters = rest.chars();
    match (characters.next(), escapes) {
        (None, _) => (0, 0),
        (Some('\\'), true) => match characters.next() {
            Some('x') => escaped(rest, 2),
            Some('u') => escaped(rest, 4),
            Some('U') => escaped(rest, 8),
            Some('\n' | '\r' | ' ' | '\t') => {
                let after = rest.get(1..).unwrap_or_default();
                (1 + after.len() - after.trim_start().len(), 0)
            }
            _ => (2, 1),
        },
        (Some(character), _) => (character.len_utf8(), character.len_utf8()),
    }
}

fn escaped(rest: &str, digits: usize) -> (usize, usize) {
    let code = rest
        .get(2..2 + digits)
        .and_then(|hex| u32::from_str_radix(hex, 16).ok());
    let width = code.and_then(char::from_u32).map_or(1, char::len_utf8);
    (2 + digits, width)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every byte of the value is found where it stands in the literal, whatever the quotes and escapes.
    #[test]
    fn places_in_literals_follow_quotes_and_escapes() {
        let literals = [
            r#""plain X""#,
            r"'plain X'",
            r#""tab\t quote\" \\ X""#,
            r#""\u00e9\U0001F600\x41\e X""#,
            "\"\"\"\nfirst\n  \\\n   second \"X\"\"\"",
            "'''\r\nfirst\nX'''",
            "\"ünï X\"",
        ];
        for literal in literals {
            let source = format!("key = {literal}\n");
            let table = toml::de::DeTable::parse(&source).unwrap();
            let value = table.get_ref().get("key").unwrap();
            let text = value.get_ref().as_str().unwrap();
            let offset = text.find('X').unwrap();
            let place = place_in_literal(source.get(value.span()).unwrap(), &value.span(), offset);
            assert_eq!(source.get(place..=place), Some("X"), "{literal}");
        }
    }
}
