use serde_json::{Value, json};

use crate::api::Fixture;

async fn ann(api: &Fixture) -> String {
    let user = api
        .post(
            "/users",
            json!({"external_id": "ann", "email": "forgetme@example.com", "name": "Ann Forgetme"}),
        )
        .await;
    format!("/users/{}", user["id"].as_str().unwrap())
}

#[tokio::test]
async fn an_erased_user_is_a_pseudonym_and_the_trail_names_no_person() {
    let api = Fixture::new().await;
    let path = ann(&api).await;
    let etag = api.call("GET", &path, None).await.header("etag").to_owned();
    api.call_with("DELETE", &path, None, &[("if-match", "\"7\"")])
        .await
        .problem(412, "resource.changed");
    let erased = api.call_with("DELETE", &path, None, &[("if-match", &etag)]).await;
    let erased = erased.expect(200);
    let pseudonym = format!("erased:{}", erased["id"].as_str().unwrap());
    assert_eq!(erased["pseudonym"], pseudonym);
    assert_eq!((&erased["refuses"], &erased["webhooks"]), (&json!("older"), &json!([])));
    let left = [api.get("/users").await, api.get("/audit-events").await];
    for left in left {
        assert!(!left.to_string().to_lowercase().contains("forgetme"), "{left}");
    }
    let user = api.get(&path).await;
    assert_eq!(
        [&user["status"], &user["external_id"], &user["email"]],
        [&json!("disabled"), &json!(pseudonym), &Value::Null]
    );
    api.call("DELETE", &path, None).await.problem(422, "resource.invalid");
    api.call("PATCH", &path, Some(json!({"status": "active"})))
        .await
        .problem(422, "resource.invalid");
}

#[tokio::test]
async fn a_refusal_of_all_tokens_is_lifted_once() {
    let api = Fixture::new().await;
    let path = ann(&api).await;
    let erased = api
        .call("DELETE", &format!("{path}?refuse_later_tokens=true&why=letter"), None)
        .await;
    assert_eq!(erased.expect(200)["refuses"], "all");
    let body = || Some(json!({"external_id": "ann"}));
    api.call("POST", "/users/lift-erasure", body()).await.expect(204);
    api.call("POST", "/users/lift-erasure", body())
        .await
        .problem(404, "resource.unknown");
}
