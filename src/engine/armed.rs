//! One fault of one phase, ready to be asked.

use crate::{
    dice::{Dice, Purpose, Seed, key},
    engine::{ordinals::Ordinals, shared::Shared, station::Site},
    fault::{
        Denial, Fault, Stage, Tick,
        catalog::{self, Protocol},
    },
    scenario::{FaultEntry, Per, Share, Times},
    select::Unit,
    timeline::{Moment, Moving, Pattern},
    units::Percent,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
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
    pub fn held(&self, time: Duration) {
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
    pub held: Duration,
    /// Whether it acts on the listener as a whole, where there is nothing to count.
    pub gate: bool,
}

/// Where a fault is from, and so when it is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A phase of the scenario.
    Phase(usize),
    /// Put there by hand.
    Hand {
        /// When.
        since: Tick,
        /// When its time is up.
        until: Option<Tick>,
    },
}

impl Origin {
    /// The phase, if it is of one.
    pub(super) const fn phase(self) -> Option<usize> {
        match self {
            Self::Phase(phase) => Some(phase),
            Self::Hand { .. } => None,
        }
    }

    /// Where in its time a fault is, if that is `now`; `playing` is the phase by the clock.
    pub(super) fn moment(self, playing: Option<(usize, Moment)>, now: Tick) -> Option<Moment> {
        match self {
            Self::Phase(phase) => playing.filter(|(at, _)| *at == phase).map(|(_, moment)| moment),
            Self::Hand { since, until } => {
                let elapsed = now.saturating_sub(since);
                let length = until.map_or(elapsed, |until| until.saturating_sub(since));
                let lasts = until.is_none_or(|until| now < until);
                lasts.then_some(Moment { elapsed, length, run: now })
            }
        }
    }

    /// Real time at which the fault is `elapsed` into its time; `None` while the clock stands.
    pub(super) fn due(self, shared: &Shared, elapsed: Duration) -> Option<Tick> {
        match self {
            Self::Phase(phase) => shared.due(phase, elapsed),
            Self::Hand { since, .. } => Some(since.saturating_add(elapsed)),
        }
    }
}

/// The name under which a fault's share is drawn: a cohort has one for all its faults, so that they
/// hit the same users.
pub(super) fn lot_name(entry: &FaultEntry) -> String {
    match &entry.cohort {
        Some(cohort) => format!("cohort {cohort}"),
        None => format!("share {}", entry.name),
    }
}

/// What a share is drawn with.
#[derive(Debug)]
pub(super) struct Lot {
    /// What earlier slices of its `one_of` take.
    pub before: Vec<Moving<Percent>>,
    /// Under which name.
    pub name: String,
    /// What all choices follow from.
    pub seed: Seed,
}

#[derive(Debug)]
pub(super) struct Armed {
    /// Tells it apart among all faults of all phases: its phase above its place there.
    pub uid: usize,
    pub origin: Origin,
    pub name: Arc<str>,
    pub kind: &'static str,
    pub fault: Arc<dyn Fault>,
    /// What it is on the bytes of a tunnel, where it is something else there.
    in_tunnels: Option<Arc<dyn Fault>>,
    pub count: Arc<FaultCount>,
    /// The `one_of` it is a slice of, if it is one.
    group: Option<usize>,
    /// Any of these targets; zero is everything.
    pub targets: u64,
    share: Share,
    /// What earlier slices of its `one_of` take.
    before: Vec<Moving<Percent>>,
    pattern: Option<Pattern>,
    times: Option<Times>,
    /// What the fault draws with.
    dice: Dice,
    /// What its share is drawn with.
    lots: Dice,
    /// Keeps its draws apart from those of the same fault on another proxy, users excepted: a user
    /// who is hit is hit everywhere.
    salt: u64,
    times_key: u64,
}

