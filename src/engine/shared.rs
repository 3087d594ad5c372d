//! What the faces of a run share.

use crate::{
    dice::{self, Seed},
    engine::{
        Play,
        active::ActiveSet,
        armed::{FaultCount, FaultTally},
        ordinals::Ordinals,
    },
    event::{Event, PhaseEdge, Recorder},
    fault::{Stage, Tick},
    scenario::{OpenConnections, Scenario},
    timeline::{Clock, Moment, Timeline},
};
use arc_swap::ArcSwap;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

/// Something that is in force, or that a request has to be asked for; see [`Shared::flags`].
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
}

/// What the director announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The phase that plays; `None` before the first and after the last.
    pub phase: Option<usize>,
    /// How many edges so far let open connections end after the exchange they carry. A count, since
    /// whoever listens may be told of two edges at once.
    pub drains: u32,
    /// How many edges so far ended open connections at once.
    pub resets: u32,
    /// Whether the drill is over: everything held is to be let go.
    pub over: bool,
}

/// What was put in force last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Published {
    /// Nothing was yet.
    #[default]
    Nothing,
    /// A phase, or what is in force outside of all phases.
    Set(Option<usize>),
}

#[derive(Debug)]
pub(super) struct Shared {
    pub epoch: Instant,
    pub id: Arc<str>,
    pub scenario: Arc<Scenario>,
    pub timeline: Arc<Timeline>,
    pub clock: ArcSwap<Clock>,
    pub sets: Vec<Arc<ActiveSet>>,
    pub active: ArcSwap<ActiveSet>,
    /// What a request or connection has to be asked for; zero is the fast path: one load, one
    /// branch.
    pub flags: AtomicU32,
    /// Counts publications, so that a connection notices a new set by one load.
    pub generation: AtomicU64,
    pub over: AtomicBool,
    /// What was published last, if anything; held while something is.
    published: Mutex<Published>,
    pub change: watch::Sender<Change>,
    /// Held by the request that sets a clock going that waits for traffic.
    pub starting: Mutex<()>,
    /// Wakes the director after a command.
    pub commanded: Notify,
    /// Set by a command that ends the drill.
    pub stop: AtomicBool,
    pub users: Ordinals,
    pub peers: Ordinals,
    pub times: Ordinals,
    /// The stages at which anything is asked in any phase, a bit each.
    pub stages: u16,
    /// Whether the n-th request of a user has to be counted at all.
    pub counts: bool,
    /// Whether any phase has a fault on the bytes of connections.
    pub has_wire: bool,
    pub recorder: Arc<Recorder>,
}

impl Shared {
    pub(super) fn new(
        scenario: Arc<Scenario>,
        timeline: Arc<Timeline>,
        play: &Play,
        recorder: Arc<Recorder>,
    ) -> Self {
        let mut counts: BTreeMap<String, Arc<FaultCount>> = BTreeMap::new();
        let sets: Vec<Arc<ActiveSet>> = (0..scenario.phases.len())
            .map(|phase| Arc::new(ActiveSet::compile(&scenario, phase, play.seed, &mut counts)))
            .collect();
        let clock = Clock::new(Arc::clone(&timeline), play.start_at, play.speed);
        let start = Change { phase: None, drains: 0, resets: 0, over: false };
        let entropy = Seed::fresh().0;
        Self {
            epoch: Instant::now(),
            id: format!("{:08x}", dice::key(&entropy.to_le_bytes()) >> 32).into(),
            stages: sets.iter().fold(0, |bits, set| bits | set.stages()),
            counts: sets.iter().any(|set| set.asks_messages()),
            has_wire: sets.iter().any(|set| set.shapes()),
            sets,
            timeline,
            clock: ArcSwap::from_pointee(clock),
            active: ArcSwap::from_pointee(ActiveSet::empty()),
            flags: AtomicU32::new(if play.wait_for_traffic { flag::WAITING } else { 0 }),
            generation: AtomicU64::new(0),
            over: AtomicBool::new(false),
            published: Mutex::default(),
            change: watch::Sender::new(start),
            starting: Mutex::default(),
            commanded: Notify::new(),
            stop: AtomicBool::new(false),
            users: Ordinals::new(1 << 20),
            peers: Ordinals::new(1 << 16),
            times: Ordinals::new(1 << 20),
            recorder,
            scenario,
        }
    }

