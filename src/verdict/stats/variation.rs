//! How sure a coefficient of variation is.

use crate::verdict::stats::Interval;
use crate::verdict::stats::distribution::chi_squared_sf;

/// How many times an interval is halved.
const HALVINGS: usize = 100;

/// A coefficient of variation K of `freedom` degrees with each bound at a one-sided `level`:
/// K/√(((u + 2)/n − 1)·K² + u/ν) with u the quantiles of χ² of ν degrees and n = ν + 1 (Vangel,
/// "Confidence Intervals for a Normal Coefficient of Variation", The American Statistician 50,
/// 1996). `None` without a degree of freedom.
///
/// It is made for normal values. Uniform ones, as jitter makes them, scatter less, and the bounds
/// are wider than they need be.
pub fn variation_interval(cv: f64, freedom: u64, level: f64) -> Option<Interval> {
    let sound = cv >= 0.0 && cv.is_finite() && level > 0.0 && level < 1.0;
    if freedom == 0 || !sound {
        return None;
    }
    let degrees = freedom as f64;
    let bound = |u: f64| {
        let square = ((u + 2.0) / (degrees + 1.0) - 1.0) * cv * cv + u / degrees;
        if square > 0.0 { cv / square.sqrt() } else { f64::INFINITY }
    };
    let low = bound(chi_squared_quantile(level, degrees));
    let high = bound(chi_squared_quantile(1.0 - level, degrees));
    Some(Interval { low: low.min(cv), value: cv, high: high.max(cv) })
}

/// What χ² of so many degrees is at most with chance `p`.
fn chi_squared_quantile(p: f64, freedom: f64) -> f64 {
    let (mut low, mut high) = (0.0_f64, 10.0 * freedom + 100.0);
    for _ in 0..HALVINGS {
        let middle = low.midpoint(high);
        if chi_squared_sf(middle, freedom) > 1.0 - p {
            low = middle;
        } else {
            high = middle;
        }
    }
    low.midpoint(high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::{Dice, Purpose, Seed};
    use rand::RngExt;

    /// R: qchisq(c(.05, .95), c(4, 29)).
    #[test]
    fn the_quantiles_are_those_of_the_tables() {
        for (p, freedom, want) in [(0.05, 4.0, 0.7107), (0.95, 4.0, 9.4877), (0.95, 29.0, 42.557)] {
            let got = chi_squared_quantile(p, freedom);
            assert!((got - want).abs() < 1e-3, "{got}, not {want}");
        }
    }

    /// For small K the bounds are those of a deviation: K·√(ν/u).
    #[test]
    fn of_little_variation_the_bounds_are_those_of_a_deviation() {
        let got = variation_interval(0.01, 29, 0.95).unwrap();
        assert!((got.low / 0.01 - (29.0_f64 / 42.557).sqrt()).abs() < 1e-3, "{got:?}");
        assert!((got.high / 0.01 - (29.0_f64 / 17.708).sqrt()).abs() < 1e-3, "{got:?}");
    }

    /// Jitter of a fifth each way varies by 0.115; each bound may miss it in one run of twenty.
    #[test]
    fn the_bounds_hold_of_jitter() {
        let mut rng = Dice::new(Seed(5), "variation").rng(Purpose::Resample);
        let (mut above, mut below) = (0, 0);
        for _ in 0..400 {
            let waits: Vec<f64> = (0..12).map(|_| rng.random_range(0.8..1.2)).collect();
            let mean = waits.iter().sum::<f64>() / 12.0;
            let square: f64 = waits.iter().map(|wait| (wait - mean).powi(2)).sum();
            let got = variation_interval((square / 11.0).sqrt() / mean, 11, 0.95).unwrap();
            above += u32::from(got.low > 0.1155);
            below += u32::from(got.high < 0.1155);
        }
        assert!(above <= 30 && below <= 30, "{above} above, {below} below");
    }

    #[test]
    fn nothing_is_said_of_nothing() {
        assert_eq!(variation_interval(0.1, 0, 0.95), None);
        assert_eq!(variation_interval(f64::NAN, 3, 0.95), None);
        assert_eq!(variation_interval(0.1, 3, 1.0), None);
        assert_eq!(variation_interval(0.0, 3, 0.95), Some(Interval::exact(0.0)));
    }
}
