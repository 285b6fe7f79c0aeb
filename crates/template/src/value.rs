//! Values of templates.

use std::borrow::Cow;

use base64::Engine as _;
use indexmap::IndexMap;
use serde_json::Value as Json;

use crate::dates::{self, Zone};
use crate::json_text;
use crate::number;
use crate::view::{Ref, View};

/// The members of an object, in order.
pub type Object = IndexMap<String, Value>;

/// Value that a template evaluates to.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// No value: the key it would fill is dropped.
    Undefined,
    /// JSON's null, a value like any other.
    Null,
    /// True or false.
    Bool(bool),
    /// A number. NaN and the infinities occur; JSON has null for them.
    Number(f64),
    /// An integer that no double holds exactly, carried from the input. Its text, its JSON and comparison are exact;
    /// arithmetic takes the nearest double.
    // SECURITY: 64-bit ids in claims are common. Rounding them to doubles would give two people one external id.
    BigInteger(i128),
    /// Text.
    Text(String),
    /// A list.
    Array(Vec<Value>),
    /// A collection: names with values, in order.
    Object(Object),
    /// An instant, in milliseconds since the Unix epoch.
    Date(i64),
    /// Bytes.
    Binary(Vec<u8>),
}

impl Value {
    /// The value as JSON. `None` for undefined; undefined members of objects are dropped, undefined items of arrays
    /// are null, as `JSON.stringify` has it. A date is its ISO 8601 text, binary its base64 text, NaN null.
    pub fn to_json(&self) -> Option<Json> {
        Some(match self {
            Self::Undefined => return None,
            Self::Null => Json::Null,
            Self::Bool(value) => Json::Bool(*value),
            Self::Number(value) => number_json(*value),
            Self::BigInteger(value) => big_integer_json(*value),
            Self::Text(text) => Json::String(text.clone()),
            Self::Array(items) => items.iter().map(|item| item.to_json().unwrap_or(Json::Null)).collect(),
            Self::Object(members) => Json::Object(
                members
                    .iter()
                    .filter_map(|(name, value)| Some((name.clone(), value.to_json()?)))
                    .collect(),
            ),
            Self::Date(ms) => Json::String(dates::iso_text(*ms)),
            Self::Binary(bytes) => Json::String(base64::engine::general_purpose::STANDARD.encode(bytes)),
        })
    }

    /// [`Value::to_json`], but moves text, lists and objects instead of copying them.
    pub fn into_json(self) -> Option<Json> {
        Some(match self {
            Self::Text(text) => Json::String(text),
            Self::Array(items) => items
                .into_iter()
                .map(|item| item.into_json().unwrap_or(Json::Null))
                .collect(),
            Self::Object(members) => Json::Object(
                members
                    .into_iter()
                    .filter_map(|(name, value)| Some((name, value.into_json()?)))
                    .collect(),
            ),
            other => return other.to_json(),
        })
    }

    /// The value as JSON text, byte for byte what `JSON.stringify` would write: integer-like keys first, `1e+21`,
    /// nothing escaped but quotes, backslashes and control characters. `None` for undefined.
    pub fn to_json_text(&self) -> Option<String> {
        json_text::write(Ref::Value(self))
    }

    /// The value as text, as it would stand inside a mixed template. Undefined and null are empty, lists are their
    /// items joined with commas, collections are JSON. `None` for binary that is not UTF-8.
    pub fn to_text(&self) -> Option<Cow<'_, str>> {
        Ref::Value(self).text()
    }

    /// The text, if the value is text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value as an instant, in milliseconds since the Unix epoch: a date, a number of milliseconds, or text in one of
    /// the usual forms, told in `zone` if it names none.
    pub fn to_instant_ms(&self, zone: &Zone) -> Option<i64> {
        dates::of_view(View::from(self), zone)
    }

    /// Tests whether `if` would take the value for true: everything but undefined, null, false, 0, NaN and empty text.
    pub fn is_truthy(&self) -> bool {
        View::from(self).is_truthy()
    }

    /// Kind of the value, for messages: `text`, `number`, `list`, ...
    pub fn kind(&self) -> &'static str {
        View::from(self).kind()
    }
}

impl From<&Json> for Value {
    fn from(json: &Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => of_json_number(number),
            Json::String(text) => Self::Text(text.clone()),
            Json::Array(items) => Self::Array(items.iter().map(Self::from).collect()),
            Json::Object(members) => Self::Object(
                members
                    .iter()
                    .map(|(name, value)| (name.clone(), Self::from(value)))
                    .collect(),
            ),
        }
    }
}

impl From<Json> for Value {
    fn from(json: Json) -> Self {
        match json {
            Json::String(text) => Self::Text(text),
            Json::Array(items) => Self::Array(items.into_iter().map(Self::from).collect()),
            Json::Object(members) => Self::Object(
                members
                    .into_iter()
                    .map(|(name, value)| (name, Self::from(value)))
                    .collect(),
            ),
            other => Self::from(&other),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

/// A JSON number: an integer a double cannot hold stays exact.
pub(crate) fn of_json_number(number: &serde_json::Number) -> Value {
    if let Some(integer) = number.as_i128() {
        of_integer(integer)
    } else {
        Value::Number(number.as_f64().unwrap_or(f64::NAN))
    }
}

/// An integer, exact whatever its size.
pub(crate) fn of_integer(integer: i128) -> Value {
    if integer.abs() <= number::SAFE_INTEGER {
        Value::Number(number::to_double(integer))
    } else {
        Value::BigInteger(integer)
    }
}

fn number_json(value: f64) -> Json {
    match number::as_safe_integer(value) {
        Some(integer) => Json::from(integer),
        // NaN and the infinities have no JSON form.
        None => serde_json::Number::from_f64(value).map_or(Json::Null, Json::Number),
    }
}

fn big_integer_json(value: i128) -> Json {
    if let Ok(value) = u64::try_from(value) {
        Json::from(value)
    } else if let Ok(value) = i64::try_from(value) {
        Json::from(value)
    } else {
        number_json(number::to_double(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn big_integers_stay_exact() {
        let json = serde_json::json!([9_007_199_254_740_993_u64, u64::MAX, i64::MIN]);
        let value = Value::from(&json);
        assert_eq!(value.to_json().unwrap(), json);
        assert_eq!(
            value.to_text().unwrap(),
            "9007199254740993,18446744073709551615,-9223372036854775808"
        );
    }

    #[test]
    fn undefined_members_are_dropped_and_undefined_items_are_null() {
        let mut members = Object::new();
        members.insert("a".into(), Value::Undefined);
        members.insert(
            "b".into(),
            Value::Array(vec![Value::Undefined, Value::Number(f64::NAN)]),
        );
        let value = Value::Object(members);
        assert_eq!(value.to_json().unwrap().to_string(), r#"{"b":[null,null]}"#);
        assert_eq!(value.to_json_text().unwrap(), r#"{"b":[null,null]}"#);
        assert_eq!(value.into_json().unwrap().to_string(), r#"{"b":[null,null]}"#);
        assert!(Value::Undefined.to_json().is_none());
    }
}
