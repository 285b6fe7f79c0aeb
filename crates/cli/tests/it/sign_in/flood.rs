//! Many sign-ins that are begun, and several in one browser.

use std::sync::Arc;

use narthex_directory::ONE_TIME_VALUES_MAX;
use tokio::task::JoinSet;

use super::browser::{Browser, World};
use super::gives_session;

/// Number of clients that begin sign-ins at once.
const CLIENTS: usize = 32;

/// A client without a credential begins more sign-ins than the directory keeps values for one use.
#[tokio::test]
async fn sec_a_flood_of_beginnings_stops_no_sign_in() {
    let world = Arc::new(World::start(600).await);
    let mut waiting = Browser::default();
    let callback = waiting.callback(&world).await;
    let mut flood = JoinSet::new();
    for _ in 0..CLIENTS {
        let world = Arc::clone(&world);
        flood.spawn(async move {
            for _ in 0..=ONE_TIME_VALUES_MAX / CLIENTS {
                let begun = world.client.send(world.call("GET", "/.narthex/sign-in")).await;
                assert_eq!(begun.unwrap().status, 302);
            }
        });
    }
    flood.join_all().await;
    let completed = waiting.open(&world, &callback).await;
    assert!(
        gives_session(&completed),
        "{}\n{}",
        completed.text(),
        world.narthex.logs()
    );
    Browser::default().sign_in(&world, "/whoami").await;
}

#[tokio::test]
async fn several_tabs_of_a_browser_sign_in() {
    let world = World::start(600).await;
    let mut browser = Browser::default();
    let first = browser.callback(&world).await;
    let second = browser.callback(&world).await;
    for callback in [&second, &first] {
        let completed = browser.open(&world, callback).await;
        assert!(
            gives_session(&completed),
            "{}\n{}",
            completed.text(),
            world.narthex.logs()
        );
    }
    let left = browser.app.keys().filter(|name| name.starts_with("__Host-narthex."));
    assert_eq!(left.count(), 0, "a completed sign-in leaves no cookie of its own");
}
