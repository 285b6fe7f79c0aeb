//! The doors of one process: the engine, and the forwarder of requests to upstreams.

use std::sync::Arc;

use thiserror::Error;

use crate::lifetime::Lifetimes;
use crate::proxy::Forwarder;
use narthex_engine::Engine;
use narthex_upstream::{Connector, ConnectorSettings};

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
    pub fn new(engine: Arc<Engine>, settings: ConnectorSettings) -> Result<Arc<Self>, StartError> {
        let connector = Connector::new(settings, Arc::clone(&engine))?;
        let forwarder = Forwarder::new(connector, engine.via.again());
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
