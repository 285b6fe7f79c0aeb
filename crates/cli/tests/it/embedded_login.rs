//! Embedded login (`frame_ancestors`): a portal signs its user in to an application in a frame.

use std::sync::Arc;
use std::time::Duration;

use narthex_testkit::{Answer, IdentityProvider, Upstream, client::Call};
use serde_json::json;
use tokio::task::JoinSet;

use crate::world::{World, config, member};

const APP: &str = "https://app.example";
const PORTAL: &str = "https://portal.example";
const EVIL: &str = "https://evil.example";
const COOKIE: &str = "__Host-narthex-corp";
const SECRET_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const POLICY: &str = "frame-ancestors 'self' https://portal.example";
/// Number of uses at once of what is good for one.
const AT_ONCE: usize = 100;

fn with_portal(idp: &IdentityProvider, upstream: &Upstream) -> String {
    let issuer = "audiences = [\"narthex\"]";
    let embedding = format!(
        "{issuer}\nframe_ancestors = [\"{PORTAL}\"]\nmapping = {{ context = {{ seat = \"{{{{body.seat}}}}\" }} }}"
    );
    let text = config(idp, upstream).replace(issuer, &embedding);
    format!("{text}\n[secrets]\nkey_file = \"secret.key\"\n")
}

async fn start() -> World {
    World::with_files(with_portal, &[("secret.key", SECRET_KEY)]).await
}

/// A request of a browser to the application, behind a proxy that terminates TLS.
fn at(world: &World, method: &str, path: &str) -> Call {
    world
        .call(method, path)
        .header("host", "app.example")
        .header("x-forwarded-proto", "https")
        .header("accept", "text/html")
}

/// A form that a page sends into its frame.
fn form(world: &World, origin: &str, fields: &str) -> Call {
    at(world, "POST", "/.narthex/login")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("origin", origin)
        .header("sec-fetch-site", "cross-site")
        .body(fields.to_owned())
}

/// The address of a frame, as the browser of a portal's user opens it.
fn frame(world: &World, parent: &str, path: &str) -> Call {
    at(world, "GET", path)
        .header("sec-fetch-dest", "iframe")
        .header("referer", &format!("{parent}/"))
}

/// Name and value of the cookie that an answer sets.
fn cookie(answer: &Answer) -> Option<String> {
    let mut set = answer.headers.get_all("set-cookie").iter();
    let found = set.find_map(|value| {
        let value = value.to_str().unwrap();
        value.starts_with(&format!("{COOKIE}=")).then(|| value.to_owned())
    })?;
    assert!(
        found.ends_with("; Path=/; Secure; HttpOnly; SameSite=None; Partitioned"),
        "{found}"
    );
    Some(found.split(';').next().unwrap().to_owned())
}

fn policies(answer: &Answer) -> Vec<String> {
    let policies = answer.headers.get_all("content-security-policy").iter();
    policies.map(|policy| policy.to_str().unwrap().to_owned()).collect()
}

/// Signs a user in by a form, and returns the cookie.
async fn signed_in(world: &World, token: &str) -> String {
    let answer = world
        .send(form(world, PORTAL, &format!("token={token}&return=/whoami")))
        .await;
    assert_eq!(answer.status, 303, "{}\n{}", answer.text(), world.narthex.logs());
    cookie(&answer).unwrap()
}

/// Gets the address of a frame for a token, as the portal's server does.
async fn address(world: &World, token: &str) -> String {
    let body = json!({ "token": token, "return": "/whoami?a=b", "seat": "12" });
    let answer = world.send(at(world, "POST", "/.narthex/login").json(&body)).await;
    assert_eq!(answer.status, 200, "{}\n{}", answer.text(), world.narthex.logs());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let answer = answer.json().unwrap();
    assert_eq!(answer["expires_in"], 60);
    answer["location"].as_str().unwrap().to_owned()
}

/// Opens a page with a session.
async fn with_cookie(world: &World, cookie: &str) -> Answer {
    world.send(at(world, "GET", "/whoami").header("cookie", cookie)).await
}

