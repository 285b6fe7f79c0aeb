//! A JSON value whose strings are templates.

use std::fmt;

use serde_json::Value as Json;

use crate::compile;
use crate::error::{CompileError, EvalError, Fault, Problem, ProblemKind};
use crate::eval::Run;
use crate::limits::Limits;
use crate::names::Names;
use crate::scope::Scope;
use crate::template::Template;
use crate::value::{Object, Value};
use crate::view::MEMBER_BYTES;

mod masked;

/// A JSON value whose strings are templates, compiled.
///
/// * A member whose value is undefined is dropped; null is a value.
/// * The key `{{...}}` merges the collection its value gives; later members win. Undefined and null merge nothing.
/// * Other keys may be templates too; they become text.
/// * Members keep their order, and are evaluated in it.
#[derive(Debug, Clone)]
pub struct Document {
    root: Part,
    limits: Limits,
}

#[derive(Debug, Clone)]
enum Part {
    Constant(Value),
    Template(Template),
    Array(Vec<Part>),
    Object(Vec<(MemberKey, Part)>),
}

impl Default for Part {
    fn default() -> Self {
        Self::Constant(Value::Undefined)
    }
}

#[derive(Debug, Clone, Default)]
enum MemberKey {
    Name(String),
    Template(Template),
    #[default]
    Spread,
}

/// The templates of a document that do not compile. Never empty.
#[derive(Debug, Clone)]
pub struct DocumentError {
    /// Each template's place as a JSON pointer (RFC 6901), and what is wrong with it.
    pub templates: Vec<(String, CompileError)>,
}

/// Reason why a document gave no value.
#[derive(Debug, Clone)]
pub struct DocumentEvalError {
    /// The place of the template that failed, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// The error of that template.
    pub error: EvalError,
}

impl Document {
    /// Compiles every string of a JSON value, which may be as deep as [`Limits::depth`]. Reports the problems of all of
    /// them.
    pub fn compile(json: &Json, names: &Names) -> Result<Self, DocumentError> {
        let mut compiler = Compiler {
            names,
            pointer: String::new(),
            depth: 0,
            templates: Vec::new(),
        };
        let root = compiler.part(json);
        if compiler.templates.is_empty() {
            Ok(Self {
                root,
                limits: names.limits(),
            })
        } else {
            Err(DocumentError {
                templates: compiler.templates,
            })
        }
    }

    /// Evaluates the document. All of its templates share one allowance of fuel.
    ///
    /// ```
    /// use narthex_template::{Document, Names, Scope};
    /// use serde_json::json;
    ///
    /// let document = json!({"iat": "{{timestamp}}", "sub": "{{payload.sub}}", "email": "{{payload.email}}"});
    /// let document = Document::compile(&document, &Names::new(["payload"]))?;
    /// let payload = json!({"sub": "ann"});
    /// let value = document.evaluate(&Scope::new(1_700_000_000_123).with_json("payload", &payload))?;
    /// assert_eq!(value.to_json(), Some(json!({"iat": 1_700_000_000, "sub": "ann"})));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, DocumentEvalError> {
        let mut run = Run::new(scope, self.limits);
        self.root.evaluate(&mut run).map_err(FailedDocument::into_error)
    }

    /// Tests whether a template of the document reads a root.
    pub fn references(&self, root: &str) -> bool {
        self.root.references(root)
    }

    /// Tests whether no string of the document has a hole: it is its own value, whatever the scope.
    pub fn is_literal(&self) -> bool {
        self.root.is_literal()
    }
}

struct Compiler<'n> {
    names: &'n Names,
    pointer: String,
    depth: usize,
    templates: Vec<(String, CompileError)>,
}

impl Compiler<'_> {
    fn part(&mut self, json: &Json) -> Part {
        match json {
            Json::String(source) => match self.template(source) {
                Some(template) => Part::Template(template),
                None => Part::Constant(Value::from(source.as_str())),
            },
            Json::Array(items) => {
                let parts = items
                    .iter()
                    .enumerate()
                    .map(|(at, item)| self.within(&at.to_string(), |c| c.part(item)));
                Part::Array(parts.collect())
            }
            Json::Object(members) => {
                let parts = members
                    .iter()
                    .map(|(name, value)| self.within(name, |c| (c.key(name), c.part(value))));
                Part::Object(parts.collect())
            }
            other => Part::Constant(Value::from(other)),
        }
    }

    fn key(&mut self, name: &str) -> MemberKey {
        if name == "{{...}}" {
            return MemberKey::Spread;
        }
        self.template(name)
            .map_or_else(|| MemberKey::Name(name.to_owned()), MemberKey::Template)
    }

    /// Compiles a source; `None` if it is literal text, or wrong.
    fn template(&mut self, source: &str) -> Option<Template> {
        match Template::compile(source, self.names) {
            Ok(template) => (!template.is_literal()).then_some(template),
            Err(error) => {
                self.templates.push((self.pointer.clone(), error));
                None
            }
        }
    }

    /// Compiles what is one level deeper. Deeper than the limit, nothing is compiled: one problem tells it.
    fn within<T: Default>(&mut self, step: &str, inner: impl FnOnce(&mut Self) -> T) -> T {
        let limit = self.names.limits().depth.min(compile::DEPTH_MAX);
        if self.depth >= limit {
            let problem = Problem {
                kind: ProblemKind::TooDeep { limit },
                span: 0..0,
            };
            self.templates
                .push((self.pointer.clone(), CompileError::new("", vec![problem])));
            return T::default();
        }
        self.depth += 1;
        let length = self.pointer.len();
        self.pointer.push('/');
        self.pointer.push_str(&escaped(step));
        let result = inner(self);
        self.depth -= 1;
        self.pointer.truncate(length);
        result
    }
}

