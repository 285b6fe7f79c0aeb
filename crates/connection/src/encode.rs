//! Percent-encoding, as queries and forms have it.

use narthex_template::{Object, Value};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

/// SPEC: RFC 3986 2.3: everything but the unreserved characters.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same, but the mask stays readable.
const SHOWN: &AsciiSet = &COMPONENT.remove(b'*');
/// Characters that may not stand in a URL as they are. `%` may, since it has been encoded already.
const URL: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`');

/// Reader of the encoded text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// The service: everything that needs it is encoded.
    Service,
    /// The service, and the document has encoded it already.
    ServiceAsWritten,
    /// A person who may not see secrets.
    Person,
}

/// A name or a value of a query or a form.
pub(crate) fn component(text: &str) -> String {
    utf8_percent_encode(text, COMPONENT).to_string()
}

/// A URL, in which what may not stand there as it is becomes encoded.
pub(crate) fn url(text: &str) -> String {
    utf8_percent_encode(text, URL).to_string()
}

/// `a=1&b=2&b=3`. Lists repeat the name, null is empty, undefined is dropped. The error is the name of a member that
/// cannot be written.
pub(crate) fn pairs(members: &Object, reader: Reader) -> Result<String, String> {
    let encoded = |text: &str| match reader {
        Reader::Service => component(text),
        Reader::ServiceAsWritten => text.to_owned(),
        Reader::Person => utf8_percent_encode(text, SHOWN).to_string(),
    };
    let mut pairs = Vec::new();
    for (name, value) in members {
        let one = std::slice::from_ref(value);
        let values = match value {
            Value::Array(items) => items.as_slice(),
            _ => one,
        };
        for value in values {
            let text = match value {
                Value::Undefined => continue,
                Value::Array(_) | Value::Object(_) => return Err(name.clone()),
                other => other.to_text().ok_or_else(|| name.clone())?,
            };
            pairs.push(format!("{}={}", encoded(name), encoded(&text)));
        }
    }
    Ok(pairs.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(json: serde_json::Value) -> Object {
        match Value::from(json) {
            Value::Object(members) => members,
            other => panic!("{}", other.kind()),
        }
    }

    #[test]
    fn lists_repeat_and_everything_reserved_is_encoded() {
        let members = members(serde_json::json!({ "a b": "c&d=\u{e9}", "l": [1, true], "n": null, "m": "***" }));
        assert_eq!(
            pairs(&members, Reader::Service).unwrap(),
            "a%20b=c%26d%3D%C3%A9&l=1&l=true&n=&m=%2A%2A%2A"
        );
        assert!(pairs(&members, Reader::Person).unwrap().ends_with("m=***"));
        assert!(
            pairs(&members, Reader::ServiceAsWritten)
                .unwrap()
                .starts_with("a b=c&d=")
        );
    }

    #[test]
    fn collections_cannot_be_written() {
        let members = members(serde_json::json!({ "a": { "b": 1 } }));
        assert_eq!(pairs(&members, Reader::Service), Err("a".to_owned()));
    }
}
