use serde_json::json;

use crate::admin::Fixture;

#[tokio::test]
async fn an_unknown_user_and_text_that_is_no_id_are_both_unknown() {
    let api = Fixture::new().await;
    for id in ["01hf7yat000000000000000019", "ada", "01HF7YAT000000000000000019"] {
        let reply = api.call("GET", &format!("/users/{id}"), None).await;
        assert_eq!(reply.problem(404, "resource.unknown"), "no such user");
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