    /// Real time since the drill's start.
    pub(super) fn tick(&self) -> Tick {
        self.epoch.elapsed()
    }

    /// What is in force now, and where in its phase we are.
    ///
    /// The clock says which phase it is, to the nanosecond; what the director published may be a
    /// moment behind, and says only whether anything is in force at all.
    pub(super) fn in_force(&self) -> Option<(&Arc<ActiveSet>, Moment)> {
        self.in_force_at(self.tick())
    }

    /// [`in_force`](Self::in_force), for who has looked at the time already.
    pub(super) fn in_force_at(&self, now: Tick) -> Option<(&Arc<ActiveSet>, Moment)> {
        self.active.load().phase?;
        let (phase, moment) = self.clock.load().moment(now)?;
        Some((self.sets.get(phase)?, moment))
    }

    /// Real time at which the clock reaches a time of a phase; `None` while it stands still.
    pub(super) fn due(&self, set: &ActiveSet, elapsed: Duration) -> Option<Tick> {
        let clock = self.clock.load();
        let start = self.timeline.start_of(set.phase?);
        clock.is_playing().then(|| clock.due(start + elapsed))
    }

    pub(super) fn flags(&self) -> u32 {
        self.flags.load(Ordering::Acquire)
    }

    /// Puts a phase's faults in force, or none; does nothing if that is so already, or if the drill
    /// is over and a phase would bring it back.
    pub(super) fn publish(&self, phase: Option<usize>, planned: Duration) {
        let mut published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        let over = self.over.load(Ordering::Acquire);
        if *published == Published::Set(phase) || (over && phase.is_some()) {
            return;
        }
        *published = Published::Set(phase);
        let set = phase.map_or_else(|| Arc::new(ActiveSet::empty()), |p| Arc::clone(&self.sets[p]));
        let flags = flags_of(&set);
        self.active.store(set);
        self.generation.fetch_add(1, Ordering::Release);
        self.flags.store(flags, Ordering::Release);
        let open = phase.map_or(OpenConnections::Keep, |p| self.scenario.phases[p].connections);
        self.change.send_modify(|change| {
            change.phase = phase;
            change.over = over;
            change.drains += u32::from(open == OpenConnections::Drain);
            change.resets += u32::from(open == OpenConnections::Reset);
        });
        let actual = self.tick();
        self.recorder.say(Event::Edge(PhaseEdge { phase, planned, actual }));
    }

    /// A phase is about to begin: from now on the clock is asked, to the nanosecond, where the flags
    /// alone would be a moment late.
    pub(super) fn expect(&self, phase: Option<usize>) {
        if let Some(set) = phase.and_then(|phase| self.sets.get(phase)) {
            let _held = self.published.lock().unwrap_or_else(PoisonError::into_inner);
            if !self.over.load(Ordering::Acquire) {
                self.flags.fetch_or(flags_of(set), Ordering::AcqRel);
            }
        }
    }

    /// Ends the drill, now if `planned` is now: nothing is in force, and whatever is held is let
    /// go. Once.
    pub(super) fn end(&self, planned: Duration) {
        if !self.over.swap(true, Ordering::AcqRel) {
            self.publish(None, planned);
        }
    }

    /// The clock was moved: whoever waits for a time of its has to look again.
    pub(super) fn moved(&self) {
        self.change.send_modify(|_| {});
        self.commanded.notify_one();
    }

    pub(super) fn tallies(&self) -> Vec<FaultTally> {
        let mut seen: Vec<FaultTally> = Vec::new();
        for armed in self.sets.iter().flat_map(|set| &set.faults) {
            if !seen.iter().any(|tally| tally.name == armed.name) {
                seen.push(armed.tally());
            }
        }
        seen
    }
}

/// What a request or connection has to be asked for while a set is in force.
fn flags_of(set: &ActiveSet) -> u32 {
    let mut flags = 0;
    if set.asks_messages() {
        flags |= flag::MESSAGE;
    }
    if set.asks(Stage::Connect) {
        flags |= flag::CONNECT;
    }
    if set.shapes() {
        flags |= flag::WIRE;
    }
    if set.needs_body {
        flags |= flag::BODY;
    }
    flags
}
