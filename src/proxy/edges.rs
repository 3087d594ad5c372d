//! The edges of a drill, for what is polled by a task that nobody wakes at them.

use crate::engine::{Change, Injector};
use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::sync::watch;

type Next = Pin<Box<dyn Future<Output = watch::Receiver<Change>> + Send + Sync>>;

/// Wakes whoever polls it when a phase ends, a fault by hand is changed or the drill is over.
pub(crate) struct Edges(Next);

impl Edges {
    pub(crate) fn new(injector: &Injector) -> Self {
        Self(Box::pin(next(injector.changes())))
    }

    /// Ready once for all edges since it last was.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let changes = ready!(self.0.as_mut().poll(cx));
        self.0 = Box::pin(next(changes));
        Poll::Ready(())
    }
}

impl fmt::Debug for Edges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Edges")
    }
}

async fn next(mut changes: watch::Receiver<Change>) -> watch::Receiver<Change> {
    if changes.changed().await.is_err() {
        // The run is gone, and with it all edges.
        std::future::pending::<()>().await;
    }
    changes
}
