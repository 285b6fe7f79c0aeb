//! One way to look at a value, wherever it lives: in the caller's JSON, in the caller's values, or made on the way.
//!
//! A path through the claims stays a borrow until something keeps it; that is what makes `{{payload.sub}}` cost one
//! walk and one string.

use std::borrow::Cow;

use serde_json::{Map, Value as Json};

use crate::dates;
use crate::error::Fault;
use crate::json_text;
use crate::limits::Meter;
use crate::number;
use crate::value::{self, Object, Value};

/// A borrowed value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ref<'a> {
    Undefined,
    Json(&'a Json),
    Map(&'a Map<String, Json>),
    Object(&'a Object),
    /// An object whose names are looked up without regard to case.
    Folded(Fields<'a>),
    Value(&'a Value),
}

/// A value during evaluation: borrowed as long as possible.
#[derive(Debug, Clone)]
pub(crate) enum Val<'a> {
    Ref(Ref<'a>),
    Own(Value),
}

/// Kind and content of a value, ready to match on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum View<'a> {
    Undefined,
    Null,
    Bool(bool),
    Number(f64),
    BigInteger(i128),
    Text(&'a str),
    Array(Items<'a>),
    Object(Fields<'a>),
    Date(i64),
    Binary(&'a [u8]),
}

/// The items of a list.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Items<'a> {
    Json(&'a [Json]),
    Values(&'a [Value]),
    /// Something that is no list, taken for a list of one.
    One(Ref<'a>),
}

/// The members of an object.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fields<'a> {
    Json(&'a Map<String, Json>),
    Values(&'a Object),
}

impl<'a> Val<'a> {
    pub(crate) const UNDEFINED: Self = Self::Own(Value::Undefined);

    pub(crate) fn borrow(&self) -> Ref<'_> {
        match self {
            Self::Ref(borrowed) => *borrowed,
            Self::Own(value) => Ref::Value(value),
        }
    }

    pub(crate) fn view(&self) -> View<'_> {
        self.borrow().view()
    }

    /// A value of its own: borrowed ones are copied, and counted.
    pub(crate) fn into_value(self, meter: &mut Meter) -> Result<Value, Fault> {
        match self {
            Self::Own(value) => Ok(value),
            Self::Ref(borrowed) => borrowed.copy(meter),
        }
    }

    /// A part of this value. Parts of borrowed values are borrowed, parts of made ones are copied.
    pub(crate) fn part(
        &self,
        meter: &mut Meter,
        choose: impl for<'b> FnOnce(Ref<'b>) -> Ref<'b>,
    ) -> Result<Val<'a>, Fault> {
        match self {
            Self::Ref(borrowed) => Ok(Val::Ref(choose(*borrowed))),
            Self::Own(value) => Ok(Val::Own(choose(Ref::Value(value)).copy(meter)?)),
        }
    }
}

impl<T: Into<Value>> From<T> for Val<'_> {
    fn from(value: T) -> Self {
        Self::Own(value.into())
    }
}

impl<'a> Ref<'a> {
    #[inline]
    pub(crate) fn view(self) -> View<'a> {
        match self {
            Self::Undefined => View::Undefined,
            Self::Json(json) => View::from(json),
            Self::Map(map) => View::Object(Fields::Json(map)),
            Self::Object(members) => View::Object(Fields::Values(members)),
            Self::Folded(fields) => View::Object(fields),
            Self::Value(value) => View::from(value),
        }
    }

    /// The member called `name`; undefined if there is none or this is no object.
    #[inline]
    pub(crate) fn field(self, name: &str) -> Ref<'a> {
        match self {
            Self::Json(Json::Object(map)) | Self::Map(map) => map.get(name).map_or(Ref::Undefined, Ref::Json),
            Self::Value(Value::Object(members)) | Self::Object(members) => {
                members.get(name).map_or(Ref::Undefined, Ref::Value)
            }
            Self::Folded(fields) => fields.folded(name),
            _ => Ref::Undefined,
        }
    }

    /// The item at a 1-based position, from the end if negative; undefined if there is none.
    pub(crate) fn item(self, position: i64) -> Ref<'a> {
        let View::Array(items) = self.view() else {
            return Ref::Undefined;
        };
        let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
        let index = match position {
            1.. => position - 1,
            0 => return Ref::Undefined,
            _ => length.saturating_add(position),
        };
        usize::try_from(index)
            .ok()
            .and_then(|index| items.at(index))
            .unwrap_or(Ref::Undefined)
    }

    /// Returns the part that `[key]` names: an item for a number or numeric text, a member for text.
    pub(crate) fn at(self, key: View<'_>) -> Ref<'a> {
        match (self.view(), key) {
            (View::Array(_), key) => whole(key.to_number()).map_or(Ref::Undefined, |position| self.item(position)),
            (View::Object(_), View::Text(name)) => self.field(name),
            (View::Object(_), key @ (View::Number(_) | View::BigInteger(_))) => {
                key.text().map_or(Ref::Undefined, |name| self.field(&name))
            }
            _ => Ref::Undefined,
        }
    }

    /// The value at a dotted path, as `get` and `map` take it: the whole text as one name first, so that names with
    /// dots in them can be reached; list positions are 1-based.
    pub(crate) fn dotted(self, path: &str) -> Ref<'a> {
        let direct = self.field(path);
        if !matches!(direct, Ref::Undefined) {
            return direct;
        }
        let mut at = self;
        for name in path.split('.') {
            // SECURITY: path and value may both come from a claim; a path that leads nowhere must not be walked on.
            if matches!(at, Ref::Undefined) {
                break;
            }
            at = at.at(View::Text(name));
        }
        at
    }

    /// A copy, counted node by node before it is made.
    pub(crate) fn copy(self, meter: &mut Meter) -> Result<Value, Fault> {
        Ok(match self.view() {
            View::Undefined => Value::Undefined,
            View::Null => Value::Null,
            View::Bool(value) => Value::Bool(value),
            View::Number(value) => Value::Number(value),
            View::BigInteger(value) => Value::BigInteger(value),
            View::Date(ms) => Value::Date(ms),
            View::Text(text) => {
                meter.make(text.len())?;
                Value::Text(text.to_owned())
            }
            View::Binary(bytes) => {
                meter.make(bytes.len())?;
                Value::Binary(bytes.to_owned())
            }
            View::Array(items) => {
                meter.make(items.len().saturating_mul(size_of::<Value>()))?;
                meter.burn(items.len())?;
                Value::Array(items.iter().map(|item| item.copy(meter)).collect::<Result<_, _>>()?)
            }
            View::Object(fields) => {
                meter.make(fields.len().saturating_mul(MEMBER_BYTES))?;
                meter.burn(fields.len())?;
                let mut members = Object::with_capacity(fields.len());
                for (name, value) in fields.iter() {
                    meter.make(name.len())?;
                    members.insert(name.to_owned(), value.copy(meter)?);
                }
                Value::Object(members)
            }
        })
    }

    /// See [`Value::to_text`].
    pub(crate) fn text(self) -> Option<Cow<'a, str>> {
        self.view().text()
    }
}

impl<'a> View<'a> {
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Undefined => "undefined",
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Number(_) | Self::BigInteger(_) => "number",
            Self::Text(_) => "text",
            Self::Array(_) => "list",
            Self::Object(_) => "collection",
            Self::Date(_) => "date",
            Self::Binary(_) => "binary",
        }
    }

    pub(crate) fn is_truthy(self) -> bool {
        match self {
            Self::Undefined | Self::Null => false,
            Self::Bool(value) => value,
            Self::Number(value) => value != 0.0 && !value.is_nan(),
            Self::Text(text) => !text.is_empty(),
            Self::BigInteger(_) | Self::Array(_) | Self::Object(_) | Self::Date(_) | Self::Binary(_) => true,
        }
    }

    /// Number of steps that reading all of it costs.
    pub(crate) fn weight(self) -> usize {
        match self {
            Self::Text(text) => text.len() / 64,
            Self::Binary(bytes) => bytes.len() / 64,
            Self::Array(items) => items.len() + items.iter().map(|item| item.view().weight()).sum::<usize>(),
            Self::Object(fields) => {
                fields.len()
                    + fields
                        .iter()
                        .map(|(name, value)| name.len() / 64 + value.view().weight())
                        .sum::<usize>()
            }
            _ => 0,
        }
    }

    /// Undefined or null.
    pub(crate) fn is_nothing(self) -> bool {
        matches!(self, Self::Undefined | Self::Null)
    }

    /// JavaScript's `Number(value)`; a date is its milliseconds.
    pub(crate) fn to_number(self) -> f64 {
        match self {
            Self::Undefined | Self::Object(_) | Self::Binary(_) => f64::NAN,
            Self::Null => 0.0,
            Self::Bool(value) => f64::from(u8::from(value)),
            Self::Number(value) => value,
            Self::BigInteger(value) => number::to_double(value),
            Self::Text(text) => number::of_text(text),
            Self::Array(_) => self.text().map_or(f64::NAN, |text| number::of_text(&text)),
            Self::Date(ms) => number::to_double(i128::from(ms)),
        }
    }

    /// See [`Value::to_text`].
    pub(crate) fn text(self) -> Option<Cow<'a, str>> {
        Some(match self {
            Self::Undefined | Self::Null => Cow::Borrowed(""),
            Self::Bool(true) => Cow::Borrowed("true"),
            Self::Bool(false) => Cow::Borrowed("false"),
            Self::Number(value) => Cow::Owned(number::number_text(value)),
            Self::BigInteger(value) => Cow::Owned(value.to_string()),
            Self::Text(text) => Cow::Borrowed(text),
            Self::Array(items) => {
                let mut joined = String::new();
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        joined.push(',');
                    }
                    joined.push_str(&item.text()?);
                }
                Cow::Owned(joined)
            }
            Self::Object(fields) => Cow::Owned(json_text::write(Ref::Folded(fields))?),
            Self::Date(ms) => Cow::Owned(dates::iso_text(ms)),
            Self::Binary(bytes) => Cow::Borrowed(std::str::from_utf8(bytes).ok()?),
        })
    }

    /// Strict equality: the same kind and the same content; NaN equals nothing.
    pub(crate) fn equals(self, other: View<'_>) -> bool {
        match (self, other) {
            (Self::Undefined, View::Undefined) | (Self::Null, View::Null) => true,
            (Self::Bool(a), View::Bool(b)) => a == b,
            #[expect(clippy::float_cmp, reason = "strict equality of doubles is the operator's meaning")]
            (Self::Number(a), View::Number(b)) => a == b,
            (Self::BigInteger(a), View::BigInteger(b)) => a == b,
            #[expect(clippy::float_cmp, reason = "strict equality of doubles is the operator's meaning")]
            (Self::BigInteger(a), View::Number(b)) | (Self::Number(b), View::BigInteger(a)) => {
                number::to_double(a) == b
            }
            (Self::Text(a), View::Text(b)) => a == b,
            (Self::Date(a), View::Date(b)) => a == b,
            (Self::Binary(a), View::Binary(b)) => a == b,
            (Self::Array(a), View::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| a.view().equals(b.view()))
            }
            (Self::Object(a), View::Object(b)) => {
                a.len() == b.len()
                    && a.iter()
                        .all(|(name, value)| b.get(name).is_some_and(|other| value.view().equals(other.view())))
            }
            _ => false,
        }
    }
}

