//! The client's connection, with faults on its bytes below everything else.
//!
//! Outside faults reads and writes pass straight through. With a byte fault in force they go
//! through the [`Chain`] of their direction, which says what may leave and when; this file does
//! the waiting. It also tells a client that closed its sending side from one that went away.

mod head;
mod input;
mod opening;
mod stream;
#[cfg(test)]
mod tests;
mod timer;
mod watch;

pub(crate) use stream::{Presence, Sent, Stream};
pub(crate) use timer::Timer;

use crate::{
    engine::Chain,
    fault::{Close, Out, Way},
    proxy::ctl::ConnCtl,
};
use bytes::{Buf, Bytes};
use head::HeadTimer;
use opening::Opening;
use std::{
    future::{Future, poll_fn},
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf},
    time::timeout,
};
pub(crate) use watch::Looks;
use watch::Watch;

/// The most that is read from the socket at a time for a chain.
const CHUNK: usize = 16 * 1024;
/// A client that takes nothing for so long while we have something for it is given up.
const WRITE_STALL: Duration = Duration::from_secs(300);
/// How long what a client still sends is read after our FIN; closing with bytes unread would turn
/// the FIN into a RST, and the answer before it would be lost.
const LINGER: Duration = Duration::from_secs(2);

/// A client's connection.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is something that happens once, or not")]
pub(crate) struct Socket<S: Stream> {
    io: S,
    ctl: Arc<ConnCtl>,
    up: Chain,
    down: Chain,
    /// Released by the chain, not yet taken by the reader.
    incoming: Bytes,
    /// Released by the chain or to be said in between, not yet taken by the socket.
    outgoing: Bytes,
    /// The socket has no more to read.
    read_ended: bool,
    /// A read failed: the client reset the connection, and nothing is owed to it any more.
    broken: bool,
    /// The chain has let the end through.
    up_ended: bool,
    up_timer: Timer,
    down_timer: Timer,
    stall: Timer,
    head: HeadTimer,
    watch: Watch,
    /// Its end was sent while the connection was idle.
    said_goodbye: bool,
    /// What has to leave before a reset.
    last_bytes: Option<Sent>,
    /// A fault on the bytes ends the connection as soon as those it let through have left.
    closing: Option<Close>,
    /// It is over but for its end.
    farewell: bool,
    carries: Carries,
    opening: Opening,
}

/// What a connection's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carries {
    /// Requests and answers.
    Messages,
    /// TLS: what the bytes mean, and what is said in between, is known above that.
    Tls,
}

impl<S: Stream> Socket<S> {
    pub(crate) fn new(io: S, ctl: Arc<ConnCtl>) -> Self {
        Self::carrying(Carries::Messages, io, ctl)
    }

    /// A connection whose bytes are TLS, which somebody above it speaks.
    pub(crate) fn below_tls(io: S, ctl: Arc<ConnCtl>) -> Self {
        Self::carrying(Carries::Tls, io, ctl)
    }

    fn carrying(carries: Carries, io: S, ctl: Arc<ConnCtl>) -> Self {
        let chain = |way| {
            let (user, counted) = (Arc::clone(&ctl.user), Arc::clone(&ctl.welcome.counted));
            Chain::new(ctl.injector(), ctl.key, user, counted, way)
        };
        Self {
            io,
            up: chain(Way::Up),
            down: chain(Way::Down),
            ctl,
            incoming: Bytes::new(),
            outgoing: Bytes::new(),
            read_ended: false,
            broken: false,
            up_ended: false,
            up_timer: Timer::default(),
            down_timer: Timer::default(),
            stall: Timer::default(),
            head: HeadTimer::default(),
            watch: Watch::default(),
            said_goodbye: false,
            last_bytes: None,
            closing: None,
            farewell: false,
            carries,
            opening: Opening::Known,
        }
    }

    /// From here on its bytes are TLS, and begin with what was read ahead.
    pub(crate) fn turn_to_tls(&mut self, ahead: &[u8]) {
        self.carries = Carries::Tls;
        self.put_back(ahead);
    }

