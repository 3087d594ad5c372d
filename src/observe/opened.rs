//! Exchanges that switched protocols, until it is told what became of these.
//!
//! A `CONNECT` is none of them: what becomes of its tunnel is told as that of a connection.

use crate::event::Exchange;
use std::collections::HashMap;

/// What has to be known of them by then: as many as are open.
#[derive(Clone, Debug, Default)]
pub(super) struct Opened(HashMap<Key, Opening>);

/// The proxy, the connection, and the how-manieth exchange on it.
type Key = (u32, u64, u32);

/// An exchange that switched protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opening {
    /// The phase in which it came.
    pub(super) phase: Option<usize>,
    pub(super) targets: u64,
    injected: bool,
}

impl Opened {
    /// Takes an exchange in, if it switched protocols.
    pub(super) fn see(&mut self, exchange: &Exchange) {
        if exchange.status == 101 {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{event::Event, observe::read::tests::exchange};
    use http::Method;

    #[test]
    fn only_what_is_told_of_again_is_kept_and_only_until_then() {
        let mut opened = Opened::default();
        for seq in 1..=3 {
            let Event::Exchange(mut exchange) = exchange(1, seq, 1, 2) else {
                panic!("an exchange");
            };
            // A plain one, one that switches protocols, a tunnel that is told of as a connection.
            exchange.status = if seq == 2 { 101 } else { 200 };
            exchange.method = if seq == 3 { Method::CONNECT } else { Method::GET };
            opened.see(&exchange);
            assert_eq!(opened.0.len(), usize::from(seq > 1), "{exchange:?}");
            if seq == 3 {
                exchange.seq = 2;
                opened.hurt(&exchange);
            }
        }
        assert!(opened.0.is_empty());
    }
}
