//! What must be refused wherever it is tried: at each door, at `/.narthex/me`, at the admin API.

use std::time::Duration;

use narthex_testkit::{Answer, TestKey, client::Call, raw, token::malleated};
use serde_json::json;

use crate::world::{GUARDED, World, config, member};

/// The same question at each door: the proxy's, and the four of forward-auth.
async fn at_each_door(world: &World, token: &str, method: &str, path: &str) -> Vec<(&'static str, Answer)> {
    let mut answers = vec![("proxy", world.send(world.call(method, path).bearer(token)).await)];
    for (door, prefix) in [
        ("nginx", "x-original"),
        ("traefik", "x-forwarded"),
        ("caddy", "x-forwarded"),
        ("haproxy", "x-forwarded"),
    ] {
        let call = world
            .call("GET", &format!("/.narthex/auth/{door}"))
            .bearer(token)
            .header(&format!("{prefix}-method"), method)
            .header(&format!("{prefix}-uri"), path)
            .header("x-forwarded-host", "app.test");
        answers.push((door, world.send(call).await));
    }
    answers
}

/// A good token passes at each door, with the same identity.
#[tokio::test]
async fn the_doors_agree() {
    let world = World::start().await;
    for (door, answer) in at_each_door(&world, &member("alice").sign(), "POST", GUARDED).await {
        assert_eq!(answer.status, 200, "{door}: {}", answer.text());
        if door != "proxy" {
            assert_eq!(answer.header("x-narthex-external-id"), Some("alice"), "{door}");
            assert_eq!(answer.header("x-narthex-organization-role"), Some("member"), "{door}");
            assert!(answer.header("x-narthex-assertion").is_some(), "{door}");
        }
    }
}

/// A person at a browser gets a page at each door, in the status of the problem document that a program gets.
#[tokio::test]
async fn a_browser_gets_a_page() {
    let world = World::start().await;
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let expired = member("alice").expired().sign();
    for (method, path, status, words) in [
        ("POST", GUARDED, 401, "Please sign in again"),
        ("GET", "/.narthex/me", 401, "Please sign in again"),
        ("GET", "/nowhere", 404, "There is no such page"),
        ("GET", "/a//b", 400, "This address cannot be opened"),
    ] {
        let call = || world.call(method, path).bearer(&expired);
        let program = world.send(call()).await;
        let person = world.send(call().header("accept", browser)).await;
        assert_eq!((program.status, person.status), (status, status), "{path}");
        assert_eq!(
            program.header("content-type"),
            Some("application/problem+json"),
            "{path}"
        );
        assert_eq!(
            person.header("content-type"),
            Some("text/html; charset=utf-8"),
            "{path}"
        );
        assert_eq!(
            person.header("x-narthex-reason"),
            program.header("x-narthex-reason"),
            "{path}"
        );
        for answer in [&program, &person] {
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
            assert_eq!(answer.header("vary"), Some("Accept, Cookie, Authorization"), "{path}");
        }
        let page = person.text();
        let id = person.header("x-narthex-request-id").unwrap();
        assert!(page.contains(words), "{path}: {page}");
        assert!(page.contains(id), "{path}: {page}");
    }
    for door in ["nginx", "traefik", "caddy", "haproxy"] {
        let prefix = if door == "nginx" { "x-original" } else { "x-forwarded" };
        let call = world
            .call("GET", &format!("/.narthex/auth/{door}"))
            .header(&format!("{prefix}-method"), "GET")
            .header(&format!("{prefix}-uri"), "/whoami")
            .header("x-forwarded-host", "app.test")
            .header("accept", browser);
        let answer = world.send(call).await;
        assert_eq!(answer.status, 401, "{door}");
        assert!(
            answer.text().contains("<title>Please sign in</title>"),
            "{door}: {}",
            answer.text()
        );
    }
}

