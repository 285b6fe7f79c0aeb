//! The gRPC mode, asked by the client that Envoy's protocol gives.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use envoy_types::ext_authz::v3::pb::{Address, CheckRequest, CheckResponse, HttpResponse};
use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{self, HttpRequest};
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, authorization_client::AuthorizationClient};
use envoy_types::pb::google::protobuf::value::Kind;
use futures_util::stream;
use http::{Request, Version};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use crate::port::{Loopback, open};

fn check(method: &str, path: &str, headers: &[(&str, &str)]) -> CheckRequest {
    let line = |(key, value): &(&str, &str)| core::HeaderValue {
        key: (*key).to_owned(),
        raw_value: value.as_bytes().to_vec(),
        ..core::HeaderValue::default()
    };
    let http = HttpRequest {
        method: method.to_owned(),
        path: path.to_owned(),
        host: "app.test".to_owned(),
        header_map: Some(core::HeaderMap {
            headers: headers.iter().map(line).collect(),
        }),
        ..HttpRequest::default()
    };
    let source = core::SocketAddress {
        address: "192.0.2.7".to_owned(),
        ..core::SocketAddress::default()
    };
    CheckRequest {
        attributes: Some(AttributeContext {
            source: Some(attribute_context::Peer {
                address: Some(core::Address {
                    address: Some(Address::SocketAddress(source)),
                }),
                ..attribute_context::Peer::default()
            }),
            request: Some(attribute_context::Request {
                http: Some(http),
                ..attribute_context::Request::default()
            }),
            ..AttributeContext::default()
        }),
    }
}

async fn ask(address: SocketAddr, check: CheckRequest, timeout: Option<&'static str>) -> CheckResponse {
    let mut client = AuthorizationClient::connect(format!("http://{address}")).await.unwrap();
    let mut request = tonic::Request::new(check);
    if let Some(timeout) = timeout {
        request.metadata_mut().insert("grpc-timeout", timeout.parse().unwrap());
    }
    client.check(request).await.unwrap().into_inner()
}

/// The reason and the status of a denial; `None` for an answer that allows.
fn denial(response: &CheckResponse) -> Option<(String, i32)> {
    let metadata = response.dynamic_metadata.as_ref().unwrap();
    let Some(Kind::StructValue(facts)) = &metadata.fields["narthex"].kind else {
        panic!("no facts: {metadata:?}");
    };
    let fact = |name: &str| match facts.fields.get(name).and_then(|value| value.kind.as_ref()) {
        Some(Kind::StringValue(fact)) => fact.clone(),
        _ => String::new(),
    };
    assert!(!fact("request_id").is_empty(), "{facts:?}");
    match response.http_response.as_ref().unwrap() {
        HttpResponse::OkResponse(_) => {
            assert_eq!(
                (response.status.as_ref().unwrap().code, fact("decision")),
                (0, "allow".to_owned())
            );
            None
        }
        HttpResponse::DeniedResponse(denied) => {
            assert_ne!(response.status.as_ref().unwrap().code, 0);
            assert_eq!(fact("decision"), "deny");
            Some((fact("reason"), denied.status.as_ref().unwrap().code))
        }
        HttpResponse::ErrorResponse(error) => panic!("neither allowed nor denied: {error:?}"),
    }
}

fn denied(reason: &str, status: i32) -> (String, i32) {
    (reason.to_owned(), status)
}

#[tokio::test]
async fn a_request_that_may_pass_is_allowed_without_what_its_client_forged() {
    let (address, _engine) = open(Loopback::Trusted).await;
    let headers = [
        ("x-narthex-user", "root"),
        ("X_Narthex.User", "root"),
        ("remote-user", "root"),
        ("x-original-url", "/other"),
        ("x-forwarded-host", "other.test"),
        ("x-mine", "kept"),
    ];
    let response = ask(address, check("GET", "/public/a%20b?c=%2F", &headers), None).await;
    assert_eq!(denial(&response), None);
    let Some(HttpResponse::OkResponse(ok)) = response.http_response else {
        panic!("it does not allow");
    };
    let set: Vec<&str> = ok
        .headers
        .iter()
        .map(|line| line.header.as_ref().unwrap().key.as_str())
        .collect();
    assert_eq!(set, ["x-narthex-decision", "x-narthex-request-id"]);
    assert_eq!(
        ok.headers_to_remove,
        [
            "remote-user",
            "x-forwarded-host",
            "x-narthex-user",
            "x-original-url",
            "x_narthex.user"
        ]
    );
    let to_client: Vec<&str> = ok
        .response_headers_to_add
        .iter()
        .map(|line| line.header.as_ref().unwrap().key.as_str())
        .collect();
    assert_eq!(to_client, ["x-narthex-request-id"]);
}

