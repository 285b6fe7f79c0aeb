//! A provider that cannot be reached when a session needs a new token.

use std::time::Duration;

use narthex_testkit::{Answer, Upstream};
use tokio::time::{Instant, sleep, sleep_until};

use super::browser::{Browser, World};
use super::config;

async fn ask(world: &World, browser: &mut Browser) -> Answer {
    browser.send(world, world.call("GET", "/whoami")).await
}

/// The discovery document cannot be read: the session goes on to the end of its token, stands for nothing then, and goes on with a
/// new token once the provider is back. No failure of the network signs users out.
#[tokio::test]
async fn an_outage_of_the_provider_ends_no_session() {
    let impatient =
        |issuer: &str, upstream: &Upstream| format!("{}\n[limits]\nfetch_timeout = \"1s\"\n", config(issuer, upstream));
    let mut world = World::start_with(15, impatient).await;
    let mut browser = Browser::default();
    browser.sign_in(&world, "/whoami").await;
    let signed_in = Instant::now();
    // It does not remember the provider's endpoints, and has to ask for them.
    world.provider.signal("STOP").unwrap();
    world.narthex.start_again().await.unwrap();
    // A fifth of the token's life is left.
    sleep_until(signed_in + Duration::from_millis(12_300)).await;
    let answer = ask(&world, &mut browser).await;
    assert_eq!(answer.status, 200, "{}\n{}", answer.text(), world.narthex.logs());
    // The token has ended.
    sleep_until(signed_in + Duration::from_millis(15_500)).await;
    let answer = ask(&world, &mut browser).await;
    assert_eq!(
        (answer.status, answer.reason().as_deref()),
        (503, Some("keys.unavailable")),
        "{}",
        world.narthex.logs()
    );
    assert!(answer.header("retry-after").is_some());
    let public = browser.send(&world, world.call("GET", "/public/a")).await;
    assert_eq!(public.status, 200, "a public page needs no token");
    // The failure to read the document is remembered for five seconds.
    world.provider.signal("CONT").unwrap();
    let began = Instant::now();
    while ask(&world, &mut browser).await.status != 200 {
        let logs = world.narthex.logs();
        assert!(began.elapsed() < Duration::from_secs(12), "{logs}");
        sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(world.counts().await["refresh"], 1);
}

/// The provider is there again and does not know the refresh token any more: its refusal ends the session.
#[tokio::test]
async fn sec_a_refusal_of_the_provider_ends_the_session() {
    let mut world = World::start(6).await;
    let mut browser = Browser::default();
    browser.sign_in(&world, "/whoami").await;
    world.provider.kill();
    sleep(Duration::from_millis(6_500)).await;
    let answer = ask(&world, &mut browser).await;
    assert_eq!(answer.status, 503, "{}\n{}", answer.text(), world.narthex.logs());
    world.restart_provider();
    let began = Instant::now();
    loop {
        let answer = ask(&world, &mut browser).await;
        if answer.status == 401 {
            assert_eq!(answer.reason().as_deref(), Some("session.ended"));
            break;
        }
        let logs = world.narthex.logs();
        assert!(began.elapsed() < Duration::from_secs(12), "{}\n{logs}", answer.text());
        sleep(Duration::from_millis(500)).await;
    }
    let logs = world.narthex.logs();
    assert!(logs.contains("invalid_grant"), "{logs}");
}
