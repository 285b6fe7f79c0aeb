//! Opaque tokens: introspection (RFC 7662) at the doors.

use std::time::Duration;

use narthex_testkit::{
    Answer, Client, IdentityProvider, TestKey, Upstream,
    client::Call,
    clock,
    dpop::{ProofBuilder, bound_to},
    introspection::{CLIENT_SECRET, IntrospectionEndpoint},
};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::moved_clock::MovedClock;
use crate::world::{World, config, member};

async fn world(endpoint: &IntrospectionEndpoint, lines: &str) -> World {
    world_with(endpoint, ("", lines), &[]).await
}

/// A world with further settings of the issuer, further lines, and variables of its process.
async fn world_with(
    endpoint: &IntrospectionEndpoint,
    (settings, lines): (&str, &str),
    environment: &[(&str, String)],
) -> World {
    let configured = |idp: &IdentityProvider, upstream: &Upstream| {
        let issuer = "audiences = [\"narthex\"]";
        let asked = format!(
            "{issuer}\n{settings}\ndpop = \"accept\"\nintrospection = {{ url = \"{}\", client_id = \"narthex\", client_secret_file = \"client-secret\" }}",
            endpoint.url()
        );
        config(idp, upstream).replacen(issuer, &asked, 1)
            + &lines
                .replace("JWKS", &idp.jwks_url())
                .replace("UPSTREAM", &upstream.url())
    };
    let files = [("client-secret", CLIENT_SECRET)];
    World::with_environment(configured, &files, environment).await
}

fn claims(subject: &str) -> Value {
    let now = clock::now_ms().div_euclid(1000);
    json!({ "iss": "https://idp.test", "aud": "narthex", "sub": subject, "iat": now, "exp": now + 600, "groups": ["staff"], "scope": "read" })
}

async fn ask(world: &World, token: &str) -> Answer {
    world.send(world.call("GET", "/whoami").bearer(token)).await
}

#[tokio::test]
async fn opaque_tokens_are_asked_about_and_cached() {
    let endpoint = IntrospectionEndpoint::start().unwrap();
    let world = world(&endpoint, "").await;
    endpoint.activate("2YotnFZFEjr1zCsicMWpAA", &claims("ada"));
    for _ in 0..5 {
        let answer = ask(&world, "2YotnFZFEjr1zCsicMWpAA").await;
        assert_eq!(answer.status, 200, "{}\n{}", answer.text(), world.narthex.logs());
    }
    assert_eq!(endpoint.asked(), ["2YotnFZFEjr1zCsicMWpAA"], "once");
    let seen = world.upstream.last().unwrap();
    assert_eq!(seen.header("x-narthex-external-id").as_deref(), Some("ada"));
    assert_eq!(seen.header("authorization"), None);
    // The same directory, the same roles as with a signed token.
    let guarded = world
        .send(
            world
                .call("POST", crate::world::GUARDED)
                .bearer("2YotnFZFEjr1zCsicMWpAA"),
        )
        .await;
    assert_eq!(guarded.status, 200, "{}", guarded.text());
    // A signed token is not asked about.
    assert_eq!(ask(&world, &member("eve").sign()).await.status, 200);
    assert_eq!(
        ask(&world, &member("eve").expired().sign()).await.reason().as_deref(),
        Some("token.expired")
    );
    assert_eq!(endpoint.asked().len(), 1);
    let body = json!({ "token": "2YotnFZFEjr1zCsicMWpAA", "request": { "method": "GET", "path": "/whoami" } });
    let told = world.narthex.api().done("POST", "/explain", Some(&body)).await.unwrap();
    assert_eq!(told["answer"]["status"], 200, "{told}");
    assert_eq!(told["key"]["matched_by"], "introspection", "{told}");
}

