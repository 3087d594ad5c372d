//! The client's connection, with faults on its bytes below everything else.
//!
//! Outside faults reads and writes pass straight through. With a byte fault in force they go
//! through the [`Chain`] of their direction, which says what may leave and when; this file does
//! the waiting. It also tells a client that closed its sending side from one that went away.

mod head;
mod input;
mod opening;
mod output;
mod stream;
#[cfg(test)]
mod tests;
mod timer;
mod watch;

pub(crate) use stream::{Presence, Sent, Stream};
pub(crate) use timer::Timer;

use crate::{
    engine::Chain,
    fault::{Close, Way},
    proxy::ctl::ConnCtl,
};
use bytes::Bytes;
use head::HeadTimer;
use opening::Opening;
use std::{
    future::{Future, poll_fn},
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf},
    time::timeout,
};
pub(crate) use watch::Looks;
use watch::Watch;

/// The most that is read from the socket at a time for a chain.
const CHUNK: usize = 16 * 1024;
/// A client that takes nothing for so long while we have something for it is given up.
const WRITE_STALL: Duration = Duration::from_secs(300);
/// How long what a client still sends is read after our FIN; closing with bytes unread would turn
/// the FIN into a RST, and the answer before it would be lost.
const LINGER: Duration = Duration::from_secs(2);

/// A client's connection.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is something that happens once, or not")]
pub(crate) struct Socket<S: Stream> {
    io: S,
    ctl: Arc<ConnCtl>,
    up: Chain,
    down: Chain,
    /// Released by the chain, not yet taken by the reader.
    incoming: Bytes,
    /// Released by the chain or to be said in between, not yet taken by the socket.
    outgoing: Bytes,
    /// The socket has no more to read.
    read_ended: bool,
    /// A read failed: the client reset the connection, and nothing is owed to it any more.
    broken: bool,
    /// The chain has let the end through.
    up_ended: bool,
    up_timer: Timer,
    down_timer: Timer,
    stall: Timer,
    head: HeadTimer,
    watch: Watch,
    /// Its end was sent while the connection was idle.
    said_goodbye: bool,
    /// What has to leave before a reset.
    last_bytes: Option<Sent>,
    /// A fault on the bytes ends the connection as soon as those it let through have left.
    closing: Option<Close>,
    /// It is over but for its end.
    farewell: bool,
    carries: Carries,
    opening: Opening,
}

/// What a connection's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carries {
    /// Requests and answers.
    Messages,
    /// TLS: what the bytes mean, and what is said in between, is known above that.
    Tls,
}

impl<S: Stream> Socket<S> {
    pub(crate) fn new(io: S, ctl: Arc<ConnCtl>) -> Self {
        Self::carrying(Carries::Messages, io, ctl)
    }

    /// A connection whose bytes are TLS, which somebody above it speaks.
    pub(crate) fn below_tls(io: S, ctl: Arc<ConnCtl>) -> Self {
        Self::carrying(Carries::Tls, io, ctl)
    }

    fn carrying(carries: Carries, io: S, ctl: Arc<ConnCtl>) -> Self {
        let chain = |way| {
            let (user, counted) = (Arc::clone(&ctl.user), Arc::clone(&ctl.welcome.counted));
            Chain::new(ctl.injector(), ctl.key, user, counted, way)
        };
        Self {
            io,
            up: chain(Way::Up),
            down: chain(Way::Down),
            ctl,
            incoming: Bytes::new(),
            outgoing: Bytes::new(),
            read_ended: false,
            broken: false,
            up_ended: false,
            up_timer: Timer::default(),
            down_timer: Timer::default(),
            stall: Timer::default(),
            head: HeadTimer::default(),
            watch: Watch::default(),
            said_goodbye: false,
            last_bytes: None,
            closing: None,
            farewell: false,
            carries,
            opening: Opening::Known,
        }
    }

    /// From here on its bytes are TLS, and begin with what was read ahead.
    pub(crate) fn turn_to_tls(&mut self, ahead: &[u8]) {
        self.carries = Carries::Tls;
        self.put_back(ahead);
    }

