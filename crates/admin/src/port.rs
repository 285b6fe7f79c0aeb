//! The admin port: the admin API, health, metrics, and the admin API's interface to the rest of the gateway.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper_util::service::TowerToHyperService;
use narthex_decision::{Reason, Requirement};
use narthex_directory::{ActiveIssuers, Principal, Realm, StandingSession, StoreError};
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tower_http::compression::CompressionLayer;

use crate::api::{self, AdminState, CallerSlot};
use crate::denial::{Denial, RequestLine};
use narthex_clock::NoEntropy;
use narthex_engine::ConnectionSettings;
use narthex_engine::Engine;
use narthex_engine::IssuerRuntime;
use narthex_engine::Runtime;
use narthex_engine::access_log::OwnLine;
use narthex_engine::credentials::{FoundAt, Place, Token};
use narthex_engine::event::quoted;
use narthex_engine::freshness::Freshness;
use narthex_engine::http_rules;
use narthex_engine::inbound::{ClientConnection, Door, Inbound, Trust};
use narthex_engine::pipeline;
use narthex_engine::rate_limit::client_address;
use narthex_engine::respond::{self, Format, NOSNIFF, Refusal};
use narthex_engine::session;
use narthex_explain::{ExplainedRequest, Explanation, explain, pasted_token};
use narthex_fetch::keys::{IssuerHealth, Refreshed};
use narthex_listener::ServerSettings;
use narthex_listener::listen::{self, PortOptions};
use narthex_ops::sessions::SessionLimits;
use narthex_ops::{
    Caller, GatewayApi, IssuerSummary, Operations, PlatformTags, RefreshRefusal, RequestToExplain, RouteSummary,
    SignInAnswer, SignInBegin, SignInBegun, SignInCompleted, TokenHolder, TokenToExplain,
};

/// Services of the admin port.
#[derive(Debug)]
pub struct AdminServices {
    /// The operations of the admin API.
    pub operations: Arc<Operations>,
    /// Pages at every path that is not the API's; `None` for none.
    pub pages: Option<Router>,
}

impl AdminServices {
    /// The admin API over this engine, without pages.
    pub fn new(engine: &Arc<Engine>) -> Self {
        let gateway = Arc::new(EngineGateway(Arc::clone(engine)));
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
    let options = PortOptions {
        settings,
        workers: None,
        is_proxy: |address| engine.runtime.load().trusted_proxies.trust(address) == Trust::Trusted,
    };
    let of_peer = |peer: SocketAddr, _: &_, _| {
        let service = service.clone();
        service_fn(move |mut request: http::Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer.ip()));
            service.call(request)
        })
    };
    listen::serve(listener, options, stop, of_peer).await;
    Ok(())
}

