//! The log on standard error, and the sender of traces.

use std::io::IsTerminal as _;

use narthex_config::{Config, LogFormat, LogLevel};
use narthex_engine::{ACCESS_TARGET, TRACE_TARGET};
use narthex_telemetry::Traces;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry, fmt};

use crate::legible::{Form, Legible};

/// Amount of logging on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logging {
    /// Level and format of `[log]`.
    Configured,
    /// Warnings and worse: for the demo, whose output is for reading.
    Quiet,
}

/// The sender of traces, if the configuration names a collector.
pub(crate) fn traces(config: &Config) -> anyhow::Result<Option<Traces>> {
    let endpoint = config.telemetry.otlp_endpoint.as_deref();
    let start = |endpoint| Traces::start(endpoint, "narthex", env!("CARGO_PKG_VERSION"));
    Ok(endpoint.map(start).transpose()?)
}

/// Begins to write the log as the configuration says, and the spans of traces if there is a sender.
pub(crate) fn begin(config: &Config, logging: Logging, traces: Option<&Traces>) {
    let most = match logging {
        Logging::Configured => level(config.log.level),
        Logging::Quiet => LevelFilter::WARN,
    };
    let is_terminal = std::io::stderr().is_terminal();
    // Colours are for a screen; in a file or a journal they are noise.
    let form = match config.log.format {
        LogFormat::Json => Form::Json,
        LogFormat::Auto if !is_terminal => Form::Json,
        LogFormat::Auto | LogFormat::Text if is_terminal => Form::Colours,
        LogFormat::Auto | LogFormat::Text => Form::Text,
    };
    let wanted = Targets::new()
        .with_default(most)
        .with_target(ACCESS_TARGET, LevelFilter::INFO)
        // Spans are for traces; at any level they would stand in front of each line.
        .with_target(TRACE_TARGET, LevelFilter::OFF);
    let lines = fmt::layer()
        .with_writer(move || Legible::new(std::io::stderr(), form))
        .with_ansi(form == Form::Colours)
        .with_target(false);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match form {
        Form::Json => lines.json().flatten_event(true).boxed(),
        Form::Text | Form::Colours => lines.boxed(),
    };
    // A second start in one process (a test) keeps the first one's log.
    let _ = match traces {
        None => tracing_subscriber::registry().with(lines).with(wanted).try_init(),
        Some(traces) => tracing_subscriber::registry()
            .with(lines.with_filter(wanted))
            .with(traces.layer(TRACE_TARGET))
            .try_init(),
    };
}

const fn level(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}
