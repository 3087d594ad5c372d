//! What the best client could have had.

use crate::verdict::{attempt::Attempt, course::Course, detect::service::PATIENCE};
use std::{fmt::Debug, time::Duration};

/// Knows what a drill would have done to an attempt.
pub trait Oracle: Debug + Send {
    /// The probability that an attempt of this user, meant by these targets, would have been denied
    /// by what was injected, `later` than `elapsed` real time after `phase` began; `None` if that
    /// depends on what others did.
    fn denied(
        &self,
        user: u64,
        targets: u64,
        phase: usize,
        elapsed: Duration,
        later: Duration,
    ) -> Option<f64>;
}

/// Nobody knows.
impl Oracle for () {
    fn denied(&self, _: u64, _: u64, _: usize, _: Duration, _: Duration) -> Option<f64> {
        None
    }
}

/// Seconds between the attempts of the best client.
const STEP: usize = 5;

/// The probability that an operation that began with this attempt could have been served within a
/// user's patience, by an attempt now and one every five seconds: 1 − Π f(t + 5k s).
pub(super) fn recoverable(oracle: &dyn Oracle, first: &Attempt, course: &Course) -> Option<f64> {
    let phase = usize::from(first.phase?);
    let begun = course.legs().get(phase)?.begun?;
    let elapsed = Duration::from_micros(first.start.saturating_sub(begun));
    let mut denied = 1.0;
    for second in (0..=PATIENCE).step_by(STEP) {
        let later = Duration::from_secs(second);
        denied *= oracle.denied(first.lot, first.targets, phase, elapsed, later)?;
        if denied <= 0.0 {
            break;
        }
    }
    Some(1.0 - denied)
}
