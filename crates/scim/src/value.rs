//! Look-ups in JSON without the case of names.

use serde_json::{Map, Value};

/// Returns the value of a name, whatever its case.
pub(crate) fn get<'m>(object: &'m Map<String, Value>, name: &str) -> Option<&'m Value> {
    let exact = object.get(name);
    exact.or_else(|| {
        let mut entries = object.iter();
        let found = entries.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    })
}

/// Returns the name as the object spells it, or as it is given.
pub(crate) fn spelling(object: &Map<String, Value>, name: &str) -> String {
    let known = object.keys().find(|known| known.eq_ignore_ascii_case(name));
    known.cloned().unwrap_or_else(|| name.to_owned())
}

/// Returns a text; `None` for one that is missing, null or empty, and for other values.
pub(crate) fn text<'m>(object: &'m Map<String, Value>, name: &str) -> Option<&'m str> {
    let text = get(object, name).and_then(Value::as_str);
    text.filter(|text| !text.is_empty())
}

/// Tests whether a value counts as absent: null, an empty text, an empty list (RFC 7643 section 2.5).
pub(crate) fn is_absent(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(object) => object.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}
