//! What a drill came to.

use crate::{
    diag::Look,
    engine::{FaultTally, Play},
    observe::{End, Observations},
    report::summary::{Origin, Summary},
    scenario::Scenario,
    timeline::Timeline,
    verdict::Verdict,
};
use std::{fmt, sync::Arc, time::Duration};

/// How wide a summary is where nothing tells, in columns.
const WIDTH: usize = 100;

/// What a drill came to: what was injected and what came of it, in figures and as a summary. Shown, it
/// is the summary that `firedrill run` writes.
#[derive(Debug)]
pub struct Report {
    /// What was played.
    pub scenario: Arc<Scenario>,
    /// How it was played.
    pub play: Play,
    /// Its timeline, as it was played.
    pub timeline: Timeline,
    /// The name of the run, as injected answers carry it.
    pub run: String,
    /// How it ended.
    pub end: End,
    /// How long it took, in real time.
    pub took: Duration,
    /// What was seen.
    pub observations: Observations,
    /// What each fault was asked and did.
    pub tallies: Vec<FaultTally>,
    /// What to think of the clients.
    pub verdict: Verdict,
    /// The records it was made from, if it was.
    pub origin: Origin,
}

impl Report {
    /// What a summary is written from.
    pub fn summary(&self) -> Summary<'_> {
        Summary {
            scenario: &self.scenario,
            timeline: &self.timeline,
            run: &self.run,
            seed: self.play.seed,
            speed: self.play.speed,
            start_at: self.play.start_at,
            longest_phase: self.play.longest_phase,
            end: self.end,
            took: self.took,
            observations: &self.observations,
            tallies: &self.tallies,
            verdict: &self.verdict,
            origin: &self.origin,
        }
    }

    /// The summary for people.
    pub fn text(&self) -> String {
        self.summary().text(Look::Plain, WIDTH)
    }

    /// The summary for a script: stable keys, and a version.
    pub fn json(&self) -> serde_json::Value {
        self.summary().json()
    }

    /// Requests or connections that a fault of this name hit; none if there is no such fault.
    pub fn hits(&self, fault: &str) -> u64 {
        self.tallies.iter().filter(|tally| &*tally.name == fault).map(|tally| tally.hit).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}
