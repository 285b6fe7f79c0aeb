//! The key cache through time, with time as plain seconds.

use std::sync::Arc;

use narthex_token::{
    Answer, CacheSettings, FetchChanges, FetchId, FetchOutcome, KeyCache, KeyHint, KeySnapshot, KeysFault, LastGood,
    VerifyError,
};
use proptest::prelude::*;
use serde_json::Value;

use crate::support::{jwk, set_of};

/// A cache and the edge around it, in seconds.
struct Issuer {
    cache: KeyCache,
    published: KeySnapshot,
}

impl Issuer {
    fn new() -> Self {
        let cache = KeyCache::new(CacheSettings::default());
        let published = cache.snapshot();
        Self { cache, published }
    }

    /// With a set of these keys fetched at second 0.
    fn with(kids: &[&str]) -> Self {
        let mut issuer = Self::new();
        let id = issuer.tick(0).unwrap();
        issuer.brings(id, kids, 0);
        issuer
    }

    fn tick(&mut self, now: i64) -> Option<FetchId> {
        let tick = self.cache.tick(now * 1000);
        if let Some(snapshot) = tick.snapshot {
            self.published = snapshot;
        }
        tick.fetch
    }

    fn next(&mut self, now: i64) -> i64 {
        self.cache.tick(now * 1000).next_ms / 1000
    }

    fn brings(&mut self, id: FetchId, kids: &[&str], now: i64) -> FetchChanges {
        self.brings_keys(id, &kids.iter().map(|kid| jwk(kid)).collect::<Vec<_>>(), None, now)
    }

    fn brings_keys(&mut self, id: FetchId, keys: &[Value], cache_control: Option<&str>, now: i64) -> FetchChanges {
        let cache_control = cache_control.map(str::to_owned);
        let outcome = FetchOutcome::Keys {
            keys: set_of(keys),
            cache_control,
            age: None,
        };
        let fetched = self.cache.fetched(id, outcome, now * 1000);
        self.published = fetched.snapshot.clone();
        fetched
    }

    fn fails(&mut self, id: FetchId, now: i64) {
        let outcome = FetchOutcome::Failed(fault("status 500"));
        self.published = self.cache.fetched(id, outcome, now * 1000).snapshot;
    }

    fn serves(&self, now: i64) -> bool {
        self.published.keys(now * 1000).is_ok()
    }

    /// Asks about an error that was met with the published snapshot.
    fn asks(&mut self, error: &VerifyError, now: i64) -> Answer {
        let seen = self.published.clone();
        self.cache.missed(error, &seen, now * 1000)
    }

    fn fetches(&mut self, error: &VerifyError, now: i64) -> FetchId {
        match self.asks(error, now) {
            Answer::Fetch(id) => id,
            other => panic!("no fetch at {now}: {other:?}"),
        }
    }

    fn refuses(&mut self, error: &VerifyError, now: i64) -> &'static str {
        match self.asks(error, now) {
            Answer::Refuse(error) => error.reason(),
            other => panic!("no refusal at {now}: {other:?}"),
        }
    }

    fn waits(&mut self, error: &VerifyError, now: i64) -> FetchId {
        match self.asks(error, now) {
            Answer::Wait(id) => id,
            other => panic!("no wait at {now}: {other:?}"),
        }
    }
}

fn fault(why: &str) -> KeysFault {
    KeysFault {
        told: "its key server answers with an error",
        why: why.into(),
    }
}

fn unknown(kid: &str) -> VerifyError {
    VerifyError::KeyUnknown {
        hint: KeyHint::Kid(kid.to_owned()),
        usable: 0,
        why_not: None,
    }
}

fn bad_signature() -> VerifyError {
    VerifyError::Signature {
        hint: KeyHint::Kid("rsa".to_owned()),
        nonce: false,
    }
}

#[test]
fn the_timer_fetches_at_the_start_and_ahead_of_the_end() {
    let mut issuer = Issuer::new();
    assert!(!issuer.serves(0));
    let id = issuer.tick(0).unwrap();
    assert_eq!(issuer.tick(1), None, "one fetch at a time");
    issuer.brings(id, &["rsa"], 1);
    assert!(issuer.serves(1));
    // Ten minutes by default; eight of them are 80 %.
    assert_eq!(issuer.next(2), 481);
    assert_eq!(issuer.tick(480), None);
    let id = issuer.tick(481).unwrap();
    // The lifetime follows the answer.
    issuer.brings_keys(id, &[jwk("rsa")], Some("max-age=3600"), 481);
    assert_eq!(issuer.next(482), 481 + 2880);
    let health = issuer.cache.health(482_000);
    assert_eq!(
        (health.fetched_at_ms, health.age_ms, health.fresh_until_ms),
        (Some(481_000), Some(1000), Some(4_081_000))
    );
    assert_eq!(health.next_refresh_ms, 3_361_000);
}

