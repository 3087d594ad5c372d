//! The client's connection, with faults on its bytes below everything else.
//!
//! Outside faults reads and writes pass straight through. With a byte fault in force they go
//! through the [`Chain`] of their direction, which says what may leave and when; this file does
//! the waiting, and `watch.rs` tells a client that closed its sending side from one that went away.

mod stream;
mod timer;
mod traffic;
mod watch;

pub(crate) use stream::Stream;

use crate::{
    engine::Chain,
    fault::{Close, Out, Way},
    proxy::{
        ctl::{ConnCtl, Stand},
        patience::Patience,
    },
};
use bytes::{Buf, Bytes};
use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use stream::Sent;
use timer::Timer;
use tokio::{
    io::{AsyncReadExt as _, ReadBuf},
    time::timeout,
};
use watch::Watch;

/// The most that is read from the socket at a time for a chain.
const CHUNK: usize = 16 * 1024;
/// A client that takes nothing for so long while we have something for it is given up.
const WRITE_STALL: Duration = Duration::from_secs(300);
/// How long a client may take for a request's head, idle time before it included. Browsers and
/// pools keep idle connections for about a minute; a slow-loris holds a slot no longer than this.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// How long what a client still sends is read after our FIN; closing with bytes unread would turn
/// the FIN into a RST, and the answer before it would be lost.
const LINGER: Duration = Duration::from_secs(2);
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
    watch: Watch,
    /// With a client that is to send a head, and for which one.
    patience: Patience,
    awaited: Option<u32>,
    /// What has to leave before a reset.
    last_bytes: Option<Sent>,
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
            watch: Watch::default(),
            patience: Patience::new(),
            awaited: None,
            last_bytes: None,
        }
    }

    fn check(&self) -> io::Result<()> {
        if self.ctl.killed().is_some() || self.watch.is_gone() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }

    /// The end of what the client sends. Between exchanges that is the end of the connection.
    fn ended(&self) -> Poll<io::Result<()>> {
        if self.ctl.stand() != Stand::Idle {
            self.ctl.client_gone(false);
        }
        Poll::Ready(Ok(()))
    }

    /// An end, once a head took too long. Time that a fault held it back is not the client's.
    fn poll_head_time(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let next = self.ctl.exchanges();
        if self.awaited.replace(next) != Some(next) {
            self.patience.set(HEAD_TIMEOUT);
        }
        loop {
            ready!(self.patience.poll(cx));
            if !self.ctl.is_held_back() {
                return Poll::Ready(Ok(()));
            }
            self.patience.set(HEAD_TIMEOUT);
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

    /// After the last word: sends a FIN and reads what the client still sends, so that the FIN does
    /// not become a RST. To be called when nothing else is served any more.
    pub(crate) async fn linger(&mut self) {
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

    fn poll_input(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let straight = self.incoming.is_empty() && !self.read_ended && self.up.is_idle();
        if !straight {
            let read = self.poll_read_shaped(cx, buf);
            let held = read.is_pending() && (!self.up.is_empty() || self.up.room() == 0);
            self.ctl.set_held_back(held);
            return read;
        }
        self.ctl.set_held_back(false);
        let before = buf.filled().len();
        ready!(self.poll_source(cx, buf))?;
        if buf.filled().len() == before && buf.remaining() > 0 {
            self.read_ended = true;
            self.up_ended = true;
            return self.ended();
        }
        Poll::Ready(Ok(()))
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
                return self.ended();
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
            if !self.read_ended && room == 0 && self.io.poll_has_input(cx).is_ready() {
                self.up.blocked();
                self.watch.poll_blocked(&self.io, &self.ctl, cx)?;
            }
            self.note_wire();
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
        self.send_interims();
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

    /// Sends interim answers on their way, as long as they come before the answer.
    fn send_interims(&mut self) {
        if self.ctl.has_interims() {
            let before_answer = self.ctl.stand() == Stand::Waiting;
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

    /// Tells the record what was done to this connection's bytes.
    fn note_wire(&mut self) {
        self.up.take_dealt(&self.ctl.wire);
        self.down.take_dealt(&self.ctl.wire);
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
