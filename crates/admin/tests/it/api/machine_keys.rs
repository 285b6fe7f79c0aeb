//! `/organizations/{organization}/machine-keys`

use narthex_directory::{OrganizationRole, ScopedRole};
use serde_json::json;

use crate::api::Fixture;

const PATH: &str = "/organizations/acme/machine-keys";

/// Two organizations, and the keys of their admins.
async fn two_organizations(api: &Fixture) -> [String; 2] {
    let mut admins = Vec::new();
    for name in ["acme", "umbrella"] {
        let made = api.post("/organizations", json!({"name": name})).await;
        let id = made["id"].as_str().unwrap().parse().unwrap();
        admins.push(api.key(ScopedRole::Organization(id, OrganizationRole::Admin)).await);
    }
    admins.try_into().unwrap()
}

#[tokio::test]
async fn a_machine_key_is_shown_once_and_is_revoked() {
    let api = Fixture::new().await;
    let [admin, _] = two_organizations(&api).await;
    let body = json!({"name": "nightly export", "role": "executor", "expires_at": "2023-12-14T22:13:20Z"});
    let made = api.call_as(&admin, "POST", PATH, Some(body)).await.expect(201);
    let key = made["key"].as_str().unwrap();
    assert!(key.starts_with("nxk_") && key.len() == 47);
    let organization = api.get("/organizations/acme").await;
    let mut shown = made.clone();
    shown.as_object_mut().unwrap().remove("key");
    assert_eq!(
        shown,
        json!({
            "id": made["id"], "organization_id": organization["id"], "name": "nightly export", "role": "executor",
            "created_at": "2023-11-14T22:13:20.000Z", "expires_at": "2023-12-14T22:13:20.000Z", "revoked_at": null,
            "last_used_at": null,
        })
    );
    assert_eq!(api.get(PATH).await["items"], json!([shown]));
    let one = format!("{PATH}/{}", made["id"].as_str().unwrap());
    assert_eq!(api.get(&one).await, shown);

    api.call_as(&admin, "DELETE", &one, None).await.expect(204);
    assert_eq!(api.get(&one).await["revoked_at"], "2023-11-14T22:13:20.000Z");
    api.call_as(&admin, "DELETE", &one, None)
        .await
        .problem(404, "resource.unknown");
    let events = api.get("/audit-events?action=machine_key.revoked").await;
    assert_eq!(events["items"][0]["detail"]["machine_key"], made["id"]);
}

#[tokio::test]
async fn every_machine_key_expires() {
    let api = Fixture::new().await;
    two_organizations(&api).await;
    let made = api.post(PATH, json!({"name": "x", "role": "member"})).await;
    assert_eq!(made["expires_at"], "2024-02-12T22:13:20.000Z", "after 90 days");
    for (body, why) in [
        (
            json!({"name": "x", "role": "member", "expires_at": "2023-11-14T22:13:20Z"}),
            "passed",
        ),
        (
            json!({"name": "x", "role": "member", "expires_at": "2024-11-15T22:13:20Z"}),
            "366",
        ),
        (json!({"name": " ", "role": "member"}), "empty"),
        (json!({"name": "x".repeat(129), "role": "member"}), "128"),
        (json!({"name": "a\u{202e}b", "role": "member"}), "direction"),
    ] {
        let refused = api.call("POST", PATH, Some(body.clone())).await;
        let detail = refused.problem(422, "resource.invalid");
        assert!(detail.contains(why), "{body}: {detail}");
    }
}

/// An organization's admins reach no key of another organization, by neither path.
#[tokio::test]
async fn sec_machine_keys_of_one_organization() {
    let api = Fixture::new().await;
    let [_, other] = two_organizations(&api).await;
    let made = api.post(PATH, json!({"name": "x", "role": "member"})).await;
    let id = made["id"].as_str().unwrap();
    for (method, path) in [
        ("GET", PATH.to_owned()),
        ("GET", format!("{PATH}/{id}")),
        ("DELETE", format!("{PATH}/{id}")),
    ] {
        let refused = api.call_as(&other, method, &path, None).await;
        refused.problem(403, "organization.role");
    }
    let body = json!({"name": "x", "role": "member"});
    let refused = api.call_as(&other, "POST", PATH, Some(body)).await;
    refused.problem(403, "organization.role");
    // By way of their own organization the key is not there.
    let own = format!("/organizations/umbrella/machine-keys/{id}");
    for method in ["GET", "DELETE"] {
        let refused = api.call_as(&other, method, &own, None).await;
        refused.problem(404, "resource.unknown");
    }
    assert_eq!(api.get(&format!("{PATH}/{id}")).await["revoked_at"], json!(null));
}

/// A machine key administers nothing, whatever its role is.
#[tokio::test]
async fn sec_machine_key_at_the_admin_api() {
    let api = Fixture::new().await;
    two_organizations(&api).await;
    let made = api.post(PATH, json!({"name": "x", "role": "admin"})).await;
    let key = made["key"].as_str().unwrap();
    for (method, path) in [
        ("GET", "/organizations/acme"),
        ("GET", "/users"),
        ("GET", PATH),
        ("POST", PATH),
    ] {
        let body = (method == "POST").then(|| json!({"name": "x", "role": "admin"}));
        let refused = api.call_as(key, method, path, body).await;
        let detail = refused.problem(401, "api_key.machine_key");
        assert!(detail.contains("machine key") && !detail.contains(key), "{detail}");
    }
}

/// The response that is remembered for `Idempotency-Key` has no key in it.
#[tokio::test]
async fn a_retry_shows_no_machine_key() {
    let api = Fixture::new().await;
    two_organizations(&api).await;
    let create = async || {
        let body = json!({"name": "x", "role": "member"});
        let headers = [("idempotency-key", "one")];
        api.call_with("POST", PATH, Some(body), &headers).await.expect(201)
    };
    let (first, again) = (create().await, create().await);
    assert!(first["key"].as_str().unwrap().starts_with("nxk_"));
    assert_eq!((&again["key"], &again["id"]), (&json!(null), &first["id"]));
}
