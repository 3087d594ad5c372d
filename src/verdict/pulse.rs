//! Many operations that fail at once, and when they come back.
//!
//! A client that spreads its retries shows it only when many of them were told no at the same
//! moment: failures that are spread already make any client look fine. A pulse is 100 ms in which 30
//! operations or more failed at first; φ is the largest share of them whose second attempt began
//! within any 100 ms. Waits that a `Retry-After` asked for are left out: those who obey it come back as
//! it says.
//!
//! Memory is bounded: failures are counted by 50 ms, of each the times of 256 second attempts are kept,
//! each as likely as any other, and of more than 1,024 such bins the emptier half is forgotten. The 20
//! fullest pulses are told.

use crate::{
    dice::{Dice, Purpose, Seed},
    verdict::{operation::Operation, waits::surely_retried},
};
use std::collections::BTreeMap;

/// Microseconds of a bin; a pulse is two of them.
const BIN: u64 = 50_000;
/// Milliseconds of the windows in which second attempts are counted.
const WINDOW: u32 = 100;
/// Second attempts kept of a bin, bins, and pulses that are told.
const KEPT: usize = 256;
const BINS: usize = 1_024;
const PULSES: usize = 20;
/// Operations that fail at once.
const LEAST: u64 = 30;

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Pulses {
    bins: BTreeMap<u64, Bin>,
}

#[derive(Debug, Default)]
struct Bin {
    failed: u64,
    retried: u64,
    /// When second attempts began, of a sample, in milliseconds.
    retries: Vec<u32>,
}

/// What came of the pulses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Herd {
    /// How many pulses there were.
    pub pulses: u64,
    /// Operations that failed in them.
    pub failed: u64,
    /// Those of them that came back within the same 100 ms.
    pub together: u64,
}

impl Herd {
    /// φ.
    pub fn share(&self) -> f64 {
        self.together as f64 / self.failed as f64
    }
}

impl Pulses {
    /// The least number of operations of a pulse.
    pub const LEAST: u64 = LEAST;

    /// Takes an operation in.
    pub fn operation(&mut self, operation: &Operation) {
        let first = operation.first();
        if first.wrong.is_none() || first.retry_after.is_some() {
            return;
        }
        if self.bins.len() >= BINS && !self.bins.contains_key(&(first.end / BIN)) {
            self.forget();
        }
        let bin = self.bins.entry(first.end / BIN).or_default();
        bin.failed += 1;
        if let Some(gap) = operation.gaps().next() {
            bin.keep(gap.after.start);
        }
    }

    /// The emptier half.
    fn forget(&mut self) {
        let mut counts: Vec<u64> = self.bins.values().map(|bin| bin.failed).collect();
        counts.sort_unstable();
        let median = counts[counts.len() / 2];
        let mut spare = BINS / 2;
        self.bins.retain(|_, bin| {
            let stays = bin.failed > median || bin.failed == median && spare > 0;
            spare = spare.saturating_sub(usize::from(stays));
            stays
        });
    }

    /// What came of the pulses that lie in a span of time, in microseconds; `None` if there was none, or
    /// if nothing shows that operations are tried again.
    pub fn herd(&self, span: std::ops::RangeInclusive<u64>, rho: f64) -> Option<Herd> {
        let empty = Bin::default();
        let pair = |at: u64| [at, at + 1].map(|at| self.bins.get(&at).unwrap_or(&empty));
        let failed = |at: u64| pair(at).iter().map(|bin| bin.failed).sum::<u64>();
        // A pulse may begin in a bin, or in the one before.
        let begin = self.bins.keys().flat_map(|at| [at.saturating_sub(1), *at]);
        let mut full: Vec<(u64, u64)> = begin
            .filter(|at| span.contains(&(at * BIN)) && failed(*at) >= LEAST)
            .map(|at| (failed(at), at))
            .collect();
        full.sort_unstable_by_key(|(failed, at)| (std::cmp::Reverse(*failed), *at));
        let mut taken: Vec<u64> = Vec::new();
        for (_, at) in full {
            if taken.len() < PULSES && taken.iter().all(|other| at.abs_diff(*other) > 1) {
                taken.push(at);
            }
        }
        let mut herd = Herd { pulses: taken.len() as u64, failed: 0, together: 0 };
        let mut retried = 0;
        for at in taken {
            herd.failed += failed(at);
            herd.together += together(pair(at));
            retried += pair(at).iter().map(|bin| bin.retried).sum::<u64>();
        }
        surely_retried(retried, herd.failed, rho).then_some(herd)
    }
}

impl Bin {
    fn keep(&mut self, begun: u64) {
        let retry = u32::try_from(begun / 1_000).unwrap_or(u32::MAX);
        self.retried += 1;
        if self.retries.len() < KEPT {
            self.retries.push(retry);
            return;
        }
        let dice = Dice::new(Seed(0), "verdict pulse").of(begun, self.retried);
        let place = usize::try_from(dice.point(Purpose::Resample) % self.retried);
        if let Some(place) = place.ok().and_then(|place| self.retries.get_mut(place)) {
            *place = retry;
        }
    }
}

/// The most second attempts within a window, as far as the sample tells.
fn together(bins: [&Bin; 2]) -> u64 {
    let mut retries: Vec<(u32, f64)> = Vec::new();
    for bin in bins {
        let weight = bin.retried as f64 / bin.retries.len().max(1) as f64;
        retries.extend(bin.retries.iter().map(|at| (*at, weight)));
    }
    retries.sort_unstable_by_key(|(at, _)| *at);
    let (mut from, mut inside, mut most) = (0, 0.0, 0.0_f64);
    for (at, weight) in &retries {
        inside += weight;
        while *at - retries[from].0 >= WINDOW {
            inside -= retries[from].1;
            from += 1;
        }
        most = most.max(inside);
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    let count = most.round() as u64;
    count
}
