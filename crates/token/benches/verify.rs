//! Bar P1: a whole verification against nothing but the signature, in one run.
//!
//! `cargo bench -p narthex-token` prints divan's table, then the ratio of the two, measured in short alternating rounds of which
//! the quietest count.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench may fail loudly")]

use std::hint::black_box;
use std::sync::Arc;

use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use narthex_token::sign::{SigningKey, sign_compact};
use narthex_token::{
    Algorithm, IssuerPolicy, Issuers, KeySet, KeySetLimits, Limits, TrustedIssuer, VerifiedClaims, parse,
};
use serde_json::{Value, json};

const NOW_SECONDS: i64 = 1_700_000_000;
const TOKENS: usize = 200;
/// Short enough to fit between two interruptions.
const BATCH: usize = 20;
const ROUNDS: usize = 2_000;
const BAR: f64 = 1.2;

/// What a server holds, and what arrives.
struct Scene {
    tokens: Vec<String>,
    /// The same tokens as signing input and signature.
    split: Vec<(String, Vec<u8>)>,
    raw: ParsedPublicKey,
    issuers: Issuers,
    keys: Arc<KeySet>,
    limits: Limits,
}

impl Scene {
    fn new() -> Self {
        let stored: Value = serde_json::from_str(include_str!("../tests/vectors/test-keys.json")).unwrap();
        let key = SigningKey::from_pem(Algorithm::Rs256, stored["rsa"].as_str().unwrap()).unwrap();
        let public = key.public_jwk().unwrap();
        let decode = |member: &str| URL_SAFE_NO_PAD.decode(public[member].as_str().unwrap()).unwrap();
        let (n, e) = (decode("n"), decode("e"));
        let raw = RsaPublicKeyComponents { n: &n, e: &e }
            .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
            .unwrap();

        let tokens: Vec<String> = (0..TOKENS).map(|i| token(i, &key)).collect();
        let split = tokens
            .iter()
            .map(|token| {
                let (message, signature) = token.rsplit_once('.').unwrap();
                (message.to_owned(), URL_SAFE_NO_PAD.decode(signature).unwrap())
            })
            .collect();
        let mut policy = IssuerPolicy::key_set("bench", "https://login.example.com/tenant");
        policy.audiences = vec!["https://api.example.com/gateway".to_owned()];
        let issuers = Issuers::new(vec![Arc::new(TrustedIssuer::new(policy).unwrap())]).unwrap();
        let keys = Arc::new(
            KeySet::from_jwks(include_bytes!("../tests/vectors/jwks.json"), &KeySetLimits::default()).unwrap(),
        );
        Self {
            tokens,
            split,
            raw,
            issuers,
            keys,
            limits: Limits::default(),
        }
    }

    /// Everything a request costs in this crate.
    fn verify(&self, i: usize) -> VerifiedClaims {
        let token = parse(&self.tokens[i % TOKENS], &self.limits).unwrap();
        let issuer = self.issuers.select(&token).unwrap();
        token.verify(issuer, &self.keys, NOW_SECONDS * 1000).unwrap()
    }

    /// The signature alone.
    fn raw(&self, i: usize) {
        let (message, signature) = &self.split[i % TOKENS];
        self.raw.verify_sig(message.as_bytes(), signature).unwrap();
    }
}

/// About 900 bytes, ten groups.
fn token(i: usize, key: &SigningKey) -> String {
    let groups: Vec<String> = (0..10)
        .map(|g| format!("grp-{g:02}-{:08x}", i * 7919 + g * 104_729))
        .collect();
    let claims = json!({
        "iss": "https://login.example.com/tenant",
        "aud": "https://api.example.com/gateway",
        "exp": NOW_SECONDS + 3600,
        "iat": NOW_SECONDS - 5,
        "nbf": NOW_SECONDS - 5,
        "sub": format!("7f3c2c1e-9f0b-4c55-a1d7-{i:012x}"),
        "email": format!("user{i:06}@example.com"),
        "name": format!("Example User {i:06}"),
        "groups": groups,
    });
    let header = r#"{"alg":"RS256","typ":"JWT","kid":"rsa"}"#;
    sign_compact(header.as_bytes(), claims.to_string().as_bytes(), key).unwrap()
}

#[divan::bench]
fn verify(bencher: divan::Bencher<'_, '_>) {
    let scene = Scene::new();
    let mut i = 0;
    bencher.bench_local(|| {
        i += 1;
        scene.verify(i)
    });
}

#[divan::bench]
fn raw_signature(bencher: divan::Bencher<'_, '_>) {
    let scene = Scene::new();
    let mut i = 0;
    bencher.bench_local(|| {
        i += 1;
        scene.raw(i);
    });
}

#[divan::bench]
fn parse_only(bencher: divan::Bencher<'_, '_>) {
    let scene = Scene::new();
    let mut i = 0;
    bencher.bench_local(|| {
        i += 1;
        parse(&scene.tokens[i % TOKENS], &scene.limits).map(drop).unwrap();
    });
}

#[divan::bench]
fn mint_hs512(bencher: divan::Bencher<'_, '_>) {
    let key = SigningKey::from_secret(Algorithm::Hs512, &[7; 64]).unwrap();
    let payload = json!({ "iss": "narthex", "iat": NOW_SECONDS, "exp": NOW_SECONDS + 60, "sub": "worker" }).to_string();
    bencher.bench_local(|| sign_compact(br#"{"alg":"HS512","typ":"JWT"}"#, payload.as_bytes(), &key).unwrap());
}

/// Seconds for one batch, starting at the `from`th token.
#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
fn seconds(from: usize, mut work: impl FnMut(usize)) -> f64 {
    let start = std::time::Instant::now();
    for i in from..from + BATCH {
        work(i);
    }
    start.elapsed().as_secs_f64()
}

fn main() {
    divan::main();
    let scene = Scene::new();
    println!(
        "\ntoken of {} bytes, {ROUNDS} alternating rounds of {BATCH}",
        scene.tokens[0].len()
    );
    let (mut raw, mut whole) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let from = round * BATCH;
        raw.push(seconds(from, |i| scene.raw(black_box(i))));
        whole.push(seconds(from, |i| drop(black_box(scene.verify(black_box(i))))));
    }
    let (raw, whole) = (quiet(raw), quiet(whole));
    let ratio = whole / raw;
    println!("raw signature {raw:.2} us, verify {whole:.2} us");
    println!(
        "P1 verify / raw = {ratio:.3} (bar {BAR}, aim 1.12): {}",
        if ratio <= BAR { "met" } else { "MISSED" }
    );
}

/// Microseconds for one, in the quietest twentieth of the batches: what the work costs when nobody disturbs it.
#[expect(clippy::cast_precision_loss, reason = "a small constant")]
fn quiet(mut batches: Vec<f64>) -> f64 {
    batches.sort_by(f64::total_cmp);
    batches[batches.len() / 20] * 1e6 / BATCH as f64
}
