//! The doors of one process: the engine, and the forwarder of requests to upstreams.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::lifetime::Lifetimes;
use crate::proxy::Forwarder;
use narthex_engine::Engine;

/// Sizes and times of the connections to upstreams, for the life of the process.
#[derive(Debug, Clone)]
pub struct UpstreamSettings {
    /// Time limit for opening a connection to an upstream.
    pub connect_timeout: Duration,
    /// Upper limit of connections to all upstreams together.
    pub sockets: usize,
}

impl Default for UpstreamSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            sockets: 10_000,
        }
    }
}

/// Error that keeps the doors from opening.
#[derive(Debug, Error)]
pub enum StartError {
    /// The system's certificate authorities cannot be read.
    #[error("the system's certificate authorities cannot be read; install the package `ca-certificates`: {0}")]
    Authorities(#[from] std::io::Error),
}

/// The engine, with the parts that the doors on the public port add to it.
#[derive(Debug)]
pub struct Gateway {
    /// The engine.
    pub engine: Arc<Engine>,
    /// Connection pools of the upstreams.
    pub(crate) forwarder: Forwarder,
    /// Streams that end with the token, user or organization that they rest on.
    pub(crate) lifetimes: Lifetimes,
}

impl Gateway {
    /// Creates the doors over an engine.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub fn new(engine: Arc<Engine>, settings: &UpstreamSettings) -> Result<Arc<Self>, StartError> {
        let forwarder = Forwarder::new(settings.connect_timeout, settings.sockets, engine.via.again())?;
        Ok(Arc::new(Self {
            engine,
            forwarder,
            lifetimes: Lifetimes::default(),
        }))
    }

    /// Runs the background tasks until it is dropped.
    pub async fn run_background(self: Arc<Self>) {
        tokio::join!(self.engine.run_background(), self.lifetimes.keep_watch(&self.engine));
    }
}
