//! What one client can hold: connections, descriptors, memory, and what is under way to upstreams.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use narthex_testkit::{
    Client, IdentityProvider, Narthex, TestKey, Upstream, client::Call, relay::Relay, websocket::WebSocket,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, timeout};

use crate::moved_clock::MovedClock;
use crate::world::{World, config, member};

mod frames;

use frames::{Frame, Http2};

const SOON: Duration = Duration::from_secs(6);

/// The usual surroundings with limits. Its trusted proxy is 127.0.0.1, so clients that count have other addresses.
async fn world(limits: &str) -> World {
    World::with_config(|idp, upstream| format!("[limits]\n{limits}\n{}", config(idp, upstream))).await
}

/// A connection from an address of this machine.
async fn from(client: &str, world: &World) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{client}:0").parse().unwrap()).unwrap();
    socket.connect(world.narthex.address().parse().unwrap()).await.unwrap()
}

/// Asks, and reads the whole answer: its status, or 0 if the connection is closed.
async fn ask(stream: &mut TcpStream) -> u16 {
    let request = "GET /public/page HTTP/1.1\r\nhost: a\r\n\r\n";
    if stream.write_all(request.as_bytes()).await.is_err() {
        return 0;
    }
    timeout(SOON, answered(stream)).await.expect("no answer")
}

async fn answered(stream: &mut TcpStream) -> u16 {
    let mut seen = Vec::new();
    loop {
        if !matches!(stream.read_buf(&mut seen).await, Ok(1..)) {
            return 0;
        }
        let text = String::from_utf8_lossy(&seen).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.split("content-length: ").nth(1).unwrap().lines().next().unwrap();
        if body.len() == length.parse::<usize>().unwrap() {
            return head.split(' ').nth(1).unwrap().parse().unwrap();
        }
    }
}

async fn is_closed(stream: &mut TcpStream) -> bool {
    matches!(
        timeout(Duration::from_millis(300), stream.read(&mut [0; 1])).await,
        Ok(Ok(0) | Err(_))
    )
}

/// A client that answers pings, or sends its own, holds its connection no longer than another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_idle_http2() {
    let world = world("header_timeout = \"1s\"").await;
    let mut http2 = Http2::open(TcpStream::connect(world.narthex.address()).await.unwrap()).await;
    http2.get(1, "/public/page", "").await;
    let held = async {
        let mut told = false;
        loop {
            http2.ping().await;
            match timeout(Duration::from_millis(200), http2.frame()).await {
                Ok(Some(Frame { kind: 7, .. })) => told = true,
                Ok(Some(_)) | Err(_) => {}
                Ok(None) => return told,
            }
        }
    };
    let told = timeout(SOON, held).await.expect("the connection was held with pings");
    assert!(told, "it was told that it ends (GOAWAY)");
}

/// One that says nothing but pings, without any request, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_idle_http2_without_a_request() {
    let world = world("header_timeout = \"1s\"").await;
    let mut http2 = Http2::open(TcpStream::connect(world.narthex.address()).await.unwrap()).await;
    let held = async {
        loop {
            http2.ping().await;
            if let Ok(None) = timeout(Duration::from_millis(200), http2.frame()).await {
                return;
            }
        }
    };
    timeout(SOON, held).await.expect("the connection was held with pings");
}

/// And who asks for an answer over HTTP/2 and takes nothing of it has `limits.idle_timeout`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_http2_reader_that_takes_nothing() {
    let world = world("header_timeout = \"1s\"\nidle_timeout = \"2s\"").await;
    let mut http2 = Http2::open(TcpStream::connect(world.narthex.address()).await.unwrap()).await;
    http2.get(1, "/public/page", "bytes=30000000").await;
    let held = async {
        loop {
            http2.ping().await;
            if let Ok(None) = timeout(Duration::from_millis(200), http2.frame()).await {
                return;
            }
        }
    };
    timeout(Duration::from_secs(12), held)
        .await
        .expect("the answer was held");
}

