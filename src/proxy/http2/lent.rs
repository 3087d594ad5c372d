//! A socket that comes back: what serves HTTP/2 takes it for good, and it still has to be closed
//! with care.

use crate::proxy::socket::Front;
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
pub(super) struct Lent<F: Front> {
    /// There until it is given back.
    socket: Option<F>,
    back: Option<oneshot::Sender<F>>,
}

impl<F: Front> Lent<F> {
    /// A socket, and where it comes back when it is dropped.
    pub(super) fn new(socket: F) -> (Self, oneshot::Receiver<F>) {
        let (back, here) = oneshot::channel();
        (Self { socket: Some(socket), back: Some(back) }, here)
    }

    fn socket(&mut self) -> io::Result<Pin<&mut F>> {
        let gone = || io::Error::from(io::ErrorKind::NotConnected);
        self.socket.as_mut().map(Pin::new).ok_or_else(gone)
    }
}

impl<F: Front> Drop for Lent<F> {
    fn drop(&mut self) {
        if let (Some(socket), Some(back)) = (self.socket.take(), self.back.take()) {
            // Nobody waits for it if its task was dropped.
            let _closed = back.send(socket);
        }
    }
}

impl<F: Front> AsyncRead for Lent<F> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.socket()?.poll_read(cx, buf)
    }
}

impl<F: Front> AsyncWrite for Lent<F> {
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
