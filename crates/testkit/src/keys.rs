//! The test keys in `keys/`: signing with them, and their public halves as JSON Web Keys.

use anyhow::{Context as _, Result, anyhow, bail};
use aws_lc_rs::{
    digest, hmac,
    rand::SystemRandom,
    rsa::KeyPair as RsaKeyPair,
    signature::{
        self, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
        Ed25519KeyPair, KeyPair as _,
    },
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};

/// One of the checked-in keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestKey {
    /// RSA, 2048 bits, with a certificate.
    Rsa1,
    /// Another RSA key of 2048 bits, with a certificate: "rotated", or "another issuer's".
    Rsa2,
    /// EC on P-256.
    P256,
    /// EC on P-384.
    P384,
    /// Ed25519.
    Ed25519,
}

impl TestKey {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Rsa1, Self::Rsa2, Self::P256, Self::P384, Self::Ed25519];

    /// The key whose `kid` is `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.kid() == name)
    }

    /// Its `kid`, which is also the name of its file.
    pub fn kid(self) -> &'static str {
        match self {
            Self::Rsa1 => "rsa_1",
            Self::Rsa2 => "rsa_2",
            Self::P256 => "ec_p256",
            Self::P384 => "ec_p384",
            Self::Ed25519 => "ed25519",
        }
    }

    /// The algorithm a token signed with it names unless told otherwise.
    pub fn algorithm(self) -> &'static str {
        match self {
            Self::Rsa1 | Self::Rsa2 => "RS256",
            Self::P256 => "ES256",
            Self::P384 => "ES384",
            Self::Ed25519 => "EdDSA",
        }
    }

    /// The private key, PKCS#8 in PEM.
    pub fn pem(self) -> &'static str {
        match self {
            Self::Rsa1 => include_str!("../keys/rsa_1.pem"),
            Self::Rsa2 => include_str!("../keys/rsa_2.pem"),
            Self::P256 => include_str!("../keys/ec_p256.pem"),
            Self::P384 => include_str!("../keys/ec_p384.pem"),
            Self::Ed25519 => include_str!("../keys/ed25519.pem"),
        }
    }

    /// The self-signed certificate in DER, for the two RSA keys.
    pub fn certificate(self) -> Option<Vec<u8>> {
        let pem = match self {
            Self::Rsa1 => include_str!("../keys/rsa_1.crt"),
            Self::Rsa2 => include_str!("../keys/rsa_2.crt"),
            Self::P256 | Self::P384 | Self::Ed25519 => return None,
        };
        der(pem).ok()
    }

    /// `x5t`: the SHA-1 of the certificate in base64url.
    pub fn x5t(self) -> Option<String> {
        self.thumbprint(&digest::SHA1_FOR_LEGACY_USE_ONLY)
            .map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
    }

    /// `x5t#S256`: the SHA-256 of the certificate in base64url.
    pub fn x5t_s256(self) -> Option<String> {
        self.thumbprint(&digest::SHA256)
            .map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The SHA-1 of the certificate in upper-case hexadecimal, as some providers write `x5t`.
    pub fn x5t_hex(self) -> Option<String> {
        use std::fmt::Write as _;
        let bytes = self.thumbprint(&digest::SHA1_FOR_LEGACY_USE_ONLY)?;
        Some(bytes.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02X}");
            hex
        }))
    }

    /// The base64url of the hexadecimal text, as some others write `x5t`.
    pub fn x5t_base64_of_hex(self) -> Option<String> {
        self.x5t_hex().map(|hex| URL_SAFE_NO_PAD.encode(hex))
    }

    fn thumbprint(self, algorithm: &'static digest::Algorithm) -> Option<Vec<u8>> {
        let certificate = self.certificate()?;
        Some(digest::digest(algorithm, &certificate).as_ref().to_vec())
    }

    /// The public half as a JSON Web Key with `kid`, `use` and `alg`.
    pub fn jwk(self) -> Value {
        let mut jwk = self.bare_jwk();
        if let Some(members) = jwk.as_object_mut() {
            members.insert("kid".into(), self.kid().into());
            members.insert("use".into(), "sig".into());
            members.insert("alg".into(), self.algorithm().into());
        }
        jwk
    }

    /// The public half with `x5t` and `x5c` instead of `kid`, as providers of an older make publish it.
    pub fn x5t_jwk(self) -> Value {
        let mut jwk = self.bare_jwk();
        if let (Some(members), Some(certificate)) = (jwk.as_object_mut(), self.certificate()) {
            members.insert("use".into(), "sig".into());
            members.insert("x5t".into(), self.x5t().into());
            members.insert("x5c".into(), json!([STANDARD.encode(certificate)]));
        }
        jwk
    }

    /// The public half with nothing but the members its type needs.
    ///
    /// # Panics
    ///
    /// If a file of this crate is damaged.
    #[expect(clippy::expect_used, reason = "the keys are files of this crate")]
    pub fn bare_jwk(self) -> Value {
        self.public_members().expect("the checked-in key can be read")
    }

    fn public_members(self) -> Result<Value> {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let der = der(self.pem())?;
        Ok(match self {
            Self::Rsa1 | Self::Rsa2 => {
                let key = RsaKeyPair::from_pkcs8(&der)?;
                let (n, e) = rsa_numbers(key.public_key().as_ref()).context("not an RSAPublicKey")?;
                json!({ "kty": "RSA", "n": encode(n), "e": encode(e) })
            }
            Self::P256 | Self::P384 => {
                let (crv, algorithm) = self.curve().context("not a curve")?;
                let key = EcdsaKeyPair::from_pkcs8(algorithm, &der)?;
                let point = key.public_key().as_ref();
                // Uncompressed: the byte 4, then the two coordinates.
                let coordinates = point.get(1..).context("an empty point")?;
                let (x, y) = coordinates.split_at(coordinates.len() / 2);
                json!({ "kty": "EC", "crv": crv, "x": encode(x), "y": encode(y) })
            }
            Self::Ed25519 => {
                let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der)?;
                json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(key.public_key().as_ref()) })
            }
        })
    }

    fn curve(self) -> Option<(&'static str, &'static EcdsaSigningAlgorithm)> {
        match self {
            Self::P256 => Some(("P-256", &ECDSA_P256_SHA256_FIXED_SIGNING)),
            Self::P384 => Some(("P-384", &ECDSA_P384_SHA384_FIXED_SIGNING)),
            Self::Rsa1 | Self::Rsa2 | Self::Ed25519 => None,
        }
    }

    /// The signature over `message` that a token with this `alg` carries. An error if the key cannot make it.
    pub fn signature(self, algorithm: &str, message: &[u8]) -> Result<Vec<u8>> {
        let random = SystemRandom::new();
        let der = der(self.pem())?;
        match (self, algorithm) {
            (Self::Rsa1 | Self::Rsa2, _) => {
                let padding: &'static dyn signature::RsaEncoding = match algorithm {
                    "RS256" => &signature::RSA_PKCS1_SHA256,
                    "RS384" => &signature::RSA_PKCS1_SHA384,
                    "RS512" => &signature::RSA_PKCS1_SHA512,
                    "PS256" => &signature::RSA_PSS_SHA256,
                    "PS384" => &signature::RSA_PSS_SHA384,
                    "PS512" => &signature::RSA_PSS_SHA512,
                    _ => bail!("an RSA key does not sign {algorithm}"),
                };
                let key = RsaKeyPair::from_pkcs8(&der)?;
                let mut bytes = vec![0; key.public_modulus_len()];
                key.sign(padding, &random, message, &mut bytes)
                    .map_err(|_| anyhow!("signing failed"))?;
                Ok(bytes)
            }
            (Self::P256, "ES256") | (Self::P384, "ES384") => {
                let (_, curve) = self.curve().context("not a curve")?;
                let key = EcdsaKeyPair::from_pkcs8(curve, &der)?;
                let signed = key.sign(&random, message).map_err(|_| anyhow!("signing failed"))?;
                Ok(signed.as_ref().to_vec())
            }
            (Self::Ed25519, "EdDSA" | "Ed25519") => {
                let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der)?;
                Ok(key.sign(message).as_ref().to_vec())
            }
            _ => bail!("the key {} does not sign {algorithm}", self.kid()),
        }
    }
}

