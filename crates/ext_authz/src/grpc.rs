//! The gRPC mode: `envoy.service.auth.v3.Authorization/Check`.

use std::sync::Arc;

use bytes::Bytes;
use envoy_types::ext_authz::v3::pb::{
    Authorization, AuthorizationServer, CheckRequest, CheckResponse, HeaderAppendAction, HttpStatusCode,
};
use envoy_types::ext_authz::v3::{
    CheckResponseExt as _, DeniedHttpResponseBuilder, OkHttpResponseBuilder, ToHttpResponse,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use tonic::body::Body;
use tower_service::Service as _;

use crate::check::{self, AllowedCheck, Circumstances, DeniedCheck, Outcome};
use crate::original::Original;
use crate::server::Connection;

/// Path of the one method.
const CHECK_PATH: &str = "/envoy.service.auth.v3.Authorization/Check";

/// Upper limit of a call, in bytes. Narthex reads no body of a request; Envoy may send one all the same.
const CALL_BYTES_MAX: usize = 1 << 20;

/// Message of no bytes in the framing of gRPC: uncompressed, of length 0.
const EMPTY_MESSAGE: &[u8] = &[0; 5];

/// Tests whether a request is a gRPC call of the method.
///
/// SECURITY: an answer of gRPC has the status 200 also when it denies, and in the HTTP mode 200 lets a request pass. Envoy
/// states the length of a request in the HTTP mode always, and of a gRPC call never.
pub(crate) fn is_call<B>(request: &Request<B>) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    request.uri().path() == CHECK_PATH
        && request.method() == Method::POST
        && request.version() == Version::HTTP_2
        && !request.headers().contains_key(header::CONTENT_LENGTH)
        && content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// The service for one call.
struct Checks {
    connection: Arc<Connection>,
    about: Circumstances,
}

#[tonic::async_trait]
impl Authorization for Checks {
    async fn check(
        &self,
        request: tonic::Request<CheckRequest>,
    ) -> Result<tonic::Response<CheckResponse>, tonic::Status> {
        let Connection { engine, head_bytes, .. } = &*self.connection;
        let original = Original::from_check(request.into_inner(), *head_bytes);
        let outcome = check::check(engine, self.about, original).await;
        Ok(tonic::Response::new(check_response(outcome).await))
    }
}

/// A service that gives one answer, whatever it is asked.
struct Fixed(CheckResponse);

#[tonic::async_trait]
impl Authorization for Fixed {
    async fn check(&self, _: tonic::Request<CheckRequest>) -> Result<tonic::Response<CheckResponse>, tonic::Status> {
        Ok(tonic::Response::new(self.0.clone()))
    }
}

/// Answers one call; `None` if it is no call that can be read.
pub(crate) async fn answer(
    connection: Arc<Connection>,
    about: Circumstances,
    request: Request<Incoming>,
) -> Option<Response<Body>> {
    let checks = Checks { connection, about };
    let mut service = AuthorizationServer::new(checks).max_decoding_message_size(CALL_BYTES_MAX);
    let Ok(response) = service.call(request).await;
    let is_error = response.headers().contains_key(tonic::Status::GRPC_STATUS) || response.status() != StatusCode::OK;
    // SECURITY: an error of gRPC lets the request pass where `failure_mode_allow` is set.
    (!is_error).then_some(response)
}

/// Encodes an outcome without a call.
pub(crate) async fn encoded(outcome: Outcome) -> Response<Body> {
    let mut service = AuthorizationServer::new(Fixed(check_response(outcome).await));
    let mut request = Request::new(Full::new(Bytes::from_static(EMPTY_MESSAGE)));
    *request.uri_mut() = http::Uri::from_static(CHECK_PATH);
    let Ok(response) = service.call(request).await;
    response
}

/// Returns the message for an outcome.
async fn check_response(outcome: Outcome) -> CheckResponse {
    let (status, http_response, facts) = match outcome {
        Outcome::Allowed(allowed) => {
            let AllowedCheck {
                changes,
                to_client,
                facts,
                ..
            } = *allowed;
            let mut answer = OkHttpResponseBuilder::new();
            let overwrite = || Some(HeaderAppendAction::OverwriteIfExistsOrAdd);
            for (name, value) in &changes.set {
                answer.add_header(name.as_str(), text(value), overwrite(), true);
            }
            if let Some(target) = changes.target {
                answer.add_header(":path", target, overwrite(), true);
            }
            for name in &changes.removed {
                answer.remove_header(name.as_str());
            }
            for (name, value, action) in lines(&to_client) {
                answer.add_response_header(name, value, Some(action), true);
            }
            (tonic::Status::ok(""), answer.to_http_response(), facts)
        }
        Outcome::Denied(denied) => {
            let DeniedCheck { response, facts } = *denied;
            let (head, body) = response.into_parts();
            let mut answer = DeniedHttpResponseBuilder::new();
            let code = HttpStatusCode::try_from(i32::from(head.status.as_u16()));
            answer.set_http_status(code.unwrap_or(HttpStatusCode::Forbidden));
            for (name, value, action) in lines(&head.headers) {
                answer.add_header(name, value, Some(action), true);
            }
            let Ok(body) = body.collect().await;
            answer.set_body(String::from_utf8_lossy(&body.to_bytes()));
            (
                tonic::Status::permission_denied("denied"),
                answer.to_http_response(),
                facts,
            )
        }
    };
    let mut response = CheckResponse::with_status(status);
    response.set_http_response(http_response);
    response.set_dynamic_metadata(Some(facts.into_metadata()));
    response
}

/// Returns the lines of an answer. Lines of one name are joined, but for cookies (RFC 9110 section 5.3).
fn lines(headers: &HeaderMap) -> Vec<(String, String, HeaderAppendAction)> {
    let mut lines = Vec::new();
    for name in headers.keys() {
        let values: Vec<String> = headers.get_all(name).iter().map(text).collect();
        if *name == header::SET_COOKIE {
            let append = HeaderAppendAction::AppendIfExistsOrAdd;
            lines.extend(values.into_iter().map(|value| (name.to_string(), value, append)));
        } else {
            let overwrite = HeaderAppendAction::OverwriteIfExistsOrAdd;
            lines.push((name.to_string(), values.join(", "), overwrite));
        }
    }
    lines
}

/// Returns a value that Narthex wrote: text.
fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

#[cfg(test)]
mod tests {
    use envoy_types::ext_authz::v3::pb::HttpResponse;

    use super::*;
    use crate::header_changes::HeaderChanges;
    use crate::metadata::DecisionFacts;

    fn facts() -> DecisionFacts {
        DecisionFacts {
            decision: "allow",
            ..DecisionFacts::default()
        }
    }

    #[tokio::test]
    async fn an_allowed_answer_sets_removes_and_passes_cookies() {
        let mut to_client = HeaderMap::new();
        to_client.append("x-narthex-request-id", HeaderValue::from_static("r"));
        to_client.append("set-cookie", HeaderValue::from_static("a=1"));
        to_client.append("set-cookie", HeaderValue::from_static("b=2"));
        let allowed = AllowedCheck {
            changes: HeaderChanges {
                set: vec![(header::COOKIE, HeaderValue::from_static("c=3"))],
                removed: vec![header::AUTHORIZATION],
                target: Some("/a?b".to_owned()),
            },
            every_header: HeaderMap::new(),
            to_client,
            facts: facts(),
        };
        let response = check_response(Outcome::Allowed(Box::new(allowed))).await;
        assert_eq!(response.status.unwrap().code, 0);
        let Some(HttpResponse::OkResponse(ok)) = response.http_response else {
            panic!("it does not allow");
        };
        let shown = |lines: &[envoy_types::ext_authz::v3::pb::HeaderValueOption]| -> Vec<String> {
            let line = |line: &envoy_types::ext_authz::v3::pb::HeaderValueOption| {
                let header = line.header.as_ref().unwrap();
                format!("{}: {} ({:?})", header.key, header.value, line.append_action())
            };
            lines.iter().map(line).collect()
        };
        assert_eq!(
            shown(&ok.headers),
            [
                "cookie: c=3 (OverwriteIfExistsOrAdd)",
                ":path: /a?b (OverwriteIfExistsOrAdd)"
            ]
        );
        assert_eq!(ok.headers_to_remove, ["authorization"]);
        assert_eq!(
            shown(&ok.response_headers_to_add),
            [
                "x-narthex-request-id: r (OverwriteIfExistsOrAdd)",
                "set-cookie: a=1 (AppendIfExistsOrAdd)",
                "set-cookie: b=2 (AppendIfExistsOrAdd)"
            ]
        );
    }

    /// In the HTTP mode, an answer of gRPC would let the request pass.
    #[test]
    fn sec_a_request_of_the_http_mode_is_no_grpc_call() {
        let call = || {
            let builder = Request::builder()
                .method("POST")
                .uri(CHECK_PATH)
                .version(Version::HTTP_2);
            builder.header("content-type", "application/grpc").body(()).unwrap()
        };
        assert!(is_call(&call()));
        let mut with_length = call();
        with_length
            .headers_mut()
            .insert("content-length", HeaderValue::from_static("0"));
        let mut old = call();
        *old.version_mut() = Version::HTTP_11;
        let mut get = call();
        *get.method_mut() = Method::GET;
        let mut untyped = call();
        untyped.headers_mut().clear();
        for request in [with_length, old, get, untyped] {
            assert!(!is_call(&request), "{request:?}");
        }
    }
}
