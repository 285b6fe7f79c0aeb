//! Sessions of the console: sign-in of a browser, the caller of its requests, and the list of signed-in browsers.
//!
//! A session keeps the credential that the browser signed in with, sealed with the secret key, and presents it again for
//! each request. So it never stands for more than its credential: what ends the credential ends the session.

use std::sync::Arc;

use http::HeaderMap;
use narthex_clock::NewIds;
use narthex_decision::{Action, Actor as Reach, ActorScope, Reason};
use narthex_directory::{
    Actor, By, CredentialKind, IssuerName, Listing, PAGE_LIMIT_MAX, Page, PlatformRole, ProviderSession, SecretHash,
    Session, SessionClient, SessionEnd, SessionFilter, SessionId, SessionKind, SessionSelection, StandingSession,
};
use narthex_session::cookie::Secret;
use narthex_session::{Owner, SealingKeys};
use zeroize::Zeroizing;

use super::Operations;
use super::api_keys::secret;
use super::caller::Caller;
use super::error::OpError;
use super::gateway_api::{SignInAnswer, SignInBegin, SignInBegun, SignInCompleted};
use super::input_rules;
use super::paging::PageRequest;

mod link;
mod refused_sign_in;

pub use link::{LINK_MS, LINKS_MAX, LinkError, create_link, is_first_run};
pub use refused_sign_in::RefusedSignIn;

/// Longest user agent that is recorded, in characters.
const USER_AGENT_CHARS: usize = 160;

/// Credential that a browser signs in with.
#[derive(Debug, Clone, Copy)]
pub enum SignInCredential<'c> {
    /// An API key, or a token of an issuer.
    Bearer(BearerText<'c>),
    /// The secret of a one-time link.
    Link(&'c Secret),
}

/// Text of an API key or a token. Printing it says nothing.
#[derive(Clone, Copy)]
pub struct BearerText<'c>(pub &'c str);

impl std::fmt::Debug for BearerText<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BearerText(***)")
    }
}

/// Limits of a new session, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimits {
    /// Longest time between two uses.
    pub idle_ms: i64,
    /// Longest life.
    pub max_ms: i64,
}

/// A credential that was proved.
struct Proved {
    caller: Caller,
    kind: CredentialKind,
    issuer: Option<IssuerName>,
    /// Text that proves it again.
    text: Zeroizing<String>,
}

impl Operations {
    /// Signs a browser in to the console: begins a session, and ends the one that the browser had. Returns the secret of
    /// its cookie. `headers` are those of the request, which an issuer's templates may read.
    ///
    /// # Errors
    ///
    /// When there is no secret key, the credential is refused or reaches no page, or the directory fails.
    pub async fn sign_in(
        self: &Arc<Self>,
        credential: SignInCredential<'_>,
        headers: &HeaderMap,
        client: SessionClient,
        before: Option<&Secret>,
    ) -> Result<Secret, RefusedSignIn> {
        let settings = self.gateway.connections();
        let keys = settings.sealing.as_deref().ok_or_else(no_key)?;
        let proved = match credential {
            SignInCredential::Bearer(BearerText(text)) => self.of_bearer(text.trim(), headers).await?,
            SignInCredential::Link(secret) => self.of_link(secret, keys).await?,
        };
        if !proved.caller.reaches_console() {
            return Err(RefusedSignIn::no_page(Some(&proved.caller)));
        }
        if let Some(before) = before {
            self.end_of_browser(before, SessionEnd::Replaced, proved.caller.actor().clone())
                .await?;
        }
        // SECURITY: a new secret at each sign-in, so that no cookie from before it stands for the caller (session fixation).
        let secret = Secret::draw()?;
        let session = self.session(&proved, &secret, client, keys)?;
        let by = self.by(proved.caller.actor().clone());
        self.directory.create_session(session, by).await?;
        Ok(secret)
    }

    /// Names of the issuers that browsers can sign in at.
    pub fn sign_in_issuers(&self) -> Vec<String> {
        self.gateway.sign_in_issuers()
    }

    /// Begins a sign-in at an issuer.
    ///
    /// # Errors
    ///
    /// When the issuer has no sign-in or cannot be reached, or there is no secret key.
    pub async fn begin_sign_in(&self, begin: SignInBegin<'_>) -> Result<SignInBegun, RefusedSignIn> {
        Ok(self.gateway.begin_sign_in(begin).await?)
    }

