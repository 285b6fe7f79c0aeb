//! The steps of `sign`, in the library's own order: what is wrong first is the error.

use narthex_template::{Object, Value, number_text};
use narthex_token::Algorithm;

use crate::der::Kind;
use crate::encoding::{encode, latin1};
use crate::error::MintError;
use crate::key::{Key, Material, Private};
use crate::options::{self, Options};
use crate::timespan;

/// Makes a token of a payload, as `jsonwebtoken.sign(payload, secretOrPrivateKey, options)` does at `now_ms` milliseconds
/// since the epoch.
///
/// # Errors
///
/// [`MintError`], the first thing that is wrong.
pub fn sign(payload: &Value, key: &Key, options: &Value, now_ms: i64) -> Result<String, MintError> {
    let options = Options::new(options);
    // As JavaScript's `typeof payload === 'object'` has it: null, lists and dates are objects.
    let is_object = matches!(
        payload,
        Value::Object(_) | Value::Array(_) | Value::Null | Value::Date(_)
    );
    let header = header(options, is_object);
    check_key_is_there(key, options)?;
    let algorithm = algorithm_of(&header)?;
    check_key_fits(key, algorithm, options)?;
    let mut claims = claims(payload, is_object, options)?;
    check_times_are_free(claims.as_ref(), options)?;
    options.check()?;
    if !options.is_on("allowInvalidAsymmetricKeyTypes") {
        check_key_type(key, algorithm)?;
    }
    if let Some(claims) = &mut claims {
        set_times(claims, options, now_ms)?;
        set_claims(claims, options)?;
    }
    let header = Value::Object(header.clone()).to_json_text().unwrap_or_default();
    let payload = claims.map_or_else(
        || payload_text(payload),
        |claims| Value::Object(claims).to_json_text().unwrap_or_default(),
    );
    seal(key, algorithm, options, &header, &payload)
}

/// `alg`, `typ`, `kid`, then what `options.header` has, which also overrides these three without moving them.
fn header(options: Options<'_>, is_object: bool) -> Object {
    let mut header = Object::new();
    let algorithm = options.member("algorithm");
    header.insert(
        "alg".to_owned(),
        if algorithm.is_truthy() {
            algorithm.clone()
        } else {
            Value::from("HS256")
        },
    );
    header.insert(
        "typ".to_owned(),
        if is_object {
            Value::from("JWT")
        } else {
            Value::Undefined
        },
    );
    header.insert("kid".to_owned(), options.member("keyid").clone());
    if let Value::Object(members) = options.member("header") {
        for (name, value) in members {
            header.insert(name.clone(), value.clone());
        }
    }
    header
}

fn check_key_is_there(key: &Key, options: Options<'_>) -> Result<(), MintError> {
    match key.0 {
        Material::Missing if options.member("algorithm").as_text() != Some("none") => Err(MintError::SecretMissing),
        Material::Unusable => Err(MintError::NotKeyMaterial),
        _ => Ok(()),
    }
}

/// SECURITY: the effective algorithm is the one in the header, whatever `options.algorithm` says: every check below, and
/// the signature, go by it.
fn algorithm_of(header: &Object) -> Result<&str, MintError> {
    match header.get("alg") {
        Some(Value::Text(algorithm)) => Ok(algorithm),
        Some(Value::Null) => Err(MintError::AlgorithmNotText { kind: "null" }),
        None | Some(Value::Undefined) => Err(MintError::AlgorithmNotText { kind: "undefined" }),
        Some(_) => Err(MintError::AlgorithmNotText { kind: "something else" }),
    }
}

