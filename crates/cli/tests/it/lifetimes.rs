//! Streams end with what let them begin: the token, the user, the organization, the issuer.

use std::time::Duration;

use narthex_testkit::{
    Client, IdentityProvider, Upstream, raw,
    websocket::{TEXT, WebSocket},
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use crate::world::{GUARDED, World, config, member};

/// What a client may have open for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    Events,
    Grpc,
    Socket,
    /// A body that takes so many tenths of a second.
    Body(u32),
}

const WITH_TOKEN: [Stream; 3] = [Stream::Events, Stream::Grpc, Stream::Socket];

/// End of a stream.
#[derive(Debug)]
struct Ended {
    at: Instant,
    after: Duration,
    /// The client can tell that it has everything that there is.
    whole: bool,
}

/// Opens a stream, which then is read to its end.
fn open(world: &World, stream: Stream, path: &str, token: &str) -> JoinHandle<Ended> {
    let (address, path, token) = (world.narthex.address(), path.to_owned(), token.to_owned());
    let began = Instant::now();
    let call = world.call("GET", &path).bearer(&token);
    tokio::spawn(async move {
        let whole = match stream {
            Stream::Socket => {
                let bearer = format!("Bearer {token}");
                let headers = [("authorization", bearer.as_str())];
                let mut socket = WebSocket::open(&address, &path, &headers).await.unwrap();
                socket.send(TEXT, b"hello").await.unwrap();
                assert_eq!(socket.receive().await.unwrap().1, b"hello");
                // What is sent meanwhile is no reason to go on.
                while socket.send(TEXT, b"again").await.is_ok() && socket.receive().await.is_ok() {
                    sleep(Duration::from_millis(50)).await;
                }
                false
            }
            Stream::Events => {
                let answer = Client::new().send(call.header("x-upstream", "sse=250")).await;
                answer.is_ok_and(|answer| answer.text().contains("data: 249"))
            }
            Stream::Grpc => {
                let answer = Client::http2().send(call.header("x-upstream", "grpc-stream=250")).await;
                let answer = answer.unwrap();
                assert_eq!(answer.trailers["grpc-status"], "16", "{:?}", answer.trailers);
                false
            }
            Stream::Body(tenths) => {
                let answer = Client::new()
                    .send(call.header("x-upstream", &format!("stream={tenths}")))
                    .await;
                answer.is_ok()
            }
        };
        Ended {
            at: Instant::now(),
            after: began.elapsed(),
            whole,
        }
    })
}

fn with_times(idp: &IdentityProvider, upstream: &Upstream) -> String {
    let audiences = "audiences = [\"narthex\"]";
    let text = config(idp, upstream).replace(audiences, &format!("{audiences}\nleeway = \"1s\""));
    format!("[limits]\nbody_grace = \"3s\"\n{text}")
}

/// A WebSocket, an event stream and gRPC end with the token that they began with; another body may go on for a grace.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_stream_ends_with_its_token() {
    let world = World::with_config(with_times).await;
    // Its end is a whole second: it lasts for one to two, and a second longer with the leeway.
    let short = member("alice").expires_in(2).sign();
    let long = member("alice").expires_in(600).sign();
    let with_token = WITH_TOKEN.map(|stream| (stream, open(&world, stream, GUARDED, &short)));
    let in_time = open(&world, Stream::Body(30), GUARDED, &short);
    let too_late = open(&world, Stream::Body(200), GUARDED, &short);
    let of_another = WITH_TOKEN.map(|stream| open(&world, stream, GUARDED, &long));
    for (stream, task) in with_token {
        let ended = task.await.unwrap();
        let expected = Duration::from_millis(1_900)..Duration::from_secs(5);
        assert!(expected.contains(&ended.after) && !ended.whole, "{stream:?}: {ended:?}");
    }
    let ended = in_time.await.unwrap();
    assert!(ended.whole, "a body within the grace was cut off: {ended:?}");
    let ended = too_late.await.unwrap();
    let expected = Duration::from_millis(3_900)..Duration::from_secs(7);
    assert!(expected.contains(&ended.after) && !ended.whole, "{ended:?}");
    for task in of_another {
        assert!(
            !task.is_finished(),
            "the stream of a token that is still good has ended"
        );
        task.abort();
    }
    world.narthex.logged(&["stream_ended"]).await.unwrap();
}

/// Makes a change after which a new request of the user is refused.
async fn make(world: &mut World, change: &str, (user, organization): (&str, &str)) {
    let api = world.narthex.api();
    let (method, path, body) = match change {
        "disabled" => ("PATCH", user.to_owned(), Some(json!({ "status": "disabled" }))),
        "signed out" => ("POST", format!("{user}/revoke-tokens"), None),
        "suspended" => ("PATCH", organization.to_owned(), Some(json!({ "status": "suspended" }))),
        _ => {
            let text = config(&world.idp, &world.upstream);
            let text = text.replace("name = \"corp\"", "name = \"corp\"\nenabled = false");
            return world.narthex.reload(&text).unwrap();
        }
    };
    api.done(method, &path, body.as_ref()).await.unwrap();
}

