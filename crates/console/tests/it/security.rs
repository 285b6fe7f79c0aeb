//! Rules of every page: rights, escaping, headers, and forms of other sites.

use axum::body::Body;
use http::{Request, header};
use narthex_directory::TokenSync as _;

use crate::fixture::{Fields, Fixture};

/// Text that would be markup if it were not escaped.
const MARKUP: &str = r#"<b id="x">&'"#;

/// Addresses of all pages of a directory with an organization `acme` and a user in it.
fn pages(user: impl std::fmt::Display) -> Vec<String> {
    vec![
        "/users".to_owned(),
        "/users?q=nothing".to_owned(),
        "/users/new".to_owned(),
        format!("/users/{user}"),
        format!("/users/{user}/disable"),
        format!("/users/{user}/sign-out"),
        format!("/users/{user}/erase"),
        format!("/users/{user}/edit"),
        format!("/users/{user}/platform-role"),
        format!("/users/{user}/platform-role/end"),
        "/organizations".to_owned(),
        "/organizations?q=nothing".to_owned(),
        "/organizations/new".to_owned(),
        "/organizations/acme".to_owned(),
        "/organizations/acme/suspend".to_owned(),
        "/organizations/acme/delete".to_owned(),
        "/organizations/acme/people".to_owned(),
        "/organizations/acme/people/add".to_owned(),
        format!("/organizations/acme/people/{user}"),
        format!("/organizations/acme/people/{user}/end"),
        "/organizations/acme/teams".to_owned(),
        "/organizations/acme/machine-keys".to_owned(),
        "/tags".to_owned(),
        "/issuers/idp/keys".to_owned(),
        "/issuers/idp/revoke".to_owned(),
        "/issuers/idp/revoke-all".to_owned(),
        "/routes".to_owned(),
        "/api-keys".to_owned(),
        "/settings".to_owned(),
        "/sessions".to_owned(),
        "/".to_owned(),
        "/explain".to_owned(),
        "/search?q=a".to_owned(),
        "/connections".to_owned(),
        "/webhooks".to_owned(),
        "/webhooks/new".to_owned(),
        "/organizations/acme/connections".to_owned(),
        "/organizations/acme/connections/new".to_owned(),
    ]
}

