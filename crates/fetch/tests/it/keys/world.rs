//! What the tests of this folder share: names that resolve as told, limits short enough to test.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use narthex_clock::Clock;
use narthex_fetch::keys::{Access, FetchError, FetchLimits, KeySource, fetch_once};
use narthex_fetch::keys::{IssuerKeys, KeyEdges, KeySetStore, KeySetStoreError, KeySettings, StoredKeySet};
use narthex_fetch::ssrf_guard::{Names, SystemNames};
use narthex_testkit::{TestIssuer, TestKey};
use narthex_token::{IssuerPolicy, KeySet, Limits, TrustedIssuer, VerifyError};

/// A moment in 2026, in milliseconds.
pub(crate) const NOW_MS: i64 = 1_790_000_000_000;

/// Limits that let a hanging server be tested in a second. Everything else has the product's own time.
pub(crate) fn impatient() -> KeySettings {
    let fetch = FetchLimits {
        total: Duration::from_secs(1),
        connect: Duration::from_millis(500),
        ..FetchLimits::default()
    };
    KeySettings {
        fetch,
        ..KeySettings::default()
    }
}

/// A resolver that gives one answer after another and stays with the last.
#[derive(Debug)]
pub(crate) struct Script {
    answers: Mutex<VecDeque<Vec<IpAddr>>>,
    lookups: AtomicUsize,
}

impl Script {
    pub(crate) fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |answer: &&[&str]| answer.iter().map(|address| address.parse().unwrap()).collect();
        Arc::new(Self {
            answers: Mutex::new(answers.iter().map(parse).collect()),
            lookups: AtomicUsize::new(0),
        })
    }

    pub(crate) fn lookups(&self) -> usize {
        self.lookups.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Names for Script {
    async fn lookup(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
        self.lookups.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.len() > 1 {
            answers.pop_front()
        } else {
            answers.front().cloned()
        };
        answer.ok_or_else(|| io::Error::other("no such name"))
    }
}

/// The system's resolver; nothing on loopback asks it.
pub(crate) fn system() -> Arc<dyn Names> {
    Arc::new(SystemNames)
}

/// One fetch of a URL.
pub(crate) async fn fetch(url: &str, access: Access, names: Arc<dyn Names>) -> Result<Arc<KeySet>, FetchError> {
    fetch_once(
        &KeySource::url(url, access).unwrap(),
        &names,
        FetchLimits::default(),
        NOW_MS,
    )
    .await
}

/// The host of these tests, allowed to be on this machine.
pub(crate) fn private() -> Access {
    Access {
        allow_private_hosts: vec!["idp.test".to_owned()],
        ..Access::default()
    }
}

/// A store in memory that outlives the keys, as a database outlives a process.
#[derive(Debug, Default)]
pub(crate) struct Memory(pub(crate) Mutex<HashMap<String, StoredKeySet>>);

#[async_trait]
impl KeySetStore for Memory {
    async fn load(&self, issuer: &str) -> Result<Option<StoredKeySet>, KeySetStoreError> {
        Ok(self.0.lock().unwrap().get(issuer).cloned())
    }

    async fn save(&self, issuer: &str, set: StoredKeySet) -> Result<(), KeySetStoreError> {
        self.0.lock().unwrap().insert(issuer.to_owned(), set);
        Ok(())
    }
}

/// One issuer: its keys, the terms it is trusted on, and a clock that stands still until it is moved.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    pub(crate) keys: IssuerKeys,
    pub(crate) clock: Clock,
    trusted: Arc<TrustedIssuer>,
}

impl Subject {
    pub(crate) fn new(source: KeySource) -> Self {
        Self::with(source, None, KeySettings::default())
    }

    pub(crate) fn with(source: KeySource, store: Option<Arc<dyn KeySetStore>>, settings: KeySettings) -> Self {
        let clock = Clock::manual(NOW_MS);
        let mut policy = IssuerPolicy::key_set("corporate", ISSUER);
        policy.audiences = vec!["narthex".to_owned()];
        let edges = KeyEdges {
            store,
            ..KeyEdges::new(clock.clone())
        };
        Self {
            keys: IssuerKeys::new("corporate", source, edges, settings),
            clock,
            trusted: Arc::new(TrustedIssuer::new(policy).unwrap()),
        }
    }

    pub(crate) fn at(url: &str) -> Self {
        Self::new(KeySource::url(url, Access::default()).unwrap())
    }

    /// The reason code, or `ok`.
    pub(crate) async fn ask(&self, token: &str) -> &'static str {
        self.verify(token).await.map_or_else(|error| error.reason(), |()| "ok")
    }

    pub(crate) async fn verify(&self, token: &str) -> Result<(), VerifyError> {
        let now_ms = self.clock.now_ms();
        let verify = |keys: &KeySet| {
            narthex_token::parse(token, &Limits::default())?
                .verify(&self.trusted, keys, now_ms)
                .map(|_| ())
        };
        self.keys.verify_with(now_ms, verify).await.map(|((), _)| ())
    }

    pub(crate) fn advance_seconds(&self, seconds: i64) {
        self.clock.advance(seconds * 1000);
    }
}

pub(crate) const ISSUER: &str = "https://idp.test";

/// A token that is good for days, so that only keys decide.
pub(crate) fn token(key: TestKey) -> String {
    builder(key).sign()
}

pub(crate) fn builder(key: TestKey) -> narthex_testkit::TokenBuilder {
    TestIssuer::new(ISSUER).key(key).token_at(NOW_MS).expires_in(1_000_000)
}
