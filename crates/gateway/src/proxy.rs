//! The proxy door: a request that may pass is streamed to its upstream, and its answer back.

mod failover;
pub(crate) mod headers;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, Version, header};
use http_body_util::{Either, Full};
use hyper::body::{Body as _, Incoming};
use hyper::upgrade::OnUpgrade;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use narthex_decision::{OwnedHeaders, Preflight, Reason, remove_headers, remove_identity_headers, spelled_like};
use thiserror::Error;

use crate::body_limits::{LastActivity, LimitedBody, StreamError, tunnel};
use crate::lifetime::{LifetimeBody, LifetimeRule, StreamKind, Terms};
use crate::upgrade::{Upgrade, remove_handshake};
use narthex_engine::LoadPermit;
use narthex_engine::Via;
use narthex_engine::credentials::{self, FoundAt, Place};
use narthex_engine::http_rules;
use narthex_engine::inbound::Origin;
use narthex_engine::passed::Passed;
use narthex_engine::respond::Refusal;
use narthex_engine::session_cookie;
use narthex_engine::{ForwardToken, StreamLimits, Upstream, UpstreamProtocol};
use narthex_listener::idle_timeout::Activity;
use narthex_listener::sockets::NoSocket;
use narthex_upstream::Connector;

use headers::{insert, join_cookies, remove_hop_by_hop, remove_what_a_preflight_has_no_use_for, set_forwarding};

/// Body of every answer on the public port: made here, or streamed from an upstream.
pub(crate) type Body = Either<Full<Bytes>, LifetimeBody<LimitedBody<Incoming>>>;
/// Answer to a forwarded request; the caller decides how long its body may last.
pub(crate) type UpstreamBody = Either<Full<Bytes>, LimitedBody<Incoming>>;

/// Error for a request that its upstream did not answer.
#[derive(Debug, Error)]
pub(crate) enum ForwardError {
    /// There is no connection, or it broke before the answer began.
    #[error("the upstream `{upstream}` cannot be reached: {cause}")]
    Unreachable {
        /// The upstream as configured.
        upstream: String,
        /// Description of the error.
        cause: String,
    },
    /// There is no answer in time.
    #[error("the upstream `{upstream}` did not answer within {seconds} s")]
    Timeout {
        /// The upstream as configured.
        upstream: String,
        /// Time limit, in seconds.
        seconds: u64,
    },
    /// The request has passed this process before.
    #[error("a request came back here: the upstream `{upstream}` leads to this gateway")]
    Loop {
        /// The upstream as configured.
        upstream: String,
    },
    /// The upstream has reached its limit of requests under way, or there are no more connections.
    #[error("no further request goes to the upstream `{upstream}` now: {cause}")]
    Busy {
        /// The upstream as configured.
        upstream: String,
        /// The resource that is exhausted.
        cause: String,
    },
    /// The request's body is longer than the route allows.
    #[error("the request's body is longer than {0} bytes")]
    TooLong(u64),
    /// The answer of the upstream breaks HTTP.
    #[error("the upstream `{upstream}` {fault}")]
    BadAnswer {
        /// The upstream as configured.
        upstream: String,
        /// Fault of the answer.
        fault: &'static str,
    },
    /// The token, user or organization that the request rests on ended before its body was complete.
    #[error("the request was ended before its body was complete: {0}")]
    Ended(Reason),
    /// The request cannot be forwarded.
    #[error("the request cannot be passed on: {0}")]
    Unforwardable(&'static str),
}

impl ForwardError {
    /// Returns the reason why the request was not forwarded.
    pub(crate) const fn reason(&self) -> Reason {
        match self {
            Self::Unreachable { .. } | Self::BadAnswer { .. } => Reason::UpstreamUnreachable,
            Self::Timeout { .. } => Reason::UpstreamTimeout,
            Self::Loop { .. } => Reason::RequestLoop,
            Self::Busy { .. } => Reason::UpstreamBusy,
            Self::TooLong(_) => Reason::RequestTooLarge,
            Self::Ended(reason) => *reason,
            Self::Unforwardable(_) => Reason::RequestUnforwardable,
        }
    }

    /// Tests whether the client's request caused the failure, not the upstream.
    pub(crate) const fn is_the_clients(&self) -> bool {
        matches!(self, Self::TooLong(_) | Self::Unforwardable(_))
    }

