//! Sign-in with a provider that is not ours, from the first visit to the last: `e2e/node/oidc-provider.mjs`.

mod browser;
mod chosen_issuer;
mod console;
mod flood;
mod idle;
mod logout;
mod outage;

use std::time::Duration;

use narthex_testkit::{Answer, TestIssuer, TestKey, Upstream, keys::key_set};
use tokio::task::JoinSet;

use self::browser::{APP, Browser, COOKIE, World};

/// Number of uses at once of what is good for one.
const AT_ONCE: usize = 100;

/// The configuration of the gateway.
fn config(issuer: &str, upstream: &Upstream) -> String {
    let upstream = upstream.url();
    format!(
        r#"
        [listen]
        trusted_proxies = ["127.0.0.1"]

        [secrets]
        key_file = "secret.key"

        [login]
        issuer = "corp"
        origins = ["{APP}"]

        [session]
        idle = "30m"
        max = "8h"

        [[issuer]]
        name = "corp"
        issuer = "{issuer}"
        jwks_file = "jwks.json"
        audiences = ["api"]
        client_id = "narthex"
        client_secret_file = "client-secret"
        scopes = ["profile", "email", "groups"]
        tags = {{ claim = "groups", on_missing = "keep" }}

        [[route]]
        path = "/whoami"
        require = "authenticated"
        upstream = "{upstream}"

        [[route]]
        path = "/api/{{*rest}}"
        require = "authenticated"
        login = false
        upstream = "{upstream}"

        [[route]]
        path = "/admin"
        require = "platform:admin"
        upstream = "{upstream}"

        [[route]]
        path = "/public/{{*rest}}"
        require = "public"
        upstream = "{upstream}"

        [[route]]
        path = "/ignored"
        require = "public"
        token = "ignore"
        upstream = "{upstream}"
        "#
    )
}

/// Tests whether an answer gives the browser a session.
fn gives_session(answer: &Answer) -> bool {
    let mut set = answer.headers.get_all("set-cookie").iter();
    set.any(|value| {
        let value = value.to_str().unwrap();
        value.starts_with("__Host-narthex=") && !value.contains("Max-Age=0")
    })
}

