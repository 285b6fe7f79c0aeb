//! The beginning of a sign-in: the browser is sent to the issuer, with secrets that only it can bring back.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use narthex_decision::Reason;
use narthex_engine::inbound::Inbound;
use narthex_engine::respond::Refusal;
use narthex_engine::return_path;
use narthex_engine::session::SessionPlace;
use narthex_engine::sign_in::{OfferKind, SIGN_IN_PATH, SignInOffer, encoded};
use narthex_engine::{Engine, IssuerRuntime, IssuerSignIn, Runtime, SignInTarget, WebOrigin, is_cross_site};
use narthex_openid::{OpenIdError, SignInSecrets};
use narthex_session::SealingKeys;
use narthex_session::cookie::Secret;
use serde::{Deserialize, Serialize};

use crate::endpoint::redirect;
use crate::flow::{FLOW_SECONDS, Flow};
use crate::form;

/// Place that a browser signs in at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SignInPlace {
    /// An application behind the doors.
    Doors,
    /// The console.
    Console,
}

impl SignInPlace {
    /// Returns the address that the issuer sends a browser back to.
    pub(crate) fn redirect_uri(self, origin: &str, issuer: &IssuerRuntime) -> String {
        let path = match self {
            Self::Doors => "/.narthex/callback",
            Self::Console => "/sign-in/callback",
        };
        format!("{origin}{path}/{}", issuer.name)
    }

    pub(crate) const fn session(self) -> SessionPlace {
        match self {
            Self::Doors => SessionPlace::DOOR,
            Self::Console => SessionPlace::CONSOLE,
        }
    }
}

/// Sign-in that was begun.
#[derive(Debug)]
pub struct Begun {
    /// Address at the issuer.
    pub location: String,
    /// `Set-Cookie` headers that keep the sign-in in its browser.
    pub cookies: Vec<HeaderValue>,
}

/// Sends a browser to the issuer.
///
/// SECURITY: a page of another site does not choose the issuer. At one of its own, or one where it has an account, it could
/// have a browser signed in as a user of its choice (login CSRF).
pub(crate) async fn answer(
    engine: &Engine,
    runtime: &Runtime,
    inbound: &Inbound<'_>,
) -> Result<Response<Full<Bytes>>, Refusal> {
    let origin = served(runtime, inbound)?.to_string();
    let query = inbound.query.unwrap_or_default().as_bytes();
    let named = form::one(query, "issuer");
    let (issuer, sign_in) = issuer(runtime, named.as_deref())?;
    let asked = form::one(query, "return");
    let back = return_path::of(asked.as_deref().unwrap_or("/"), &origin);
    let is_configured = configured(runtime) == Some(issuer.name.as_str());
    if named.is_some() && !is_configured && is_cross_site(inbound.headers) {
        return Err(chosen_elsewhere(&origin, issuer, back));
    }
    let again = form::one(query, "again").as_deref() == Some("1");
    let at = (SignInPlace::Doors, origin.as_str());
    let begun = begin(engine, runtime, inbound.headers, at, (issuer, sign_in), (back, again)).await?;
    let mut response = redirect(StatusCode::FOUND, &begun.location)?;
    for value in begun.cookies {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    Ok(response)
}

/// Begins a sign-in at the console, whose pages are at this origin, to come back to a page of it.
///
/// # Errors
///
/// When the issuer has no sign-in or cannot be reached, or there is no secret key.
pub async fn begin_at_console(
    engine: &Engine,
    runtime: &Runtime,
    headers: &HeaderMap,
    (origin, issuer, back): (&str, &str, &str),
) -> Result<Begun, Refusal> {
    let found = runtime.sign_in_at(issuer).ok_or_else(unknown_issuer)?;
    let at = (SignInPlace::Console, origin);
    let back = return_path::of(back, origin);
    begin(engine, runtime, headers, at, found, (back, false)).await
}

/// Begins a sign-in at an issuer.
///
/// SECURITY: nothing is written. A client without a credential must not be able to fill the directory, nor a limit that other
/// sign-ins share.
async fn begin(
    engine: &Engine,
    runtime: &Runtime,
    headers: &HeaderMap,
    (place, origin): (SignInPlace, &str),
    (issuer, sign_in): (&Arc<IssuerRuntime>, &IssuerSignIn),
    (back, again): (&str, bool),
) -> Result<Begun, Refusal> {
    let keys = keys(runtime)?;
    let draw = || Secret::draw().map_err(|_| Refusal::new(Reason::StoreUnavailable));
    let (state, nonce, verifier) = (draw()?, draw()?, draw()?);
    let now_ms = engine.clock.now_ms();
    let flow = Flow {
        nonce: nonce.as_str().to_owned(),
        verifier: verifier.as_str().to_owned(),
        issuer: issuer.name.to_string(),
        origin: origin.to_owned(),
        place,
        back: back.to_owned(),
        ends_at_ms: now_ms.saturating_add(i64::from(FLOW_SECONDS) * 1000),
    };
    let secrets = SignInSecrets {
        state: state.as_str(),
        nonce: nonce.as_str(),
        verifier: verifier.as_str(),
    };
    let redirect_uri = place.redirect_uri(origin, issuer);
    let url = sign_in
        .client
        .authorization_url(&redirect_uri, secrets, again, now_ms)
        .await;
    let url = url.map_err(|error| refuse(issuer, &error))?;
    let cookies = flow.set(keys, &state, headers);
    let cookies =
        cookies.ok_or_else(|| Refusal::logged(Reason::StoreUnavailable, "the sign-in cannot be encrypted"))?;
    Ok(Begun { location: url, cookies })
}

/// Returns the origin of a request, if sign-in serves it.
///
/// SECURITY: a session over plain http is readable by every machine in between, and a callback on an origin that is not listed may be an attacker's.
pub(crate) fn served<'r>(runtime: &'r Runtime, inbound: &Inbound<'_>) -> Result<&'r WebOrigin, Refusal> {
    let settings = &runtime.sign_in;
    if let Some(origin) = settings.served(inbound) {
        return Ok(origin);
    }
    let detail = "the request's origin is not in `login.origins`; if a proxy terminates TLS, list it in \
                  `listen.trusted_proxies` and have it send `X-Forwarded-Proto`";
    let (problem, remedy) = match settings.served_otherwise(inbound) {
        Some(origin) => (
            "this address is not the one that sign-in serves, and sessions need https",
            format!("open {origin}"),
        ),
        None => (
            "sign-in does not serve this address",
            "open the application by its usual address".to_owned(),
        ),
    };
    Err(Refusal {
        remedy: Some(remedy),
        detail: Some(detail.to_owned()),
        ..Refusal::because(Reason::SignInRefused, problem)
    })
}

/// Returns the issuer that a user signs in at: the named one, or the configured one.
fn issuer<'r>(
    runtime: &'r Runtime,
    named: Option<&str>,
) -> Result<(&'r Arc<IssuerRuntime>, &'r IssuerSignIn), Refusal> {
    let found = named.or(configured(runtime)).and_then(|name| runtime.sign_in_at(name));
    found.ok_or_else(unknown_issuer)
}

