//! What the proxy door makes of upstreams that are slow, away or speak HTTP/2, and of requests that are too many or too
//! large for them.

use std::{convert::Infallible, future::ready, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper_util::{client::legacy, rt::TokioExecutor};
use narthex_testkit::{Answer, process::ClosedAddress, raw};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep, timeout},
};

use crate::world::{GUARDED, World, config, member};

/// The usual surroundings with another line in every route and another section.
async fn world(line: &str, section: &str) -> World {
    let (line, section) = (line.to_owned(), section.to_owned());
    World::with_config(move |idp, upstream| {
        let route = format!("[[route]]\n{line}\n");
        format!("{}\n{section}\n", config(idp, upstream).replace("[[route]]", &route))
    })
    .await
}

fn said(answer: &Answer) -> (u16, String) {
    let reason = answer.header("x-narthex-reason").unwrap_or_default().to_owned();
    assert_eq!(answer.reason().unwrap_or_default(), reason, "{}", answer.text());
    (answer.status, reason)
}

/// A route's own limit, and the one for all.
#[tokio::test]
async fn a_body_larger_than_the_route_takes_is_refused() {
    for (line, section) in [
        ("body_size = \"1KiB\"", ""),
        ("", "[limits]\nbody_size = \"1KiB\""),
        ("body_size = \"1KiB\"", "[limits]\nbody_size = \"1MiB\""),
    ] {
        let world = world(line, section).await;
        let token = member("alice").sign();
        let call = || world.call("POST", GUARDED).bearer(&token);
        assert_eq!(world.send(call().body(vec![b'x'; 1024])).await.status, 200);
        world.upstream.forget();
        let answer = world.send(call().body(vec![b'x'; 1025])).await;
        assert_eq!(said(&answer), (413, "request.too_large".to_owned()), "{line} {section}");

        // The same without saying first how much it will be.
        let chunk = format!("201\r\n{}\r\n", "x".repeat(513));
        let request = format!(
            "POST {GUARDED} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\
             transfer-encoding: chunked\r\n\r\n{chunk}{chunk}0\r\n\r\n"
        );
        let answer = raw::exchange(&world.narthex.address(), request.as_bytes(), Duration::from_secs(5))
            .await
            .unwrap();
        let text = String::from_utf8_lossy(&answer);
        assert_eq!(raw::status(&answer), Some(413), "{line} {section}: {text}");
        assert!(text.contains("request.too_large"), "{text}");
        assert!(world.upstream.seen().is_empty(), "the upstream took it for whole");
    }
}

/// Likewise, and the next request is answered again.
#[tokio::test]
async fn an_upstream_that_does_not_answer_in_time_is_a_gateway_timeout() {
    for (line, section) in [
        ("upstream_timeout = \"1s\"", ""),
        ("", "[limits]\nupstream_timeout = \"1s\""),
    ] {
        let world = world(line, section).await;
        let token = member("alice").sign();
        let call = |wish: &str| {
            let call = world.call("POST", GUARDED).bearer(&token);
            call.header("x-upstream", wish)
        };
        let answer = world.send(call("slow=20000")).await;
        assert_eq!(said(&answer), (504, "upstream.timeout".to_owned()), "{line} {section}");
        assert_eq!(world.send(call("slow=1")).await.status, 200);
        // The time is for the beginning of an answer, not for its end.
        let answer = world.send(call("stream=15")).await;
        assert_eq!((answer.status, answer.text().lines().count()), (200, 15));
    }
}

/// The time is for the upstream: what the client needs to send its body is not part of it.
#[tokio::test]
async fn a_body_may_take_longer_than_the_upstream() {
    let world = world("upstream_timeout = \"1s\"", "").await;
    let upload = async |wish: &str| {
        let mut stream = TcpStream::connect(world.narthex.address()).await.unwrap();
        let head = format!(
            "POST /public/page HTTP/1.1\r\nhost: a\r\nx-upstream: {wish}\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // With pauses, and one longer than the limit.
        for pause in [400, 400, 1500, 400] {
            stream.write_all(b"4\r\npart\r\n").await.unwrap();
            sleep(Duration::from_millis(pause)).await;
        }
        stream.write_all(b"0\r\n\r\n").await.unwrap();
        let sent = Instant::now();
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        timeout(Duration::from_secs(10), read).await.unwrap().unwrap();
        (raw::status(&answer), sent.elapsed())
    };
    assert_eq!(upload("slow=1").await.0, Some(200));
    assert_eq!(world.upstream.last().unwrap().body, "partpartpartpart");
    let (status, took) = upload("slow=8000").await;
    assert_eq!(status, Some(504));
    let time = Duration::from_millis(900)..Duration::from_millis(2500);
    assert!(
        time.contains(&took),
        "the time began with the end of the body: {took:?}"
    );
}

/// An upstream that takes nothing of a body has no more time than one that does not answer.
#[tokio::test]
async fn an_upstream_that_takes_no_body_is_a_gateway_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let deaf = listener.local_addr().unwrap();
    let world = World::with_config(|idp, upstream| {
        let line = "upstream_timeout = \"1s\"\nrequire = \"public\"";
        let route = format!("\n[[route]]\npath = \"/deaf\"\n{line}\nupstream = \"http://{deaf}\"\n");
        config(idp, upstream) + &route
    })
    .await;
    let body = vec![b'x'; 30_000_000];
    let sent = world.send(world.call("POST", "/deaf").body(body));
    let answer = timeout(Duration::from_secs(10), sent).await.expect("it waits for ever");
    assert_eq!(said(&answer), (504, "upstream.timeout".to_owned()));
}

