//! Connections on every port: TLS, the PROXY protocol, limits of their number, of the size and the time of a request's head,
//! and their graceful shutdown.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use ipnet::IpNet;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::server::TlsStream;

use crate::clients::{ClientPlace, Clients};
use crate::graceful::DrainedConnection;
use crate::idle_timeout::{Activity, Answering, Connections, CountedStream, Places};
use crate::log_throttle::LogThrottle;
use crate::proxy_protocol::{self, ProxyHeader};
use crate::tls::PortTls;
use crate::workers::{WorkerSlot, Workers};

/// Upper limit of one request's body, or of one answer, that waits in memory for an HTTP/2 client; for HTTP/1.1,
/// [`Answering`] has the limit.
const STREAM_BYTES_MAX: u32 = 32 * 1024;
/// The same for data that a client sends and no handler reads: the initial window of HTTP/2.
const WINDOW_BYTES: u32 = 65_535;
/// Upper limit of concurrent HTTP/2 requests on one connection, as RFC 9113 recommends (section 6.5.2).
const STREAMS_MAX: u32 = 100;
/// Time that a connection without a place waits before the others are checked again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Mark of a request, in its extensions: its client has as many HTTP/2 requests under way as it may have without it.
#[derive(Debug, Clone, Copy)]
pub struct TooManyRequests;

/// Settings of the connections on a port.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Upper limit of a request's head, in bytes.
    pub head_bytes: usize,
    /// Idle timeout: the time that a connection may go without a request that is being answered. It limits how long a
    /// head may take to arrive, and how long an unused connection is kept.
    pub head_timeout: Duration,
    /// Upper limit of connections. For one more, the longest idle one is closed; if none is idle, the new one waits.
    pub connections: usize,
    /// Upper limit of connections of one client address, and of the HTTP/2 requests under way on them. For one more,
    /// the client's own longest idle connection is closed; if none is idle, the new one is refused.
    pub connections_per_client: usize,
    /// Grace period in which connections may finish when the process is told to stop.
    pub grace: Duration,
    /// TLS of the port; `None` for plain connections.
    pub tls: Option<PortTls>,
    /// Networks of the load balancers whose connections begin with a header of the PROXY protocol, version 2.
    pub proxy_protocol_from: Vec<IpNet>,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            head_bytes: 64 * 1024,
            head_timeout: Duration::from_secs(10),
            connections: 10_000,
            connections_per_client: 2_500,
            grace: Duration::from_secs(20),
            tls: None,
            proxy_protocol_from: Vec::new(),
        }
    }
}

/// Options of a port: its limits, the threads that serve its connections, and the addresses without a limit of their own.
#[derive(Debug)]
pub struct PortOptions<'w, L> {
    /// Limits of the port.
    pub settings: ServerSettings,
    /// Threads that serve connections; if there are none, the calling runtime serves them.
    pub workers: Option<&'w Workers>,
    /// Tests whether an address may have any number of connections: proxies, which have many clients.
    pub is_proxy: L,
}

