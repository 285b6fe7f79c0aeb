//! Connections on both ports: limits of their number, of the size and the time of a request's head, and their graceful
//! shutdown.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::clients::{ClientPlace, Clients};
use crate::graceful::DrainedConnection;
use crate::idle_timeout::{Activity, Answering, Connections, CountedStream, Places};
use crate::log_throttle::LogThrottle;
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
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            head_bytes: 64 * 1024,
            head_timeout: Duration::from_secs(10),
            connections: 10_000,
            connections_per_client: 2_500,
            grace: Duration::from_secs(20),
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
    let port = Port::new(listener, &settings);
    let mut sweep = pin!(port.connections.sweep());
    let builder = builder(&settings);
    loop {
        let AcceptedConnection {
            stream,
            peer,
            client,
            place,
        } = tokio::select! {
            accepted = port.accept(&is_proxy) => accepted,
            never = &mut sweep => match never {},
            () = &mut stop => break,
        };
        // Small answers must not wait for a full segment; a socket that refuses this still works.
        let _ = stream.set_nodelay(true);
        let slot = workers.and_then(Workers::slot).unwrap_or_else(WorkerSlot::here);
        let stream = match hand_over(stream, &slot.runtime) {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be given to the thread that is to serve it");
                continue;
            }
        };
        let activity = Arc::new(Activity::at(Places {
            _port: place,
            client,
            _thread: slot.counted,
        }));
        let stream = TokioIo::new(CountedStream::new(stream, Arc::clone(&activity)));
        let served =
            builder.serve_connection_with_upgrades(stream, counting(service(peer, &activity, slot.worker), &activity));
        let served = DrainedConnection::new(served.into_owned(), Arc::clone(&activity));
        let task = slot.runtime.spawn(async move {
            // A connection that breaks off is the client's business.
            let _ = served.await;
        });
        port.connections.watch(&activity, task.abort_handle());
    }
    port.connections.end();
    // Once this task has all places, no connection is left. Connections still open after the grace period are cut off.
    let all = u32::try_from(settings.connections).unwrap_or(u32::MAX);
    let _ = tokio::time::timeout(settings.grace, port.places.acquire_many(all)).await;
}

/// A port, and the holders of its places.
struct Port {
    listener: TcpListener,
    places: Arc<Semaphore>,
    clients: Arc<Clients>,
    connections: Connections,
    /// Throttles of log lines: a client was refused, or a connection could not be accepted.
    refused: LogThrottle,
    failed: LogThrottle,
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
    fn new(listener: TcpListener, settings: &ServerSettings) -> Self {
        Self {
            listener,
            places: Arc::new(Semaphore::new(settings.connections)),
            clients: Clients::new(settings.connections_per_client),
            connections: Connections::new(settings.head_timeout),
            refused: LogThrottle::new(),
            failed: LogThrottle::new(),
        }
    }

    /// Returns the next connection that gets a place, once there is one.
    async fn accept(&self, is_proxy: &impl Fn(IpAddr) -> bool) -> AcceptedConnection {
        loop {
            let (stream, peer) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    self.cannot_accept(&error).await;
                    continue;
                }
            };
            let client = if is_proxy(peer.ip()) {
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
}
