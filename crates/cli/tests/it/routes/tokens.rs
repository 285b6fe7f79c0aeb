//! The tokens that a route takes: `issuers` and `tags`.

use narthex_testkit::{IdentityProvider, TestIssuer, Upstream};
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
