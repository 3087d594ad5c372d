//! The upstream's answer as it comes.

use crate::{
    event::Capture,
    proxy::{
        ctl::lock,
        error::BodyError,
        inbound::Inbound,
        record::Draft,
        rest,
        upstream::{
            pool::{Pool, Pooled},
            two,
        },
    },
};
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

/// The body of an upstream's answer, and the connection it comes on.
///
/// The connection goes back to the pool when the answer and the upload came to their ends, in whichever
/// order; in any other case it is closed, which also tells the upstream that nobody waits any longer.
#[derive(Debug)]
pub(crate) struct Body {
    incoming: Inbound,
    connection: Option<Held>,
    draft: Draft,
    /// A hash of what has come, if the body tells what the request made.
    made: Option<Box<Capture>>,
}

/// What an answer comes on.
#[derive(Debug)]
pub(super) enum Held {
    /// A connection, and where it goes back to if it may carry more.
    One(Pooled, Option<Arc<Pool>>),
    /// One stream of many.
    Two(two::Held),
}

impl Held {
    /// Goes on with an upload whose answer is over, within bounds.
    async fn carry_on(mut self, draft: Draft) {
        let over = async {
            match &mut self {
                // Its failure shows when it is put back.
                Self::One(connection, _) => drop(connection.sender.ready().await),
                Self::Two(stream) => stream.over().await,
            }
        };
        if rest::seen_through(&draft, over).await {
            self.put_back();
        }
    }

    /// Nothing is under way on it any more.
    fn put_back(self) {
        if let Self::One(connection, Some(pool)) = self {
            pool.put(connection);
        }
    }
}

impl Body {
    pub(super) fn new(incoming: Inbound, connection: Held, draft: Draft, tells: bool) -> Self {
        let made = tells.then(Box::default);
        let mut body = Self { incoming, connection: Some(connection), draft, made };
        if body.incoming.is_end_stream() {
            body.done();
        }
        body
    }

    fn done(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        lock(&self.draft.exchange).t_upstream_end = self.draft.ctl.injector().micros();
        if let Some(made) = self.made.take() {
            self.draft.made(made.hash());
        }
        let ctl = &self.draft.ctl;
        if ctl.body_done() {
            connection.put_back();
        } else if !ctl.is_stream() && !ctl.body_withheld() && ctl.killed().is_none() {
            // Of a stream of HTTP/2 the client is told that no more of it is wanted.
            tokio::spawn(connection.carry_on(self.draft.clone()));
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.incoming).poll_frame(cx));
        if let Some(made) = &mut self.made
            && let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            made.feed(data);
        }
        if frame.is_none() || self.incoming.is_end_stream() {
            self.done();
        }
        Poll::Ready(frame.map(|frame| {
            frame.map_err(|error| {
                tracing::warn!(%error, "an upstream's answer broke off");
                // An upload that the client breaks off ends the connection that carries both.
                if !self.draft.ctl.body_broken() {
                    lock(&self.draft.exchange).upstream_error = Some("broken_body");
                }
                error.reset().map_or(BodyError::Broken, |code| BodyError::Reset(code.into()))
            })
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
