//! The pages of organizations.

use narthex_directory::{OrganizationStatus, TokenSync as _};

use crate::fixture::Fixture;

#[tokio::test]
async fn the_list_has_tags_and_state_and_an_empty_one_says_what_to_do() {
    let console = Fixture::new().await;
    let empty = console.get(&console.admin, "/organizations").await;
    empty.shows(200, &["No organization yet", r#"href="/organizations/new""#]);
    console.organization("acme", "Acme", ["boss", "staff, CN=Ops"]).await;
    let reply = console.get(&console.admin, "/organizations").await;
    reply.shows(
        200,
        &[
            r#"<a href="/organizations/acme">Acme</a><small><code>acme</code></small>"#,
            r#"<span class="tag">boss</span>"#,
            r#"<span class="tag">CN=Ops</span>"#,
            r#"<td data-l="Created by">Manual</td>"#,
        ],
    );
    let none = console.get(&console.admin, "/organizations?q=xyz").await;
    none.shows(200, &["No organization matches “xyz”"]);
}

#[tokio::test]
async fn an_organization_is_created() {
    let console = Fixture::new().await;
    let form = console.get(&console.admin, "/organizations/new").await;
    form.shows(200, &["Create an organization", r#"value="mixed" checked"#]);
    let fields = [
        ("label", "Acme"),
        ("name", "acme"),
        ("external_member_groups", "a, \"CN=b,DC=c\""),
        ("membership", "external_only"),
        ("website", "https://acme.example"),
    ];
    let reply = console.post(&console.admin, "/organizations/new", &fields).await;
    assert_eq!(reply.leads_to(), "/organizations/acme?done=created");
    let page = console.get(&console.admin, reply.leads_to()).await;
    page.shows(
        200,
        &[
            "Created.",
            r#"value="a, &#34;CN=b,DC=c&#34;""#,
            r#"value="external_only" checked"#,
            r#"value="https://acme.example""#,
        ],
    );
}

#[tokio::test]
async fn everything_typed_is_kept_when_an_organization_is_not_created() {
    let console = Fixture::new().await;
    console.organization("acme", "Acme", ["boss", "staff"]).await;
    let fields = [
        ("label", "Another"),
        ("name", "acme"),
        ("external_id", "ORG-1"),
        ("timezone", "Europe/Prague"),
        ("external_admin_groups", "one"),
        ("external_member_groups", "two"),
        ("external_executor_groups", "three"),
        ("membership", "external_only"),
        ("contact_name", "Erin"),
        ("contact_email", "erin@acme.example"),
        ("website", "https://acme.example"),
    ];
    let reply = console.post(&console.admin, "/organizations/new", &fields).await;
    reply.shows(
        422,
        &["1 thing to correct", r##"<a href="#name">"##, "external_only\" checked"],
    );
    for (name, value) in fields {
        if name != "membership" {
            assert!(reply.text.contains(&format!(r#"name="{name}" type="#)), "{name}");
            assert!(reply.text.contains(&format!(r#"value="{value}""#)), "{name}");
        }
    }
}

/// Sends the form of an organization with its version and one field changed.
async fn save(
    console: &Fixture,
    credential: &str,
    version: &str,
    field: (&str, &str),
    was: &str,
) -> crate::fixture::Reply {
    let was_name = format!("was.{}", field.0);
    let fields = [("version", version), field, (was_name.as_str(), was)];
    console.post(credential, "/organizations/acme", &fields).await
}

#[tokio::test]
async fn a_change_is_saved_and_shown_where_its_effect_is() {
    let console = Fixture::new().await;
    let acme = console.organization("acme", "Acme", ["boss", "staff"]).await;
    let version = console
        .get(&console.admin, "/organizations/acme")
        .await
        .hidden("version");
    let saved = save(&console, &console.admin, &version, ("label", "Acme Inc."), "Acme").await;
    assert_eq!(saved.leads_to(), "/organizations/acme?done=saved");
    let page = console.get(&console.admin, saved.leads_to()).await;
    page.shows(200, &["Saved.", r#"value="Acme Inc.""#]);
    let field = ("external_member_groups", "staff, more");
    let saved = save(&console, &console.admin, &page.hidden("version"), field, "staff").await;
    assert_eq!(saved.leads_to(), "/organizations/acme/people?done=tags-saved");
    let now = console.directory.organization(acme.id).await.unwrap().unwrap();
    assert_eq!(now.tags.member.to_string(), "staff, more");
    assert_eq!(now.tags.admin.to_string(), "boss");
    assert_eq!(now.label, "Acme Inc.");
}

#[tokio::test]
async fn a_form_without_a_change_changes_nothing() {
    let console = Fixture::new().await;
    let acme = console.organization("acme", "Acme", ["boss", "staff"]).await;
    let saved = save(&console, &console.admin, "1", ("label", "Acme"), "Acme").await;
    assert_eq!(saved.leads_to(), "/organizations/acme?done=unchanged");
    let now = console.directory.organization(acme.id).await.unwrap().unwrap();
    assert_eq!(now.version, acme.version);
}

#[tokio::test]
async fn a_change_with_an_error_keeps_what_was_typed_and_the_version() {
    let console = Fixture::new().await;
    console.organization("acme", "Acme", ["boss", "staff"]).await;
    let version = console
        .get(&console.admin, "/organizations/acme")
        .await
        .hidden("version");
    let field = ("external_member_groups", "staff, \"CN=Ops");
    let reply = save(&console, &console.admin, &version, field, "staff").await;
    reply.shows(
        422,
        &[
            r##"<a href="#external_member_groups">"##,
            r#"value="staff, &#34;CN=Ops""#,
            r#"name="was.external_member_groups" value="staff""#,
        ],
    );
    assert_eq!(reply.hidden("version"), version);
    let reply = save(
        &console,
        &console.admin,
        &version,
        ("website", "javascript:alert(1)"),
        "",
    )
    .await;
    reply.shows(422, &[r##"<a href="#website">"##]);
    let reply = save(&console, &console.admin, &version, ("label", ""), "Acme").await;
    reply.shows(422, &[r##"<a href="#label">"##]);
}

#[tokio::test]
async fn a_change_meanwhile_is_shown_with_ones_own_change_in_it() {
    let console = Fixture::new().await;
    let acme = console.organization("acme", "Acme", ["boss", "staff"]).await;
    let version = console
        .get(&console.admin, "/organizations/acme")
        .await
        .hidden("version");
    let theirs = ("external_member_groups", "staff, theirs");
    save(&console, &console.admin, &version, theirs, "staff")
        .await
        .leads_to();
    let ours = ("external_member_groups", "staff, ours");
    let reply = save(&console, &console.admin, &version, ours, "staff").await;
    reply.shows(
        409,
        &[
            "Your change is not saved: Acme was changed",
            " by the API key ",
            r#"name="external_member_groups" type="text" value="staff, theirs, ours""#,
            r#"name="was.external_member_groups" value="staff, theirs""#,
        ],
    );
    let now = console.directory.organization(acme.id).await.unwrap().unwrap();
    assert_eq!(now.tags.member.to_string(), "staff, theirs");
    let merged = ("external_member_groups", "staff, theirs, ours");
    let saved = save(
        &console,
        &console.admin,
        &reply.hidden("version"),
        merged,
        "staff, theirs",
    )
    .await;
    saved.leads_to();
    let now = console.directory.organization(acme.id).await.unwrap().unwrap();
    assert_eq!(now.tags.member.to_string(), "staff, theirs, ours");
}

#[tokio::test]
async fn an_admin_of_the_organization_changes_tags_and_reads_the_rules() {
    let console = Fixture::new().await;
    let acme = console.organization("acme", "Acme", ["boss", "staff"]).await;
    let own = console.admin_of(acme.id).await;
    let page = console.get(&own, "/organizations/acme").await;
    page.shows(
        200,
        &["<dt>Name in paths</dt><dd>acme</dd>", r#"name="external_admin_groups""#],
    );
    for hidden in [
        r#"name="name""#,
        r#"name="external_id""#,
        r#"name="membership""#,
        "Suspend",
    ] {
        assert!(!page.text.contains(hidden), "{hidden}");
    }
    let field = ("external_member_groups", "other");
    save(&console, &own, &page.hidden("version"), field, "staff")
        .await
        .leads_to();
}

#[tokio::test]
async fn a_viewer_reads_facts_and_no_fields() {
    let console = Fixture::new().await;
    console.organization("acme", "Acme", ["boss", "staff"]).await;
    let page = console.get(&console.viewer, "/organizations/acme").await;
    page.shows(
        200,
        &[
            "You may read Acme.",
            r#"<span class="tag">staff</span>"#,
            "<dd><code>acme</code></dd>",
        ],
    );
    let (_, main) = page.text.split_once("<main").unwrap();
    assert!(!main.contains("<input"), "{main}");
}

#[tokio::test]
async fn an_organization_is_suspended_after_a_question_and_opened_again() {
    let console = Fixture::new().await;
    let acme = console.organization("acme", "Acme", ["boss", "staff"]).await;
    let question = "/organizations/acme/suspend";
    let asked = console.get(&console.admin, question).await;
    asked.shows(200, &["<h1>Suspend Acme?</h1>", "<code>organization.suspended</code>"]);
    let late = console.post(&console.admin, question, &[("version", "999")]).await;
    late.shows(409, &["this changed meanwhile"]);
    let version = asked.hidden("version");
    let done = console.post(&console.admin, question, &[("version", &version)]).await;
    let page = console.get(&console.admin, done.leads_to()).await;
    page.shows(
        200,
        &["Suspended.", r#"<span class="state bad">Suspended</span>"#, "Open Acme"],
    );
    let status = async || console.directory.organization(acme.id).await.unwrap().unwrap().status;
    assert_eq!(status().await, OrganizationStatus::Suspended);
    let done = console.post(&console.admin, "/organizations/acme/open", &[]).await;
    assert_eq!(done.leads_to(), "/organizations/acme?done=opened");
    assert_eq!(status().await, OrganizationStatus::Active);
}

#[tokio::test]
async fn a_change_of_tags_is_previewed_before_it_is_saved() {
    let console = Fixture::new().await;
    let acme = console.organization("acme", "Acme", ["boss", "staff"]).await;
    console.token("chief", Some("Chief"), &["boss", "new"]).await;
    console.token("ada", Some("Ada"), &["new"]).await;
    console.directory.flush().await.unwrap();
    let form = console.get(&console.admin, "/organizations/acme").await;
    form.shows(200, &[r#"action="/organizations/acme/preview""#, "Preview changes"]);
    let version = form.hidden("version");
    let fields = [
        ("version", version.as_str()),
        ("external_admin_groups", "other"),
        ("was.external_admin_groups", "boss"),
        ("external_member_groups", "staff, new"),
        ("was.external_member_groups", "staff"),
    ];
    let preview = console
        .post(&console.admin, "/organizations/acme/preview", &fields)
        .await;
    preview.shows(
        200,
        &[
            "Acme would have no admin.",
            "1 lose",
            "1 gain",
            r#"<span class="tag minus">boss</span>"#,
            r#"<span class="tag plus">new</span>"#,
            "Save and change 2 people",
            r#"name="external_member_groups" value="staff, new""#,
        ],
    );
    let now = console.directory.organization(acme.id).await.unwrap().unwrap();
    assert_eq!(now.version, acme.version);
    let mut again = fields.to_vec();
    again.push(("needs", "last_admin"));
    let asked = console.post(&console.admin, "/organizations/acme", &again).await;
    asked.shows(422, &["Acme would have no admin."]);
    again.push(("confirm", "last_admin"));
    let saved = console.post(&console.admin, "/organizations/acme", &again).await;
    assert_eq!(saved.leads_to(), "/organizations/acme/people?done=tags-saved");
    let now = console.directory.organization(acme.id).await.unwrap().unwrap();
    assert_eq!(now.tags.admin.to_string(), "other");
}

#[tokio::test]
async fn a_change_that_touches_no_tag_is_saved_at_once() {
    let console = Fixture::new().await;
    console.organization("acme", "Acme", ["boss", "staff"]).await;
    let version = console
        .get(&console.admin, "/organizations/acme")
        .await
        .hidden("version");
    let fields = [
        ("version", version.as_str()),
        ("label", "Acme Inc."),
        ("was.label", "Acme"),
    ];
    let saved = console
        .post(&console.admin, "/organizations/acme/preview", &fields)
        .await;
    assert_eq!(saved.leads_to(), "/organizations/acme?done=saved");
}

#[tokio::test]
async fn sec_a_preview_shows_an_admin_of_the_organization_no_other_people() {
    let console = Fixture::new().await;
    let acme = console.organization("acme", "Acme", ["boss", "staff"]).await;
    let own = console.admin_of(acme.id).await;
    console.token("stranger", Some("Stranger"), &["new"]).await;
    console.directory.flush().await.unwrap();
    let fields = [
        ("external_member_groups", "staff, new"),
        ("was.external_member_groups", "staff"),
    ];
    let preview = console.post(&own, "/organizations/acme/preview", &fields).await;
    preview.shows(200, &["1 person who is not in it today would come in"]);
    assert!(!preview.text.contains("stranger"), "{}", preview.text);
}
