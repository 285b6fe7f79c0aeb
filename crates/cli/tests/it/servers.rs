//! Upstreams of several servers, and those whose certificates come from an authority of their own.

use std::time::Duration;

use narthex_testkit::Upstream;
use narthex_testkit::websocket::{TEXT, WebSocket};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::port_tls;
use crate::world::{World, config};

/// The usual surroundings with a public route to these servers.
async fn world(servers: &[&Upstream]) -> World {
    let urls: Vec<String> = servers.iter().map(|server| format!("\"{}\"", server.url())).collect();
    let route = format!(
        "\n[[route]]\npath = \"/many/{{*rest}}\"\nrequire = \"public\"\nupstream = [{}]\n",
        urls.join(", ")
    );
    World::with_config(move |idp, upstream| config(idp, upstream) + &route).await
}

fn counts(servers: [&Upstream; 2]) -> [usize; 2] {
    servers.map(|server| server.seen().len())
}

#[tokio::test]
async fn requests_go_to_the_servers_in_turn_and_past_one_that_is_away() {
    let (one, other) = (Upstream::start().unwrap(), Upstream::start().unwrap());
    let world = world(&[&one, &other]).await;
    for _ in 0..6 {
        assert_eq!(world.send(world.call("GET", "/many/a%2Db?c")).await.status, 200);
    }
    assert_eq!(counts([&one, &other]), [3, 3]);
    assert_eq!(other.last().unwrap().target, "/many/a%2Db?c");

    one.down();
    for _ in 0..6 {
        assert_eq!(world.send(world.call("GET", "/many/a")).await.status, 200);
    }
    world.narthex.logged(&["server_failed"]).await.unwrap();
    // What cannot be repeated goes to the server that is left from the beginning.
    for _ in 0..4 {
        let call = world.call("POST", "/many/a").body("text");
        assert_eq!(world.send(call).await.status, 200);
    }
    assert_eq!(counts([&one, &other]), [3, 13]);

    // None is left: the answer is a refusal, and the first that comes back is found.
    other.down();
    assert_eq!(world.send(world.call("GET", "/many/a")).await.status, 502);
    one.up().unwrap();
    assert_eq!(world.send(world.call("GET", "/many/a")).await.status, 200);
}

/// A request may have arrived although no answer came. Only one that does no more when it is done twice is sent again.
#[tokio::test]
async fn sec_a_request_that_may_have_arrived_is_not_sent_twice() {
    let (one, other) = (Upstream::start().unwrap(), Upstream::start().unwrap());
    let world = world(&[&one, &other]).await;
    for (method, body, expected) in [
        ("POST", "", 1),
        ("POST", "text", 1),
        ("PATCH", "", 1),
        ("PUT", "text", 1),
        ("PUT", "", 2),
        ("DELETE", "", 2),
        ("GET", "", 2),
    ] {
        one.forget();
        other.forget();
        let call = world.call(method, "/many/a").header("x-upstream", "close").body(body);
        assert_eq!(world.send(call).await.status, 502, "{method} {body}");
        let [first, second] = counts([&one, &other]);
        assert_eq!(first + second, expected, "{method} {body}");
    }
}

/// A server that takes the connection and says nothing in the handshake is as good as away: no request waits for
/// `upstream_timeout`.
#[tokio::test]
async fn the_handshake_of_tls_is_part_of_the_connect_timeout() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let world = World::with_config(|idp, upstream| {
        let route =
            format!("\n[[route]]\npath = \"/silent\"\nrequire = \"public\"\nupstream = \"https://{address}\"\n");
        config(idp, upstream) + &route + "[limits]\nconnect_timeout = \"1s\"\n"
    })
    .await;
    let begun = Instant::now();
    assert_eq!(world.send(world.call("GET", "/silent")).await.status, 502);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

/// A server that prefers HTTP/2 gets requests to change the protocol on a connection of HTTP/1.1.
#[tokio::test]
async fn a_web_socket_goes_through_to_a_server_with_tls() {
    let server = port_tls::self_signed();
    let behind = port_tls::world("", &server, &[]).await;
    let address = behind.narthex.address();
    let route = format!(
        "\n[[route]]\npath = \"/inner/{{*rest}}\"\nrequire = \"public\"\nstrip_prefix = \"/inner\"\n\
         upstream = \"https://{address}\"\nupstream_ca_file = \"ca.pem\"\n"
    );
    let files = [("ca.pem", server.certificate.as_str())];
    let world = World::with_files(|idp, upstream| config(idp, upstream) + &route, &files).await;
    let mut socket = WebSocket::open(&world.narthex.address(), "/inner/public/socket", &[])
        .await
        .unwrap();
    socket.send(TEXT, b"hello").await.unwrap();
    assert_eq!(socket.receive().await.unwrap(), (TEXT, b"hello".to_vec()));
}

#[tokio::test]
async fn sec_an_upstream_is_trusted_by_the_authorities_of_its_route_alone() {
    let (server, stranger) = (port_tls::self_signed(), port_tls::self_signed());
    // Another Narthex is the upstream with TLS.
    let behind = port_tls::world("", &server, &[]).await;
    let address = behind.narthex.address();
    for (authority, expected) in [
        (Some(&server), 200),
        (Some(&stranger), 502),
        // The system does not trust it either.
        (None, 502),
    ] {
        let line = authority.map_or("", |_| "upstream_ca_file = \"ca.pem\"");
        let route = format!(
            "\n[[route]]\npath = \"/inner/{{*rest}}\"\nrequire = \"public\"\nstrip_prefix = \"/inner\"\n\
             upstream = \"https://{address}\"\n{line}\n"
        );
        let authority = authority.map_or("", |pair| pair.certificate.as_str());
        let files = [("ca.pem", authority)];
        let world = World::with_files(|idp, upstream| config(idp, upstream) + &route, &files).await;
        let call = world.call("GET", "/inner/public/page").header("host", &address);
        let answer = world.send(call).await;
        assert_eq!(answer.status, expected, "{line}: {}", answer.text());
    }
    assert_eq!(behind.upstream.seen().len(), 1);
}