/// Serves a port until `stop` is done, then waits for open requests to finish (graceful shutdown). `service` makes the
/// service for the requests of one connection, from the address of the client, the connection's activity, and the
/// worker that serves it.
pub async fn serve<S, B>(
    listener: TcpListener,
    options: PortOptions<'_, impl Fn(IpAddr) -> bool>,
    stop: impl Future<Output = ()>,
    service: impl Fn(SocketAddr, &Arc<Activity>, Option<usize>) -> S,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static,
{
    let PortOptions {
        settings,
        workers,
        is_proxy,
    } = options;
    let mut stop = pin!(stop);
    let port = Port::new(&settings);
    let mut sweep = pin!(port.connections.sweep());
    let protocol = Protocol {
        builder: builder(&settings),
        tls: settings.tls.clone(),
    };
    let mut next = Box::pin(port.accept(&listener, &is_proxy));
    // Connections of load balancers whose headers are being read. Each has a place, so there are not too many.
    let mut announced = FuturesUnordered::new();
    loop {
        let connection = tokio::select! {
            accepted = &mut next => {
                next.set(port.accept(&listener, &is_proxy));
                if port.is_load_balancer(accepted.peer.ip()) {
                    announced.push(port.client_of(accepted, &is_proxy));
                    continue;
                }
                accepted
            }
            Some(connection) = next_of(&mut announced) => connection,
            never = &mut sweep => match never {},
            () = &mut stop => break,
        };
        port.begin(connection, workers, &protocol, &service);
    }
    // Both may hold places, or wait for one.
    drop((next, announced));
    // Clients that come now are refused at once and can go to another node, instead of waiting for the end.
    drop(listener);
    port.connections.end();
    // Once this task has all places, no connection is left. Connections still open after the grace period are cut off.
    let all = u32::try_from(settings.connections).unwrap_or(u32::MAX);
    let _ = tokio::time::timeout(settings.grace, port.places.acquire_many(all)).await;
}

/// Returns the next connection whose header was read; `None` if there is no other.
async fn next_of(
    announced: &mut FuturesUnordered<impl Future<Output = Option<AcceptedConnection>>>,
) -> Option<AcceptedConnection> {
    while let Some(connection) = announced.next().await {
        if connection.is_some() {
            return connection;
        }
    }
    None
}

/// Protocol of the connections of a port.
struct Protocol {
    builder: auto::Builder<TokioExecutor>,
    tls: Option<PortTls>,
}

/// A port, and the holders of its places.
struct Port {
    places: Arc<Semaphore>,
    clients: Arc<Clients>,
    connections: Connections,
    /// Networks of load balancers, and the time that their headers may take.
    load_balancers: Vec<IpNet>,
    head_timeout: Duration,
    /// Throttles of log lines: a client was refused, a connection could not be accepted, a load balancer's header could
    /// not be read, or a handshake failed.
    refused: LogThrottle,
    failed: LogThrottle,
    headless: LogThrottle,
    unshaken: Arc<LogThrottle>,
}

/// A connection that was accepted, with its places.
struct AcceptedConnection {
    stream: TcpStream,
    peer: SocketAddr,
    /// Place among the connections of the client's address; `None` for a proxy.
    client: Option<ClientPlace>,
    /// Place among all connections.
    place: Option<OwnedSemaphorePermit>,
}

impl Port {
    fn new(settings: &ServerSettings) -> Self {
        Self {
            places: Arc::new(Semaphore::new(settings.connections)),
            clients: Clients::new(settings.connections_per_client),
            connections: Connections::new(settings.head_timeout),
            load_balancers: settings.proxy_protocol_from.clone(),
            head_timeout: settings.head_timeout,
            refused: LogThrottle::new(),
            failed: LogThrottle::new(),
            headless: LogThrottle::new(),
            unshaken: Arc::default(),
        }
    }

    /// Tests whether connections from an address begin with a header of the PROXY protocol.
    fn is_load_balancer(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.load_balancers.iter().any(|network| network.contains(&address))
    }

    /// Reads the header of a load balancer's connection and puts the client in its place; `None` closes the connection.
    ///
    /// SECURITY: a connection without a header is refused. It could be a client's that reached the port past the load
    /// balancer's own check, and it would have the load balancer's address.
    async fn client_of(
        &self,
        mut connection: AcceptedConnection,
        is_proxy: &impl Fn(IpAddr) -> bool,
    ) -> Option<AcceptedConnection> {
        let header = proxy_protocol::read(&mut connection.stream);
        let problem = match tokio::time::timeout(self.head_timeout, header).await {
            Ok(Ok(ProxyHeader::Local)) => return Some(connection),
            Ok(Ok(ProxyHeader::Client(client))) => {
                connection.peer = client;
                if !is_proxy(client.ip()) {
                    connection.client = Some(self.client(client.ip())?);
                }
                return Some(connection);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "its header did not come in time".to_owned(),
        };
        if let Some(unsaid) = self.headless.due() {
            tracing::warn!(
                event = "proxy_header_refused",
                peer = %connection.peer.ip().to_canonical(),
                problem,
                unsaid,
                "a connection from `listen.proxy_protocol_from` is closed; turn on version 2 of the PROXY protocol at the load \
                 balancer, or take its address out of that list"
            );
        }
        None
    }

    /// Serves a connection in a task of its own.
    fn begin<S, B>(
        &self,
        connection: AcceptedConnection,
        workers: Option<&Workers>,
        protocol: &Protocol,
        service: &impl Fn(SocketAddr, &Arc<Activity>, Option<usize>) -> S,
    ) where
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
        S::Future: Send + 'static,
        B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static,
    {
        let AcceptedConnection {
            stream,
            peer,
            client,
            place,
        } = connection;
        // Small answers must not wait for a full segment; a socket that refuses this still works.
        let _ = stream.set_nodelay(true);
        let slot = workers.and_then(Workers::slot).unwrap_or_else(WorkerSlot::here);
        let stream = match hand_over(stream, &slot.runtime) {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be given to the thread that is to serve it");
                return;
            }
        };
        let activity = Arc::new(Activity::at(Places {
            _port: place,
            client,
            _thread: slot.counted,
        }));
        let service = counting(service(peer, &activity, slot.worker), &activity);
        let builder = &protocol.builder;
        let task = match &protocol.tls {
            None => {
                let stream = TokioIo::new(CountedStream::new(stream, Arc::clone(&activity)));
                let served = builder.serve_connection_with_upgrades(stream, service).into_owned();
                let served = DrainedConnection::new(served, Arc::clone(&activity));
                slot.runtime.spawn(async move {
                    // A connection that breaks off is the client's business.
                    let _ = served.await;
                })
            }
            Some(tls) => {
                let (builder, tls, activity) = (builder.clone(), tls.clone(), Arc::clone(&activity));
                let unshaken = Arc::clone(&self.unshaken);
                slot.runtime.spawn(async move {
                    let Some(stream) = handshake(&tls, stream, &activity, &unshaken).await else {
                        return;
                    };
                    let stream = TokioIo::new(CountedStream::new(stream, Arc::clone(&activity)));
                    let served = builder.serve_connection_with_upgrades(stream, service).into_owned();
                    let _ = DrainedConnection::new(served, activity).await;
                })
            }
        };
        self.connections.watch(&activity, task.abort_handle());
    }

    /// Returns the next connection that gets a place, once there is one.
    async fn accept(&self, listener: &TcpListener, is_proxy: &impl Fn(IpAddr) -> bool) -> AcceptedConnection {
        loop {
            let (stream, peer) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    self.cannot_accept(&error).await;
                    continue;
                }
            };
            let client = if is_proxy(peer.ip()) || self.is_load_balancer(peer.ip()) {
                None
            } else {
                match self.client(peer.ip()) {
                    Some(client) => Some(client),
                    None => continue,
                }
            };
            return AcceptedConnection {
                stream,
                peer,
                client,
                place: self.place().await,
            };
        }
    }

    /// Waits a little after an error: the process is out of file descriptors, or a connection was closed before it was
    /// accepted.
    async fn cannot_accept(&self, error: &io::Error) {
        if let Some(unsaid) = self.failed.due() {
            tracing::warn!(%error, unsaid, "a connection could not be accepted");
        }
        self.connections.close_longest_idle(None);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    /// Takes a place among the connections of a client's address; `None` if it has too many, and none of them is idle.
    ///
    /// SECURITY: otherwise one client could take every place.
    fn client(&self, address: IpAddr) -> Option<ClientPlace> {
        let (place, within) = self.clients.place(address);
        if within || self.connections.close_longest_idle(Some(place.address())) {
            return Some(place);
        }
        if let Some(unsaid) = self.refused.due() {
            tracing::warn!(
                event = "connection_refused",
                client = %place.address(),
                unsaid,
                "a client has as many connections as one may have (`limits.connections_per_client`), and uses them all"
            );
        }
        None
    }

    /// Takes a place among all connections, as soon as there is one: the longest idle connection makes room.
    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        loop {
            if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
                return Some(place);
            }
            self.connections.close_longest_idle(None);
            // A closed connection releases its place when its thread drops it. The semaphore itself is never closed.
            let given_back = Arc::clone(&self.places).acquire_owned();
            if let Ok(place) = tokio::time::timeout(LOOK_AGAIN, given_back).await {
                return place.ok();
            }
        }
    }
}

