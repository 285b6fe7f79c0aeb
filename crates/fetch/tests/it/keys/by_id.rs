//! One key for each id, each at its own address.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use narthex_fetch::keys::{
    Access, FetchError, FetchLimits, KeySetStore, KeySettings, KeySource, SourceKind, fetch_once,
};
use narthex_testkit::TestKey;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::world::{Memory, NOW_MS, Subject, builder, system, token};

/// A server of documents by path, that writes down what it was asked for.
#[derive(Clone, Default)]
struct Store {
    documents: Arc<Mutex<HashMap<String, String>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Store {
    fn put(&self, kid: &str, document: &str) {
        let path = format!("/keys/{kid}");
        self.documents.lock().unwrap().insert(path, document.to_owned());
    }

    fn take(&self, kid: &str) {
        self.documents.lock().unwrap().remove(&format!("/keys/{kid}"));
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// Serves, and returns the keys of an issuer whose keys are here.
    async fn serve(&self) -> Subject {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let store = self.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = vec![0; 4096];
                let read = stream.read(&mut head).await.unwrap_or_default();
                let head = String::from_utf8_lossy(head.get(..read).unwrap_or_default()).into_owned();
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                let found = store.documents.lock().unwrap().get(&path).cloned();
                store.asked.lock().unwrap().push(path);
                // As object stores answer for what is not there.
                let (status, body) = found.map_or(("403 Forbidden", String::new()), |body| ("200 OK", body));
                let answer = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Subject::new(KeySource::by_id(&format!("http://{address}/keys/{{kid}}"), Access::default()).unwrap())
    }
}

/// JWK of a key, under an id of its own.
fn jwk(key: TestKey, kid: &str) -> String {
    let mut jwk = key.bare_jwk();
    jwk["kid"] = kid.into();
    jwk.to_string()
}

#[tokio::test]
async fn a_key_is_fetched_once_when_a_token_names_it() {
    let store = Store::default();
    store.put("rsa_1", &TestKey::Rsa1.jwk().to_string());
    store.put("rsa_2", &TestKey::Rsa2.bare_jwk().to_string());
    let subject = store.serve().await;
    assert_eq!(store.asked(), 0);
    assert_eq!(subject.ask(&token(TestKey::Rsa1)).await, "ok");
    assert_eq!(subject.ask(&token(TestKey::Rsa2)).await, "ok");
    assert_eq!(subject.ask(&token(TestKey::Rsa1)).await, "ok");
    assert_eq!(store.asked(), 2);
    let health = subject.keys.health(NOW_MS);
    assert_eq!(
        (health.source, health.usable_count, health.serving),
        (SourceKind::KeyUrl, 2, true)
    );
}

/// Two tokens of one new key cause one fetch.
#[tokio::test]
async fn requests_that_miss_the_same_key_share_its_fetch() {
    let store = Store::default();
    store.put("rsa_1", &TestKey::Rsa1.jwk().to_string());
    let subject = store.serve().await;
    let token = token(TestKey::Rsa1);
    let (one, other) = tokio::join!(subject.ask(&token), subject.ask(&token));
    assert_eq!((one, other, store.asked()), ("ok", "ok", 1));
}

/// A key that says it is another one, a private key, two keys, and what is no key at all are not used.
#[tokio::test]
async fn sec_a_key_counts_only_under_its_own_id() {
    let store = Store::default();
    let two = serde_json::json!({ "keys": [TestKey::Rsa1.jwk(), TestKey::Rsa2.jwk()] });
    for (kid, document) in [
        ("other", jwk(TestKey::Rsa1, "rsa_1")),
        ("private", TestKey::Rsa1.pem().to_owned()),
        ("two", two.to_string()),
        ("page", "<html>".to_owned()),
    ] {
        store.put(kid, &document);
    }
    let subject = store.serve().await;
    for kid in ["other", "private", "two", "page"] {
        let token = builder(TestKey::Rsa1).header("kid", kid).sign();
        assert_eq!(subject.ask(&token).await, "keys.unavailable", "{kid}");
    }
}

#[tokio::test]
async fn sec_an_id_that_is_no_plain_word_asks_nobody() {
    let store = Store::default();
    let subject = store.serve().await;
    for kid in ["../rsa_1", "a/b", "a%2fb", "a?b", "rsa_1#x", "", "a b"] {
        let token = builder(TestKey::Rsa1).header("kid", kid).sign();
        assert_eq!(subject.ask(&token).await, "token.key_unknown", "{kid}");
    }
    assert_eq!(store.asked(), 0);
}

#[tokio::test]
async fn an_unknown_id_is_asked_for_again_after_the_cooldown() {
    let store = Store::default();
    let subject = store.serve().await;
    assert_eq!(subject.ask(&token(TestKey::Rsa1)).await, "token.key_unknown");
    store.put("rsa_1", &TestKey::Rsa1.jwk().to_string());
    assert_eq!(subject.ask(&token(TestKey::Rsa1)).await, "token.key_unknown");
    assert_eq!(store.asked(), 1);
    subject.advance_seconds(30);
    assert_eq!(subject.ask(&token(TestKey::Rsa1)).await, "ok");
}

#[tokio::test]
async fn sec_a_withdrawn_key_is_refused_when_it_is_asked_for_again() {
    let store = Store::default();
    store.put("rsa_1", &TestKey::Rsa1.jwk().to_string());
    let subject = store.serve().await;
    assert_eq!(subject.ask(&token(TestKey::Rsa1)).await, "ok");
    let epoch = subject.keys.epoch();
    store.take("rsa_1");
    subject.advance_seconds(570);
    subject.keys.refresh_if_due().await;
    assert_eq!(subject.ask(&token(TestKey::Rsa1)).await, "token.key_unknown");
    assert!(subject.keys.epoch() > epoch);
}

#[tokio::test]
async fn keys_survive_a_restart() {
    let store = Store::default();
    store.put("rsa_1", &TestKey::Rsa1.jwk().to_string());
    let first = store.serve().await;
    let memory = Arc::new(Memory::default());
    let start = || {
        let location = first.keys.source().location().unwrap();
        let source = KeySource::by_id(&location, Access::default()).unwrap();
        Subject::with(
            source,
            Some(memory.clone() as Arc<dyn KeySetStore>),
            KeySettings::default(),
        )
    };
    assert_eq!(start().ask(&token(TestKey::Rsa1)).await, "ok");
    for _ in 0..200 {
        if !memory.0.lock().unwrap().is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    store.take("rsa_1");
    let second = start();
    second.keys.restore().await;
    let asked = store.asked();
    assert_eq!(second.ask(&token(TestKey::Rsa1)).await, "ok");
    assert_eq!(store.asked(), asked);
}

#[tokio::test]
async fn there_is_no_set_to_read() {
    let source = KeySource::by_id("https://keys.example/{kid}", Access::default()).unwrap();
    let error = fetch_once(&source, &system(), FetchLimits::default(), NOW_MS)
        .await
        .unwrap_err();
    assert!(matches!(error, FetchError::ById), "{error}");
    assert_eq!(source.location().as_deref(), Some("https://keys.example/{kid}"));
}

/// The SSRF guard looks at the address of every key.
#[tokio::test]
async fn sec_jwks_ssrf_of_keys_by_id() {
    for url in [
        "https://10.0.0.1/{kid}",
        "https://169.254.169.254/{kid}",
        "file:///{kid}",
        "http://keys.example/{kid}",
    ] {
        assert!(KeySource::by_id(url, Access::default()).is_err(), "{url}");
    }
}
