//! What a caller can find out about organizations from the answers at the doors.

use std::collections::BTreeMap;

use narthex_testkit::{Answer, IdentityProvider, Upstream, client::Call};
use serde_json::json;

use crate::commands::narthex_in;
use crate::world::{World, config, member};

const DOORS: [&str; 5] = ["proxy", "nginx", "traefik", "caddy", "haproxy"];

/// Routes with `{organization}` for each kind of requirement.
fn routes(idp: &IdentityProvider, upstream: &Upstream) -> String {
    let mut text = config(idp, upstream);
    for (path, require) in [
        ("/any/{organization}/{*rest}", "authenticated"),
        ("/in/{organization}/{*rest}", "organization:member"),
        ("/platform/{organization}/{*rest}", "platform:viewer"),
        ("/open/{organization}/{*rest}", "public"),
    ] {
        let upstream = upstream.url();
        text += &format!("\n[[route]]\npath = \"{path}\"\nrequire = \"{require}\"\nupstream = \"{upstream}\"\n");
    }
    text
}

/// The usual surroundings with a suspended organization, `susp`, whose members have the tag `susp-staff`, a viewer of the
/// platform and a user without any grant.
async fn world() -> World {
    let world = World::with_config(routes).await;
    let api = world.narthex.api();
    let susp = json!({ "name": "susp", "realm": "corp", "external_member_groups": ["susp-staff"] });
    let made = api.done("POST", "/organizations", Some(&susp)).await.unwrap();
    for who in ["viewer", "stranger"] {
        let call = world.call("GET", "/whoami").bearer(&token(who));
        assert_eq!(world.send(call).await.status, 200);
    }
    let viewer = api.user("viewer").await.unwrap().unwrap();
    let role = json!({ "role": "viewer", "why": "a test" });
    let path = format!("/users/{}/platform-role", viewer["id"].as_str().unwrap());
    api.done("PUT", &path, Some(&role)).await.unwrap();
    let path = format!("/organizations/{}", made["id"].as_str().unwrap());
    let suspended = json!({ "status": "suspended" });
    api.done("PATCH", &path, Some(&suspended)).await.unwrap();
    world
}

fn token(who: &str) -> String {
    let tags: &[&str] = match who {
        "member" => &["susp-staff"],
        "admin" => &["root"],
        _ => &["other"],
    };
    member(who).tags(tags.iter().copied()).sign()
}

/// A request at a door, as its proxy would ask about it.
fn at(world: &World, door: &str, method: &str, path: &str) -> Call {
    if door == "proxy" {
        return world.call(method, path);
    }
    let prefix = if door == "nginx" { "x-original" } else { "x-forwarded" };
    world
        .call("GET", &format!("/.narthex/auth/{door}"))
        .header("x-forwarded-host", "app.test")
        .header(&format!("{prefix}-method"), method)
        .header(&format!("{prefix}-uri"), path)
}

async fn ask(world: &World, door: &str, who: &str, path: &str) -> Answer {
    world.send(at(world, door, "GET", path).bearer(&token(who))).await
}

/// The reason and the status that goes with it, which nginx is told in a header.
fn said(answer: &Answer) -> (u16, String) {
    let status = answer.header("x-narthex-status").and_then(|status| status.parse().ok());
    let reason = answer.header("x-narthex-reason").unwrap_or_default().to_owned();
    (status.unwrap_or(answer.status), reason)
}

/// Everything in an answer that differs between two answers to the same request is left out.
fn whole(answer: &Answer) -> (u16, BTreeMap<String, Vec<String>>, serde_json::Value) {
    let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in &answer.headers {
        let value = match name.as_str() {
            "date" | "x-narthex-request-id" => value.len().to_string(),
            // The address of the metadata repeats the path of the request.
            "www-authenticate" => {
                let text = value.to_str().unwrap().to_owned();
                ["acme", "susp", "nowhere"]
                    .iter()
                    .fold(text, |text, name| text.replace(&format!("/{name}\""), "/NAME\""))
            }
            _ => value.to_str().unwrap().to_owned(),
        };
        headers.entry(name.to_string()).or_default().push(value);
    }
    let mut body = answer.json().unwrap();
    let id = body["request_id"].as_str().unwrap().len();
    body["request_id"] = id.into();
    (answer.status, headers, body)
}

/// A suspended organization is closed under every spelling that an application decodes to its name, and no name that the
/// directory does not have passes in its place.
#[tokio::test]
async fn sec_suspended_spelled_otherwise() {
    let world = world().await;
    let spellings = [
        "%73usp",
        "sus%70",
        "%73%75%73%70",
        "SUSP",
        "Susp",
        "%53USP",
        "susp%20",
        "_susp",
    ];
    for door in DOORS {
        for (kind, who) in [
            ("any", "stranger"),
            ("in", "member"),
            ("platform", "viewer"),
            ("platform", "admin"),
        ] {
            for spelling in spellings {
                let answer = ask(&world, door, who, &format!("/{kind}/{spelling}/x")).await;
                let path = (400, "request.path".to_owned());
                assert_eq!(said(&answer), path, "{door}, {kind}, {spelling}: {}", answer.text());
            }
        }
        let bare = at(&world, door, "GET", "/any/%73usp/x");
        assert_eq!(
            said(&world.send(bare).await),
            (401, "token.missing".to_owned()),
            "{door}"
        );
        let preflight = at(&world, door, "OPTIONS", "/any/%73usp/x")
            .header("origin", "https://app.test")
            .header("access-control-request-method", "GET");
        assert_eq!(
            said(&world.send(preflight).await),
            (400, "request.path".to_owned()),
            "{door}"
        );
        for name in ["%73usp", "SUSP", "susp", "nowhere"] {
            let public = at(&world, door, "GET", &format!("/open/{name}/x"));
            assert_eq!(world.send(public).await.status, 200, "{door}, {name}");
        }
    }
    let explained = narthex_in(
        world.narthex.folder(),
        &["explain", "-", "--request", "GET /any/%73usp/x", "--json"],
        &token("stranger"),
    );
    assert!(explained.stdout.contains("request.path"), "{explained:?}");
}

