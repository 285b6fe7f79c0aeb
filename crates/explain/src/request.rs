//! The request that a token is explained with: the route that takes it, or the reason why none does.

use http::HeaderMap;
use narthex_decision::{Match, PathProblem, Reason, RequestHost};

use super::ExplainedRequest;
use super::cure::{Cure, CureKind, Problem, access};
use narthex_engine::Runtime;
use narthex_engine::http_rules;
use narthex_engine::organization;
use narthex_engine::respond::Refusal;

/// Returns the problem of a request that no route takes.
pub(super) fn route_problem(runtime: &Runtime, request: &ExplainedRequest) -> Option<Problem> {
    let refused = |reason: Reason, problem: &dyn std::fmt::Display| {
        let refusal = Refusal::because(reason, problem.to_string());
        let sentence = "send the path and the host in plain form; what programs read in different ways is refused";
        Some(Problem::new(refusal, Some(Cure::new(CureKind::Request, sentence))))
    };
    let has_encoded_slash = match runtime.routes.path(request.path.as_bytes()) {
        Ok(path) => path.has_encoded_slash(),
        Err(problem) => return refused(Reason::RequestPath, &problem),
    };
    if let Some(Err(problem)) = request.host.as_deref().map(RequestHost::parse) {
        return refused(Reason::RequestHost, &problem);
    }
    if let Err(refusal) = http_rules::method(&request.method) {
        let cure = Cure::new(CureKind::Request, "send it with a method that is for applications");
        return Some(Problem::new(refusal, Some(cure)));
    }
    if let Some(Err((refusal, cure))) = matched(runtime, request) {
        return Some(Problem::new(refusal, Some(cure)));
    }
    if has_encoded_slash && matched(runtime, request).is_none() {
        return refused(Reason::RequestPath, &PathProblem::EncodedDelimiter);
    }
    matched(runtime, request).is_none().then(|| {
        let cause = format!("no route serves {} {}", request.method, request.path);
        let refusal = Refusal::logged(Reason::RouteUnmatched, cause);
        Problem::new(refusal, Some(access::route(runtime, request)))
    })
}

/// Returns the number of the route that takes a request, if one was given and one takes it.
pub(super) fn route_of(runtime: &Runtime, request: Option<&ExplainedRequest>) -> Option<usize> {
    let matched = matched(runtime, request?)?.ok()?;
    Some(matched.route.index)
}

/// Returns the route that takes a request, if the request can be parsed; an error if it lacks a header that the route reads.
pub(super) fn matched<'r>(
    runtime: &'r Runtime,
    request: &'r ExplainedRequest,
) -> Option<Result<Match<'r>, (Refusal, Cure)>> {
    let path = runtime.routes.path(request.path.as_bytes()).ok()?;
    let host = request.host.as_deref().map(RequestHost::parse).transpose().ok()?;
    let mut matched = runtime.routes.find(&request.method, host, path, None)?;
    Some(match matched.read_header(&request.headers) {
        Ok(()) => Ok(matched),
        Err(reason) => {
            let sentence = "send the header once, with the organization as it is written: its name, or its external id if the \
                            route has `organization_by = \"external_id\"`";
            let cure = Cure::new(CureKind::Request, sentence);
            Err((organization::missing(reason, &matched), cure))
        }
    })
}

/// Parses `POST /v1/algo/acme/echo/1.0?x=1` as a request.
///
/// # Errors
///
/// A sentence that says what is missing.
pub fn parse_request(text: &str, host: Option<String>, headers: HeaderMap) -> Result<ExplainedRequest, String> {
    let (method, target) = text
        .trim()
        .split_once(' ')
        .ok_or("write a request as a method and a path, such as `POST /v1/algo/acme/echo/1.0`")?;
    ExplainedRequest::new((method, target), host, headers)
}

/// Returns a pasted token without the blanks around it and without the scheme of its header.
pub fn pasted_token(text: &str) -> &str {
    let text = text.trim();
    // SPEC: RFC 9110 11.1: the case of a scheme does not count.
    match text.split_once(' ') {
        Some((scheme, token))
            if ["bearer", "dpop"]
                .iter()
                .any(|known| scheme.eq_ignore_ascii_case(known)) =>
        {
            token.trim_start()
        }
        _ => text,
    }
}
