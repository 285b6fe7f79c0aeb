//! Attacks on sign-in with a real browser as the victim.

use narthex_testkit::Browser;

use super::world::{COOKIE, World};

#[tokio::test]
async fn sec_session_fixation_in_a_real_browser() {
    let world = World::start(600).await;
    let (attacker, victim) = (Browser::start().await.unwrap(), Browser::start().await.unwrap());
    world.sign_in(&attacker, "mallory", "/whoami").await;
    let planted = attacker.cookie(COOKIE).await.unwrap().unwrap().value().to_owned();

    victim.open(&world.app("/public/page")).await.unwrap();
    // Another host of the same domain cannot plant it: the prefix forbids a domain.
    let script = format!("document.cookie = '{COOKIE}={planted}; Secure; Path=/; Domain=app.test'");
    victim.run(&script).await.unwrap();
    assert!(victim.cookie(COOKIE).await.unwrap().is_none());
    // A script in a page of the application can.
    let script = format!("document.cookie = '{COOKIE}={planted}; Secure; Path=/'");
    victim.run(&script).await.unwrap();
    assert_eq!(victim.cookie(COOKIE).await.unwrap().unwrap().value(), planted);

    victim
        .open(&world.app("/.narthex/sign-in?return=/whoami"))
        .await
        .unwrap();
    world.sign_in_at_provider(&victim, "ada").await;
    victim.arrives(&world.app("/whoami")).await.unwrap();
    let own = victim.cookie(COOKIE).await.unwrap().unwrap();
    assert_ne!(own.value(), planted);
    assert_eq!(own.http_only(), Some(true));
    let seen = world.last_request();
    assert_eq!(seen.header("x-narthex-external-id").as_deref(), Some("ada"));
    // The planted session ended when the browser signed in, and never stood for the victim.
    world.assert_answers(&attacker, Some("session.ended")).await;
    // Now the page's script can replace nothing.
    victim.run(&script).await.unwrap();
    assert_eq!(victim.cookie(COOKIE).await.unwrap().unwrap().value(), own.value());
}

/// An attacker begins to sign in and has the victim's browser complete it: the victim would work in the attacker's account.
#[tokio::test]
async fn sec_login_csrf_in_a_real_browser() {
    let mut world = World::start(600).await;
    let (attacker, victim) = (Browser::start().await.unwrap(), Browser::start().await.unwrap());
    let callback = world.callback(&attacker, "mallory").await;
    // The victim is in the middle of a sign-in of their own.
    victim.open(&world.app("/whoami")).await.unwrap();
    victim.arrives(&world.provider.issuer()).await.unwrap();
    victim.open(&callback).await.unwrap();
    victim.reads("sign_in.refused").await.unwrap();
    assert!(victim.cookie(COOKIE).await.unwrap().is_none());
    // The state is used up with it.
    attacker.open(&callback).await.unwrap();
    attacker.reads("sign_in.refused").await.unwrap();
    assert!(attacker.cookie(COOKIE).await.unwrap().is_none());
    assert_eq!(world.exchanged("code").await, 0);
}

#[tokio::test]
async fn sec_a_state_is_good_for_one_callback_in_a_real_browser() {
    let mut world = World::start(600).await;
    let browser = Browser::start().await.unwrap();
    let callback = world.callback(&browser, "ada").await;
    browser.open(&callback).await.unwrap();
    assert_eq!(
        browser.address().await.unwrap(),
        world.app("/whoami"),
        "{}",
        world.logs()
    );
    assert!(browser.cookie(COOKIE).await.unwrap().is_some());
    // Where the browser is signed in, the address leads to the application.
    browser.open(&callback).await.unwrap();
    assert_eq!(browser.address().await.unwrap(), world.app("/"));
    // Without the session it is worth nothing, also to a browser that began another sign-in.
    browser.clear_cookies().await.unwrap();
    browser.open(&callback).await.unwrap();
    browser.reads("sign_in.refused").await.unwrap();
    let other = Browser::start().await.unwrap();
    other.open(&world.app("/whoami")).await.unwrap();
    other.arrives(&world.provider.issuer()).await.unwrap();
    other.open(&callback).await.unwrap();
    other.reads("sign_in.refused").await.unwrap();
    for browser in [&browser, &other] {
        assert!(browser.cookie(COOKIE).await.unwrap().is_none());
    }
    assert_eq!(world.exchanged("code").await, 1);
}

