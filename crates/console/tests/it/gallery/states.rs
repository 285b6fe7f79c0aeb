//! States of pages (`design/README.md`, section 6): empty, invalid, changed meanwhile, saved, read-only, of an organization's
//! admin, not allowed, session ended, store out of reach.

use std::collections::BTreeSet;

use axum::body::Body;
use http::{Request, header};
use narthex_directory::{DenialRecord, Trail as _};
use narthex_engine::{FilePlace, ReloadProblem};
use narthex_ops::settings::StoreFacts;
use serde_json::json;

use super::{Gallery, world};
use crate::fixture::{Fixture, NOW_MS, Reply};

/// Adds every state.
pub(super) async fn add(gallery: &Gallery) {
    add_empty(gallery).await;
    add_read_only(gallery).await;
    add_of_organization(gallery).await;
    add_invalid(gallery).await;
    add_changed(gallery).await;
    add_records(gallery).await;
    add_of_the_installation(gallery).await;
    add_without_session(gallery).await;
}

/// Adds pages of these names and addresses, as a caller sees them.
async fn add_pages(gallery: &Gallery, console: &Fixture, caller: &str, pages: &[(&str, &str)]) {
    for (name, address) in pages {
        let reply = console.get(caller, address).await;
        assert!(!reply.status.is_redirection(), "{name}: {}", reply.header("location"));
        gallery.add(name, &reply);
    }
}

/// An installation that no token has come to yet.
async fn add_empty(gallery: &Gallery) {
    let console = Fixture::new().await;
    let pages = [
        ("empty-first-steps", "/"),
        ("empty-users", "/users"),
        ("empty-organizations", "/organizations"),
        ("empty-tags", "/tags"),
        ("empty-connections", "/connections"),
        ("empty-webhooks", "/webhooks"),
        ("empty-denials", "/audit/denials"),
        ("empty-sessions", "/sessions"),
        ("empty-search", "/search"),
        ("empty-search-found-nothing", "/search?q=xyz"),
        ("empty-search-of-a-key", "/search?q=nx_abcdefgh"),
    ];
    add_pages(gallery, &console, &console.admin, &pages).await;
    console.organization("acme", "Acme", ["boss", "staff"]).await;
    let pages = [
        ("empty-organization-people", "/organizations/acme/people"),
        ("empty-organization-teams", "/organizations/acme/teams"),
        ("empty-organization-machine-keys", "/organizations/acme/machine-keys"),
    ];
    add_pages(gallery, &console, &console.admin, &pages).await;
}

/// A platform viewer sees every page without buttons.
async fn add_read_only(gallery: &Gallery) {
    let (console, bob) = world().await;
    let user = format!("/users/{bob}");
    let pages = [
        ("viewer-overview", "/"),
        ("viewer-users", "/users"),
        ("viewer-user", user.as_str()),
        ("viewer-organizations", "/organizations"),
        ("viewer-organization", "/organizations/acme"),
        ("viewer-organization-people", "/organizations/acme/people"),
        ("viewer-organization-teams", "/organizations/acme/teams"),
        ("viewer-organization-connections", "/organizations/acme/connections"),
        ("viewer-machine-keys", "/organizations/acme/machine-keys"),
        ("viewer-tags", "/tags"),
        ("viewer-issuer-keys", "/issuers/idp/keys"),
        ("viewer-api-keys", "/api-keys"),
        ("viewer-webhooks", "/webhooks"),
        ("viewer-connections", "/connections"),
        ("viewer-sessions", "/sessions"),
        ("viewer-settings", "/settings"),
        ("viewer-not-allowed", "/users/new"),
    ];
    add_pages(gallery, &console, &console.viewer, &pages).await;
}

