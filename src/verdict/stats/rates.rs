//! How many times faster one thing happens than another.

use crate::verdict::stats::Interval;
use crate::verdict::stats::distribution::beta_quantile;

/// Events counted over an exposure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observed {
    /// How many happened.
    pub events: u64,
    /// For how long, or over how much, they were counted; in the unit of its counterpart.
    pub exposure: f64,
}

/// The rate of `this` over the rate of `base`, each bound exact at a one-sided `level`; the upper
/// one is infinite if nothing happened in `base`. `None` if nothing happened at all, or one was not
/// exposed.
///
/// Given their sum, the first of two Poisson counts is binomial, with the odds λ₁t₁ : λ₂t₂
/// (Przyborowski and Wilenski 1940); Clopper and Pearson's bounds on that share, the quantiles of
/// Beta(x₁, x₂ + 1) and Beta(x₁ + 1, x₂), are bounds on λ₁/λ₂ = share/(1 − share)·t₂/t₁.
///
/// It takes arrivals to be independent. Retries are not: compare rates of first attempts, or say
/// that the bounds are too narrow.
pub fn rate_ratio(this: Observed, base: Observed, level: f64) -> Option<Interval> {
    let exposed = |seen: Observed| seen.exposure > 0.0 && seen.exposure.is_finite();
    if !(exposed(this) && exposed(base) && level > 0.0 && level < 1.0) {
        return None;
    }
    if this.events == 0 && base.events == 0 {
        return None;
    }
    let (one, two) = (this.events as f64, base.events as f64);
    let times = base.exposure / this.exposure;
    let odds = |share: f64| if share < 1.0 { share / (1.0 - share) * times } else { f64::INFINITY };
    Some(Interval {
        low: if this.events == 0 { 0.0 } else { odds(beta_quantile(1.0 - level, one, two + 1.0)) },
        value: if base.events == 0 { f64::INFINITY } else { one / two * times },
        high: if base.events == 0 {
            f64::INFINITY
        } else {
            odds(beta_quantile(level, one + 1.0, two))
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seen(events: u64, exposure: f64) -> Observed {
        Observed { events, exposure }
    }

    #[track_caller]
    fn near(got: Interval, low: f64, value: f64, high: f64, error: f64) {
        for (got, want) in [(got.low, low), (got.value, value), (got.high, high)] {
            let close = (got - want).abs() <= error * want.abs();
            assert!(close || (got.is_infinite() && want.is_infinite()), "{got}, not {want}");
        }
    }

    /// Against SciPy's `beta.ppf`.
    #[test]
    fn bounds_are_those_of_clopper_and_pearson() {
        let ratio = |this, base| rate_ratio(this, base, 0.95).unwrap();
        let inf = f64::INFINITY;
        near(ratio(seen(120, 60.0), seen(100, 100.0)), 1.586_981_78, 2.0, 2.523_368_46, 1e-7);
        near(ratio(seen(0, 10.0), seen(20, 10.0)), 0.0, 0.0, 0.161_586_35, 1e-7);
        near(ratio(seen(5, 1.0), seen(0, 1.0)), 1.218_673_68, inf, inf, 1e-7);
        let many = ratio(seen(3_000_000, 180.0), seen(1_000_000, 100.0));
        near(many, 1.663_503_36, 5.0 / 3.0, 1.669_836_63, 1e-6);
    }

    #[test]
    fn nothing_is_said_of_nothing() {
        assert_eq!(rate_ratio(seen(0, 1.0), seen(0, 1.0), 0.95), None);
        for exposure in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(rate_ratio(seen(1, exposure), seen(1, 1.0), 0.95), None);
            assert_eq!(rate_ratio(seen(1, 1.0), seen(1, exposure), 0.95), None);
        }
        assert_eq!(rate_ratio(seen(1, 1.0), seen(1, 1.0), 1.0), None);
    }

    proptest! {
        #[test]
        fn the_ratio_lies_between_its_bounds(
            one in 0..50_000_000_u64, two in 0..50_000_000_u64, a in 0.1..1e4, b in 0.1..1e4,
        ) {
            if let Some(Interval { low, value, high }) = rate_ratio(seen(one, a), seen(two, b), 0.95) {
                prop_assert!(0.0 <= low && low <= value && value <= high);
            }
        }
    }
}
