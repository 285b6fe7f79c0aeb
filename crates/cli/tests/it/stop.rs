//! What is under way when Narthex is told to stop.

use std::time::Duration;

use narthex_testkit::{
    Client, raw,
    websocket::{TEXT, WebSocket},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use crate::world::World;

/// A change through the admin API that has begun is made, although nothing is left to do on the public port.
#[tokio::test]
async fn a_request_on_the_admin_port_is_answered() {
    let mut world = World::start().await;
    let key = world.narthex.api().key().to_owned();
    let body = r#"{"name": "late", "realm": "corp"}"#;
    let (first, second) = body.split_at(10);
    let address = world.narthex.admin_url().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /api/v1/organizations HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{first}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // It has to be read before the process is told.
    sleep(Duration::from_millis(300)).await;
    world.narthex.signal("TERM").unwrap();
    sleep(Duration::from_millis(700)).await;
    stream.write_all(second.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    timeout(Duration::from_secs(5), read).await.unwrap().unwrap();
    assert_eq!(raw::status(&answer), Some(201), "{}", String::from_utf8_lossy(&answer));
    world.narthex.terminate().await.unwrap();
    world.narthex.start_again().await.unwrap();
    let late = world.narthex.api().get("/organizations/late").await.unwrap();
    assert_eq!(late["name"], "late");
}

/// A tunnel goes on until its ends have done, or the grace is over.
#[tokio::test]
async fn a_web_socket_has_the_grace() {
    for closes in [true, false] {
        let mut world = World::with_config(|idp, upstream| {
            crate::world::config(idp, upstream).replacen("[listen]", "[listen]\nshutdown_grace = \"4s\"", 1)
        })
        .await;
        let mut socket = WebSocket::open(&world.narthex.address(), "/public/socket", &[])
            .await
            .unwrap();
        let told = Instant::now();
        world.narthex.signal("TERM").unwrap();
        for _ in 0..4 {
            sleep(Duration::from_millis(300)).await;
            socket.send(TEXT, b"still here").await.unwrap();
            assert_eq!(socket.receive().await.unwrap(), (TEXT, b"still here".to_vec()));
        }
        let kept = (!closes).then_some(socket);
        world.narthex.terminate().await.unwrap();
        let took = told.elapsed();
        assert_eq!(took < Duration::from_secs(4), closes, "ended after {took:?}");
        drop(kept);
    }
}

/// Answers go on to their end, by HTTP/1.1 and HTTP/2. A client that comes meanwhile is refused at once, so that it can go to
/// another node.
#[tokio::test]
async fn answers_under_way_are_finished_and_no_further_connection_is_taken() {
    for client in [Client::new(), Client::http2()] {
        let mut world = World::start().await;
        let call = world.call("GET", "/public/page").header("x-upstream", "stream=15");
        let answering = tokio::spawn(async move { client.send(call).await });
        // It has to be under way before the process is told.
        sleep(Duration::from_millis(400)).await;
        world.narthex.signal("TERM").unwrap();
        sleep(Duration::from_millis(300)).await;
        let refused = timeout(Duration::from_secs(1), TcpStream::connect(world.narthex.address()));
        assert!(refused.await.unwrap().is_err(), "the port is closed");
        let answer = answering.await.unwrap().unwrap();
        assert_eq!((answer.status, answer.text().lines().count()), (200, 15));
        world.narthex.terminate().await.unwrap();
    }
}