#[tokio::test]
async fn a_browser_signs_in_comes_back_and_signs_out() {
    let world = World::start(600).await;
    let mut browser = Browser::default();
    let first = browser.open(&world, "/whoami?x=1&y=%2f").await;
    assert_eq!(first.status, 302);
    assert_eq!(
        first.header("location"),
        Some("https://app.example/.narthex/sign-in?return=/whoami%3Fx%3D1%26y%3D%252f")
    );
    assert_eq!(first.header("cache-control"), Some("no-store"));
    assert!(first.header("vary").unwrap().contains("Cookie"));
    let (page, _) = browser.follow(&world, first, false).await;
    assert_eq!(page.status, 200, "{}\n{}", page.text(), world.narthex.logs());
    let seen = world.upstream.last().unwrap();
    assert_eq!(seen.target, "/whoami?x=1&y=%2f");
    assert_eq!(seen.header("x-narthex-external-id").as_deref(), Some("ada"));

    let me = browser.send(&world, world.call("GET", "/.narthex/me")).await;
    let me = me.json().unwrap();
    assert_eq!(me["user"]["external_id"], "ada");
    assert_eq!(me["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(me["sessions"][0]["current"], true);
    let page = browser.open(&world, "/.narthex/me").await.text();
    assert!(
        page.contains("Where you are signed in") && page.contains("Sign out"),
        "{page}"
    );

    let question = browser.open(&world, "/.narthex/logout").await;
    assert!(question.text().contains("method=\"post\""));
    let before = browser.clone();
    let out = world.call("POST", "/.narthex/logout").header("origin", APP);
    let out = browser.send(&world, out).await;
    assert_eq!(out.status, 200, "{}", out.text());
    assert!(out.text().contains("You are signed out"));
    assert!(!browser.app.contains_key(COOKIE));
    // The cookie that another program kept is worth nothing any more, on any path.
    for path in ["/whoami", "/api/a", "/.narthex/me"] {
        let old = before.clone().send(&world, world.call("GET", path)).await;
        assert_eq!(old.reason().as_deref(), Some("session.ended"), "{path}");
        assert_eq!(old.status, 401);
    }
    let open = before.clone().open(&world, "/public/a").await;
    assert_eq!(
        open.status, 200,
        "an ended session locks no browser out of public pages"
    );
}

#[tokio::test]
async fn only_a_navigation_is_sent_to_sign_in() {
    let world = World::start(600).await;
    let app = ("https", "app.example");
    let send = async |origin: (&str, &str), headers: &[(&str, &str)], method: &str, path: &str| {
        let call = world.call_at(origin, method, path);
        let call = headers
            .iter()
            .fold(call, |call, (name, value)| call.header(name, value));
        world.client.send(call).await.unwrap()
    };
    let page = ("accept", "text/html");
    for (headers, method, path, status) in [
        (&[page][..], "GET", "/whoami", 302),
        (&[page], "HEAD", "/whoami", 302),
        (&[page, ("sec-fetch-mode", "navigate")], "GET", "/whoami", 302),
        (&[page, ("sec-fetch-mode", "cors")], "GET", "/whoami", 401),
        (&[("accept", "application/json")], "GET", "/whoami", 401),
        (&[], "GET", "/whoami", 401),
        (&[page], "POST", "/whoami", 401),
        // The route does not want it.
        (&[page], "GET", "/api/a", 401),
        // Nothing is required.
        (&[page], "GET", "/public/a", 200),
    ] {
        let answer = send(app, headers, method, path).await;
        assert_eq!(answer.status, status, "{headers:?} {method} {path}: {}", answer.text());
    }
    for origin in [
        ("http", "app.example"),
        ("https", "other.example"),
        ("https", "app.example:8443"),
    ] {
        let answer = send(origin, &[page], "GET", "/whoami").await;
        assert_eq!(answer.status, 401, "sign-in does not serve {origin:?}");
        assert!(!answer.text().contains(">Sign in</a>"), "{origin:?}");
    }
    let page = send(app, &[page], "POST", "/whoami").await.text();
    assert!(page.contains(">Sign in</a>"), "{page}");
    let nginx = world
        .call("GET", "/.narthex/auth/nginx")
        .header("x-original-method", "GET")
        .header("x-original-uri", "/whoami?a=b")
        .header("accept", "text/html");
    let nginx = world.client.send(nginx).await.unwrap();
    assert_eq!(nginx.status, 401);
    assert_eq!(
        nginx.header("x-narthex-location"),
        Some("https://app.example/.narthex/sign-in?return=/whoami%3Fa%3Db")
    );
    assert_eq!(nginx.header("location"), None);
}

#[tokio::test]
async fn sec_a_session_cookie_reaches_no_application() {
    let world = World::start(600).await;
    let mut browser = Browser::default();
    browser.sign_in(&world, "/whoami").await;
    browser.app.insert("theme".to_owned(), "dark".to_owned());
    for path in ["/whoami", "/api/a", "/public/a", "/ignored"] {
        let answer = browser.open(&world, path).await;
        assert_eq!(answer.status, 200, "{path}");
        let seen = world.upstream.last().unwrap();
        assert_eq!(seen.header("cookie").as_deref(), Some("theme=dark"), "{path}");
    }
    let call = world
        .call("GET", "/.narthex/auth/caddy")
        .header("x-forwarded-method", "GET")
        .header("x-forwarded-uri", "/whoami")
        .header("x-forwarded-host", "app.example");
    let answer = browser.send(&world, call).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("cookie"), Some("theme=dark"));
}

#[tokio::test]
async fn sec_a_session_needs_the_origin_of_the_application() {
    let world = World::start(600).await;
    let mut browser = Browser::default();
    browser.sign_in(&world, "/whoami").await;
    for (method, headers, passes) in [
        ("GET", &[("origin", "https://evil.example")][..], true),
        ("POST", &[], false),
        ("POST", &[("origin", "https://evil.example")], false),
        ("POST", &[("origin", "http://app.example")], false),
        ("POST", &[("origin", APP)], true),
        ("POST", &[("sec-fetch-site", "same-origin")], true),
        (
            "GET",
            &[("sec-websocket-key", "x"), ("origin", "https://evil.example")],
            false,
        ),
    ] {
        let call = headers
            .iter()
            .fold(world.call(method, "/whoami"), |call, (name, value)| {
                call.header(name, value)
            });
        let answer = browser.send(&world, call).await;
        assert_eq!(answer.status == 200, passes, "{method} {headers:?}: {}", answer.text());
        if !passes {
            assert_eq!(answer.reason().as_deref(), Some("request.origin"));
        }
    }
    // Nor does another site sign the user out.
    let out = world
        .call("POST", "/.narthex/logout")
        .header("origin", "https://evil.example");
    assert_eq!(browser.send(&world, out).await.status, 403);
    assert_eq!(browser.open(&world, "/whoami").await.status, 200);
}

/// An attacker begins to sign in and has the victim's browser complete it: the victim would work in the attacker's account.
#[tokio::test]
async fn sec_login_csrf() {
    let world = World::start(600).await;
    let mut attacker = Browser::of("mallory");
    let callback = attacker.callback(&world).await;
    let mut victim = Browser::default();
    victim.open(&world, "/.narthex/sign-in").await;
    let answer = victim.open(&world, &callback).await;
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(answer.text().contains("sign_in.refused"));
    assert!(!gives_session(&answer));
    // The state is used up with it.
    let answer = attacker.open(&world, &callback).await;
    assert_eq!(answer.status, 400);
    assert!(!gives_session(&answer));
    assert_eq!(world.counts().await["code"], 0);
}

#[tokio::test]
async fn sec_a_state_is_good_for_one_callback() {
    let world = World::start(600).await;
    let mut browser = Browser::default();
    let callback = browser.callback(&world).await;
    for changed in [
        callback.replace("state=", "state=a"),
        callback.replace("state=", "stat="),
        callback.replace("/callback/corp", "/callback/other"),
        format!("{callback}&state=b"),
        "/.narthex/callback/corp?code=x".to_owned(),
    ] {
        let answer = browser.clone().open(&world, &changed).await;
        assert_eq!(answer.status, 400, "{changed}: {}", answer.text());
        assert!(!gives_session(&answer), "{changed}");
    }
    let mut browser = Browser::default();
    let callback = browser.callback(&world).await;
    let unsigned = browser.clone();
    let answer = browser.open(&world, &callback).await;
    assert_eq!(answer.status, 303, "{}\n{}", answer.text(), world.narthex.logs());
    assert_eq!(answer.header("location"), Some("https://app.example/whoami"));
    assert!(gives_session(&answer));
    let replayed = unsigned.clone().open(&world, &callback).await;
    assert_eq!(replayed.status, 400);
    assert!(!gives_session(&replayed));
    // The back button of the browser that is signed in leads to the application.
    let again = browser.open(&world, &callback).await;
    assert_eq!(
        (again.status, again.header("location")),
        (303, Some("https://app.example/"))
    );
    // A mix-up names another issuer.
    for other in ["", "&iss=https%3A%2F%2Fevil.example"] {
        let mut browser = Browser::default();
        let callback = browser.callback(&world).await;
        let (own, _) = callback.split_once("&iss=").unwrap();
        let answer = browser.open(&world, &format!("{own}{other}")).await;
        assert_eq!(answer.status, 400, "{other}: {}", answer.text());
    }
}

#[tokio::test]
async fn sec_session_fixation() {
    let world = World::start(600).await;
    let mut attacker = Browser::of("mallory");
    attacker.sign_in(&world, "/whoami").await;
    let planted = attacker.app[COOKIE].clone();
    let mut victim = Browser::default();
    victim.app.insert(COOKIE.to_owned(), planted.clone());
    let first = victim.open(&world, "/.narthex/sign-in?return=/whoami").await;
    let (page, _) = victim.follow(&world, first, false).await;
    assert_eq!(page.status, 200);
    assert_ne!(victim.app[COOKIE], planted);
    let seen = world.upstream.last().unwrap();
    assert_eq!(seen.header("x-narthex-external-id").as_deref(), Some("ada"));
    // The planted session ended when the browser signed in, and never stood for the victim.
    let answer = attacker.send(&world, world.call("GET", "/whoami")).await;
    assert_eq!(answer.reason().as_deref(), Some("session.ended"));
}

#[tokio::test]
async fn sec_a_hundred_uses_of_one_code() {
    let world = World::start(600).await;
    let mut browser = Browser::default();
    let callback = browser.callback(&world).await;
    let world = std::sync::Arc::new(world);
    let mut uses = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (mut browser, world, callback) = (browser.clone(), std::sync::Arc::clone(&world), callback.clone());
        uses.spawn(async move { gives_session(&browser.open(&world, &callback).await) });
    }
    let sessions = uses.join_all().await.into_iter().filter(|given| *given).count();
    assert_eq!(sessions, 1);
    assert_eq!(world.counts().await["code"], 1);
}

