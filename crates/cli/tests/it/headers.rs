//! Headers that a client must not be able to bring along, take away or make count.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use narthex_testkit::{Recorded, client::Call};
use serde_json::{Value, json};

use crate::world::{GUARDED, World, config, member};

async fn passed(world: &World, call: Call) -> Recorded {
    world.upstream.forget();
    let answer = world.send(call).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    world.upstream.last().unwrap()
}

/// Whatever the spelling, and however often: only what Narthex says reaches the upstream.
#[tokio::test]
async fn sec_header_alias() {
    let world = World::start().await;
    let token = member("alice").sign();
    for name in [
        "x-narthex-user",
        "X-NARTHEX-USER",
        "x_narthex_user",
        "X.Narthex.User",
        "x-narthex_user",
        "x_narthex-context.a",
        "x-narthex-platform-role",
        "x-narthex-anything-at-all",
        "x-narthex-decision",
        "x-narthex-assertion",
    ] {
        let call = world
            .call("POST", GUARDED)
            .bearer(&token)
            .header(name, "spoofed")
            .header(name, "spoofed");
        let seen = passed(&world, call).await;
        for (reached, value) in &seen.headers {
            assert!(
                !String::from_utf8_lossy(value.as_bytes()).contains("spoofed"),
                "`{name}` reached as `{reached}`"
            );
        }
        assert_eq!(seen.header("x-narthex-external-id").as_deref(), Some("alice"));
        assert_eq!(seen.headers.get_all("x-narthex-user").iter().count(), 1);
    }
}

/// A header that has no value this time is not left as the client sent it.
#[tokio::test]
async fn sec_header_absent() {
    let world = World::start().await;
    let call = world.call("POST", GUARDED).bearer(&member("alice").sign());
    let seen = passed(&world, call.header("x-narthex-email", "root@example.com")).await;
    assert_eq!(seen.header("x-narthex-email").unwrap_or_default(), "");
}

/// `Connection` names headers of one hop; it cannot make the identity disappear.
#[tokio::test]
async fn sec_connection_hop() {
    let world = World::start().await;
    let token = member("alice").sign();
    for list in [
        "x-narthex-user",
        "close, X-Narthex-User, x-narthex-organization-role",
        "x-narthex-decision, keep-alive",
    ] {
        let seen = passed(
            &world,
            world.call("POST", GUARDED).bearer(&token).header("connection", list),
        )
        .await;
        for name in [
            "x-narthex-user",
            "x-narthex-organization-role",
            "x-narthex-decision",
            "x-narthex-assertion",
        ] {
            assert!(seen.header(name).is_some(), "`Connection: {list}` took `{name}` away");
        }
    }
    // And what it names of the client's own is dropped.
    let call = world
        .call("POST", GUARDED)
        .bearer(&token)
        .header("connection", "x-mine")
        .header("x-mine", "1");
    assert_eq!(passed(&world, call).await.header("x-mine"), None);
}

/// Tokens may come in a header, a cookie and a query parameter too, and one route passes them on.
async fn many_places() -> World {
    World::with_config(|idp, upstream| {
        let places =
            "name = \"corp\"\ntoken_from = [\"authorization\", \"header:x-token\", \"cookie:session\", \"query:jwt\"]";
        let kept = "\n[[route]]\npath = \"/kept\"\nrequire = \"authenticated\"\nforward_token = true\nupstream = ";
        config(idp, upstream).replace("name = \"corp\"", places) + &format!("{kept}\"{}\"\n", upstream.url())
    })
    .await
}

/// How often the token's signature reached the upstream.
fn reached(seen: &Recorded, signature: &str) -> usize {
    let values = seen
        .headers
        .values()
        .map(|value| String::from_utf8_lossy(value.as_bytes()));
    let values = values.filter(|value| value.contains(signature));
    values.count() + seen.target.matches(signature).count()
}