/// Does the TLS handshake of a connection; `None` if it fails, or if the port stops first. The idle timeout limits how long
/// it may take, because no request has begun.
async fn handshake(
    tls: &PortTls,
    stream: TcpStream,
    activity: &Activity,
    failures: &LogThrottle,
) -> Option<TlsStream<TcpStream>> {
    let shaken = tokio::select! {
        shaken = tls.accept(stream) => shaken,
        () = activity.end_told() => return None,
    };
    shaken
        .inspect_err(|error| {
            // Scanners and load balancers do this every few seconds; an operator who looks for a cause wants it.
            if let Some(unsaid) = failures.due() {
                tracing::debug!(event = "handshake_failed", %error, unsaid, "a TLS handshake failed");
            }
        })
        .ok()
}

/// Registers the same connection with the runtime that is to serve it.
fn hand_over(stream: TcpStream, to: &Handle) -> io::Result<TcpStream> {
    if to.id() == Handle::current().id() {
        return Ok(stream);
    }
    let stream = stream.into_std()?;
    let _there = to.enter();
    TcpStream::from_std(stream)
}

/// Wraps a service to count its requests.
fn counting<S, B>(
    service: S,
    activity: &Arc<Activity>,
) -> impl Service<
    Request<Incoming>,
    Response = Response<Answering<B>>,
    Error = Infallible,
    Future = impl Future<Output = Result<Response<Answering<B>>, Infallible>> + Send + use<S, B>,
