//! Many sign-ins that are begun, many uses of one, and several in one browser.

use std::sync::Arc;

use narthex_directory::ONE_TIME_VALUES_MAX;
use narthex_testkit::Upstream;
use narthex_testkit::client::Call;
use narthex_testkit::postgres::Cluster;
use tokio::task::JoinSet;

use super::browser::{Browser, World, node, with};
use super::{AT_ONCE, config, gives_session};

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

/// Each node sends the code to the issuer once at the most, and the directory counts the state once for both.
#[tokio::test]
async fn sec_a_hundred_uses_of_one_code_at_two_nodes() {
    let database = Cluster::shared().unwrap().empty_database().unwrap();
    let url = database.tcp_url();
    let stored =
        |issuer: &str, upstream: &Upstream| format!("[store]\nurl_file = \"store-url\"\n{}", config(issuer, upstream));
    let world = World::start_at(600, stored, &url).await;
    let other = node(&stored(&world.issuer, &world.upstream), &url).await;
    let mut browser = Browser::default();
    let callback = browser.callback(&world).await;
    let mut uses = JoinSet::new();
    for number in 0..AT_ONCE {
        let url = if number % 2 == 0 {
            world.narthex.url()
        } else {
            other.url()
        };
        let call = Call::get(&format!("{url}{callback}"))
            .header("host", "app.example")
            .header("x-forwarded-proto", "https");
        let (client, call) = (world.client.clone(), with(call, &browser.app));
        uses.spawn(async move { gives_session(&client.send(call).await.unwrap()) });
    }
    let sessions = uses.join_all().await.into_iter().filter(|given| *given).count();
    assert_eq!(sessions, 1, "{}\n{}", world.narthex.logs(), other.logs());
    // A provider that hears of both nodes at the same moment may exchange the code for both.
    let exchanged = world.counts().await["code"].as_u64();
    assert!(matches!(exchanged, Some(1 | 2)), "{exchanged:?}");
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
