//! What a client can be at the other end of.

use futures_util::FutureExt as _;
use socket2::SockRef;
use std::{
    fmt,
    future::{Future, ready},
    io,
    net::IpAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, Interest},
    net::TcpStream,
    time::timeout,
};

/// How long a client may take for the last bytes before a reset.
const LAST_BYTES: Duration = Duration::from_secs(10);

/// Whether the client is still there, as far as the kernel tells without a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// For all we know.
    There,
    /// It closed its sending side.
    HalfClosed,
    /// It reset the connection, or has no use for what we send.
    Gone,
}

/// Over when everything that was written is on its way.
pub(crate) struct Sent(Pin<Box<dyn Future<Output = ()> + Send + Sync>>);

impl Sent {
    /// Over with this, or when it takes too long: a client that takes nothing is reset all the same.
    pub(crate) fn when(left: impl Future<Output = ()> + Send + Sync + 'static) -> Self {
        Self(Box::pin(async move {
            let _late = timeout(LAST_BYTES, left).await;
        }))
    }
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sent")
    }
}

impl Future for Sent {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

/// A byte stream that a client can be at the other end of.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync + 'static {
    /// Makes the coming close a RST instead of a FIN.
    fn reset_on_close(&self) {}

    /// From now on it is only to be ended and emptied, whatever faults say.
    fn say_farewell(&mut self) {}
    /// The address that the client connected to, if it is one.
    fn local(&self) -> Option<IpAddr> {
        None
    }

    /// Whether the client is still there, though bytes may wait to be read.
    fn presence(&self) -> Presence {
        Presence::There
    }

    /// Ready when it is found out, without a read, that the peer broke off: of what is told so, and need
    /// not be looked at.
    fn poll_gone(&mut self, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }

    /// Ready once there are bytes to read, or an end; true if that can't be known.
    fn poll_has_input(&self, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    /// Waits until everything that was written is on its way: a RST overtakes what still waits in
    /// the kernel.
    fn all_sent(&self) -> Sent {
        Sent(Box::pin(ready(())))
    }
}

impl Stream for DuplexStream {}

impl Stream for TcpStream {
    fn reset_on_close(&self) {
        // Fails only on a socket that is gone already.
        let _gone = self.set_zero_linger();
    }

    fn local(&self) -> Option<IpAddr> {
        self.local_addr().ok().map(|address| address.ip().to_canonical())
    }

    fn presence(&self) -> Presence {
        // What the runtime knows costs no system call. Reads would not tell: once a FIN was read
        // they say nothing of a RST, and bytes that nobody reads stand before both.
        let both = Interest::READABLE | Interest::WRITABLE;
        match self.ready(both).now_or_never() {
            Some(Ok(ready)) if ready.is_write_closed() => Presence::Gone,
            Some(Ok(ready)) if ready.is_read_closed() => Presence::HalfClosed,
            _ => Presence::There,
        }
    }

    fn poll_has_input(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_read_ready(cx).map(|_| ())
    }

    fn all_sent(&self) -> Sent {
        match watch_queue(self) {
            Ok(queue) => Sent::when(async move {
                let _ready_or_broken = queue.writable().await;
            }),
            Err(_) => Sent(Box::pin(ready(()))),
        }
    }
}

/// A Unix socket knows no RST: a close is a close, and loses nothing that was written before.
#[cfg(unix)]
impl Stream for UnixStream {
    fn presence(&self) -> Presence {
        // A peer that closed may have left bytes behind; that it is gone shows when it is written to.
        match self.ready(Interest::READABLE | Interest::WRITABLE).now_or_never() {
            Some(Ok(ready)) if ready.is_read_closed() => Presence::HalfClosed,
            _ => Presence::There,
        }
    }

    fn poll_has_input(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_read_ready(cx).map(|_| ())
    }
}

/// A second handle of a socket, writable when the kernel holds nothing unsent any more. Our first
/// one can't tell: the runtime remembers that it was writable, and asks only after a write that
/// failed.
fn watch_queue(stream: &TcpStream) -> io::Result<TcpStream> {
    let socket = SockRef::from(stream);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_tcp_notsent_lowat(1)?;
    TcpStream::from_std(socket.try_clone()?.into())
}