    /// Returns the refusal that the client reads. The upstream's address and the error on the way to it are for the log
    /// alone.
    pub(crate) fn refusal(&self) -> Refusal {
        match self {
            Self::TooLong(_) | Self::Unforwardable(_) => Refusal::because(self.reason(), self.to_string()),
            Self::Unreachable { .. }
            | Self::BadAnswer { .. }
            | Self::Timeout { .. }
            | Self::Ended(_)
            | Self::Loop { .. }
            | Self::Busy { .. } => Refusal::new(self.reason()),
        }
    }
}

/// Upper limit of the head of an upstream's answer, and of the part of a request's body that waits for a blocked
/// upstream.
const BUFFER_BYTES_MAX: usize = 32 * 1024;
/// Upper limit of one HTTP/2 answer that waits for its client: the initial window of HTTP/2.
const STREAM_WINDOW_BYTES: u32 = 65_535;
/// Window of a whole connection, so large that streams whose clients take nothing leave enough for the others.
const CONNECTION_WINDOW_BYTES: u32 = 1 << 30;

/// Body of a forwarded request.
type OutboundBody = LifetimeBody<LimitedBody<Incoming>>;
type Pool = Client<Connector, OutboundBody>;

/// Upstream of a request, with its limits and the place that the request holds among those under way.
pub(crate) struct UpstreamSlot<'u> {
    pub(crate) upstream: &'u Upstream,
    pub(crate) limits: StreamLimits,
    pub(crate) under_way: LoadPermit,
    /// Headers that the client must not set.
    pub(crate) owned: &'u Arc<OwnedHeaders>,
}

/// Client's connection, and the terms of what is streamed on it.
pub(crate) struct ClientStream<'c, T> {
    pub(crate) activity: &'c Arc<Activity>,
    pub(crate) terms: T,
}

/// Connection pools of the upstreams.
#[derive(Debug, Clone)]
pub(crate) struct Forwarder {
    via: Arc<Via>,
    connector: Connector,
    negotiated: Pool,
    /// Connections for requests to change the protocol, where TLS could negotiate HTTP/2.
    upgrades: Pool,
    http2: Pool,
}

impl Forwarder {
    /// Creates pools of connections.
    pub(crate) fn new(connector: Connector, via: Via) -> Self {
        let builder = || {
            let mut builder = Client::builder(TokioExecutor::new());
            builder
                .pool_timer(TokioTimer::new())
                .http1_max_buf_size(BUFFER_BYTES_MAX)
                .http2_max_send_buf_size(BUFFER_BYTES_MAX)
                .http2_initial_stream_window_size(STREAM_WINDOW_BYTES)
                .http2_initial_connection_window_size(CONNECTION_WINDOW_BYTES)
                .pool_idle_timeout(Duration::from_secs(30))
                .pool_max_idle_per_host(256);
            builder
        };
        Self {
            via: Arc::new(via),
            negotiated: builder().build(connector.clone()),
            upgrades: builder().build(connector.offering_http1()),
            http2: builder().http2_only(true).build(connector.clone()),
            connector,
        }
    }

    /// Creates a forwarder with connections of its own: each is served by the thread that opened it. An answer for
    /// another thread comes in more pieces and costs more.
    pub(crate) fn with_own_connections(&self) -> Self {
        Self::new(self.connector.clone(), self.via.again())
    }

    /// Forwards an allowed request and streams the answer back.
    ///
    /// # Errors
    ///
    /// [`ForwardError`], which has a reason.
    pub(crate) async fn forward(
        &self,
        mut request: Request<Incoming>,
        origin: &Origin,
        passed: &Passed,
        slot: UpstreamSlot<'_>,
        client_stream: ClientStream<'_, impl Fn() -> Terms>,
    ) -> Result<Response<UpstreamBody>, ForwardError> {
        let UpstreamSlot {
            upstream,
            limits,
            owned,
            ..
        } = slot;
        if self.via.is_in(request.headers()) {
            return Err(ForwardError::Loop {
                upstream: upstream.audience.clone(),
            });
        }
        let upgrade = Self::upgrade(&request, passed, upstream);
        if request.body().size_hint().lower() > limits.body_bytes {
            return Err(ForwardError::TooLong(limits.body_bytes));
        }
        let client_side = upgrade.map(|upgrade| (upgrade, hyper::upgrade::on(&mut request)));
        http_rules::framing_names(request.headers()).map_err(ForwardError::Unforwardable)?;
        let version = request.version();
        rewrite(&mut request, origin, passed, (upstream, owned))?;
        self.via.add(request.headers_mut(), version);
        match &client_side {
            Some((upgrade, _)) => upgrade.ask(request.headers_mut()),
            None => remove_handshake(request.headers_mut()),
        }
        // The upstream's timeout restarts with each part of the body that it takes.
        let taken = Arc::new(LastActivity::new());
        let kind = StreamKind::of_request(request.headers());
        let request = request.map(|body| {
            let lasts = (!body.is_end_stream()).then(&client_stream.terms);
            let body = match passed.preflight {
                // SECURITY: a preflight needs no token, so its body is not forwarded.
                Preflight::Yes => LimitedBody::left_out(body, limits),
                Preflight::No => LimitedBody::request(body, limits, Arc::clone(&taken)).without(owned),
            };
            LifetimeBody::new(body, kind, lasts)
        });
        let answer = if upstream.servers.is_one() {
            self.send(request, upstream, &taken).await?
        } else {
            // In a box of its own, so that the future of requests to one server stays small.
            Box::pin(self.send_to_one_of(request, upstream, limits, &taken)).await?
        };
        client_stream.activity.wait_for_reader(limits.idle);
        respond(answer, client_side, slot, client_stream).map_err(|fault| ForwardError::BadAnswer {
            upstream: upstream.audience.clone(),
            fault,
        })
    }

