//! JSON text, byte for byte as `JSON.stringify` writes it.

use std::fmt::Write as _;

use base64::Engine as _;

use crate::dates;
use crate::number;
use crate::view::{Fields, Ref, View};

/// The JSON text of a value; `None` for undefined.
pub(crate) fn write(value: Ref<'_>) -> Option<String> {
    if matches!(value.view(), View::Undefined) {
        return None;
    }
    let mut text = String::new();
    write_value(value, &mut text);
    Some(text)
}

fn write_value(value: Ref<'_>, text: &mut String) {
    match value.view() {
        View::Bool(value) => text.push_str(if value { "true" } else { "false" }),
        View::Number(value) if value.is_finite() => text.push_str(&number::number_text(value)),
        View::Undefined | View::Null | View::Number(_) => text.push_str("null"),
        View::BigInteger(value) => {
            let _ = write!(text, "{value}");
        }
        View::Text(value) => write_text(value, text),
        View::Date(ms) => write_text(&dates::iso_text(ms), text),
        View::Binary(bytes) => write_text(&base64::engine::general_purpose::STANDARD.encode(bytes), text),
        View::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write_value(item, text);
            }
            text.push(']');
        }
        View::Object(fields) => write_object(fields, text),
    }
}

/// Integer-like names come first in ascending order, then the others in theirs: the order of a JavaScript object.
fn write_object(fields: Fields<'_>, text: &mut String) {
    let mut numbered: Vec<(u32, &str, Ref<'_>)> = fields
        .iter()
        .filter_map(|(name, value)| Some((array_index(name)?, name, value)))
        .collect();
    numbered.sort_by_key(|(index, _, _)| *index);
    let named = fields.iter().filter(|(name, _)| array_index(name).is_none());
    text.push('{');
    let mut first = true;
    for (name, value) in numbered.into_iter().map(|(_, name, value)| (name, value)).chain(named) {
        if matches!(value.view(), View::Undefined) {
            continue;
        }
        if !first {
            text.push(',');
        }
        first = false;
        write_text(name, text);
        text.push(':');
        write_value(value, text);
    }
    text.push('}');
}

/// The name as an array index (ECMA-262 6.1.7): canonical decimal, below 2^32 - 1.
fn array_index(name: &str) -> Option<u32> {
    let plain = name == "0" || name.bytes().next().is_some_and(|digit| matches!(digit, b'1'..=b'9'));
    if !plain || !name.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    name.parse().ok().filter(|index| *index != u32::MAX)
}

/// A JSON string. Rust text holds no lone surrogates, so only quotes, backslashes and control characters are escaped.
pub(crate) fn write_text(value: &str, text: &mut String) {
    text.push('"');
    write_escaped(value, text);
    text.push('"');
}

/// The inside of a JSON string.
pub(crate) fn write_escaped(value: &str, text: &mut String) {
    for c in value.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\u{8}' => text.push_str("\\b"),
            '\t' => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\u{c}' => text.push_str("\\f"),
            '\r' => text.push_str("\\r"),
            '\0'..='\u{1f}' => {
                let _ = write!(text, "\\u{:04x}", u32::from(c));
            }
            _ => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_json_stringify_writes() {
        let json: serde_json::Value =
            serde_json::from_str(r#"{"b":1,"2":true,"10":null,"01":"x","1":1e21,"a":"\u0007\"\\/\n\u2028é"}"#).unwrap();
        assert_eq!(
            write(Ref::Json(&json)).unwrap(),
            "{\"1\":1e+21,\"2\":true,\"10\":null,\"b\":1,\"01\":\"x\",\"a\":\"\\u0007\\\"\\\\/\\n\u{2028}é\"}"
        );
    }
}