    /// Gives back what was read of it last.
    pub(crate) fn put_back(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.incoming = [bytes, &self.incoming[..]].concat().into();
        }
    }

    /// Its own end of the connection, for last words that no fault may hold; `None` if what was said
    /// before is still held, or lost.
    pub(crate) fn bare(&mut self) -> Option<&mut S> {
        let is_clear = !self.broken
            && self.outgoing.is_empty()
            && self.closing.is_none()
            && self.down.is_empty()
            && self.ctl.killed() != Some(Close::Reset);
        is_clear.then_some(&mut self.io)
    }

    /// Ready when the client has gone, or closed its sending side: to be asked while nothing is read.
    pub(crate) async fn until_left(&mut self) {
        let mut looks = Looks::default();
        poll_fn(|cx| {
            loop {
                match self.io.presence() {
                    Presence::Gone => break self.ctl.client_gone(true),
                    Presence::HalfClosed => break self.ctl.client_gone(false),
                    Presence::There => {}
                }
                ready!(self.io.poll_has_input(cx));
                ready!(looks.poll(cx));
            }
            Poll::Ready(())
        })
        .await;
    }

    /// Gives the client all of its time for a head once more: it is not its fault that none came.
    pub(crate) fn begin_anew(&mut self) {
        self.head = HeadTimer::default();
    }

    /// Says for TLS whether somebody waits for input: by itself it reads on when it has some.
    pub(crate) const fn is_read(&mut self, reading: bool) {
        self.watch.is_reading(reading);
    }

    /// The control block that it shares.
    pub(crate) fn ctl(&self) -> &Arc<ConnCtl> {
        &self.ctl
    }

    fn check(&self) -> io::Result<()> {
        if self.ctl.killed().is_some() || self.watch.is_gone() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }

    /// See [`Front::linger`].
    async fn see_out(&mut self) {
        if self.read_ended || self.ctl.killed() == Some(Close::Reset) {
            return;
        }
        let io = &mut self.io;
        if poll_fn(|cx| Pin::new(&mut *io).poll_shutdown(cx)).await.is_err() {
            return;
        }
        let mut scrap = vec![0; CHUNK];
        let more_may_come = !self.ctl.body_done();
        let patience = if more_may_come { LINGER } else { Duration::ZERO };
        let read = async { while !matches!(io.read(&mut scrap).await, Ok(0) | Err(_)) {} };
        let _done = timeout(patience, read).await;
    }

    /// A fault on the bytes ends the connection.
    fn closed_by(&mut self, close: Close) -> io::Error {
        self.note_wire();
        self.ctl.kill(close);
        io::ErrorKind::ConnectionAborted.into()
    }

    /// Moves what may leave to the socket; ready when nothing is left that has to.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.send_interims();
        loop {
            ready!(self.poll_outgoing(cx))?;
            if let Some(close) = self.closing {
                if close == Close::Reset {
                    ready!(self.poll_all_sent(cx));
                }
                return Poll::Ready(Err(self.closed_by(close)));
            }
            match self.down.pull() {
                Some(Out::Bytes(bytes)) => self.outgoing = bytes,
                Some(Out::End) => return Poll::Ready(Ok(())),
                Some(Out::Close(close)) => self.closing = Some(close),
                None if self.down.is_empty() => return Poll::Ready(Ok(())),
                None => {
                    let Some(tick) = self.down.wake_at() else {
                        return Poll::Pending;
                    };
                    let at = self.ctl.injector().instant(tick);
                    ready!(self.down_timer.poll_at(at, cx));
                }
            }
        }
    }

    /// Sends interim answers on their way, as long as they come before the answer.
    fn send_interims(&mut self) {
        if self.has_interims() {
            let before_answer = self.ctl.is_before_answer();
            for interim in self.ctl.take_interims() {
                if before_answer {
                    self.down.push(interim);
                }
            }
        }
    }

    /// Writes what is already released.
    fn poll_outgoing(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outgoing.is_empty() {
            let write = Pin::new(&mut self.io).poll_write(cx, &self.outgoing);
            let wrote = ready!(self.watched(write, cx))?;
            if wrote == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.outgoing.advance(wrote);
        }
        Poll::Ready(Ok(()))
    }

    /// Waits until the client has what was written: a reset would take it away.
    fn poll_all_sent(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let last = self.last_bytes.take().unwrap_or_else(|| self.io.all_sent());
        Pin::new(self.last_bytes.insert(last)).poll(cx)
    }

    /// A write's outcome: counts what was taken, notes a client that is gone and gives up one that
    /// takes nothing.
    fn watched(
        &mut self,
        write: Poll<io::Result<usize>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        match write {
            Poll::Pending => {
                ready!(self.stall.poll_after(WRITE_STALL, cx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            Poll::Ready(outcome) => {
                self.stall.clear();
                match &outcome {
                    Ok(count) => self.ctl.meters.to_clients.add(*count),
                    Err(_) => self.ctl.client_gone(true),
                }
                Poll::Ready(outcome)
            }
        }
    }

    /// Whether bytes may go straight to the socket.
    fn passes_straight(&mut self) -> bool {
        self.outgoing.is_empty()
            && self.closing.is_none()
            && !self.has_interims()
            && self.down.is_idle()
    }

    /// Whether its bytes are known as the messages they are.
    fn is_plain(&self) -> bool {
        self.carries == Carries::Messages
    }

    /// Whether it has something to say in between.
    fn has_interims(&self) -> bool {
        self.is_plain() && self.ctl.has_interims()
    }

    /// Bytes of an answer are written.
    fn writes(&self) {
        if self.is_plain() {
            self.ctl.writes();
        }
    }

    /// Tells the record what was done to this connection's bytes.
    fn note_wire(&mut self) {
        self.up.take_dealt(&self.ctl.wire);
        self.down.take_dealt(&self.ctl.wire);
    }
}

/// As the client's side of a tunnel.
impl<S: Stream> Stream for Socket<S> {
    fn reset_on_close(&self) {
        self.io.reset_on_close();
    }

    fn say_farewell(&mut self) {
        self.farewell = true;
    }

    fn presence(&self) -> Presence {
        self.io.presence()
    }

    fn poll_has_input(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.io.poll_has_input(cx)
    }

    fn all_sent(&self) -> Sent {
        self.io.all_sent()
    }
}

/// What a connection's requests are read from and its answers written to.
pub(crate) trait Front: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// After the last word: sends a FIN and reads what the client still sends, so that the FIN does
    /// not become a RST. To be called when nothing else is served any more.
    fn linger(&mut self) -> impl Future<Output = ()> + Send;

    /// Whether HTTP/2 is spoken, as came out while it was read as HTTP/1. If so it is read from the
    /// beginning again.
    fn turns_to_http2(&mut self) -> bool;
}

impl<S: Stream> Front for Socket<S> {
    fn turns_to_http2(&mut self) -> bool {
        self.turns()
    }

    fn linger(&mut self) -> impl Future<Output = ()> + Send {
        self.see_out()
    }
}

impl<S: Stream> Drop for Socket<S> {
    fn drop(&mut self) {
        if self.ctl.killed() == Some(Close::Reset) {
            self.io.reset_on_close();
        }
        self.ctl.closed();
    }
}

impl<S: Stream> AsyncRead for Socket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.farewell {
            return Pin::new(&mut self.io).poll_read(cx, buf);
        }
        self.check()?;
        if self.is_plain() && self.ctl.is_drained() && !self.said_goodbye {
            // Idle, and all is flushed: there is nothing before it.
            ready!(Pin::new(&mut self.io).poll_shutdown(cx))?;
            self.said_goodbye = true;
        }
        let read = match self.opening {
            Opening::Known => self.poll_input(cx, buf),
            _ => self.poll_opening(cx, buf),
        };
        if self.is_plain() {
            self.watch.is_reading(read.is_pending());
        }
        if read.is_pending() {
            let this = &mut *self;
            let held = !this.up.is_idle();
            this.ctl.set_upload_held(held);
            if this.head.poll(&this.ctl, held, cx).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        read
    }
}