#[tokio::test]
async fn each_kind_of_denial_has_its_status_and_its_body() {
    let (address, engine) = open(Loopback::Trusted).await;
    for (method, path, headers, reason, status) in [
        ("GET", "/guarded", &[][..], "token.missing", 401),
        (
            "GET",
            "/guarded",
            &[("authorization", "Bearer x")],
            "token.malformed",
            401,
        ),
        ("GET", "/nowhere", &[], "route.unmatched", 404),
        ("GET", "/public//a", &[], "request.path", 400),
        ("GET", "/public/%2e%2e/guarded", &[], "request.path", 400),
        ("TRACE", "/public/a", &[], "request.method", 405),
        (
            "GET",
            "/public/a",
            &[("content_length", "3")],
            "request.unforwardable",
            400,
        ),
        (
            "GET",
            "/guarded",
            &[("authorization", "Bearer x"), ("authorization", "Bearer y")],
            "token.multiple",
            400,
        ),
    ] {
        let response = ask(address, check(method, path, headers), None).await;
        assert_eq!(denial(&response), Some(denied(reason, status)), "{method} {path}");
        let Some(HttpResponse::DeniedResponse(answer)) = response.http_response else {
            panic!("it does not deny");
        };
        assert!(
            answer.body.contains(&format!("\"reason\":\"{reason}\"")),
            "{}",
            answer.body
        );
    }
    let page = ask(address, check("GET", "/guarded", &[("accept", "text/html")]), None).await;
    let Some(HttpResponse::DeniedResponse(answer)) = page.http_response else {
        panic!("it does not deny");
    };
    assert!(answer.body.contains("<html"), "{}", answer.body);
    let counted = engine.metrics.render();
    let line = "narthex_decisions_total{door=\"ext_authz\",outcome=\"deny\",reason=\"token.missing\"} 2";
    assert!(counted.contains(line), "{counted}");
}

#[tokio::test]
async fn sec_a_check_without_an_attribute_is_a_denial() {
    let (address, _engine) = open(Loopback::Trusted).await;
    let response = ask(address, CheckRequest::default(), None).await;
    assert_eq!(denial(&response), Some(denied("request.path", 400)));
}

/// An error of gRPC would let the request pass where `failure_mode_allow` is set.
#[tokio::test]
async fn sec_a_check_that_cannot_be_read_is_a_denial_and_no_error() {
    let (address, _engine) = open(Loopback::Trusted).await;
    let mut large = check("POST", "/public/a", &[]);
    let http = large
        .attributes
        .as_mut()
        .unwrap()
        .request
        .as_mut()
        .unwrap()
        .http
        .as_mut()
        .unwrap();
    http.raw_body = vec![0; 2 << 20];
    let response = ask(address, large, None).await;
    assert_eq!(denial(&response), Some(denied("request.too_large", 413)));
    for garbage in [&b"\0\0\0\0\x03\xff\xff\xff"[..], b"\0\0\0\0\x09abc", b"garbage", b""] {
        let sent = stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from_static(garbage)))]);
        let request = Request::builder()
            .method("POST")
            .version(Version::HTTP_2)
            .uri(format!("http://{address}/envoy.service.auth.v3.Authorization/Check"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(StreamBody::new(sent))
            .unwrap();
        let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
        let response = client.request(request).await.unwrap();
        assert!(
            !response.headers().contains_key("grpc-status"),
            "{garbage:?}: {response:?}"
        );
        let answer = response.into_body().collect().await.unwrap();
        assert_eq!(answer.trailers().unwrap().get("grpc-status").unwrap(), "0");
        let answer = String::from_utf8_lossy(&answer.to_bytes()).into_owned();
        assert!(answer.contains("request.too_large"), "{garbage:?}: {answer}");
    }
}

#[tokio::test]
async fn sec_a_call_whose_deadline_has_passed_is_a_denial() {
    let (address, _engine) = open(Loopback::Trusted).await;
    // The client keeps a timeout that it can read, and would not wait for the answer.
    for timeout in ["soon", "999999999n"] {
        let response = ask(address, check("GET", "/public/a", &[]), Some(timeout)).await;
        assert_eq!(denial(&response), Some(denied("store.unavailable", 503)), "{timeout}");
    }
    assert_eq!(
        denial(&ask(address, check("GET", "/public/a", &[]), Some("5S")).await),
        None
    );
}

/// An answer holds a signed assertion, and rests on what the proxy says of the request.
#[tokio::test]
async fn sec_only_a_trusted_proxy_is_answered() {
    let (address, _engine) = open(Loopback::Untrusted).await;
    let response = ask(address, check("GET", "/public/a", &[]), None).await;
    assert_eq!(denial(&response), Some(denied("request.proxy_untrusted", 403)));
}

#[tokio::test]
async fn sec_a_preflight_takes_no_body_and_no_upgrade_along() {
    let (address, _engine) = open(Loopback::Trusted).await;
    let preflight = [
        ("origin", "https://spa.test"),
        ("access-control-request-method", "POST"),
    ];
    let overriding = [&preflight[..], &[("x-http-method-override", "OPTIONS")]].concat();
    let response = ask(address, check("OPTIONS", "/guarded", &overriding), None).await;
    assert_eq!(denial(&response), None);
    let Some(HttpResponse::OkResponse(ok)) = response.http_response else {
        panic!("it does not allow");
    };
    assert_eq!(ok.headers_to_remove, ["x-http-method-override"]);
    for more in [
        ("content-length", "3"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "websocket"),
    ] {
        let headers = [&preflight[..], &[more]].concat();
        let response = ask(address, check("OPTIONS", "/guarded", &headers), None).await;
        assert_eq!(
            denial(&response),
            Some(denied("request.unforwardable", 400)),
            "{more:?}"
        );
    }
}
