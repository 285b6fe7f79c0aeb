//! Lifetimes of streams: a stream ends when the grounds end on which it was allowed.
//!
//! A decision is made when a request begins, but a WebSocket or an event stream may continue for days. So each stream
//! of a user is watched: one sweep, a few times a second, compares its end and the version numbers that move with a
//! change in the directory, and asks the directory only if they moved. A body that arrives at once is never watched.

use std::future::poll_fn;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use http::{HeaderMap, HeaderValue, header};
use narthex_decision::{Reason, Requirement};
use narthex_directory::{OrganizationName, PlatformRole, SecretHash, SessionId, StoreError, Stripe, UserId};
use tokio::time::{Instant, MissedTickBehavior};

use crate::server::Connection;
use narthex_engine::Engine;
use narthex_engine::cache::by_token::CredentialSource;
use narthex_engine::event::Event;
use narthex_engine::passed::{Answer, Passed};
use narthex_engine::session::{self, OpenSession};

mod body;
mod sweep_answers;

pub(crate) use body::{LifetimeBody, limited};
use sweep_answers::SweepAnswers;

/// Interval between two sweeps over all streams. The node hears of a change in the directory within half a second, so
/// this keeps the sum of both below a second.
const SWEEP_EVERY: Duration = Duration::from_millis(250);

/// Lifetime of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LifetimeRule {
    /// Ends with its token: upgraded connections, event streams, gRPC.
    WithToken,
    /// Ends a grace period after its token: bodies that end by themselves.
    WithGrace,
}

/// Form of the end, so that the reader of the stream understands it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Close {
    /// Broken off, because the body is incomplete.
    Broken,
    /// Ends normally: an event stream has no end of its own, and its client reconnects.
    Over,
    /// With the status 16 (`UNAUTHENTICATED`) of gRPC.
    Grpc,
}

/// Kind of a stream, from the head of its message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StreamKind {
    lasts: LifetimeRule,
    close: Close,
}

impl StreamKind {
    /// Returns the kind of a body by its media type.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let media_type = headers
            .get(header::CONTENT_TYPE)
            .map_or(&b""[..], HeaderValue::as_bytes);
        let is = |name: &[u8]| {
            media_type
                .get(..name.len())
                .is_some_and(|begin| begin.eq_ignore_ascii_case(name))
        };
        let (lasts, close) = if is(b"text/event-stream") {
            (LifetimeRule::WithToken, Close::Over)
        } else if is(b"application/grpc-web") {
            (LifetimeRule::WithToken, Close::Broken)
        } else if is(b"application/grpc") {
            (LifetimeRule::WithToken, Close::Grpc)
        } else {
            (LifetimeRule::WithGrace, Close::Broken)
        };
        Self { lasts, close }
    }

    /// Returns the kind of a request's body, which has no gRPC status to end with.
    pub(crate) fn of_request(headers: &HeaderMap) -> Self {
        Self {
            close: Close::Broken,
            ..Self::of(headers)
        }
    }
}

/// Terms of a stream: the decision that it rests on, and the gateway that detects its end.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    connection: Arc<Connection>,
    answer: Answer,
    session: Option<Arc<OpenSession>>,
    request_id: String,
    body_grace: Duration,
}

impl Terms {
    /// Creates the terms of a request that may pass.
    pub(crate) fn of(connection: Arc<Connection>, passed: Passed, body_grace: Duration) -> Self {
        Self {
            connection,
            answer: passed.answer,
            session: passed.session,
            request_id: passed.request_id,
            body_grace,
        }
    }

    /// Begins to watch a stream; `None` for an anonymous request, which rests on nothing that ends.
    pub(crate) fn watch(&self, lasts: LifetimeRule) -> Option<LifetimeHandle> {
        let gateway = &self.connection.gateway;
        let lifetime = Lifetime::of(self, lasts, gateway.engine.clock.now_ms())?;
        Some(gateway.lifetimes.add(lifetime))
    }
}

/// A watched stream.
#[derive(Debug)]
struct Lifetime {
    request_id: String,
    user: UserId,
    stripe: Stripe,
    /// Organization that the path names, unless its suspension does not keep a user like this one out.
    organization: Option<OrganizationName>,
    /// Source of the credential: an issuer that may be disabled, or a machine key that may be revoked.
    source: CredentialSource,
    /// Value at the beginning: any later one refuses the token that the stream began with.
    tokens_not_before_ms: Option<i64>,
    /// `jti` of the token, and its `iat` in milliseconds: by them it can be revoked.
    token: (Option<Box<str>>, Option<i64>),
    /// Session of the token, if it is of one.
    session: Option<WatchedSession>,
    ends_at_ms: i64,
    /// The same end by a clock that is never set back.
    ends_by: Option<Instant>,
    /// Version numbers at the last check that found everything valid.
    seen: Numbers,
    ended: OnceLock<Reason>,
    waker: AtomicWaker,
}

/// Session of a watched stream. The stream is a use of it for as long as it is open.
#[derive(Debug)]
struct WatchedSession {
    id: SessionId,
    hash: SecretHash,
    /// Time at which it ends if it is not used again, in milliseconds, as the directory said last.
    lapses_at_ms: AtomicI64,
    /// Time of the last use that was noted when the stream began, or by it, in milliseconds.
    noted_at_ms: AtomicI64,
}

