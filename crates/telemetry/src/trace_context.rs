//! Trace Context (W3C Recommendation of 23 November 2021): the headers `traceparent` and `tracestate`.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator as _};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Makes a span a part of the trace that the sender of a request began, if its headers name one. Call it before the
/// span is entered.
pub fn continue_trace(span: &Span, headers: &HeaderMap) {
    let parent = TraceContextPropagator::new().extract(&Read(headers));
    // Ignored: it fails for a span that no layer takes, which has no trace to be a part of.
    let _ = span.set_parent(parent);
}

/// Replaces the trace context of a request by that of a span, for the next receiver.
pub fn send_trace(span: &Span, headers: &mut HeaderMap) {
    headers.remove("traceparent");
    headers.remove("tracestate");
    TraceContextPropagator::new().inject_context(&span.context(), &mut Write(headers));
}

struct Read<'h>(&'h HeaderMap);

impl Extractor for Read<'_> {
    /// Returns the value of a field. A field that is there twice counts as absent, as section 4.2 of the recommendation
    /// allows.
    fn get(&self, key: &str) -> Option<&str> {
        let mut values = self.0.get_all(key).iter();
        let value = values.next()?;
        values.next().is_none().then(|| value.to_str().ok()).flatten()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

struct Write<'h>(&'h mut HeaderMap);

impl Injector for Write<'_> {
    fn set(&mut self, key: &str, value: String) {
        // An empty `tracestate` says nothing.
        if value.is_empty() {
            return;
        }
        let name = HeaderName::try_from(key);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value)) {
            self.0.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn parent(value: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", HeaderValue::from_static(value));
        headers.insert("tracestate", HeaderValue::from_static("vendor=1"));
        headers
    }

    /// The headers that a span sends on, if it continues the trace of these headers, and the number of its trace.
    fn sent(received: &HeaderMap, follow: bool) -> HeaderMap {
        let provider = SdkTracerProvider::builder().build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let mut headers = received.clone();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let span = tracing::info_span!("request");
            if follow {
                continue_trace(&span, received);
            }
            send_trace(&span, &mut headers);
        });
        headers
    }

    fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
        headers.get(name).map(|value| value.to_str().unwrap())
    }

    #[test]
    fn a_span_continues_the_trace_of_its_sender_and_hands_it_on() {
        let received = parent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        let sent = sent(&received, true);
        let parts: Vec<&str> = text(&sent, "traceparent").unwrap().split('-').collect();
        assert_eq!((parts[1], parts[3]), (TRACE, "01"));
        assert_ne!(parts[2], "00f067aa0ba902b7", "the parent is the span, not its sender's");
        assert_eq!(text(&sent, "tracestate"), Some("vendor=1"));
    }

    #[test]
    fn a_trace_that_is_not_continued_is_replaced() {
        let received = parent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        let sent = sent(&received, false);
        assert!(!text(&sent, "traceparent").unwrap().contains(TRACE));
        assert_eq!(text(&sent, "tracestate"), None);
    }

    #[test]
    fn a_trace_context_that_is_none_begins_a_new_trace() {
        for value in [
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "4bf92f3577b34da6a3ce929d0e0e4736",
        ] {
            let sent = sent(&parent(value), true);
            assert!(!text(&sent, "traceparent").unwrap().contains(TRACE), "{value}");
        }
        let mut doubled = parent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        doubled.append(
            "traceparent",
            HeaderValue::from_static("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        );
        assert!(!text(&sent(&doubled, true), "traceparent").unwrap().contains(TRACE));
    }

    #[test]
    fn without_a_layer_there_is_no_trace_to_send() {
        let mut headers = parent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        tracing::subscriber::with_default(tracing_subscriber::registry(), || {
            let span = tracing::info_span!("request");
            continue_trace(&span, &headers.clone());
            send_trace(&span, &mut headers);
        });
        assert!(headers.is_empty(), "{headers:?}");
    }
}