impl<'a> From<&'a Json> for View<'a> {
    fn from(json: &'a Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => match value::of_json_number(number) {
                Value::BigInteger(value) => Self::BigInteger(value),
                Value::Number(value) => Self::Number(value),
                _ => Self::Undefined,
            },
            Json::String(text) => Self::Text(text),
            Json::Array(items) => Self::Array(Items::Json(items)),
            Json::Object(members) => Self::Object(Fields::Json(members)),
        }
    }
}

impl<'a> From<&'a Value> for View<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Undefined => Self::Undefined,
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(value) => Self::Number(*value),
            Value::BigInteger(value) => Self::BigInteger(*value),
            Value::Text(text) => Self::Text(text),
            Value::Array(items) => Self::Array(Items::Values(items)),
            Value::Object(members) => Self::Object(Fields::Values(members)),
            Value::Date(ms) => Self::Date(*ms),
            Value::Binary(bytes) => Self::Binary(bytes),
        }
    }
}

impl<'a> Items<'a> {
    pub(crate) const EMPTY: Items<'static> = Items::Values(&[]);

    /// The items of a list; nothing for undefined and null; anything else is a list of one.
    pub(crate) fn of(value: Ref<'a>) -> Self {
        match value.view() {
            View::Array(items) => items,
            View::Undefined | View::Null => Items::EMPTY,
            _ => Self::One(value),
        }
    }

