//! Which request is the first on its connection: number one, or the first behind a way that was only a
//! wrapping (a `CONNECT` whose inside is read).

use crate::event::Exchange;
use std::collections::HashMap;

/// Ways that are remembered until the first request comes behind them.
const KEPT: usize = 100_000;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Openings {
    /// By connection, the number of the wrapping.
    wrapped: HashMap<u64, u32>,
}

impl Openings {
    /// Takes an exchange in, and says whether it is the first on its connection.
    pub(super) fn is_first(&mut self, exchange: &Exchange) -> bool {
        if exchange.is_wrapping() {
            if self.wrapped.len() < KEPT {
                self.wrapped.insert(exchange.conn, exchange.seq);
            }
            return false;
        }
        let Some(wrapping) = self.wrapped.get(&exchange.conn) else { return exchange.seq == 1 };
        let is_first = exchange.seq == wrapping + 1;
        if is_first {
            self.wrapped.remove(&exchange.conn);
        }
        is_first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::tests::traffic::{Traffic, ok};
    use http::Method;

    fn exchange(conn: u64, seq: u32) -> Exchange {
        let mut traffic = Traffic::new();
        traffic.add(ok(1, 1.0));
        Exchange { conn, seq, ..traffic.last().clone() }
    }

    fn wrapping(conn: u64, seq: u32) -> Exchange {
        Exchange { method: Method::CONNECT, detail: None, ..exchange(conn, seq) }
    }

    #[test]
    fn number_one_is_the_first() {
        let mut openings = Openings::default();
        let first = [1, 2, 3].map(|seq| openings.is_first(&exchange(7, seq)));
        assert_eq!(first, [true, false, false]);
    }

    /// Streams end in any order.
    #[test]
    fn behind_a_wrapping_it_is_the_one_that_follows() {
        let mut openings = Openings::default();
        assert!(!openings.is_first(&wrapping(7, 1)));
        assert!(!openings.is_first(&wrapping(8, 2)));
        let first = [(7, 3), (7, 2), (7, 4), (8, 3), (8, 3)]
            .map(|(conn, seq)| openings.is_first(&exchange(conn, seq)));
        assert_eq!(first, [false, true, false, true, false]);
        assert!(openings.wrapped.is_empty());
    }
}
