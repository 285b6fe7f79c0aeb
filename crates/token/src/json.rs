//! JSON objects, strictly: no duplicate names at any level, bounded depth, nothing after the end.
//!
//! `serde_json` keeps the last of two members with one name. Two parsers that keep different ones read two different
//! tokens, so here the second one is a refusal. The check costs nothing: the map tells when a name was there already.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::codec::sanitize;

/// Reason why bytes are not an acceptable JSON object.
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

impl JsonFault {
    /// A second member of this name.
    pub(crate) fn duplicate(name: &str) -> Self {
        Self::Duplicate(sanitize(name))
    }
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
        expected: Expected::Members(members_expected),
        fault: &fault,
    };
    match parse_all(bytes, level, &fault)? {
        Value::Object(members) => Ok(members),
        _ => Err(JsonFault::NotAnObject),
    }
}

/// Parses one JSON object and hands over its members one by one instead of building a map. The callback watches for
/// names that come twice.
pub(crate) fn walk_object(
    bytes: &[u8],
    depth_max: usize,
    take: impl FnMut(&str, Member<'_>) -> Result<(), JsonFault>,
) -> Result<(), JsonFault> {
    let fault = Cell::new(None);
    let level = Level {
        depth_left: depth_max,
        expected: Expected::Nothing,
        fault: &fault,
    };
    parse_all(bytes, Walk { level, take }, &fault)
}

fn parse_all<'de, S: DeserializeSeed<'de>>(
    bytes: &'de [u8],
    seed: S,
    fault: &Cell<Option<JsonFault>>,
) -> Result<S::Value, JsonFault> {
    // Once for all: cheaper than text by text inside the parser.
    let text = std::str::from_utf8(bytes).map_err(|_| JsonFault::Syntax)?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    match seed.deserialize(&mut deserializer) {
        Ok(value) => deserializer.end().map(|()| value).map_err(|_| JsonFault::Syntax),
        Err(_) => Err(fault.take().unwrap_or_else(|| {
            // What is not an object is good JSON all the same.
            let other = !text.trim_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok();
            if other {
                JsonFault::NotAnObject
            } else {
                JsonFault::Syntax
            }
        })),
    }
}

/// An object whose members go to `take`.
struct Walk<'f, T> {
    level: Level<'f>,
    take: T,
}

impl<'de, T: FnMut(&str, Member<'_>) -> Result<(), JsonFault>> DeserializeSeed<'de> for Walk<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: FnMut(&str, Member<'_>) -> Result<(), JsonFault>> Visitor<'de> for Walk<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        let below = self.level.below()?;
        while let Some(Name(name)) = members.next_key()? {
            let value = members.next_value_seed(Loose(below))?;
            (self.take)(&name, value).map_err(|fault| self.level.refuse(fault))?;
        }
        Ok(())
    }
}

/// A member's name, borrowed unless it is written with escapes.
#[derive(Deserialize)]
struct Name<'n>(#[serde(borrow)] Cow<'n, str>);

/// The value of a member: text is borrowed unless it is written with escapes.
#[derive(Debug)]
pub(crate) enum Member<'v> {
    Text(Cow<'v, str>),
    Other(Value),
}

/// A [`Level`] that leaves text where it is.
struct Loose<'f>(Level<'f>);

impl<'de> DeserializeSeed<'de> for Loose<'_> {
    type Value = Member<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Member<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Loose<'_> {
    type Value = Member<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Member<'de>, E> {
        Ok(Member::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Member<'de>, E> {
        Ok(Member::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Member<'de>, E> {
        self.0.visit_bool(value).map(Member::Other)
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Member<'de>, E> {
        self.0.visit_i64(value).map(Member::Other)
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Member<'de>, E> {
        self.0.visit_u64(value).map(Member::Other)
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Member<'de>, E> {
        self.0.visit_f64(value).map(Member::Other)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Member<'de>, E> {
        self.0.visit_unit().map(Member::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Member<'de>, A::Error> {
        self.0.visit_seq(items).map(Member::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Member<'de>, A::Error> {
        self.0.visit_map(members).map(Member::Other)
    }
}

/// Room that a value may reserve, before its size is known.
///
/// SECURITY: only the outermost object and the arrays right in it get room in advance, or a few thousand tiny arrays would
/// ask for megabytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// The outermost object, of about so many members.
    Members(usize),
    /// A member of it; a list of groups, perhaps.
    Items,
    /// Anything deeper.
    Nothing,
}

/// Expected number of a user's groups; as many items fit into one kibibyte.
const ITEMS_EXPECTED: usize = 12;

/// A value at some depth: how many levels may still open below, and where to say what went wrong.
#[derive(Clone, Copy)]
struct Level<'f> {
    depth_left: usize,
    expected: Expected,
    fault: &'f Cell<Option<JsonFault>>,
}