impl WatchedSession {
    fn of(open: &OpenSession) -> Self {
        Self {
            id: open.id,
            hash: open.hash,
            lapses_at_ms: open.lapses_at_ms().into(),
            noted_at_ms: open.noted_at_ms().into(),
        }
    }

    /// Notes a use of the session. Returns true if it may have lapsed, so that the directory has to be asked.
    ///
    /// SECURITY: a use that is noted after the end would bring the session back.
    fn may_have_lapsed(&self, engine: &Engine, now_ms: i64) -> bool {
        if now_ms >= self.lapses_at_ms.load(Ordering::Relaxed) {
            return true;
        }
        session::note_use(engine, self.id, &self.noted_at_ms, now_ms);
        false
    }
}

/// Version numbers that move with a change.
#[derive(Debug)]
struct Numbers {
    policy: AtomicU64,
    user: AtomicU64,
    generation: AtomicU64,
}

/// The same numbers, read at one moment.
#[derive(Debug, Clone, Copy)]
struct NumbersSnapshot {
    policy: u64,
    user: u64,
    generation: u64,
}

impl Numbers {
    fn at(now: NumbersSnapshot) -> Self {
        Self {
            policy: now.policy.into(),
            user: now.user.into(),
            generation: now.generation.into(),
        }
    }

    fn read(&self) -> NumbersSnapshot {
        NumbersSnapshot {
            policy: self.policy.load(Ordering::Relaxed),
            user: self.user.load(Ordering::Relaxed),
            generation: self.generation.load(Ordering::Relaxed),
        }
    }

    fn write(&self, now: NumbersSnapshot) {
        self.policy.store(now.policy, Ordering::Relaxed);
        self.user.store(now.user, Ordering::Relaxed);
        self.generation.store(now.generation, Ordering::Relaxed);
    }
}

impl Lifetime {
    fn of(terms: &Terms, lasts: LifetimeRule, now_ms: i64) -> Option<Self> {
        let caller = terms.answer.caller()?;
        let allowed = terms.answer.allowed();
        let account = caller.account();
        let principal = account.as_ref().map(|account| &account.principal);
        let looks_after = matches!(allowed.rule, Requirement::Platform(_))
            && principal.is_some_and(|principal| principal.platform_role() == PlatformRole::Admin);
        let organization = allowed
            .organization
            .as_ref()
            .filter(|_| allowed.rule != Requirement::Public && !looks_after)
            .and_then(|name| OrganizationName::new(name.as_str()).ok());
        let ends_at_ms = caller.stream_end(now_ms).map_or(i64::MAX, |(end, leeway_ms)| {
            let with_token = end.saturating_add(leeway_ms);
            let grace_ms = i64::try_from(terms.body_grace.as_millis()).unwrap_or(i64::MAX);
            match lasts {
                LifetimeRule::WithToken => with_token,
                LifetimeRule::WithGrace => with_token.max(end.saturating_add(grace_ms)),
            }
        });
        let session = terms.session.as_deref();
        let ends_at_ms = session.map_or(ends_at_ms, |session| ends_at_ms.min(session.ends_at_ms));
        let left = u64::try_from(ends_at_ms.saturating_sub(now_ms)).unwrap_or(0);
        let stamp = caller.stamp();
        Some(Self {
            request_id: terms.request_id.clone(),
            user: allowed.user?,
            stripe: stamp.stripe,
            organization,
            source: caller.source().clone(),
            // SECURITY: from the decision, not from this moment: a user who was signed out in between must not keep the
            // stream.
            tokens_not_before_ms: caller.tokens_not_before_ms(),
            token: {
                let (id, issued_at_ms) = caller.token_facts();
                (id.map(Box::from), issued_at_ms)
            },
            session: session.map(WatchedSession::of),
            ends_at_ms,
            ends_by: Instant::now().checked_add(Duration::from_millis(left)),
            seen: Numbers::at(NumbersSnapshot {
                policy: stamp.policy,
                user: stamp.user,
                generation: caller.generation(),
            }),
            ended: OnceLock::new(),
            waker: AtomicWaker::new(),
        })
    }

    /// Tests whether the lifetime has ended, by either clock.
    ///
    /// SECURITY: a clock that is set back must not lengthen the life of a token.
    fn is_over(&self, now_ms: i64, now: Instant) -> bool {
        now_ms >= self.ends_at_ms || self.ends_by.is_some_and(|end| now >= end)
    }

    /// Returns the reason for the end of a lifetime by its own expiry.
    const fn expiry(&self) -> Reason {
        match self.source {
            CredentialSource::Issuer(_) => Reason::TokenExpired,
            CredentialSource::MachineKey(_) => Reason::MachineKeyExpired,
        }
    }

    fn end(&self, reason: Reason, engine: &Engine) {
        if self.ended.set(reason).is_ok() {
            let (request_id, user) = (self.request_id.as_str(), self.user);
            Event::StreamEnded {
                request_id,
                user,
                reason,
            }
            .tell(&engine.metrics);
            self.waker.wake();
        }
    }
}

