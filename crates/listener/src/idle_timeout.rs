//! Idle timeout of connections.
//!
//! A timer for every head of a request costs more than reading the head. So there is one sweep for all connections, and
//! a request only counts itself. A connection is closed if, for the idle timeout, it has begun no request, is not
//! answering one and has sent nothing; at the latest a quarter of that time later. In HTTP/2 only requests count: pings
//! and their answers cost a client nothing. This covers a head that trickles in, an unused keep-alive connection, a
//! connection that was opened and stays silent, and, with a time of its own, an answer that its client does not read.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Buf;
use futures_util::task::AtomicWaker;
use http::Version;
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf, Take};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::AbortHandle;

use crate::clients::ClientPlace;

/// Number of sweeps in which a connection must be found still before it is closed.
const SWEEPS: u32 = 4;
/// Number of sweeps while the client does not read what is written: a slow reader's window opens in large steps. A
/// streamed answer sets its own time.
const SWEEPS_BLOCKED: u32 = 24;

/// Upper limit of one read from a connection, in bytes. One less than a power of two, at which the read buffers would
/// double.
pub(crate) const PIECE: u64 = 16 * 1024 - 1;
/// Upper limit of the bytes of an answer that wait in memory for an HTTP/1.1 client before more of it is requested.
const UNSENT_MAX: u64 = 16 * 1024;

/// Activity of one connection.
#[derive(Debug, Default)]
pub struct Activity {
    /// Number of requests that began and whose answers are not finished.
    open: AtomicU32,
    /// Number of those, in HTTP/2, whose client does not take more of the answer.
    untaken: AtomicU32,
    /// Count of moves: requests that began or ended, and parts of answers that were taken; it wraps around.
    moves: AtomicU32,
    /// Number of bytes written.
    written: AtomicU64,
    /// True while a write waits until the client takes more.
    blocked: AtomicBool,
    /// True for HTTP/2.
    http2: AtomicBool,
    /// True once no further request is taken: the process is stopping, or the connection was idle.
    ending: AtomicBool,
    /// Task to wake when it becomes true.
    waker: AtomicWaker,
    /// Task of a body to wake when bytes were written, if it waits for that.
    body: AtomicWaker,
    body_waits: AtomicBool,
    /// Time that the answer under way waits for a reader that takes nothing, in milliseconds; 0 if it has set none.
    patience_ms: AtomicU32,
    /// Places of the connection. They are released with the last part of the connection, which may be a tunnel.
    places: Places,
}

/// Places that a connection occupies.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// Place among all connections of the port.
    pub(crate) _port: Option<OwnedSemaphorePermit>,
    /// Place among the connections of its client's address; `None` for trusted proxies, which have no limit.
    pub(crate) client: Option<ClientPlace>,
    /// Place with the thread that serves it.
    pub(crate) _thread: Arc<()>,
}

impl Activity {
    /// Creates the activity of a connection that has these places.
    pub(crate) fn at(places: Places) -> Self {
        Self {
            places,
            ..Self::default()
        }
    }

    /// Sets the time that an answer may stand still because its reader takes nothing. Called before it is streamed.
    pub fn wait_for_reader(&self, at_most: Duration) {
        let ms = u32::try_from(at_most.as_millis()).unwrap_or(u32::MAX);
        self.patience_ms.store(ms, Ordering::Relaxed);
    }

    /// Returns the number of sweeps in which the answer under way may be found still.
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

    /// Begins a request; it is open until the returned value is dropped.
    pub fn open(self: &Arc<Self>, version: Version) -> Open {
        let http2 = version == Version::HTTP_2;
        let mut within_limit = true;
        if http2 {
            self.http2.store(true, Ordering::Relaxed);
            // HTTP/1.1 has one request at a time, so the count of connections suffices.
            let client = self.places.client.as_ref();
            within_limit = client.is_none_or(ClientPlace::request_begins);
        }
        self.open.fetch_add(1, Ordering::Relaxed);
        self.moved();
        Open {
            activity: Arc::clone(self),
            http2,
            within_limit,
        }
    }

