//! How high the busiest of many windows of a steady client stands, by chance alone.

use crate::verdict::stats::distribution::poisson_cdf;

/// The largest multiple of its own mean that the busiest of `windows` reaches in all but 1 − level
/// of runs, of a client that sends `mean` requests per window, steadily and independently: r = c/m
/// with the least c such that P(Poisson(m) ≤ c)^k ≥ level. `None` without windows or requests.
///
/// For windows that do not overlap. A window that slides over the same span sees more maxima than
/// windows that follow one another: by steps of a quarter window, what 10 windows reach in 5 % of
/// runs takes about as much as twice as many that do not overlap.
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
        let mut worst = String::new();
        for (mean, cells) in [
            (5.0, [2.4, 2.6, 3.0]),
            (10.0, [1.9, 2.1, 2.3]),
            (20.0, [1.6, 1.75, 1.9]),
            (50.0, [1.38, 1.48, 1.54]),
            (100.0, [1.27, 1.32, 1.38]),
        ] {
            for (windows, want) in [10, 60, 300].into_iter().zip(cells) {
                let got = steady_peak(mean, windows, 0.95).unwrap();
                worst += &format!("{mean} {windows}: {got} {want}\n");
            }
        }
        panic!("{worst}");
    }
}
