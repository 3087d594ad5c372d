//! The writing half of a socket: straight to the client, or through the filters in force.

use crate::{
    fault::{Close, Out},
    proxy::{
        ctl::Stand,
        socket::{CHUNK, Socket, WRITE_STALL, stream::Stream},
    },
};
use bytes::{Buf as _, Bytes};
use std::{
    future::Future as _,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::AsyncWrite;

impl<S: Stream> Socket<S> {
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
        // What is written has left: whoever has their answer may go at once, and has it all the same.
        let has_left = this.ctl.stand() == Stand::Flushing
            && this.ctl.ends_after_flush().is_none()
            && this.passes_straight();
        if !has_left {
            this.watch.poll(&this.io, &this.ctl, cx)?;
        }
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