/// The console's cookie goes to every port of its host, so each door removes it, whether or not people sign in there.
#[tokio::test]
async fn sec_no_door_passes_the_cookie_of_the_console_on() {
    let world = world().await;
    let cookies = "theme=dark; __Host-narthex-console=kLVw0vtoFrgGEOUWCq6QvGGGt4Ni5zDZ8AKdbR1l1yQ; a=b";
    for door in DOORS {
        let call = at(&world, door, "GET", "/open/acme/x").header("cookie", cookies);
        let answer = world.send(call).await;
        assert_eq!(answer.status, 200, "{door}: {}", answer.text());
        let kept = match door {
            "proxy" => world.upstream.last().unwrap().header("cookie"),
            _ => answer.header("cookie").map(str::to_owned),
        };
        assert_eq!(kept.as_deref(), Some("theme=dark; a=b"), "{door}");
        let bare = world.send(at(&world, door, "GET", "/open/acme/x")).await;
        assert_eq!(bare.header("cookie"), None, "{door}");
    }
}

/// For a caller without a grant in it, an organization that is not there, one that is suspended and one of others are the
/// same: status, headers and text. The log and explain have the true reason, and so have callers with a platform role.
#[tokio::test]
async fn sec_organizations_look_alike_to_strangers() {
    let world = world().await;
    for door in DOORS {
        let foreign = ask(&world, door, "stranger", "/in/acme/x").await;
        assert_eq!(said(&foreign), (403, "organization.role".to_owned()), "{door}");
        for path in ["/in/susp/x", "/in/nowhere/x"] {
            let answer = ask(&world, door, "stranger", path).await;
            assert_eq!(whole(&answer), whole(&foreign), "{door}, {path}");
        }
        let suspended = ask(&world, door, "stranger", "/any/susp/x").await;
        assert_eq!(said(&suspended), (403, "organization.role".to_owned()), "{door}");
        let unknown = ask(&world, door, "stranger", "/any/nowhere/x").await;
        assert_eq!(whole(&unknown), whole(&suspended), "{door}");
        // Where a role on the platform is asked for, that role is what a stranger lacks, whatever the path names.
        let foreign = ask(&world, door, "stranger", "/platform/acme/x").await;
        assert_eq!(said(&foreign), (403, "platform.role".to_owned()), "{door}");
        for path in ["/platform/susp/x", "/platform/nowhere/x"] {
            let answer = ask(&world, door, "stranger", path).await;
            assert_eq!(whole(&answer), whole(&foreign), "{door}, {path}");
        }
        for (who, path, reason) in [
            ("member", "/in/susp/x", "organization.suspended"),
            ("member", "/any/susp/x", "organization.suspended"),
            ("viewer", "/any/susp/x", "organization.suspended"),
            ("viewer", "/in/nowhere/x", "organization.unknown"),
            ("viewer", "/platform/nowhere/x", "organization.unknown"),
            ("admin", "/any/nowhere/x", "organization.unknown"),
            ("admin", "/platform/nowhere/x", "organization.unknown"),
        ] {
            let answer = ask(&world, door, who, path).await;
            assert_eq!(said(&answer), (403, reason.to_owned()), "{door}, {who}, {path}");
        }
        let looks_after = ask(&world, door, "admin", "/platform/susp/x").await;
        assert_eq!(looks_after.status, 200, "{door}");
    }
    let me = world
        .send(world.call("GET", "/.narthex/me").bearer(&token("stranger")))
        .await;
    assert!(!me.text().contains("susp"), "{}", me.text());
    for reason in ["organization.unknown", "organization.suspended"] {
        let told = [reason, "/in/", "organization.role"];
        world.narthex.logged(&told).await.unwrap();
    }
    for (path, reason) in [
        ("/in/nowhere/x", "organization.unknown"),
        ("/in/susp/x", "organization.suspended"),
    ] {
        let request = format!("GET {path}");
        let explained = narthex_in(
            world.narthex.folder(),
            &["explain", "-", "--request", &request, "--json"],
            &token("stranger"),
        );
        let explained: serde_json::Value = serde_json::from_str(&explained.stdout).unwrap();
        assert_eq!(explained["answer"]["reason"], reason, "{explained}");
        // The sentence that the caller is told is that of the door.
        let told = world.send(world.call("GET", path).bearer(&token("stranger"))).await;
        let told: serde_json::Value = serde_json::from_str(&told.text()).unwrap();
        assert_eq!(explained["answer"]["message"], told["detail"], "{explained}");
    }
}
