//! Door, console and application on three ports of one host. Cookies know hosts and no ports (RFC 6265 section 8.5), so that a
//! browser sends each of them every cookie of that host.

use narthex_testkit::Browser;

use super::world::{COOKIE, World};

const CONSOLE_COOKIE: &str = "__Host-narthex-console";

#[tokio::test]
async fn sec_an_application_on_a_port_of_the_same_host_receives_no_session_cookie() {
    let world = World::start_on_one_host().await;
    let browser = Browser::start().await.unwrap();
    world.sign_in(&browser, "ada", "/whoami").await;
    browser
        .open(&world.console("/sign-in/at/corp?back=%2Fusers"))
        .await
        .unwrap();
    let arrived = browser.arrives(&world.console("/users")).await;
    assert!(arrived.is_ok(), "{arrived:?}\n{}", world.logs());
    for name in [COOKIE, CONSOLE_COOKIE] {
        assert!(browser.cookie(name).await.unwrap().is_some(), "{name}");
    }

    world.upstream.forget();
    browser.open(&world.app("/public/page")).await.unwrap();
    browser.run("document.cookie = 'theme=dark; path=/'").await.unwrap();
    for (method, path) in [
        ("GET", "/whoami"),
        ("POST", "/whoami"),
        ("GET", "/public/a"),
        ("POST", "/public/a"),
    ] {
        let answer = browser.fetch(method, path).await.unwrap();
        assert_eq!(answer.status, 200, "{method} {path}: {}", answer.body);
        let seen = world.last_request();
        assert_eq!(seen.header("cookie").as_deref(), Some("theme=dark"), "{method} {path}");
    }
    // Past the door, by the application's own port: plain HTTP gets no cookie that is for https.
    let own = world.upstream.url().replace("127.0.0.1", "app.test");
    browser.open(&format!("{own}/direct")).await.unwrap();
    let seen = world.upstream.find("host", own.trim_start_matches("http://")).unwrap();
    assert!(
        !seen.header("cookie").unwrap_or_default().contains("narthex"),
        "{seen:?}"
    );
    assert!(browser.fetch("POST", "/direct").await.is_ok());
    for request in world.upstream.seen() {
        let cookies = request.header("cookie").unwrap_or_default();
        assert!(!cookies.contains("narthex"), "{}: {cookies}", request.target);
    }
    // Each cookie opens its own place only.
    browser.open(&world.console("/users")).await.unwrap();
    assert_eq!(browser.address().await.unwrap(), world.console("/users"));
    browser.press("Sign out").await.unwrap();
    browser.arrives(&world.console("/sign-in")).await.unwrap();
    browser.open(&world.console("/users")).await.unwrap();
    browser.arrives(&world.console("/sign-in")).await.unwrap();
    world.assert_answers(&browser, None).await;
}
