//! Beginning of a session in a frame: the token of an embedded login becomes a partitioned cookie.

use std::fmt;
use std::sync::Arc;

use narthex_decision::Reason;
use narthex_directory::{Actor, By, Session, SessionEnd, SessionId, SessionKind};
use narthex_mapping::RequestPart;
use narthex_session::Credential;
use narthex_session::cookie::Secret;
use serde_json::Value;
use zeroize::Zeroizing;

use super::begin::{client, end_of_browser, provider_session, session};
use super::{SessionPlace, unavailable};
use crate::embedding::Embedding;
use crate::engine::Engine;
use crate::inbound::Inbound;
use crate::pipeline::{embedded_issuer, identified, verify_embedded};
use crate::respond::Refusal;
use crate::runtime::{IssuerRuntime, Runtime};

/// Token of an embedded login, and what came with it.
#[derive(Clone)]
pub struct EmbeddedLogin {
    /// The token.
    pub token: Zeroizing<String>,
    /// Body of the login without the token, for the templates that read it.
    pub body: Option<Value>,
}

impl fmt::Debug for EmbeddedLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmbeddedLogin(***)")
    }
}

/// Session in a frame that was begun.
#[derive(Debug)]
pub struct EmbeddedSession {
    /// Its id.
    pub id: SessionId,
    /// Secret of its cookie.
    pub secret: Secret,
}

/// Returns the embedded login of the issuer that a token names. Nothing about the token is proved by that.
///
/// # Errors
///
/// When the token cannot be read, or its issuer is unknown or has no embedded login.
pub fn embedding_of<'r>(runtime: &'r Runtime, token: &str) -> Result<(&'r Arc<IssuerRuntime>, &'r Embedding), Refusal> {
    let issuer = embedded_issuer(runtime, token)?;
    let found = runtime.embedding_at(issuer.name.as_str());
    found.ok_or_else(|| Refusal::new(Reason::TokenIssuerDisabled).of_issuer(&issuer.name))
}

/// Verifies a token that a code will stand for, and changes nothing. Returns its issuer.
///
/// # Errors
///
/// The refusal of the token.
pub async fn verify_for_code(engine: &Engine, runtime: &Runtime, token: &str) -> Result<Arc<IssuerRuntime>, Refusal> {
    let verified = verify_embedded(runtime, token, engine.clock.now_ms()).await?;
    Ok(verified.issuer)
}

/// Begins a session in a frame, and ends the one that the browser had there.
///
/// The token goes through the same steps as every token: a user who is disabled or not known, or whose token breaks a rule,
/// gets no session.
///
/// # Errors
///
/// The refusal of the token or of its user.
pub async fn begin_embedded(
    engine: &Engine,
    runtime: &Runtime,
    inbound: &Inbound<'_>,
    login: &EmbeddedLogin,
) -> Result<EmbeddedSession, Refusal> {
    let now_ms = engine.clock.now_ms();
    let (issuer, embedding) = embedding_of(runtime, &login.token)?;
    let of_issuer = |refusal: Refusal| refusal.of_issuer(&issuer.name);
    let verified = verify_embedded(runtime, &login.token, now_ms).await?;
    let latest_ms = now_ms.saturating_add(runtime.sign_in.session_max_ms);
    let ends_at_ms = verified.claims.expires_at_ms().unwrap_or(latest_ms);
    // SECURITY: the leeway is for clocks that differ; a session ends with its token to the millisecond.
    if ends_at_ms <= now_ms {
        return Err(of_issuer(Refusal::new(Reason::TokenExpired)));
    }
    let provider_session = provider_session(&verified.claims);
    let told = (login.token.as_str(), login.body.as_ref(), now_ms);
    let (_, account) = Box::pin(identified(engine, runtime, inbound, verified, told)).await?;
    let user = account.principal.user().id;
    let credential = Credential {
        token: login.token.clone(),
        refresh_token: None,
        nonce: Zeroizing::new(String::new()),
        obtained_at_ms: now_ms,
        ends_at_ms,
        body: login.body.clone().filter(|_| issuer.mapping.reads(RequestPart::Body)),
    };
    // SECURITY: a new secret at each login, so that no cookie from before it stands for the user (session fixation).
    let secret = Secret::draw().map_err(|_| Refusal::new(Reason::StoreUnavailable))?;
    let session = Session {
        kind: SessionKind::Embedded,
        provider_session,
        client: client(inbound),
        ..session(runtime, issuer, &credential, (&secret, user, now_ms))?
    };
    let id = session.id;
    let by = By {
        actor: Actor::User(user),
        at_ms: now_ms,
    };
    let replaced = (SessionPlace::embedded(embedding), SessionEnd::Replaced);
    end_of_browser(engine, inbound, replaced, by.clone()).await?;
    let created = engine.directory.create_session(session, by).await;
    created.map_err(|error| unavailable(engine, error))?;
    Ok(EmbeddedSession { id, secret })
}
