//! A JSON document as the tree that the walk reads.
//!
//! A value of a TOML file has its bytes as its place. A JSON value has a number: values are counted in the order of the
//! document, and the span of value `n` is `n..n + 1`. The tree keeps the JSON Pointer (RFC 6901) of each number.

use std::borrow::Cow;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Problem, Problems};

/// A JSON document as the walk reads it.
#[derive(Debug)]
pub struct JsonTree<'j> {
    /// The whole document; `None` if it is `null`.
    pub root: Option<Spanned<DeValue<'j>>>,
    /// JSON Pointer of each value, by its number.
    pub fields: Vec<String>,
}

impl<'j> JsonTree<'j> {
    /// Makes the tree. `numbers` are the [`number_texts`] of the same document. A `null` is a problem: TOML has none,
    /// and a key without a value is left out.
    pub fn new(document: &'j Value, numbers: &'j [String], problems: &mut Problems) -> Self {
        let mut builder = Builder {
            fields: Vec::new(),
            numbers: numbers.iter(),
            problems,
        };
        let root = builder.value(document, "");
        Self {
            root,
            fields: builder.fields,
        }
    }
}

/// Texts of all numbers of a document, in its order. The tree borrows them.
pub fn number_texts(document: &Value) -> Vec<String> {
    match document {
        Value::Number(number) => vec![number.to_string()],
        Value::Array(items) => items.iter().flat_map(number_texts).collect(),
        Value::Object(members) => members.values().flat_map(number_texts).collect(),
        Value::Null | Value::Bool(_) | Value::String(_) => Vec::new(),
    }
}

struct Builder<'j, 'p> {
    fields: Vec<String>,
    numbers: std::slice::Iter<'j, String>,
    problems: &'p mut Problems,
}

impl<'j> Builder<'j, '_> {
    fn value(&mut self, value: &'j Value, pointer: &str) -> Option<Spanned<DeValue<'j>>> {
        let number = self.fields.len();
        let span = number..number + 1;
        self.fields.push(pointer.to_owned());
        let read = match value {
            Value::Null => {
                let problem = Problem::error(span, format!("{} is `null`", name_of(pointer)));
                self.problems
                    .push(problem.help("leave it out if there is nothing to say"));
                return None;
            }
            Value::Bool(flag) => DeValue::Boolean(*flag),
            Value::Number(_) => {
                let parsed = self.numbers.next().and_then(|text| DeValue::parse(text).ok());
                let Some(parsed) = parsed else {
                    let message = format!("{} is not a number that can be read", name_of(pointer));
                    self.problems.push(Problem::error(span, message));
                    return None;
                };
                parsed.into_inner()
            }
            Value::String(text) => DeValue::String(Cow::Borrowed(text)),
            Value::Array(items) => DeValue::Array(
                items
                    .iter()
                    .enumerate()
                    .filter_map(|(index, item)| self.value(item, &format!("{pointer}/{index}")))
                    .collect(),
            ),
            Value::Object(members) => {
                let mut table = DeTable::new();
                for (name, member) in members {
                    let below = format!("{pointer}/{}", escaped(name));
                    if let Some(read) = self.value(member, &below) {
                        table.insert(Spanned::new(read.span(), Cow::Borrowed(name.as_str())), read);
                    }
                }
                DeValue::Table(table)
            }
        };
        Some(Spanned::new(span, read))
    }
}

/// A member's name within a JSON Pointer (RFC 6901 section 3).
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// The field in the words of a message: its name, without where it is.
fn name_of(pointer: &str) -> String {
    match pointer.rsplit('/').next() {
        Some(name) if !name.is_empty() => format!("`{}`", name.replace("~1", "/").replace("~0", "~")),
        _ => "the document".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_value_has_the_json_pointer_of_its_field() {
        let document = json!({"a": {"b/c": [1, -2.5, "x"]}, "m~n": true, "z": null});
        let numbers = number_texts(&document);
        let mut problems = Problems::default();
        let tree = JsonTree::new(&document, &numbers, &mut problems);
        assert_eq!(
            tree.fields,
            [
                "",
                "/a",
                "/a/b~1c",
                "/a/b~1c/0",
                "/a/b~1c/1",
                "/a/b~1c/2",
                "/m~0n",
                "/z"
            ]
        );
        let root = tree.root.unwrap();
        let list = root.get_ref().get("a").unwrap().get_ref().get("b/c").unwrap();
        let list = list.get_ref().as_array().unwrap();
        assert_eq!(list[0].get_ref().as_integer().unwrap().as_str(), "1");
        assert_eq!(list[1].get_ref().as_float().unwrap().as_str(), "-2.5");
        assert_eq!(list[2].get_ref().as_str(), Some("x"));
        assert!(root.get_ref().get("z").is_none());
        let [problem] = &problems.by_field(&tree.fields)[..] else {
            panic!("{problems:?}");
        };
        assert_eq!(
            (problem.field.as_str(), problem.message.as_str()),
            ("/z", "`z` is `null`")
        );
    }
}
