//! From the first visit to the last.

use std::time::Duration;

use narthex_testkit::Browser;

use super::world::{COOKIE, World};

#[tokio::test]
async fn a_real_browser_signs_in_comes_back_and_signs_out() {
    let world = World::start(600).await;
    let browser = Browser::start().await.unwrap();
    let page = "/whoami?x=1&y=%2f";
    browser.open(&world.app(page)).await.unwrap();
    assert!(browser.address().await.unwrap().starts_with(&world.provider.issuer()));
    world.sign_in_at_provider(&browser, "ada").await;
    let address = browser.arrives(&world.app("/whoami")).await.unwrap();
    assert_eq!(address, world.app(page), "{}", world.logs());
    let seen = world.last_request();
    assert_eq!(seen.target, page);
    assert_eq!(seen.header("x-narthex-external-id").as_deref(), Some("ada"));
    assert_eq!(seen.header("cookie"), None);

    let cookie = browser.cookie(COOKIE).await.unwrap().unwrap();
    assert_eq!((cookie.http_only(), cookie.secure()), (Some(true), Some(true)));
    assert!(cookie.same_site().is_some_and(|same| same.is_lax()), "{cookie:?}");
    assert_eq!(browser.run("return document.cookie").await.unwrap(), "");

    browser.open(&world.app("/.narthex/me")).await.unwrap();
    browser.reads("Where you are signed in").await.unwrap();
    browser.press("Sign out").await.unwrap();
    let text = browser.reads("You are signed out").await;
    assert!(text.is_ok(), "{text:?}\n{:?}\n{}", browser.errors().await, world.logs());
    assert!(browser.cookie(COOKIE).await.unwrap().is_none());
    assert_eq!(browser.errors().await.unwrap(), Vec::<String>::new());

    // The cookie that another program kept is worth nothing any more.
    browser.set_cookie(COOKIE, cookie.value()).await.unwrap();
    world.assert_answers(&browser, Some("session.ended")).await;
    // The provider still knows the user, so that the next visit asks no question.
    browser.open(&world.app("/whoami")).await.unwrap();
    browser.arrives(&world.app("/whoami")).await.unwrap();
    assert_eq!(world.exchanged("code").await, 2);
}

#[tokio::test]
async fn a_session_in_a_real_browser_is_refreshed_and_ends_with_its_token() {
    let mut world = World::start(6).await;
    let browser = Browser::start().await.unwrap();
    world.sign_in(&browser, "ada", "/whoami").await;
    assert_eq!(world.exchanged("refresh").await, 0);
    // Four fifths of the token's life are over.
    tokio::time::sleep(Duration::from_secs(5)).await;
    browser.open(&world.app("/whoami?again")).await.unwrap();
    assert_eq!(browser.address().await.unwrap(), world.app("/whoami?again"));
    assert_eq!(
        (world.exchanged("refresh").await, world.exchanged("code").await),
        (1.into(), 1.into())
    );
    // The first token has ended by now.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    world.assert_answers(&browser, None).await;
    // Without its provider the session stands for nothing from the end of its token on.
    world.provider.kill();
    tokio::time::sleep(Duration::from_millis(6_500)).await;
    world.assert_answers(&browser, Some("keys.unavailable")).await;
    let seen = world.upstream.seen();
    assert!(seen.iter().all(|request| request.header("cookie").is_none()));
}

/// The page that a user reads while the provider is away says what to do, and is no blank one.
#[tokio::test]
async fn a_real_browser_whose_provider_is_away_gets_a_page() {
    let mut world = World::start(600).await;
    world.provider.kill();
    let browser = Browser::start().await.unwrap();
    browser.open(&world.app("/whoami")).await.unwrap();
    assert!(
        browser
            .address()
            .await
            .unwrap()
            .starts_with(&world.app("/.narthex/sign-in"))
    );
    browser.reads("cannot be reached").await.unwrap();
}

#[tokio::test]
async fn a_sign_out_at_the_provider_ends_the_session_of_a_real_browser() {
    let world = World::start(600).await;
    let (ada, bob) = (Browser::start().await.unwrap(), Browser::start().await.unwrap());
    world.sign_in(&ada, "ada", "/whoami").await;
    world.sign_in(&bob, "bob", "/whoami").await;
    world.sign_out_at_provider(&ada).await;
    world.assert_answers(&ada, Some("session.ended")).await;
    world.assert_answers(&bob, None).await;
    // She is asked for her name again.
    world.sign_in(&ada, "ada", "/whoami").await;
    world.assert_answers(&ada, None).await;
}
