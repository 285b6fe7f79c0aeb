//! Connector of the pools: TLS with the system's authorities, or with those of a route.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::Uri;
use http::uri::Scheme;
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use narthex_engine::{Engine, Upstream};
use narthex_listener::sockets::{Socket, Sockets};
use narthex_listener::tls::{OfferedProtocols, UpstreamTls};
use rustls::ClientConfig;
use thiserror::Error;
use tower_service::Service;

/// Limits of the connections to all upstreams together.
#[derive(Debug, Clone, Copy)]
pub struct ConnectorSettings {
    /// Time limit for opening a connection, the TLS handshake included.
    pub connect_timeout: Duration,
    /// Upper limit of the number of connections.
    pub sockets: usize,
}

/// Error for a connection that was not open in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("it does not take a connection within {} ms", .0.as_millis())]
pub struct ConnectTimeout(Duration);

/// Connector of upstreams.
#[derive(Debug, Clone)]
pub struct Connector {
    /// Trusts the system's authorities.
    system: HttpsConnector<Sockets>,
    /// The same, for connections that offer HTTP/1.1 alone.
    system_http1: HttpsConnector<Sockets>,
    offered: OfferedProtocols,
    sockets: Sockets,
    connect_timeout: Duration,
    /// Has the configuration in use, which is asked for authorities when a connection is opened.
    engine: Arc<Engine>,
}

impl Connector {
    /// Creates a connector.
    ///
    /// # Errors
    ///
    /// An error if the system's certificate authorities cannot be read.
    pub fn new(settings: ConnectorSettings, engine: Arc<Engine>) -> io::Result<Self> {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(settings.connect_timeout));
        let sockets = Sockets::new(connector, settings.sockets);
        let settings_of_system = ClientConfig::builder().with_native_roots()?.with_no_client_auth();
        let system = |offered: OfferedProtocols| {
            HttpsConnector::from((sockets.clone(), offered.in_settings(&settings_of_system)))
        };
        Ok(Self {
            system: system(OfferedProtocols::All),
            system_http1: system(OfferedProtocols::Http1),
            offered: OfferedProtocols::All,
            sockets,
            connect_timeout: settings.connect_timeout,
            engine,
        })
    }

    /// Returns the same connector for connections that offer HTTP/1.1 alone.
    #[must_use]
    pub fn offering_http1(&self) -> Self {
        Self {
            system: self.system_http1.clone(),
            offered: OfferedProtocols::Http1,
            ..self.clone()
        }
    }

    /// Returns the authorities of a server's own, if a route names some.
    ///
    /// SECURITY: a pool has the connections of all routes to a server, so the configuration refuses two routes that name
    /// other authorities for one server.
    fn tls_of(&self, server: &Uri) -> Option<UpstreamTls> {
        if server.scheme() != Some(&Scheme::HTTPS) {
            return None;
        }
        let authority = server.authority()?;
        let runtime = self.engine.runtime.load();
        let upstreams = runtime
            .route_settings
            .iter()
            .filter_map(|route| route.upstream.as_ref());
        let has_server = |upstream: &&Upstream| {
            let mut servers = upstream.servers.authorities();
            upstream.scheme == Scheme::HTTPS && servers.any(|server| server == authority)
        };
        upstreams.filter(has_server).find_map(|upstream| upstream.tls.clone())
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<Socket>>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.system.poll_ready(context)
    }

    fn call(&mut self, server: Uri) -> Self::Future {
        let connecting = match self.tls_of(&server) {
            None => self.system.call(server),
            Some(tls) => HttpsConnector::from((self.sockets.clone(), tls.settings(self.offered))).call(server),
        };
        let limit = self.connect_timeout;
        Box::pin(async move {
            match tokio::time::timeout(limit, connecting).await {
                Ok(connected) => connected,
                // The handshake of TLS counts too: a server that takes connections and says nothing is as good as away.
                Err(_) => Err(ConnectTimeout(limit).into()),
            }
        })
    }
}