/// An RSA key of 1024 bits as a JSON Web Key: it must be refused when a set is loaded.
pub fn short_rsa_jwk() -> Value {
    serde_json::from_str(include_str!("../keys/rsa_1024.jwk.json")).unwrap_or_default()
}

/// A key set of these keys, each by its `kid`.
pub fn key_set(keys: &[TestKey]) -> Value {
    let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
    json!({ "keys": keys })
}

/// The MAC over `message` that a token signed with this shared secret carries.
pub fn mac(algorithm: &str, secret: &[u8], message: &[u8]) -> Result<Vec<u8>> {
    let algorithm = match algorithm {
        "HS256" => hmac::HMAC_SHA256,
        "HS384" => hmac::HMAC_SHA384,
        "HS512" => hmac::HMAC_SHA512,
        _ => bail!("a shared secret does not sign {algorithm}"),
    };
    let key = hmac::Key::new(algorithm, secret);
    Ok(hmac::sign(&key, message).as_ref().to_vec())
}

/// Modulus and exponent of an `RSAPublicKey` (RFC 8017 A.1.1) in DER, without leading zeros.
fn rsa_numbers(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (sequence, _) = element(der)?;
    let (n, rest) = element(sequence)?;
    let (e, _) = element(rest)?;
    let bare = |number: &'_ [u8]| number.iter().take_while(|byte| **byte == 0).count();
    Some((n.get(bare(n)..)?, e.get(bare(e)..)?))
}