/// A person who opens `/.narthex/me` sees every role with its source; what a token claims is text there, never markup.
#[tokio::test]
async fn sec_the_page_of_a_caller_shows_claims_as_text() {
    let world = World::start().await;
    let token = member("<script>alert(1)</script>").tags(["staff", "root"]).sign();
    let call = || world.call("GET", "/.narthex/me").bearer(&token);
    let page = world.send(call().header("accept", "text/html")).await;
    assert_eq!(page.status, 200, "{}", page.text());
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    let text = page.text();
    assert!(!text.contains("<script"), "{text}");
    for words in [
        "&#60;script&#62;",
        "<th scope=\"row\">Admin</th><td>Everything here<small>Platform</small></td>",
        "<th scope=\"row\">Member</th><td>acme<small>Organization</small></td>",
        "Tag <code>staff</code><small>in your token from corp</small>",
    ] {
        assert!(text.contains(words), "{words} is not in {text}");
    }
    let described = world.send(call()).await.json().unwrap();
    assert_eq!(described["platform_role_because"][0]["tag"], "root");
    assert_eq!(described["organizations"][0]["because"][0]["tag"], "staff");
}

/// An issuer that is switched off is refused everywhere, and explain says why.
#[tokio::test]
async fn sec_disabled_issuer() {
    let world = World::with_config(|idp, upstream| {
        config(idp, upstream).replace("name = \"corp\"", "name = \"corp\"\nenabled = false")
    })
    .await;
    let token = member("alice").sign();
    for (door, answer) in at_each_door(&world, &token, "POST", GUARDED).await {
        assert_eq!(answer.status, 401, "{door}");
        assert_eq!(
            answer.header("x-narthex-reason"),
            Some("token.issuer_disabled"),
            "{door}"
        );
    }
    assert_eq!(
        world
            .send(world.call("GET", "/.narthex/me").bearer(&token))
            .await
            .status,
        401
    );
    let body = serde_json::json!({ "token": token });
    let explained = world.narthex.api().done("POST", "/explain", Some(&body)).await.unwrap();
    assert!(explained.to_string().contains("token.issuer_disabled"), "{explained}");
    assert!(world.narthex.api().list("/users").await.unwrap().is_empty());
}

/// Claims are believed nowhere before the signature is: forged admins are nobody at every door and every address.
#[tokio::test]
async fn sec_anon_claims() {
    let world = World::start().await;
    let root = || member("mallory").tags(["root", "owners", "staff"]);
    let forged = [
        root().forged_with(TestKey::Rsa2).sign(),
        root().unsigned(),
        root().secret(*b"01234567890123456789012345678901").sign(),
    ];
    for token in &forged {
        for path in [GUARDED, "/whoami", "/public/page"] {
            for (door, answer) in at_each_door(&world, token, "POST", path).await {
                assert_eq!(answer.status, 401, "{door} {path}: {}", answer.text());
                assert_eq!(answer.header("x-narthex-user").unwrap_or_default(), "", "{door} {path}");
            }
        }
        assert_eq!(
            world.send(world.call("GET", "/.narthex/me").bearer(token)).await.status,
            401
        );
        for (method, path) in [
            ("GET", "/users"),
            ("GET", "/organizations"),
            ("POST", "/organizations"),
            ("GET", "/api-keys"),
        ] {
            let call = Call::new(method, &format!("{}/api/v1{path}", world.narthex.admin_url())).bearer(token);
            assert_eq!(world.send(call).await.status, 401, "{method} {path}");
        }
    }
    assert!(world.upstream.seen().is_empty());
    assert!(world.narthex.api().list("/users").await.unwrap().is_empty());
}

