//! What the proxy door makes of upstreams that are slow, away or speak HTTP/2, and of requests that are too many or too
//! large for them.

use std::time::Duration;

use narthex_testkit::{Answer, process::free_address, raw};

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
        ("upstream_timeout = \"300ms\"", ""),
        ("", "[limits]\nupstream_timeout = \"300ms\""),
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
        let answer = world.send(call("stream=6")).await;
        assert_eq!((answer.status, answer.text().lines().count()), (200, 6));
    }
}

#[tokio::test]
async fn an_upstream_that_is_away_or_hangs_up_is_a_bad_gateway() {
    let nobody = free_address().unwrap();
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
                .header(&format!("{prefix}-uri"), "/public/page")
        };
        for _ in 0..2 {
            assert_eq!(world.send(call(number)).await.status, 200, "{door}");
        }
        let answer = world.send(call(number)).await;
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
