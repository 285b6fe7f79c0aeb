//! Draws a source with carets.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::{Fault, Problem};

/// One report for each problem.
pub(super) fn problems(source: &str, problems: &[Problem]) -> String {
    let reports: Vec<String> = problems
        .iter()
        .map(|problem| {
            report(
                source,
                &problem.kind.to_string(),
                problem.span.clone(),
                problem.kind.help().as_deref(),
            )
        })
        .collect();
    reports.join("\n\n")
}

pub(super) fn fault(source: &str, fault: &Fault, span: Range<usize>) -> String {
    report(source, &fault.to_string(), span, fault.help())
}

fn report(source: &str, message: &str, span: Range<usize>, help: Option<&str>) -> String {
    let title = Level::ERROR.primary_title(message);
    // A problem of the whole has no source to show.
    let error = if source.is_empty() {
        Group::with_title(title)
    } else {
        let mark = AnnotationKind::Primary.span(within(source, span));
        title.element(Snippet::source(source).annotation(mark))
    };
    let mut groups = vec![error];
    if let Some(help) = help {
        groups.push(Group::with_title(Level::HELP.secondary_title(help)));
    }
    Renderer::plain().render(&groups)
}

/// The span, moved to character boundaries inside the source, so that drawing never fails.
fn within(source: &str, span: Range<usize>) -> Range<usize> {
    let boundary = |mut at: usize| {
        at = at.min(source.len());
        while !source.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = boundary(span.start);
    start..boundary(span.end).max(start)
}
