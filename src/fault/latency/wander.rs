//! A smooth random walk: where in its distribution a link's delay is at a time.
//!
//! Independent normal numbers stand at knots half a period apart. The walk is their average, weighted
//! by a bell around the time asked for and divided by its own standard deviation; so it is standard
//! normal at *every* time, and its quantile is uniform. It is a function of time and of nothing
//! else: every connection agrees, and one can seek to any time.

use crate::{
    dice::{Dice, Purpose},
    fault::{distribution::uniform, normal},
};
use std::{f64::consts::PI, time::Duration};

/// A walk that nearly forgets where it was within a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wander {
    /// The period, in run time; never zero.
    pub(super) period: Duration,
}

impl Wander {
    /// The quantile at a run time; `shared` is the dice of the fault as a whole.
    pub(super) fn quantile(self, shared: Dice, run: Duration) -> f64 {
        let step = (self.period / 2).max(Duration::from_nanos(1)).as_nanos();
        let knot = u64::try_from(run.as_nanos() / step).unwrap_or(u64::MAX);
        let within = (run.as_nanos() % step) as f64 / step as f64;
        let (mut sum, mut squares) = (0.0, 0.0);
        for (offset, place) in [(0_u64, -1.0), (1, 0.0), (2, 1.0), (3, 2.0)] {
            // A bell that is zero, and level, two knots away: no kink where a knot enters or leaves.
            let weight = 1.0 + (PI / 2.0 * (within - place)).cos();
            let value = shared.of(knot.wrapping_add(offset), 0).point(Purpose::Weather);
            sum += weight * normal::quantile(uniform(value));
            squares += weight * weight;
        }
        normal::cdf(sum / squares.sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::Seed;

    fn walk(seed: u64, millis: u64) -> f64 {
        let wander = Wander { period: Duration::from_secs(20) };
        wander.quantile(Dice::new(Seed(seed), "latency"), Duration::from_millis(millis))
    }

    /// Over many walks the quantile at a time is uniform, between knots as at them. With 4000 walks
    /// a share of a tenth has a standard deviation of 0.5 %; four of those are allowed.
    #[test]
    fn the_quantile_is_uniform_at_every_time() {
        for millis in [0, 2_500, 5_000, 7_300, 1_234_567] {
            let mut tenths = [0_u32; 10];
            for seed in 0..4_000 {
                let tenth = (walk(seed, millis) * 10.0).floor();
                let index = (0..10_u32).find(|n| f64::from(*n) >= tenth).unwrap_or(9);
                tenths[index as usize] += 1;
            }
            for count in tenths {
                assert!((324..=476).contains(&count), "at {millis} ms: {tenths:?}");
            }
        }
    }

    #[test]
    fn it_moves_smoothly() {
        for seed in 0..20 {
            for millis in (0..200_000).step_by(100) {
                let step = (walk(seed, millis + 100) - walk(seed, millis)).abs();
                // A tenth of a second is 1 % of the way between knots, which lie within ±4.
                assert!(step < 0.04, "a jump of {step} at {millis} ms");
            }
        }
    }

    /// Correlation 1 nearby, 1/6 after a period, none after two; 3000 pairs have a standard
    /// deviation of 0.018, four of which are allowed.
    #[test]
    fn it_forgets_within_two_periods() {
        let correlation = |lag: u64| {
            let pairs =
                (0..3_000).map(|seed| (walk(seed, 7_000) - 0.5, walk(seed, 7_000 + lag) - 0.5));
            pairs.map(|(a, b)| a * b).sum::<f64>() / 3_000.0 * 12.0
        };
        assert!(correlation(500) > 0.9, "{}", correlation(500));
        assert!((correlation(20_000) - 1.0 / 6.0).abs() < 0.075, "{}", correlation(20_000));
        assert!(correlation(40_000).abs() < 0.075, "{}", correlation(40_000));
    }
}