/// Anybody can make another good token of one that is signed with ECDSA (`malleated`). It is the same statement of the same
/// issuer, so it gets the same answer: whatever takes a token's power away takes away the other's.
#[tokio::test]
async fn sec_revoke_malleated_signature() {
    let world = World::with_config(|idp, upstream| {
        idp.rotate(&[TestKey::P256]);
        config(idp, upstream).replace("name = \"corp\"", "name = \"corp\"\nalgorithms = [\"ES256\"]")
    })
    .await;
    let api = world.narthex.api();
    for (what, method, path, body, refused) in [
        ("signed out", "POST", "/revoke-tokens", None, (401, "token.revoked")),
        (
            "disabled",
            "PATCH",
            "",
            Some(serde_json::json!({ "status": "disabled" })),
            (403, "identity.disabled"),
        ),
    ] {
        // One whose other token is known before, and one who keeps it for later.
        for known in [true, false] {
            let name = format!("{what}, {known}");
            let token = member(&name).key(TestKey::P256).issued_in(-30).sign();
            let other = malleated(&token).unwrap();
            let presented = if known { vec![&token, &other] } else { vec![&token] };
            for token in presented {
                for (door, answer) in at_each_door(&world, token, "POST", GUARDED).await {
                    assert_eq!(answer.status, 200, "{door}, {name}: {}", answer.text());
                }
            }
            let user = api.user(&name).await.unwrap().unwrap();
            let path = format!("/users/{}{path}", user["id"].as_str().unwrap());
            api.done(method, &path, body.as_ref()).await.unwrap();
            for token in [&other, &token, &other] {
                for (door, answer) in at_each_door(&world, token, "POST", GUARDED).await {
                    let found = (answer.status, answer.header("x-narthex-reason").unwrap_or_default());
                    assert_eq!(found, refused, "{door}, {name}");
                }
            }
        }
    }
    // Nor does it bring back what a newer token took away.
    let token = member("eve").key(TestKey::P256).issued_in(-30).sign();
    let newer = member("eve").tags(["none"]).key(TestKey::P256).sign();
    for (token, status) in [
        (&token, 200),
        (&newer, 403),
        (&malleated(&token).unwrap(), 403),
        (&malleated(&newer).unwrap(), 403),
    ] {
        assert_eq!(
            world.send(world.call("POST", GUARDED).bearer(token)).await.status,
            status
        );
    }
    assert_eq!(api.list("/users").await.unwrap().len(), 5);
}

/// Bytes that are no UTF-8, in the path and in headers: refused or passed on as they are, and the process goes on.
#[tokio::test]
async fn sec_nonutf8() {
    let world = World::start().await;
    let token = member("alice").sign();
    let mut cases: Vec<(&str, Vec<u8>)> = Vec::new();
    cases.push((
        "path",
        [
            b"GET /public/\xff\xfe HTTP/1.1\r\nhost: a\r\n".as_slice(),
            b"connection: close\r\n\r\n",
        ]
        .concat(),
    ));
    for header in [
        "authorization: Bearer \u{0}",
        "x-original-uri: ",
        "x-forwarded-uri: ",
        "cookie: ",
        "host: ",
    ] {
        for door in [
            "/whoami",
            "/.narthex/auth/nginx",
            "/.narthex/auth/traefik",
            "/.narthex/me",
        ] {
            let mut bytes =
                format!("GET {door} HTTP/1.1\r\nx-original-method: GET\r\nx-forwarded-method: GET\r\n{header}")
                    .into_bytes();
            bytes.extend(b"\xff\xfe\x80\r\nconnection: close\r\n\r\n");
            cases.push((header, bytes));
        }
    }
    for (name, request) in cases {
        let answer = raw::exchange(&world.narthex.address(), &request, Duration::from_millis(500))
            .await
            .unwrap();
        let status = raw::status(&answer);
        assert!(
            status.is_none_or(|status| (400..500).contains(&status)),
            "{name}: {}",
            String::from_utf8_lossy(&answer)
        );
    }
    assert!(world.upstream.seen().is_empty());
    assert_eq!(world.send(world.call("POST", GUARDED).bearer(&token)).await.status, 200);
}

