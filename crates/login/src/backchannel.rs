//! Back-channel logout: an issuer says that a session, or a user, has signed out (OpenID Connect Back-Channel Logout 1.0).

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use narthex_directory::{
    Actor, By, Directory, IssuerName, LoggedOut, LogoutMark, OneTimeKind, OneTimeValue, SecretBytes, SessionEnd,
    SessionSelection, StoreError,
};
use narthex_engine::respond::{self, Refusal};
use narthex_engine::{Engine, IssuerRuntime, Runtime, session};
use narthex_session::cookie;
use narthex_token::{Limits, TrustedIssuer, VerifiedLogout, VerifyError};

use crate::form;
use crate::sign_in::unknown_issuer;

/// Time for which the tokens of a session that has ended are refused at least, in milliseconds: 366 days.
///
/// SECURITY: a token that outlives the mark is good again, and some issuers make them for months.
const MARK_MS: i64 = 366 * 24 * 60 * 60 * 1000;
/// Time for which a used logout token is remembered if it names no end, in milliseconds.
const USED_MS: i64 = 60 * 60 * 1000;

/// Ends the sessions that a logout token names.
///
/// SECURITY: in a task of its own, which goes on if the issuer closes the connection. Many issuers wait for a few seconds and
/// send a logout once only, so that a session would stay open that its user has signed out of.
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
    let announced = AnnouncedLogout {
        directory: Arc::clone(&engine.directory),
        issuer: Arc::clone(issuer),
        trusted: Arc::clone(&sign_in.trusted),
        limits: runtime.token_limits,
        token: token.into_owned(),
        now_ms,
        kept_until_ms: now_ms.saturating_add(MARK_MS.max(runtime.sign_in.session_max_ms)),
    };
    // SECURITY: clients that send what they like and go away leave no more tasks behind than there are places.
    let place = Arc::clone(&sign_in.logouts).acquire_owned().await;
    let task = tokio::spawn(async move {
        let _place = place;
        announced.end().await
    });
    let broke_off = |_| {
        Err(LogoutFault::Store(StoreError::Unavailable(
            "a logout broke off".to_owned(),
        )))
    };
    match task.await.unwrap_or_else(broke_off) {
        Ok(()) => {
            let mut response = Response::new(Full::default());
            let headers = response.headers_mut();
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            Ok(response)
        }
        Err(LogoutFault::Used) => Ok(bad(
            engine,
            "token.revoked",
            "this logout token was used before; send a new one",
        )),
        // Nothing could be decided, so the issuer may send it again.
        Err(LogoutFault::Token(error @ VerifyError::KeysUnavailable { .. })) => {
            Err(Refusal::from(&error).of_issuer(&issuer.name))
        }
        Err(LogoutFault::Token(error)) => Ok(bad(engine, error.reason(), &Refusal::from(&error).text())),
        Err(LogoutFault::Store(error)) => Err(session::unavailable(engine, error)),
    }
}

/// Reason for which a logout token ends no session.
enum LogoutFault {
    /// It is refused, or could not be checked.
    Token(VerifyError),
    /// It was used before.
    Used,
    /// The directory gives no answer.
    Store(StoreError),
}

/// A logout that an issuer announces, with everything that it takes to complete it.
struct AnnouncedLogout {
    directory: Arc<dyn Directory>,
    issuer: Arc<IssuerRuntime>,
    trusted: Arc<TrustedIssuer>,
    limits: Limits,
    token: String,
    now_ms: i64,
    /// Time until which the tokens of the ended sessions are refused at least, in milliseconds.
    kept_until_ms: i64,
}

impl AnnouncedLogout {
    /// Ends the sessions of the logout token, and refuses the tokens of those sessions, once for each `jti`.
    async fn end(self) -> Result<(), LogoutFault> {
        let (issuer, now_ms) = (self.issuer.name.as_str(), self.now_ms);
        let logout = self.verified().await.map_err(|error| {
            if !matches!(error, VerifyError::KeysUnavailable { .. }) {
                tracing::warn!(issuer, reason = error.reason(), error = %error, "a logout token is refused");
            }
            LogoutFault::Token(error)
        })?;
        let used = used(&self.issuer.name, &logout, now_ms);
        let hash = used.hash;
        // Without an upper limit: each has the signature of an issuer, and a limit over all of them would let one stop the others'.
        match self.directory.put_once(used, usize::MAX, now_ms).await {
            Ok(()) => {}
            // SECURITY: a logout token that is sent again would sign out a user who has signed in since.
            Err(StoreError::AlreadyExists { .. }) => return Err(LogoutFault::Used),
            Err(error) => return Err(LogoutFault::Store(error)),
        }
        match self.marked(&logout).await {
            Ok(sessions) => {
                tracing::info!(
                    event = "backchannel_logout",
                    issuer,
                    sessions,
                    "an identity provider ended sessions"
                );
                Ok(())
            }
            Err(error) => {
                // The issuer may send the same token again. If this fails too, it has to send another.
                let _ = self.directory.take_once(OneTimeKind::LogoutToken, hash, now_ms).await;
                Err(LogoutFault::Store(error))
            }
        }
    }

    async fn verified(&self) -> Result<VerifiedLogout, VerifyError> {
        let verified = self.issuer.keys.verify_with(self.now_ms, |keys| {
            narthex_token::parse(&self.token, &self.limits)?.verify_logout(&self.trusted, keys, self.now_ms)
        });
        verified.await.map(|(logout, _)| logout)
    }

    /// Refuses the tokens first, so that none of them begins anything after its session has ended. Returns the number of
    /// sessions that ended.
    async fn marked(&self, logout: &VerifiedLogout) -> Result<usize, StoreError> {
        let issuer = &self.issuer.name;
        let logged_out = match (logout.session(), logout.subject()) {
            (Some(sid), _) => LoggedOut::Sid(sid.to_owned()),
            (None, subject) => LoggedOut::Subject {
                subject: subject.unwrap_or_default().to_owned(),
                // Times of issue are in seconds: a token of the same second may be the older one.
                issued_before_ms: logout.issued_at_ms().saturating_add(1),
            },
        };
        let mark = LogoutMark {
            issuer: issuer.clone(),
            logged_out,
            kept_until_ms: self.kept_until_ms,
        };
        // SECURITY: a session whose token named no `sid` may be the one that is meant.
        // SPEC: OpenID Connect Back-Channel Logout 1.0 sections 2.4 and 2.7.
        let without_sid = logout.session().and(logout.subject());
        let without_sid =
            without_sid.map(|subject| SessionSelection::SubjectWithoutSid(issuer.clone(), subject.to_owned()));
        let selections = std::iter::once(mark.sessions()).chain(without_sid);
        self.directory.refuse_tokens_of(mark).await?;
        let by = By {
            actor: Actor::System,
            at_ms: self.now_ms,
        };
        let mut sessions = 0_usize;
        for selection in selections {
            let ended = self
                .directory
                .end_sessions(selection, SessionEnd::IdentityProvider, by.clone());
            sessions = sessions.saturating_add(ended.await?);
        }
        Ok(sessions)
    }
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
