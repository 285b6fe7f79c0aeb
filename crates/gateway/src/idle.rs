//! Connections on which nothing happens are closed.
//!
//! A timer for every head of a request costs more than reading the head. So there is one sweep for all connections, and
//! a request only counts itself: what has not begun a request, is not answering one and has sent nothing for
//! the time given is closed, and a quarter of that time later at the latest. HTTP/2 is left to its pings once a request
//! came. This covers a head that trickles in, a kept-alive connection that nobody uses, one that was opened and says
//! nothing at all, and, with a time of its own, an answer that nobody takes.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Buf;
use futures_util::task::AtomicWaker;
use http::Version;
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::AbortHandle;

/// In how many sweeps a connection has to be found without a move.
const SWEEPS: u32 = 4;
/// And in how many while the other end takes nothing of what is written: a slow reader's window opens in large steps.
/// An answer that is streamed says itself how long it waits.
const SWEEPS_BLOCKED: u32 = 24;

/// What happens on one connection.
#[derive(Debug, Default)]
pub struct Activity {
    /// Requests that began and whose answers are not finished.
    open: AtomicU32,
    /// Moves with everything that counts as use; it wraps around.
    moves: AtomicU32,
    /// A write waits until the other end takes more.
    blocked: AtomicBool,
    /// HTTP/2 is spoken, which has pings of its own to find out whether the other end is there.
    http2: AtomicBool,
    /// The process is stopping: no further request is taken.
    ending: AtomicBool,
    /// Whom to wake then.
    waker: AtomicWaker,
    /// How long the answer under way waits for a reader that takes nothing, in milliseconds, if one has said so.
    patience_ms: AtomicU32,
    /// The connection's place among those that there may be, and with the thread that serves it. They are given back with
    /// the last that is left of the connection, which may be a tunnel.
    _place: (Option<OwnedSemaphorePermit>, Arc<()>),
}

impl Activity {
    /// Of a connection that has this place.
    pub(crate) fn at(place: (Option<OwnedSemaphorePermit>, Arc<()>)) -> Self {
        Self {
            _place: place,
            ..Self::default()
        }
    }

    /// An answer is about to be streamed, and this is how long it may stand still because its reader takes nothing.
    pub(crate) fn wait_for_reader(&self, at_most: Duration) {
        let ms = u32::try_from(at_most.as_millis()).unwrap_or(u32::MAX);
        self.patience_ms.store(ms, Ordering::Relaxed);
    }

    /// In how many sweeps the answer under way may be found standing still.
    fn patience(&self, sweep_every: Duration) -> u32 {
        match self.patience_ms.load(Ordering::Relaxed) {
            0 => SWEEPS_BLOCKED,
            ms => {
                let every = sweep_every.as_millis().max(1);
                u32::try_from(u128::from(ms).div_ceil(every)).map_or(u32::MAX, |sweeps| sweeps.max(SWEEPS))
            }
        }
    }

    fn moved(&self) {
        self.moves.fetch_add(1, Ordering::Relaxed);
    }

    /// A request begins; it is open until what this gives is dropped.
    pub(crate) fn open(self: &Arc<Self>, version: Version) -> Open {
        if version == Version::HTTP_2 {
            self.http2.store(true, Ordering::Relaxed);
        }
        self.open.fetch_add(1, Ordering::Relaxed);
        self.moved();
        Open(Arc::clone(self))
    }