/// A logout token and one that is bound to its sender's key are good tokens of the issuer, and open no door.
#[tokio::test]
async fn sec_logout_token() {
    let world = World::start().await;
    let event = json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
    let key = json!({ "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" });
    for (claim, value, reason) in [("events", event, "token.claim_invalid"), ("cnf", key, "token.bound")] {
        let token = member("alice").claim(claim, value).sign();
        for (door, answer) in at_each_door(&world, &token, "POST", GUARDED).await {
            assert_eq!(answer.status, 401, "{door}: {}", answer.text());
            assert_eq!(answer.header("x-narthex-reason"), Some(reason), "{door}");
        }
    }
    assert!(world.upstream.seen().is_empty());
}

/// No browser guesses what an answer of our own is, on either port.
#[tokio::test]
async fn every_answer_of_our_own_forbids_sniffing() {
    let world = World::start().await;
    let admin = |path: &str| Call::get(&format!("{}{path}", world.narthex.admin_url()));
    let good = member("alice").sign();
    for (call, status) in [
        (world.call("GET", "/.well-known/jwks.json"), 200),
        (world.call("GET", "/.narthex/me").bearer(&good), 200),
        (world.call("GET", "/.narthex/me"), 401),
        (world.call("GET", "/whoami"), 401),
        (world.call("GET", "/nothing"), 404),
        (world.call("GET", "/.narthex/auth/traefik"), 400),
        (admin("/healthz"), 200),
        (admin("/readyz"), 200),
        (admin("/metrics"), 200),
        (admin("/openapi.json"), 200),
        (admin("/api/v1/users"), 401),
        // The console sends a browser without a session to its sign-in.
        (admin("/nothing"), 303),
    ] {
        let answer = world.send(call).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!(
            answer.header("x-content-type-options"),
            Some("nosniff"),
            "{}",
            answer.text()
        );
    }
}

/// Nothing that is answered to a caller or logged repeats a token, a secret or a claim's value.
#[tokio::test]
async fn sec_answers_and_logs_hold_no_claim_values() {
    let world = World::start().await;
    let marked = || member("marked-subject").claim("email", "marked@example.com");
    let tokens = [
        marked().expired().sign(),
        marked().audience("marked-audience").sign(),
        marked().issuer("https://marked.test").sign(),
        marked().tags(["marked-tag"]).sign(),
        marked().claim("groups", 7).sign(),
        marked().claim("exp", "marked-exp").sign(),
        marked().forged_with(TestKey::Rsa2).sign(),
    ];
    for token in tokens {
        for (door, answer) in at_each_door(&world, &token, "POST", GUARDED).await {
            assert!(answer.status >= 400, "{door}");
            let whole = format!("{:?} {}", answer.headers, answer.text());
            assert!(!whole.contains("marked"), "{door}: {whole}");
            let signature = token.rsplit('.').next().unwrap();
            assert!(!world.narthex.logs().contains(signature), "{door}");
        }
    }
    assert!(!world.narthex.logs().contains("marked"), "{}", world.narthex.logs());
}

/// Whatever is refused stands in the log under the number that the caller has, and is counted, at each door.
#[tokio::test]
async fn every_refusal_is_told() {
    let world = World::with_config(|idp, upstream| {
        let untrusted = config(idp, upstream).replace("127.0.0.1\"]", "192.0.2.1\"]");
        untrusted + "[[route]]\npath = \"/asked\"\nrequire = \"public\"\n"
    })
    .await;
    let asked = |path: &str| world.call("GET", path);
    for (call, door, reason) in [
        (asked("/.narthex/auth/nginx"), "nginx", "request.proxy_untrusted"),
        (asked("/.narthex/auth/caddy"), "caddy", "request.proxy_untrusted"),
        (asked("/.narthex/me"), "me", "token.missing"),
        (asked("/.narthex/me").bearer("x"), "me", "token.malformed"),
        (asked("/.narthex/nothing"), "proxy", "route.unmatched"),
        (world.call("POST", "/.well-known/jwks.json"), "proxy", "route.unmatched"),
        (asked("/asked"), "proxy", "route.unmatched"),
        (asked("/whoami"), "proxy", "token.missing"),
    ] {
        told(&world, call, door, reason).await;
    }
    let allowed = r#"narthex_decisions_total{door="proxy",outcome="allow",reason=""}"#;
    assert_eq!(counted(&world, allowed).await, 0, "nothing was let pass");

    let world = World::with_config(|idp, upstream| config(idp, upstream) + "[limits]\nrate = \"1/h\"\n").await;
    let call = || world.call("GET", "/public/page");
    assert_eq!(world.send(call()).await.status, 200);
    told(&world, call(), "proxy", "rate.limited").await;
    let question = world.call("GET", "/.narthex/auth/traefik");
    told(&world, question, "traefik", "rate.limited").await;
    let unreadable = world
        .call("GET", "/.narthex/auth/traefik")
        .header("x-forwarded-for", "192.0.2.7");
    told(&world, unreadable, "traefik", "request.path").await;
}