/// The issuer's answer is checked like the claims of a signed token.
#[tokio::test]
async fn sec_answers_of_introspection_are_judged_like_claims() {
    let endpoint = IntrospectionEndpoint::start().unwrap();
    let world = world(&endpoint, "").await;
    let now = clock::now_ms().div_euclid(1000);
    for (number, (change, reason)) in [
        (json!({ "aud": "another" }), Some("token.audience")),
        (json!({ "aud": null }), Some("token.claim_invalid")),
        (json!({ "iss": "https://another.test" }), Some("token.issuer_unknown")),
        (json!({ "exp": now - 120 }), Some("token.expired")),
        (json!({ "exp": "tomorrow" }), Some("token.claim_invalid")),
        (json!({ "nbf": now + 300 }), Some("token.not_yet_valid")),
        (json!({ "iat": now + 300 }), Some("token.issued_in_future")),
        (json!({ "sub": 7 }), Some("token.claim_invalid")),
        (json!({ "cnf": { "x5t#S256": "AA" } }), Some("token.bound")),
        (json!({ "active": false }), Some("token.inactive")),
        (json!({}), None),
    ]
    .into_iter()
    .enumerate()
    {
        let token = format!("opaque-{number}");
        let mut answer = claims("ada");
        for (name, value) in change.as_object().unwrap() {
            answer[name] = value.clone();
        }
        endpoint.activate(&token, &answer);
        if change.get("active").is_some() {
            endpoint.revoke(&token);
        }
        for _ in 0..2 {
            let answer = ask(&world, &token).await;
            assert_eq!(answer.reason().as_deref(), reason, "{change}: {}", answer.text());
        }
    }
    // `iss` and `exp` may be left out, the audience may not.
    let mut bare = claims("ada");
    for name in ["iss", "exp", "iat"] {
        bare.as_object_mut().unwrap().remove(name);
    }
    endpoint.activate("bare", &bare);
    assert_eq!(ask(&world, "bare").await.status, 200);
    bare.as_object_mut().unwrap().remove("aud");
    endpoint.activate("no-audience", &bare);
    assert_eq!(
        ask(&world, "no-audience").await.reason().as_deref(),
        Some("token.audience")
    );
}

/// A key of the admin API that is sent to a route is not shown to the issuer.
#[tokio::test]
async fn sec_no_issuer_is_asked_about_an_api_key() {
    let endpoint = IntrospectionEndpoint::start().unwrap();
    let world = world(&endpoint, "").await;
    let key = format!("nx_{}", "a".repeat(43));
    endpoint.activate(&key, &claims("eve"));
    let answer = ask(&world, &key).await;
    assert_eq!(answer.reason().as_deref(), Some("token.malformed"), "{}", answer.text());
    assert_eq!(
        world.send(world.call("GET", "/.narthex/me").bearer(&key)).await.status,
        401
    );
    assert_eq!(endpoint.asked(), [""; 0]);
}

