//! A fetch under way, and the task that starts fetches in time.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use narthex_token::{FetchId, FetchOutcome, KeyOutcome, KeySet, KeysFault};
use tokio::time::Instant;

use super::cache::Outcome;
use super::error::FetchError;
use super::fetch::KeyServerAnswer;
use super::issuer::{FetchEvent, FetchedKeys, Inner, IssuerKeys};
use super::store::StoredKeySet;

/// Starts a fetch in a task of its own: it continues when the request that caused it is dropped.
///
/// The state machine hands out one id at a time, so there is never more than one: of a key set, or of one key.
pub(super) fn begin(inner: &Arc<Inner>, id: FetchId) {
    let unreported = UnreportedFetch {
        inner: Arc::clone(inner),
        id,
        reported: false,
    };
    tokio::spawn(fly(unreported));
}

/// Waits until a fetch has ended, for `limit` at most. Returns whether it has.
pub(super) async fn ended(fetched: &FetchedKeys, id: FetchId, limit: Duration) -> bool {
    let mut ended = fetched.ended.subscribe();
    let waited = tokio::time::timeout(limit, ended.wait_for(|_| !fetched.cache().is_under_way(id))).await;
    waited.is_ok()
}

/// A fetch that still has to be reported. If it is dropped first it counts as failed, because the state machine would
/// otherwise wait for it.
struct UnreportedFetch {
    inner: Arc<Inner>,
    id: FetchId,
    reported: bool,
}

impl Drop for UnreportedFetch {
    fn drop(&mut self) {
        if !self.reported {
            let fault = KeysFault {
                told: "its key server cannot be asked",
                why: "the fetch was broken off".into(),
            };
            self.inner.landed(self.id, self.inner.failed(fault));
        }
    }
}

/// Logs how many keys arrived and left.
fn log_changes(issuer: &str, (arrived, left): (usize, usize), usable: usize) {
    match (arrived, left) {
        (0, 0) => {}
        // At the start, every key is new and none has left.
        (_, 0) => tracing::info!(issuer, arrived, usable, "the issuer has new keys"),
        _ => tracing::info!(issuer, arrived, left, usable, "the issuer's keys have changed"),
    }
}

async fn fly(mut unreported: UnreportedFetch) {
    let inner = Arc::clone(&unreported.inner);
    let Some(fetched) = &inner.fetched else {
        return;
    };
    let begun = Instant::now();
    let wanted = fetched.cache().wanted(unreported.id);
    let (outcome, kind, body) = match wanted {
        Some(kid) => key(&inner, fetched, &kid, begun).await,
        None => set(&inner, fetched, begun).await,
    };
    let duration = begun.elapsed();
    let landed = inner.landed(unreported.id, outcome);
    unreported.reported = true;
    let snapshot = inner.published.load_full();
    let usable_count = snapshot
        .keys(inner.edges.clock.now_ms())
        .map_or(0, |keys| keys.usable_count());
    if let Some(observer) = &inner.edges.observer {
        let event = FetchEvent {
            issuer: &inner.issuer,
            outcome: kind,
            duration,
            usable_count,
        };
        observer.fetched(&event);
    }
    let Some(landed) = landed else {
        return;
    };
    let (arrived, left) = (landed.arrived.len(), landed.left.len());
    log_changes(&inner.issuer, (arrived, left), usable_count);
    let body = body.map(|body| body.to_vec()).or_else(|| fetched.cache().stored());
    if let (Some(times), Some(body), Some(source)) = (landed.last_good, body, inner.source.location()) {
        let set = StoredKeySet {
            source,
            body,
            fetched_at_ms: times.fetched_at_ms,
            fresh_until_ms: times.fresh_until_ms,
        };
        save(&inner, set).await;
    }
}

