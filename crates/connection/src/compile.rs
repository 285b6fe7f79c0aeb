//! A document's tree to a compiled connection. Every problem is reported, not only the first.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use narthex_mint::Jwt;
use narthex_template::{CompileError, Document, Names, Read, Template, nearest};

use crate::document::{Compiled, SanitizePath, Test};
use crate::document_keys;
use crate::jsonc::{self, Node, NodeKind, escaped};
use crate::limits::Limits;
use crate::problem::{DocumentProblems, Problems, UnplacedProblem};

mod request;
mod response;
mod sanitize;

pub(crate) use request::METHODS;

pub(crate) fn compile(source: &str, limits: &Limits) -> Result<Compiled, DocumentProblems> {
    // Some editors begin a file with a byte order mark.
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    let mut problems = Problems::default();
    let Some(root) = jsonc::read(source, limits, &mut problems) else {
        return Err(problems.report(source));
    };
    let plain = || Names::new(ROOTS).with_function(Arc::new(Jwt::default()));
    let mut compiler = Compiler {
        source,
        limits,
        problems,
        reads: BTreeSet::new(),
        sanitize: Vec::new(),
        request_names: plain(),
        response_names: plain()
            .with_root("body")
            .with_root("statusCode")
            .with_folded_root("headers"),
        repeat_names: Names::new(["temp"]),
    };
    let requests = compiler.requests(&root);
    if !compiler.problems.is_empty() {
        return Err(compiler.problems.report(source));
    }
    Ok(Compiled {
        requests,
        sanitize: compiler.sanitize,
        limits: *limits,
        reads: compiler.reads,
    })
}

/// Roots that every template of a document may read.
const ROOTS: [&str; 5] = ["parameters", "common", "data", "environment", "temp"];

/// Kind of template, which decides the names that it may use.
#[derive(Clone, Copy)]
enum TemplateKind {
    Request,
    Response,
    Repeat,
}

struct Compiler<'s> {
    source: &'s str,
    limits: &'s Limits,
    problems: Problems,
    reads: BTreeSet<Read>,
    sanitize: Vec<SanitizePath>,
    request_names: Names,
    response_names: Names,
    repeat_names: Names,
}

/// The members of an object whose names were checked.
struct Fields<'n> {
    pointer: String,
    span: Range<usize>,
    members: Vec<(&'n str, &'n Node)>,
}

impl<'n> Fields<'n> {
    /// A member and its pointer.
    fn at(&self, name: &str) -> Option<(&'n Node, String)> {
        let (_, node) = self.members.iter().find(|(member, _)| *member == name)?;
        Some((node, self.under(name)))
    }

    fn under(&self, name: &str) -> String {
        format!("{}/{}", self.pointer, escaped(name))
    }
}

