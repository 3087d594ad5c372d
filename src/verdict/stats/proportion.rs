//! How sure a share is, and how sure it is that what was never seen is rare.

use crate::verdict::stats::Interval;
use crate::verdict::stats::distribution::normal_quantile;

/// Wilson's score interval of a share, `hits` of `all`, `z` standard errors to each side:
/// (p + z²/2n ± z·√(p(1 − p)/n + z²/4n²)) / (1 + z²/n). `None` of nothing.
///
/// Wilson, "Probable Inference, the Law of Succession, and Statistical Inference" (1927); it keeps
/// its promise at small n and near 0 and 1, where p ± z·√(p(1 − p)/n) does not.
pub fn wilson(hits: u64, all: u64, z: f64) -> Option<Interval> {
    if all == 0 || !z.is_finite() {
        return None;
    }
    let n = all as f64;
    let share = hits.min(all) as f64 / n;
    let square = z * z / n;
    let centre = share + square / 2.0;
    let reach = z.abs() * (share * (1.0 - share) / n + square / (4.0 * n)).sqrt();
    let bound = |at: f64| (at / (1.0 + square)).clamp(0.0, 1.0);
    // Rounding must not move a bound past the share, which is where it stands at 0 and at 1.
    let low = bound(centre - reach).min(share);
    let high = bound(centre + reach).max(share);
    Some(Interval { low, value: share, high })
}

/// [`wilson`] with each bound at a one-sided `level`: z = Φ⁻¹(level), 1.645 at 0.95, 2.326 at 0.99.
pub fn wilson_at(hits: u64, all: u64, level: f64) -> Option<Interval> {
    wilson(hits, all, normal_quantile(level))
}

/// How often something may happen that was never seen in `all` tries: 1 − (1 − level)^(1/n), the
/// share at which seeing nothing has a chance of 1 − level. 1 of no tries.
pub fn unseen_upper(all: u64, level: f64) -> f64 {
    if all == 0 || !(0.0..1.0).contains(&level) {
        return 1.0;
    }
    -((-level).ln_1p() / all as f64).exp_m1()
}

/// In how many tries something must go unseen before it is surely at most `share`: the least n
/// with [`unseen_upper`] ≤ `share`. `None` if no number would do.
pub fn needed_for_unseen(share: f64, level: f64) -> Option<u64> {
    if !(share > 0.0 && (0.0..1.0).contains(&level)) {
        return None;
    }
    if share >= 1.0 {
        return Some(0);
    }
    whole((-level).ln_1p() / (-share).ln_1p())
}

/// The least whole number that is not below `n`, but for the rounding of a logarithm.
pub(super) fn whole(n: f64) -> Option<u64> {
    let up = (n * (1.0 - 1e-12)).ceil();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within bounds")]
    (0.0..1e18).contains(&up).then_some(up as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::stats::distribution::binomial_cdf;
    use proptest::prelude::*;

    #[track_caller]
    fn near(got: f64, want: f64) {
        assert!((got - want).abs() < 5e-4, "{got}, not {want}");
    }

    /// Newcombe, "Two-sided confidence intervals for the single proportion" (1998), table I.
    #[test]
    fn wilson_gives_the_published_bounds() {
        for (hits, all, low, high) in
            [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)]
        {
            let share = wilson(hits, all, 1.959_964).unwrap();
            near(share.low, low);
            near(share.high, high);
        }
        let all = wilson_at(29, 29, 0.95).unwrap();
        near(all.low, 29.0 / (29.0 + 1.644_854_f64.powi(2)));
        near(all.high, 1.0);
        assert_eq!(wilson_at(0, 0, 0.95), None);
        assert_eq!(wilson_at(1, 2, f64::NAN), None);
        assert_eq!(wilson_at(1, 2, 1.0), None);
    }

    #[test]
    fn never_seen_is_not_never() {
        for (all, upper) in
            [(5, 0.4507), (10, 0.2589), (30, 0.0950), (59, 0.0495), (299, 0.00997), (0, 1.0)]
        {
            near(unseen_upper(all, 0.95), upper);
        }
        near(unseen_upper(10, f64::NAN), 1.0);
    }

    #[test]
    fn as_many_as_it_takes_and_not_one_more() {
        for (share, needed) in [(0.1, 29), (0.05, 59), (0.01, 299), (0.001, 2995)] {
            assert_eq!(needed_for_unseen(share, 0.95), Some(needed));
            assert!(unseen_upper(needed, 0.95) <= share && unseen_upper(needed - 1, 0.95) > share);
        }
        assert_eq!(needed_for_unseen(1.0, 0.95), Some(0));
        for (share, level) in [(0.0, 0.95), (-1.0, 0.95), (f64::NAN, 0.95), (0.1, 1.0)] {
            assert_eq!(needed_for_unseen(share, level), None);
        }
        assert_eq!(needed_for_unseen(0.5, 0.5), Some(1), "exactly one, whatever a logarithm says");
    }

    /// What a level promises: the bound lies above the truth in that share of samples.
    #[test]
    fn an_upper_bound_holds_as_often_as_it_says() {
        for truth in [0.05, 0.3, 0.9] {
            let missed = (0..=100)
                .filter(|&hits| wilson_at(hits, 100, 0.95).unwrap().high < truth)
                .map(|hits| {
                    let below = if hits == 0 { 0.0 } else { binomial_cdf(hits - 1, 100, truth) };
                    binomial_cdf(hits, 100, truth) - below
                })
                .sum::<f64>();
            assert!((0.01..0.08).contains(&missed), "{truth}: {missed}");
        }
    }

    proptest! {
        #[test]
        fn the_share_lies_between_its_bounds(hits: u64, all: u64, z in -1e3..1e3) {
            if let Some(Interval { low, value, high }) = wilson(hits, all, z) {
                prop_assert!(0.0 <= low && low <= value && value <= high && high <= 1.0);
            }
        }
    }
}
