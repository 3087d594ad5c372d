//! What an outage costs, phase by phase: the goodput that was lost, times what a minute of total
//! failure costs (`impact`).
//!
//! The share that is lost in a phase is 1 − (operations served per second) / (the same in calm), not
//! below nothing: a client that no longer asks has lost what it would have asked for. Phases count
//! at their length in life, however fast they were played; those before the first and after the
//! last fault cost nothing.

use crate::{
    scenario::{Impact, Scenario},
    verdict::{
        course::{Course, Stage},
        operation::Operation,
    },
};

/// What it cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// In what: `USD`.
    pub currency: String,
    /// What a minute of total failure costs: at least, at most.
    pub per_minute: (f64, f64),
    /// The phases that cost something, or could have.
    pub phases: Vec<PhaseCost>,
}

/// What a phase cost.
#[derive(Clone, Debug, PartialEq)]
pub struct PhaseCost {
    /// Its name.
    pub phase: String,
    /// Its length in life, in minutes.
    pub minutes: f64,
    /// The share of goodput that was lost.
    pub lost: f64,
}

impl Cost {
    /// Minutes of total failure that it comes to.
    pub fn minutes(&self) -> f64 {
        self.phases.iter().map(|phase| phase.minutes * phase.lost).sum()
    }

    /// The sum: at least, at most.
    pub fn total(&self) -> (f64, f64) {
        let minutes = self.minutes();
        (minutes * self.per_minute.0, minutes * self.per_minute.1)
    }
}

/// Operations served, by phase.
#[derive(Clone, Debug, Default)]
pub(super) struct Served(Vec<u64>);

impl Served {
    pub(super) fn see(&mut self, operation: &Operation, impact: &Impact) {
        let first = operation.first();
        let earns = impact.target.is_none_or(|at| first.targets & (1 << at.min(63)) != 0);
        let Some(phase) = first.phase.map(usize::from) else { return };
        if !earns || !operation.is_served() {
            return;
        }
        if self.0.len() <= phase {
            self.0.resize(phase + 1, 0);
        }
        self.0[phase] += 1;
    }

    pub(super) fn finish(&self, course: &Course, scenario: &Scenario) -> Option<Cost> {
        let impact = scenario.impact.as_ref()?;
        let stage = |at: usize| course.stage(u16::try_from(at).ok());
        let served = |at: usize| self.0.get(at).copied().unwrap_or(0) as f64;
        let phases = || 0..scenario.phases.len();
        let calm: f64 = phases().filter(|at| stage(*at) == Stage::Base).map(served).sum();
        let calm = calm / course.seconds(Stage::Base);
        if !(calm.is_finite() && calm > 0.0) {
            return None;
        }
        let costs = phases().filter(|at| matches!(stage(*at), Stage::Fault | Stage::Between));
        let phases = costs.filter(|at| course.seconds_of(*at) > 0.0).map(|at| {
            let (phase, seconds) = (&scenario.phases[at], course.seconds_of(at));
            let is_whole = course.legs()[at].ended.is_some();
            let life = if is_whole { phase.length.as_secs_f64() } else { seconds };
            PhaseCost {
                phase: phase.name.clone(),
                minutes: life / 60.0,
                lost: (1.0 - served(at) / seconds / calm).clamp(0.0, 1.0),
            }
        });
        Some(Cost {
            currency: impact.currency.clone(),
            per_minute: impact.per_minute,
            phases: phases.collect(),
        })
    }
}