/// The inbound token stays in the hall, wherever it was; what is beside it goes on as it is. Where a route says that it
/// goes on, it does.
#[tokio::test]
async fn sec_token_strip() {
    let world = many_places().await;
    let token = member("alice").sign();
    let signature = token.rsplit('.').next().unwrap();
    let beside = "a=\"b c\"; flag; =d; e=f=g";
    let cookie = format!("a=\"b c\"; flag; session={token}; =d; e=f=g");
    for (query, header, value) in [
        (String::new(), "authorization", format!("Bearer {token}")),
        (String::new(), "x-token", token.clone()),
        (String::new(), "cookie", cookie),
        (format!("jwt={token}&"), "x-nothing", String::new()),
        (format!("j%77t={token}&"), "x-nothing", String::new()),
    ] {
        for (path, times) in [(GUARDED, 0), ("/whoami", 0), ("/kept", 1)] {
            let target = |query: &str| format!("{path}?a=%2F&{query}b=c+d&e");
            let call = world
                .call("GET", &target(&query))
                .header(header, &value)
                .header("x-beside", "1");
            let call = if header == "cookie" {
                call
            } else {
                call.header("cookie", beside)
            };
            let seen = passed(&world, call).await;
            assert_eq!(reached(&seen, signature), times, "{path}, in {header}: {seen:?}");
            assert_eq!(seen.header("x-narthex-external-id").as_deref(), Some("alice"));
            assert_eq!(seen.header("x-beside").as_deref(), Some("1"));
            if times == 0 {
                assert_eq!(seen.header("cookie").as_deref(), Some(beside), "{path}, in {header}");
                assert_eq!(seen.target, target(""), "in {header}");
            } else {
                assert_eq!(seen.target, target(&query), "in {header}");
            }
        }
    }
    assert!(!world.narthex.logs().contains(signature), "the token is in the log");
}

/// Nor does a token go on that is where nobody would look for it.
#[tokio::test]
async fn sec_token_strip_from_odd_places() {
    let world = many_places().await;
    let token = member("alice").sign();
    let signature = token.rsplit('.').next().unwrap();
    // A cookie that is no text hides the token's cookie neither from us nor on the way on.
    let cookie = format!("session={token}; name=Jos\u{e9}");
    let seen = passed(&world, world.call("GET", "/whoami").header("cookie", &cookie)).await;
    assert_eq!(reached(&seen, signature), 0, "{seen:?}");
    assert_eq!(seen.headers["cookie"].as_bytes(), "name=Jos\u{e9}".as_bytes());
    // A page whose address had a token in it says so with everything it asks for.
    let referer = |query: &str| format!("https://app.test/page{query}");
    for (came, goes) in [
        (format!("?jwt={token}"), String::new()),
        (format!("?a=b&j%77t={token}&c"), "?a=b&c".to_owned()),
        ("?a=b".to_owned(), "?a=b".to_owned()),
    ] {
        let call = world.call("GET", "/public/page").header("referer", &referer(&came));
        let seen = passed(&world, call).await;
        assert_eq!(seen.header("referer"), Some(referer(&goes)));
    }
    let doubled = world.call("GET", "/public/page").header("referer", &referer(""));
    let seen = passed(&world, doubled.header("referer", &referer(&format!("?jwt={token}")))).await;
    assert_eq!(reached(&seen, signature), 0, "{seen:?}");
    let no_text = referer(&format!("?b=\u{e9}&jwt={token}"));
    let seen = passed(&world, world.call("GET", "/public/page").header("referer", &no_text)).await;
    assert_eq!(reached(&seen, signature), 0, "{seen:?}");
    // Nobody asks for the token of a preflight; it stays here all the same.
    let call = world.call("OPTIONS", GUARDED).bearer(&token);
    let call = call
        .header("origin", "https://app.test")
        .header("access-control-request-method", "POST");
    let seen = passed(&world, call).await;
    assert_eq!(reached(&seen, signature), 0, "{seen:?}");
    // What some program may read as a token does not pass as nothing.
    for odd in [
        format!("Bearer\t{token}"),
        format!("Bearer,{token}"),
        format!("Bearer {token} x"),
    ] {
        let answer = world
            .send(world.call("GET", "/public/page").header("authorization", &odd))
            .await;
        assert_eq!(answer.header("x-narthex-reason"), Some("token.malformed"), "{odd}");
    }
    assert!(!world.narthex.logs().contains(signature), "the token is in the log");
}

