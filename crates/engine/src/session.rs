//! Sessions at the doors: from the cookie of a browser to the token that it stands for.
//!
//! A session is one more place from which a token comes. The directory keeps it sealed; here it is opened, kept for half a
//! minute under the version numbers of its user, and renewed before its token ends. It never stands for more than that token.

mod begin;
mod embedded_login;
mod refresh;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use http::HeaderMap;
use narthex_decision::{Reason, Route};
use narthex_directory::{
    CredentialKind, IssuerName, SESSION_USE_EVERY_MS, SecretHash, SessionId, SessionKind, Stamp, StandingSession,
    StoreError, SyncError, Versions,
};
use narthex_session::Credential;
use narthex_session::cookie::{self, DOOR, Secret};
use quick_cache::sync::Cache;

pub use self::begin::{SignedIn, begin, end_of_browser};
pub use self::embedded_login::{EmbeddedLogin, EmbeddedSession, begin_embedded, embedding_of, verify_for_code};
use self::refresh::{Refresher, Renewal, renewed};
use crate::credentials::{FoundAt, Place, Token};
use crate::embedding::Embedding;
use crate::engine::Engine;
use crate::inbound::Inbound;
use crate::pipeline::refuse_sync;
use crate::respond::Refusal;
use crate::runtime::{IssuerRuntime, Runtime};

/// Time for which an open session is cached, in milliseconds. Uses are recorded once a minute.
const CACHED_MS: i64 = 30_000;
/// Seconds after which a client should ask again whose session waits for a new token.
const RETRY_AFTER_SECONDS: u32 = 5;
/// Upper limit of open sessions that are cached. Each has a token of a few kilobytes.
const CACHED_MAX: usize = 4_096;

/// A session that stands, opened.
pub struct OpenSession {
    /// Its id.
    pub id: SessionId,
    /// The hash of its cookie's secret.
    pub hash: SecretHash,
    /// Time at which it ends at the latest, in milliseconds.
    pub ends_at_ms: i64,
    issuer: IssuerName,
    /// Embedded login that it was begun by.
    embedding: Option<Embedding>,
    credential: Credential,
    /// Time at which it ends if it is not used again, in milliseconds.
    lapses_at_ms: i64,
    read_at_ms: i64,
    noted_at_ms: AtomicI64,
    stamp: Stamp,
    generation: u64,
}

impl fmt::Debug for OpenSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenSession")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl OpenSession {
    /// Returns the issuer of its token, by its configured name.
    pub const fn issuer(&self) -> &IssuerName {
        &self.issuer
    }

    /// Returns its token, and the place that it comes from.
    pub fn presented(&self) -> (Token<'_>, FoundAt) {
        let issuer = self.issuer.clone();
        let place = match &self.embedding {
            None => Place::Session(issuer),
            Some(_) => Place::Embedded {
                issuer,
                body: self.credential.body.clone(),
            },
        };
        (Token::from(self.credential.token.as_str()), place.into())
    }

    /// Time at which it ends if it is not used again, in milliseconds, as far as this node knows.
    pub const fn lapses_at_ms(&self) -> i64 {
        self.lapses_at_ms
    }

    /// Time of its last use that was recorded, in milliseconds, as far as this node knows.
    pub fn noted_at_ms(&self) -> i64 {
        self.noted_at_ms.load(Ordering::Relaxed)
    }

    /// Returns the embedded login that it was begun by, if it is a session in a frame.
    pub const fn embedding(&self) -> Option<&Embedding> {
        self.embedding.as_ref()
    }

    /// Tests whether the cached session may serve a request.
    ///
    /// SECURITY: the end of a session, a sign-out and a disabled user move the number of the user's stripe.
    fn is_fresh(&self, generation: u64, versions: &Versions, now_ms: i64) -> bool {
        let age_ms = now_ms.saturating_sub(self.read_at_ms);
        (0..CACHED_MS).contains(&age_ms) && self.stands(generation, versions, now_ms) && !self.credential.is_due(now_ms)
    }

    fn stands(&self, generation: u64, versions: &Versions, now_ms: i64) -> bool {
        self.generation == generation
            && now_ms < self.lapses_at_ms
            && now_ms < self.credential.ends_at_ms
            && versions.is_current(self.stamp)
    }
}

/// Cache of open sessions, keyed by the hash of their cookie's secret.
pub struct SessionCache(Cache<[u8; 32], Arc<OpenSession>>);

impl Default for SessionCache {
    fn default() -> Self {
        Self(Cache::new(CACHED_MAX))
    }
}

impl fmt::Debug for SessionCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionCache").field("len", &self.0.len()).finish()
    }
}

/// Session of a request.
#[derive(Debug, Clone)]
pub enum RequestSession {
    /// The request has no cookie of a session.
    None,
    /// It has one, and the session has ended.
    Ended,
    /// It has one, and the session stands.
    Open(Arc<OpenSession>),
}