/// An organization's admin sees one organization and nothing else.
async fn add_of_organization(gallery: &Gallery) {
    let (console, bob) = world().await;
    let person = format!("/organizations/acme/people/{bob}");
    let pages = [
        ("acme-people", "/organizations/acme/people"),
        ("acme-person", person.as_str()),
        ("acme-settings", "/organizations/acme"),
        ("acme-teams", "/organizations/acme/teams"),
        ("acme-connections", "/organizations/acme/connections"),
        ("acme-machine-keys", "/organizations/acme/machine-keys"),
        ("acme-roles", "/audit/roles?organization=acme"),
        ("acme-sessions", "/sessions"),
        ("acme-own-settings", "/settings"),
        ("acme-not-allowed", "/organizations/globex"),
    ];
    add_pages(gallery, &console, "erin", &pages).await;
    let version = console.get("erin", "/organizations/acme").await.hidden("version");
    let fields = [
        ("version", version.as_str()),
        ("external_member_groups", "memberTag2"),
        ("was.external_member_groups", "memberTag1, MemberTag2"),
    ];
    let reply = console.post("erin", "/organizations/acme/preview", &fields).await;
    gallery.add("acme-preview", &reply);
}

/// Fields of a form, each with its name.
type Fields<'f> = [(&'f str, &'f str)];