impl Compiler<'_> {
    fn names(&self, place: TemplateKind) -> &Names {
        match place {
            TemplateKind::Request => &self.request_names,
            TemplateKind::Response => &self.response_names,
            TemplateKind::Repeat => &self.repeat_names,
        }
    }

    fn problem(&mut self, pointer: &str, node: &Node, message: impl Into<String>) {
        self.problems
            .push(UnplacedProblem::new(pointer, node.span.clone(), message));
    }

    fn advise(&mut self, pointer: &str, node: &Node, message: impl Into<String>, help: impl Into<String>) {
        self.problems
            .push(UnplacedProblem::new(pointer, node.span.clone(), message).help(help));
    }

    /// The members of an object that has only keys of the table under `path`; `None` if it is no object.
    fn fields<'n>(&mut self, node: &'n Node, pointer: &str, path: &str) -> Option<Fields<'n>> {
        let NodeKind::Object(members) = &node.kind else {
            let message = format!("this must be an object, not {}", node.describe());
            self.problem(pointer, node, message);
            return None;
        };
        let mut fields = Fields {
            pointer: pointer.to_owned(),
            span: node.span.start..node.span.start + 1,
            members: Vec::new(),
        };
        for member in members {
            let status = path == "response.error" && is_status(&member.name);
            match document_keys::child(path, if status { "STATUS" } else { &member.name }) {
                Some(key) if key.taken => fields.members.push((&member.name, &member.value)),
                Some(key) => {
                    let message = format!("`{}` is not for connections", member.name);
                    let found = UnplacedProblem::new(&fields.under(&member.name), member.name_span.clone(), message);
                    self.problems.push(found.help(key.summary));
                }
                None => {
                    let message = format!("unknown key `{}`", member.name);
                    let found = UnplacedProblem::new(&fields.under(&member.name), member.name_span.clone(), message);
                    self.problems.push(found.maybe_help(advice_on(&member.name, path)));
                }
            }
        }
        Some(fields)
    }

    /// A template that must be text.
    fn template(&mut self, node: &Node, pointer: &str, place: TemplateKind) -> Option<Template> {
        let NodeKind::Text(text) = &node.kind else {
            let message = format!("this must be text, not {}", node.describe());
            self.problem(pointer, node, message);
            return None;
        };
        match Template::compile(text, self.names(place)) {
            Ok(template) => {
                self.reads.extend(template.reads());
                Some(template)
            }
            Err(error) => {
                self.template_problems(node, pointer, None, &error);
                None
            }
        }
    }

    /// A template whose source has a bounded number of characters.
    fn bounded(
        &mut self,
        node: &Node,
        pointer: &str,
        place: TemplateKind,
        least: usize,
        most: usize,
    ) -> Option<Template> {
        if let NodeKind::Text(text) = &node.kind {
            let length = text.chars().count();
            if length < least || length > most {
                let message = format!("this has {length} characters; it must have {least} to {most}");
                self.problem(pointer, node, message);
                return None;
            }
        }
        self.template(node, pointer, place)
    }

    /// A value of any shape whose strings are templates.
    fn document(&mut self, node: &Node, pointer: &str, place: TemplateKind) -> Option<Document> {
        match Document::compile(&node.to_json(), self.names(place)) {
            Ok(document) => {
                self.reads.extend(document.reads());
                Some(document)
            }
            Err(error) => {
                for (below, error) in &error.templates {
                    let (inner, name_span) = node.find(below);
                    self.template_problems(inner, &format!("{pointer}{below}"), name_span, error);
                }
                None
            }
        }
    }

    /// An object whose strings are templates.
    fn object(&mut self, node: &Node, pointer: &str, place: TemplateKind) -> Option<Document> {
        if !matches!(node.kind, NodeKind::Object(_)) {
            let message = format!("this must be an object, not {}", node.describe());
            self.problem(pointer, node, message);
            return None;
        }
        self.document(node, pointer, place)
    }

    /// An object whose values are not objects.
    fn flat(&mut self, node: &Node, pointer: &str) -> Option<Document> {
        if let NodeKind::Object(members) = &node.kind {
            for member in members {
                let nested = match &member.value.kind {
                    NodeKind::Object(_) => Some(&member.value),
                    NodeKind::List(items) => items
                        .iter()
                        .find(|item| matches!(item.kind, NodeKind::Object(_) | NodeKind::List(_))),
                    _ => None,
                };
                if let Some(nested) = nested {
                    let at = format!("{pointer}/{}", escaped(&member.name));
                    let message = format!("{} cannot stand here", nested.describe());
                    let help =
                        "values are text, numbers, booleans, or lists of them; createJSON(…) makes text of the rest";
                    self.advise(&at, nested, message, help);
                }
            }
        }
        self.object(node, pointer, TemplateKind::Request)
    }

    /// A boolean, or a template that stands for one.
    fn test(&mut self, node: &Node, pointer: &str, place: TemplateKind) -> Option<Test> {
        match &node.kind {
            NodeKind::Bool(value) => Some(Test::Literal(*value)),
            NodeKind::Text(_) => {
                let template = self.template(node, pointer, place)?;
                Some(Test::Template {
                    pointer: pointer.to_owned(),
                    template,
                })
            }
            _ => {
                let message = format!("this must be true, false or a template, not {}", node.describe());
                self.problem(pointer, node, message);
                None
            }
        }
    }

    /// A literal boolean.
    fn flag(&mut self, fields: &Fields<'_>, name: &str, default: bool) -> bool {
        let Some((node, pointer)) = fields.at(name) else {
            return default;
        };
        if let NodeKind::Bool(value) = &node.kind {
            return *value;
        }
        let message = format!("this must be true or false, not {}", node.describe());
        self.advise(&pointer, node, message, "templates are not evaluated here");
        default
    }

    /// A literal whole number from 0 to `most`.
    fn count(&mut self, fields: &Fields<'_>, name: &str, default: u64, most: u64) -> u64 {
        let Some((node, pointer)) = fields.at(name) else {
            return default;
        };
        match &node.kind {
            NodeKind::Number(number) if number.as_u64().is_some_and(|count| count <= most) => {
                number.as_u64().unwrap_or(default)
            }
            _ => {
                let message = format!("this must be a whole number from 0 to {most}");
                self.advise(&pointer, node, message, "templates are not evaluated here");
                default
            }
        }
    }

    /// One of a few words.
    fn word<T: Copy>(&mut self, node: &Node, pointer: &str, words: &[(&'static str, T)]) -> Option<T> {
        let given = match &node.kind {
            NodeKind::Text(text) => text.as_str(),
            _ => "",
        };
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == given) {
            return Some(*meaning);
        }
        let list: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        let message = format!("this must be one of {}", list.join(", "));
        let help = did_you_mean(given, words.iter().map(|(word, _)| *word));
        self.problems
            .push(UnplacedProblem::new(pointer, node.span.clone(), message).maybe_help(help));
        None
    }

    /// The problems of one template, each at its place in the file.
    fn template_problems(&mut self, node: &Node, pointer: &str, name: Option<Range<usize>>, error: &CompileError) {
        // A template may also be a key.
        let is_value = matches!(&node.kind, NodeKind::Text(text) if text == error.source_text());
        let literal = if is_value {
            node.span.clone()
        } else {
            name.unwrap_or(node.span.clone())
        };
        for problem in error.problems() {
            let span = if error.source_text().is_empty() {
                literal.clone()
            } else {
                let raw = self.source.get(literal.clone()).unwrap_or_default();
                literal.start + raw_offset(raw, problem.span.start)..literal.start + raw_offset(raw, problem.span.end)
            };
            let found = UnplacedProblem::new(pointer, span, problem.kind.to_string());
            self.problems.push(found.maybe_help(problem.kind.help()));
        }
    }
}

