//! The proxy door: what may pass is streamed to its upstream, both ways.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, Version, header};
use http_body_util::{Either, Full};
use hyper::body::{Body as _, Incoming};
use hyper::upgrade::OnUpgrade;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use narthex_decision::{HeaderPatch, Preflight, Reason, is_forwarding_header, is_method_override};
use thiserror::Error;

use crate::credentials::{self, Place};
use crate::http_rules;
use crate::idle::Activity;
use crate::inbound::{Origin, Trust};
use crate::lifetime::{Kind, Lasting, Lasts, Terms};
use crate::load::UnderWay;
use crate::pipeline::Passed;
use crate::respond::Refusal;
use crate::sockets::{NoSocket, Sockets};
use crate::stream::{Heard, Limited, StreamError, StreamLimits, tunnel};
use crate::upgrade::{Upgrade, UpgradeProtocols, remove_handshake};
use crate::via::Via;

/// The body of every answer on the public port: made here, or streamed from an upstream.
pub(crate) type Body = Either<Full<Bytes>, Lasting<Limited<Incoming>>>;
/// The answer to a request that was passed on; how long its body may last is for the caller to say.
type Passing = Either<Full<Bytes>, Limited<Incoming>>;

/// Where a route's requests go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// `http` or `https`.
    pub scheme: Scheme,
    /// Host and port.
    pub authority: Authority,
    /// Whether HTTP/2 is spoken without negotiation (`h2c://` in the configuration), as gRPC servers want.
    pub protocol: UpstreamProtocol,
    /// The upstream as configured: the `aud` of assertions.
    pub audience: String,
    /// How long to wait for the head of the answer, or for more of the request's body to be taken.
    pub timeout: Duration,
    /// Whether the inbound token travels on.
    pub forward_token: ForwardToken,
    /// The protocol upgrades that are passed on.
    pub upgrades: UpgradeProtocols,
}

/// How an upstream is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamProtocol {
    /// HTTP/1.1, or what TLS negotiates.
    Negotiated,
    /// HTTP/2 from the first byte.
    Http2,
}

/// Whether the inbound token travels on to the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForwardToken {
    /// It does (`forward_token = true`).
    Yes,
    /// It is removed.
    No,
}

/// Why an upstream gave no answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ForwardError {
    /// No connection, or it broke before the answer began.
    #[error("the upstream `{upstream}` cannot be reached: {cause}")]
    Unreachable {
        /// The upstream as configured.
        upstream: String,
        /// What happened.
        cause: String,
    },
    /// No answer in time.
    #[error("the upstream `{upstream}` did not answer within {seconds} s")]
    Timeout {
        /// The upstream as configured.
        upstream: String,
        /// The limit.
        seconds: u64,
    },
    /// The request has been here before.
    #[error("a request came back here: the upstream `{upstream}` leads to this gateway")]
    Loop {
        /// The upstream as configured.
        upstream: String,
    },
    /// It has as many requests under way as it may have, or there are no more connections.
    #[error("no further request goes to the upstream `{upstream}` now: {cause}")]
    Busy {
        /// The upstream as configured.
        upstream: String,
        /// What there are too many of.
        cause: String,
    },
    /// The request's body is longer than the route allows.
    #[error("the request's body is longer than {0} bytes")]
    TooLong(u64),
    /// The upstream answers something that HTTP does not allow there.
    #[error("the upstream `{upstream}` {fault}")]
    BadAnswer {
        /// The upstream as configured.
        upstream: String,
        /// The fault of the answer.
        fault: &'static str,
    },
    /// What let the request pass ended while its body was on the way.
    #[error("what let the request pass ended before its body did: {0}")]
    Ended(Reason),
    /// The request cannot be passed on.
    #[error("the request cannot be passed on: {0}")]
    Unforwardable(&'static str),
}