#[test]
fn known_keys_serve_on_while_the_issuer_is_away_then_nobody_can_tell() {
    let mut issuer = Issuer::with(&["rsa"]);
    let epoch = issuer.published.epoch();
    // Every failure is followed by a try, one cooldown later.
    let mut now = 480;
    while now < 600 + 3600 - 30 {
        let id = issuer.tick(now).unwrap_or_else(|| panic!("no fetch at {now}"));
        issuer.fails(id, now);
        assert!(issuer.serves(now), "{now}");
        assert_eq!(issuer.tick(now + 29), None);
        now += 30;
    }
    assert!(issuer.serves(4199));
    assert_eq!(issuer.published.epoch(), epoch);
    assert_eq!(issuer.published.usable_until_ms(), 4_200_000);
    // The snapshot itself knows its end, even if no timer runs.
    assert!(!issuer.serves(4200));
    let id = issuer.tick(4200).unwrap();
    assert_ne!(issuer.published.epoch(), epoch, "cached decisions end with the keys");
    assert_eq!(
        issuer.published.keys(4_200_000).unwrap_err().reason(),
        "keys.unavailable"
    );
    assert!(issuer.cache.health(4_200_000).failures_in_a_row > 100);
    // And back.
    issuer.brings(id, &["rsa"], 4201);
    assert!(issuer.serves(4201));
    let health = issuer.cache.health(4_201_000);
    assert_eq!((health.failures_in_a_row, health.serving), (0, true));
    assert_eq!(health.last_error.unwrap().why, "status 500");
}

#[test]
fn an_unknown_key_forces_one_fetch_per_cooldown() {
    let mut issuer = Issuer::with(&["rsa"]);
    let id = issuer.fetches(&unknown("new"), 100);
    assert_eq!(issuer.waits(&unknown("new"), 100), id, "single flight");
    assert_eq!(issuer.waits(&unknown("other"), 101), id);
    let fetched = issuer.brings(id, &["rsa"], 102);
    assert!(fetched.arrived.is_empty() && fetched.left.is_empty());
    assert_eq!(issuer.refuses(&unknown("new"), 102), "token.key_unknown");
    assert_eq!(issuer.refuses(&unknown("other"), 102), "token.key_unknown");
    assert_eq!(issuer.refuses(&unknown("third"), 129), "token.key_unknown");
    // The cooldown began when the fetch was asked for.
    let id = issuer.fetches(&unknown("third"), 130);
    issuer.brings(id, &["rsa"], 130);
}

#[test]
fn a_rotated_key_is_found_at_once() {
    let mut issuer = Issuer::with(&["rsa"]);
    let seen = issuer.published.clone();
    let id = issuer.fetches(&unknown("p256"), 5);
    let fetched = issuer.brings(id, &["rsa", "p256"], 6);
    assert_eq!((fetched.arrived.len(), fetched.left.len()), (1, 0));
    assert_eq!(fetched.snapshot.epoch(), seen.epoch(), "no key left");
    // Whoever met the old set is told to try the new one.
    let Answer::Retry(snapshot) = issuer.cache.missed(&unknown("p256"), &seen, 6000) else {
        panic!()
    };
    assert_eq!(snapshot.keys(6000).unwrap().usable_count(), 2);
}

/// A key that is published a moment after the first token that needs it is found as soon as the issuer may be asked again.
#[test]
fn keys_proved_unknown_are_remembered_until_the_next_fetch_is_allowed() {
    let mut issuer = Issuer::with(&["rsa"]);
    let id = issuer.fetches(&unknown("new"), 100);
    issuer.brings(id, &["rsa"], 102);
    assert_eq!(issuer.refuses(&unknown("new"), 129), "token.key_unknown");
    assert_eq!(issuer.cache.health(129_999).unknown_keys, 1);
    assert_eq!(issuer.cache.health(130_000).unknown_keys, 0);
    let id = issuer.fetches(&unknown("new"), 130);
    issuer.brings(id, &["rsa", "p256"], 131);
    assert_eq!(issuer.published.keys(131_000).unwrap().usable_count(), 2);
    // And where the fetch took longer than the cooldown, at once.
    let mut issuer = Issuer::with(&["rsa"]);
    let id = issuer.fetches(&unknown("new"), 100);
    issuer.brings(id, &["rsa"], 140);
    issuer.fetches(&unknown("new"), 140);
}