/// One more of its reason is counted, and the log has the answer's number.
async fn told(world: &World, call: Call, door: &str, reason: &str) {
    let series = format!("narthex_decisions_total{{door=\"{door}\",outcome=\"deny\",reason=\"{reason}\"}}");
    let before = counted(world, &series).await;
    let answer = world.send(call).await;
    assert_eq!(answer.header("x-narthex-reason"), Some(reason), "{}", answer.text());
    assert_eq!(counted(world, &series).await, before + 1, "{series}");
    let number = answer.header("x-narthex-request-id").unwrap();
    let line = world.narthex.logged(&[number]).await.unwrap();
    assert!(line.contains("\"denied\"") && line.contains(reason), "{line}");
}

async fn counted(world: &World, series: &str) -> u64 {
    let metrics = format!("{}/metrics", world.narthex.admin_url());
    let answer = world.send(Call::get(&metrics)).await;
    let text = answer.text();
    let value = text.lines().find_map(|line| line.strip_prefix(series)).unwrap();
    value.trim().parse().unwrap()
}

/// The log line of a refusal says who and from where, as far as that is known.
#[tokio::test]
async fn a_refusal_is_logged_with_client_issuer_user_and_organization() {
    let world = World::start().await;
    let line = async |call: Call| {
        let answer = world.send(call).await;
        let number = answer.header("x-narthex-request-id").unwrap().to_owned();
        let line = world.narthex.logged(&[&number]).await.unwrap();
        serde_json::from_str::<serde_json::Value>(&line).unwrap()
    };
    let guarded = || world.call("POST", GUARDED).header("x-forwarded-for", "198.51.100.7");
    let refused = line(guarded().bearer(&member("bob").tags(["none"]).sign())).await;
    let bob = world.narthex.api().user("bob").await.unwrap().unwrap();
    for (field, value) in [
        ("client", "198.51.100.7"),
        ("reason", "organization.role"),
        ("issuer", "corp"),
        ("user", bob["id"].as_str().unwrap()),
        ("organization", "acme"),
    ] {
        assert_eq!(refused[field], value, "{field}: {refused}");
    }
    assert_eq!(refused["status"], 403, "{refused}");
    let expired = line(guarded().bearer(&member("bob").expired().sign())).await;
    assert_eq!(
        (&expired["issuer"], &expired["organization"]),
        (&"corp".into(), &"acme".into()),
        "{expired}"
    );
    assert!(expired["user"].is_null(), "{expired}");
    let unknown = line(guarded().bearer(&member("bob").issuer("https://x.test").sign())).await;
    assert!(
        unknown["issuer"].is_null() && unknown["client"] == "198.51.100.7",
        "{unknown}"
    );

    let path = format!("/users/{}", bob["id"].as_str().unwrap());
    let disabled = serde_json::json!({ "status": "disabled" });
    world.narthex.api().done("PATCH", &path, Some(&disabled)).await.unwrap();
    let disabled = line(guarded().bearer(&member("bob").sign())).await;
    assert_eq!(disabled["user"], bob["id"], "{disabled}");
}

