//! The time a client may take for a request's head.
//!
//! hyper has such a timer too, but it would also run while it is a fault of ours that holds the
//! head, and end a silence before its phase does.

use crate::proxy::{
    ctl::{ConnCtl, Stand},
    socket::timer::Timer,
};
use std::{
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::Instant;

/// How long a client may take for a request's head, idle time before it included. Browsers and
/// pools keep idle connections for about a minute; a slow-loris holds a slot no longer than this.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct HeadTimer {
    /// How many exchanges were there before the head that is waited for, and until when.
    waiting: Option<(u32, Instant)>,
    timer: Timer,
}

impl HeadTimer {
    /// To be called when there is nothing to read; ready if the client had its time. While it is
    /// `held` by a fault its time does not run, and afterwards it begins anew.
    pub(super) fn poll(&mut self, ctl: &ConnCtl, held: bool, cx: &mut Context<'_>) -> Poll<()> {
        if held || ctl.stand() != Stand::Idle {
            self.waiting = None;
            return Poll::Pending;
        }
        let before = ctl.exchanges();
        let until = match self.waiting {
            Some((exchanges, until)) if exchanges == before => until,
            _ => Instant::now() + HEAD_TIMEOUT,
        };
        self.waiting = Some((before, until));
        self.timer.poll_at(until, cx)
    }
}
