//! Requests that no client library would send.

use std::time::Duration;

use narthex_testkit::{client::Call, raw};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::world::{GUARDED, World, member};

async fn exchange(world: &World, request: &str) -> String {
    let answer = raw::exchange(&world.narthex.address(), request.as_bytes(), Duration::from_millis(700))
        .await
        .unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// How many answers came back on the connection.
fn answers(text: &str) -> usize {
    text.matches("HTTP/1.1 ").count() + text.matches("HTTP/1.0 ").count()
}

/// What a client sends that hopes to be cut in two.
fn smugglers(token: &str) -> [(&'static str, String); 12] {
    let hidden = "GET /whoami HTTP/1.1\r\nhost: a\r\nx-smuggled: yes\r\n\r\n";
    let head = format!("POST {GUARDED} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n");
    let length = hidden.len();
    [
        (
            "CL.TE",
            format!(
                "{head}content-length: {}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{hidden}",
                length + 5
            ),
        ),
        (
            "TE.CL",
            format!("{head}transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n{length:x}\r\n{hidden}\r\n0\r\n\r\n"),
        ),
        (
            "TE.TE",
            format!("{head}transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n{hidden}"),
        ),
        (
            "TE obfuscated",
            format!("{head}transfer-encoding: xchunked\r\ncontent-length: {length}\r\n\r\n{hidden}"),
        ),
        (
            "TE with a tab",
            format!("{head}transfer-encoding:\tchunked\r\ncontent-length: {length}\r\n\r\n{hidden}"),
        ),
        (
            "two lengths",
            format!("{head}content-length: 0\r\ncontent-length: {length}\r\n\r\n{hidden}"),
        ),
        (
            "a list of lengths",
            format!("{head}content-length: 0, {length}\r\n\r\n{hidden}"),
        ),
        (
            "a signed length",
            format!("{head}content-length: +{length}\r\n\r\n{hidden}"),
        ),
        (
            "HTTP/1.0 with TE",
            format!("{head}transfer-encoding: chunked\r\n\r\n0\r\n\r\n{hidden}").replace("HTTP/1.1", "HTTP/1.0"),
        ),
        (
            "bare CR in a value",
            format!("{head}x-a: b\rx-smuggled: yes\r\ncontent-length: 0\r\n\r\n"),
        ),
        (
            "a space before the colon",
            format!("{head}transfer-encoding : chunked\r\ncontent-length: {length}\r\n\r\n{hidden}"),
        ),
        (
            "a folded line",
            format!("{head}x-a: b\r\n x-smuggled: yes\r\ncontent-length: 0\r\n\r\n"),
        ),
    ]
}

/// A request that two programs would cut in different places is refused, or cut the same way for both: what is hidden
/// in its body never becomes a request of its own at the upstream.
#[tokio::test]
async fn sec_smuggling() {
    let world = World::start().await;
    let token = member("alice").sign();
    for (name, request) in smugglers(&token) {
        world.upstream.forget();
        let answer = exchange(&world, &request).await;
        let smuggled = world.upstream.seen().into_iter().find(|request| {
            request.header("x-smuggled").is_some_and(|value| value == "yes")
                && request.header("x-narthex-user").is_some()
        });
        assert!(smuggled.is_none(), "{name}: {smuggled:?}\n{answer}");
        let reached = world.upstream.seen().len();
        assert!(
            reached <= 1,
            "{name}: {reached} requests reached the upstream\n{answer}"
        );
        assert!(answers(&answer) <= 2, "{name}: {answer}");
    }
    // And it goes on serving.
    assert_eq!(world.send(world.call("POST", GUARDED).bearer(&token)).await.status, 200);
}

/// Sends a head, and its body only after the answer has come that the head asks for, or none has for so long.
async fn with_expectation(world: &World, (expect, patience_ms): (&str, u64), head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(world.narthex.address()).await.unwrap();
    let head = format!("{head}connection: close\r\nexpect: {expect}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let first = timeout(Duration::from_millis(patience_ms), stream.read(&mut answer)).await;
    answer.truncate(first.map_or(0, Result::unwrap));
    // Who has been refused already may still send what it had announced.
    let _ = stream.write_all(body.as_bytes()).await;
    let rest = timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await;
    assert!(rest.is_ok(), "{expect}: the connection stays open");
    String::from_utf8_lossy(&answer).into_owned()
}

/// `Expect: 100-continue` makes two answers of one, and proxies have lost count over it: what is hidden in the body stays
/// one, whoever asks for what.
#[tokio::test]
async fn sec_smuggling_with_expectations() {
    let world = World::start().await;
    let token = member("alice").sign();
    let hidden = "GET /whoami HTTP/1.1\r\nhost: a\r\nx-smuggled: yes\r\n\r\n";
    let head = |path: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\ncontent-length: {}\r\n",
            hidden.len()
        )
    };
    for expect in [
        "100-continue",
        "100-Continue",
        "100-continue, 100-continue",
        "200-ok",
        "y 100-continue",
        "100-continue\r\nexpect: 100-continue",
        "",
    ] {
        for (path, status) in [(GUARDED, 200), ("/nowhere", 404)] {
            world.upstream.forget();
            let answer = with_expectation(&world, (expect, 200), &head(path), hidden).await;
            // 417 for an expectation that is none would be as good (RFC 9110 section 10.1.1).
            let last = answer.rsplit("HTTP/1.1 ").next().unwrap_or_default();
            assert!(last.starts_with(&status.to_string()), "`{expect}` {path}: {answer}");
            let interim = answer.matches("HTTP/1.1 100 ").count();
            assert!(
                interim <= 1 && answers(&answer) == interim + 1,
                "`{expect}` {path}: {answer}"
            );
            let seen = world.upstream.seen();
            assert_eq!(seen.len(), usize::from(status == 200), "`{expect}` {path}: {seen:?}");
            for request in seen {
                assert_eq!(
                    (request.method.as_str(), request.body.as_ref()),
                    ("POST", hidden.as_bytes())
                );
                assert_eq!(request.header("x-smuggled"), None);
            }
        }
    }
    // Asked for as it should be, it comes before the body; who is refused is not asked for a body.
    let answer = with_expectation(&world, ("100-continue", 5000), &head(GUARDED), hidden).await;
    assert!(answer.starts_with("HTTP/1.1 100 "), "{answer}");
    let answer = with_expectation(&world, ("100-continue", 5000), &head("/nowhere"), "").await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    assert_eq!(world.send(world.call("POST", GUARDED).bearer(&token)).await.status, 200);
}

/// Only a 101 opens a tunnel: a request that asks for an upgrade and gets another answer stays one request.
#[tokio::test]
async fn sec_upgrade_without_101() {
    let world = World::start().await;
    let token = member("alice").sign();
    let request = format!(
        "GET /whoami HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n\
         GET /whoami HTTP/1.1\r\nhost: a\r\nx-smuggled: yes\r\n\r\n"
    );
    let answer = exchange(&world, &request).await;
    assert!(!answer.contains(" 101 "), "{answer}");
    // The second one has no token.
    let smuggled = world
        .upstream
        .seen()
        .into_iter()
        .any(|request| request.header("x-smuggled").is_some());
    assert!(!smuggled, "{answer}");
}

/// Whatever cannot be read as a path is refused, at each door.
#[tokio::test]
async fn sec_path_reject() {
    let world = World::start().await;
    let token = member("alice").sign();
    for path in [
        "/public/../v1/algo/acme/echo/1.0",
        "/public/./x",
        "/public//x",
        "/public/%2e%2e/x",
        "/public/%2E/x",
        "/public/a%2fb",
        "/public/a%5cb",
        "/public/a\\b",
        "/public/a;b",
        "/public/a%00b",
        "/public/%ff",
        "/public/%252e%252e/x",
    ] {
        world.upstream.forget();
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n");
        let answer = exchange(&world, &request).await;
        let status = raw::status(answer.as_bytes());
        assert_eq!(status, Some(400), "{path}: {answer}");
        for (door, prefix) in [
            ("nginx", "x-original"),
            ("traefik", "x-forwarded"),
            ("caddy", "x-forwarded"),
            ("haproxy", "x-forwarded"),
        ] {
            let question = Call::get(&format!("{}/.narthex/auth/{door}", world.narthex.url()))
                .bearer(&token)
                .header("x-forwarded-host", "a")
                .header(&format!("{prefix}-method"), "GET")
                .header(&format!("{prefix}-uri"), path);
            let answer = world.send(question).await;
            // nginx knows no 400.
            assert_eq!(answer.status, if door == "nginx" { 403 } else { 400 }, "{door}: {path}");
            assert_eq!(answer.header("x-narthex-status"), Some("400"), "{door}: {path}");
            assert_eq!(
                answer.header("x-narthex-reason"),
                Some("request.path"),
                "{door}: {path}"
            );
        }
        assert!(world.upstream.seen().is_empty(), "{path}");
    }
}

/// Whatever cannot be read at all is refused and never allowed.
#[tokio::test]
async fn sec_malformed_uri() {
    let world = World::start().await;
    for line in [
        "GET http:///x HTTP/1.1",
        "GET  HTTP/1.1",
        "GET /\u{1} HTTP/1.1",
        "GET * HTTP/1.1",
        "GET public/x HTTP/1.1",
        "\u{0}\u{0}",
    ] {
        let answer = exchange(&world, &format!("{line}\r\nhost: a\r\nconnection: close\r\n\r\n")).await;
        let status = raw::status(answer.as_bytes());
        assert!(status.is_none_or(|status| status >= 400), "{line}: {answer}");
    }
    assert!(world.upstream.seen().is_empty());
}

/// Two descriptions of the original request are none.
#[tokio::test]
async fn sec_multi_value() {
    let world = World::start().await;
    let token = member("alice").sign();
    for (door, prefix) in [
        ("nginx", "x-original"),
        ("traefik", "x-forwarded"),
        ("caddy", "x-forwarded"),
        ("haproxy", "x-forwarded"),
    ] {
        for doubled in ["uri", "method"] {
            let call = world
                .call("GET", &format!("/.narthex/auth/{door}"))
                .bearer(&token)
                .header("x-forwarded-host", "a")
                .header(&format!("{prefix}-method"), "GET")
                .header(&format!("{prefix}-uri"), "/public/page")
                .header(
                    &format!("{prefix}-{doubled}"),
                    if doubled == "uri" { "/whoami" } else { "POST" },
                );
            let answer = world.send(call).await;
            assert!(answer.status >= 400, "{door} {doubled}");
            assert_eq!(
                answer.header("x-narthex-reason"),
                Some("request.path"),
                "{door} {doubled}"
            );
        }
    }
}

/// Which host a request is for is said once, and is a host (RFC 9112 section 3.2): routes are chosen by it.
#[tokio::test]
async fn sec_host_read_in_two_ways() {
    let world = World::start().await;
    for (head, says) in [
        ("GET /public/x HTTP/1.1\r\nhost: a\r\nhost: b\r\n", "two `Host`"),
        ("GET /public/x HTTP/1.1\r\nhost: a\r\nhost: a\r\n", "two `Host`"),
        ("GET /public/x HTTP/1.1\r\n", "names no host"),
        ("GET /public/x HTTP/1.0\r\n", "names no host"),
        ("GET http://a/public/x HTTP/1.1\r\n", "missing"),
        ("GET /public/x HTTP/1.1\r\nhost:\r\n", "not a host"),
        ("GET /public/x HTTP/1.1\r\nhost: a b/c\r\n", "not a host"),
        ("GET /public/x HTTP/1.1\r\nhost: a/b\r\n", "not a host"),
        ("GET /public/x HTTP/1.1\r\nhost: user@a\r\n", "not a host"),
    ] {
        let answer = exchange(&world, &format!("{head}connection: close\r\n\r\n")).await;
        assert_eq!(raw::status(answer.as_bytes()), Some(400), "{head}: {answer}");
        assert!(
            answer.contains("request.host") && answer.contains(says),
            "{head}: {answer}"
        );
    }
    assert!(world.upstream.seen().is_empty());
    for head in [
        "GET /public/x HTTP/1.1\r\nhost: a\r\n",
        "GET /public/x HTTP/1.1\r\nhost: [::1]:8080\r\n",
        "GET http://a/public/x HTTP/1.1\r\nhost: b\r\n",
        "GET /public/x HTTP/1.0\r\nhost: a\r\n",
    ] {
        let answer = exchange(&world, &format!("{head}connection: close\r\n\r\n")).await;
        assert_eq!(raw::status(answer.as_bytes()), Some(200), "{head}: {answer}");
    }
}
