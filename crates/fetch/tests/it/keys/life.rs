//! The life of an issuer's keys: first use, rotation, outage, recovery, restart.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use narthex_clock::Clock;
use narthex_fetch::keys::{Access, FetchEvent, FetchObserver, IssuerKeys, KeyEdges, KeySettings, KeySource, Refreshed};
use narthex_fetch::ssrf_guard::Names;
use narthex_testkit::keys::{key_set, short_rsa_jwk};
use narthex_testkit::{Behaviour, IdentityProvider, TestKey};
use narthex_token::{KeySet, VerifyError};
use serde_json::json;

use super::world::{Memory, NOW_MS, Subject, builder, impatient, token};

fn idp(keys: &[TestKey]) -> (IdentityProvider, Subject) {
    let idp = IdentityProvider::start(keys).unwrap();
    let subject = Subject::at(&idp.jwks_url());
    (idp, subject)
}

#[tokio::test]
async fn the_first_token_brings_the_keys() {
    let (idp, subject) = idp(&[TestKey::Rsa1]);
    assert!(matches!(
        subject.keys.current(NOW_MS),
        Err(VerifyError::KeysUnavailable { .. })
    ));
    assert_eq!(subject.ask(&token(TestKey::Rsa1)).await, "ok");
    assert_eq!(subject.ask(&token(TestKey::Rsa1)).await, "ok");
    assert_eq!(idp.key_set_requests(), 1);
    assert_eq!(subject.keys.current(NOW_MS).unwrap().usable_count(), 1);
}

#[tokio::test]
async fn a_new_key_is_found_at_its_first_token() {
    let (idp, subject) = idp(&[TestKey::Rsa1]);
    subject.keys.refresh_if_due().await;
    let epoch = subject.keys.epoch();
    idp.rotate(&[TestKey::Rsa1, TestKey::Rsa2]);
    assert_eq!(subject.ask(&token(TestKey::Rsa2)).await, "ok");
    assert_eq!((subject.keys.epoch(), idp.key_set_requests()), (epoch, 2));
    // The old key leaves at the next refresh, and the epoch moves.
    idp.rotate(&[TestKey::Rsa2]);
    assert_eq!(subject.ask(&token(TestKey::Rsa1)).await, "ok");
    subject.advance_seconds(511);
    subject.keys.refresh_if_due().await;
    assert_eq!((subject.keys.epoch(), idp.key_set_requests()), (epoch + 1, 3));
    assert_eq!(subject.ask(&token(TestKey::Rsa1)).await, "token.key_unknown");
    assert_eq!(subject.ask(&token(TestKey::Rsa2)).await, "ok");
}

/// A provider of several nodes may sign with a key a moment before its key set shows it everywhere.
#[tokio::test]
async fn a_key_that_is_published_late_is_found_within_a_cooldown() {
    let (idp, subject) = idp(&[TestKey::Rsa1]);
    idp.cache_control(Some("public, max-age=86400"));
    subject.keys.refresh_if_due().await;
    assert_eq!(subject.ask(&token(TestKey::Rsa2)).await, "token.key_unknown");
    idp.rotate(&[TestKey::Rsa1, TestKey::Rsa2]);
    subject.advance_seconds(29);
    assert_eq!(subject.ask(&token(TestKey::Rsa2)).await, "token.key_unknown");
    subject.advance_seconds(1);
    assert_eq!(subject.ask(&token(TestKey::Rsa2)).await, "ok");
    assert_eq!(idp.key_set_requests(), 3);
}

/// Some identity providers publish a new key under the old name.
#[tokio::test]
async fn a_reused_key_name_is_asked_about_once() {
    let (idp, subject) = idp(&[TestKey::Rsa1]);
    subject.keys.refresh_if_due().await;
    let mut jwk = TestKey::Rsa2.jwk();
    jwk["kid"] = TestKey::Rsa1.kid().into();
    idp.publish(json!({ "keys": [jwk] }));
    let renewed = builder(TestKey::Rsa2).kid(TestKey::Rsa1.kid()).sign();
    assert_eq!(subject.ask(&renewed).await, "ok");
    assert_eq!(idp.key_set_requests(), 2);
    // A forged token right after costs the issuer nothing.
    assert_eq!(subject.ask(&token(TestKey::Rsa1)).await, "token.signature");
    assert_eq!(idp.key_set_requests(), 2);
}

