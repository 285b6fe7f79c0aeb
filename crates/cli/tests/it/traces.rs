//! `[telemetry]`: a collector that speaks the protocol, as the project that defines it generates it, gets the spans of
//! requests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use narthex_testkit::process::free_address;
use narthex_testkit::{IdentityProvider, Upstream, raw};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use tonic::transport::server::TcpIncoming;

use crate::world::{GUARDED, World, config, member};

/// A receiver of OTLP over gRPC.
#[derive(Clone, Debug, Default)]
struct Collector {
    spans: Arc<Mutex<Vec<Span>>>,
    services: Arc<Mutex<Vec<String>>>,
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        for resource in request.into_inner().resource_spans {
            let attributes = resource.resource.unwrap().attributes;
            let names = attributes.iter().filter(|attribute| attribute.key == "service.name");
            self.services
                .lock()
                .unwrap()
                .extend(names.map(|name| format!("{:?}", name.value)));
            for scope in resource.scope_spans {
                self.spans.lock().unwrap().extend(scope.spans);
            }
        }
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    /// A collector, and its address.
    async fn start() -> (Self, String) {
        let collector = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let server = tonic::transport::Server::builder().add_service(TraceServiceServer::new(collector.clone()));
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        (collector, address)
    }

    /// Spans of requests, in the order of their begin.
    fn requests(&self) -> Vec<Span> {
        let spans = self.spans.lock().unwrap().clone();
        let mut requests: Vec<Span> = spans
            .into_iter()
            .filter(|span| attributes(span).contains_key("url.path"))
            .collect();
        requests.sort_by_key(|span| span.start_time_unix_nano);
        requests
    }

    /// Names of the steps of a request, in their order.
    fn steps(&self, request: &Span) -> Vec<String> {
        let spans = self.spans.lock().unwrap().clone();
        let mut steps: Vec<Span> = spans
            .into_iter()
            .filter(|span| span.parent_span_id == request.span_id && span.trace_id == request.trace_id)
            .collect();
        steps.sort_by_key(|span| span.start_time_unix_nano);
        for step in &steps {
            assert!(step.start_time_unix_nano >= request.start_time_unix_nano, "{step:?}");
            assert!(step.end_time_unix_nano <= request.end_time_unix_nano, "{step:?}");
        }
        steps.into_iter().map(|step| step.name).collect()
    }
}

/// Attributes of a span, as text.
fn attributes(span: &Span) -> BTreeMap<&str, String> {
    let attributes = span.attributes.iter();
    attributes
        .map(|attribute| {
            let text = match attribute.value.as_ref().and_then(|value| value.value.as_ref()).unwrap() {
                Value::StringValue(text) => text.clone(),
                Value::BoolValue(value) => value.to_string(),
                Value::IntValue(value) => value.to_string(),
                other => format!("{other:?}"),
            };
            (attribute.key.as_str(), text)
        })
        .collect()
}

