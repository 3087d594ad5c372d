//! The three numbers of a play, counted plainly from what was recorded and what is known.

use crate::cell::Played;
use std::{ops::Range, time::Duration};

/// Seconds before the fault begins.
pub(crate) const BASE: f64 = 100.0;
/// When the fault ends, in seconds.
pub(crate) const FAULT_END: f64 = 280.0;
/// How long the load takes to tell what the fault makes of it, in seconds.
const SETTLING: f64 = 5.0;

/// How much a client asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numbers {
    /// Attempts per operation whose first attempt fell into the fault.
    pub(crate) amplification: f64,
    /// Attempts per second in the fault, in those of the calm before.
    pub(crate) load_factor: f64,
    /// Attempts in the busiest second of the first minute after the fault, in the same.
    pub(crate) overshoot: f64,
}

/// Counts them.
pub(crate) fn count(played: &Played) -> Numbers {
    let mut times: Vec<f64> =
        played.exchanges().map(|exchange| exchange.t_head as f64 / 1e6).collect();
    times.sort_by(f64::total_cmp);
    let within = |range: Range<f64>| {
        times.partition_point(|at| *at < range.end) - times.partition_point(|at| *at < range.start)
    };
    let base = within(0.0..BASE) as f64 / BASE;
    let settled = BASE + SETTLING;
    let starts = (0..236).map(|step| FAULT_END + 0.05 + 0.25 * f64::from(step));
    let busiest = starts.map(|at| within(at..at + 1.0)).max().unwrap_or_default();
    Numbers {
        amplification: amplification(played, BASE..FAULT_END),
        load_factor: within(settled..FAULT_END) as f64 / (FAULT_END - settled) / base,
        overshoot: busiest as f64 / base,
    }
}

/// Attempts per operation whose first attempt fell into these seconds.
pub(crate) fn amplification(played: &Played, seconds: Range<f64>) -> f64 {
    let range = Duration::from_secs_f64(seconds.start)..Duration::from_secs_f64(seconds.end);
    let operations = played.truth.operations();
    let operations = operations.iter().filter(|operation| range.contains(&operation.first));
    let (count, attempts) =
        operations.fold((0, 0), |(count, sum), operation| (count + 1, sum + operation.attempts));
    attempts as f64 / f64::from(count)
}
