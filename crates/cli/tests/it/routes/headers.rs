//! `headers`: the identity under names that the application wants.

use narthex_testkit::{IdentityProvider, Upstream};

use super::{DOORS, at, route};
use crate::world::{World, config, member};

/// Every key, with its name and its value for alice of `acme`.
const KEYS: [(&str, &str, &str); 9] = [
    ("external_id", "X-Subject", "alice"),
    ("username", "Remote-User", "alice"),
    ("email", "X-Forwarded-Email", "alice@example.com"),
    ("name", "Remote-Name", "Alice %C3%89"),
    ("organization", "X-Tenant", "acme"),
    ("organization_role", "X-Role", "member"),
    ("platform_role", "X-Platform-Role", "user"),
    ("roles", "X-Roles", "organization:member"),
    ("tags", "Remote-Groups", "staff,cn=ops%2Cdc=corp"),
];

fn routes(idp: &IdentityProvider, upstream: &Upstream) -> String {
    let url = upstream.url();
    let keys = KEYS.map(|(key, name, _)| format!("{key} = \"{name}\""));
    let headers = format!("headers = {{ user_id = \"X-User-Id\", {} }}", keys.join(", "));
    let mapping = "mapping = { user = { email = \"{{payload.email}}\", name = \"{{payload.name}}\" } }\n";
    config(idp, upstream).replace("name = \"corp\"", &format!("name = \"corp\"\n{mapping}"))
        + &route(&url, "/chosen/{organization}", "organization:member", &headers)
}

fn token() -> String {
    member("alice")
        .claim("email", "alice@example.com")
        .claim("name", "Alice \u{c9}")
        .tags(["staff", "cn=ops,dc=corp"])
        .sign()
}

/// The application gets the values under the route's names, and nothing that a client put there, on any route.
#[tokio::test]
async fn sec_headers_under_chosen_names() {
    let world = World::with_config(routes).await;
    let token = token();
    let forged = KEYS.map(|(_, name, _)| name).into_iter().chain([
        "remote_user",
        "X-Forwarded-User",
        "X-Auth-Request-User",
        "x.webauth.user",
        "x_role",
        "X-User-Id",
    ]);
    let forged: Vec<&str> = forged.collect();
    for (path, bearer) in [("/chosen/acme", true), ("/whoami", true), ("/public/x", false)] {
        let mut call = at(&world, "proxy", ("POST", "app.test", path));
        if bearer {
            call = call.bearer(&token);
        }
        for name in &forged {
            call = call.header(name, "root");
        }
        let answer = world.send(call.header("connection", "remote-user")).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let seen = world.upstream.last().unwrap();
        for (key, name, value) in KEYS {
            let expected = (path == "/chosen/acme").then_some(value);
            assert_eq!(seen.header(name).as_deref(), expected, "{path} {key}");
        }
        let root = seen.headers.iter().find(|(_, value)| *value == "root");
        assert!(root.is_none(), "{path}: {root:?}");
        let id = seen.header("x-narthex-user").filter(|_| path == "/chosen/acme");
        assert_eq!(seen.header("x-user-id"), id, "{path}");
    }
}

/// A forward-auth door cannot remove headers: its answer has every name in use, and the proxy overwrites the client's.
#[tokio::test]
async fn sec_chosen_names_at_every_door() {
    let world = World::with_config(routes).await;
    let token = token();
    for door in DOORS.into_iter().filter(|door| *door != "proxy") {
        for (path, bearer) in [("/chosen/acme", true), ("/whoami", true), ("/public/x", false)] {
            let mut call = at(&world, door, ("GET", "app.test", path)).header("remote-user", "root");
            if bearer {
                call = call.bearer(&token);
            }
            let answer = world.send(call).await;
            assert_eq!(answer.status, 200, "{door} {path}");
            for (key, name, value) in KEYS {
                let expected = if path == "/chosen/acme" { value } else { "" };
                assert_eq!(answer.header(name), Some(expected), "{door} {path} {key}");
            }
        }
    }
}
