//! Nonces that nothing has to keep: a time, and a MAC over it.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Time for which a nonce is accepted, in milliseconds.
pub const NONCE_LIFE_MS: i64 = 5 * 60 * 1000;
/// Bytes of the MAC that a nonce carries: 128 bits, of which none can be tried without a request.
const MAC_BYTES: usize = 16;
/// Bytes of the time.
const TIME_BYTES: usize = 8;
/// Separates these MACs from others under a key that is derived from the same secret.
const CONTEXT: &[u8] = b"narthex dpop nonce 1";

/// Maker and checker of nonces (RFC 9449 section 9). Nodes with the same key accept each other's.
#[derive(Clone)]
pub struct Nonces {
    key: hmac::Key,
}

impl std::fmt::Debug for Nonces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Nonces(***)")
    }
}

impl Nonces {
    /// Creates nonces under a secret of at least 32 random bytes.
    pub fn new(secret: &[u8]) -> Self {
        let master = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let derived = hmac::sign(&master, CONTEXT);
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()),
        }
    }

    /// Returns the nonce of this moment, `now_ms` milliseconds since the epoch.
    pub fn issue(&self, now_ms: i64) -> String {
        let time = now_ms.to_be_bytes();
        let mut bytes = time.to_vec();
        bytes.extend_from_slice(&self.mac(&time));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Returns the time of issue of a nonce that was issued here and is accepted at `now_ms`, both in milliseconds.
    pub fn issued_at_ms(&self, nonce: &str, now_ms: i64) -> Option<i64> {
        let bytes = URL_SAFE_NO_PAD.decode(nonce).ok()?;
        let (time, mac) = bytes.split_at_checked(TIME_BYTES)?;
        verify_slices_are_equal(mac, &self.mac(time)).ok()?;
        let issued_at_ms = i64::from_be_bytes(time.try_into().ok()?);
        // A clock that was set back makes a nonce of the future, which would be accepted for longer.
        (0..NONCE_LIFE_MS)
            .contains(&now_ms.saturating_sub(issued_at_ms))
            .then_some(issued_at_ms)
    }

    fn mac(&self, time: &[u8]) -> Vec<u8> {
        let whole = hmac::sign(&self.key, time);
        whole.as_ref().iter().take(MAC_BYTES).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_a_nonce_is_accepted_for_five_minutes_by_those_who_have_its_key() {
        let nonces = Nonces::new(&[7; 32]);
        let nonce = nonces.issue(1_000_000);
        assert_eq!(nonces.issued_at_ms(&nonce, 1_000_000), Some(1_000_000));
        assert_eq!(
            nonces.issued_at_ms(&nonce, 1_000_000 + NONCE_LIFE_MS - 1),
            Some(1_000_000)
        );
        assert_eq!(nonces.issued_at_ms(&nonce, 1_000_000 + NONCE_LIFE_MS), None);
        assert_eq!(nonces.issued_at_ms(&nonce, 999_999), None);
        assert_eq!(Nonces::new(&[7; 32]).issued_at_ms(&nonce, 1_000_000), Some(1_000_000));
        assert_eq!(Nonces::new(&[8; 32]).issued_at_ms(&nonce, 1_000_000), None);
        for bad in [
            "",
            "AAAA",
            "x y",
            nonce.get(1..).unwrap(),
            &format!("{nonce}AA"),
            &nonces.issue(0),
        ] {
            assert_eq!(nonces.issued_at_ms(bad, 1_000_000), None, "{bad}");
        }
    }
}
