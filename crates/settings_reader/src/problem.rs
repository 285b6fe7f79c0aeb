//! Problems of a document: place, message, and help.
//!
//! A [`Problem`] points into the file by byte span. [`Problems`] collects them in any order and prints them in the
//! order of the file, each with file name, line, column and a caret. Text that may hold a secret is masked before
//! anything is printed. The problems of a JSON document have the name of a field in place of the line
//! ([`FieldProblem`]).

use std::io::IsTerminal as _;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;

/// Bytes of the configuration file.
pub type Span = Range<usize>;

/// Severity of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The document cannot be used.
    Error,
    /// The document can be used; its author should know.
    Warning,
}

/// Pass that found it. A file with syntax errors shows no problems that may only follow from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ProblemKind {
    Syntax,
    Missing,
    Other,
}

/// A problem, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    severity: Severity,
    kind: ProblemKind,
    span: Span,
    message: String,
    label: Option<String>,
    context: Option<(Span, String)>,
    help: Vec<String>,
}

impl Problem {
    /// Something that makes the file unusable. `message` is lower case, without a full stop, with the user's words in
    /// backticks.
    pub fn error(span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            kind: ProblemKind::Other,
            span,
            message: message.into(),
            label: None,
            context: None,
            help: Vec::new(),
        }
    }

    /// Something the operator should know, although the file can be used.
    pub fn warning(span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(span, message)
        }
    }

    /// Text that is not TOML.
    pub fn syntax(span: Span, message: impl Into<String>) -> Self {
        Self {
            kind: ProblemKind::Syntax,
            ..Self::error(span, message)
        }
    }

    /// A key that must be there and is not.
    pub fn missing(span: Span, message: impl Into<String>) -> Self {
        Self {
            kind: ProblemKind::Missing,
            ..Self::error(span, message)
        }
    }

    /// A few words beside the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// A second place that explains the first, such as "first given here".
    #[must_use]
    pub fn context(mut self, span: Span, label: impl Into<String>) -> Self {
        self.context = Some((span, label.into()));
        self
    }

    /// Adds advice on how to solve it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Adds advice on how to solve it, if there is any.
    #[must_use]
    pub fn maybe_help(self, help: Option<String>) -> Self {
        match help {
            Some(help) => self.help(help),
            None => self,
        }
    }

    fn group<'a>(&'a self, file: &'a str, source: &'a str) -> Group<'a> {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut snippet = Snippet::source(source).path(file).annotation(
            AnnotationKind::Primary
                .span(clamp(&self.span, source))
                .label(self.label.as_deref()),
        );
        if let Some((span, label)) = &self.context {
            snippet = snippet.annotation(AnnotationKind::Context.span(clamp(span, source)).label(label.as_str()));
        }
        let mut group = level.primary_title(self.message.as_str()).element(snippet);
        for help in &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        group
    }
}

/// A problem, as JSON. The text at that place in the file is left out.
#[derive(Debug, Serialize)]
pub struct ProblemRow<'p> {
    /// Error or warning.
    pub severity: Severity,
    /// Name of the file.
    pub file: &'p str,
    /// Line in the file, from 1.
    pub line: usize,
    /// Column in the line, from 1, in characters.
    pub column: usize,
    /// The problem in lower case, without a full stop, with the user's words in backticks.
    pub message: &'p str,
    /// A few words beside the place.
    pub label: Option<&'p str>,
    /// Advice on how to solve it.
    pub help: &'p [String],
}

/// A problem in a JSON document, with the field that it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldProblem {
    /// Error or warning.
    pub severity: Severity,
    /// JSON Pointer to the field (RFC 6901); empty for the document itself.
    pub field: String,
    /// The problem in lower case, without a full stop, with the author's words in backticks.
    pub message: String,
    /// A few words beside the field.
    pub label: Option<String>,
    /// Advice on how to solve it.
    pub help: Vec<String>,
}

/// Colours of a report, depending on the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// Plain text: files, pipes, logs, tests.
    Plain,
    /// ANSI colours: a terminal.
    Terminal,
}

impl Paint {
    /// Picks the colours for standard error: only on a terminal.
    pub fn of_stderr() -> Self {
        if std::io::stderr().is_terminal() {
            Self::Terminal
        } else {
            Self::Plain
        }
    }
}

/// Everything that is wrong with one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    list: Vec<Problem>,
    masked: Vec<Span>,
}

impl Problems {
    /// Adds one.
    pub fn push(&mut self, problem: Problem) {
        self.list.push(problem);
    }

