//! Tokens that are bound to a key of their sender (DPoP, RFC 9449), at each door and on two nodes.

use narthex_testkit::{
    Answer, Client, IdentityProvider, Narthex, TestKey, Upstream,
    client::Call,
    clock,
    dpop::{ProofBuilder, bound_to},
    postgres::Cluster,
};
use serde_json::json;

use crate::world::{World, config, member};

const DOORS: [&str; 5] = ["proxy", "nginx", "traefik", "caddy", "haproxy"];
const URL: &str = "https://app.test/whoami";

fn accepting(idp: &IdentityProvider, upstream: &Upstream) -> String {
    let issuer = "audiences = [\"narthex\"]";
    config(idp, upstream).replace(issuer, &format!("{issuer}\ndpop = \"accept\""))
}

fn requiring(idp: &IdentityProvider, upstream: &Upstream) -> String {
    accepting(idp, upstream).replace("\"accept\"", "\"require\"")
}

/// A request for `/whoami` at a door, as its proxy would ask about it.
fn at(world: &World, door: &str, method: &str) -> Call {
    if door == "proxy" {
        let call = world.call(method, "/whoami");
        return call.header("host", "app.test").header("x-forwarded-proto", "https");
    }
    let prefix = if door == "nginx" { "x-original" } else { "x-forwarded" };
    let call = world
        .call("GET", &format!("/.narthex/auth/{door}"))
        .header(&format!("{prefix}-method"), method)
        .header(&format!("{prefix}-uri"), "/whoami?page=1")
        .header("x-forwarded-proto", "https");
    match door {
        "nginx" => call.header("host", "app.test"),
        _ => call.header("x-forwarded-host", "app.test"),
    }
}

fn with(call: Call, token: &str, proof: &str) -> Call {
    call.header("authorization", &format!("DPoP {token}"))
        .header("dpop", proof)
}

fn bound(subject: &str) -> String {
    member(subject).claim("cnf", bound_to(TestKey::P256)).sign()
}

fn proof(token: &str) -> ProofBuilder {
    ProofBuilder::new(TestKey::P256, "GET", URL, token)
}

fn challenges(answer: &Answer) -> Vec<String> {
    let all = answer.headers.get_all("www-authenticate").iter();
    all.map(|value| value.to_str().unwrap().to_owned()).collect()
}

/// First with its proof, which caches the answer, then without: by the scheme of bearer tokens, with a proof of another key,
/// with the same proof, and with none.
#[tokio::test]
async fn sec_dpop_token_needs_its_proof_at_each_door() {
    let world = World::with_config(accepting).await;
    for door in DOORS {
        let token = bound(&format!("ada-{door}"));
        let bearer = world.send(at(&world, door, "GET").bearer(&token)).await;
        assert_eq!(
            bearer.reason().as_deref(),
            Some("token.bound"),
            "{door}: not cached yet"
        );
        let used = proof(&token).sign();
        for round in 0..3 {
            let good = proof(&token).sign();
            let first = if round == 0 { &used } else { &good };
            let answer = world.send(with(at(&world, door, "GET"), &token, first)).await;
            assert_eq!(answer.status, 200, "{door} {round}: {}", answer.text());
            let bearer = world.send(at(&world, door, "GET").bearer(&token)).await;
            assert_eq!(bearer.reason().as_deref(), Some("token.bound"), "{door} {round}");
            assert!(
                challenges(&bearer)
                    .iter()
                    .all(|challenge| challenge.starts_with("DPoP error=\"invalid_token\"")),
                "{:?}",
                challenges(&bearer)
            );
            let other_key = ProofBuilder::new(TestKey::P384, "GET", URL, &token).sign();
            let none = at(&world, door, "GET").header("authorization", &format!("DPoP {token}"));
            for (call, case) in [
                (with(at(&world, door, "GET"), &token, &other_key), "another key"),
                (with(at(&world, door, "GET"), &token, &used), "the same proof"),
                (none, "no proof"),
                (
                    with(at(&world, door, "GET"), &token, &proof(&token).sign()).header("dpop", &good),
                    "two proofs",
                ),
                (
                    with(at(&world, door, "POST"), &token, &proof(&token).sign()),
                    "another method",
                ),
            ] {
                let answer = world.send(call).await;
                assert_eq!(answer.reason().as_deref(), Some("token.proof"), "{door} {case}");
                assert!(
                    challenges(&answer)[0].starts_with("DPoP error=\"invalid_dpop_proof\""),
                    "{door} {case}: {:?}",
                    challenges(&answer)
                );
            }
        }
        // At another door.
        let elsewhere = DOORS.iter().find(|other| **other != door).unwrap();
        let answer = world.send(with(at(&world, elsewhere, "GET"), &token, &used)).await;
        assert_eq!(answer.reason().as_deref(), Some("token.proof"), "{door} {elsewhere}");
    }
    // The application gets neither the token nor the proof.
    let token = bound("ada-proxy");
    let answer = world
        .send(with(at(&world, "proxy", "GET"), &token, &proof(&token).sign()))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let seen = world.upstream.last().unwrap();
    assert_eq!((seen.header("authorization"), seen.header("dpop")), (None, None));
}

