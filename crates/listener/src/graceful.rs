//! Graceful shutdown: connections finish their answers and then end when the process is told to stop.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper_util::server::graceful::GracefulConnection;

use crate::idle_timeout::Activity;

/// A connection that ends after the requests under way, once its activity says so.
///
/// Each connection tests a flag of its own. The version in hyper-util takes one lock, shared by all connections,
/// whenever one of them is polled.
pub(crate) struct DrainedConnection<C> {
    connection: Pin<Box<C>>,
    activity: Arc<Activity>,
    state: ShutdownState,
}

/// State of a connection's knowledge of its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ShutdownState {
    /// Not ending, and no waker is registered.
    Nothing,
    /// Not ending, and a waker is registered.
    Listening,
    /// Ending.
    End,
}

impl<C> DrainedConnection<C> {
    pub(crate) fn new(connection: C, activity: Arc<Activity>) -> Self {
        Self {
            connection: Box::pin(connection),
            activity,
            state: ShutdownState::Nothing,
        }
    }
}

impl<C> fmt::Debug for DrainedConnection<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DrainedConnection")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl<C: GracefulConnection> Future for DrainedConnection<C> {
    type Output = C::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<C::Output> {
        if self.state == ShutdownState::Nothing {
            // Once is enough: a task's waker stays the same. It is registered before the flag is tested, so that an end
            // in between is not missed.
            self.activity.wake_at_end(context.waker());
            self.state = ShutdownState::Listening;
        }
        if self.state == ShutdownState::Listening && self.activity.is_ending() {
            self.connection.as_mut().graceful_shutdown();
            self.state = ShutdownState::End;
        }
        self.connection.as_mut().poll(context)
    }
}
