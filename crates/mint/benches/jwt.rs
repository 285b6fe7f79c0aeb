//! What `jwt()` costs in a compiled template, beside the raw signature and JSON, and beside npm `jsonwebtoken` (P8).
//!
//! `cargo bench -p narthex-mint`. The ratios at the end come from alternating rounds, of which the quietest count; node is
//! measured in the same run, in CPU time.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a bench may fail loudly"
)]

use std::hint::black_box;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use narthex_mint::Jwt;
use narthex_template::{Names, Scope, Template, Value};
use serde_json::{Value as Json, json};

const NOW_MS: i64 = 1_700_000_000_123;
const ROUNDS: usize = 200;
const SECRET: &str = "a secret that is as long as the hash of HS512, so that nothing is odd";
const HS512_BAR: f64 = 1.5;
const RS256_BAR: f64 = 1.02;

/// Everything a round needs, made once.
struct Scene {
    temp: Json,
    /// The same, as the document of a connection gives it.
    temp_value: Value,
    parameters: Json,
    hs512: Template,
    rs256: Template,
    header_hs512: String,
    header_rs256: String,
    hmac: hmac::Key,
    rsa: RsaKeyPair,
}

impl Scene {
    fn new() -> Self {
        let vectors: Json = serde_json::from_str(include_str!("../tests/vectors/jwt_sign.json")).unwrap();
        let pem = vectors["keys"]["rsa2048_pkcs8"].as_str().unwrap();
        let der: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let groups: Vec<String> = (0..10).map(|i| format!("group-{i:02}-of-the-organization")).collect();
        let names = Names::new(["temp", "parameters"]).with_function(Arc::new(Jwt::new()));
        let compiled = |source| Template::compile(source, &names).unwrap();
        let temp = json!({
            "jwt": {
                "iss": "https://issuer.example.com/realms/main", "aud": "https://api.example.com", "sub": "user-000123",
                "iat": 1_700_000_000, "nbf": 1_700_000_000, "exp": 1_700_030_000, "email": "user000123@example.com",
                "name": "Example User 000123", "groups": groups,
            },
            "options": { "header": { "kid": "2026-key-1" } },
        });
        Self {
            temp_value: Value::from(&temp),
            temp,
            parameters: json!({ "secret": SECRET, "key": pem }),
            hs512: compiled("{{jwt(temp.jwt; parameters.secret; \"HS512\"; temp.options)}}"),
            rs256: compiled("{{jwt(temp.jwt; parameters.key; \"RS256\"; temp.options)}}"),
            header_hs512: URL_SAFE_NO_PAD.encode(r#"{"alg":"HS512","typ":"JWT","kid":"2026-key-1"}"#),
            header_rs256: URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","typ":"JWT","kid":"2026-key-1"}"#),
            hmac: hmac::Key::new(hmac::HMAC_SHA512, SECRET.as_bytes()),
            rsa: RsaKeyPair::from_pkcs8(&STANDARD.decode(der).unwrap()).unwrap(),
        }
    }

    fn minted(&self, template: &Template) -> String {
        let scope = Scope::new(black_box(NOW_MS))
            .with_value("temp", black_box(&self.temp_value))
            .with_json("parameters", black_box(&self.parameters));
        match template.evaluate(&scope) {
            Ok(Value::Text(token)) => token,
            other => panic!("{other:?}"),
        }
    }

    /// Header and payload as they are signed.
    fn signed_part(&self, header: &str) -> String {
        let mut token = String::with_capacity(2048);
        token.push_str(header);
        token.push('.');
        let payload = serde_json::to_vec(black_box(&self.temp["jwt"])).unwrap();
        URL_SAFE_NO_PAD.encode_string(payload, &mut token);
        token
    }

    fn raw_hs512(&self) -> String {
        let mut token = self.signed_part(&self.header_hs512);
        let signature = hmac::sign(&self.hmac, token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        token
    }

    fn raw_rs256(&self) -> String {
        let mut token = self.signed_part(&self.header_rs256);
        let mut signature = vec![0; self.rsa.public_modulus_len()];
        self.rsa
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                token.as_bytes(),
                &mut signature,
            )
            .unwrap();
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        token
    }

    /// Microseconds of CPU time that npm `jsonwebtoken` needs for the same token.
    fn node(&self, algorithm: &str, key: &str, rounds: usize) -> f64 {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../e2e/node/bench-sign.mjs");
        let mut node = Command::new("node")
            .args([script, algorithm, &rounds.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let request = json!({ "key": key, "payload": self.temp["jwt"], "options": self.temp["options"] });
        node.stdin
            .take()
            .unwrap()
            .write_all(request.to_string().as_bytes())
            .unwrap();
        let output = node.wait_with_output().unwrap();
        assert!(output.status.success(), "npm `jsonwebtoken` failed ({})", output.status);
        String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
    }
}

#[divan::bench]
fn jwt_hs512(bencher: divan::Bencher<'_, '_>) {
    let scene = Scene::new();
    bencher.bench_local(|| scene.minted(&scene.hs512));
}

#[divan::bench]
fn raw_hs512(bencher: divan::Bencher<'_, '_>) {
    let scene = Scene::new();
    bencher.bench_local(|| scene.raw_hs512());
}

#[divan::bench]
fn jwt_rs256(bencher: divan::Bencher<'_, '_>) {
    let scene = Scene::new();
    bencher.bench_local(|| scene.minted(&scene.rs256));
}

#[divan::bench]
fn raw_rs256(bencher: divan::Bencher<'_, '_>) {
    let scene = Scene::new();
    bencher.bench_local(|| scene.raw_rs256());
}

/// Has Node.js and npm `jsonwebtoken` installed, if they are not there.
fn install_peer() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["xtask", "setup", "node"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .unwrap();
    assert!(status.success(), "`cargo xtask setup node` failed ({status})");
}

/// Microseconds for one of a batch.
#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
#[expect(clippy::cast_precision_loss, reason = "a small number")]
fn micros(batch: usize, mut work: impl FnMut() -> String) -> f64 {
    let start = std::time::Instant::now();
    for _ in 0..batch {
        black_box(work());
    }
    start.elapsed().as_secs_f64() * 1e6 / batch as f64
}

/// The quietest twentieth of the batches: what the work costs when nobody disturbs it.
fn quiet(mut batches: Vec<f64>) -> f64 {
    batches.sort_by(f64::total_cmp);
    batches[batches.len() / 20]
}

fn compare(name: &str, bar: f64, batch: usize, node: f64, raw: impl Fn() -> String, whole: impl Fn() -> String) {
    assert_eq!(raw(), whole(), "both make the same token");
    let (mut raws, mut wholes) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        raws.push(micros(batch, &raw));
        wholes.push(micros(batch, &whole));
    }
    let (raw, whole) = (quiet(raws), quiet(wholes));
    println!(
        "P8 {name}: jwt() / raw = {:.3} (bar {bar}): {}; node jsonwebtoken / raw = {:.2}, node / jwt() = {:.2}",
        whole / raw,
        if whole / raw <= bar { "met" } else { "MISSED" },
        node / raw,
        node / whole
    );
}

fn main() {
    install_peer();
    divan::main();
    let scene = Scene::new();
    println!(
        "\ntoken of {} bytes, {ROUNDS} alternating rounds",
        scene.raw_hs512().len()
    );
    let pem = scene.parameters["key"].as_str().unwrap();
    let node = [scene.node("HS512", SECRET, 40_000), scene.node("RS256", pem, 1_000)];
    compare(
        "HS512",
        HS512_BAR,
        500,
        node[0],
        || scene.raw_hs512(),
        || scene.minted(&scene.hs512),
    );
    compare(
        "RS256",
        RS256_BAR,
        5,
        node[1],
        || scene.raw_rs256(),
        || scene.minted(&scene.rs256),
    );
}