#[tokio::test]
async fn sec_everything_from_the_directory_is_escaped() {
    let console = Fixture::new().await;
    let tag = r#"<b id="x">"#;
    console.organization("acme", MARKUP, [tag, "<B id='y'>"]).await;
    let principal = console.token("ada", Some(MARKUP), &[tag, r#"<B ID="x">"#]).await;
    console.directory.flush().await.unwrap();
    console
        .post(&console.admin, "/organizations/acme/teams", &[("name", MARKUP)])
        .await
        .leads_to();
    for page in pages(principal.user().id) {
        let reply = console.get(&console.admin, &page).await;
        let text = reply.page(200).to_lowercase();
        for broken in ["<b id=", "=\"<b", "&'"] {
            assert!(!text.contains(broken), "{page} has `{broken}`: {text}");
        }
    }
}

#[tokio::test]
async fn sec_what_a_form_keeps_is_escaped() {
    let console = Fixture::new().await;
    let fields = [
        ("external_id", ""),
        ("username", MARKUP),
        ("name", MARKUP),
        ("email", MARKUP),
    ];
    let reply = console.post(&console.admin, "/users/new", &fields).await;
    assert!(!reply.page(422).contains("<b id="));
    let query = console.get(
        &console.admin,
        "/users?q=%3Cb%20id%3D%22x%22%3E&done=%3Cb%20id%3D%22x%22%3E",
    );
    assert!(!query.await.page(200).contains("<b id="));
}

#[tokio::test]
async fn sec_no_page_has_a_style_or_a_script_in_it() {
    let console = Fixture::new().await;
    console.organization("acme", "Acme", ["boss", "staff"]).await;
    let user = console.token("ada", None, &["staff"]).await.user().id;
    let mut all = pages(user);
    all.push("/nothing".to_owned());
    for page in all {
        let reply = console.get(&console.admin, &page).await;
        // One script of a file of its own, which every page of the frame has and needs not.
        let (before, rest) = reply.text.split_once("<script src=\"/assets/console-").unwrap();
        let (hash, rest) = rest.split_once(".js\" defer></script>").unwrap();
        assert!(
            hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{hash}"
        );
        let text = format!("{before}{rest}").to_lowercase();
        for word in [
            "<script",
            "<style",
            " style=",
            "javascript:",
            " onclick=",
            " onload=",
            "http://",
            "https://",
        ] {
            assert!(!text.contains(word), "{page} has `{word}`");
        }
        assert!(text.len() < 12 * 1024, "{page} has {} bytes", text.len());
        assert_eq!(text.matches("<h1").count(), 1, "{page}");
        let policy = reply.header("content-security-policy");
        for rule in [
            "default-src 'none'",
            "style-src 'self'",
            "frame-ancestors 'none'",
            "form-action 'self'",
        ] {
            assert!(policy.contains(rule), "{page}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(reply.header("cache-control"), "no-store", "{page}");
        assert_eq!(reply.header("referrer-policy"), "no-referrer", "{page}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{page}");
    }
}

#[tokio::test]
async fn sec_a_page_that_the_caller_may_not_see_equals_one_that_is_not_there() {
    let console = Fixture::new().await;
    let acme = console.organization("acme", "Acme", ["boss", "staff"]).await;
    console.organization("umbrella", "Umbrella", ["boss2", "staff2"]).await;
    let stranger = console.token("stranger", None, &["staff2"]).await.user().id;
    let own = console.admin_of(acme.id).await;
    let nothing = console.get(&own, "/nothing").await;
    nothing.shows(404, &["This page does not exist, or you may not see it"]);
    let mut hidden: Vec<String> = pages(stranger)
        .into_iter()
        .filter(|page| !page.starts_with("/organizations") && !["/settings", "/sessions", "/"].contains(&page.as_str()))
        .collect();
    hidden.extend([
        "/organizations/new".to_owned(),
        "/organizations/umbrella".to_owned(),
        "/organizations/umbrella/people".to_owned(),
        "/organizations/umbrella/people/add".to_owned(),
        format!("/organizations/umbrella/people/{stranger}"),
        "/organizations/umbrella/teams".to_owned(),
        "/organizations/umbrella/machine-keys".to_owned(),
        "/organizations/umbrella/suspend".to_owned(),
        "/organizations/acme/suspend".to_owned(),
        "/organizations/no-such-organization".to_owned(),
    ]);
    for page in hidden {
        let reply = console.get(&own, &page).await;
        assert_eq!(reply.page(404), nothing.text, "{page}");
    }
}

#[tokio::test]
async fn sec_a_form_that_the_caller_may_not_send_changes_nothing() {
    let console = Fixture::new().await;
    let acme = console.organization("acme", "Acme", ["boss", "staff"]).await;
    console.organization("umbrella", "Umbrella", ["boss2", "staff2"]).await;
    let user = console.token("ada", None, &["staff"]).await.user().id;
    let own = console.admin_of(acme.id).await;
    let version = acme.version.to_string();
    let versioned = [("version", version.as_str())];
    let forms: [(&str, String, Fields<'_>); 15] = [
        (&own, format!("/users/{user}/disable"), &versioned[..]),
        (&own, format!("/users/{user}/enable"), &[]),
        (&own, format!("/users/{user}/sign-out"), &[]),
        (&own, "/users/new".to_owned(), &[("external_id", "new")]),
        (&own, "/organizations/new".to_owned(), &[("name", "new")]),
        (&own, "/organizations/acme/suspend".to_owned(), &versioned),
        (&own, "/organizations/acme/open".to_owned(), &[]),
        (&own, "/organizations/acme".to_owned(), &[("name", "new")]),
        (&own, "/organizations/umbrella".to_owned(), &[("label", "new")]),
        (&own, "/organizations/umbrella/teams".to_owned(), &[("name", "new")]),
        (&console.viewer, format!("/users/{user}/disable"), &versioned),
        (&console.viewer, "/issuers/idp/revoke".to_owned(), &[("jti", "one")]),
        (&own, "/issuers/idp/revoke-all".to_owned(), &[]),
        (&console.viewer, "/organizations/acme".to_owned(), &[("label", "new")]),
        (
            &console.viewer,
            "/organizations/acme/teams".to_owned(),
            &[("name", "new")],
        ),
    ];
    for (credential, address, fields) in forms {
        let reply = console.post(credential, &address, fields).await;
        assert!(reply.page(404).contains("There is nothing here"), "{address}");
    }
    let now = console.directory.organization(acme.id).await.unwrap().unwrap();
    assert_eq!(now.version, acme.version);
    let users = console.get(&console.admin, "/users").await;
    assert!(!users.text.contains("Disabled"));
}

#[tokio::test]
async fn sec_a_form_of_another_site_is_refused() {
    let console = Fixture::new().await;
    let fields = [("external_id", "new")];
    for headers in [
        &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")][..],
        &[("origin", "https://evil.example")],
        &[],
    ] {
        let reply = console.post_with(&console.admin, "/users/new", &fields, headers).await;
        reply.shows(403, &["This request is not accepted"]);
    }
    assert!(
        !console
            .get(&console.admin, "/users")
            .await
            .text
            .contains("<code>new</code>")
    );
}

#[tokio::test]
async fn sec_the_console_does_not_answer_under_the_name_of_another_host() {
    let console = Fixture::new().await;
    let request = Request::builder()
        .uri("/users")
        .header(header::HOST, "evil.example")
        .header("x-credential", &console.admin);
    let reply = console.send(request.body(Body::empty()).unwrap()).await;
    reply.shows(403, &["does not answer under this host name"]);
}
