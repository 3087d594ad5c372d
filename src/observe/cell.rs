//! The figures of one phase and target.

use crate::event::{Exchange, Outcome};
use hdrhistogram::Histogram;
use std::{collections::BTreeMap, time::Duration};

/// Latencies are told to two significant digits, up to an hour.
const LONGEST_MICROS: u64 = 3_600_000_000;

/// Counts and latencies.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Exchanges.
    pub requests: u64,
    /// How they went.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Those into which something was injected, or into the tunnel that they became.
    pub injected: u64,
    /// From the request's head to the exchange's end, in microseconds, of those that were answered.
    latency: Histogram<u64>,
}

/// A few points of a distribution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// Half are no longer than this.
    pub p50: Duration,
    /// Nine of ten are no longer than this.
    pub p90: Duration,
    /// Ninety-nine of a hundred are no longer than this.
    pub p99: Duration,
    /// None is longer.
    pub max: Duration,
}

impl Default for Cell {
    fn default() -> Self {
        Self {
            requests: 0,
            outcomes: BTreeMap::new(),
            injected: 0,
            latency: Histogram::new_with_max(LONGEST_MICROS, 2)
                .expect("the bounds are constants that the histogram allows"),
        }
    }
}

impl Cell {
    pub(super) fn add(&mut self, exchange: &Exchange, outcome: Outcome) {
        self.requests += 1;
        self.injected += u64::from(exchange.injected());
        *self.outcomes.entry(outcome).or_default() += 1;
        if exchange.status > 0 {
            let took = exchange.t_end.saturating_sub(exchange.t_head).clamp(1, LONGEST_MICROS);
            self.latency.saturating_record(took);
        }
    }

    /// How many ended so.
    pub fn count(&self, outcome: Outcome) -> u64 {
        self.outcomes.get(&outcome).copied().unwrap_or(0)
    }

    /// The latency of those that were answered; `None` if none was.
    pub fn latency(&self) -> Option<Latency> {
        if self.latency.is_empty() {
            return None;
        }
        let at = |q: f64| Duration::from_micros(self.latency.value_at_quantile(q));
        Some(Latency { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1.0) })
    }
}
