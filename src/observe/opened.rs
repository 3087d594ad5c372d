//! Exchanges that became tunnels, until it is told what became of these.

use crate::event::Exchange;
use http::Method;
use std::collections::HashMap;

/// What has to be known of them by then: as many as are open.
#[derive(Clone, Debug, Default)]
pub(super) struct Opened(HashMap<Key, Opening>);

/// The proxy, the connection, and the how-manieth exchange on it.
type Key = (u32, u64, u32);

/// An exchange that opened a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opening {
    /// The phase in which it came.
    pub(super) phase: Option<usize>,
    pub(super) targets: u64,
    injected: bool,
}

impl Opened {
    /// Takes an exchange in, if it opened a tunnel.
    pub(super) fn see(&mut self, exchange: &Exchange) {
        let connects = exchange.method == Method::CONNECT && (200..300).contains(&exchange.status);
        if exchange.status == 101 || connects {
            let (phase, targets) = (exchange.phase, exchange.targets);
            let opening = Opening { phase, targets, injected: exchange.injected() };
            self.0.insert(key(exchange), opening);
        }
    }

    /// A tunnel is over. Gives what opened it if something was injected into that, and only now.
    pub(super) fn hurt(&mut self, tunnel: &Exchange) -> Option<Opening> {
        let opening = self.0.remove(&key(tunnel))?;
        (tunnel.injected() && !opening.injected).then_some(opening)
    }
}

fn key(exchange: &Exchange) -> Key {
    (exchange.proxy, exchange.conn, exchange.seq)
}
