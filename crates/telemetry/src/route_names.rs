//! Names of the spans of requests.

use std::time::Duration;

use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};

/// Processor that names a span `{method} {route}`, as the semantic conventions for HTTP spans ask for, and gives it to the next
/// one. The route of a request is known only after its span has begun, when `tracing` cannot change the name any more.
#[derive(Debug)]
pub(crate) struct RouteNames<P> {
    next: P,
}

impl<P> RouteNames<P> {
    /// Creates it in front of another processor.
    pub(crate) const fn before(next: P) -> Self {
        Self { next }
    }
}

impl<P: SpanProcessor> SpanProcessor for RouteNames<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.next.on_start(span, context);
    }

    fn on_end(&self, mut span: SpanData) {
        let value = |key: &str| value_of(&span.attributes, key);
        if let (Some(method), Some(route)) = (value("http.request.method"), value("http.route")) {
            span.name = format!("{method} {route}").into();
        }
        self.next.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.next.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.next.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.next.set_resource(resource);
    }
}

fn value_of(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key.as_str() == key);
    found.map(|attribute| attribute.value.as_str().into_owned())
}
