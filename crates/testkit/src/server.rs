//! A server on loopback that a test can take down and bring up again on the same port.

use std::{
    fmt,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{runtime::Runtime, sync::watch};

use crate::port::{HeldPort, bind};

/// The body of an answer.
pub type Body = UnsyncBoxBody<Bytes, anyhow::Error>;

/// Answer of a handler. An error closes the connection without an answer.
pub type Outcome = Pin<Box<dyn Future<Output = Result<Response<Body>>> + Send>>;

type Handler = Arc<dyn Fn(Request<Incoming>) -> Outcome + Send + Sync>;

/// A body of these bytes.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// The runtime of every server of this crate. They do not share the test's own: a test may block its thread.
#[expect(clippy::expect_used, reason = "without a runtime there is no test")]
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("testkit")
            .enable_all()
            .build()
            .expect("a runtime can be started")
    })
}

/// A server speaking HTTP/1.1 and HTTP/2 (without TLS) on a free port of 127.0.0.1, until it is dropped.
pub struct Server {
    /// Kept while no server listens on it: the system gives a free port to the next process that asks.
    port: HeldPort,
    handler: Handler,
    connections: Arc<AtomicUsize>,
    running: Mutex<Option<Running>>,
}

struct Running {
    stop: watch::Sender<bool>,
    stopped: mpsc::Receiver<()>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.address())
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Starts answering with `handler`.
    pub fn start(handler: impl Fn(Request<Incoming>) -> Outcome + Send + Sync + 'static) -> Result<Self> {
        let this = Self {
            port: HeldPort::take()?,
            handler: Arc::new(handler),
            connections: Arc::default(),
            running: Mutex::new(None),
        };
        this.up()?;
        Ok(this)
    }

    /// Address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Number of connections accepted so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Closes the port and every open connection: from now on, connections are refused.
    pub fn down(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(running) = running {
            let _ = running.stop.send(true);
            // The port is free, and no connection is served any more, when every sender is gone.
            let _ = running.stopped.recv_timeout(Duration::from_secs(5));
        }
    }

    /// Opens the same port again.
    pub fn up(&self) -> Result<()> {
        let _entered = runtime().enter();
        let listener = bind(self.address())
            .and_then(|socket| socket.listen(1_024))
            .context("the port could not be opened")?;
        let (stop, stopping) = watch::channel(false);
        let (stopped_sender, stopped) = mpsc::channel();
        let handler = Arc::clone(&self.handler);
        let connections = Arc::clone(&self.connections);
        runtime().spawn(async move {
            accept(listener, handler, connections, (stopping, stopped_sender)).await;
        });
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(Running { stop, stopped });
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.down();
    }
}

async fn accept(
    listener: tokio::net::TcpListener,
    handler: Handler,
    connections: Arc<AtomicUsize>,
    (mut stopping, stopped): (watch::Receiver<bool>, mpsc::Sender<()>),
) {
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => continue,
            },
            _ = stopping.changed() => break,
        };
        connections.fetch_add(1, Ordering::SeqCst);
        let handler = Arc::clone(&handler);
        let (mut stopping, stopped) = (stopping.clone(), stopped.clone());
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            let builder = auto::Builder::new(TokioExecutor::new());
            let serve = builder
                .serve_connection_with_upgrades(TokioIo::new(stream), service_fn(move |request| handler(request)));
            tokio::select! {
                _ = serve => {}
                _ = stopping.changed() => {}
            }
            drop(stopped);
        });
    }
    drop(listener);
    drop(stopped);
}
