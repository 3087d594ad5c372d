//! The waits between attempts, pooled such that they may be compared.
//!
//! Waits are kept operation by operation, apart for each client program and each kind of failure:
//! libraries wait differently after a 503 and after a reset. A wait that a `Retry-After` asked for
//! says nothing of the client's own back-off and ends the sequence of its operation, as does a
//! failure of another kind.
//!
//! An index to which no more operations got than links by chance explain ends all sequences: what lies
//! there are pauses between two operations.
//!
//! The first operation of each client is left out where others are enough: a cold start adds tens of
//! milliseconds to its first wait. What is first is known for a thousand clients.
//!
//! Memory is bounded: of each pool (a phase, a program, a kind of failure) a sample of 1,000
//! operations is kept, each as likely as any other, with eight waits each; a phase has at most 16
//! pools, and failures of further kinds are not looked at.

use crate::{
    dice::{Dice, Purpose, Seed},
    verdict::{
        attempt::{Attempt, Wrong},
        course::Course,
        operation::Operation,
        phases::Phases,
        stats::wilson_at,
    },
};
use std::collections::BTreeMap;

/// Operations kept of a pool.
const KEPT: usize = 1_000;
/// Waits kept of an operation.
const WAITS: usize = 8;
/// Pools of a phase.
const POOLS: usize = 16;
/// So many operations that are not the first of their client are enough.
const ENOUGH: usize = 5;
/// How sure it has to be that a client retries at all.
const SURE: f64 = 0.99;
/// By how much the share of operations with several attempts must exceed what chance links.
const ABOVE_CHANCE: f64 = 0.01;

/// What waits may be compared with each other: of a client program, after a kind of failure.
pub type Kind = (u16, Wrong);

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub struct Waits {
    pools: Phases<BTreeMap<Kind, Pool>>,
    /// When each client was first seen, by its number.
    begun: Vec<u64>,
}

/// Waits that may be compared with each other.
#[derive(Clone, Debug, Default)]
pub struct Pool {
    /// Operations whose first attempt failed in this way.
    pub failed: u64,
    /// Those that were tried again.
    pub retried: u64,
    /// Those whose first wait was asked for by a `Retry-After`.
    pub told: u64,
    /// Operations with a wait of the client's own.
    waited: u64,
    kept: Vec<Sequence>,
}

#[derive(Clone, Debug)]
struct Sequence {
    is_first: bool,
    waits: Box<[f32]>,
}

impl Waits {
    /// Takes an attempt in, to know when its client was first seen.
    pub fn attempt(&mut self, attempt: &Attempt, client: usize) {
        if self.begun.len() <= client {
            self.begun.resize(client + 1, u64::MAX);
        }
        self.begun[client] = self.begun[client].min(attempt.start);
    }

    /// Takes an operation in.
    pub fn operation(&mut self, operation: &Operation, client: usize) {
        let first = operation.first();
        let Some(wrong) = first.wrong else { return };
        let pools = self.pools.at(first.phase);
        let kind = (first.program, wrong);
        if pools.len() >= POOLS && !pools.contains_key(&kind) {
            return;
        }
        let pool = pools.entry(kind).or_default();
        pool.failed += 1;
        let Some(next) = operation.own_gaps().next() else { return };
        pool.retried += 1;
        pool.told += u64::from(next.before.retry_after.is_some());
        let own = operation
            .own_gaps()
            .take(WAITS)
            .take_while(|gap| gap.before.wrong == Some(wrong) && gap.before.retry_after.is_none());
        let waits: Box<[f32]> = own.map(|gap| gap.wait.as_secs_f32()).collect();
        if !waits.is_empty() {
            let is_first = self.begun.get(client).is_none_or(|begun| first.start <= *begun);
            pool.keep(Sequence { is_first, waits });
        }
    }

    /// The pools of the phases that a question is about.
    pub fn asked(&self, course: &Course, phase: Option<usize>) -> BTreeMap<Kind, Pool> {
        let mut all: BTreeMap<Kind, Pool> = BTreeMap::new();
        for pools in self.pools.asked(course, phase) {
            for (kind, pool) in pools {
                let whole = all.entry(*kind).or_default();
                whole.failed += pool.failed;
                whole.retried += pool.retried;
                whole.told += pool.told;
                whole.waited += pool.waited;
                whole.kept.extend_from_slice(&pool.kept);
            }
        }
        all
    }
}

impl Pool {
    /// Keeps it, or not: a sample in which each is as likely as any other (Vitter's algorithm R).
    fn keep(&mut self, sequence: Sequence) {
        self.waited += 1;
        if self.kept.len() < KEPT {
            self.kept.push(sequence);
            return;
        }
        let dice = Dice::new(Seed(0), "verdict waits").of(self.waited, 0);
        let place = usize::try_from(dice.point(Purpose::Resample) % self.waited);
        if let Some(place) = place.ok().and_then(|place| self.kept.get_mut(place)) {
            *place = sequence;
        }
    }

    /// The waits of its operations, in seconds; `rho` is the probability that chance links what does
    /// not belong together.
    pub fn sequences(&self, rho: f64) -> Vec<Vec<f64>> {
        let later = self.kept.iter().filter(|sequence| !sequence.is_first).count();
        let with_first = later < ENOUGH;
        let taken = self.kept.iter().filter(|sequence| with_first || !sequence.is_first);
        let reached = |index: usize| {
            taken.clone().filter(|sequence| sequence.waits.len() > index).count() as u64
        };
        let is_chance = |index: &usize| !surely_retried(reached(*index), reached(index - 1), rho);
        let end = (1..WAITS).find(is_chance).unwrap_or(WAITS);
        let own = |sequence: &Sequence| -> Vec<f64> {
            sequence.waits.iter().take(end).map(|wait| f64::from(*wait)).collect()
        };
        taken.clone().map(own).collect()
    }

    /// Whether it is sure that operations are tried again, and not that chance links what does not
    /// belong together (with a probability of `rho`).
    pub fn is_retried(&self, rho: f64) -> bool {
        surely_retried(self.retried, self.failed, rho)
    }
}

/// Whether so many of those that failed were surely tried again: the lower 99 % Wilson bound of
/// their share exceeds ρ by a percentage point.
pub fn surely_retried(retried: u64, failed: u64, rho: f64) -> bool {
    wilson_at(retried, failed, SURE).is_some_and(|share| share.low > rho + ABOVE_CHANCE)
}
