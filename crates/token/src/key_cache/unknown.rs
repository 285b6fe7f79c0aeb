//! Keys that a fresh set did not have: asking again soon is no use.

use std::collections::{HashMap, VecDeque};

use aws_lc_rs::digest::{Context, SHA256};

use crate::keys::KeyHint;

/// A bounded memory. Names are kept as hashes, so a long `kid` takes no more room than a short one.
#[derive(Debug)]
pub(super) struct UnknownKeys {
    until_ms: HashMap<[u8; 32], i64>,
    order: VecDeque<[u8; 32]>,
    count_max: usize,
}

impl UnknownKeys {
    pub(super) fn new(count_max: usize) -> Self {
        Self {
            until_ms: HashMap::new(),
            order: VecDeque::new(),
            count_max,
        }
    }

    pub(super) fn contains(&self, hint: &KeyHint, now_ms: i64) -> bool {
        !self.until_ms.is_empty() && self.until_ms.get(&digest_of(hint)).is_some_and(|until| now_ms < *until)
    }

    /// Remembers a key until a moment. When there is no room, the oldest is forgotten.
    pub(super) fn remember(&mut self, hint: &KeyHint, until_ms: i64) {
        let digest = digest_of(hint);
        if self.until_ms.insert(digest, until_ms).is_none() {
            self.order.push_back(digest);
        }
        while self.order.len() > self.count_max {
            if let Some(oldest) = self.order.pop_front() {
                self.until_ms.remove(&oldest);
            }
        }
    }

    /// Moves every moment back.
    pub(super) fn rewind(&mut self, by_ms: i64) {
        for until in self.until_ms.values_mut() {
            *until = until.saturating_sub(by_ms);
        }
    }

    pub(super) fn count(&self, now_ms: i64) -> usize {
        self.until_ms.values().filter(|until| now_ms < **until).count()
    }
}

fn digest_of(hint: &KeyHint) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    let mut add = |tag: &str, text: &str| {
        context.update(tag.as_bytes());
        context.update(&text.len().to_be_bytes());
        context.update(text.as_bytes());
    };
    match hint {
        KeyHint::Kid(kid) => add("kid", kid),
        KeyHint::Thumbprint { sha256, sha1 } => {
            add("x5t#S256", sha256.as_deref().unwrap_or_default());
            add("x5t", sha1.as_deref().unwrap_or_default());
        }
        KeyHint::None => add("none", ""),
    }
    let mut digest = [0; 32];
    for (to, from) in digest.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_by_time_and_by_number() {
        let kid = |i: usize| KeyHint::Kid(i.to_string());
        let mut unknown = UnknownKeys::new(3);
        for i in 0..5 {
            unknown.remember(&kid(i), 100);
        }
        let known: Vec<bool> = (0..5).map(|i| unknown.contains(&kid(i), 99)).collect();
        assert_eq!(known, [false, false, true, true, true]);
        assert!(!unknown.contains(&kid(4), 100));
        assert_eq!((unknown.count(99), unknown.count(100)), (3, 0));
        unknown.remember(&kid(4), 200);
        assert!(unknown.contains(&kid(4), 199));
        assert_eq!(unknown.order.len(), 3);
        unknown.rewind(50);
        assert!(unknown.contains(&kid(4), 149) && !unknown.contains(&kid(4), 150));
    }
}