/// A client has a quarter of all connections, another client the next.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_connections_of_one_client() {
    let world = world("connections = 8").await;
    let mut busy = Vec::new();
    for _ in 0..2 {
        let mut stream = from("127.0.0.2", &world).await;
        let slow = b"GET /public/page HTTP/1.1\r\nhost: a\r\nx-upstream: slow=4000\r\n\r\n";
        stream.write_all(slow).await.unwrap();
        busy.push(stream);
    }
    sleep(Duration::from_millis(500)).await;
    assert_eq!(
        ask(&mut from("127.0.0.2", &world).await).await,
        0,
        "a third one of the same client"
    );
    assert_eq!(ask(&mut from("127.0.0.3", &world).await).await, 200, "another client");
    assert_eq!(ask(&mut from("127.0.0.1", &world).await).await, 200, "a trusted proxy");
    for stream in &mut busy {
        assert_eq!(timeout(SOON, answered(stream)).await.unwrap(), 200);
    }
    // Now they are idle, and the first makes room for a third one.
    assert_eq!(ask(&mut from("127.0.0.2", &world).await).await, 200);
    sleep(Duration::from_millis(200)).await;
    assert!(is_closed(&mut busy[0]).await, "the one that was idle longest");
    world.narthex.logged(&["connection_refused"]).await.unwrap();
}

/// When all places are taken, the connection that has been idle longest makes room, and none that is used.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_all_connections_taken() {
    let world = world("connections = 4\nheader_timeout = \"1h\"").await;
    let mut busy = TcpStream::connect(world.narthex.address()).await.unwrap();
    busy.write_all(b"GET /public/page HTTP/1.1\r\nhost: a\r\nx-upstream: slow=3000\r\n\r\n")
        .await
        .unwrap();
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(world.narthex.address()).await.unwrap();
        assert_eq!(ask(&mut stream).await, 200);
        held.push(stream);
    }
    let before = Instant::now();
    for _ in 0..2 {
        let mut next = TcpStream::connect(world.narthex.address()).await.unwrap();
        assert_eq!(ask(&mut next).await, 200);
        held.push(next);
    }
    assert!(before.elapsed() < Duration::from_secs(2), "{:?}", before.elapsed());
    let mut closed = Vec::new();
    for stream in &mut held {
        closed.push(is_closed(stream).await);
    }
    assert_eq!(closed, [true, true, false, false, false]);
    assert_eq!(
        timeout(SOON, answered(&mut busy)).await.unwrap(),
        200,
        "one that waited for its answer"
    );
}

/// A client has as many requests under way over HTTP/2 as connections, and no more than a hundred on one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_streams_of_one_client() {
    let world = world("connections = 16").await;
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut http2 = Http2::open(from("127.0.0.2", &world).await).await;
        for stream in [1, 3, 5] {
            http2.get(stream, "/public/page", "slow=1500").await;
        }
        clients.push(http2);
    }
    let mut allowed = 0;
    for http2 in &mut clients {
        let answers = timeout(SOON, http2.successes(3)).await.unwrap();
        allowed += answers.into_iter().filter(|success| *success).count();
        assert!(
            http2.streams_max.is_some_and(|most| most <= 100),
            "{:?}",
            http2.streams_max
        );
    }
    assert_eq!(allowed, 4);
    // They are given back.
    clients[0].get(7, "/public/page", "").await;
    assert_eq!(timeout(SOON, clients[0].successes(1)).await.unwrap(), [true]);
    let metrics = world
        .send(Call::get(&format!("{}/metrics", world.narthex.admin_url())))
        .await;
    let line = "narthex_decisions_total{door=\"proxy\",outcome=\"deny\",reason=\"rate.limited\"} 2";
    assert!(metrics.text().contains(line), "{}", metrics.text());
}

