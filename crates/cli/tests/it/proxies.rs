//! Each proxy of `e2e/proxies/` in front of an application, with the binary answering its questions.

use narthex_testkit::{
    Client, TestIssuer,
    client::Call,
    proxy::Kind,
    proxy_cases::{Case, Tokens},
};

use crate::world::{GUARDED, World, config, member};

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

/// Browsers get the page, programs the problem document, both with the true status, as from Narthex itself.
#[tokio::test]
async fn nginx_passes_on_the_refusal_itself() {
    let world = World::start().await;
    let proxy = Kind::Nginx
        .start(&world.narthex.address(), &world.upstream.address())
        .unwrap();
    let poor = TestIssuer::new("https://idp.test").token().subject("bob").tags([]);
    let poor = poor.sign();
    for (method, path, token, status, reason) in [
        ("POST", GUARDED, None, 401, "token.missing"),
        ("POST", GUARDED, Some("no.token.here"), 401, "token.malformed"),
        ("GET", GUARDED, Some(poor.as_str()), 403, "organization.role"),
        (
            "GET",
            "/no/such/route?jwt=secret",
            Some(poor.as_str()),
            404,
            "route.unmatched",
        ),
        ("GET", "/a/../b", Some(poor.as_str()), 400, "request.path"),
    ] {
        for (accept, media_type) in [
            ("application/json", "application/problem+json"),
            ("text/html", "text/html; charset=utf-8"),
        ] {
            let mut call = Call::new(method, &format!("{}{path}", proxy.url())).header("accept", accept);
            if let Some(token) = token {
                call = call.bearer(token);
            }
            let answer = Client::new().send(call).await.unwrap();
            let told = format!("{method} {path} {accept}: {}\n{}", answer.text(), proxy.output());
            assert_eq!(answer.status, status, "{told}");
            assert_eq!(answer.header("content-type"), Some(media_type), "{told}");
            assert_eq!(answer.header("x-narthex-reason"), Some(reason), "{told}");
        }
    }
    assert!(world.upstream.seen().is_empty());
}

/// The refusal that a proxy asks for is one, also of a request that may pass: its identity is not for the client.
#[tokio::test]
async fn sec_a_refusal_that_is_asked_for_has_no_identity() {
    let world = World::start().await;
    let ask = |path: &str| {
        world
            .call("GET", path)
            .header("x-original-method", "GET")
            .header("x-original-uri", GUARDED)
            .bearer(&member("alice").sign())
    };
    assert_eq!(world.send(ask("/.narthex/auth/nginx")).await.status, 200);
    let answer = world.send(ask("/.narthex/auth/nginx/refusal")).await;
    assert_eq!(answer.status, 503, "{}", answer.text());
    for name in answer.headers.keys() {
        let is_known = ["x-narthex-reason", "x-narthex-request-id"].contains(&name.as_str());
        assert!(is_known || !name.as_str().starts_with("x-narthex-"), "{name}");
    }
}

#[tokio::test]
async fn haproxy() {
    check(Kind::Haproxy).await;
}

#[tokio::test]
async fn caddy() {
    check(Kind::Caddy).await;
}

/// Each client has its own share of `limits.rate`, whatever it says of addresses, and the application is not told more.
async fn check_client_address(kind: Kind) {
    let limited = |idp: &_, upstream: &_| format!("{}\n[limits]\nrate = \"2/h\"\n", config(idp, upstream));
    let world = World::with_config(limited).await;
    let proxy = kind.start(&world.narthex.address(), &world.upstream.address()).unwrap();
    let token = member("alice").sign();
    let mut statuses = Vec::new();
    for (client, spoofed) in [
        ("127.0.0.2", "198.51.100.1"),
        ("127.0.0.2", "198.51.100.2"),
        ("127.0.0.2", "198.51.100.3"),
        ("127.0.0.3", "127.0.0.2"),
    ] {
        let call = Call::post(&format!("{}{GUARDED}", proxy.url())).bearer(&token);
        let call = call
            .header("x-forwarded-for", spoofed)
            .header("x-real-ip", spoofed)
            .header("forwarded", &format!("for={spoofed}"));
        let answer = Client::from_address(client.parse().unwrap()).send(call).await.unwrap();
        statuses.push(answer.status);
    }
    assert_eq!(statuses, [200, 200, 429, 200], "{}", proxy.output());

    let world = World::start().await;
    let proxy = kind.start(&world.narthex.address(), &world.upstream.address()).unwrap();
    let tokens = Tokens {
        good: token,
        poor: String::new(),
    };
    let case = Case::new(&proxy, &world.upstream, &tokens);
    case.forwarding_headers_are_the_proxys().await.unwrap();
}

