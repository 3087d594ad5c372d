//! What was dealt to a connection's handshake, and to which of its exchanges that is told.

use crate::{engine::Welcome, event::Dealt, fault::Flaw, proxy::ctl::ConnCtl};
use std::sync::Arc;

/// A handshake inside a tunnel.
#[derive(Debug)]
pub(super) struct Inside {
    /// The exchanges that came before it.
    after: u32,
    dealt: Welcome,
}

impl ConnCtl {
    /// A handshake begins inside the tunnel that the connection became: deals to it.
    pub(in crate::proxy) fn shakes_inside(&self) {
        let dealt = self.injector.handshake(self.key);
        let inside = Inside { after: self.exchanges(), dealt };
        // There is one tunnel and no more.
        let _first = self.inside.set(Box::new(inside));
    }

    /// What goes wrong with the handshake that requests come after, and whose doing that is.
    pub(in crate::proxy) fn flaw(&self) -> Option<&(Flaw, Arc<str>)> {
        match self.inside.get() {
            Some(inside) => inside.dealt.flaw.as_ref(),
            None => self.welcome.flaw.as_ref(),
        }
    }

    /// Whether nothing was asked since the connection was made, or since it became a tunnel that is read.
    pub(in crate::proxy) fn is_unasked(&self) -> bool {
        self.exchanges() == self.inside.get().map_or(0, |inside| inside.after)
    }

    /// What was dealt before any request, if this is the exchange that it is told with: the first, and
    /// the first inside a tunnel.
    pub(in crate::proxy) fn dealt_before(&self, seq: u32) -> Vec<Dealt> {
        match self.inside.get() {
            Some(inside) if seq == inside.after + 1 => inside.dealt.dealt.clone(),
            None if seq == 1 => self.welcome.dealt.clone(),
            _ => Vec::new(),
        }
    }
}