impl Level<'_> {
    fn refuse<E: serde::de::Error>(self, fault: JsonFault) -> E {
        self.fault.set(Some(fault));
        E::custom("refused")
    }

    fn below<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.depth_left.checked_sub(1) {
            Some(depth_left) => {
                let expected = match self.expected {
                    Expected::Members(_) => Expected::Items,
                    Expected::Items | Expected::Nothing => Expected::Nothing,
                };
                Ok(Self {
                    depth_left,
                    expected,
                    ..self
                })
            }
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
            if array.is_empty() && self.expected == Expected::Items {
                array.reserve_exact(ITEMS_EXPECTED);
            }
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut object = match self.expected {
            Expected::Members(count) => Map::with_capacity(count),
            Expected::Items | Expected::Nothing => Map::new(),
        };
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(below)?;
            match object.entry(name) {
                serde_json::map::Entry::Vacant(vacant) => {
                    vacant.insert(value);
                }
                serde_json::map::Entry::Occupied(occupied) => {
                    return Err(self.refuse(JsonFault::duplicate(occupied.key())));
                }
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fault(text: &str) -> JsonFault {
        parse_object(text.as_bytes(), 32, 0).expect_err(text)
    }

    #[test]
    fn agrees_with_serde_json_on_good_objects() {
        for text in [
            "{}",
            " {\t\"a\" :1 , \"b\":[ ] ,\r\n\"c\":{ } } ",
            r#" {"a":1,"b":-1,"c":1.5,"d":true,"e":null,"f":"\u00e9\n\"\\","g":[1,[2,{"h":{}}]],"\u0069":false} "#,
            r#"{"big":18446744073709551615,"small":-9223372036854775808,"huge":1e300,"zero":0,"minus":-0}"#,
            r#"{"d18":999999999999999999,"d19":9999999999999999999,"d20":99999999999999999999,"e":1E+2,"f":0.0}"#,
            r#"{"naïve":"名前","emoji":"\ud83d\ude00"}"#,
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
        for text in ["[]", "1", "\"a\"", "null", " [1, {}] "] {
            assert_eq!(fault(text), JsonFault::NotAnObject, "{text}");
        }
        for text in [
            "",
            "{",
            "{}x",
            "{} {}",
            "[",
            "[]]",
            "{\"a\":1e400}",
            "{\"a\":NaN}",
            "{\"a\":\"\\ud800\"}",
            "{a:1}",
            "{\"a\":01}",
            "{\"a\":1,}",
            "{,}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\" 1}",
            "{\"a\":1 \"b\":2}",
            "{\"a\":[1,]}",
            "{\"a\":[,]}",
            "{\"a\":[1 2]}",
            "{\"a\":\"\n\"}",
            "{\"a\":\"\\\n\"}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\",
            "{\"a\":\"\\\"}",
            "{\"a\":tru}",
            "{\"a\":nulll}",
            "{\"a\":-}",
            "{\"a\":+1}",
            "{\"a\":1.}",
            "{\"a\":.5}",
            "{\"a\":1-2}",
            "{\"a\":0x10}",
            "{'a':1}",
            "{\"a\":1}//",
            "{\u{a0}}",
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
        assert_eq!(fault(&"{\"a\":".repeat(8_000)), JsonFault::TooDeep);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::String),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
                proptest::collection::vec((any::<String>(), inner), 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// Reads the output of `serde_json` as `serde_json` does.
        #[test]
        fn reads_what_serde_json_writes(value in any_json(), pretty in any::<bool>()) {
            let outer = serde_json::json!({ "value": value });
            let text = if pretty { serde_json::to_string_pretty(&outer) } else { serde_json::to_string(&outer) }.unwrap();
            let expected: Map<String, Value> = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(parse_object(text.as_bytes(), 32, 3), Ok(expected));
        }

        /// Damaged texts are accepted and refused alike, but for names that come twice.
        #[test]
        fn agrees_with_serde_json_on_damaged_texts(
            value in any_json(),
            damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>(), any::<bool>()), 1..4),
        ) {
            let mut bytes = serde_json::json!({ "value": value }).to_string().into_bytes();
            for (position, byte, keep) in damage {
                let position = position.index(bytes.len());
                let structural = b"{}[]\",:\\ 0-.eE+tfnu\n";
                let byte = if keep { byte } else { structural[usize::from(byte) % structural.len()] };
                bytes[position] = byte;
            }
            let ours = parse_object(&bytes, 32, 0);
            let theirs = serde_json::from_slice::<Map<String, Value>>(&bytes);
            match ours {
                Ok(ours) => prop_assert_eq!(ours, theirs.unwrap()),
                Err(JsonFault::Duplicate(_)) => {}
                Err(_) => prop_assert!(theirs.is_err(), "{:?}", String::from_utf8_lossy(&bytes)),
            }
        }
    }
}
