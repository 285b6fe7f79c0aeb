//! Keys, tokens, and one way to verify that runs the explanation beside it.

use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use narthex_token::sign::{SigningKey, sign_compact};
use narthex_token::{
    Algorithm, InspectedClaims, IssuerPolicy, Issuers, KeySet, KeySetLimits, Limits, SecretLength, TrustedIssuer,
    VerifiedClaims, VerifyError, inspect, parse,
};
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "https://issuer.example";
pub(crate) const AUDIENCE: &str = "https://api.example";
pub(crate) const ISSUED_AT: i64 = 1_700_000_000;
pub(crate) const EXPIRES_AT: i64 = ISSUED_AT + 3600;
/// A moment at which the usual token is good.
pub(crate) const NOW_MS: i64 = (ISSUED_AT + 100) * 1000;

pub(crate) const CERTIFICATE: &str = include_str!("../vectors/certificate.pem");
pub(crate) const RSA_SPKI: &str = include_str!("../vectors/rsa.spki.pem");
pub(crate) const RSA_PKCS1: &str = include_str!("../vectors/rsa.pkcs1.pem");

/// One of the stored private keys, in PEM.
pub(crate) fn stored(name: &str) -> String {
    let keys: Value = serde_json::from_str(include_str!("../vectors/test-keys.json")).unwrap();
    keys[name].as_str().unwrap().to_owned()
}

/// The shared secret of the vectors: 64 bytes.
pub(crate) fn secret() -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(stored("secret")).unwrap()
}

/// The public halves, as JSON to be changed at will.
pub(crate) fn jwks_json() -> Value {
    serde_json::from_str(include_str!("../vectors/jwks.json")).unwrap()
}

/// The entry of one key.
pub(crate) fn jwk(kid: &str) -> Value {
    jwks_json()["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["kid"] == kid)
        .unwrap()
        .clone()
}

pub(crate) fn key_set(document: &Value) -> KeySet {
    KeySet::from_jwks(document.to_string().as_bytes(), &KeySetLimits::default()).unwrap()
}

/// A set of these keys.
pub(crate) fn set_of(keys: &[Value]) -> KeySet {
    key_set(&json!({ "keys": keys }))
}

pub(crate) fn jwks() -> KeySet {
    key_set(&jwks_json())
}

pub(crate) fn secret_set() -> KeySet {
    KeySet::from_secrets(
        &[&secret()],
        &[Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512],
        SecretLength::Standard,
    )
    .unwrap()
}

pub(crate) fn claims() -> Value {
    json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "somebody", "iat": ISSUED_AT, "exp": EXPIRES_AT })
}

/// The usual claims with some changed; `null` takes a claim away.
pub(crate) fn claims_with(changes: &Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().shift_remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

pub(crate) fn rsa_key() -> SigningKey {
    SigningKey::from_pem(Algorithm::Rs256, &stored("rsa")).unwrap()
}

pub(crate) fn ec_key() -> SigningKey {
    SigningKey::from_pem(Algorithm::Es256, &stored("p256")).unwrap()
}

pub(crate) fn mint(header: &Value, claims: &Value, key: &SigningKey) -> String {
    mint_text(&header.to_string(), &claims.to_string(), key)
}

pub(crate) fn mint_text(header: &str, claims: &str, key: &SigningKey) -> String {
    sign_compact(header.as_bytes(), claims.as_bytes(), key).unwrap()
}

/// RS256 with the usual key and header.
pub(crate) fn rs256(claims: &Value) -> String {
    mint(
        &json!({ "alg": "RS256", "typ": "JWT", "kid": "rsa" }),
        claims,
        &rsa_key(),
    )
}

/// RS256 with a header and claims of one's own.
pub(crate) fn rs256_with(header: &Value, claims: &Value) -> String {
    mint(header, claims, &rsa_key())
}

/// RS256 with a header of one's own and the usual claims.
pub(crate) fn rs256_header(header: &Value) -> String {
    rs256_with(header, &claims())
}

/// HS256 with the usual secret.
pub(crate) fn hs256(claims: &Value) -> String {
    let key = SigningKey::from_secret(Algorithm::Hs256, &secret()).unwrap();
    mint(&json!({ "alg": "HS256", "typ": "JWT" }), claims, &key)
}

/// A token whose HMAC is made with any bytes, as an attacker would.
pub(crate) fn hmac_forged(algorithm: &str, header: &Value, claims: &Value, secret: &[u8]) -> String {
    let hash = match algorithm {
        "HS384" => hmac::HMAC_SHA384,
        "HS512" => hmac::HMAC_SHA512,
        _ => hmac::HMAC_SHA256,
    };
    let mut header = header.clone();
    header["alg"] = algorithm.into();
    let message = format!(
        "{}.{}",
        b64(header.to_string().as_bytes()),
        b64(claims.to_string().as_bytes())
    );
    let tag = hmac::sign(&hmac::Key::new(hash, secret), message.as_bytes());
    format!("{message}.{}", b64(tag.as_ref()))
}

pub(crate) fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn key_set_policy() -> IssuerPolicy {
    let mut policy = IssuerPolicy::key_set("corp", ISSUER);
    policy.audiences = vec![AUDIENCE.to_owned()];
    policy
}

pub(crate) fn secret_policy() -> IssuerPolicy {
    let mut policy = IssuerPolicy::shared_secret("corp", Some(ISSUER.to_owned()));
    policy.audiences = vec![AUDIENCE.to_owned()];
    policy
}

/// Parse, select, verify; and inspect, which must agree.
pub(crate) fn check(
    token: &str,
    policy: IssuerPolicy,
    keys: KeySet,
    now_ms: i64,
) -> Result<VerifiedClaims, VerifyError> {
    let issuers = Issuers::new(vec![Arc::new(TrustedIssuer::new(policy).unwrap())]).unwrap();
    check_among(token, &issuers, &Arc::new(keys), now_ms)
}

pub(crate) fn check_among(
    token: &str,
    issuers: &Issuers,
    keys: &Arc<KeySet>,
    now_ms: i64,
) -> Result<VerifiedClaims, VerifyError> {
    let limits = Limits::default();
    let answer = parse(token, &limits).and_then(|parsed| {
        let issuer = issuers.select(&parsed)?;
        parsed.verify(issuer, keys, now_ms)
    });
    let inspection = inspect(token, issuers, |_| Ok(Arc::clone(keys)), &limits, now_ms);
    assert_eq!(
        answer.as_ref().err(),
        inspection.error(),
        "explain must agree with the verifier"
    );
    match (&answer, &inspection.claims) {
        (Ok(verified), InspectedClaims::Verified(explained)) => {
            assert_eq!(verified, explained.as_ref());
        }
        (Err(_), InspectedClaims::Verified(_)) | (Ok(_), _) => {
            panic!("explain must agree with the verifier")
        }
        (Err(_), _) => {}
    }
    answer
}

/// The usual issuer with the usual keys at the usual time.
pub(crate) fn usual(token: &str) -> Result<VerifiedClaims, VerifyError> {
    check(token, key_set_policy(), jwks(), NOW_MS)
}

/// `ok`, or the reason.
pub(crate) fn reason(answer: &Result<VerifiedClaims, VerifyError>) -> &'static str {
    answer.as_ref().map_or_else(VerifyError::reason, |_| "ok")
}