/// Forms that cannot be saved, with what was typed.
async fn add_invalid(gallery: &Gallery) {
    let (console, bob) = world().await;
    let edit = format!("/users/{bob}/edit");
    let version = console.get(&console.admin, &edit).await.hidden("version");
    let forms: [(&str, &str, &Fields<'_>); 7] = [
        (
            "invalid-user-edit",
            edit.as_str(),
            &[
                ("version", version.as_str()),
                ("external_id", "bob"),
                ("username", "bob"),
                ("country", "x"),
            ],
        ),
        (
            "invalid-organization-add",
            "/organizations/acme/people/add",
            &[("person", "nobody"), ("role", "member")],
        ),
        ("invalid-team", "/organizations/acme/teams", &[("name", "")]),
        (
            "invalid-connection",
            "/organizations/acme/connections/new",
            &[("name", "Billing"), ("document", "{\n  \"url\": 7\n}")],
        ),
        (
            "invalid-api-key",
            "/api-keys",
            &[("name", ""), ("role", "viewer"), ("ends", "90")],
        ),
        (
            "invalid-machine-key",
            "/organizations/acme/machine-keys",
            &[("name", ""), ("role", "member"), ("ends", "90")],
        ),
        ("invalid-explain", "/explain", &[("token", "")]),
    ];
    for (name, address, fields) in forms {
        let reply = console.post(&console.admin, address, fields).await;
        assert!(reply.status.is_client_error(), "{name} is {}", reply.status);
        gallery.add(name, &reply);
    }
    let fields = [("token", "a.b.c"), ("method", "GET"), ("path", "/x")];
    gallery.add("explained", &console.post(&console.admin, "/explain", &fields).await);
}

/// Records that were changed meanwhile, and a page after a change.
async fn add_changed(gallery: &Gallery) {
    let (console, bob) = world().await;
    let version = console
        .get(&console.admin, "/organizations/acme")
        .await
        .hidden("version");
    for (name, website) in [
        ("theirs", "https://acme.example"),
        ("changed-organization", "https://acme.test"),
    ] {
        let fields = [("version", version.as_str()), ("website", website), ("was.website", "")];
        let reply = console.post(&console.admin, "/organizations/acme", &fields).await;
        match name {
            "theirs" => assert!(reply.status.is_redirection(), "{}", reply.text),
            name => gallery.add(name, &reply),
        }
    }
    let edit = format!("/users/{bob}/edit");
    let version = console.get(&console.admin, &edit).await.hidden("version");
    let disable = format!("/users/{bob}/disable");
    confirm(&console, &disable).await;
    let fields = [
        ("version", version.as_str()),
        ("external_id", "bob"),
        ("username", "bob"),
        ("name", "Bob"),
    ];
    gallery.add("changed-user", &console.post(&console.admin, &edit, &fields).await);
    let user = format!("/users/{bob}?done=disabled");
    let pages = [
        ("saved-organization", "/organizations/acme?done=saved"),
        ("saved-user-disabled", user.as_str()),
    ];
    add_pages(gallery, &console, &console.admin, &pages).await;
    confirm(&console, "/organizations/globex/suspend").await;
    add_pages(
        gallery,
        &console,
        &console.admin,
        &[("organization-suspended", "/organizations/globex")],
    )
    .await;
}

/// Does what the page at this address asks.
async fn confirm(console: &Fixture, address: &str) {
    let version = console.get(&console.admin, address).await.hidden("version");
    let fields = [("version", version.as_str()), ("why", "a test")];
    console.post(&console.admin, address, &fields).await.leads_to();
}

/// Keeps a denial of a user.
async fn keep_denial(console: &Fixture, user: &str) {
    let facts = json!({
        "reason": "organization.role", "status": 403, "method": "POST", "path": "/v1/x", "organization": "acme",
        "user_id": user, "issuer": "idp", "door": "proxy", "client": "192.0.2.1",
        "message": "The role is missing; ask an administrator of the organization.",
    });
    let denial = DenialRecord {
        request_id: "fbe-1".to_owned(),
        at_ms: NOW_MS,
        facts: facts.as_object().unwrap().clone(),
    };
    console.directory.keep_denials(vec![denial], NOW_MS).await.unwrap();
}

/// Records with a page of their own.
async fn add_records(gallery: &Gallery) {
    let (console, bob) = world().await;
    keep_denial(&console, &bob).await;
    let admin = &console.admin;
    let fields = [
        ("name", "Billing"),
        ("document", "{\n  \"url\": \"https://api.example.com/\"\n}"),
    ];
    let created = console
        .post(admin, "/organizations/acme/connections/new", &fields)
        .await;
    let connection = created.leads_to().split('?').next().unwrap().to_owned();
    let delete_connection = format!("{connection}/delete");
    console
        .post(admin, "/organizations/acme/teams", &[("name", "Night shift")])
        .await
        .leads_to();
    let teams = console.get(admin, "/organizations/acme/teams").await;
    let (_, team) = teams.text.split_once("href=\"/organizations/acme/teams/").unwrap();
    let team = format!("/organizations/acme/teams/{}", team.split('"').next().unwrap());
    let hook = [
        ("name", "crm"),
        ("url", "https://crm.example.com/"),
        ("event.people", "yes"),
        ("signature", "v1"),
    ];
    console.post(admin, "/webhooks/new", &hook).await.page(200);
    let edit = format!("/users/{bob}/edit");
    let role = format!("/users/{bob}/platform-role");
    let end = format!("/organizations/acme/people/{bob}/end");
    let pages = [
        ("record-denials", "/audit/denials"),
        ("record-denial", "/audit/denials/fbe-1"),
        ("record-connection", connection.as_str()),
        ("record-connection-delete", delete_connection.as_str()),
        ("record-connections", "/connections"),
        ("record-team", team.as_str()),
        ("record-teams", "/organizations/acme/teams"),
        ("record-webhooks", "/webhooks"),
        ("record-webhook", "/webhooks/crm"),
        ("record-webhook-edit", "/webhooks/crm/edit"),
        ("record-webhook-disable", "/webhooks/crm/disable"),
        ("record-webhook-secret", "/webhooks/crm/secret"),
        ("record-webhook-delete", "/webhooks/crm/delete"),
        ("record-user-edit", edit.as_str()),
        ("record-user-platform-role", role.as_str()),
        ("record-grant-end", end.as_str()),
        ("record-search-of-a-tag", "/search?q=memberTag1"),
        ("record-search-of-a-request", "/search?q=fbe-1"),
    ];
    add_pages(gallery, &console, admin, &pages).await;
    console.get(&console.viewer, &connection).await.page(200);
    gallery.add("viewer-connection", &console.get(&console.viewer, &connection).await);
    gallery.add("viewer-webhook", &console.get(&console.viewer, "/webhooks/crm").await);
    let key = [("name", "nightly"), ("role", "executor"), ("ends", "30")];
    console
        .post(admin, "/organizations/acme/machine-keys", &key)
        .await
        .page(200);
    add_linked(gallery, &console).await;
}

/// Adds every page that links lead an administrator to, so that a new page is checked without being named here.
async fn add_linked(gallery: &Gallery, console: &Fixture) {
    let (mut seen, mut left) = (BTreeSet::from(["/".to_owned()]), vec!["/".to_owned()]);
    while let Some(address) = left.pop() {
        let reply = console.get(&console.admin, &address).await;
        if reply.header("content-type") != "text/html; charset=utf-8" {
            continue;
        }
        assert_eq!(reply.status, 200, "{address}");
        gallery.add(&format!("linked{}", address.replace('/', "-")), &reply);
        let links = reply.text.split(" href=\"/").skip(1);
        for link in links.filter_map(|rest| rest.split(['"', '#']).next()) {
            // A query is a state of a page that is there already.
            let link = format!("/{link}");
            if !link.contains('?') && !link.starts_with("/assets/") && seen.insert(link.clone()) {
                left.push(link);
            }
        }
    }
    assert!(seen.len() > 50, "{seen:?}");
}

/// Settings, with a configuration that waits and one that was refused.
async fn add_of_the_installation(gallery: &Gallery) {
    let console = Fixture::new().await;
    let installation = console.operations.installation();
    installation.set_store(StoreFacts {
        kind: "postgresql",
        file: None,
    });
    installation.set_configuration("narthex.toml".to_owned(), NOW_MS, vec!["listen.public".to_owned()]);
    gallery.add(
        "installation",
        &console.get(&console.admin, "/settings?done=saved").await,
    );
    let problem = ReloadProblem {
        is_error: true,
        place: Some(FilePlace {
            file: "narthex.toml".to_owned(),
            line: 14,
            column: 1,
        }),
        problem: "there is no key `audience` in an issuer".to_owned(),
        help: Some("did you mean `audiences`?".to_owned()),
    };
    installation.set_refused(NOW_MS, vec![problem]);
    let reply = console.get(&console.admin, "/settings").await;
    reply.shows(
        200,
        &["not taken into use", "line 14, column 1", "Did you mean “audiences”?"],
    );
    gallery.add("installation-refused", &reply);
}

/// Pages that need no session, and those in place of one.
async fn add_without_session(gallery: &Gallery) {
    let console = Fixture::new().await;
    let code = console.link().await;
    let link = format!("/sign-in/link?code={code}");
    for (name, method, address, body) in [
        ("sign-in", "GET", "/sign-in", ""),
        ("sign-in-session-ended", "GET", "/sign-in?state=ended", ""),
        ("sign-in-signed-out", "GET", "/sign-in?state=signed-out", ""),
        ("sign-in-refused", "POST", "/sign-in", "credential=nx_wrong"),
        ("sign-in-link", "GET", link.as_str(), ""),
        ("sign-in-link-refused", "POST", "/sign-in/link", "code=wrong"),
    ] {
        gallery.add(name, &browse(&console, (method, address), body).await);
    }
    let headers = [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")];
    let foreign = console.post_with(&console.admin, "/users/new", &[], &headers).await;
    gallery.add("foreign-origin", &foreign);
    console.fail();
    gallery.add("store-out-of-reach", &console.get(&console.admin, "/users").await);
}

async fn browse(console: &Fixture, (method, address): (&str, &str), body: &str) -> Reply {
    let request = Request::builder()
        .method(method)
        .uri(address)
        .header(header::HOST, "localhost:8081")
        .header("sec-fetch-site", "same-origin")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    console.browse(request.body(Body::from(body.to_owned())).unwrap()).await
}