    pub(crate) fn len(self) -> usize {
        match self {
            Self::Json(items) => items.len(),
            Self::Values(items) => items.len(),
            Self::One(_) => 1,
        }
    }

    pub(crate) fn at(self, index: usize) -> Option<Ref<'a>> {
        match self {
            Self::Json(items) => items.get(index).map(Ref::Json),
            Self::Values(items) => items.get(index).map(Ref::Value),
            Self::One(value) => (index == 0).then_some(value),
        }
    }

    pub(crate) fn iter(self) -> impl DoubleEndedIterator<Item = Ref<'a>> {
        (0..self.len()).map(move |index| self.at(index).unwrap_or(Ref::Undefined))
    }
}

impl<'a> Fields<'a> {
    pub(crate) fn len(self) -> usize {
        match self {
            Self::Json(map) => map.len(),
            Self::Values(members) => members.len(),
        }
    }

    pub(crate) fn get(self, name: &str) -> Option<Ref<'a>> {
        match self {
            Self::Json(map) => map.get(name).map(Ref::Json),
            Self::Values(members) => members.get(name).map(Ref::Value),
        }
    }

    pub(crate) fn iter(self) -> Box<dyn Iterator<Item = (&'a str, Ref<'a>)> + 'a> {
        match self {
            Self::Json(map) => Box::new(map.iter().map(|(name, value)| (name.as_str(), Ref::Json(value)))),
            Self::Values(members) => Box::new(members.iter().map(|(name, value)| (name.as_str(), Ref::Value(value)))),
        }
    }

    /// Looks a name up without regard to ASCII case; the exact spelling wins, then the first that fits.
    fn folded(self, name: &str) -> Ref<'a> {
        if let Some(found) = self.get(name) {
            return found;
        }
        self.iter()
            .find(|(candidate, _)| candidate.eq_ignore_ascii_case(name))
            .map_or(Ref::Undefined, |(_, value)| value)
    }
}

/// The number as a position, if it is whole.
pub(crate) fn whole(number: f64) -> Option<i64> {
    number::as_safe_integer(number)
}

/// Approximate size, in bytes, of one member of an object besides its name and the contents of its value.
pub(crate) const MEMBER_BYTES: usize = 96;
