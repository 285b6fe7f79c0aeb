//! Parts of a request that templates may read, made only for mappings that read them.

use http::HeaderMap;
use narthex_mapping::{IssuerMapping, RequestFacts, RequestPart};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

/// Headers, query and login body of a request as templates see them; `None` for a part that the mapping does not read.
#[derive(Debug)]
pub struct OwnedRequestFacts {
    headers: Option<Map<String, Value>>,
    query: Option<Map<String, Value>>,
    body: Option<Value>,
}

impl OwnedRequestFacts {
    /// Collects the parts of a request that a mapping reads.
    pub fn new(mapping: &IssuerMapping, headers: &HeaderMap, query: Option<&str>) -> Self {
        Self {
            headers: mapping.reads(RequestPart::Headers).then(|| header_values(headers)),
            query: mapping
                .reads(RequestPart::Query)
                .then(|| query_values(query.unwrap_or_default())),
            body: None,
        }
    }

    /// Adds the body of an embedded login, if the mapping reads it.
    #[must_use]
    pub fn with_body(mut self, mapping: &IssuerMapping, body: Option<&Value>) -> Self {
        self.body = body.filter(|_| mapping.reads(RequestPart::Body)).cloned();
        self
    }

    /// Returns the facts borrowed, as the mapping takes them.
    pub const fn facts(&self) -> RequestFacts<'_> {
        RequestFacts {
            headers: self.headers.as_ref(),
            query: self.query.as_ref(),
            body: self.body.as_ref(),
        }
    }
}

/// Returns headers by lower-case name. Several values of one name are joined by `, ` (RFC 9110 section 5.3). Values
/// that are not text are left out, and so is the credential itself.
fn header_values(headers: &HeaderMap) -> Map<String, Value> {
    let mut values = Map::new();
    for name in headers
        .keys()
        .filter(|name| *name != http::header::AUTHORIZATION && *name != http::header::COOKIE)
    {
        let texts: Vec<&str> = headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .collect();
        values.insert(name.as_str().to_owned(), Value::String(texts.join(", ")));
    }
    values
}

/// Returns query parameters by name, decoded like forms (`+` is a blank). Of several with one name the first counts.
fn query_values(query: &str) -> Map<String, Value> {
    let mut values = Map::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decode = |text: &str| {
            percent_decode_str(&text.replace('+', " "))
                .decode_utf8_lossy()
                .into_owned()
        };
        values
            .entry(decode(name))
            .or_insert_with(|| Value::String(decode(value)));
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded_and_the_first_of_a_name_counts() {
        let values = query_values("a=1+2&b=%C3%A9&a=3&c&=x&&%zz=1");
        assert_eq!(
            Value::Object(values),
            serde_json::json!({ "a": "1 2", "b": "é", "c": "", "": "x", "%zz": "1" })
        );
    }

    #[test]
    fn the_credential_is_not_among_the_headers() {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", http::HeaderValue::from_static("Bearer x"));
        headers.insert("cookie", http::HeaderValue::from_static("t=x"));
        headers.append("x-a", http::HeaderValue::from_static("1"));
        headers.append("x-a", http::HeaderValue::from_static("2"));
        assert_eq!(
            Value::Object(header_values(&headers)),
            serde_json::json!({ "x-a": "1, 2" })
        );
    }
}