    /// Gives back what was read of it last.
    pub(crate) fn put_back(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.incoming = [bytes, &self.incoming[..]].concat().into();
        }
    }

    /// Its own end of the connection, for last words that no fault may hold; `None` if what was said
    /// before is still held, or lost.
    pub(crate) fn bare(&mut self) -> Option<&mut S> {
        let is_clear = !self.broken
            && self.outgoing.is_empty()
            && self.closing.is_none()
            && self.down.is_empty()
            && self.ctl.killed() != Some(Close::Reset);
        is_clear.then_some(&mut self.io)
    }

    /// Ready when the client has gone, or closed its sending side: to be asked while nothing is read.
    pub(crate) async fn until_left(&mut self) {
        let mut looks = Looks::default();
        poll_fn(|cx| {
            loop {
                match self.io.presence() {
                    Presence::Gone => break self.ctl.client_gone(true),
                    Presence::HalfClosed => break self.ctl.client_gone(false),
                    Presence::There => {}
                }
                ready!(self.io.poll_has_input(cx));
                ready!(looks.poll(cx));
            }
            Poll::Ready(())
        })
        .await;
    }

    /// Gives the client all of its time for a head once more: it is not its fault that none came.
    pub(crate) fn begin_anew(&mut self) {
        self.head = HeadTimer::default();
    }

    /// Says for TLS whether somebody waits for input: by itself it reads on when it has some.
    pub(crate) const fn is_read(&mut self, reading: bool) {
        self.watch.is_reading(reading);
    }

    /// The control block that it shares.
    pub(crate) fn ctl(&self) -> &Arc<ConnCtl> {
        &self.ctl
    }

    fn check(&self) -> io::Result<()> {
        if self.ctl.killed().is_some() || self.watch.is_gone() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }

    /// See [`Front::linger`].
    async fn see_out(&mut self) {
        if self.read_ended || self.ctl.killed() == Some(Close::Reset) {
            return;
        }
        let io = &mut self.io;
        if poll_fn(|cx| Pin::new(&mut *io).poll_shutdown(cx)).await.is_err() {
            return;
        }
        let mut scrap = vec![0; CHUNK];
        let more_may_come = !self.ctl.body_done();
        let patience = if more_may_come { LINGER } else { Duration::ZERO };
        let read = async { while !matches!(io.read(&mut scrap).await, Ok(0) | Err(_)) {} };
        let _done = timeout(patience, read).await;
    }

    /// A fault on the bytes ends the connection.
    fn closed_by(&mut self, close: Close) -> io::Error {
        self.note_wire();
        self.ctl.kill(close);
        io::ErrorKind::ConnectionAborted.into()
    }

    /// Whether bytes may go straight to the socket.
    fn passes_straight(&mut self) -> bool {
        self.outgoing.is_empty()
            && self.closing.is_none()
            && !self.has_interims()
            && self.down.is_idle()
    }

    /// Whether its bytes are known as the messages they are.
    fn is_plain(&self) -> bool {
        self.carries == Carries::Messages
    }

    /// Whether it has something to say in between.
    fn has_interims(&self) -> bool {
        self.is_plain() && self.ctl.has_interims()
    }

    /// Bytes of an answer are written.
    fn writes(&self) {
        if self.is_plain() {
            self.ctl.writes();
        }
    }

    /// Tells the record what was done to this connection's bytes.
    fn note_wire(&mut self) {
        self.up.take_dealt(&self.ctl.wire);
        self.down.take_dealt(&self.ctl.wire);
    }
}

/// As the client's side of a tunnel.
impl<S: Stream> Stream for Socket<S> {
    fn reset_on_close(&self) {
        self.io.reset_on_close();
    }

    fn say_farewell(&mut self) {
        self.farewell = true;
    }

    fn presence(&self) -> Presence {
        self.io.presence()
    }

    fn poll_has_input(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.io.poll_has_input(cx)
    }

    fn all_sent(&self) -> Sent {
        self.io.all_sent()
    }
}

/// What a connection's requests are read from and its answers written to.
pub(crate) trait Front: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// After the last word: sends a FIN and reads what the client still sends, so that the FIN does
    /// not become a RST. To be called when nothing else is served any more.
    fn linger(&mut self) -> impl Future<Output = ()> + Send;

    /// Whether HTTP/2 is spoken, as came out while it was read as HTTP/1. If so it is read from the
    /// beginning again.
    fn turns_to_http2(&mut self) -> bool;
}

impl<S: Stream> Front for Socket<S> {
    fn turns_to_http2(&mut self) -> bool {
        self.turns()
    }

    fn linger(&mut self) -> impl Future<Output = ()> + Send {
        self.see_out()
    }
}

impl<S: Stream> Drop for Socket<S> {
    fn drop(&mut self) {
        if self.ctl.killed() == Some(Close::Reset) {
            self.io.reset_on_close();
        }
        self.ctl.closed();
    }
}

impl<S: Stream> AsyncRead for Socket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.farewell {
            return Pin::new(&mut self.io).poll_read(cx, buf);
        }
        self.check()?;
        if self.is_plain() && self.ctl.is_drained() && !self.said_goodbye {
            // Idle, and all is flushed: there is nothing before it.
            ready!(Pin::new(&mut self.io).poll_shutdown(cx))?;
            self.said_goodbye = true;
        }
        let read = match self.opening {
            Opening::Known => self.poll_input(cx, buf),
            _ => self.poll_opening(cx, buf),
        };
        if self.is_plain() {
            self.watch.is_reading(read.is_pending());
        }
        if read.is_pending() {
            let this = &mut *self;
            let held = !this.up.is_idle();
            this.ctl.set_upload_held(held);
            if this.head.poll(&this.ctl, held, cx).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        read
    }
}
