//! Beginning of a session: the tokens of a sign-in become a cookie.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use http::header;
use narthex_clock::NewIds;
use narthex_decision::Reason;
use narthex_directory::{
    Actor, By, CredentialKind, ProviderSession, Session, SessionClient, SessionEnd, SessionId, SessionKind,
    SessionSelection, UserId,
};
use narthex_openid::Tokens;
use narthex_session::Credential;
use narthex_session::cookie::{self, Secret};
use narthex_token::VerifiedClaims;
use serde_json::Value;
use zeroize::Zeroizing;

use super::{SessionPlace, unavailable};
use crate::engine::Engine;
use crate::inbound::Inbound;
use crate::pipeline::{identified, verify_id_token};
use crate::respond::Refusal;
use crate::runtime::{IssuerRuntime, Runtime};

/// Longest user agent that a list of sessions shows, in characters.
const USER_AGENT_CHARS: usize = 160;

/// Tokens that an issuer gave for a sign-in.
#[derive(Debug)]
pub struct SignedIn<'s> {
    /// The issuer.
    pub issuer: &'s Arc<IssuerRuntime>,
    /// Its tokens.
    pub tokens: Tokens,
    /// Nonce of the sign-in, which the ID token repeats.
    pub nonce: &'s str,
}

/// Begins a session, and ends the one that the browser had.
///
/// The ID token goes through the same steps as every token: a user who is disabled or not known, or whose token breaks a rule,
/// gets no session.
///
/// # Errors
///
/// The refusal of the token or of its user.
pub async fn begin(
    engine: &Engine,
    runtime: &Runtime,
    inbound: &Inbound<'_>,
    (place, signed_in): (SessionPlace, SignedIn<'_>),
) -> Result<Secret, Refusal> {
    let SignedIn { issuer, tokens, nonce } = signed_in;
    let of_issuer = |refusal: Refusal| refusal.of_issuer(&issuer.name);
    let now_ms = engine.clock.now_ms();
    let no_token = "the identity provider gave no ID token that ends";
    let incomplete = || of_issuer(Refusal::because(Reason::SignInRefused, no_token));
    let token = tokens.id_token.ok_or_else(incomplete)?;
    let verified = verify_id_token(issuer, &token, &runtime.token_limits, now_ms).await?;
    check_nonce(&verified.claims, nonce).map_err(of_issuer)?;
    let ends_at_ms = verified.claims.expires_at_ms().ok_or_else(incomplete)?;
    let provider_session = provider_session(&verified.claims);
    let told = (token.as_str(), None, now_ms);
    let (_, account) = Box::pin(identified(engine, runtime, inbound, verified, told)).await?;
    let user = account.principal.user().id;
    let credential = Credential {
        token: Zeroizing::new(token.to_string()),
        refresh_token: tokens.refresh_token,
        nonce: Zeroizing::new(nonce.to_owned()),
        obtained_at_ms: now_ms,
        ends_at_ms,
        body: None,
    };
    // SECURITY: a new secret at each sign-in, so that no cookie from before it stands for the user (session fixation).
    let secret = Secret::draw().map_err(|_| Refusal::new(Reason::StoreUnavailable))?;
    let session = session(runtime, issuer, &credential, (&secret, user, now_ms))?;
    let session = Session {
        kind: place.kind,
        provider_session,
        client: client(inbound),
        ..session
    };
    let by = By {
        actor: Actor::User(user),
        at_ms: now_ms,
    };
    end_of_browser(engine, inbound, (place, SessionEnd::Replaced), by.clone()).await?;
    let created = engine.directory.create_session(session, by).await;
    created.map_err(|error| unavailable(engine, error))?;
    Ok(secret)
}

/// Ends the session of a request's cookie, if there is one. Returns true if there was one that stood.
///
/// # Errors
///
/// `store.unavailable`.
pub async fn end_of_browser(
    engine: &Engine,
    inbound: &Inbound<'_>,
    (place, end): (SessionPlace, SessionEnd),
    by: By,
) -> Result<bool, Refusal> {
    let Some(secret) = cookie::secret(inbound.headers, &place.cookie) else {
        return Ok(false);
    };
    let found = engine.directory.session_by_hash(secret.hash(), by.at_ms).await;
    let found = found.map_err(|error| unavailable(engine, error))?;
    let Some(found) = found.filter(|found| found.session.kind == place.kind) else {
        return Ok(false);
    };
    let one = SessionSelection::Session(found.session.id);
    let ended = engine.directory.end_sessions(one, end, by).await;
    ended.map(|count| count > 0).map_err(|error| unavailable(engine, error))
}

/// SECURITY: an ID token that was made for another sign-in, perhaps another user's, has another nonce.
fn check_nonce(claims: &VerifiedClaims, nonce: &str) -> Result<(), Refusal> {
    let found = claims.claims().get("nonce").and_then(Value::as_str).unwrap_or_default();
    verify_slices_are_equal(found.as_bytes(), nonce.as_bytes()).map_err(|_| {
        Refusal::because(
            Reason::SignInRefused,
            "the identity provider answered another sign-in than this one",
        )
    })
}

/// Returns the session at the identity provider that a token is of.
pub(super) fn provider_session(claims: &VerifiedClaims) -> ProviderSession {
    let text = |name: &str| claims.claims().get(name).and_then(Value::as_str);
    ProviderSession::new(text("sub"), text("sid"))
}

pub(super) fn session(
    runtime: &Runtime,
    issuer: &IssuerRuntime,
    credential: &Credential,
    (secret, user, now_ms): (&Secret, UserId, i64),
) -> Result<Session, Refusal> {
    let no_randomness = |_| Refusal::new(Reason::StoreUnavailable);
    let mut ids = NewIds::new().map_err(no_randomness)?;
    let id = SessionId::new(now_ms, &mut ids);
    let keys = runtime.connections.sealing.as_ref();
    let keys = keys.ok_or_else(|| Refusal::logged(Reason::StoreUnavailable, "there is no secret key"))?;
    let sealed = credential
        .seal(keys, id, issuer.name.as_str())
        .map_err(|error| Refusal::logged(Reason::StoreUnavailable, error.to_string()))?;
    Ok(Session {
        id,
        kind: SessionKind::Door,
        hash: secret.hash(),
        issuer: Some(issuer.name.clone()),
        user: Some(user),
        provider_session: ProviderSession::default(),
        credential: CredentialKind::Token,
        sealed,
        client: SessionClient::default(),
        created_at_ms: now_ms,
        last_seen_at_ms: now_ms,
        idle_ms: runtime.sign_in.session_idle_ms,
        ends_at_ms: now_ms.saturating_add(runtime.sign_in.session_max_ms),
        token_ends_at_ms: Some(credential.ends_at_ms),
        version: 1,
        refresh_until_ms: None,
        ended_at_ms: None,
        end: None,
    })
}

/// Returns the facts of a client that a list of sessions shows.
pub(super) fn client(inbound: &Inbound<'_>) -> SessionClient {
    let user_agent = inbound.headers.get(header::USER_AGENT);
    let user_agent = user_agent.and_then(|value| value.to_str().ok()).map(str::trim);
    let user_agent = user_agent.filter(|text| !text.is_empty());
    SessionClient {
        user_agent: user_agent.map(|text| text.chars().take(USER_AGENT_CHARS).collect()),
        address: inbound.client().map(|address| address.to_canonical().to_string()),
    }
}