    /// Completes a sign-in at an issuer, and begins a session.
    ///
    /// # Errors
    ///
    /// When the issuer or the user is refused, the user reaches no page, or the directory fails.
    pub async fn complete_sign_in(
        self: &Arc<Self>,
        answer: SignInAnswer<'_>,
    ) -> Result<SignInCompleted, RefusedSignIn> {
        let completed = self.gateway.complete_sign_in(answer).await?;
        let caller = self.caller_of_session(&completed.session, answer.headers).await?;
        match caller {
            Some(caller) if caller.reaches_console() => Ok(completed),
            other => {
                let actor = other.as_ref().map_or(Actor::System, |caller| caller.actor().clone());
                self.end_of_browser(&completed.session, SessionEnd::SignedOut, actor)
                    .await?;
                Err(RefusedSignIn::no_page(other.as_ref()))
            }
        }
    }

    async fn of_bearer(self: &Arc<Self>, text: &str, headers: &HeaderMap) -> Result<Proved, OpError> {
        let text = text.strip_prefix("Bearer ").unwrap_or(text);
        let caller = self.authenticate(text, headers).await?;
        Ok(Proved {
            kind: if secret::is_api_key(text) {
                CredentialKind::ApiKey
            } else {
                CredentialKind::Token
            },
            issuer: caller.issuer().cloned(),
            caller,
            text: Zeroizing::new(text.to_owned()),
        })
    }

    async fn of_link(self: &Arc<Self>, secret: &Secret, keys: &SealingKeys) -> Result<Proved, OpError> {
        let taken = link::take(&*self.directory, keys, secret, self.clock.now_ms()).await?;
        let system_user = taken.ok_or(OpError::Unknown { what: "sign-in link" })?;
        Ok(Proved {
            caller: self.of_system_user(&system_user),
            kind: CredentialKind::FirstRunLink,
            issuer: None,
            text: Zeroizing::new(system_user),
        })
    }

    /// Returns the caller with a session of a one-time link: the system user who created the link, at the command line.
    ///
    /// SECURITY: a platform admin. The link was made by a user who can read the store's file, who can do everything.
    fn of_system_user(self: &Arc<Self>, name: &str) -> Caller {
        let reach = Reach {
            scopes: vec![ActorScope::Platform(PlatformRole::Admin)],
        };
        let actor = Actor::CommandLine(Some(name.to_owned()));
        Caller::new(Arc::clone(self), actor, None, reach)
    }

    fn session(
        &self,
        proved: &Proved,
        secret: &Secret,
        client: SessionClient,
        keys: &SealingKeys,
    ) -> Result<Session, OpError> {
        let (now_ms, limits) = (self.clock.now_ms(), self.gateway.session_limits());
        let id = SessionId::new(now_ms, &mut NewIds::new()?);
        let sealed = keys.seal(proved.text.as_bytes(), owner(&id.to_string()));
        Ok(Session {
            id,
            kind: SessionKind::Console,
            hash: secret.hash(),
            issuer: proved.issuer.clone(),
            user: proved.caller.user().map(|user| user.id),
            provider_session: ProviderSession::default(),
            credential: proved.kind,
            sealed: sealed.map_err(|error| OpError::Internal(error.to_string()))?,
            client: shortened(client),
            created_at_ms: now_ms,
            last_seen_at_ms: now_ms,
            idle_ms: limits.idle_ms,
            ends_at_ms: now_ms.saturating_add(limits.max_ms),
            // The credential is proved again for each request, so that no time of its end is needed here.
            token_ends_at_ms: None,
            version: 1,
            refresh_until_ms: None,
            ended_at_ms: None,
            end: None,
        })
    }

