//! How connections are kept, on both ports: how many there may be, how large and how slow a request's head, and how
//! they end.

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
use crate::graceful::Ending;
use crate::idle_timeout::{Activity, Answering, Connections, Counted, Places};
use crate::log_throttle::LogThrottle;
use crate::workers::{Seat, Workers};

/// How much of one request's body, or of one answer, waits in memory for an HTTP/2 client; in HTTP/1.1,
/// [`Answering`] knows.
const STREAM_BYTES_MAX: u32 = 32 * 1024;
/// The same for what a client sends and nobody takes: what HTTP/2 begins with.
const WINDOW_BYTES: u32 = 65_535;
/// The most HTTP/2 requests at a time on one connection: what RFC 9113 asks for (section 6.5.2).
const STREAMS_MAX: u32 = 100;
/// Time that a connection without a place waits until others are looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How connections on a port are kept.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// The most bytes of a request's head.
    pub head_bytes: usize,
    /// How long a connection may go without a request that is being answered: how long a head may take to arrive, and
    /// how long an unused connection is kept.
    pub head_timeout: Duration,
    /// The most connections at a time. For one more, the one that has been idle longest is closed; it waits if none is idle.
    pub connections: usize,
    /// The most connections of one client address, and the most HTTP/2 requests under way on them. For one more, the
    /// client's own that has been idle longest is closed; it is refused if none is idle.
    pub connections_per_client: usize,
    /// How long connections may take to finish when the process is told to stop.
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

/// Who serves a port's connections, and whose connections have no limit of their own.
#[derive(Debug)]
pub struct By<'w, L> {
    /// The threads that serve connections; without any, the runtime that this is called in does.
    pub workers: Option<&'w Workers>,
    /// Whether an address may have any number of connections: proxies, which have many clients.
    pub is_proxy: L,
}

/// Serves a port until `stop` is done, then lets open requests finish. `service` makes what answers the requests of one
/// connection, from the address of its other end, what is seen of the connection, and the worker that serves it.
pub async fn serve<S, B>(
    listener: TcpListener,
    (settings, by): (ServerSettings, By<'_, impl Fn(IpAddr) -> bool>),
    stop: impl Future<Output = ()>,
    service: impl Fn(SocketAddr, &Arc<Activity>, Option<usize>) -> S,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static,
{
    let mut stop = pin!(stop);
    let port = Port::new(listener, &settings);
    let mut sweep = pin!(port.connections.sweep());
    let builder = builder(&settings);
    loop {
        let (stream, peer, client, place) = tokio::select! {
            accepted = port.accept(&by.is_proxy) => accepted,
            never = &mut sweep => match never {},
            () = &mut stop => break,
        };
        // Small answers must not wait for a full segment; a socket that refuses this still works.
        let _ = stream.set_nodelay(true);
        let seat = by.workers.and_then(Workers::seat).unwrap_or_else(Seat::here);
        let stream = match hand_over(stream, &seat.runtime) {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be given to the thread that is to serve it");
                continue;
            }
        };
        let activity = Arc::new(Activity::at(Places {
            _port: place,
            client,
            _thread: seat.counted,
        }));
        let stream = TokioIo::new(Counted::new(stream, Arc::clone(&activity)));
        let served =
            builder.serve_connection_with_upgrades(stream, counting(service(peer, &activity, seat.worker), &activity));
        let served = Ending::new(served.into_owned(), Arc::clone(&activity));
        let task = seat.runtime.spawn(async move {
            // A connection that breaks off is the client's business.
            let _ = served.await;
        });
        port.connections.watch(&activity, task.abort_handle());
    }
    port.connections.end();
    // Whoever has all places knows that no connection is left. What is still open after the grace period is cut off.
    let all = u32::try_from(settings.connections).unwrap_or(u32::MAX);
    let _ = tokio::time::timeout(settings.grace, port.places.acquire_many(all)).await;
}

/// A port, and who has which of its places.
struct Port {
    listener: TcpListener,
    places: Arc<Semaphore>,
    clients: Arc<Clients>,
    connections: Connections,
    /// What is said at most once a second: that a client was refused, that none could be accepted.
    refused: LogThrottle,
    failed: LogThrottle,
}

/// A connection that was accepted, with its places.
type Accepted = (TcpStream, SocketAddr, Option<ClientPlace>, Option<OwnedSemaphorePermit>);

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

    /// The next connection that may have a place, once there is one.
    async fn accept(&self, is_proxy: &impl Fn(IpAddr) -> bool) -> Accepted {
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
            return (stream, peer, client, self.place().await);
        }
    }

    /// Out of file descriptors, or a connection that was gone before it was taken: wait a little, go on.
    async fn cannot_accept(&self, error: &io::Error) {
        if let Some(unsaid) = self.failed.due() {
            tracing::warn!(%error, unsaid, "a connection could not be accepted");
        }
        self.connections.close_longest_idle(None);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    /// A place among the connections of a client's address; `None` if it has too many, and none of them is idle.
    ///
    /// SECURITY: or one client has all places that there are.
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

    /// A place among all connections, as soon as there is one: what has been idle longest makes room.
    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        loop {
            if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
                return Some(place);
            }
            self.connections.close_longest_idle(None);
            // What is closed gives its place back when its thread comes to it. The semaphore itself is never closed.
            let given_back = Arc::clone(&self.places).acquire_owned();
            if let Ok(place) = tokio::time::timeout(LOOK_AGAIN, given_back).await {
                return place.ok();
            }
        }
    }
}

/// The same connection, known to a runtime that is to serve it.
fn hand_over(stream: TcpStream, to: &Handle) -> io::Result<TcpStream> {
    if to.id() == Handle::current().id() {
        return Ok(stream);
    }
    let stream = stream.into_std()?;
    let _there = to.enter();
    TcpStream::from_std(stream)
}

/// A service that counts what it is asked.
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
    service_fn(move |request: Request<Incoming>| {
        let open = activity.open(request.version());
        let answer = service.call(request);
        async move { Ok(answer.await?.map(|body| Answering::new(body, open))) }
    })
}

fn builder(settings: &ServerSettings) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        // The sweep does it, for all connections at once.
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

    /// Far less than the grace period, so that what takes this long was not cut off by it.
    const SOON: Duration = Duration::from_secs(5);

    fn here(workers: Option<&Workers>) -> By<'_, fn(IpAddr) -> bool> {
        By {
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

    /// Everything that comes until the other end closes the connection.
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
            serve(listener, (ServerSettings::default(), here(None)), stop, service).await;
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

    /// Which thread answered, of every connection.
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
        let served = serve(
            listener,
            (ServerSettings::default(), here(Some(&workers))),
            std::future::pending(),
            service,
        );
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
