//! One entry of a JSON Web Key Set (RFC 7517, RFC 7518 section 6, RFC 8037, RFC 9964).

use std::sync::Arc;

use serde_json::{Map, Value};

use super::VerificationKey;
use super::material::Material;
use super::thumbprint::Thumbprints;
use crate::algorithm::{Algorithm, AlgorithmSet, Family};
use crate::codec::{base64_standard_decode, base64url_decode, sanitize};
use crate::der::{OID_P256, OID_P384, OID_P521, PublicNumbers, strip_zeros};

/// The members of private keys (RFC 7518 6.2.2 and 6.3.2, RFC 8037 2, RFC 9964 3).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "priv"];

/// The error is the reason why the key is not used, as a sentence without its subject.
pub(super) fn read(entry: &Value) -> Result<VerificationKey, String> {
    let Value::Object(jwk) = entry else {
        return Err("it is not a JSON object".to_owned());
    };
    // SECURITY: every reader of the set can read this, and sign. Such a key proves nothing. It is the worst that can be
    // wrong with a key, so it is what is told.
    if let Some(member) = PRIVATE.into_iter().find(|member| jwk.contains_key(*member)) {
        return Err(format!(
            "it carries its private part (`{member}`); every client that fetched the set can sign with it, so the issuer must replace it"
        ));
    }
    let kid = text(jwk, "kid")?.map(Arc::from);
    meant_for_verification(jwk)?;
    let own_algorithm = own_algorithm(jwk)?;
    let material = match text(jwk, "kty")? {
        Some("RSA") => rsa(jwk, own_algorithm),
        Some("EC") => ec(jwk, own_algorithm),
        Some("OKP") => okp(jwk, own_algorithm),
        Some("AKP") => akp(jwk, own_algorithm),
        // SECURITY: a secret that is published is none. Shared secrets come from a file or the environment.
        Some("oct") => Err("it is a shared secret (`oct`), which has no place in a key set".to_owned()),
        Some(other) => Err(format!("its type `{}` is not RSA, EC, OKP or AKP", sanitize(other))),
        None => Err("it has no `kty`".to_owned()),
    }?;
    let algorithms = match own_algorithm {
        None => material.kind().algorithms(),
        Some(own) if material.kind().algorithms().contains(own) => AlgorithmSet::from_iter([own]),
        Some(own) => {
            return Err(format!("its `alg` {own} does not fit its type, {}", material.kind()));
        }
    };
    Ok(VerificationKey {
        kid,
        algorithms,
        thumbprints: thumbprints(jwk),
        material,
    })
}

/// Reads a public key that came with what it signed; `None` if it is no public key for this algorithm.
pub(crate) fn read_embedded(jwk: &Value, algorithm: Algorithm) -> Option<Material> {
    let key = read(jwk).ok()?;
    key.algorithms.contains(algorithm).then_some(key.material)
}

/// `use` and `key_ops`, both optional, must agree with verifying.
fn meant_for_verification(jwk: &Map<String, Value>) -> Result<(), String> {
    match text(jwk, "use")? {
        None | Some("sig") => {}
        Some(other) => return Err(format!("its `use` is `{}`, not `sig`", sanitize(other))),
    }
    match jwk.get("key_ops") {
        None => Ok(()),
        Some(Value::Array(operations)) if operations.iter().any(|operation| operation == "verify") => Ok(()),
        Some(Value::Array(_)) => Err("its `key_ops` do not include `verify`".to_owned()),
        Some(_) => Err("its `key_ops` is not an array".to_owned()),
    }
}

/// The one algorithm the key is for, if it says so.
fn own_algorithm(jwk: &Map<String, Value>) -> Result<Option<Algorithm>, String> {
    match text(jwk, "alg")? {
        None => Ok(None),
        Some(name) => match Algorithm::from_name(name) {
            Some(algorithm) => Ok(Some(algorithm)),
            None => Err(format!(
                "its `alg` is `{}`, which is not a supported signature algorithm",
                sanitize(name)
            )),
        },
    }
}

