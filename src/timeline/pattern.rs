//! On and off inside a phase: `pattern: { every: 10s, on: 3s }`.

use crate::{timeline::Moment, units::show_duration};
use std::time::Duration;

/// A fault that flaps: on at the start of every period, off for the rest of it.
///
/// Periods are scenario time: they belong to the phase's own shape, so `--speed` compresses them
/// with it, and a phase that says `compress: no` keeps them real.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pattern {
    every: Duration,
    on: Duration,
}

impl Pattern {
    /// A pattern of `on` in `every`; `None` unless `0 < on <= every`.
    pub fn new(every: Duration, on: Duration) -> Option<Self> {
        (on > Duration::ZERO && on <= every).then_some(Self { every, on })
    }

    /// Whether the fault is on at `moment`.
    pub fn is_on(&self, moment: &Moment) -> bool {
        self.within(moment.elapsed) < self.on
    }

    /// How much of the time the fault is on.
    pub fn duty(&self) -> f64 {
        self.on.as_secs_f64() / self.every.as_secs_f64()
    }

    /// Scenario time from `elapsed` to the next change between on and off.
    pub fn until_change(&self, elapsed: Duration) -> Duration {
        let within = self.within(elapsed);
        if within < self.on {
            self.on.saturating_sub(within)
        } else {
            self.every.saturating_sub(within)
        }
    }

    /// As a reader would say it.
    pub fn show(&self) -> String {
        format!("{} of every {}", show_duration(self.on), show_duration(self.every))
    }

    fn within(&self, elapsed: Duration) -> Duration {
        let nanos = elapsed.as_nanos() % self.every.as_nanos();
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment {
            elapsed: Duration::from_millis(millis),
            length: Duration::from_secs(60),
            run: Duration::ZERO,
        }
    }

    #[test]
    fn on_comes_first_and_its_end_is_exact() {
        let flap = Pattern::new(Duration::from_secs(10), Duration::from_secs(3)).expect("fits");
        assert!(flap.is_on(&at(0)));
        assert!(flap.is_on(&at(2_999)));
        assert!(!flap.is_on(&at(3_000)));
        assert!(!flap.is_on(&at(9_999)));
        assert!(flap.is_on(&at(10_000)));
    }

    #[test]
    fn a_pattern_that_never_rests_or_never_works_is_refused() {
        assert!(Pattern::new(Duration::from_secs(1), Duration::from_secs(2)).is_none());
        assert!(Pattern::new(Duration::from_secs(1), Duration::ZERO).is_none());
    }
}