    /// Tests whether the connection should take no further request.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire)
    }

    /// Registers the task to wake when the connection starts to end.
    pub(crate) fn wake_at_end(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    /// Waits until the connection should take no further request.
    pub(crate) async fn end_told(&self) {
        poll_fn(|context| {
            // Registered before the flag is tested, so that an end in between is not missed.
            self.wake_at_end(context.waker());
            if self.is_ending() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    fn end(&self) {
        self.ending.store(true, Ordering::Release);
        self.waker.wake();
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub struct Open {
    activity: Arc<Activity>,
    http2: bool,
    within_limit: bool,
}

impl Open {
    /// Tests whether the client had fewer HTTP/2 requests under way, on all its connections, than its limit.
    pub(crate) const fn is_within_limit(&self) -> bool {
        self.within_limit
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if self.http2 {
            let client = &self.activity.places.client;
            client.iter().for_each(ClientPlace::request_ends);
        }
        self.activity.moved();
        self.activity.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// All connections of one port.
#[derive(Debug)]
pub(crate) struct Connections {
    /// Connections in the order in which they came.
    all: Mutex<Vec<Connection>>,
    sweep_every: Duration,
}

#[derive(Debug)]
struct Connection {
    /// Activity; gone when the connection is.
    activity: Weak<Activity>,
    task: AbortHandle,
    /// Address of the client; `None` if it may have any number of connections.
    client: Option<IpAddr>,
    /// Count of moves, and of bytes written, at the last sweep.
    moves: u32,
    written: u64,
    /// Number of sweeps without a move.
    still: u32,
    closed: bool,
}

impl Connections {
    /// Creates an empty list, whose connections are closed when they are still for `still_max`.
    pub(crate) fn new(still_max: Duration) -> Self {
        Self {
            all: Mutex::default(),
            sweep_every: still_max / SWEEPS,
        }
    }

    /// Watches a connection, which is closed by stopping the task.
    pub(crate) fn watch(&self, activity: &Arc<Activity>, task: AbortHandle) {
        let connection = Connection {
            activity: Arc::downgrade(activity),
            task,
            client: activity.places.client.as_ref().map(ClientPlace::address),
            moves: 0,
            written: 0,
            still: 0,
            closed: false,
        };
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        // An ended connection keeps some memory until it is removed: the list is cleaned before it has to grow.
        if all.len() == all.capacity() {
            all.retain(|connection| connection.activity.strong_count() > 0);
        }
        all.push(connection);
    }

    /// Closes connections that have been still for too long, for as long as it is polled.
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

    /// Closes the connection that has been idle longest, of one client if one is named. Returns whether there was one.
    ///
    /// Idle time is known to the precision of a sweep. Of equal connections, one that has had no request goes first,
    /// then the oldest.
    pub(crate) fn close_longest_idle(&self, of: Option<IpAddr>) -> bool {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let may = |connection: &&mut Connection| {
            let activity = connection.activity.upgrade();
            // A connection that ended by itself has released its place or is about to.
            let is_idle = activity.is_some_and(|activity| activity.open.load(Ordering::Relaxed) == 0);
            is_idle && !connection.closed && (of.is_none() || connection.client == of)
        };
        let longest = all.iter_mut().filter(may).reduce(|longest, next| {
            let idle = |connection: &Connection| (connection.still, connection.moves == 0);
            if idle(next) > idle(longest) { next } else { longest }
        });
        let Some(longest) = longest else { return false };
        longest.closed = true;
        longest.task.abort();
        true
    }

    fn sweep_once(&self) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain_mut(|connection| connection.stays(self.sweep_every));
    }
}

impl Connection {
    /// Tests whether there was a move since the last sweep, and closes the connection if there was none for too long.
    fn stays(&mut self, sweep_every: Duration) -> bool {
        let Some(activity) = self.activity.upgrade() else {
            return false;
        };
        let moves = activity.moves.load(Ordering::Relaxed);
        let written = activity.written.load(Ordering::Relaxed);
        let open = activity.open.load(Ordering::Relaxed);
        let http2 = activity.http2.load(Ordering::Relaxed);
        let untaken = http2 && open > 0 && activity.untaken.load(Ordering::Relaxed) >= open;
        let blocked = untaken || activity.blocked.load(Ordering::Relaxed);
        let has_written = written != self.written;
        // SECURITY: written bytes count as a move for a client that reads an answer slowly. Without a request there is
        // no answer, and in HTTP/2 many of the written bytes answer pings.
        let takes = has_written && moves != 0 && !http2;
        let moved = moves != self.moves || takes;
        (self.moves, self.written) = (moves, written);
        if (open > 0 && !blocked) || moved {
            self.still = 0;
            return true;
        }
        self.still += 1;
        let most = match (blocked, open > 0) {
            (false, _) => SWEEPS,
            (true, false) => SWEEPS_BLOCKED,
            (true, true) => activity.patience(sweep_every),
        };
        let mut stays = self.still <= most;
        if !stays && http2 && open == 0 {
            // It is told to end first, so that the client opens another connection for its next request, and the rest
            // of the last answer is sent.
            stays = !activity.is_ending() || (has_written && self.still <= SWEEPS_BLOCKED);
            activity.end();
        }
        // SECURITY: slow heads, and answers that clients request and do not read, must not occupy connections, whose
        // number is limited (Slowloris).
        if !stays {
            self.task.abort();
        }
        stays
    }
}

/// A connection that is read in pieces and whose writes are counted: a client that reads an answer slowly is still
/// active.
#[derive(Debug)]
pub(crate) struct CountedStream<S> {
    stream: Take<S>,
    activity: Arc<Activity>,
}

impl<S: AsyncRead> CountedStream<S> {
    pub(crate) fn new(stream: S, activity: Arc<Activity>) -> Self {
        Self {
            stream: stream.take(PIECE),
            activity,
        }
    }

    fn wrote(&self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.activity.blocked.store(polled.is_pending(), Ordering::Relaxed);
        if let Poll::Ready(Ok(length)) = &polled {
            self.activity.written.fetch_add(*length as u64, Ordering::Relaxed);
            if self.activity.body_waits.load(Ordering::Relaxed) {
                self.activity.body_waits.store(false, Ordering::Relaxed);
                self.activity.body.wake();
            }
        }
        polled
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for CountedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream.set_limit(PIECE);
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for CountedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(self.stream.get_mut()).poll_write(context, bytes);
        self.wrote(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // Most answers are one piece, and sending one is cheaper than gathering many.
        let polled = match parts {
            [one] => Pin::new(self.stream.get_mut()).poll_write(context, one),
            _ => Pin::new(self.stream.get_mut()).poll_write_vectored(context, parts),
        };
        self.wrote(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.get_ref().is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(self.stream.get_mut()).poll_flush(context);
        // TLS takes a write into a buffer of its own, and it is here that it waits for the client.
        if polled.is_pending() != self.activity.blocked.load(Ordering::Relaxed) {
            self.activity.blocked.store(polled.is_pending(), Ordering::Relaxed);
        }
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.stream.get_mut()).poll_shutdown(context)
    }
}

/// Body of an answer, whose request is open until it is sent. It is polled only as fast as the client takes it.
#[derive(Debug)]
pub(crate) struct Answering<B> {
    body: B,
    open: Open,
    /// In HTTP/1.1: the bytes written when it began, and the bytes handed over since.
    began: Option<u64>,
    given: u64,
    /// In HTTP/2: true while the client has to take something before more is requested.
    untaken: bool,
}

impl<B> Answering<B> {
    pub(crate) const fn new(body: B, open: Open) -> Self {
        Self {
            body,
            open,
            began: None,
            given: 0,
            untaken: false,
        }
    }

    fn is_untaken(&mut self, untaken: bool) {
        if self.untaken != untaken {
            self.untaken = untaken;
            let counter = &self.open.activity.untaken;
            if untaken {
                counter.fetch_add(1, Ordering::Relaxed);
            } else {
                counter.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    /// Tests whether so much of it waits to be written that polling for more is of no use. The body is polled again
    /// when bytes were written.
    ///
    /// The buffer of a connection is as large as the largest head of a request; without this limit, an answer that its
    /// client does not read would fill that buffer and more. HTTP/2 has a limit of its own.
    fn has_enough(&mut self, context: &Context<'_>) -> bool {
        let activity = &self.open.activity;
        let written = || activity.written.load(Ordering::Relaxed);
        let began = *self.began.get_or_insert_with(written);
        let unsent = || self.given.saturating_sub(written().wrapping_sub(began));
        if unsent() < UNSENT_MAX {
            return false;
        }
        activity.body.register(context.waker());
        activity.body_waits.store(true, Ordering::Relaxed);
        // Bytes may have been written in between.
        unsent() >= UNSENT_MAX
    }
}

impl<B> Drop for Answering<B> {
    fn drop(&mut self) {
        self.is_untaken(false);
    }
}

impl<B: Body<Data: Buf> + Unpin> Body for Answering<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = &mut *self;
        let http2 = this.open.http2;
        if http2 {
            this.is_untaken(false);
        } else if this.has_enough(context) {
            return Poll::Pending;
        }
        let polled = Pin::new(&mut this.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            if http2 {
                this.open.activity.moved();
                this.is_untaken(true);
            } else {
                this.given += frame.data_ref().map_or(0, |data| data.remaining() as u64);
            }
        }
        polled
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

    /// A connection that waits for ever, to test whether it still does after some sweeps.
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
        // The first sweep sees that the request ended.
        assert!(waiting.is_open_after(1 + SWEEPS).await, "the time was not over");
        assert!(!waiting.is_open_after(1).await);
    }

    #[tokio::test]
    async fn what_is_written_counts_once_there_was_a_request() {
        let waiting = Waiting::new();
        let write = || waiting.activity.written.fetch_add(17, Ordering::Relaxed);
        drop(waiting.activity.open(Version::HTTP_11));
        for _ in 0..6 {
            assert!(waiting.is_open_after(SWEEPS).await);
            write();
        }
        let waiting = Waiting::new();
        for _ in 0..=SWEEPS {
            waiting.activity.written.fetch_add(17, Ordering::Relaxed);
            waiting.connections.sweep_once();
        }
        assert!(!waiting.is_open_after(0).await, "answers to pings before any request");
    }

    /// An idle connection is told to end first, and closed if it does not.
    #[tokio::test]
    async fn sec_idle_http2_whatever_it_pings() {
        let waiting = Waiting::new();
        let ping = || waiting.activity.written.fetch_add(17, Ordering::Relaxed);
        let open = waiting.activity.open(Version::HTTP_2);
        for _ in 0..10 * SWEEPS {
            ping();
            assert!(waiting.is_open_after(1).await, "a request is being answered");
        }
        drop(open);
        for _ in 0..=SWEEPS {
            ping();
            assert!(waiting.is_open_after(1).await);
            assert!(!waiting.activity.is_ending(), "the time was not over");
        }
        assert!(waiting.is_open_after(1).await);
        assert!(waiting.activity.is_ending());
        assert!(!waiting.is_open_after(1).await);
    }

    #[tokio::test]
    async fn http2_that_is_ending_has_time_while_it_takes_what_is_left() {
        let waiting = Waiting::new();
        drop(waiting.activity.open(Version::HTTP_2));
        for sweep in 0..=SWEEPS_BLOCKED {
            waiting.activity.written.fetch_add(1000, Ordering::Relaxed);
            assert!(waiting.is_open_after(1).await, "{sweep}");
        }
        assert!(!waiting.is_open_after(1).await, "not for ever");
    }

    /// Over HTTP/2, an answer that its client does not read is a stream whose window does not open; the connection is
    /// not blocked.
    #[tokio::test]
    async fn an_http2_answer_that_is_not_taken_is_waited_for_as_long_as_it_says() {
        use http_body_util::{BodyExt as _, StreamBody};

        let parts =
            futures_util::stream::iter([(); 3].map(|()| Ok::<_, std::convert::Infallible>(Frame::data(&b"part"[..]))));
        let waiting = Waiting::new();
        let open = waiting.activity.open(Version::HTTP_2);
        waiting.activity.wait_for_reader(2 * STILL_MAX);
        let mut answer = Answering::new(StreamBody::new(parts), open);
        for _ in 0..2 {
            assert!(answer.frame().await.is_some());
            waiting.activity.written.fetch_add(17, Ordering::Relaxed);
            assert!(waiting.is_open_after(1 + 2 * SWEEPS).await);
        }
        assert!(!waiting.is_open_after(1).await);
    }

    #[tokio::test]
    async fn the_longest_idle_is_closed_and_none_that_answers() {
        let connections = Connections::new(STILL_MAX);
        let client: IpAddr = "192.0.2.1".parse().unwrap();
        let clients = crate::clients::Clients::new(10);
        let mut all = Vec::new();
        for number in 0..4 {
            let activity = Arc::new(Activity::at(Places {
                client: (number != 0).then(|| clients.place(client).0),
                ..Places::default()
            }));
            let task = tokio::spawn(std::future::pending::<()>());
            connections.watch(&activity, task.abort_handle());
            all.push((activity, task));
        }
        let closed = async || {
            tokio::task::yield_now().await;
            let closed = all.iter().map(|(_, task)| task.is_finished());
            closed.collect::<Vec<_>>()
        };
        connections.sweep_once();
        // One connection is answering, one answered just now, and one never did anything: it has been idle longest.
        let _answering = all[1].0.open(Version::HTTP_11);
        drop(all[2].0.open(Version::HTTP_11));
        connections.sweep_once();
        assert!(connections.close_longest_idle(Some(client)));
        assert_eq!(closed().await, [false, false, false, true]);
        assert!(connections.close_longest_idle(Some(client)));
        assert_eq!(closed().await, [false, false, true, true]);
        assert!(
            !connections.close_longest_idle(Some(client)),
            "it answers, or is another's"
        );
        assert!(connections.close_longest_idle(None));
        assert_eq!(closed().await, [true, false, true, true]);
        assert!(!connections.close_longest_idle(None));
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
            // The first sweep sees that a request began. An answer that is read now and then is waited for.
            assert!(waiting.is_open_after(1 + sweeps).await, "{said:?}");
            waiting.activity.written.fetch_add(1000, Ordering::Relaxed);
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
