//! The steps of `sign`, in the library's own order: the first problem is the error.

use narthex_template::{Object, Value, number_text};
use narthex_token::{Algorithm, Family};

use crate::der::{PrivateKeyKind, PssDemands};
use crate::encoding::{encode, latin1};
use crate::error::MintError;
use crate::json::{self, Item};
use crate::key::{Key, Material, Private};
use crate::options::{self, Options};
use crate::timespan;

/// Algorithms that may be minted. `none` is in neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithms {
    /// HS256, HS384, HS512 and RS256: what `jwt()` makes.
    OfTemplates,
    /// Every one that the library has: HS, RS, PS and ES with 256, 384 and 512 bits. Beside them ML-DSA (RFC 9964), which it
    /// has not.
    OfLibrary,
}

impl Algorithms {
    const fn names(self) -> &'static str {
        match self {
            Self::OfTemplates => "HS256, HS384, HS512, RS256",
            Self::OfLibrary => {
                "HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, ML-DSA-44, ML-DSA-65, ML-DSA-87"
            }
        }
    }
}

/// Makes a token of a payload, as `jsonwebtoken.sign(payload, secretOrPrivateKey, options)` does at `now_ms` milliseconds
/// since the epoch.
///
/// # Errors
///
/// [`MintError`], the first thing that is wrong.
pub fn sign(
    payload: &Value,
    key: &Key,
    options: &Value,
    algorithms: Algorithms,
    now_ms: i64,
) -> Result<String, MintError> {
    sign_with(payload, key, Options::new(options), algorithms, now_ms)
}

pub(crate) fn sign_with(
    payload: &Value,
    key: &Key,
    options: Options<'_>,
    algorithms: Algorithms,
    now_ms: i64,
) -> Result<String, MintError> {
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
    if !options.is_on("allowInvalidAsymmetricKeyTypes") && !algorithm.is_empty() {
        check_key_type(key, algorithm)?;
    }
    if let Some(claims) = &mut claims {
        set_times(claims, options, now_ms)?;
        set_claims(claims, options)?;
    }
    let mut text = String::with_capacity(HEADER_USUAL);
    json::write_object(header.iter().copied(), &mut text);
    let payload = claims.map_or_else(|| payload_text(payload), |claims| claims.text());
    let payload = encoded(algorithm, payload, options)?;
    seal(key, minted(algorithm, algorithms)?, &latin1(&text), &payload)
}

/// The members of a header, in order.
type Header<'o> = Vec<(&'o str, Item<'o>)>;

/// `alg`, `typ`, `kid`, then what `options.header` has, which also overrides these three without moving them.
fn header(options: Options<'_>, is_object: bool) -> Header<'_> {
    let algorithm = options.member("algorithm");
    let mut header = vec![
        (
            "alg",
            if algorithm.is_truthy() {
                Item::Value(algorithm)
            } else {
                Item::Text("HS256")
            },
        ),
        (
            "typ",
            if is_object {
                Item::Text("JWT")
            } else {
                Item::Value(&Value::Undefined)
            },
        ),
        ("kid", Item::Value(options.member("keyid"))),
    ];
    if let Value::Object(members) = options.member("header") {
        for (name, value) in members {
            // The names of a collection are different ones: only the three above can be there already.
            match header.iter_mut().take(3).find(|(there, _)| there == name) {
                Some((_, item)) => *item = Item::Value(value),
                None => header.push((name, Item::Value(value))),
            }
        }
    }
    header
}

/// The claims of a payload as they will be written: its own, less `iat` perhaps, and what the options set.
struct Claims<'p> {
    own: &'p Object,
    without_iat: bool,
    set: Vec<(&'static str, Item<'p>)>,
}

impl<'p> Claims<'p> {
    /// The payload's own value of a claim; undefined if there is none.
    fn own(&self, claim: &str) -> &'p Value {
        self.own.get(claim).unwrap_or(&Value::Undefined)
    }

    fn text(&self) -> String {
        let own = self
            .own
            .iter()
            .filter(|(name, _)| !(self.without_iat && *name == "iat"));
        let own = own.map(|(name, value)| {
            let set = self.set.iter().find(|(claim, _)| claim == name);
            (name.as_str(), set.map_or(Item::Value(value), |(_, item)| *item))
        });
        let new = self
            .set
            .iter()
            .filter(|(claim, _)| !self.own.contains_key(*claim))
            .copied();
        let mut text = String::with_capacity(PAYLOAD_USUAL);
        json::write_object(own.chain(new), &mut text);
        text
    }
}

fn check_key_is_there(key: &Key, options: Options<'_>) -> Result<(), MintError> {
    match key.0 {
        Material::Missing if options.member("algorithm").as_text() != Some("none") => Err(MintError::SecretMissing),
        Material::Unusable(_) => Err(MintError::NotKeyMaterial),
        _ => Ok(()),
    }
}

