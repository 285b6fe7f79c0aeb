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