async fn log_says(world: &World, words: &str) {
    for _ in 0..100 {
        if world.narthex.logs().contains(words) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the log never says `{words}`: {}", world.narthex.logs());
}

#[tokio::test]
async fn a_portal_signs_its_user_in_by_post() {
    let world = start().await;
    let token = member("alice").sign();
    let fields = format!("token={token}&return=/whoami%3Fa%3Db&seat=12");
    let answer = world.send(form(&world, PORTAL, &fields)).await;
    assert_eq!(answer.status, 303, "{}\n{}", answer.text(), world.narthex.logs());
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(policies(&answer).contains(&POLICY.to_owned()));
    let cookie = cookie(&answer).unwrap();
    let check = answer.header("location").unwrap().to_owned();
    assert!(check.starts_with("/.narthex/login?issuer=corp&check="), "{check}");
    let kept = world.send(at(&world, "GET", &check).header("cookie", &cookie)).await;
    assert_eq!((kept.status, kept.header("location")), (303, Some("/whoami?a=b")));

    let page = with_cookie(&world, &cookie).await;
    assert_eq!(page.status, 200, "{}\n{}", page.text(), world.narthex.logs());
    assert!(policies(&page).contains(&POLICY.to_owned()), "{:?}", policies(&page));
    let seen = world.upstream.last().unwrap();
    assert_eq!(seen.header("x-narthex-external-id").as_deref(), Some("alice"));
    assert_eq!(seen.header("x-narthex-context-seat").as_deref(), Some("12"));
    assert_eq!(seen.header("cookie"), None);
    assert_eq!(seen.header("authorization"), None);
    assert!(!world.narthex.logs().contains(&token));

    // Without a credential, the application's answers carry no policy of ours.
    let public = world.send(at(&world, "GET", "/public/a")).await;
    assert!(policies(&public).is_empty());
}

#[tokio::test]
async fn sec_a_hundred_uses_of_a_login_code() {
    let world = Arc::new(start().await);
    let address = address(&world, &member("alice").sign()).await;
    assert!(address.starts_with("/.narthex/login?issuer=corp&code="), "{address}");
    assert!(address.ends_with("&return=/whoami%3Fa%3Db"), "{address}");
    let mut uses = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (world, address) = (Arc::clone(&world), address.clone());
        uses.spawn(async move {
            let answer = world.send(frame(&world, PORTAL, &address)).await;
            let cookie = cookie(&answer);
            assert_eq!(cookie.is_some(), answer.status == 303, "{}", answer.text());
            cookie
        });
    }
    let cookies: Vec<String> = uses.join_all().await.into_iter().flatten().collect();
    assert_eq!(cookies.len(), 1);
    assert_eq!(with_cookie(&world, &cookies[0]).await.status, 200);
    let seen = world.upstream.last().unwrap();
    assert_eq!(seen.header("x-narthex-context-seat").as_deref(), Some("12"));
    let again = world.send(frame(&world, PORTAL, &address)).await;
    assert_eq!(again.status, 400);
    assert!(again.text().contains("used already"), "{}", again.text());
    assert!(policies(&again).contains(&POLICY.to_owned()));
}

#[tokio::test]
async fn sec_an_unlisted_parent_signs_no_browser_in() {
    let world = start().await;
    let token = member("mallory").sign();
    for origin in [EVIL, "null", "http://portal.example", "https://portal.example:8443"] {
        let answer = world.send(form(&world, origin, &format!("token={token}"))).await;
        assert_eq!(answer.status, 403, "{origin}: {}", answer.text());
        assert!(answer.text().contains("request.origin"));
        assert_eq!(cookie(&answer), None, "{origin}");
        assert!(policies(&answer).contains(&POLICY.to_owned()), "the frame stays blank");
    }
    log_says(&world, EVIL).await;
    let address = address(&world, &token).await;
    let answer = world.send(frame(&world, EVIL, &address)).await;
    assert_eq!(answer.status, 403, "{}", answer.text());
    assert_eq!(cookie(&answer), None);
    // An address that is opened by itself, or by a page that hides its name, asks its user first.
    for call in [
        at(&world, "GET", &address).header("sec-fetch-dest", "document"),
        at(&world, "GET", &address).header("sec-fetch-dest", "iframe"),
        at(&world, "GET", &address),
    ] {
        let answer = world.send(call).await;
        assert_eq!(answer.status, 200);
        assert_eq!(cookie(&answer), None);
        assert!(answer.text().contains("Continue"), "{}", answer.text());
        assert!(policies(&answer).contains(&POLICY.to_owned()));
    }
    // None of them has used the code.
    assert!(cookie(&world.send(frame(&world, PORTAL, &address)).await).is_some());
}