> + use<S, B>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S::Future: Send + 'static,
    B: Body + Unpin,
{
    let activity = Arc::clone(activity);
    service_fn(move |mut request: Request<Incoming>| {
        let open = activity.open(request.version());
        if !open.is_within_limit() {
            request.extensions_mut().insert(TooManyRequests);
        }
        let answer = service.call(request);
        async move { Ok(answer.await?.map(|body| Answering::new(body, open))) }
    })
}

fn builder(settings: &ServerSettings) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        // The sweep enforces this timeout, for all connections at once.
        .header_read_timeout(None)
        .max_buf_size(settings.head_bytes.max(8192))
        .half_close(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(settings.head_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(WINDOW_BYTES)
        .max_send_buf_size(STREAM_BYTES_MAX as usize)
        .keep_alive_interval(Duration::from_secs(20));
    builder
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::Full;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::{Notify, oneshot};
    use tokio::time::timeout;

    use super::*;

    /// Far less than the grace period, so that a test within this time was not cut off by it.
    const SOON: Duration = Duration::from_secs(5);

    fn options(workers: Option<&Workers>) -> PortOptions<'_, fn(IpAddr) -> bool> {
        PortOptions {
            settings: ServerSettings::default(),
            workers,
            is_proxy: |_| false,
        }
    }

    async fn ask(address: SocketAddr, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    /// Reads everything until the other end closes the connection.
    async fn rest(mut stream: TcpStream) -> String {
        let mut text = String::new();
        timeout(SOON, stream.read_to_string(&mut text)).await.unwrap().unwrap();
        text
    }

    #[tokio::test]
    async fn a_stop_ends_unused_connections_at_once_and_the_others_after_their_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (began, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (stop, stopped) = oneshot::channel::<()>();
        let service = {
            let (began, go_on) = (Arc::clone(&began), Arc::clone(&go_on));
            move |_, _: &Arc<Activity>, _| {
                let (began, go_on) = (Arc::clone(&began), Arc::clone(&go_on));
                service_fn(move |request: Request<Incoming>| {
                    let (began, go_on) = (Arc::clone(&began), Arc::clone(&go_on));
                    async move {
                        if request.uri().path() == "/slow" {
                            began.notify_one();
                            go_on.notified().await;
                        }
                        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"done"))))
                    }
                })
            }
        };
        let served = tokio::spawn(async move {
            let stop = async {
                let _ = stopped.await;
            };
            serve(listener, options(None), stop, service).await;
        });
        let mut unused = ask(address, "/fast").await;
        let mut first = [0; 15];
        unused.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200 OK");
        let slow = ask(address, "/slow").await;
        began.notified().await;

        stop.send(()).unwrap();
        assert!(rest(unused).await.ends_with("done"));
        assert!(!served.is_finished(), "a request is being answered");
        go_on.notify_one();
        assert!(rest(slow).await.ends_with("done"));
        timeout(SOON, served).await.unwrap().unwrap();
    }

    /// One thread answers every request of a connection; the test records which.
    #[tokio::test]
    async fn a_connection_stays_with_one_thread_and_the_next_one_goes_to_another() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let workers = Workers::start(2.try_into().unwrap()).unwrap();
        let service = |_, _: &Arc<Activity>, _| {
            service_fn(|_: Request<Incoming>| async {
                let thread = format!("{:?}", std::thread::current().id());
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(thread))))
            })
        };
        let served = serve(listener, options(Some(&workers)), std::future::pending(), service);
        let asked = async {
            let mut threads = Vec::new();
            let mut connections = [ask(address, "/").await, ask(address, "/").await];
            for _ in 0..3 {
                for connection in &mut connections {
                    let mut answer = vec![0; 512];
                    let length = connection.read(&mut answer).await.unwrap();
                    let answer = String::from_utf8(answer[..length].to_vec()).unwrap();
                    threads.push(answer.split("\r\n\r\n").nth(1).unwrap().to_owned());
                    connection
                        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
                        .await
                        .unwrap();
                }
            }
            threads
        };
        let threads = tokio::select! {
            threads = timeout(SOON, asked) => threads.unwrap(),
            () = served => unreachable!("it was not told to stop"),
        };
        assert_ne!(threads[0], threads[1], "two connections, two threads");
        for pair in threads.chunks(2) {
            assert_eq!(pair, &threads[..2], "of one connection, every time");
        }
    }
    /// Serves the address of the client as the answer.
    async fn serve_addresses(listener: TcpListener, settings: ServerSettings) {
        let options = PortOptions {
            settings,
            workers: None,
            is_proxy: |_: IpAddr| false,
        };
        let service = |peer: SocketAddr, _: &Arc<Activity>, _| {
            service_fn(move |_: Request<Incoming>| async move {
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(peer.ip().to_string()))))
            })
        };
        serve(listener, options, std::future::pending(), service).await;
    }

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

    /// Sends these bytes and returns everything that comes back.
    async fn answer_to(address: SocketAddr, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut text = Vec::new();
        // A connection may be closed before everything was read.
        let _ = timeout(SOON, stream.read_to_end(&mut text)).await.unwrap();
        String::from_utf8_lossy(&text).into_owned()
    }

    /// The address in the header counts, in every respect; a connection without one is closed.
    #[tokio::test]
    async fn a_load_balancer_states_the_address_of_the_client() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let settings = ServerSettings {
            proxy_protocol_from: vec!["127.0.0.0/8".parse().unwrap()],
            head_timeout: Duration::from_secs(1),
            ..ServerSettings::default()
        };
        let asked = async {
            // It sends nothing, and keeps no other connection waiting.
            let silent = TcpStream::connect(address).await.unwrap();
            let header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\xc6\x33\x64\x01\x10\x01\x01\xbb";
            let answer = answer_to(address, &[&header[..], REQUEST].concat()).await;
            assert!(answer.ends_with("192.0.2.7"), "{answer}");
            assert_eq!(answer_to(address, REQUEST).await, "");
            let local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
            let answer = answer_to(address, &[&local[..], REQUEST].concat()).await;
            assert!(answer.ends_with("127.0.0.1"), "{answer}");
            assert_eq!(rest(silent).await, "", "closed after the time that a head may take");
        };
        tokio::select! {
            () = asked => {}
            () = serve_addresses(listener, settings) => unreachable!("it was not told to stop"),
        }
    }

    fn certificate() -> (String, crate::tls::ServerTls) {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = certificate.self_signed(&key).unwrap().pem();
        let tls = crate::tls::ServerTls::new(&crate::tls::ServerPem {
            certificate: certificate.as_bytes(),
            key: key.serialize_pem().as_bytes(),
            client_authorities: None,
        });
        (certificate, tls.unwrap())
    }

    /// Asks by TLS, with this certificate as the authority.
    async fn ask_by_tls(address: SocketAddr, authority: &str) -> io::Result<String> {
        let tls = crate::tls::UpstreamTls::trusting(authority.as_bytes()).unwrap();
        let connector = tokio_rustls::TlsConnector::from(tls.settings(crate::tls::OfferedProtocols::Http1));
        let stream = TcpStream::connect(address).await?;
        let mut stream = connector.connect("localhost".try_into().unwrap(), stream).await?;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        stream.write_all(REQUEST).await?;
        let mut text = String::new();
        timeout(SOON, stream.read_to_string(&mut text)).await??;
        Ok(text)
    }

    #[tokio::test]
    async fn a_replaced_certificate_serves_the_connections_to_come() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let ((first, tls), (second, other)) = (certificate(), certificate());
        let tls = PortTls::new(tls);
        let settings = ServerSettings {
            tls: Some(tls.clone()),
            ..ServerSettings::default()
        };
        let asked = async {
            assert!(ask_by_tls(address, &first).await.unwrap().ends_with("127.0.0.1"));
            assert!(ask_by_tls(address, &second).await.is_err());
            tls.replace(other);
            assert!(ask_by_tls(address, &second).await.unwrap().ends_with("127.0.0.1"));
            assert!(ask_by_tls(address, &first).await.is_err());
            assert!(!answer_to(address, REQUEST).await.contains("200"), "not without TLS");
        };
        tokio::select! {
            () = asked => {}
            () = serve_addresses(listener, settings) => unreachable!("it was not told to stop"),
        }
    }
}
