//! Problems of a document: place, message, and help.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// A problem of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Its place in the document, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// The line of the source, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// Message of the problem.
    pub message: String,
    /// Advice on how to solve it, if there is any.
    pub help: Option<String>,
    span: Range<usize>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)?;
        if !self.pointer.is_empty() {
            write!(f, ", at `{}`", self.pointer)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Everything that is wrong with a document, in the order of the source. Never empty.
#[derive(Clone)]
pub struct DocumentProblems {
    source: Arc<str>,
    problems: Vec<Problem>,
}

impl DocumentProblems {
    /// The problems.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Every problem with its place and a caret; `file` is how the document is called.
    pub fn render(&self, file: &str) -> String {
        let reports: Vec<String> = self
            .problems
            .iter()
            .map(|problem| render(file, &self.source, problem))
            .collect();
        reports.join("\n\n")
    }
}

impl fmt::Display for DocumentProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.problems.iter().enumerate() {
            if at > 0 {
                f.write_str("; ")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

// The source is a document of others and may hold a secret as literal text.
impl fmt::Debug for DocumentProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DocumentProblems")
            .field("problems", &self.problems)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for DocumentProblems {}

/// A problem before its line is counted.
#[derive(Debug)]
pub(crate) struct UnplacedProblem {
    pointer: String,
    span: Range<usize>,
    message: String,
    help: Option<String>,
}

impl UnplacedProblem {
    pub(crate) fn new(pointer: &str, span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            pointer: pointer.to_owned(),
            span,
            message: message.into(),
            help: None,
        }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }
}

/// Collects what is wrong, in any order.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<UnplacedProblem>);

impl Problems {
    pub(crate) fn push(&mut self, found: UnplacedProblem) {
        // One document cannot make a report without end.
        if self.0.len() < PROBLEMS {
            self.0.push(found);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn report(mut self, source: &str) -> DocumentProblems {
        self.0.sort_by_key(|found| found.span.start);
        let problems = self.0.into_iter().map(|found| {
            let before = source.get(..found.span.start).unwrap_or(source);
            Problem {
                pointer: found.pointer,
                line: before.matches('\n').count() + 1,
                column: before.rsplit('\n').next().unwrap_or_default().chars().count() + 1,
                message: found.message,
                help: found.help,
                span: found.span,
            }
        });
        DocumentProblems {
            problems: problems.collect(),
            source: source.into(),
        }
    }
}

fn render(file: &str, source: &str, problem: &Problem) -> String {
    let message = if problem.pointer.is_empty() {
        problem.message.clone()
    } else {
        format!("at `{}`: {}", problem.pointer, problem.message)
    };
    let title = Level::ERROR.primary_title(message.as_str());
    let error = if source.is_empty() || source.len() > SOURCE_SHOWN {
        Group::with_title(title)
    } else {
        let mark = AnnotationKind::Primary.span(within(source, &problem.span));
        title.element(Snippet::source(source).path(file).annotation(mark))
    };
    let mut groups = vec![error];
    if let Some(help) = &problem.help {
        groups.push(Group::with_title(Level::HELP.secondary_title(help.as_str())));
    }
    Renderer::plain().render(&groups)
}

/// The span, moved to character boundaries inside the source, so that drawing never fails.
fn within(source: &str, span: &Range<usize>) -> Range<usize> {
    let boundary = |at: usize| {
        let mut at = at.min(source.len());
        while !source.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = boundary(span.start);
    start..boundary(span.end).max(start)
}

/// The most problems of one report.
const PROBLEMS: usize = 100;
/// Drawing walks the whole source for each problem.
const SOURCE_SHOWN: usize = 1024 * 1024;
