//! The end of a sign-in: the browser comes back with a code, and leaves with a session.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use narthex_decision::Reason;
use narthex_directory::{OneTimeKind, OneTimeValue, SecretBytes, StoreError};
use narthex_engine::inbound::Inbound;
use narthex_engine::respond::Refusal;
use narthex_engine::return_path;
use narthex_engine::session::{self, RequestSession, SignedIn};
use narthex_engine::sign_in::{OfferKind, SIGN_IN_PATH, SignInOffer, encoded};
use narthex_engine::{Engine, IssuerSignIn, Runtime};
use narthex_session::cookie::{self, Secret};

use crate::endpoint::redirect;
use crate::flow::{self, Flow};
use crate::form;
use crate::sign_in::{SignInPlace, keys, refuse, served, unknown_issuer};

/// Problem of a state that this browser has no sign-in for.
const NO_FLOW: &str = "this sign-in was begun in another browser, was completed before, or took too long";

/// Errors of an authorization endpoint that a page may name (RFC 6749 section 4.1.2.1, OpenID Connect Core 1.0 section 3.1.2.6).
const ERRORS: [&str; 9] = [
    "access_denied",
    "login_required",
    "consent_required",
    "interaction_required",
    "account_selection_required",
    "invalid_request",
    "invalid_scope",
    "unauthorized_client",
    "temporarily_unavailable",
];

/// Completes a sign-in.
pub(crate) async fn answer(
    engine: &Engine,
    runtime: &Runtime,
    issuer: &str,
    inbound: &Inbound<'_>,
) -> Result<Response<Full<Bytes>>, Refusal> {
    let origin = served(runtime, inbound)?.to_string();
    let query = inbound.query.unwrap_or_default().as_bytes();
    let state = form::one(query, "state").and_then(|state| Secret::parse(&state));
    let state = state.ok_or_else(|| refused("the address has no state of a sign-in"))?;
    let Some(flow) = taken(engine, runtime, inbound.headers, &state)? else {
        // A browser that repeats the last step, as the back button does, is signed in already.
        return match session::of_request(engine, runtime, inbound).await? {
            RequestSession::Open(_) => redirect(StatusCode::SEE_OTHER, &format!("{origin}/")),
            RequestSession::None | RequestSession::Ended => Err(anew(runtime, &origin, issuer)),
        };
    };
    let at = (SignInPlace::Doors, origin.as_str(), issuer);
    let signed_in = completed(engine, runtime, inbound, at, (&state, &flow)).await;
    let secret = signed_in.map_err(|refusal| with_another_try(refusal, &origin, &flow))?;
    // SECURITY: checked when the sign-in began, and once more, because it becomes an address.
    let back = return_path::of(&flow.back, &origin);
    let mut response = redirect(StatusCode::SEE_OTHER, &format!("{origin}{back}"))?;
    let set = cookie::set(cookie::DOOR, &secret, None);
    for value in set.into_iter().chain(flow::removed(&state)) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    Ok(response)
}

/// Completed sign-in at the console.
#[derive(Debug)]
pub struct Completed {
    /// Secret of the cookie of the session.
    pub session: Secret,
    /// Path of the page to come back to.
    pub back: String,
    /// `Set-Cookie` header that removes the sign-in from the browser.
    pub removed: Option<HeaderValue>,
}

/// Completes a sign-in at the console, whose pages are at this origin.
///
/// # Errors
///
/// When it was not begun by this browser, the issuer refuses it, or its user is refused.
pub async fn complete_at_console(
    engine: &Engine,
    runtime: &Runtime,
    inbound: &Inbound<'_>,
    (origin, issuer): (&str, &str),
) -> Result<Completed, Refusal> {
    let query = inbound.query.unwrap_or_default().as_bytes();
    let state = form::one(query, "state").and_then(|state| Secret::parse(&state));
    let state = state.ok_or_else(|| refused("the address has no state of a sign-in"))?;
    let flow = taken(engine, runtime, inbound.headers, &state)?;
    let flow = flow.ok_or_else(|| refused(NO_FLOW))?;
    let at = (SignInPlace::Console, origin, issuer);
    let session = completed(engine, runtime, inbound, at, (&state, &flow)).await?;
    // SECURITY: checked when the sign-in began, and once more, because it becomes an address.
    let back = return_path::of(&flow.back, origin).to_owned();
    Ok(Completed {
        session,
        back,
        removed: flow::removed(&state),
    })
}

/// Takes the sign-in that a state stands for, from the browser that began it: once on this node.
///
/// SECURITY: a state that comes back in another browser is used up as well, because that browser's user may have been lured there.
fn taken(engine: &Engine, runtime: &Runtime, headers: &HeaderMap, state: &Secret) -> Result<Option<Flow>, Refusal> {
    let keys = keys(runtime)?;
    let first = engine.spent_states.spend(state.hash());
    let flow = Flow::of_browser(keys, headers, state, engine.clock.now_ms());
    Ok(flow.filter(|_| first))
}

