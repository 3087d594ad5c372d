//! A body whose bytes go through a filter, apart from where they come from.

use crate::{
    engine::{Dealing, Hold},
    fault::{ByteFilter, Out},
    proxy::{ctl::ConnCtl, edges::Edges, error::BodyError, record::Draft, socket::Timer},
};
use bytes::Bytes;
use http_body::Frame;
use std::{
    sync::Arc,
    task::{Context, Poll, ready},
};

/// What comes next of a body.
pub(crate) type Next = Poll<Option<Result<Frame<Bytes>, BodyError>>>;
/// Where it comes from.
pub(crate) type Source<'s> = &'s mut dyn FnMut(&mut Context<'_>) -> Next;

/// Drives a filter by the frames of a body.
#[derive(Debug)]
pub(crate) struct Shaper {
    /// How much of the length that the head announces is left; what a filter adds beyond it has no
    /// place in the message.
    left: Option<u64>,
    filter: Box<dyn ByteFilter>,
    hold: Hold,
    /// Whose doing it is, until it has done something.
    by: Option<(Dealing, Draft)>,
    ctl: Arc<ConnCtl>,
    trailers: Option<Frame<Bytes>>,
    /// How the body broke off, if it did.
    broken: Option<Broken>,
    finished: bool,
    ended: bool,
    timer: Timer,
    edges: Edges,
}

/// How a body broke off, to be told after what came of it.
#[derive(Debug)]
pub(crate) struct Broken {
    error: BodyError,
    /// What came before had a chance to leave.
    paused: bool,
}

impl Broken {
    pub(crate) const fn new(error: BodyError) -> Self {
        Self { error, paused: false }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<BodyError> {
        // An error that follows at once would take with it what was not flushed yet.
        if !std::mem::replace(&mut self.paused, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.error)
    }
}

impl Shaper {
    /// A filter for a body of which so many bytes are left, if that is known.
    pub(crate) fn new(
        filter: Box<dyn ByteFilter>,
        hold: Hold,
        by: Dealing,
        draft: Draft,
        left: Option<u64>,
    ) -> Self {
        let ctl = Arc::clone(&draft.ctl);
        let edges = Edges::new(ctl.injector());
        Self {
            left,
            filter,
            hold,
            by: Some((by, draft)),
            ctl,
            trailers: None,
            broken: None,
            finished: false,
            ended: false,
            timer: Timer::default(),
            edges,
        }
    }

    /// Whether nothing more comes of it.
    pub(crate) const fn is_over(&self) -> bool {
        self.ended && self.trailers.is_none() && self.broken.is_none()
    }

    /// Counts it, once it has done something: `any` says that bytes came.
    fn note(&mut self, any: bool) {
        let acted = self.filter.has_acted().unwrap_or(any && self.hold.moment().is_some());
        if acted && let Some((by, draft)) = self.by.take() {
            // What it does to requests and to answers is one thing.
            if by.came_about() {
                draft.dealt(by.dealt);
            }
        }
    }

    /// The next of what comes from `source`.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, source: Source<'_>) -> Next {
        loop {
            if self.ended {
                if let Some(broken) = &mut self.broken {
                    return broken.poll(cx).map(|error| Some(Err(error)));
                }
                return Poll::Ready(self.trailers.take().map(Ok));
            }
            let now = self.ctl.injector().tick();
            self.filter.tune(now, self.hold.moment().as_ref());
            if self.ctl.injector().is_over() {
                self.filter.let_go(now);
            }
            let out = self.filter.pull(now);
            self.note(false);
            match out {
                Some(Out::Bytes(mut bytes)) => {
                    if let Some(left) = &mut self.left {
                        bytes.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                        *left -= bytes.len() as u64;
                    }
                    if bytes.is_empty() {
                        continue;
                    }
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Some(Out::End) => {
                    self.ended = true;
                    continue;
                }
                Some(Out::Close(close)) => {
                    // The connection's own task sees to it.
                    self.ctl.kill(close);
                    return Poll::Pending;
                }
                None => {}
            }
            if !self.finished && self.filter.room() > 0 {
                match source(cx) {
                    Poll::Ready(Some(Ok(frame))) => {
                        match frame.into_data() {
                            Ok(data) => {
                                let any = !data.is_empty();
                                self.filter.push(now, data);
                                self.note(any);
                            }
                            Err(trailers) => self.trailers = Some(trailers),
                        }
                        continue;
                    }
                    Poll::Ready(end) => {
                        // What came before it is broken off no sooner than it would have ended.
                        self.broken = end.and_then(Result::err).map(Broken::new);
                        self.finished = true;
                        self.filter.finish(now);
                        continue;
                    }
                    Poll::Pending => {}
                }
            }
            if self.edges.poll(cx).is_ready() {
                continue;
            }
            let Some(tick) = self.filter.wake_at() else {
                return Poll::Pending;
            };
            let at = self.ctl.injector().instant(tick);
            ready!(self.timer.poll_at(at, cx));
        }
    }
}
