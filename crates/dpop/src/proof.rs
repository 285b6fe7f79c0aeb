//! The rules of a proof (RFC 9449 section 4.3).

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use narthex_token::{Algorithm, Limits, SelfSignedError, verify_self_signed};
use serde_json::{Map, Value};
use thiserror::Error;
use url::Url;

use crate::nonce::{NONCE_LIFE_MS, Nonces};

/// Algorithms that a proof may be signed with: asymmetric ones alone, and all that tokens may have.
pub const ALGORITHMS: [Algorithm; 13] = [
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::Es512,
    Algorithm::EdDsa,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::MlDsa44,
    Algorithm::MlDsa65,
    Algorithm::MlDsa87,
];
/// Longest proof, in bytes: a key and a signature of ML-DSA-87 have 9.6 KB in base64url.
pub const PROOF_BYTES_MAX: usize = 12 * 1024;
/// Time before and after its `iat` for which a proof without a nonce is accepted, in milliseconds.
pub const PROOF_LIFE_MS: i64 = 60_000;
/// Largest number of characters of a `jti`.
const TOKEN_ID_CHARS_MAX: usize = 256;
/// The type of a proof.
const TYPE: &str = "dpop+jwt";
/// Bounds of `iat`, in seconds: the years 1970 to 9999.
const SECONDS: std::ops::RangeInclusive<f64> = 0.0..=253_402_300_799.0;

/// The request that a proof came with.
#[derive(Debug, Clone, Copy)]
pub struct ProvenRequest<'r> {
    /// Its method.
    pub method: &'r str,
    /// Origins that it may have been sent to, as its sender writes them: nearly always one.
    pub origins: &'r [String],
    /// Its path, without the query.
    pub path: &'r str,
    /// The access token.
    pub token: &'r str,
}

/// A good proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Thumbprint of the key that made it (RFC 7638), to be compared with the token's `cnf.jkt`.
    pub thumbprint: String,
    /// SHA-256 over key and `jti`, by which a second use is found.
    pub use_hash: [u8; 32],
    /// Time from which it is refused for its age, in milliseconds: its use has to be remembered until then.
    pub ends_at_ms: i64,
}

/// Reason why a proof does not count, as the first half of a sentence for the caller. None repeats text of the proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProofError {
    /// It is too long, no JWS, of another type, or signed in a way that does not count.
    #[error("the proof in the header `DPoP` is not a signed JWT of the type `dpop+jwt` with its public key in `jwk`")]
    Malformed,
    /// Its signature does not fit its key.
    #[error("the signature of the proof does not fit its key")]
    Signature,
    /// `htm` is another method.
    #[error("the proof is for another method (`htm`)")]
    Method,
    /// `htu` is another address.
    #[error("the proof is for another address (`htu`)")]
    Address,
    /// `ath` is missing, or the hash of another token.
    #[error("the proof is for another token (`ath`)")]
    Token,
    /// `jti` is missing, or no text of a sensible length.
    #[error("the proof has no `jti` of 1 to 256 characters")]
    TokenId,
    /// `iat` is missing or no number.
    #[error("the proof has no time in `iat`")]
    Time,
    /// It is too old or of the future, and has no nonce. A new proof with a nonce of ours is accepted.
    #[error("the proof was made more than a minute ago, or in the future")]
    Stale,
    /// Its nonce is not one of ours, or too old. A new proof with a newer one is accepted.
    #[error("the nonce of the proof is not one that counts now")]
    Nonce,
}

impl ProofError {
    /// Tests whether a proof with a nonce of ours would help.
    pub const fn asks_for_nonce(self) -> bool {
        matches!(self, Self::Stale | Self::Nonce)
    }
}

