//! The tokens that a route takes: `issuers`, `tags` and `token_from`.

use narthex_testkit::{IdentityProvider, TestIssuer, Upstream, websocket::WebSocket};
use serde_json::json;

use super::{DOORS, at, route};
use crate::world::{World, config, member};

fn routes(idp: &IdentityProvider, upstream: &Upstream) -> String {
    let url = upstream.url();
    let partner = format!(
        "\n[[issuer]]\nname = \"partner\"\nissuer = \"https://partner.test\"\njwks_url = \"{}\"\naudiences = [\"narthex\"]\n",
        idp.jwks_url()
    );
    config(idp, upstream)
        + &partner
        + &route(&url, "/internal/{*path}", "authenticated", "issuers = [\"corp\"]")
        + &route(&url, "/partners/{*path}", "authenticated", "")
        + &route(&url, "/leaflet", "public", "issuers = [\"corp\"]")
        + &route(
            &url,
            "/grafana",
            "authenticated",
            "tags = [\"grafana-users\", \"grafana-admins\"]",
        )
        + &route(&url, "/ops", "platform:user", "tags = [\"ops\"]")
}

#[tokio::test]
async fn sec_a_route_takes_tokens_of_its_issuers_only() {
    let world = World::with_config(routes).await;
    let partner = TestIssuer::new("https://partner.test").token().sign();
    let corp = member("alice").sign();
    for door in DOORS {
        // Twice each, for a cached answer is an answer for one route.
        for (path, token, reason) in [
            ("/internal/x", Some(&corp), None),
            ("/internal/x", Some(&partner), Some("route.issuer")),
            ("/partners/x", Some(&corp), None),
            ("/partners/x", Some(&partner), None),
            ("/internal/x", Some(&partner), Some("route.issuer")),
            ("/internal/x", Some(&corp), None),
            ("/leaflet", None, None),
            ("/leaflet", Some(&corp), None),
            ("/leaflet", Some(&partner), Some("route.issuer")),
            ("/internal/x", None, Some("token.missing")),
        ] {
            let mut call = at(&world, door, ("GET", "app.test", path));
            if let Some(token) = token {
                call = call.bearer(token);
            }
            let answer = world.send(call).await;
            assert_eq!(answer.reason().as_deref(), reason, "{door} {path}: {}", answer.text());
        }
    }
}

/// Tokens of one user with other tags are other answers, however often each was used before.
#[tokio::test]
async fn sec_a_route_asks_for_a_tag_of_the_token_itself() {
    let world = World::with_config(routes).await;
    let token = |tags: &[&str], jti: &str| member("alice").tags(tags.iter().copied()).claim("jti", jti).sign();
    let (user, ops) = (token(&["x", "grafana-users"], "1"), token(&["ops"], "2"));
    for door in DOORS {
        for _ in 0..3 {
            for (path, token, status) in [
                ("/whoami", &user, 200),
                ("/grafana", &user, 200),
                ("/ops", &user, 403),
                ("/whoami", &ops, 200),
                ("/grafana", &ops, 403),
                ("/ops", &ops, 200),
            ] {
                let answer = world
                    .send(at(&world, door, ("GET", "app.test", path)).bearer(token))
                    .await;
                assert_eq!(answer.status, status, "{door} {path}: {}", answer.text());
                let reason = (status == 403).then_some("route.tag");
                assert_eq!(answer.reason().as_deref(), reason, "{door} {path}");
            }
        }
    }
    let almost = token(&["Grafana-Users", "grafana"], "3");
    let answer = world
        .send(at(&world, "proxy", ("GET", "app.test", "/grafana")).bearer(&almost))
        .await;
    assert_eq!(answer.reason().as_deref(), Some("route.tag"));
}

#[tokio::test]
async fn explain_says_which_issuer_and_which_tag_would_do() {
    let world = World::with_config(routes).await;
    let explained = async |token: &str, request: &str| {
        let body = json!({ "token": token, "request": { "method": "GET", "path": request } });
        world.narthex.api().done("POST", "/explain", Some(&body)).await.unwrap()
    };
    let partner = TestIssuer::new("https://partner.test").token().sign();
    let told = explained(&partner, "/internal/x").await;
    assert_eq!(told["answer"]["reason"], "route.issuer", "{told}");
    assert_eq!(told["answer"]["cure"]["setting"], "route.issuers", "{told}");
    assert_eq!(told["request"]["issuers"], json!(["corp"]));
    let almost = member("alice").tags(["Grafana-Users"]).sign();
    let told = explained(&almost, "/grafana").await;
    assert_eq!(told["answer"]["reason"], "route.tag", "{told}");
    let cure = &told["answer"]["cure"];
    assert_eq!(cure["tags"][0]["tag"], "grafana-users", "{told}");
    assert_eq!(cure["near"][0]["tag"], "Grafana-Users", "{told}");
    let good = member("alice").tags(["grafana-users"]).sign();
    assert_eq!(explained(&good, "/grafana").await["answer"]["status"], 200);
}