#[tokio::test]
async fn sec_a_refresh_token_is_used_once_however_many_requests_come() {
    let world = World::start(6).await;
    let mut browser = Browser::default();
    browser.sign_in(&world, "/whoami").await;
    assert_eq!(world.counts().await["refresh"], 0);
    // Four fifths of the token's life are over.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let mut world = std::sync::Arc::new(world);
    let mut uses = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (mut browser, world) = (browser.clone(), std::sync::Arc::clone(&world));
        uses.spawn(async move { browser.send(&world, world.call("GET", "/whoami")).await.status });
    }
    let statuses = uses.join_all().await;
    assert!(
        statuses.iter().all(|status| *status == 200),
        "{statuses:?}\n{}",
        world.narthex.logs()
    );
    assert_eq!(world.counts().await["refresh"], 1);
    // The first token has ended by now.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(browser.open(&world, "/whoami").await.status, 200);
    // Without its provider the session stands for nothing from the end of its token on.
    std::sync::Arc::get_mut(&mut world).unwrap().provider.kill();
    tokio::time::sleep(Duration::from_millis(6_500)).await;
    let answer = browser.send(&world, world.call("GET", "/whoami")).await;
    assert_eq!(
        (answer.status, answer.reason().as_deref()),
        (503, Some("keys.unavailable")),
        "{}",
        world.narthex.logs()
    );
}

