//! Each proxy of `e2e/proxies/` in front of an application, with the binary answering its questions.

use narthex_testkit::{
    TestIssuer,
    client::Call,
    proxy::Kind,
    proxy_cases::{Case, Tokens},
};

use crate::world::{GUARDED, World, member};

async fn check(kind: Kind) {
    let world = World::start().await;
    let proxy = kind.start(&world.narthex.address(), &world.upstream.address()).unwrap();
    let tokens = Tokens {
        good: member("alice").sign(),
        poor: TestIssuer::new("https://idp.test")
            .token()
            .subject("bob")
            .tags([])
            .sign(),
    };
    if let Err(error) = Case::new(&proxy, &world.upstream, &tokens).all().await {
        panic!("{error:?}\n{}\n{}", proxy.output(), world.narthex.logs());
    }
}

#[tokio::test]
async fn nginx() {
    check(Kind::Nginx).await;
}

#[tokio::test]
async fn haproxy() {
    check(Kind::Haproxy).await;
}

#[tokio::test]
async fn caddy() {
    check(Kind::Caddy).await;
}

/// Traefik comes from no registry the tests may use: the question is put as its `forwardAuth` puts it.
#[tokio::test]
async fn traefik() {
    let world = World::start().await;
    let ask = |method: &str, uri: &str| {
        world
            .call("GET", "/.narthex/auth/traefik")
            .header("x-forwarded-method", method)
            .header("x-forwarded-proto", "https")
            .header("x-forwarded-host", "app.test")
            .header("x-forwarded-uri", uri)
            .header("x-forwarded-for", "192.0.2.7")
    };
    let token = member("alice").sign();
    let allowed = world.send(ask("POST", GUARDED).bearer(&token)).await;
    assert_eq!(allowed.status, 200, "{}", allowed.text());
    assert_eq!(allowed.header("x-narthex-decision"), Some("allow"));
    assert_eq!(allowed.header("x-narthex-external-id"), Some("alice"));
    assert_eq!(allowed.header("x-narthex-organization-role"), Some("member"));
    assert_eq!(world.send(ask("POST", GUARDED)).await.status, 401);
    let unmatched = world.send(ask("POST", "/nowhere").bearer(&token)).await;
    assert_eq!(
        (unmatched.status, unmatched.reason().as_deref()),
        (404, Some("route.unmatched"))
    );
    // nginx's headers mean nothing at Traefik's door.
    let other = Call::get(&format!("{}/.narthex/auth/traefik", world.narthex.url()))
        .header("x-original-method", "POST")
        .header("x-original-uri", GUARDED)
        .bearer(&token);
    assert_eq!(world.send(other).await.reason().as_deref(), Some("request.path"));
    assert!(world.upstream.seen().is_empty(), "a question is no request");
}
