//! What the faces of a run share.

use crate::{
    dice::{self, Seed},
    engine::{
        Play,
        active::flag,
        armed::{FaultCount, FaultTally},
        ordinals::Ordinals,
        station::{InForce, Site, Station},
    },
    event::{Event, PhaseEdge, Recorder},
    fault::{Tick, catalog::Protocol},
    scenario::{OpenConnections, Scenario},
    timeline::{Clock, Moment, Timeline},
};
use arc_swap::ArcSwap;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

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

#[derive(Debug)]
pub(super) struct Shared {
    pub epoch: Instant,
    pub id: Arc<str>,
    pub scenario: Arc<Scenario>,
    pub timeline: Arc<Timeline>,
    pub seed: Seed,
    pub clock: ArcSwap<Clock>,
    /// Whether a phase is in force, as far as it was published.
    plays: AtomicBool,
    /// Whether the clock stands still until the first request.
    pub waiting: AtomicBool,
    pub over: AtomicBool,
    /// What was published last, if anything; held while something is.
    pub published: Mutex<Published>,
    /// Tells of every edge, for whoever watches the run and not one proxy.
    pub change: watch::Sender<Change>,
    /// Held by the request that sets a clock going that waits for traffic.
    pub starting: Mutex<()>,
    /// Wakes the director after a command.
    pub commanded: Notify,
    /// Set by a command that ends the drill.
    pub stop: AtomicBool,
    /// Whether that command meant to end it before its time.
    pub aborted: AtomicBool,
    pub times: Ordinals,
    pub recorder: Arc<Recorder>,
    stations: Mutex<Vec<Arc<Station>>>,
    next_station: AtomicU32,
    /// By the names of the scenario's faults, over all phases and proxies.
    counts: Mutex<BTreeMap<String, Arc<FaultCount>>>,
}

/// What was published last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Published {
    /// Nothing was yet.
    #[default]
    Nothing,
    /// A phase, or what is in force outside of all phases.
    Set(Option<usize>),
}

