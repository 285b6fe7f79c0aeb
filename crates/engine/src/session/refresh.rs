//! Renewal of a session's token. A refresh token is good for one use, so one caller on one node uses it.

use std::sync::Arc;
use std::time::Duration;

use narthex_clock::Clock;
use narthex_decision::Reason;
use narthex_directory::{Actor, By, Directory, RefreshedToken, Session, SessionEnd, SessionSelection, StoreError};
use narthex_openid::{OpenIdError, Tokens};
use narthex_session::{Credential, SealingKeys};
use narthex_token::{Limits, VerifiedClaims};
use zeroize::Zeroizing;

use crate::pipeline::verify_id_token;
use crate::runtime::IssuerRuntime;

/// Time within which the result of a refresh is stored, in milliseconds: longer than the requests for it may take together.
const CLAIM_MS: i64 = 30_000;
/// Interval between two looks for a result that another caller brings.
const LOOK_EVERY: Duration = Duration::from_millis(150);
/// Number of looks: together longer than a refresh usually takes.
const LOOKS_MAX: u32 = 80;

/// Everything that a refresh needs, owned: it goes on if the client that it began for goes away.
#[derive(Clone)]
pub(super) struct Refresher {
    pub(super) directory: Arc<dyn Directory>,
    pub(super) issuer: Arc<IssuerRuntime>,
    pub(super) keys: Arc<SealingKeys>,
    pub(super) clock: Clock,
    pub(super) limits: Limits,
}

/// Outcome of a renewal.
pub(super) enum Renewal {
    /// The session, with the token that it has now: a new one, or the old one while that lasts.
    Renewed(Box<Session>, Credential),
    /// The session has ended.
    Ended,
    /// The token has ended, and the issuer cannot be asked for a new one now. The session is kept, and stands for nothing
    /// until it has one.
    Unreachable,
}

/// Reason for which a session gets no new token.
enum NoNewToken {
    /// The session ends with it.
    Ends(SessionEnd),
    /// The issuer can be asked again later, with this refresh token.
    Later(Option<Zeroizing<String>>),
}

/// Renews the token of a session, or waits for the caller that does.
///
/// # Errors
///
/// The directory gives no answer.
pub(super) async fn renewed(
    refresher: Refresher,
    session: Session,
    credential: Credential,
) -> Result<Renewal, StoreError> {
    let now_ms = refresher.clock.now_ms();
    if session.refresh_until_ms.is_some() {
        return refresher.until_renewed(session, credential, now_ms).await;
    }
    let sign_in = refresher.issuer.sign_in.as_ref();
    if sign_in.is_some_and(|sign_in| sign_in.is_resting(now_ms)) {
        return Ok(kept(session, credential, now_ms));
    }
    let until_ms = now_ms.saturating_add(CLAIM_MS);
    let claim = refresher
        .directory
        .claim_refresh(session.id, session.version, now_ms, until_ms)
        .await?;
    match claim {
        // SECURITY: in a task of its own. A client that goes away must not take the result of the one refresh with it.
        Some(version) => {
            let task = tokio::spawn(async move { refresher.refresh(session, credential, version).await });
            task.await
                .unwrap_or_else(|_| Err(StoreError::Unavailable("the refresh of a session broke off".to_owned())))
        }
        None => refresher.until_renewed(session, credential, now_ms).await,
    }
}

/// Returns a session without a new token: it goes on with its token while that lasts.
fn kept(session: Session, credential: Credential, now_ms: i64) -> Renewal {
    if now_ms < credential.ends_at_ms {
        Renewal::Renewed(Box::new(session), credential)
    } else {
        Renewal::Unreachable
    }
}

impl Refresher {
    /// Goes on with the token while it lasts, and else waits for the result that another caller brings.
    async fn until_renewed(
        &self,
        session: Session,
        credential: Credential,
        now_ms: i64,
    ) -> Result<Renewal, StoreError> {
        if now_ms < credential.ends_at_ms {
            return Ok(Renewal::Renewed(Box::new(session), credential));
        }
        self.awaited(&session).await
    }

