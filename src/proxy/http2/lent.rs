//! A socket that comes back: what serves HTTP/2 takes it for good, and it still has to be closed
//! with care.

use crate::proxy::http2::announce::{Frames, Limit};
use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::oneshot,
};

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Lent<Io> {
    /// There until it is given back.
    socket: Option<Io>,
    back: Option<oneshot::Sender<Io>>,
    /// What is said of streams in what is written.
    limit: Arc<Limit>,
    frames: Frames,
}

impl<Io> Lent<Io> {
    /// A socket, and where it comes back when it is dropped.
    pub(super) fn new(socket: Io, limit: Arc<Limit>) -> (Self, oneshot::Receiver<Io>) {
        let (back, here) = oneshot::channel();
        let (socket, back, frames) = (Some(socket), Some(back), Frames::default());
        (Self { socket, back, limit, frames }, here)
    }

    fn socket(&mut self) -> io::Result<Pin<&mut Io>>
    where
        Io: Unpin,
    {
        let gone = || io::Error::from(io::ErrorKind::NotConnected);
        self.socket.as_mut().map(Pin::new).ok_or_else(gone)
    }
}

impl<Io> Lent<Io> {
    /// So much of `buf` was taken; `all` is where all of it would have led to.
    fn passed(&mut self, buf: &[u8], wrote: usize, all: Frames) {
        if wrote == buf.len() {
            self.frames = all;
        } else {
            let _same = self.frames.pass(&buf[..wrote], &self.limit);
        }
    }
}

impl<Io> Drop for Lent<Io> {
    fn drop(&mut self) {
        if let (Some(socket), Some(back)) = (self.socket.take(), self.back.take()) {
            // Nobody waits for it if its task was dropped.
            let _closed = back.send(socket);
        }
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Lent<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.socket()?.poll_read(cx, buf)
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Lent<Io> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        // A copy, until it is known how much of it is taken.
        let mut frames = self.frames.clone();
        let changed = frames.pass(buf, &self.limit);
        let wrote = ready!(self.socket()?.poll_write(cx, changed.as_deref().unwrap_or(buf)))?;
        self.passed(buf, wrote, frames);
        Poll::Ready(Ok(wrote))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut frames = self.frames.clone();
        for buf in bufs {
            if frames.pass(buf, &self.limit).is_some() {
                // Seldom: once for each time that there is something to say.
                let all: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).collect();
                return self.poll_write(cx, &all);
            }
        }
        let wrote = ready!(self.socket()?.poll_write_vectored(cx, bufs))?;
        if wrote == bufs.iter().map(|buf| buf.len()).sum::<usize>() {
            self.frames = frames;
            return Poll::Ready(Ok(wrote));
        }
        let mut left = wrote;
        for buf in bufs {
            let take = left.min(buf.len());
            let this = &mut *self;
            let _same = this.frames.pass(&buf[..take], &this.limit);
            left -= take;
        }
        Poll::Ready(Ok(wrote))
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket()?.poll_shutdown(cx)
    }
}
