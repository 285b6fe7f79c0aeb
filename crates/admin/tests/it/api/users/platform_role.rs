use serde_json::json;

use crate::api::Fixture;

#[tokio::test]
async fn is_given_and_taken_by_hand_with_a_reason_on_record() {
    let api = Fixture::new().await;
    let id = api.sign_in("ada", &[]).await.user().id;
    let path = format!("/users/{id}/platform-role");
    let grant = api
        .call("PUT", &path, Some(json!({"role": "viewer", "why": "audit"})))
        .await
        .expect(200);
    assert_eq!(grant["scope"], json!({"kind": "platform", "id": null, "name": null}));
    assert_eq!(
        [&grant["role"], &grant["source"], &grant["why"]],
        ["viewer", "manual", "audit"]
    );
    assert_eq!(api.get(&format!("/users/{id}")).await["platform_role"], "viewer");

    api.clock.advance(1_000);
    api.call("PUT", &path, Some(json!({"role": "admin"}))).await.expect(200);
    assert_eq!(api.get(&format!("/users/{id}")).await["platform_role"], "admin");
    api.call("DELETE", &format!("{path}?why=done"), None).await.expect(204);
    assert_eq!(api.get(&format!("/users/{id}")).await["platform_role"], "user");
    api.call("DELETE", &path, None).await.problem(404, "resource.unknown");

    let all = api.get(&format!("/users/{id}/grants?all=true")).await;
    let closed: Vec<_> = all["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|grant| grant["role"].clone())
        .collect();
    assert_eq!(closed, ["viewer", "admin"]);
    assert_eq!(all["items"][1]["revoked_why"], "done");
}

#[tokio::test]
async fn what_a_tag_gives_is_not_taken_by_hand_and_the_answer_says_what_to_do() {
    let api = Fixture::new().await;
    let id = api.sign_in("ada", &["platform-admins"]).await.user().id;
    let path = format!("/users/{id}/platform-role");
    let detail = api.call("DELETE", &path, None).await.problem(409, "resource.conflict");
    assert!(detail.contains("`platform-admins` of the issuer `idp`"), "{detail}");
    assert!(detail.contains("`platform_admin` list"), "{detail}");
    assert_eq!(api.get(&format!("/users/{id}")).await["platform_role"], "admin");
    api.gateway.in_force("another", "");
    api.call("DELETE", &path, None).await.problem(404, "resource.unknown");
}

#[tokio::test]
async fn user_is_no_role_to_give() {
    let api = Fixture::new().await;
    let id = api.sign_in("ada", &[]).await.user().id;
    let reply = api
        .call(
            "PUT",
            &format!("/users/{id}/platform-role"),
            Some(json!({"role": "user"})),
        )
        .await;
    reply.problem(422, "resource.invalid");
}