/// The admin port writes the same line, with the caller that it knows.
#[tokio::test]
async fn a_refusal_at_the_admin_port_is_logged_as_one_at_a_door() {
    let world = World::start().await;
    let bob = member("bob");
    let first = world.call("POST", GUARDED).bearer(&bob.sign());
    assert_eq!(world.send(first).await.status, 200);
    let user = world.narthex.api().user("bob").await.unwrap().unwrap();
    let call = |path: &str| {
        let url = format!("{}/api/v1{path}", world.narthex.admin_url());
        Call::get(&url).header("x-forwarded-for", "198.51.100.7")
    };
    let line = async |call: Call| {
        let answer = world.send(call).await;
        let number = answer.header("x-narthex-request-id").unwrap().to_owned();
        let line = world.narthex.logged(&[&number, "denied"]).await.unwrap();
        serde_json::from_str::<serde_json::Value>(&line).unwrap()
    };
    let refused = line(call("/organizations/acme").bearer(&member("bob").sign())).await;
    for (field, value) in [
        ("event", "denied"),
        ("door", "admin"),
        ("client", "198.51.100.7"),
        ("method", "GET"),
        ("path", "/api/v1/organizations/acme"),
        ("reason", "organization.role"),
        ("issuer", "corp"),
        ("user", user["id"].as_str().unwrap()),
    ] {
        assert_eq!(refused[field], value, "{field}: {refused}");
    }
    assert_eq!(refused["status"], 403, "{refused}");
    assert!(refused["organization_id"].is_string(), "{refused}");
    let expired = line(call("/users").bearer(&member("bob").expired().sign())).await;
    assert_eq!(
        (&expired["issuer"], &expired["status"]),
        (&"corp".into(), &401.into()),
        "{expired}"
    );
    for (bearer, reason) in [("nx_unknown", "api_key.unknown"), ("nonsense", "token.malformed")] {
        let unknown = line(call("/users").bearer(bearer)).await;
        assert_eq!(unknown["reason"], reason, "{unknown}");
        assert!(
            unknown["user"].is_null() && unknown["client"] == "198.51.100.7",
            "{unknown}"
        );
    }
    assert_eq!(line(call("/users")).await["reason"], "token.missing");
}

