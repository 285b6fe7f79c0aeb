//! The text of a document as a tree that knows where everything stands.
//!
//! Comments and trailing commas are allowed; nothing else that is not JSON is.

use std::ops::Range;

use jsonc_parser::ast;
use jsonc_parser::common::Ranged as _;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde_json::{Map, Number, Value as Json};

use crate::limits::Limits;
use crate::problem::{Problems, UnplacedProblem};

/// A value and its place in the source, in bytes.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) span: Range<usize>,
    pub(crate) kind: NodeKind,
}

#[derive(Debug)]
pub(crate) enum NodeKind {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Object(Vec<Member>),
}

/// A member of an object.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) name_span: Range<usize>,
    pub(crate) value: Node,
}

impl Node {
    /// Name of the kind of value, for messages.
    pub(crate) fn describe(&self) -> &'static str {
        match self.kind {
            NodeKind::Null => "null",
            NodeKind::Bool(_) => "a boolean",
            NodeKind::Number(_) => "a number",
            NodeKind::Text(_) => "text",
            NodeKind::List(_) => "a list",
            NodeKind::Object(_) => "an object",
        }
    }

    pub(crate) fn to_json(&self) -> Json {
        match &self.kind {
            NodeKind::Null => Json::Null,
            NodeKind::Bool(value) => Json::Bool(*value),
            NodeKind::Number(number) => Json::Number(number.clone()),
            NodeKind::Text(text) => Json::String(text.clone()),
            NodeKind::List(items) => items.iter().map(Self::to_json).collect(),
            NodeKind::Object(members) => Json::Object(
                members
                    .iter()
                    .map(|member| (member.name.clone(), member.value.to_json()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    /// The node at the steps of a JSON pointer, and the place of its name if it is a member; the deepest that is there.
    pub(crate) fn find(&self, pointer: &str) -> (&Self, Option<Range<usize>>) {
        let (mut at, mut name) = (self, None);
        for step in pointer.split('/').skip(1) {
            let step = step.replace("~1", "/").replace("~0", "~");
            let next = match &at.kind {
                NodeKind::List(items) => step
                    .parse()
                    .ok()
                    .and_then(|index: usize| items.get(index))
                    .map(|item| (item, None)),
                NodeKind::Object(members) => members
                    .iter()
                    .find(|member| member.name == step)
                    .map(|member| (&member.value, Some(member.name_span.clone()))),
                _ => None,
            };
            let Some((node, span)) = next else { break };
            (at, name) = (node, span);
        }
        (at, name)
    }
}

/// Reads a document. `None` if it cannot be read at all; the problems say why.
pub(crate) fn read(source: &str, limits: &Limits, problems: &mut Problems) -> Option<Node> {
    if source.len() > limits.document_bytes {
        let message = format!(
            "the document has {} bytes, more than the {} allowed",
            source.len(),
            limits.document_bytes
        );
        problems.push(UnplacedProblem::new("", 0..0, message));
        return None;
    }
    // SECURITY: the parser descends into the nesting; how deep that goes must not be the author's choice.
    if let Some(at) = too_deep(source, limits.depth) {
        let message = format!("nested more than {} levels deep", limits.depth);
        problems.push(UnplacedProblem::new("", at..at + 1, message));
        return None;
    }
    let options = ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    match parse_to_ast(source, &CollectOptions::default(), &options) {
        Ok(parsed) => {
            let Some(value) = parsed.value else {
                problems.push(
                    UnplacedProblem::new("", 0..0, "the document is empty").help("a connection is a JSON object"),
                );
                return None;
            };
            let mut reader = Reader {
                source,
                problems,
                pointer: String::new(),
            };
            Some(reader.node(&value))
        }
        Err(error) => {
            let range = error.range();
            let message = format!("not JSON: {}", lower(&error.kind().to_string()));
            problems.push(
                UnplacedProblem::new("", range.start..range.end.max(range.start), message)
                    .help("comments and trailing commas may be used, and nothing else beyond JSON"),
            );
            None
        }
    }
}

struct Reader<'p> {
    source: &'p str,
    problems: &'p mut Problems,
    pointer: String,
}

impl Reader<'_> {
    fn node(&mut self, value: &ast::Value<'_>) -> Node {
        let range = value.range();
        let span = range.start..range.end;
        let kind = match value {
            ast::Value::NullKeyword(_) => NodeKind::Null,
            ast::Value::BooleanLit(literal) => NodeKind::Bool(literal.value),
            ast::Value::NumberLit(literal) => {
                if let Ok(number) = serde_json::from_str(literal.value) {
                    NodeKind::Number(number)
                } else {
                    let found = UnplacedProblem::new(&self.pointer, span.clone(), "not a number as JSON has them");
                    self.problems.push(found);
                    NodeKind::Null
                }
            }
            ast::Value::StringLit(literal) => {
                self.plain_text(&span);
                NodeKind::Text(literal.value.clone().into_owned())
            }
            ast::Value::Array(list) => {
                let items = list.elements.iter().enumerate();
                NodeKind::List(items.map(|(at, item)| self.under(&at.to_string(), item)).collect())
            }
            ast::Value::Object(object) => NodeKind::Object(self.members(object)),
        };
        Node { span, kind }
    }

    fn members(&mut self, object: &ast::Object<'_>) -> Vec<Member> {
        let mut members: Vec<Member> = Vec::with_capacity(object.properties.len());
        for property in &object.properties {
            let range = property.name.range();
            let name_span = range.start..range.end;
            self.plain_text(&name_span);
            let name = property.name.as_str().to_owned();
            // SECURITY: two readers of one document must not see two documents.
            // `{{...}}` may be used several times: it merges, it does not name a member.
            if name != SPREAD && members.iter().any(|member| member.name == name) {
                let found = UnplacedProblem::new(
                    &format!("{}/{}", self.pointer, escaped(&name)),
                    name_span.clone(),
                    format!("`{name}` is here twice"),
                );
                self.problems.push(found.help("remove one of the two"));
            }
            let value = self.under(&name, &property.value);
            members.push(Member { name, name_span, value });
        }
        members
    }

    /// SPEC: RFC 8259 7: control characters in a text are escaped. The parser does not mind.
    fn plain_text(&mut self, span: &Range<usize>) {
        let text = self.source.get(span.clone()).unwrap_or_default();
        if let Some(at) = text.find(|c: char| c < ' ') {
            let at = span.start + at;
            let found = UnplacedProblem::new(
                &self.pointer,
                at..at + 1,
                "a text has no line breaks or other control characters",
            );
            self.problems
                .push(found.help(r"write `\n` for a line break, `\t` for a tab"));
        }
    }

    fn under(&mut self, step: &str, value: &ast::Value<'_>) -> Node {
        let length = self.pointer.len();
        self.pointer.push('/');
        self.pointer.push_str(&escaped(step));
        let node = self.node(value);
        self.pointer.truncate(length);
        node
    }
}

/// The key that merges a collection into its object.
pub(crate) const SPREAD: &str = "{{...}}";

/// A step of a JSON pointer (RFC 6901).
pub(crate) fn escaped(step: &str) -> String {
    step.replace('~', "~0").replace('/', "~1")
}

/// Offset at which a source is nested deeper than `limit`, if it is.
fn too_deep(source: &str, limit: usize) -> Option<usize> {
    let bytes = source.as_bytes();
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = end_of_text(bytes, at),
            b'/' if bytes.get(at + 1) == Some(&b'/') => {
                at += bytes
                    .iter()
                    .skip(at)
                    .position(|byte| *byte == b'\n')
                    .unwrap_or(bytes.len());
            }
            b'/' if bytes.get(at + 1) == Some(&b'*') => {
                let rest = bytes.get(at + 2..).unwrap_or_default();
                at += 3 + rest.windows(2).position(|end| end == b"*/").unwrap_or(bytes.len());
            }
            b'[' | b'{' => {
                depth += 1;
                if depth > limit {
                    return Some(at);
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    None
}

/// The closing quote of a text that begins at `start`, or the end of everything.
fn end_of_text(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    at
}

fn lower(message: &str) -> String {
    let mut characters = message.chars();
    let first = characters.next().map(|first| first.to_lowercase().to_string());
    first.unwrap_or_default() + characters.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_counted_outside_of_texts_and_comments() {
        assert_eq!(too_deep(r#"{"a": [1, "[[[[{{{{"], /* [[[ */ "b": 1} // [[["#, 2), None);
        assert_eq!(too_deep(r#"{"a": [[1]]}"#, 2), Some(7));
        assert_eq!(too_deep(r#"["\"[[[", "#, 1), None);
        assert_eq!(too_deep("/*", 1), None);
        assert_eq!(too_deep("//", 1), None);
        assert_eq!(too_deep("\"", 1), None);
    }
}
