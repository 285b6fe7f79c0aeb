//! Minting tokens, good and bad, with a signer that shares no line with the product's.

use std::sync::atomic::{AtomicI64, Ordering};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use crate::{
    clock,
    keys::{TestKey, mac},
};

/// Time when the last token was made, in milliseconds.
static LAST_MS: AtomicI64 = AtomicI64::new(0);

/// Issuer of test tokens.
#[derive(Clone, Debug)]
pub struct TestIssuer {
    issuer: String,
    audience: String,
    tags_claim: String,
    signer: Signer,
}

#[derive(Clone, Debug)]
enum Signer {
    Key(TestKey),
    Secret(Vec<u8>),
}

impl TestIssuer {
    /// An issuer with this `iss`, which signs with [`TestKey::Rsa1`] for the audience `narthex`.
    pub fn new(issuer: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            audience: "narthex".to_owned(),
            tags_claim: "groups".to_owned(),
            signer: Signer::Key(TestKey::Rsa1),
        }
    }

    /// The `aud` of its tokens.
    #[must_use]
    pub fn audience(mut self, audience: &str) -> Self {
        audience.clone_into(&mut self.audience);
        self
    }

    /// The claim its permission tags are in: `groups` unless told otherwise.
    #[must_use]
    pub fn tags_claim(mut self, name: &str) -> Self {
        name.clone_into(&mut self.tags_claim);
        self
    }

    /// The key it signs with.
    #[must_use]
    pub fn key(mut self, key: TestKey) -> Self {
        self.signer = Signer::Key(key);
        self
    }

    /// The secret it signs with (HS256).
    #[must_use]
    pub fn secret(mut self, secret: impl Into<Vec<u8>>) -> Self {
        self.signer = Signer::Secret(secret.into());
        self
    }

    /// A token made now: subject `alice`, an hour to live, no tags claim. Change what the test is about.
    ///
    /// Each is newer than those before it: of two tokens of one time, the first one counts.
    pub fn token(&self) -> TokenBuilder {
        let now_ms = clock::now_ms();
        let issued_at_ms = |last: i64| now_ms.max(last + 1);
        let (Ok(last) | Err(last)) =
            LAST_MS.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(issued_at_ms(last)));
        // Half a millisecond more, so that it is the same one when it is rounded down.
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of this century are exact")]
        let seconds = (issued_at_ms(last) as f64 + 0.5) / 1_000.0;
        self.token_at(now_ms).claim("iat", seconds)
    }

    /// The same, made at `now_ms`.
    pub fn token_at(&self, now_ms: i64) -> TokenBuilder {
        let now = now_ms.div_euclid(1000);
        let mut header = Map::new();
        let algorithm = match &self.signer {
            Signer::Key(key) => {
                header.insert("kid".into(), key.kid().into());
                key.algorithm()
            }
            Signer::Secret(_) => "HS256",
        };
        header.insert("alg".into(), algorithm.into());
        let payload = json!({
            "iss": self.issuer,
            "aud": self.audience,
            "sub": "alice",
            "iat": now,
            "exp": now + 3600,
        });
        TokenBuilder {
            issuer: self.clone(),
            now,
            algorithm: algorithm.to_owned(),
            header,
            payload: match payload {
                Value::Object(members) => members,
                _ => Map::new(),
            },
        }
    }
}

/// A token in the making.
#[derive(Clone, Debug)]
pub struct TokenBuilder {
    issuer: TestIssuer,
    now: i64,
    algorithm: String,
    header: Map<String, Value>,
    payload: Map<String, Value>,
}

impl TokenBuilder {
    /// `sub`.
    #[must_use]
    pub fn subject(self, subject: &str) -> Self {
        self.claim("sub", subject)
    }

    /// `iss`.
    #[must_use]
    pub fn issuer(self, issuer: impl Into<Value>) -> Self {
        self.claim("iss", issuer)
    }

    /// `aud`.
    #[must_use]
    pub fn audience(self, audience: impl Into<Value>) -> Self {
        self.claim("aud", audience)
    }

