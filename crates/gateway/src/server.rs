//! The public port: the choice of the door for a request.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use narthex_decision::Reason;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tracing::{Instrument as _, Span};

use crate::forward_auth::{self, Original, Question, Wanted};
use crate::gateway::Gateway;
use crate::lifetime::{self, Terms};
use crate::me;
use crate::metadata;
use crate::proxy::{Body, ClientStream, ForwardError, Forwarder, UpstreamBody, UpstreamSlot};
use narthex_engine::Engine;
use narthex_engine::ForwardToken;
use narthex_engine::ProofUse;
use narthex_engine::ReadableBy;
use narthex_engine::Runtime;
use narthex_engine::access_log::{AccessLine, OwnLine};
use narthex_engine::credentials;
use narthex_engine::decision::{decide, decided_by, no_upstream};
use narthex_engine::event::Event;
use narthex_engine::http_rules;
use narthex_engine::inbound::{Door, Inbound, Origin, Sender, Trust};
use narthex_engine::passed::Passed;
use narthex_engine::protected_resource::metadata_resource;
use narthex_engine::rate_limit::client_address;
use narthex_engine::respond::{self, Format, Refusal};
use narthex_engine::session::OpenSession;
use narthex_engine::session_cookie;
use narthex_engine::trace;
use narthex_engine::{StreamLimits, Upstream};
use narthex_listener::ServerSettings;
use narthex_listener::Workers;
use narthex_listener::idle_timeout::Activity;
use narthex_listener::listen::{self, PortOptions, TooManyRequests};
use narthex_login::Endpoint;

/// Serves the public port with `workers` until `stop` is done, then waits for open requests to finish (graceful
/// shutdown).
pub async fn serve(
    gateway: Arc<Gateway>,
    listener: TcpListener,
    settings: ServerSettings,
    workers: Arc<Workers>,
    stop: impl Future<Output = ()>,
) {
    let forwarders: Vec<Forwarder> = (0..workers.count())
        .map(|_| gateway.forwarder.with_own_connections())
        .collect();
    let is_encrypted = settings.tls.is_some();
    let service = |peer, activity: &Arc<Activity>, worker: Option<usize>| {
        let forwarder = worker.and_then(|worker| forwarders.get(worker));
        let connection = Arc::new(Connection {
            gateway: Arc::clone(&gateway),
            forwarder: forwarder.unwrap_or(&gateway.forwarder).clone(),
            peer,
            is_encrypted,
            activity: Arc::clone(activity),
        });
        service_fn(move |request| answer(Arc::clone(&connection), request))
    };
    let options = PortOptions {
        settings,
        workers: Some(&workers),
        is_proxy: |address| gateway.engine.runtime.load().trusted_proxies.trust(address) == Trust::Trusted,
    };
    listen::serve(listener, options, stop, service).await;
}

/// State shared by the requests of one connection. Their references are counted per connection: if each request counted
/// its use of the gateway itself, the cache line of that one count would move between processors.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) gateway: Arc<Gateway>,
    /// Forwarder of the thread that serves the connection.
    forwarder: Forwarder,
    peer: SocketAddr,
    is_encrypted: bool,
    activity: Arc<Activity>,
}

/// A request and the peer that sent it.
#[derive(Clone, Copy)]
pub(crate) struct ClientRequest<'r> {
    pub(crate) request: &'r Request<Incoming>,
    pub(crate) sender: Sender<'r>,
}

/// Answers one request on the public port, within a span of its own while traces are collected.
async fn answer(connection: Arc<Connection>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    match trace::begin(request.method(), request.uri().path()) {
        None => respond_to(connection, request).await,
        Some(span) => Box::pin(traced(span, connection, request)).await,
    }
}

/// Answers one request within its span. The upstream is told of the span, as the parent of its own.
async fn traced(
    span: Span,
    connection: Arc<Connection>,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let trust = connection
        .gateway
        .engine
        .runtime
        .load()
        .trusted_proxies
        .trust(connection.peer.ip());
    // SECURITY: any other client could hide its requests in the trace of another one, or ask not to be traced.
    if trust == Trust::Trusted {
        narthex_telemetry::continue_trace(&span, request.headers());
    }
    narthex_telemetry::send_trace(&span, request.headers_mut());
    let answer = respond_to(connection, request).instrument(span.clone()).await?;
    trace::end(&span, answer.status());
    Ok(answer)
}

