//! Paths of attributes (RFC 7644 section 3.10).

use serde_json::{Map, Value};

use crate::value::get;
use crate::{GROUP_SCHEMA, USER_SCHEMA};

/// Longest path, in bytes.
const PATH_BYTES_MAX: usize = 512;

/// Path of an attribute: `name.familyName`, with the schema of an extension in front where it belongs to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributePath {
    /// Schema of an extension; `None` for the schemas of users and groups.
    pub schema: Option<String>,
    /// Name of the attribute.
    pub name: String,
    /// Name of an attribute inside it.
    pub sub: Option<String>,
}

impl AttributePath {
    /// Parses a path; `None` for a text that is none.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > PATH_BYTES_MAX {
            return None;
        }
        let is_urn = text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:"));
        let (schema, rest) = match text.rsplit_once(':') {
            Some((schema, rest)) if is_urn => (Some(schema), rest),
            Some(_) => return None,
            None => (None, text),
        };
        let (name, sub) = match rest.split_once('.') {
            Some((name, sub)) => (name, Some(sub)),
            None => (rest, None),
        };
        if !is_name(name) || sub.is_some_and(|sub| !is_name(sub)) {
            return None;
        }
        let is_core =
            |schema: &str| schema.eq_ignore_ascii_case(USER_SCHEMA) || schema.eq_ignore_ascii_case(GROUP_SCHEMA);
        Some(Self {
            schema: schema.filter(|schema| !is_core(schema)).map(str::to_owned),
            name: name.to_owned(),
            sub: sub.map(str::to_owned),
        })
    }

    /// Tests whether the path is that of this attribute of a user or a group.
    pub fn is(&self, name: &str, sub: Option<&str>) -> bool {
        let same_sub = match (&self.sub, sub) {
            (Some(own), Some(other)) => own.eq_ignore_ascii_case(other),
            (None, None) => true,
            _ => false,
        };
        self.schema.is_none() && self.name.eq_ignore_ascii_case(name) && same_sub
    }

    /// Returns the values at the path: those of each item where the attribute is a list. The `value` of an item stands for
    /// the item (RFC 7643 section 2.4).
    pub(crate) fn values<'r>(&self, resource: &'r Map<String, Value>) -> Vec<&'r Value> {
        let container = match &self.schema {
            Some(schema) => get(resource, schema).and_then(Value::as_object),
            None => Some(resource),
        };
        let Some(value) = container.and_then(|container| get(container, &self.name)) else {
            return Vec::new();
        };
        let items = match value {
            Value::Array(items) => items.iter().collect(),
            single => vec![single],
        };
        let inner = |item: &'r Value| match (item, &self.sub) {
            (Value::Object(object), Some(sub)) => get(object, sub),
            (Value::Object(object), None) => get(object, "value").or(Some(item)),
            (_, Some(_)) => None,
            (plain, None) => Some(plain),
        };
        items.into_iter().filter_map(inner).collect()
    }
}

/// Tests whether a text is a name of an attribute (RFC 7643 section 2.1); `$ref` is one.
pub(crate) fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'$')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn path(name: &str, sub: Option<&str>) -> AttributePath {
        AttributePath {
            schema: None,
            name: name.to_owned(),
            sub: sub.map(str::to_owned),
        }
    }

    #[test]
    fn paths_have_an_attribute_a_part_of_it_and_perhaps_a_schema() {
        let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        for (text, wanted) in [
            ("userName", Some(path("userName", None))),
            ("name.familyName", Some(path("name", Some("familyName")))),
            (
                "urn:ietf:params:scim:schemas:core:2.0:User:name.familyName",
                Some(path("name", Some("familyName"))),
            ),
            (
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
                Some(AttributePath {
                    schema: Some(enterprise.to_owned()),
                    ..path("department", None)
                }),
            ),
            ("members.$ref", Some(path("members", Some("$ref")))),
            ("", None),
            ("a.b.c", None),
            ("http:userName", None),
            ("user name", None),
            ("1a", None),
        ] {
            assert_eq!(AttributePath::parse(text), wanted, "{text}");
        }
    }

    #[test]
    fn values_are_found_in_lists_and_extensions_whatever_the_case() {
        let resource = json!({
            "UserName": "ada",
            "emails": [{ "value": "a@example.com", "type": "work" }, { "value": "b@example.com" }],
            "urn:x:User": { "department": "R" },
        });
        let resource = resource.as_object().unwrap();
        let at = |path: &str| AttributePath::parse(path).unwrap().values(resource).len();
        assert_eq!(
            ["username", "emails", "emails.type", "urn:x:User:department", "nothing"].map(at),
            [1, 2, 1, 1, 0]
        );
    }
}
