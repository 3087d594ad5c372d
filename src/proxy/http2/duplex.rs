//! One stream as a connection of bytes, which is what a WebSocket is carried on (RFC 8441 §5) and what
//! a tunnel is (RFC 9113 §8.5): a FIN is END_STREAM, a RST is RST_STREAM.

use crate::{
    fault::Close,
    proxy::{
        ctl::ConnCtl,
        http2::send::{NoRoom, Outbox, Parcel, poll_room},
        socket::{Sent, Stream, Timer},
    },
};
use bytes::{Buf as _, Bytes};
use h2::{Reason, RecvStream, SendStream};
use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::oneshot,
};

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Duplex {
    recv: RecvStream,
    send: SendStream<Parcel>,
    /// Received, and not yet taken by the reader.
    ahead: Bytes,
    /// Our end was sent.
    ended: bool,
    /// It is the client's end of a tunnel whose other end broke off.
    resets: AtomicBool,
    outbox: Arc<Outbox>,
    stall: Timer,
    ctl: Arc<ConnCtl>,
    /// Tells whoever serves the client's stream that it is over; the upstream's has none.
    serving: Option<oneshot::Sender<()>>,
}

impl Duplex {
    /// A client's stream, and what becomes ready when it is over.
    pub(super) fn of_client(
        recv: RecvStream,
        send: SendStream<Parcel>,
        ctl: &Arc<ConnCtl>,
    ) -> (Self, oneshot::Receiver<()>) {
        let (serving, over) = oneshot::channel();
        let mut stream = Self::of_upstream(recv, send, ctl);
        stream.serving = Some(serving);
        (stream, over)
    }

    /// A stream to the upstream, on behalf of a client.
    pub(crate) fn of_upstream(
        recv: RecvStream,
        send: SendStream<Parcel>,
        ctl: &Arc<ConnCtl>,
    ) -> Self {
        Self {
            recv,
            send,
            ahead: Bytes::new(),
            ended: false,
            resets: AtomicBool::new(false),
            outbox: Arc::default(),
            stall: Timer::default(),
            ctl: Arc::clone(ctl),
            serving: None,
        }
    }

    /// The peer broke it off.
    fn broken(&self, reason: Option<Reason>) -> io::Error {
        if self.serving.is_some() && !self.ctl.is_over() {
            if let Some(reason) = reason {
                self.ctl.reset_with(reason);
            }
            self.ctl.client_gone(true);
        }
        io::ErrorKind::ConnectionReset.into()
    }

    /// Ready when the peer broke it off, or its connection is gone.
    fn poll_broken(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        self.send.poll_reset(cx).map(|reason| self.broken(reason.ok()))
    }

    /// How many bytes may be sent now.
    fn poll_room(&mut self, wanted: usize, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(error) = self.poll_broken(cx) {
            return Poll::Ready(Err(error));
        }
        loop {
            match ready!(poll_room(&mut self.send, wanted, &mut self.stall, cx)) {
                Ok(room) => return Poll::Ready(Ok(room)),
                Err(NoRoom::Gone(reason)) => return Poll::Ready(Err(self.broken(reason))),
                // That is our doing: the word that there is room is held, too.
                Err(NoRoom::Stalled) if self.ctl.upload_held() => self.stall.clear(),
                Err(NoRoom::Stalled) => return Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            }
        }
    }

    fn end(&mut self) -> io::Result<()> {
        if self.ended {
            return Ok(());
        }
        self.ended = true;
        let sent = self.send.send_data(Parcel::new(Bytes::new(), &self.outbox), true);
        sent.map_err(|error| self.broken(error.reason()))
    }
}

/// As the client's side of a tunnel.
impl Stream for Duplex {
    fn reset_on_close(&self) {
        self.resets.store(true, Ordering::Release);
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_broken(cx).map(drop)
    }

    fn all_sent(&self) -> Sent {
        let outbox = Arc::clone(&self.outbox);
        Sent::when(async move { poll_fn(|cx| outbox.poll_empty(cx)).await })
    }
}

impl AsyncRead for Duplex {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.ahead.is_empty() {
            match ready!(self.recv.poll_data(cx)) {
                Some(Ok(data)) => {
                    // Whoever asked has it now. Fails only if the stream is gone.
                    let _gone = self.recv.flow_control().release_capacity(data.len());
                    self.ahead = data;
                }
                Some(Err(error)) => return Poll::Ready(Err(self.broken(error.reason()))),
                None => return Poll::Ready(Ok(())),
            }
        }
        let take = self.ahead.len().min(buf.remaining());
        buf.put_slice(&self.ahead[..take]);
        self.ahead.advance(take);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Duplex {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let room = ready!(self.poll_room(buf.len(), cx))?;
        let part = &buf[..room.min(buf.len())];
        let parcel = Parcel::new(Bytes::copy_from_slice(part), &self.outbox);
        let sent = self.send.send_data(parcel, false);
        Poll::Ready(match sent {
            Ok(()) => Ok(part.len()),
            Err(error) => Err(self.broken(error.reason())),
        })
    }

    /// What was written leaves by itself.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.end())
    }
}

impl Drop for Duplex {
    fn drop(&mut self) {
        if self.resets.load(Ordering::Acquire) {
            self.send.send_reset(Reason::CONNECT_ERROR);
        } else if self.ended {
        } else if self.ctl.killed() == Some(Close::Fin) {
            let _gone = self.end();
        } else {
            self.send.send_reset(Reason::CANCEL);
        }
    }
}
