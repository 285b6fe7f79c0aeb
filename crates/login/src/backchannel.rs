//! Back-channel logout: an issuer says that a session, or a user, has signed out (OpenID Connect Back-Channel Logout 1.0).

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use narthex_directory::{
    Actor, By, IssuerName, LoggedOut, LogoutMark, OneTimeKind, OneTimeValue, SecretBytes, SessionEnd, StoreError,
};
use narthex_engine::respond::{self, Refusal};
use narthex_engine::{Engine, IssuerRuntime, IssuerSignIn, Runtime, session};
use narthex_session::cookie;
use narthex_token::{VerifiedLogout, VerifyError};

use crate::form;
use crate::sign_in::unknown_issuer;

/// Time for which the tokens of a session that has ended are refused at least, in milliseconds: 366 days.
///
/// SECURITY: a token that outlives the mark is good again, and some issuers make them for months.
const MARK_MS: i64 = 366 * 24 * 60 * 60 * 1000;
/// Time for which a used logout token is remembered if it names no end, in milliseconds.
const USED_MS: i64 = 60 * 60 * 1000;

/// Ends the sessions that a logout token names.
pub(crate) async fn answer(
    engine: &Engine,
    runtime: &Runtime,
    issuer: &str,
    body: &[u8],
) -> Result<Response<Full<Bytes>>, Refusal> {
    let (issuer, sign_in) = runtime.sign_in_at(issuer).ok_or_else(unknown_issuer)?;
    let Some(token) = form::one(body, "logout_token") else {
        return Ok(bad(
            engine,
            "token.missing",
            "there is no `logout_token` in the form; send exactly one",
        ));
    };
    let now_ms = engine.clock.now_ms();
    match verified(runtime, (issuer, sign_in), &token, now_ms).await {
        Ok(logout) => end(engine, runtime, issuer, &logout, now_ms).await,
        // Nothing could be decided, so the issuer may send it again.
        Err(error @ VerifyError::KeysUnavailable { .. }) => Err(Refusal::from(&error).of_issuer(&issuer.name)),
        Err(error) => {
            tracing::warn!(issuer = issuer.name.as_str(), reason = error.reason(), error = %error, "a logout token is refused");
            Ok(bad(engine, error.reason(), &Refusal::from(&error).text()))
        }
    }
}

async fn verified(
    runtime: &Runtime,
    (issuer, sign_in): (&IssuerRuntime, &IssuerSignIn),
    token: &str,
    now_ms: i64,
) -> Result<VerifiedLogout, VerifyError> {
    let limits = &runtime.token_limits;
    let verified = issuer.keys.verify_with(now_ms, |keys| {
        narthex_token::parse(token, limits)?.verify_logout(&sign_in.trusted, keys, now_ms)
    });
    verified.await.map(|(logout, _)| logout)
}

/// Ends the sessions of a logout token, and refuses the tokens of those sessions, once for each `jti`.
async fn end(
    engine: &Engine,
    runtime: &Runtime,
    issuer: &IssuerRuntime,
    logout: &VerifiedLogout,
    now_ms: i64,
) -> Result<Response<Full<Bytes>>, Refusal> {
    let used = used(&issuer.name, logout, now_ms);
    let hash = used.hash;
    // Without an upper limit: each has the signature of an issuer, and a limit over all of them would let one stop the others'.
    match engine.directory.put_once(used, usize::MAX, now_ms).await {
        Ok(()) => {}
        // SECURITY: a logout token that is sent again would sign out a user who has signed in since.
        Err(StoreError::AlreadyExists { .. }) => {
            return Ok(bad(
                engine,
                "token.revoked",
                "this logout token was used before; send a new one",
            ));
        }
        Err(error) => return Err(session::unavailable(engine, error)),
    }
    let ended = marked(engine, runtime, issuer, logout, now_ms).await;
    match ended {
        Ok(count) => {
            let issuer = issuer.name.as_str();
            tracing::info!(
                event = "backchannel_logout",
                issuer,
                sessions = count,
                "an identity provider ended sessions"
            );
            let mut response = Response::new(Full::default());
            let headers = response.headers_mut();
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            Ok(response)
        }
        Err(error) => {
            // The issuer may send the same token again. If this fails too, it has to send another.
            let _ = engine.directory.take_once(OneTimeKind::LogoutToken, hash, now_ms).await;
            Err(session::unavailable(engine, error))
        }
    }
}

/// Refuses the tokens first, so that none of them begins anything after its session has ended.
async fn marked(
    engine: &Engine,
    runtime: &Runtime,
    issuer: &IssuerRuntime,
    logout: &VerifiedLogout,
    now_ms: i64,
) -> Result<usize, StoreError> {
    let logged_out = match (logout.session(), logout.subject()) {
        (Some(sid), _) => LoggedOut::Sid(sid.to_owned()),
        (None, subject) => LoggedOut::Subject {
            subject: subject.unwrap_or_default().to_owned(),
            // Times of issue are in seconds: a token of the same second may be the older one.
            issued_before_ms: logout.issued_at_ms().saturating_add(1),
        },
    };
    let mark = LogoutMark {
        issuer: issuer.name.clone(),
        logged_out,
        kept_until_ms: now_ms.saturating_add(MARK_MS.max(runtime.sign_in.session_max_ms)),
    };
    let selection = mark.sessions();
    engine.directory.refuse_tokens_of(mark).await?;
    let by = By {
        actor: Actor::System,
        at_ms: now_ms,
    };
    let end = SessionEnd::IdentityProvider;
    engine.directory.end_sessions(selection, end, by).await
}

/// Returns the record of a logout token that was used.
fn used(issuer: &IssuerName, logout: &VerifiedLogout, now_ms: i64) -> OneTimeValue {
    let name = format!("{issuer}\0{}", logout.token_id());
    let ends_at_ms = logout.expires_at_ms().unwrap_or(now_ms).max(now_ms);
    OneTimeValue {
        kind: OneTimeKind::LogoutToken,
        hash: cookie::hash_of(name.as_bytes()),
        sealed: SecretBytes(Vec::new()),
        // The leeway, for which an expired token still counts, is at most a day and nearly always a minute.
        expires_at_ms: ends_at_ms.saturating_add(USED_MS),
    }
}

/// Builds the answer to a request that the issuer has to correct.
///
/// SPEC: OpenID Connect Back-Channel Logout 1.0 section 2.8.
fn bad(engine: &Engine, reason: &'static str, detail: &str) -> Response<Full<Bytes>> {
    let request_id = engine.request_ids.next();
    respond::problem(StatusCode::BAD_REQUEST, reason, detail.to_owned(), &request_id)
}
