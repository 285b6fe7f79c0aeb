use axum::body::Body;
use http::Request;
use serde_json::json;

use crate::api::{Fixture, Reply};

const PATH: &str = "/organizations/acme/logo";

async fn put(api: &Fixture, media_type: &str, bytes: Vec<u8>) -> Reply {
    let request = Request::put(format!("/api/v1{PATH}"))
        .header("authorization", format!("Bearer {}", api.admin))
        .header("content-type", media_type)
        .body(Body::from(bytes));
    api.send(request.unwrap()).await
}

#[tokio::test]
async fn is_kept_shown_and_removed() {
    let api = Fixture::new().await;
    api.post("/organizations", json!({"name": "acme"})).await;
    api.call("GET", PATH, None).await.problem(404, "resource.unknown");
    let picture = [b"\x89PNG\r\n\x1a\n".as_slice(), &vec![0; 200_000]].concat();
    assert_eq!(
        put(&api, "image/png", picture.clone()).await.expect(200)["has_logo"],
        true
    );
    let shown = api.call("GET", PATH, None).await;
    assert_eq!((shown.status.as_u16(), &shown.bytes), (200, &picture));
    assert_eq!(shown.header("content-type"), "image/png");
    assert_eq!(shown.header("x-content-type-options"), "nosniff");
    assert!(shown.header("content-security-policy").contains("default-src 'none'"));
    api.call("DELETE", PATH, None).await.expect(204);
    assert_eq!(api.get("/organizations/acme").await["has_logo"], false);
}

#[tokio::test]
async fn is_judged_by_its_bytes() {
    let api = Fixture::new().await;
    api.post("/organizations", json!({"name": "acme"})).await;
    let script = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>".to_vec();
    put(&api, "image/png", script.clone())
        .await
        .problem(422, "resource.invalid");
    put(&api, "image/svg+xml", script)
        .await
        .problem(415, "request.media_type");
    let jpeg = |length: usize| [vec![0xff, 0xd8, 0xff], vec![0; length]].concat();
    put(&api, "image/jpeg", jpeg(1_048_573)).await.expect(200);
    put(&api, "image/jpeg", jpeg(1_048_574))
        .await
        .problem(422, "resource.invalid");
    put(&api, "image/jpeg", jpeg(2_097_152))
        .await
        .problem(413, "request.too_large");
}
