//! Every page in every state as a file, to be looked at beside the design and to be checked: `target/tmp/console/*.html`, with
//! the stylesheet beside them.

mod states;

use std::fs;
use std::path::{Path, PathBuf};

use narthex_directory::TokenSync as _;
use narthex_testkit::{Browser, markup};

use crate::fixture::{Fields, Fixture, Reply};

/// Folder of pages. Tests run at once, so that each has its own.
struct Gallery(PathBuf);

impl Gallery {
    /// An empty folder with the files that pages name.
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        fs::create_dir_all(&folder).unwrap();
        fs::write(
            folder.join("console.css"),
            include_str!("../../../console_frame/assets/console.css"),
        )
        .unwrap();
        fs::write(
            folder.join("console.js"),
            include_str!("../../../console_frame/assets/console.js"),
        )
        .unwrap();
        Self(folder)
    }

    /// Checks a page and adds it.
    fn add(&self, name: &str, reply: &Reply) {
        check(name, reply);
        let file = self.0.join(format!("{name}.html"));
        assert!(!file.exists(), "{name} is there twice");
        fs::write(file, with_files_beside(&reply.text)).unwrap();
    }

    /// Files of the pages, by name.
    fn pages(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path());
        let mut pages: Vec<PathBuf> = entries
            .filter(|path| path.extension().is_some_and(|extension| extension == "html"))
            .collect();
        pages.sort();
        pages
    }
}

/// A page that names its stylesheet and its script as files beside it.
fn with_files_beside(page: &str) -> String {
    let mut page = page.to_owned();
    for (before, file) in [("href=\"/assets/", "console.css"), ("src=\"/assets/", "console.js")] {
        let named = page.split_once(before).and_then(|(_, rest)| rest.split_once('"'));
        if let Some((name, _)) = named {
            page = page.replace(&format!("/assets/{name}"), file);
        }
    }
    page
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

/// Adds the pages of an installation that is in use.
async fn add_pages(gallery: &Gallery) {
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
        ("issuer-revoke", "/issuers/idp/revoke".to_owned()),
        ("issuer-revoke-all", "/issuers/idp/revoke-all".to_owned()),
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
        gallery.add(name, &reply);
    }
}

/// Adds the answers to forms.
async fn add_answers(gallery: &Gallery) {
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
        gallery.add(name, &reply);
    }
}

/// Adds every page in every state.
async fn add_all(gallery: &Gallery) {
    add_pages(gallery).await;
    add_answers(gallery).await;
    states::add(gallery).await;
}

#[tokio::test]
async fn every_page_in_every_state_is_clean_markup() {
    let gallery = Gallery::new("console");
    add_all(&gallery).await;
    let count = markup::check(&gallery.0).unwrap();
    assert!(count > 90, "{count} pages");
}

/// axe-core, the rules of WCAG 2.2 and its best practices: no violation of any level, wide and narrow, light and dark.
#[tokio::test]
async fn every_page_in_every_state_is_accessible_in_a_real_browser() {
    let gallery = Gallery::new("console-in-a-browser");
    add_all(&gallery).await;
    let browser = Browser::start().await.unwrap();
    let mut found = Vec::new();
    for file in gallery.pages() {
        browser.open(&format!("file://{}", file.display())).await.unwrap();
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        for (width, colours) in [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")] {
            browser.resize(width, 900).await.unwrap();
            browser.prefer(colours).await.unwrap();
            let violations = browser.violations().await.unwrap();
            found.extend(
                violations
                    .iter()
                    .map(|one| format!("{name}, {width}, {colours}: {one}")),
            );
        }
        browser.resize(360, 900).await.unwrap();
        if browser.scrolls_sideways().await.unwrap() {
            found.push(format!("{name} scrolls sideways at 360 pixels"));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
