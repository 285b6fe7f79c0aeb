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

use narthex_decision::{Match, Preflight, Reason, RequestHost, RequestPath};

use self::answer::{anonymous, decided};
use self::authenticate::look_up;
pub use self::authenticate::who;
use self::method_override::refuse_override;
use crate::cache::by_token::CachedToken;
use crate::credentials::{self, Place, Token};
use crate::engine::Engine;
use crate::http_rules;
use crate::inbound::Inbound;
use crate::organization;
use crate::origin;
use crate::passed::{Answer, Passed};
use crate::respond::Refusal;
use crate::runtime::Runtime;

/// Decides one request.
///
/// # Errors
///
/// A [`Refusal`] with the reason; then the request does not pass.
pub async fn run(engine: &Engine, runtime: &Runtime, inbound: &Inbound<'_>) -> Result<Passed, Refusal> {
    http_rules::method(inbound.method)?;
    let path = RequestPath::parse(inbound.path)
        .map_err(|problem| Refusal::because(Reason::RequestPath, problem.to_string()))?;
    let host = inbound
        .host
        .map(RequestHost::parse)
        .transpose()
        .map_err(|problem| http_rules::bad_host(problem.to_string()))?;
    let preflight_for = inbound.preflight_for();
    let mut matched = runtime
        .routes
        .find(inbound.method, host, path, preflight_for.as_ref())
        .ok_or(Refusal::new(Reason::RouteUnmatched))?;
    refuse_override(runtime, inbound, (host, path), &matched)?;
    if matched.preflight == Preflight::Yes {
        organization::refuse_no_name(&matched)?;
    }
    if let Err(reason) = matched.read_header(inbound.headers) {
        return Err(organization::missing(reason, &matched));
    }
    let Some((token, place)) = token(runtime, inbound, &matched)? else {
        return Ok(anonymous(engine, &matched, None));
    };
    if matched.preflight == Preflight::Yes {
        return Ok(anonymous(engine, &matched, Some(place)));
    }
    if let Place::Cookie(_) = place {
        origin::check(inbound, runtime.cors_origins(matched.route.index))?;
    }
    let now_ms = engine.clock.now_ms();
    let inbound = &Inbound {
        route: Some(matched.route.index),
        ..*inbound
    };
    let here = |refusal: Refusal| refusal.in_organization(matched.organization_name());
    let lookup = look_up(engine, runtime, inbound, (token, &place), now_ms)
        .await
        .map_err(here)?;
    let answer = match lookup.cached {
        Some(CachedToken::Again(decided)) if decided.answers(&matched, now_ms) => Answer::Token(decided),
        _ => Box::pin(decided(engine, runtime, inbound, lookup, &matched, now_ms))
            .await
            .map_err(here)?,
    };
    Ok(Passed {
        answer,
        place: Some(place),
        preflight: Preflight::No,
        request_id: engine.request_ids.next(),
    })
}

/// Returns the one token of the request; `None` if there is none and the route does not require one.
fn token<'r>(
    runtime: &Runtime,
    inbound: &Inbound<'r>,
    matched: &Match<'_>,
) -> Result<Option<(Token<'r>, Place)>, Refusal> {
    let places = runtime.places_on(matched.route.index);
    match credentials::present(inbound.headers, inbound.query, &places).one()? {
        // SECURITY: only a request without a token passes as anonymous; one with a bad token never does. A preflight
        // carries none (Fetch standard); if one does, the token is not verified, and is removed.
        None if !matched.route.is_public() && matched.preflight == Preflight::No => {
            Err(Refusal::new(Reason::TokenMissing))
        }
        presented => Ok(presented),
    }
}
