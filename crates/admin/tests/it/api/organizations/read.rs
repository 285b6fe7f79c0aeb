use narthex_directory::{CountingIds, NewOrganization, OrganizationId, OrganizationName, People, TokenSync};
use serde_json::json;

use crate::api::Fixture;
use crate::api::fixture::NOW_MS;

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
    // No longer to be had, but perhaps kept from before.
    let acme = api.directory.organization(id.parse().unwrap()).await.unwrap().unwrap();
    let hiding = NewOrganization {
        id: OrganizationId::new(NOW_MS, &mut CountingIds(7_000)),
        name: OrganizationName::new(id).unwrap(),
        label: acme.label,
        realm: acme.realm,
        external_id: None,
        details: acme.details,
        tags: acme.tags,
        tag_patterns: true,
        membership: acme.membership,
        status: acme.status,
    };
    api.directory.create_organization(hiding, api.by()).await.unwrap();
    assert_eq!(api.get(&format!("/organizations/{id}")).await["name"], "acme");
}