/// A public route gets no identity from the client either.
#[tokio::test]
async fn sec_public_route() {
    let world = World::start().await;
    let call = world
        .call("GET", "/public/page")
        .header("x-narthex-user", "spoofed")
        .header("X_Narthex_Username", "spoofed");
    let seen = passed(&world, call).await;
    for value in seen.headers.values() {
        assert_ne!(value, "spoofed");
    }
}

/// No decision depends on who the client says it is.
#[tokio::test]
async fn sec_ua_bypass() {
    let world = World::start().await;
    for agent in [
        "kube-probe/1.30",
        "GoogleHC/1.0",
        "ELB-HealthChecker/2.0",
        "Mozilla/5.0",
        "",
    ] {
        let answer = world
            .send(world.call("POST", GUARDED).header("user-agent", agent))
            .await;
        assert_eq!(answer.status, 401, "{agent}");
    }
}

/// Two tokens are refused even where the keys cannot be fetched, and the process goes on.
#[tokio::test]
async fn sec_two_tokens() {
    let world = World::start().await;
    let token = member("alice").sign();
    world.idp.down();
    for other in [token.clone(), member("alice").kid("unknown").sign()] {
        let call = world.call("POST", GUARDED).bearer(&token).bearer(&other);
        let answer = world.send(call).await;
        assert_eq!(
            (answer.status, answer.reason().as_deref()),
            (400, Some("token.multiple"))
        );
    }
    assert_eq!(world.send(world.call("GET", "/public/page")).await.status, 200);
}

/// What a client says of the original request counts at no door but the forward-auth ones.
#[tokio::test]
async fn sec_xff_at_the_proxy_door() {
    let world = World::start().await;
    for (name, value) in [
        ("x-forwarded-uri", "/public/page"),
        ("x-original-uri", "/public/page"),
        ("x-original-url", "/public/page"),
        ("x-rewrite-url", "/public/page"),
        ("x-http-method-override", "OPTIONS"),
        ("x-forwarded-method", "OPTIONS"),
    ] {
        let answer = world.send(world.call("POST", GUARDED).header(name, value)).await;
        assert_eq!(answer.status, 401, "{name}");
    }
}

/// Who is no trusted proxy is not answered at a forward-auth door, however good the token.
#[tokio::test]
async fn sec_xff_untrusted() {
    let world = World::with_config(|idp, upstream| {
        config(idp, upstream).replace("trusted_proxies = [\"127.0.0.1\"]", "trusted_proxies = []")
    })
    .await;
    let token = member("alice").sign();
    for door in ["nginx", "traefik", "caddy", "haproxy"] {
        let call = world
            .call("GET", &format!("/.narthex/auth/{door}"))
            .bearer(&token)
            .header("x-original-method", "GET")
            .header("x-original-uri", "/public/page")
            .header("x-forwarded-method", "GET")
            .header("x-forwarded-uri", "/public/page")
            .header("x-forwarded-host", "a")
            .header("x-forwarded-host", "app.test");
        let answer = world.send(call).await;
        assert_eq!(answer.status, 403, "{door}: {}", answer.text());
        assert_eq!(
            answer.header("x-narthex-reason"),
            Some("request.proxy_untrusted"),
            "{door}"
        );
        assert_eq!(answer.header("x-narthex-user").unwrap_or_default(), "", "{door}");
    }
}