/// Returns the name of the issuer that browsers are sent to.
fn configured(runtime: &Runtime) -> Option<&str> {
    match &runtime.sign_in.target {
        Some(SignInTarget::Issuer(issuer)) => Some(issuer.as_str()),
        Some(SignInTarget::Url(_)) | None => None,
    }
}

/// Asks a user whom another site sends to an issuer before anything begins.
fn chosen_elsewhere(origin: &str, issuer: &IssuerRuntime, back: &str) -> Refusal {
    let name = &issuer.name;
    let offer = SignInOffer {
        location: format!(
            "{origin}{SIGN_IN_PATH}?issuer={}&return={}",
            encoded(name.as_str()),
            encoded(back)
        ),
        kind: OfferKind::Button,
    };
    let refusal = Refusal {
        remedy: Some("go on only if you want to sign in there".to_owned()),
        detail: Some("a page of another site names the issuer; its link works after one more click".to_owned()),
        ..Refusal::because(
            Reason::SignInRefused,
            format!("another website has sent you to the sign-in at `{name}`"),
        )
    };
    refusal.of_issuer(name).offering(Some(offer))
}

pub(crate) fn unknown_issuer() -> Refusal {
    Refusal {
        remedy: Some("check the address".to_owned()),
        detail: Some("no enabled issuer with this name has a `client_id`".to_owned()),
        ..Refusal::because(Reason::SignInRefused, "there is no sign-in at this address")
    }
}

/// Returns the keys that sign-ins and sessions are sealed with.
pub(crate) fn keys(runtime: &Runtime) -> Result<&SealingKeys, Refusal> {
    let keys = runtime.connections.sealing.as_deref();
    keys.ok_or_else(|| Refusal::logged(Reason::StoreUnavailable, "there is no secret key"))
}

/// Returns the refusal of a sign-in for which the issuer's endpoints do not do what they should.
pub(crate) fn refuse(issuer: &IssuerRuntime, error: &OpenIdError) -> Refusal {
    let detail = Some(error.to_string());
    let refusal = match error {
        OpenIdError::Undiscovered(_) | OpenIdError::Unavailable(_) => Refusal {
            detail,
            ..Refusal::because(
                Reason::KeysUnavailable,
                "the identity provider cannot be reached right now",
            )
        },
        _ => Refusal {
            detail,
            ..Refusal::because(
                Reason::SignInRefused,
                "the identity provider did not complete the sign-in",
            )
        },
    };
    refusal.of_issuer(&issuer.name)
}