#[tokio::test]
async fn a_browser_that_drops_the_cookie_is_told_and_goes_on_in_a_new_tab() {
    let world = start().await;
    let token = member("alice").sign();
    let answer = world
        .send(form(&world, PORTAL, &format!("token={token}&return=/whoami")))
        .await;
    let dropped = cookie(&answer).unwrap();
    let check = answer.header("location").unwrap().to_owned();
    let page = world
        .send(at(&world, "GET", &check).header("sec-fetch-dest", "iframe"))
        .await;
    assert_eq!(page.status, 200);
    let page = page.text();
    assert!(
        page.contains("does not keep you signed in") && page.contains("target=\"_blank\""),
        "{page}"
    );
    let code = page.split("code=").nth(1).unwrap();
    let code: String = code
        .chars()
        .take_while(|character| character.is_ascii_alphanumeric() || "-_".contains(*character))
        .collect();
    assert_eq!(code.len(), 43, "{page}");
    let fields = format!("issuer=corp&code={code}&return=/whoami");
    let answer = world.send(form(&world, EVIL, &fields)).await;
    assert_eq!(answer.status, 403);
    let own = form(&world, APP, &fields);
    let answer = world.send(own).await;
    assert_eq!(answer.status, 303, "{}\n{}", answer.text(), world.narthex.logs());
    let kept = cookie(&answer).unwrap();
    assert_eq!(with_cookie(&world, &kept).await.status, 200);
    // The session that the browser has no cookie of is over.
    assert_eq!(with_cookie(&world, &dropped).await.status, 401);
}

#[tokio::test]
async fn two_parents_hold_two_sessions_and_sign_out_of_one() {
    let world = start().await;
    let first = signed_in(&world, &member("alice").sign()).await;
    let second = signed_in(&world, &member("bob").sign()).await;
    for (cookie, user) in [(&first, "alice"), (&second, "bob")] {
        assert_eq!(with_cookie(&world, cookie).await.status, 200);
        let seen = world.upstream.last().unwrap();
        assert_eq!(seen.header("x-narthex-external-id").as_deref(), Some(user));
    }
    for path in ["/.narthex/logout", "/.narthex/me"] {
        let page = world.send(at(&world, "GET", path).header("cookie", &first)).await;
        assert_eq!(page.status, 200, "{path}: {}", page.text());
        let policies = policies(&page);
        assert!(
            policies.contains(&POLICY.to_owned()),
            "a frame shows {path}: {policies:?}"
        );
        assert!(policies.iter().all(|policy| !policy.contains("frame-ancestors 'none'")));
    }
    let out = at(&world, "POST", "/.narthex/logout").header("cookie", &first);
    let refused = world.send(out.header("origin", PORTAL)).await;
    assert_eq!(refused.status, 403, "the portal signs no user out");
    let out = at(&world, "POST", "/.narthex/logout").header("cookie", &first);
    let out = world.send(out.header("origin", APP)).await;
    assert_eq!(out.status, 200, "{}", out.text());
    let mut set = out.headers.get_all("set-cookie").iter();
    assert!(set.any(|value| value.to_str().unwrap().starts_with(&format!("{COOKIE}=;"))));
    assert_eq!(with_cookie(&world, &first).await.status, 401);
    assert_eq!(with_cookie(&world, &second).await.status, 200);
}

