//! Bars P2 and P3: what a decision costs at the forward-auth door, in the server's own CPU time per request, beside hyper
//! servers that do only the unavoidable part, in the same run.
//!
//! `cargo bench --profile dist -p narthex-cli --bench doors`: everything built as what is shipped, the servers beside it too.
//!
//! `cargo bench -p narthex-cli --bench doors -- one` (`many`, `new`, `bare`, `verify`) does only that, for as long as a
//! profiler needs, and says which process to look at.
//!
//! `cargo bench --profile dist -p narthex-cli --bench doors -- against PATH` compares with another build of Narthex, kept at
//! an absolute path: a change of two hundredths shows, where each build beside the hyper servers in a run of its own differs
//! by more from run to run.
//!
//! The token cache has its usual size, so that new tokens push others out; the accounts of all users have room.
//!
//! Every server is a process of its own; its CPU time is read from `/proc` around a fixed number of requests over kept-alive
//! connections. What is compared is measured in turns, and the median of their ratios is the result.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench may fail loudly")]

mod servers;

use std::sync::Arc;

use anyhow::{Context as _, Result};
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use narthex_testkit::{IdentityProvider, TestIssuer, TestKey};
use serde_json::Value;

use crate::servers::{CONNECTIONS, ROUNDS, Ready, Server, TOKENS, load, median, ready, ready_binary, requests, serve};

/// How often servers take turns within a round with new tokens.
const TURNS: usize = 4;
/// And with tokens seen before.
const TURNS_SEEN: usize = 12;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match std::env::args().nth(1).as_deref() {
        Some("--serve-bare") => runtime.block_on(peer(None)),
        Some("--serve-verify") => runtime.block_on(peer(Some(verifier()?))),
        Some(part @ ("one" | "many" | "new" | "bare" | "verify")) => runtime.block_on(only(part)),
        Some("against") => runtime.block_on(against(&std::env::args().nth(2).context("the other binary's path")?)),
        _ => runtime.block_on(compare()),
    }
}

/// A hyper server: answers 200 with two headers, after verifying the token if it is given a key.
async fn peer(key: Option<ParsedPublicKey>) -> Result<()> {
    let key = Arc::new(key);
    serve(move |request| {
        let key = Arc::clone(&key);
        async move { answer(&request, key.as_ref().as_ref()) }
    })
    .await
}

fn answer(request: &Request<Incoming>, key: Option<&ParsedPublicKey>) -> Response<Full<Bytes>> {
    let user = key.map(|key| {
        let token = request.headers()["authorization"]
            .to_str()
            .unwrap()
            .strip_prefix("Bearer ")
            .unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        key.verify_sig(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap())
            .unwrap();
        let (_, payload) = signed.split_once('.').unwrap();
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
        claims["sub"].as_str().unwrap().to_owned()
    });
    let mut response = Response::new(Full::default());
    let user = user.map_or(HeaderValue::from_static("somebody"), |user| {
        HeaderValue::try_from(user).unwrap()
    });
    response.headers_mut().insert("x-user", user);
    response
        .headers_mut()
        .insert("x-decision", HeaderValue::from_static("allow"));
    response
}

fn verifier() -> Result<ParsedPublicKey> {
    let jwk = TestKey::Rsa1.jwk();
    let part = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    let (n, e) = (part("n"), part("e"));
    RsaPublicKeyComponents { n: &n, e: &e }
        .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        .ok()
        .context("a parsed key")
}

fn request(token: &str) -> Vec<u8> {
    format!(
        "GET /.narthex/auth/nginx HTTP/1.1\r\nhost: app.example.com\r\nx-original-method: GET\r\nx-original-uri: /orgs/acme/home\r\nauthorization: Bearer {token}\r\n\r\n"
    )
    .into_bytes()
}

/// One part of the comparison, many times over.
async fn only(part: &str) -> Result<()> {
    let provider = IdentityProvider::start(&[TestKey::Rsa1])?;
    let issuer = &TestIssuer::new(&provider.url());
    let Ready { ours, first, .. } = &ready(&provider, "", request).await?;
    let peer = match part {
        "bare" => Some(Server::start_peer("bare", "--serve-bare")?),
        "verify" => Some(Server::start_peer("verify", "--serve-verify")?),
        _ => None,
    };
    println!("process {}", peer.as_ref().unwrap_or(ours).process);
    for round in 0..3 * ROUNDS {
        let cost = match (part, &peer) {
            (_, Some(peer)) => peer.cost(first, 6 * TOKENS).await?,
            ("one", _) => ours.cost(&first[..1], 6 * TOKENS).await?,
            ("many", _) => ours.cost(first, 6 * TOKENS).await?,
            _ => {
                ours.cost(&requests(issuer, &round.to_string(), request), TOKENS)
                    .await?
            }
        };
        println!("  {cost:.2} us");
    }
    Ok(())
}