#[tokio::test]
async fn sec_back_channel_logout() {
    let world = World::start(600).await;
    let (mut ada, mut other) = (Browser::default(), Browser::of("bob"));
    ada.sign_in(&world, "/whoami").await;
    other.sign_in(&world, "/whoami").await;
    ada.sign_out_at_provider(&world).await;
    let answer = ada.send(&world, world.call("GET", "/whoami")).await;
    assert_eq!(
        answer.reason().as_deref(),
        Some("session.ended"),
        "{}",
        world.narthex.logs()
    );
    assert_eq!(other.open(&world, "/whoami").await.status, 200);
    // She can sign in again.
    ada.sign_in(&world, "/whoami").await;
    let send = async |body: String| {
        let call = world
            .call("POST", "/.narthex/backchannel-logout/corp")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        world.client.send(call).await.unwrap()
    };
    let issuer = TestIssuer::new(&world.issuer);
    let token = || issuer.token().subject("ada").claim("jti", "one");
    let events = serde_json::json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
    // An ID token signs no user out.
    let answer = send(format!("logout_token={}", token().sign())).await;
    assert_eq!(
        (answer.status, answer.reason().as_deref()),
        (400, Some("token.claim_missing"))
    );
    assert_eq!(send("logout_token=x".to_owned()).await.status, 400);
    assert_eq!(send(String::new()).await.status, 400);
    assert_eq!(ada.open(&world, "/whoami").await.status, 200);
    // A logout token does, once.
    let logout = token().claim("events", events).sign();
    let answer = send(format!("logout_token={logout}")).await;
    assert_eq!(answer.status, 200, "{}\n{}", answer.text(), world.narthex.logs());
    let answer = ada.send(&world, world.call("GET", "/whoami")).await;
    assert_eq!(answer.reason().as_deref(), Some("session.ended"));
    let answer = send(format!("logout_token={logout}")).await;
    assert_eq!(
        (answer.status, answer.reason().as_deref()),
        (400, Some("token.revoked"))
    );
}

#[tokio::test]
async fn sec_the_client_id_is_no_audience_of_other_tokens() {
    let world = World::start(600).await;
    let mut browser = Browser::default();
    browser.sign_in(&world, "/whoami").await;
    let issuer = TestIssuer::new(&world.issuer);
    let id_token = issuer.token().subject("ada").audience("narthex").sign();
    let answer = world.client.send(world.call("GET", "/whoami").bearer(&id_token)).await;
    assert_eq!(answer.unwrap().reason().as_deref(), Some("token.audience"));
    let access_token = issuer.token().subject("ada").audience("api").sign();
    let answer = world
        .client
        .send(world.call("GET", "/whoami").bearer(&access_token))
        .await;
    assert_eq!(answer.unwrap().status, 200);
    // Beside a session, the token decides.
    let answer = browser
        .send(&world, world.call("GET", "/whoami").bearer(&id_token))
        .await;
    assert_eq!(answer.reason().as_deref(), Some("token.audience"));
}

