//! A cached answer is the answer to exactly this token, for exactly this question, for as long as it may be.

use std::{sync::Arc, time::Duration};

use narthex_testkit::{Client, client::Call};

use crate::world::{GUARDED, World, config, member};

/// Tokens that begin alike, however long, are different tokens.
#[tokio::test]
async fn sec_cache_key() {
    let world = World::start().await;
    // The payload begins with four hundred equal bytes; who it is comes after.
    let mut claims = member("x").claims().clone();
    claims.shift_insert(0, "aaa".to_owned(), "a".repeat(400).into());
    let token = |subject: &str| member("x").payload(claims.clone()).subject(subject).sign();
    let (alice, bob) = (token("alice"), token("bob"));
    assert_eq!(alice.as_bytes()[..400], bob.as_bytes()[..400]);
    for (token, name) in [(&alice, "alice"), (&bob, "bob"), (&alice, "alice")] {
        assert_eq!(world.send(world.call("POST", GUARDED).bearer(token)).await.status, 200);
        assert_eq!(
            world
                .upstream
                .last()
                .unwrap()
                .header("x-narthex-external-id")
                .as_deref(),
            Some(name)
        );
    }
    // And tokens that end differently: the signature is part of it.
    let (signed, signature) = alice.rsplit_once('.').unwrap();
    let (_, other) = bob.rsplit_once('.').unwrap();
    for forged in [
        format!("{signed}.{other}"),
        format!("{signed}."),
        format!("{signed}.{}", signature.split_at(signature.len() - 4).0),
    ] {
        let answer = world.send(world.call("POST", GUARDED).bearer(&forged)).await;
        assert_eq!(answer.status, 401, "{}", answer.text());
    }
}

/// A token that passed one route is judged anew for the next.
#[tokio::test]
async fn sec_cache_policy() {
    let world = World::with_config(|idp, upstream| {
        let more = "\n[[route]]\npath = \"/cluster\"\nrequire = \"platform:admin\"\nupstream = \"UPSTREAM\"\n\
                    [[route]]\npath = \"/admin/{organization}\"\nrequire = \"organization:admin\"\nupstream = \"UPSTREAM\"\n";
        config(idp, upstream) + &more.replace("UPSTREAM", &upstream.url())
    })
    .await;
    let token = member("alice").sign();
    for _ in 0..2 {
        assert_eq!(world.send(world.call("POST", GUARDED).bearer(&token)).await.status, 200);
        let cluster = world.send(world.call("POST", "/cluster").bearer(&token)).await;
        assert_eq!(
            (cluster.status, cluster.reason().as_deref()),
            (403, Some("platform.role"))
        );
        let admin = world.send(world.call("POST", "/admin/acme").bearer(&token)).await;
        assert_eq!(
            (admin.status, admin.reason().as_deref()),
            (403, Some("organization.role"))
        );
        let other = world
            .send(world.call("POST", "/v1/algo/other/echo/1.0").bearer(&token))
            .await;
        assert_eq!(
            (other.status, other.reason().as_deref()),
            (403, Some("organization.unknown"))
        );
    }
}

/// A cached answer does not outlive the token.
#[tokio::test]
async fn sec_cache_exp() {
    let world = World::with_config(|idp, upstream| {
        config(idp, upstream).replace(
            "audiences = [\"narthex\"]",
            "audiences = [\"narthex\"]\nleeway = \"0s\"",
        )
    })
    .await;
    let token = member("alice").expires_in(3).sign();
    for _ in 0..3 {
        assert_eq!(world.send(world.call("POST", GUARDED).bearer(&token)).await.status, 200);
    }
    tokio::time::sleep(Duration::from_millis(3100)).await;
    let answer = world.send(world.call("POST", GUARDED).bearer(&token)).await;
    assert_eq!(
        (answer.status, answer.reason().as_deref()),
        (401, Some("token.expired"))
    );
}

/// Many users at once: each is itself, every time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_cache_race() {
    let world = Arc::new(World::start().await);
    let tokens: Arc<Vec<String>> = Arc::new((0..100).map(|index| member(&format!("user-{index}")).sign()).collect());
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..20_usize {
        let (world, tokens) = (Arc::clone(&world), Arc::clone(&tokens));
        workers.spawn(async move {
            let client = Client::new();
            for round in 0..100_usize {
                let index = (worker * 37 + round * 7) % tokens.len();
                let call = Call::post(&format!("{}{GUARDED}", world.narthex.url())).bearer(&tokens[index]);
                let answer = client.send(call).await.unwrap();
                assert_eq!(answer.status, 200, "{}", answer.text());
                let body = answer.json().unwrap();
                assert_eq!(body["headers"]["x-narthex-external-id"], format!("user-{index}"));
            }
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker.unwrap();
    }
    assert_eq!(world.narthex.api().list("/users").await.unwrap().len(), 100);
}