/// An upstream has a bound of its own, each WebSocket in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_requests_under_way_to_one_upstream() {
    let world = world("upstream_requests = 2").await;
    let socket = WebSocket::open(&world.narthex.address(), "/public/socket", &[])
        .await
        .unwrap();
    let mut slow = TcpStream::connect(world.narthex.address()).await.unwrap();
    slow.write_all(b"GET /public/page HTTP/1.1\r\nhost: a\r\nx-upstream: slow=1000\r\n\r\n")
        .await
        .unwrap();
    sleep(Duration::from_millis(300)).await;
    let answer = world.send(world.call("GET", "/public/page")).await;
    assert_eq!(
        (answer.status, answer.reason().as_deref()),
        (503, Some("upstream.busy")),
        "{}",
        answer.text()
    );
    assert_eq!(answer.header("retry-after"), Some("5"));
    let mut seen = [0; 15];
    timeout(SOON, slow.read_exact(&mut seen)).await.unwrap().unwrap();
    drop(slow);
    for _ in 0..2 {
        assert_eq!(
            world.send(world.call("GET", "/public/page")).await.status,
            200,
            "given back"
        );
    }
    drop(socket);
}

fn own_memory(world: &World) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", world.narthex.process_id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Memory of a server that has just started, once it has given back what it needed for that only.
async fn settled_memory(world: &World) -> u64 {
    let mut least = own_memory(world);
    for _ in 0..20 {
        sleep(Duration::from_millis(500)).await;
        let now = own_memory(world);
        if now >= least {
            break;
        }
        least = now;
    }
    least
}

/// An upstream that sends without end, or that answers nothing and reads nothing behind a request's head.
async fn endless(sends: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve_endlessly(stream, sends));
        }
    });
    address
}

async fn serve_endlessly(mut stream: TcpStream, sends: bool) -> std::io::Result<()> {
    let (mut byte, mut last) = ([0], [0; 4]);
    while last != *b"\r\n\r\n" {
        stream.read_exact(&mut byte).await?;
        last.rotate_left(1);
        last[3] = byte[0];
    }
    if sends {
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n";
        stream.write_all(head).await?;
        let part = vec![b'x'; 65_536];
        while stream.write_all(&part).await.is_ok() {}
    }
    sleep(Duration::from_mins(5)).await;
    Ok(())
}

/// A download that nobody reads holds the pieces that are on their way, whatever its size.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_unread_downloads_cost() {
    const READERS: u64 = 60;
    let endless = endless(true).await;
    let to = format!("http://{endless}");
    let world = World::with_config(|idp, upstream| config(idp, upstream).replace(&upstream.url(), &to)).await;
    let mut held = Vec::new();
    let before = settled_memory(&world).await;
    for _ in 0..READERS {
        let mut stream = TcpStream::connect(world.narthex.address()).await.unwrap();
        stream
            .write_all(b"GET /public/page HTTP/1.1\r\nhost: a\r\n\r\n")
            .await
            .unwrap();
        let mut began = [0; 15];
        timeout(SOON, stream.read_exact(&mut began)).await.unwrap().unwrap();
        assert_eq!(&began, b"HTTP/1.1 200 OK");
        held.push(stream);
    }
    sleep(Duration::from_secs(3)).await;
    let http1 = own_memory(&world);
    let mut held = Vec::new();
    for _ in 0..READERS {
        let mut http2 = Http2::open(TcpStream::connect(world.narthex.address()).await.unwrap()).await;
        http2.open_connection_window().await;
        http2.get(1, "/public/page", "").await;
        held.push(http2);
    }
    sleep(Duration::from_secs(3)).await;
    let http2 = own_memory(&world);
    let each = [http1.saturating_sub(before), http2.saturating_sub(http1)].map(|all| all / READERS);
    // 64 KiB of the answer, and what two connections cost by themselves.
    assert!(
        each.iter().all(|each| *each <= 130),
        "{each:?} KiB for each, HTTP/1.1 and HTTP/2"
    );
}

/// The same for what is sent to an upstream that reads nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_unread_uploads_cost() {
    const WRITERS: u64 = 60;
    let endless = endless(false).await;
    let to = format!("http://{endless}");
    let world = World::with_config(|idp, upstream| config(idp, upstream).replace(&upstream.url(), &to)).await;
    let before = settled_memory(&world).await;
    let mut held = Vec::new();
    for _ in 0..WRITERS {
        let mut stream = TcpStream::connect(world.narthex.address()).await.unwrap();
        let request = "POST /public/page HTTP/1.1\r\nhost: a\r\ncontent-length: 60000000\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let part = vec![b'x'; 1 << 20];
        let _ = timeout(Duration::from_millis(200), async {
            while stream.write_all(&part).await.is_ok() {}
        })
        .await;
        held.push(stream);
    }
    sleep(Duration::from_secs(2)).await;
    let each = own_memory(&world).saturating_sub(before) / WRITERS;
    assert!(each <= 150, "{each} KiB each");
}