/// A proxy that is not trusted learns nothing; the log names the address that asked.
#[tokio::test]
async fn the_log_names_the_address_of_an_untrusted_proxy() {
    let world = World::with_config(|idp, upstream| config(idp, upstream).replace("127.0.0.1\"]", "192.0.2.1\"]")).await;
    let answer = world.send(world.call("GET", "/.narthex/auth/nginx")).await;
    assert!(!answer.text().contains("127.0.0.1"), "{}", answer.text());
    let line = world.narthex.logged(&["request.proxy_untrusted"]).await.unwrap();
    assert!(line.contains(r#""client":"127.0.0.1""#), "{line}");
    assert!(line.contains("127.0.0.1 is not in `listen.trusted_proxies`"), "{line}");
}

/// `[log] access` adds a line for each request that passes, whatever the level; without it there is none.
#[tokio::test]
async fn requests_that_pass_are_logged_on_request() {
    let lines = |world: &World| -> Vec<serde_json::Value> {
        let logs = world.narthex.logs();
        let lines = logs.lines().filter(|line| line.contains("\"access\""));
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let world =
        World::with_config(|idp, upstream| config(idp, upstream) + "[log]\nlevel = \"warn\"\naccess = true\n").await;
    let call = || {
        world
            .call("POST", &format!("{GUARDED}?secret=marked"))
            .bearer(&member("alice").sign())
    };
    assert_eq!(world.send(call()).await.status, 200);
    let asked = world
        .call("GET", "/.narthex/auth/nginx")
        .header("x-original-method", "GET")
        .header("x-original-uri", "/whoami?secret=marked")
        .header("x-forwarded-for", "198.51.100.7")
        .bearer(&member("alice").sign());
    assert_eq!(world.send(asked).await.status, 200);
    assert_eq!(world.send(world.call("GET", "/whoami")).await.status, 401);
    let alice = world.narthex.api().user("alice").await.unwrap().unwrap();
    let found = lines(&world);
    let found: Vec<_> = found.into_iter().filter(|line| line["door"] != "admin").collect();
    assert_eq!(found.len(), 2, "{found:?}");
    for (field, value) in [
        ("door", "proxy"),
        ("client", "127.0.0.1"),
        ("method", "POST"),
        ("path", GUARDED),
        ("decision", "allow"),
        ("issuer", "corp"),
        ("organization", "acme"),
        ("route", "/v1/algo/{organization}/{algorithm}/{*version}"),
        ("user", alice["id"].as_str().unwrap()),
    ] {
        assert_eq!(found[0][field], value, "{field}: {found:?}");
    }
    assert_eq!(found[0]["status"], 200);
    assert!(found[0]["took_us"].is_number());
    assert_eq!(
        (&found[1]["door"], &found[1]["client"]),
        (&"nginx".into(), &"198.51.100.7".into())
    );
    assert!(!world.narthex.logs().contains("marked"), "{}", world.narthex.logs());

    let world = World::start().await;
    let call = world.call("POST", GUARDED).bearer(&member("alice").sign());
    assert_eq!(world.send(call).await.status, 200);
    assert!(lines(&world).is_empty());
}

/// Narthex's own paths have a line too: `/.narthex/me`, the key set and the admin API. Health checks and scrapes have none.
#[tokio::test]
async fn own_paths_that_pass_are_logged_on_request() {
    let world = World::with_config(|idp, upstream| config(idp, upstream) + "[log]\naccess = true\n").await;
    let me = world
        .call("GET", "/.narthex/me?secret=marked")
        .bearer(&member("alice").sign());
    assert_eq!(world.send(me).await.status, 200);
    assert_eq!(world.send(world.call("GET", "/.narthex/me")).await.status, 401);
    assert_eq!(
        world.send(world.call("GET", "/.well-known/jwks.json")).await.status,
        200
    );
    let alice = world.narthex.api().user("alice").await.unwrap().unwrap();
    let refused = Call::get(&format!("{}/api/v1/users/none", world.narthex.admin_url()));
    assert_eq!(world.send(refused).await.status, 401);
    for path in ["/healthz", "/readyz", "/metrics"] {
        let call = Call::get(&format!("{}{path}", world.narthex.admin_url()));
        assert_eq!(world.send(call).await.status, 200, "{path}");
    }
    let mut logs = world.narthex.logs();
    // What was written is read a moment later.
    for _ in 0..250 {
        if logs.matches("\"access\"").count() >= 4 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        logs = world.narthex.logs();
    }
    let lines = logs.lines().filter(|line| line.contains("\"access\""));
    let mut lines: Vec<serde_json::Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    // The organization was made when the world began.
    let made = lines.remove(0);
    assert_eq!(
        (&made["door"], &made["status"]),
        (&"admin".into(), &201.into()),
        "{logs}"
    );
    let of =
        |line: &serde_json::Value| ["door", "method", "path"].map(|field| line[field].as_str().unwrap().to_owned());
    let found: Vec<_> = lines.iter().map(of).collect();
    let expected = [
        ["me", "GET", "/.narthex/me"],
        ["public", "GET", "/.well-known/jwks.json"],
        ["admin", "GET", "/api/v1/users"],
    ];
    assert_eq!(found, expected, "{logs}");
    assert_eq!(lines[0]["user"], alice["id"], "{logs}");
    assert_eq!(lines[0]["issuer"], "corp", "{logs}");
    assert_eq!(lines[2]["actor"], "api_key", "{logs}");
    for line in &lines {
        assert_eq!(
            (&line["status"], &line["client"]),
            (&200.into(), &"127.0.0.1".into()),
            "{logs}"
        );
        assert!(line["took_us"].is_number() && line["request_id"].is_string(), "{logs}");
    }
    assert!(!logs.contains("marked"), "{logs}");
}
