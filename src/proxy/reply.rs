//! A response's body on its way to the client.

use crate::{
    engine::{Dealing, Hold},
    fault::{ByteFilter, Close, Out},
    proxy::{ctl::ConnCtl, error::BodyError, record::Draft, upstream},
};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::time::{Sleep, sleep_until};

/// A response's body.
#[derive(Debug)]
pub(crate) enum Reply {
    /// All of it, if anything.
    Whole(Option<Bytes>),
    /// The upstream's, as it comes.
    Upstream(upstream::Body),
    /// Broken off early.
    Cut(Box<Cut>),
    /// Shaped.
    Shaped(Box<Shaped>),
}

/// A body that is broken off, its announced length intact.
#[derive(Debug)]
pub(crate) struct Cut {
    body: Reply,
    /// Bytes until the break.
    left: u64,
    /// Bytes beyond it have come.
    is_short: bool,
    close: Close,
    /// Whose doing it is, and where to note it; taken when it breaks.
    by: Option<(Dealing, Draft)>,
    ctl: Arc<ConnCtl>,
}

/// A body whose bytes go through a filter.
#[derive(Debug)]
pub(crate) struct Shaped {
    body: Reply,
    filter: Box<dyn ByteFilter>,
    hold: Hold,
    ctl: Arc<ConnCtl>,
    trailers: Option<Frame<Bytes>>,
    finished: bool,
    ended: bool,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Reply {
    /// No body.
    pub(crate) const fn empty() -> Self {
        Self::Whole(None)
    }

    /// This body, broken off after `left` bytes if it is longer.
    pub(crate) fn cut(self, left: u64, close: Close, by: Dealing, draft: Draft) -> Self {
        let ctl = Arc::clone(&draft.ctl);
        Self::Cut(Box::new(Cut {
            body: self,
            left,
            is_short: false,
            close,
            by: Some((by, draft)),
            ctl,
        }))
    }

    /// This body through a filter.
    pub(crate) fn shaped(self, filter: Box<dyn ByteFilter>, hold: Hold, ctl: Arc<ConnCtl>) -> Self {
        Self::Shaped(Box::new(Shaped {
            body: self,
            filter,
            hold,
            ctl,
            trailers: None,
            finished: false,
            ended: false,
            timer: None,
        }))
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Upstream(body) => Pin::new(body).poll_frame(cx),
            Self::Cut(cut) => cut.poll(cx),
            Self::Shaped(shaped) => shaped.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Upstream(body) => body.is_end_stream(),
            Self::Cut(cut) => !cut.is_short && cut.body.is_end_stream(),
            Self::Shaped(shaped) => shaped.ended && shaped.trailers.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Upstream(body) => body.size_hint(),
            Self::Cut(cut) => cut.body.size_hint(),
            Self::Shaped(shaped) => shaped.body.size_hint(),
        }
    }
}

impl Cut {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.left == 0 && (self.is_short || !self.body.is_end_stream()) {
            if let Some((by, draft)) = self.by.take() {
                by.came_about();
                draft.dealt(by.dealt);
            }
            // What was written leaves first; then the connection ends, and with it this body.
            self.ctl.kill_after_flush(self.close);
            return Poll::Pending;
        }
        match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(mut data) => {
                    let keep = usize::try_from(self.left).unwrap_or(usize::MAX).min(data.len());
                    self.is_short = keep < data.len();
                    data.truncate(keep);
                    self.left -= keep as u64;
                    Poll::Ready(Some(Ok(Frame::data(data))))
                }
                Err(frame) => Poll::Ready(Some(Ok(frame))),
            },
            // Shorter than where it was to break.
            end => Poll::Ready(end),
        }
    }
}

impl Shaped {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            if self.ended {
                return Poll::Ready(self.trailers.take().map(Ok));
            }
            let now = self.ctl.injector().tick();
            self.filter.tune(now, self.hold.moment().as_ref());
            if self.ctl.injector().is_over() {
                self.filter.let_go(now);
            }
            match self.filter.pull(now) {
                Some(Out::Bytes(bytes)) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Some(Out::End) => {
                    self.ended = true;
                    continue;
                }
                None => {}
            }
            if !self.finished && self.filter.room() > 0 {
                match Pin::new(&mut self.body).poll_frame(cx) {
                    Poll::Ready(Some(Ok(frame))) => {
                        match frame.into_data() {
                            Ok(data) => self.filter.push(now, data),
                            Err(trailers) => self.trailers = Some(trailers),
                        }
                        continue;
                    }
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                    Poll::Ready(None) => {
                        self.finished = true;
                        self.filter.finish(now);
                        continue;
                    }
                    Poll::Pending => {}
                }
            }
            let Some(tick) = self.filter.wake_at() else {
                return Poll::Pending;
            };
            let at = self.ctl.injector().instant(tick);
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
            timer.as_mut().reset(at);
            ready!(timer.as_mut().poll(cx));
        }
    }
}