/// The binary, started by a shell that limits it first.
fn limited(folder: &Path, limits: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;

    let file = folder.join("narthex-with-limits");
    let binary = env!("CARGO_BIN_EXE_narthex");
    let script = format!("#!/bin/sh\n{limits} && exec {binary} \"$@\"\n");
    fs::write(&file, script).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    file
}

/// However many connections there are, the admin port has descriptors left, and so have other clients.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_descriptors() {
    let folder = tempfile::tempdir().unwrap();
    let idp = IdentityProvider::start(&[TestKey::Rsa1]).unwrap();
    let upstream = Upstream::start().unwrap();
    let narthex = Narthex::builder(limited(folder.path(), "ulimit -S -n 100 && ulimit -H -n 300"))
        .config(&config(&idp, &upstream))
        .unwrap()
        .start()
        .await
        .unwrap();
    let limits = fs::read_to_string(format!("/proc/{}/limits", narthex.process_id())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(line.split_whitespace().nth(3), Some("300"), "{line}");
    narthex.logged(&["connections_fitted"]).await.unwrap();

    let mut idle = Vec::new();
    for _ in 0..400 {
        idle.push(TcpStream::connect(narthex.address()).await.unwrap());
    }
    sleep(Duration::from_millis(500)).await;
    let client = Client::new();
    for url in [
        format!("{}/readyz", narthex.admin_url()),
        format!("{}/public/page", narthex.url()),
    ] {
        let answer = timeout(SOON, client.send(Call::get(&url))).await;
        assert_eq!(answer.expect("no answer").unwrap().status, 200, "{url}");
    }
    assert!(!narthex.logs().contains("could not be accepted"), "{}", narthex.logs());
    drop(idle);
}

/// A route to this process is an error of the configuration; one that leads here by a detour is found out at the first
/// request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_route_to_itself() {
    let mut world = World::start().await;
    let usual = config(&world.idp, &world.upstream);
    let with = |upstream: &str| {
        format!("{usual}\n[[route]]\npath = \"/loop/{{*rest}}\"\nrequire = \"public\"\nupstream = \"{upstream}\"\n")
    };
    let admin = world.narthex.admin_url();
    let port = world.narthex.address().parse::<SocketAddr>().unwrap().port();
    for own in [&format!("http://localhost:{port}"), &admin] {
        let listen = format!(
            "[listen]\npublic = \"0.0.0.0:{port}\"\nadmin = \"{}\"",
            admin.trim_start_matches("http://")
        );
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("narthex.toml");
        fs::write(&file, with(own).replacen("[listen]", &listen, 1)).unwrap();
        let checked = std::process::Command::new(env!("CARGO_BIN_EXE_narthex"))
            .args(["config", "check", "--config"])
            .arg(&file)
            .output()
            .unwrap();
        let said = [checked.stdout, checked.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(!checked.status.success(), "{said}");
        assert!(said.contains("`upstream` is Narthex itself"), "{said}");
    }

    for to in [world.narthex.address(), admin.trim_start_matches("http://").to_owned()] {
        let detour = Relay::start(to.parse().unwrap()).unwrap();
        world
            .narthex
            .reload(&with(&format!("http://127.0.0.1:{}", detour.port())))
            .unwrap();
        let first = Instant::now();
        let answer = loop {
            let answer = timeout(SOON, world.send(world.call("GET", "/loop/healthz"))).await;
            let answer = answer.expect("it went round and round");
            // Until the new configuration is in use.
            if answer.status == 508 && !detour.attempts().is_empty() || first.elapsed() > SOON {
                break answer;
            }
            sleep(Duration::from_millis(100)).await;
        };
        assert_eq!(
            (answer.status, answer.reason().as_deref()),
            (508, Some("request.loop")),
            "{}",
            answer.text()
        );
        assert!(detour.attempts().len() <= 2, "{}", detour.attempts().len());
    }
    // Others that a request came through are still named, and this process after them.
    let call = world
        .call("GET", "/public/page")
        .header("via", "1.0 fred, 1.1 proxy.example.com");
    let answer = world.send(call).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let via = world.upstream.last().unwrap().header("via").unwrap();
    assert!(
        via.starts_with("1.0 fred, 1.1 proxy.example.com, 1.1 narthex-"),
        "{via}"
    );
}