#[test]
fn a_key_that_was_not_looked_for_is_not_remembered() {
    // Refused while the cooldown runs: the issuer was not asked, so nothing is known.
    let mut issuer = Issuer::with(&["rsa"]);
    let id = issuer.fetches(&unknown("attack"), 100);
    issuer.brings(id, &["rsa"], 100);
    assert_eq!(issuer.refuses(&unknown("rotated"), 110), "token.key_unknown");
    let id = issuer.fetches(&unknown("rotated"), 130);
    // A failed fetch proves nothing either.
    issuer.fails(id, 131);
    assert_eq!(issuer.refuses(&unknown("rotated"), 132), "keys.unavailable");
    issuer.fetches(&unknown("rotated"), 161);
}

#[test]
fn the_cooldown_is_claimed_again_by_a_failure() {
    let mut issuer = Issuer::with(&["rsa"]);
    let id = issuer.fetches(&unknown("a"), 100);
    issuer.fails(id, 110);
    assert_eq!(
        issuer.refuses(&unknown("a"), 139),
        "keys.unavailable",
        "the issuer could not be asked"
    );
    assert_eq!(
        issuer.refuses(&bad_signature(), 139),
        "token.signature",
        "a known key has spoken"
    );
    assert_eq!(issuer.tick(139), None, "the timer keeps to it, too");
    assert!(issuer.serves(139), "known keys never notice");
    issuer.fetches(&unknown("a"), 140);
}

/// A set without a usable key is a failed fetch: the good keys serve on, and then nobody can tell.
#[test]
fn sec_empty_key_set() {
    let mut issuer = Issuer::with(&["rsa"]);
    let epoch = issuer.published.epoch();
    let mut encryption = jwk("p256");
    encryption["use"] = "enc".into();
    for (now, keys) in [(480, vec![]), (510, vec![encryption]), (540, vec![jwk("rsa_1024")])] {
        let id = issuer.tick(now).unwrap();
        let fetched = issuer.brings_keys(id, &keys, Some("max-age=86400"), now);
        assert!(fetched.last_good.is_none(), "it is not kept as the last good set");
        assert!(fetched.left.is_empty() && issuer.published.epoch() == epoch);
        assert_eq!(issuer.published.keys(now * 1000).unwrap().usable_count(), 1);
        let health = issuer.cache.health(now * 1000);
        assert_eq!(
            health.last_error.unwrap().why,
            "the key set has no key that can be used"
        );
        assert_eq!(issuer.next(now), now + 30, "a failure like any other");
    }
    assert_eq!(issuer.published.usable_until_ms(), 4_200_000);
    assert_eq!(issuer.refuses(&unknown("new"), 541), "keys.unavailable");
    assert!(issuer.serves(4199));
    let error = issuer.published.keys(4_200_000).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the keys of the issuer are unavailable: the key set has no key that can be used; the next attempt is in 1 s"
    );
    // Nor does one that was stored by an earlier version come back.
    let stored = LastGood {
        fetched_at_ms: 0,
        fresh_until_ms: 600_000,
    };
    assert!(!Issuer::new().cache.restore(set_of(&[]), stored, 1000));
}

#[test]
fn before_the_first_set_nobody_can_tell() {
    let mut issuer = Issuer::new();
    let no_keys = issuer.published.keys(0).unwrap_err();
    assert_eq!(no_keys.reason(), "keys.unavailable");
    // A request that comes before the timer forces the first fetch; others wait for it.
    let id = issuer.fetches(&no_keys, 0);
    assert_eq!(issuer.tick(0), None);
    assert_eq!(issuer.waits(&no_keys, 5), id);
    issuer.fails(id, 6);
    let answer = issuer.asks(&no_keys, 7);
    assert!(
        matches!(answer, Answer::Fetch(_)),
        "a second after the first failure: {answer:?}"
    );
}

