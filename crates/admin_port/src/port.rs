//! The admin port: the admin API, health, metrics, and the admin API's interface to the rest of the gateway.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::{HeaderName, header};
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper_util::service::TowerToHyperService;
use narthex_admin::api::{self, AdminState, ApiError, CallerSlot};
use narthex_clock::NoEntropy;
use narthex_decision::Reason;
use narthex_directory::StoreError;
use narthex_engine::Engine;
use narthex_engine::access_log::OwnLine;
use narthex_engine::freshness::Freshness;
use narthex_engine::http_rules;
use narthex_engine::inbound::{ClientConnection, Trust};
use narthex_engine::rate_limit::client_address;
use narthex_engine::respond::{self, Format, NOSNIFF, Refusal};
use narthex_issuers::RunTimeIssuers;
use narthex_listener::ServerSettings;
use narthex_listener::listen::{self, PortOptions};
use narthex_ops::sessions::RefusedSignIn;
use narthex_ops::{Caller, Operations};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tower_http::compression::CompressionLayer;

use crate::denial::{Denial, RequestLine};
use crate::engine_gateway::EngineGateway;

/// Services of the admin port.
#[derive(Debug)]
pub struct AdminServices {
    /// The operations of the admin API.
    pub operations: Arc<Operations>,
    /// Pages at every path that is not the API's; `None` for none.
    pub pages: Option<Router>,
}

impl AdminServices {
    /// The admin API over this engine, without pages. `run_time` are the issuers made at run time, if the gateway has such.
    pub fn new(engine: &Arc<Engine>, run_time: Option<Arc<RunTimeIssuers>>) -> Self {
        let gateway = Arc::new(EngineGateway(Arc::clone(engine), run_time));
        Self {
            operations: Operations::new(Arc::clone(&engine.directory), gateway, engine.clock.clone()),
            pages: None,
        }
    }
}

/// Serves the admin port until `stop` completes.
///
/// # Errors
///
/// [`NoEntropy`] when there is no randomness for request ids.
pub async fn serve_admin(
    engine: Arc<Engine>,
    services: AdminServices,
    (listener, settings): (TcpListener, ServerSettings),
    stop: impl Future<Output = ()>,
) -> Result<(), NoEntropy> {
    let checked = axum::middleware::from_fn_with_state(Arc::clone(&engine), check_request);
    let router = router(&engine, services)?.layer(checked);
    // Pages and lists are text that a browser or a program far away waits for.
    let service = TowerToHyperService::new(router.layer(CompressionLayer::new()));
    let is_encrypted = settings.tls.is_some();
    let options = PortOptions {
        settings,
        workers: None,
        is_proxy: |address| engine.runtime.load().trusted_proxies.trust(address) == Trust::Trusted,
    };
    let of_peer = |peer: SocketAddr, _: &_, _| {
        let service = service.clone();
        service_fn(move |mut request: http::Request<Incoming>| {
            let address = peer.ip();
            request.extensions_mut().insert(Peer { address, is_encrypted });
            service.call(request)
        })
    };
    listen::serve(listener, options, stop, of_peer).await;
    Ok(())
}

/// The peer of the TCP connection that carried a request.
#[derive(Debug, Clone, Copy)]
struct Peer {
    address: IpAddr,
    /// `true` if the connection is encrypted (TLS of the port).
    is_encrypted: bool,
}

/// Refuses requests that HTTP does not allow, as the public port does, and writes the lines of the log. Health checks in
/// HTTP/1.0 name no host, and the host selects nothing here.
async fn check_request(State(engine): State<Arc<Engine>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let caller = CallerSlot::default();
    request.extensions_mut().insert(caller.clone());
    let connection = connection(&engine, &request);
    request.extensions_mut().insert(connection);
    let client = connection.address;
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let checked = http_rules::check_with_optional_host(&request).and_then(|()| http_rules::method(request.method()));
    let mut response = match checked {
        Ok(()) => next.run(request).await,
        Err(refusal) => refused(&refusal, &engine.request_ids.next()),
    };
    let denial = response.extensions_mut().remove::<Denial>();
    let error = response.extensions_mut().remove::<ApiError>();
    let denial = denial.or_else(|| error.as_ref().and_then(Denial::of_error));
    let refused_sign_in = response.extensions_mut().remove::<RefusedSignIn>();
    let denial = denial.or_else(|| refused_sign_in.as_ref().map(Denial::from));
    if denial.is_some() && !response.headers().contains_key("x-narthex-request-id") {
        respond::set_request_id(&mut response, &engine.request_ids.next());
    }
    let line = RequestLine {
        method: &method,
        path: &path,
        client,
        caller: caller.get(),
        started,
    };
    let request_id = response.headers().get("x-narthex-request-id");
    let request_id = request_id.and_then(|id| id.to_str().ok()).unwrap_or_default();
    match denial {
        Some(denial) => line.denied(&denial, request_id, response.status()),
        None => passed(&engine, &line, request_id, response.status()),
    }
    response
}

