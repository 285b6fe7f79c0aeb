use serde_json::json;

use crate::api::Fixture;

#[tokio::test]
async fn an_unknown_user_and_text_that_is_no_id_are_both_unknown() {
    let api = Fixture::new().await;
    let by_id = "users are named by their ids here; `GET /api/v1/users` shows them";
    for (id, told) in [
        ("01hf7yat000000000000000019", "no such user"),
        ("ada", by_id),
        ("01HF7YAT000000000000000019", by_id),
    ] {
        let reply = api.call("GET", &format!("/users/{id}"), None).await;
        assert_eq!(reply.problem(404, "resource.unknown"), told);
    }
}

#[tokio::test]
async fn shows_what_tokens_said() {
    let api = Fixture::new().await;
    let principal = api.sign_in("ada", &["platform-admins"]).await;
    let user = api.get(&format!("/users/{}", principal.user().id)).await;
    assert_eq!(user["platform_role"], "admin");
    assert_eq!(user["email"], json!("ada@example.com"));
}