/// Nothing is decided where the issuer gives no answer, and what is known goes on.
#[tokio::test]
async fn sec_an_issuer_that_does_not_answer_lets_nothing_pass() {
    let endpoint = IntrospectionEndpoint::start().unwrap();
    let world = world(&endpoint, "").await;
    endpoint.activate("known", &claims("ada"));
    assert_eq!(ask(&world, "known").await.status, 200);
    endpoint.down();
    let undecided = ask(&world, "new").await;
    assert_eq!(
        (undecided.status, undecided.reason().as_deref()),
        (503, Some("keys.unavailable"))
    );
    assert!(undecided.header("retry-after").is_some());
    assert_eq!(ask(&world, "known").await.status, 200, "cached");
    endpoint.up().unwrap();
    for (status, body) in [
        (Some(500), None),
        (Some(401), None),
        (None, Some("no JSON")),
        (None, Some(r#"{"active":"true","sub":"eve","aud":"narthex"}"#)),
        (None, Some("{}")),
    ] {
        sleep(Duration::from_millis(1_100)).await;
        endpoint.status(status);
        endpoint.body(body);
        let answer = ask(&world, &format!("{status:?}-{}", body.unwrap_or_default().len())).await;
        assert_eq!(answer.status, 503, "{status:?} {body:?}: {}", answer.text());
    }
    sleep(Duration::from_millis(1_100)).await;
    // A server that takes offence at one token is still asked about others.
    endpoint.status(Some(400));
    endpoint.body(None);
    assert_eq!(ask(&world, "odd").await.status, 503);
    endpoint.status(None);
    endpoint.activate("later", &claims("ada"));
    assert_eq!(ask(&world, "later").await.status, 200);
}

/// A flood of made-up tokens from one client asks a bounded number of questions at a time, and locks no other client out.
#[tokio::test]
async fn sec_a_flood_of_made_up_tokens_is_bounded() {
    let endpoint = IntrospectionEndpoint::start().unwrap();
    let world = world(&endpoint, "").await;
    endpoint.activate("known", &claims("ada"));
    assert_eq!(ask(&world, "known").await.status, 200);
    endpoint.delay(Duration::from_secs(1));
    let client = Client::new();
    let flood = (0..60).map(|number| {
        let call = Call::get(&format!("{}/whoami", world.narthex.url()));
        let call = call
            .bearer(&format!("made-up-{number}"))
            .header("x-forwarded-for", "192.0.2.1");
        client.send(call)
    });
    let other = async {
        sleep(Duration::from_millis(50)).await;
        endpoint.activate("other", &claims("grace"));
        let call = world.call("GET", "/whoami").header("x-forwarded-for", "192.0.2.2");
        (
            world.send(call.bearer("other")).await.status,
            ask(&world, "known").await.status,
        )
    };
    let (answers, other) = tokio::join!(futures_util::future::join_all(flood), other);
    assert_eq!(other, (200, 200));
    let reasons: Vec<String> = answers
        .into_iter()
        .filter_map(|answer| answer.unwrap().reason())
        .collect();
    assert_eq!(reasons.len(), 60);
    let refused = |reason: &str| reasons.iter().filter(|own| *own == reason).count();
    assert!(
        refused("rate.limited") > 30 && refused("token.inactive") >= 8,
        "{reasons:?}"
    );
    assert!(endpoint.asked().len() < 30, "{}", endpoint.asked().len());
    // One that is not active is not asked about again for a while.
    endpoint.delay(Duration::ZERO);
    let asked = endpoint.asked().len();
    for _ in 0..5 {
        assert_eq!(ask(&world, "made-up").await.reason().as_deref(), Some("token.inactive"));
    }
    assert_eq!(endpoint.asked().len(), asked + 1);
}

/// An opaque token is shown to one issuer, never to two.
#[tokio::test]
async fn sec_an_opaque_token_is_shown_to_the_one_issuer_that_it_can_be_of() {
    let endpoint = IntrospectionEndpoint::start().unwrap();
    let second = format!(
        "\n[[issuer]]\nname = \"partner\"\nissuer = \"https://partner.test\"\njwks_url = \"JWKS\"\naudiences = [\"narthex\"]\n\
         introspection = {{ url = \"{}\", client_id = \"narthex\", client_secret_file = \"client-secret\" }}\n\
         [[route]]\npath = \"/own\"\nrequire = \"authenticated\"\nissuers = [\"corp\"]\nupstream = \"UPSTREAM\"\n",
        endpoint.url()
    );
    let world = world(&endpoint, &second).await;
    endpoint.activate("token", &claims("ada"));
    assert_eq!(ask(&world, "token").await.reason().as_deref(), Some("token.malformed"));
    assert!(endpoint.asked().is_empty());
    let own = world.send(world.call("GET", "/own").bearer("token")).await;
    assert_eq!(own.status, 200, "{}", own.text());
}

#[tokio::test]
async fn sec_an_opaque_token_that_is_bound_needs_its_proof() {
    let endpoint = IntrospectionEndpoint::start().unwrap();
    let world = world(&endpoint, "").await;
    let mut bound = claims("ada");
    bound["cnf"] = bound_to(TestKey::P256);
    endpoint.activate("bound", &bound);
    let host = world.narthex.address();
    let url = format!("https://{host}/whoami");
    for _ in 0..3 {
        assert_eq!(ask(&world, "bound").await.reason().as_deref(), Some("token.bound"));
        let proof = ProofBuilder::new(TestKey::P256, "GET", &url, "bound").sign();
        let call = || {
            let call = world.call("GET", "/whoami").header("x-forwarded-proto", "https");
            call.header("authorization", "DPoP bound").header("dpop", &proof)
        };
        let answer = world.send(call()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(world.send(call()).await.reason().as_deref(), Some("token.proof"));
    }
}

/// A token that the issuer has revoked counts for a minute at most: this waits for the minute.
#[tokio::test]
async fn sec_a_revoked_opaque_token_ends_within_a_minute() {
    let endpoint = IntrospectionEndpoint::start().unwrap();
    let world = world(&endpoint, "").await;
    endpoint.activate("short", &claims("ada"));
    assert_eq!(ask(&world, "short").await.status, 200);
    endpoint.revoke("short");
    let mut last = None;
    for _ in 0..65 {
        sleep(Duration::from_secs(1)).await;
        last = ask(&world, "short").await.reason();
        if last.is_some() {
            break;
        }
    }
    assert_eq!(last.as_deref(), Some("token.inactive"));
}

/// An opaque token that names no end gives no stream without an end: after a minute its issuer is to be asked again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_stream_of_an_opaque_token_without_expiry_ends() {
    for (settings, lasts, over) in [("", 55, 62), ("max_token_age = \"5m\"", 350, 362)] {
        let clock = MovedClock::by(0);
        let endpoint = IntrospectionEndpoint::start().unwrap();
        let world = world_with(&endpoint, (settings, ""), &clock.environment()).await;
        let mut unending = claims("ada");
        unending.as_object_mut().unwrap().remove("exp");
        endpoint.activate("unending", &unending);
        let call = world.call("GET", "/whoami").bearer("unending");
        let call = call.header("x-upstream", "sse=600");
        let stream = tokio::spawn(async move { Client::new().send(call).await });
        sleep(Duration::from_secs(1)).await;
        clock.move_to(lasts);
        sleep(Duration::from_secs(1)).await;
        assert!(!stream.is_finished(), "{settings}: {}", world.narthex.logs());
        clock.move_to(over);
        let ended = timeout(Duration::from_secs(3), stream).await;
        assert!(ended.is_ok(), "{settings}: it goes on\n{}", world.narthex.logs());
        world.narthex.logged(&["stream_ended"]).await.unwrap();
    }
}