/// Offset in a JSON text literal, quotes included, of a byte of its decoded value.
fn raw_offset(raw: &str, meant: usize) -> usize {
    let mut characters = raw.char_indices().skip(1).peekable();
    let mut decoded = 0;
    while let Some((at, character)) = characters.next() {
        if decoded >= meant {
            return at;
        }
        if character != '\\' {
            decoded += character.len_utf8();
            continue;
        }
        if let Some((at, 'u')) = characters.next() {
            let unit = raw
                .get(at + 1..at + 5)
                .and_then(|hex| u32::from_str_radix(hex, 16).ok());
            // Of a surrogate pair the first half counts two bytes and the second two.
            decoded += match unit.unwrap_or(0) {
                0xd800..=0xdfff => 2,
                unit => char::from_u32(unit).map_or(3, char::len_utf8),
            };
            characters.by_ref().take(4).for_each(drop);
        } else {
            decoded += 1;
        }
    }
    raw.len()
}

fn is_status(name: &str) -> bool {
    name.len() == 3 && name.parse::<u16>().is_ok_and(|status| status >= 100)
}

fn advice_on(name: &str, path: &str) -> Option<String> {
    if path == "response.error" && name.bytes().any(|byte| byte.is_ascii_digit()) {
        return Some("a status is three digits, such as `404`".to_owned());
    }
    did_you_mean(name, document_keys::children(path)).or_else(|| {
        let known: Vec<String> = document_keys::children(path).map(|name| format!("`{name}`")).collect();
        (!known.is_empty()).then(|| format!("the keys here are {}", known.join(", ")))
    })
}

fn did_you_mean<'c>(name: &str, candidates: impl Iterator<Item = &'c str>) -> Option<String> {
    nearest(name, candidates).map(|near| format!("did you mean `{near}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_survive_escapes() {
        assert_eq!(raw_offset(r#""abc""#, 0), 1);
        assert_eq!(raw_offset(r#""abc""#, 2), 3);
        assert_eq!(raw_offset(r#""a\nc""#, 2), 4);
        assert_eq!(raw_offset(r#""\u00e9c""#, 2), 7);
        assert_eq!(raw_offset(r#""\ud83d\ude00c""#, 4), 13);
        assert_eq!(raw_offset(r#""abc""#, 99), 5);
    }
}