/// Counts a sign-in whose code was exchanged: once for its state, on all nodes.
///
/// SECURITY: only a code that the issuer has accepted comes this far, so a client without an account there writes nothing.
async fn count_once(engine: &Engine, state: &Secret, flow: &Flow) -> Result<(), Refusal> {
    let value = OneTimeValue {
        kind: OneTimeKind::SignInState,
        hash: state.hash(),
        sealed: SecretBytes(Vec::new()),
        expires_at_ms: flow.ends_at_ms,
    };
    let now_ms = engine.clock.now_ms();
    match engine.directory.put_once(value, usize::MAX, now_ms).await {
        Ok(()) => Ok(()),
        Err(StoreError::AlreadyExists { .. }) => Err(refused(NO_FLOW)),
        Err(error) => Err(session::unavailable(engine, error)),
    }
}

/// Refuses a state that this browser has no sign-in for, and offers to begin anew.
fn anew(runtime: &Runtime, origin: &str, issuer: &str) -> Refusal {
    let offer = runtime.sign_in_at(issuer).map(|_| SignInOffer {
        location: format!("{origin}{SIGN_IN_PATH}?issuer={}&return=/", encoded(issuer)),
        kind: OfferKind::Button,
    });
    refused(NO_FLOW).offering(offer)
}

/// Checks that the answer is that of the issuer to this browser, exchanges the code, and begins a session.
async fn completed(
    engine: &Engine,
    runtime: &Runtime,
    inbound: &Inbound<'_>,
    (place, origin, name): (SignInPlace, &str, &str),
    (state, flow): (&Secret, &Flow),
) -> Result<Secret, Refusal> {
    if flow.issuer != name || flow.origin != origin || flow.place != place {
        return Err(refused("the sign-in was begun at another address"));
    }
    let (issuer, sign_in) = runtime.sign_in_at(name).ok_or_else(unknown_issuer)?;
    let query = inbound.query.unwrap_or_default().as_bytes();
    check_issuer(engine, sign_in, query)
        .await
        .map_err(|refusal| refusal.of_issuer(&issuer.name))?;
    if let Some(error) = form::one(query, "error") {
        // SECURITY: the text comes with the address, so only words that are known are shown.
        let known = ERRORS.iter().find(|known| **known == error);
        let problem = known.map_or_else(
            || "the identity provider refused the sign-in".to_owned(),
            |known| format!("the identity provider refused the sign-in ({known})"),
        );
        return Err(Refusal::because(Reason::SignInRefused, problem).of_issuer(&issuer.name));
    }
    let code = form::one(query, "code").ok_or_else(|| refused("the address has no code"))?;
    let redirect_uri = place.redirect_uri(origin, issuer);
    let now_ms = engine.clock.now_ms();
    let tokens = sign_in
        .client
        .exchange(&code, &redirect_uri, &flow.verifier, now_ms)
        .await;
    let signed_in = SignedIn {
        issuer,
        tokens: tokens.map_err(|error| refuse(issuer, &error))?,
        nonce: &flow.nonce,
    };
    count_once(engine, state, flow).await?;
    Box::pin(session::begin(engine, runtime, inbound, (place.session(), signed_in))).await
}

/// Checks the issuer that an answer names.
///
/// SECURITY: a code of one issuer must not go to the token endpoint of another (mix-up, RFC 9207).
async fn check_issuer(engine: &Engine, sign_in: &IssuerSignIn, query: &[u8]) -> Result<(), Refusal> {
    let named = form::one(query, "iss");
    let metadata = sign_in.client.metadata(engine.clock.now_ms()).await;
    let must = metadata.is_ok_and(|metadata| metadata.names_itself);
    match named {
        Some(named) if named == sign_in.client.issuer() => Ok(()),
        None if !must => Ok(()),
        _ => Err(refused(
            "the answer is not that of the identity provider that was asked",
        )),
    }
}

fn refused(problem: &str) -> Refusal {
    Refusal::because(Reason::SignInRefused, problem)
}

/// Offers another try with a refusal, back to the same page.
fn with_another_try(mut refusal: Refusal, origin: &str, flow: &Flow) -> Refusal {
    let issuer = encoded(&flow.issuer);
    let offer = SignInOffer {
        location: format!(
            "{origin}{SIGN_IN_PATH}?issuer={issuer}&return={}&again=1",
            encoded(&flow.back)
        ),
        kind: if refusal.reason == Reason::SignInRefused {
            OfferKind::Button
        } else {
            OfferKind::AnotherUser
        },
    };
    refusal.about.get_or_insert_default().sign_in = Some(offer);
    refusal
}
