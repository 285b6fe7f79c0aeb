//! `jwt(payload, secret, [algorithm], [options])` as a function of templates.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use narthex_template::{HostError, HostFacts, HostFunction, Value};
use zeroize::Zeroizing;

use crate::key::Key;
use crate::options::Options;
use crate::sign::{Algorithms, sign_with};

/// The function `jwt`. The third argument wins over `options.algorithm`; without either it is HS256.
///
/// It keeps the last few keys that it signed with, since reading a private key costs as much as signing with it. They
/// are dropped, and overwritten, with the function, or at the first call that finds them unused for ten minutes.
#[derive(Default)]
pub struct Jwt {
    keys: Mutex<Vec<CachedKey>>,
}

/// A key and what it was read from.
struct CachedKey {
    source: Zeroizing<String>,
    has_passphrase: bool,
    key: Arc<Key>,
    used_ms: i64,
}

impl Jwt {
    /// The function, with no key kept.
    pub const fn new() -> Self {
        Self {
            keys: Mutex::new(Vec::new()),
        }
    }

    /// The key in a text, read now or before.
    fn key(&self, secret: &Value, now_ms: i64) -> Arc<Key> {
        let opened;
        let (source, has_passphrase) = match secret {
            Value::Text(text) if !text.is_empty() => (text.as_str(), false),
            Value::Object(members) => match (members.get("key"), members.get("passphrase")) {
                (Some(Value::Text(key)), Some(Value::Text(passphrase))) => {
                    // With its length in front, no two pairs make the same text.
                    opened = Zeroizing::new(format!("{}:{passphrase}{key}", passphrase.len()));
                    (opened.as_str(), true)
                }
                _ => return Arc::new(Key::from_value(secret)),
            },
            other => return Arc::new(Key::from_value(other)),
        };
        if let Some(key) = self.kept(source, has_passphrase, now_ms) {
            return key;
        }
        // SECURITY: deriving a key may take a second, in which other threads must not have to wait for their keys.
        let key = Arc::new(Key::from_value(secret));
        self.keep(CachedKey {
            source: Zeroizing::new(source.to_owned()),
            has_passphrase,
            key: Arc::clone(&key),
            used_ms: now_ms,
        });
        key
    }

    /// A key that was read before. It becomes the first.
    fn kept(&self, source: &str, has_passphrase: bool, now_ms: i64) -> Option<Arc<Key>> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.retain(|kept| kept.used_ms.abs_diff(now_ms) < UNUSED_MS_MOST);
        let at = keys.iter().position(|kept| kept.is_of(source, has_passphrase))?;
        keys.get_mut(..=at)?.rotate_right(1);
        let kept = keys.first_mut()?;
        kept.used_ms = now_ms;
        Some(Arc::clone(&kept.key))
    }

    fn keep(&self, new: CachedKey) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have read the same key meanwhile.
        keys.retain(|kept| !kept.is_of(&new.source, new.has_passphrase));
        keys.insert(0, new);
        keys.truncate(KEYS_MOST);
    }
}

impl CachedKey {
    /// SECURITY: the whole text is compared, and how long that takes says nothing about where two keys differ.
    fn is_of(&self, source: &str, has_passphrase: bool) -> bool {
        self.has_passphrase == has_passphrase
            && verify_slices_are_equal(self.source.as_bytes(), source.as_bytes()).is_ok()
    }
}

impl fmt::Debug for Jwt {
    /// Its name only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Jwt")
    }
}

impl HostFunction for Jwt {
    fn name(&self) -> &'static str {
        "jwt"
    }

    fn parameters(&self) -> &[&'static str] {
        &["payload", "secret", "[algorithm]", "[options]"]
    }

    fn call(&self, arguments: &[&Value], facts: &HostFacts) -> Result<Value, HostError> {
        let argument = |index: usize| arguments.get(index).copied().unwrap_or(&Value::Undefined);
        let key = self.key(argument(1), facts.now_ms);
        let options = Options::with_algorithm(argument(3), argument(2));
        sign_with(argument(0), &key, options, Algorithms::OfTemplates, facts.now_ms)
            .map(Value::Text)
            .map_err(|error| HostError {
                // The library's words, to the letter; ours stand beside them.
                message: error.to_string(),
                help: error.is_about_the_key().then(|| key.diagnosis()).flatten(),
            })
    }
}