/// Returns the connection that a request came by.
fn connection(engine: &Engine, request: &Request) -> ClientConnection {
    const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
    let Some(peer) = request.extensions().get::<Peer>() else {
        return ClientConnection::default();
    };
    let (proxies, headers) = (&engine.runtime.load().trusted_proxies, request.headers());
    // SECURITY: only a trusted proxy is believed, and one that says nothing takes requests by the configured origin. Of two
    // values, one is forged.
    let scheme = http_rules::single(headers, &FORWARDED_PROTO);
    let is_https = scheme.is_ok_and(|scheme| scheme.is_none_or(|scheme| scheme.as_bytes() == b"https"));
    ClientConnection {
        address: Some(client_address(peer.address, headers, proxies).address),
        is_encrypted: match proxies.trust(peer.address) {
            Trust::Trusted => is_https,
            Trust::Untrusted => peer.is_encrypted,
        },
    }
}

/// Builds the response to a refused request, with the refusal for the log.
fn refused(refusal: &Refusal, request_id: &str) -> Response {
    let mut response = respond::refuse(refusal, request_id, Format::Problem).map(Body::new);
    response.extensions_mut().insert(Denial::from(refusal));
    response
}

/// Paths that are requested every few seconds and have no line in the access log.
const HEALTH: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Writes a line in the access log, if there is one and the request was let pass.
fn passed(engine: &Engine, line: &RequestLine<'_>, request_id: &str, status: StatusCode) {
    if !engine.runtime.load().access_log || HEALTH.contains(&line.path) {
        return;
    }
    let passed = match line.caller {
        Some(_) => status != StatusCode::FORBIDDEN,
        None => status.is_success(),
    };
    if passed {
        let line = OwnLine {
            door: "admin",
            request_id,
            method: line.method,
            path: line.path,
            client: line.client,
            issuer: line.caller.and_then(Caller::issuer),
            actor: line.caller.map(Caller::actor),
            started: line.started,
        };
        line.end(status);
    }
}

/// Routes everything on the admin port.
///
/// # Errors
///
/// [`NoEntropy`].
fn router(engine: &Arc<Engine>, services: AdminServices) -> Result<Router, NoEntropy> {
    let state = AdminState::new(services.operations)?;
    let health = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(Arc::clone(engine));
    let known = Arc::clone(engine);
    let loops = middleware::from_fn(move |request: Request, next: Next| {
        // SECURITY: a request from the public port may come from any client. A route whose upstream is this port, by
        // whatever name, opens nothing.
        let came_back = known.via.is_in(request.headers());
        let request_id = came_back.then(|| known.request_ids.next());
        async move {
            if let Some(request_id) = request_id {
                return refused(&Refusal::new(Reason::RequestLoop), &request_id);
            }
            next.run(request).await
        }
    });
    let routes = api::router(state, services.pages).merge(health).layer(loops);
    Ok(routes.layer(middleware::map_response(async |mut response: Response| {
        response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
        response
    })))
}

/// Answers the readiness check. Ready means that requests can be decided: the directory responds, or the cached state
/// still serves while it does not. An issuer that cannot be reached is no reason to take the whole gateway out of
/// service: it has a line that reports it.
async fn ready(State(engine): State<Arc<Engine>>) -> Response {
    let now_ms = engine.clock.now_ms();
    let troubles = key_troubles(&engine, now_ms);
    let Err(error) = engine.directory.health().await else {
        let ready = if engine.directory.writes_fail() {
            "ready, but the last change to the directory could not be written: known users are served, and new ones refused"
        } else {
            "ready"
        };
        return format!("{ready}\n{troubles}").into_response();
    };
    tracing::warn!(%error, "the directory is not ready");
    if matches!(error, StoreError::Gone(_)) {
        // It does not recover by itself: an operator has to do what the log says.
        return (StatusCode::SERVICE_UNAVAILABLE, "the store's file is gone\n").into_response();
    }
    match engine.contact.freshness(now_ms) {
        Freshness::Offline { left_ms } => {
            let seconds = left_ms / 1000;
            format!("ready, without the directory: what is known here serves on for {seconds} s\n{troubles}")
                .into_response()
        }
        _ => (StatusCode::SERVICE_UNAVAILABLE, "the directory cannot be reached\n").into_response(),
    }
}

/// Writes a line for each enabled issuer whose keys are missing or cannot be renewed.
fn key_troubles(engine: &Engine, now_ms: i64) -> String {
    let runtime = engine.runtime.load();
    runtime
        .issuers
        .iter()
        .filter(|trusted| trusted.policy().status == narthex_token::IssuerStatus::Enabled)
        .filter_map(|trusted| runtime.by_name.get(trusted.name()))
        .filter_map(|issuer| issuer.keys.health(now_ms).trouble(now_ms))
        .fold(String::new(), |lines, line| lines + &line + "\n")
}

async fn metrics(State(engine): State<Arc<Engine>>) -> Response {
    let now_ms = engine.clock.now_ms();
    for issuer in engine.runtime.load().by_name.values() {
        let health = issuer.keys.health(now_ms);
        let usable = u32::try_from(health.usable_count).unwrap_or(u32::MAX);
        let age_seconds = health.age_seconds.and_then(|age| u32::try_from(age).ok());
        engine.metrics.issuer_keys(issuer.name.as_str(), usable, age_seconds);
    }
    engine.metrics.writes_fail(engine.directory.writes_fail());
    (
        [(http::header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        engine.metrics.render(),
    )
        .into_response()
}