#[tokio::test]
async fn refreshed_ahead_and_on_the_issuers_word() {
    let (idp, subject) = idp(&[TestKey::Rsa1]);
    idp.cache_control(Some("max-age=1000"));
    let next_ms = subject.keys.refresh_if_due().await;
    assert!((NOW_MS + 750_000..=NOW_MS + 850_000).contains(&next_ms), "{next_ms}");
    subject.advance_seconds(749);
    subject.keys.refresh_if_due().await;
    assert_eq!(idp.key_set_requests(), 1);
    subject.advance_seconds(102);
    subject.keys.refresh_if_due().await;
    assert_eq!(idp.key_set_requests(), 2);
    // Shorter than 30 s is 30 s, longer than a day is a day.
    for (word, at_least, at_most) in [
        ("no-store", 22_500, 25_500),
        ("max-age=99999999", 64_800_000, 73_440_000),
    ] {
        idp.cache_control(Some(word));
        subject.clock.advance(2 * 86_400_000);
        let in_ms = subject.keys.refresh_if_due().await - subject.clock.now_ms();
        assert!((at_least..=at_most).contains(&in_ms), "{word}: {in_ms}");
    }
}

#[tokio::test]
async fn an_outage_is_bridged_for_an_hour_and_then_503() {
    for outage in [
        Behaviour::Status(500),
        Behaviour::Garbage,
        Behaviour::Huge(600_000),
        Behaviour::Closing,
        Behaviour::Hanging,
    ] {
        let idp = IdentityProvider::start(&[TestKey::Rsa1]).unwrap();
        let source = KeySource::url(&idp.jwks_url(), Access::default()).unwrap();
        let subject = Subject::with(source, None, impatient());
        subject.keys.refresh_if_due().await;
        let epoch = subject.keys.epoch();
        idp.behave(outage.clone());
        subject.advance_seconds(10 * 60);
        subject.keys.refresh_if_due().await;
        assert_eq!(subject.ask(&token(TestKey::Rsa1)).await, "ok", "{outage:?}");
        // A key we do not know may well be theirs: not 401.
        assert_eq!(
            subject.ask(&token(TestKey::Rsa2)).await,
            "keys.unavailable",
            "{outage:?}"
        );
        let health = subject.keys.health(subject.clock.now_ms());
        assert!(
            health.serving && health.failures_in_a_row > 0 && health.last_error.is_some(),
            "{health:?}"
        );
        subject.advance_seconds(60 * 60 - 1);
        assert_eq!(subject.ask(&token(TestKey::Rsa1)).await, "ok", "{outage:?}");
        subject.advance_seconds(1);
        subject.keys.refresh_if_due().await;
        assert_eq!(
            subject.ask(&token(TestKey::Rsa1)).await,
            "keys.unavailable",
            "{outage:?}"
        );
        assert!(subject.keys.epoch() > epoch);
        idp.behave(Behaviour::Good);
        subject.advance_seconds(31);
        assert_eq!(subject.ask(&token(TestKey::Rsa1)).await, "ok", "{outage:?}");
        assert_eq!(subject.keys.health(subject.clock.now_ms()).failures_in_a_row, 0);
    }
}

