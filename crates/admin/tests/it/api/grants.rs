//! `/grants` and `members?as_of=`

use narthex_directory::{PlatformRole, ScopedRole};
use serde_json::json;

use crate::api::Fixture;

#[tokio::test]
async fn past_roles_are_listed_with_their_origin() {
    let api = Fixture::new().await;
    api.post(
        "/organizations",
        json!({"name": "acme", "external_member_groups": "staff"}),
    )
    .await;
    api.clock.advance(10_000);
    let ada = api.sign_in("ada", &["staff"]).await.user().id.to_string();
    // 2023-11-14T22:13:20Z is the start of the clock.
    api.clock.advance(10_000);
    api.sign_in("ada", &["none"]).await;
    let then = "as_of=2023-11-14T22:13:35Z";
    let past = api.get(&format!("/organizations/acme/members?{then}")).await;
    assert_eq!(
        (&past["items"][0]["user_id"], &past["items"][0]["role"]),
        (&json!(ada), &json!("member"))
    );
    let now = api.get("/organizations/acme/members").await;
    assert_eq!(now["items"], json!([]));
    let held = api
        .get(&format!("/grants?scope=organization&organization=acme&{then}"))
        .await;
    let role = &held["items"][0];
    assert_eq!((&role["role"], &role["role_now"]), (&json!("member"), &json!(null)));
    let grant = &role["grants"][0];
    assert_eq!(
        (&grant["grant"]["tag"], &grant["granted_by"]["kind"]),
        (&json!("staff"), &json!("token"))
    );
    assert_eq!(grant["revoked_by"]["kind"], "token");
    let csv = api
        .call(
            "GET",
            &format!("/grants?scope=organization&organization=acme&{then}&format=csv"),
            None,
        )
        .await;
    assert_eq!(csv.status.as_u16(), 200);
    assert!(csv.text().contains(",member,member,tag,"), "{}", csv.text());
    for query in ["scope=organization", "scope=galaxy", "team=x", "format=xml"] {
        let reply = api.call("GET", &format!("/grants?{query}"), None).await;
        assert_eq!(reply.status.as_u16(), 422, "{query}: {}", reply.text());
    }
}

#[tokio::test]
async fn sec_an_organizations_admin_asks_about_its_own_past_alone() {
    let api = Fixture::new().await;
    let acme = api.post("/organizations", json!({"name": "acme"})).await;
    api.post("/organizations", json!({"name": "umbrella"})).await;
    let id = acme["id"].as_str().unwrap().parse().unwrap();
    let admin = ScopedRole::Organization(id, narthex_directory::OrganizationRole::Admin);
    let key = api.key(admin).await;
    for (query, status) in [
        ("scope=organization&organization=acme", 200),
        ("scope=organization&organization=umbrella", 403),
        ("scope=platform", 403),
    ] {
        let reply = api.call_as(&key, "GET", &format!("/grants?{query}"), None).await;
        assert_eq!(reply.status.as_u16(), status, "{query}: {}", reply.text());
    }
    let viewer = api.key(ScopedRole::Platform(PlatformRole::Viewer)).await;
    let reply = api.call_as(&viewer, "GET", "/grants", None).await;
    assert_eq!(reply.status.as_u16(), 200);
}
