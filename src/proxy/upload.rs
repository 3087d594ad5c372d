//! What is done to a request's body on its way to the upstream: its bytes go through filters, and it may
//! stop after so many messages of a gRPC call.
//!
//! What came before the stop goes to the upstream; of what comes after it not even the end does, so that
//! it makes no difference whether a client sends that with its last message or after it. Then the exchange
//! ends at both sides ([`Brink`]), or nothing more is read of it until the fault lets go, and the client
//! feels the back-pressure.

use crate::{
    engine::{Dealing, Hold},
    proxy::{
        calls::Calls,
        ctl::ConnCtl,
        cut::LOOK,
        edges::Edges,
        record::Draft,
        shaper::{Next, Shaper, Source},
        socket::Timer,
    },
};
use bytes::Bytes;
use futures_util::task::AtomicWaker;
use http_body::Frame;
use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

/// What is done to one body.
#[derive(Debug, Default)]
pub(crate) struct Upload {
    /// What comes from the client goes through the first one first.
    shapers: Vec<Shaper>,
    stop: Option<Stop>,
    ended: bool,
}

/// Where a body stops.
#[derive(Debug)]
struct Stop {
    calls: Calls,
    hold: Hold,
    ctl: Arc<ConnCtl>,
    then: Then,
    /// What came beyond it; kept, since the fault may let go before it is reached.
    rest: Option<Bytes>,
    is_free: bool,
    edges: Edges,
    look: Timer,
}

/// What comes of a body that stopped.
#[derive(Debug)]
enum Then {
    /// The end of the exchange.
    End(Arc<Brink>),
    /// Nothing, until the fault lets go. Whose doing it is, and where to note it; taken when it comes to
    /// that.
    Stall(Option<(Dealing, Draft)>),
}

/// Tells that a body stopped, to whoever ends its exchange.
#[derive(Debug, Default)]
pub(crate) struct Brink {
    reached: AtomicBool,
    /// Somebody says when what came before has left.
    is_watched: AtomicBool,
    told: AtomicBool,
    waker: AtomicWaker,
}

/// The word that all that came before the end of a body has left: it is given when it is dropped, so that
/// nobody waits for it in vain, however the sending ended.
#[derive(Debug)]
pub(crate) struct Word(Arc<Brink>);

impl Word {
    /// Whether the body stopped.
    pub(crate) fn is_due(&self) -> bool {
        self.0.is_reached()
    }
}

impl Drop for Word {
    fn drop(&mut self) {
        if self.is_due() {
            self.0.tell();
        }
    }
}

impl Upload {
    /// Has it go through a filter.
    pub(crate) fn shape(&mut self, shaper: Shaper) {
        self.shapers.push(shaper);
    }

    /// Has its exchange end after so many messages.
    pub(crate) fn end(&mut self, after: Calls, hold: Hold, ctl: Arc<ConnCtl>) -> Arc<Brink> {
        let brink = Arc::<Brink>::default();
        self.stop = Some(Stop::new(after, hold, ctl, Then::End(Arc::clone(&brink))));
        brink
    }

    /// Has it stall after so many messages.
    pub(crate) fn stall(&mut self, after: Calls, hold: Hold, by: Dealing, draft: Draft) {
        let ctl = Arc::clone(&draft.ctl);
        self.stop = Some(Stop::new(after, hold, ctl, Then::Stall(Some((by, draft)))));
    }

    /// The word that all before its end has left, for whoever sends it.
    pub(crate) fn word(&self) -> Option<Word> {
        let Then::End(brink) = &self.stop.as_ref()?.then else { return None };
        brink.is_watched.store(true, Ordering::Release);
        Some(Word(Arc::clone(brink)))
    }

    /// Whether nothing more comes of it.
    pub(crate) const fn is_over(&self) -> bool {
        self.ended
    }

    /// The next of what comes from `source`.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, source: Source<'_>) -> Next {
        let shapers = &mut self.shapers[..];
        let next = match &mut self.stop {
            Some(stop) => ready!(stop.poll(cx, &mut |cx| through(shapers, cx, &mut *source))),
            None => ready!(through(shapers, cx, source)),
        };
        self.ended = next.is_none();
        Poll::Ready(next)
    }
}

fn through(shapers: &mut [Shaper], cx: &mut Context<'_>, source: Source<'_>) -> Next {
    match shapers.split_last_mut() {
        Some((last, before)) => last.poll(cx, &mut |cx| through(before, cx, &mut *source)),
        None => source(cx),
    }
}

impl Stop {
    fn new(calls: Calls, hold: Hold, ctl: Arc<ConnCtl>, then: Then) -> Self {
        let (edges, look) = (Edges::new(ctl.injector()), Timer::default());
        Self { calls, hold, ctl, then, rest: None, is_free: false, edges, look }
    }

    fn poll(&mut self, cx: &mut Context<'_>, source: Source<'_>) -> Next {
        while !self.is_free && self.calls.is_over() {
            if matches!(&self.then, Then::End(brink) if brink.is_reached()) {
                return Poll::Pending;
            }
            if self.hold.moment().is_none() || self.ctl.injector().is_over() {
                self.is_free = true;
                break;
            }
            let by = match &mut self.then {
                Then::End(brink) => {
                    brink.reach();
                    return Poll::Pending;
                }
                Then::Stall(by) => by.take(),
            };
            if let Some((by, draft)) = by {
                by.came_about();
                draft.dealt(by.dealt);
            }
            if self.edges.poll(cx).is_pending() {
                // A fault that comes and goes within its phase has no edge.
                ready!(self.look.poll_after(LOOK, cx));
                self.look.clear();
            }
        }
        if let Some(rest) = self.rest.take() {
            return Poll::Ready(Some(Ok(Frame::data(rest))));
        }
        let frame = match ready!(source(cx)) {
            Some(Ok(frame)) if !self.is_free => frame,
            other => return Poll::Ready(other),
        };
        Poll::Ready(Some(Ok(match frame.into_data() {
            Ok(mut data) => {
                let keep = self.calls.keep(&data);
                self.rest = (keep < data.len()).then(|| data.split_off(keep));
                Frame::data(data)
            }
            Err(trailers) => trailers,
        })))
    }
}

impl Brink {
    fn reach(&self) {
        self.reached.store(true, Ordering::Release);
        if !self.is_watched.load(Ordering::Acquire) {
            self.tell();
        }
    }

    /// Whether the body stopped.
    pub(crate) fn is_reached(&self) -> bool {
        self.reached.load(Ordering::Acquire)
    }

    fn tell(&self) {
        self.told.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Ready when the exchange is to end.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.waker.register(cx.waker());
        if self.told.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Waits until the exchange is to end.
    pub(crate) async fn told(&self) {
        poll_fn(|cx| self.poll(cx)).await;
    }
}
