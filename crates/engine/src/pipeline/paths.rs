//! Refusals of paths.

use narthex_decision::{PathProblem, Reason, RequestPath};

use crate::respond::Refusal;

/// Returns the refusal of a path that programs read differently.
pub(crate) fn bad_path(problem: PathProblem) -> Refusal {
    Refusal::because(Reason::RequestPath, problem.to_string())
}

/// Returns the refusal of a request that no route takes. With an encoded slash it would be refused on most of them.
pub(super) fn unmatched(path: RequestPath<'_>) -> Refusal {
    if path.has_encoded_slash() {
        bad_path(PathProblem::EncodedDelimiter)
    } else {
        Refusal::new(Reason::RouteUnmatched)
    }
}
