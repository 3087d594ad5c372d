//! How high the busiest of many windows of a steady client stands, by chance alone.

use crate::verdict::stats::distribution::poisson_cdf;

/// The largest multiple of its own mean that the busiest of `windows` reaches in all but 1 − level
/// of runs, of a client that sends `mean` requests per window, steadily and independently: r = c/m
/// with the least c such that P(Poisson(m) ≤ c)^k ≥ level. `None` without windows or requests.
///
/// For windows that do not overlap. Those that slide over the same span see more maxima: by steps
/// of a quarter window, about as many as three times the windows side by side, 3 to 8 % higher.
/// The mean is taken as known: one measured over few windows errs by itself.
pub fn steady_peak(mean: f64, windows: u64, level: f64) -> Option<f64> {
    let meant = mean > 0.0 && mean < 1e15 && level > 0.0 && level < 1.0;
    if !meant || windows == 0 {
        return None;
    }
    // P(max ≤ c) = P(one ≤ c)^k.
    let each = (level.ln() / windows as f64).exp();
    let enough = |count: u64| poisson_cdf(count, mean) >= each;
    let mut high = 1_u64;
    while !enough(high) {
        high = high.checked_mul(2)?;
    }
    let mut low = 0;
    while low < high {
        let middle = low.midpoint(high);
        if enough(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Some(high as f64 / mean)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The 95 % column of a simulation of steady clients, by requests per window and windows. A
    /// count is whole, so a cell may be off by one of it, 1/m.
    #[test]
    fn steady_clients_peak_where_a_simulation_put_them() {
        for (mean, cells) in [
            (5.0, [2.4, 2.6, 3.0]),
            (10.0, [1.9, 2.1, 2.3]),
            (20.0, [1.6, 1.75, 1.9]),
            (50.0, [1.38, 1.48, 1.54]),
            (100.0, [1.27, 1.32, 1.38]),
        ] {
            for (windows, want) in [10, 60, 300].into_iter().zip(cells) {
                let got = steady_peak(mean, windows, 0.95).unwrap();
                assert!(
                    (got - want).abs() <= 1.001 / mean,
                    "{windows} of {mean}: {got}, not {want}"
                );
            }
        }
    }

    /// 4000 runs each of windows that slide by a quarter.
    #[test]
    fn windows_that_slide_peak_as_three_times_as_many() {
        for (mean, cells) in [
            (5.0, [2.6, 2.8, 3.2]),
            (10.0, [2.0, 2.2, 2.4]),
            (20.0, [1.7, 1.85, 2.0]),
            (50.0, [1.44, 1.52, 1.6]),
            (100.0, [1.3, 1.37, 1.41]),
        ] {
            for (windows, want) in [10, 60, 300].into_iter().zip(cells) {
                let got = steady_peak(mean, 3 * windows, 0.95).unwrap();
                assert!(
                    (got - want).abs() <= 1.001 / mean,
                    "{windows} of {mean}: {got}, not {want}"
                );
            }
        }
    }

    /// By the definition: the count below would be too small.
    #[test]
    fn it_is_the_least_that_is_enough() {
        for (mean, windows) in [(0.2, 5), (12.0, 40), (3e5, 1000)] {
            let count = (steady_peak(mean, windows, 0.95).unwrap() * mean).round();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
            let kept = |count: f64| poisson_cdf(count as u64, mean).powf(windows as f64);
            assert!(kept(count) >= 0.95 && kept(count - 1.0) < 0.95, "{count}");
        }
    }

    #[test]
    fn nothing_is_said_of_nothing() {
        for mean in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(steady_peak(mean, 10, 0.95), None);
        }
        assert_eq!(steady_peak(5.0, 0, 0.95), None);
        assert_eq!(steady_peak(5.0, 10, 1.0), None);
        assert!(steady_peak(1e14, u64::MAX, 0.95).unwrap() >= 1.0);
    }
}
