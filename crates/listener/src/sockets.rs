//! Connections to upstreams: their number is limited by the process's file descriptors, and each is read in pieces.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf, Take};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower_service::Service;

use crate::idle_timeout::PIECE;

/// Error for a connection that was not made, because the limit is reached.
#[derive(Debug, Clone, Copy, Error)]
#[error("connections to upstreams use all file descriptors of this process; raise its limit of open files")]
pub struct NoSocket;

/// Connector of upstreams.
///
/// SECURITY: without a limit, requests that wait for an upstream would take the file descriptors that the admin port
/// and the store need.
#[derive(Debug, Clone)]
pub struct Sockets {
    connector: HttpConnector,
    places: Arc<Semaphore>,
}

impl Sockets {
    /// Creates a connector with at most this many connections at a time.
    pub fn new(connector: HttpConnector, most: usize) -> Self {
        Self {
            connector,
            places: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))),
        }
    }
}

impl Service<Uri> for Sockets {
    type Response = TokioIo<Socket>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.connector.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return Box::pin(async { Err(NoSocket.into()) });
        };
        let connecting = self.connector.call(to);
        Box::pin(async move {
            let stream = connecting.await?.into_inner();
            Ok(TokioIo::new(Socket {
                stream: stream.take(PIECE),
                _place: place,
            }))
        })
    }
}

/// A connection to an upstream, with its place.
#[derive(Debug)]
pub struct Socket {
    stream: Take<TcpStream>,
    _place: OwnedSemaphorePermit,
}

impl Connection for Socket {
    fn connected(&self) -> Connected {
        self.stream.get_ref().connected()
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // In pieces, because the data waits in memory for a client that takes nothing.
        self.stream.set_limit(PIECE);
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(self.stream.get_mut()).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.stream.get_mut()).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.get_ref().is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.stream.get_mut()).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.stream.get_mut()).poll_shutdown(context)
    }
}
