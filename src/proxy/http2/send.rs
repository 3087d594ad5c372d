//! A body on its way out on a stream: no more of it is asked for than its peer has room for.

use crate::proxy::socket::Timer;
use bytes::{Buf, Bytes};
use futures_util::task::AtomicWaker;
use h2::{Reason, SendStream};
use http_body::Body;
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

/// A peer that has no room for what is to leave on a stream for so long is given up.
const STALL: Duration = Duration::from_secs(300);

/// A piece of a body that tells when it has left.
#[derive(Debug)]
pub(crate) struct Parcel {
    bytes: Bytes,
    outbox: Arc<Outbox>,
}

/// The pieces of one body that have not left yet.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: AtomicUsize,
    /// One was thrown away: the stream or the connection is gone.
    lost: AtomicBool,
    waker: AtomicWaker,
}

impl Parcel {
    pub(super) fn new(bytes: Bytes, outbox: &Arc<Outbox>) -> Self {
        outbox.waiting.fetch_add(1, Ordering::AcqRel);
        Self { bytes, outbox: Arc::clone(outbox) }
    }
}

impl Outbox {
    /// Ready when all have left.
    pub(super) fn poll_empty(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.waker.register(cx.waker());
        if self.waiting.load(Ordering::Acquire) == 0 { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Buf for Parcel {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        if self.bytes.has_remaining() {
            self.outbox.lost.store(true, Ordering::Release);
        }
        if self.outbox.waiting.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.outbox.waker.wake();
        }
    }
}

/// How the sending of a body ended.
#[derive(Debug)]
pub(crate) enum Outcome<E> {
    /// All of it has left.
    Sent,
    /// It broke off where it comes from.
    Broken(E),
    /// The peer wants no more of it, for this reason.
    Reset(Reason),
    /// The peer did not take it for too long.
    Stalled,
    /// The connection is gone.
    Gone,
}

/// Why there is no room on a stream.
#[derive(Clone, Copy, Debug)]
pub(super) enum NoRoom {
    /// The peer made none for too long.
    Stalled,
    /// The stream is gone, or its connection.
    Gone(Option<Reason>),
}

/// How much of what is `wanted` the peer has room for, when it has some.
pub(super) fn poll_room(
    stream: &mut SendStream<Parcel>,
    wanted: usize,
    stall: &mut Timer,
    cx: &mut Context<'_>,
) -> Poll<Result<usize, NoRoom>> {
    let mut room = stream.capacity();
    if room == 0 {
        stream.reserve_capacity(wanted);
        room = stream.capacity();
    }
    while room == 0 {
        match stream.poll_capacity(cx) {
            Poll::Ready(Some(Ok(more))) => room = more,
            Poll::Ready(Some(Err(error))) => {
                return Poll::Ready(Err(NoRoom::Gone(error.reason())));
            }
            Poll::Ready(None) => return Poll::Ready(Err(NoRoom::Gone(None))),
            Poll::Pending => {
                ready!(stall.poll_after(STALL, cx));
                return Poll::Ready(Err(NoRoom::Stalled));
            }
        }
    }
    stall.clear();
    Poll::Ready(Ok(room))
}

/// A body, and the stream that it leaves on.
#[derive(Debug)]
pub(crate) struct Sending<B> {
    stream: SendStream<Parcel>,
    /// `None` when all of it was given to the stream.
    body: Option<B>,
    /// Taken from the body, and not yet given to the stream.
    rest: Bytes,
    /// Nothing follows the rest.
    last: bool,
    outbox: Arc<Outbox>,
    stall: Timer,
}

impl<B> Sending<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    /// The head was sent; this body follows it.
    pub(crate) fn new(stream: SendStream<Parcel>, body: B) -> Self {
        Self {
            stream,
            body: Some(body),
            rest: Bytes::new(),
            last: false,
            outbox: Arc::default(),
            stall: Timer::default(),
        }
    }

    /// Ends the stream with this code.
    pub(crate) fn reset(&mut self, reason: Reason) {
        self.stream.send_reset(reason);
    }

    /// Gives the peer time for what it did not take, once more.
    pub(crate) fn patience(&mut self) {
        self.stall.clear();
    }

    /// Whether all that the body gave so far has left.
    pub(crate) fn poll_left(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.rest.is_empty() {
            return Poll::Pending;
        }
        self.outbox.poll_empty(cx)
    }

    /// Sends on.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome<B::Error>> {
        match self.stream.poll_reset(cx) {
            Poll::Ready(Ok(reason)) => return Poll::Ready(Outcome::Reset(reason)),
            Poll::Ready(Err(_)) => return Poll::Ready(Outcome::Gone),
            Poll::Pending => {}
        }
        match ready!(self.poll_body(cx)) {
            Ok(()) => {}
            Err(outcome) => return Poll::Ready(outcome),
        }
        ready!(self.poll_left(cx));
        let lost = self.outbox.lost.load(Ordering::Acquire);
        Poll::Ready(if lost { Outcome::Gone } else { Outcome::Sent })
    }

    /// Gives the stream the body, as far as it has room.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Outcome<B::Error>>> {
        loop {
            if !self.rest.is_empty() {
                ready!(self.poll_room(cx))?;
                continue;
            }
            let Some(body) = self.body.as_mut().filter(|_| !self.last) else {
                return Poll::Ready(Ok(()));
            };
            let sent = match ready!(Pin::new(&mut *body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => {
                        self.last = body.is_end_stream();
                        if data.is_empty() && self.last {
                            self.give(data)
                        } else {
                            self.rest = data;
                            continue;
                        }
                    }
                    Err(frame) => {
                        self.last = true;
                        // What is neither data nor trailers is nothing yet.
                        self.stream.send_trailers(frame.into_trailers().unwrap_or_default())
                    }
                },
                Some(Err(error)) => return Poll::Ready(Err(Outcome::Broken(error))),
                None => {
                    self.last = true;
                    self.give(Bytes::new())
                }
            };
            if sent.is_err() {
                return Poll::Ready(Err(Outcome::Gone));
            }
        }
    }

    /// Gives the stream of the rest what it has room for.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Outcome<B::Error>>> {
        let room = ready!(poll_room(&mut self.stream, self.rest.len(), &mut self.stall, cx));
        let room = match room {
            Ok(room) => room,
            Err(NoRoom::Gone(_)) => return Poll::Ready(Err(Outcome::Gone)),
            Err(NoRoom::Stalled) => return Poll::Ready(Err(Outcome::Stalled)),
        };
        let part = self.rest.split_to(room.min(self.rest.len()));
        let given = self.give(part);
        Poll::Ready(given.map_err(|_| Outcome::Gone))
    }

    fn give(&mut self, data: Bytes) -> Result<(), h2::Error> {
        let end = self.last && self.rest.is_empty();
        self.stream.send_data(Parcel::new(data, &self.outbox), end)
    }
}
