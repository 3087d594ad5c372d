//! Reading and writing, as hyper sees it.

use crate::proxy::{
    ctl::Stand,
    socket::{CHUNK, Socket, Stream},
};
use bytes::Bytes;
use std::{
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

impl<S: Stream> AsyncRead for Socket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check()?;
        let mut read = self.poll_input(cx, buf);
        if read.is_pending() && self.ctl.stand() == Stand::Idle {
            read = self.poll_head_time(cx);
        }
        self.watch.is_reading(read.is_pending());
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
                let write = Pin::new(&mut this.io).poll_write(cx, buf);
                return this.watched(write, cx);
            }
            // Room may open up by letting out what is due; an error there is the writer's to know.
            let drained = this.poll_drain(cx)?;
            if this.passes_straight() {
                continue;
            }
            let take = buf.len().min(this.down.room()).min(CHUNK);
            if take > 0 {
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
        if !self.passes_straight() {
            ready!(self.poll_drain(cx))?;
        }
        ready!(Pin::new(&mut self.io).poll_flush(cx))?;
        if self.ctl.resets_after_flush() {
            let last = self.last_bytes.take().unwrap_or_else(|| self.io.all_sent());
            ready!(Pin::new(self.last_bytes.insert(last)).poll(cx));
        }
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
