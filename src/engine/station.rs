//! One proxy of a run: what the scenario does to it, what was put on it by hand, and what its
//! connections have to be asked for.

use crate::{
    dice::Seed,
    engine::{
        active::{ActiveSet, flag},
        armed::{Armed, FaultCount},
        hand::HandSet,
        ordinals::Ordinals,
        shared::Change,
    },
    fault::{Tick, catalog::Protocol},
    scenario::Scenario,
    select::Users,
    timeline::Moment,
};
use arc_swap::ArcSwap;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
};
use tokio::sync::watch;

/// What a proxy is, as far as faults go.
#[derive(Clone, Debug)]
pub struct Site {
    /// Its name; faults with `proxy:` go by it.
    pub name: Arc<str>,
    /// What it understands of its traffic.
    pub protocol: Protocol,
    /// Whether it speaks TLS with its clients, or inside their tunnels if it is a forward proxy.
    pub tls: bool,
    /// Who is one user of it.
    pub users: Arc<Users>,
}

impl Site {
    /// What the only proxy of a run is called that knows no names.
    pub const ONLY: &str = "default";

    /// Whether it shakes hands inside of tunnels, and not as a connection begins.
    pub(super) fn shakes_in_tunnels(&self) -> bool {
        self.protocol == Protocol::Forward
    }

    /// Keeps the draws of one proxy apart from those of another. The only proxy of a run that knows no
    /// names draws by the fault alone.
    pub(super) fn salt(&self) -> u64 {
        if &*self.name == Self::ONLY { 0 } else { crate::dice::key(self.name.as_bytes()) }
    }
}

#[derive(Debug)]
pub(super) struct Station {
    pub site: Site,
    /// Tells its events from those of other proxies.
    pub id: u32,
    /// By phase.
    pub sets: Vec<Arc<ActiveSet>>,
    pub hand: ArcSwap<HandSet>,
    /// What a request or connection has to be asked for; zero is the fast path: one load, one
    /// branch.
    pub flags: AtomicU32,
    /// Counts publications, so that a connection notices a new set by one load.
    pub generation: AtomicU64,
    pub change: watch::Sender<Change>,
    pub users: Ordinals,
    pub peers: Ordinals,
    /// The stages at which anything is asked in any phase, a bit each.
    stages: u32,
    /// Whether any phase asks about messages, so that they are counted in all.
    counts: bool,
    /// Whether it was said that messages are spared.
    pub told_spared: AtomicBool,
    /// Keeps the draws of one proxy apart from those of another.
    pub salt: u64,
}

/// What is in force on a proxy at one moment.
#[derive(Debug)]
pub(super) struct InForce {
    phase: Option<(Arc<ActiveSet>, Moment)>,
    hand: Arc<HandSet>,
    now: Tick,
}

impl Station {
    pub(super) fn new(
        site: Site,
        id: u32,
        scenario: &Scenario,
        seed: Seed,
        counts: &mut BTreeMap<String, Arc<FaultCount>>,
        change: Change,
    ) -> Self {
        let salt = site.salt();
        let compile = |phase| ActiveSet::compile(scenario, phase, &site, salt, seed, counts);
        let sets: Vec<_> = (0..scenario.phases.len()).map(compile).map(Arc::new).collect();
        Self {
            id,
            hand: ArcSwap::default(),
            flags: AtomicU32::new(0),
            generation: AtomicU64::new(0),
            change: watch::Sender::new(change),
            users: Ordinals::new(1 << 20),
            peers: Ordinals::new(1 << 16),
            stages: sets.iter().fold(0, |bits, set| bits | set.stages()),
            counts: sets.iter().any(|set| set.asks_messages()),
            sets,
            told_spared: AtomicBool::new(false),
            salt,
            site,
        }
    }

    pub(super) fn flags(&self) -> u32 {
        self.flags.load(Ordering::Acquire)
    }

    /// Whether anything is ever asked at a stage, as far as is known now.
    pub(super) fn ever_asks(&self, stage: u32) -> bool {
        self.stages & stage != 0 || (self.flags() & flag::HAND != 0 && self.hand_asks(stage))
    }

    fn hand_asks(&self, stage: u32) -> bool {
        self.hand.load().stages & stage != 0
    }

    /// Says what has to be asked for while a phase plays, or none. `beside` is what else there is
    /// to know.
    pub(super) fn set_flags(&self, phase: Option<usize>, beside: u32) {
        let scenario = phase.and_then(|at| self.sets.get(at)).map_or(0, |set| set.flags());
        let counts = if self.counts { flag::COUNT } else { 0 };
        let flags = scenario | self.hand.load().flags | counts | beside;
        self.generation.fetch_add(1, Ordering::Release);
        self.flags.store(flags, Ordering::Release);
    }

    /// What is in force; `playing` is the phase by the clock and where in it we are.
    pub(super) fn in_force(&self, playing: Option<(usize, Moment)>, now: Tick) -> InForce {
        let phase = playing.and_then(|(at, moment)| Some((Arc::clone(self.sets.get(at)?), moment)));
        InForce { phase, hand: self.hand.load_full(), now }
    }
}

impl InForce {
    /// Every fault, with where it is in its time: the scenario's first, in the order of the file,
    /// then those by hand, in the order in which they came.
    pub(super) fn faults(&self) -> impl Iterator<Item = (&Arc<Armed>, Moment)> {
        let phase = self.phase.iter();
        let phase = phase.flat_map(|(set, moment)| set.faults.iter().map(|armed| (armed, *moment)));
        phase.chain(self.hand.faults.iter().filter_map(|armed| Some((armed, self.of(armed)?))))
    }

    /// Where a fault is in its time, if that is now.
    pub(super) fn of(&self, armed: &Armed) -> Option<Moment> {
        armed.origin.moment(self.playing(), self.now)
    }

    /// What was put into the place of a fault by hand, if it was only changed.
    pub(super) fn heir(&self, armed: &Armed) -> Option<Arc<Armed>> {
        self.hand.faults.iter().find(|other| Arc::ptr_eq(&other.count, &armed.count)).cloned()
    }

    fn playing(&self) -> Option<(usize, Moment)> {
        let (set, moment) = self.phase.as_ref()?;
        Some((set.phase, *moment))
    }
}