/// Handle of a watched stream, held by the stream itself.
#[derive(Debug)]
pub(crate) struct LifetimeHandle(Arc<Lifetime>);

impl LifetimeHandle {
    /// Returns the reason why the stream has ended, if it has; otherwise the task is woken when it does.
    fn ended(&self, context: &Context<'_>) -> Option<Reason> {
        self.0.waker.register(context.waker());
        self.0.ended.get().copied()
    }

    /// Waits for the end.
    pub(crate) async fn end(&self) {
        poll_fn(|context| self.ended(context).map_or(Poll::Pending, |_| Poll::Ready(()))).await;
    }
}

/// A stream that rests on something that moved, with the numbers that were read before.
struct MovedStream {
    lifetime: Arc<Lifetime>,
    now: NumbersSnapshot,
}

/// All watched streams.
#[derive(Debug, Default)]
pub(crate) struct Lifetimes {
    all: Mutex<Vec<Weak<Lifetime>>>,
}

impl Lifetimes {
    fn add(&self, lifetime: Lifetime) -> LifetimeHandle {
        let lifetime = Arc::new(lifetime);
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        // An ended stream keeps some memory until it is removed: the list is cleaned before it has to grow.
        if all.len() == all.capacity() {
            all.retain(|lifetime| lifetime.strong_count() > 0);
        }
        all.push(Arc::downgrade(&lifetime));
        LifetimeHandle(lifetime)
    }

    /// Ends streams whose grounds have ended, for as long as it is polled.
    pub(crate) async fn keep_watch(&self, engine: &Engine) {
        let mut turns = tokio::time::interval(SWEEP_EVERY);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            turns.tick().await;
            // If the directory gives no answer it is asked again at the next sweep; the contact with it is logged
            // elsewhere.
            let _ = self.sweep(engine).await;
        }
    }

    /// Checks all streams once.
    ///
    /// # Errors
    ///
    /// The directory gives no answer.
    async fn sweep(&self, engine: &Engine) -> Result<(), StoreError> {
        let (over, moved) = self.moved(engine);
        // The list is unlocked here: each end writes a line to the log, which may have to wait.
        for lifetime in over {
            lifetime.end(lifetime.expiry(), engine);
        }
        let mut said = SweepAnswers::default();
        let mut outcome = Ok(());
        for MovedStream { lifetime, now } in moved {
            match said.why_not(engine, &lifetime, now).await {
                Ok(Some(reason)) => lifetime.end(reason, engine),
                Ok(None) => lifetime.seen.write(now),
                // A directory that is unreachable is unreachable for the other streams too.
                Err(error @ StoreError::Unavailable(_)) => return Err(error),
                // SECURITY: one question that always fails must not leave every later stream unwatched.
                Err(error) => outcome = Err(error),
            }
        }
        outcome
    }

    /// Removes the streams whose lifetime has ended, and returns them and those that rest on something that moved, with
    /// the numbers read before the directory is asked.
    fn moved(&self, engine: &Engine) -> (Vec<Arc<Lifetime>>, Vec<MovedStream>) {
        let (now_ms, instant) = (engine.clock.now_ms(), Instant::now());
        let generation = engine.runtime.load().generation;
        let policy = engine.versions.policy();
        let (mut over, mut moved) = (Vec::new(), Vec::new());
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|lifetime| {
            let Some(lifetime) = lifetime.upgrade() else {
                return false;
            };
            if lifetime.is_over(now_ms, instant) {
                over.push(lifetime);
                return false;
            }
            let seen = lifetime.seen.read();
            let user = engine.versions.stripe(lifetime.stripe);
            let session = lifetime.session.as_ref();
            let may_have_lapsed = session.is_some_and(|session| session.may_have_lapsed(engine, now_ms));
            if may_have_lapsed || (seen.policy, seen.user, seen.generation) != (policy, user, generation) {
                let now = NumbersSnapshot {
                    policy,
                    user,
                    generation,
                };
                moved.push(MovedStream { lifetime, now });
            }
            true
        });
        (over, moved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_body_is_goes_by_its_media_type() {
        for (media_type, lasts, close) in [
            ("text/event-stream", LifetimeRule::WithToken, Close::Over),
            ("Text/Event-Stream; charset=utf-8", LifetimeRule::WithToken, Close::Over),
            ("application/grpc", LifetimeRule::WithToken, Close::Grpc),
            ("application/grpc+proto", LifetimeRule::WithToken, Close::Grpc),
            ("application/grpc-web+proto", LifetimeRule::WithToken, Close::Broken),
            ("text/event", LifetimeRule::WithGrace, Close::Broken),
            ("application/json", LifetimeRule::WithGrace, Close::Broken),
            ("", LifetimeRule::WithGrace, Close::Broken),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
            let kind = StreamKind::of(&headers);
            assert_eq!((kind.lasts, kind.close), (lasts, close), "{media_type}");
        }
        assert_eq!(StreamKind::of(&HeaderMap::new()).lasts, LifetimeRule::WithGrace);
    }
}