/// SECURITY: the effective algorithm is the one in the header, whatever `options.algorithm` says: every check below, and
/// the signature, go by it.
fn algorithm_of<'o>(header: &Header<'o>) -> Result<&'o str, MintError> {
    match header.first() {
        Some((_, Item::Text(algorithm))) => Ok(algorithm),
        Some((_, Item::Value(Value::Text(algorithm)))) => Ok(algorithm),
        Some((_, Item::Value(Value::Null))) => Err(MintError::AlgorithmNotText { kind: "null" }),
        None | Some((_, Item::Value(Value::Undefined))) => Err(MintError::AlgorithmNotText { kind: "undefined" }),
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
            Material::Missing | Material::Unusable(_) => Err(MintError::SecretMissing),
        };
    }
    if !["RS", "PS", "ES", "ML-DSA"]
        .iter()
        .any(|family| algorithm.starts_with(family))
    {
        return Ok(());
    }
    match &key.0 {
        Material::Private(Private {
            kind: PrivateKeyKind::Rsa(bits) | PrivateKeyKind::RsaPss { bits, .. },
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

/// The claims, or nothing for a payload that is text, a number, a truth value or bytes.
fn claims<'p>(payload: &'p Value, is_object: bool, options: Options<'_>) -> Result<Option<Claims<'p>>, MintError> {
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
        return Ok(Some(Claims {
            own: members,
            without_iat: false,
            set: Vec::with_capacity(SET_MOST),
        }));
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

fn check_times_are_free(claims: Option<&Claims<'_>>, options: Options<'_>) -> Result<(), MintError> {
    let Some(claims) = claims else { return Ok(()) };
    for (option, claim) in [("expiresIn", "exp"), ("notBefore", "nbf")] {
        if options.has(option) && claims.own.contains_key(claim) {
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
        PrivateKeyKind::Rsa(_) => ("rsa", "RS256, PS256, RS384, PS384, RS512, PS512"),
        PrivateKeyKind::RsaPss { .. } => ("rsa-pss", "PS256, PS384, PS512"),
        PrivateKeyKind::Ec(_) => ("ec", "ES256, ES384, ES512"),
        PrivateKeyKind::MlDsa(own, kind) => (kind, own.name()),
        PrivateKeyKind::Other(kind) => return Err(MintError::UnknownKeyType { kind }),
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
        PrivateKeyKind::Ec(own) if own != curve => Err(MintError::CurveMismatch {
            algorithm: algorithm.to_owned(),
            curve,
        }),
        PrivateKeyKind::RsaPss { demands, .. } => check_pss(demands, algorithm),
        _ => Ok(()),
    }
}

/// An RSA-PSS key may demand a hash and a salt. One without parameters names no hash, which the library does not take.
fn check_pss(demands: Option<PssDemands>, algorithm: &str) -> Result<(), MintError> {
    let bits = match algorithm {
        "PS256" => 256,
        "PS384" => 384,
        _ => 512,
    };
    let algorithm = || algorithm.to_owned();
    match demands {
        Some(demands) if demands.hash_bits == bits && demands.mask_hash_bits == bits => {
            if demands.salt_bytes > bits / 8 {
                Err(MintError::PssSalt { algorithm: algorithm() })
            } else {
                Ok(())
            }
        }
        _ => Err(MintError::PssParameters { algorithm: algorithm() }),
    }
}

/// `iat`, `nbf`, `exp`, in this order. They count from the payload's own `iat` if that is not 0.
fn set_times(claims: &mut Claims<'_>, options: Options<'_>, now_ms: i64) -> Result<(), MintError> {
    let given = number(claims.own("iat")).filter(|iat| *iat != 0.0 && !iat.is_nan());
    #[expect(clippy::cast_precision_loss, reason = "seconds of any calendar are far below 2^53")]
    let base = given.unwrap_or(now_ms.div_euclid(1000) as f64);
    if options.is_on("noTimestamp") {
        claims.without_iat = true;
    } else if given.is_none() {
        claims.set.push(("iat", Item::Number(base)));
    }
    for (option, claim) in [("notBefore", "nbf"), ("expiresIn", "exp")] {
        let at = match options.member(option) {
            Value::Undefined => continue,
            Value::Text(text) => timespan::milliseconds(text).map(|span| (base + span / 1000.0).floor()),
            other => number(other).map(|seconds| base + seconds),
        };
        let at = at.ok_or(MintError::NotATimespan { option })?;
        claims.set.push((claim, Item::Number(at)));
    }
    Ok(())
}

fn set_claims<'p>(claims: &mut Claims<'p>, options: Options<'p>) -> Result<(), MintError> {
    for (option, claim) in [
        ("audience", "aud"),
        ("issuer", "iss"),
        ("subject", "sub"),
        ("jwtid", "jti"),
    ] {
        if !options.has(option) {
            continue;
        }
        if !matches!(claims.own(claim), Value::Undefined) {
            return Err(MintError::ClaimTaken {
                option,
                claim,
                times: false,
            });
        }
        claims.set.push((claim, Item::Value(options.member(option))));
    }
    Ok(())
}

/// The text of a payload that is no object.
fn payload_text(payload: &Value) -> String {
    match payload {
        Value::Text(text) => text.clone(),
        Value::Number(number) => number_text(*number),
        Value::BigInteger(integer) => number_text(json::to_double(*integer)),
        Value::Binary(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => {
            let mut text = String::new();
            json::write(other, &mut text);
            text
        }
    }
}

/// The bytes of the payload. That the algorithm exists is asked first, as in the library.
fn encoded(algorithm: &str, payload: String, options: Options<'_>) -> Result<Vec<u8>, MintError> {
    if !options::exists(algorithm) {
        return Err(MintError::UnknownAlgorithm {
            algorithm: algorithm.to_owned(),
        });
    }
    let encoding = options
        .member("encoding")
        .as_text()
        .filter(|encoding| !encoding.is_empty())
        .unwrap_or("utf8");
    encode(payload, encoding).ok_or_else(|| MintError::UnknownEncoding {
        encoding: encoding.to_owned(),
    })
}

/// The algorithm, if it may be minted.
fn minted(algorithm: &str, algorithms: Algorithms) -> Result<Algorithm, MintError> {
    let allowed = algorithms.names();
    // SECURITY: `none` is in neither list, and is no algorithm of the type either.
    let named = allowed.split(", ").any(|name| name == algorithm);
    named
        .then(|| Algorithm::from_name(algorithm))
        .flatten()
        .ok_or_else(|| MintError::NotMinted {
            algorithm: algorithm.to_owned(),
            allowed,
        })
}

fn seal(key: &Key, algorithm: Algorithm, header: &[u8], payload: &[u8]) -> Result<String, MintError> {
    if let Material::Private(Private {
        kind: PrivateKeyKind::RsaPss {
            demands: demands @ Some(_),
            ..
        },
        ..
    }) = &key.0
    {
        // The key's own demands, which `allowInvalidAsymmetricKeyTypes` does not lift.
        check_pss(*demands, algorithm.name())?;
    }
    let family = algorithm.family();
    match &key.0 {
        Material::Secret(secret) if family == Family::Hmac => secret.sign(algorithm, header, payload),
        Material::Private(private) => match (private.kind, family) {
            (PrivateKeyKind::Rsa(bits) | PrivateKeyKind::RsaPss { bits, .. }, Family::Rsa) if bits < RSA_BITS_MIN => {
                // INVARIANT: `allowInsecureKeySizes` was checked with the key.
                private
                    .sign_small(algorithm, header, payload)
                    .ok_or_else(|| too_small(algorithm))
            }
            (PrivateKeyKind::Rsa(_), Family::Rsa) => private.sign(algorithm, header, payload),
            (PrivateKeyKind::MlDsa(own, _), Family::MlDsa) if own == algorithm => {
                private.sign(algorithm, header, payload)
            }
            (PrivateKeyKind::Ec(_), Family::Ec) => {
                // The curve is the algorithm's, whatever `allowInvalidAsymmetricKeyTypes` says.
                check_key_type(key, algorithm.name())?;
                private.sign(algorithm, header, payload)
            }
            (PrivateKeyKind::RsaPss { .. }, Family::Rsa) if algorithm.name().starts_with("PS") => {
                private.sign(algorithm, header, payload)
            }
            // Only `allowInvalidAsymmetricKeyTypes` leads here. For the short signatures that come of it the library
            // says that the key is too small; we say it for all of them.
            _ => Err(too_small(algorithm)),
        },
        _ => Err(MintError::SecretMissing),
    }
}

fn too_small(algorithm: Algorithm) -> MintError {
    MintError::KeyTooSmall {
        algorithm: algorithm.name().to_owned(),
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => Some(*number),
        Value::BigInteger(integer) => Some(json::to_double(*integer)),
        _ => None,
    }
}

/// Bytes of a header and of a payload that need no second allocation; ten groups fit in.
const HEADER_USUAL: usize = 128;
const PAYLOAD_USUAL: usize = 1_024;
const RSA_BITS_MIN: usize = 2048;
/// The claims that options set: `iat`, `nbf`, `exp`, `aud`, `iss`, `sub`, `jti`.
const SET_MOST: usize = 7;
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