fn check_key_fits(key: &Key, algorithm: &str, options: Options<'_>) -> Result<(), MintError> {
    let algorithm_text = || algorithm.to_owned();
    if algorithm.starts_with("HS") {
        return match key.0 {
            Material::Secret(_) => Ok(()),
            Material::Private(_) => Err(MintError::NotSymmetric {
                algorithm: algorithm_text(),
            }),
            Material::Missing | Material::Unusable => Err(MintError::SecretMissing),
        };
    }
    if !["RS", "PS", "ES"].iter().any(|family| algorithm.starts_with(family)) {
        return Ok(());
    }
    match &key.0 {
        Material::Private(Private {
            kind: Kind::Rsa(bits) | Kind::RsaPss(bits),
            ..
        }) if *bits < RSA_BITS_MIN && !algorithm.starts_with("ES") && !options.is_on("allowInsecureKeySizes") => {
            Err(MintError::KeyTooSmall {
                algorithm: algorithm_text(),
            })
        }
        Material::Private(_) => Ok(()),
        _ => Err(MintError::NotAsymmetric {
            algorithm: algorithm_text(),
        }),
    }
}

/// A copy of the claims, or nothing for a payload that is text, a number, a truth value or bytes.
fn claims(payload: &Value, is_object: bool, options: Options<'_>) -> Result<Option<Object>, MintError> {
    if matches!(payload, Value::Undefined) {
        return Err(MintError::PayloadMissing);
    }
    if is_object {
        let Value::Object(members) = payload else {
            return Err(MintError::NotAnObject { what: "payload" });
        };
        for (name, value) in members {
            let claim = TIMES.into_iter().find(|claim| claim == name);
            if let Some(claim) = claim
                && !matches!(value, Value::Number(_) | Value::BigInteger(_))
            {
                return Err(MintError::ClaimNotANumber { claim });
            }
        }
        return Ok(Some(members.clone()));
    }
    let given: Vec<&str> = FOR_CLAIMS.into_iter().filter(|option| options.has(option)).collect();
    if given.is_empty() {
        return Ok(None);
    }
    let kind = match payload {
        Value::Text(_) => "string",
        Value::Bool(_) => "boolean",
        Value::Number(_) | Value::BigInteger(_) => "number",
        _ => "object",
    };
    Err(MintError::OptionsWithoutClaims {
        options: given.join(","),
        kind,
    })
}

fn check_times_are_free(claims: Option<&Object>, options: Options<'_>) -> Result<(), MintError> {
    let Some(claims) = claims else { return Ok(()) };
    for (option, claim) in [("expiresIn", "exp"), ("notBefore", "nbf")] {
        if options.has(option) && claims.contains_key(claim) {
            return Err(MintError::ClaimTaken {
                option,
                claim,
                times: true,
            });
        }
    }
    Ok(())
}

fn check_key_type(key: &Key, algorithm: &str) -> Result<(), MintError> {
    let Material::Private(private) = &key.0 else {
        return Ok(());
    };
    let (kind, allowed) = match private.kind {
        Kind::Rsa(_) => ("rsa", "RS256, PS256, RS384, PS384, RS512, PS512"),
        Kind::RsaPss(_) => ("rsa-pss", "PS256, PS384, PS512"),
        Kind::Ec(_) => ("ec", "ES256, ES384, ES512"),
        Kind::Other(kind) => return Err(MintError::UnknownKeyType { kind }),
    };
    if !allowed.split(", ").any(|name| name == algorithm) {
        return Err(MintError::KeyTypeMismatch { kind, allowed });
    }
    let curve = match algorithm {
        "ES256" => "prime256v1",
        "ES384" => "secp384r1",
        _ => "secp521r1",
    };
    match private.kind {
        Kind::Ec(own) if own != curve => Err(MintError::CurveMismatch {
            algorithm: algorithm.to_owned(),
            curve,
        }),
        _ => Ok(()),
    }
}