    /// Sends a request to the server in its target, and waits for the head of the answer.
    ///
    /// # Errors
    ///
    /// [`ForwardError`].
    async fn send(
        &self,
        request: Request<OutboundBody>,
        upstream: &Upstream,
        taken: &Arc<LastActivity>,
    ) -> Result<Response<Incoming>, ForwardError> {
        let asks_for_upgrade = request.headers().contains_key(header::UPGRADE);
        let pool = match upstream.protocol {
            UpstreamProtocol::Negotiated if asks_for_upgrade && upstream.scheme == Scheme::HTTPS => &self.upgrades,
            UpstreamProtocol::Negotiated => &self.negotiated,
            UpstreamProtocol::Http2 => &self.http2,
        };
        tokio::select! {
            biased;
            answer = pool.request(request) => answer.map_err(|error| failed(&error, upstream)),
            () = taken.silence(upstream.timeout) => Err(ForwardError::Timeout {
                upstream: upstream.audience.clone(),
                seconds: upstream.timeout.as_secs(),
            }),
        }
    }

    /// Returns the upgrade to forward, if the request asks for one. HTTP/2 connections do not change their protocol.
    fn upgrade(request: &Request<Incoming>, passed: &Passed, upstream: &Upstream) -> Option<Upgrade> {
        match upstream.protocol {
            UpstreamProtocol::Negotiated => Upgrade::of(request, passed.preflight, &upstream.upgrades),
            UpstreamProtocol::Http2 => None,
        }
    }
}

/// Returns the answer as the client gets it: identity and hop-by-hop headers removed, a granted upgrade tunnelled. The
/// error names the fault of an answer that cannot be forwarded.
fn respond(
    mut answer: Response<Incoming>,
    client_side: Option<(Upgrade, OnUpgrade)>,
    UpstreamSlot { limits, under_way, .. }: UpstreamSlot<'_>,
    ClientStream { activity, terms }: ClientStream<'_, impl Fn() -> Terms>,
) -> Result<Response<UpstreamBody>, &'static str> {
    // SECURITY: an application that echoes its request must not give the identity to the client, nor may a proxy in
    // front of Narthex take it for a decision.
    remove_identity_headers(answer.headers_mut());
    session_cookie::remove_set(answer.headers_mut());
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        // SECURITY: only a 101 opens a tunnel, and only to the protocol that was asked for.
        let Some((upgrade, client_side)) = client_side else {
            return Err("switched protocols without being asked");
        };
        if !upgrade.is_granted(answer.headers()) {
            return Err("switched to another protocol than the one it was asked for");
        }
        let upstream_side = hyper::upgrade::on(&mut answer);
        // SECURITY: a tunnel is a request under way until it ends. It keeps the connection's place, and has the grace
        // period when the process stops.
        let open = activity.open(Version::HTTP_11);
        let terms = terms();
        tokio::spawn(async move {
            let tunnel = tunnel(client_side, upstream_side, limits.idle);
            match terms.watch(LifetimeRule::WithToken) {
                // SECURITY: a tunnel is decided once, when it is opened; its data is not inspected.
                Some(watched) => tokio::select! {
                    () = tunnel => {}
                    () = watched.end() => {}
                },
                None => tunnel.await,
            }
            drop((open, under_way));
        });
        remove_hop_by_hop(answer.headers_mut());
        upgrade.ask(answer.headers_mut());
        let (parts, _) = answer.into_parts();
        return Ok(Response::from_parts(parts, Either::Left(Full::default())));
    }
    remove_hop_by_hop(answer.headers_mut());
    // The version is that of the client's connection, not of the upstream's.
    *answer.version_mut() = Version::HTTP_11;
    Ok(answer.map(|body| Either::Right(LimitedBody::answer(body, limits, Some(under_way)))))
}

