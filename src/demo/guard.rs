//! What keeps a client from making an outage worse: a retry budget and a circuit breaker.

use std::time::Duration;
use tokio::time::Instant;

/// Retries paid for by what goes well: each deposit saves a tenth of a retry.
///
/// Counted in tenths of a retry, since tenths of a float do not add up to one.
#[derive(Debug)]
pub(super) struct Budget {
    tenths: u32,
}

impl Budget {
    /// The price of a retry.
    const RETRY: u32 = 10;
    /// The most retries it saves: a long calm must not pay for a storm.
    pub(super) const MOST: u32 = 10;

    /// A budget for so many retries at first.
    pub(super) const fn of(retries: u32) -> Self {
        Self { tenths: retries * Self::RETRY }
    }

    /// Saves a tenth of a retry.
    pub(super) fn deposit(&mut self) {
        self.tenths = (Self::MOST * Self::RETRY).min(self.tenths + 1);
    }

    /// Takes a retry out, if there is one.
    pub(super) fn withdraw(&mut self) -> bool {
        let rest = self.tenths.checked_sub(Self::RETRY);
        self.tenths = rest.unwrap_or(self.tenths);
        rest.is_some()
    }
}

/// Stops asking a service that fails, and lets one attempt try it now and then.
#[derive(Debug)]
pub(super) struct Breaker {
    /// How long it stays open before a trial, and then before the next.
    open: Duration,
    failures: u32,
    open_until: Option<Instant>,
}

impl Breaker {
    /// Failures in a row that open it.
    const FAILURES: u32 = 5;

    pub(super) const fn new(open: Duration) -> Self {
        Self { open, failures: 0, open_until: None }
    }

    /// Whether an attempt may go out at `now`. If it is a trial, it is the only one for a while;
    /// its failure opens the breaker anew.
    pub(super) fn lets_pass(&mut self, now: Instant) -> bool {
        let Some(until) = self.open_until else { return true };
        let trial = until <= now;
        if trial {
            self.opens(now);
        }
        trial
    }

    pub(super) fn success(&mut self) {
        *self = Self::new(self.open);
    }

    pub(super) fn failure(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= Self::FAILURES {
            self.opens(now);
        }
    }

    fn opens(&mut self, now: Instant) {
        // One that never closes is open until the end of time.
        self.open_until = Some(now.checked_add(self.open).unwrap_or(now + NEVER));
    }
}

/// Longer than any drill.
const NEVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: Duration = Duration::from_secs(2);

    #[test]
    fn a_budget_gives_its_reserve_and_then_one_retry_in_ten_operations() {
        let mut budget = Budget::of(2);

        let retries = (0..100).filter(|_| {
            budget.deposit();
            budget.withdraw()
        });

        assert_eq!(retries.count(), 12);
    }

    #[test]
    fn a_long_calm_saves_ten_retries_at_most() {
        let mut budget = Budget::of(2);
        for _ in 0..10_000 {
            budget.deposit();
        }
        assert_eq!((0..100).filter(|_| budget.withdraw()).count(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_breaker_opens_at_five_failures_in_a_row_and_closes_at_a_success() {
        let (mut breaker, start) = (Breaker::new(OPEN), Instant::now());
        for _ in 0..4 {
            breaker.failure(start);
        }
        breaker.success();
        for _ in 0..4 {
            breaker.failure(start);
        }
        assert!(breaker.lets_pass(start));

        breaker.failure(start);
        let trial = start + OPEN;
        assert!(!breaker.lets_pass(trial - Duration::from_millis(1)));
        assert!(breaker.lets_pass(trial));
        assert!(!breaker.lets_pass(trial), "one trial at a time");

        breaker.failure(trial);
        assert!(!breaker.lets_pass(trial));

        breaker.success();
        breaker.failure(trial);
        assert!(breaker.lets_pass(trial));
    }
}
