//! The pages below `/users`.

use crate::fixture::Fixture;

#[tokio::test]
async fn the_list_has_each_user_with_role_and_state() {
    let console = Fixture::new().await;
    console.get(&console.admin, "/users").await.shows(200, &["No user yet"]);
    console.token("ada", Some("Ada Lovelace"), &["platform-admins"]).await;
    console.token("bob", None, &[]).await;
    let reply = console.get(&console.admin, "/users").await;
    reply.shows(
        200,
        &[
            ">Ada Lovelace</a><small>ada@<wbr>example.com</small>",
            "<code>bob</code>",
            r#"<td data-l="Platform role">Admin</td>"#,
            r#"<span class="soft">User</span>"#,
            r#"<a class="btn slim" href="/users/new">Add a user</a>"#,
        ],
    );
}

#[tokio::test]
async fn a_search_shows_the_users_that_match_or_says_that_none_does() {
    let console = Fixture::new().await;
    console.token("ada", Some("Ada Lovelace"), &[]).await;
    console.token("bob", Some("Bob"), &[]).await;
    let reply = console.get(&console.admin, "/users?q=lovelace").await;
    reply.shows(200, &["Ada Lovelace", r#"value="lovelace""#]);
    assert!(!reply.text.contains(">Bob<"));
    let none = console.get(&console.admin, "/users?q=xyz").await;
    none.shows(
        200,
        &["No person matches “xyz”. <a href=\"/users\">Clear the search</a>"],
    );
}

#[tokio::test]
async fn a_user_shows_each_role_and_where_it_came_from() {
    let console = Fixture::new().await;
    console.organization("acme", "Acme", ["boss", "staff"]).await;
    let user = console.token("ada", Some("Ada"), &["staff"]).await.user().id;
    let reply = console.get(&console.admin, &format!("/users/{user}")).await;
    reply.shows(
        200,
        &[
            "What Ada may do, and why",
            r#"<th scope="row">Member</th>"#,
            r#"<b>Tag</b> <span class="tag">staff</span>"#,
            r#"in a token from idp, <span class="mono">00ff00ff…</span>"#,
            "grant.opened",
            "a token of idp",
            "<dt>External ID</dt><dd><code>ada</code></dd>",
        ],
    );
}

#[tokio::test]
async fn a_role_that_gives_nothing_now_says_why() {
    let console = Fixture::new().await;
    console.organization("acme", "Acme", ["boss", "staff"]).await;
    let user = console.token("ada", Some("Ada"), &["staff"]).await.user().id;
    let form = console.get(&console.admin, "/organizations/acme").await;
    let version = form.hidden("version");
    let fields = [("external_member_groups", ""), ("version", &version)];
    console
        .post(&console.admin, "/organizations/acme", &fields)
        .await
        .leads_to();
    let reply = console.get(&console.admin, &format!("/users/{user}")).await;
    reply.shows(200, &["gives nothing now", "The organization no longer lists this tag"]);
}

#[tokio::test]
async fn a_user_is_created_and_shown() {
    let console = Fixture::new().await;
    console.get(&console.admin, "/users/new").await.shows(
        200,
        &[
            r#"<form class="card" method="post" action="/users/new">"#,
            "<option>main</option>",
        ],
    );
    let fields = [("external_id", "E-1"), ("name", "Ada"), ("email", "ada@example.com")];
    let reply = console.post(&console.admin, "/users/new", &fields).await;
    let address = reply.leads_to();
    assert!(address.ends_with("?done=created"), "{address}");
    let page = console.get(&console.admin, address).await;
    page.shows(200, &[r#"role="status""#, "Created.", "<code>E-1</code>", "never seen"]);
}

#[tokio::test]
async fn everything_typed_is_kept_when_a_user_is_not_created() {
    let console = Fixture::new().await;
    console.token("ada", None, &[]).await;
    let fields = [
        ("external_id", "other"),
        ("username", "ada"),
        ("name", "Ada Lovelace"),
        ("email", "ada@example.com"),
    ];
    let reply = console.post(&console.admin, "/users/new", &fields).await;
    reply.shows(
        422,
        &[
            r#"role="alert""#,
            r##"<a href="#username">"##,
            r#"aria-invalid="true""#,
            r#"value="other""#,
            r#"value="ada""#,
            r#"value="Ada Lovelace""#,
            r#"value="ada@example.com""#,
        ],
    );
}

#[tokio::test]
async fn a_user_is_disabled_after_a_question_and_enabled_again() {
    let console = Fixture::new().await;
    console.organization("acme", "Acme", ["boss", "staff"]).await;
    let user = console.token("ada", Some("Ada"), &["boss"]).await.user().id;
    let (page, question) = (format!("/users/{user}"), format!("/users/{user}/disable"));
    let asked = console.get(&console.admin, &question).await;
    asked.shows(
        200,
        &[
            "<h1>Disable Ada?</h1>",
            "<code>identity.disabled</code>",
            ": admin of acme.",
            "acme is left without an admin.",
            "Keep as it is",
        ],
    );
    let version = asked.hidden("version");
    let done = console.post(&console.admin, &question, &[("version", &version)]).await;
    assert_eq!(done.leads_to(), format!("{page}?done=disabled"));
    let shown = console.get(&console.admin, done.leads_to()).await;
    shown.shows(200, &[r#"<span class="state bad">Disabled</span>"#, "Enable"]);
    let done = console.post(&console.admin, &format!("{page}/enable"), &[]).await;
    let shown = console.get(&console.admin, done.leads_to()).await;
    shown.shows(200, &[r#"<span class="state good">Active</span>"#, "Enabled."]);
}

#[tokio::test]
async fn a_user_that_changed_meanwhile_is_asked_about_again() {
    let console = Fixture::new().await;
    let user = console.token("ada", Some("Ada"), &[]).await.user().id;
    let question = format!("/users/{user}/disable");
    for fields in [&[("version", "999")][..], &[]] {
        let reply = console.post(&console.admin, &question, fields).await;
        reply.shows(409, &["this changed meanwhile", "<h1>Disable Ada?</h1>"]);
    }
}

#[tokio::test]
async fn a_user_is_signed_out_everywhere_after_a_question() {
    let console = Fixture::new().await;
    let user = console.token("ada", Some("Ada"), &[]).await.user().id;
    let question = format!("/users/{user}/sign-out");
    console.get(&console.admin, &question).await.shows(
        200,
        &["<h1>Sign Ada out everywhere?</h1>", "<code>token.revoked</code>"],
    );
    let done = console.post(&console.admin, &question, &[]).await;
    let shown = console.get(&console.admin, done.leads_to()).await;
    shown.shows(200, &["Signed out everywhere.", "<dt>Signed out everywhere</dt>"]);
}

#[tokio::test]
async fn a_user_is_erased_once_the_username_is_typed() {
    let console = Fixture::new().await;
    let user = console.token("ada", Some("Ada"), &[]).await.user().id;
    let address = format!("/users/{user}/erase");
    console
        .get(&console.admin, &address)
        .await
        .shows(200, &["<h1>Erase Ada?</h1>", "Type the username to confirm"]);
    let typed = |name: &'static str| [("typed", name), ("version", "1")];
    console
        .post(&console.admin, &address, &typed("Ada"))
        .await
        .shows(422, &["This is not the username"]);
    let done = console.post(&console.admin, &address, &typed("ada")).await;
    let shown = console.get(&console.admin, done.leads_to()).await;
    shown.shows(200, &["Erased.", &format!("erased:{user}")]);
    assert!(!shown.page(200).contains("Ada"));
}
