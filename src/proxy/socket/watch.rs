//! An eye on a client that may have gone: no read tells, because its end was read already, or
//! because nobody reads.

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

/// How soon, and then how often, a client that closed its sending side is looked at again.
const FIRST_LOOK: Duration = Duration::from_millis(2);
const NEXT_LOOK: Duration = Duration::from_millis(20);
/// How often a client is looked at whose upload is not being read.
const UNREAD_LOOK: Duration = Duration::from_millis(50);
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
    looked: bool,
    look: Timer,
    unread: Timer,
}

impl Watch {
    /// Says whether somebody waits for input.
    pub(super) const fn is_reading(&mut self, reading: bool) {
        self.reading = reading;
    }

    /// Ready with an error once a client that closed its sending side is gone altogether.
    pub(super) fn poll_half_closed<S: Stream>(
        &mut self,
        io: &S,
        ctl: &ConnCtl,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        self.half_closed(ctl);
        loop {
            if io.presence() == Presence::Gone {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            let wait = if self.looked { NEXT_LOOK } else { FIRST_LOOK };
            ready!(self.look.poll_after(wait, cx));
            self.look.clear();
            self.looked = true;
        }
    }

    /// Looks at a client whose upload nobody reads at the moment.
    pub(super) fn poll_unread<S: Stream>(
        &mut self,
        io: &S,
        ctl: &ConnCtl,
        cx: &mut Context<'_>,
    ) -> io::Result<()> {
        if self.reading || ctl.stand() != Stand::Waiting || ctl.body_done() {
            self.unread.clear();
            return Ok(());
        }
        loop {
            match io.presence() {
                Presence::There => {}
                Presence::HalfClosed => self.half_closed(ctl),
                Presence::Gone => {
                    ctl.client_gone(true);
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
            }
            if self.unread.poll_after(UNREAD_LOOK, cx).is_pending() {
                return Ok(());
            }
            self.unread.clear();
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