/// A key server that answers with an empty set for a while takes no key away, and does not end up as the last good set.
#[tokio::test]
async fn sec_empty_key_set() {
    let store = Arc::new(Memory::default());
    let idp = IdentityProvider::start(&[TestKey::Rsa1]).unwrap();
    let source = KeySource::url(&idp.jwks_url(), Access::default()).unwrap();
    let start = || Subject::with(source.clone(), Some(store.clone()), KeySettings::default());
    let subject = start();
    assert_eq!(subject.ask(&token(TestKey::Rsa1)).await, "ok");
    let kept = || store.0.lock().unwrap().get("corporate").cloned();
    for _ in 0..200 {
        if kept().is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let good = kept().unwrap();
    let epoch = subject.keys.epoch();
    idp.publish(json!({ "keys": [] }));
    subject.advance_seconds(511);
    subject.keys.refresh_if_due().await;
    assert_eq!(subject.ask(&token(TestKey::Rsa1)).await, "ok");
    assert_eq!(subject.ask(&token(TestKey::Rsa2)).await, "keys.unavailable");
    assert_eq!(subject.keys.epoch(), epoch);
    let health = subject.keys.health(subject.clock.now_ms());
    assert!(health.serving && health.failures_in_a_row == 1, "{health:?}");
    assert_eq!(
        health.last_error.unwrap().message,
        "the key set of `127.0.0.1` has no usable key: it is empty"
    );
    // The store has the good one, and a restart begins with it.
    assert_eq!(kept().unwrap(), good);
    let restarted = start();
    restarted.advance_seconds(511);
    assert_eq!(restarted.ask(&token(TestKey::Rsa1)).await, "ok");
    // Then nobody can tell, and the answer says why.
    subject.advance_seconds(70 * 60 - 511);
    let error = subject.verify(&token(TestKey::Rsa1)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the keys of the issuer are unavailable: the key set of `127.0.0.1` has no usable key: it is empty; \
         the next attempt is in 30 s"
    );
}

#[tokio::test]
async fn unreachable_at_the_start_harms_nobody_else() {
    let (dead, first) = idp(&[TestKey::Rsa1]);
    dead.down();
    let (_idp, second) = idp(&[TestKey::Rsa1]);
    first.keys.keep_fresh();
    second.keys.keep_fresh();
    assert_eq!(first.ask(&token(TestKey::Rsa1)).await, "keys.unavailable");
    assert_eq!(second.ask(&token(TestKey::Rsa1)).await, "ok");
    dead.up().unwrap();
    // A second later it is asked again.
    assert_eq!(first.ask(&token(TestKey::Rsa1)).await, "keys.unavailable");
    first.advance_seconds(1);
    assert_eq!(first.ask(&token(TestKey::Rsa1)).await, "ok");
}

#[tokio::test]
async fn the_background_task_needs_no_request() {
    let (idp, subject) = idp(&[TestKey::Rsa1]);
    subject.keys.keep_fresh();
    for _ in 0..200 {
        if subject.keys.current(NOW_MS).is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(subject.keys.current(NOW_MS).unwrap().usable_count(), 1);
    assert_eq!(idp.key_set_requests(), 1);
}

#[tokio::test]
async fn sec_jwks_partial() {
    let (idp, subject) = idp(&[]);
    idp.publish(json!({ "keys": [
        { "kty": "RSA", "kid": "broken", "n": "!!!", "e": "AQAB" },
        { "kty": "quantum", "kid": "unheard-of" },
        short_rsa_jwk(),
        "not an object",
        { "kty": "oct", "kid": "secret", "k": "c2VjcmV0" },
        TestKey::Rsa1.jwk(),
    ] }));
    assert_eq!(subject.ask(&token(TestKey::Rsa1)).await, "ok");
    let health = subject.keys.health(NOW_MS);
    assert_eq!(
        (health.usable_count, health.keys.len(), health.refused.len()),
        (1, 1, 5)
    );
    assert_eq!(health.refused[0].kid.as_deref(), Some("broken"));
    assert!(health.refused.iter().all(|refused| !refused.why.is_empty()));
}

#[tokio::test]
async fn the_last_good_set_survives_a_restart() {
    let store = Arc::new(Memory::default());
    let idp = IdentityProvider::start(&[TestKey::Rsa1]).unwrap();
    let source = KeySource::url(&idp.jwks_url(), Access::default()).unwrap();
    let start = |source: &KeySource| Subject::with(source.clone(), Some(store.clone()), KeySettings::default());
    let before = start(&source);
    assert_eq!(before.ask(&token(TestKey::Rsa1)).await, "ok");
    for _ in 0..200 {
        if !store.0.lock().unwrap().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    idp.down();

    let after = start(&source);
    after.keys.restore().await;
    assert_eq!(after.keys.current(NOW_MS).unwrap().usable_count(), 1);
    // And without anybody having waited for it, a request does.
    let after = start(&source);
    assert_eq!(after.ask(&token(TestKey::Rsa1)).await, "ok");
    // Not past its time, and not for another place.
    let late = start(&source);
    late.advance_seconds(70 * 60);
    assert_eq!(late.ask(&token(TestKey::Rsa1)).await, "keys.unavailable");
    let moved = start(&KeySource::url(&format!("{}/moved", idp.url()), Access::default()).unwrap());
    assert_eq!(moved.ask(&token(TestKey::Rsa1)).await, "keys.unavailable");
    // What is no key set is no key set.
    store.0.lock().unwrap().get_mut("corporate").unwrap().body = b"{".to_vec();
    assert_eq!(start(&source).ask(&token(TestKey::Rsa1)).await, "keys.unavailable");
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_stop_the_fetch() {
    let (idp, subject) = idp(&[TestKey::Rsa1]);
    idp.behave(Behaviour::Slow(Duration::from_millis(100)));
    let caller = tokio::spawn({
        let subject = subject.clone();
        async move { subject.ask(&token(TestKey::Rsa1)).await }
    });
    while idp.key_set_requests() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    caller.abort();
    assert_eq!(subject.ask(&token(TestKey::Rsa1)).await, "ok");
    assert_eq!(idp.key_set_requests(), 1);
}

/// A request that lost the race with a fetch is given the new keys, not told that it came too soon.
#[tokio::test]
async fn a_miss_is_judged_by_what_it_saw() {
    let (idp, subject) = idp(&[TestKey::Rsa1]);
    subject.keys.refresh_if_due().await;
    let seen = subject.keys.snapshot();
    idp.rotate(&[TestKey::Rsa2]);
    assert_eq!(subject.ask(&token(TestKey::Rsa2)).await, "ok");
    let hint = narthex_token::KeyHint::Kid("rsa_2".into());
    let miss = VerifyError::KeyUnknown {
        hint,
        usable: 0,
        why_not: None,
    };
    let newer = subject.keys.after_miss(miss, &seen).await.unwrap();
    assert_eq!(newer.epoch(), seen.epoch() + 1);
    assert_eq!(idp.key_set_requests(), 2);
}

#[tokio::test]
async fn discovery_is_remembered_until_it_leads_nowhere() {
    let (old, new) = (
        IdentityProvider::start(&[TestKey::Rsa1]).unwrap(),
        IdentityProvider::start(&[TestKey::Rsa2]).unwrap(),
    );
    let idp = IdentityProvider::start(&[]).unwrap();
    idp.announce(Some(&idp.url()), Some(&old.jwks_url()));
    let subject = Subject::new(KeySource::discovery(&idp.url(), Access::default()).unwrap());
    for _ in 0..3 {
        subject.keys.refresh_if_due().await;
        subject.advance_seconds(511);
    }
    assert_eq!((idp.discovery_requests(), old.key_set_requests()), (1, 3));
    // The keys move; the same refresh finds out where to.
    old.behave(Behaviour::Status(404));
    idp.announce(Some(&idp.url()), Some(&new.jwks_url()));
    assert_eq!(subject.ask(&token(TestKey::Rsa2)).await, "ok");
    assert_eq!(idp.discovery_requests(), 2);
    // And a document is read again after an hour in any case.
    subject.advance_seconds(3600);
    subject.keys.refresh_if_due().await;
    assert_eq!(idp.discovery_requests(), 3);
}

#[tokio::test]
async fn a_file_is_read_again_on_the_same_schedule() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    fs::write(&path, key_set(&[TestKey::Rsa1]).to_string()).unwrap();
    let subject = Subject::new(KeySource::file(&path));
    assert_eq!(subject.ask(&token(TestKey::Rsa1)).await, "ok");
    fs::write(&path, key_set(&[TestKey::Rsa2]).to_string()).unwrap();
    subject.advance_seconds(511);
    subject.keys.refresh_if_due().await;
    assert_eq!(subject.ask(&token(TestKey::Rsa2)).await, "ok");
    // Half-written or gone: the old keys serve on.
    fs::write(&path, "{\"keys\":[").unwrap();
    subject.advance_seconds(511);
    subject.keys.refresh_if_due().await;
    fs::remove_file(&path).unwrap();
    subject.advance_seconds(31);
    subject.keys.refresh_if_due().await;
    assert_eq!(subject.ask(&token(TestKey::Rsa2)).await, "ok");
    assert_eq!(subject.keys.health(subject.clock.now_ms()).failures_in_a_row, 2);
}

#[tokio::test]
async fn fixed_keys_are_never_asked_for() {
    let keys = KeySet::from_jwks(
        key_set(&[TestKey::Rsa1]).to_string().as_bytes(),
        &narthex_token::KeySetLimits::default(),
    );
    let subject = Subject::new(KeySource::fixed(keys.unwrap()));
    subject.keys.keep_fresh();
    assert_eq!(subject.ask(&token(TestKey::Rsa1)).await, "ok");
    assert_eq!(subject.ask(&token(TestKey::Rsa2)).await, "token.key_unknown");
    subject.clock.advance(i64::MAX / 4);
    assert_eq!(subject.keys.current(subject.clock.now_ms()).unwrap().usable_count(), 1);
    assert_eq!(subject.keys.refresh().await, Refreshed::Fixed);
    assert_eq!(subject.keys.refresh_if_due().await, i64::MAX);
}

#[tokio::test]
async fn a_refresh_by_hand_says_what_became_of_it() {
    let (idp, subject) = idp(&[TestKey::Rsa1]);
    assert_eq!(subject.keys.refresh().await, Refreshed::Read);
    assert!(matches!(
        subject.keys.refresh().await,
        Refreshed::TooSoon {
            retry_after_seconds: 1..=30
        }
    ));
    idp.behave(Behaviour::Status(403));
    subject.advance_seconds(31);
    let Refreshed::Failed { why } = subject.keys.refresh().await else {
        panic!("it cannot have been read")
    };
    assert_eq!(
        why,
        "`127.0.0.1` answered with status 403 instead of 200; if the keys need a credential, set `bearer_token_file`"
    );
}

#[tokio::test]
async fn health_is_told_in_json() {
    let (idp, subject) = idp(&[TestKey::Rsa1, TestKey::P256]);
    subject.keys.refresh_if_due().await;
    idp.rotate(&[TestKey::P256]);
    subject.advance_seconds(511);
    subject.keys.refresh_if_due().await;
    idp.behave(Behaviour::Status(500));
    subject.advance_seconds(511);
    subject.keys.refresh_if_due().await;
    let mut health = serde_json::to_value(subject.keys.health(subject.clock.now_ms())).unwrap();
    health["location"] = "LOCATION".into();
    for key in health["keys"].as_array_mut().unwrap() {
        assert_eq!(key["identity"].take().as_str().unwrap().len(), 64);
    }
    // The moment of a refresh is spread by a few seconds; after a failure it is the cooldown's end.
    assert_eq!(
        health,
        json!({
            "issuer": "corporate", "source": "jwks_url", "location": "LOCATION", "serving": true,
            "keys": [
                { "kid": "rsa_1", "identity": null, "kind": "RSA 2048", "algorithms": ["RS256"], "present": false,
                  "first_seen_at": "2026-09-21T14:13:20Z", "last_seen_at": "2026-09-21T14:13:20Z" },
                { "kid": "ec_p256", "identity": null, "kind": "EC P-256", "algorithms": ["ES256"], "present": true,
                  "first_seen_at": "2026-09-21T14:13:20Z", "last_seen_at": "2026-09-21T14:21:51Z" },
            ],
            "usable_count": 1, "refused": [],
            "fetched_at": "2026-09-21T14:21:51Z", "age_seconds": 511, "fresh_until": "2026-09-21T14:31:51Z",
            "usable_until": "2026-09-21T15:31:51Z", "next_refresh_at": "2026-09-21T14:30:52Z", "fetching": false,
            "failures_in_a_row": 1,
            "last_error": { "at": "2026-09-21T14:30:22Z", "message": "`127.0.0.1` answered with status 500 instead of 200" },
            "unknown_keys": 0, "epoch": 1,
        })
    );
}

#[tokio::test]
async fn an_observer_is_told_of_every_fetch() {
    #[derive(Default)]
    struct Seen(std::sync::Mutex<Vec<(String, &'static str, usize)>>);
    impl FetchObserver for Seen {
        fn fetched(&self, fetch: &FetchEvent<'_>) {
            self.0
                .lock()
                .unwrap()
                .push((fetch.issuer.to_owned(), fetch.outcome, fetch.usable_count));
        }
    }
    let seen = Arc::new(Seen::default());
    let idp = IdentityProvider::start(&[TestKey::Rsa1]).unwrap();
    let clock = Clock::manual(NOW_MS);
    let edges = KeyEdges {
        observer: Some(seen.clone()),
        ..KeyEdges::new(clock.clone())
    };
    let source = KeySource::url(&idp.jwks_url(), Access::default()).unwrap();
    let keys = IssuerKeys::new("corporate", source, edges, KeySettings::default());
    keys.refresh_if_due().await;
    idp.behave(Behaviour::Status(500));
    clock.advance(600_000);
    keys.refresh_if_due().await;
    assert_eq!(
        *seen.0.lock().unwrap(),
        [("corporate".to_owned(), "ok", 1), ("corporate".to_owned(), "status", 1)]
    );
}

/// Not even a fault of our own leaves an issuer without fetches.
#[tokio::test]
async fn a_fetch_that_breaks_off_counts_as_failed() {
    #[derive(Debug)]
    struct Broken;
    #[async_trait::async_trait]
    impl Names for Broken {
        async fn lookup(&self, _host: &str) -> std::io::Result<Vec<std::net::IpAddr>> {
            panic!("on purpose");
        }
    }
    let clock = Clock::manual(NOW_MS);
    let edges = KeyEdges {
        names: Arc::new(Broken),
        ..KeyEdges::new(clock.clone())
    };
    let source = KeySource::url("https://idp.test/", Access::default()).unwrap();
    let keys = IssuerKeys::new("corporate", source, edges, KeySettings::default());
    let next_ms = keys.refresh_if_due().await;
    assert_eq!(next_ms, NOW_MS + 1_000);
    assert_eq!(
        keys.health(NOW_MS).last_error.unwrap().message,
        "the fetch was broken off"
    );
}

#[tokio::test]
async fn a_reload_goes_on_with_keys_that_are_kept_in_the_same_way() {
    let url = |url: &str, access: Access| KeySource::url(url, access).unwrap();
    let plain = || url("https://idp.test/jwks", Access::default());
    let keys = |source: KeySource| {
        IssuerKeys::new(
            "corporate",
            source,
            KeyEdges::new(Clock::manual(NOW_MS)),
            KeySettings::default(),
        )
    };
    let kept = keys(plain());
    let same = KeySettings::default();
    assert!(kept.keeps(&plain(), &same));
    assert!(!kept.keeps(&url("https://idp.test/other", Access::default()), &same));
    assert!(!kept.keeps(
        &KeySource::discovery("https://idp.test/jwks", Access::default()).unwrap(),
        &same
    ));
    let authority = Access {
        ca_file: Some("ca.pem".into()),
        ..Access::default()
    };
    assert!(!kept.keeps(&url("https://idp.test/jwks", authority), &same));
    let mut shorter = KeySettings::default();
    shorter.cache.stale_ms_max = 0;
    assert!(!kept.keeps(&plain(), &shorter));
    let fixed =
        || KeySource::fixed(KeySet::from_jwks(b"{\"keys\":[]}", &narthex_token::KeySetLimits::default()).unwrap());
    assert!(!keys(fixed()).keeps(&fixed(), &same));
}