/// Place of a session: its kind, and the cookie of that kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionPlace {
    /// Kind of the session.
    pub kind: SessionKind,
    /// Name of its cookie.
    pub cookie: Cow<'static, str>,
}

impl SessionPlace {
    /// The doors.
    pub const DOOR: Self = Self {
        kind: SessionKind::Door,
        cookie: Cow::Borrowed(DOOR),
    };
    /// The console.
    pub const CONSOLE: Self = Self {
        kind: SessionKind::Console,
        cookie: Cow::Borrowed(cookie::CONSOLE),
    };

    /// Returns the place of the sessions of an embedded login.
    pub fn embedded(embedding: &Embedding) -> Self {
        Self {
            kind: SessionKind::Embedded,
            cookie: Cow::Owned(embedding.cookie.clone()),
        }
    }
}

/// Opens a session of the console that stands and was begun at an issuer; `None` if it stands for nothing any more.
///
/// # Errors
///
/// `store.unavailable`, if the directory gives no answer.
pub async fn open_at_console(
    engine: &Engine,
    runtime: &Runtime,
    found: StandingSession,
) -> Result<Option<Arc<OpenSession>>, Refusal> {
    let now_ms = engine.clock.now_ms();
    Box::pin(open(engine, runtime, (found, SessionKind::Console), now_ms)).await
}

/// Returns the session of a request without a token; `None` if there is none and the route does not require one.
///
/// # Errors
///
/// `token.missing` or `session.ended` where the route requires one; `store.unavailable`, if the directory gives no answer.
pub(crate) async fn required(
    engine: &Engine,
    runtime: &Runtime,
    inbound: &Inbound<'_>,
    route: &Route,
) -> Result<Option<Arc<OpenSession>>, Refusal> {
    let found = if runtime.reads_tokens(route.index) {
        match of_request(engine, runtime, inbound).await {
            // Nor does one that waits for a new token.
            Err(refusal) if refusal.reason == Reason::KeysUnavailable && route.is_public() => return Ok(None),
            found => found?,
        }
    } else {
        RequestSession::None
    };
    match found {
        RequestSession::Open(open) => Ok(Some(open)),
        // A cookie that says nothing any more does not lock its browser out of public pages: no page can remove it.
        RequestSession::None | RequestSession::Ended if route.is_public() => Ok(None),
        RequestSession::Ended => Err(ended()),
        RequestSession::None => Err(runtime.places_on(route.index).missing()),
    }
}

/// Returns the session of a request at the doors.
///
/// # Errors
///
/// `store.unavailable`, if the directory gives no answer.
pub async fn of_request(engine: &Engine, runtime: &Runtime, inbound: &Inbound<'_>) -> Result<RequestSession, Refusal> {
    let mut found = RequestSession::None;
    if let Some(secret) = cookie::secret(inbound.headers, DOOR) {
        found = of_cookie(engine, runtime, &secret, None).await?;
    }
    if matches!(found, RequestSession::Open(_)) {
        return Ok(found);
    }
    for (issuer, embedding) in embeddings(runtime, inbound.headers) {
        if let Some(secret) = cookie::secret(inbound.headers, &embedding.cookie) {
            found = of_cookie(engine, runtime, &secret, Some(issuer)).await?;
        }
        if matches!(found, RequestSession::Open(_)) {
            break;
        }
    }
    Ok(found)
}

/// Returns the embedded logins of which a request has a cookie, in the order of the cookies.
pub fn embeddings<'r>(runtime: &'r Runtime, headers: &HeaderMap) -> Vec<(&'r Arc<IssuerRuntime>, &'r Embedding)> {
    let names = cookie::embedded_issuers(headers);
    names.filter_map(|name| runtime.embedding_at(name)).collect()
}

/// Returns the session of a cookie at the doors, or of the cookie of an issuer in frames.
async fn of_cookie(
    engine: &Engine,
    runtime: &Runtime,
    secret: &Secret,
    embedded: Option<&Arc<IssuerRuntime>>,
) -> Result<RequestSession, Refusal> {
    let (hash, now_ms) = (secret.hash(), engine.clock.now_ms());
    let kind = embedded.map_or(SessionKind::Door, |_| SessionKind::Embedded);
    // SECURITY: a session is accepted in the cookie of its kind and its issuer only, also from the cache.
    let is_of = |open: &OpenSession| match embedded {
        Some(issuer) => open.embedding.is_some() && open.issuer == issuer.name,
        None => open.embedding.is_none(),
    };
    let cached = engine.sessions.0.get(&hash.0).filter(|open| is_of(open));
    if let Some(open) = &cached
        && open.is_fresh(runtime.generation, &engine.versions, now_ms)
    {
        note_use(engine, open.id, &open.noted_at_ms, now_ms);
        return Ok(RequestSession::Open(Arc::clone(open)));
    }
    engine.contact.ensure(&*engine.directory, &engine.clock, now_ms).await?;
    let found = match engine.directory.session_by_hash(hash, now_ms).await {
        Ok(found) => found,
        // Without the directory, known users are served for a while.
        Err(StoreError::Unavailable(_))
            if cached
                .as_ref()
                .is_some_and(|open| open.stands(runtime.generation, &engine.versions, now_ms)) =>
        {
            return Ok(cached.map_or(RequestSession::Ended, RequestSession::Open));
        }
        Err(error) => return Err(unavailable(engine, error)),
    };
    let opened = match found {
        Some(found) => Box::pin(open(engine, runtime, (found, kind), now_ms)).await?,
        None => None,
    };
    let Some(open) = opened.filter(|open| is_of(open)) else {
        engine.sessions.0.remove(&hash.0);
        return Ok(RequestSession::Ended);
    };
    engine.sessions.0.insert(hash.0, Arc::clone(&open));
    note_use(engine, open.id, &open.noted_at_ms, now_ms);
    Ok(RequestSession::Open(open))
}