/// Turns the inbound request into the outbound one. The matched path is the forwarded path, but for a prefix that the route
/// strips.
fn rewrite(
    request: &mut Request<Incoming>,
    origin: &Origin,
    passed: &Passed,
    (upstream, owned): (&Upstream, &OwnedHeaders),
) -> Result<(), ForwardError> {
    let target = target(request.uri(), passed.token_at.as_ref(), upstream)?;
    let headers = request.headers_mut();
    let organization = named_organization(headers, passed, upstream);
    remove_hop_by_hop(headers);
    if let Some((name, value)) = organization {
        remove_headers(headers, |other| spelled_like(other, name.as_str()));
        headers.extend(value.map(|value| (name.clone(), value)));
    }
    if passed.preflight == Preflight::Yes {
        remove_what_a_preflight_has_no_use_for(headers);
    }
    join_cookies(headers);
    if let (Some(at), ForwardToken::No) = (&passed.token_at, upstream.forward_token) {
        at.iter().for_each(|place| credentials::remove(headers, place));
    }
    session_cookie::remove(headers);
    set_forwarding(headers, origin);
    passed.answer.allowed().patch.apply(headers, owned);
    insert(
        headers,
        HeaderName::from_static("x-narthex-request-id"),
        &passed.request_id,
    );
    if let Some(host) = &origin.host {
        insert(headers, header::HOST, host);
    }
    *request.version_mut() = match upstream.protocol {
        UpstreamProtocol::Negotiated => Version::HTTP_11,
        UpstreamProtocol::Http2 => Version::HTTP_2,
    };
    *request.uri_mut() = target;
    Ok(())
}

/// Returns the header in which requests name their organization, with the value that was decided. A preflight has none.
///
/// SECURITY: neither another spelling of it nor `Connection` may give the application another organization than the one that
/// the request was decided for, or none.
fn named_organization<'u>(
    headers: &HeaderMap,
    passed: &Passed,
    upstream: &'u Upstream,
) -> Option<(&'u HeaderName, Option<HeaderValue>)> {
    let name = upstream.organization_header.as_ref()?;
    let value = headers.get(name).filter(|_| passed.preflight == Preflight::No);
    Some((name, value.cloned()))
}

fn target(inbound: &Uri, at: Option<&FoundAt>, upstream: &Upstream) -> Result<Uri, ForwardError> {
    let unforwardable = |_| ForwardError::Unforwardable("its target is not a URI");
    let places = at.into_iter().flat_map(FoundAt::iter);
    let removed: Vec<&str> = places
        .filter_map(|place| match place {
            Place::QueryParameter(name) if upstream.forward_token == ForwardToken::No => Some(name.as_str()),
            _ => None,
        })
        .collect();
    let path_and_query = if removed.is_empty() && upstream.strip_prefix.is_none() {
        inbound
            .path_and_query()
            .cloned()
            .unwrap_or_else(|| PathAndQuery::from_static("/"))
    } else {
        let path = upstream.forwarded(inbound.path());
        let query = inbound.query().map(|query| {
            removed.iter().fold(Cow::Borrowed(query), |query, name| {
                Cow::Owned(credentials::query_without(&query, name))
            })
        });
        let text = match query {
            Some(query) if !query.is_empty() || removed.is_empty() => format!("{path}?{query}"),
            _ => path.to_owned(),
        };
        PathAndQuery::try_from(text).map_err(|_| ForwardError::Unforwardable("its query is not a URI query"))?
    };
    Uri::builder()
        .scheme(upstream.scheme.clone())
        .authority(upstream.servers.first().authority().clone())
        .path_and_query(path_and_query)
        .build()
        .map_err(unforwardable)
}

/// Returns the cause of a failed request: a body that broke off is the client's fault, any other error the upstream's.
fn failed(error: &(dyn std::error::Error + 'static), upstream: &Upstream) -> ForwardError {
    let mut cause = error;
    loop {
        if cause.is::<NoSocket>() {
            return ForwardError::Busy {
                upstream: upstream.audience.clone(),
                cause: cause.to_string(),
            };
        }
        match cause.downcast_ref() {
            Some(StreamError::TooLong(bytes)) => return ForwardError::TooLong(*bytes),
            Some(StreamError::Ended(reason)) => return ForwardError::Ended(*reason),
            Some(StreamError::Idle(_)) => return ForwardError::Unforwardable("its body stopped coming"),
            // SECURITY: in this place only a request's body is read. If it were reported as the upstream's failure, any
            // client could raise an alarm.
            Some(StreamError::Connection(_)) => {
                return ForwardError::Unforwardable("its body breaks off, or is not framed as HTTP says");
            }
            None => {}
        }
        match cause.source() {
            Some(source) => cause = source,
            None => {
                return ForwardError::Unreachable {
                    upstream: upstream.audience.clone(),
                    cause: cause.to_string(),
                };
            }
        }
    }
}
