//! API keys, issuers, routes and settings.

use crate::fixture::{Fixture, NOW_MS};
use narthex_directory::{Keyring as _, Page};

#[tokio::test]
async fn a_key_is_shown_once_when_it_is_created() {
    let console = Fixture::new().await;
    console.organization("acme", "Acme", ["boss", "staff"]).await;
    let fields = [
        ("name", "warehouse-sync"),
        ("role", "admin"),
        ("organization", "acme"),
        ("ends", "90"),
    ];
    let created = console.post(&console.admin, "/api-keys", &fields).await;
    created.shows(200, &["Copy the key of warehouse-sync now.", r#"<pre class="all">nx_"#]);
    assert_eq!(created.header("cache-control"), "no-store");
    let list = console.get(&console.admin, "/api-keys").await;
    list.shows(
        200,
        &[
            "<b>warehouse-sync</b>",
            r#"<td data-l="Reaches">acme</td>"#,
            "Does not end",
        ],
    );
    assert!(!list.text.contains("<pre"));
    let keys = console.directory.api_keys(Page::default()).await.unwrap().items;
    let ends = keys.iter().find_map(|key| key.expires_at_ms);
    assert_eq!(ends, Some(NOW_MS + 90 * 24 * 3_600_000));
}

#[tokio::test]
async fn everything_typed_is_kept_when_a_key_is_not_created() {
    let console = Fixture::new().await;
    let fields = [
        ("name", "sync"),
        ("role", "admin"),
        ("organization", "nothing"),
        ("ends", "0"),
    ];
    let reply = console.post(&console.admin, "/api-keys", &fields).await;
    reply.shows(
        422,
        &[
            r##"<a href="#organization">"##,
            r#"value="sync""#,
            r#"value="nothing""#,
            r#"<option value="admin" selected>"#,
            r#"<option value="0" selected>"#,
        ],
    );
    assert!(!reply.text.contains("nx_"));
}

#[tokio::test]
async fn a_key_is_revoked_after_a_question() {
    let console = Fixture::new().await;
    let keys = console.directory.api_keys(Page::default()).await.unwrap().items;
    let viewer = keys.iter().find(|key| key.role.role_str() == "viewer").unwrap();
    let question = format!("/api-keys/{}/revoke", viewer.id);
    console
        .get(&console.viewer, &question)
        .await
        .shows(404, &["There is nothing here"]);
    console
        .get(&console.admin, &question)
        .await
        .shows(200, &["<h1>Revoke the key test?</h1>"]);
    let done = console.post(&console.admin, &question, &[]).await;
    assert_eq!(done.leads_to(), "/api-keys?done=revoked");
    console
        .get(&console.admin, "/api-keys")
        .await
        .shows(200, &[r#"<span class="state">Revoked</span>"#]);
}

#[tokio::test]
async fn issuers_show_keys_and_settings() {
    let console = Fixture::new().await;
    let list = console.get(&console.admin, "/issuers").await;
    list.shows(
        200,
        &[
            r#"href="/issuers/idp/keys""#,
            "https://idp.example",
            "Working",
            "Enforcing",
        ],
    );
    let keys = console.get(&console.admin, "/issuers/idp/keys").await;
    keys.shows(200, &["Do its keys work", "The configuration"]);
    let settings = console.get(&console.viewer, "/issuers/idp").await;
    settings.shows(200, &["<code>RS256</code>", "Are created from tokens", "Read-only"]);
    console
        .get(&console.admin, "/issuers/none")
        .await
        .shows(404, &["There is nothing here"]);
    let fetched = console.post(&console.admin, "/issuers/idp/keys/fetch", &[]).await;
    fetched.shows(409, &["there is nothing to fetch"]);
}

#[tokio::test]
async fn routes_are_listed() {
    let console = Fixture::new().await;
    console.get(&console.viewer, "/routes").await.shows(200, &["No route"]);
}

#[tokio::test]
async fn the_theme_is_kept_in_a_cookie() {
    let console = Fixture::new().await;
    console
        .get(&console.viewer, "/settings")
        .await
        .shows(200, &[r#"value="system" checked"#, "<dt>Version</dt>"]);
    let saved = console.post(&console.viewer, "/settings", &[("theme", "dark")]).await;
    assert_eq!(saved.leads_to(), "/settings?done=saved");
    assert!(saved.header("set-cookie").starts_with("narthex_theme=dark; Path=/;"));
    let refused = console
        .post(&console.viewer, "/settings", &[("theme", "x; Domain=evil.example")])
        .await;
    refused.shows(400, &["This form cannot be read"]);
    assert_eq!(refused.header("set-cookie"), "");
}

#[tokio::test]
async fn a_token_is_explained_and_never_shown_again() {
    let console = Fixture::new().await;
    let form = console.get(&console.viewer, "/explain").await;
    form.shows(200, &["What would happen to this token", r#"name="token""#]);
    let fields = [
        ("token", "Bearer secret.token.text"),
        ("method", "POST"),
        ("path", "/v1/x?q=1"),
    ];
    let told = console.post(&console.viewer, "/explain", &fields).await;
    told.shows(
        200,
        &["Allowed.", r#"value="/v1/x?q=1""#, r#"<option value="POST" selected>"#],
    );
    assert!(!told.text.contains("secret.token.text"));
}

#[tokio::test]
async fn sec_a_form_with_a_fault_keeps_everything_but_the_token() {
    let console = Fixture::new().await;
    let fields = [
        ("token", "secret.token.text"),
        ("path", "/v1/x"),
        ("host", "a.example"),
        ("headers", "no colon"),
    ];
    let reply = console.post(&console.admin, "/explain", &fields).await;
    reply.shows(
        422,
        &[
            r##"<a href="#headers">"##,
            r#"value="/v1/x""#,
            r#"value="a.example""#,
            ">no colon</textarea>",
        ],
    );
    assert!(!reply.text.contains("secret.token.text"));
    let empty = console.post(&console.admin, "/explain", &[("token", " ")]).await;
    empty.shows(422, &[r##"<a href="#token">"##]);
}

const DOCUMENT: &str = "{\n  \"url\": \"https://api.example.com/\"\n}";

/// Creates a connection of `acme` and returns its address.
async fn connection(console: &Fixture, credential: &str) -> String {
    console.organization("acme", "Acme", ["boss", "staff"]).await;
    let fields = [("name", "Billing"), ("document", DOCUMENT)];
    let created = console
        .post(credential, "/organizations/acme/connections/new", &fields)
        .await;
    let address = created.leads_to().split('?').next().unwrap().to_owned();
    assert!(address.starts_with("/connections/"), "{address}");
    address
}

#[tokio::test]
async fn a_connection_is_created_listed_and_shown() {
    let console = Fixture::new().await;
    let address = connection(&console, &console.admin).await;
    let list = console.get(&console.admin, "/organizations/acme/connections").await;
    list.shows(
        200,
        &[
            &format!(r#"<a href="{address}">Billing</a>"#),
            "Not known yet",
            "0 kept",
        ],
    );
    console
        .get(&console.viewer, "/connections")
        .await
        .shows(200, &["Billing", "<small>acme</small>"]);
    let page = console.get(&console.admin, &address).await;
    page.shows(
        200,
        &[
            "https://api.example.com/",
            "Its templates read no parameters.",
            ">Test</button>",
        ],
    );
    let viewer = console.get(&console.viewer, &address).await;
    viewer.shows(200, &["https://api.example.com/", "Read-only"]);
    assert!(!viewer.text.contains("<textarea"));
}

#[tokio::test]
async fn everything_typed_is_kept_when_a_document_does_not_compile() {
    let console = Fixture::new().await;
    let address = connection(&console, &console.admin).await;
    let broken = "{\"url\": \"{{jtw(1)}}\"}";
    let fields = [("name", "Other"), ("document", broken)];
    let reply = console
        .post(&console.admin, "/organizations/acme/connections/new", &fields)
        .await;
    reply.shows(422, &[r##"<a href="#document">"##, r#"value="Other""#, "{{jtw(1)}}"]);
    let version = console.get(&console.admin, &address).await.hidden("version");
    let fields = [("name", "Other"), ("document", broken), ("version", &version)];
    let reply = console.post(&console.admin, &address, &fields).await;
    reply.shows(422, &[r##"<a href="#document">"##, r#"value="Other""#, "{{jtw(1)}}"]);
}

#[tokio::test]
async fn a_connection_that_changed_meanwhile_shows_both_documents() {
    let console = Fixture::new().await;
    let address = connection(&console, &console.admin).await;
    let typed = "{\"url\": \"https://mine.example.com/\"}";
    let fields = [("name", "Billing"), ("document", typed), ("version", "999")];
    let reply = console.post(&console.admin, &address, &fields).await;
    reply.shows(
        409,
        &[
            "https://mine.example.com/",
            "The present document",
            "https://api.example.com/",
        ],
    );
    let version = reply.hidden("version");
    let fields = [("name", "Billing"), ("document", typed), ("version", &version)];
    let saved = console.post(&console.admin, &address, &fields).await;
    assert_eq!(saved.leads_to(), format!("{address}?done=saved"));
}

#[tokio::test]
async fn sec_a_secret_that_was_typed_is_in_no_page() {
    let console = Fixture::new().await;
    let address = connection(&console, &console.admin).await;
    let version = console.get(&console.admin, &address).await.hidden("version");
    let fields = [
        ("name", "Billing"),
        ("document", "{\"url\": \"{{jtw(1)}}\"}"),
        ("parameters.clientSecret", "hunter2"),
        ("version", &version),
    ];
    let reply = console.post(&console.admin, &address, &fields).await;
    assert!(!reply.page(422).contains("hunter2"));
}

#[tokio::test]
async fn a_connection_is_deleted_after_a_question() {
    let console = Fixture::new().await;
    let address = connection(&console, &console.admin).await;
    let question = format!("{address}/delete");
    let asked = console.get(&console.admin, &question).await;
    asked.shows(200, &["<h1>Delete the connection Billing?</h1>"]);
    console
        .get(&console.viewer, &question)
        .await
        .shows(404, &["There is nothing here"]);
    let version = asked.hidden("version");
    let done = console.post(&console.admin, &question, &[("version", &version)]).await;
    assert_eq!(done.leads_to(), "/organizations/acme/connections?done=deleted");
    console
        .get(&console.admin, &address)
        .await
        .shows(404, &["There is nothing here"]);
}

#[tokio::test]
async fn records_are_found_by_name_tag_and_id() {
    let console = Fixture::new().await;
    let acme = console.organization("acme", "Acme", ["boss", "staff"]).await;
    let user = console.token("ada", Some("Ada"), &["staff"]).await.user().id;
    let organization = r#"<a href="/organizations/acme">Acme</a>"#;
    let person = format!(r#"<a href="/users/{user}">Ada</a>"#);
    for (q, shown) in [
        ("acm".to_owned(), organization),
        ("boss".to_owned(), organization),
        (acme.id.to_string(), organization),
        ("ada".to_owned(), person.as_str()),
        (user.to_string(), person.as_str()),
        ("idp".to_owned(), r#"<a href="/issuers/idp/keys">idp</a>"#),
    ] {
        let reply = console.get(&console.viewer, &format!("/search?q={q}")).await;
        reply.shows(200, &[shown, "1 found"]);
    }
    console
        .get(&console.viewer, "/search?q=xyz")
        .await
        .shows(200, &["Nothing matches “xyz”"]);
}

#[tokio::test]
async fn sec_a_credential_in_a_search_is_not_shown_again() {
    let console = Fixture::new().await;
    let token = format!("{}.{}.{}", "e".repeat(20), "y".repeat(20), "J".repeat(20));
    let reply = console.get(&console.admin, &format!("/search?q={token}")).await;
    reply.shows(200, &["was not searched for"]);
    assert!(!reply.text.contains(&token));
}
