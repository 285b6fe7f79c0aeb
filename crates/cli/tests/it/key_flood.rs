//! Random `kid`s must not become requests to the identity provider.

use std::time::Duration;

use narthex_testkit::{Behaviour, TestIssuer, TestKey, client::Call};

use crate::world::{World, member};

/// One forced fetch in thirty seconds, however many unknown kids there are and whatever the provider answers; tokens
/// of known keys are served all the while. Where the provider answers, an unknown kid is refused; where it does not,
/// whether it is good cannot be decided, and that is no "no".
#[tokio::test]
async fn sec_jwks_flood() {
    for behaviour in [
        Behaviour::Good,
        Behaviour::Status(500),
        Behaviour::Garbage,
        Behaviour::WrongShape,
        Behaviour::Huge(2_000_000),
        Behaviour::Redirect("http://192.0.2.1/jwks.json".to_owned()),
        Behaviour::Closing,
        Behaviour::Slow(Duration::from_millis(300)),
    ] {
        let world = World::start().await;
        let url = format!("{}/whoami", world.narthex.url());
        let known = |index: usize| member(&format!("user-{index}")).sign();
        assert_eq!(world.send(Call::get(&url).bearer(&known(0))).await.status, 200);
        world.idp.behave(behaviour.clone());
        let before = world.idp.key_set_requests();
        // More than are remembered, once.
        let flood = if behaviour == Behaviour::Good { 1_100 } else { 60 };
        for index in 0..flood {
            let token = member("x").kid(&format!("random-{index}")).sign();
            let answer = world.send(Call::get(&url).bearer(&token)).await;
            let expected = match &behaviour {
                Behaviour::Good | Behaviour::Slow(_) => (401, "token.key_unknown"),
                _ => (503, "keys.unavailable"),
            };
            let reason = answer.reason().unwrap_or_default();
            assert_eq!(
                (answer.status, reason.as_str()),
                expected,
                "{behaviour:?}: {}",
                answer.text()
            );
            if index % 20 == 0 {
                let answer = world.send(Call::get(&url).bearer(&known(index))).await;
                assert_eq!(answer.status, 200, "{behaviour:?}: {}", answer.text());
            }
        }
        let fetches = world.idp.key_set_requests() - before;
        assert_eq!(fetches, 1, "{behaviour:?}");
    }
}

/// A provider that is slow is asked once, however many wait; and who waits is served when it answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_provider_is_asked_once_for_all_who_wait() {
    let world = World::start().await;
    let url = format!("{}/whoami", world.narthex.url());
    assert_eq!(
        world.send(Call::get(&url).bearer(&member("first").sign())).await.status,
        200
    );
    world.idp.rotate(&[TestKey::Rsa1, TestKey::Rsa2]);
    world.idp.behave(Behaviour::Slow(Duration::from_secs(2)));
    let before = world.idp.key_set_requests();
    let mut waiting = tokio::task::JoinSet::new();
    for index in 0..50 {
        let client = world.client.clone();
        let call = Call::get(&url).bearer(&member(&format!("user-{index}")).key(TestKey::Rsa2).sign());
        waiting.spawn(async move { client.send(call).await });
    }
    // Whose key is known does not wait.
    let known = Call::get(&url).bearer(&member("second").sign());
    let answer = tokio::time::timeout(Duration::from_millis(1800), world.client.send(known)).await;
    assert_eq!(answer.expect("served while the provider is slow").unwrap().status, 200);
    while let Some(answer) = waiting.join_next().await {
        let answer = answer.unwrap().unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!(world.idp.key_set_requests() - before, 1);
}

/// `key_url`: a token's `kid` says which address is asked, in a whole server.
#[tokio::test]
async fn key_ids_are_asked_for_one_by_one() {
    // The key set of this provider stands for a document of one key at whatever id.
    let world = World::with_config(|idp, upstream| {
        idp.rotate(&[TestKey::Rsa1]);
        format!(
            "[[issuer]]\nname = \"corp\"\nissuer = \"https://idp.test\"\nkey_url = \"{}?id={{kid}}\"\naudiences = [\"narthex\"]\n\n\
             [[route]]\npath = \"/whoami\"\nrequire = \"authenticated\"\nupstream = \"{}\"\n",
            idp.jwks_url(),
            upstream.url()
        )
    })
    .await;
    let good = TestIssuer::new("https://idp.test").token();
    let answer = world.send(world.call("GET", "/whoami").bearer(&good.sign())).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let other = TestIssuer::new("https://idp.test").key(TestKey::Rsa2).token();
    let answer = world.send(world.call("GET", "/whoami").bearer(&other.sign())).await;
    assert_eq!(answer.status, 503, "the document is of another key: {}", answer.text());
}
