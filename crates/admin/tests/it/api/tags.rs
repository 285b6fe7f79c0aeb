//! `/tags`

use narthex_directory::TokenSync;
use serde_json::json;

use crate::api::Fixture;

#[tokio::test]
async fn a_seen_tag_shows_who_lists_it_for_which_role_and_who_nearly_does() {
    let api = Fixture::new().await;
    let body = json!({"name": "acme", "external_admin_groups": "staff", "external_member_groups": "staff"});
    let acme = api.post("/organizations", body).await;
    api.add_realm("two");
    api.post(
        "/organizations",
        json!({"name": "other", "realm": "two", "external_member_groups": "staff"}),
    )
    .await;
    api.sign_in("ada", &["staff", "Staff"]).await;
    // What tokens carried is written down off the request.
    api.directory.flush().await.unwrap();
    let page = api.get("/tags?realm=main").await;
    let row = |tag: &str, organizations: serde_json::Value, near_misses: serde_json::Value| {
        json!({
            "realm": "main", "tag": tag, "first_seen_at": "2023-11-14T22:13:20.000Z",
            "last_seen_at": page["items"][0]["last_seen_at"], "organizations": organizations,
            "near_misses": near_misses,
        })
    };
    let listed = json!([{"organization_id": acme["id"], "name": "acme", "role": "admin"}]);
    let near =
        json!([{"organization_id": acme["id"], "name": "acme", "issuer": null, "listed": "staff", "differs": "case"}]);
    let rows = [row("Staff", json!([]), near), row("staff", listed, json!([]))];
    assert_eq!(page["items"], json!(rows));
    assert_eq!(api.get("/tags?realm=two").await["items"], json!([]));
}

#[tokio::test]
async fn a_tag_that_nearly_makes_platform_admins_shows_whose_list_it_misses() {
    let api = Fixture::new().await;
    api.sign_in("ada", &[" platform-admins"]).await;
    api.sign_in("bob", &["platform-admins"]).await;
    api.directory.flush().await.unwrap();
    let page = api.get("/tags").await;
    let near = json!([{"organization_id": null, "name": null, "issuer": "idp", "listed": "platform-admins", "differs": "blanks"}]);
    assert_eq!(page["items"][0]["near_misses"], near);
    assert_eq!(page["items"][1]["near_misses"], json!([]), "it is the tag itself");
}
