//! `Idempotency-Key` on creates.

use serde_json::json;

use super::Fixture;

const KEY: (&str, &str) = ("idempotency-key", "attempt-1");

#[tokio::test]
async fn the_same_create_again_is_answered_again_and_not_done_again() {
    let api = Fixture::new().await;
    for (path, body) in [
        ("/users", json!({"external_id": "a"})),
        ("/organizations", json!({"name": "acme"})),
        ("/organizations/acme/teams", json!({"name": "Night shift"})),
    ] {
        let first = api.call_with("POST", path, Some(body.clone()), &[KEY]).await;
        let again = api.call_with("POST", path, Some(body), &[KEY]).await;
        assert_eq!(first.expect(201), again.expect(201), "{path}");
        for header in ["location", "etag", "content-type"] {
            assert_eq!(first.header(header), again.header(header), "{path}");
            assert!(!first.header(header).is_empty());
        }
    }
    assert_eq!(
        api.get("/organizations/acme/teams").await["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn another_request_under_the_same_key_is_refused() {
    let api = Fixture::new().await;
    api.call_with("POST", "/users", Some(json!({"external_id": "a"})), &[KEY])
        .await
        .expect(201);
    let other = api
        .call_with("POST", "/users", Some(json!({"external_id": "b"})), &[KEY])
        .await;
    other.problem(422, "idempotency.key_reused");
    // Another actor's key, and the key elsewhere, are other keys.
    api.call_with("POST", "/organizations", Some(json!({"name": "acme"})), &[KEY])
        .await
        .expect(201);
    let made = api.post("/api-keys", json!({"name": "x", "role": "admin"})).await;
    let bearer = format!("Bearer {}", made["key"].as_str().unwrap());
    let headers = [KEY, ("authorization", bearer.as_str())];
    api.call_with("POST", "/users", Some(json!({"external_id": "b"})), &headers)
        .await
        .expect(201);
}

#[tokio::test]
async fn a_create_that_failed_may_be_tried_again() {
    let api = Fixture::new().await;
    api.gateway.realms.lock().unwrap().clear();
    let body = json!({"external_id": "a"});
    api.call_with("POST", "/users", Some(body.clone()), &[KEY])
        .await
        .problem(422, "resource.invalid");
    api.gateway.realms.lock().unwrap().push("main");
    api.call_with("POST", "/users", Some(body), &[KEY]).await.expect(201);
}

#[tokio::test]
async fn it_is_forgotten_after_a_day() {
    let api = Fixture::new().await;
    let body = json!({"external_id": "a"});
    api.call_with("POST", "/users", Some(body.clone()), &[KEY])
        .await
        .expect(201);
    api.clock.advance(24 * 3_600_000 + 1);
    api.call_with("POST", "/users", Some(body), &[KEY])
        .await
        .problem(409, "resource.exists");
}

/// A key that was shown once is not kept to be shown again.
#[tokio::test]
async fn an_api_key_is_not_shown_twice() {
    let api = Fixture::new().await;
    let body = json!({"name": "x", "role": "viewer"});
    let first = api
        .call_with("POST", "/api-keys", Some(body.clone()), &[KEY])
        .await
        .expect(201);
    let again = api.call_with("POST", "/api-keys", Some(body), &[KEY]).await.expect(201);
    assert!(first["key"].is_string());
    assert_eq!([&again["key"], &again["id"]], [&json!(null), &first["id"]]);
}

#[tokio::test]
async fn a_key_that_cannot_be_one_is_refused() {
    let api = Fixture::new().await;
    for key in ["", &"x".repeat(256), "ü"] {
        let reply = api
            .call_with(
                "POST",
                "/users",
                Some(json!({"external_id": "a"})),
                &[("idempotency-key", key)],
            )
            .await;
        reply.problem(400, "request.malformed");
    }
}
