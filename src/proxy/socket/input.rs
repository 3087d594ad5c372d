//! The reading half of a socket: straight from the client, or through the filters in force.

use crate::{
    fault::Out,
    proxy::{
        ctl::Stand,
        socket::{CHUNK, Socket, stream::Stream},
    },
};
use bytes::Bytes;
use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::ReadBuf;

impl<S: Stream> Socket<S> {
    /// The end of what the client sends. Between exchanges that is the end of the connection.
    fn ended(&self) -> Poll<io::Result<()>> {
        if self.ctl.stand() != Stand::Idle {
            self.ctl.client_gone(false);
        }
        Poll::Ready(Ok(()))
    }

    /// Reads from the socket itself and notes if the client reset it.
    fn poll_source(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = ready!(Pin::new(&mut self.io).poll_read(cx, buf));
        if read.is_err() {
            self.broken = true;
            self.ctl.client_gone(true);
        } else if buf.filled().len() > before {
            if self.is_plain() {
                self.ctl.bytes_came();
            }
            self.ctl.meters.from_clients.add(buf.filled().len() - before);
        }
        Poll::Ready(read)
    }

    pub(super) fn poll_input(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let straight = self.incoming.is_empty() && !self.read_ended && self.up.is_idle();
        if !straight {
            return self.poll_read_shaped(cx, buf);
        }
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
                Some(Out::Close(close)) => return Poll::Ready(Err(self.closed_by(close))),
                None => {}
            }
            let room = self.up.room();
            if !self.read_ended && room == 0 {
                self.poll_unread(cx)?;
            }
            self.note_wire();
            if !self.read_ended && room > 0 {
                // Not zeroed: that would cost more than most reads.
                let mut chunk = [const { MaybeUninit::uninit() }; CHUNK];
                let mut chunk = ReadBuf::uninit(&mut chunk[..room.min(CHUNK)]);
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

    /// A client that sent what may not be read now: looks whether it is still there, and again from
    /// time to time, since bytes that are there already hide a reset that comes after them.
    fn poll_unread(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.io.poll_has_input(cx).is_pending() {
            return Ok(());
        }
        self.up.blocked();
        self.watch.poll_blocked(&self.io, &self.ctl, cx).inspect_err(|_| {
            self.broken = true;
            self.note_wire();
        })
    }
}
