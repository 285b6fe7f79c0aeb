//! Protocol upgrades through the proxy door, with servers of others that speak HTTP/2 by upgrade (`h2c`).

use std::time::Duration;

use narthex_testkit::{IdentityProvider, Narthex, TestKey, Upstream, application::Application, websocket::WebSocket};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::world::{GUARDED, World, config};

/// A path that only platform admins may call.
const ADMINS_ONLY: &str = "/padmin/everything";

const SETTINGS: &str = "http2-settings: AAMAAABkAAQAAP__\r\n";

/// An HTTP/2 frame (RFC 9113 section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A request with an identity of the client's making, as an HTTP/2 client sends it after an upgrade.
fn smuggled() -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in [
        (":method", "DELETE"),
        (":scheme", "http"),
        (":authority", "app"),
        (":path", ADMINS_ONLY),
        ("x-narthex-user", "FORGED"),
        ("x-narthex-platform-role", "admin"),
    ] {
        // A literal field without indexing and without Huffman coding (RFC 7541 section 6.2.2).
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend(text.as_bytes());
        }
    }
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(4, 0, 0, b""));
    bytes.extend(frame(1, 0x4 | 0x1, 3, &block));
    bytes
}

/// Sends a request that asks for an upgrade, and then the smuggled one, whatever the answer is.
async fn smuggle(address: &str, head: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    let mut sent = false;
    while let Ok(Ok(read @ 1..)) = timeout(Duration::from_secs(1), stream.read(&mut buffer)).await {
        answer.extend(&buffer[..read]);
        if !sent && answer.windows(4).any(|end| end == b"\r\n\r\n") {
            // The other end may have closed the connection.
            let _ = stream.write_all(&smuggled()).await;
            sent = true;
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// Requests that ask for `h2c` on a public route, and as a preflight of a guarded one.
fn attempts() -> Vec<String> {
    let preflight = "origin: http://e\r\naccess-control-request-method: DELETE\r\n";
    let mut attempts = Vec::new();
    for (method, path, more) in [
        ("GET", "/public/x", ""),
        ("POST", "/public/x", "content-length: 0\r\n"),
        ("OPTIONS", ADMINS_ONLY, preflight),
        ("OPTIONS", "/public/x", preflight),
    ] {
        for upgrade in [
            "connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\n",
            "connection: Upgrade\r\nupgrade: h2c\r\n",
            "connection: upgrade\r\nupgrade: H2C\r\n",
            "connection: upgrade\r\nupgrade: h2c, websocket\r\n",
            "connection: upgrade\r\nupgrade: websocket, h2c\r\n",
            "connection: upgrade\r\nupgrade: websocket\r\nupgrade: h2c\r\n",
            "connection: upgrade\r\nupgrade: websocket\r\n",
        ] {
            attempts.push(format!(
                "{method} {path} HTTP/1.1\r\nhost: app\r\n{more}{upgrade}{SETTINGS}"
            ));
        }
    }
    attempts
}

async fn in_front_of(upstream: &str) -> (IdentityProvider, Upstream, Narthex) {
    let idp = IdentityProvider::start(&[TestKey::Rsa1]).unwrap();
    let ours = Upstream::start().unwrap();
    let admins =
        format!("\n[[route]]\npath = \"/padmin/{{*rest}}\"\nrequire = \"platform:admin\"\nupstream = \"{upstream}\"\n");
    let config = config(&idp, &ours).replace(&ours.url(), upstream) + &admins;
    let narthex = Narthex::builder(env!("CARGO_BIN_EXE_narthex"))
        .config(&config)
        .unwrap()
        .start()
        .await
        .unwrap();
    (idp, ours, narthex)
}

/// hypercorn takes the upgrade of whoever asks it, and then serves every path with every header. Through Narthex nobody
/// gets that far.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_h2c_is_not_tunnelled_to_hypercorn() {
    let application = Application::hypercorn().unwrap();
    let forged = |application: &Application| {
        let seen = application.recorded().unwrap();
        seen.iter()
            .filter(|request| request.path == ADMINS_ONLY && request.values("x-narthex-user") == ["FORGED"])
            .count()
    };
    // The attack works where nothing is in front.
    let head = &attempts()[0];
    let answer = smuggle(&application.address(), head).await;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    assert_eq!(forged(&application), 1, "{:?}", application.recorded());

    let (_idp, _upstream, narthex) = in_front_of(&application.url()).await;
    for head in attempts() {
        let answer = smuggle(&narthex.address(), &head).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{head}\n{answer}");
        assert_eq!(forged(&application), 1, "{head}");
    }
    let seen = application.recorded().unwrap();
    assert!(seen.len() > attempts().len(), "the requests themselves are forwarded");
    for request in seen.iter().skip(2) {
        for name in ["upgrade", "http2-settings"] {
            assert_eq!(request.values(name), [""; 0], "{request:?}");
        }
    }
}

/// The same with nghttpx, which speaks `h2c` too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_h2c_is_not_tunnelled_to_nghttpx() {
    let recorder = Upstream::start().unwrap();
    let application = Application::nghttpx(&recorder.address()).unwrap();
    let forged = || {
        let seen = recorder.seen();
        let forged = |header: Option<String>| header.as_deref() == Some("FORGED");
        seen.iter()
            .filter(|request| forged(request.header("x-narthex-user")))
            .count()
    };
    let answer = smuggle(&application.address(), &attempts()[0]).await;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    assert_eq!(forged(), 1, "{:?}", recorder.seen());

    let (_idp, _upstream, narthex) = in_front_of(&application.url()).await;
    for head in attempts() {
        let answer = smuggle(&narthex.address(), &head).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{head}\n{answer}");
        assert_eq!(forged(), 1, "{head}");
    }
}

/// A 101 opens a tunnel only to the protocol that was asked for.
#[tokio::test]
async fn sec_101_of_another_protocol_is_a_bad_gateway() {
    let world = World::start().await;
    let handshake = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                     sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for (asked, reply) in [
        ("", "connection: upgrade\r\nupgrade: websocket"),
        ("", "connection: upgrade\r\nupgrade: h2c"),
        (handshake, "connection: upgrade\r\nupgrade: h2c"),
        (handshake, "connection: upgrade\r\nupgrade: websocket"),
        (
            handshake,
            "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: c3RhdHVzIG9mIGEgY2xpZW50",
        ),
    ] {
        let answering = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = format!("http://{}", answering.local_addr().unwrap());
        let reply = format!("HTTP/1.1 101 Switching Protocols\r\n{reply}\r\n\r\nHELLO");
        let served = tokio::spawn(async move {
            let (mut stream, _) = answering.accept().await.unwrap();
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await.unwrap();
            stream.write_all(reply.as_bytes()).await.unwrap();
            let mut more = Vec::new();
            let _ = timeout(Duration::from_millis(500), stream.read_to_end(&mut more)).await;
            more
        });
        let (_idp, _ours, narthex) = in_front_of(&upstream).await;
        let head = format!("GET /public/x HTTP/1.1\r\nhost: app\r\n{asked}");
        let answer = smuggle(&narthex.address(), &head).await;
        assert!(answer.starts_with("HTTP/1.1 502 "), "{head}\n{answer}");
        assert!(answer.contains("upstream.unreachable"), "{answer}");
        assert!(!answer.contains("HELLO"), "{answer}");
        assert_eq!(served.await.unwrap(), b"", "nothing follows the request");
    }
    // What agrees passes.
    let token = crate::world::member("alice").sign();
    let bearer = format!("Bearer {token}");
    WebSocket::open(&world.narthex.address(), GUARDED, &[("authorization", &bearer)])
        .await
        .unwrap();
}

/// The head of a granted upgrade is an answer like others: what it says of an identity is not the client's to see.
#[tokio::test]
async fn sec_identity_headers_of_a_101() {
    let answering = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = format!("http://{}", answering.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = answering.accept().await.unwrap();
        let mut head = [0; 4096];
        let _ = stream.read(&mut head).await.unwrap();
        let reply = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                     sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nx-narthex-user: FORGED\r\n\
                     x_narthex_decision: FORGED\r\n\r\n";
        stream.write_all(reply.as_bytes()).await.unwrap();
        let _ = stream.read(&mut head).await;
    });
    let (_idp, _ours, narthex) = in_front_of(&upstream).await;
    let head = "GET /public/x HTTP/1.1\r\nhost: app\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let answer = smuggle(&narthex.address(), head).await;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    assert!(!answer.contains("FORGED"), "{answer}");
}

/// A route passes on what it names, and nothing else.
#[tokio::test]
async fn upgrades_are_those_that_the_route_names() {
    let world = World::with_config(|idp, upstream| {
        let none = "require = \"public\"\n        upgrades = []";
        config(idp, upstream).replace("require = \"public\"", none)
    })
    .await;
    let refused = WebSocket::open(&world.narthex.address(), "/public/socket", &[]).await;
    assert!(refused.is_err());
    assert_eq!(world.upstream.last().unwrap().header("upgrade"), None);
}