impl<S: Stream> AsyncWrite for Socket<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        let this = &mut *self;
        loop {
            if this.passes_straight() {
                this.writes();
                let write = Pin::new(&mut this.io).poll_write(cx, buf);
                return this.watched(write, cx);
            }
            // Room may open up by letting out what is due; an error there is the writer's to know.
            let drained = this.poll_drain(cx)?;
            if this.passes_straight() {
                continue;
            }
            this.watch.poll(&this.io, &this.ctl, cx)?;
            // What has left every filter waits for a slow client, and so must what comes after it.
            if drained.is_pending() && !this.outgoing.is_empty() {
                return Poll::Pending;
            }
            let take = buf.len().min(this.down.room()).min(CHUNK);
            if take > 0 {
                this.writes();
                this.down.push(Bytes::copy_from_slice(&buf[..take]));
                let _more_later = this.poll_drain(cx)?;
                this.note_wire();
                return Poll::Ready(Ok(take));
            }
            this.down.blocked();
            this.note_wire();
            this.watch.poll(&this.io, &this.ctl, cx)?;
            ready!(drained);
            // Nothing is held, and nothing is taken: what wakes us is the fault's own time, or an
            // edge, at which the connection's task polls again.
            let Some(tick) = this.down.wake_at() else {
                return Poll::Pending;
            };
            let at = this.ctl.injector().instant(tick);
            ready!(this.down_timer.poll_at(at, cx));
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        if self.passes_straight() {
            let this = &mut *self;
            this.writes();
            let write = Pin::new(&mut this.io).poll_write_vectored(cx, bufs);
            return this.watched(write, cx);
        }
        let first = bufs.iter().find(|buf| !buf.is_empty()).map_or(&[][..], |buf| &**buf);
        self.poll_write(cx, first)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        let this = &mut *self;
        this.watch.poll(&this.io, &this.ctl, cx)?;
        // Only now: whoever flushes has written all that comes before.
        let last_words = if this.is_plain() { this.ctl.take_last_words() } else { Bytes::new() };
        if !last_words.is_empty() {
            this.down.push(last_words);
            ready!(this.poll_drain(cx))?;
            this.note_wire();
        }
        if !self.passes_straight() {
            ready!(self.poll_drain(cx))?;
        }
        ready!(Pin::new(&mut self.io).poll_flush(cx))?;
        if self.ctl.resets_after_flush() {
            ready!(self.poll_all_sent(cx));
        }
        if self.is_plain() {
            self.ctl.flushed();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.farewell {
            return Pin::new(&mut self.io).poll_shutdown(cx);
        }
        self.check()?;
        if self.is_turning() {
            return Poll::Ready(Ok(()));
        }
        if !self.broken && !self.passes_straight() {
            self.down.finish();
            if self.poll_drain(cx)?.is_pending() {
                // A client that left is not waited with for an end that never comes.
                let this = &mut *self;
                if !(this.read_ended && this.down.has_lost_the_end()) {
                    this.watch.poll_blocked(&this.io, &this.ctl, cx)?;
                    return Poll::Pending;
                }
            }
        }
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