async fn respond_to(connection: Arc<Connection>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let Connection { gateway, peer, .. } = &*connection;
    let (engine, peer) = (&*gateway.engine, *peer);
    let runtime = engine.runtime.load();
    let path = request.uri().path();
    let asking = forward_auth::question(path);
    let sender = Sender {
        peer: peer.ip(),
        proxies: &runtime.trusted_proxies,
        is_encrypted: connection.is_encrypted,
    };
    // SECURITY: the rate limit comes first. Every refusal writes a line to the log, also for malformed requests.
    let checked = if request.extensions().get::<TooManyRequests>().is_some() || exceeds_rate(&runtime, &request, peer) {
        Err(Refusal::new(Reason::RateLimited))
    } else {
        http_rules::check(&request)
    };
    let client_request = ClientRequest {
        request: &request,
        sender,
    };
    Ok(if let Err(refusal) = checked {
        refused(engine, client_request, asking, &refusal).map(Either::Left)
    } else if let Some(question) = asking {
        forward_auth(engine, &runtime, client_request, question)
            .await
            .map(Either::Left)
    } else if path == "/.narthex/me" {
        Box::pin(me::answer(engine, &runtime, client_request))
            .await
            .map(Either::Left)
    } else if Endpoint::of(path).is_some() {
        Box::pin(narthex_login::answer_at_public_port(engine, &runtime, sender, request))
            .await
            .map(Either::Left)
    } else if path == "/.well-known/jwks.json" {
        key_set(engine, &runtime, client_request).map(Either::Left)
    } else if let Some(resource) = metadata_resource(path) {
        metadata::answer(engine, &runtime, client_request, resource).map(Either::Left)
    } else if path.starts_with("/.narthex/") {
        let unmatched = Refusal::new(Reason::RouteUnmatched);
        refused(engine, client_request, None, &unmatched).map(Either::Left)
    } else {
        // In a box of its own: an answer's future is moved, and a small one costs less.
        Box::pin(proxy(Arc::clone(&connection), (&runtime, sender), request)).await
    })
}

fn exceeds_rate(runtime: &Runtime, request: &Request<Incoming>, peer: SocketAddr) -> bool {
    let proxies = &runtime.trusted_proxies;
    let rate = runtime.rate.as_ref();
    rate.is_some_and(|rate| !rate.admits_from(peer.ip(), request.headers(), proxies))
}

async fn forward_auth(
    engine: &Engine,
    runtime: &Runtime,
    ClientRequest { request, sender }: ClientRequest<'_>,
    question: Question,
) -> Response<Full<Bytes>> {
    let door = question.door;
    let started = runtime.access_log.then(Instant::now);
    // SECURITY: this check comes first, because everything below believes the headers about the original request.
    if sender.proxies.trust(sender.peer) == Trust::Untrusted {
        let peer = sender.peer.to_canonical();
        let detail =
            format!("{peer} is not in `listen.trusted_proxies`; add it there if it is the address of your proxy");
        let refusal = Refusal::logged(Reason::RequestProxyUntrusted, detail);
        return refused(engine, ClientRequest { request, sender }, Some(question), &refusal);
    }
    let read = forward_auth::refuse_other_spellings(request.headers(), &runtime.owned_headers)
        .and_then(|()| Original::read(request.headers(), door));
    let original = match read {
        Ok(original) => original,
        Err(refusal) => return refused(engine, ClientRequest { request, sender }, Some(question), &refusal),
    };
    let inbound = original.inbound((request.headers(), sender), door);
    let (decided, newer) = decide(engine, runtime, &inbound).await;
    let runtime = decided_by(runtime, &newer);
    match decided {
        Ok(passed) if question.wanted == Wanted::Refusal => {
            let about = (passed.request_id.as_str(), inbound.format(engine));
            forward_auth::refuse(&forward_auth::changed_meanwhile(), about, question)
        }
        Ok(passed) => {
            let line = AccessLine::begin(runtime, &inbound, &passed, started);
            // SECURITY: also where no route has sign-in: the console's cookies are sent to every port of its host.
            let has_cookies = inbound.headers.contains_key(header::COOKIE);
            let cookie = has_cookies.then(|| session_cookie::others(inbound.headers));
            let response = forward_auth::allow(passed, &runtime.answer_headers, cookie);
            if let Some(line) = line {
                line.end(response.status());
            }
            response
        }
        Err((refusal, request_id)) => forward_auth::refuse(&refusal, (&request_id, inbound.format(engine)), question),
    }
}

