use crate::admin::Fixture;

#[tokio::test]
async fn refuses_tokens_issued_until_now() {
    let api = Fixture::new().await;
    let id = api.sign_in("ada", &[]).await.user().id;
    api.clock.advance(60_000);
    let reply = api.call("POST", &format!("/users/{id}/revoke-tokens"), None).await;
    let user = reply.expect(200);
    assert_eq!(user["tokens_not_before"], "2023-11-14T22:14:20.000Z");
    assert!(!reply.header("etag").is_empty());
}
