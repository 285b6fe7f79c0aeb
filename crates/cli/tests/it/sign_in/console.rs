//! Sign-in to the console at an issuer.

use narthex_testkit::{Answer, Upstream, client::Call};

use super::browser::{Browser, World, keep, with};
use super::config;

const CONSOLE: &str = "https://console.example";

/// A configuration whose users are platform admins.
pub(super) fn with_console(issuer: &str, upstream: &Upstream) -> String {
    let tags = r#"tags = { claim = "groups", on_missing = "keep""#;
    let config = config(issuer, upstream).replace(tags, &format!("{tags}, platform_admin = [\"staff\"]"));
    format!("{config}\n[console]\norigin = \"{CONSOLE}\"\n")
}

/// Opens a page of the console, as a proxy that terminates TLS passes the request on.
async fn open(world: &World, browser: &mut Browser, path: &str) -> Answer {
    let call = Call::get(&format!("{}{path}", world.narthex.admin_url()))
        .header("host", "console.example")
        .header("x-forwarded-proto", "https");
    let answer = world.client.send(with(call, &browser.app)).await.unwrap();
    keep(&mut browser.app, &answer);
    answer
}

/// Begins to sign in, and returns the path that the provider sends the browser back to.
async fn callback(world: &World, browser: &mut Browser) -> String {
    let mut answer = open(world, browser, "/sign-in/at/corp?back=%2Fusers").await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    for _ in 0..12 {
        let location = answer.header("location").unwrap_or_else(|| panic!("{}", answer.text()));
        if let Some(path) = location.strip_prefix(CONSOLE) {
            assert!(path.starts_with("/sign-in/callback/corp?"), "{path}");
            return path.to_owned();
        }
        let target = if location.starts_with('/') {
            format!("{}{location}", world.issuer)
        } else {
            location.to_owned()
        };
        answer = browser.at_provider(world, Call::get(&target)).await;
    }
    panic!("there is no end of redirects");
}

#[tokio::test]
async fn an_administrator_signs_in_to_the_console_at_an_issuer() {
    let world = World::start_with(600, with_console).await;
    let mut browser = Browser::default();
    let page = open(&world, &mut browser, "/sign-in?back=%2Fusers").await.text();
    assert!(page.contains("Continue with corp"), "{page}");
    let path = callback(&world, &mut browser).await;
    let signed_in = open(&world, &mut browser, &path).await;
    let location = signed_in.header("location").map(str::to_owned);
    assert_eq!(
        location.as_deref(),
        Some("/users"),
        "{}\n{}",
        signed_in.text(),
        world.narthex.logs()
    );
    let users = open(&world, &mut browser, "/users").await;
    assert_eq!(users.status, 200);
    assert!(users.text().contains("Platform admin"), "{}", users.text());
    assert!(browser.app.contains_key("__Host-narthex-console"));
    assert!(!browser.app.contains_key("__Host-narthex"));
    // The session is one of the console only.
    let door = browser.open(&world, "/whoami").await;
    assert_eq!(door.status, 302);
}

/// A callback that another browser began signs this one in as no user.
#[tokio::test]
async fn sec_a_sign_in_to_the_console_is_completed_in_its_own_browser_and_once() {
    let world = World::start_with(600, with_console).await;
    let (mut attacker, mut victim) = (Browser::of("mallory"), Browser::default());
    let path = callback(&world, &mut attacker).await;
    let refused = open(&world, &mut victim, &path).await;
    assert_eq!(refused.status, 403);
    assert!(
        refused.text().contains("begun in another browser"),
        "{}",
        refused.text()
    );
    assert!(!victim.app.contains_key("__Host-narthex-console"));
    let again = open(&world, &mut attacker, &path).await;
    assert_eq!(again.status, 403, "a state is good for one use");
    // A sign-in of an application does not complete at the console.
    let mut user = Browser::default();
    let door = user.callback(&world).await;
    let (_, query) = door.split_once('?').unwrap();
    let crossed = open(&world, &mut user, &format!("/sign-in/callback/corp?{query}")).await;
    assert_eq!(crossed.status, 403);
    assert!(!user.app.contains_key("__Host-narthex-console"));
}

/// A refused sign-in is one line of the log, with everything but the credential and the code.
#[tokio::test]
async fn sec_a_refused_sign_in_to_the_console_is_logged() {
    let nobody_is_admin =
        |issuer: &str, upstream: &Upstream| with_console(issuer, upstream).replace("[\"staff\"]", "[\"bosses\"]");
    let world = World::start_with(600, nobody_is_admin).await;
    let denied = async |reason: &str, words: &[&str]| {
        let reason = format!("\"reason\":\"{reason}\"");
        let common = [
            "\"event\":\"denied\"",
            "\"door\":\"admin\"",
            "\"client\":\"127.0.0.1\"",
            &reason,
        ];
        let line = world.narthex.logged(&[&common[..], words].concat()).await;
        line.unwrap_or_else(|error| panic!("{error}\n{}", world.narthex.logs()))
    };
    // The issuer vouches for the user, and the console has no page for that user.
    let mut user = Browser::default();
    let path = callback(&world, &mut user).await;
    assert_eq!(open(&world, &mut user, &path).await.status, 403);
    let at = "\"path\":\"/sign-in/callback/corp\"";
    let line = denied("platform.role", &[at, "\"issuer\":\"corp\"", "\"status\":403"]).await;
    assert!(line.contains("\"user\":\""), "{line}");
    assert!(line.contains("\"request_id\":\""), "{line}");
    // Another browser began it.
    let other = callback(&world, &mut Browser::of("mallory")).await;
    assert_eq!(open(&world, &mut user, &other).await.status, 403);
    denied("sign_in.refused", &[at, "\"issuer\":\"corp\""]).await;
    // A key that is not known.
    let key = format!("nx_{}", "k".repeat(43));
    let form = Call::post(&format!("{}/sign-in", world.narthex.admin_url()))
        .header("host", "console.example")
        .header("x-forwarded-proto", "https")
        .header("origin", CONSOLE)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("credential={key}"));
    assert_eq!(world.client.send(form).await.unwrap().status, 422);
    denied(
        "sign_in.refused",
        &["\"path\":\"/sign-in\"", "\"status\":422", "API key"],
    )
    .await;
    // No issuer of that name.
    assert_eq!(open(&world, &mut user, "/sign-in/at/made-up").await.status, 403);
    let line = denied("sign_in.refused", &["\"path\":\"/sign-in/at/made-up\""]).await;
    assert!(!line.contains("\"issuer\":\"made-up\""), "{line}");

    let logs = world.narthex.logs();
    let secrets = [&path, &other].map(|path| path.split_once('?').unwrap().1);
    for secret in secrets.iter().flat_map(|query| query.split('&')).chain([key.as_str()]) {
        let value = secret.split_once('=').map_or(secret, |(_, value)| value);
        // The issuer, which is in the answer too, is no secret.
        assert!(value.starts_with("http") || !logs.contains(value), "{secret}\n{logs}");
    }
}
