//! Every page as a file, to be looked at beside the design: `target/tmp/console/*.html`, with the stylesheet beside them.

use std::fs;
use std::path::{Path, PathBuf};

use narthex_directory::TokenSync as _;

use crate::fixture::{Fields, Fixture, Reply};

/// Folder of the files.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("console")
}

/// Writes a page, with the stylesheet of the folder.
fn write(name: &str, reply: &Reply) {
    let (_, rest) = reply.text.split_once("href=\"/assets/").unwrap();
    let (file, _) = rest.split_once('"').unwrap();
    let text = reply.text.replace(&format!("/assets/{file}"), "console.css");
    fs::write(folder().join(format!("{name}.html")), text).unwrap();
}

/// Checks rules of markup that hold on every page, whatever its state.
fn check(name: &str, reply: &Reply) {
    let text = &reply.text;
    assert_eq!(text.matches("<h1").count(), 1, "{name}: one title");
    let mut ids: Vec<&str> = text
        .split(" id=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "{name}: an id is there twice");
    for attribute in [" for=\"", " aria-describedby=\"", " popovertarget=\"", "href=\"#"] {
        let named = text.split(attribute).skip(1).filter_map(|rest| rest.split('"').next());
        for id in named.flat_map(|ids| ids.split(' ')) {
            assert!(ids.contains(&id), "{name}: {attribute}{id}\" leads nowhere");
        }
    }
}

/// An installation with people, near misses, refusals to correct, and records in every state.
async fn world() -> (Fixture, String) {
    let console = Fixture::new().await;
    console
        .organization("acme", "Acme", ["adminTag", "memberTag1, MemberTag2"])
        .await;
    console
        .organization("globex", "Globex", ["globexAdmins", "CN=Staff"])
        .await;
    console.token("erin", Some("Erin Walsh"), &["adminTag"]).await;
    let bob = console.token("bob", Some("Bob Okafor"), &["memberTag1"]).await;
    console.token("grace", Some("Grace Ito"), &["memberTag2"]).await;
    console
        .token("alice", Some("Alice Novák"), &["platform-admins", "memberTag1"])
        .await;
    console.directory.flush().await.unwrap();
    (console, bob.user().id.to_string())
}

#[tokio::test]
async fn every_page_is_written_and_keeps_the_rules_of_markup() {
    fs::create_dir_all(folder()).unwrap();
    fs::write(
        folder().join("console.css"),
        include_str!("../../../console_frame/assets/console.css"),
    )
    .unwrap();
    let (console, bob) = world().await;
    let pages = [
        ("overview", "/".to_owned()),
        ("users", "/users".to_owned()),
        ("users-none", "/users?q=xyz".to_owned()),
        ("user", format!("/users/{bob}")),
        ("user-new", "/users/new".to_owned()),
        ("user-disable", format!("/users/{bob}/disable")),
        ("user-sign-out", format!("/users/{bob}/sign-out")),
        ("user-erase", format!("/users/{bob}/erase")),
        ("organizations", "/organizations".to_owned()),
        ("organization-new", "/organizations/new".to_owned()),
        ("organization", "/organizations/acme".to_owned()),
        ("organization-people", "/organizations/acme/people".to_owned()),
        ("organization-person", format!("/organizations/acme/people/{bob}")),
        ("organization-add", "/organizations/acme/people/add".to_owned()),
        ("organization-teams", "/organizations/acme/teams".to_owned()),
        ("organization-connections", "/organizations/acme/connections".to_owned()),
        ("machine-keys", "/organizations/acme/machine-keys".to_owned()),
        ("organization-suspend", "/organizations/acme/suspend".to_owned()),
        ("organization-delete", "/organizations/acme/delete".to_owned()),
        ("connection-new", "/organizations/acme/connections/new".to_owned()),
        ("audit", "/audit".to_owned()),
        ("audit-none", "/audit?text=xyz-none".to_owned()),
        ("audit-as-of", "/audit/roles?organization=acme".to_owned()),
        ("audit-platform", "/audit/roles".to_owned()),
        ("denials", "/audit/denials".to_owned()),
        ("tags", "/tags".to_owned()),
        ("issuers", "/issuers".to_owned()),
        ("issuer", "/issuers/idp".to_owned()),
        ("issuer-keys", "/issuers/idp/keys".to_owned()),
        ("routes", "/routes".to_owned()),
        ("api-keys", "/api-keys".to_owned()),
        ("webhooks", "/webhooks".to_owned()),
        ("webhook-new", "/webhooks/new".to_owned()),
        ("explain", "/explain".to_owned()),
        ("search", "/search?q=acme".to_owned()),
        ("settings", "/settings".to_owned()),
        ("not-found", "/nothing".to_owned()),
    ];
    for (name, address) in pages {
        let reply = console.get(&console.admin, &address).await;
        if reply.status.is_redirection() {
            continue;
        }
        check(name, &reply);
        write(name, &reply);
    }
    let reply = console.get("erin", "/organizations/acme/people").await;
    check("acme-people", &reply);
    write("acme-people", &reply);
}

#[tokio::test]
async fn every_answer_to_a_form_is_written_and_keeps_the_rules_of_markup() {
    fs::create_dir_all(folder()).unwrap();
    let (console, _) = world().await;
    let version = console
        .get(&console.admin, "/organizations/acme")
        .await
        .hidden("version");
    let near = [
        ("version", version.as_str()),
        ("external_member_groups", "memberTag1, memberTag2"),
        ("was.external_member_groups", "memberTag1, MemberTag2"),
    ];
    let last = [
        ("version", version.as_str()),
        ("external_admin_groups", ""),
        ("was.external_admin_groups", "adminTag"),
    ];
    let invalid = [
        ("label", ""),
        ("name", "Acme Co"),
        ("website", "acme"),
        ("external_member_groups", "\"a"),
    ];
    let forms: [(&str, &str, Fields<'_>); 7] = [
        ("organization-preview", "/organizations/acme/preview", &near),
        ("organization-preview-last", "/organizations/acme/preview", &last),
        ("organization-invalid", "/organizations/new", &invalid),
        (
            "api-key-created",
            "/api-keys",
            &[("name", "nightly-export"), ("role", "viewer"), ("ends", "90")],
        ),
        (
            "webhook-created",
            "/webhooks/new",
            &[
                ("name", "crm"),
                ("url", "https://crm.example.com/"),
                ("event.people", "yes"),
                ("signature", "v1"),
            ],
        ),
        (
            "webhook-invalid",
            "/webhooks/new",
            &[("name", ""), ("signature", "v1a")],
        ),
        ("user-new-invalid", "/users/new", &[("external_id", "")]),
    ];
    for (name, address, fields) in forms {
        let reply = console.post(&console.admin, address, fields).await;
        check(name, &reply);
        write(name, &reply);
    }
}
