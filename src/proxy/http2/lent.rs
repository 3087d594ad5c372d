//! A socket that comes back: what serves HTTP/2 takes it for good, and it still has to be closed
//! with care.

use crate::proxy::socket::{Socket, Stream};
use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::oneshot,
};

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Lent<S: Stream> {
    /// There until it is given back.
    socket: Option<Socket<S>>,
    back: Option<oneshot::Sender<Socket<S>>>,
}

impl<S: Stream> Lent<S> {
    /// A socket, and where it comes back when it is dropped.
    pub(super) fn new(socket: Socket<S>) -> (Self, oneshot::Receiver<Socket<S>>) {
        let (back, here) = oneshot::channel();
        (Self { socket: Some(socket), back: Some(back) }, here)
    }

    fn socket(&mut self) -> io::Result<Pin<&mut Socket<S>>> {
        let gone = || io::Error::from(io::ErrorKind::NotConnected);
        self.socket.as_mut().map(Pin::new).ok_or_else(gone)
    }
}

impl<S: Stream> Drop for Lent<S> {
    fn drop(&mut self) {
        if let (Some(socket), Some(back)) = (self.socket.take(), self.back.take()) {
            // Nobody waits for it if its task was dropped.
            let _closed = back.send(socket);
        }
    }
}

impl<S: Stream> AsyncRead for Lent<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.socket()?.poll_read(cx, buf)
    }
}

impl<S: Stream> AsyncWrite for Lent<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.socket()?.poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.socket()?.poll_write_vectored(cx, bufs)
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
