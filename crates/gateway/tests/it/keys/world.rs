//! What the tests of this folder share: names that resolve as told, limits short enough to test.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use narthex_gateway::{Access, FetchError, FetchLimits, KeySource, Names, SystemNames, fetch_once};
use narthex_token::KeySet;

/// A moment in 2026, in milliseconds.
pub(crate) const NOW_MS: i64 = 1_790_000_000_000;

/// Limits that let a hanging server be tested in a fraction of a second.
pub(crate) fn short() -> FetchLimits {
    FetchLimits {
        total: Duration::from_millis(400),
        connect: Duration::from_millis(200),
        ..FetchLimits::default()
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
    fetch_once(&KeySource::url(url, access).unwrap(), &names, short(), NOW_MS).await
}

/// The host of these tests, allowed to be on this machine.
pub(crate) fn private() -> Access {
    Access {
        allow_private_hosts: vec!["idp.test".to_owned()],
        ..Access::default()
    }
}
