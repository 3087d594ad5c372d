//! What keeps a client from making an outage worse: a retry budget and a circuit breaker.

use std::time::Duration;
use tokio::time::Instant;

/// Retries as a share of operations: each operation saves a tenth of a retry.
///
/// Counted in tenths of a retry, since tenths of a float do not add up to one.
#[derive(Debug)]
pub(super) struct Budget {
    tenths: u32,
}

impl Budget {
    /// The price of a retry.
    const RETRY: u32 = 10;
    /// A client that has hardly begun may retry twice.
    const RESERVE: u32 = 2 * Self::RETRY;
    /// A long calm must not pay for a storm.
    const MOST: u32 = 10 * Self::RETRY;

    pub(super) const fn new() -> Self {
        Self { tenths: Self::RESERVE }
    }

    /// An operation begins.
    pub(super) fn deposit(&mut self) {
        self.tenths = Self::MOST.min(self.tenths + 1);
    }

    /// Takes a retry out, if there is one.
    pub(super) fn withdraw(&mut self) -> bool {
        let rest = self.tenths.checked_sub(Self::RETRY);
        self.tenths = rest.unwrap_or(self.tenths);
        rest.is_some()
    }
}

/// Stops asking a service that fails, and lets one operation try it now and then.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    open_until: Option<Instant>,
}

impl Breaker {
    /// Failures in a row that open it.
    const FAILURES: u32 = 5;
    /// How long it stays open before the next trial.
    pub(super) const OPEN: Duration = Duration::from_secs(2);

    /// Whether an attempt may go out at `now`. One failure after the pause opens it anew.
    pub(super) fn lets_pass(&self, now: Instant) -> bool {
        self.open_until.is_none_or(|until| until <= now)
    }

    pub(super) fn success(&mut self) {
        *self = Self::default();
    }

    pub(super) fn failure(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= Self::FAILURES {
            self.open_until = Some(now + Self::OPEN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_gives_its_reserve_and_then_one_retry_in_ten_operations() {
        let mut budget = Budget::new();

        let retries = (0..100).filter(|_| {
            budget.deposit();
            budget.withdraw()
        });

        assert_eq!(retries.count(), 12);
    }

    #[test]
    fn a_long_calm_saves_ten_retries_at_most() {
        let mut budget = Budget::new();
        for _ in 0..10_000 {
            budget.deposit();
        }
        assert_eq!((0..100).filter(|_| budget.withdraw()).count(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_breaker_opens_at_five_failures_in_a_row_and_closes_at_a_success() {
        let (mut breaker, start) = (Breaker::default(), Instant::now());
        for _ in 0..4 {
            breaker.failure(start);
        }
        breaker.success();
        for _ in 0..4 {
            breaker.failure(start);
        }
        assert!(breaker.lets_pass(start));

        breaker.failure(start);
        let trial = start + Breaker::OPEN;
        assert!(!breaker.lets_pass(trial - Duration::from_millis(1)));
        assert!(breaker.lets_pass(trial));

        breaker.failure(trial);
        assert!(!breaker.lets_pass(trial));

        breaker.success();
        breaker.failure(trial);
        assert!(breaker.lets_pass(trial));
    }
}
