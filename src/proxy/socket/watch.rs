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
    /// The client closed its sending side, and was sent a probe if that could be.
    half_closed: bool,
    /// It was looked at since.
    looked: bool,
    look: Timer,
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
                Presence::Gone => {
                    ctl.client_gone(true);
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
                Presence::HalfClosed => {
                    self.half_closed(ctl);
                    if self.looked { NEXT_LOOK } else { FIRST_LOOK }
                }
                // Bytes that nobody reads may stand before an end.
                Presence::There => UNREAD_LOOK,
            };
            if self.look.poll_after(wait, cx).is_pending() {
                return Ok(());
            }
            self.look.clear();
            self.looked = self.half_closed;
        }
    }

    /// The client closed its sending side. It may be waiting for its answer, or it may be gone.
    fn half_closed(&mut self, ctl: &ConnCtl) {
        if !self.half_closed {
            self.half_closed = true;
            ctl.client_gone(false);
            if ctl.stand() == Stand::Waiting && ctl.allows_interims() {
                ctl.push_interim(Bytes::from_static(PROBE));
            }
        }
    }
}