fn places(idp: &IdentityProvider, upstream: &Upstream) -> String {
    let url = upstream.url();
    let partner = format!(
        "\n[[issuer]]\nname = \"partner\"\nissuer = \"https://partner.test\"\njwks_url = \"{}\"\naudiences = [\"narthex\"]\n\
         token_from = [\"header:X-Partner-Token\", \"websocket:bearer.\"]\n",
        idp.jwks_url()
    );
    config(idp, upstream)
        + &partner
        + &route(&url, "/partners", "authenticated", "issuers = [\"partner\"]")
        + &route(&url, "/own", "authenticated", "token_from = \"query:jwt\"")
        + &route(
            &url,
            "/two",
            "authenticated",
            "token_from = [\"query:jwt\", \"query:access_token\"]",
        )
        + &route(&url, "/hook", "public", "token = \"ignore\"")
}

/// A token counts where its own issuer, or the route, allows it. What is elsewhere is the application's.
#[tokio::test]
async fn sec_tokens_count_where_they_are_allowed() {
    let world = World::with_config(places).await;
    let partner = TestIssuer::new("https://partner.test").token().sign();
    let expired = TestIssuer::new("https://partner.test").token().expired().sign();
    let corp = member("alice").sign();
    let at = |path: &str| at(&world, "proxy", ("GET", "app.test", path));
    let (bearer, own) = (format!("Bearer {partner}"), "Bearer glsa_opaqueKeyOfTheApplication");
    for (call, status) in [
        (at("/whoami").bearer(&corp), 200),
        (at("/whoami").header("x-partner-token", &partner), 200),
        (at("/whoami").header("x-partner-token", &bearer), 200),
        // Each in the place of the other's issuer.
        (at("/whoami").header("x-partner-token", &corp), 401),
        (at("/whoami").bearer(&partner), 401),
        (at("/public/x").bearer(&partner), 200),
        // What counts as absent is not proved.
        (at("/public/x").bearer(&expired), 200),
        (at("/public/x").header("x-partner-token", &expired), 401),
        // The same in both.
        (at("/whoami").bearer(&partner).header("x-partner-token", &partner), 200),
        (at("/whoami").bearer(&corp).header("x-partner-token", &partner), 400),
        // A route of the partner alone looks in the partner's places alone.
        (
            at("/partners")
                .header("x-partner-token", &partner)
                .header("authorization", own),
            200,
        ),
        (at("/partners").header("authorization", own), 401),
        (at("/own").bearer(&corp), 401),
        (at(&format!("/own?jwt={corp}")), 200),
        (at(&format!("/own?jwt={partner}")).header("authorization", own), 200),
        (
            at(&format!("/own?jwt={corp}"))
                .header("authorization", own)
                .header("authorization", own),
            400,
        ),
    ] {
        let sent = format!("{call:?}");
        let answer = world.send(call).await;
        assert_eq!(answer.status, status, "{sent}: {}", answer.text());
    }
    let call = at("/partners")
        .header("x-partner-token", &partner)
        .header("authorization", own);
    assert_eq!(world.send(call).await.status, 200);
    let seen = world.upstream.last().unwrap();
    assert_eq!(seen.header("authorization").as_deref(), Some(own));
    assert_eq!(seen.header("x-partner-token"), None);
    let twice = at("/whoami").bearer(&partner).header("x-partner-token", &partner);
    assert_eq!(world.send(twice).await.status, 200);
    let seen = world.upstream.last().unwrap();
    assert_eq!(
        (seen.header("authorization"), seen.header("x-partner-token")),
        (None, None)
    );
    let twice = at(&format!("/two?jwt={corp}&page=2&access_token={corp}"));
    assert_eq!(world.send(twice).await.status, 200);
    assert_eq!(world.upstream.last().unwrap().target, "/two?page=2");
    // Where no token is read, nothing is removed.
    let call = at("/hook")
        .header("authorization", own)
        .header("cookie", &format!("session={corp}"));
    assert_eq!(world.send(call).await.status, 200);
    let seen = world.upstream.last().unwrap();
    assert_eq!(seen.header("authorization").as_deref(), Some(own));
    assert_eq!(seen.header("cookie"), Some(format!("session={corp}")));
    assert_eq!(seen.header("x-narthex-user"), None);
    let none = world.send(at("/partners")).await;
    assert!(none.text().contains("x-partner-token"), "{}", none.text());
}

/// A page cannot set headers on a WebSocket. The token comes as a subprotocol, and goes no further.
#[tokio::test]
async fn sec_websocket_subprotocol_carries_the_token() {
    let world = World::with_config(places).await;
    let partner = TestIssuer::new("https://partner.test").token().sign();
    let address = world.narthex.address();
    let offered = format!("app.v1, bearer.{partner}, chat");
    for (value, opens) in [
        (offered.as_str(), true),
        ("app.v1, bearer., chat", false),
        ("app.v1, chat", false),
        (&format!("{offered}, bearer.other"), false),
    ] {
        let headers = [("sec-websocket-protocol", value)];
        let opened = WebSocket::open(&address, "/partners", &headers).await;
        assert_eq!(opened.is_ok(), opens, "{value}");
    }
    let headers = [("sec-websocket-protocol", offered.as_str())];
    let socket = WebSocket::open(&address, "/partners", &headers).await.unwrap();
    let seen = world.upstream.last().unwrap();
    assert_eq!(seen.header("sec-websocket-protocol").as_deref(), Some("app.v1, chat"));
    assert!(
        !seen
            .headers
            .values()
            .any(|value| value.as_bytes().ends_with(partner.as_bytes()))
    );
    drop(socket);
}
