//! Streams of sessions that nobody uses.

use std::time::Duration;

use narthex_testkit::{Answer, Client, Upstream};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::browser::{Browser, World, with};
use super::config;
use crate::moved_clock::MovedClock;

/// A gateway whose sessions end after two minutes without use.
async fn start(clock: &MovedClock) -> World {
    let impatient =
        |issuer: &str, upstream: &Upstream| config(issuer, upstream).replace("idle = \"30m\"", "idle = \"2m\"");
    World::start_in(3_600, impatient, "", &clock.environment()).await
}

/// Opens an event stream of a minute with the session of a browser.
async fn open(world: &World, browser: &Browser) -> JoinHandle<Option<Answer>> {
    let call = world.call("GET", "/whoami").header("x-upstream", "sse=600");
    let call = with(call, &browser.app);
    let stream = tokio::spawn(async move { Client::new().send(call).await.ok() });
    sleep(Duration::from_secs(1)).await;
    assert!(!stream.is_finished(), "{}", world.narthex.logs());
    stream
}

/// A session that lapses takes its streams along. The clock jumps, as that of a machine that was asleep.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_stream_ends_with_its_idle_session() {
    let clock = MovedClock::by(0);
    let world = start(&clock).await;
    let mut browser = Browser::default();
    browser.sign_in(&world, "/whoami").await;
    let stream = open(&world, &browser).await;
    clock.move_to(121);
    let ended = timeout(Duration::from_secs(3), stream).await;
    assert!(ended.is_ok(), "the stream goes on\n{}", world.narthex.logs());
    let told = ["stream_ended", "\"reason\":\"session.ended\""];
    world.narthex.logged(&told).await.unwrap();
    // Nothing that the stream did has brought the session back.
    sleep(Duration::from_secs(2)).await;
    let answer = browser.send(&world, world.call("GET", "/whoami")).await;
    assert_eq!(answer.reason().as_deref(), Some("session.ended"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_stream_is_a_use_of_its_session() {
    let clock = MovedClock::by(0);
    let world = start(&clock).await;
    let mut browser = Browser::default();
    browser.sign_in(&world, "/whoami").await;
    let stream = open(&world, &browser).await;
    for seconds in [70, 140, 210] {
        clock.move_to(seconds);
        // A use is noted at the next look at the streams, and written within a second.
        sleep(Duration::from_millis(2_500)).await;
        assert!(!stream.is_finished(), "{seconds}: {}", world.narthex.logs());
    }
    let answer = browser.send(&world, world.call("GET", "/whoami")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    stream.abort();
}
