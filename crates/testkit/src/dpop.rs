//! Proofs of possession (RFC 9449), good and bad.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use crate::{clock, keys::TestKey};

/// Number of proofs made so far, for their `jti`.
static MADE: AtomicU64 = AtomicU64::new(0);

/// A proof in the making.
#[derive(Clone, Debug)]
pub struct ProofBuilder {
    key: TestKey,
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl ProofBuilder {
    /// A good proof for a request with this token, made now.
    pub fn new(key: TestKey, method: &str, url: &str, token: &str) -> Self {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let now_ms = clock::now_ms();
        let mut header = Map::new();
        header.insert("typ".into(), "dpop+jwt".into());
        header.insert("alg".into(), key.algorithm().into());
        header.insert("jwk".into(), key.bare_jwk());
        let mut claims = Map::new();
        claims.insert("jti".into(), format!("{now_ms}-{}-{number}", std::process::id()).into());
        claims.insert("htm".into(), method.into());
        claims.insert("htu".into(), url.into());
        claims.insert("iat".into(), now_ms.div_euclid(1000).into());
        claims.insert("ath".into(), token_hash(token).into());
        Self { key, header, claims }
    }

    /// Changes a claim.
    #[must_use]
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// Leaves a claim out.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// Changes a member of the header; `null` leaves it out.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        match value.into() {
            Value::Null => self.header.remove(name),
            value => self.header.insert(name.to_owned(), value),
        };
        self
    }

    /// The proof. Signed with the key's own algorithm, whatever the header names.
    ///
    /// # Panics
    ///
    /// If a file of this crate is damaged.
    #[expect(clippy::expect_used, reason = "the keys are files of this crate")]
    pub fn sign(&self) -> String {
        let part = |members: &Map<String, Value>| URL_SAFE_NO_PAD.encode(json!(members).to_string());
        let input = format!("{}.{}", part(&self.header), part(&self.claims));
        let signature = self.key.signature(self.key.algorithm(), input.as_bytes());
        let signature = signature.expect("the checked-in key signs");
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// The `ath` of a token: its SHA-256 in base64url.
pub fn token_hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, token.as_bytes()))
}

/// The `cnf` of a token that is bound to a key, by its thumbprint (RFC 7638).
pub fn bound_to(key: TestKey) -> Value {
    // The members of a bare key are exactly the required ones, and a sorted map has them in the order of the standard.
    let members: std::collections::BTreeMap<String, Value> = match key.bare_jwk() {
        Value::Object(members) => members.into_iter().collect(),
        _ => std::collections::BTreeMap::new(),
    };
    json!({ "jkt": token_hash(&json!(members).to_string()) })
}