#[tokio::test]
async fn sec_sign_in_over_plain_http_says_why_not() {
    let world = World::start(600).await;
    let call = world
        .call_at(("http", "app.example"), "GET", "/.narthex/sign-in?return=/whoami")
        .header("accept", "text/html");
    let answer = world.client.send(call).await.unwrap();
    assert_eq!(answer.status, 400);
    let page = answer.text();
    assert!(page.contains("sessions need https") && page.contains(APP), "{page}");
    assert!(answer.headers.get("set-cookie").is_none());
    let call = world
        .call_at(("https", "evil.example"), "GET", "/.narthex/sign-in")
        .header("accept", "text/html");
    let answer = world.client.send(call).await.unwrap();
    assert_eq!(answer.status, 400);
    assert!(!answer.text().contains("evil.example"));
}

#[tokio::test]
async fn a_page_of_the_operator_takes_the_place_of_an_issuer() {
    let own = |issuer: &str, upstream: &Upstream| {
        config(issuer, upstream).replace(
            "issuer = \"corp\"\n        origins",
            "url = \"https://id.example/in?a=b\"\n        origins",
        )
    };
    let world = World::start_with(600, own).await;
    let mut browser = Browser::default();
    let first = browser.open(&world, "/whoami?x=1").await;
    assert_eq!(first.status, 302, "{}", first.text());
    assert_eq!(
        first.header("location"),
        Some("https://id.example/in?a=b&return=https%3A//app.example/whoami%3Fx%3D1")
    );
    // That page may lead on to an issuer.
    let first = browser
        .open(&world, "/.narthex/sign-in?issuer=corp&return=/whoami")
        .await;
    let (page, _) = browser.follow(&world, first, false).await;
    assert_eq!(page.status, 200, "{}\n{}", page.text(), world.narthex.logs());
    let unnamed = browser.open(&world, "/.narthex/sign-in").await;
    assert_eq!(unnamed.status, 400);
}

#[tokio::test]
async fn the_scopes_of_an_issuer_are_asked_for() {
    for (scopes, asked) in [
        (
            "scopes = [\"profile\", \"email\", \"groups\"]",
            "openid+profile+email+groups",
        ),
        ("scopes = [\"openid\"]", "openid"),
    ] {
        let changed = |issuer: &str, upstream: &Upstream| {
            config(issuer, upstream).replace("scopes = [\"profile\", \"email\", \"groups\"]", scopes)
        };
        let world = World::start_with(600, changed).await;
        let answer = Browser::default().open(&world, "/.narthex/sign-in").await;
        let location = answer.header("location").unwrap();
        assert!(location.contains(&format!("&scope={asked}&")), "{location}");
        assert!(location.contains("&code_challenge_method=S256"), "{location}");
    }
}

/// Without the key that sessions are encrypted with, nothing begins that could not end.
#[tokio::test]
async fn sign_in_needs_a_secret_key() {
    let keyless = config("https://id.example", &Upstream::start().unwrap()).replace("key_file = \"secret.key\"", "");
    let folder = tempfile::tempdir().unwrap();
    let keys = key_set(&[TestKey::Rsa1]).to_string();
    for (name, content) in [
        ("narthex.toml", keyless.as_str()),
        ("client-secret", "s"),
        ("jwks.json", keys.as_str()),
    ] {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let checked = std::process::Command::new(env!("CARGO_BIN_EXE_narthex"))
        .args(["config", "check"])
        .current_dir(folder.path())
        .env_remove("NARTHEX_SECRET_KEY")
        .output()
        .unwrap();
    let report = String::from_utf8_lossy(&checked.stderr).into_owned() + &String::from_utf8_lossy(&checked.stdout);
    assert!(!checked.status.success());
    assert!(report.contains("sign-in needs a secret key"), "{report}");
    assert!(report.contains("openssl rand -base64 32"), "{report}");
}