impl ForwardError {
    /// Why the request was not passed on, as a reason.
    pub const fn reason(&self) -> Reason {
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

    /// Whether the request was at fault, and the upstream was not.
    pub const fn is_the_clients(&self) -> bool {
        matches!(self, Self::TooLong(_) | Self::Unforwardable(_))
    }

    /// What the client is told. Where the upstream is, and what happened on the way to it, is for the log alone.
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

/// The largest head of an upstream's answer, and how much of a request's body waits for an upstream that takes nothing.
const BUFFER_BYTES_MAX: usize = 32 * 1024;
/// How much of one HTTP/2 answer waits for its client: what HTTP/2 begins with.
const STREAM_WINDOW_BYTES: u32 = 65_535;
/// So much for all of a connection that those whose clients take nothing leave enough for the others.
const CONNECTION_WINDOW_BYTES: u32 = 1 << 30;

type Connector = HttpsConnector<Sockets>;
type Pool = Client<Connector, Lasting<Limited<Incoming>>>;

/// Connections to upstreams.
#[derive(Debug, Clone)]
pub struct Forwarder {
    via: Arc<Via>,
    connector: Connector,
    negotiated: Pool,
    http2: Pool,
}

impl Forwarder {
    /// A pool of at most so many connections that trusts the system's certificate authorities.
    ///
    /// # Errors
    ///
    /// When the system's certificate authorities cannot be read.
    pub fn new(connect_timeout: Duration, sockets: usize) -> std::io::Result<Self> {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(connect_timeout));
        let https = hyper_rustls::HttpsConnectorBuilder::new()
            .with_native_roots()?
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(Sockets::new(connector, sockets));
        let via = Via::new().map_err(std::io::Error::other)?;
        Ok(Self::with(https, via))
    }

    fn with(connector: Connector, via: Via) -> Self {
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
            http2: builder().http2_only(true).build(connector.clone()),
            connector,
        }
    }

    /// The same with connections of its own: each is served by the thread that opened it, and an answer that another
    /// thread waits for comes in more pieces and costs more.
    pub(crate) fn with_own_connections(&self) -> Self {
        Self::with(self.connector.clone(), self.via.again())
    }

    /// Whether a request was passed on by this process before.
    pub(crate) fn has_forwarded(&self, headers: &HeaderMap) -> bool {
        self.via.is_in(headers)
    }

    /// Passes an allowed request on and streams the answer back.
    ///
    /// # Errors
    ///
    /// [`ForwardError`], which has a reason.
    pub async fn forward(
        &self,
        mut request: Request<Incoming>,
        origin: &Origin,
        passed: &Passed,
        (upstream, limits, under_way): (&Upstream, StreamLimits, UnderWay),
        (activity, terms): (&Arc<Activity>, impl Fn() -> Terms),
    ) -> Result<Response<Passing>, ForwardError> {
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
        http_rules::framing_names(request.headers()).map_err(|_| {
            ForwardError::Unforwardable(
                "a header is spelled like `Content-Length` or `Transfer-Encoding` and is neither",
            )
        })?;
        let version = request.version();
        rewrite(&mut request, origin, passed, upstream)?;
        self.via.add(request.headers_mut(), version);
        match &client_side {
            Some((upgrade, _)) => upgrade.ask(request.headers_mut()),
            None => remove_handshake(request.headers_mut()),
        }
        let pool = match upstream.protocol {
            UpstreamProtocol::Negotiated => &self.negotiated,
            UpstreamProtocol::Http2 => &self.http2,
        };
        // The upstream's time begins anew with each part of the body that it takes.
        let taken = Arc::new(Heard::new());
        let kind = Kind::of_request(request.headers());
        let request = request.map(|body| {
            let lasts = (!body.is_end_stream()).then(&terms);
            let body = match passed.preflight {
                // SECURITY: nobody is asked for a token here, so nothing passes but the question itself.
                Preflight::Yes => Limited::left_out(body, limits),
                Preflight::No => Limited::request(body, limits, Arc::clone(&taken)),
            };
            Lasting::new(body, kind, lasts)
        });
        let answer = tokio::select! {
            biased;
            answer = pool.request(request) => answer.map_err(|error| failed(&error, upstream))?,
            () = taken.silence(upstream.timeout) => return Err(ForwardError::Timeout {
                upstream: upstream.audience.clone(),
                seconds: upstream.timeout.as_secs(),
            }),
        };
        activity.wait_for_reader(limits.idle);
        respond(answer, client_side, (limits, under_way), (activity, terms)).map_err(|fault| ForwardError::BadAnswer {
            upstream: upstream.audience.clone(),
            fault,
        })
    }

