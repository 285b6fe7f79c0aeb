//! Back-channel logout: the sessions that an identity provider ends.

use std::time::Duration;

use narthex_testkit::{IdentityProvider, TestIssuer, TestKey, TokenBuilder, Upstream, idp::Behaviour};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::browser::{Browser, World};
use super::config;

const PORTAL: &str = "https://portal.example";

/// A logout token about `ada`.
fn logout(world: &World) -> TokenBuilder {
    let events = json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
    let token = TestIssuer::new(&world.issuer).token().subject("ada");
    token.claim("jti", "one").claim("events", events)
}

/// The provider closes the connection while the gateway still asks for the key of the logout token, and sends it only once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_a_logout_whose_connection_breaks_is_completed() {
    let keys = IdentityProvider::start(&[TestKey::Rsa1]).unwrap();
    let with_url = |issuer: &str, upstream: &Upstream| {
        let url = format!("jwks_url = \"{}\"", keys.jwks_url());
        config(issuer, upstream).replace("jwks_file = \"jwks.json\"", &url)
    };
    let world = World::start_with(600, with_url).await;
    let mut ada = Browser::default();
    ada.sign_in(&world, "/whoami").await;
    keys.rotate(&[TestKey::Rsa1, TestKey::Rsa2]);
    keys.behave(Behaviour::Slow(Duration::from_secs(2)));
    let asked = keys.key_set_requests();

    let body = format!("logout_token={}", logout(&world).key(TestKey::Rsa2).sign());
    let head = format!(
        "POST /.narthex/backchannel-logout/corp HTTP/1.1\r\nhost: app.example\r\nx-forwarded-proto: https\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut connection = TcpStream::connect(world.narthex.address()).await.unwrap();
    connection.write_all((head + &body).as_bytes()).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(keys.key_set_requests(), asked + 1, "the key is asked for");
    drop(connection);

    let began = Instant::now();
    loop {
        let answer = ada.clone().send(&world, world.call("GET", "/whoami")).await;
        if answer.reason().as_deref() == Some("session.ended") {
            break;
        }
        let logs = world.narthex.logs();
        assert!(began.elapsed() < Duration::from_secs(8), "the session goes on\n{logs}");
        sleep(Duration::from_millis(200)).await;
    }
}

/// A logout of one `sid` ends the sessions of its user that name none: the one that is meant may be among them.
#[tokio::test]
async fn sec_a_logout_ends_sessions_that_name_no_sid() {
    let with_portal = |issuer: &str, upstream: &Upstream| {
        let audiences = "audiences = [\"api\"]";
        config(issuer, upstream).replace(audiences, &format!("{audiences}\nframe_ancestors = [\"{PORTAL}\"]"))
    };
    let world = World::start_with(600, with_portal).await;
    let mut browsers = Vec::new();
    for (subject, sid) in [
        ("ada", Some("s1")),
        ("ada", None),
        ("ada", Some("s2")),
        ("bob", None),
        ("bob", Some("s1")),
    ] {
        let token = TestIssuer::new(&world.issuer).token().subject(subject).audience("api");
        let token = match sid {
            Some(sid) => token.claim("sid", sid),
            None => token,
        };
        let form = world
            .call("POST", "/.narthex/login")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("origin", PORTAL)
            .body(format!("token={}&return=/whoami", token.sign()));
        let mut browser = Browser::default();
        let answer = browser.send(&world, form).await;
        assert_eq!(answer.status, 303, "{}\n{}", answer.text(), world.narthex.logs());
        browsers.push(browser);
    }
    let body = format!("logout_token={}", logout(&world).claim("sid", "s1").sign());
    let call = world
        .call("POST", "/.narthex/backchannel-logout/corp")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body);
    let answer = world.client.send(call).await.unwrap();
    assert_eq!(answer.status, 200, "{}\n{}", answer.text(), world.narthex.logs());
    let mut ended = Vec::new();
    for browser in &mut browsers {
        let answer = browser.send(&world, world.call("GET", "/whoami")).await;
        ended.push(answer.reason().as_deref() == Some("session.ended"));
    }
    // A `sid` is one session at the provider, whoever the token says it is of.
    assert_eq!(ended, [true, true, false, false, true], "{}", world.narthex.logs());
    world
        .narthex
        .logged(&["backchannel_logout", "\"sessions\":3"])
        .await
        .unwrap();
}