    /// The permission tags, as an array.
    #[must_use]
    pub fn tags<'a>(self, tags: impl IntoIterator<Item = &'a str>) -> Self {
        let tags: Vec<Value> = tags.into_iter().map(Value::from).collect();
        let name = self.issuer.tags_claim.clone();
        self.claim(&name, tags)
    }

    /// Any claim.
    #[must_use]
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.payload.insert(name.to_owned(), value.into());
        self
    }

    /// Leaves a claim out.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.payload.shift_remove(name);
        self
    }

    /// Exactly these claims and no others.
    #[must_use]
    pub fn payload(mut self, payload: Map<String, Value>) -> Self {
        self.payload = payload;
        self
    }

    /// Made and expired long ago: further back than any leeway.
    #[must_use]
    pub fn expired(self) -> Self {
        self.issued_in(-7200).expires_in(-3600)
    }

    /// `exp`, in seconds from now.
    #[must_use]
    pub fn expires_in(self, seconds: i64) -> Self {
        let at = self.now.saturating_add(seconds);
        self.claim("exp", at)
    }

    /// `iat`, in seconds from now: negative for a token that is not fresh.
    #[must_use]
    pub fn issued_in(self, seconds: i64) -> Self {
        let at = self.now.saturating_add(seconds);
        self.claim("iat", at)
    }

    /// `nbf`, in seconds from now.
    #[must_use]
    pub fn not_before_in(self, seconds: i64) -> Self {
        let at = self.now.saturating_add(seconds);
        self.claim("nbf", at)
    }

    /// Any header member, `alg` too: what the header says and how the token is signed are two things.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    /// Leaves a header member out.
    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.header.shift_remove(name);
        self
    }

    /// `kid`.
    #[must_use]
    pub fn kid(self, kid: &str) -> Self {
        self.header("kid", kid)
    }

    /// No `kid`, but the `x5t` of the signing key's certificate.
    #[must_use]
    pub fn by_x5t(self) -> Self {
        let x5t = match &self.issuer.signer {
            Signer::Key(key) => key.x5t(),
            Signer::Secret(_) => None,
        };
        self.without_header("kid").header("x5t", x5t)
    }

    /// Signs with this algorithm, and says so in the header.
    #[must_use]
    pub fn algorithm(mut self, algorithm: &str) -> Self {
        algorithm.clone_into(&mut self.algorithm);
        self.header("alg", algorithm)
    }

    /// Signs with another key, and names it in the header. Its usual algorithm, unless told otherwise after.
    #[must_use]
    pub fn key(mut self, key: TestKey) -> Self {
        self.issuer.signer = Signer::Key(key);
        self.algorithm(key.algorithm()).kid(key.kid())
    }

    /// Signs with another key and says nothing of it: the signature does not hold.
    #[must_use]
    pub fn forged_with(mut self, key: TestKey) -> Self {
        self.issuer.signer = Signer::Key(key);
        self
    }

    /// Signs with this shared secret (HS256), and says so in `alg`.
    #[must_use]
    pub fn secret(mut self, secret: impl Into<Vec<u8>>) -> Self {
        self.issuer.signer = Signer::Secret(secret.into());
        self.algorithm("HS256")
    }

    /// The header as it is so far.
    pub fn header_members(&self) -> &Map<String, Value> {
        &self.header
    }

    /// The claims as they are so far.
    pub fn claims(&self) -> &Map<String, Value> {
        &self.payload
    }

    /// The token.
    pub fn sign(self) -> String {
        let header = Value::Object(self.header.clone()).to_string();
        let payload = Value::Object(self.payload.clone()).to_string();
        self.sign_raw(header.as_bytes(), payload.as_bytes())
    }

    /// A properly signed token of these bytes, whatever they are: members named twice, text that is not JSON.
    ///
    /// # Panics
    ///
    /// If the key cannot sign with the algorithm.
    #[expect(
        clippy::expect_used,
        reason = "a test that asks a key for a signature it cannot make should stop there"
    )]
    pub fn sign_raw(&self, header: &[u8], payload: &[u8]) -> String {
        let mut token = URL_SAFE_NO_PAD.encode(header);
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(payload));
        let signature = match &self.issuer.signer {
            Signer::Key(key) => key.signature(&self.algorithm, token.as_bytes()),
            Signer::Secret(secret) => mac(&self.algorithm, secret, token.as_bytes()),
        }
        .expect("the key can sign with the algorithm");
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(signature));
        token
    }

    /// The token with an empty signature and `alg: none`.
    pub fn unsigned(self) -> String {
        let this = self.header("alg", "none");
        let header = URL_SAFE_NO_PAD.encode(Value::Object(this.header).to_string());
        let payload = URL_SAFE_NO_PAD.encode(Value::Object(this.payload).to_string());
        format!("{header}.{payload}.")
    }
}

/// The other token that an attacker can make of one signed with ES256: of a signature (r, s), (r, n - s) is one too.
/// `None` if it is no such token.
pub fn malleated(token: &str) -> Option<String> {
    /// The order of P-256 (SEC 2, section 2.4.2).
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6,
        0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let (signed, signature) = token.rsplit_once('.')?;
    let mut signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    if signature.len() != 2 * ORDER.len() {
        return None;
    }
    let mut borrowed = false;
    for (byte, of) in signature.iter_mut().rev().zip(ORDER.iter().rev()) {
        let (less, first) = of.overflowing_sub(*byte);
        let (less, second) = less.overflowing_sub(u8::from(borrowed));
        (*byte, borrowed) = (less, first || second);
    }
    Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(token: &str, index: usize) -> Value {
        let text = token.split('.').nth(index).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
    }

    #[test]
    fn a_token_says_what_the_builder_was_told() {
        let token = TestIssuer::new("https://idp.test")
            .token_at(1_700_000_000_000)
            .subject("bob")
            .tags(["a", "b"])
            .without("aud")
            .sign();
        assert_eq!(part(&token, 0), json!({ "kid": "rsa_1", "alg": "RS256" }));
        assert_eq!(
            part(&token, 1),
            json!({
                "iss": "https://idp.test", "sub": "bob", "iat": 1_700_000_000, "exp": 1_700_003_600,
                "groups": ["a", "b"],
            })
        );
    }

    #[test]
    fn an_expired_token_expired_before_any_leeway() {
        let token = TestIssuer::new("i").token_at(10_000_000).expired().sign();
        assert_eq!(part(&token, 1)["exp"], 10_000 - 3600);
    }

    #[test]
    fn a_shared_secret_signs_the_example_of_rfc_7515() {
        // RFC 7515 A.1: the header and payload with line breaks inside, and the key.
        let key = URL_SAFE_NO_PAD
            .decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
            .unwrap();
        let token = TestIssuer::new("joe").secret(key).token().sign_raw(
            b"{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}",
            b"{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}",
        );
        assert!(token.ends_with(".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
    }

    #[test]
    fn a_malleated_token_is_another_and_back_again_the_same() {
        let token = TestIssuer::new("i").key(TestKey::P256).token().sign();
        let other = malleated(&token).unwrap();
        assert_ne!(other, token);
        assert_eq!(malleated(&other).unwrap(), token);
        assert_eq!(malleated(&TestIssuer::new("i").token().sign()), None);
    }
}
