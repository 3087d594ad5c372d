//! Whether arrivals bunch, and whether they keep step.

use crate::verdict::stats::distribution::chi_squared_sf;
use std::f64::consts::TAU;

/// How much more counts vary than those of independent arrivals.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dispersion {
    /// Variance over mean: 1 if arrivals are independent, more if they bunch.
    pub index: f64,
    /// The chance that independent arrivals vary as much.
    pub p: f64,
}

/// The index of dispersion F of counts in windows of one length, B of them: (B − 1)·F =
/// Σ(x − x̄)²/x̄ is χ² of B − 1 degrees if they are Poisson (Fisher, "Statistical Methods for
/// Research Workers", §16), which wants a mean of one or more. `None` of fewer than two windows, or
/// empty ones.
pub fn dispersion(counts: &[u64]) -> Option<Dispersion> {
    let mean = counts.iter().map(|&count| count as f64).sum::<f64>() / counts.len() as f64;
    let pairs = counts.iter().map(|&count| (count as f64, mean));
    pearson(pairs, counts.len().checked_sub(1)?)
}

/// The same about a rate that moves: `expected` counts from a smooth curve that took `fitted`
/// parameters from the data. Windows in which nothing is expected are left out.
pub fn dispersion_about(counts: &[u64], expected: &[f64], fitted: usize) -> Option<Dispersion> {
    let pairs = counts.iter().map(|&count| count as f64).zip(expected.iter().copied());
    let pairs = pairs.filter(|&(_, expected)| expected > 0.0 && expected.is_finite());
    pearson(pairs.clone(), pairs.count().checked_sub(fitted)?)
}

/// χ² = Σ(x − e)²/e over pairs of what was counted and expected.
fn pearson(pairs: impl Iterator<Item = (f64, f64)>, freedom: usize) -> Option<Dispersion> {
    let square: f64 = pairs.map(|(count, mean)| (count - mean).powi(2) / mean).sum();
    (freedom > 0 && square.is_finite()).then(|| {
        let freedom = freedom as f64;
        Dispersion { index: square / freedom, p: chi_squared_sf(square, freedom) }
    })
}

/// How far arrivals keep step with a period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rayleigh {
    /// The length of the mean of their phases as unit vectors: 1 if all come in step, about 0 if
    /// they come at any phase.
    pub resultant: f64,
    /// The chance that arrivals at any phase come as much in step.
    pub p: f64,
    /// How many arrivals there were.
    pub n: usize,
}

/// Rayleigh's test of `times` folded at `period`: p ≈ exp(−n·R̄²) (Mardia and Jupp, "Directional
/// Statistics", §6.3.1), which wants 30 arrivals or more. Several periods want
/// [`holm`](crate::verdict::stats::holm). `None` of no arrivals or no period.
pub fn rayleigh(times: &[f64], period: f64) -> Option<Rayleigh> {
    if times.is_empty() || !(period > 0.0 && period.is_finite()) {
        return None;
    }
    let (mut across, mut along) = (0.0, 0.0);
    for time in times {
        let (sin, cos) = (TAU * (time.rem_euclid(period) / period)).sin_cos();
        across += sin;
        along += cos;
    }
    let n = times.len() as f64;
    let resultant = along.hypot(across) / n;
    let p = (-n * resultant * resultant).exp();
    resultant.is_finite().then_some(Rayleigh { resultant, p, n: times.len() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::{Dice, Purpose, Seed};
    use rand::RngExt;

    #[track_caller]
    fn near(got: f64, want: f64, error: f64) {
        assert!((got - want).abs() < error, "{got}, not {want}");
    }

    #[test]
    fn counts_that_are_all_alike_bunch_less_than_chance() {
        let even = dispersion(&[5; 20]).unwrap();
        near(even.index, 0.0, 1e-12);
        near(even.p, 1.0, 1e-12);
    }

    /// By hand: mean 4, Σ(x − 4)² = 4·16 + 16² = 320 of which a quarter is χ² = 80, 4 degrees.
    #[test]
    fn one_burst_among_silence_bunches() {
        let burst = dispersion(&[0, 0, 0, 0, 20]).unwrap();
        near(burst.index, 20.0, 1e-12);
        near(burst.p / 1.752e-16, 1.0, 0.01);
    }

    #[test]
    fn a_rate_that_moves_is_no_bunching() {
        let counts: Vec<u64> = (1..=40).map(|at| at * 5).collect();
        let expected: Vec<f64> = counts.iter().map(|&count| count as f64).collect();
        assert!(dispersion(&counts).unwrap().p < 1e-9);
        assert!(dispersion_about(&counts, &expected, 2).unwrap().p > 0.999);
    }

    #[test]
    fn independent_arrivals_are_rejected_as_often_as_they_should() {
        let mut rng = Dice::new(Seed(9), "dispersion").rng(Purpose::Resample);
        let (mut bunched, mut in_step, runs) = (0, 0, 500);
        for _ in 0..runs {
            let times: Vec<f64> = (0..200).map(|_| rng.random_range(0.0..40.0)).collect();
            let mut counts = [0_u64; 40];
            for time in &times {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "below 40"
                )]
                let at = *time as usize;
                counts[at] += 1;
            }
            bunched += u32::from(dispersion(&counts).unwrap().p < 0.05);
            in_step += u32::from(rayleigh(&times, 1.3).unwrap().p < 0.05);
        }
        // 25 of 500 each, with a deviation of 4.9.
        assert!((8..=45).contains(&bunched), "{bunched}");
        assert!((8..=45).contains(&in_step), "{in_step}");
    }

    #[test]
    fn arrivals_on_the_second_keep_step() {
        let times: Vec<f64> = (0..40).map(|at| f64::from(at) + 0.02 * f64::from(at % 3)).collect();
        let got = rayleigh(&times, 1.0).unwrap();
        assert!(got.resultant > 0.98 && got.p < 1e-15, "{got:?}");
        assert!(rayleigh(&times, 0.77).unwrap().p > 0.1);
        // Two opposite phases cancel out.
        near(rayleigh(&[0.0, 0.5], 1.0).unwrap().p, 1.0, 1e-9);
    }

    #[test]
    fn nothing_is_said_of_nothing() {
        assert_eq!(dispersion(&[]), None);
        assert_eq!(dispersion(&[3]), None);
        assert_eq!(dispersion(&[0, 0, 0]), None);
        assert_eq!(dispersion_about(&[1, 2], &[1.0, f64::NAN], 1), None);
        assert_eq!(dispersion_about(&[1, 2], &[], 1), None);
        assert_eq!(rayleigh(&[], 1.0), None);
        for period in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(rayleigh(&[1.0], period), None);
        }
        assert_eq!(rayleigh(&[f64::NAN], 1.0), None);
    }
}
