//! The frame: sign-in, navigation, theme, and pages for failures.

use axum::body::Body;
use http::{Request, header};

use crate::fixture::Fixture;

#[tokio::test]
async fn a_browser_without_a_session_is_led_to_the_page_to_sign_in_at() {
    let console = Fixture::new().await;
    let request = |method: &str| {
        Request::builder()
            .method(method)
            .uri("/users?q=ada")
            .header(header::HOST, "localhost")
            .header("sec-fetch-site", "same-origin")
            .body(Body::empty())
            .unwrap()
    };
    let reply = console.send(request("GET")).await;
    assert_eq!(reply.leads_to(), "/sign-in?back=%2Fusers%3Fq%3Dada");
    assert_eq!(console.send(request("POST")).await.leads_to(), "/sign-in?back=%2F");
}

#[tokio::test]
async fn the_first_page_is_the_first_that_the_caller_may_see() {
    let console = Fixture::new().await;
    let acme = console.organization("acme", "Acme", ["boss", "staff"]).await;
    let own = console.admin_of(acme.id).await;
    console
        .get(&console.admin, "/")
        .await
        .shows(200, &["<h1>Overview", "No person has come in yet"]);
    assert_eq!(console.get(&own, "/").await.leads_to(), "/organizations/acme/people");
}

#[tokio::test]
async fn the_navigation_has_only_pages_that_the_caller_may_see() {
    let console = Fixture::new().await;
    let acme = console.organization("acme", "Acme", ["boss", "staff"]).await;
    let own = console.admin_of(acme.id).await;
    console.token("visitor", None, &[]).await;
    let platform = console.get(&console.admin, "/users").await;
    platform.shows(
        200,
        &[
            r#"href="/users" aria-current="page""#,
            r#"href="/organizations""#,
            r#"href="/tags""#,
            "Platform admin",
            r#"<form method="post" action="/sign-out">"#,
        ],
    );
    let page = console.get(&own, "/organizations/acme").await;
    page.shows(
        200,
        &[
            r#"href="/organizations/acme" aria-current="page""#,
            r#"href="/organizations/acme/people""#,
            "Admin of Acme",
        ],
    );
    for hidden in ["/users\"", "/tags\"", "\"/organizations\""] {
        assert!(!page.text.contains(hidden), "{hidden}");
    }
    let visitor = console.get("visitor", "/").await;
    visitor.shows(404, &["No role here", "There is nothing here"]);
}

#[tokio::test]
async fn an_admin_of_several_organizations_has_a_choice() {
    let console = Fixture::new().await;
    console.organization("acme", "Acme", ["boss", "staff"]).await;
    console.organization("globex", "Globex", ["boss", "people"]).await;
    console.token("chief", Some("Chief"), &["boss"]).await;
    let page = console.get("chief", "/organizations/globex/people").await;
    page.shows(
        200,
        &[
            "Your organizations",
            r#"href="/organizations/acme/people""#,
            "Admin of 2 organizations",
            "<b>Chief</b>",
        ],
    );
}

#[tokio::test]
async fn a_viewer_sees_pages_without_buttons() {
    let console = Fixture::new().await;
    console.organization("acme", "Acme", ["boss", "staff"]).await;
    let user = console.token("ada", None, &["staff"]).await.user().id;
    for address in [
        "/users".to_owned(),
        format!("/users/{user}"),
        "/organizations".to_owned(),
        "/organizations/acme".to_owned(),
        "/organizations/acme/people".to_owned(),
        "/organizations/acme/teams".to_owned(),
        "/tags".to_owned(),
        "/webhooks".to_owned(),
    ] {
        let reply = console.get(&console.viewer, &address).await;
        reply.shows(200, &["Read-only"]);
        let (_, main) = reply.text.split_once("<main").unwrap();
        assert!(!main.contains(r#"method="post""#), "{address}");
        for button in ["Add a", "Create an", "Disable", "Suspend ", "Remove"] {
            assert!(!main.contains(button), "{address} has `{button}`");
        }
    }
}

#[tokio::test]
async fn the_theme_is_that_of_the_cookie() {
    let console = Fixture::new().await;
    let request = Request::builder()
        .uri("/users")
        .header(header::HOST, "localhost")
        .header("x-credential", &console.admin)
        .header(header::COOKIE, "narthex_theme=dark");
    let reply = console.send(request.body(Body::empty()).unwrap()).await;
    reply.shows(200, &[r#"<html lang="en" data-theme="dark">"#]);
    console
        .get(&console.admin, "/users")
        .await
        .shows(200, &[r#"<html lang="en">"#]);
}

#[tokio::test]
async fn the_stylesheet_needs_no_session_and_keeps_for_a_year() {
    let console = Fixture::new().await;
    let page = console.get(&console.admin, "/users").await;
    let (_, rest) = page.text.split_once(r#"<link rel="stylesheet" href=""#).unwrap();
    let path = rest.split('"').next().unwrap();
    let request = Request::builder().uri(path).body(Body::empty()).unwrap();
    let reply = console.send(request).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), "text/css; charset=utf-8");
    assert_eq!(reply.header("cache-control"), "public, max-age=31536000, immutable");
    assert!(reply.text.contains(".shell"));
}

#[tokio::test]
async fn a_store_out_of_reach_is_said_and_not_quoted() {
    let console = Fixture::new().await;
    console.fail();
    let reply = console.get(&console.admin, "/users").await;
    reply.shows(503, &["The directory cannot answer now"]);
    assert!(!reply.text.contains("node 7"));
}

#[tokio::test]
async fn what_is_no_form_of_the_console_is_refused() {
    let console = Fixture::new().await;
    let request = Request::builder()
        .method("POST")
        .uri("/users/new")
        .header(header::HOST, "localhost")
        .header("sec-fetch-site", "same-origin")
        .header("x-credential", &console.admin)
        .header(header::CONTENT_TYPE, "application/json");
    let reply = console.send(request.body(Body::from("{}")).unwrap()).await;
    reply.shows(400, &["This form cannot be read"]);
    let large = "x".repeat(narthex_console::FORM_BYTES_MAX);
    let reply = console
        .post(&console.admin, "/users/new", &[("external_id", &large)])
        .await;
    reply.shows(400, &["This form cannot be read"]);
}

#[tokio::test]
async fn the_script_is_a_file_of_its_own_that_browsers_keep() {
    let console = Fixture::new().await;
    let page = console.get(&console.admin, "/users").await;
    let (_, rest) = page.text.split_once(r#"<script src=""#).unwrap();
    let path = rest.split('"').next().unwrap();
    let request = Request::builder().uri(path).body(Body::empty()).unwrap();
    let reply = console.send(request).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), "text/javascript; charset=utf-8");
    assert_eq!(reply.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(reply.header("x-content-type-options"), "nosniff");
}
