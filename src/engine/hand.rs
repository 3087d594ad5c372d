//! Faults put on a proxy by hand, beside whatever a scenario does to it.
//!
//! They take effect at once, on connections that are open as well: a change publishes a new set and
//! wakes whoever may hold something, and waits for nobody. They last until they are removed, their
//! time is up, or the drill ends.

use crate::{
    engine::{
        active::{flag, flags_of, stages_of},
        armed::{Armed, FaultCount, FaultTally, Lot, Origin, lot_name},
        shared::{Shared, lock},
        station::Station,
    },
    event::{Event, HandChange},
    fault::Tick,
    scenario::{FaultEntry, Target},
    select::Matcher,
};
use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{task::AbortHandle, time::sleep_until};

/// So many faults one proxy takes by hand.
pub const MOST_BY_HAND: usize = 10_000;

/// What is on a proxy by hand.
#[derive(Debug, Default)]
pub(super) struct HandSet {
    pub faults: Vec<Arc<Armed>>,
    entries: Vec<Arc<ByHand>>,
    pub flags: u32,
    pub stages: u32,
    /// The matchers of each fault that is meant for some requests, and the bit they set.
    pub targets: Vec<(u64, Vec<Matcher>)>,
}

/// A fault as it was put on a proxy.
#[derive(Clone, Debug)]
pub struct HandFault {
    /// The fault and the keys beside it. Its `targets` are places in [`targets`](Self::targets).
    pub entry: FaultEntry,
    /// The matchers it talks about.
    pub targets: Vec<Target>,
    /// For how long; until it is removed if not given.
    pub ttl: Option<Duration>,
    /// What the one who put it there knows it by.
    pub memo: Option<Memo>,
}

/// Something that is kept with a fault for the one who put it there; nobody else looks into it.
#[derive(Clone, Debug)]
pub struct Memo(Arc<dyn Any + Send + Sync>);

impl Memo {
    /// Keeps something.
    pub fn new(kept: impl Any + Send + Sync) -> Self {
        Self(Arc::new(kept))
    }

    /// What was kept, if it is of this type.
    pub fn get<T: 'static>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

/// A fault that is on a proxy by hand.
#[derive(Debug)]
pub struct ByHand {
    /// As it was put there.
    pub fault: HandFault,
    /// Real time since the start at which it was.
    pub since: Tick,
    count: Arc<FaultCount>,
    armed: Arc<Armed>,
    /// The bit of the requests it is meant for; zero is all.
    bit: u64,
    /// Takes it away when its time is up.
    _timer: Option<Timer>,
}

/// A task that ends with what it is for.
#[derive(Debug)]
struct Timer(AbortHandle);

impl Drop for Timer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl ByHand {
    /// Its name, which no other fault by hand on its proxy has.
    pub fn name(&self) -> &str {
        &self.fault.entry.name
    }

    /// When its time is up, as real time since the start.
    pub fn until(&self) -> Option<Tick> {
        self.fault.ttl.map(|ttl| self.since.saturating_add(ttl))
    }

    /// What it was asked and did so far.
    pub fn tally(&self) -> FaultTally {
        self.armed.tally()
    }
}

/// Why a fault cannot be put on a proxy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandError {
    /// There is one of that name.
    #[error("the proxy has a fault `{0}` already")]
    NameTaken(String),
    /// There is none of that name.
    #[error("the proxy has no fault `{0}`")]
    Unknown(String),
    /// It has all it can take.
    #[error("the proxy has {MOST_BY_HAND} faults already, which is all it takes")]
    TooMany,
    /// A scenario's targets and those of its other faults leave none.
    #[error("there is no room for another target: a proxy takes 64 in all")]
    TooManyTargets,
    /// A value moves, and nothing says over what time.
    #[error("a value moves, and without a time to live nothing says over what time")]
    MovesForEver,
    /// The proxy's protocol has nothing that the fault could act on.
    #[error("`{fault}` does not work on a proxy with `protocol: {protocol}`")]
    Protocol {
        /// The fault's kind.
        fault: &'static str,
        /// The proxy's protocol.
        protocol: &'static str,
    },
    /// Nothing is injected any more.
    #[error("the drill is over, and nothing is injected any more")]
    Over,
}

