//! The scenario while it is read: its values with their places, for the checks that need both.

use crate::{
    diag::Span,
    fault::{Fault, Stage, catalog},
    scenario::{
        Expectation, FaultEntry, OpenConnections, Phase, Share, keys::Keys, names, targets::Targets,
    },
    select::Unit,
    yaml::Spanned,
};
use std::{sync::Arc, time::Duration};

/// All that checks look at.
#[derive(Debug)]
pub(super) struct Draft {
    pub targets: Targets,
    pub phases: Vec<DraftPhase>,
    pub expect: Vec<Spanned<Expectation>>,
    pub has_impact: bool,
}

/// A phase. What could not be read is missing, and then the scenario is refused anyway.
#[derive(Debug, Default)]
pub(super) struct DraftPhase {
    pub name: Option<Spanned<String>>,
    pub about: Option<String>,
    pub length: Option<Spanned<Duration>>,
    pub compress: bool,
    pub connections: OpenConnections,
    pub entries: Vec<DraftEntry>,
    /// How many items its `faults` has, those that could not be read included.
    pub written: usize,
    /// Where each `one_of` stands.
    pub groups: Vec<Span>,
    /// The times of all curves in it.
    pub curve_times: Vec<Spanned<Duration>>,
}

/// A fault in a phase.
#[derive(Debug)]
pub(super) struct DraftEntry {
    pub kind: &'static catalog::Entry,
    pub fault: Arc<dyn Fault>,
    /// The key that names the fault.
    pub span: Span,
    pub keys: Keys,
    /// The `one_of` it is a slice of, by its place in [`DraftPhase::groups`].
    pub group: Option<usize>,
}

/// What a fault acts on as it is written here: `reset` acts on requests, `reset: { at: connect }`
/// on connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Everybody who connects.
    Listener,
    /// A connection as it is made, when nothing is known of it but its peer.
    Accept,
    /// A connection's bytes.
    Bytes,
    /// One request.
    Message,
}

impl DraftEntry {
    pub(super) fn reach(&self) -> Reach {
        let stages = self.fault.stages();
        if self.fault.gate().is_some() {
            return Reach::Listener;
        }
        match self.kind.layer {
            catalog::Layer::Listener => Reach::Listener,
            catalog::Layer::Connection => Reach::Bytes,
            catalog::Layer::Handshake => Reach::Accept,
            catalog::Layer::Message if stages == [Stage::Connect] => Reach::Accept,
            catalog::Layer::Message | catalog::Layer::Socket => Reach::Message,
        }
    }

    /// Which targets, none meaning all.
    pub(super) fn places(&self) -> &[usize] {
        self.keys.targets.as_ref().map_or(&[], |targets| &targets.value)
    }

    /// Its share, with the unit that goes without saying.
    pub(super) fn share(&self) -> Share {
        let unit = match self.reach() {
            Reach::Message => Unit::Requests,
            _ => Unit::Connections,
        };
        self.keys.share.as_ref().map_or_else(
            || Share::all(unit),
            |share| Share {
                amount: share.value.amount.clone(),
                unit: share.value.unit.unwrap_or(unit),
            },
        )
    }

    /// The entry under its name.
    pub(super) fn finish(self, name: String) -> FaultEntry {
        FaultEntry {
            name,
            kind: self.kind.name,
            share: self.share(),
            targets: self.places().to_vec(),
            fault: self.fault,
            places: self.keys.places(self.span),
            proxy: self.keys.proxy.map(|proxy| proxy.value),
            pattern: self.keys.pattern.map(|flap| flap.value.pattern),
            times: self.keys.times.map(|times| times.value),
            cohort: self.keys.cohort.map(|cohort| cohort.value),
            group: self.group,
        }
    }
}

impl DraftPhase {
    pub(super) fn finish(self, targets: &Targets) -> Option<Phase> {
        let names = names::of(&self.entries, targets);
        Some(Phase {
            name: self.name?.value,
            about: self.about,
            length: self.length?.value,
            compress: self.compress,
            connections: self.connections,
            faults: self.entries.into_iter().zip(names).map(|(e, name)| e.finish(name)).collect(),
        })
    }
}