/// Without keys the issuer is asked again after 1, 2, 4 s and so on, up to the cooldown, and tokens are told so.
#[test]
fn a_cold_start_tries_again_soon() {
    let mut issuer = Issuer::new();
    let mut now = 0;
    for pause in [1, 2, 4, 8, 16, 30, 30] {
        let id = issuer.tick(now).unwrap_or_else(|| panic!("no fetch at {now}"));
        issuer.fails(id, now);
        assert_eq!(issuer.next(now), now + pause);
        let no_keys = issuer.published.keys(now * 1000).unwrap_err();
        let told = VerifyError::KeysUnavailable {
            retry_after_seconds: u32::try_from(pause).unwrap(),
            fault: Some(fault("status 500")),
        };
        assert_eq!(no_keys, told);
        for error in [no_keys, unknown("a")] {
            let Answer::Refuse(refused) = issuer.asks(&error, now) else {
                panic!("the pause holds for tokens, too")
            };
            assert_eq!(refused, told);
        }
        now += pause;
    }
    let id = issuer.tick(now).unwrap();
    issuer.brings(id, &["rsa"], now);
    assert!(issuer.serves(now));
    // Once there are keys, the cooldown is what it always is.
    let id = issuer.fetches(&unknown("a"), now + 1);
    issuer.fails(id, now + 1);
    assert_eq!(issuer.refuses(&unknown("a"), now + 30), "keys.unavailable");
    issuer.fetches(&unknown("a"), now + 31);
}

/// A clock that is set back neither keeps keys in use that the issuer has withdrawn nor holds up a fetch.
#[test]
fn sec_clock_set_back() {
    const DAY: i64 = 86_400;
    let mut issuer = Issuer::with(&["rsa"]);
    assert_eq!(issuer.tick(400), None);
    let now = 400 - DAY;
    assert_eq!(issuer.tick(now), None);
    assert_eq!(issuer.published.usable_until_ms(), (4200 - DAY) * 1000);
    assert_eq!(issuer.next(now), 480 - DAY);
    let id = issuer.tick(480 - DAY).unwrap();
    issuer.fails(id, 480 - DAY);
    // Once more, after a failure and while a fetch for an unknown key is remembered.
    let now = 490 - 2 * DAY;
    assert_eq!(issuer.tick(now), None);
    let id = issuer.fetches(&unknown("a"), now + 30);
    assert_eq!(issuer.tick(now - DAY), None);
    assert_eq!(issuer.waits(&unknown("a"), now - DAY), id);
    issuer.brings(id, &["rsa"], now - DAY);
    assert_eq!(issuer.tick(now - 2 * DAY), None);
    assert_eq!(issuer.refuses(&unknown("a"), now - 2 * DAY), "token.key_unknown");
    issuer.fetches(&unknown("a"), now - 2 * DAY + 30);
}

#[test]
fn an_issuer_that_reuses_a_kid_gets_one_retry() {
    let mut issuer = Issuer::with(&["rsa"]);
    let epoch = issuer.published.epoch();
    let id = issuer.fetches(&bad_signature(), 10);
    let mut reused = jwk("rsa_other");
    reused["kid"] = "rsa".into();
    let fetched = issuer.brings_keys(id, &[reused], None, 11);
    assert_eq!((fetched.arrived.len(), fetched.left.len()), (1, 1));
    assert_ne!(issuer.published.epoch(), epoch, "the old key's decisions die");
    // The same cooldown as for unknown keys.
    assert_eq!(issuer.refuses(&bad_signature(), 12), "token.signature");
    assert_eq!(issuer.refuses(&unknown("a"), 39), "token.key_unknown");
    issuer.fetches(&bad_signature(), 40);
}

#[test]
fn the_epoch_moves_whenever_a_key_leaves_and_only_then() {
    let mut issuer = Issuer::with(&["rsa", "p256"]);
    let mut now = 0;
    let mut next = |issuer: &mut Issuer, keys: &[Value]| {
        now += 480;
        let before = issuer.published.epoch();
        let id = issuer.tick(now).unwrap();
        issuer.brings_keys(id, keys, None, now);
        issuer.published.epoch() != before
    };
    assert!(!next(&mut issuer, &[jwk("p256"), jwk("rsa")]), "order does not matter");
    assert!(
        !next(&mut issuer, &[jwk("rsa"), jwk("p256"), jwk("p384")]),
        "a key came"
    );
    assert!(next(&mut issuer, &[jwk("rsa"), jwk("p256")]), "a key left");
    let mut encryption = jwk("p256");
    encryption["use"] = "enc".into();
    assert!(next(&mut issuer, &[jwk("rsa"), encryption]), "a key changed its use");
    let mut renamed = jwk("rsa");
    renamed["kid"] = "renamed".into();
    assert!(next(&mut issuer, &[renamed]), "a key changed its name");
}

