//! One direction of a connection: read, through the byte faults, write.
//!
//! A pipe owns no buffer while it waits: a thread's own is read into, and only what the other side
//! does not take at once is kept. So an idle connection costs next to nothing.

use crate::{
    engine::Chain,
    fault::{Close, Out, Way},
    proxy::{
        ctl::ConnCtl,
        meters::Counter,
        socket::{Presence, Stream, Timer},
        timer::{self, Alarm},
    },
};
use bytes::{Buf, Bytes};
use std::{
    cell::RefCell,
    io,
    mem::MaybeUninit,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::io::{AsyncWrite, ReadBuf};

/// What is read at a time. Larger reads make for fewer system calls where much is sent.
const CHUNK: usize = 64 * 1024;
/// How often a sender that may not be read is looked at, whether it is still there.
const LOOK: Duration = Duration::from_millis(100);

thread_local! {
    /// Not zeroed: that would cost more than most reads.
    static BUFFER: RefCell<Box<[MaybeUninit<u8>]>> =
        RefCell::new(vec![MaybeUninit::uninit(); CHUNK].into_boxed_slice());
}

/// Why a direction carries no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The sender ended it, and the receiver was told.
    End,
    /// The receiver takes no more.
    NotTaken,
    /// The sender broke the connection.
    Broken,
    /// A fault ends the connection.
    Closed(Close),
    /// Nothing more was to be read, and nothing is held any more.
    Emptied,
    /// It was over before.
    Before,
}

/// Whether the sender is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// As it comes.
    On,
    /// It has no more.
    Ended,
    /// No more of it is wanted; what is held may still leave.
    Stopped,
}

/// One direction.
#[derive(Debug)]
pub(super) struct Pipe {
    chain: Chain,
    ctl: Arc<ConnCtl>,
    /// Released by the chain or read, not yet taken by the receiver.
    outgoing: Bytes,
    reading: Reading,
    /// The other direction is over, and the sender of this one was told.
    sender_was_ended: bool,
    /// The chain has let the end through.
    ending: bool,
    over: bool,
    passed: u64,
    alarm: Alarm,
    look: Timer,
}

impl Pipe {
    pub(super) fn new(ctl: &Arc<ConnCtl>, way: Way, timer: timer::Timer) -> Self {
        let (user, counted) = (Arc::clone(&ctl.user), Arc::clone(&ctl.welcome.counted));
        Self {
            chain: Chain::new(ctl.injector(), ctl.key, user, counted, way),
            ctl: Arc::clone(ctl),
            outgoing: Bytes::new(),
            reading: Reading::On,
            sender_was_ended: false,
            ending: false,
            over: false,
            passed: 0,
            alarm: Alarm::new(timer),
            look: Timer::default(),
        }
    }

    /// Whether it carries no more.
    pub(super) const fn is_over(&self) -> bool {
        self.over
    }

    /// The other direction is over: the sender of this one was told that nothing more comes.
    pub(super) const fn sender_was_ended(&mut self) {
        self.sender_was_ended = true;
    }

    /// Reads no more; it is over when what is held has left.
    pub(super) fn empty(&mut self) {
        if self.reading == Reading::On {
            self.reading = Reading::Stopped;
        }
    }

    /// How many bytes reached the receiver.
    pub(super) const fn passed(&self) -> u64 {
        self.passed
    }

    /// Tells the record what was done to the bytes.
    pub(super) fn take_dealt(&mut self, ctl: &ConnCtl) {
        self.chain.take_dealt(&ctl.wire);
    }

    /// Moves what may be moved; ready when it carries no more.
    pub(super) fn poll<R: Stream, W: AsyncWrite + Unpin>(
        &mut self,
        from: &mut R,
        to: &mut W,
        counters: (&Counter, &Counter),
        cx: &mut Context<'_>,
    ) -> Poll<Stop> {
        if self.over {
            return Poll::Ready(Stop::Before);
        }
        let stop = ready!(self.poll_move(from, to, counters, cx));
        self.over = true;
        self.outgoing = Bytes::new();
        Poll::Ready(stop)
    }

