//! Webhooks, end to end: a receiver that fails, a server that is killed, secrets that change, and the libraries of others
//! as receivers.

use std::collections::{BTreeMap, HashSet};
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body_util::BodyExt as _;
use narthex_testkit::server::{Server, full};
use narthex_testkit::{Narthex, repository};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// A message as it arrived.
#[derive(Clone, Debug)]
struct Received {
    headers: HeaderMap,
    body: Bytes,
    accepted: bool,
}

impl Received {
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn sequence(&self) -> u64 {
        self.json()["data"]["sequence"].as_u64().unwrap()
    }

    fn object(&self) -> String {
        self.json()["data"]["user_id"].to_string()
    }
}

/// A receiver, and what it got.
struct Receiver {
    received: Arc<Mutex<Vec<Received>>>,
    server: Server,
}

impl Receiver {
    /// A receiver that answers each request as `answer` says, by the number of the request.
    fn start(answer: impl Fn(u32) -> (u16, Option<&'static str>) + Send + Sync + 'static) -> Self {
        Self::start_by_headers(move |number, _| answer(number))
    }

    /// A receiver that fails the first time that an event comes: half the time, and no event so often that its next try is
    /// minutes away.
    fn start_with_failures() -> Self {
        let seen = Mutex::new(HashSet::new());
        Self::start_by_headers(move |_, headers| {
            let is_first = seen.lock().unwrap().insert(headers["webhook-id"].clone());
            (if is_first { 503 } else { 204 }, None)
        })
    }

    fn start_by_headers(
        answer: impl Fn(u32, &HeaderMap) -> (u16, Option<&'static str>) + Send + Sync + 'static,
    ) -> Self {
        let received: Arc<Mutex<Vec<Received>>> = Arc::default();
        let (kept, number, answer) = (Arc::clone(&received), Arc::new(AtomicU32::new(0)), Arc::new(answer));
        let server = Server::start(move |request| {
            let (kept, number, answer) = (Arc::clone(&kept), Arc::clone(&number), Arc::clone(&answer));
            Box::pin(async move {
                let headers = request.headers().clone();
                let body = request.into_body().collect().await?.to_bytes();
                let (status, retry_after) = answer(number.fetch_add(1, Ordering::SeqCst), &headers);
                let accepted = (200..300).contains(&status);
                kept.lock().unwrap().push(Received {
                    headers,
                    body,
                    accepted,
                });
                let mut response = Response::builder().status(status);
                if let Some(retry_after) = retry_after {
                    response = response.header("retry-after", retry_after);
                }
                Ok(response.body(full(Bytes::new()))?)
            })
        });
        Self {
            received,
            server: server.unwrap(),
        }
    }

    fn url(&self) -> String {
        self.server.url()
    }

    /// Everything that it accepted.
    fn accepted(&self) -> Vec<Received> {
        let received = self.received.lock().unwrap();
        received.iter().filter(|received| received.accepted).cloned().collect()
    }

    /// Waits until it has accepted so many different messages.
    async fn has(&self, count: usize, narthex: &Narthex) -> Vec<Received> {
        let begun = Instant::now();
        loop {
            let accepted = self.accepted();
            let ids: HashSet<&str> = accepted.iter().map(|received| received.header("webhook-id")).collect();
            if ids.len() >= count {
                return accepted;
            }
            assert!(
                begun.elapsed() < Duration::from_mins(4),
                "{} of {count}\n{}",
                ids.len(),
                narthex.logs()
            );
            sleep(Duration::from_millis(50)).await;
        }
    }
}

const CONFIGURATION: &str = "[webhook]\nallow_private_hosts = [\"127.0.0.1\"]\n\n\
     [[issuer]]\nname = \"corp\"\nissuer = \"https://idp.test\"\njwks_url = \"http://127.0.0.1:9/jwks\"\naudiences = [\"narthex\"]\n";

async fn narthex(configuration: &str) -> Narthex {
    let builder = Narthex::builder(env!("CARGO_BIN_EXE_narthex"))
        .config(configuration)
        .unwrap()
        .environment("NARTHEX_SECRET_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    builder.start().await.unwrap()
}

async fn create(narthex: &Narthex, url: &str, actions: &[&str]) -> String {
    let body = json!({ "name": "crm", "url": url, "actions": actions });
    let made = narthex.api().done("POST", "/webhooks", Some(&body)).await.unwrap();
    made["secret"].as_str().unwrap().to_owned()
}

async fn user(narthex: &Narthex, external_id: &str) -> String {
    let body = json!({ "external_id": external_id });
    let made = narthex.api().done("POST", "/users", Some(&body)).await.unwrap();
    made["id"].as_str().unwrap().to_owned()
}

/// Changes each of the users so many times, by several administrators at once.
async fn change(narthex: &Narthex, users: &[String], times: usize) {
    let mut workers = tokio::task::JoinSet::new();
    for part in users.chunks(users.len().div_ceil(16)) {
        let (api, part) = (narthex.api(), part.to_vec());
        workers.spawn(async move {
            for time in 0..times {
                for user in &part {
                    let change = json!({ "name": format!("Name {time} of {times}") });
                    let path = format!("/users/{user}");
                    api.done("PATCH", &path, Some(&change)).await.unwrap();
                }
            }
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker.unwrap();
    }
}

/// Each message once, in the order of the first arrival.
fn first_arrivals(accepted: &[Received]) -> Vec<Received> {
    let mut seen = HashSet::new();
    let is_first = |received: &&Received| seen.insert(received.header("webhook-id").to_owned());
    accepted.iter().filter(is_first).cloned().collect()
}

/// A thousand events (ten thousand in `cargo xtask verify`), a receiver that fails half the time, and `kill -9` in between: each arrives at least once, and those
/// of one user in their order, with the same bytes each time.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn webhooks_survive_failures_and_kills_in_the_order_of_each_object() {
    let asked = std::env::var_os("NARTHEX_WEBHOOK_EVENTS");
    let events: usize = asked.map_or(1_000, |asked| asked.to_str().unwrap().parse().unwrap());
    let receiver = Receiver::start_with_failures();
    let mut narthex = narthex(CONFIGURATION).await;
    create(&narthex, &receiver.url(), &["user.updated"]).await;
    let mut users = Vec::new();
    for number in 0..events / 10 {
        users.push(user(&narthex, &format!("user-{number}")).await);
    }
    change(&narthex, &users, 4).await;
    receiver.has(events / 20, &narthex).await;
    narthex.kill();
    narthex.start_again().await.unwrap();
    change(&narthex, &users, 6).await;
    receiver.has(events * 3 / 10, &narthex).await;
    narthex.kill();
    narthex.start_again().await.unwrap();
    let accepted = receiver.has(events, &narthex).await;

    let first = first_arrivals(&accepted);
    assert_eq!(first.len(), events);
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    for received in &first {
        let (object, sequence) = (received.object(), received.sequence());
        let before = last.insert(object.clone(), sequence);
        assert!(
            before.is_none_or(|before| before < sequence),
            "{object}: {before:?} and then {sequence}"
        );
    }
    let mut bodies: BTreeMap<&str, &Bytes> = BTreeMap::new();
    let received = receiver.received.lock().unwrap();
    for received in received.iter() {
        let body = bodies.entry(received.header("webhook-id")).or_insert(&received.body);
        assert_eq!(**body, received.body);
    }
}

/// The libraries of Standard Webhooks on npm and PyPI accept the messages, also while the secret changes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_libraries_of_standard_webhooks_accept_the_messages() {
    let receiver = Receiver::start(|_| (200, None));
    let narthex = narthex(CONFIGURATION).await;
    let old = create(&narthex, &receiver.url(), &["user.created"]).await;
    user(&narthex, "anna").await;
    receiver.has(1, &narthex).await;
    let (api, nothing) = (narthex.api(), json!({}));
    let rotated = api
        .done("POST", "/webhooks/crm/rotate-secret", Some(&nothing))
        .await
        .unwrap();
    let new = rotated["secret"].as_str().unwrap().to_owned();
    assert_ne!(old, new);
    user(&narthex, "ben").await;
    let accepted = receiver.has(2, &narthex).await;
    for library in ["node", "python"] {
        assert_eq!(verify(library, &old, &accepted[0]), "anna");
        assert_eq!(verify(library, &old, &accepted[1]), "ben", "during the rotation");
        assert_eq!(verify(library, &new, &accepted[1]), "ben");
        assert_eq!(
            verify(library, &new, &accepted[0]),
            "refused",
            "from before the rotation"
        );
        let tampered = Received {
            body: Bytes::from_static(b"{}"),
            ..accepted[1].clone()
        };
        assert_eq!(verify(library, &new, &tampered), "refused");
    }
}

/// A receiver with the public key alone verifies the messages; while a key pair takes the place of a secret, both do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_verifies_the_messages_of_a_key_pair() {
    let receiver = Receiver::start(|_| (200, None));
    let narthex = narthex(CONFIGURATION).await;
    let secret = create(&narthex, &receiver.url(), &["user.created"]).await;
    let (api, change) = (narthex.api(), json!({ "signature": "v1a" }));
    let rotated = api
        .done("POST", "/webhooks/crm/rotate-secret", Some(&change))
        .await
        .unwrap();
    assert_eq!(rotated["secret"], Value::Null);
    let public = rotated["public_key"].as_str().unwrap().to_owned();
    user(&narthex, "anna").await;
    let accepted = receiver.has(1, &narthex).await;
    assert_eq!(verify("node", &public, &accepted[0]), "anna");
    assert_eq!(verify("node", &secret, &accepted[0]), "anna", "during the rotation");
    let tampered = Received {
        body: Bytes::from_static(b"{}"),
        ..accepted[0].clone()
    };
    assert_eq!(verify("node", &public, &tampered), "refused");
}

/// Verifies a message: the external id that it tells of, or `refused`.
fn verify(library: &str, secret: &str, received: &Received) -> String {
    let message = json!({
        "secret": secret,
        "headers": {
            "webhook-id": received.header("webhook-id"),
            "webhook-timestamp": received.header("webhook-timestamp"),
            "webhook-signature": received.header("webhook-signature"),
        },
        "body": std::str::from_utf8(&received.body).unwrap(),
    });
    let (program, script) = match library {
        "node" => ("node".into(), "e2e/node/verify-webhook.mjs"),
        _ => (
            repository().join("e2e/python/.venv/bin/python"),
            "e2e/python/verify_webhook.py",
        ),
    };
    let mut child = Command::new::<std::path::PathBuf>(program)
        .arg(repository().join(script))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("`cargo xtask setup` installs what the tests need");
    child
        .stdin
        .take()
        .unwrap()
        .write_all(message.to_string().as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    match told["accepted"].as_bool() {
        Some(true) => told["detail"]["external_id"]["to"]
            .as_str()
            .unwrap_or("accepted")
            .to_owned(),
        _ => "refused".to_owned(),
    }
}

/// 410 disables a webhook; its events wait until an administrator enables it again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_is_gone_disables_its_webhook() {
    let receiver = Receiver::start(|number| (if number == 0 { 410 } else { 200 }, None));
    let narthex = narthex(CONFIGURATION).await;
    create(&narthex, &receiver.url(), &["user.created"]).await;
    user(&narthex, "anna").await;
    narthex.logged(&["webhook_disabled"]).await.unwrap();
    let shown = narthex.api().get("/webhooks/crm").await.unwrap();
    assert_eq!(shown["enabled"], false, "{shown}");
    assert!(shown["disabled_because"].as_str().unwrap().contains("410"));
    user(&narthex, "ben").await;
    sleep(Duration::from_millis(1_500)).await;
    assert!(receiver.accepted().is_empty());
    let enabled = json!({ "enabled": true });
    narthex
        .api()
        .done("PATCH", "/webhooks/crm", Some(&enabled))
        .await
        .unwrap();
    assert_eq!(receiver.has(2, &narthex).await.len(), 2);
}

/// A replay sends the same bytes and ids again; the log tells of each try.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_sends_the_same_bytes_and_ids_again() {
    let receiver = Receiver::start(|number| match number {
        0 => (429, Some("3")),
        _ => (200, None),
    });
    let narthex = narthex(CONFIGURATION).await;
    create(&narthex, &receiver.url(), &["user.created"]).await;
    user(&narthex, "anna").await;
    user(&narthex, "ben").await;
    let before = receiver.has(2, &narthex).await;
    let log = narthex.api().list("/webhooks/crm/attempts").await.unwrap();
    let failed = log.iter().find(|attempt| attempt["status"] == 429).unwrap();
    assert_eq!(failed["outcome"], "failed");
    let first = narthex.api().get("/audit-events?action=webhook.created").await.unwrap();
    let after = json!({ "after": first["items"][0]["sequence"] });
    narthex
        .api()
        .done("POST", "/webhooks/crm/replay", Some(&after))
        .await
        .unwrap();
    let begun = Instant::now();
    while receiver.accepted().len() < 4 {
        assert!(begun.elapsed() < Duration::from_secs(20), "{}", narthex.logs());
        sleep(Duration::from_millis(50)).await;
    }
    let again = receiver.accepted();
    for message in &before {
        let same = again[2..]
            .iter()
            .find(|other| other.header("webhook-id") == message.header("webhook-id"));
        assert_eq!(same.unwrap().body, message.body);
    }
}

/// Without an entry in `allow_private_hosts`, a webhook reaches neither this machine nor a private network.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_webhooks_reach_no_private_host() {
    let receiver = Receiver::start(|_| (200, None));
    let configuration = CONFIGURATION.replace("allow_private_hosts = [\"127.0.0.1\"]", "allow_private_hosts = []");
    let narthex = narthex(&configuration).await;
    create(&narthex, &receiver.url(), &["user.created"]).await;
    user(&narthex, "anna").await;
    let begun = Instant::now();
    let attempt = loop {
        let log = narthex.api().list("/webhooks/crm/attempts").await.unwrap();
        if let Some(attempt) = log.first() {
            break attempt.clone();
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{}", narthex.logs());
        sleep(Duration::from_millis(50)).await;
    };
    assert!(attempt["error"].as_str().unwrap().contains("loopback"), "{attempt}");
    assert!(receiver.received.lock().unwrap().is_empty());
}

/// Without a secret key there is nothing to seal a webhook's secret with.
#[tokio::test]
async fn sec_webhooks_need_a_secret_key() {
    let narthex = Narthex::builder(env!("CARGO_BIN_EXE_narthex"))
        .config(CONFIGURATION)
        .unwrap()
        .start()
        .await
        .unwrap();
    let body = json!({ "name": "crm", "url": "https://crm.example.com/" });
    let refused = narthex.api().call("POST", "/webhooks", Some(&body)).await.unwrap();
    assert!(refused.status >= 400, "{}", refused.text());
    assert!(refused.text().contains("NARTHEX_SECRET_KEY"), "{}", refused.text());
}
