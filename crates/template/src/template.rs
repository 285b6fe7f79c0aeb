//! A compiled template.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::compile;
use crate::error::{CompileError, EvalError};
use crate::eval::Run;
use crate::limits::Limits;
use crate::names::Names;
use crate::program::{Part, Program};
use crate::scope::Scope;
use crate::value::Value;

/// A compiled template. Cheap to clone, and shared between threads.
#[derive(Debug, Clone)]
pub struct Template {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    source: Arc<str>,
    program: Program,
    roots: BTreeSet<String>,
    limits: Limits,
}

impl Template {
    /// Compiles a source against the names it may use. Reports every problem, not only the first.
    pub fn compile(source: &str, names: &Names) -> Result<Self, CompileError> {
        let compiled = compile::compile(source, names)?;
        let inner = Inner {
            source: source.into(),
            program: compiled.program,
            roots: compiled.roots,
            limits: names.limits(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Evaluates the template. If its source is exactly one hole, the value keeps its type; otherwise it is text.
    ///
    /// ```
    /// use narthex_template::{Names, Scope, Template, Value};
    ///
    /// let names = Names::new(["payload"]);
    /// let payload = serde_json::json!({"sub": "ann", "groups": ["a", "b"]});
    /// let scope = Scope::new(0).with_json("payload", &payload);
    ///
    /// let text = Template::compile("user {{payload.sub}}", &names)?.evaluate(&scope)?;
    /// assert_eq!(text, Value::from("user ann"));
    /// let list = Template::compile("{{payload.groups}}", &names)?.evaluate(&scope)?;
    /// assert_eq!(list.to_json(), Some(serde_json::json!(["a", "b"])));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, EvalError> {
        self.evaluate_in(&mut Run::new(scope, self.inner.limits))
    }

    /// Evaluates the template on the account of a run that others share.
    pub(crate) fn evaluate_in<'a>(&'a self, run: &mut Run<'a>) -> Result<Value, EvalError> {
        run.program(&self.inner.program)
            .map_err(|failure| EvalError::new(&self.inner.source, failure.fault, failure.span))
    }

    pub(crate) fn program(&self) -> &Program {
        &self.inner.program
    }

    pub(crate) fn limits(&self) -> Limits {
        self.inner.limits
    }

    pub(crate) fn shared_source(&self) -> &Arc<str> {
        &self.inner.source
    }

    /// The source it was compiled from.
    pub fn source(&self) -> &str {
        &self.inner.source
    }

    /// Tests whether the template reads a root.
    pub fn references(&self, root: &str) -> bool {
        self.inner.roots.contains(root)
    }

    /// The roots the template reads, in alphabetical order.
    pub fn roots(&self) -> impl Iterator<Item = &str> {
        self.inner.roots.iter().map(String::as_str)
    }

    /// Tests whether the source is exactly one hole, so that the value keeps its type. Any other template gives text.
    pub fn is_one_hole(&self) -> bool {
        matches!(self.inner.program, Program::Hole(_))
    }

    /// Tests whether the template has no hole: it is its own text, whatever the scope.
    pub fn is_literal(&self) -> bool {
        match &self.inner.program {
            Program::Hole(_) => false,
            Program::Mixed(parts) => parts.iter().all(|part| matches!(part, Part::Text(_))),
        }
    }
}
