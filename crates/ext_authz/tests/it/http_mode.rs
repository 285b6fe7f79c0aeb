//! The HTTP mode: only 200 lets a request pass.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use crate::port::{Loopback, open};

async fn ask(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap, String) {
    let mut request = Request::builder().method(method).uri(format!("http://{address}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = client
        .request(request.body(Full::<Bytes>::default()).unwrap())
        .await
        .unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (
        head.status.as_u16(),
        head.headers,
        String::from_utf8_lossy(&body).into_owned(),
    )
}

#[tokio::test]
async fn a_request_that_may_pass_gets_every_header_and_the_names_to_remove() {
    let (address, _engine) = open(Loopback::Trusted).await;
    let headers = [
        ("x-narthex-user", "root"),
        ("x_narthex_user", "root"),
        ("x-real-ip", "1.2.3.4"),
    ];
    let (status, answer, _) = ask(address, "POST", "/.narthex/auth/envoy/public/a%20b?c", &headers).await;
    assert_eq!(status, 200);
    assert_eq!(answer.get("x-narthex-decision").unwrap(), "allow");
    assert_eq!(answer.get("x-narthex-user").unwrap(), "");
    assert_eq!(
        answer.get("x-envoy-auth-headers-to-remove").unwrap(),
        "x-narthex-user,x-real-ip,x_narthex_user"
    );
}

#[tokio::test]
async fn sec_every_denial_is_another_status_than_200() {
    let (address, _engine) = open(Loopback::Trusted).await;
    for (method, path, headers, status, reason) in [
        ("GET", "/.narthex/auth/envoy/guarded", &[][..], 401, "token.missing"),
        ("GET", "/.narthex/auth/envoy/nowhere", &[], 404, "route.unmatched"),
        ("GET", "/.narthex/auth/envoy//public/a", &[], 400, "request.path"),
        ("TRACE", "/.narthex/auth/envoy/public/a", &[], 405, "request.method"),
        ("GET", "/.narthex/auth/envoy", &[], 400, "request.path"),
        ("GET", "/.narthex/auth/envoys/public/a", &[], 400, "request.path"),
        ("GET", "/public/a", &[], 404, "route.unmatched"),
        (
            "POST",
            "/envoy.service.auth.v3.Authorization/Check",
            &[("content-type", "application/grpc")],
            404,
            "route.unmatched",
        ),
        (
            "GET",
            "/.narthex/auth/envoy/public/a",
            &[("x-envoy-expected-rq-timeout-ms", "1")],
            403,
            "store.unavailable",
        ),
    ] {
        let (answered, answer, body) = ask(address, method, path, headers).await;
        assert_eq!(answered, status, "{method} {path}: {body}");
        assert_eq!(answer.get("x-narthex-reason").unwrap(), reason, "{method} {path}");
        assert_eq!(answer.get("x-narthex-decision").unwrap(), "deny");
        assert!(answer.contains_key("x-narthex-status"));
    }
}

#[tokio::test]
async fn sec_a_head_that_is_too_long_is_a_denial() {
    let (address, _engine) = open(Loopback::Trusted).await;
    let long = "a".repeat(100_000);
    let (status, _, _) = ask(address, "GET", "/.narthex/auth/envoy/public/a", &[("x-a", &long)]).await;
    assert_eq!(status, 431);
}

#[tokio::test]
async fn sec_only_a_trusted_proxy_is_answered_by_http() {
    let (address, _engine) = open(Loopback::Untrusted).await;
    let (status, answer, _) = ask(address, "GET", "/.narthex/auth/envoy/public/a", &[]).await;
    assert_eq!(status, 403);
    assert_eq!(answer.get("x-narthex-reason").unwrap(), "request.proxy_untrusted");
}
