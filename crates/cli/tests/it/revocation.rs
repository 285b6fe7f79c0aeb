//! Revocation of single tokens and of all that an issuer has issued, by the API and at the command line.

use std::time::Duration;

use narthex_testkit::token::malleated;
use narthex_testkit::{Answer, TestKey};
use serde_json::{Value, json};

use crate::world::{GUARDED, World, config, member};

async fn send(world: &World, token: &str) -> Answer {
    world.send(world.call("POST", GUARDED).bearer(token)).await
}

/// Sends the token until it is refused, for a second at the most: that is what another process is promised.
async fn refused_within_a_second(world: &World, token: &str) -> Answer {
    for _ in 0..20 {
        let answer = send(world, token).await;
        if answer.status != 200 {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the token passes a second after its revocation");
}

/// One token is revoked by its `jti`, seen before or not; every other one passes.
#[tokio::test]
async fn sec_a_token_revoked_by_its_id_is_refused_at_once() {
    let world = World::start().await;
    let (seen, unseen) = (member("ada").claim("jti", "seen"), member("ada").claim("jti", "unseen"));
    let (seen, unseen) = (seen.sign(), unseen.sign());
    let other = member("ada").claim("jti", "other").sign();
    assert_eq!(send(&world, &seen).await.status, 200);
    let api = world.narthex.api();
    for id in ["seen", "unseen"] {
        let body = json!({ "issuer": "corp", "jti": id });
        let revoked = api.done("POST", "/revocations", Some(&body)).await.unwrap();
        assert_eq!(revoked["jti"], id);
    }
    for token in [&seen, &unseen] {
        let answer = send(&world, token).await;
        assert_eq!(
            (answer.status, answer.reason().as_deref()),
            (401, Some("token.revoked"))
        );
    }
    assert_eq!(send(&world, &other).await.status, 200);
    let listed = api.list("/revocations").await.unwrap();
    assert_eq!(listed.len(), 2, "{listed:?}");
    let explained = world.narthex.command(&["explain", &unseen, "--json"]).unwrap();
    let explained: Value = serde_json::from_str(&explained).unwrap();
    assert_eq!(explained["answer"]["reason"], "token.revoked", "{explained}");
}

/// A token without `jti` is revoked by its content: another signature over it is refused too, and another token is not.
#[tokio::test]
async fn sec_a_revocation_survives_a_malleated_signature() {
    let world = World::with_config(|idp, upstream| {
        idp.rotate(&[TestKey::P256]);
        config(idp, upstream).replace("name = \"corp\"", "name = \"corp\"\nalgorithms = [\"ES256\"]")
    })
    .await;
    let bare = || member("ada").without("jti").key(TestKey::P256);
    let token = bare().issued_in(-30).sign();
    let other = bare().issued_in(-20).sign();
    assert_eq!(send(&world, &token).await.status, 200);
    let body = json!({ "issuer": "corp", "token": malleated(&token).unwrap() });
    let revoked = world
        .narthex
        .api()
        .done("POST", "/revocations", Some(&body))
        .await
        .unwrap();
    assert_eq!(
        (&revoked["jti"], revoked["content_sha256"].as_str().unwrap().len()),
        (&Value::Null, 64)
    );
    for token in [&token, &malleated(&token).unwrap()] {
        assert_eq!(send(&world, token).await.reason().as_deref(), Some("token.revoked"));
    }
    assert_eq!(send(&world, &other).await.status, 200);
}

/// The command line is another process, as another node is.
#[tokio::test]
async fn sec_a_revocation_reaches_another_process_within_a_second() {
    let world = World::start().await;
    let token = member("ada").claim("jti", "one").issued_in(-30).sign();
    let other = member("bob").claim("jti", "two").issued_in(-30).sign();
    for token in [&token, &other] {
        assert_eq!(send(&world, token).await.status, 200);
    }
    world
        .narthex
        .command(&["revoke", "--issuer", "corp", "--jti", "one"])
        .unwrap();
    let answer = refused_within_a_second(&world, &token).await;
    assert_eq!(answer.reason().as_deref(), Some("token.revoked"));
    assert_eq!(send(&world, &other).await.status, 200);
    world.narthex.command(&["revoke", "--issuer", "corp", "--all"]).unwrap();
    refused_within_a_second(&world, &other).await;
    // `iat` counts whole seconds.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(send(&world, &member("bob").sign()).await.status, 200);
    assert!(world.narthex.command(&["revoke", "--issuer", "crop", "--all"]).is_err());
}

#[tokio::test]
async fn decisions_are_counted_by_reason_route_and_issuer() {
    let world = World::start().await;
    let token = member("ada").sign();
    for _ in 0..3 {
        assert_eq!(send(&world, &token).await.status, 200);
    }
    assert_eq!(send(&world, &member("ada").expired().sign()).await.status, 401);
    let read = world.narthex.api().get("/decisions?step=1m").await.unwrap();
    assert_eq!(read["step_seconds"], 60);
    let buckets = read["buckets"].as_array().unwrap();
    let counts: Vec<&Value> = buckets
        .iter()
        .flat_map(|bucket| bucket["counts"].as_array().unwrap())
        .collect();
    let sum = |outcome: &str, reason: Value| -> u64 {
        let of = counts
            .iter()
            .filter(|count| count["outcome"] == outcome && count["reason"] == reason);
        of.map(|count| count["count"].as_u64().unwrap()).sum()
    };
    assert_eq!(
        (sum("allow", Value::Null), sum("deny", "token.expired".into())),
        (3, 1),
        "{read}"
    );
    let allowed = counts.iter().find(|count| count["outcome"] == "allow").unwrap();
    assert_eq!(
        (&allowed["route"], &allowed["issuer"]),
        (&"/v1/algo/{organization}/{algorithm}/{*version}".into(), &"corp".into())
    );
}