/// A clock that is set back locks nobody out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_rate_when_the_clock_is_set_back() {
    let clock = MovedClock::by(3_600);
    let idp = IdentityProvider::start(&[TestKey::Rsa1]).unwrap();
    let upstream = Upstream::start().unwrap();
    let builder = Narthex::builder(env!("CARGO_BIN_EXE_narthex"))
        .config(&format!("[limits]\nrate = \"5/s\"\n{}", config(&idp, &upstream)))
        .unwrap();
    let moved = clock.environment();
    let builder = moved
        .iter()
        .fold(builder, |builder, (name, value)| builder.environment(name, value));
    let narthex = builder.start().await.unwrap();
    let client = Client::new();
    let url = format!("{}/public/page", narthex.url());
    let ask = || async { client.send(Call::get(&url)).await.unwrap().status };
    assert_eq!(ask().await, 200);
    clock.move_to(0);
    for _ in 0..4 {
        sleep(Duration::from_millis(300)).await;
        assert_eq!(ask().await, 200, "the clock was set back");
    }
    let mut refused = false;
    for _ in 0..20 {
        refused |= ask().await == 429;
    }
    assert!(refused, "the rate holds all the same");
}

/// Who is known is served while nothing can be written; others are refused, without a line of log for each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_nothing_can_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let idp = IdentityProvider::start(&[TestKey::Rsa1]).unwrap();
    let upstream = Upstream::start().unwrap();
    // What no file may grow beyond stands in for a disk that is full.
    let narthex = Narthex::builder(limited(folder.path(), "trap '' XFSZ && ulimit -S -f 4096"))
        .config(&config(&idp, &upstream))
        .unwrap()
        .start()
        .await
        .unwrap();
    let client = Client::new();
    let ask = async |user: &str| {
        let call = Call::get(&format!("{}/whoami", narthex.url())).bearer(&member(user).sign());
        client.send(call).await.unwrap().status
    };
    let admin = async |path: &str| client.get(&format!("{}{path}", narthex.admin_url())).await.unwrap();
    assert_eq!(ask("known").await, 200);
    let mut refused = 0;
    for number in 0..400 {
        refused += usize::from(ask(&format!("user-{number}")).await == 503);
        if refused == 60 {
            break;
        }
    }
    assert_eq!(refused, 60, "{}", narthex.logs());
    assert_eq!(ask("known").await, 200);
    let ready = admin("/readyz").await;
    assert_eq!(ready.status, 200);
    assert!(ready.text().contains("could not be written"), "{}", ready.text());
    assert!(
        admin("/metrics")
            .await
            .text()
            .contains("narthex_store_writes_failing 1")
    );
    narthex.logged(&["\"ERROR\""]).await.unwrap();
    let logs = narthex.logs();
    let errors = logs.lines().filter(|line| line.contains("\"ERROR\"")).count();
    assert!((1..=20).contains(&errors), "{errors} lines\n{logs}");

    let id = narthex.process_id().to_string();
    let more = std::process::Command::new("prlimit")
        .args(["--pid", &id, "--fsize=unlimited:unlimited"])
        .status();
    assert!(more.unwrap().success());
    assert_eq!(ask("late").await, 200);
    assert_eq!(admin("/readyz").await.text(), "ready\n");
    assert!(
        admin("/metrics")
            .await
            .text()
            .contains("narthex_store_writes_failing 0")
    );
}