/// Address of the peer of the TCP connection that carried a request.
#[derive(Debug, Clone, Copy)]
struct Peer(IpAddr);

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
    let Some(Peer(peer)) = request.extensions().get::<Peer>() else {
        return ClientConnection::default();
    };
    let (proxies, headers) = (&engine.runtime.load().trusted_proxies, request.headers());
    // SECURITY: only a trusted proxy is believed, and one that says nothing takes requests by the configured origin. Of two
    // values, one is forged.
    let scheme = http_rules::single(headers, &FORWARDED_PROTO);
    let is_https = scheme.is_ok_and(|scheme| scheme.is_none_or(|scheme| scheme.as_bytes() == b"https"));
    ClientConnection {
        address: Some(client_address(*peer, headers, proxies).address),
        is_encrypted: is_https && proxies.trust(*peer) == Trust::Trusted,
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

/// The engine, as the rest of the gateway for operations.
struct EngineGateway(Arc<Engine>);

impl EngineGateway {
    /// Returns the holder of a token, through the one verifier and the one line.
    async fn holder(
        &self,
        runtime: &Runtime,
        headers: &HeaderMap,
        presented: (Token<'_>, &FoundAt),
    ) -> Result<TokenHolder, Refusal> {
        let (inbound, now_ms) = (admin_request(headers), self.0.clock.now_ms());
        let known = pipeline::who(&self.0, runtime, &inbound, presented, now_ms).await?;
        // SECURITY: the pipeline takes no machine key from the admin port, so the holder's token has an issuer.
        let issuer = known.seen.caller().issuer_name().cloned();
        Ok(TokenHolder {
            issuer: issuer.ok_or_else(|| Refusal::new(Reason::TokenMissing))?,
            principal: Arc::clone(&known.account.principal),
        })
    }
}

/// A request at the admin port, as the line reads it.
const fn admin_request(headers: &HeaderMap) -> Inbound<'_> {
    Inbound {
        method: &Method::GET,
        path: b"/",
        query: None,
        host: None,
        headers,
        door: Door::Me,
        route: None,
        sender: None,
        proof: None,
    }
}

#[async_trait]
impl GatewayApi for EngineGateway {
    async fn authenticate(&self, token: &str, headers: &HeaderMap) -> Result<TokenHolder, Refusal> {
        let runtime = self.0.runtime.load_full();
        self.holder(&runtime, headers, (token.into(), &Place::AdminPort.into()))
            .await
    }

    fn context(&self, principal: &Principal) -> Map<String, Value> {
        self.0.runtime.load().context(principal).into_owned()
    }

    fn realms(&self) -> Vec<Realm> {
        let mut realms: Vec<Realm> = self
            .0
            .runtime
            .load()
            .by_name
            .values()
            .map(|issuer| issuer.realm.clone())
            .collect();
        realms.sort();
        realms.dedup();
        realms
    }

    fn active_issuers(&self) -> Arc<ActiveIssuers> {
        Arc::clone(&self.0.runtime.load().active_issuers)
    }

    fn issuers(&self) -> Vec<IssuerSummary> {
        let runtime = self.0.runtime.load();
        let bodies = runtime
            .issuers
            .iter()
            .filter_map(|trusted| runtime.by_name.get(trusted.name()));
        bodies
            .map(|issuer| issuer_summary(issuer, self.0.clock.now_ms()))
            .collect()
    }

    fn platform_tags(&self) -> Vec<PlatformTags> {
        let runtime = self.0.runtime.load();
        let lists = runtime.by_name.values().map(|issuer| PlatformTags {
            issuer: issuer.name.to_string(),
            realm: issuer.realm.clone(),
            tags: issuer.policy.platform_admin_tags.clone(),
        });
        let mut lists: Vec<PlatformTags> = lists.collect();
        lists.sort_by(|one, other| one.issuer.cmp(&other.issuer));
        lists
    }

    fn keys(&self, issuer: &str) -> Option<IssuerHealth> {
        let runtime = self.0.runtime.load();
        runtime
            .by_name
            .get(issuer)
            .map(|issuer| issuer.keys.health(self.0.clock.now_ms()))
    }

    fn sign_in_issuers(&self) -> Vec<String> {
        let runtime = self.0.runtime.load();
        let names = runtime.issuers.iter().map(|trusted| trusted.name().to_owned());
        names.filter(|name| runtime.sign_in_at(name).is_some()).collect()
    }

    async fn begin_sign_in(&self, begin: SignInBegin<'_>) -> Result<SignInBegun, Refusal> {
        let runtime = self.0.runtime.load_full();
        let place = (begin.origin, begin.issuer, begin.back);
        let begun = narthex_login::begin_at_console(&self.0, &runtime, begin.headers, place).await?;
        Ok(SignInBegun {
            location: begun.location,
            browser: begun.browser,
            seconds: narthex_login::FLOW_SECONDS,
        })
    }

    async fn complete_sign_in(&self, answer: SignInAnswer<'_>) -> Result<SignInCompleted, Refusal> {
        let runtime = self.0.runtime.load_full();
        let inbound = Inbound {
            query: Some(answer.query),
            ..admin_request(answer.headers)
        };
        let place = (answer.origin, answer.issuer);
        let completed = narthex_login::complete_at_console(&self.0, &runtime, &inbound, place).await?;
        Ok(SignInCompleted {
            session: completed.session,
            back: completed.back,
        })
    }

    async fn authenticate_session(
        &self,
        session: StandingSession,
        headers: &HeaderMap,
    ) -> Result<Option<TokenHolder>, Refusal> {
        let runtime = self.0.runtime.load_full();
        let Some(open) = session::open_at_console(&self.0, &runtime, session).await? else {
            return Ok(None);
        };
        let (token, place) = open.presented();
        self.holder(&runtime, headers, (token, &place)).await.map(Some)
    }

    fn session_limits(&self) -> SessionLimits {
        let settings = &self.0.runtime.load().sign_in;
        SessionLimits {
            idle_ms: settings.session_idle_ms,
            max_ms: settings.session_max_ms,
        }
    }

    fn connections(&self) -> Arc<ConnectionSettings> {
        Arc::clone(&self.0.runtime.load().connections)
    }

    async fn refresh(&self, issuer: &str) -> Result<IssuerHealth, RefreshRefusal> {
        let issuer = self
            .0
            .runtime
            .load()
            .by_name
            .get(issuer)
            .cloned()
            .ok_or(RefreshRefusal::UnknownIssuer)?;
        match issuer.keys.refresh().await {
            Refreshed::Fixed => Err(RefreshRefusal::NothingToFetch),
            Refreshed::TooSoon { .. } => Err(RefreshRefusal::TooSoon),
            Refreshed::Read | Refreshed::Failed { .. } => Ok(issuer.keys.health(self.0.clock.now_ms())),
        }
    }

    fn routes(&self) -> Vec<RouteSummary> {
        let runtime = self.0.runtime.load();
        let bodies = runtime.routes.iter().map(|route| RouteSummary {
            index: route.index,
            paths: route.spec.paths.clone(),
            methods: route.spec.methods.iter().map(ToString::to_string).collect(),
            hosts: route.spec.hosts.iter().map(ToString::to_string).collect(),
            require: route.spec.require.iter().map(Requirement::to_string).collect(),
            upstream: runtime
                .upstream(route.index)
                .map(|(upstream, _)| upstream.audience.clone()),
            audience: runtime.audience(route.index).to_owned(),
        });
        bodies.collect()
    }

    async fn explain(&self, token: TokenToExplain) -> Result<Explanation, Refusal> {
        let runtime = self.0.runtime.load_full();
        let now_ms = token.at_ms.unwrap_or_else(|| self.0.clock.now_ms());
        let explained = token.request.map(explained_request).transpose()?;
        Ok(explain(
            &runtime,
            &*self.0.directory,
            pasted_token(&token.token),
            explained.as_ref(),
            now_ms,
        )
        .await)
    }
}

fn explained_request(request: RequestToExplain) -> Result<ExplainedRequest, Refusal> {
    let mut headers = HeaderMap::new();
    let refused = |problem: String| Refusal::because(Reason::RequestPath, problem);
    for (name, value) in &request.headers {
        let (Ok(key), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) else {
            let name = quoted(name);
            return Err(refused(format!("`{name}` is not a header that a request could have")));
        };
        headers.append(key, value);
    }
    ExplainedRequest::new((&request.method, &request.path), request.host, headers).map_err(refused)
}

fn issuer_summary(issuer: &IssuerRuntime, now_ms: i64) -> IssuerSummary {
    let policy = issuer.trusted.policy();
    IssuerSummary {
        name: issuer.name.to_string(),
        issuer: policy.issuer.clone(),
        aliases: policy.aliases.clone(),
        realm: issuer.realm.to_string(),
        enabled: policy.status == narthex_token::IssuerStatus::Enabled,
        algorithms: policy.algorithms.iter().map(ToString::to_string).collect(),
        audiences: policy.audiences.clone(),
        provision: issuer.policy.provision.to_string(),
        mode: issuer.policy.mode.to_string(),
        key_health: issuer.keys.health(now_ms),
    }
}
