//! A connection in memory whose proxy is told when its client goes, as a kernel tells of a socket.

use crate::proxy::socket::{Presence, Stream};
use std::{
    fmt, io,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};

/// What waits in each direction at most.
const ROOM: usize = 64 * 1024;

/// The client's end. Dropping it is going away: nothing is read any more, whoever may write.
#[derive(Debug)]
pub struct MemoryClient {
    io: DuplexStream,
    _going: DropGuard,
}

/// The proxy's end.
pub(crate) struct MemorySocket {
    io: DuplexStream,
    gone: CancellationToken,
    going: Mutex<Pin<Box<WaitForCancellationFutureOwned>>>,
}

/// Both ends of a new connection.
pub(super) fn pair() -> (MemoryClient, MemorySocket) {
    let (near, far) = duplex(ROOM);
    let gone = CancellationToken::new();
    let going = Mutex::new(Box::pin(gone.clone().cancelled_owned()));
    let near = MemoryClient { io: near, _going: gone.clone().drop_guard() };
    (near, MemorySocket { io: far, gone, going })
}

impl fmt::Debug for MemorySocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemorySocket").field("io", &self.io).finish_non_exhaustive()
    }
}

impl Stream for MemorySocket {
    fn presence(&self) -> Presence {
        if self.gone.is_cancelled() { Presence::Gone } else { Presence::There }
    }

    /// Whether there is input cannot be known; that the client goes wakes whoever asked.
    fn poll_has_input(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut going = self.going.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.gone.is_cancelled() {
            let _wakes = going.as_mut().poll(cx);
        }
        Poll::Ready(())
    }
}

/// Reads and writes as the stream within.
macro_rules! passes_on {
    ($end:ty) => {
        impl AsyncRead for $end {
            fn poll_read(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                Pin::new(&mut self.io).poll_read(cx, buf)
            }
        }

        impl AsyncWrite for $end {
            fn poll_write(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                Pin::new(&mut self.io).poll_write(cx, buf)
            }

            fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut self.io).poll_flush(cx)
            }

            fn poll_shutdown(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
            ) -> Poll<io::Result<()>> {
                Pin::new(&mut self.io).poll_shutdown(cx)
            }
        }
    };
}

passes_on!(MemoryClient);
passes_on!(MemorySocket);