fn rsa(jwk: &Map<String, Value>, own: Option<Algorithm>) -> Result<Material, String> {
    let (n, e) = (number(jwk, "n")?, number(jwk, "e")?);
    // Some issuers write the sign byte of ASN.1 into `n`, against RFC 7518 6.3.1.1; it changes nothing.
    Material::from_numbers(
        PublicNumbers::Rsa {
            modulus: strip_zeros(&n),
            exponent: strip_zeros(&e),
        },
        own,
    )
}

fn ec(jwk: &Map<String, Value>, own: Option<Algorithm>) -> Result<Material, String> {
    let (curve, length) = match text(jwk, "crv")? {
        Some("P-256") => (OID_P256, 32),
        Some("P-384") => (OID_P384, 48),
        Some("P-521") => (OID_P521, 66),
        Some(other) => {
            return Err(format!(
                "its curve `{}` is none of P-256, P-384 and P-521",
                sanitize(other)
            ));
        }
        None => return Err("it has no `crv`".to_owned()),
    };
    let (x, y) = (number(jwk, "x")?, number(jwk, "y")?);
    // SPEC: RFC 7518 6.2.1.2, the full size of a coordinate.
    if x.len() != length || y.len() != length {
        return Err(format!("its coordinates do not have {length} bytes"));
    }
    let point = [&[0x04], x.as_slice(), y.as_slice()].concat();
    Material::from_numbers(PublicNumbers::Ec { curve, point: &point }, own)
}

fn okp(jwk: &Map<String, Value>, own: Option<Algorithm>) -> Result<Material, String> {
    match text(jwk, "crv")? {
        Some("Ed25519") => Material::from_numbers(PublicNumbers::Ed25519(&number(jwk, "x")?), own),
        Some(other) => Err(format!("its curve `{}` is not Ed25519", sanitize(other))),
        None => Err("it has no `crv`".to_owned()),
    }
}

/// An "algorithm key pair": the algorithm is part of the key, so `alg` is required.
///
/// SPEC: RFC 9964 3.
fn akp(jwk: &Map<String, Value>, own: Option<Algorithm>) -> Result<Material, String> {
    let algorithm = own.ok_or("it has no `alg`, which a key of type AKP needs")?;
    if algorithm.family() != Family::MlDsa {
        return Err(format!("its `alg` {algorithm} does not fit its type, AKP"));
    }
    let key = number(jwk, "pub")?;
    Material::from_numbers(PublicNumbers::MlDsa { algorithm, key: &key }, own)
}

/// The key's own thumbprints, those of its first certificate, and its `kid` if it is one. What cannot be read is no name, and no reason to refuse.
fn thumbprints(jwk: &Map<String, Value>) -> Thumbprints {
    let certificate = jwk
        .get("x5c")
        .and_then(Value::as_array)
        .and_then(|chain| chain.first())
        .and_then(Value::as_str)
        .and_then(base64_standard_decode);
    let mut thumbprints = certificate.map_or_else(Thumbprints::default, |der| Thumbprints::of_certificate(&der));
    if let Some(own) = jwk.get("x5t#S256").and_then(Value::as_str) {
        thumbprints.add_sha256(own);
    }
    if let Some(own) = jwk.get("x5t").and_then(Value::as_str) {
        thumbprints.add_sha1(own);
    }
    if let Some(kid) = jwk.get("kid").and_then(Value::as_str) {
        thumbprints.add_kid(kid);
    }
    thumbprints
}

fn text<'j>(jwk: &'j Map<String, Value>, member: &str) -> Result<Option<&'j str>, String> {
    match jwk.get(member) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("its `{member}` is not text")),
    }
}

fn number(jwk: &Map<String, Value>, member: &str) -> Result<Vec<u8>, String> {
    let text = text(jwk, member)?.ok_or_else(|| format!("it has no `{member}`"))?;
    base64url_decode(text).ok_or_else(|| format!("its `{member}` is not unpadded base64url"))
}
