//! Any text as a token, against fixed keys: nothing is accepted but what the holder of the keys signed.
//!
//! The tokens in `fuzz/seeds/token_verify` are the only ones that were ever signed with these keys, and good.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use narthex_fuzz::NOW_MS;
use narthex_token::{
    Algorithm, IssuerPolicy, KeySet, KeySetLimits, Limits, SecretLength, TrustedIssuer, inspect_for, parse,
};

/// What an issuer is held to, and its keys.
struct Trusted {
    issuer: TrustedIssuer,
    keys: Arc<KeySet>,
}

static TRUSTED: LazyLock<[Trusted; 2]> = LazyLock::new(|| {
    let policy = IssuerPolicy {
        algorithms: vec![Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa],
        audiences: vec!["https://api.example".to_owned()],
        ..IssuerPolicy::key_set("keys", ISSUER)
    };
    let document = include_bytes!("../../../crates/token/tests/vectors/jwks.json");
    let keys = KeySet::from_jwks(document, &KeySetLimits::default()).expect("the key set is sound");
    let shared = IssuerPolicy::shared_secret("secret", Some(ISSUER.to_owned()));
    let secret =
        KeySet::from_secrets(&[SECRET], &[Algorithm::Hs256], SecretLength::Standard).expect("it is long enough");
    [
        Trusted {
            issuer: TrustedIssuer::new(policy).expect("the policy is sound"),
            keys: Arc::new(keys),
        },
        Trusted {
            issuer: TrustedIssuer::new(shared).expect("the policy is sound"),
            keys: Arc::new(secret),
        },
    ]
});

const ISSUER: &str = "https://issuer.example";
const SECRET: &[u8] = b"a secret of the fuzz targets, known to everybody";
const SIGNED: [&str; 5] = [
    include_str!("../../seeds/token_verify/hs256"),
    include_str!("../../seeds/token_verify/rs256"),
    include_str!("../../seeds/token_verify/ps256"),
    include_str!("../../seeds/token_verify/es256"),
    include_str!("../../seeds/token_verify/eddsa"),
];

fuzz_target!(|data: &[u8]| {
    let Ok(token) = std::str::from_utf8(data) else { return };
    let mut accepted_by_any = false;
    for trusted in &*TRUSTED {
        let verified =
            parse(token, &Limits::default()).and_then(|parsed| parsed.verify(&trusted.issuer, &trusted.keys, NOW_MS));
        let accepted = verified.is_ok();
        accepted_by_any |= accepted;
        if accepted {
            // An ECDSA signature has a twin, so that the signature itself is not compared.
            let signed_part = token.rsplit_once('.').map(|(signed, _)| signed);
            assert!(
                SIGNED
                    .iter()
                    .any(|known| known.rsplit_once('.').map(|(signed, _)| signed) == signed_part),
                "accepted, and signed by nobody: {token}"
            );
        }
        // What is shown step by step is the same verifier.
        let keys = |_: &TrustedIssuer| Ok(Arc::clone(&trusted.keys));
        let shown = inspect_for(token, &trusted.issuer, keys, &Limits::default(), NOW_MS);
        assert_eq!(shown.error().is_none(), accepted);
    }
    assert!(accepted_by_any || !SIGNED.contains(&token), "refused, and good");
});