#[tokio::test]
async fn sec_dpop_proof_is_for_one_request_and_one_token() {
    let world = World::with_config(accepting).await;
    let token = bound("ada");
    let other = bound("ada");
    let now = clock::now_ms().div_euclid(1000);
    let private = json!({ "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "d": "AA" });
    for (proof, case) in [
        (proof(&token).claim("htu", "https://app.test/other"), "another path"),
        (proof(&token).claim("htu", "http://app.test/whoami"), "another scheme"),
        (proof(&token).claim("htu", "https://evil.test/whoami"), "another host"),
        (proof(&token).claim("htm", "get"), "another case of the method"),
        (proof(&other), "another token"),
        (proof(&token).without("ath"), "no token"),
        (proof(&token).without("jti"), "no jti"),
        (proof(&token).claim("jti", "x".repeat(300)), "a long jti"),
        (proof(&token).without("iat"), "no time"),
        (proof(&token).claim("iat", now.to_string()), "a time that is text"),
        (proof(&token).claim("iat", now - 120), "an old one"),
        (proof(&token).claim("iat", now + 120), "one of the future"),
        (proof(&token).claim("nonce", "bm9uY2U"), "a made-up nonce"),
        (proof(&token).header("typ", "JWT"), "another type"),
        (proof(&token).header("typ", json!(null)), "no type"),
        (proof(&token).header("alg", "none"), "no algorithm"),
        (proof(&token).header("alg", "HS256"), "a secret's algorithm"),
        (proof(&token).header("alg", "RS256"), "another key's algorithm"),
        (proof(&token).header("crit", json!(["b64"])), "an extension"),
        (proof(&token).header("jwk", json!(null)), "no key"),
        (
            proof(&token).header("jwk", TestKey::P384.bare_jwk()),
            "a key that did not sign",
        ),
        (proof(&token).header("jwk", private), "a private key"),
        (
            proof(&token).header("jwk", json!({ "kty": "oct", "k": "AAAA" })),
            "a secret",
        ),
    ] {
        let answer = world
            .send(with(at(&world, "proxy", "GET"), &token, &proof.sign()))
            .await;
        assert_eq!(
            answer.reason().as_deref(),
            Some("token.proof"),
            "{case}: {}",
            answer.text()
        );
    }
    let answer = world.send(with(at(&world, "proxy", "GET"), &token, "a.b.c")).await;
    assert_eq!(answer.reason().as_deref(), Some("token.proof"));
    // A bearer token does not become a bound one by its scheme, nor by a proof.
    let plain = member("ada").sign();
    let answer = world
        .send(with(at(&world, "proxy", "GET"), &plain, &proof(&plain).sign()))
        .await;
    assert_eq!(answer.reason().as_deref(), Some("token.proof"));
    assert_eq!(world.send(at(&world, "proxy", "GET").bearer(&plain)).await.status, 200);
    let answer = world
        .send(with(at(&world, "proxy", "GET"), &plain, &proof(&plain).sign()))
        .await;
    assert_eq!(
        answer.reason().as_deref(),
        Some("token.proof"),
        "nor where it is cached"
    );
}

/// A confirmation that names another way of proof, or a second one, asks for what is not checked.
#[tokio::test]
async fn sec_dpop_is_the_one_way_of_proof() {
    let world = World::with_config(accepting).await;
    let token = bound("ada");
    // Ways of proof that are not checked.
    for cnf in [json!({ "x5t#S256": "AA" }), json!({ "jkt": 1 }), json!({}), json!("x")] {
        let mut both = cnf.clone();
        if let (Some(members), Some(more)) = (both.as_object_mut(), bound_to(TestKey::P256).as_object()) {
            members.extend(more.clone());
        }
        for cnf in [cnf, both].into_iter().filter(|cnf| *cnf != bound_to(TestKey::P256)) {
            let token = member("ada").claim("cnf", cnf.clone()).sign();
            let answer = world
                .send(with(at(&world, "proxy", "GET"), &token, &proof(&token).sign()))
                .await;
            let reason = answer.reason();
            let is_good = cnf == bound_to(TestKey::P256);
            assert!(is_good || reason.as_deref() == Some("token.bound"), "{cnf}: {reason:?}");
        }
    }
    let body = json!({ "token": format!("DPoP {token}"), "request": { "method": "GET", "path": "/whoami" } });
    let told = world.narthex.api().done("POST", "/explain", Some(&body)).await.unwrap();
    assert!(told["notes"].to_string().contains("DPoP"), "{told}");
}

/// A client whose clock is wrong is given a nonce, with which its proof counts.
#[tokio::test]
async fn a_nonce_helps_a_client_whose_clock_is_wrong() {
    let world = World::with_config(accepting).await;
    let token = bound("ada");
    let hours_ago = clock::now_ms().div_euclid(1000) - 7200;
    let answer = world
        .send(with(
            at(&world, "proxy", "GET"),
            &token,
            &proof(&token).claim("iat", hours_ago).sign(),
        ))
        .await;
    assert_eq!(answer.reason().as_deref(), Some("token.proof"));
    assert!(
        challenges(&answer)[0].starts_with("DPoP error=\"use_dpop_nonce\""),
        "{:?}",
        challenges(&answer)
    );
    let nonce = answer.header("dpop-nonce").unwrap().to_owned();
    let again = proof(&token)
        .claim("iat", hours_ago)
        .claim("nonce", nonce.as_str())
        .sign();
    let answer = world.send(with(at(&world, "proxy", "GET"), &token, &again)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = world.send(with(at(&world, "proxy", "GET"), &token, &again)).await;
    assert_eq!(answer.reason().as_deref(), Some("token.proof"), "once");
}

#[tokio::test]
async fn sec_dpop_can_be_required() {
    let world = World::with_config(requiring).await;
    let plain = member("ada").sign();
    let answer = world.send(at(&world, "proxy", "GET").bearer(&plain)).await;
    assert_eq!(answer.reason().as_deref(), Some("token.proof"), "{}", answer.text());
    let token = bound("ada");
    let answer = world
        .send(with(at(&world, "proxy", "GET"), &token, &proof(&token).sign()))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let none = world.send(at(&world, "proxy", "GET")).await;
    assert!(
        challenges(&none).iter().all(|challenge| challenge.starts_with("DPoP ")),
        "{:?}",
        challenges(&none)
    );
    let metadata = world
        .call("GET", "/.well-known/oauth-protected-resource/whoami")
        .header("host", "app.test");
    let metadata = world.send(metadata).await.json().unwrap();
    assert_eq!(metadata["dpop_bound_access_tokens_required"], true, "{metadata}");
    assert!(
        metadata["dpop_signing_alg_values_supported"]
            .to_string()
            .contains("ES256"),
        "{metadata}"
    );
}

/// The user of the token is told who it is, by the same rules.
#[tokio::test]
async fn sec_dpop_token_at_the_page_about_oneself_and_the_admin_port() {
    let world = World::with_config(accepting).await;
    let token = member("ada")
        .tags(["root"])
        .claim("cnf", bound_to(TestKey::P256))
        .sign();
    let me = || {
        world
            .call("GET", "/.narthex/me")
            .header("host", "app.test")
            .header("x-forwarded-proto", "https")
    };
    let url = "https://app.test/.narthex/me";
    let good = ProofBuilder::new(TestKey::P256, "GET", url, &token).sign();
    assert_eq!(world.send(with(me(), &token, &good)).await.status, 200);
    let again = world.send(with(me(), &token, &good)).await;
    assert_eq!(again.reason().as_deref(), Some("token.proof"));
    let bearer = world.send(me().bearer(&token)).await;
    assert_eq!(bearer.reason().as_deref(), Some("token.bound"));
}

/// Every use is written into the store that nodes share, before the answer.
#[tokio::test]
async fn sec_dpop_proof_counts_once_on_all_nodes() {
    let (idp, upstream) = (
        IdentityProvider::start(&[TestKey::Rsa1]).unwrap(),
        Upstream::start().unwrap(),
    );
    let database = Cluster::shared().unwrap().empty_database().unwrap();
    let start = async || {
        Narthex::builder(env!("CARGO_BIN_EXE_narthex"))
            .config(&("[store]\nurl_file = \"store-url\"\n".to_owned() + &accepting(&idp, &upstream)))
            .unwrap()
            .file("store-url", database.tcp_url() + "\n")
            .start()
            .await
            .unwrap()
    };
    let nodes = [start().await, start().await];
    let client = Client::new();
    let ask = async |node: &Narthex, token: &str, proof: &str| {
        let call = Call::get(&format!("{}/whoami", node.url())).header("host", "app.test");
        let answer = client
            .send(with(call.header("x-forwarded-proto", "https"), token, proof))
            .await;
        answer.unwrap().reason()
    };
    let token = bound("ada");
    for round in 0..4 {
        let (here, there) = (&nodes[round % 2], &nodes[(round + 1) % 2]);
        let proof = proof(&token).sign();
        assert_eq!(ask(here, &token, &proof).await, None);
        assert_eq!(
            ask(there, &token, &proof).await.as_deref(),
            Some("token.proof"),
            "{round}"
        );
        assert_eq!(
            ask(here, &token, &proof).await.as_deref(),
            Some("token.proof"),
            "{round}"
        );
    }
    // Of many uses at once, one passes.
    let proof = proof(&token).sign();
    let all = (0..20).map(|number| ask(&nodes[number % 2], &token, &proof));
    let answers = futures_util::future::join_all(all).await;
    assert_eq!(
        answers.iter().filter(|reason| reason.is_none()).count(),
        1,
        "{answers:?}"
    );
}