/// Locks what no panic can leave half-changed.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn new(
        scenario: Arc<Scenario>,
        timeline: Arc<Timeline>,
        play: &Play,
        recorder: Arc<Recorder>,
    ) -> Self {
        let clock = Clock::new(Arc::clone(&timeline), play.start_at, play.speed);
        let start = Change { phase: None, drains: 0, resets: 0, over: false };
        let entropy = Seed::fresh().0;
        Self {
            epoch: Instant::now(),
            id: format!("{:08x}", dice::key(&entropy.to_le_bytes()) >> 32).into(),
            timeline,
            seed: play.seed,
            clock: ArcSwap::from_pointee(clock),
            plays: AtomicBool::new(false),
            waiting: AtomicBool::new(play.wait_for_traffic),
            over: AtomicBool::new(false),
            published: Mutex::default(),
            change: watch::Sender::new(start),
            starting: Mutex::default(),
            commanded: Notify::new(),
            stop: AtomicBool::new(false),
            aborted: AtomicBool::new(false),
            times: Ordinals::new(1 << 20),
            recorder,
            scenario,
            stations: Mutex::default(),
            next_station: AtomicU32::new(0),
            counts: Mutex::default(),
        }
    }

    /// Real time since the drill's start.
    pub(super) fn tick(&self) -> Tick {
        self.epoch.elapsed()
    }

    /// Takes a proxy in.
    pub(super) fn add(&self, site: Site) -> Arc<Station> {
        // What is published meanwhile would pass it by.
        let published = lock(&self.published);
        let id = self.next_station.fetch_add(1, Ordering::Relaxed);
        let change = *self.change.borrow();
        let mut counts = lock(&self.counts);
        let station = Station::new(site, id, &self.scenario, self.seed, &mut counts, change);
        drop(counts);
        let station = Arc::new(station);
        lock(&self.stations).push(Arc::clone(&station));
        self.refresh(&station, &published);
        let Site { name, protocol, .. } = &station.site;
        let forward = *protocol == Protocol::Forward;
        self.recorder.say(Event::Proxy { id, name: Arc::clone(name), forward });
        station
    }

    /// Lets a proxy go.
    pub(super) fn remove(&self, station: &Arc<Station>) {
        lock(&self.stations).retain(|other| !Arc::ptr_eq(other, station));
    }

    /// The first proxy that was taken in and is still there.
    pub(super) fn first(&self) -> Option<Arc<Station>> {
        lock(&self.stations).first().cloned()
    }

    fn stations(&self) -> Vec<Arc<Station>> {
        lock(&self.stations).clone()
    }

    /// What is in force on a proxy now.
    ///
    /// The clock says which phase it is, to the nanosecond; what the director published may be a
    /// moment behind, and says only whether anything is in force at all.
    pub(super) fn in_force(&self, station: &Station) -> InForce {
        let now = self.tick();
        station.in_force(self.playing_at(now), now)
    }

    /// The phase that plays at `now`, by the clock, and where in it we are.
    pub(super) fn playing_at(&self, now: Tick) -> Option<(usize, Moment)> {
        if !self.plays() {
            return None;
        }
        self.clock.load().moment(now)
    }

    /// Whether any phase plays.
    pub(super) fn plays(&self) -> bool {
        self.plays.load(Ordering::Acquire)
    }

    /// Real time at which the clock reaches a time of a phase; `None` while it stands still.
    pub(super) fn due(&self, phase: usize, elapsed: Duration) -> Option<Tick> {
        let clock = self.clock.load();
        let start = self.timeline.start_of(phase);
        clock.is_playing().then(|| clock.due(start + elapsed))
    }

    /// Puts a phase's faults in force, or none; does nothing if that is so already, or if the drill
    /// is over and a phase would bring it back.
    pub(super) fn publish(&self, phase: Option<usize>, planned: Duration) {
        let mut published = lock(&self.published);
        let over = self.over.load(Ordering::Acquire);
        if *published == Published::Set(phase) || (over && phase.is_some()) {
            return;
        }
        *published = Published::Set(phase);
        self.plays.store(phase.is_some(), Ordering::Release);
        self.waiting.store(false, Ordering::Release);
        let open = phase.map_or(OpenConnections::Keep, |p| self.scenario.phases[p].connections);
        let tell = |change: &mut Change| {
            change.phase = phase;
            change.over = over;
            change.drains += u32::from(open == OpenConnections::Drain);
            change.resets += u32::from(open == OpenConnections::Reset);
        };
        for station in self.stations() {
            if over {
                station.hand.store(Arc::default());
            }
            self.refresh(&station, &published);
            station.change.send_modify(tell);
        }
        self.change.send_modify(tell);
        let actual = self.tick();
        self.recorder.say(Event::Edge(PhaseEdge { phase, planned, actual }));
    }

    /// Brings a proxy's flags up to date with what is in force on it.
    pub(super) fn refresh(&self, station: &Station, published: &Published) {
        let phase = match published {
            Published::Nothing => None,
            Published::Set(phase) => *phase,
        };
        let waiting = self.waiting.load(Ordering::Acquire);
        station.set_flags(phase, if waiting { flag::WAITING } else { 0 });
    }

    /// A phase is about to begin: from now on the clock is asked, to the nanosecond, where the flags
    /// alone would be a moment late.
    pub(super) fn expect(&self, phase: Option<usize>) {
        let Some(phase) = phase else { return };
        let _held = lock(&self.published);
        if self.over.load(Ordering::Acquire) {
            return;
        }
        for station in self.stations() {
            if let Some(set) = station.sets.get(phase) {
                station.flags.fetch_or(set.flags(), Ordering::AcqRel);
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
        for station in self.stations() {
            // Back in a phase before anybody published that it was left, chains look again too.
            station.generation.fetch_add(1, Ordering::Release);
            station.change.send_modify(|_| {});
        }
        self.change.send_modify(|_| {});
        self.commanded.notify_one();
    }

    pub(super) fn tallies(&self) -> Vec<FaultTally> {
        let mut seen: Vec<FaultTally> = Vec::new();
        let stations = self.stations();
        // In the order of the file, and not proxy by proxy.
        for phase in 0..self.scenario.phases.len() {
            for entry in &self.scenario.phases[phase].faults {
                let sets = stations.iter().map(|station| &station.sets[phase]);
                let armed = sets.flat_map(|set| &set.faults).find(|a| *a.name == *entry.name);
                if let Some(armed) = armed
                    && !seen.iter().any(|tally| tally.name == armed.name)
                {
                    seen.push(armed.tally());
                }
            }
        }
        seen
    }
}
