//! An eye on a client for which something is under way: while nobody reads, no read tells that it
//! went.

use crate::proxy::{
    ctl::{ConnCtl, Stand},
    socket::{
        stream::{Presence, Stream},
        timer::Timer,
    },
};
use bytes::Bytes;
use std::{
    io,
    task::{Context, Poll, ready},
    time::Duration,
};

/// How soon a client is looked at again, where no event tells.
const FIRST_LOOK: Duration = Duration::from_millis(2);
/// Each look is as late again as all before it, up to this. So what is found out is found out within
/// the time that it has lasted, and a hundred thousand who wait for long cost next to nothing.
const LAST_LOOK: Duration = Duration::from_secs(2);
/// An interim answer that means nothing. A client that only closed its sending side ignores it; a
/// client that is gone has its kernel answer with a RST, which is how we learn the difference.
const PROBE: &[u8] = b"HTTP/1.1 102 Processing\r\n\r\n";

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Somebody waits for input, and will be told of its end.
    reading: bool,
    seen: Seen,
    look: Looks,
    /// While a fault keeps us from reading at all.
    blocked: Looks,
}

/// Looks from time to time, less and less often.
#[derive(Debug)]
pub(crate) struct Looks {
    timer: Timer,
    wait: Duration,
}

impl Default for Looks {
    fn default() -> Self {
        Self { timer: Timer::default(), wait: FIRST_LOOK }
    }
}

impl Looks {
    /// Ready when it is time to look again.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.timer.poll_after(self.wait, cx));
        self.timer.clear();
        self.wait = (self.wait * 2).min(LAST_LOOK);
        Poll::Ready(())
    }

    /// Begins anew.
    pub(crate) fn reset(&mut self) {
        self.timer.clear();
        self.wait = FIRST_LOOK;
    }
}

/// How much of the client's going was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Seen {
    /// Nothing.
    #[default]
    Nothing,
    /// It closed its sending side, and was sent a probe if that could be.
    HalfClosed,
    /// It is gone altogether. The kernel says so once.
    Gone,
}

impl Watch {
    /// Says whether somebody waits for input.
    pub(super) const fn is_reading(&mut self, reading: bool) {
        self.reading = reading;
    }

    /// Looks whether a client is still there for which something is under way. An error says that
    /// it is not.
    pub(super) fn poll<S: Stream>(
        &mut self,
        io: &S,
        ctl: &ConnCtl,
        cx: &mut Context<'_>,
    ) -> io::Result<()> {
        if self.reading || matches!(ctl.stand(), Stand::Idle | Stand::Tunnel) {
            self.look.reset();
            return Ok(());
        }
        loop {
            // An end wakes us, as bytes do.
            if io.poll_has_input(cx).is_pending() {
                self.look.reset();
                return Ok(());
            }
            match io.presence() {
                Presence::Gone => return Err(self.gone(ctl)),
                Presence::HalfClosed => self.half_closed(ctl),
                // Bytes that nobody reads may stand before an end.
                Presence::There => {}
            }
            if self.look.poll(cx).is_pending() {
                return Ok(());
            }
        }
    }

    /// Looks whether a client is still there from which nothing may be read. Nothing may be said to
    /// it either, so one that only closed is not told from one that waits.
    pub(super) fn poll_blocked<S: Stream>(
        &mut self,
        io: &S,
        ctl: &ConnCtl,
        cx: &mut Context<'_>,
    ) -> io::Result<()> {
        loop {
            if io.presence() == Presence::Gone {
                return Err(self.gone(ctl));
            }
            if self.blocked.poll(cx).is_pending() {
                return Ok(());
            }
        }
    }

    /// Whether the client is gone: nothing need be said to it any more, not even an end.
    pub(super) fn is_gone(&self) -> bool {
        self.seen == Seen::Gone
    }

    fn gone(&mut self, ctl: &ConnCtl) -> io::Error {
        self.seen = Seen::Gone;
        ctl.client_gone(true);
        io::ErrorKind::ConnectionReset.into()
    }

    /// The client closed its sending side. It may be waiting for its answer, or it may be gone.
    fn half_closed(&mut self, ctl: &ConnCtl) {
        if self.seen == Seen::Nothing {
            self.seen = Seen::HalfClosed;
            self.look.reset();
            ctl.client_gone(false);
            if ctl.stand() == Stand::Waiting && ctl.allows_interims() {
                ctl.push_interim(Bytes::from_static(PROBE));
            }
        }
    }
}
