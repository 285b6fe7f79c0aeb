//! Two nodes on one database of PostgreSQL: a session is one of all nodes.

use narthex_testkit::Browser;

use super::world::{COOKIE, World};

#[tokio::test]
async fn a_real_browser_signs_in_at_one_node_and_out_at_the_other() {
    let mut world = World::start_two_nodes().await;
    let browser = Browser::start().await.unwrap();
    world.sign_in(&browser, "ada", "/whoami").await;
    world.lead_to(1);
    browser.open(&world.app("/whoami?other")).await.unwrap();
    assert_eq!(
        browser.address().await.unwrap(),
        world.app("/whoami?other"),
        "{}",
        world.logs()
    );
    assert_eq!(world.exchanged("code").await, 1);
    let cookie = browser.cookie(COOKIE).await.unwrap().unwrap();

    browser.open(&world.app("/.narthex/me")).await.unwrap();
    browser.press("Sign out").await.unwrap();
    browser.reads("You are signed out").await.unwrap();
    browser.set_cookie(COOKIE, cookie.value()).await.unwrap();
    for node in [1, 0] {
        world.lead_to(node);
        world.assert_answers(&browser, Some("session.ended")).await;
    }
}

/// The sign-in is begun at one node and completed at the other, and the provider tells one node of its end.
#[tokio::test]
async fn a_sign_in_of_a_real_browser_survives_a_change_of_the_node_and_a_back_channel_logout_ends_it_at_both() {
    let mut world = World::start_two_nodes().await;
    let browser = Browser::start().await.unwrap();
    browser.open(&world.app("/whoami?x=1")).await.unwrap();
    world.lead_to(1);
    world.sign_in_at_provider(&browser, "ada").await;
    let arrived = browser.arrives(&world.app("/whoami")).await;
    assert_eq!(arrived.unwrap(), world.app("/whoami?x=1"), "{}", world.logs());
    world.assert_answers(&browser, None).await;
    world.sign_out_at_provider(&browser).await;
    for node in [1, 0] {
        world.lead_to(node);
        world.assert_answers(&browser, Some("session.ended")).await;
    }
}
