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
use std::{io, task::Context, time::Duration};

/// How soon, and then how often, a client that closed its sending side is looked at again.
const FIRST_LOOK: Duration = Duration::from_millis(2);
const NEXT_LOOK: Duration = Duration::from_millis(20);
/// How often a client is looked at that has sent what nobody reads yet.
pub(super) const UNREAD_LOOK: Duration = Duration::from_millis(50);
/// An interim answer that means nothing. A client that only closed its sending side ignores it; a
/// client that is gone has its kernel answer with a RST, which is how we learn the difference.
const PROBE: &[u8] = b"HTTP/1.1 102 Processing\r\n\r\n";

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Somebody waits for input, and will be told of its end.
    reading: bool,
    seen: Seen,
    look: Timer,
    /// While a fault keeps us from reading at all.
    blocked: Timer,
}

/// How much of the client's going was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Seen {
    /// Nothing.
    #[default]
    Nothing,
    /// It closed its sending side, and was sent a probe if that could be.
    HalfClosed,
    /// It was looked at since.
    StillHalfClosed,
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
            self.look.clear();
            return Ok(());
        }
        loop {
            // An end wakes us, as bytes do; and asking costs no call into the kernel.
            if io.poll_has_input(cx).is_pending() {
                self.look.clear();
                return Ok(());
            }
            let wait = match io.presence() {
                Presence::Gone => return Err(self.gone(ctl)),
                Presence::HalfClosed => {
                    self.half_closed(ctl);
                    if self.seen == Seen::StillHalfClosed { NEXT_LOOK } else { FIRST_LOOK }
                }
                // Bytes that nobody reads may stand before an end.
                Presence::There => UNREAD_LOOK,
            };
            if self.look.poll_after(wait, cx).is_pending() {
                return Ok(());
            }
            self.look.clear();
            if self.seen == Seen::HalfClosed {
                self.seen = Seen::StillHalfClosed;
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
            if self.blocked.poll_after(UNREAD_LOOK, cx).is_pending() {
                return Ok(());
            }
            self.blocked.clear();
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
            ctl.client_gone(false);
            if ctl.stand() == Stand::Waiting && ctl.allows_interims() {
                ctl.push_interim(Bytes::from_static(PROBE));
            }
        }
    }
}
