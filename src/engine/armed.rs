//! One fault of one phase, ready to be asked.

use crate::{
    dice::{Dice, Purpose, Seed, key},
    engine::ordinals::Ordinals,
    fault::{Fault, Stage},
    scenario::{FaultEntry, Per, Share, Times},
    select::Unit,
    timeline::{Moment, Moving, Pattern},
    units::Percent,
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// What a fault was asked and what it did, over all the phases it is named in.
#[derive(Debug, Default)]
pub struct FaultCount {
    considered: AtomicU64,
    hit: AtomicU64,
    nanos: AtomicU64,
}

impl FaultCount {
    /// A message or connection that it is meant for came by.
    pub fn consider(&self) {
        self.considered.fetch_add(1, Ordering::Relaxed);
    }

    /// It did something.
    pub fn hit(&self) {
        self.hit.fetch_add(1, Ordering::Relaxed);
    }

    /// It held something for so long.
    pub fn held(&self, time: std::time::Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }
}

/// A fault's counts under its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultTally {
    /// The fault's name in the scenario.
    pub name: Arc<str>,
    /// Its kind in the catalogue.
    pub kind: &'static str,
    /// What it does, in a few words.
    pub describe: String,
    /// Messages (or connections, for a fault on those) that it was meant for.
    pub considered: u64,
    /// Those it hit.
    pub hit: u64,
    /// The delays it dealt, added up.
    pub held: std::time::Duration,
    /// Whether it acts on the listener as a whole, where there is nothing to count.
    pub gate: bool,
}

#[derive(Debug)]
pub(super) struct Armed {
    /// Tells it apart among all faults of all phases: its phase above its place there.
    pub uid: usize,
    pub name: Arc<str>,
    pub kind: &'static str,
    pub fault: Arc<dyn Fault>,
    pub count: Arc<FaultCount>,
    /// Any of these targets; zero is everything.
    targets: u64,
    share: Share,
    /// What earlier slices of its `one_of` take.
    before: Vec<Moving<Percent>>,
    pattern: Option<Pattern>,
    times: Option<Times>,
    /// What the fault draws with.
    dice: Dice,
    /// What its share is drawn with.
    lots: Dice,
    times_key: u64,
}

/// Who is asked about, as far as drawing goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whom {
    /// The user, if one is known.
    pub user: Option<u64>,
    /// The how-manieth request of the user.
    pub nth: u64,
    /// The peer, and the how-manieth connection of it.
    pub conn: (u64, u64),
    /// The targets that mean the request.
    pub targets: u64,
    /// The operation, as far as its head tells.
    pub operation: u64,
}

impl Armed {
    pub(super) fn new(
        uid: usize,
        entry: &FaultEntry,
        before: Vec<Moving<Percent>>,
        lots: &str,
        seed: Seed,
        count: Arc<FaultCount>,
    ) -> Self {
        let fault = entry.fault.armed().unwrap_or_else(|| Arc::clone(&entry.fault));
        Self {
            uid,
            name: entry.name.as_str().into(),
            kind: entry.kind,
            fault,
            count,
            targets: entry.targets.iter().fold(0, |bits, at| bits | bit(*at)),
            share: entry.share.clone(),
            before,
            pattern: entry.pattern,
            times: entry.times,
            dice: Dice::new(seed, &entry.name),
            lots: Dice::new(seed, lots),
            times_key: key(entry.name.as_bytes()),
        }
    }

    /// The phase it is a fault of.
    pub(super) const fn phase(&self) -> usize {
        self.uid >> 16
    }

    /// Whether it is asked at this stage.
    pub(super) fn acts_at(&self, stage: Stage) -> bool {
        self.fault.stages().contains(&stage)
    }

    /// Whether a request is one of those it is meant for, share aside.
    pub(super) fn is_meant_for(&self, targets: u64) -> bool {
        self.targets == 0 || self.targets & targets != 0
    }

    /// Whether it is on, its pattern considered.
    pub(super) fn is_on(&self, moment: &Moment) -> bool {
        self.pattern.is_none_or(|pattern| pattern.is_on(moment))
    }

    /// Whether its share includes them. A user that is not known yet is not included.
    pub(super) fn includes(&self, whom: &Whom, moment: &Moment) -> bool {
        self.includes_point(self.point(whom), moment)
    }

    /// What its share is compared with, which never moves; `None` for a user that is not known yet.
    pub(super) fn point(&self, whom: &Whom) -> Option<u64> {
        let dice = match self.share.unit {
            Unit::Users => self.lots.of(whom.user?, 0),
            Unit::Requests => self.lots.of(whom.user.unwrap_or(0), whom.nth),
            Unit::Connections => self.lots.of(whom.conn.0, whom.conn.1),
        };
        Some(dice.point(Purpose::Share))
    }

    /// Whether its share includes a [`point`](Self::point).
    pub(super) fn includes_point(&self, point: Option<u64>, moment: &Moment) -> bool {
        let own = self.share.amount.at(moment);
        let Some(point) = point else {
            return own == Percent::ALL && self.before.is_empty();
        };
        if self.before.is_empty() {
            return own.includes(point);
        }
        let before: f64 = self.before.iter().map(|share| share.at(moment).fraction()).sum();
        let upto = Percent::from_fraction(before + own.fraction());
        upto.includes(point) && !Percent::from_fraction(before).includes(point)
    }

    /// Whether `times` still lets it hit; counts if so.
    pub(super) fn has_times_left(&self, whom: &Whom, counters: &Ordinals) -> bool {
        let Some(times) = self.times else {
            return true;
        };
        let by = match times.per {
            Per::Operation => whom.operation,
            Per::User => whom.user.unwrap_or(0),
            Per::Run => 0,
        };
        counters.next(self.times_key ^ by.rotate_left(17)) <= u64::from(times.first)
    }

    /// The dice for a message, a connection and everybody.
    pub(super) fn dice(&self, whom: &Whom) -> (Dice, Dice, Dice) {
        let message = self.dice.of(whom.user.unwrap_or(0), whom.nth);
        (message, self.dice.of(whom.conn.0, whom.conn.1), self.dice)
    }

    /// The pattern, for whoever has to wait for its next change.
    pub(super) fn pattern(&self) -> Option<Pattern> {
        self.pattern
    }

    /// Whether its share moves, so that somebody may drop out of it inside the phase.
    pub(super) fn share_moves(&self) -> bool {
        self.share.amount.moves() || self.before.iter().any(Moving::moves)
    }

    pub(super) fn tally(&self) -> FaultTally {
        FaultTally {
            name: Arc::clone(&self.name),
            kind: self.kind,
            describe: self.fault.describe(),
            considered: self.count.considered.load(Ordering::Relaxed),
            hit: self.count.hit.load(Ordering::Relaxed),
            held: std::time::Duration::from_nanos(self.count.nanos.load(Ordering::Relaxed)),
            gate: self.fault.gate().is_some(),
        }
    }
}

/// The bit of a target; targets beyond the 64th share the last, which `check` refuses.
pub(super) fn bit(target: usize) -> u64 {
    1 << target.min(63)
}