/// `iat`, `nbf`, `exp`, in this order. They count from the payload's own `iat` if that is not 0.
fn set_times(claims: &mut Object, options: Options<'_>, now_ms: i64) -> Result<(), MintError> {
    let given = claims
        .get("iat")
        .and_then(number)
        .filter(|iat| *iat != 0.0 && !iat.is_nan());
    #[expect(clippy::cast_precision_loss, reason = "seconds of any calendar are far below 2^53")]
    let base = given.unwrap_or(now_ms.div_euclid(1000) as f64);
    if options.is_on("noTimestamp") {
        claims.shift_remove("iat");
    } else if given.is_none() {
        claims.insert("iat".to_owned(), Value::Number(base));
    }
    for (option, claim) in [("notBefore", "nbf"), ("expiresIn", "exp")] {
        let at = match options.member(option) {
            Value::Undefined => continue,
            Value::Text(text) => timespan::milliseconds(text).map(|span| (base + span / 1000.0).floor()),
            other => number(other).map(|seconds| base + seconds),
        };
        let at = at.ok_or(MintError::NotATimespan { option })?;
        claims.insert(claim.to_owned(), Value::Number(at));
    }
    Ok(())
}

fn set_claims(claims: &mut Object, options: Options<'_>) -> Result<(), MintError> {
    for (option, claim) in [
        ("audience", "aud"),
        ("issuer", "iss"),
        ("subject", "sub"),
        ("jwtid", "jti"),
    ] {
        if !options.has(option) {
            continue;
        }
        if claims
            .get(claim)
            .is_some_and(|value| !matches!(value, Value::Undefined))
        {
            return Err(MintError::ClaimTaken {
                option,
                claim,
                times: false,
            });
        }
        claims.insert(claim.to_owned(), options.member(option).clone());
    }
    Ok(())
}

/// The text of a payload that is no object.
fn payload_text(payload: &Value) -> String {
    match payload {
        Value::Text(text) => text.clone(),
        Value::Number(number) => number_text(*number),
        Value::Binary(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => other.to_json_text().unwrap_or_default(),
    }
}

fn seal(key: &Key, algorithm: &str, options: Options<'_>, header: &str, payload: &str) -> Result<String, MintError> {
    let minted = match algorithm {
        "HS256" => Algorithm::Hs256,
        "HS384" => Algorithm::Hs384,
        "HS512" => Algorithm::Hs512,
        "RS256" => Algorithm::Rs256,
        // SECURITY: `none`, above all. The rest may be added the day somebody needs it.
        other if options::exists(other) => {
            return Err(MintError::NotMinted {
                algorithm: other.to_owned(),
            });
        }
        other => {
            return Err(MintError::UnknownAlgorithm {
                algorithm: other.to_owned(),
            });
        }
    };
    let encoding = options
        .member("encoding")
        .as_text()
        .filter(|encoding| !encoding.is_empty())
        .unwrap_or("utf8");
    let payload = encode(payload, encoding).ok_or_else(|| MintError::UnknownEncoding {
        encoding: encoding.to_owned(),
    })?;
    let header = latin1(header);
    let too_small = || MintError::KeyTooSmall {
        algorithm: algorithm.to_owned(),
    };
    match &key.0 {
        Material::Secret(secret) => secret.sign(minted, &header, &payload),
        Material::Private(private) => match private.kind {
            Kind::Rsa(bits) if bits >= RSA_BITS_MIN => private.sign(&header, &payload),
            // INVARIANT: `allowInsecureKeySizes` was checked with the key.
            Kind::Rsa(_) => private.sign_small(&header, &payload).ok_or_else(too_small),
            // Only `allowInvalidAsymmetricKeyTypes` leads here. The library says the same of the short signature.
            _ => Err(too_small()),
        },
        Material::Missing | Material::Unusable => Err(MintError::SecretMissing),
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => Some(*number),
        #[expect(clippy::cast_precision_loss, reason = "JavaScript has no other numbers")]
        Value::BigInteger(integer) => Some(*integer as f64),
        _ => None,
    }
}

const RSA_BITS_MIN: usize = 2048;
/// The claims that must be numbers where they are given.
const TIMES: [&str; 3] = ["iat", "exp", "nbf"];
/// The options that need a payload of claims, in the order in which the library lists them.
const FOR_CLAIMS: [&str; 7] = [
    "expiresIn",
    "notBefore",
    "noTimestamp",
    "audience",
    "issuer",
    "subject",
    "jwtid",
];
