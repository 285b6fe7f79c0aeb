//! Refusals of paths.

use narthex_decision::{PathProblem, Reason, RequestHost, RequestPath};

use crate::inbound::Inbound;
use crate::respond::Refusal;
use crate::runtime::Runtime;

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

/// Returns the number of the route that a refused request falls under, for counts.
pub(crate) fn route_of(runtime: &Runtime, inbound: &Inbound<'_>) -> Option<usize> {
    let path = runtime.routes.path(inbound.path).ok()?;
    let host = inbound.host.map(RequestHost::parse).transpose().ok()?;
    let preflight_for = inbound.preflight_for();
    let found = runtime
        .routes
        .find(inbound.method, host, path, preflight_for.as_ref())?;
    Some(found.route.index)
}
