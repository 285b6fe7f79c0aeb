//! Opaque tokens: claims that the issuer is asked for (RFC 7662).

use std::net::IpAddr;
use std::sync::Arc;

use narthex_decision::Reason;
use narthex_introspection::{IntrospectionClient, IntrospectionError, is_opaque};
use narthex_token::{VerifiedClaims, VerifyError, verify_introspected};

use crate::protected_resource::issuers;
use crate::respond::Refusal;
use crate::runtime::{IssuerRuntime, Runtime};

/// Seconds after which a client should ask again about a token that nothing could be decided of.
const RETRY_AFTER_SECONDS: u32 = 2;

/// An issuer, and the client that asks it about opaque tokens.
pub type Introspecting<'r> = (&'r Arc<IssuerRuntime>, &'r IntrospectionClient);

/// Returns the issuer to ask about a token on a route, or anywhere; `None` if the token is none to ask about.
///
/// SECURITY: only where exactly one of the issuers can be asked. A token that is shown to two of them could be used by the one
/// at the other.
pub fn issuer_of<'r>(runtime: &'r Runtime, route: Option<usize>, token: &str) -> Option<Introspecting<'r>> {
    if !is_opaque(token) {
        return None;
    }
    let of_route = route.and_then(|route| runtime.routes.iter().find(|found| found.index == route));
    let named = |issuer: &&'r Arc<IssuerRuntime>| match of_route {
        Some(route) => issuers(runtime, route).any(|own| own.name == issuer.name),
        None => runtime.trusts(&issuer.name),
    };
    let mut asked = runtime
        .by_name
        .values()
        .filter(named)
        .filter_map(|issuer| Some((issuer, issuer.introspection.as_ref()?)));
    let only = asked.next()?;
    asked.next().is_none().then_some(only)
}

/// Asks an issuer about an opaque token, and checks the claims that it gives.
///
/// # Errors
///
/// `token.inactive`, the rule that the claims break, or `keys.unavailable` if the issuer gave no answer.
pub async fn verify(
    (issuer, client): Introspecting<'_>,
    token: &str,
    sender: Option<IpAddr>,
    now_ms: i64,
) -> Result<VerifiedClaims, Refusal> {
    let claims = client.ask(token, sender, now_ms).await.map_err(|error| refusal(&error));
    let refused = |error: VerifyError| Refusal::from(&error);
    claims
        .and_then(|claims| verify_introspected(claims, &issuer.trusted, now_ms).map_err(refused))
        .map_err(|refusal| refusal.of_issuer(&issuer.name))
}

fn refusal(error: &IntrospectionError) -> Refusal {
    match error {
        IntrospectionError::Inactive => Refusal::new(Reason::TokenInactive),
        IntrospectionError::ClientBusy => Refusal::logged(Reason::RateLimited, error.to_string()),
        // The details of a failing issuer are for the log, not for the client.
        _ => Refusal {
            problem: Some("the token's issuer cannot be asked about it right now".to_owned()),
            remedy: Some(format!("try again in {RETRY_AFTER_SECONDS} s")),
            retry_after_seconds: Some(RETRY_AFTER_SECONDS),
            ..Refusal::logged(Reason::KeysUnavailable, error.to_string())
        },
    }
}