/// The usual surroundings, with traces.
async fn world(endpoint: &str) -> World {
    let telemetry = format!("\n[telemetry]\notlp_endpoint = \"{endpoint}\"\n");
    World::with_config(|idp: &IdentityProvider, upstream: &Upstream| config(idp, upstream) + &telemetry).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_gets_the_spans_of_a_request_with_its_reason() {
    let (collector, endpoint) = Collector::start().await;
    let mut world = world(&endpoint).await;
    let token = member("anna").sign();
    let mut ids = Vec::new();
    // Verified; verified no more; cached with its decision.
    for _ in 0..3 {
        let answer = world.send(world.call("GET", GUARDED).bearer(&token)).await;
        assert_eq!(answer.status, 200);
        ids.push(answer.headers["x-narthex-request-id"].to_str().unwrap().to_owned());
    }
    let stranger = member("ben").tags(["others"]).sign();
    assert_eq!(
        world.send(world.call("GET", GUARDED).bearer(&stranger)).await.status,
        403
    );
    assert_eq!(world.send(world.call("GET", "/nowhere")).await.status, 404);
    let stopped = world
        .call("GET", GUARDED)
        .bearer(&token)
        .header("x-upstream", "status=500");
    assert_eq!(world.send(stopped).await.status, 500);
    // What waits is sent when the process ends.
    world.narthex.terminate().await.unwrap();

    let requests = collector.requests();
    let [first, _, third, refused, unmatched, failed] = &requests[..] else {
        panic!("{requests:?}\n{}", world.narthex.logs());
    };
    assert_eq!(collector.steps(first), ["verify", "map", "sync", "decide", "upstream"]);
    assert_eq!(collector.steps(third), ["upstream"]);
    assert_eq!(collector.steps(refused), ["verify", "map", "sync", "decide"]);
    assert_eq!(collector.steps(unmatched), [""; 0]);

    assert_eq!(first.name, "GET /v1/algo/{organization}/{algorithm}/{*version}");
    let about = attributes(first);
    for (name, value) in [
        ("http.request.method", "GET"),
        ("http.response.status_code", "200"),
        ("http.route", "/v1/algo/{organization}/{algorithm}/{*version}"),
        ("url.path", GUARDED),
        ("narthex.door", "proxy"),
        ("narthex.request_id", &ids[0]),
        ("narthex.decision", "allow"),
        ("narthex.issuer", "corp"),
        ("narthex.organization", "acme"),
        ("narthex.cached", "false"),
        ("client.address", "127.0.0.1"),
    ] {
        assert_eq!(about.get(name).map(String::as_str), Some(value), "{name}: {about:?}");
    }
    assert_eq!(attributes(third)["narthex.cached"], "true");
    let about = attributes(refused);
    assert_eq!(
        (about["narthex.decision"].as_str(), about["narthex.reason"].as_str()),
        ("deny", "organization.role")
    );
    assert_eq!(about["narthex.issuer"], "corp");
    assert_eq!(attributes(unmatched)["narthex.reason"], "route.unmatched");
    let is_error = |span: &Span| {
        span.status
            .as_ref()
            .is_some_and(|status| status.code() == StatusCode::Error)
    };
    assert!(is_error(failed) && !is_error(refused), "{failed:?}");
    assert!(
        collector
            .services
            .lock()
            .unwrap()
            .iter()
            .all(|name| name.contains("narthex"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_spans_hold_no_token_no_claim_and_no_query() {
    let (collector, endpoint) = Collector::start().await;
    let mut world = world(&endpoint).await;
    let token = member("subject-of-the-token").claim("email", "anna@example.com").sign();
    let call = world
        .call("GET", &format!("{GUARDED}?query-of-the-request=1"))
        .bearer(&token);
    assert_eq!(world.send(call).await.status, 200);
    let tampered = format!("{}A", token.get(..token.len() - 2).unwrap());
    assert_eq!(
        world.send(world.call("GET", GUARDED).bearer(&tampered)).await.status,
        401
    );
    world.narthex.terminate().await.unwrap();
    assert_eq!(collector.requests().len(), 2);
    let sent = format!("{:?}", collector.spans.lock().unwrap());
    for secret in [
        "subject-of-the-token",
        "anna@example.com",
        "query-of-the-request",
        token.get(..40).unwrap(),
    ] {
        assert!(!sent.contains(secret), "{secret}: {sent}");
    }
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// The number of the trace that the upstream receives, and that of the span, for a client with a trace context.
async fn traced(trusted: bool) -> (String, String) {
    let (collector, endpoint) = Collector::start().await;
    let telemetry = format!("\n[telemetry]\notlp_endpoint = \"{endpoint}\"\n");
    let mut world = World::with_config(|idp, upstream| {
        let proxies = if trusted { "[\"127.0.0.1\"]" } else { "[]" };
        config(idp, upstream).replace("[\"127.0.0.1\"]", proxies) + &telemetry
    })
    .await;
    let call = world
        .call("GET", "/public/page")
        .header("traceparent", &format!("00-{TRACE}-00f067aa0ba902b7-01"));
    assert_eq!(world.send(call).await.status, 200);
    let received = world.upstream.last().unwrap();
    let parent = received.headers["traceparent"].to_str().unwrap().to_owned();
    world.narthex.terminate().await.unwrap();
    let requests = collector.requests();
    let [span] = &requests[..] else {
        panic!("{requests:?}");
    };
    let parts: Vec<&str> = parent.split('-').collect();
    assert_eq!(parts[1..3], [hex(&span.trace_id), hex(&span.span_id)], "{parent}");
    (parts[1].to_owned(), hex(&span.parent_span_id))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_a_trace_is_continued_for_trusted_proxies_only() {
    assert_eq!(traced(true).await, (TRACE.to_owned(), "00f067aa0ba902b7".to_owned()));
    let (trace, parent) = traced(false).await;
    assert_ne!(trace, TRACE);
    assert_eq!(parent, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_of_envoy_is_a_span_within_the_trace_of_envoy() {
    let (collector, endpoint) = Collector::start().await;
    let port = free_address().unwrap();
    let listen = format!("[listen]\next_authz = \"{port}\"");
    let telemetry = format!("\n[telemetry]\notlp_endpoint = \"{endpoint}\"\n");
    let mut world =
        World::with_config(|idp, upstream| config(idp, upstream).replacen("[listen]", &listen, 1) + &telemetry).await;
    let token = member("anna").sign();
    let check = format!(
        "GET /.narthex/auth/envoy{GUARDED} HTTP/1.1\r\nhost: app.test\r\nauthorization: Bearer {token}\r\n\
         traceparent: 00-{TRACE}-00f067aa0ba902b7-01\r\nconnection: close\r\n\r\n"
    );
    let answer = raw::exchange(&port.to_string(), check.as_bytes(), Duration::from_secs(10))
        .await
        .unwrap();
    assert_eq!(raw::status(&answer), Some(200), "{}", String::from_utf8_lossy(&answer));
    world.narthex.terminate().await.unwrap();
    let requests = collector.requests();
    let [span] = &requests[..] else {
        panic!("{requests:?}\n{}", world.narthex.logs());
    };
    assert_eq!(collector.steps(span), ["verify", "map", "sync", "decide"]);
    assert_eq!(span.name, "GET /v1/algo/{organization}/{algorithm}/{*version}");
    let about = attributes(span);
    assert_eq!(about["narthex.door"], "ext_authz");
    assert_eq!(about["narthex.decision"], "allow");
    assert_eq!(hex(&span.trace_id), TRACE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_away_delays_no_request_and_no_end() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut world = world(&format!("http://{free}")).await;
    let token = member("anna").sign();
    for _ in 0..20 {
        let begun = tokio::time::Instant::now();
        assert_eq!(world.send(world.call("GET", GUARDED).bearer(&token)).await.status, 200);
        assert!(begun.elapsed().as_secs() < 2);
    }
    world.narthex.terminate().await.unwrap();
}

fn hex(bytes: &[u8]) -> String {
    let digit = |digit: u8| char::from_digit(digit.into(), 16).unwrap();
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(digit).collect()
}
