//! Spans of a request and of its steps, for traces (`[telemetry]`).
//!
//! While no traces are collected, no layer takes spans of this target at their level, and each call here costs the
//! comparison of a level. Spans have what a line of the log has: no token, no claim's value, no query.

use http::{Method, StatusCode};
use narthex_decision::Match;
use narthex_directory::{IssuerName, OrganizationName};
use tracing::field::{Empty, display};
use tracing::{Level, Span};

use crate::cache::by_token::Caller;
use crate::event::shown;
use crate::inbound::Inbound;
use crate::metrics::outcome_word;
use crate::passed::{Answer, Passed};
use crate::respond::Refusal;

/// Target of the spans.
pub const TRACE_TARGET: &str = "narthex_engine::trace";

/// Opens the span of a step, within the span of its request.
macro_rules! step {
    ($name:literal) => {
        tracing::trace_span!(target: $crate::trace::TRACE_TARGET, $name)
    };
}
pub(crate) use step;

/// Tests whether traces are collected.
pub fn is_on() -> bool {
    tracing::enabled!(target: TRACE_TARGET, Level::TRACE)
}

/// Opens the span of a request; `None` while no traces are collected. Names and values follow the semantic conventions
/// of OpenTelemetry for HTTP servers.
pub fn begin(method: &Method, path: &str) -> Option<Span> {
    is_on().then(|| {
        tracing::trace_span!(
            target: TRACE_TARGET,
            "request",
            otel.name = %method,
            otel.kind = "server",
            otel.status_code = Empty,
            http.request.method = %method,
            http.response.status_code = Empty,
            http.route = Empty,
            url.path = shown(path.as_bytes()),
            client.address = Empty,
            narthex.door = Empty,
            narthex.request_id = Empty,
            narthex.decision = Empty,
            narthex.reason = Empty,
            narthex.issuer = Empty,
            narthex.user = Empty,
            narthex.organization = Empty,
            narthex.cached = Empty,
        )
    })
}

/// Opens the span of the time that a request spends at its upstream.
pub fn upstream() -> Span {
    tracing::trace_span!(target: TRACE_TARGET, "upstream", otel.kind = "client")
}

/// Records the answer of a request in its span. Only 5xx counts as an error of the server (OpenTelemetry, semantic
/// conventions for HTTP spans, "Status").
pub fn end(span: &Span, status: StatusCode) {
    span.record("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
}

/// Records the route of a request in its span, which is named after it when it is sent.
pub(crate) fn on_route(matched: &Match<'_>) {
    if is_on() {
        Span::current().record("http.route", matched.route.spec.paths.join(", "));
    }
}

/// Records the decision about a request in its span.
pub(crate) fn decided(inbound: &Inbound<'_>, request_id: &str, outcome: Result<&Passed, &Refusal>) {
    if !is_on() {
        return;
    }
    let span = Span::current();
    span.record("narthex.door", inbound.door.as_str());
    span.record("narthex.request_id", request_id);
    if let Some(client) = inbound.client() {
        span.record("client.address", display(client));
    }
    match outcome {
        Ok(passed) => allowed(&span, passed),
        Err(refusal) => denied(&span, refusal),
    }
}

fn allowed(span: &Span, passed: &Passed) {
    span.record("narthex.decision", "allow");
    span.record("narthex.cached", matches!(passed.answer, Answer::Token(_)));
    if let Some(issuer) = passed.answer.caller().and_then(Caller::issuer_name) {
        span.record("narthex.issuer", issuer.as_str());
    }
    let allowed = passed.answer.allowed();
    if let Some(user) = allowed.user {
        span.record("narthex.user", display(user));
    }
    if let Some(organization) = &allowed.organization {
        span.record("narthex.organization", organization.as_str());
    }
}

fn denied(span: &Span, refusal: &Refusal) {
    span.record("narthex.decision", outcome_word(Some(refusal.reason)));
    span.record("narthex.reason", refusal.reason.code());
    let Some(about) = refusal.about.as_deref() else {
        return;
    };
    if let Some(issuer) = about.issuer.as_ref().map(IssuerName::as_str) {
        span.record("narthex.issuer", issuer);
    }
    if let Some(user) = about.user {
        span.record("narthex.user", display(user));
    }
    if let Some(organization) = about.organization.as_ref().map(OrganizationName::as_str) {
        span.record("narthex.organization", organization);
    }
}