/// Nor is it the upstream's fault when a body stops coming.
#[tokio::test]
async fn a_body_that_stops_coming_is_the_clients_fault() {
    let world = world("idle_timeout = \"1s\"", "").await;
    let request = "POST /public/page HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\npart";
    let answer = raw::exchange(&world.narthex.address(), request.as_bytes(), Duration::from_secs(4))
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&answer);
    assert_eq!(raw::status(&answer), Some(400), "{text}");
    assert!(text.contains("request.unforwardable"), "{text}");
}

/// A stream goes on for as long as something comes, and not for longer than the limit without.
#[tokio::test]
async fn a_stream_that_says_nothing_is_cut_off() {
    for (line, section, whole) in [
        ("", "", true),
        ("idle_timeout = \"2s\"", "[limits]\nidle_timeout = \"30ms\"", true),
        ("idle_timeout = \"30ms\"", "", false),
        ("", "[limits]\nidle_timeout = \"30ms\"", false),
    ] {
        let world = world(line, section).await;
        // A line every 100 ms.
        let request = "GET /public/page HTTP/1.1\r\nhost: a\r\nx-upstream: stream=4\r\nconnection: close\r\n\r\n";
        let answer = raw::exchange(&world.narthex.address(), request.as_bytes(), Duration::from_secs(5))
            .await
            .unwrap();
        let text = String::from_utf8_lossy(&answer);
        assert_eq!(raw::status(&answer), Some(200), "{text}");
        // An answer that was cut off has no end, so that nobody takes it for whole.
        assert_eq!(text.ends_with("0\r\n\r\n"), whole, "{line} {section}: {text}");
        assert_eq!(text.contains("line 3"), whole, "{line} {section}: {text}");
    }
}

#[tokio::test]
async fn an_upstream_that_is_away_or_hangs_up_is_a_bad_gateway() {
    let nobody = ClosedAddress::take().unwrap();
    let world = World::with_config(|idp, upstream| {
        config(idp, upstream)
            + &format!("\n[[route]]\npath = \"/away\"\nrequire = \"public\"\nupstream = \"http://{nobody}\"\n")
    })
    .await;
    let hangs_up = world.call("GET", "/public/page").header("x-upstream", "close");
    for call in [world.call("GET", "/away"), hangs_up] {
        let answer = world.send(call).await;
        assert_eq!(said(&answer), (502, "upstream.unreachable".to_owned()));
        assert_eq!(answer.header("retry-after"), Some("5"));
        // Where it is, is not the client's to know.
        assert!(!answer.text().contains("127.0.0.1"), "{}", answer.text());
    }
}