/// A step of a JSON pointer.
fn escaped(step: &str) -> String {
    step.replace('~', "~0").replace('/', "~1")
}

/// An error on its way up, with the steps behind it, innermost first.
struct FailedDocument {
    steps: Vec<String>,
    error: EvalError,
}

impl FailedDocument {
    fn under(mut self, step: impl Into<String>) -> Self {
        self.steps.push(step.into());
        self
    }

    fn into_error(self) -> DocumentEvalError {
        let steps = self.steps.iter().rev();
        DocumentEvalError {
            pointer: steps.fold(String::new(), |pointer, step| pointer + "/" + &escaped(step)),
            error: self.error,
        }
    }

    fn of(error: EvalError) -> Self {
        Self {
            steps: Vec::new(),
            error,
        }
    }

    /// A fault of the document itself, about no template in particular.
    fn fault(fault: Fault) -> Self {
        Self::of(EvalError::new(&"".into(), fault, 0..0))
    }
}

impl Part {
    fn evaluate<'a>(&'a self, run: &mut Run<'a>) -> Result<Value, FailedDocument> {
        run.meter.burn(1).map_err(FailedDocument::fault)?;
        match self {
            Self::Constant(value) => crate::view::Ref::Value(value)
                .copy(&mut run.meter)
                .map_err(FailedDocument::fault),
            Self::Template(template) => template.evaluate_in(run).map_err(FailedDocument::of),
            Self::Array(parts) => {
                run.meter
                    .make(parts.len().saturating_mul(size_of::<Value>()))
                    .map_err(FailedDocument::fault)?;
                let items = parts
                    .iter()
                    .enumerate()
                    .map(|(at, part)| part.evaluate(run).map_err(|failed| failed.under(at.to_string())));
                items.collect::<Result<_, _>>().map(Value::Array)
            }
            Self::Object(parts) => {
                run.meter
                    .make(parts.len().saturating_mul(MEMBER_BYTES))
                    .map_err(FailedDocument::fault)?;
                let mut members = Object::with_capacity(parts.len());
                for (key, part) in parts {
                    let value = part.evaluate(run).map_err(|failed| failed.under(key.shown()))?;
                    key.put(value, &mut members, run)
                        .map_err(|failed| failed.under(key.shown()))?;
                }
                Ok(Value::Object(members))
            }
        }
    }

    fn is_literal(&self) -> bool {
        match self {
            Self::Constant(_) => true,
            Self::Template(_) => false,
            Self::Array(parts) => parts.iter().all(Self::is_literal),
            Self::Object(parts) => parts
                .iter()
                .all(|(key, part)| matches!(key, MemberKey::Name(_)) && part.is_literal()),
        }
    }

    fn references(&self, root: &str) -> bool {
        match self {
            Self::Constant(_) => false,
            Self::Template(template) => template.references(root),
            Self::Array(parts) => parts.iter().any(|part| part.references(root)),
            Self::Object(parts) => parts.iter().any(|(key, part)| {
                part.references(root) || matches!(key, MemberKey::Template(template) if template.references(root))
            }),
        }
    }
}

impl MemberKey {
    fn shown(&self) -> &str {
        match self {
            Self::Name(name) => name,
            Self::Template(template) => template.source(),
            Self::Spread => "{{...}}",
        }
    }

    /// Puts a member's value where its key says.
    fn put<'a>(&'a self, value: Value, members: &mut Object, run: &mut Run<'a>) -> Result<(), FailedDocument> {
        let name = match self {
            Self::Spread => {
                return match value {
                    Value::Object(more) => {
                        run.meter.burn(more.len()).map_err(FailedDocument::fault)?;
                        for (name, value) in more {
                            put(members, name, value);
                        }
                        Ok(())
                    }
                    Value::Undefined | Value::Null => Ok(()),
                    other => Err(FailedDocument::fault(Fault::Spread { given: other.kind() })),
                };
            }
            Self::Name(name) => name.clone(),
            Self::Template(template) => {
                let name = template.evaluate_in(run).map_err(FailedDocument::of)?;
                let name = name.to_text().ok_or_else(|| FailedDocument::fault(Fault::NotText))?;
                name.into_owned()
            }
        };
        put(members, name, value);
        Ok(())
    }
}

/// Sets a member, or drops it if its value is undefined.
fn put(members: &mut Object, name: String, value: Value) {
    if matches!(value, Value::Undefined) {
        members.shift_remove(&name);
    } else {
        members.insert(name, value);
    }
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (pointer, error)) in self.templates.iter().enumerate() {
            if at > 0 {
                f.write_str("; ")?;
            }
            write!(f, "at `{pointer}`: {error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for DocumentError {}

impl DocumentError {
    /// Every problem with its template and a caret under the place.
    pub fn render(&self) -> String {
        let reports: Vec<String> = self
            .templates
            .iter()
            .map(|(pointer, error)| format!("at `{pointer}`:\n{}", error.render()))
            .collect();
        reports.join("\n\n")
    }
}

impl fmt::Display for DocumentEvalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at `{}`: {}", self.pointer, self.error)
    }
}

impl std::error::Error for DocumentEvalError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl DocumentEvalError {
    /// The message with the template and a caret under the place.
    pub fn render(&self) -> String {
        format!("at `{}`:\n{}", self.pointer, self.error.render())
    }
}