/// The content of the first DER element, and what follows it.
fn element(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[_tag, first], rest) = der.split_first_chunk()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        (
            bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)),
            rest,
        )
    };
    rest.split_at_checked(length)
}

/// The bytes inside a PEM file with one block.
fn der(pem: &str) -> Result<Vec<u8>> {
    let text: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(text).context("not PEM")
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};

    #[test]
    fn signatures_verify_with_the_published_halves() {
        let signed = TestKey::P256.signature("ES256", b"message").unwrap();
        let jwk = TestKey::P256.jwk();
        let mut point = vec![4];
        for member in ["x", "y"] {
            point.extend(URL_SAFE_NO_PAD.decode(jwk[member].as_str().unwrap()).unwrap());
        }
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point)
            .verify(b"message", &signed)
            .unwrap();

        let signed = TestKey::Ed25519.signature("EdDSA", b"message").unwrap();
        let point = URL_SAFE_NO_PAD
            .decode(TestKey::Ed25519.jwk()["x"].as_str().unwrap())
            .unwrap();
        UnparsedPublicKey::new(&ED25519, &point)
            .verify(b"message", &signed)
            .unwrap();

        let jwk = TestKey::Rsa1.jwk();
        let part = |member: &str| URL_SAFE_NO_PAD.decode(jwk[member].as_str().unwrap()).unwrap();
        let public = signature::RsaPublicKeyComponents {
            n: part("n"),
            e: part("e"),
        };
        let signed = TestKey::Rsa1.signature("RS256", b"message").unwrap();
        public
            .verify(&signature::RSA_PKCS1_2048_8192_SHA256, b"message", &signed)
            .unwrap();
    }

    #[test]
    fn thumbprints_are_those_openssl_prints() {
        // openssl x509 -in keys/rsa_1.crt -noout -fingerprint
        assert_eq!(
            TestKey::Rsa1.x5t_hex().unwrap(),
            "AE40F1EE564D9DB8EC3A2B2ACD7BBA44C3EE64D5"
        );
    }

    #[test]
    fn a_key_makes_only_its_own_signatures() {
        assert!(TestKey::Rsa1.signature("ES256", b"").is_err());
        assert!(TestKey::P256.signature("ES384", b"").is_err());
        assert!(mac("RS256", b"secret", b"").is_err());
    }

    #[test]
    fn the_short_key_has_1024_bits() {
        let n = short_rsa_jwk()["n"].as_str().unwrap().to_owned();
        assert_eq!(URL_SAFE_NO_PAD.decode(n).unwrap().len(), 128);
    }
}
