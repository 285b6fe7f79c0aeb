//! Probe of a server of an upstream, independent of any request: its name, its port, its certificate. It sends no request.

use std::error::Error;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http::Uri;
use http::uri::{Authority, Scheme};
use hyper::service::Service as _;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::service::TowerToHyperService;

use narthex_engine::Upstream;
use narthex_fetch::ssrf_guard::certificate_problem;
use narthex_listener::tls::OfferedProtocols;

/// Reason why an upstream cannot be reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamTrouble {
    /// The host has no address.
    #[error("its host has no address: {0}")]
    Unresolved(String),
    /// The port is closed.
    #[error("nothing listens there: the connection is refused")]
    Refused,
    /// There is no answer at all.
    #[error("it does not answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// The certificate is not trusted.
    #[error("its certificate is refused: {0}")]
    Certificate(String),
    /// Anything else.
    #[error("it cannot be reached: {0}")]
    Other(String),
}

/// Returns the addresses of a server of an upstream.
///
/// # Errors
///
/// [`UpstreamTrouble::Unresolved`].
pub async fn server_addresses(upstream: &Upstream, server: &Authority) -> Result<Vec<SocketAddr>, UpstreamTrouble> {
    let https = upstream.scheme == Scheme::HTTPS;
    let port = server.port_u16().unwrap_or(if https { 443 } else { 80 });
    let host = server.host();
    let bare = host
        .strip_prefix('[')
        .and_then(|inner| inner.strip_suffix(']'))
        .unwrap_or(host);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let found = tokio::net::lookup_host((bare, port)).await;
    found
        .map(Iterator::collect)
        .map_err(|error| UpstreamTrouble::Unresolved(error.to_string()))
}

/// Connects to a server of an upstream as the proxy door does, TLS included, and closes the connection.
///
/// # Errors
///
/// [`UpstreamTrouble`], the first problem found.
pub async fn probe_upstream(upstream: &Upstream, server: &Authority, wait: Duration) -> Result<(), UpstreamTrouble> {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    let connector = match &upstream.tls {
        Some(tls) => HttpsConnector::from((connector, tls.settings(OfferedProtocols::All))),
        None => HttpsConnectorBuilder::new()
            .with_native_roots()
            .map_err(|error| UpstreamTrouble::Other(error.to_string()))?
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(connector),
    };
    let uri = Uri::builder()
        .scheme(upstream.scheme.clone())
        .authority(server.clone())
        .path_and_query("/")
        .build()
        .map_err(|error| UpstreamTrouble::Other(error.to_string()))?;
    let connect = async {
        server_addresses(upstream, server).await?;
        let connected = TowerToHyperService::new(connector).call(uri).await;
        connected.map(drop).map_err(|error| trouble(&*error))
    };
    let connected = tokio::time::timeout(wait, connect).await;
    connected.unwrap_or(Err(UpstreamTrouble::TimedOut(wait)))
}

fn trouble(error: &(dyn Error + 'static)) -> UpstreamTrouble {
    let mut cause = error;
    loop {
        if let Some(problem) = certificate_problem(cause) {
            return UpstreamTrouble::Certificate(problem);
        }
        if cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|io| io.kind() == ErrorKind::ConnectionRefused)
        {
            return UpstreamTrouble::Refused;
        }
        match cause.source() {
            Some(source) => cause = source,
            None => return UpstreamTrouble::Other(cause.to_string()),
        }
    }
}
