//! What is in force in one phase, compiled once.

use crate::{
    dice::Seed,
    engine::armed::{Armed, FaultCount},
    fault::{Gate, Stage},
    scenario::Scenario,
    timeline::{Moment, Moving},
    units::Percent,
};
use std::{collections::BTreeMap, sync::Arc};

#[derive(Debug)]
pub(super) struct ActiveSet {
    /// Its phase; `None` if it is what is in force outside of all phases: nothing.
    pub phase: Option<usize>,
    pub faults: Vec<Arc<Armed>>,
    /// Whether a target that some fault is meant for needs to see small bodies.
    pub needs_body: bool,
}

/// The stages of a message, in order.
const MESSAGE: [Stage; 8] = [
    Stage::RequestDelay,
    Stage::End,
    Stage::Request,
    Stage::Upstream,
    Stage::ResponseDelay,
    Stage::Response,
    Stage::Body,
    Stage::Cut,
];

/// The bit of a stage in a set of stages.
pub(super) const fn stage_bit(stage: Stage) -> u16 {
    1 << stage as u16
}

impl ActiveSet {
    pub(super) fn empty() -> Self {
        Self { phase: None, faults: Vec::new(), needs_body: false }
    }

    pub(super) fn compile(
        scenario: &Scenario,
        phase: usize,
        seed: Seed,
        counts: &mut BTreeMap<String, Arc<FaultCount>>,
    ) -> Self {
        let entries = &scenario.phases[phase].faults;
        let mut needs_body = false;
        let mut faults = Vec::with_capacity(entries.len());
        for (at, entry) in entries.iter().enumerate() {
            let earlier =
                || entries[..at].iter().filter(|e| entry.group.is_some() && e.group == entry.group);
            let before: Vec<Moving<Percent>> = earlier().map(|e| e.share.amount.clone()).collect();
            // A cohort is drawn under its own name, so that all its faults hit the same users;
            // the slices of a `one_of` are drawn under the first one's, so that they exclude
            // each other.
            let first = earlier().next().unwrap_or(entry);
            let lots = match &first.cohort {
                Some(cohort) => format!("cohort {cohort}"),
                None => format!("share {}", first.name),
            };
            let count = Arc::clone(counts.entry(entry.name.clone()).or_default());
            let uid = phase << 16 | at;
            faults.push(Arc::new(Armed::new(uid, entry, before, &lots, seed, count)));
            needs_body |= entry
                .targets
                .iter()
                .any(|target| scenario.targets[*target].matchers.iter().any(|m| m.needs_body()));
        }
        Self { phase: Some(phase), faults, needs_body }
    }

    /// Whether any fault is asked at this stage.
    pub(super) fn asks(&self, stage: Stage) -> bool {
        self.faults.iter().any(|armed| armed.acts_at(stage))
    }

    /// Whether any fault is asked about messages.
    pub(super) fn asks_messages(&self) -> bool {
        MESSAGE.iter().any(|stage| self.asks(*stage))
    }

    /// The stages at which any fault is asked, a [`bit`](stage_bit) each.
    pub(super) fn stages(&self) -> u16 {
        let stages = self.faults.iter().flat_map(|armed| armed.fault.stages());
        stages.fold(0, |bits, stage| bits | stage_bit(*stage))
    }

    /// Whether any fault shapes the bytes of connections.
    pub(super) fn shapes(&self) -> bool {
        self.faults.iter().any(|armed| armed.fault.shapes_connections())
    }

    /// What the listener does at `moment`.
    pub(super) fn gate(&self, moment: &Moment) -> Option<(Gate, &Arc<Armed>)> {
        self.faults
            .iter()
            .filter(|armed| armed.is_on(moment))
            .find_map(|armed| armed.fault.gate().map(|gate| (gate, armed)))
    }
}
