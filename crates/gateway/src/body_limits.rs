//! Limits of bodies and tunnels: a length limit and an idle timeout.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use narthex_decision::{OwnedHeaders, Reason, is_forwarding_header, remove_headers};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use narthex_engine::LoadPermit;
use narthex_engine::StreamLimits;

/// Error for a stream that was cut off.
#[derive(Debug, Error)]
pub(crate) enum StreamError {
    /// It is longer than its limit.
    #[error("the body is longer than {0} bytes")]
    TooLong(u64),
    /// Nothing came within the idle timeout.
    #[error("nothing was sent for {} s", .0.as_secs())]
    Idle(Duration),
    /// The grounds on which it was allowed have ended.
    #[error("the stream was ended: {0}")]
    Ended(Reason),
    /// The connection failed.
    #[error(transparent)]
    Connection(#[from] hyper::Error),
}

/// A body that ends with an error if it is too long or idle for too long.
#[derive(Debug)]
pub(crate) struct LimitedBody<B> {
    /// `None` for a body that is empty from the beginning.
    body: Option<B>,
    left: u64,
    bytes_max: u64,
    idle: Duration,
    /// Created on the first wait, which small bodies never have.
    alarm: Option<Pin<Box<Sleep>>>,
    /// Notified of each part of a request's body, for the task that waits for its answer.
    taken: Option<Arc<LastActivity>>,
    /// Headers of this configuration that must not be in trailers; `None` if there are no others than the usual ones.
    owned: Option<Arc<OwnedHeaders>>,
    /// Drops the whole body, if true.
    left_out: bool,
    /// Counts the request that an answer belongs to.
    _under_way: Option<LoadPermit>,
}

impl<B> LimitedBody<B> {
    /// Creates a request body with a length limit and an idle timeout. `taken` hears of each part of it, and does not
    /// count the time in which the client sends nothing.
    pub(crate) const fn request(body: B, limits: StreamLimits, taken: Arc<LastActivity>) -> Self {
        Self {
            body: Some(body),
            left: limits.body_bytes,
            bytes_max: limits.body_bytes,
            idle: limits.idle,
            alarm: None,
            taken: Some(taken),
            owned: None,
            left_out: false,
            _under_way: None,
        }
    }

    /// Removes these headers from the trailers, too. Their references are counted only where there are some: the count is one
    /// for all threads.
    #[must_use]
    pub(crate) fn without(mut self, owned: &Arc<OwnedHeaders>) -> Self {
        self.owned = (!owned.is_plain()).then(|| Arc::clone(owned));
        self
    }

    /// Creates an empty body in place of this one, which is not read.
    pub(crate) fn left_out(body: B, limits: StreamLimits) -> Self {
        Self {
            left_out: true,
            ..Self::answer(body, limits, None)
        }
    }

    /// Creates an empty body.
    pub(crate) const fn none(limits: StreamLimits) -> Self {
        Self {
            body: None,
            left: 0,
            bytes_max: 0,
            idle: limits.idle,
            alarm: None,
            taken: None,
            owned: None,
            left_out: true,
            _under_way: None,
        }
    }