/// Outcome of a fetch, its word for metrics, and the body to be stored, if it is a set.
type Ended = (Outcome, &'static str, Option<Bytes>);

/// Fetches the key set.
async fn set(inner: &Inner, fetched: &FetchedKeys, begun: Instant) -> Ended {
    let read = fetched.reader.read(inner.edges.clock.now_ms()).await;
    let parsed = read.and_then(|answer| fetched.reader.parse(&answer.body).map(|keys| (keys, answer)));
    tell(inner, &parsed, begun.elapsed());
    match parsed {
        Ok((
            keys,
            KeyServerAnswer {
                body,
                cache_control,
                age,
            },
        )) => {
            let keys = FetchOutcome::Keys {
                keys,
                cache_control,
                age,
            };
            (Outcome::Set(keys), "ok", Some(body))
        }
        Err(error) => (inner.failed(KeysFault::from(&error)), error.kind(), None),
    }
}

/// Fetches one key by its id.
async fn key(inner: &Inner, fetched: &FetchedKeys, kid: &str, begun: Instant) -> Ended {
    let read = fetched.reader.read_key(kid).await;
    let issuer = inner.issuer.as_str();
    let duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    match read {
        Ok(Some(answer)) => {
            tracing::debug!(issuer, kid, outcome = "ok", duration_ms, "key fetched");
            let key = KeyOutcome::Key {
                document: answer.body.to_vec(),
                cache_control: answer.cache_control,
                age: answer.age,
            };
            (Outcome::Key(key), "ok", None)
        }
        Ok(None) => {
            tracing::debug!(
                issuer,
                kid,
                outcome = "absent",
                duration_ms,
                "the issuer has no key of this id"
            );
            (Outcome::Key(KeyOutcome::Absent), "absent", None)
        }
        Err(error) => {
            tracing::warn!(issuer, kid, outcome = error.kind(), duration_ms, %error, "a key could not be fetched");
            (inner.failed(KeysFault::from(&error)), error.kind(), None)
        }
    }
}

/// Logs one event for each fetch. It never contains a body, a header or a token.
fn tell(inner: &Inner, parsed: &Result<(KeySet, KeyServerAnswer), FetchError>, duration: Duration) {
    let issuer = inner.issuer.as_str();
    let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    match parsed {
        Ok((keys, _)) => {
            for refused in keys.refused() {
                let kid = refused.kid.as_deref().unwrap_or("none");
                tracing::debug!(
                    issuer,
                    kid,
                    position = refused.position,
                    why = refused.why,
                    "a key is not used"
                );
            }
            tracing::debug!(
                issuer,
                outcome = "ok",
                duration_ms,
                usable = keys.usable_count(),
                "keys fetched"
            );
        }
        Err(error) => tracing::warn!(issuer, outcome = error.kind(), duration_ms, %error, "keys could not be fetched"),
    }
}

async fn save(inner: &Inner, set: StoredKeySet) {
    let Some(store) = inner.key_set_store() else {
        return;
    };
    let issuer = inner.issuer.as_str();
    match tokio::time::timeout(SAVE_LIMIT, store.save(issuer, set)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(issuer, %error, "the last good key set could not be saved"),
        Err(_) => tracing::warn!(issuer, "the last good key set could not be saved in time"),
    }
}

/// Fetches in time until the keys are dropped.
pub(super) async fn keep_fresh(inner: Weak<Inner>) {
    loop {
        let (wait, mut ended) = {
            let Some(inner) = inner.upgrade() else {
                return;
            };
            let keys = IssuerKeys(inner);
            let next_ms = keys.refresh_if_due().await;
            let Some(fetched) = &keys.0.fetched else {
                return;
            };
            let mut ended = fetched.ended.subscribe();
            ended.mark_unchanged();
            (pause(next_ms.saturating_sub(keys.0.edges.clock.now_ms())), ended)
        };
        // A fetch that a token caused may bring a shorter lifetime than the one of this sleep.
        let _ = tokio::time::timeout(wait, ended.changed()).await;
    }
}

/// Returns the time to sleep: short enough to notice that the clock was set or the machine was suspended, long enough
/// not to poll a fetch that is already under way in a tight loop.
fn pause(milliseconds: i64) -> Duration {
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0)).clamp(PAUSE_MIN, PAUSE_MAX)
}

const SAVE_LIMIT: Duration = Duration::from_secs(10);
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(30);