#[test]
fn a_set_that_cannot_be_parsed_replaces_nothing() {
    let mut issuer = Issuer::with(&["rsa"]);
    let id = issuer.tick(480).unwrap();
    // The edge parses first; what it tells the cache is a failure.
    issuer.fails(id, 480);
    assert_eq!(issuer.published.keys(481_000).unwrap().usable_count(), 1);
}

#[test]
fn a_fetch_that_is_never_reported_is_given_up() {
    let mut issuer = Issuer::with(&["rsa"]);
    let lost = issuer.fetches(&unknown("a"), 100);
    assert_eq!(issuer.next(100), 160);
    assert_eq!(issuer.waits(&unknown("a"), 159), lost);
    assert_eq!(
        issuer.refuses(&unknown("a"), 160),
        "keys.unavailable",
        "a failure like any other"
    );
    assert_eq!(
        issuer.cache.health(160_000).last_error.unwrap().why,
        "the fetch gave no answer"
    );
    let id = issuer.fetches(&unknown("a"), 190);
    // What the lost one brings after all is ignored.
    let late = issuer.brings(lost, &["p384"], 191);
    assert!(late.last_good.is_none() && late.arrived.is_empty());
    assert_eq!(issuer.waits(&unknown("a"), 191), id);
    issuer.brings(id, &["rsa"], 192);
    assert_eq!(
        issuer
            .published
            .keys(192_000)
            .unwrap()
            .keys()
            .next()
            .unwrap()
            .kid
            .as_deref(),
        Some("rsa")
    );
}

#[test]
fn the_last_good_set_survives_a_restart() {
    let mut first = Issuer::new();
    let id = first.tick(1000).unwrap();
    let stored = first.brings(id, &["rsa"], 1000).last_good.unwrap();
    assert_eq!(
        stored,
        LastGood {
            fetched_at_ms: 1_000_000,
            fresh_until_ms: 1_600_000
        }
    );

    let restored = |stored: LastGood, now: i64| {
        let mut issuer = Issuer::new();
        let taken = issuer.cache.restore(set_of(&[jwk("rsa")]), stored, now * 1000);
        issuer.published = issuer.cache.snapshot();
        (issuer, taken)
    };
    let (mut issuer, taken) = restored(stored, 2000);
    assert!(taken && issuer.serves(2000));
    assert_eq!(issuer.published.usable_until_ms(), 5_200_000);
    // The issuer is asked at once; as long as it is silent, other keys are undecidable.
    let id = issuer.tick(2000).unwrap();
    assert_eq!(issuer.waits(&unknown("new"), 2000), id);
    issuer.fails(id, 2001);
    assert!(issuer.serves(2002));
    assert_eq!(issuer.refuses(&unknown("new"), 2002), "keys.unavailable");
    // A key that is gone when the issuer answers takes its decisions along.
    let epoch = issuer.published.epoch();
    let id = issuer.tick(2031).unwrap();
    assert_eq!(issuer.brings(id, &["p256"], 2031).left.len(), 1);
    assert_ne!(issuer.published.epoch(), epoch);

    assert!(!restored(stored, 5200).1, "too old");
    let (issuer, taken) = restored(
        LastGood {
            fetched_at_ms: i64::MAX,
            fresh_until_ms: i64::MAX,
        },
        2000,
    );
    assert!(taken, "a time from the future is now");
    assert_eq!(issuer.published.usable_until_ms(), (2000 + 86_400 + 3600) * 1000);
    let mut late = Issuer::with(&["p256"]);
    assert!(
        !late.cache.restore(set_of(&[jwk("rsa")]), stored, 1_700_000),
        "a fetched set is not replaced"
    );
}

#[test]
fn a_lapsed_set_comes_back_by_a_request() {
    let mut issuer = Issuer::with(&["rsa"]);
    let no_keys = issuer.published.keys(5_000_000).unwrap_err();
    // Nobody called the timer for hours; the asking itself notices, and the snapshot that was seen is out of date.
    assert!(matches!(issuer.asks(&no_keys, 5000), Answer::Retry(_)));
    issuer.published = issuer.cache.snapshot();
    let id = issuer.fetches(&no_keys, 5000);
    issuer.brings(id, &["rsa"], 5001);
    assert!(issuer.serves(5001));
}