/// Checks a proof: its form, its signature, and that it was made for this request, this token and this time.
///
/// A proof without a nonce counts for a minute around its `iat`. One with a nonce of ours counts for the life of the nonce,
/// whatever the clock of its maker says.
///
/// # Errors
///
/// The first rule that it breaks.
pub fn check(text: &str, request: ProvenRequest<'_>, nonces: &Nonces, now_ms: i64) -> Result<Proof, ProofError> {
    let limits = Limits {
        token_bytes_max: PROOF_BYTES_MAX,
        ..Limits::default()
    };
    // SECURITY: the algorithms are ours, and the key belongs to no client until the token names it.
    let signed = verify_self_signed(text, TYPE, &ALGORITHMS, &limits).map_err(|error| match error {
        SelfSignedError::Signature => ProofError::Signature,
        _ => ProofError::Malformed,
    })?;
    let claims = &signed.claims;
    // SPEC: RFC 9110 9.1: methods are compared with their case.
    if text_of(claims, "htm") != Some(request.method) {
        return Err(ProofError::Method);
    }
    let address = text_of(claims, "htu").ok_or(ProofError::Address)?;
    if !is_address(address, &request) {
        return Err(ProofError::Address);
    }
    let hash = URL_SAFE_NO_PAD.encode(digest(&SHA256, request.token.as_bytes()));
    if text_of(claims, "ath") != Some(hash.as_str()) {
        return Err(ProofError::Token);
    }
    let token_id = text_of(claims, "jti")
        .filter(|id| !id.is_empty() && id.chars().count() <= TOKEN_ID_CHARS_MAX)
        .ok_or(ProofError::TokenId)?;
    let ends_at_ms = ends_at_ms(claims, nonces, now_ms)?;
    let mut used = signed.thumbprint.clone().into_bytes();
    used.push(0);
    used.extend_from_slice(token_id.as_bytes());
    let mut use_hash = [0; 32];
    for (to, from) in use_hash.iter_mut().zip(digest(&SHA256, &used).as_ref()) {
        *to = *from;
    }
    Ok(Proof {
        thumbprint: signed.thumbprint,
        use_hash,
        ends_at_ms,
    })
}

/// Checks the time of a proof, or its nonce, and returns the time from which it is refused.
fn ends_at_ms(claims: &Map<String, Value>, nonces: &Nonces, now_ms: i64) -> Result<i64, ProofError> {
    let seconds = claims.get("iat").and_then(Value::as_f64);
    let seconds = seconds
        .filter(|seconds| SECONDS.contains(seconds))
        .ok_or(ProofError::Time)?;
    if let Some(nonce) = claims.get("nonce") {
        let issued = nonce.as_str().and_then(|nonce| nonces.issued_at_ms(nonce, now_ms));
        return issued
            .map(|issued| issued.saturating_add(NONCE_LIFE_MS))
            .ok_or(ProofError::Nonce);
    }
    #[expect(clippy::cast_possible_truncation, reason = "the range keeps it within 2.6e14")]
    let made_at_ms = (seconds * 1000.0).floor() as i64;
    if now_ms.saturating_sub(made_at_ms).abs() >= PROOF_LIFE_MS {
        return Err(ProofError::Stale);
    }
    Ok(made_at_ms.saturating_add(PROOF_LIFE_MS))
}

fn text_of<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c str> {
    claims.get(name).and_then(Value::as_str)
}

/// Tests whether `htu` is the address of the request, without query and fragment.
///
/// SPEC: RFC 9449 4.3 (9), RFC 3986 6.2.2 and 6.2.3: scheme and host in any case, the usual port or none, and one spelling of
/// each percent-encoded character.
fn is_address(address: &str, request: &ProvenRequest<'_>) -> bool {
    let Ok(url) = Url::parse(address) else { return false };
    if !url.username().is_empty() || url.password().is_some() {
        return false;
    }
    let origin = url.origin().ascii_serialization();
    request.origins.contains(&origin) && normalized(url.path()) == normalized(request.path)
}

/// Returns a path with its unreserved characters decoded, and the digits of others in upper case.
fn normalized(path: &str) -> String {
    let mut rest = path;
    let mut text = String::with_capacity(path.len());
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        let digits = after.get(..2);
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (digits, byte) {
            (Some(_), Some(byte)) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                text.push(char::from(byte));
            }
            (Some(digits), _) => {
                text.push('%');
                text.push_str(&digits.to_ascii_uppercase());
            }
            (None, _) => text.push('%'),
        }
        rest = digits.and_then(|_| after.get(2..)).unwrap_or(after);
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_meaning_in_its_spellings() {
        let origins = ["https://app.example".to_owned(), "http://app.example:8080".to_owned()];
        let is = |address: &str, path: &str| {
            let request = ProvenRequest {
                method: "GET",
                origins: &origins,
                path,
                token: "",
            };
            is_address(address, &request)
        };
        for (address, path) in [
            ("https://app.example/a", "/a"),
            ("HTTPS://APP.example:443/a", "/a"),
            ("https://app.example/a?b=c#d", "/a"),
            ("http://app.example:8080/%7ea/%2f", "/~a/%2F"),
            ("https://app.example", "/"),
        ] {
            assert!(is(address, path), "{address} {path}");
        }
        for (address, path) in [
            ("https://app.example/a", "/A"),
            ("https://app.example/a/", "/a"),
            ("http://app.example/a", "/a"),
            ("https://app.example:8443/a", "/a"),
            ("https://app.example.evil/a", "/a"),
            ("https://u@app.example/a", "/a"),
            ("https://app.example/a%2fb", "/a/b"),
            ("/a", "/a"),
            ("", "/"),
            ("https://app.example/%", "/%2"),
        ] {
            assert!(!is(address, path), "{address} {path}");
        }
    }
}
