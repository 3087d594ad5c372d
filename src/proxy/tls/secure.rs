//! A client's connection above TLS.
//!
//! The [`Socket`] below knows bytes and nothing of what they mean: one record says as much as another
//! to it. So all that a connection needs to know of requests and answers is seen to here.

use crate::{
    fault::{Close, Flaw},
    proxy::{
        ctl::{ConnCtl, Stand},
        socket::{Front, Presence, Sent, Socket, Stream},
    },
};
use bytes::{Buf as _, Bytes};
use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    time::timeout,
};
use tokio_rustls::server::TlsStream;

/// How long a client may take for the last record.
const GOODBYE: Duration = Duration::from_secs(2);

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Secure<S: Stream> {
    tls: Box<TlsStream<Socket<S>>>,
    ctl: Arc<ConnCtl>,
    /// To be said in between, not yet taken by TLS.
    between: VecDeque<Bytes>,
    /// Its end was sent while the connection was idle.
    said_goodbye: bool,
    /// Its end is said by TCP alone.
    mute: bool,
}

impl<S: Stream> Secure<S> {
    pub(crate) fn new(tls: TlsStream<Socket<S>>) -> Self {
        let ctl = Arc::clone(tls.get_ref().0.ctl());
        ctl.set_over_tls();
        let mute = matches!(ctl.flaw(), Some((Flaw::NoCloseNotify, _)));
        Self { tls: Box::new(tls), ctl, between: VecDeque::new(), said_goodbye: false, mute }
    }

    /// The end of what the client sends. Between exchanges that is the end of the connection, and before
    /// the first a client that changed its mind.
    fn ended(&self) {
        if self.ctl.stand() != Stand::Idle || self.ctl.is_unasked() {
            self.ctl.client_gone(false);
        }
    }

    /// Says what is to be said before the rest of the answer, if it still may be.
    fn poll_between(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.ctl.has_interims() {
            let before_answer = self.ctl.is_before_answer();
            let interims = self.ctl.take_interims();
            self.between.extend(interims.into_iter().filter(|_| before_answer));
        }
        while let Some(first) = self.between.front_mut() {
            let wrote = ready!(Pin::new(&mut *self.tls).poll_write(cx, first))?;
            first.advance(wrote);
            if first.is_empty() {
                self.between.pop_front();
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Says that nothing more comes, as a service does that closes a connection on purpose: whoever
    /// misses that takes what it has for cut off.
    async fn say_goodbye(&mut self) {
        let (socket, session) = self.tls.get_mut();
        session.send_close_notify();
        let mut words = Vec::new();
        while session.wants_write() {
            if !matches!(session.write_tls(&mut words), Ok(1..)) {
                return;
            }
        }
        // After a record that a fault keeps this one could not be read.
        if let Some(io) = socket.bare() {
            let _gone = timeout(GOODBYE, io.write_all(&words)).await;
        }
    }
}

impl<S: Stream> Front for Secure<S> {
    /// What is spoken was agreed on with hands.
    fn turns_to_http2(&mut self) -> bool {
        false
    }

    async fn linger(&mut self) {
        if !self.mute && self.ctl.killed() != Some(Close::Reset) {
            self.say_goodbye().await;
        }
        self.tls.get_mut().0.linger().await;
    }
}

/// As the client's side of a tunnel.
impl<S: Stream> Stream for Secure<S> {
    fn reset_on_close(&self) {
        self.tls.get_ref().0.reset_on_close();
    }

    fn say_farewell(&mut self) {
        self.tls.get_mut().0.say_farewell();
    }

    fn presence(&self) -> Presence {
        self.tls.get_ref().0.presence()
    }

    fn poll_has_input(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.tls.get_ref().0.poll_has_input(cx)
    }

    fn all_sent(&self) -> Sent {
        self.tls.get_ref().0.all_sent()
    }
}

impl<S: Stream> AsyncRead for Secure<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ctl.is_drained() && !self.said_goodbye {
            if self.mute {
                ready!(Pin::new(self.tls.get_mut().0).poll_shutdown(cx))?;
            } else {
                ready!(Pin::new(&mut *self.tls).poll_shutdown(cx))?;
            }
            self.said_goodbye = true;
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut *self.tls).poll_read(cx, buf);
        self.tls.get_mut().0.is_read(read.is_pending());
        match ready!(read) {
            // A FIN without a word. Where a request ends is told by itself, so that nothing can be
            // taken for whole that was cut off.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => self.ended(),
            Err(error) => return Poll::Ready(Err(error)),
            Ok(()) if buf.filled().len() > before => self.ctl.bytes_came(),
            Ok(()) if buf.remaining() > 0 => self.ended(),
            Ok(()) => {}
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: Stream> AsyncWrite for Secure<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_between(cx))?;
        self.ctl.writes();
        Pin::new(&mut *self.tls).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_between(cx))?;
        self.ctl.writes();
        Pin::new(&mut *self.tls).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.tls.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Only now: whoever flushes has written all that comes before.
        let last_words = self.ctl.take_last_words();
        if !last_words.is_empty() {
            self.between.push_back(last_words);
        }
        ready!(self.poll_between(cx))?;
        ready!(Pin::new(&mut *self.tls).poll_flush(cx))?;
        self.ctl.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.mute {
            ready!(self.as_mut().poll_flush(cx))?;
            return Pin::new(self.tls.get_mut().0).poll_shutdown(cx);
        }
        Pin::new(&mut *self.tls).poll_shutdown(cx)
    }
}
