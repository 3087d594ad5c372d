//! The calm before the faults: what a client does when nothing is wrong.

use crate::verdict::{attempt::Attempt, operation::Operation};
use hdrhistogram::Histogram;

/// Latencies are told to three digits, up to an hour.
const LONGEST_MICROS: u64 = 3_600_000_000;

/// What was seen in calm.
#[derive(Clone, Debug)]
pub struct Baseline {
    /// Operations.
    pub operations: u64,
    /// Those that were served.
    pub served: u64,
    /// Attempts.
    pub attempts: u64,
    /// Their attempts that were served.
    pub attempts_served: u64,
    /// How long attempts took, in microseconds, of those that were served.
    latency: Histogram<u64>,
    /// How long the proxy took to pass an answer on once it had it.
    own: Histogram<u64>,
}

impl Default for Baseline {
    fn default() -> Self {
        let histogram = || {
            Histogram::new_with_max(LONGEST_MICROS, 3)
                .expect("the bounds are constants that the histogram allows")
        };
        Self {
            operations: 0,
            served: 0,
            attempts: 0,
            attempts_served: 0,
            latency: histogram(),
            own: histogram(),
        }
    }
}

impl Baseline {
    pub(super) fn attempt(&mut self, attempt: &Attempt) {
        self.attempts += 1;
        if attempt.is_served() {
            self.attempts_served += 1;
            let took = u64::try_from(attempt.took().as_micros()).unwrap_or(u64::MAX);
            self.latency.saturating_record(took.clamp(1, LONGEST_MICROS));
        }
        if attempt.answered > 0 && attempt.told >= attempt.answered {
            self.own.saturating_record((attempt.told - attempt.answered).max(1));
        }
    }

    pub(super) fn operation(&mut self, operation: &Operation) {
        self.operations += 1;
        self.served += u64::from(operation.is_served());
    }

    /// The time, in seconds, that so many of the attempts took at most; `None` if none was served.
    pub fn latency(&self, quantile: f64) -> Option<f64> {
        if self.latency.is_empty() {
            return None;
        }
        Some(self.latency.value_at_quantile(quantile) as f64 / 1e6)
    }

    /// The time, in seconds, that the proxy took for itself at most in so many of the attempts.
    pub fn own_latency(&self, quantile: f64) -> Option<f64> {
        if self.own.is_empty() {
            return None;
        }
        Some(self.own.value_at_quantile(quantile) as f64 / 1e6)
    }

    /// The share of served attempts that took longer than so many seconds.
    pub fn longer_than(&self, seconds: f64) -> f64 {
        if self.latency.is_empty() {
            return 0.0;
        }
        let micros = crate::verdict::micros(seconds);
        1.0 - self.latency.quantile_below(micros)
    }
}
