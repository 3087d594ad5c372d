//! What is in force on one proxy in one phase, compiled once.

use crate::{
    dice::Seed,
    engine::{
        armed::{Armed, FaultCount, Lot, Origin, lot_name},
        station::Site,
    },
    fault::Stage,
    scenario::Scenario,
    timeline::Moving,
    units::Percent,
};
use std::{collections::BTreeMap, sync::Arc};

/// Something that is in force, or that a request has to be asked for.
pub(super) mod flag {
    /// Faults on messages.
    pub(in crate::engine) const MESSAGE: u32 = 1;
    /// Faults on connections being accepted.
    pub(in crate::engine) const CONNECT: u32 = 2;
    /// Faults on the bytes of connections.
    pub(in crate::engine) const WIRE: u32 = 4;
    /// The clock stands still until the first request.
    pub(in crate::engine) const WAITING: u32 = 8;
    /// A target needs to see small bodies.
    pub(in crate::engine) const BODY: u32 = 16;
    /// There are faults by hand.
    pub(in crate::engine) const HAND: u32 = 32;
    /// The how-manieth request of a user has to be counted.
    pub(in crate::engine) const COUNT: u32 = 64;
    /// Faults on the messages of open sockets.
    pub(in crate::engine) const SOCKET: u32 = 128;
    /// Connections may have only so many streams.
    pub(in crate::engine) const STREAMS: u32 = 256;
}

#[derive(Debug)]
pub(super) struct ActiveSet {
    /// Its phase.
    pub phase: usize,
    pub faults: Vec<Arc<Armed>>,
    /// Whether a target that some fault is meant for needs to see small bodies.
    needs_body: bool,
}

/// The stages of a message, in order.
const MESSAGE: [Stage; 11] = [
    Stage::RequestDelay,
    Stage::Admission,
    Stage::End,
    Stage::Request,
    Stage::RequestBody,
    Stage::RequestCut,
    Stage::Upstream,
    Stage::ResponseDelay,
    Stage::Response,
    Stage::Body,
    Stage::Cut,
];

/// The bit of a stage in a set of stages.
pub(super) const fn stage_bit(stage: Stage) -> u32 {
    1 << stage as u32
}

/// The stages at which any of these is asked, a [bit](stage_bit) each.
pub(super) fn stages_of(faults: &[Arc<Armed>]) -> u32 {
    let stages = faults.iter().flat_map(|armed| armed.fault.stages());
    stages.fold(0, |bits, stage| bits | stage_bit(*stage))
}

/// What a request or connection has to be asked for because of these.
pub(super) fn flags_of(faults: &[Arc<Armed>]) -> u32 {
    let stages = stages_of(faults);
    let mut flags = 0;
    if MESSAGE.iter().any(|stage| stages & stage_bit(*stage) != 0) {
        flags |= flag::MESSAGE | flag::COUNT;
    }
    if stages & stage_bit(Stage::Connect) != 0 {
        flags |= flag::CONNECT;
    }
    if faults.iter().any(|armed| armed.shapes_bytes()) {
        flags |= flag::WIRE;
    }
    if faults.iter().any(|armed| armed.fault.shapes_sockets()) {
        flags |= flag::SOCKET | flag::COUNT;
    }
    if faults.iter().any(|armed| armed.fault.max_streams().is_some()) {
        flags |= flag::STREAMS;
    }
    flags
}

impl ActiveSet {
    pub(super) fn compile(
        scenario: &Scenario,
        phase: usize,
        site: &Site,
        salt: u64,
        seed: Seed,
        counts: &mut BTreeMap<String, Arc<FaultCount>>,
    ) -> Self {
        let entries = &scenario.phases[phase].faults;
        let mut needs_body = false;
        let mut faults = Vec::with_capacity(entries.len());
        for (at, entry) in entries.iter().enumerate() {
            if entry.proxy.as_ref().is_some_and(|proxy| **proxy != *site.name) {
                continue;
            }
            let earlier =
                || entries[..at].iter().filter(|e| entry.group.is_some() && e.group == entry.group);
            let before: Vec<Moving<Percent>> = earlier().map(|e| e.share.amount.clone()).collect();
            // The slices of a `one_of` are drawn under the first one's name, so that they exclude each
            // other.
            let name = lot_name(earlier().next().unwrap_or(entry));
            let count = Arc::clone(counts.entry(entry.name.clone()).or_default());
            let lot = Lot { before, name, seed };
            let (uid, origin) = (phase << 16 | at, Origin::Phase(phase));
            let Some(armed) = Armed::new(uid, origin, entry, site, salt, lot, &count) else {
                continue;
            };
            faults.push(Arc::new(armed));
            needs_body |= entry
                .targets
                .iter()
                .any(|target| scenario.targets[*target].matchers.iter().any(|m| m.needs_body()));
        }
        Self { phase, faults, needs_body }
    }

    /// Whether any fault is asked about messages, or goes by the one that opened a socket.
    pub(super) fn asks_messages(&self) -> bool {
        flags_of(&self.faults) & (flag::MESSAGE | flag::SOCKET) != 0
    }

    /// The stages at which any fault is asked, a [bit](stage_bit) each.
    pub(super) fn stages(&self) -> u32 {
        stages_of(&self.faults)
    }

    /// What a request or connection has to be asked for while it is in force.
    pub(super) fn flags(&self) -> u32 {
        flags_of(&self.faults) | if self.needs_body { flag::BODY } else { 0 }
    }
}