#[tokio::test]
async fn sec_client_address_nginx() {
    check_client_address(Kind::Nginx).await;
}

#[tokio::test]
async fn sec_client_address_haproxy() {
    check_client_address(Kind::Haproxy).await;
}

#[tokio::test]
async fn sec_client_address_caddy() {
    check_client_address(Kind::Caddy).await;
}

/// The cookies of sessions stay at the proxy, also on routes and in installations without sign-in: browsers send that of the console
/// to every port of its host.
async fn check_session_cookies(kind: Kind) {
    let world = World::start().await;
    let proxy = kind.start(&world.narthex.address(), &world.upstream.address()).unwrap();
    let token = member("alice").sign();
    for (sent, arrives) in [
        (
            Some("theme=dark; __Host-narthex-console=secret; a=b"),
            Some("theme=dark; a=b"),
        ),
        (Some("__Host-narthex=secret; __host-narthex-corp=secret"), None),
        (Some("theme=dark"), Some("theme=dark")),
        (None, None),
    ] {
        for path in ["/whoami", "/public/page"] {
            let call = Call::get(&format!("{}{path}", proxy.url())).bearer(&token);
            let call = sent.into_iter().fold(call, |call, sent| call.header("cookie", sent));
            let answer = Client::new().send(call).await.unwrap();
            assert_eq!(answer.status, 200, "{sent:?}\n{}", proxy.output());
            let seen = world.upstream.last().unwrap().header("cookie");
            // An empty header has no cookie either.
            assert_eq!(
                seen.filter(|seen| !seen.is_empty()).as_deref(),
                arrives,
                "{path}: {sent:?}"
            );
        }
    }
}

#[tokio::test]
async fn sec_session_cookies_stay_at_nginx() {
    check_session_cookies(Kind::Nginx).await;
}

#[tokio::test]
async fn sec_session_cookies_stay_at_haproxy() {
    check_session_cookies(Kind::Haproxy).await;
}

#[tokio::test]
async fn sec_session_cookies_stay_at_caddy() {
    check_session_cookies(Kind::Caddy).await;
}

/// The application gets no name in use from a client, also on a route that gives it no value.
#[tokio::test]
async fn sec_a_name_in_use_is_no_clients_at_haproxy() {
    let named = |idp: &_, upstream: &_| {
        let whoami = "path = \"/whoami\"";
        let headers = "headers = { username = \"X-App-User\" }";
        config(idp, upstream).replace(whoami, &format!("{whoami}\n{headers}"))
    };
    let world = World::with_config(named).await;
    let proxy = Kind::Haproxy
        .start(&world.narthex.address(), &world.upstream.address())
        .unwrap();
    let token = member("alice").sign();
    for (path, user) in [("/whoami", Some("alice")), ("/public/page", None)] {
        let call = Call::get(&format!("{}{path}", proxy.url()))
            .bearer(&token)
            .header("x-app-user", "root")
            .header("remote-user", "root")
            .header("x_webauth_user", "root");
        let answer = Client::new().send(call).await.unwrap();
        assert_eq!(answer.status, 200, "{}", proxy.output());
        let seen = world.upstream.last().unwrap();
        assert_eq!(seen.header("x-app-user").as_deref(), user, "{path}");
        assert_eq!(seen.header("remote-user"), None, "{path}");
        assert_eq!(seen.header("x_webauth_user"), None, "{path}");
    }
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
