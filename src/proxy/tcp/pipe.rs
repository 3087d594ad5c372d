//! One direction of a connection: read, through the byte faults, write.
//!
//! A pipe owns no buffer while it waits: a thread's own is read into, and only what the other side
//! does not take at once is kept. So an idle connection costs next to nothing.

use crate::{
    engine::{Chain, Tunnel},
    fault::{Close, Out, Way},
    proxy::{
        ctl::ConnCtl,
        meters::Counter,
        socket::{Looks, Presence, Stream},
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
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    task::coop::poll_proceed,
};

/// What is read at a time. Larger reads make for fewer system calls where much is sent.
const CHUNK: usize = 64 * 1024;

thread_local! {
    /// Not zeroed: that would cost more than most reads.
    static BUFFER: RefCell<Box<[MaybeUninit<u8>]>> =
        RefCell::new(vec![MaybeUninit::uninit(); CHUNK].into_boxed_slice());
}

/// What a pipe reads from.
pub(crate) trait Inlet: AsyncRead + Unpin {
    /// As [`Stream::presence`].
    fn presence(&self) -> Presence;

    /// As [`Stream::poll_has_input`].
    fn poll_has_input(&self, cx: &mut Context<'_>) -> Poll<()>;
}

impl<S: Stream> Inlet for S {
    fn presence(&self) -> Presence {
        Stream::presence(self)
    }

    fn poll_has_input(&self, cx: &mut Context<'_>) -> Poll<()> {
        Stream::poll_has_input(self, cx)
    }
}

/// A stream of bytes of which nothing is known but by reading.
#[derive(Debug)]
pub(crate) struct Plain<T>(pub(crate) T);

impl<T: AsyncRead + Unpin> AsyncRead for Plain<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<T: AsyncRead + Unpin> Inlet for Plain<T> {
    fn presence(&self) -> Presence {
        Presence::There
    }

    fn poll_has_input(&self, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

/// Why a direction carries no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
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

/// What is known of the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// It may send more.
    Open,
    /// It has no more.
    Ended,
    /// It broke off; what it sent before is on its way.
    Broken,
    /// It is read no more, whatever it sends.
    Left,
}

/// One direction.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Pipe {
    chain: Chain,
    ctl: Arc<ConnCtl>,
    /// Released by the chain or read, not yet taken by the receiver.
    outgoing: Bytes,
    source: Source,
    /// The other direction is over, and the sender of this one was told.
    sender_was_ended: bool,
    /// The chain has let the end through.
    ending: bool,
    over: bool,
    passed: u64,
    /// Written, and perhaps still in a buffer of the receiver's side.
    unflushed: bool,
    /// How often it got anywhere.
    steps: u64,
    alarm: Alarm,
    /// At a sender that may not be read.
    looks: Looks,
}

impl Pipe {
    pub(crate) fn new(ctl: &Arc<ConnCtl>, way: Way, timer: timer::Timer) -> Self {
        let (user, counted) = (Arc::clone(&ctl.user), Arc::clone(&ctl.welcome.counted));
        Self::through(Chain::new(ctl.injector(), ctl.key, user, counted, way), ctl, timer)
    }

    /// One of a tunnel.
    pub(super) fn of_tunnel(
        ctl: &Arc<ConnCtl>,
        tunnel: Tunnel,
        way: Way,
        timer: timer::Timer,
    ) -> Self {
        let (user, counted) = (Arc::clone(&ctl.user), Arc::clone(&ctl.welcome.counted));
        let chain = Chain::of_tunnel(ctl.injector(), ctl.key, user, counted, (tunnel, way));
        Self::through(chain, ctl, timer)
    }

    /// One through a chain.
    pub(crate) fn through(chain: Chain, ctl: &Arc<ConnCtl>, timer: timer::Timer) -> Self {
        Self {
            chain,
            ctl: Arc::clone(ctl),
            outgoing: Bytes::new(),
            source: Source::Open,
            sender_was_ended: false,
            ending: false,
            over: false,
            passed: 0,
            unflushed: false,
            steps: 0,
            alarm: Alarm::new(timer),
            looks: Looks::default(),
        }
    }

    /// Takes what was read before it began.
    pub(super) fn begin_with(&mut self, ahead: Bytes) {
        if ahead.is_empty() {
        } else if self.chain.is_idle() {
            self.outgoing = ahead;
        } else {
            self.chain.push(ahead);
        }
    }

    /// Whether it carries no more.
    pub(crate) const fn is_over(&self) -> bool {
        self.over
    }

    /// Whether the sender is not read any more.
    pub(crate) const fn is_unread(&self) -> bool {
        self.over || !matches!(self.source, Source::Open)
    }

    /// Whether nothing will ever come of it: a fault threw its end away.
    pub(crate) fn is_stuck(&self) -> bool {
        !self.over && self.outgoing.is_empty() && self.chain.has_lost_the_end()
    }

    /// The other direction is over: the sender of this one was told that nothing more comes.
    pub(crate) const fn sender_was_ended(&mut self) {
        self.sender_was_ended = true;
    }

    /// Reads no more; it is over when what is held has left.
    pub(crate) const fn empty(&mut self) {
        if matches!(self.source, Source::Open) {
            self.source = Source::Left;
        }
    }

    /// How many bytes reached the receiver.
    pub(crate) const fn passed(&self) -> u64 {
        self.passed
    }

    /// Tells the record what was done to the bytes.
    pub(crate) fn take_dealt(&mut self, ctl: &ConnCtl) {
        self.chain.take_dealt(&ctl.wire);
    }

    /// What it goes through.
    pub(crate) const fn chain(&mut self) -> &mut Chain {
        &mut self.chain
    }

    /// How often it got anywhere: what one direction does may set the other going.
    pub(crate) const fn steps(&self) -> u64 {
        self.steps
    }

    /// Moves what may be moved; ready when it carries no more.
    pub(crate) fn poll<R: Inlet, W: AsyncWrite + Unpin>(
        &mut self,
        from: &mut R,
        to: &mut W,
        counters: (&Counter, &Counter),
        cx: &mut Context<'_>,
    ) -> Poll<Stop> {
        if self.over {
            return Poll::Ready(Stop::Before);
        }
        let Poll::Ready(stop) = self.poll_move(from, to, counters, cx) else {
            if self.unflushed {
                match Pin::new(to).poll_flush(cx) {
                    Poll::Ready(Ok(())) => self.unflushed = false,
                    // The next write says so.
                    Poll::Ready(Err(_)) | Poll::Pending => {}
                }
            }
            return Poll::Pending;
        };
        self.steps += 1;
        self.over = true;
        self.outgoing = Bytes::new();
        Poll::Ready(stop)
    }

    fn poll_move<R: Inlet, W: AsyncWrite + Unpin>(
        &mut self,
        from: &mut R,
        to: &mut W,
        (read, written): (&Counter, &Counter),
        cx: &mut Context<'_>,
    ) -> Poll<Stop> {
        loop {
            // Filters can make for any number of rounds; others have their turn in between.
            ready!(poll_proceed(cx)).made_progress();
            if !self.outgoing.is_empty() {
                match Pin::new(&mut *to).poll_write(cx, &self.outgoing) {
                    Poll::Pending => return self.poll_closing(cx),
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Stop::NotTaken),
                    Poll::Ready(Ok(count)) => {
                        self.outgoing.advance(count);
                        self.unflushed = true;
                        self.steps += 1;
                        self.passed += count as u64;
                        written.add(count);
                        continue;
                    }
                }
            }
            if self.ending && self.source == Source::Broken {
                return Poll::Ready(Stop::Broken);
            }
            if self.ending {
                return Poll::Ready(match ready!(Pin::new(&mut *to).poll_shutdown(cx)) {
                    Ok(()) => Stop::End,
                    Err(_) => Stop::NotTaken,
                });
            }
            if self.source == Source::Open && self.chain.is_idle() {
                match ready!(self.poll_straight(from, to, (read, written), cx)) {
                    Ok(0) => self.ending = true,
                    Ok(_) => {}
                    Err(stop) => return Poll::Ready(stop),
                }
                if self.ending {
                    self.source = Source::Ended;
                }
                continue;
            }
            match self.chain.pull() {
                Some(Out::Bytes(bytes)) => {
                    self.steps += 1;
                    self.outgoing = bytes;
                    continue;
                }
                Some(Out::End) => {
                    self.ending = true;
                    continue;
                }
                Some(Out::Close(close)) => return Poll::Ready(Stop::Closed(close)),
                None if self.source == Source::Left && self.chain.is_empty() => {
                    return Poll::Ready(Stop::Emptied);
                }
                None => {}
            }
            match self.poll_fill(from, read, cx) {
                Poll::Ready(Ok(())) => {
                    self.steps += 1;
                    continue;
                }
                Poll::Ready(Err(stop)) => return Poll::Ready(stop),
                Poll::Pending => {}
            }
            let Some(tick) = self.chain.wake_at() else {
                return self.poll_closing(cx);
            };
            let at = self.ctl.injector().instant(tick);
            ready!(self.alarm.poll_at(at, cx));
        }
    }

    /// While nothing moves: a fault may end the connection all the same.
    fn poll_closing(&mut self, cx: &mut Context<'_>) -> Poll<Stop> {
        let Some((tick, close)) = self.chain.closes_at() else {
            return Poll::Pending;
        };
        let at = self.ctl.injector().instant(tick);
        ready!(self.alarm.poll_at(at, cx));
        Poll::Ready(Stop::Closed(close))
    }

    /// Reads once and writes once, past a chain that has nothing to do.
    fn poll_straight<R: Inlet, W: AsyncWrite + Unpin>(
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
            self.chain.passed_by(rest);
            self.unflushed = true;
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
    fn poll_fill<R: Inlet>(
        &mut self,
        from: &mut R,
        read: &Counter,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Stop>> {
        if self.source != Source::Open {
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
                    ready!(self.looks.poll(cx));
                }
                return Poll::Ready(Err(Stop::Broken));
            }
            return Poll::Pending;
        }
        with_buffer(|buffer| {
            let mut part = buffer.take(room.min(CHUNK));
            match ready!(poll_read(from, &mut part, cx)) {
                Ok(0) => {
                    self.source = Source::Ended;
                    self.chain.finish();
                }
                Ok(count) => {
                    read.add(count);
                    self.chain.push(Bytes::copy_from_slice(part.filled()));
                }
                Err(_) => {
                    self.source = Source::Broken;
                    self.chain.finish();
                }
            }
            Poll::Ready(Ok(()))
        })
    }
}

fn with_buffer<T>(read: impl FnOnce(&mut ReadBuf<'_>) -> T) -> T {
    BUFFER.with_borrow_mut(|buffer| read(&mut ReadBuf::uninit(buffer)))
}

fn poll_read<R: Inlet>(
    from: &mut R,
    buffer: &mut ReadBuf<'_>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    ready!(Pin::new(from).poll_read(cx, buffer))?;
    Poll::Ready(Ok(buffer.filled().len()))
}
