//! Teams, logos, profiles and reasons: what is changed, and what the history says of it.

use axum::body::Body;
use http::{Request, header};
use narthex_directory::{EventFilter, EventOrder, Page, TokenSync as _, Trail as _};

use crate::fixture::{Fixture, Reply};

/// The smallest text that begins as a PNG does.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\nrest";

async fn upload(console: &Fixture, credential: &str, address: &str, picture: &[u8]) -> Reply {
    let head = "--limit\r\ncontent-disposition: form-data; name=\"logo\"; filename=\"a.png\"\r\n\r\n";
    let body = [head.as_bytes(), picture, b"\r\n--limit--\r\n"].concat();
    let request = Request::builder()
        .method("POST")
        .uri(address)
        .header(header::HOST, "localhost:9001")
        .header(header::CONTENT_TYPE, "multipart/form-data; boundary=limit")
        .header("sec-fetch-site", "same-origin")
        .header("x-credential", credential);
    console.send(request.body(Body::from(body)).unwrap()).await
}

#[tokio::test]
async fn a_logo_is_uploaded_shown_and_removed() {
    let console = Fixture::new().await;
    let acme = console.organization("acme", "Acme", ["boss", "staff"]).await;
    let own = console.admin_of(acme.id).await;
    let uploaded = upload(&console, &own, "/organizations/acme/logo", PNG).await;
    assert_eq!(uploaded.leads_to(), "/organizations/acme?done=saved");
    let page = console.get(&own, "/organizations/acme").await;
    page.shows(200, &[r#"<img src="/organizations/acme/logo" alt="Logo of Acme""#]);
    let request = Request::builder()
        .uri("/organizations/acme/logo")
        .header(header::HOST, "localhost:9001")
        .header("x-credential", &own);
    let bytes = console.bytes(request.body(Body::empty()).unwrap()).await;
    assert_eq!(bytes, ("image/png".to_owned(), PNG.to_vec()));
    let removed = console.post(&own, "/organizations/acme/logo/delete", &[]).await;
    assert_eq!(removed.leads_to(), "/organizations/acme?done=saved");
    let page = console.get(&own, "/organizations/acme").await;
    assert!(!page.page(200).contains("<img"));
}

/// A page of HTML under the console's own origin would run script in it.
#[tokio::test]
async fn sec_a_logo_is_a_picture_and_small() {
    let console = Fixture::new().await;
    let acme = console.organization("acme", "Acme", ["boss", "staff"]).await;
    console.organization("umbrella", "Umbrella", ["boss2", "staff2"]).await;
    let own = console.admin_of(acme.id).await;
    for picture in [
        &b"<svg onload=alert(1)>"[..],
        b"<html>",
        b"",
        &[PNG, &vec![0; 1_100_000]].concat(),
    ] {
        let reply = upload(&console, &own, "/organizations/acme/logo", picture).await;
        reply.shows(422, &["PNG or a JPEG of at most 1 MB", r##"<a href="#logo">"##]);
    }
    let large = [PNG, &vec![0; 3_000_000]].concat();
    upload(&console, &own, "/organizations/acme/logo", &large)
        .await
        .page(400);
    for credential in [&own, &console.viewer] {
        let reply = upload(&console, credential, "/organizations/umbrella/logo", PNG).await;
        reply.page(404);
    }
    let page = console.get(&own, "/organizations/acme").await;
    assert!(!page.page(200).contains("<img"));
}

#[tokio::test]
async fn a_team_has_people_and_a_name() {
    let console = Fixture::new().await;
    let acme = console.organization("acme", "Acme", ["boss", "staff"]).await;
    let own = console.admin_of(acme.id).await;
    let bob = console.token("bob", Some("Bob Okafor"), &["staff"]).await.user().id;
    console
        .post(&own, "/organizations/acme/teams", &[("name", "Billing")])
        .await
        .leads_to();
    let teams = console.get(&own, "/organizations/acme/teams").await;
    let (_, rest) = teams
        .page(200)
        .split_once(r#"<a href="/organizations/acme/teams/"#)
        .unwrap();
    let address = format!("/organizations/acme/teams/{}", rest.split('"').next().unwrap());
    let empty = console.get(&own, &address).await;
    empty.shows(200, &["<h1>Billing", "No person in this team yet"]);
    let fields = [("person", "bob"), ("role", "admin"), ("why", "covers for Erin")];
    let added = console.post(&own, &format!("{address}/people"), &fields).await;
    assert_eq!(added.leads_to(), format!("{address}?done=added"));
    let page = console.get(&own, &address).await;
    page.shows(200, &["Bob Okafor", "“covers for Erin”", "Remove"]);
    let missing = [("person", "nothing"), ("role", "member")];
    console
        .post(&own, &format!("{address}/people"), &missing)
        .await
        .shows(422, &["No person of this realm", r#"value="nothing""#]);

    let question = format!("{address}/people/{bob}/end");
    console
        .get(&own, &question)
        .await
        .shows(200, &["Remove Bob Okafor’s role in Billing?"]);
    console.post(&own, &question, &[("why", "back")]).await.leads_to();
    console
        .get(&own, &address)
        .await
        .shows(200, &["No person in this team yet"]);

    let renamed = [("name", "Invoices"), ("version", &page.hidden("version"))];
    console.post(&own, &address, &renamed).await.leads_to();
    console.get(&own, &address).await.shows(200, &["<h1>Invoices"]);
    let stale = console
        .post(&own, &address, &[("name", "Late"), ("version", "1")])
        .await;
    stale.shows(409, &["The team was changed meanwhile"]);
}

/// The team of one organization is not reached through another.
#[tokio::test]
async fn sec_a_team_is_a_page_of_its_own_organization() {
    let console = Fixture::new().await;
    let acme = console.organization("acme", "Acme", ["boss", "staff"]).await;
    console.organization("umbrella", "Umbrella", ["boss2", "staff2"]).await;
    console
        .post(&console.admin, "/organizations/umbrella/teams", &[("name", "Secret")])
        .await
        .leads_to();
    let teams = console.get(&console.admin, "/organizations/umbrella/teams").await;
    let (_, rest) = teams.page(200).split_once("/organizations/umbrella/teams/").unwrap();
    let id = rest.split('"').next().unwrap();
    let own = console.admin_of(acme.id).await;
    for address in [
        format!("/organizations/acme/teams/{id}"),
        format!("/organizations/umbrella/teams/{id}"),
    ] {
        console.get(&own, &address).await.page(404);
        let fields = [("person", "x"), ("role", "member")];
        console
            .post(&own, &format!("{address}/people"), &fields)
            .await
            .page(404);
    }
    console
        .get(&console.admin, &format!("/organizations/acme/teams/{id}"))
        .await
        .page(404);
}

#[tokio::test]
async fn a_profile_is_edited_and_a_conflict_shows_both() {
    let console = Fixture::new().await;
    let ada = console.token("ada", Some("Ada"), &[]).await.user().id;
    let address = format!("/users/{ada}/edit");
    console.get(&console.viewer, &address).await.page(404);
    let form = console.get(&console.admin, &address).await;
    form.shows(200, &[r#"value="Ada""#, r#"value="ada@example.com""#]);
    let version = form.hidden("version");
    let fields = [
        ("version", version.as_str()),
        ("username", "ada"),
        ("name", "Ada Lovelace"),
        ("email", ""),
        ("country", "GB"),
    ];
    let saved = console.post(&console.admin, &address, &fields).await;
    assert_eq!(saved.leads_to(), format!("/users/{ada}?done=saved"));
    let page = console.get(&console.admin, saved.leads_to()).await;
    page.shows(200, &["Ada Lovelace", "<dd>GBR</dd>"]);
    assert!(!page.text.contains("ada@"));
    let stale = console.post(&console.admin, &address, &fields).await;
    stale.shows(409, &["was changed meanwhile", r#"value="Ada Lovelace""#]);
    let wrong = [
        ("version", stale.hidden("version")),
        ("username", "ada".to_owned()),
        ("country", "Atlantis".to_owned()),
    ];
    let wrong: Vec<(&str, &str)> = wrong.iter().map(|(name, value)| (*name, value.as_str())).collect();
    console
        .post(&console.admin, &address, &wrong)
        .await
        .shows(422, &[r##"<a href="#country">"##, r#"value="Atlantis""#]);
}

#[tokio::test]
async fn the_reason_for_a_risky_act_is_in_the_history() {
    let console = Fixture::new().await;
    console.organization("acme", "Acme", ["boss", "staff"]).await;
    let ada = console.token("ada", Some("Ada"), &["staff"]).await.user().id;
    let question = console.get(&console.admin, &format!("/users/{ada}/disable")).await;
    question.shows(200, &["Reason (optional)"]);
    let fields = [
        ("version", question.hidden("version")),
        ("why", "left <the> company".to_owned()),
    ];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    console
        .post(&console.admin, &format!("/users/{ada}/disable"), &fields)
        .await
        .leads_to();
    let page = console.get(&console.admin, &format!("/users/{ada}")).await;
    page.shows(200, &["“left &#60;the&#62; company”"]);

    let question = console.get(&console.admin, "/organizations/acme/suspend").await;
    let fields = [("version", question.hidden("version")), ("why", "unpaid".to_owned())];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    console
        .post(&console.admin, "/organizations/acme/suspend", &fields)
        .await
        .leads_to();
    let filter = EventFilter {
        order: EventOrder::NewestFirst,
        ..EventFilter::default()
    };
    let events = console.directory.events(filter, Page::default()).await;
    let newest = &events.unwrap().items[0].event;
    assert_eq!(newest.action, "organization.updated");
    assert_eq!(newest.detail["why"], "unpaid");
}

#[tokio::test]
async fn the_overview_says_what_to_attend_to() {
    let console = Fixture::new().await;
    console.organization("acme", "Acme", ["boss", "MemberTag2"]).await;
    console
        .get(&console.admin, "/")
        .await
        .shows(200, &["No person has come in yet", "Done"]);
    console.token("grace", Some("Grace"), &["memberTag2"]).await;
    console.directory.flush().await.unwrap();
    let page = console.get(&console.admin, "/").await;
    page.shows(
        200,
        &[
            "1 thing",
            "<mark>m</mark>emberTag2",
            r#"<a href="/organizations/acme">Correct the tags of acme</a>"#,
            "Latest changes",
        ],
    );
    console.get(&console.viewer, "/").await.shows(200, &["Read-only"]);
}

#[tokio::test]
async fn a_machine_key_is_shown_once_and_revoked_after_a_question() {
    let console = Fixture::new().await;
    let acme = console.organization("acme", "Acme", ["boss", "staff"]).await;
    let own = console.admin_of(acme.id).await;
    let address = "/organizations/acme/machine-keys";
    console
        .get(&own, address)
        .await
        .shows(200, &["Acme has no machine key yet", "Create a key"]);
    let fields = [("name", "nightly"), ("role", "executor"), ("ends", "30")];
    let created = console.post(&own, address, &fields).await;
    created.shows(200, &["Copy the key of nightly now.", r#"<pre class="all">nxk_"#]);
    let list = console.get(&own, address).await;
    list.shows(200, &["<b>nightly</b>", r#"<td data-l="As">Executor</td>"#, "Never"]);
    assert!(!list.text.contains("nxk_"));
    let (_, rest) = list.text.split_once("/machine-keys/").unwrap();
    let question = format!("{address}/{}", rest.split('"').next().unwrap());
    let viewer = console.get(&console.viewer, address).await;
    assert!(!viewer.page(200).contains("Create a key") && !viewer.text.contains("/revoke"));
    console
        .get(&own, &question)
        .await
        .shows(200, &["Revoke the key nightly?", "key.revoked"]);
    let revoked = console.post(&own, &question, &[]).await;
    assert_eq!(revoked.leads_to(), format!("{address}?done=revoked"));
    console
        .get(&own, address)
        .await
        .shows(200, &[r#"<span class="state">Revoked</span>"#]);
    let nameless = [("name", ""), ("role", "member"), ("ends", "90")];
    console
        .post(&own, address, &nameless)
        .await
        .shows(422, &[r##"<a href="#name">"##]);
}

#[tokio::test]
async fn a_platform_role_is_granted_and_removed_with_a_reason() {
    let console = Fixture::new().await;
    let ada = console.token("ada", Some("Ada"), &[]).await.user().id;
    let address = format!("/users/{ada}/platform-role");
    console.get(&console.viewer, &address).await.page(404);
    console
        .get(&console.admin, &address)
        .await
        .shows(200, &["Grant Ada a platform role", r#"value="viewer" checked"#]);
    let fields = [("role", "admin"), ("why", "on duty")];
    let granted = console.post(&console.admin, &address, &fields).await;
    assert_eq!(granted.leads_to(), format!("/users/{ada}?done=added"));
    let page = console.get(&console.admin, granted.leads_to()).await;
    page.shows(
        200,
        &[
            "The platform",
            "“on duty”",
            "Became admin of the platform",
            "Remove the platform role",
        ],
    );
    let question = format!("{address}/end");
    console
        .get(&console.admin, &question)
        .await
        .shows(200, &["Remove Ada’s platform role?"]);
    console
        .post(&console.admin, &question, &[("why", "done")])
        .await
        .leads_to();
    let page = console.get(&console.admin, &format!("/users/{ada}")).await;
    page.shows(200, &["No role.", "No longer admin of the platform"]);
    let none = [("role", "user")];
    console
        .post(&console.admin, &address, &none)
        .await
        .shows(422, &["1 thing to correct"]);
}
