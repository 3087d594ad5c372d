//! Bursts of loss: a link that is good or bad, as a function of time.
//!
//! A Gilbert–Elliott chain in continuous time: good and bad times alternate and last exponentially
//! long. Counted in packets, as is usual, the chain stands still while nothing flows, and many
//! connections make it look independent; counted in time, all of them agree. So that one can seek,
//! time is cut into epochs of 64 periods that are drawn apart from each other; each begins in a
//! state drawn from the share of bad time, so the average is exact in every one.

use crate::{
    dice::{Dice, Purpose},
    fault::distribution::uniform,
    timeline::Moving,
    units::Percent,
};
use rand::Rng;
use std::time::Duration;

/// Periods per epoch: enough that an epoch's edge is rare, few enough to draw again at a seek.
const PERIODS: u32 = 64;

/// What an author says of bursts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Burst {
    /// How long one lasts on average; shorter than `every`, never zero.
    pub(super) bad: Duration,
    /// How long from one to the next on average.
    pub(super) every: Duration,
    /// The loss while one lasts.
    pub(super) loss: Moving<Percent>,
}

/// The state of the link over run time, and a stretch of it that was drawn before.
#[derive(Clone, Debug)]
pub(super) struct Weather {
    shared: Dice,
    every: Duration,
    /// Mean seconds of a good and of a bad time.
    means: [f64; 2],
    /// From when until when the state is known to be `bad`.
    known: (Duration, Duration),
    bad: bool,
}

impl Weather {
    /// The weather that `shared`, the dice of the fault as a whole, makes.
    pub(super) fn new(burst: &Burst, shared: Dice) -> Self {
        let good = burst.every.saturating_sub(burst.bad);
        let means = [good.as_secs_f64(), burst.bad.as_secs_f64()];
        let known = (Duration::ZERO, Duration::ZERO);
        Self { shared, every: burst.every, means, known, bad: false }
    }

    /// Whether it is bad at a run time.
    pub(super) fn is_bad(&mut self, run: Duration) -> bool {
        if !(self.known.0..self.known.1).contains(&run) {
            self.draw(run);
        }
        self.bad
    }

    fn draw(&mut self, run: Duration) {
        let length = self.every.saturating_mul(PERIODS);
        let epoch = run.as_nanos() / length.as_nanos().max(1);
        let epoch = u32::try_from(epoch).unwrap_or(u32::MAX);
        let mut rng = self.shared.of(u64::from(epoch), 0).rng(Purpose::Weather);
        let mut next = || uniform(rng.next_u64());
        let [good, bad] = self.means;
        self.bad = next() < bad / (good + bad);
        let mut from = length.saturating_mul(epoch);
        let end = from.saturating_add(length);
        loop {
            // −m ln(1 − u) is exponential with mean m; 1 − u is never zero.
            let lasts = -self.means[usize::from(self.bad)] * (1.0 - next()).ln();
            let until = from.saturating_add(Duration::try_from_secs_f64(lasts).unwrap_or(length));
            if run < until || until >= end {
                self.known = (from, until.min(end));
                return;
            }
            from = until;
            self.bad = !self.bad;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{dice::Seed, units::Quantity};

    fn weather(seed: u64) -> Weather {
        let burst = Burst {
            bad: Duration::from_millis(800),
            every: Duration::from_secs(20),
            loss: Moving::Fixed(Percent::parse("60%").expect("a share")),
        };
        Weather::new(&burst, Dice::new(Seed(seed), "packet_loss"))
    }

    /// 4 % of the time is bad. Over 400 walks of one look every 100 s (so that looks are nearly
    /// independent) at 50 times, the standard deviation is √(0.04·0.96/20000) = 0.14 %.
    #[test]
    fn the_share_of_bad_time_is_the_one_asked_for() {
        let mut bad = 0;
        for seed in 0..400 {
            let mut weather = weather(seed);
            bad += (0..50).filter(|n| weather.is_bad(Duration::from_secs(n * 100))).count();
        }
        let share = bad as f64 / 20_000.0;
        assert!((share - 0.04).abs() < 0.0056, "{share}");
    }

    /// Over 40 000 s there are about 2000 bursts, whose mean has a standard deviation of 2.2 %.
    #[test]
    fn bursts_last_as_long_as_they_should() {
        let mut weather = weather(3);
        let (mut bursts, mut bad, mut before) = (0, 0, false);
        for n in 0..4_000_000 {
            let now = weather.is_bad(n * Duration::from_millis(10));
            bursts += u32::from(now && !before);
            bad += u32::from(now);
            before = now;
        }
        let mean = f64::from(bad) * 0.01 / f64::from(bursts);
        assert!((mean - 0.8).abs() < 0.08, "{mean} s");
        assert!((1_800..2_200).contains(&bursts), "{bursts} bursts");
    }

    #[test]
    fn it_is_a_function_of_time_and_of_nothing_else() {
        let mut walked = weather(9);
        let walk: Vec<bool> = (0..3_000).map(|n| walked.is_bad(Duration::from_secs(n))).collect();
        for n in (0..3_000).rev().step_by(7) {
            let here = walk[usize::try_from(n).expect("small")];
            assert_eq!(walked.is_bad(Duration::from_secs(n)), here, "seeking back to {n} s");
            assert_eq!(weather(9).is_bad(Duration::from_secs(n)), here, "another connection");
        }
        assert!(walk.contains(&true) && walk.contains(&false));
    }
}
