//! Bodies that end when the grounds end on which they were allowed.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Either;

use super::{Close, LifetimeHandle, StreamKind, Terms};
use crate::body_limits::StreamError;

/// Upper limit of an unwatched body, in bytes: a longer one is watched even if each part of it arrives at once.
const UNWATCHED_MAX: u64 = 256 * 1024;

/// Limits the body of an answer to the life of its grounds, unless the answer was made here.
pub(crate) fn limited<A, B>(answer: Response<Either<A, B>>, terms: Terms) -> Response<Either<A, LifetimeBody<B>>>
where
    B: Body<Data = Bytes, Error = StreamError> + Unpin,
{
    let kind = StreamKind::of(answer.headers());
    answer.map(|body| match body {
        Either::Left(made_here) => Either::Left(made_here),
        Either::Right(body) => Either::Right(LifetimeBody::new(body, kind, Some(terms))),
    })
}

/// State of the watch over a body.
#[derive(Debug)]
enum WatchState {
    /// Not watched: it rests on nothing that ends.
    No,
    /// Not yet watched: the watch begins on the first wait, or when the body has become long.
    NotYet(Terms),
    /// Watched.
    Yes(LifetimeHandle),
    /// Ended: no further data is passed on.
    Over,
}

/// A body that ends when the grounds end on which it was allowed.
#[derive(Debug)]
pub(crate) struct LifetimeBody<B> {
    body: B,
    watching: WatchState,
    kind: StreamKind,
    passed: u64,
}

impl<B: Body<Data = Bytes, Error = StreamError> + Unpin> LifetimeBody<B> {
    /// Creates a body under these terms.
    pub(crate) fn new(body: B, kind: StreamKind, terms: Option<Terms>) -> Self {
        let watching = match terms {
            Some(terms) if !body.is_end_stream() && terms.answer.caller().is_some() => WatchState::NotYet(terms),
            _ => WatchState::No,
        };
        Self {
            body,
            watching,
            kind,
            passed: 0,
        }
    }

    fn begin_to_watch(&mut self) {
        if let WatchState::NotYet(terms) = &self.watching {
            self.watching = terms.watch(self.kind.lasts).map_or(WatchState::No, WatchState::Yes);
        }
    }

    /// Returns the last frame for the reader, if the stream has ended.
    fn end(&mut self, context: &Context<'_>) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        let reason = match &self.watching {
            WatchState::Yes(watched) => watched.ended(context),
            WatchState::Over => return Poll::Ready(None),
            WatchState::No | WatchState::NotYet(_) => None,
        };
        let Some(reason) = reason else {
            return Poll::Pending;
        };
        self.watching = WatchState::Over;
        Poll::Ready(match self.kind.close {
            Close::Broken => Some(Err(StreamError::Ended(reason))),
            Close::Over => None,
            Close::Grpc => {
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", HeaderValue::from_static("16"));
                trailers.insert("grpc-message", HeaderValue::from_static(reason.code()));
                Some(Ok(Frame::trailers(trailers)))
            }
        })
    }
}

impl<B: Body<Data = Bytes, Error = StreamError> + Unpin> Body for LifetimeBody<B> {
    type Data = Bytes;
    type Error = StreamError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        let this = &mut *self;
        // SECURITY: before the body is polled for more data, which may arrive without end.
        if let Poll::Ready(end) = this.end(context) {
            return Poll::Ready(end);
        }
        let polled = Pin::new(&mut this.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            this.passed += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        if matches!(this.watching, WatchState::NotYet(_)) && (polled.is_pending() || this.passed > UNWATCHED_MAX) {
            this.begin_to_watch();
            // From here on the end also wakes this task.
            if polled.is_pending() {
                return this.end(context);
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