    /// Adds one, if there is one.
    pub fn extend(&mut self, problem: Option<Problem>) {
        self.list.extend(problem);
    }

    /// Hides these bytes of the file wherever they would be printed.
    // SECURITY: reports go to terminals and logs; a password typed into the file must not follow.
    pub fn mask(&mut self, span: Span) {
        self.masked.push(span);
    }

    /// Tests whether there is no problem at all, not even a warning.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Number of problems that make the file unusable.
    pub fn errors(&self) -> usize {
        self.count(Severity::Error)
    }

    /// Number of problems that are only warnings.
    pub fn warnings(&self) -> usize {
        self.count(Severity::Warning)
    }

    fn count(&self, severity: Severity) -> usize {
        self.list.iter().filter(|problem| problem.severity == severity).count()
    }

    /// Tests whether some of the text is not TOML.
    pub fn has_syntax_errors(&self) -> bool {
        self.list.iter().any(|problem| problem.kind == ProblemKind::Syntax)
    }

    /// Drops what may only follow from a syntax error: missing keys, and anything on a line that did not parse.
    pub fn keep_certain(&mut self, source: &str) {
        let broken: Vec<usize> = self
            .list
            .iter()
            .filter(|problem| problem.kind == ProblemKind::Syntax)
            .map(|problem| line_of(&problem.span, source))
            .collect();
        self.list.retain(|problem| match problem.kind {
            ProblemKind::Syntax => true,
            ProblemKind::Missing => false,
            ProblemKind::Other => !broken.contains(&line_of(&problem.span, source)),
        });
    }

    /// The report: every problem in the order of the file, then a line that counts them.
    pub fn render(&self, file: &str, source: &str, paint: Paint) -> String {
        let renderer = match paint {
            Paint::Plain => Renderer::plain(),
            Paint::Terminal => Renderer::styled(),
        };
        let source = self.masked_source(source);
        let mut report = String::new();
        for problem in self.ordered() {
            report.push_str(&renderer.render(&[problem.group(file, &source)]));
            report.push_str("\n\n");
        }
        report.push_str(&self.summary(file));
        report.push('\n');
        report
    }

    /// Every problem in the order of the file, as JSON.
    pub fn rows<'p>(&'p self, file: &'p str, source: &str) -> Vec<ProblemRow<'p>> {
        let row = |problem: &'p Problem| {
            let before = source.get(..clamp(&problem.span, source).start).unwrap_or_default();
            let line = before.rsplit('\n').next().unwrap_or_default();
            ProblemRow {
                severity: problem.severity,
                file,
                line: line_of(&problem.span, source) + 1,
                column: line.chars().count() + 1,
                message: &problem.message,
                label: problem.label.as_deref(),
                help: &problem.help,
            }
        };
        self.ordered().into_iter().map(row).collect()
    }

    /// Every problem in the order of the document, where `fields` are the JSON Pointers that its spans count.
    pub fn by_field(&self, fields: &[String]) -> Vec<FieldProblem> {
        let row = |problem: &Problem| FieldProblem {
            severity: problem.severity,
            field: fields.get(problem.span.start).cloned().unwrap_or_default(),
            message: problem.message.clone(),
            label: problem.label.clone(),
            help: problem.help.clone(),
        };
        self.ordered().into_iter().map(row).collect()
    }

    fn ordered(&self) -> Vec<&Problem> {
        let mut ordered: Vec<&Problem> = self.list.iter().collect();
        ordered.sort_by_key(|problem| (problem.span.start, problem.span.end));
        ordered
    }

    fn summary(&self, file: &str) -> String {
        match (self.errors(), self.warnings()) {
            (0, 0) => format!("{file}: no problems"),
            (0, warnings) => format!("{file}: {}", counted(warnings, "warning")),
            (errors, 0) => format!("{file}: {}", counted(errors, "error")),
            (errors, warnings) => format!("{file}: {}, {}", counted(errors, "error"), counted(warnings, "warning")),
        }
    }

    fn masked_source(&self, source: &str) -> String {
        let mut masked = self.masked.clone();
        masked.extend(typed_secrets(source));
        source
            .char_indices()
            .map(|(at, character)| {
                let hidden = masked.iter().any(|span| span.contains(&at));
                match (hidden, character) {
                    (true, '\n' | '\r' | '"' | '\'') | (false, _) => character.to_string(),
                    // The width in bytes stays, so that every span still fits.
                    (true, _) => "*".repeat(character.len_utf8()),
                }
            })
            .collect()
    }
}

