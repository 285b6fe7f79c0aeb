//! The page `/tags`.

use narthex_directory::TokenSync as _;

use crate::fixture::Fixture;

#[tokio::test]
async fn near_misses_come_first_with_the_character_that_differs() {
    let console = Fixture::new().await;
    console.get(&console.admin, "/tags").await.shows(200, &["No tag yet"]);
    console.organization("acme", "Acme", ["boss", "Staff"]).await;
    console
        .token("ada", None, &["staff", "boss", "other", " platform-admins"])
        .await;
    console.directory.flush().await.unwrap();
    let page = console.get(&console.admin, "/tags").await;
    page.shows(
        200,
        &[
            r#"<span class="tag near"><mark>s</mark>taff</span>"#,
            r#"<span class="tag near"><mark>S</mark>taff</span><small>Upper and lower case differ</small>"#,
            r#"Admin of <a href="/organizations/acme">acme</a>"#,
            r#"<span class="tag off">other</span>"#,
            "the issuer idp, platform admins",
            r#"<span class="state warn">Near miss</span>"#,
        ],
    );
    assert!(page.text.find("Near misses") < page.text.find("All tags"));
}

#[tokio::test]
async fn a_near_miss_is_shown_at_its_list_and_corrected_by_a_preview() {
    let console = Fixture::new().await;
    let acme = console
        .organization("acme", "Acme", ["boss", "staff, MemberTag2"])
        .await;
    console.token("grace", Some("Grace Ito"), &["memberTag2"]).await;
    console.token("ada", None, &["staff"]).await;
    console.directory.flush().await.unwrap();
    let page = console.get(&console.admin, "/organizations/acme").await;
    page.shows(
        200,
        &[
            r#"<span class="tag">staff</span><small>Last seen in a token"#,
            r#"<b>No token carries <span class="tag near"><mark>M</mark>emberTag2</span>.</b>"#,
            "Use memberTag2 instead",
        ],
    );
    let (_, rest) = page.text.split_once(r#"name="replace" value=""#).unwrap();
    let replace = rest.split('"').next().unwrap().replace("&#38;", "&");
    let version = page.hidden("version");
    let fields = [
        ("version", version.as_str()),
        ("external_member_groups", "staff, MemberTag2"),
        ("was.external_member_groups", "staff, MemberTag2"),
        ("replace", &replace),
    ];
    let preview = console
        .post(&console.admin, "/organizations/acme/preview", &fields)
        .await;
    preview.shows(200, &["Grace Ito", r#"value="staff, memberTag2""#, "1 gain"]);
    let own = console.admin_of(acme.id).await;
    let own = console.get(&own, "/organizations/acme").await;
    assert!(
        !own.page(200).contains("memberTag2"),
        "it is a tag of people that acme has not met"
    );
}