/// The request that a connection became a tunnel by, as far as faults in the tunnel go by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// The how-manieth request of its user.
    pub nth: u64,
    /// The targets that mean it.
    pub targets: u64,
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
    /// The fault as it acts on a proxy; `None` if there is nothing that it could act on.
    pub(super) fn new(
        uid: usize,
        origin: Origin,
        entry: &FaultEntry,
        site: &Site,
        salt: u64,
        lot: Lot,
        count: &Arc<FaultCount>,
    ) -> Option<Self> {
        let row = catalog::find(entry.kind);
        let works = row.is_none_or(|row| row.protocols.contains(&site.protocol))
            && entry.fault.works_on(site.protocol).is_ok()
            && (site.tls || !entry.fault.needs_tls())
            && (site.protocol.has_requests() || !entry.chooses_requests());
        let armed = |fault: Arc<dyn Fault>| fault.armed().unwrap_or(fault);
        let on_bytes = || entry.fault.on_bytes();
        let (fault, in_tunnels) = match site.protocol {
            Protocol::Tcp => (on_bytes(), None),
            Protocol::Http => (None, None),
            // What is meant for so many requests is done with them.
            Protocol::Forward if entry.times.is_some() => (None, None),
            Protocol::Forward => {
                let works = entry.fault.works_on(Protocol::Tcp).is_ok();
                (None, on_bytes().filter(|_| works).map(armed))
            }
        };
        let fault = fault.unwrap_or_else(|| Arc::clone(&entry.fault));
        let fault = armed(fault);
        works.then(|| Self {
            uid,
            origin,
            name: entry.name.as_str().into(),
            kind: entry.kind,
            fault,
            in_tunnels,
            count: Arc::clone(count),
            group: entry.group,
            targets: entry.targets.iter().fold(0, |bits, at| bits | bit(*at)),
            share: entry.share.clone(),
            before: lot.before,
            pattern: entry.pattern,
            times: entry.times,
            dice: Dice::new(lot.seed, &entry.name),
            lots: Dice::new(lot.seed, &lot.name),
            salt,
            times_key: match origin {
                Origin::Phase(_) => key(entry.name.as_bytes()),
                // One that comes again under its old name starts anew.
                Origin::Hand { .. } => key(&uid.to_le_bytes()),
            },
        })
    }

    /// What shapes the bytes of a connection, or those of a tunnel that one became.
    pub(super) fn shaper(&self, tunnel: Option<&Tunnel>) -> Option<&Arc<dyn Fault>> {
        match tunnel {
            Some(tunnel) => self.in_tunnels.as_ref().filter(|_| self.is_meant_for(tunnel.targets)),
            None => Some(&self.fault).filter(|fault| fault.shapes_connections()),
        }
    }

    /// Whether it shapes the bytes of any connection or tunnel.
    pub(super) fn shapes_bytes(&self) -> bool {
        self.in_tunnels.is_some() || self.fault.shapes_connections()
    }

    /// Whether both are slices of one `one_of`.
    pub(super) fn is_beside(&self, other: &Self) -> bool {
        self.group.is_some() && self.group == other.group && self.origin == other.origin
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
            Unit::Requests => self.lots.of(whom.user.unwrap_or(0) ^ self.salt, whom.nth),
            Unit::Connections => self.lots.of(whom.conn.0 ^ self.salt, whom.conn.1),
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
        let (from, upto) = self.bounds(own, moment);
        upto.includes(point) && !from.includes(point)
    }

    /// Where its share begins and ends among all points.
    fn bounds(&self, own: Percent, moment: &Moment) -> (Percent, Percent) {
        let before: f64 = self.before.iter().map(|share| share.at(moment).fraction()).sum();
        (Percent::from_fraction(before), Percent::from_fraction(before + own.fraction()))
    }

    /// The part of all its lot's draws that its share takes, as fractions of one.
    pub(super) fn slice(&self, moment: &Moment) -> (f64, f64) {
        let (from, upto) = self.bounds(self.share.amount.at(moment), moment);
        (from.fraction(), upto.fraction())
    }

    /// What its share is drawn with, and for whom; faults with the same draw together.
    pub(super) fn lot(&self) -> (Dice, Unit) {
        (self.lots, self.share.unit)
    }

    /// What its share is counted in.
    pub(super) fn unit(&self) -> Unit {
        self.share.unit
    }

    /// Whether a share of users includes one of them.
    pub(super) fn includes_user(&self, user: u64, moment: &Moment) -> bool {
        // Who connects is not known yet.
        let user = (!self.acts_at(Stage::Connect)).then_some(user);
        let whom = Whom { user, nth: 0, conn: (0, 0), targets: 0, operation: 0 };
        self.includes(&whom, moment)
    }

    /// Whether an attempt that it hits comes to nothing; one that hits only so many is a matter of
    /// who came before.
    pub(super) fn denial(&self) -> Denial {
        match (self.fault.denies(), self.times) {
            (Denial::Always, Some(_)) => Denial::Perhaps,
            (denial, _) => denial,
        }
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
        let message = self.dice.of(whom.user.unwrap_or(0) ^ self.salt, whom.nth);
        (message, self.dice.of(whom.conn.0 ^ self.salt, whom.conn.1), self.dice)
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
            // To the microsecond, as a record keeps it.
            held: Duration::from_micros(self.count.nanos.load(Ordering::Relaxed) / 1_000),
            gate: self.fault.gate().is_some(),
        }
    }
}

/// The bit of a target; targets beyond the 64th share the last, which `check` refuses.
pub(super) fn bit(target: usize) -> u64 {
    1 << target.min(63)
}
