//! `/explain`

use serde_json::json;

use crate::api::Fixture;

#[tokio::test]
async fn hands_the_token_and_the_request_to_explain() {
    let api = Fixture::new().await;
    let body = json!({"token": "a.b.c", "request": {"method": "POST", "path": "/v1/x", "headers": {"x-a": "b"}}, "at": "2023-11-14T22:13:20Z"});
    api.call("POST", "/explain", Some(body)).await.expect(200);
    let asked = api.gateway.explained.lock().unwrap().pop().unwrap();
    assert_eq!(asked.token, "a.b.c");
    let request = asked.request.unwrap();
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/v1/x"));
    assert_eq!(asked.at_ms, Some(crate::api::fixture::NOW_MS));
}

#[tokio::test]
async fn a_token_is_never_printed() {
    let api = Fixture::new().await;
    api.call("POST", "/explain", Some(json!({"token": "a.secret.c"})))
        .await
        .expect(200);
    let asked = api.gateway.explained.lock().unwrap().pop().unwrap();
    assert!(!format!("{asked:?}").contains("secret"));
}