#[tokio::test]
async fn sec_an_embedded_session_needs_the_origin_of_the_application() {
    let world = start().await;
    let cookie = signed_in(&world, &member("alice").sign()).await;
    for (method, headers, passes) in [
        ("GET", &[("origin", PORTAL)][..], true),
        ("POST", &[], false),
        ("POST", &[("origin", PORTAL)], false),
        ("POST", &[("origin", EVIL)], false),
        ("POST", &[("sec-fetch-site", "cross-site")], false),
        ("POST", &[("origin", APP)], true),
        ("GET", &[("sec-websocket-key", "x"), ("origin", PORTAL)], false),
    ] {
        let call = at(&world, method, "/whoami").header("cookie", &cookie);
        let call = headers
            .iter()
            .fold(call, |call, (name, value)| call.header(name, value));
        let answer = world.send(call).await;
        assert_eq!(answer.status == 200, passes, "{method} {headers:?}: {}", answer.text());
    }
}

#[tokio::test]
async fn sec_an_embedded_session_is_accepted_in_its_own_cookie_only() {
    let world = start().await;
    let cookie = signed_in(&world, &member("alice").sign()).await;
    let (_, secret) = cookie.split_once('=').unwrap();
    for name in [
        "__Host-narthex",
        "__Host-narthex-console",
        "__Host-narthex-other",
        "__host-narthex-corp",
    ] {
        let answer = with_cookie(&world, &format!("{name}={secret}")).await;
        assert_eq!(answer.status, 401, "{name}: {}", answer.text());
    }
    assert_eq!(with_cookie(&world, &format!("{cookie}; {cookie}")).await.status, 401);
    assert_eq!(with_cookie(&world, &cookie).await.status, 200);
}

#[tokio::test]
async fn sec_an_embedded_session_ends_with_its_user() {
    let world = start().await;
    let cookie = signed_in(&world, &member("alice").sign()).await;
    assert_eq!(with_cookie(&world, &cookie).await.status, 200);
    let api = world.narthex.api();
    let users = api
        .done("GET", "/users?realm=corp&external_id=alice", None)
        .await
        .unwrap();
    let path = format!("/users/{}/revoke-tokens", users["items"][0]["id"].as_str().unwrap());
    api.done("POST", &path, None).await.unwrap();
    let answer = with_cookie(&world, &cookie).await;
    assert_eq!(answer.status, 401, "{}", answer.text());
}

#[tokio::test]
async fn sec_a_token_that_is_refused_begins_no_embedded_session() {
    let world = start().await;
    for token in [
        member("alice").expired().sign(),
        member("alice").audience("other").sign(),
        member("alice").issuer("https://other.test").sign(),
        "a.b.c".to_owned(),
        String::new(),
    ] {
        let answer = world.send(form(&world, PORTAL, &format!("token={token}"))).await;
        assert_eq!(cookie(&answer), None, "{}", answer.text());
        let body = json!({ "token": token });
        let answer = world.send(at(&world, "POST", "/.narthex/login").json(&body)).await;
        assert!(answer.status >= 400, "{}", answer.text());
    }
    // Nor does a good one over plain http.
    let plain = world
        .call("POST", "/.narthex/login")
        .header("host", "app.example")
        .header("x-forwarded-proto", "http")
        .header("origin", PORTAL)
        .body(format!("token={}", member("alice").sign()));
    let answer = world.send(plain).await;
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(answer.text().contains("https"));
    assert_eq!(cookie(&answer), None);
}

#[tokio::test]
async fn sec_an_embedded_login_leads_back_to_its_own_origin() {
    let world = start().await;
    let token = member("alice").sign();
    for asked in [
        "https://evil.example/",
        "//evil.example",
        "/%5Cevil.example",
        "/.narthex/logout",
    ] {
        let answer = world
            .send(form(&world, PORTAL, &format!("token={token}&return={asked}")))
            .await;
        let cookie = cookie(&answer).unwrap();
        let check = answer.header("location").unwrap().to_owned();
        let answer = world.send(at(&world, "GET", &check).header("cookie", &cookie)).await;
        assert_eq!(answer.header("location"), Some("/"), "{asked}");
        // The address is changed on its way.
        let changed = format!("/.narthex/login?issuer=corp&check=&return={asked}");
        let answer = world.send(at(&world, "GET", &changed).header("cookie", &cookie)).await;
        assert_eq!(answer.header("location"), Some("/"), "{asked}");
    }
}