    /// The upgrade that is passed on, if the request asks for one. HTTP/2 connections do not change their protocol.
    fn upgrade(request: &Request<Incoming>, passed: &Passed, upstream: &Upstream) -> Option<Upgrade> {
        match upstream.protocol {
            UpstreamProtocol::Negotiated => Upgrade::of(request, passed.preflight, &upstream.upgrades),
            UpstreamProtocol::Http2 => None,
        }
    }
}

/// Returns the answer as the client gets it: hop-by-hop headers removed, a granted upgrade tunnelled. The error names the
/// fault of an answer that cannot be passed on.
fn respond(
    mut answer: Response<Incoming>,
    client_side: Option<(Upgrade, OnUpgrade)>,
    (limits, under_way): (StreamLimits, UnderWay),
    (activity, terms): (&Arc<Activity>, impl Fn() -> Terms),
) -> Result<Response<Passing>, &'static str> {
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        // SECURITY: only a 101 opens a tunnel, and only to the protocol that was asked for.
        let Some((upgrade, client_side)) = client_side else {
            return Err("switched protocols without being asked");
        };
        if !upgrade.is_granted(answer.headers()) {
            return Err("switched to another protocol than the one it was asked for");
        }
        let upstream_side = hyper::upgrade::on(&mut answer);
        // SECURITY: a tunnel is a request under way until it ends. It keeps the connection's place, and the grace when the
        // process stops.
        let open = activity.open(Version::HTTP_11);
        let terms = terms();
        tokio::spawn(async move {
            let tunnel = tunnel(client_side, upstream_side, limits.idle);
            match terms.watch(Lasts::WithToken) {
                // SECURITY: what goes through a tunnel is decided once, when it is opened.
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
    // SECURITY: an application that echoes its request must not hand the identity to the client, nor a proxy behind which
    // Narthex stands take it for a decision.
    HeaderPatch::default().apply(answer.headers_mut());
    // The version is that of this connection, not of the upstream's.
    *answer.version_mut() = Version::HTTP_11;
    Ok(answer.map(|body| Either::Right(Limited::answer(body, limits, Some(under_way)))))
}

/// Turns the inbound request into the outbound one. The path is not touched: what was matched is what is sent.
fn rewrite(
    request: &mut Request<Incoming>,
    origin: &Origin,
    passed: &Passed,
    upstream: &Upstream,
) -> Result<(), ForwardError> {
    let target = target(request.uri(), passed.place.as_ref(), upstream)?;
    let headers = request.headers_mut();
    remove_hop_by_hop(headers);
    if passed.preflight == Preflight::Yes {
        remove_what_a_preflight_has_no_use_for(headers);
    }
    join_cookies(headers);
    if let (Some(place), ForwardToken::No) = (&passed.place, upstream.forward_token) {
        credentials::remove(headers, place);
    }
    set_forwarding(headers, origin);
    passed.answer.allowed().patch.apply(headers);
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

fn target(inbound: &Uri, place: Option<&Place>, upstream: &Upstream) -> Result<Uri, ForwardError> {
    let unforwardable = |_| ForwardError::Unforwardable("its target is not a URI");
    let path_and_query = match (place, upstream.forward_token, inbound.query()) {
        (Some(Place::QueryParameter(name)), ForwardToken::No, Some(query)) => {
            let kept = credentials::query_without(query, name);
            let text = if kept.is_empty() {
                inbound.path().to_owned()
            } else {
                format!("{}?{kept}", inbound.path())
            };
            PathAndQuery::try_from(text).map_err(|_| ForwardError::Unforwardable("its query is not a URI query"))?
        }
        _ => inbound
            .path_and_query()
            .cloned()
            .unwrap_or_else(|| PathAndQuery::from_static("/")),
    };
    Uri::builder()
        .scheme(upstream.scheme.clone())
        .authority(upstream.authority.clone())
        .path_and_query(path_and_query)
        .build()
        .map_err(unforwardable)
}

/// `X-Forwarded-For`, `-Proto` and `-Host` say what Narthex saw; what came in is believed only from a trusted proxy.
fn set_forwarding(headers: &mut HeaderMap, origin: &Origin) {
    const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
    const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
    const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
    // SECURITY: applications decide by these headers (addresses, schemes, original paths). A trusted proxy writes them in
    // their own spelling; any other spelling is the client's.
    let is_forged = |name: &HeaderName| {
        is_forwarding_header(name.as_str()) && (origin.trust == Trust::Untrusted || !is_plain(name.as_str()))
    };
    while let Some(name) = headers.keys().find(|name| is_forged(name)).cloned() {
        headers.remove(name);
    }
    // SPEC: RFC 9110 section 5.3: the lines of a list are one list, in their order. Proxies add a line of their own.
    let mut chain: Vec<u8> = Vec::new();
    for line in headers.get_all(FOR).iter().filter(|line| !line.is_empty()) {
        chain.extend(line.as_bytes());
        chain.extend(b", ");
    }
    chain.extend(origin.peer.ip().to_canonical().to_string().as_bytes());
    if let Ok(chain) = HeaderValue::from_bytes(&chain) {
        headers.insert(FOR, chain);
    }
    if !headers.contains_key(PROTO) {
        headers.insert(PROTO, HeaderValue::from_static("http"));
    }
    if let (Some(host), false) = (&origin.host, headers.contains_key(HOST)) {
        insert(headers, HOST, host);
    }
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Whether a header's name is spelled as this product and its trusted proxies write names.
fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// The names in `Connection`. A line need be no text as a whole.
fn connection_tokens(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
}

/// Removes what describes or replaces the body and the method of a preflight: it has neither.
fn remove_what_a_preflight_has_no_use_for(headers: &mut HeaderMap) {
    for name in [
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::CONTENT_ENCODING,
        header::EXPECT,
    ] {
        headers.remove(name);
    }
    while let Some(name) = headers.keys().find(|name| is_method_override(name.as_str())).cloned() {
        headers.remove(name);
    }
}

/// Joins the cookies of an HTTP/2 request, which may come in several fields (RFC 9113 section 8.2.3). An HTTP/1.1 application
/// would join them with commas, or take the first one.
fn join_cookies(headers: &mut HeaderMap) {
    let mut fields = headers.get_all(header::COOKIE).iter();
    if fields.next().is_none() || fields.next().is_none() {
        return;
    }
    let fields: Vec<&[u8]> = headers
        .get_all(header::COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if let Ok(joined) = HeaderValue::from_bytes(&fields.join(&b"; "[..])) {
        headers.insert(header::COOKIE, joined);
    }
}

/// Removes what belongs to one connection only (RFC 9110 section 7.6.1).
///
/// SECURITY: this runs before the identity headers are set, so a client's `Connection: X-Narthex-User` cannot take
/// them away again.
fn remove_hop_by_hop(headers: &mut HeaderMap) {
    const NAMES: [HeaderName; 9] = [
        header::CONNECTION,
        // SECURITY: with `Upgrade: h2c` it opens HTTP/2 at the upstream (RFC 7540 section 3.2.1).
        HeaderName::from_static("http2-settings"),
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
        header::PROXY_AUTHENTICATE,
        header::PROXY_AUTHORIZATION,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ];
    let named: Vec<HeaderName> = connection_tokens(headers)
        .filter_map(|token| HeaderName::from_bytes(token).ok())
        .collect();
    for name in named {
        // What a body or a host needs is not the client's to remove.
        if name != header::CONTENT_LENGTH && name != header::HOST && name != header::TE {
            headers.remove(name);
        }
    }
    for name in NAMES {
        headers.remove(name);
    }
    // `TE: trailers` is what gRPC sends; any other transfer coding belongs to the connection.
    let mut codings = headers.get_all(header::TE).iter();
    if codings.next().is_some_and(|coding| coding != "trailers") || codings.next().is_some() {
        let takes_trailers = headers
            .get_all(header::TE)
            .iter()
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"));
        headers.remove(header::TE);
        if takes_trailers {
            headers.insert(header::TE, HeaderValue::from_static("trailers"));
        }
    }
}

/// What a failed request means: a body that was cut off here is the client's fault, anything else the upstream's.
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
            // SECURITY: only a request's body is read in this way here. Were this told as the upstream's failure, any client
            // could raise an alarm.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(trust: Trust) -> Origin {
        Origin {
            peer: "127.0.0.1:1".parse().unwrap(),
            trust,
            host: Some("app".to_owned()),
        }
    }

    fn appended(lines: &[(&'static str, &[u8])]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    /// A proxy adds a line of its own behind the client's. Both count, in their order, whatever bytes they hold.
    #[test]
    fn sec_forwarded_for_lines() {
        for (lines, chain) in [
            (&[&b"1.2.3.4"[..], b"9.9.9.9"][..], &b"1.2.3.4, 9.9.9.9, 127.0.0.1"[..]),
            (&[b"\xff", b"9.9.9.9"], b"\xff, 9.9.9.9, 127.0.0.1"),
            (&[b"1.2.3.4, 5.6.7.8"], b"1.2.3.4, 5.6.7.8, 127.0.0.1"),
            (&[b""], b"127.0.0.1"),
            (&[], b"127.0.0.1"),
        ] {
            let lines: Vec<(&str, &[u8])> = lines.iter().map(|line| ("x-forwarded-for", *line)).collect();
            let mut headers = appended(&lines);
            set_forwarding(&mut headers, &origin(Trust::Trusted));
            assert_eq!(headers.get("x-forwarded-for").unwrap().as_bytes(), chain, "{lines:?}");
            assert_eq!(headers.get_all("x-forwarded-for").iter().count(), 1);
        }
    }

    /// What a trusted proxy says has its own spelling; another one is the client's.
    #[test]
    fn sec_forwarding_header_in_another_spelling() {
        for trust in [Trust::Trusted, Trust::Untrusted] {
            let mut headers = appended(&[
                ("x_forwarded_for", b"1.1.1.1"),
                ("x~real~ip", b"1.1.1.1"),
                ("x-other_one", b"kept"),
            ]);
            set_forwarding(&mut headers, &origin(trust));
            assert!(
                headers
                    .keys()
                    .all(|name| is_plain(name.as_str()) || name == "x-other_one"),
                "{headers:?}"
            );
            assert!(headers.contains_key("x-other_one"));
        }
    }

    #[test]
    fn cookies_of_several_fields_become_one() {
        let mut headers = appended(&[
            ("cookie", b"session=abc"),
            ("cookie", b"theme=\xff"),
            ("cookie", b"csrf=1"),
        ]);
        join_cookies(&mut headers);
        let joined: Vec<&[u8]> = headers.get_all("cookie").iter().map(HeaderValue::as_bytes).collect();
        assert_eq!(joined, [b"session=abc; theme=\xff; csrf=1"]);
    }

    /// Every line of a list header counts, and each of its names.
    #[test]
    fn hop_by_hop_lists_are_read_whole() {
        let mut headers = appended(&[
            ("connection", b"\xff, x-one"),
            ("connection", b"x-two"),
            ("x-one", b"1"),
            ("x-two", b"2"),
            ("te", b"gzip"),
            ("te", b"trailers"),
        ]);
        remove_hop_by_hop(&mut headers);
        assert_eq!(headers, appended(&[("te", b"trailers")]));
    }

    /// A client cannot name our headers, or anything a body needs, in `Connection`.
    #[test]
    fn sec_connection_hop() {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONNECTION,
            HeaderValue::from_static("close, X-Narthex-User, content-length, x-mine, host"),
        );
        headers.insert("x-narthex-user", HeaderValue::from_static("forged"));
        headers.insert("x-mine", HeaderValue::from_static("1"));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("3"));
        headers.insert(header::HOST, HeaderValue::from_static("a"));
        headers.insert("keep-alive", HeaderValue::from_static("1"));
        headers.insert(header::TE, HeaderValue::from_static("gzip"));
        remove_hop_by_hop(&mut headers);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-length", "host"]);
        narthex_decision::IdentityHeaders::new()
            .with("x-narthex-user", "real")
            .into_patch()
            .apply(&mut headers);
        assert_eq!(headers.get("x-narthex-user").unwrap(), "real");
    }
}