/// Opens a session that stands, and renews its token if that is due; `None` if it stands for nothing any more.
async fn open(
    engine: &Engine,
    runtime: &Runtime,
    (found, kind): (StandingSession, SessionKind),
    now_ms: i64,
) -> Result<Option<Arc<OpenSession>>, Refusal> {
    let StandingSession { session, stamp } = found;
    // SECURITY: a session is accepted only in the place of its kind.
    if session.kind != kind {
        return Ok(None);
    }
    let (CredentialKind::Token, Some(issuer)) = (session.credential, &session.issuer) else {
        return Ok(None);
    };
    let issuer = match kind {
        SessionKind::Embedded => runtime.embedding_at(issuer.as_str()).map(|(issuer, _)| issuer),
        SessionKind::Door | SessionKind::Console => runtime.sign_in_at(issuer.as_str()).map(|(issuer, _)| issuer),
    };
    let (Some(issuer), Some(keys)) = (issuer, &runtime.connections.sealing) else {
        return Ok(None);
    };
    let Some(credential) = Credential::open(keys, &session) else {
        tracing::warn!(session = %session.id, "a session cannot be opened: it was encrypted with another secret key");
        return Ok(None);
    };
    let mut opened = (session, credential);
    if opened.1.is_due(now_ms) {
        let refresher = Refresher {
            directory: Arc::clone(&engine.directory),
            issuer: Arc::clone(issuer),
            keys: Arc::clone(keys),
            clock: engine.clock.clone(),
            limits: runtime.token_limits,
        };
        opened = match renewed(refresher, opened.0, opened.1).await {
            Ok(Renewal::Renewed(session, credential)) => (*session, credential),
            Ok(Renewal::Ended) => return Ok(None),
            Ok(Renewal::Unreachable) => return Err(unreachable_issuer(&issuer.name)),
            Err(error) => return Err(unavailable(engine, error)),
        };
    }
    let (session, credential) = opened;
    let now_ms = engine.clock.now_ms();
    // SECURITY: without a renewal, a session ends with its token, to the millisecond: no leeway is left for it.
    if credential.ends_at_ms <= now_ms || !session.stands_at(now_ms) {
        return Ok(None);
    }
    Ok(Some(Arc::new(OpenSession {
        id: session.id,
        hash: session.hash,
        ends_at_ms: session.ends_at_ms,
        issuer: issuer.name.clone(),
        embedding: issuer.embedding.clone().filter(|_| kind == SessionKind::Embedded),
        lapses_at_ms: session.lapses_at_ms(),
        credential,
        read_at_ms: now_ms,
        noted_at_ms: session.last_seen_at_ms.into(),
        stamp,
        generation: runtime.generation,
    })))
}

/// Records the use of a session that was last noted at that time, at most once a minute, outside of the request's path.
///
/// SECURITY: only for a session that stands. A use that is recorded after its end would bring it back.
pub fn note_use(engine: &Engine, session: SessionId, noted_at_ms: &AtomicI64, now_ms: i64) {
    let noted = noted_at_ms.load(Ordering::Relaxed);
    if now_ms.saturating_sub(noted).unsigned_abs() >= SESSION_USE_EVERY_MS.unsigned_abs() {
        noted_at_ms.store(now_ms, Ordering::Relaxed);
        engine.directory.note_session_use(session, now_ms);
    }
}

/// Returns the refusal of a request whose session waits for a new token.
fn unreachable_issuer(issuer: &IssuerName) -> Refusal {
    let problem = "the identity provider cannot be reached right now, and the session needs a new token from it";
    Refusal {
        retry_after_seconds: Some(RETRY_AFTER_SECONDS),
        ..Refusal::because(Reason::KeysUnavailable, problem)
    }
    .of_issuer(issuer)
}

/// Returns the refusal of a request whose session has ended.
pub fn ended() -> Refusal {
    Refusal::new(Reason::SessionEnded)
}

/// Returns the refusal of a request that needs the directory, which gives no answer.
pub fn unavailable(engine: &Engine, error: StoreError) -> Refusal {
    refuse_sync(engine, &SyncError::Store(error))
}