#[test]
fn health_remembers_keys_through_time() {
    let mut issuer = Issuer::with(&["rsa", "p256"]);
    let id = issuer.tick(480).unwrap();
    issuer.brings_keys(id, &[jwk("rsa"), jwk("rsa_1024")], None, 480);
    let health = issuer.cache.health(500_000);
    let seen: Vec<(Option<&str>, i64, i64, bool)> = health
        .keys
        .iter()
        .map(|record| {
            (
                record.key.kid.as_deref(),
                record.first_seen_ms,
                record.last_seen_ms,
                record.present,
            )
        })
        .collect();
    assert_eq!(seen, [(Some("rsa"), 0, 480_000, true), (Some("p256"), 0, 0, false)]);
    assert_eq!(health.refused[0].kid.as_deref(), Some("rsa_1024"));
    assert_eq!(health.epoch, 1);
}

#[test]
fn errors_that_no_key_can_cure_are_answered_at_once() {
    let mut issuer = Issuer::with(&["rsa"]);
    assert_eq!(issuer.refuses(&VerifyError::Expired, 100), "token.expired");
    assert!(!VerifyError::Expired.is_key_miss() && bad_signature().is_key_miss());
}

#[test]
fn secrets_have_a_snapshot_that_never_ends() {
    let fixed = KeySnapshot::fixed(crate::support::secret_set());
    assert!(fixed.keys(i64::MIN).is_ok() && fixed.keys(i64::MAX - 1).is_ok());
    assert_eq!(fixed.epoch(), 0);
}

proptest! {
    /// Whatever happens in whatever order: at most one fetch at a time, forced fetches keep to the cooldown, keys are never
    /// served past their end, and the epoch never goes back.
    #[test]
    fn no_order_of_events_breaks_the_cache(events in proptest::collection::vec((0_u8..8, 0_i64..120), 1..200)) {
        let mut cache = KeyCache::new(CacheSettings::default());
        let mut flight: Option<(FetchId, i64)> = None;
        let mut last_forced: Option<i64> = None;
        let mut epoch = 0;
        let mut now = 0;
        for (event, seconds) in events {
            now += seconds * 1000;
            if flight.is_some_and(|(_, begun)| now >= begun + 60_000) {
                flight = None;
            }
            let begun = match event {
                0 | 1 => cache.tick(now).fetch,
                2 | 3 => {
                    let seen = cache.snapshot();
                    match cache.missed(&unknown(&format!("{now}")), &seen, now) {
                        Answer::Fetch(id) => {
                            // Without keys a second is the least pause; with keys it is the cooldown.
                            let least = if seen.keys(now).is_ok() { 30_000 } else { 1_000 };
                            prop_assert!(last_forced.is_none_or(|last| now >= last + least));
                            last_forced = Some(now);
                            Some(id)
                        }
                        Answer::Wait(id) => {
                            prop_assert_eq!(flight.map(|(id, _)| id), Some(id));
                            None
                        }
                        _ => None,
                    }
                }
                _ => {
                    if let Some((id, _)) = flight.take() {
                        let outcome = match event {
                            4 => FetchOutcome::Failed(fault("")),
                            5 => FetchOutcome::Keys { keys: set_of(&[jwk("p256")]), cache_control: None, age: None },
                            6 => FetchOutcome::Keys { keys: set_of(&[]), cache_control: None, age: None },
                            _ => FetchOutcome::Keys { keys: set_of(&[jwk("ed25519")]), cache_control: Some("max-age=40".into()), age: None },
                        };
                        cache.fetched(id, outcome, now);
                    }
                    None
                }
            };
            if let Some(id) = begun {
                prop_assert!(flight.is_none(), "single flight");
                flight = Some((id, now));
            }
            let snapshot = cache.snapshot();
            prop_assert!(snapshot.epoch() >= epoch);
            epoch = snapshot.epoch();
            prop_assert!(snapshot.keys(snapshot.usable_until_ms()).is_err());
            prop_assert_eq!(snapshot.keys(now).is_ok(), cache.health(now).serving);
        }
    }
}

#[test]
fn snapshots_share_the_keys() {
    let issuer = Issuer::with(&["rsa"]);
    let (a, b) = (issuer.cache.snapshot(), issuer.cache.snapshot());
    assert!(Arc::ptr_eq(a.keys(0).unwrap(), b.keys(0).unwrap()));
}
