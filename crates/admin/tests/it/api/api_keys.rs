//! `/api-keys`

use serde_json::json;

use crate::api::Fixture;

#[tokio::test]
async fn a_key_is_shown_once_works_and_is_revoked() {
    let api = Fixture::new().await;
    let reply = api
        .call("POST", "/api-keys", Some(json!({"name": "export", "role": "viewer"})))
        .await;
    let made = reply.expect(201);
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    assert!(key.starts_with("nx_") && key.len() == 46);
    assert_eq!(
        [&made["role"], &made["organization_id"], &made["expires_at"]],
        [&json!("viewer"), &json!(null), &json!(null)]
    );
    api.call_as(key, "GET", "/users", None).await.expect(200);
    api.call_as(key, "POST", "/users", Some(json!({"external_id": "x"})))
        .await
        .problem(403, "platform.role");

    let listed = api.get("/api-keys").await;
    let shown = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["id"] == id)
        .unwrap();
    assert!(shown.get("key").is_none() && shown.get("hash").is_none());

    api.call("DELETE", &format!("/api-keys/{id}"), None).await.expect(204);
    let refused = api.call_as(key, "GET", "/users", None).await;
    assert!(refused.problem(401, "api_key.revoked").contains("revoked"));
    assert_eq!(refused.header("www-authenticate"), "Bearer error=\"invalid_token\"");
    api.call("DELETE", &format!("/api-keys/{id}"), None)
        .await
        .problem(404, "resource.unknown");
    api.call("DELETE", "/api-keys/nonsense", None)
        .await
        .problem(404, "resource.unknown");
}

#[tokio::test]
async fn a_key_ends_when_its_time_is_over() {
    let api = Fixture::new().await;
    let body = json!({"name": "x", "role": "admin", "expires_at": "2023-11-14T22:13:21Z"});
    let made = api.post("/api-keys", body).await;
    let key = made["key"].as_str().unwrap();
    api.call_as(key, "GET", "/users", None).await.expect(200);
    api.clock.advance(1_000);
    api.call_as(key, "GET", "/users", None)
        .await
        .problem(401, "api_key.expired");
    let past = json!({"name": "x", "role": "admin", "expires_at": "2023-11-14T22:13:21Z"});
    api.call("POST", "/api-keys", Some(past))
        .await
        .problem(422, "resource.invalid");
}

#[tokio::test]
async fn a_key_may_reach_one_organization_only() {
    let api = Fixture::new().await;
    api.post("/organizations", json!({"name": "acme"})).await;
    api.post("/organizations", json!({"name": "umbrella"})).await;
    let made = api
        .post(
            "/api-keys",
            json!({"name": "x", "role": "admin", "organization": "acme"}),
        )
        .await;
    assert_eq!(made["organization_id"], api.get("/organizations/acme").await["id"]);
    let key = made["key"].as_str().unwrap();
    api.call_as(key, "GET", "/organizations/acme/members", None)
        .await
        .expect(200);
    // Another organization and none look the same from outside.
    let other = api
        .call_as(key, "GET", "/organizations/umbrella", None)
        .await
        .problem(403, "organization.role");
    let none = api
        .call_as(key, "GET", "/organizations/nowhere", None)
        .await
        .problem(403, "organization.role");
    assert_eq!(other, none);
    let viewer = json!({"name": "x", "role": "viewer", "organization": "acme"});
    api.call("POST", "/api-keys", Some(viewer))
        .await
        .problem(422, "resource.invalid");
    let unknown = json!({"name": "x", "role": "admin", "organization": "nowhere"});
    api.call("POST", "/api-keys", Some(unknown))
        .await
        .problem(404, "resource.unknown");
}

/// A use is recorded beside the request, and not more than once a minute.
#[tokio::test]
async fn a_key_says_when_it_was_last_used() {
    let api = Fixture::new().await;
    let made = api.post("/api-keys", json!({"name": "x", "role": "viewer"})).await;
    let key = made["key"].as_str().unwrap();
    let last_used = async || {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        let listed = api.get("/api-keys").await;
        let items = listed["items"].as_array().unwrap();
        let found = items.iter().find(|item| item["id"] == made["id"]).unwrap();
        found["last_used_at"].clone()
    };
    assert_eq!(last_used().await, json!(null));
    for (later_ms, used) in [
        (0, "2023-11-14T22:13:20.000Z"),
        (59_000, "2023-11-14T22:13:20.000Z"),
        (1_000, "2023-11-14T22:14:20.000Z"),
    ] {
        api.clock.advance(later_ms);
        api.call_as(key, "GET", "/users", None).await.expect(200);
        assert_eq!(last_used().await, used);
    }
    // What is refused is no use.
    api.clock.advance(60_000);
    api.call_as(&format!("{key}x"), "GET", "/users", None).await.expect(401);
    assert_eq!(last_used().await, "2023-11-14T22:14:20.000Z");
}
