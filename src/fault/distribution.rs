//! How long a delay is: the distributions that a scenario can ask for.
//!
//! A distribution is a function from a quantile (0 to 1) to a delay, so a draw is one number from
//! the dice, and a quantile that wanders through time gives delays that wander through the very
//! same distribution. Quantiles are cut off at one in a million at either end, so that a heavy tail
//! cannot hold a message for a year by accident; the cut is too rare to show as a spike.

use crate::{
    fault::normal,
    timeline::{Moment, Moving},
    units::show_duration,
};
use std::time::Duration;

/// Quantiles go from here to one less this.
const EDGE: f64 = 1e-6;
/// No delay is longer: what a file can name.
const LONGEST: f64 = 366.0 * 86_400.0;

/// The form of a spread around a mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spread {
    /// Even from `mean - jitter` to `mean + jitter`.
    Uniform,
    /// The bell with the standard deviation `jitter`, cut off at zero.
    Normal,
    /// Pareto of shape 3, moved and scaled to the mean and to the standard deviation `jitter`:
    /// nothing much shorter than the mean, and a long tail.
    Pareto,
    /// A quarter normal and three quarters Pareto, quantile by quantile, as netem's table of that
    /// name is made.
    ParetoNormal,
}

/// Delays and how often they occur.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Distribution {
    /// Always the same.
    Fixed(Moving<Duration>),
    /// Spread around a mean.
    Around {
        /// The mean, of all but a normal spread that is cut off at zero.
        mean: Moving<Duration>,
        /// Half the width of a uniform spread, the standard deviation of the others.
        jitter: Moving<Duration>,
        /// Its form.
        spread: Spread,
    },
    /// Lognormal, with σ = ln(p99 / median) / 2.326.
    Lognormal {
        /// As many are shorter as are longer.
        median: Moving<Duration>,
        /// One in a hundred is longer.
        p99: Moving<Duration>,
    },
    /// Linear between points of a quantile (0 to 1, rising, at least one) and its delay; constant
    /// below the first and above the last.
    Percentiles(Vec<(f64, Moving<Duration>)>),
}

impl Distribution {
    /// The delay below which `u` (0 to 1) of all delays lie.
    pub(super) fn quantile(&self, u: f64, moment: &Moment) -> Duration {
        let u = u.clamp(EDGE, 1.0 - EDGE);
        let seconds = match self {
            // Not through a fraction of seconds: what the file says is what happens.
            Self::Fixed(delay) => return delay.at(moment),
            Self::Around { mean, jitter, spread } => {
                let mean = mean.at(moment).as_secs_f64();
                spread.quantile(u, mean, jitter.at(moment).as_secs_f64().min(mean))
            }
            Self::Lognormal { median, p99 } => {
                // A ramp may begin at zero, of which there is no logarithm.
                let (median, p99) = (median.at(moment).as_secs_f64(), p99.at(moment).as_secs_f64());
                let sigma = (p99 / median.max(EDGE)).max(1.0).ln() / normal::Z99;
                median * (sigma * normal::quantile(u)).exp()
            }
            Self::Percentiles(points) => interpolate(points, u, moment),
        };
        Duration::try_from_secs_f64(seconds.clamp(0.0, LONGEST)).unwrap_or_default()
    }

    /// Whether it is always one and the same delay at any one moment.
    pub(super) const fn is_fixed(&self) -> bool {
        matches!(self, Self::Fixed(_))
    }

    /// Whether it moves over the phase.
    pub(super) fn moves(&self) -> bool {
        match self {
            Self::Fixed(delay) => delay.moves(),
            Self::Around { mean, jitter, .. } => mean.moves() || jitter.moves(),
            Self::Lognormal { median, p99 } => median.moves() || p99.moves(),
            Self::Percentiles(points) => points.iter().any(|(_, delay)| delay.moves()),
        }
    }