/// The face of a run that puts faults on one proxy by hand.
#[derive(Clone, Debug)]
pub struct Hand {
    pub(super) shared: Arc<Shared>,
    pub(super) station: Arc<Station>,
}

impl Hand {
    /// The proxy's name.
    pub fn proxy(&self) -> &str {
        &self.station.site.name
    }

    /// What is on it, in the order in which it came.
    pub fn list(&self) -> Vec<Arc<ByHand>> {
        self.station.hand.load().entries.clone()
    }

    /// The fault of this name.
    pub fn find(&self, name: &str) -> Option<Arc<ByHand>> {
        let set = self.station.hand.load();
        set.entries.iter().find(|by_hand| by_hand.name() == name).cloned()
    }

    /// Puts a fault on the proxy.
    ///
    /// # Errors
    ///
    /// See [`HandError`]; then nothing was changed.
    pub fn add(&self, fault: HandFault) -> Result<Arc<ByHand>, HandError> {
        self.change(|set| self.push(set, fault)).inspect(|new| self.tell(new, HandChange::Added))
    }

    /// Puts many faults on the proxy at once, or none of them.
    ///
    /// # Errors
    ///
    /// See [`HandError`]; then nothing was changed.
    pub fn add_all(&self, faults: Vec<HandFault>) -> Result<(), HandError> {
        let all = self.change(|set| {
            let before = set.len();
            for fault in faults {
                self.push(set, fault)?;
            }
            Ok(set[before..].to_vec())
        })?;
        for new in &all {
            self.tell(new, HandChange::Added);
        }
        Ok(())
    }

    /// Puts a fault into the place of the one of its name. Connections that it met stay met.
    ///
    /// # Errors
    ///
    /// See [`HandError`]; then nothing was changed.
    pub fn replace(&self, fault: HandFault) -> Result<Arc<ByHand>, HandError> {
        self.change(|set| {
            let Some(at) = set.iter().position(|other| other.name() == fault.entry.name) else {
                return Err(HandError::Unknown(fault.entry.name));
            };
            let new = self.arm(fault, set, Some(&set[at].count))?;
            set[at] = Arc::clone(&new);
            Ok(new)
        })
        .inspect(|new| self.tell(new, HandChange::Changed))
    }

    /// Takes a fault away; whatever it holds is let go.
    ///
    /// # Errors
    ///
    /// Fails if there is none of that name.
    pub fn remove(&self, name: &str) -> Result<Arc<ByHand>, HandError> {
        self.take(name).inspect(|old| self.tell(old, HandChange::Removed))
    }

    /// Takes everything away.
    pub fn clear(&self) {
        let all = self.change(|set| Ok(std::mem::take(set))).unwrap_or_default();
        for old in &all {
            self.tell(old, HandChange::Removed);
        }
    }

    fn push(&self, set: &mut Vec<Arc<ByHand>>, fault: HandFault) -> Result<Arc<ByHand>, HandError> {
        if set.iter().any(|other| other.name() == fault.entry.name) {
            return Err(HandError::NameTaken(fault.entry.name));
        }
        if set.len() >= MOST_BY_HAND {
            return Err(HandError::TooMany);
        }
        let new = self.arm(fault, set, None)?;
        set.push(Arc::clone(&new));
        Ok(new)
    }

    fn take(&self, name: &str) -> Result<Arc<ByHand>, HandError> {
        self.change(|set| match set.iter().position(|other| other.name() == name) {
            Some(at) => Ok(set.remove(at)),
            None => Err(HandError::Unknown(name.to_owned())),
        })
    }

    fn tell(&self, fault: &ByHand, change: HandChange) {
        self.shared.recorder.say(Event::ByHand(crate::event::ByHand {
            proxy: self.station.id,
            fault: fault.name().into(),
            kind: fault.fault.entry.kind,
            change,
            at: u64::try_from(self.shared.tick().as_micros()).unwrap_or(u64::MAX),
        }));
    }

