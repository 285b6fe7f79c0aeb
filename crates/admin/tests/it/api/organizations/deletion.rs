use serde_json::json;

use crate::api::Fixture;

#[tokio::test]
async fn an_organization_with_content_is_deleted_after_a_look_at_it() {
    let api = Fixture::new().await;
    api.post(
        "/organizations",
        json!({"name": "acme", "external_member_groups": "staff"}),
    )
    .await;
    api.post("/organizations/acme/teams", json!({"name": "Night shift"}))
        .await;
    api.sign_in("ann", &["staff"]).await;
    api.call("DELETE", "/organizations/acme", None)
        .await
        .problem(422, "resource.invalid");
    let preview = api.call("GET", "/organizations/acme/deletion", None).await;
    let etag = preview.header("etag").to_owned();
    let content = preview.expect(200);
    assert_eq!(
        [&content["members"], &content["teams"], &content["is_empty"]],
        [&json!(1), &json!(1), &json!(false)]
    );
    let address = "/organizations/acme?with_content=true&why=contract";
    api.call("DELETE", address, None)
        .await
        .problem(428, "resource.unconditional");
    api.call_with("DELETE", address, None, &[("if-match", "\"7\"")])
        .await
        .problem(412, "resource.changed");
    api.call_with("DELETE", address, None, &[("if-match", &etag)])
        .await
        .expect(204);
    api.call("GET", "/organizations/acme", None)
        .await
        .problem(404, "resource.unknown");
    api.call("POST", "/organizations", Some(json!({"name": "acme"})))
        .await
        .problem(409, "resource.exists");
}

#[tokio::test]
async fn a_deletion_is_lifted_once() {
    let api = Fixture::new().await;
    api.post("/organizations", json!({"name": "acme", "external_id": "4711"}))
        .await;
    api.call("DELETE", "/organizations/acme", None).await.expect(204);
    let body = || Some(json!({"external_id": "4711"}));
    api.call("POST", "/organization-deletions/lift", body())
        .await
        .expect(204);
    api.call("POST", "/organization-deletions/lift", body())
        .await
        .problem(404, "resource.unknown");
}
