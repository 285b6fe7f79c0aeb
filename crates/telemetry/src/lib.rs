//! Traces for an OpenTelemetry collector.
//!
//! **In:** the spans of one target, which other crates open with `tracing`, and the `traceparent` of requests. **Out:**
//! OTLP over gRPC, in batches, from a thread of its own. Spans that the collector does not take in time are dropped: a
//! slow collector never slows a request. This crate knows nothing of Narthex.

mod route_names;
mod trace_context;

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchSpanProcessor, SdkTracerProvider};
use thiserror::Error;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::registry::LookupSpan;

use crate::route_names::RouteNames;

pub use trace_context::{continue_trace, send_trace};

/// Longest time to send one batch of spans.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time to send what is left when the process ends.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Error that keeps traces from being sent.
#[derive(Debug, Error)]
pub enum TraceError {
    /// The endpoint or a variable of the environment cannot be used.
    #[error(
        "traces cannot be sent to `{endpoint}`: {cause}; correct the endpoint or the variables `OTEL_EXPORTER_OTLP_…`"
    )]
    Exporter {
        /// The endpoint as configured.
        endpoint: String,
        /// Description of the error.
        cause: ExporterBuildError,
    },
}

/// Sender of traces to a collector.
#[derive(Debug, Clone)]
pub struct Traces {
    provider: SdkTracerProvider,
}

impl Traces {
    /// Starts to send traces to an endpoint, such as `http://127.0.0.1:4317` (OTLP over gRPC). The variables of the
    /// OpenTelemetry specification for headers, samplers and batches (`OTEL_EXPORTER_OTLP_HEADERS`,
    /// `OTEL_TRACES_SAMPLER`, `OTEL_BSP_…`) are read. Nothing is connected yet.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, which the connection to the collector needs.
    ///
    /// # Errors
    ///
    /// [`TraceError`].
    pub fn start(endpoint: &str, service: &'static str, version: &'static str) -> Result<Self, TraceError> {
        let exporter = SpanExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .with_timeout(EXPORT_TIMEOUT)
            .build()
            .map_err(|cause| TraceError::Exporter {
                endpoint: endpoint.to_owned(),
                cause,
            })?;
        let resource = Resource::builder()
            .with_service_name(service)
            .with_attribute(KeyValue::new("service.version", version))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(RouteNames::before(BatchSpanProcessor::builder(exporter).build()))
            .with_resource(resource)
            .build();
        Ok(Self { provider })
    }

    /// Returns the layer that takes the spans of one target, whatever their level, and nothing else.
    pub fn layer<S>(&self, target: &str) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("narthex"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_level(false)
            .with_tracked_inactivity(false)
            .with_filter(Targets::new().with_target(target, LevelFilter::TRACE))
    }

    /// Sends the spans that wait, and ends. It blocks the thread for at most five seconds.
    pub fn stop(self) {
        if let Err(error) = self.provider.shutdown_with_timeout(STOP_TIMEOUT) {
            tracing::warn!(event = "traces_lost", %error, "the last traces could not be sent");
        }
    }
}