    fn poll_move<R: Stream, W: AsyncWrite + Unpin>(
        &mut self,
        from: &mut R,
        to: &mut W,
        (read, written): (&Counter, &Counter),
        cx: &mut Context<'_>,
    ) -> Poll<Stop> {
        loop {
            while !self.outgoing.is_empty() {
                match ready!(Pin::new(&mut *to).poll_write(cx, &self.outgoing)) {
                    Ok(0) | Err(_) => return Poll::Ready(Stop::NotTaken),
                    Ok(count) => {
                        self.outgoing.advance(count);
                        self.passed += count as u64;
                        written.add(count);
                    }
                }
            }
            if self.ending {
                return Poll::Ready(match ready!(Pin::new(&mut *to).poll_shutdown(cx)) {
                    Ok(()) => Stop::End,
                    Err(_) => Stop::NotTaken,
                });
            }
            if self.reading == Reading::On && self.chain.is_idle() {
                match ready!(self.poll_straight(from, to, (read, written), cx)) {
                    Ok(0) => self.ending = true,
                    Ok(_) => {}
                    Err(stop) => return Poll::Ready(stop),
                }
                if self.ending {
                    self.reading = Reading::Ended;
                }
                continue;
            }
            match self.chain.pull() {
                Some(Out::Bytes(bytes)) => {
                    self.outgoing = bytes;
                    continue;
                }
                Some(Out::End) => {
                    self.ending = true;
                    continue;
                }
                Some(Out::Close(close)) => return Poll::Ready(Stop::Closed(close)),
                None if self.reading == Reading::Stopped && self.chain.is_empty() => {
                    return Poll::Ready(Stop::Emptied);
                }
                None => {}
            }
            match self.poll_fill(from, read, cx) {
                Poll::Ready(Ok(())) => continue,
                Poll::Ready(Err(stop)) => return Poll::Ready(stop),
                Poll::Pending => {}
            }
            let Some(tick) = self.chain.wake_at() else {
                return Poll::Pending;
            };
            let at = self.ctl.injector().instant(tick);
            ready!(self.alarm.poll_at(at, cx));
        }
    }

    /// Reads once and writes once, past a chain that has nothing to do.
    fn poll_straight<R: Stream, W: AsyncWrite + Unpin>(
        &mut self,
        from: &mut R,
        to: &mut W,
        (read, written): (&Counter, &Counter),
        cx: &mut Context<'_>,
    ) -> Poll<Result<usize, Stop>> {
        with_buffer(|buffer| {
            let Ok(count) = ready!(poll_read(from, buffer, cx)) else {
                return Poll::Ready(Err(Stop::Broken));
            };
            read.add(count);
            let mut rest = buffer.filled();
            while !rest.is_empty() {
                match Pin::new(&mut *to).poll_write(cx, rest) {
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(Stop::NotTaken)),
                    Poll::Ready(Ok(sent)) => {
                        self.passed += sent as u64;
                        written.add(sent);
                        rest = &rest[sent..];
                    }
                    Poll::Pending => {
                        self.outgoing = Bytes::copy_from_slice(rest);
                        break;
                    }
                }
            }
            Poll::Ready(Ok(count))
        })
    }

    /// Reads into the chain, as far as it has room.
    fn poll_fill<R: Stream>(
        &mut self,
        from: &mut R,
        read: &Counter,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Stop>> {
        if self.reading != Reading::On {
            return Poll::Pending;
        }
        let room = self.chain.room();
        if room == 0 {
            // What waits unread hides an end behind it.
            if from.poll_has_input(cx).is_ready() {
                self.chain.blocked();
                // After our own end, a sender's plain end looks like a RST, and there may be bytes
                // before it.
                if self.sender_was_ended {
                    return Poll::Pending;
                }
                while from.presence() != Presence::Gone {
                    ready!(self.look.poll_after(LOOK, cx));
                    self.look.clear();
                }
                return Poll::Ready(Err(Stop::Broken));
            }
            return Poll::Pending;
        }
        with_buffer(|buffer| {
            let mut part = buffer.take(room.min(CHUNK));
            match ready!(poll_read(from, &mut part, cx)) {
                Ok(0) => {
                    self.reading = Reading::Ended;
                    self.chain.finish();
                }
                Ok(count) => {
                    read.add(count);
                    self.chain.push(Bytes::copy_from_slice(part.filled()));
                }
                Err(_) => return Poll::Ready(Err(Stop::Broken)),
            }
            Poll::Ready(Ok(()))
        })
    }
}

fn with_buffer<T>(read: impl FnOnce(&mut ReadBuf<'_>) -> T) -> T {
    BUFFER.with_borrow_mut(|buffer| read(&mut ReadBuf::uninit(buffer)))
}

fn poll_read<R: Stream>(
    from: &mut R,
    buffer: &mut ReadBuf<'_>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    ready!(Pin::new(from).poll_read(cx, buffer))?;
    Poll::Ready(Ok(buffer.filled().len()))
}
