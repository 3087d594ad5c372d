//! A response's body that breaks off, or stops coming, somewhere in the middle.

use crate::{
    engine::{Dealing, Hold},
    fault::Close,
    proxy::{
        calls::Calls, ctl::ConnCtl, edges::Edges, error::BodyError, events::Events, record::Draft,
        reply::Reply, socket::Timer, upload::Brink,
    },
};
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::Instant;

/// How often a body that stalls is looked at, whether its fault still has it.
pub(crate) const LOOK: Duration = Duration::from_secs(1);

/// Where a body breaks off.
#[derive(Debug)]
pub(crate) enum Place {
    /// After so many bytes more.
    Bytes(u64),
    /// After so many events more.
    Events(Events),
    /// After so many messages of a gRPC call.
    Messages(Calls),
    /// At this time.
    Time(Instant),
    /// Where the request's body does.
    Upload(Arc<Brink>),
}

/// What comes after a break.
#[derive(Debug)]
pub(crate) enum End {
    /// The end of the connection.
    Close(Close),
    /// Nothing, until the fault lets go.
    Stall,
    /// These trailers.
    Trailers(Arc<HeaderMap>),
}

/// How and where a body breaks off.
#[derive(Debug)]
pub(crate) struct Cutting {
    pub(crate) place: Place,
    pub(crate) end: End,
    /// Whether the fault goes on.
    pub(crate) hold: Hold,
}

/// A body that is broken off, its announced length intact.
#[derive(Debug)]
pub(crate) struct Cut {
    body: Reply,
    how: Cutting,
    /// What has come beyond the break; kept, since the drill may end before it.
    rest: Option<Bytes>,
    /// The fault let go of a body that had stalled.
    is_free: bool,
    timer: Timer,
    /// Of a body that stalls.
    edges: Option<Edges>,
    /// Whose doing it is, and where to note it; taken when it breaks.
    by: Option<(Dealing, Draft)>,
    ctl: Arc<ConnCtl>,
}

impl Cut {
    /// A body that breaks off somewhere, if it is longer.
    pub(super) fn new(body: Reply, how: Cutting, by: Dealing, draft: Draft) -> Self {
        let ctl = Arc::clone(&draft.ctl);
        let (timer, by) = (Timer::default(), Some((by, draft)));
        Self { body, how, rest: None, is_free: false, timer, edges: None, by, ctl }
    }

    /// Whether nothing more comes of it.
    pub(super) fn is_end_stream(&self) -> bool {
        self.rest.is_none() && self.body.is_end_stream()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        let kept = self.rest.as_ref().map_or(0, Bytes::len) as u64;
        let rest = self.body.size_hint().exact();
        rest.map_or_else(SizeHint::default, |rest| SizeHint::with_exact(rest + kept))
    }

    /// What came beyond the break, and then the rest.
    fn poll_free(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.rest.take() {
            Some(rest) => Poll::Ready(Some(Ok(Frame::data(rest)))),
            None => Pin::new(&mut self.body).poll_frame(cx),
        }
    }

    /// Whether it breaks off here.
    fn is_reached(&mut self, cx: &mut Context<'_>) -> bool {
        match &self.how.place {
            Place::Bytes(left) => *left == 0,
            Place::Events(events) => events.is_over(),
            Place::Messages(calls) => calls.is_over(),
            Place::Time(at) => self.timer.poll_at(*at, cx).is_ready(),
            Place::Upload(brink) => brink.poll(cx).is_ready(),
        }
    }

    /// Breaks it off, or holds it.
    fn poll_broken(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some((by, draft)) = self.by.take() {
            by.came_about();
            draft.dealt(by.dealt);
        }
        match &self.how.end {
            // What was written leaves first; then the connection ends, and with it this body.
            End::Close(close) => {
                self.ctl.kill_after_flush(*close);
                Poll::Pending
            }
            // Nobody reads the rest of it.
            End::Trailers(trailers) => {
                let trailers = HeaderMap::clone(trailers);
                (self.body, self.rest, self.is_free) = (Reply::empty(), None, true);
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
            End::Stall => {
                // Before looking, so that no edge between a look and the wait after it is missed.
                let edges = self.edges.get_or_insert_with(|| Edges::new(self.ctl.injector()));
                while edges.poll(cx).is_ready() {}
                if self.how.hold.moment().is_none() || self.ctl.injector().is_over() {
                    self.is_free = true;
                    return self.poll_free(cx);
                }
                // A fault that comes and goes within its phase has no edge.
                self.timer.clear();
                let _look = self.timer.poll_after(LOOK, cx);
                Poll::Pending
            }
        }
    }

    /// The next of it.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let brink = match &self.how.place {
            Place::Upload(brink) if brink.is_reached() => Some(brink),
            _ => None,
        };
        // Of what broke off at the upstream's end the client is told, even if the drill ends meanwhile.
        let is_let_go = || brink.is_none() && self.by.is_some() && self.ctl.injector().is_over();
        if self.is_free || is_let_go() {
            // Nothing is broken off any more.
            return self.poll_free(cx);
        }
        if let Some(brink) = brink {
            // What follows may be an answer to what it ends after.
            ready!(brink.poll(cx));
        }
        if self.is_reached(cx) && (self.rest.is_some() || !self.body.is_end_stream()) {
            return self.poll_broken(cx);
        }
        match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(mut data) => {
                    let keep = match &mut self.how.place {
                        Place::Bytes(left) => {
                            let keep = usize::try_from(*left).unwrap_or(usize::MAX).min(data.len());
                            *left -= keep as u64;
                            keep
                        }
                        Place::Events(events) => events.keep(&data),
                        Place::Messages(calls) => calls.keep(&data),
                        Place::Time(_) | Place::Upload(_) => data.len(),
                    };
                    self.rest = (keep < data.len()).then(|| data.split_off(keep));
                    Poll::Ready(Some(Ok(Frame::data(data))))
                }
                Err(frame) => Poll::Ready(Some(Ok(frame))),
            },
            // Shorter than where it was to break.
            end => Poll::Ready(end),
        }
    }
}
