//! A cached answer is the answer to exactly this token, for exactly this question, for as long as it may be.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

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

/// A token whose account had to make room is answered as before: by what is kept of the token, and for a question of which
/// nothing is kept by looking again.
#[tokio::test]
async fn tokens_outlast_the_accounts_for_which_there_is_no_room() {
    let world = World::with_config(|idp, upstream| config(idp, upstream) + "\n[cache]\naccounts = \"16KiB\"\n").await;
    let names: Vec<String> = (0..40).map(|number| format!("user-{number}")).collect();
    let tokens: Vec<String> = names.iter().map(|name| member(name).sign()).collect();
    for _ in 0..2 {
        for (name, token) in names.iter().zip(&tokens) {
            assert_eq!(world.send(world.call("POST", GUARDED).bearer(token)).await.status, 200);
            let upstream = world.upstream.last().unwrap();
            assert_eq!(upstream.header("x-narthex-external-id").as_deref(), Some(name.as_str()));
        }
    }
    for (name, token) in names.iter().zip(&tokens) {
        let answer = world.send(world.call("GET", "/.narthex/me").bearer(token)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.text().contains(&format!("\"{name}\"")), "{}", answer.text());
    }
}

/// A token of which one byte was changed, at each place, and each beginning of one: none gets the answer that is kept for
/// the token itself.
#[tokio::test]
async fn sec_cache_key_of_every_byte() {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
    let world = World::start().await;
    let token = member("alice").sign();
    let ask = |token: &str| {
        let call = world.call("GET", "/.narthex/auth/traefik").bearer(token);
        world.send(
            call.header("x-forwarded-method", "POST")
                .header("x-forwarded-uri", GUARDED)
                .header("x-forwarded-host", "a"),
        )
    };
    for place in 0..token.len() {
        if place % 50 == 0 {
            // It is kept all the while.
            let answer = ask(&token).await;
            assert_eq!(
                (answer.status, answer.header("x-narthex-external-id")),
                (200, Some("alice"))
            );
        }
        let mut changed = token.clone().into_bytes();
        let at = ALPHABET.iter().position(|byte| *byte == changed[place]).unwrap();
        changed[place] = ALPHABET[(at + 1 + place % (ALPHABET.len() - 1)) % ALPHABET.len()];
        let changed = String::from_utf8(changed).unwrap();
        assert_ne!(changed, token);
        for other in [changed.as_str(), token.get(..place).unwrap_or_default()] {
            let answer = ask(other).await;
            assert_eq!(answer.status, 401, "byte {place}: {other}");
        }
    }
    for more in ["A", ".", "=", ".A"] {
        assert_eq!(
            ask(&format!("{token}{more}")).await.status,
            401,
            "with `{more}` behind it"
        );
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
            (403, Some("organization.role"))
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

/// How long the assertion lasts that the application got last, in seconds.
fn assertion_lasts(world: &World) -> i64 {
    let assertion = world.upstream.last().unwrap().header("x-narthex-assertion").unwrap();
    let claims = URL_SAFE_NO_PAD.decode(assertion.split('.').nth(1).unwrap()).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
    claims["exp"].as_i64().unwrap() - narthex_testkit::clock::now_seconds()
}

/// A decision that was made with a token about to end is not what a fresh token of the same user gets: its assertion would
/// end on the way to the application.
#[tokio::test]
async fn a_fresh_token_gets_a_fresh_assertion() {
    let world = World::start().await;
    for _ in 0..2 {
        let ending = member("alice").expires_in(30).sign();
        assert_eq!(
            world.send(world.call("POST", GUARDED).bearer(&ending)).await.status,
            200
        );
        assert!(
            (1..=30).contains(&assertion_lasts(&world)),
            "{}",
            assertion_lasts(&world)
        );
        let fresh = member("alice").expires_in(3600).sign();
        assert_eq!(world.send(world.call("POST", GUARDED).bearer(&fresh)).await.status, 200);
        assert!(assertion_lasts(&world) > 200, "{}", assertion_lasts(&world));
    }
}

/// A token that is let pass by the leeway gets an assertion that an application can take, and that ends with the leeway.
#[tokio::test]
async fn the_assertion_of_a_token_within_the_leeway_has_not_ended() {
    let world = World::start().await;
    for (expires_in, lasts) in [(-30, 1..=30), (2, 10..=62)] {
        let token = member(&format!("user{expires_in}")).expires_in(expires_in).sign();
        for _ in 0..3 {
            assert_eq!(world.send(world.call("POST", GUARDED).bearer(&token)).await.status, 200);
            assert!(
                lasts.contains(&assertion_lasts(&world)),
                "{expires_in}: {}",
                assertion_lasts(&world)
            );
        }
    }
}

/// The users whom a forward-auth door names, in order, for requests that are sent one after the other without waiting:
/// what is to be compared are answers, and a client that takes them apart would take most of the time.
async fn named(stream: &mut TcpStream, tokens: &[&str]) -> Vec<String> {
    let mut requests = String::new();
    for token in tokens {
        requests += &format!(
            "GET /.narthex/auth/traefik HTTP/1.1\r\nhost: a\r\nx-forwarded-method: POST\r\nx-forwarded-uri: {GUARDED}\r\nx-forwarded-host: a\r\n\
             authorization: Bearer {token}\r\n\r\n"
        );
    }
    stream.write_all(requests.as_bytes()).await.unwrap();
    let (mut answers, mut ends) = (Vec::new(), 0);
    while ends < tokens.len() {
        let before = answers.len();
        assert!(
            stream.read_buf(&mut answers).await.unwrap() > 0,
            "the connection was closed"
        );
        // An end may have come in two parts.
        let new = &answers[before.saturating_sub(3)..];
        ends += new.windows(4).filter(|bytes| *bytes == b"\r\n\r\n").count();
    }
    let answers = String::from_utf8(answers).unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200 ").count(), tokens.len(), "{answers}");
    let names = answers.split("x-narthex-external-id: ").skip(1);
    names.map(|rest| rest.lines().next().unwrap().to_owned()).collect()
}

/// A hundred users, a hundred thousand requests, a hundred at a time: each is itself, every time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_cache_race() {
    const USERS: usize = 100;
    const BATCHES: usize = 100;
    const BATCH: usize = 10;
    let world = Arc::new(World::start().await);
    let tokens: Arc<Vec<String>> = Arc::new(
        (0..USERS)
            .map(|index| member(&format!("user-{index}")).sign())
            .collect(),
    );
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..USERS {
        let (world, tokens) = (Arc::clone(&world), Arc::clone(&tokens));
        workers.spawn(async move {
            let mut stream = TcpStream::connect(world.narthex.address()).await.unwrap();
            for batch in 0..BATCHES {
                // Every worker is every user, each ten times.
                let users: Vec<usize> = (0..BATCH)
                    .map(|turn| (worker * 37 + (batch * BATCH + turn) * 7) % USERS)
                    .collect();
                let expected: Vec<String> = users.iter().map(|user| format!("user-{user}")).collect();
                let presented: Vec<&str> = users.iter().map(|user| tokens[*user].as_str()).collect();
                assert_eq!(named(&mut stream, &presented).await, expected);
                // One in a hundred goes all the way: what an application reads.
                if batch % 10 == 0 {
                    let answer = world.send(world.call("POST", GUARDED).bearer(presented[0])).await;
                    assert_eq!(answer.json().unwrap()["headers"]["x-narthex-external-id"], expected[0]);
                }
            }
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker.unwrap();
    }
    assert_eq!(world.narthex.api().list("/users").await.unwrap().len(), USERS);
}