/// Largest number of keys that are kept: a connection has one or two.
const KEYS_MOST: usize = 4;
const UNUSED_MS_MOST: u64 = 10 * 60 * 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn pem(name: &str) -> Value {
        let vectors: serde_json::Value = serde_json::from_str(include_str!("../tests/vectors/jwt_sign.json")).unwrap();
        Value::from(vectors["keys"][name].as_str().unwrap())
    }

    #[test]
    fn a_private_key_is_read_once_and_not_kept_for_long() {
        let jwt = Jwt::new();
        let first = jwt.key(&pem("rsa2048_pkcs8"), 0);
        assert!(Arc::ptr_eq(&first, &jwt.key(&pem("rsa2048_pkcs8"), 1_000)));
        assert!(!Arc::ptr_eq(&first, &jwt.key(&pem("rsa2048_pkcs1"), 1_000)));
        assert_eq!(jwt.keys.lock().unwrap().len(), 2);
        jwt.key(&pem("ec_p256_pkcs8"), 1_000_000);
        assert_eq!(jwt.keys.lock().unwrap().len(), 1);
        assert!(!Arc::ptr_eq(&first, &jwt.key(&pem("rsa2048_pkcs8"), 1_000_000)));
    }

    #[test]
    fn a_key_under_a_passphrase_is_opened_once_and_only_by_its_passphrase() {
        let jwt = Jwt::new();
        let with = |passphrase: &str| {
            let mut members = narthex_template::Object::new();
            members.insert("key".to_owned(), pem("rsa2048_pkcs8_enc_aes256cbc"));
            members.insert("passphrase".to_owned(), Value::from(passphrase));
            jwt.key(&Value::Object(members), 0)
        };
        let open = with("top secret");
        assert!(Arc::ptr_eq(&open, &with("top secret")));
        assert_eq!(format!("{open:?} {:?}", with("wrong")), "Key(Rsa(2048)) Key(unusable)");
        let Value::Text(text) = pem("rsa2048_pkcs8_enc_aes256cbc") else {
            panic!()
        };
        let as_text = jwt.key(&Value::from(format!("10:top secret{text}")), 0);
        assert_eq!(format!("{as_text:?}"), "Key(secret)");
    }

    /// A key file that takes long to open: PBES2 with PBKDF2 and AES-128-CBC.
    fn slow() -> Value {
        let tagged = |tag: u8, parts: &[&[u8]]| -> Vec<u8> {
            let inner = parts.concat();
            [&[tag, u8::try_from(inner.len()).unwrap()], inner.as_slice()].concat()
        };
        let salt = tagged(0x04, &[&[7; 8]]);
        let rounds = tagged(0x02, &[&2_000_000_u32.to_be_bytes()]);
        let pbkdf2 = tagged(0x06, &[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c]]);
        let derivation = tagged(0x30, &[&pbkdf2, &tagged(0x30, &[&salt, &rounds])]);
        let aes = tagged(0x06, &[&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 2]]);
        let cipher = tagged(0x30, &[&aes, &tagged(0x04, &[&[7; 16]])]);
        let pbes2 = tagged(0x06, &[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d]]);
        let scheme = tagged(0x30, &[&pbes2, &tagged(0x30, &[&derivation, &cipher])]);
        let der = tagged(0x30, &[&scheme, &tagged(0x04, &[&[7; 16]])]);
        let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der);
        let mut members = narthex_template::Object::new();
        let pem = format!("-----BEGIN ENCRYPTED PRIVATE KEY-----\n{base64}\n-----END ENCRYPTED PRIVATE KEY-----\n");
        members.insert("key".to_owned(), Value::from(pem));
        members.insert("passphrase".to_owned(), Value::from("p"));
        Value::Object(members)
    }

    #[test]
    fn sec_dos_a_slow_key_does_not_hold_up_the_others() {
        let jwt = Jwt::new();
        let begun = std::sync::Barrier::new(2);
        std::thread::scope(|scope| {
            let slow = scope.spawn(|| {
                let secret = slow();
                begun.wait();
                jwt.key(&secret, 0);
            });
            begun.wait();
            // Long enough for the other thread to be at its key, and far from long enough for it to be done with it.
            std::thread::sleep(std::time::Duration::from_millis(50));
            jwt.key(&Value::from("secret"), 0);
            assert!(!slow.is_finished(), "this one waited for the other's key");
        });
    }

    #[test]
    fn few_keys_are_kept() {
        let jwt = Jwt::new();
        for number in 0..20 {
            let secret = Value::from(format!("secret {number}"));
            assert!(Arc::ptr_eq(&jwt.key(&secret, 0), &jwt.key(&secret, 0)));
        }
        assert_eq!(jwt.keys.lock().unwrap().len(), KEYS_MOST);
        for nothing in [Value::Undefined, Value::from(""), Value::Number(1.0)] {
            jwt.key(&nothing, 600_000);
        }
        jwt.key(&Value::from("another"), 600_000);
        assert_eq!(jwt.keys.lock().unwrap().len(), 1);
        for number in 0..20 {
            let Value::Text(text) = pem("ec_p256_pkcs8") else {
                panic!()
            };
            jwt.key(&Value::from(format!("{number}\n{text}")), 600_000);
        }
        assert_eq!(jwt.keys.lock().unwrap().len(), KEYS_MOST);
        assert_eq!(format!("{jwt:?}"), "Jwt");
    }
}
