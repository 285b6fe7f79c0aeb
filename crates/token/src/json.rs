//! JSON objects, strictly: no duplicate names at any level, bounded depth, nothing after the end.
//!
//! `serde_json` keeps the last of two members with one name. Two parsers that keep different ones read two different
//! tokens, so here the second one is a refusal. The check costs nothing: the map tells when a name was there already.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::codec::sanitize;

/// Why bytes are not an acceptable JSON object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum JsonFault {
    /// Not JSON, not UTF-8, a number beyond a double, or something after the end.
    Syntax,
    /// JSON, but not an object.
    NotAnObject,
    /// One object names a member twice. The name is sanitized.
    Duplicate(String),
    /// Nested deeper than the limit.
    TooDeep,
}

/// Parses one JSON object. The object itself is level one.
///
/// `members_expected` is only a guess that saves the map from growing.
pub(crate) fn parse_object(
    bytes: &[u8],
    depth_max: usize,
    members_expected: usize,
) -> Result<Map<String, Value>, JsonFault> {
    let fault = Cell::new(None);
    let level = Level {
        depth_left: depth_max,
        members_expected,
        fault: &fault,
    };
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let Ok(value) = level.deserialize(&mut deserializer) else {
        return Err(fault.take().unwrap_or(JsonFault::Syntax));
    };
    if deserializer.end().is_err() {
        return Err(JsonFault::Syntax);
    }
    match value {
        Value::Object(members) => Ok(members),
        _ => Err(JsonFault::NotAnObject),
    }
}

/// A value at some depth: how many levels may still open below, and where to say what went wrong.
#[derive(Clone, Copy)]
struct Level<'f> {
    depth_left: usize,
    members_expected: usize,
    fault: &'f Cell<Option<JsonFault>>,
}

impl Level<'_> {
    fn refuse<E: serde::de::Error>(self, fault: JsonFault) -> E {
        self.fault.set(Some(fault));
        E::custom("refused")
    }

    fn below<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.depth_left.checked_sub(1) {
            Some(depth_left) => Ok(Self {
                depth_left,
                members_expected: 0,
                ..self
            }),
            None => Err(self.refuse(JsonFault::TooDeep)),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Level<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| self.refuse(JsonFault::Syntax))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(below)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut object = Map::with_capacity(self.members_expected);
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(below)?;
            match object.entry(name) {
                serde_json::map::Entry::Vacant(vacant) => {
                    vacant.insert(value);
                }
                serde_json::map::Entry::Occupied(occupied) => {
                    return Err(self.refuse(JsonFault::Duplicate(sanitize(occupied.key()))));
                }
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> JsonFault {
        parse_object(text.as_bytes(), 32, 0).expect_err(text)
    }

    #[test]
    fn agrees_with_serde_json_on_good_objects() {
        for text in [
            "{}",
            r#" {"a":1,"b":-1,"c":1.5,"d":true,"e":null,"f":"\u00e9\n","g":[1,[2,{"h":{}}]]} "#,
            r#"{"big":18446744073709551615,"small":-9223372036854775808,"huge":1e300}"#,
        ] {
            let expected: Map<String, Value> = serde_json::from_str(text).unwrap();
            assert_eq!(parse_object(text.as_bytes(), 32, 0).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn refuses_a_second_member_of_one_name_at_every_level() {
        assert_eq!(fault(r#"{"a":1,"a":1}"#), JsonFault::Duplicate("a".to_owned()));
        assert_eq!(
            fault(r#"{"x":[{"a":1,"\u0061":2}]}"#),
            JsonFault::Duplicate("a".to_owned())
        );
    }

    #[test]
    fn refuses_what_is_not_one_object() {
        assert_eq!(fault("[]"), JsonFault::NotAnObject);
        assert_eq!(fault("1"), JsonFault::NotAnObject);
        for text in [
            "",
            "{",
            "{}x",
            "{} {}",
            "{\"a\":1e400}",
            "{\"a\":NaN}",
            "{\"a\":\"\\ud800\"}",
            "{a:1}",
            "{\"a\":01}",
        ] {
            assert_eq!(fault(text), JsonFault::Syntax, "{text}");
        }
        assert_eq!(parse_object(b"{\"a\":\"\xff\"}", 32, 7), Err(JsonFault::Syntax));
        assert_eq!(parse_object(b"\xef\xbb\xbf{}", 32, 7), Err(JsonFault::Syntax));
    }

    #[test]
    fn the_depth_limit_counts_the_object_itself() {
        let nested = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
        assert!(parse_object(nested(32).as_bytes(), 32, 4).is_ok());
        assert_eq!(fault(&nested(33)), JsonFault::TooDeep);
        // Far beyond what any stack could take, in bounded time.
        assert_eq!(fault(&nested(8_000)), JsonFault::TooDeep);
    }
}