/// This build beside another one.
async fn against(other: &str) -> Result<()> {
    let provider = IdentityProvider::start(&[TestKey::Rsa1])?;
    let issuer = &TestIssuer::new(&provider.url());
    let this = &ready(&provider, "", request).await?;
    let other = &ready_binary(other, &provider, "", this.first.clone()).await?;
    let (mut one, mut many, mut fresh) = (vec![], vec![], vec![]);
    for round in 0..ROUNDS {
        let new = requests(issuer, &round.to_string(), request);
        for new in new.chunks(TOKENS / TURNS) {
            fresh.push(turn(this, other, new, new.len(), fresh.len()).await?);
        }
        for narthex in [this, other] {
            load(narthex.ours.address, &this.first, 2 * TOKENS).await?;
        }
        for _ in 0..TURNS_SEEN {
            one.push(turn(this, other, &this.first[..1], TOKENS, one.len()).await?);
            many.push(turn(this, other, &this.first, TOKENS, many.len()).await?);
        }
    }
    println!("server CPU per request of this build beside the other's, medians");
    for (what, ratios) in [("one token", one), ("20,000 tokens", many), ("a new token", fresh)] {
        println!(
            "  {what:<14} {:.3} x   ({} turns)",
            median(ratios.clone()),
            ratios.len()
        );
    }
    Ok(())
}

/// What the same requests cost one beside the other. Who comes first changes from turn to turn: whoever comes second finds
/// the requests nearer.
async fn turn(this: &Ready, other: &Ready, requests: &[Vec<u8>], count: usize, turns: usize) -> Result<f64> {
    let (of_this, of_other) = if turns.is_multiple_of(2) {
        let of_this = this.ours.cost(requests, count).await?;
        (of_this, other.ours.cost(requests, count).await?)
    } else {
        let of_other = other.ours.cost(requests, count).await?;
        (this.ours.cost(requests, count).await?, of_other)
    };
    Ok(of_this / of_other)
}

async fn compare() -> Result<()> {
    eprintln!("making {} tokens, once per round and before", TOKENS * (ROUNDS + 1));
    let provider = IdentityProvider::start(&[TestKey::Rsa1])?;
    let issuer = &TestIssuer::new(&provider.url());
    let Ready { ours, first, .. } = &ready(&provider, "", request).await?;
    let bare = Server::start_peer("bare hyper, 200 and two headers", "--serve-bare")?;
    let verify = Server::start_peer("hyper that verifies and reads the claims", "--serve-verify")?;

    let (mut base, mut one, mut many, mut check, mut fresh) = (vec![], vec![], vec![], vec![], vec![]);
    for round in 0..ROUNDS {
        let new = requests(issuer, &round.to_string(), request);
        for new in new.chunks(TOKENS / TURNS) {
            check.push(verify.cost(new, new.len()).await?);
            fresh.push(ours.cost(new, new.len()).await?);
        }
        // New tokens pass through the cache; those that are used again stay, and none of these is away for long.
        load(ours.address, first, 2 * TOKENS).await?;
        for _ in 0..TURNS_SEEN {
            one.push(ours.cost(&first[..1], TOKENS).await?);
            base.push(bare.cost(first, TOKENS).await?);
            many.push(ours.cost(first, TOKENS).await?);
        }
    }
    let results = [
        ("one token seen before", &one, "bare  ", &base, ("P2", 1.3)),
        ("20,000 tokens seen before", &many, "bare  ", &base, ("P2", 1.3)),
        ("a new token of a known user", &fresh, "verify", &check, ("P3", 1.15)),
    ];
    println!(
        "server CPU per request, {CONNECTIONS} connections, medians of {ROUNDS} rounds of {TURNS_SEEN} turns with tokens seen before, {TURNS} with new ones"
    );
    println!("  {:<44} {:6.2} us", bare.name, median(base.clone()));
    println!("  {:<44} {:6.2} us", verify.name, median(check.clone()));
    for (what, ours, beside, peer, (bar, at_most)) in results {
        let (cost, ratio) = (median(ours.clone()), ratio(ours, peer));
        let verdict = if ratio <= at_most { "met" } else { "MISSED" };
        println!("{bar} narthex, {what:<35} {cost:6.2} us   {ratio:.2} x {beside} (bar {at_most}): {verdict}");
    }
    Ok(())
}

/// What something costs beside something else that was measured just before or after it, each time: the machine is faster
/// and slower by turns, for reasons of its own.
fn ratio(of: &[f64], to: &[f64]) -> f64 {
    median(of.iter().zip(to).map(|(of, to)| of / to).collect())
}
