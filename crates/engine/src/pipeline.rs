//! The straight line that every request takes, through whichever door it came.
//!
//! ```text
//! path -> route -> token -> claims -> identity -> principal -> decision -> headers
//! ```
//!
//! The pipeline assigns no status codes, logs nothing and looks up no configuration by name; the doors translate, the
//! pipeline decides.

mod answer;
mod authenticate;
mod method_override;
mod paths;

use narthex_decision::{Match, Preflight, Reason, RequestHost, RequestPath};

use self::answer::{anonymous, answered};
use self::authenticate::token;
pub(crate) use self::authenticate::{embedded_issuer, identified, refuse_sync, verify_embedded, verify_id_token};
pub use self::authenticate::{revoked, who};
use self::method_override::refuse_override;
use self::paths::unmatched;
pub(crate) use self::paths::{bad_path, route_of};
use crate::credentials::Place;
use crate::engine::Engine;
use crate::http_rules;
use crate::inbound::Inbound;
use crate::organization;
use crate::origin::{self, ReadableBy};
use crate::passed::Passed;
use crate::protected_resource::ProtectedResource;
use crate::respond::Refusal;
use crate::runtime::Runtime;
use crate::session::{self, OpenSession};
use crate::sign_in::SignInOffer;
use crate::trace;

/// Decides one request.
///
/// # Errors
///
/// A [`Refusal`] with the reason; then the request does not pass.
pub async fn run(engine: &Engine, runtime: &Runtime, inbound: &Inbound<'_>) -> Result<Passed, Refusal> {
    http_rules::method(inbound.method)?;
    let path = runtime.routes.path(inbound.path).map_err(bad_path)?;
    let host = inbound
        .host
        .map(RequestHost::parse)
        .transpose()
        .map_err(|problem| http_rules::bad_host(problem.to_string()))?;
    let preflight_for = inbound.preflight_for();
    let matched = runtime
        .routes
        .find(inbound.method, host, path, preflight_for.as_ref())
        .ok_or_else(|| unmatched(path))?;
    trace::on_route(&matched);
    let (found, route) = (matched.route, matched.route.index);
    let passed = on_route(engine, runtime, inbound, (host, path), matched).await;
    passed.map_err(|refusal| {
        let offer = SignInOffer::of(runtime, route, inbound, &refusal);
        refusal
            .readable_by(ReadableBy::of(runtime, route, inbound.headers))
            .offering(offer)
            .at_resource(|| ProtectedResource::of(runtime, found, inbound))
    })
}

/// Decides a request on the route that it falls under.
async fn on_route<'r>(
    engine: &Engine,
    runtime: &Runtime,
    inbound: &Inbound<'r>,
    (host, path): (Option<RequestHost<'_>>, RequestPath<'_>),
    mut matched: Match<'r>,
) -> Result<Passed, Refusal> {
    refuse_override(runtime, inbound, (host, path), &matched)?;
    if matched.preflight == Preflight::Yes {
        organization::refuse_no_name(&matched)?;
    }
    if let Err(reason) = matched.read_header(inbound.headers) {
        return Err(organization::missing(reason, &matched));
    }
    let presented = token(runtime, inbound, &matched)?;
    if matched.preflight == Preflight::Yes {
        return Ok(anonymous(engine, &matched, presented.map(|(_, at)| at)));
    }
    let session = match presented {
        Some(_) => None,
        // SECURITY: a session is looked for only where there is no token, good or bad.
        None => Box::pin(session::required(engine, runtime, inbound, matched.route)).await?,
    };
    let Some((token, at)) = presented.or_else(|| session.as_deref().map(OpenSession::presented)) else {
        return Ok(anonymous(engine, &matched, None));
    };
    if at.is_session() || at.iter().any(|place| matches!(place, Place::Cookie(_))) {
        origin::check(inbound, runtime.cors_origins(matched.route.index))?;
    }
    let inbound = &Inbound {
        route: Some(matched.route.index),
        ..*inbound
    };
    match answered(engine, runtime, inbound, (token, &at), &matched).await {
        Ok(answer) => Ok(Passed {
            answer,
            token_at: Some(at),
            preflight: Preflight::No,
            request_id: engine.request_ids.next(),
            session,
        }),
        // The one reason for a token that is there: it is in a place that its issuer does not use, so it counts as absent. It is
        // removed all the same: it may be a good one.
        Err(refusal) if refusal.reason == Reason::TokenMissing && matched.route.is_public() => {
            Ok(anonymous(engine, &matched, Some(at)))
        }
        Err(refusal) => Err(organization::about(refusal, &matched)),
    }
}
