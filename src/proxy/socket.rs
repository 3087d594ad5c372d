//! The client's connection, with faults on its bytes below everything else.
//!
//! Outside faults reads and writes pass straight through. With a byte fault in force they go
//! through the [`Chain`] of their direction, which says what may leave and when; this file does
//! the waiting. It also tells a client that closed its sending side from one that went away.

use crate::{
    engine::Chain,
    fault::{Close, Out, Way},
    proxy::ctl::{ConnCtl, Stand, lock},
};
use bytes::{Buf, Bytes};
use std::{
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

/// The most that is read from the socket at a time for a chain.
const CHUNK: usize = 16 * 1024;
/// A client that takes nothing for so long while we have something for it is given up.
const WRITE_STALL: Duration = Duration::from_secs(300);
/// How soon, and then how often, a client that closed its sending side is looked at again.
const FIRST_LOOK: Duration = Duration::from_millis(2);
const NEXT_LOOK: Duration = Duration::from_millis(50);
/// An interim answer that means nothing. A client that only closed its sending side ignores it; a
/// client that is gone has its kernel answer with a RST, which is how we learn the difference.
const PROBE: &[u8] = b"HTTP/1.1 102 Processing\r\n\r\n";

/// A byte stream that a client can be at the other end of.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Makes the coming close a RST instead of a FIN.
    fn reset_on_close(&self) {}
}

impl Stream for tokio::net::TcpStream {
    fn reset_on_close(&self) {
        // Fails only on a socket that is gone already.
        let _gone = self.set_zero_linger();
    }
}

impl Stream for tokio::io::DuplexStream {}

/// A client's connection.
#[derive(Debug)]
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
    /// The chain has let the end through.
    up_ended: bool,
    up_timer: Timer,
    down_timer: Timer,
    stall: Timer,
    /// Since when we know that the client closed its sending side, and when we looked last.
    half_closed: Option<Timer>,
}

/// A sleep that is made when it is first needed.
#[derive(Debug, Default)]
struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Ready once `at` has come.
    fn poll_at(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if sleep.deadline() != at {
            sleep.as_mut().reset(at);
        }
        sleep.as_mut().poll(cx)
    }

    /// Ready `after` the first poll since the last [`clear`](Self::clear).
    fn poll_after(&mut self, after: Duration, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + after)));
        sleep.as_mut().poll(cx)
    }

    fn clear(&mut self) {
        self.0 = None;
    }
}

impl<S: Stream> Socket<S> {
    pub(crate) fn new(io: S, ctl: Arc<ConnCtl>) -> Self {
        let chain = |way| Chain::new(ctl.injector(), ctl.key, Arc::clone(&ctl.user), way);
        Self {
            io,
            up: chain(Way::Up),
            down: chain(Way::Down),
            ctl,
            incoming: Bytes::new(),
            outgoing: Bytes::new(),
            read_ended: false,
            up_ended: false,
            up_timer: Timer::default(),
            down_timer: Timer::default(),
            stall: Timer::default(),
            half_closed: None,
        }
    }

    fn check(&self) -> io::Result<()> {
        match self.ctl.killed() {
            Some(_) => Err(io::ErrorKind::ConnectionAborted.into()),
            None => Ok(()),
        }
    }

    /// Reads from the socket itself and notes if the client reset it.
    fn poll_source(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = ready!(Pin::new(&mut self.io).poll_read(cx, buf));
        if read.is_err() {
            self.ctl.client_gone(true);
        } else if buf.filled().len() > before {
            self.ctl.bytes_came();
        }
        Poll::Ready(read)
    }

