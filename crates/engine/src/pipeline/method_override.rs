//! Requests that ask the application for another method than their own.

use http::Method;
use narthex_decision::{Match, Preflight, Reason, RequestHost, RequestPath};

use crate::http_rules;
use crate::inbound::Inbound;
use crate::respond::Refusal;
use crate::runtime::{MethodOverride, Runtime};

/// Refuses a request that asks the application for another method than the one that it is decided by.
///
/// SECURITY: many frameworks obey `X-HTTP-Method-Override`. A preflight loses such a header.
pub(super) fn refuse_override(
    runtime: &Runtime,
    inbound: &Inbound<'_>,
    (host, path): (Option<RequestHost<'_>>, RequestPath<'_>),
    matched: &Match<'_>,
) -> Result<(), Refusal> {
    let route = matched.route;
    let mut others = http_rules::overriding_methods(inbound.headers, inbound.method).peekable();
    if others.peek().is_none()
        || matched.preflight == Preflight::Yes
        || runtime.method_override(route.index) == MethodOverride::Allow
    {
        return Ok(());
    }
    let is_for_methods = !route.spec.methods.is_empty();
    let leads_elsewhere = |method: Option<Method>| {
        let found = method.and_then(|method| runtime.routes.find(&method, host, path, None));
        found.is_none_or(|found| found.route.index != route.index)
    };
    if is_for_methods || others.any(leads_elsewhere) {
        return Err(Refusal::because(
            Reason::RequestUnforwardable,
            "a header (`X-HTTP-Method-Override` or the like) names another method than the request's own",
        ));
    }
    Ok(())
}