async fn proxy(
    connection: Arc<Connection>,
    (runtime, sender): (&Runtime, Sender<'_>),
    mut request: Request<Incoming>,
) -> Response<Body> {
    let started = runtime.access_log.then(Instant::now);
    let Connection { gateway, peer, .. } = &*connection;
    let engine = &*gateway.engine;
    let origin = Origin {
        peer: *peer,
        trust: runtime.trusted_proxies.trust(peer.ip()),
        host: http_rules::host_of(&request).map(str::to_owned),
        is_encrypted: connection.is_encrypted,
    };
    let proof = ProofUse::default();
    let inbound = Inbound {
        method: request.method(),
        path: request.uri().path().as_bytes(),
        query: request.uri().query(),
        host: origin.host.as_deref(),
        headers: request.headers(),
        door: Door::Proxy,
        route: None,
        sender: Some(sender),
        proof: Some(&proof),
    };
    let (decided, newer) = decide(engine, runtime, &inbound).await;
    let runtime = decided_by(runtime, &newer);
    let passed = match decided {
        Ok(passed) => passed,
        Err((refusal, request_id)) => {
            return respond::refuse(&refusal, &request_id, inbound.format(engine)).map(Either::Left);
        }
    };
    let Some(upstream) = runtime.upstream(passed.answer.allowed().route) else {
        return respond::refuse(&no_upstream(), &passed.request_id, inbound.format(engine)).map(Either::Left);
    };
    let format = inbound.format(engine);
    let line = AccessLine::begin(runtime, &inbound, &passed, started);
    let places = runtime.places_on(passed.answer.allowed().route);
    if !places.headers.is_empty() {
        credentials::remove_other_spellings(request.headers_mut(), places);
    }
    if upstream.0.forward_token == ForwardToken::No {
        credentials::remove_from_referer(request.headers_mut(), places);
    }
    let grace = upstream.1.body_grace;
    let readable_by = ReadableBy::of(runtime, passed.answer.allowed().route, request.headers());
    let forwarded = forward(&connection, runtime, (request, &origin), &passed, upstream)
        .instrument(trace::upstream())
        .await;
    let answer = match forwarded {
        Ok(mut answer) => {
            respond::set_request_id(&mut answer, &passed.request_id);
            // SECURITY: the pages of a session in a frame are shown by the pages that may embed it, and by no other.
            if let Some(embedding) = passed.session.as_deref().and_then(OpenSession::embedding) {
                embedding.restrict(answer.headers_mut());
            }
            lifetime::limited(answer, Terms::of(connection, passed, grace))
        }
        Err(error) => {
            let mut answer = not_forwarded(engine, (&passed.request_id, format), &error);
            if let Some(readable_by) = readable_by {
                readable_by.write(&mut answer);
            }
            answer.map(Either::Left)
        }
    };
    if let Some(line) = line {
        line.end(answer.status());
    }
    answer
}

/// Forwards a request that may pass, if its upstream takes one more.
async fn forward(
    connection: &Arc<Connection>,
    runtime: &Runtime,
    (request, origin): (Request<Incoming>, &Origin),
    passed: &Passed,
    (upstream, limits): (&Upstream, StreamLimits),
) -> Result<Response<UpstreamBody>, ForwardError> {
    let Some(under_way) = runtime.begin(passed.answer.allowed().route) else {
        return Err(ForwardError::Busy {
            upstream: upstream.audience.clone(),
            cause: "it has reached `limits.upstream_requests`".to_owned(),
        });
    };
    let slot = UpstreamSlot {
        upstream,
        limits,
        under_way,
        owned: &runtime.owned_headers,
    };
    let terms = || Terms::of(Arc::clone(connection), passed.clone(), limits.body_grace);
    let client_stream = ClientStream {
        activity: &connection.activity,
        terms,
    };
    let forwarder = &connection.forwarder;
    forwarder.forward(request, origin, passed, slot, client_stream).await
}

/// Reports that a request that may pass was not forwarded, and answers it.
fn not_forwarded(engine: &Engine, (request_id, format): (&str, Format), error: &ForwardError) -> Response<Full<Bytes>> {
    // The end of a stream was reported when it happened.
    if !matches!(error, ForwardError::Ended(_)) {
        Event::UpstreamFailed {
            request_id,
            reason: error.reason(),
            error: &error.to_string(),
            by_client: error.is_the_clients(),
        }
        .tell(&engine.metrics);
    }
    respond::refuse(&error.refusal(), request_id, format)
}

fn key_set(
    engine: &Engine,
    runtime: &Runtime,
    ClientRequest { request, sender }: ClientRequest<'_>,
) -> Response<Full<Bytes>> {
    let started = runtime.access_log.then(Instant::now);
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let unmatched = Refusal::new(Reason::RouteUnmatched);
        return refused(engine, ClientRequest { request, sender }, None, &unmatched);
    }
    let mut response = Response::new(Full::from(engine.assertions.key_set().to_string()));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/jwk-set+json"),
    );
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    response
        .headers_mut()
        .insert(header::X_CONTENT_TYPE_OPTIONS, respond::NOSNIFF);
    if let Some(started) = started {
        let request_id = engine.request_ids.next();
        let line = OwnLine {
            door: "public",
            request_id: &request_id,
            method: request.method(),
            path: request.uri().path(),
            client: Some(client_address(sender.peer, request.headers(), sender.proxies).address),
            issuer: None,
            actor: None,
            started,
        };
        line.end(response.status());
        respond::set_request_id(&mut response, &request_id);
    }
    response
}

/// Refuses a request before there is anything to decide, and reports that.
fn refused(
    engine: &Engine,
    ClientRequest { request, sender }: ClientRequest<'_>,
    asking: Option<Question>,
    refusal: &Refusal,
) -> Response<Full<Bytes>> {
    let request_id = engine.request_ids.next();
    let inbound = &Inbound {
        method: request.method(),
        path: request.uri().path().as_bytes(),
        query: None,
        host: None,
        headers: request.headers(),
        door: asking.map_or(Door::Proxy, |question| question.door),
        route: None,
        sender: Some(sender),
        proof: None,
    };
    Event::Refused {
        inbound,
        request_id: &request_id,
        refusal,
    }
    .tell(&engine.metrics);
    let format = inbound.format(engine);
    match asking {
        None => respond::refuse(refusal, &request_id, format),
        // nginx turns a status that it does not know into an error of its own.
        Some(question) => forward_auth::refuse(refusal, (&request_id, format), question),
    }
}