    /// Whether the connection should take no further request.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire)
    }

    /// Whom to wake when that begins.
    pub(crate) fn wake_at_end(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    fn end(&self) {
        self.ending.store(true, Ordering::Release);
        self.waker.wake();
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(crate) struct Open(Arc<Activity>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.moved();
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// All connections of one port.
#[derive(Debug)]
pub(crate) struct Connections {
    all: Mutex<Vec<Connection>>,
    sweep_every: Duration,
}

#[derive(Debug)]
struct Connection {
    /// Gone when the connection is.
    activity: Weak<Activity>,
    task: AbortHandle,
    /// The moves at the last sweep.
    moves: u32,
    /// For how many sweeps there was no move.
    still: u32,
}

impl Connections {
    /// None yet, to be closed when they are still for `still_max`.
    pub(crate) fn new(still_max: Duration) -> Self {
        Self {
            all: Mutex::default(),
            sweep_every: still_max / SWEEPS,
        }
    }

    /// Watches a connection, which the task ends when it is stopped.
    pub(crate) fn watch(&self, activity: &Arc<Activity>, task: AbortHandle) {
        let connection = Connection {
            activity: Arc::downgrade(activity),
            task,
            moves: 0,
            still: 0,
        };
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        // What ended keeps some memory until it is forgotten: not so much of it that the list has to grow.
        if all.len() == all.capacity() {
            all.retain(|connection| connection.activity.strong_count() > 0);
        }
        all.push(connection);
    }

    /// Closes what has been still for too long, for as long as it is polled.
    pub(crate) async fn sweep(&self) -> std::convert::Infallible {
        loop {
            tokio::time::sleep(self.sweep_every).await;
            self.sweep_once();
        }
    }

    /// Tells every connection to take no further request.
    pub(crate) fn end(&self) {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        for activity in all.iter().filter_map(|connection| connection.activity.upgrade()) {
            activity.end();
        }
    }

    fn sweep_once(&self) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain_mut(|connection| connection.stays(self.sweep_every));
    }
}

impl Connection {
    /// Looks whether there was a move since the last sweep, and ends the connection if there was none for too long.
    fn stays(&mut self, sweep_every: Duration) -> bool {
        let Some(activity) = self.activity.upgrade() else {
            return false;
        };
        let moves = activity.moves.load(Ordering::Relaxed);
        let blocked = activity.blocked.load(Ordering::Relaxed);
        let open = activity.open.load(Ordering::Relaxed) > 0;
        let used = open || activity.http2.load(Ordering::Relaxed);
        if (used && !blocked) || moves != self.moves {
            self.moves = moves;
            self.still = 0;
            return true;
        }
        self.still += 1;
        let most = match (blocked, open) {
            (false, _) => SWEEPS,
            (true, false) => SWEEPS_BLOCKED,
            (true, true) => activity.patience(sweep_every),
        };
        let stays = self.still <= most;
        // SECURITY: slow heads, and answers that are asked for and not taken, must not hold connections, of which there
        // is only so many (Slowloris).
        if !stays {
            self.task.abort();
        }
        stays
    }
}

/// A connection whose writes count as use: a client that takes an answer slowly is still there.
#[derive(Debug)]
pub(crate) struct Counted<S> {
    stream: S,
    activity: Arc<Activity>,
}

impl<S> Counted<S> {
    pub(crate) const fn new(stream: S, activity: Arc<Activity>) -> Self {
        Self { stream, activity }
    }

    fn wrote(&self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.activity.blocked.store(polled.is_pending(), Ordering::Relaxed);
        if polled.is_ready() {
            self.activity.moved();
        }
        polled
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.wrote(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // Most answers are one piece, and to send one is cheaper than to gather many of one.
        let polled = match parts {
            [one] => Pin::new(&mut self.stream).poll_write(context, one),
            _ => Pin::new(&mut self.stream).poll_write_vectored(context, parts),
        };
        self.wrote(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The body of an answer, whose request is open until it has been sent.
#[derive(Debug)]
pub(crate) struct Answering<B> {
    body: B,
    _open: Open,
}

impl<B> Answering<B> {
    pub(crate) const fn new(body: B, open: Open) -> Self {
        Self { body, _open: open }
    }
}

impl<B: Body<Data: Buf> + Unpin> Body for Answering<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STILL_MAX: Duration = Duration::from_secs(10);

    /// A connection that waits for ever, and whether it still does after some sweeps.
    struct Waiting {
        activity: Arc<Activity>,
        connections: Connections,
        task: tokio::task::JoinHandle<()>,
    }

    impl Waiting {
        fn new() -> Self {
            let activity = Arc::new(Activity::default());
            let connections = Connections::new(STILL_MAX);
            let task = tokio::spawn(std::future::pending());
            connections.watch(&activity, task.abort_handle());
            Self {
                activity,
                connections,
                task,
            }
        }

        async fn is_open_after(&self, sweeps: u32) -> bool {
            for _ in 0..sweeps {
                self.connections.sweep_once();
            }
            tokio::task::yield_now().await;
            !self.task.is_finished()
        }
    }

    #[tokio::test]
    async fn what_is_still_for_the_whole_time_is_closed_and_not_before() {
        let waiting = Waiting::new();
        assert!(waiting.is_open_after(SWEEPS).await, "the time was not over");
        assert!(!waiting.is_open_after(1).await);
        assert!(waiting.connections.all.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_request_being_answered_keeps_its_connection_and_the_time_begins_when_it_ends() {
        let waiting = Waiting::new();
        let open = waiting.activity.open(Version::HTTP_11);
        assert!(waiting.is_open_after(10 * SWEEPS).await);
        drop(open);
        // The first sweep sees that it ended.
        assert!(waiting.is_open_after(1 + SWEEPS).await, "the time was not over");
        assert!(!waiting.is_open_after(1).await);
    }

    #[tokio::test]
    async fn what_is_written_counts_and_http2_is_left_to_its_pings() {
        let waiting = Waiting::new();
        for _ in 0..6 {
            assert!(waiting.is_open_after(SWEEPS).await);
            waiting.activity.moved();
        }
        drop(waiting.activity.open(Version::HTTP_2));
        assert!(waiting.is_open_after(10 * SWEEPS).await);
    }

    #[tokio::test]
    async fn a_reader_that_takes_nothing_has_more_time_but_not_for_ever() {
        let waiting = Waiting::new();
        waiting.activity.blocked.store(true, Ordering::Relaxed);
        assert!(waiting.is_open_after(SWEEPS_BLOCKED).await);
        assert!(!waiting.is_open_after(1).await);
    }

    #[tokio::test]
    async fn an_answer_that_is_not_taken_is_waited_for_as_long_as_it_says() {
        for (said, sweeps) in [
            (None, SWEEPS_BLOCKED),
            (Some(6 * STILL_MAX), 6 * SWEEPS),
            (Some(STILL_MAX / 100), SWEEPS),
        ] {
            let waiting = Waiting::new();
            let open = waiting.activity.open(Version::HTTP_11);
            if let Some(said) = said {
                waiting.activity.wait_for_reader(said);
            }
            waiting.activity.blocked.store(true, Ordering::Relaxed);
            // The first sweep sees that a request began. What is taken now and then is waited for.
            assert!(waiting.is_open_after(1 + sweeps).await, "{said:?}");
            waiting.activity.moved();
            assert!(waiting.is_open_after(1 + sweeps).await, "{said:?}");
            assert!(!waiting.is_open_after(1).await, "{said:?}");
            drop(open);
        }
    }

    #[tokio::test]
    async fn many_short_connections_do_not_pile_up_between_sweeps() {
        let connections = Connections::new(STILL_MAX);
        for _ in 0..10_000 {
            connections.watch(&Arc::default(), tokio::spawn(async {}).abort_handle());
        }
        assert!(connections.all.lock().unwrap().len() < 16);
    }

    #[tokio::test]
    async fn a_connection_that_ended_is_forgotten() {
        let Waiting {
            activity, connections, ..
        } = Waiting::new();
        drop(activity);
        connections.sweep_once();
        assert!(connections.all.lock().unwrap().is_empty());
    }
}
