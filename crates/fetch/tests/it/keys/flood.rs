//! Tokens anybody can make, in numbers: they must cost the issuer next to nothing, and others nothing at all.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use narthex_fetch::keys::{Access, KeySettings, KeySource};
use narthex_testkit::{Behaviour, IdentityProvider, TestKey};
use serde_json::json;
use tokio::task::JoinSet;

use super::world::{Subject, builder, impatient, token};

/// `count` tokens, each naming a key of its own, from many requests at once. Gives the reasons.
async fn flood(subject: &Subject, count: usize, round: usize) -> Vec<&'static str> {
    // One signature for all: none of these is ever verified.
    let valid = builder(TestKey::Rsa1).sign();
    let (_, rest) = valid.split_once('.').unwrap();
    let rest: Arc<str> = rest.into();
    let mut requests = JoinSet::new();
    for lane in 0..100 {
        let (subject, rest) = (subject.clone(), Arc::clone(&rest));
        requests.spawn(async move {
            let mut reasons = Vec::new();
            for index in 0..count / 100 {
                let kid = format!("random-{round}-{lane}-{index}");
                reasons.push(subject.ask(&format!("{}.{rest}", header(&kid))).await);
            }
            reasons
        });
    }
    requests.join_all().await.concat()
}

fn header(kid: &str) -> String {
    URL_SAFE_NO_PAD.encode(json!({ "alg": "RS256", "kid": kid }).to_string())
}

fn only(reasons: &[&str], allowed: &[&str]) {
    for reason in reasons {
        assert!(allowed.contains(reason), "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_jwks_flood() {
    let idp = IdentityProvider::start(&[TestKey::Rsa1]).unwrap();
    let subject = Subject::at(&idp.jwks_url());
    subject.keys.refresh_if_due().await;
    for round in 0..3 {
        let before = idp.key_set_requests();
        let flooding = tokio::spawn({
            let subject = subject.clone();
            async move { flood(&subject, 10_000, round).await }
        });
        // Those with a known key notice nothing.
        for _ in 0..20 {
            assert_eq!(subject.ask(&token(TestKey::Rsa1)).await, "ok");
        }
        only(&flooding.await.unwrap(), &["token.key_unknown"]);
        assert_eq!(idp.key_set_requests() - before, 1, "round {round}");
        subject.advance_seconds(30);
    }
    let health = subject.keys.health(subject.clock.now_ms());
    assert!(health.unknown_keys <= 1024, "{}", health.unknown_keys);
}

/// The cooldown holds when there is no key, and when every fetch fails; what cannot be decided is 503, not 401.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_jwks_flood_while_the_issuer_is_ill() {
    for behaviour in [
        // An empty set.
        Behaviour::Good,
        Behaviour::Status(500),
        Behaviour::Garbage,
        Behaviour::Closing,
        Behaviour::Hanging,
    ] {
        let idp = IdentityProvider::start(&[]).unwrap();
        idp.publish(json!({ "keys": [] }));
        idp.behave(behaviour.clone());
        let source = KeySource::url(&idp.jwks_url(), Access::default()).unwrap();
        let subject = Subject::with(source, None, impatient());
        for round in 0..2 {
            let before = idp.key_set_requests();
            only(&flood(&subject, 2_000, round).await, &["keys.unavailable"]);
            let asked = idp.key_set_requests() - before;
            // The very first request of all finds no keys whatever its name: that fetch is not yet one for its name.
            assert!(asked <= 1, "{behaviour:?}, round {round}: {asked} fetches");
            subject.advance_seconds(30);
        }
    }
}

/// Known keys are served while the issuer hangs, and those who wait for it are few and not for long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_jwks_flood_of_waiting_requests() {
    let idp = IdentityProvider::start(&[TestKey::Rsa1]).unwrap();
    let source = KeySource::url(&idp.jwks_url(), Access::default()).unwrap();
    let wait = Duration::from_millis(50);
    let settings = KeySettings {
        wait,
        waiting_max: 10,
        ..impatient()
    };
    let subject = Subject::with(source, None, settings);
    subject.keys.refresh_if_due().await;
    idp.behave(Behaviour::Hanging);
    let begun = tokio::time::Instant::now();
    let flooding = tokio::spawn({
        let subject = subject.clone();
        async move { flood(&subject, 2_000, 0).await }
    });
    assert_eq!(subject.ask(&token(TestKey::Rsa1)).await, "ok");
    only(&flooding.await.unwrap(), &["keys.unavailable"]);
    // 2,000 requests of which ten wait at a time, 50 ms each, for one second: without the bound on their number, every
    // one of the first hundred would wait, and the next hundred after them.
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(idp.key_set_requests(), 2);
}

/// Bad signatures under a known name force one fetch a cooldown, too.
#[tokio::test]
async fn sec_jwks_flood_of_forged_signatures() {
    let idp = IdentityProvider::start(&[TestKey::Rsa1]).unwrap();
    let subject = Subject::at(&idp.jwks_url());
    subject.keys.refresh_if_due().await;
    let forged = builder(TestKey::Rsa1).forged_with(TestKey::Rsa2).sign();
    for _ in 0..200 {
        assert_eq!(subject.ask(&forged).await, "token.signature");
    }
    assert_eq!(idp.key_set_requests(), 2);
    assert_eq!(subject.ask(&token(TestKey::Rsa1)).await, "ok");
}