    /// Creates an answer's body with an idle timeout only. Its request is under way until it has ended.
    pub(crate) const fn answer(body: B, limits: StreamLimits, under_way: Option<LoadPermit>) -> Self {
        Self {
            body: Some(body),
            left: u64::MAX,
            bytes_max: u64::MAX,
            idle: limits.idle,
            alarm: None,
            taken: None,
            owned: None,
            left_out: false,
            _under_way: under_way,
        }
    }
}

impl<B: Body<Data = Bytes, Error = hyper::Error> + Unpin> Body for LimitedBody<B> {
    type Data = Bytes;
    type Error = StreamError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        let this = &mut *self;
        let Some(body) = this.body.as_mut().filter(|_| !this.left_out) else {
            return Poll::Ready(None);
        };
        let Poll::Ready(frame) = Pin::new(body).poll_frame(context) else {
            if let Some(taken) = &this.taken {
                taken.excuse();
            }
            let idle = this.idle;
            let alarm = this.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep(idle)));
            ready!(alarm.as_mut().poll(context));
            return Poll::Ready(Some(Err(StreamError::Idle(idle))));
        };
        if let Some(taken) = &this.taken {
            taken.now();
        }
        if let Some(alarm) = &mut this.alarm {
            alarm.as_mut().reset(Instant::now() + this.idle);
        }
        let Some(mut frame) = frame.transpose()? else {
            return Poll::Ready(None);
        };
        if let Some(trailers) = frame.trailers_mut() {
            remove_what_is_said_in_heads(trailers, this.owned.as_deref().unwrap_or(&OwnedHeaders::default()));
        }
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        match this.left.checked_sub(length) {
            Some(left) => this.left = left,
            None => return Poll::Ready(Some(Err(StreamError::TooLong(this.bytes_max)))),
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.left_out || self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Some(body) if !self.left_out => body.size_hint(),
            _ => SizeHint::with_exact(0),
        }
    }
}

/// Removes identity and forwarding headers from trailers.
///
/// SECURITY: some servers merge trailers into the headers before them, where ours would stand beside forged ones.
fn remove_what_is_said_in_heads(trailers: &mut HeaderMap, owned: &OwnedHeaders) {
    owned.remove_from_trailers(trailers);
    remove_headers(trailers, is_forwarding_header);
}

/// Joins two upgraded connections until one ends or both are idle for too long.
pub(crate) async fn tunnel(client_side: OnUpgrade, upstream_side: OnUpgrade, idle: Duration) {
    let (Ok(client), Ok(upstream)) = tokio::join!(client_side, upstream_side) else {
        return;
    };
    let activity = Arc::new(LastActivity::new());
    let mut client = ActivityStream {
        stream: TokioIo::new(client),
        activity: Arc::clone(&activity),
    };
    let mut upstream = ActivityStream {
        stream: TokioIo::new(upstream),
        activity: Arc::clone(&activity),
    };
    tokio::select! {
        // A broken tunnel is closed on both sides; there is no peer left to report it to.
        _ = tokio::io::copy_bidirectional(&mut client, &mut upstream) => {}
        () = activity.silence(idle) => {}
    }
}

/// Time of the last activity: on either side of a tunnel, or of a body on its way.
#[derive(Debug)]
pub(crate) struct LastActivity {
    started: Instant,
    last_ms: AtomicU64,
    /// True while the other side causes the silence, which then does not count.
    excused: AtomicBool,
}

impl LastActivity {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            last_ms: AtomicU64::new(0),
            excused: AtomicBool::new(false),
        }
    }

    fn now(&self) {
        let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(elapsed, Ordering::Relaxed);
        // A reader that sees the excuse removed also sees the time of this activity.
        self.excused.store(false, Ordering::Release);
    }

    /// Stops counting silence until there is activity again.
    fn excuse(&self) {
        self.excused.store(true, Ordering::Relaxed);
    }

    /// Waits until there was no activity for this long.
    pub(crate) async fn silence(&self, idle: Duration) {
        loop {
            if self.excused.load(Ordering::Acquire) {
                // Any activity during this sleep is later than now, so its idle time does not end before this sleep.
                tokio::time::sleep(idle).await;
                continue;
            }
            let end = self.started + Duration::from_millis(self.last_ms.load(Ordering::Relaxed)) + idle;
            if Instant::now() >= end {
                return;
            }
            tokio::time::sleep_until(end).await;
        }
    }
}

struct ActivityStream<S> {
    stream: S,
    activity: Arc<LastActivity>,
}

impl<S: AsyncRead + Unpin> AsyncRead for ActivityStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if polled.is_ready() {
            self.activity.now();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ActivityStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