    /// In a few words: `300ms ± 80ms`.
    pub(super) fn show(&self) -> String {
        match self {
            Self::Fixed(delay) => delay.show(),
            Self::Around { mean, jitter, spread } => {
                let name = match spread {
                    Spread::Uniform => "",
                    Spread::Normal => ", normal",
                    Spread::Pareto => ", pareto",
                    Spread::ParetoNormal => ", paretonormal",
                };
                format!("{} ± {}{name}", mean.show(), jitter.show())
            }
            Self::Lognormal { median, p99 } => {
                format!("median {}, p99 {}", median.show(), p99.show())
            }
            Self::Percentiles(points) => {
                let show = |(at, delay): &(f64, Moving<Duration>)| {
                    format!("p{} {}", trimmed(at * 100.0), delay.show())
                };
                points.iter().map(show).collect::<Vec<_>>().join(", ")
            }
        }
    }
}

impl Spread {
    /// `jitter` is at most `mean`.
    fn quantile(self, u: f64, mean: f64, jitter: f64) -> f64 {
        if jitter <= 0.0 {
            return mean;
        }
        match self {
            Self::Uniform => mean + jitter * (2.0 * u - 1.0),
            Self::Normal => {
                // What lies below zero is left out, not piled up at zero.
                let below = normal::cdf(-mean / jitter);
                mean + jitter * normal::quantile(below + u * (1.0 - below))
            }
            Self::Pareto => mean + jitter * pareto(u),
            Self::ParetoNormal => mean + jitter * (0.25 * normal::quantile(u) + 0.75 * pareto(u)),
        }
    }
}

/// Pareto of shape 3 with mean 0 and standard deviation 1: it has the mean 3/2 and the variance
/// 3/4 before.
fn pareto(u: f64) -> f64 {
    ((1.0 - u).powf(-1.0 / 3.0) - 1.5) / 0.75_f64.sqrt()
}

fn interpolate(points: &[(f64, Moving<Duration>)], u: f64, moment: &Moment) -> f64 {
    let next = points.partition_point(|(at, _)| *at <= u);
    let value = |index: usize| points.get(index).map(|(at, d)| (*at, d.at(moment).as_secs_f64()));
    match (next.checked_sub(1).and_then(value), value(next)) {
        (Some((from_at, from)), Some((to_at, to))) => {
            from + (to - from) * (u - from_at) / (to_at - from_at)
        }
        (Some((_, only)), None) | (None, Some((_, only))) => only,
        (None, None) => 0.0,
    }
}