/// Whatever is known of somebody, the assertion is small enough for every server's header limits.
#[tokio::test]
async fn the_assertion_stays_within_two_kilobytes() {
    let world = World::with_config(|idp, upstream| {
        let mapping = "name = \"corp\"\nmapping = { user = { email = \"{{payload.email}}\" }, context = { plan = \"{{payload.plan}}\" } }";
        config(idp, upstream).replace("name = \"corp\"", mapping)
    })
    .await;
    let long = |letter: &str, times: usize| letter.repeat(times);
    for (subject, email, plan, kept) in [
        (
            "ada".to_owned(),
            "ada@a".to_owned(),
            "gold".to_owned(),
            [true, true, true],
        ),
        (
            "ada".to_owned(),
            "ada@a".to_owned(),
            long("g", 2_000),
            [false, true, true],
        ),
        (
            long("\u{1f600}", 250),
            format!("{}@a", long("\u{1f600}", 240)),
            "gold".to_owned(),
            [false, false, false],
        ),
    ] {
        let token = member(&subject)
            .claim("email", json!(email))
            .claim("plan", json!(plan))
            .sign();
        let seen = passed(&world, world.call("POST", GUARDED).bearer(&token)).await;
        let assertion = seen.header("x-narthex-assertion").unwrap();
        assert!(assertion.len() <= 2_048, "{} bytes", assertion.len());
        let payload = URL_SAFE_NO_PAD.decode(assertion.split('.').nth(1).unwrap()).unwrap();
        let payload: Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(payload["external_id"], json!(subject));
        assert_eq!(payload["organization"], json!("acme"));
        let has = ["context", "email", "username"].map(|claim| payload.get(claim).is_some());
        assert_eq!(has, kept, "{payload}");
    }
}

/// The assertion that one application is given is none for another one: not behind forward-auth either, where there is no
/// upstream to tell them apart.
#[tokio::test]
async fn sec_assertion_audience() {
    let world = World::with_config(|idp, upstream| {
        let route =
            |path: &str, lines: &str| format!("[[route]]\npath = \"{path}\"\nrequire = \"authenticated\"\n{lines}\n");
        let to = format!("upstream = \"{}\"", upstream.url());
        let own = |audience: &str| format!("audience = \"{audience}\"");
        config(idp, upstream)
            + &route("/payroll", &own("https://payroll.test"))
            + &route("/wiki", &own("https://wiki.test"))
            + &route("/unnamed", "")
            + &route("/proxied", &to)
            + &route("/renamed", &format!("{to}\n{}", own("renamed")))
    })
    .await;
    let token = member("alice").sign();
    let upstream = world.upstream.url();
    let audience = |assertion: &str| -> String {
        let claims = URL_SAFE_NO_PAD.decode(assertion.split('.').nth(1).unwrap()).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        claims["aud"].as_str().unwrap().to_owned()
    };
    let routes = world.narthex.api().list("/routes").await.unwrap();
    for (path, expected) in [
        ("/payroll", "https://payroll.test"),
        ("/wiki", "https://wiki.test"),
        ("/unnamed", "narthex"),
        ("/proxied", upstream.as_str()),
        ("/renamed", "renamed"),
    ] {
        let question = world
            .call("GET", "/.narthex/auth/caddy")
            .header("x-forwarded-host", "app")
            .header("x-forwarded-method", "GET")
            .header("x-forwarded-uri", path);
        let route = routes.iter().find(|route| route["paths"][0] == path).unwrap();
        assert_eq!(route["audience"], expected, "{path}");
        // The second answer is a cached one.
        for _ in 0..2 {
            let answer = world.send(question.clone().bearer(&token)).await;
            let assertion = answer.header("x-narthex-assertion").unwrap();
            assert_eq!(audience(assertion), expected, "{path}");
        }
    }
    let proxied = passed(&world, world.call("GET", "/renamed").bearer(&token)).await;
    assert_eq!(audience(&proxied.header("x-narthex-assertion").unwrap()), "renamed");
}