    /// Waits for the result that another caller brings.
    async fn awaited(&self, session: &Session) -> Result<Renewal, StoreError> {
        for _ in 0..LOOKS_MAX {
            let now_ms = self.clock.now_ms();
            let Some(found) = self.directory.session_by_hash(session.hash, now_ms).await? else {
                return Ok(Renewal::Ended);
            };
            let found = found.session;
            if let Some(credential) = Credential::open(&self.keys, &found)
                && now_ms < credential.ends_at_ms
            {
                return Ok(Renewal::Renewed(Box::new(found), credential));
            }
            // No refresh is under way, and the token has ended. The caller that had the claim got no answer.
            if found.refresh_until_ms.is_none() {
                return Ok(if found.version == session.version {
                    Renewal::Ended
                } else {
                    Renewal::Unreachable
                });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(Renewal::Unreachable)
    }

    /// Uses the refresh token, once, and stores the result, or ends the session. Without an answer, the session gets back what it
    /// had, so that the refresh can be claimed again.
    async fn refresh(&self, session: Session, old: Credential, version: u64) -> Result<Renewal, StoreError> {
        let credential = match self.ask(&session, &old).await {
            Ok(credential) => credential,
            Err(NoNewToken::Later(refresh_token)) => Credential { refresh_token, ..old },
            Err(NoNewToken::Ends(end)) => {
                let by = By {
                    actor: Actor::System,
                    at_ms: self.clock.now_ms(),
                };
                let one = SessionSelection::Session(session.id);
                self.directory.end_sessions(one, end, by).await?;
                return Ok(Renewal::Ended);
            }
        };
        let sealed = credential.seal(&self.keys, session.id, self.issuer.name.as_str());
        let sealed = sealed.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let refreshed = RefreshedToken {
            sealed: sealed.clone(),
            token_ends_at_ms: Some(credential.ends_at_ms),
        };
        let now_ms = self.clock.now_ms();
        if !self
            .directory
            .store_refresh(session.id, version, refreshed, now_ms)
            .await?
        {
            return Ok(Renewal::Ended);
        }
        let session = Session {
            sealed,
            token_ends_at_ms: Some(credential.ends_at_ms),
            refresh_until_ms: None,
            ..session
        };
        Ok(kept(session, credential, now_ms))
    }

    /// Asks the issuer for a new token, and checks that it is of the same user.
    async fn ask(&self, session: &Session, old: &Credential) -> Result<Credential, NoNewToken> {
        let (Some(sign_in), Some(refresh_token)) = (&self.issuer.sign_in, &old.refresh_token) else {
            return Err(NoNewToken::Ends(SessionEnd::RefreshLost));
        };
        let issuer = self.issuer.name.as_str();
        let later = |refresh_token: &Zeroizing<String>, error: &dyn std::fmt::Display| {
            tracing::warn!(session = %session.id, issuer, %error, "a session could not be refreshed; it is tried again");
            sign_in.rest(self.clock.now_ms());
            NoNewToken::Later(Some(refresh_token.clone()))
        };
        let answer = sign_in.client.refresh(refresh_token, self.clock.now_ms()).await;
        let tokens = answer.map_err(|error| {
            if error.is_unused() {
                return later(refresh_token, &error);
            }
            tracing::warn!(session = %session.id, issuer, error = %error, "a session could not be refreshed, and ends");
            NoNewToken::Ends(match error {
                OpenIdError::Refused { .. } => SessionEnd::RefreshRefused,
                _ => SessionEnd::RefreshLost,
            })
        })?;
        let Tokens {
            id_token: Some(id_token),
            refresh_token: newer,
        } = tokens
        else {
            tracing::warn!(session = %session.id, issuer, "the issuer refreshes no ID token, so the session ends");
            return Err(NoNewToken::Ends(SessionEnd::RefreshRefused));
        };
        // SPEC: RFC 6749 section 6: without a new one, the old one stays good.
        let next = newer.as_ref().unwrap_or(refresh_token);
        let now_ms = self.clock.now_ms();
        let verified = verify_id_token(&self.issuer, &id_token, &self.limits, now_ms).await;
        let claims = match verified {
            Ok(verified) => Some(verified.claims),
            Err(refusal) if refusal.reason == Reason::KeysUnavailable => {
                return Err(later(next, &"the keys for the new ID token cannot be read"));
            }
            Err(_) => None,
        };
        let claims = claims.filter(|claims| is_of_the_same(claims, session, &old.nonce));
        let Some(ends_at_ms) = claims.and_then(|claims| claims.expires_at_ms()) else {
            tracing::warn!(session = %session.id, issuer, "the refreshed ID token is refused, so the session ends");
            return Err(NoNewToken::Ends(SessionEnd::RefreshRefused));
        };
        Ok(Credential {
            token: Zeroizing::new(id_token.to_string()),
            refresh_token: Some(next.clone()),
            nonce: old.nonce.clone(),
            obtained_at_ms: now_ms,
            ends_at_ms,
            body: old.body.clone(),
        })
    }
}

/// Tests whether a refreshed ID token is of the user who signed in (OpenID Connect Core 1.0 section 12.2).
fn is_of_the_same(claims: &VerifiedClaims, session: &Session, nonce: &str) -> bool {
    let text = |name: &str| {
        claims
            .claims()
            .get(name)
            .map(|value| value.as_str().unwrap_or_default())
    };
    text("sub") == session.provider_session.subject() && text("nonce").is_none_or(|own| own == nonce)
}
