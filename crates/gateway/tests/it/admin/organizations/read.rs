use serde_json::json;

use crate::admin::Fixture;

#[tokio::test]
async fn is_found_by_id_and_by_name() {
    let api = Fixture::new().await;
    let made = api.post("/organizations", json!({"name": "acme"})).await;
    assert_eq!(api.get("/organizations/acme").await, made);
    assert_eq!(
        api.get(&format!("/organizations/{}", made["id"].as_str().unwrap()))
            .await,
        made
    );
    api.call("GET", "/organizations/Acme", None)
        .await
        .problem(404, "resource.unknown");
}

/// Nobody can hide an organization behind another one that is named after its id.
#[tokio::test]
async fn what_is_an_id_is_never_a_name() {
    let api = Fixture::new().await;
    let made = api.post("/organizations", json!({"name": "acme"})).await;
    let id = made["id"].as_str().unwrap();
    api.post("/organizations", json!({"name": id})).await;
    assert_eq!(api.get(&format!("/organizations/{id}")).await["name"], "acme");
}
