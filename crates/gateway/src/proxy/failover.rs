//! Passive failover: a request to an upstream of several servers goes to the next one if no answer comes from the first.

use std::sync::Arc;

use http::uri::Authority;
use http::{Method, Request, Response, Uri, request};
use hyper::body::{Body as _, Incoming};
use narthex_engine::{StreamLimits, Upstream};
use tokio::time::Instant;

use super::{ForwardError, Forwarder, OutboundBody};
use crate::body_limits::{LastActivity, LimitedBody};
use crate::lifetime::{LifetimeBody, StreamKind};

/// Upper limit of the servers that one request is sent to.
///
/// SECURITY: a request that ends a server's process would otherwise end all of them, one after the other.
const ATTEMPTS_MAX: usize = 3;

/// Tests whether a request may be sent again after it may have arrived (RFC 9110 section 9.2.2). Its body is streamed and not
/// kept, so it must have none.
fn is_repeatable(head: &request::Parts, body: &OutboundBody) -> bool {
    let is_idempotent = matches!(
        head.method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE
    );
    is_idempotent && body.is_end_stream()
}

impl Forwarder {
    /// Sends a request to the servers of an upstream until one begins an answer.
    ///
    /// # Errors
    ///
    /// The error of the last attempt.
    pub(super) async fn send_to_one_of(
        &self,
        request: Request<OutboundBody>,
        upstream: &Upstream,
        limits: StreamLimits,
        taken: &Arc<LastActivity>,
    ) -> Result<Response<Incoming>, ForwardError> {
        let (head, body) = request.into_parts();
        let attempts = if is_repeatable(&head, &body) { ATTEMPTS_MAX } else { 1 };
        let mut body = Some(body);
        let mut last = ForwardError::Unreachable {
            upstream: upstream.audience.clone(),
            cause: "it has no server".to_owned(),
        };
        for server in upstream.servers.in_turn(Instant::now()).into_iter().take(attempts) {
            let mut head = head.clone();
            head.uri = at(head.uri, server.authority())?;
            let body = body.take().unwrap_or_else(|| without_body(limits));
            match self.send(Request::from_parts(head, body), upstream, taken).await {
                Ok(answer) => return Ok(answer),
                Err(error @ ForwardError::Unreachable { .. }) => {
                    server.failed(Instant::now(), &error.to_string());
                    last = error;
                }
                // The client's fault, or an answer that takes too long: another server would do no better.
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }
}

/// Returns the same target at another server.
fn at(target: Uri, server: &Authority) -> Result<Uri, ForwardError> {
    let mut parts = target.into_parts();
    parts.authority = Some(server.clone());
    Uri::from_parts(parts).map_err(|_| ForwardError::Unforwardable("its target is not a URI"))
}

fn without_body(limits: StreamLimits) -> OutboundBody {
    let kind = StreamKind::of_request(&http::HeaderMap::new());
    LifetimeBody::new(LimitedBody::none(limits), kind, None)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LIMITS: StreamLimits = StreamLimits {
        idle: Duration::from_secs(1),
        body_bytes: 1,
        body_grace: Duration::ZERO,
    };

    #[test]
    fn requests_that_change_something_each_time_are_sent_once() {
        for (method, expected) in [
            ("GET", true),
            ("HEAD", true),
            ("OPTIONS", true),
            ("PUT", true),
            ("DELETE", true),
            ("POST", false),
            ("PATCH", false),
            ("QUERY", false),
        ] {
            let request = Request::builder().method(method).uri("/").body(()).unwrap();
            let (head, ()) = request.into_parts();
            assert_eq!(is_repeatable(&head, &without_body(LIMITS)), expected, "{method}");
        }
    }

    #[test]
    fn the_target_stays_the_same_byte_for_byte_at_another_server() {
        let target = Uri::from_static("http://one:1/a%2Fb/?c=%23");
        let moved = at(target, &Authority::from_static("two:2")).unwrap();
        assert_eq!(moved.to_string(), "http://two:2/a%2Fb/?c=%23");
    }
}
