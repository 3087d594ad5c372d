//! How sure a quantile is, whatever the distribution.
//!
//! How many of n values lie below the p-quantile is Binomial(n, p). So the r-th smallest is an
//! upper bound of it at the level P(Binomial(n, p) ≤ r − 1), and a lower bound at
//! P(Binomial(n, p) ≥ r) (Conover, "Practical Nonparametric Statistics", §3.2).

use crate::verdict::stats::Interval;
use crate::verdict::stats::distribution::binomial_cdf;
use crate::verdict::stats::proportion::whole;

/// What n values say about a quantile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Quantile {
    /// It is about so much, with each bound at the level.
    Estimated(Interval),
    /// There are too few values to bound it.
    NotEstimable {
        /// The largest of them; `None` if there is none.
        max: Option<f64>,
        /// How many there are.
        seen: u64,
        /// How many it takes; `None` if no number does (a quantile of 0 or 1).
        needed: Option<u64>,
    },
}

/// How many values it takes to bound the `p`-quantile on both sides at a one-sided `level`: the
/// least n at which the largest is an upper bound, pⁿ ≤ 1 − level (below the median, the smallest
/// a lower one). For p90, p95, p99 and p99.9 at 95 %: 29, 59, 299, 2995.
pub fn needed_for_quantile(p: f64, level: f64) -> Option<u64> {
    if !(p > 0.0 && p < 1.0 && level > 0.0 && level < 1.0) {
        return None;
    }
    whole((-level).ln_1p() / p.max(1.0 - p).ln()).map(|n| n.max(1))
}

/// The `p`-quantile of `sorted` values, smallest first, with bounds at a one-sided `level`.
pub fn quantile(sorted: &[f64], p: f64, level: f64) -> Quantile {
    quantile_by_rank(sorted.len() as u64, p, level, |rank| {
        let at = usize::try_from(rank - 1).unwrap_or(usize::MAX);
        sorted.get(at).copied().unwrap_or(f64::NAN)
    })
}

/// The same of `n` values of which `at` tells the r-th smallest, from 1 to n: those of a histogram,
/// say. The value is the ⌈pn⌉-th, as `HdrHistogram` counts.
pub fn quantile_by_rank(n: u64, p: f64, level: f64, at: impl Fn(u64) -> f64) -> Quantile {
    let needed = needed_for_quantile(p, level);
    if needed.is_none_or(|needed| n < needed) {
        return Quantile::NotEstimable { max: (n > 0).then(|| at(n)), seen: n, needed };
    }
    let middle = whole(p * n as f64).unwrap_or(n).clamp(1, n);
    // The least rank r with P(Binomial ≤ r − 1) ≥ level; n itself is one, by `needed`.
    let high = first(1, n, |rank| binomial_cdf(rank - 1, n, p) >= level);
    // The greatest with P(Binomial ≤ r − 1) ≤ 1 − level, the one before the first that is above.
    let low = first(1, n, |rank| binomial_cdf(rank - 1, n, p) > 1.0 - level);
    Quantile::Estimated(Interval {
        low: at(low.saturating_sub(1).clamp(1, middle)),
        value: at(middle),
        high: at(high.max(middle)),
    })
}

/// The first of `low..=high` for which `holds`, which it does from there on; `high` if for none.
fn first(mut low: u64, mut high: u64, holds: impl Fn(u64) -> bool) -> u64 {
    while low < high {
        let middle = low.midpoint(high);
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::{Dice, Purpose, Seed};
    use proptest::prelude::*;
    use rand::RngExt;

    fn up_to(n: u32) -> Vec<f64> {
        (1..=n).map(f64::from).collect()
    }

    fn ranks(n: u32, p: f64) -> Interval {
        match quantile(&up_to(n), p, 0.95) {
            Quantile::Estimated(interval) => interval,
            other @ Quantile::NotEstimable { .. } => panic!("{other:?}"),
        }
    }

    #[test]
    fn so_many_it_takes() {
        for (p, needed) in [(0.9, 29), (0.95, 59), (0.99, 299), (0.999, 2995), (0.5, 5), (0.1, 29)]
        {
            assert_eq!(needed_for_quantile(p, 0.95), Some(needed), "{p}");
        }
        for p in [0.0, 1.0, -1.0, f64::NAN] {
            assert_eq!(needed_for_quantile(p, 0.95), None);
        }
        assert_eq!(needed_for_quantile(0.9, 1.0), None);
    }

    #[test]
    fn one_too_few_tells_the_largest_instead() {
        let few = Quantile::NotEstimable { max: Some(28.0), seen: 28, needed: Some(29) };
        assert_eq!(quantile(&up_to(28), 0.9, 0.95), few);
        let none = Quantile::NotEstimable { max: None, seen: 0, needed: Some(29) };
        assert_eq!(quantile(&[], 0.9, 0.95), none);
        let no_quantile = Quantile::NotEstimable { max: Some(3.0), seen: 3, needed: None };
        assert_eq!(quantile(&up_to(3), f64::NAN, 0.95), no_quantile);
    }

    /// Ranks by the binomial: P(B(29, .9) ≤ 28) = .953; P(B(100, .5) ≤ 57) = .933, ≤ 58 = .956,
    /// ≤ 41 = .0443, ≤ 42 = .0666.
    #[test]
    fn bounds_are_the_ranks_of_the_binomial() {
        let nine = ranks(29, 0.9);
        assert_eq!((nine.value, nine.high), (27.0, 29.0));
        let median = ranks(100, 0.5);
        assert_eq!((median.low, median.value, median.high), (42.0, 50.0, 59.0));
    }

    #[test]
    fn ranks_of_a_histogram_are_those_of_its_values() {
        // A million values in ten buckets.
        let by_rank = quantile_by_rank(1_000_000, 0.99, 0.95, |rank| (rank as f64 / 1e5).ceil());
        let Quantile::Estimated(got) = by_rank else { panic!("{by_rank:?}") };
        assert_eq!((got.low, got.value, got.high), (10.0, 10.0, 10.0));
        let all = quantile_by_rank(100, 0.5, 0.95, |rank| rank as f64);
        assert_eq!(all, quantile(&up_to(100), 0.5, 0.95));
    }

    #[test]
    fn bounds_hold_as_often_as_they_say() {
        let mut rng = Dice::new(Seed(5), "order").rng(Purpose::Resample);
        let (mut above, mut below, runs) = (0, 0, 2000);
        for _ in 0..runs {
            let mut values: Vec<f64> = (0..60).map(|_| rng.random_range(0.0..1.0)).collect();
            values.sort_by(f64::total_cmp);
            let Quantile::Estimated(got) = quantile(&values, 0.9, 0.95) else { panic!() };
            above += u32::from(got.low > 0.9);
            below += u32::from(got.high < 0.9);
        }
        // At most 5 %, by the step of a discrete distribution less: .0392 and .0138 are exact.
        assert!((40..=110).contains(&above), "{above} above");
        assert!((10..=60).contains(&below), "{below} below");
    }

    proptest! {
        #[test]
        fn bounds_stand_in_order_and_inside(n in 0..2_000_000_000_u64, p in -0.1..1.1, level in -0.1..1.1) {
            let ask = |rank: u64| { assert!((1..=n).contains(&rank)); rank as f64 };
            match quantile_by_rank(n, p, level, ask) {
                Quantile::Estimated(Interval { low, value, high }) =>
                    prop_assert!(low <= value && value <= high),
                Quantile::NotEstimable { seen, needed, .. } =>
                    prop_assert!(needed.is_none_or(|needed| seen < needed)),
            }
        }
    }
}
