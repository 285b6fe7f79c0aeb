//! Problems of a template at compile time, and faults of its evaluation.
//!
//! Both have a place: a byte span into the source. [`CompileError::render`] and [`EvalError::render`] draw the source
//! with a caret under the place; a configuration file uses the spans to point into itself instead.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

mod fault;
mod problem;
mod render;

pub use fault::Fault;
pub use problem::ProblemKind;

/// One problem of a template, and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Kind of the problem.
    pub kind: ProblemKind,
    /// Place, in bytes of the source.
    pub span: Range<usize>,
}

/// All problems of one template. Never empty.
#[derive(Debug, Clone)]
pub struct CompileError {
    source: Arc<str>,
    problems: Vec<Problem>,
}

impl CompileError {
    pub(crate) fn new(source: &str, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| problem.span.start);
        Self {
            source: source.into(),
            problems,
        }
    }

    /// The problems, in the order of their places.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The template's source.
    pub fn source_text(&self) -> &str {
        &self.source
    }

    /// Every problem with the source and a caret under the place.
    pub fn render(&self) -> String {
        render::problems(&self.source, &self.problems)
    }
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.problems.iter().enumerate() {
            if at > 0 {
                f.write_str("; ")?;
            }
            problem.kind.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for CompileError {}

/// Reason why an evaluation gave no value, and its place.
///
/// The message never contains values from the scope: claims may be personal, parameters secret.
#[derive(Debug, Clone)]
pub struct EvalError {
    source: Arc<str>,
    fault: Fault,
    span: Range<usize>,
}

impl EvalError {
    pub(crate) fn new(source: &Arc<str>, fault: Fault, span: Range<usize>) -> Self {
        Self {
            source: Arc::clone(source),
            fault,
            span,
        }
    }

    /// Fault of the evaluation.
    pub fn fault(&self) -> &Fault {
        &self.fault
    }

    /// The same error, with the words of a host's function changed: they may repeat what the function was given.
    #[must_use]
    pub fn with_host_words(mut self, change: impl FnOnce(&str) -> String) -> Self {
        if let Fault::Host { message, .. } = &mut self.fault {
            *message = change(message);
        }
        self
    }

    /// Place, in bytes of the source.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The template's source.
    pub fn source_text(&self) -> &str {
        &self.source
    }

    /// The message with the source and a caret under the place.
    pub fn render(&self) -> String {
        render::fault(&self.source, &self.fault, self.span.clone())
    }
}

impl fmt::Display for EvalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault.fmt(f)
    }
}

impl std::error::Error for EvalError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.fault)
    }
}
