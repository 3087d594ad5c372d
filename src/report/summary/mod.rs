//! A drill in figures: per phase and target what came of it, per fault what it was asked and did.

mod json;
mod origin;
mod reasons;
pub(in crate::report) mod text;
mod verdict;

pub use json::{SUMMARY_FORMAT, json_schema};
pub use origin::{Origin, RecordOf};
pub use reasons::Silence;

use crate::{
    diag::Look,
    dice::Seed,
    engine::FaultTally,
    observe::{End, Observations},
    scenario::{FaultEntry, Scenario},
    timeline::{Speed, Timeline},
    verdict::Verdict,
};
use std::time::Duration;

/// Everything a summary is written from.
#[derive(Debug)]
pub struct Summary<'d> {
    /// What was played.
    pub scenario: &'d Scenario,
    /// As it was played.
    pub timeline: &'d Timeline,
    /// The run's name.
    pub run: &'d str,
    /// What its choices followed from.
    pub seed: Seed,
    /// How fast it was played.
    pub speed: Speed,
    /// Where it was started, in scenario time.
    pub start_at: Duration,
    /// Plateaus were cut down to this.
    pub longest_phase: Option<Duration>,
    /// How it ended.
    pub end: End,
    /// How long it took.
    pub took: Duration,
    /// What was seen.
    pub observations: &'d Observations,
    /// What each fault was asked and did.
    pub tallies: &'d [FaultTally],
    /// What to think of the clients.
    pub verdict: &'d Verdict,
    /// The records it is made from; nothing of a drill that was just played.
    pub origin: &'d Origin,
}

impl Summary<'_> {
    /// For a terminal or a log, `width` columns wide.
    pub fn text(&self, look: Look, width: usize) -> String {
        text::text(self, look, width)
    }

    /// For a script: stable keys, and a version.
    pub fn json(&self) -> serde_json::Value {
        json::json(self)
    }

    /// The entry that speaks for a fault: of those of its name, that of the longest phase.
    pub(in crate::report) fn chief(&self, fault: &str) -> Option<&FaultEntry> {
        let phases = self.scenario.phases.iter().rev();
        let entries = phases.flat_map(|phase| {
            let faults = phase.faults.iter().filter(|entry| entry.name == fault);
            faults.map(|entry| (phase.length, entry))
        });
        entries.max_by_key(|(length, _)| *length).map(|(_, entry)| entry)
    }

    /// The faults that hit nothing, and why: a drill with one shows less than it was to show.
    pub fn silences(&self) -> Vec<Silence> {
        reasons::silences(self)
    }

    /// What a reader should know before they believe the figures.
    pub fn cautions(&self) -> Vec<String> {
        reasons::cautions(self)
    }

    /// Whether a phase was left out because the drill was started behind it.
    fn is_left_out(&self, phase: usize) -> bool {
        self.timeline.start_of(phase + 1) <= self.start_at
    }

    /// Whether the upstream was asked and never answered once.
    pub fn upstream_never_answered(&self) -> bool {
        !self.observations.genuine.is_empty() && self.observations.answered == 0
    }
}

#[cfg(test)]
mod tests;
