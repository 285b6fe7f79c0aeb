//! The HTTP mode: the original request under a prefix, answered by a status and headers.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;

use crate::check::{AllowedCheck, DeniedCheck, Outcome};

/// Prefix of every path in the HTTP mode: `path_prefix` in the configuration of Envoy.
///
/// SECURITY: it tells a request of the HTTP mode, whose path a client chooses, from a gRPC call.
pub const PATH_PREFIX: &str = "/.narthex/auth/envoy";

/// Header by which Envoy is told the names of headers to remove, between commas.
const TO_REMOVE: HeaderName = HeaderName::from_static("x-envoy-auth-headers-to-remove");

/// Tests whether a request is one of the HTTP mode.
pub(crate) fn is_check<B>(request: &Request<B>) -> bool {
    request.uri().path().starts_with(PATH_PREFIX)
}

/// Returns the answer for an outcome: 200 lets the request pass, and no other status does.
pub(crate) fn response(outcome: Outcome) -> Response<Full<Bytes>> {
    match outcome {
        Outcome::Allowed(allowed) => allow(*allowed),
        Outcome::Denied(denied) => deny(*denied),
    }
}

fn allow(allowed: AllowedCheck) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    let headers = response.headers_mut();
    for (name, value) in allowed.changes.set {
        headers.insert(name, value);
    }
    headers.extend(allowed.every_header);
    for (name, value) in &allowed.to_client {
        if !headers.contains_key(name) {
            headers.append(name, value.clone());
        }
    }
    let removed: Vec<&str> = allowed.changes.removed.iter().map(HeaderName::as_str).collect();
    if let (false, Ok(removed)) = (removed.is_empty(), HeaderValue::try_from(removed.join(","))) {
        headers.insert(TO_REMOVE, removed);
    }
    response
}

/// SECURITY: Envoy takes a status from 500 on for an error of the service, and lets the request pass where
/// `failure_mode_allow` is set. The true status is in `X-Narthex-Status`.
fn deny(denied: DeniedCheck) -> Response<Full<Bytes>> {
    let mut response = denied.response;
    let status = response.status();
    let headers = response.headers_mut();
    headers.insert("x-narthex-status", HeaderValue::from(status.as_u16()));
    headers.insert("x-narthex-decision", HeaderValue::from_static("deny"));
    if status.is_server_error() {
        *response.status_mut() = StatusCode::FORBIDDEN;
    }
    response
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, header};
    use narthex_decision::Reason;
    use narthex_engine::respond::{self, Format, Refusal};

    use super::*;
    use crate::header_changes::HeaderChanges;
    use crate::metadata::DecisionFacts;

    #[test]
    fn only_paths_under_the_prefix_are_checked() {
        for (path, is) in [
            ("/.narthex/auth/envoy/a?b", true),
            ("/.narthex/auth/envoy/", true),
            ("/.narthex/auth/envoy/envoy.service.auth.v3.Authorization/Check", true),
            ("/.narthex/auth/envoy", true),
            ("/a", false),
            ("/.narthex/auth/nginx", false),
        ] {
            assert_eq!(is_check(&Request::builder().uri(path).body(()).unwrap()), is, "{path}");
        }
    }

    #[test]
    fn an_allowed_answer_names_what_is_set_and_what_is_removed() {
        let mut every_header = HeaderMap::new();
        every_header.insert("x-narthex-user", HeaderValue::from_static("u"));
        every_header.insert("x-narthex-email", HeaderValue::from_static(""));
        let mut to_client = HeaderMap::new();
        to_client.append(header::SET_COOKIE, HeaderValue::from_static("a=1"));
        let response = allow(AllowedCheck {
            changes: HeaderChanges {
                set: vec![(header::COOKIE, HeaderValue::from_static("c=3"))],
                removed: vec![header::AUTHORIZATION, HeaderName::from_static("x_narthex_user")],
                target: None,
            },
            every_header,
            to_client,
            facts: DecisionFacts::default(),
        });
        assert_eq!(response.status(), 200);
        let value = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        assert_eq!(value("cookie"), Some("c=3"));
        assert_eq!(value("x-narthex-user"), Some("u"));
        assert_eq!(value("x-narthex-email"), Some(""));
        assert_eq!(value("set-cookie"), Some("a=1"));
        assert_eq!(
            value("x-envoy-auth-headers-to-remove"),
            Some("authorization,x_narthex_user")
        );
    }

    #[test]
    fn sec_a_denial_is_never_an_error_of_the_service() {
        for &reason in Reason::ALL {
            let refusal = Refusal::new(reason);
            let response = deny(DeniedCheck {
                response: respond::refuse(&refusal, "r", Format::Problem),
                facts: DecisionFacts::default(),
            });
            assert!(response.status().is_client_error(), "{reason}");
            let status = respond::status(reason).as_u16().to_string();
            assert_eq!(response.headers().get("x-narthex-status").unwrap(), &status);
        }
    }
}