    /// Returns the caller with the session of this cookie; `None` if it has ended, or its credential counts no more.
    ///
    /// # Errors
    ///
    /// When the directory or the keys of the issuer cannot be reached.
    pub async fn caller_of_session(
        self: &Arc<Self>,
        secret: &Secret,
        headers: &HeaderMap,
    ) -> Result<Option<Caller>, OpError> {
        let Some(found) = self.console_session(secret.hash()).await? else {
            return Ok(None);
        };
        let id = found.session.id;
        // A session that was begun at an issuer knows the end of its token.
        let caller = match found.session.token_ends_at_ms {
            Some(_) => self.of_issuer(found, headers).await,
            None => self.of_credential(&found.session, headers).await,
        };
        match caller {
            Ok(Some(caller)) => {
                self.directory.note_session_use(id, self.clock.now_ms());
                Ok(Some(caller.with_session(id)))
            }
            Err(error) if is_temporary(&error) => Err(error),
            Ok(None) | Err(_) => Ok(None),
        }
    }

    /// Returns the caller with the token of a session that was begun at an issuer.
    async fn of_issuer(
        self: &Arc<Self>,
        found: StandingSession,
        headers: &HeaderMap,
    ) -> Result<Option<Caller>, OpError> {
        let holder = self.gateway.authenticate_session(found, headers).await?;
        Ok(holder.map(|holder| self.of_holder(holder)))
    }

    /// Returns the caller with the credential that a session keeps.
    async fn of_credential(
        self: &Arc<Self>,
        session: &Session,
        headers: &HeaderMap,
    ) -> Result<Option<Caller>, OpError> {
        let settings = self.gateway.connections();
        let opened = settings
            .sealing
            .as_deref()
            .and_then(|keys| keys.open(&session.sealed, owner(&session.id.to_string())).ok());
        let text = opened.and_then(|opened| String::from_utf8(opened.plain.to_vec()).ok());
        let Some(text) = text.map(Zeroizing::new) else {
            tracing::warn!(session = %session.id, "a session cannot be opened: it was encrypted with another secret key");
            return Ok(None);
        };
        match session.credential {
            CredentialKind::FirstRunLink => Ok(Some(self.of_system_user(&text))),
            CredentialKind::ApiKey | CredentialKind::Token => self.authenticate(&text, headers).await.map(Some),
        }
    }

    /// SECURITY: a session is accepted only in the place of its kind.
    async fn console_session(&self, hash: SecretHash) -> Result<Option<StandingSession>, OpError> {
        let found = self.directory.session_by_hash(hash, self.clock.now_ms()).await?;
        Ok(found.filter(|found| found.session.kind == SessionKind::Console))
    }

    /// Ends the session of a browser whose credential does not say who the caller is.
    ///
    /// # Errors
    ///
    /// When the directory fails.
    pub async fn sign_out_unknown(&self, secret: &Secret) -> Result<(), OpError> {
        self.end_of_browser(secret, SessionEnd::SignedOut, Actor::System).await
    }

    async fn end_of_browser(&self, secret: &Secret, end: SessionEnd, actor: Actor) -> Result<(), OpError> {
        if let Some(found) = self.console_session(secret.hash()).await? {
            let one = SessionSelection::Session(found.session.id);
            self.directory.end_sessions(one, end, self.by(actor)).await?;
        }
        Ok(())
    }

    fn by(&self, actor: Actor) -> By {
        By {
            actor,
            at_ms: self.clock.now_ms(),
        }
    }
}

/// SECURITY: the credential of one session does not open in the record of another.
const fn owner(id: &str) -> Owner<'_> {
    Owner {
        kind: "console_session",
        name: id,
        organization: None,
        governed_by: "",
    }
}

fn no_key() -> OpError {
    OpError::Secrets(
        "sign-in needs a secret key, and there is none; set `NARTHEX_SECRET_KEY` or `[secrets] key_file` for the server \
         (create one with `openssl rand -base64 32`)"
            .to_owned(),
    )
}

fn shortened(client: SessionClient) -> SessionClient {
    let shortened = |text: String| text.trim().chars().take(USER_AGENT_CHARS).collect::<String>();
    SessionClient {
        user_agent: client.user_agent.map(shortened).filter(|text| !text.is_empty()),
        address: client.address,
    }
}

/// Tests whether an error is about the moment, and not about the credential.
fn is_temporary(error: &OpError) -> bool {
    match error {
        OpError::Refused(refusal) => matches!(
            refusal.reason,
            Reason::StoreUnavailable | Reason::KeysUnavailable | Reason::RateLimited
        ),
        error => error.is_fault(),
    }
}

