//! The port: the mode of a request, its deadline, and an answer whatever happens.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{Request, Response};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use narthex_decision::Reason;
use narthex_engine::Engine;
use narthex_engine::inbound::{Sender, Trust};
use narthex_engine::respond::Refusal;
use narthex_engine::trace;
use narthex_listener::ServerSettings;
use narthex_listener::listen::{self, PortOptions, TooManyRequests};
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument as _;

use crate::check::{self, Circumstances, Outcome};
use crate::deadline;
use crate::grpc;
use crate::http_mode;
use crate::original::Original;

type Body = Either<Full<Bytes>, tonic::body::Body>;

/// State shared by the requests of one connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) engine: Arc<Engine>,
    /// Upper limit of an original request's headers, in bytes.
    pub(crate) head_bytes: usize,
    peer: SocketAddr,
}

/// Serves the port of external authorization until `stop` is done, then waits for open checks to finish.
pub async fn serve_ext_authz(
    engine: Arc<Engine>,
    listener: TcpListener,
    settings: ServerSettings,
    stop: impl Future<Output = ()>,
) {
    let head_bytes = settings.head_bytes;
    let service = |peer, _: &_, _| {
        let connection = Arc::new(Connection {
            engine: Arc::clone(&engine),
            head_bytes,
            peer,
        });
        service_fn(move |request| answer(Arc::clone(&connection), request))
    };
    let options = PortOptions {
        settings,
        workers: None,
        is_proxy: |address| engine.runtime.load().trusted_proxies.trust(address) == Trust::Trusted,
    };
    listen::serve(listener, options, stop, service).await;
}

/// Mode of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Grpc,
    Http,
}

/// Answers one request, within a span of its own while traces are collected. Envoy sends its own span as the parent with
/// each check, whatever the client sent.
async fn answer(connection: Arc<Connection>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let Some(span) = trace::begin(request.method(), request.uri().path()) else {
        return respond_to(connection, request).await;
    };
    let trust = connection
        .engine
        .runtime
        .load()
        .trusted_proxies
        .trust(connection.peer.ip());
    // SECURITY: any other peer could hide its requests in the trace of another one, or ask not to be traced.
    if trust == Trust::Trusted {
        narthex_telemetry::continue_trace(&span, request.headers());
    }
    let response = Box::pin(respond_to(connection, request).instrument(span.clone())).await?;
    trace::end(&span, response.status());
    Ok(response)
}

/// Answers one request, whatever happens.
///
/// SECURITY: a check that breaks off or takes too long is a denial, and no error.
async fn respond_to(connection: Arc<Connection>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let mode = if grpc::is_call(&request) {
        Mode::Grpc
    } else {
        Mode::Http
    };
    let about = Circumstances {
        peer: connection.peer.ip(),
        deadline: Instant::now() + deadline::allowance(request.headers(), mode),
        too_many: request.extensions().get::<TooManyRequests>().is_some(),
    };
    let answered = Box::pin(answered(Arc::clone(&connection), about, mode, request));
    let refusal = match guarded(about.deadline, answered).await {
        Ok(response) => return Ok(response),
        Err(refusal) => refusal,
    };
    let outcome = refused(&connection, &refusal);
    Ok(match mode {
        Mode::Grpc => grpc::encoded(outcome).await.map(Either::Right),
        Mode::Http => http_mode::response(outcome).map(Either::Left),
    })
}

/// Does some work, or returns the refusal that stands for a panic or a deadline that has passed.
async fn guarded<T>(deadline: Instant, work: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
    match timeout_at(deadline, AssertUnwindSafe(work).catch_unwind()).await {
        Ok(Ok(done)) => done,
        Ok(Err(_)) => Err(check::broke_off()),
        Err(_) => Err(check::too_late()),
    }
}

/// Answers one request, or returns the refusal of one that is no check.
async fn answered(
    connection: Arc<Connection>,
    about: Circumstances,
    mode: Mode,
    request: Request<Incoming>,
) -> Result<Response<Body>, Refusal> {
    if mode == Mode::Grpc {
        let answered = grpc::answer(connection, about, request).await;
        let unreadable = || Refusal {
            remedy: Some("ask the administrator to lower `max_request_bytes` in the configuration of Envoy".to_owned()),
            ..Refusal::because(
                Reason::RequestTooLarge,
                "the check of the proxy is too large, or is none",
            )
        };
        return answered
            .map(|response| response.map(Either::Right))
            .ok_or_else(unreadable);
    }
    if !http_mode::is_check(&request) {
        let detail = format!(
            "this port answers Envoy's gRPC checks, and HTTP checks under `{prefix}`; set `path_prefix: {prefix}` in Envoy",
            prefix = http_mode::PATH_PREFIX
        );
        return Err(Refusal::logged(Reason::RouteUnmatched, detail));
    }
    let original = Original::from_http(&request, http_mode::PATH_PREFIX);
    let outcome = check::check(&connection.engine, about, original).await;
    Ok(http_mode::response(outcome).map(Either::Left))
}

fn refused(connection: &Connection, refusal: &Refusal) -> Outcome {
    let runtime = connection.engine.runtime.load();
    let sender = Sender {
        peer: connection.peer.ip(),
        proxies: &runtime.trusted_proxies,
        is_encrypted: false,
    };
    check::refused(&connection.engine, sender, None, refusal)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn sec_a_panic_and_a_deadline_that_passes_are_denials() {
        let deadline = || Instant::now() + Duration::from_millis(50);
        assert_eq!(guarded(deadline(), async { Ok(1) }).await, Ok(1));
        let broken = guarded::<()>(deadline(), async { panic!("a flaw") }).await;
        assert_eq!(broken.unwrap_err().reason, Reason::StoreUnavailable);
        let late = guarded::<()>(deadline(), std::future::pending()).await;
        assert_eq!(late.unwrap_err().reason, Reason::StoreUnavailable);
    }
}
