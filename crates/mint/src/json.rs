//! JSON text as `JSON.stringify` writes it of JavaScript's values: every number is a double, bytes are a `Buffer`.
//!
//! The template language keeps integers exact that no double holds. The library cannot, and a token here is byte for
//! byte the library's: such an integer is written as its nearest double. A template that needs all digits makes text of
//! it first.

use std::fmt::Write as _;

use narthex_template::{Value, number_text};

/// A member's value.
#[derive(Clone, Copy)]
pub(crate) enum Item<'v> {
    Value(&'v Value),
    Number(f64),
    Text(&'static str),
}

/// Writes an object of these members. Undefined ones are dropped; integer-like names come first, in ascending order.
pub(crate) fn write_object<'v>(members: impl Iterator<Item = (&'v str, Item<'v>)> + Clone, out: &mut String) {
    let mut numbered: Vec<(u32, &str, Item<'_>)> = members
        .clone()
        .filter_map(|(name, item)| Some((array_index(name)?, name, item)))
        .collect();
    numbered.sort_by_key(|(index, ..)| *index);
    let named = members.filter(|(name, _)| array_index(name).is_none());
    let mut open = '{';
    for (name, item) in numbered.into_iter().map(|(_, name, item)| (name, item)).chain(named) {
        if matches!(item, Item::Value(Value::Undefined)) {
            continue;
        }
        out.push(open);
        open = ',';
        write_text(name, out);
        out.push(':');
        match item {
            Item::Value(value) => write(value, out),
            Item::Number(number) => write_number(number, out),
            Item::Text(text) => write_text(text, out),
        }
    }
    if open == '{' {
        out.push('{');
    }
    out.push('}');
}

/// Writes a value; undefined is null, as it is among the items of a list.
pub(crate) fn write(value: &Value, out: &mut String) {
    match value {
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => write_number(*number, out),
        Value::BigInteger(integer) => write_number(to_double(*integer), out),
        Value::Text(text) => write_text(text, out),
        Value::Array(items) => {
            let mut open = '[';
            for item in items {
                out.push(open);
                open = ',';
                write(item, out);
            }
            if open == '[' {
                out.push('[');
            }
            out.push(']');
        }
        Value::Object(members) => write_object(
            members.iter().map(|(name, value)| (name.as_str(), Item::Value(value))),
            out,
        ),
        Value::Binary(bytes) => {
            out.push_str(r#"{"type":"Buffer","data":["#);
            for (at, byte) in bytes.iter().enumerate() {
                // Writing to a string cannot fail.
                let _ = write!(out, "{}{byte}", if at > 0 { "," } else { "" });
            }
            out.push_str("]}");
        }
        Value::Undefined | Value::Null => out.push_str("null"),
        // A date is its ISO 8601 text; nothing in that needs escaping.
        other => out.push_str(&other.to_json_text().unwrap_or_default()),
    }
}

/// The double nearest to an integer: JavaScript has no other numbers.
#[expect(clippy::cast_precision_loss, reason = "the loss is the meaning")]
pub(crate) fn to_double(integer: i128) -> f64 {
    integer as f64
}

fn write_number(number: f64, out: &mut String) {
    if number.fract() == 0.0 && number.abs() < SAFE_INTEGER_END {
        #[expect(clippy::cast_possible_truncation, reason = "bounded one line above")]
        let integer = number as i64;
        // Writing to a string cannot fail.
        let _ = write!(out, "{integer}");
    } else if number.is_finite() {
        out.push_str(&number_text(number));
    } else {
        out.push_str("null");
    }
}

/// 2^53: below it every whole double is an integer of its own.
const SAFE_INTEGER_END: f64 = 9_007_199_254_740_992.0;

// Rust text holds no lone surrogates, so only quotes, backslashes and control characters are escaped.
fn write_text(text: &str, out: &mut String) {
    out.push('"');
    #[expect(
        clippy::needless_bitwise_bool,
        reason = "without branches the processor looks at many bytes at a time"
    )]
    let escapes = |found, byte| found | (byte < 0x20) | (byte == b'"') | (byte == b'\\');
    if text.bytes().fold(false, escapes) {
        for c in text.chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\u{8}' => out.push_str("\\b"),
                '\t' => out.push_str("\\t"),
                '\n' => out.push_str("\\n"),
                '\u{c}' => out.push_str("\\f"),
                '\r' => out.push_str("\\r"),
                '\0'..='\u{1f}' => {
                    let _ = write!(out, "\\u{:04x}", u32::from(c));
                }
                _ => out.push(c),
            }
        }
    } else {
        out.push_str(text);
    }
    out.push('"');
}

/// The name as an array index (ECMA-262 6.1.7): canonical decimal, below 2^32 - 1.
pub(crate) fn array_index(name: &str) -> Option<u32> {
    let first = *name.as_bytes().first()?;
    if !first.is_ascii_digit() || (first == b'0' && name.len() > 1) || !name.bytes().all(|digit| digit.is_ascii_digit())
    {
        return None;
    }
    name.parse().ok().filter(|index| *index != u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &Value) -> String {
        let mut out = String::new();
        write(value, &mut out);
        out
    }

    #[test]
    fn writes_what_json_stringify_writes() {
        let json: serde_json::Value = serde_json::from_str(
            r#"{"b":1,"2":[],"10":{},"01":"x","1":1e21,"a":"\u0007\"\\/\n\u2028é","4294967295":-0.0,"4294967294":1e-7}"#,
        )
        .unwrap();
        assert_eq!(
            text(&Value::from(json)),
            "{\"1\":1e+21,\"2\":[],\"10\":{},\"4294967294\":1e-7,\"b\":1,\"01\":\"x\",\"a\":\"\\u0007\\\"\\\\/\\n\u{2028}é\",\"4294967295\":0}"
        );
    }

    #[test]
    fn values_without_a_json_form_are_what_javascript_makes_of_them() {
        for (value, written) in [
            (Value::BigInteger(9_007_199_254_740_993), "9007199254740992"),
            (Value::BigInteger(i128::from(u64::MAX)), "18446744073709552000"),
            (Value::Number(f64::NAN), "null"),
            (Value::Array(vec![Value::Undefined, Value::Null]), "[null,null]"),
            (Value::Binary(vec![0, 255]), r#"{"type":"Buffer","data":[0,255]}"#),
            (Value::Date(1_700_000_000_123), r#""2023-11-14T22:13:20.123Z""#),
        ] {
            assert_eq!(text(&value), written);
        }
        let members = [("a", Value::Undefined), ("b", Value::from(true))];
        let members = members.into_iter().map(|(name, value)| (name.to_owned(), value));
        assert_eq!(text(&Value::Object(members.collect())), r#"{"b":true}"#);
    }
}
