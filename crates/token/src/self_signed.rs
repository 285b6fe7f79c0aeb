//! Signed tokens that carry their own public key: proofs of possession (RFC 9449 section 4.2).
//!
//! SECURITY: such a token proves that its maker holds the private key, and nothing else. It names no user, and it is never taken
//! for a token of an issuer: the type says so, and nothing that verifies an issuer's tokens looks at `jwk`.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::algorithm::Algorithm;
use crate::codec::base64url_encode;
use crate::header::is_same_type;
use crate::keys::read_embedded;
use crate::parse::{Limits, parse};

/// Contents of a token that its own key verified. Only [`verify_self_signed`] makes one.
#[derive(Clone, PartialEq)]
pub struct SelfSigned {
    /// The payload, as its unknown maker wrote it.
    pub claims: Map<String, Value>,
    /// Thumbprint of the key (RFC 7638), SHA-256 in base64url.
    pub thumbprint: String,
    /// Keeps others from making one.
    verified: Verified,
}

/// Mark of what [`verify_self_signed`] made.
#[derive(Clone, PartialEq, Eq)]
struct Verified;

impl fmt::Debug for SelfSigned {
    /// Without claim values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SelfSigned")
            .field("thumbprint", &self.thumbprint)
            .finish_non_exhaustive()
    }
}

/// Reason why such a token does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SelfSignedError {
    /// It is no compact JWS, or longer than the limit.
    #[error("it is not a signed JWT")]
    Malformed,
    /// Its `typ` is another one.
    #[error("its `typ` is another one")]
    Type,
    /// Its `alg` is not accepted, or its header asks for an extension.
    #[error("its header names an algorithm or an extension that is not accepted")]
    Algorithm,
    /// Its `jwk` is missing, private, or no key for its `alg`.
    #[error("its `jwk` is no public key for its `alg`")]
    Key,
    /// Its signature does not fit its key.
    #[error("its signature does not fit its key")]
    Signature,
}

/// Verifies a token with the public key in its own header. `typ` must be this one, and `alg` one of these, none of which
/// may be symmetric.
///
/// # Errors
///
/// The first rule that it breaks.
pub fn verify_self_signed(
    compact: &str,
    typ: &str,
    algorithms: &[Algorithm],
    limits: &Limits,
) -> Result<SelfSigned, SelfSignedError> {
    let token = parse(compact, limits).map_err(|_| SelfSignedError::Malformed)?;
    let facts = token.header.facts();
    let members = token.header.members();
    let own_type = members.get("typ").and_then(Value::as_str);
    if !own_type.is_some_and(|own| is_same_type(own, typ)) {
        return Err(SelfSignedError::Type);
    }
    let algorithm = facts.algorithm.filter(|own| algorithms.contains(own));
    let algorithm = algorithm.filter(|_| !facts.critical && !facts.unencoded);
    let algorithm = algorithm.ok_or(SelfSignedError::Algorithm)?;
    let jwk = members.get("jwk").ok_or(SelfSignedError::Key)?;
    let thumbprint = thumbprint(jwk).ok_or(SelfSignedError::Key)?;
    // SECURITY: a secret, or a key with its private part, is none here: the reader refuses both.
    let key = read_embedded(jwk, algorithm).ok_or(SelfSignedError::Key)?;
    if !key.verifies(algorithm, token.signing_input.as_bytes(), &token.signature) {
        return Err(SelfSignedError::Signature);
    }
    Ok(SelfSigned {
        thumbprint,
        claims: token.claims,
        verified: Verified,
    })
}

/// Returns the thumbprint of a public key in JSON.
///
/// SPEC: RFC 7638 3.2, RFC 8037 2, RFC 9964 6: the required members alone, in lexicographic order, without blanks.
fn thumbprint(jwk: &Value) -> Option<String> {
    let members: &[&str] = match jwk.get("kty")?.as_str()? {
        "RSA" => &["e", "kty", "n"],
        "EC" => &["crv", "kty", "x", "y"],
        "OKP" => &["crv", "kty", "x"],
        "AKP" => &["alg", "kty", "pub"],
        _ => return None,
    };
    let required = members.iter().map(|name| {
        let value = jwk.get(name).filter(|value| value.is_string())?;
        Some(((*name).to_owned(), value.clone()))
    });
    let required: Map<String, Value> = required.collect::<Option<_>>()?;
    let canonical = Value::Object(required).to_string();
    Some(base64url_encode(digest(&SHA256, canonical.as_bytes()).as_ref()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The example of RFC 7638 section 3.1, and that of RFC 8037 appendix A.3.
    #[test]
    fn thumbprints_are_those_of_the_standards() {
        let rsa = json!({
            "kty": "RSA",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
            "e": "AQAB",
            "alg": "RS256",
            "kid": "2011-04-29",
        });
        assert_eq!(
            thumbprint(&rsa).as_deref(),
            Some("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")
        );
        let ed25519 = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        assert_eq!(
            thumbprint(&ed25519).as_deref(),
            Some("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")
        );
        for bad in [
            json!({"kty": "oct", "k": "AA"}),
            json!({"kty": "EC"}),
            json!({"kty": "OKP", "crv": 1, "x": "A"}),
            json!(1),
        ] {
            assert_eq!(thumbprint(&bad), None, "{bad}");
        }
    }
}
