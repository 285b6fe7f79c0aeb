//! Clients that take their time, with `limits.header_timeout` at its least.

use std::time::Duration;

use narthex_testkit::Answer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::world::{GUARDED, World, config, member};

async fn world() -> World {
    World::with_config(|idp, upstream| format!("[limits]\nheader_timeout = \"1s\"\n{}", config(idp, upstream))).await
}

fn admin_address(world: &World) -> String {
    world.narthex.admin_url().trim_start_matches("http://").to_owned()
}

/// Sends a byte every fifth of a second for as long as the other side takes it, six seconds at the most.
async fn trickle(address: &str, head: &[u8]) -> bool {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let dripping = async {
        let (mut reading, mut writing) = stream.split();
        for byte in head.iter().cycle() {
            if writing.write_all(&[*byte]).await.is_err() {
                return;
            }
            let mut rest = [0; 64];
            if let Ok(Ok(0) | Err(_)) = timeout(Duration::from_millis(200), reading.read(&mut rest)).await {
                return;
            }
        }
    };
    timeout(Duration::from_secs(6), dripping).await.is_ok()
}

/// A connection that is held with half a head, or with nothing, is closed, on both ports: otherwise some thousand of
/// them, which cost their owner nothing, would be all that there may be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_slow_head() {
    let world = world().await;
    for address in [world.narthex.address(), admin_address(&world)] {
        let head = b"GET /whoami HTTP/1.1\r\nx-long: ".iter().chain([b'a'; 4096].iter());
        assert!(
            trickle(&address, &head.copied().collect::<Vec<u8>>()).await,
            "{address}: a head that trickles in was waited for"
        );
        let mut silent = TcpStream::connect(&address).await.unwrap();
        let ended = timeout(Duration::from_secs(6), silent.read(&mut [0; 1])).await;
        assert!(
            matches!(ended, Ok(Ok(0) | Err(_))),
            "{address}: a connection that says nothing was kept"
        );
    }
}

/// A large answer, and a client that asks for it and has not read more than its first line.
async fn reader(world: &World) -> TcpStream {
    let mut stream = TcpStream::connect(world.narthex.address()).await.unwrap();
    let request = "GET /public/page HTTP/1.1\r\nhost: a\r\nx-upstream: bytes=30000000\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut began = [0; 15];
    stream.read_exact(&mut began).await.unwrap();
    assert_eq!(&began, b"HTTP/1.1 200 OK");
    stream
}

async fn world_of_readers() -> World {
    World::with_config(|idp, upstream| {
        let limits = "header_timeout = \"1s\"\nidle_timeout = \"2s\"\nconnections = 2";
        format!("[limits]\n{limits}\n{}", config(idp, upstream))
    })
    .await
}

/// Who asks for a large answer and takes nothing of it has a place for `limits.idle_timeout` and not for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_reader_that_takes_nothing() {
    let world = world_of_readers().await;
    let readers = [reader(&world).await, reader(&world).await];
    let waiting = world.client.send(world.call("GET", "/public/page"));
    let answer = timeout(Duration::from_secs(15), waiting).await;
    assert_eq!(answer.expect("the places were kept").unwrap().status, 200);
    drop(readers);
}

/// One who takes it slowly gets all of it, however long it takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_gets_its_whole_answer() {
    let world = world_of_readers().await;
    let mut stream = reader(&world).await;
    let mut taken = 0;
    let mut buffer = vec![0; 1_500_000];
    loop {
        let part = timeout(Duration::from_secs(5), async {
            let mut part = 0;
            while part < buffer.len() {
                match stream.read(&mut buffer[part..]).await.unwrap() {
                    0 => break,
                    length => part += length,
                }
            }
            part
        })
        .await
        .unwrap();
        if part == 0 {
            break;
        }
        taken += part;
        sleep(Duration::from_millis(300)).await;
    }
    assert!(taken > 30_000_000, "cut off after {taken}");
}

/// None of this takes a connection from somebody who waits for an answer, or who uses it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_answers_and_used_connections_stay() {
    let world = world().await;
    let token = member("ada").sign();
    let answered = |answer: &Answer| assert_eq!(answer.status, 200, "{}", answer.text());
    answered(&world.send(world.call("POST", GUARDED).bearer(&token)).await);
    let slow = world.call("POST", GUARDED).bearer(&token);
    answered(&world.send(slow.header("x-upstream", "slow=3000")).await);

    let mut kept = TcpStream::connect(world.narthex.address()).await.unwrap();
    let request = format!("GET /whoami HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n\r\n");
    for _ in 0..6 {
        kept.write_all(request.as_bytes()).await.unwrap();
        let mut buffer = [0; 4096];
        let read = timeout(Duration::from_secs(5), kept.read(&mut buffer)).await;
        let read = read.unwrap().unwrap();
        assert!(
            buffer[..read].starts_with(b"HTTP/1.1 200"),
            "a used connection was closed"
        );
        sleep(Duration::from_millis(600)).await;
    }
}