/// All streams of a user end within about a second of the change that would have a new request refused; those of others go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_stream_ends_when_its_user_or_organization_does() {
    let mut world = World::with_config(config).await;
    let api = world.narthex.api();
    let acme = api.organization("acme").await.unwrap().unwrap();
    let acme = format!("/organizations/{}", acme["id"].as_str().unwrap());
    for (who, change, reason) in [
        ("alice", "disabled", "identity.disabled"),
        ("bob", "signed out", "token.revoked"),
        ("carol", "suspended", "organization.suspended"),
        ("dave", "not trusted", "token.issuer_disabled"),
    ] {
        let token = member(who).expires_in(600).sign();
        let first = world.send(world.call("POST", GUARDED).bearer(&token)).await;
        assert_eq!(first.status, 200, "{}", first.text());
        let user = api.user(who).await.unwrap().unwrap();
        let user = format!("/users/{}", user["id"].as_str().unwrap());
        let all = [Stream::Events, Stream::Grpc, Stream::Socket, Stream::Body(250)];
        let ends = all.map(|stream| (stream, open(&world, stream, GUARDED, &token)));
        let other = member("eve").expires_in(600).sign();
        // A suspended organization closes its own paths only.
        let (whose, path) = if change == "suspended" {
            (&token, "/whoami")
        } else {
            (&other, GUARDED)
        };
        let stays = (change != "not trusted").then(|| WITH_TOKEN.map(|stream| open(&world, stream, path, whose)));
        let nobody = world.call("GET", "/public/page").header("x-upstream", "sse=250");
        let anonymous = tokio::spawn(async move { Client::new().send(nobody).await });
        sleep(Duration::from_secs(1)).await;
        make(&mut world, change, (&user, &acme)).await;
        let changed = Instant::now();
        for (stream, task) in ends {
            let ended = timeout(Duration::from_secs(8), task).await;
            let ended = ended
                .unwrap_or_else(|_| panic!("{change}: {stream:?} goes on"))
                .unwrap();
            // A reload is noticed a little later than a change in the directory.
            let most = Duration::from_millis(if change == "not trusted" { 3_000 } else { 1_500 });
            assert!(
                ended.at + Duration::from_millis(500) > changed,
                "{change}: {stream:?} ended before"
            );
            assert!(
                ended.at < changed + most && !ended.whole,
                "{change}: {stream:?}: {ended:?}"
            );
        }
        for task in stays.into_iter().flatten() {
            assert!(!task.is_finished(), "{change}: a stream of others has ended");
            task.abort();
        }
        assert!(!anonymous.is_finished(), "{change}: a public stream has ended");
        anonymous.abort();
        let told = format!("\"reason\":\"{reason}\"");
        world.narthex.logged(&["stream_ended", &told]).await.unwrap();
        if change == "suspended" {
            api.done("PATCH", &acme, Some(&json!({ "status": "active" })))
                .await
                .unwrap();
        }
    }
}

/// A stream whose answer begins late, after its user was signed out and has come back, is the old token's all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_stream_that_begins_after_its_revocation() {
    let slow = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = format!("http://{}", slow.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = slow.accept().await {
            tokio::spawn(async move {
                let mut head = [0; 4096];
                let _ = stream.read(&mut head).await;
                sleep(Duration::from_secs(3)).await;
                let _ = stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
                    .await;
                while stream.write_all(b"data: again\n\n").await.is_ok() {
                    sleep(Duration::from_millis(100)).await;
                }
            });
        }
    });
    let world = World::with_config(|idp, ours| config(idp, ours).replace(&ours.url(), &upstream)).await;
    let api = world.narthex.api();
    let ask = |token: String| {
        let call = world.call("GET", GUARDED).bearer(&token);
        tokio::spawn(async move { Client::new().send(call).await })
    };
    let stolen = ask(member("alice").expires_in(600).sign());
    sleep(Duration::from_millis(700)).await;
    let user = api.user("alice").await.unwrap().unwrap();
    let path = format!("/users/{}/revoke-tokens", user["id"].as_str().unwrap());
    api.done("POST", &path, None).await.unwrap();
    let own = ask(member("alice").issued_in(2).expires_in(600).sign());
    let ended = timeout(Duration::from_secs(7), stolen).await;
    assert!(ended.is_ok(), "the old token's stream goes on");
    assert!(!own.is_finished(), "the new token's stream goes on");
    own.abort();
    world.narthex.logged(&["\"reason\":\"token.revoked\""]).await.unwrap();
}

/// What is still being sent ends too, with an answer that says why.
#[tokio::test]
async fn sec_upload_ends_with_its_user() {
    let world = World::with_config(config).await;
    let token = member("alice").expires_in(600).sign();
    let mut stream = TcpStream::connect(world.narthex.address()).await.unwrap();
    let head = format!(
        "POST {GUARDED} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let sends = tokio::spawn(async move {
        while write.write_all(b"4\r\npart\r\n").await.is_ok() {
            sleep(Duration::from_millis(100)).await;
        }
    });
    sleep(Duration::from_millis(700)).await;
    let api = world.narthex.api();
    let user = api.user("alice").await.unwrap().unwrap();
    let user = format!("/users/{}", user["id"].as_str().unwrap());
    api.done("PATCH", &user, Some(&json!({ "status": "disabled" })))
        .await
        .unwrap();
    let mut answer = vec![0; 4096];
    let length = timeout(Duration::from_secs(2), read.read(&mut answer)).await;
    let length = length.expect("it goes on").unwrap();
    answer.truncate(length);
    assert_eq!(raw::status(&answer), Some(403), "{}", String::from_utf8_lossy(&answer));
    assert!(String::from_utf8_lossy(&answer).contains("identity.disabled"));
    sends.abort();
}
