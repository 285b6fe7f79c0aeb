//! Random `kid`s must not become requests to the identity provider.

use std::time::Duration;

use narthex_testkit::{Behaviour, client::Call};

use crate::world::{World, member};

/// One forced fetch in thirty seconds, however many unknown kids there are and whatever the provider answers; tokens
/// of known keys are served all the while.
#[tokio::test]
async fn sec_jwks_flood() {
    for behaviour in [
        Behaviour::Good,
        Behaviour::Status(500),
        Behaviour::Garbage,
        Behaviour::Closing,
        Behaviour::Slow(Duration::from_millis(300)),
    ] {
        let world = World::start().await;
        let url = format!("{}/whoami", world.narthex.url());
        let known = |index: usize| member(&format!("user-{index}")).sign();
        assert_eq!(world.send(Call::get(&url).bearer(&known(0))).await.status, 200);
        world.idp.behave(behaviour.clone());
        let before = world.idp.key_set_requests();
        for index in 0..500 {
            let token = member("x").kid(&format!("random-{index}")).sign();
            let answer = world.send(Call::get(&url).bearer(&token)).await;
            assert_eq!(answer.status, 401, "{behaviour:?}: {}", answer.text());
            assert_eq!(answer.reason().as_deref(), Some("token.key_unknown"));
            if index % 100 == 0 {
                let answer = world.send(Call::get(&url).bearer(&known(index))).await;
                assert_eq!(answer.status, 200, "{behaviour:?}: {}", answer.text());
            }
        }
        let fetches = world.idp.key_set_requests() - before;
        assert!(fetches <= 1, "{behaviour:?}: {fetches} fetches");
    }
}
