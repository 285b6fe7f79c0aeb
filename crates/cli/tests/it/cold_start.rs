//! A start while the identity provider is down.

use std::time::Duration;

use narthex_testkit::client::Call;
use tokio::time::Instant;

use crate::world::{World, config, member};

/// The provider is asked again after 1, 2 and 4 s, so that its return is noticed within seconds; `/readyz` says meanwhile
/// what is missing.
#[tokio::test]
async fn a_provider_that_comes_back_is_noticed_within_seconds() {
    let world = World::with_config(|idp, upstream| {
        idp.down();
        config(idp, upstream)
    })
    .await;
    let whoami = || Call::get(&format!("{}/whoami", world.narthex.url())).bearer(&member("ada").sign());
    let ready = || Call::get(&format!("{}/readyz", world.narthex.admin_url()));
    let answer = world.send(whoami()).await;
    assert_eq!(
        (answer.status, answer.reason().as_deref()),
        (503, Some("keys.unavailable")),
        "{}",
        answer.text()
    );
    let state = world.send(ready()).await;
    assert_eq!(state.status, 200, "other issuers and public routes are served");
    let text = state.text();
    assert!(text.starts_with("ready\nissuer `corp`: it has no keys"), "{text}");
    assert!(text.contains("no connection to `127.0.0.1`"), "{text}");

    tokio::time::sleep(Duration::from_secs(3)).await;
    world.idp.up().unwrap();
    let begun = Instant::now();
    while world.send(whoami()).await.status != 200 {
        assert!(begun.elapsed() < Duration::from_secs(6), "{}", world.narthex.logs());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(world.send(ready()).await.text(), "ready\n");
}
