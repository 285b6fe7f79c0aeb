use serde_json::{Value, json};

use crate::api::Fixture;

#[tokio::test]
async fn refuses_tokens_issued_until_now_until_an_administrator_accepts_them_again() {
    let api = Fixture::new().await;
    let id = api.sign_in("ada", &[]).await.user().id;
    api.clock.advance(60_000);
    let reply = api.call("POST", &format!("/users/{id}/revoke-tokens"), None).await;
    let user = reply.expect(200);
    assert_eq!(user["tokens_not_before"], "2023-11-14T22:14:20.000Z");
    assert!(user["note"].as_str().unwrap().contains("without `iat`"), "{user}");
    assert!(!reply.header("etag").is_empty());

    let path = format!("/users/{id}");
    let set = json!({"tokens_not_before": "2023-11-14T22:14:20Z"});
    let detail = api
        .call("PATCH", &path, Some(set))
        .await
        .problem(422, "resource.invalid");
    assert!(detail.contains("revoke-tokens"), "{detail}");
    let user = api.call("PATCH", &path, Some(json!({"name": "Ada"}))).await.expect(200);
    assert_eq!(user["tokens_not_before"], "2023-11-14T22:14:20.000Z", "absent stays");
    let user = api
        .call("PATCH", &path, Some(json!({"tokens_not_before": null})))
        .await
        .expect(200);
    assert_eq!(user["tokens_not_before"], Value::Null);
    let events = api.get("/audit-events?action=user.updated").await;
    let told = events["items"][0].to_string();
    assert!(told.contains("tokens_not_before"), "{told}");
}
