//! The proxy door passes things on while they come.

use std::{pin::pin, time::Duration};

use narthex_testkit::{
    Client,
    client::Call,
    foreign::web_socket_echo,
    websocket::{BINARY, CLOSE, TEXT, WebSocket},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::world::{GUARDED, World, config, member};

/// Reads until `text` has come, for two seconds at the most.
async fn read_until(stream: &mut TcpStream, seen: &mut String, text: &str) {
    let read = async {
        let mut buffer = [0; 1024];
        while !seen.contains(text) {
            let length = stream.read(&mut buffer).await.unwrap();
            assert!(length > 0, "closed before `{text}`: {seen}");
            seen.push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
    };
    let came = timeout(Duration::from_secs(2), read).await.is_ok();
    assert!(came, "`{text}` did not come: {seen}");
}

/// Both ways at the same time: each part of the body comes back before the next one is sent.
#[tokio::test]
async fn bodies_are_streamed_both_ways() {
    let world = World::start().await;
    let token = member("alice").sign();
    let mut stream = TcpStream::connect(world.narthex.address()).await.unwrap();
    let head = format!(
        "POST {GUARDED} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\nx-upstream: mirror\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut seen = String::new();
    for part in ["first", "second", "third"] {
        stream
            .write_all(format!("{:x}\r\n{part}\r\n", part.len()).as_bytes())
            .await
            .unwrap();
        read_until(&mut stream, &mut seen, part).await;
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    read_until(&mut stream, &mut seen, "0\r\n\r\n").await;
}

/// An event is there when it happens, not when the stream ends.
#[tokio::test]
async fn server_sent_events_arrive_one_by_one() {
    let world = World::start().await;
    let token = member("alice").sign();
    let mut stream = TcpStream::connect(world.narthex.address()).await.unwrap();
    let head =
        format!("GET {GUARDED} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\nx-upstream: sse=50\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut seen = String::new();
    read_until(&mut stream, &mut seen, "data: 0").await;
    assert!(
        seen.to_lowercase().contains("content-type: text/event-stream"),
        "{seen}"
    );
    assert!(!seen.contains("data: 20"), "held back until the end");
    read_until(&mut stream, &mut seen, "data: 5").await;
}

#[tokio::test]
async fn a_web_socket_goes_through_with_its_identity() {
    let world = World::start().await;
    let bearer = format!("Bearer {}", member("alice").sign());
    let address = world.narthex.address();
    let refused = WebSocket::open(&address, GUARDED, &[]).await.unwrap_err();
    assert!(refused.to_string().contains("401"), "{refused}");
    assert!(world.upstream.seen().is_empty());

    let headers = [("authorization", bearer.as_str()), ("x-narthex-user", "spoofed")];
    let mut socket = WebSocket::open(&address, GUARDED, &headers).await.unwrap();
    for (opcode, payload) in [
        (TEXT, b"hello".to_vec()),
        (BINARY, vec![7; 100_000]),
        (CLOSE, vec![3, 232]),
    ] {
        socket.send(opcode, &payload).await.unwrap();
        assert_eq!(socket.receive().await.unwrap(), (opcode, payload));
    }
    let seen = world.upstream.last().unwrap();
    assert_eq!(seen.header("x-narthex-external-id").as_deref(), Some("alice"));
    assert_ne!(seen.header("x-narthex-user").as_deref(), Some("spoofed"));
    assert_eq!(seen.header("authorization"), None);
}

/// What became a tunnel is a connection still.
#[tokio::test]
async fn sec_upgraded_connections_have_places() {
    let world =
        World::with_config(|idp, upstream| format!("[limits]\nconnections = 2\n{}", config(idp, upstream))).await;
    let address = world.narthex.address();
    let open = || WebSocket::open(&address, "/public/socket", &[]);
    let first = open().await.unwrap();
    let mut second = open().await.unwrap();
    let mut waiting = pin!(open());
    let soon = timeout(Duration::from_secs(1), &mut waiting).await;
    assert!(soon.is_err(), "a third connection where there are two places");
    drop(first);
    let third = timeout(Duration::from_secs(5), waiting).await;
    let mut third = third.expect("the place was kept").unwrap();
    for socket in [&mut second, &mut third] {
        socket.send(TEXT, b"hello").await.unwrap();
        assert_eq!(socket.receive().await.unwrap(), (TEXT, b"hello".to_vec()));
    }
}

/// The same with a client of others: npm `ws`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_web_socket_client_of_others_gets_its_echo() {
    let world = World::start().await;
    let url = format!("ws://{}{GUARDED}", world.narthex.address());
    web_socket_echo(&url, &member("alice").sign()).unwrap();
}

#[tokio::test]
async fn http_2_clients_are_served() {
    let world = World::start().await;
    let client = Client::http2();
    let token = member("alice").sign();
    let answer = client
        .send(world.call("POST", GUARDED).bearer(&token).body("over h2"))
        .await
        .unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let seen = world.upstream.last().unwrap();
    assert_eq!(seen.body, "over h2");
    assert_eq!(seen.header("x-narthex-external-id").as_deref(), Some("alice"));
    assert_eq!(client.send(world.call("POST", GUARDED)).await.unwrap().status, 401);
}

#[tokio::test]
async fn large_bodies_pass_and_statuses_stay() {
    let world = World::start().await;
    let token = member("alice").sign();
    let body = vec![b'b'; 5_000_000];
    let answer = world
        .send(world.call("PUT", GUARDED).bearer(&token).body(body.clone()))
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(world.upstream.last().unwrap().body, body);
    let call = world
        .call("GET", GUARDED)
        .bearer(&token)
        .header("x-upstream", "bytes=5000000");
    assert_eq!(world.send(call).await.body.len(), 5_000_000);
    for status in [204, 302, 404, 418, 500] {
        let call = world
            .call("GET", GUARDED)
            .bearer(&token)
            .header("x-upstream", &format!("status={status}"));
        assert_eq!(world.send(call).await.status, status);
    }
}

/// An upstream that is away is neither the client's fault nor a way in.
#[tokio::test]
async fn an_upstream_that_is_down_is_a_bad_gateway() {
    let world = World::start().await;
    let token = member("alice").sign();
    world.upstream.down();
    let answer = world.send(world.call("POST", GUARDED).bearer(&token)).await;
    assert_eq!(answer.status, 502, "{}", answer.text());
    assert_eq!(answer.reason().as_deref(), Some("upstream.unreachable"));
    assert_eq!(answer.header("retry-after"), Some("5"));
    let address = world.upstream.address();
    assert!(!answer.text().contains(&address), "{}", answer.text());
    world.upstream.up().unwrap();
    assert_eq!(world.send(world.call("POST", GUARDED).bearer(&token)).await.status, 200);
}

/// What may pass and cannot be passed on has a reason of its own, in the answer and in the metrics.
#[tokio::test]
async fn what_cannot_be_passed_on_has_its_reason() {
    let world = World::with_config(|idp, upstream| {
        let limits = "require = \"authenticated\"\n body_size = \"10B\"\n upstream_timeout = \"1s\"";
        crate::world::config(idp, upstream).replacen("require = \"authenticated\"", limits, 1)
    })
    .await;
    let token = member("alice").sign();
    let call = || world.call("POST", "/whoami").bearer(&token);
    for (call, status, reason, says) in [
        (
            call().body("more than ten"),
            413,
            "request.too_large",
            "longer than 10 bytes",
        ),
        (
            call().header("x-upstream", "slow=3000"),
            504,
            "upstream.timeout",
            "in time",
        ),
    ] {
        let answer = world.send(call).await;
        assert_eq!(
            (
                answer.status,
                answer.reason().as_deref(),
                answer.header("x-narthex-reason")
            ),
            (status, Some(reason), Some(reason)),
            "{}",
            answer.text()
        );
        assert!(answer.text().contains(says), "{}", answer.text());
        let metrics = world
            .send(Call::get(&format!("{}/metrics", world.narthex.admin_url())))
            .await;
        let counter = match status {
            504 => "narthex_upstream_failures_total",
            _ => "narthex_unforwardable_requests_total",
        };
        let line = format!("{counter}{{reason=\"{reason}\"}} 1");
        assert!(metrics.text().contains(&line), "{line}\n{}", metrics.text());
        // It was decided: the decision was to let it pass.
        let decided = format!("outcome=\"deny\",reason=\"{reason}\"");
        assert!(!metrics.text().contains(&decided), "{decided}");
    }
}

/// A client that frames its body wrongly, or breaks off, is told so, and nobody is told that the upstream failed.
#[tokio::test]
async fn sec_a_broken_body_is_the_clients_fault() {
    let world = World::start().await;
    for (body, ends) in [
        (&b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n"[..], false),
        (b"transfer-encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", false),
        (b"content-length: 10\r\n\r\nabc", true),
    ] {
        let mut stream = TcpStream::connect(world.narthex.address()).await.unwrap();
        stream
            .write_all(b"POST /public/page HTTP/1.1\r\nhost: a\r\n")
            .await
            .unwrap();
        stream.write_all(body).await.unwrap();
        if ends {
            stream.shutdown().await.unwrap();
        }
        let mut seen = String::new();
        let read = timeout(Duration::from_secs(5), stream.read_to_string(&mut seen)).await;
        let shown = String::from_utf8_lossy(body);
        // A client that has ended its side may be gone altogether, and then nobody is left to be told.
        if !(ends && seen.is_empty()) {
            assert!(read.is_ok() && seen.starts_with("HTTP/1.1 400 "), "{shown}: {seen}");
            assert!(seen.contains("request.unforwardable"), "{shown}: {seen}");
        }
    }
    let metrics = world
        .send(Call::get(&format!("{}/metrics", world.narthex.admin_url())))
        .await;
    let failures = metrics.text();
    let failures = failures
        .lines()
        .filter(|line| line.starts_with("narthex_upstream_failures_total{") && !line.ends_with(" 0"));
    assert_eq!(failures.collect::<Vec<_>>(), [""; 0]);
    world.narthex.logged(&["not_forwarded"]).await.unwrap();
    let logs = world.narthex.logs();
    assert!(!logs.contains("upstream_failed"), "{logs}");
}