    /// What to tell a reader when the client has closed its sending side.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stand = self.ctl.stand();
        let answer_is_due = matches!(stand, Stand::Waiting | Stand::Responding | Stand::Flushing);
        if !answer_is_due || !self.ctl.body_done() {
            if stand != Stand::Idle {
                self.ctl.client_gone(false);
            }
            return Poll::Ready(Ok(()));
        }
        if self.half_closed.is_none() {
            self.ctl.client_gone(false);
            if stand == Stand::Waiting && self.ctl.allows_interims() {
                self.ctl.push_interim(Bytes::from_static(PROBE));
            }
            self.half_closed =
                Some(Timer(Some(Box::pin(sleep_until(Instant::now() + FIRST_LOOK)))));
        }
        loop {
            let mut one = [0; 1];
            // After the end, a read says whether a RST has come since.
            if let Poll::Ready(Err(error)) = self.poll_source(cx, &mut ReadBuf::new(&mut one)) {
                return Poll::Ready(Err(error));
            }
            let Some(timer) = &mut self.half_closed else {
                return Poll::Pending;
            };
            ready!(timer.poll_after(NEXT_LOOK, cx));
            timer.clear();
        }
    }

    fn poll_read_shaped(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if !self.incoming.is_empty() {
                let take = self.incoming.len().min(buf.remaining());
                buf.put_slice(&self.incoming.split_to(take));
                return Poll::Ready(Ok(()));
            }
            if self.up_ended {
                return self.poll_end(cx);
            }
            match self.up.pull() {
                Some(Out::Bytes(bytes)) => {
                    self.incoming = bytes;
                    continue;
                }
                Some(Out::End) => {
                    self.up_ended = true;
                    continue;
                }
                None => {}
            }
            let room = self.up.room();
            if !self.read_ended && room > 0 {
                let mut chunk = [0; CHUNK];
                let mut chunk = ReadBuf::new(&mut chunk[..room.min(CHUNK)]);
                match self.poll_source(cx, &mut chunk) {
                    Poll::Ready(Ok(())) if chunk.filled().is_empty() => {
                        self.read_ended = true;
                        self.up.finish();
                        continue;
                    }
                    Poll::Ready(Ok(())) => {
                        self.up.push(Bytes::copy_from_slice(chunk.filled()));
                        continue;
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => {}
                }
            }
            let Some(tick) = self.up.wake_at() else {
                return Poll::Pending;
            };
            let at = self.ctl.injector().instant(tick);
            ready!(self.up_timer.poll_at(at, cx));
        }
    }

    /// Moves what may leave to the socket; ready when nothing is left that has to.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_outgoing(cx))?;
            match self.down.pull() {
                Some(Out::Bytes(bytes)) => self.outgoing = bytes,
                Some(Out::End) => return Poll::Ready(Ok(())),
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

    /// Writes what is already released, interim answers first of all.
    fn poll_outgoing(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.ctl.has_interims() && self.outgoing.is_empty() {
            let before_answer = self.ctl.stand() == Stand::Waiting;
            let interims = self.ctl.take_interims();
            if before_answer {
                let all: Vec<u8> =
                    interims.iter().flat_map(|bytes| bytes.iter().copied()).collect();
                self.outgoing = all.into();
            }
        }
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

    /// A write's outcome, noting a client that is gone and giving up one that takes nothing.
    fn watched<T>(
        &mut self,
        write: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        match write {
            Poll::Pending => {
                ready!(self.stall.poll_after(WRITE_STALL, cx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            Poll::Ready(outcome) => {
                self.stall.clear();
                if outcome.is_err() {
                    self.ctl.client_gone(true);
                }
                Poll::Ready(outcome)
            }
        }
    }

    /// Whether bytes may go straight to the socket.
    fn passes_straight(&mut self) -> bool {
        self.outgoing.is_empty() && !self.ctl.has_interims() && self.down.is_idle()
    }

    /// Keeps what the record says of this connection's bytes up to date.
    fn note_wire(&mut self) {
        let mut dealt = Vec::new();
        self.up.dealt(&mut dealt);
        self.down.dealt(&mut dealt);
        *lock(&self.ctl.wire) = dealt;
    }
}

impl<S: Stream> Drop for Socket<S> {
    fn drop(&mut self) {
        if self.ctl.killed() == Some(Close::Reset) {
            self.io.reset_on_close();
        }
    }
}

impl<S: Stream> AsyncRead for Socket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check()?;
        let this = &mut *self;
        let straight = this.incoming.is_empty() && !this.read_ended && this.up.is_idle();
        if !straight {
            this.note_wire();
            return this.poll_read_shaped(cx, buf);
        }
        let before = buf.filled().len();
        ready!(this.poll_source(cx, buf))?;
        if buf.filled().len() == before && buf.remaining() > 0 {
            this.read_ended = true;
            this.up_ended = true;
            return this.poll_end(cx);
        }
        Poll::Ready(Ok(()))
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
        if this.passes_straight() {
            let write = Pin::new(&mut this.io).poll_write(cx, buf);
            return this.watched(write, cx);
        }
        this.note_wire();
        // Room may open up by letting out what is due; an error there is the writer's to know.
        if let Poll::Ready(Err(error)) = this.poll_drain(cx) {
            return Poll::Ready(Err(error));
        }
        if this.passes_straight() {
            let write = Pin::new(&mut this.io).poll_write(cx, buf);
            return this.watched(write, cx);
        }
        let take = buf.len().min(this.down.room()).min(CHUNK);
        if take == 0 {
            return Poll::Pending;
        }
        this.down.push(Bytes::copy_from_slice(&buf[..take]));
        if let Poll::Ready(Err(error)) = this.poll_drain(cx) {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(take))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        if self.passes_straight() {
            let this = &mut *self;
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
        if !self.passes_straight() {
            ready!(self.poll_drain(cx))?;
        }
        ready!(Pin::new(&mut self.io).poll_flush(cx))?;
        self.ctl.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        if !self.passes_straight() {
            self.down.finish();
            ready!(self.poll_drain(cx))?;
        }
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