/// Ends the session that the caller came with.
///
/// # Errors
///
/// When the directory fails.
pub async fn sign_out(caller: &Caller) -> Result<(), OpError> {
    if let Some(id) = caller.session() {
        let permit = caller.own_permit();
        let one = SessionSelection::Session(id);
        permit
            .directory()
            .end_sessions(one, SessionEnd::SignedOut, permit.by())
            .await?;
    }
    Ok(())
}

/// Lists the sessions at the console that are the caller's own: those of the same user, or the one that the caller came
/// with.
///
/// # Errors
///
/// When the directory fails.
pub async fn own(caller: &Caller) -> Result<Vec<Session>, OpError> {
    if caller.user().is_none() && caller.session().is_none() {
        return Ok(Vec::new());
    }
    let permit = caller.own_permit();
    let filter = SessionFilter {
        user: caller.user().map(|user| user.id),
        ..standing(permit.now_ms())
    };
    let (mut page, mut own) = (Page::first(PAGE_LIMIT_MAX), Vec::new());
    loop {
        let Listing { items, next_cursor } = permit.directory().sessions(filter, page).await?;
        // SECURITY: without a user, the filter admits the sessions of others.
        let is_own = |session: &Session| filter.user.is_some() || Some(session.id) == caller.session();
        own.extend(items.into_iter().filter(is_own));
        page = match next_cursor {
            Some(cursor) if filter.user.is_none() && own.is_empty() => Page::after(cursor, PAGE_LIMIT_MAX),
            _ => return Ok(own),
        };
    }
}

const fn standing(now_ms: i64) -> SessionFilter {
    SessionFilter {
        user: None,
        kind: Some(SessionKind::Console),
        standing_at_ms: Some(now_ms),
    }
}

/// Filters of a list of sessions. A session must match all that are given.
#[derive(Debug, Clone, Default)]
pub struct SessionQuery {
    /// Place in which the session is accepted.
    pub kind: Option<SessionKind>,
    /// Id of its user.
    pub user: Option<String>,
}

impl SessionQuery {
    /// Sessions at the console.
    pub const CONSOLE: Self = Self {
        kind: Some(SessionKind::Console),
        user: None,
    };
}

/// Lists the sessions that stand, by id; by default of all places and users.
///
/// # Errors
///
/// When the caller may not, a filter or the page cannot be used, or the directory fails.
pub async fn list(caller: &Caller, query: SessionQuery, page: PageRequest) -> Result<Listing<Session>, OpError> {
    let permit = caller.permit(Action::ReadUsers, None)?;
    let user = query.user.map(|id| id.parse().map_err(input_rules::name("user")));
    let filter = SessionFilter {
        user: user.transpose()?,
        kind: query.kind,
        standing_at_ms: Some(permit.now_ms()),
    };
    Ok(permit.directory().sessions(filter, page.page()?).await?)
}

/// Ends the session with this id: one of the caller's own, or any, for a caller who may sign users out.
///
/// # Errors
///
/// When the caller may not, there is no such session, or the directory fails.
pub async fn end(caller: &Caller, id: &str) -> Result<(), OpError> {
    let id: SessionId = input_rules::id(id, "session", "sessions")?;
    let is_own = own(caller).await?.iter().any(|session| session.id == id);
    let (permit, end) = if is_own {
        (caller.own_permit(), SessionEnd::SignedOut)
    } else {
        (caller.permit(Action::WriteUsers, None)?, SessionEnd::Administrator)
    };
    let one = SessionSelection::Session(id);
    match permit.directory().end_sessions(one, end, permit.by()).await? {
        0 => Err(OpError::Unknown { what: "session" }),
        _ => Ok(()),
    }
}

/// Ends the caller's own sessions but the one that the caller came with.
///
/// # Errors
///
/// When the directory fails.
pub async fn end_others(caller: &Caller) -> Result<(), OpError> {
    let permit = caller.own_permit();
    for session in own(caller).await? {
        if Some(session.id) != caller.session() {
            let one = SessionSelection::Session(session.id);
            permit
                .directory()
                .end_sessions(one, SessionEnd::SignedOut, permit.by())
                .await?;
        }
    }
    Ok(())
}