/// One client's requests are counted together, through whichever door they come; another's are not among them.
#[tokio::test]
async fn too_many_requests_are_refused_at_each_door() {
    let world = world("", "[limits]\nrate = \"2/h\"").await;
    for (number, (door, prefix, status)) in [
        ("", "", 429),
        ("/.narthex/auth/nginx", "x-original", 403),
        ("/.narthex/auth/traefik", "x-forwarded", 429),
        ("/.narthex/auth/caddy", "x-forwarded", 429),
        ("/.narthex/auth/haproxy", "x-forwarded", 429),
    ]
    .into_iter()
    .enumerate()
    {
        let call = |client: usize| {
            let path = if door.is_empty() { "/public/page" } else { door };
            let call = world
                .call("GET", path)
                .header("x-forwarded-for", &format!("192.0.2.{client}"));
            if door.is_empty() {
                return call;
            }
            call.header(&format!("{prefix}-method"), "GET")
                .header("x-forwarded-host", "app")
                .header(&format!("{prefix}-uri"), "/public/page")
        };
        for _ in 0..2 {
            assert_eq!(world.send(call(number)).await.status, 200, "{door}");
        }
        let answer = world.send(call(number)).await;
        assert_eq!(said(&answer), (status, "rate.limited".to_owned()), "{door}");
        // A malformed one is a request too.
        let twice = call(number).header("host", "a").header("host", "b");
        let answer = world.send(twice).await;
        assert_eq!(said(&answer), (status, "rate.limited".to_owned()), "{door}");
        assert_eq!(answer.header("retry-after"), Some("5"), "{door}");
        if !door.is_empty() {
            // What its proxy makes the answer of.
            assert_eq!(answer.header("x-narthex-status"), Some("429"), "{door}");
            assert_eq!(answer.header("x-narthex-decision"), Some("deny"), "{door}");
        }
        assert_eq!(world.send(call(100 + number)).await.status, 200, "{door}");
    }
}

type Trailing = UnsyncBoxBody<Bytes, Infallible>;

/// A body with something after it.
fn trailing(body: &'static str, trailers: &[(&'static str, &'static str)]) -> Trailing {
    let mut map = HeaderMap::new();
    for (name, value) in trailers {
        map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    Full::new(Bytes::from(body))
        .with_trailers(ready(Some(Ok(map))))
        .boxed_unsync()
}

/// As gRPC does it: HTTP/2 all the way, with trailers both ways.
#[tokio::test]
async fn grpc_goes_through_with_its_trailers() {
    let world =
        World::with_config(|idp, upstream| config(idp, upstream).replace("upstream = \"http:", "upstream = \"h2c:"))
            .await;
    let client: legacy::Client<_, Trailing> = legacy::Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http();
    let request = Request::post(format!("{}{GUARDED}", world.narthex.url()))
        .header("authorization", format!("Bearer {}", member("alice").sign()))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("x-upstream", "grpc")
        .body(trailing("message", &[("x-checksum", "7")]))
        .unwrap();
    let answer = client.request(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/grpc");
    let whole = answer.into_body().collect().await.unwrap();
    assert_eq!(whole.trailers().unwrap()["grpc-status"], "0");
    assert_eq!(whole.to_bytes(), "message");

    let seen = world.upstream.last().unwrap();
    assert_eq!(
        (seen.version.as_str(), seen.body.as_ref()),
        ("HTTP/2.0", &b"message"[..])
    );
    assert_eq!(seen.header("te").as_deref(), Some("trailers"));
    assert_eq!(seen.header("x-narthex-external-id").as_deref(), Some("alice"));
    assert_eq!(seen.header("authorization"), None);
    assert_eq!(seen.trailers["x-checksum"], "7");
}

/// What comes after the body cannot say who it is either: there are servers that put it with the headers.
#[tokio::test]
async fn sec_identity_in_trailers() {
    for scheme in ["http", "h2c"] {
        let world = World::with_config(|idp, upstream| {
            config(idp, upstream).replace("upstream = \"http:", &format!("upstream = \"{scheme}:"))
        })
        .await;
        let token = member("alice").sign();
        let forged = [
            ("x-narthex-user", "forged"),
            ("x_narthex_platform_role", "forged"),
            ("x.narthex.assertion", "forged"),
            ("x-forwarded-for", "forged"),
        ];
        let client: legacy::Client<_, Trailing> = legacy::Client::builder(TokioExecutor::new())
            .http2_only(true)
            .build_http();
        let request = Request::post(format!("{}{GUARDED}", world.narthex.url()))
            .header("authorization", format!("Bearer {token}"))
            .body(trailing("message", &forged))
            .unwrap();
        assert_eq!(client.request(request).await.unwrap().status(), 200);
        let request = format!(
            "POST {GUARDED} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\
             transfer-encoding: chunked\r\ntrailer: x-narthex-user\r\n\r\n7\r\nmessage\r\n0\r\nx-narthex-user: forged\r\n\r\n"
        );
        let answer = raw::exchange(&world.narthex.address(), request.as_bytes(), Duration::from_secs(5))
            .await
            .unwrap();
        assert_eq!(raw::status(&answer), Some(200), "{}", String::from_utf8_lossy(&answer));
        let seen = world.upstream.seen();
        assert_eq!(seen.len(), 2);
        for request in seen {
            assert_eq!(request.body, "message");
            for (name, value) in request.headers.iter().chain(&request.trailers) {
                assert_ne!(value, "forged", "{scheme}: `{name}`");
            }
        }
    }
}