    fn change<T>(
        &self,
        change: impl FnOnce(&mut Vec<Arc<ByHand>>) -> Result<T, HandError>,
    ) -> Result<T, HandError> {
        // One at a time, and never while a phase is being published.
        let published = lock(&self.shared.published);
        let mut entries = self.station.hand.load().entries.clone();
        let changed = change(&mut entries)?;
        let set = HandSet::of(entries);
        self.station.hand.store(Arc::new(set));
        self.shared.refresh(&self.station, &published);
        drop(published);
        self.station.change.send_modify(|_| {});
        Ok(changed)
    }

    fn arm(
        &self,
        fault: HandFault,
        others: &[Arc<ByHand>],
        count: Option<&Arc<FaultCount>>,
    ) -> Result<Arc<ByHand>, HandError> {
        if self.shared.over.load(Ordering::Acquire) {
            return Err(HandError::Over);
        }
        let entry = &fault.entry;
        let site = &self.station.site;
        if fault.ttl.is_none() && (entry.fault.moves() || entry.share.amount.moves()) {
            return Err(HandError::MovesForEver);
        }
        let since = self.shared.tick();
        let until = fault.ttl.map(|ttl| since.saturating_add(ttl));
        let count = count.map_or_else(Arc::default, Arc::clone);
        let origin = Origin::Hand { since, until };
        let bit = if fault.targets.is_empty() { 0 } else { self.free_bit(others)? };
        let lot = Lot { before: Vec::new(), name: lot_name(entry), seed: self.shared.seed };
        let armed = Armed::new(next_uid(), origin, entry, site, self.station.salt, lot, &count);
        let mut armed = armed
            .ok_or(HandError::Protocol { fault: entry.kind, protocol: site.protocol.name() })?;
        armed.targets = bit;
        let timer = until.map(|until| self.timer(entry.name.clone(), until));
        Ok(Arc::new(ByHand { since, count, armed: Arc::new(armed), bit, _timer: timer, fault }))
    }

    /// A bit that no target has yet.
    fn free_bit(&self, others: &[Arc<ByHand>]) -> Result<u64, HandError> {
        let known = self.shared.scenario.targets.len();
        let taken = others.iter().fold(0, |bits, other| bits | other.bit);
        let mut bits = (known..64).map(|at| 1 << at);
        bits.find(|bit| taken & bit == 0).ok_or(HandError::TooManyTargets)
    }

    fn timer(&self, name: String, until: Tick) -> Timer {
        let (shared, station) = (Arc::downgrade(&self.shared), Arc::downgrade(&self.station));
        let at = self.shared.epoch + until;
        let task = tokio::spawn(async move {
            sleep_until(at).await;
            if let (Some(shared), Some(station)) = (shared.upgrade(), station.upgrade()) {
                let hand = Self { shared, station };
                // Somebody may have been faster.
                if let Ok(old) = hand.take(&name) {
                    hand.tell(&old, HandChange::Expired);
                }
            }
        });
        Timer(task.abort_handle())
    }
}

impl HandSet {
    fn of(entries: Vec<Arc<ByHand>>) -> Self {
        let faults: Vec<_> = entries.iter().map(|by_hand| Arc::clone(&by_hand.armed)).collect();
        let matchers = |fault: &HandFault| {
            fault.targets.iter().flat_map(|target| target.matchers.clone()).collect::<Vec<_>>()
        };
        let targets: Vec<(u64, Vec<Matcher>)> = entries
            .iter()
            .filter(|by_hand| by_hand.bit != 0)
            .map(|by_hand| (by_hand.bit, matchers(&by_hand.fault)))
            .collect();
        let mut flags = flags_of(&faults);
        if !entries.is_empty() {
            flags |= flag::HAND;
        }
        if targets.iter().any(|(_, matchers)| matchers.iter().any(Matcher::needs_body)) {
            flags |= flag::BODY;
        }
        Self { stages: stages_of(&faults), faults, entries, flags, targets }
    }
}

/// Tells a fault by hand apart from all others, the one it replaces included.
fn next_uid() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(1 << 40);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
