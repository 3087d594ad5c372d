//! How long clients wait before they try again.

use crate::{
    dice,
    event::{Exchange, Outcome},
};
use std::{collections::HashMap, time::Duration};

/// Failures remembered at a time.
const LIMIT: usize = 100_000;
/// A gap longer than this is another operation, not another attempt.
const LONGEST: Duration = Duration::from_secs(180);

/// The time between a failure and the next attempt that looks alike.
#[derive(Clone, Debug, Default)]
pub(super) struct Gaps {
    failed_at: HashMap<u64, u64>,
    longest: u64,
}

impl Gaps {
    pub(super) fn see(&mut self, exchange: &Exchange, outcome: Outcome) {
        let key = exchange.user
            ^ dice::key(exchange.method.as_str().as_bytes()).rotate_left(1)
            ^ exchange.targets.rotate_left(32);
        if let Some(failed) = self.failed_at.remove(&key) {
            let gap = exchange.t_head.saturating_sub(failed);
            if Duration::from_micros(gap) <= LONGEST {
                self.longest = self.longest.max(gap);
            }
        }
        if outcome != Outcome::Ok && self.failed_at.len() < LIMIT {
            self.failed_at.insert(key, exchange.t_end);
        }
    }

    pub(super) fn longest(&self) -> Duration {
        Duration::from_micros(self.longest)
    }
}