/// Spans of likely secrets in the raw text: user and password of a URL, and the value of a key that is named like one.
/// Found without parsing, since the line may be one that does not parse.
fn typed_secrets(source: &str) -> Vec<Span> {
    let mut found = Vec::new();
    let mut start = 0;
    for line in source.split_inclusive('\n') {
        if let Some((key, value)) = line.split_once('=')
            && is_secret_key(key)
        {
            found.push(start + line.len() - value.trim_start().len()..start + line.len());
        }
        let mut from = 0;
        while let Some(at) = line.get(from..).and_then(|rest| rest.find("://")) {
            from += at + 3;
            let rest = line.get(from..).unwrap_or_default();
            let end = rest
                .find(|next: char| next.is_whitespace() || "/\"'".contains(next))
                .unwrap_or(rest.len());
            if let Some(credentials) = rest.get(..end).and_then(|authority| authority.rfind('@')) {
                found.push(start + from..start + from + credentials);
            }
        }
        start += line.len();
    }
    found
}

fn is_secret_key(key: &str) -> bool {
    let key = key.trim().to_lowercase();
    let named = ["secret", "password", "passwd"].iter().any(|word| key.contains(word));
    named && !key.starts_with("danger_") && !["_file", "_env"].iter().any(|end| key.ends_with(end))
}

fn counted(count: usize, word: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {word}{plural}")
}

fn line_of(span: &Span, source: &str) -> usize {
    source.bytes().take(span.start).filter(|byte| *byte == b'\n').count()
}

/// A span that can be shown: within the text, and around whole characters. A report must come out whatever is wrong.
fn clamp(span: &Span, source: &str) -> Span {
    let end = source.ceil_char_boundary(span.end.min(source.len()));
    source.floor_char_boundary(span.start.min(end))..end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_in_file_order_with_caret_and_count() {
        let mut problems = Problems::default();
        problems.push(Problem::warning(6..7, "second"));
        problems.push(Problem::error(0..1, "first").label("here").help("do this"));
        let report = problems.render("x.toml", "a = 1\nb = 2\n", Paint::Plain);
        assert_eq!(
            report,
            "error: first\n --> x.toml:1:1\n  |\n1 | a = 1\n  | ^ here\n  |\n  = help: do this\n\n\
             warning: second\n --> x.toml:2:1\n  |\n2 | b = 2\n  | ^\n\nx.toml: 1 error, 1 warning\n"
        );
    }

    #[test]
    fn sec_masked_text_is_never_printed() {
        let source = "secret = \"hünter2\"\n";
        let mut problems = Problems::default();
        problems.push(Problem::error(0..6, "no"));
        problems.mask(9..18);
        let report = problems.render("x.toml", source, Paint::Plain);
        assert!(!report.contains("nter2"), "{report}");
        assert!(report.contains("secret = \"********\""), "{report}");
    }

    #[test]
    fn sec_secrets_typed_into_the_file_are_never_printed() {
        for line in [
            "url = \"postgres://narthex:s3cret@db/narthex\"",
            "url = \"postgres://narthex:s3@cret@db/narthex\"",
            "secret = s3cret",
            "  client_secret = 's3cret'  # s3cret",
            "Password=\"s3cret",
        ] {
            let mut problems = Problems::default();
            problems.push(Problem::syntax(0..1, "no"));
            let report = problems.render("x.toml", line, Paint::Plain);
            assert!(
                !report.contains("cret'") && !report.contains("s3") && !report.contains("cret@"),
                "{report}"
            );
        }
        let kept = "secret_file = \"/run/corp\"\nforward_token = true\nurl = \"https://a/b@c\"\n";
        assert_eq!(Problems::default().masked_source(kept), kept);
    }

    #[test]
    fn a_span_that_ends_within_a_character_is_shown() {
        let mut problems = Problems::default();
        problems.push(Problem::error(1..2, "no"));
        let report = problems.render("x.toml", "é = 1\n", Paint::Plain);
        assert!(report.contains("1 | é = 1\n  | ^\n"), "{report}");
    }

    #[test]
    fn a_syntax_error_hides_what_may_only_follow_from_it() {
        let source = "a =\nb = 1\n";
        let mut problems = Problems::default();
        problems.push(Problem::syntax(3..3, "no value"));
        problems.push(Problem::error(0..1, "wrong type"));
        problems.push(Problem::missing(0..0, "`c` is missing"));
        problems.push(Problem::error(4..5, "unknown key"));
        problems.keep_certain(source);
        assert_eq!(problems.errors(), 2);
    }
}
