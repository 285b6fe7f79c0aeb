//! Random `kid`s must not become requests to the identity provider.

use std::time::Duration;

use narthex_testkit::{Behaviour, client::Call};

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