/// Forty ways to another site, each by a whole sign-in, with the browser as the judge of where an address leads.
#[tokio::test]
async fn sec_a_sign_in_of_a_real_browser_leads_back_to_its_own_origin() {
    let world = World::start(600).await;
    let browser = Browser::start().await.unwrap();
    // From now on the provider asks no question.
    world.sign_in(&browser, "ada", "/whoami").await;
    for vector in OPEN_REDIRECTS {
        let address = world.app(&format!("/.narthex/sign-in?return={vector}"));
        browser.open(&address).await.unwrap();
        let arrived = browser.address().await.unwrap();
        assert_eq!(arrived, world.app("/"), "{vector}\n{}", world.logs());
    }
    assert_eq!(OPEN_REDIRECTS.len(), 40);
    // The sign-in is one that leads back where it may.
    let address = world.app("/.narthex/sign-in?return=%2Fwhoami%3Fa%3Db");
    browser.open(&address).await.unwrap();
    assert_eq!(browser.address().await.unwrap(), world.app("/whoami?a=b"));
    assert_eq!(browser.run("return document.cookie").await.unwrap(), "");
}

/// Another site chooses no issuer for an administrator; the pages of an application can still be linked to.
#[tokio::test]
async fn sec_another_site_begins_no_sign_in_of_a_real_browser() {
    let world = World::start(600).await;
    let browser = Browser::start().await.unwrap();
    // The application by its own address, which is another site.
    let evil = format!("{}/evil", world.upstream.url());
    let lead_to = |address: String| format!("location.href = '{address}'");
    browser.open(&evil).await.unwrap();
    let at_corp = world.console("/sign-in/at/corp");
    browser.run(&lead_to(at_corp.clone())).await.unwrap();
    browser.arrives(&at_corp).await.unwrap();
    browser.reads("Another website has sent you here").await.unwrap();
    browser.press("Continue with corp").await.unwrap();
    browser.arrives(&world.provider.issuer()).await.unwrap();

    browser.open(&evil).await.unwrap();
    browser.run(&lead_to(world.app("/whoami"))).await.unwrap();
    browser.arrives(&world.provider.issuer()).await.unwrap();
}

/// From lists of open redirects; percent-encoded as a value of a query.
const OPEN_REDIRECTS: [&str; 40] = [
    "%2F%2Fevil.test",
    "%2F%2F%2Fevil.test",
    "%2F%2F%2F%2Fevil.test",
    "%2F%5Cevil.test",
    "%5C%2Fevil.test",
    "%5C%5Cevil.test",
    "%2F%5C%2Fevil.test",
    "%2F%09%2Fevil.test",
    "%2F%0A%2Fevil.test",
    "%2F%0D%2Fevil.test",
    "%2F%0D%0A%2Fevil.test",
    "%2F%20%2Fevil.test",
    "+%2F%2Fevil.test",
    "%09%2F%2Fevil.test",
    "%00%2F%2Fevil.test",
    "https%3A%2F%2Fevil.test",
    "HTTPS%3A%2F%2Fevil.test",
    "https%3Aevil.test",
    "https%3A%2Fevil.test",
    "https%3A%5C%5Cevil.test",
    "http%3A%2F%2Fapp.test",
    "https%3A%2F%2Fapp.test%40evil.test",
    "https%3A%2F%2Fapp.test.evil.test",
    "%2F%2Fapp.test%40evil.test",
    "javascript%3Aalert(1)",
    "data%3Atext%2Fhtml%2Cx",
    "%40evil.test",
    ".evil.test",
    "%3A443%40evil.test",
    "evil.test%2F",
    "%3Freturn%3D%2F%2Fevil.test",
    "%23%2F%2Fevil.test",
    "%2Fa%5Cb",
    "%2F%E2%88%95%2Fevil.test",
    "%2F..%2F%2Fevil.test",
    "%2Fa%2F..%2F..%2F%2Fevil.test",
    "%2F.%2F%2Fevil.test",
    "%2F%EF%BC%8Fevil.test",
    "%2F%0D%0Aset-cookie%3Aa%3Db",
    "%2F.narthex%2Flogout",
];

/// A page of another site that posts a form signs no user out, although the browser has a session.
#[tokio::test]
async fn sec_another_site_signs_no_real_browser_out() {
    let world = World::start(600).await;
    let browser = Browser::start().await.unwrap();
    world.sign_in(&browser, "ada", "/whoami").await;
    // The application by its own address, which is another site.
    browser.open(&format!("{}/evil", world.upstream.url())).await.unwrap();
    let script = format!(
        "const form = document.createElement('form');
         form.method = 'post';
         form.action = '{}';
         document.body.append(form);
         form.submit();",
        world.app("/.narthex/logout")
    );
    browser.run(&script).await.unwrap();
    browser.arrives(&world.app("/.narthex/logout")).await.unwrap();
    browser.reads("request.origin").await.unwrap();
    world.assert_answers(&browser, None).await;
}
