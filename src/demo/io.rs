//! Tokio's streams as hyper reads and writes them.

use hyper::rt::{Read, ReadBufCursor, Write};
use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Whatever bytes travel on: a socket, or a pipe in memory whose tests own time.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for S {}

/// A stream in hyper's clothes.
///
/// Reads pass through a buffer of its own: to hand hyper's uninitialised memory to tokio takes
/// `unsafe`, and a copy of a few hundred bytes does not matter to a demonstration.
pub(super) struct Io<S> {
    stream: S,
    scratch: Box<[u8]>,
}

impl<S> Io<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, scratch: vec![0; 8 * 1024].into() }
    }
}

impl<S> fmt::Debug for Io<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Io").finish_non_exhaustive()
    }
}

impl<S: AsyncRead + Unpin> Read for Io<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { stream, scratch } = &mut *self;
        let room = cursor.remaining().min(scratch.len());
        let mut buf = ReadBuf::new(&mut scratch[..room]);
        ready!(Pin::new(stream).poll_read(cx, &mut buf))?;
        cursor.put_slice(buf.filled());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> Write for Io<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