/// A number without the zeros at its end.
fn trimmed(number: f64) -> String {
    let text = format!("{number:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The moments at which several moving values have to be compared, if they move in the same way;
/// the start of the phase, if they don't.
pub(super) fn corner_moments(values: &[&Moving<Duration>]) -> Vec<Moment> {
    let second = Duration::from_secs(1);
    let at = |elapsed, length| Moment { elapsed, length, run: Duration::ZERO };
    let curves =
        || values.iter().filter_map(|v| if let Moving::Curve(p) = v { Some(p) } else { None });
    let has_lines = values.iter().any(|value| matches!(value, Moving::Line { .. }));
    match (curves().next(), has_lines) {
        (None, true) => vec![at(Duration::ZERO, second), at(second, second)],
        (Some(_), false) => curves().flatten().map(|(time, _)| at(*time, Duration::ZERO)).collect(),
        _ => vec![at(Duration::ZERO, second)],
    }
}

/// A number in `[0, 1)` from the bits of the dice.
pub(super) fn uniform(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// A corner's value, for a message.
pub(super) fn show_at(value: &Moving<Duration>, moment: &Moment) -> String {
    show_duration(value.at(moment))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dice::{Dice, Purpose, Seed},
        fault::support::moment,
    };

    const SAMPLES: u32 = 20_000;

    fn fixed(millis: u64) -> Moving<Duration> {
        Moving::Fixed(Duration::from_millis(millis))
    }

    fn around(mean: u64, jitter: u64, spread: Spread) -> Distribution {
        Distribution::Around { mean: fixed(mean), jitter: fixed(jitter), spread }
    }

    /// Delays in milliseconds, in rising order, at evenly spaced quantiles: no chance, so the
    /// tolerances below are those of the grid.
    fn grid(distribution: &Distribution) -> Vec<f64> {
        let at = moment(Duration::ZERO);
        let quantile = |n: u32| (f64::from(n) + 0.5) / f64::from(SAMPLES);
        (0..SAMPLES).map(|n| distribution.quantile(quantile(n), &at).as_secs_f64() * 1e3).collect()
    }

    fn mean(values: &[f64]) -> f64 {
        values.iter().sum::<f64>() / values.len() as f64
    }

    fn deviation(values: &[f64]) -> f64 {
        let mean = mean(values);
        let squares: Vec<f64> = values.iter().map(|v| (v - mean).powi(2)).collect();
        self::mean(&squares).sqrt()
    }

    fn near(found: f64, wanted: f64, tolerance: f64) {
        assert!((found - wanted).abs() <= tolerance, "{found} is not {wanted} ± {tolerance}");
    }

    #[test]
    fn mean_and_deviation_are_those_asked_for() {
        let uniform = grid(&around(100, 50, Spread::Uniform));
        near(mean(&uniform), 100.0, 0.01);
        near(deviation(&uniform), 50.0 / 3.0_f64.sqrt(), 0.01);
        near(uniform[0], 50.0, 0.01);

        let normal = grid(&around(100, 20, Spread::Normal));
        near(mean(&normal), 100.0, 0.05);
        near(deviation(&normal), 20.0, 0.05);

        // The tail of a Pareto of shape 3 is so heavy that a grid misses some of it.
        for spread in [Spread::Pareto, Spread::ParetoNormal] {
            let heavy = grid(&around(100, 20, spread));
            near(mean(&heavy), 100.0, 0.5);
            near(deviation(&heavy), 20.0, 2.0);
        }
    }

    #[test]
    fn a_normal_spread_is_cut_off_at_zero_without_a_spike() {
        let wide = grid(&around(100, 100, Spread::Normal));
        assert!(wide[0] >= 0.0);
        assert!(wide.iter().filter(|delay| **delay < 1.0).count() < 200, "no spike at zero");
        // φ(1)/Φ(1) = 0.2876: the mean that the cut leaves.
        near(mean(&wide), 128.76, 0.1);
    }

    #[test]
    fn a_lognormal_has_the_median_and_the_p99_asked_for() {
        let skewed = Distribution::Lognormal { median: fixed(180), p99: fixed(2_000) };
        let at = moment(Duration::ZERO);
        near(skewed.quantile(0.5, &at).as_secs_f64(), 0.18, 1e-6);
        near(skewed.quantile(0.99, &at).as_secs_f64(), 2.0, 1e-6);
    }

    #[test]
    fn percentiles_are_met_and_joined_by_lines() {
        let table =
            Distribution::Percentiles(vec![(0.5, fixed(20)), (0.9, fixed(80)), (0.99, fixed(900))]);
        let at = moment(Duration::ZERO);
        for (u, millis) in [(0.1, 20), (0.5, 20), (0.7, 50), (0.9, 80), (0.99, 900), (0.999, 900)] {
            near(table.quantile(u, &at).as_secs_f64() * 1e3, f64::from(millis), 1e-6);
        }
    }

    #[test]
    fn no_quantile_is_endless_or_negative() {
        let at = moment(Duration::ZERO);
        for distribution in [
            around(100, 100, Spread::Uniform),
            around(100, 100, Spread::Normal),
            around(100, 100, Spread::Pareto),
            around(100, 100, Spread::ParetoNormal),
            Distribution::Lognormal { median: fixed(0), p99: fixed(31_000_000_000) },
            Distribution::Lognormal { median: fixed(1), p99: fixed(31_000_000_000) },
        ] {
            for u in [-1.0, 0.0, 1e-12, 0.5, 1.0, 2.0] {
                let delay = distribution.quantile(u, &at);
                assert!(delay.as_secs_f64() <= LONGEST, "{distribution:?} at {u}: {delay:?}");
            }
        }
    }

    /// Frozen: a seed in a report must replay with every later version. To the microsecond, since
    /// logarithms differ in their last digit between machines.
    #[test]
    fn draws_are_the_same_in_every_version() {
        let at = moment(Duration::ZERO);
        let skewed = Distribution::Lognormal { median: fixed(180), p99: fixed(2_000) };
        let dice = Dice::new(Seed(42), "latency");
        let draw = |nth| {
            let u = uniform(dice.of(1, nth).point(Purpose::Delay));
            skewed.quantile(u, &at).as_micros()
        };
        assert_eq!([draw(0), draw(1), draw(2)], [321_589, 129_613, 24_225]);
    }
}
