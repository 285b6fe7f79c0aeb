//! The people and teams of an organization.

use crate::fixture::Fixture;

const PEOPLE: &str = "/organizations/acme/people";
const ADD: &str = "/organizations/acme/people/add";

#[tokio::test]
async fn the_people_are_listed_with_role_and_source() {
    let console = Fixture::new().await;
    let acme = console.organization("acme", "Acme", ["boss", "staff"]).await;
    let own = console.admin_of(acme.id).await;
    console.get(&own, PEOPLE).await.shows(200, &["No person here yet"]);
    let user = console.token("ada", Some("Ada"), &["staff"]).await.user().id;
    let page = console.get(&own, PEOPLE).await;
    page.shows(
        200,
        &[
            r#"<td data-l="Role">Member</td>"#,
            r#"<b>Tag</b> <span class="tag">staff</span>"#,
            &format!(r#"<a class="btn slim" href="{PEOPLE}/{user}">Why</a>"#),
            "Add a person",
        ],
    );
    assert!(!page.text.contains(">Remove<"), "a tag gives it");
    let why = console.get(&own, &format!("{PEOPLE}/{user}")).await;
    why.shows(200, &["Ada has the role member in Acme", "<code>ada</code>"]);
    let platform = console.get(&console.admin, PEOPLE).await;
    platform.shows(200, &[&format!(r#"href="/users/{user}">Why</a>"#)]);
}

#[tokio::test]
async fn a_person_is_added_by_username_address_or_external_id() {
    let console = Fixture::new().await;
    console.organization("acme", "Acme", ["boss", "staff"]).await;
    console
        .get(&console.admin, ADD)
        .await
        .shows(200, &["<h1>Add a person to Acme</h1>", r#"value="member" checked"#]);
    for (name, person) in [("ada", "ada"), ("bob", "bob@example.com"), ("eve", " eve ")] {
        console.token(name, Some(name), &[]).await;
        let fields = [("person", person), ("role", "executor"), ("why", "Contractor")];
        let done = console.post(&console.admin, ADD, &fields).await;
        assert_eq!(done.leads_to(), format!("{PEOPLE}?done=added"));
    }
    let page = console.get(&console.admin, PEOPLE).await;
    page.shows(
        200,
        &[
            ">ada</a>",
            ">bob</a>",
            ">eve</a>",
            "<b>Manual</b>",
            "“Contractor”",
            ">Remove<",
        ],
    );
}

#[tokio::test]
async fn everything_typed_is_kept_when_a_person_is_not_added() {
    let console = Fixture::new().await;
    console.organization("acme", "Acme", ["boss", "staff"]).await;
    let fields = [("person", "nil"), ("role", "admin"), ("why", "Because")];
    let reply = console.post(&console.admin, ADD, &fields).await;
    reply.shows(
        422,
        &[
            r##"<a href="#person">"##,
            r#"value="nil""#,
            r#"value="admin" checked"#,
            r#"value="Because""#,
        ],
    );
    let unknown = [("person", "01kb2m7x4c9gq0r5v8y1zt6h3d"), ("role", "member")];
    let reply = console.post(&console.admin, ADD, &unknown).await;
    reply.shows(422, &[r##"<a href="#person">"##]);
}

#[tokio::test]
async fn sec_an_admin_of_an_organization_cannot_find_people_that_it_has_not_met() {
    let console = Fixture::new().await;
    let acme = console.organization("acme", "Acme", ["boss", "staff"]).await;
    let own = console.admin_of(acme.id).await;
    let stranger = console
        .token("stranger", Some("Stranger"), &[])
        .await
        .user()
        .id
        .to_string();
    let answer = async |person: &str| {
        let reply = console.post(&own, ADD, &[("person", person), ("role", "member")]).await;
        reply.page(422).replace(person, "PERSON")
    };
    assert_eq!(answer("stranger").await, answer("nil").await);
    assert_eq!(answer("stranger@example.com").await, answer("nil").await);
    assert_eq!(answer(&stranger).await, answer("01kb2m7x4c9gq0r5v8y1zt6h3d").await);
    console.token("met", Some("Met"), &["staff"]).await;
    let fields = [("person", "met"), ("role", "admin")];
    console.post(&own, ADD, &fields).await.leads_to();
}

#[tokio::test]
async fn a_manual_role_is_removed_after_a_question() {
    let console = Fixture::new().await;
    console.organization("acme", "Acme", ["boss", "staff"]).await;
    let user = console.token("ada", Some("Ada"), &[]).await.user().id;
    let fields = [("person", "ada"), ("role", "member")];
    console.post(&console.admin, ADD, &fields).await.leads_to();
    let question = format!("{PEOPLE}/{user}/end");
    console.get(&console.admin, &question).await.shows(
        200,
        &[
            "<h1>Remove Ada’s role?</h1>",
            "Ada has no role in Acme any more",
            r#"name="why""#,
        ],
    );
    let done = console.post(&console.admin, &question, &[("why", "Left")]).await;
    assert_eq!(done.leads_to(), format!("{PEOPLE}?done=removed"));
    console
        .get(&console.admin, done.leads_to())
        .await
        .shows(200, &["No person here yet", "The role is removed."]);
    console
        .get(&console.admin, &question)
        .await
        .shows(404, &["There is nothing here"]);
}

#[tokio::test]
async fn a_role_that_only_tags_give_is_explained_and_stays() {
    let console = Fixture::new().await;
    console.organization("acme", "Acme", ["boss", "staff"]).await;
    let user = console.token("ada", Some("Ada"), &["staff"]).await.user().id;
    let reply = console.post(&console.admin, &format!("{PEOPLE}/{user}/end"), &[]).await;
    reply.shows(
        422,
        &[
            "Only tags give the role that is left",
            "keeps the role that tokens give",
        ],
    );
}

#[tokio::test]
async fn an_organization_of_tokens_only_offers_no_manual_roles() {
    let console = Fixture::new().await;
    console.organization("acme", "Acme", ["boss", "staff"]).await;
    let version = console
        .get(&console.admin, "/organizations/acme")
        .await
        .hidden("version");
    let fields = [
        ("version", version.as_str()),
        ("membership", "external_only"),
        ("was.membership", "mixed"),
    ];
    console
        .post(&console.admin, "/organizations/acme", &fields)
        .await
        .leads_to();
    let page = console.get(&console.admin, PEOPLE).await;
    page.shows(200, &["manual roles are not allowed"]);
    assert!(!page.text.contains("Add a person"));
    console.token("ada", None, &[]).await;
    let reply = console
        .post(&console.admin, ADD, &[("person", "ada"), ("role", "member")])
        .await;
    reply.shows(422, &["external_only"]);
}

#[tokio::test]
async fn teams_are_listed_and_created() {
    let console = Fixture::new().await;
    console.organization("acme", "Acme", ["boss", "staff"]).await;
    let teams = "/organizations/acme/teams";
    console
        .get(&console.admin, teams)
        .await
        .shows(200, &["No team yet", "Create a team"]);
    let done = console.post(&console.admin, teams, &[("name", "Night shift")]).await;
    let page = console.get(&console.admin, done.leads_to()).await;
    page.shows(200, &["Created.", r#"">Night shift</a></th>"#]);
    let reply = console.post(&console.admin, teams, &[("name", " ")]).await;
    reply.shows(422, &[r##"<a href="#name">"##]);
}
