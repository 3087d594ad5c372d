//! The effective rate of a phase: how much of the traffic its faults touch together.
//!
//! Shares are independent draws, one for each (fault, unit), so 20 % and 5 % together touch 24 %
//! and 1 % of it twice. The slices of a `one_of` exclude each other, and the faults of a cohort
//! lie inside each other, since each of those is one draw for all of them.

use crate::{
    scenario::{FaultEntry, Scenario},
    select::Unit,
    timeline::{Moment, Moving},
    units::Percent,
};
use std::{collections::HashMap, time::Duration};

/// How much of a phase's traffic is touched, as fractions of one: the least and the most over the
/// phase, patterns being on.
#[derive(Clone, Debug, PartialEq)]
pub struct Touched {
    /// Of which requests, by the place of the target; without one, of all that are no target of
    /// another line.
    pub target: Option<usize>,
    /// What it is counted in, if all faults agree on that; else requests.
    pub unit: Unit,
    /// Touched by one fault or more.
    pub once: (f64, f64),
    /// Touched by two faults or more.
    pub twice: (f64, f64),
    /// Whether there are faults beside these whose victims follow from the load.
    pub by_load: bool,
    /// Whether a fault of it is on only part of the time.
    pub flaps: bool,
    /// Whether a fault of it lets through after a few times.
    pub runs_out: bool,
}

/// In how many steps a phase is looked at, beside the corners of its shares: between two corners a
/// product of shares may bend.
const STEPS: u32 = 64;

impl Scenario {
    /// How much of the traffic a phase touches, for each target that its faults name and for the
    /// rest, if that is touched at all.
    pub fn touched(&self, phase: usize) -> Vec<Touched> {
        let Some(phase) = self.phases.get(phase) else { return Vec::new() };
        let mut targets: Vec<Option<usize>> =
            phase.faults.iter().flat_map(|e| e.targets.iter().copied().map(Some)).collect();
        targets.push(None);
        targets.sort_unstable_by_key(|target| (target.is_none(), *target));
        targets.dedup();
        let line = |target: Option<usize>| {
            let meant = |entry: &&FaultEntry| {
                entry.targets.is_empty() || target.is_some_and(|t| entry.targets.contains(&t))
            };
            let entries: Vec<&FaultEntry> = phase.faults.iter().filter(meant).collect();
            touched(target, &entries, phase.length)
        };
        targets.into_iter().filter_map(line).collect()
    }
}

impl Touched {
    /// In words: `24.0 % of requests touched, 1.0 % twice`.
    pub fn show(&self) -> String {
        let unit = self.unit.name();
        let mut text = match (self.by_load, self.once.1 > 0.0) {
            (true, false) => format!("{unit} touched by load alone"),
            (true, true) => format!("{} of {unit} touched, more by load", percent(self.once)),
            (false, _) => format!("{} of {unit} touched", percent(self.once)),
        };
        if self.twice.1 > 0.0 {
            text.push_str(&format!(", {} twice", percent(self.twice)));
        }
        if self.flaps {
            text.push_str(", while its pattern is on");
        }
        if self.runs_out {
            text.push_str(", until its `times` are used up");
        }
        text
    }
}

fn percent((low, high): (f64, f64)) -> String {
    let digits = |value: f64| {
        // A share of 0.0001 % must not read as nothing.
        let percent = value * 100.0;
        if percent > 0.0 && percent < 0.1 {
            format!("{percent:.4}")
        } else {
            format!("{percent:.1}")
        }
    };
    let (low, high) = (digits(low), digits(high));
    if low == high { format!("{high} %") } else { format!("{low} to {high} %") }
}

fn touched(target: Option<usize>, entries: &[&FaultEntry], length: Duration) -> Option<Touched> {
    let unit = entries.first()?.share.unit;
    let same = entries.iter().all(|entry| entry.share.unit == unit);
    let mut touched = Touched {
        target,
        unit: if same { unit } else { Unit::Requests },
        once: (1.0, 0.0),
        twice: (1.0, 0.0),
        by_load: entries.iter().any(|entry| entry.fault.follows_load()),
        flaps: entries.iter().any(|entry| entry.pattern.is_some()),
        runs_out: entries.iter().any(|entry| entry.times.is_some()),
    };
    // Nobody knows before how many they will touch.
    let entries: Vec<&FaultEntry> =
        entries.iter().copied().filter(|entry| !entry.fault.follows_load()).collect();
    for elapsed in looks(entries.iter().map(|entry| &entry.share.amount), length, STEPS) {
        let (once, twice) = at(&entries, &Moment { elapsed, length, run: Duration::ZERO });
        touched.once = (touched.once.0.min(once), touched.once.1.max(once));
        touched.twice = (touched.twice.0.min(twice), touched.twice.1.max(twice));
    }
    Some(touched)
}

/// The times in a phase at which shares that move have to be looked at: every corner of each, and
/// `steps` in between.
pub(super) fn looks<'m>(
    amounts: impl Iterator<Item = &'m Moving<Percent>>,
    length: Duration,
    steps: u32,
) -> Vec<Duration> {
    let mut times = vec![Duration::ZERO, length];
    for amount in amounts {
        if let Moving::Curve(points) = amount {
            times.extend(points.iter().map(|(at, _)| *at).filter(|at| *at < length));
        }
        if amount.moves() {
            times.extend((1..steps).map(|step| length * step / steps));
        }
    }
    times.sort_unstable();
    times.dedup();
    times
}

/// The chance to be touched once or more, and twice or more, at a moment.
fn at(entries: &[&FaultEntry], moment: &Moment) -> (f64, f64) {
    let (mut none, mut one) = (1.0, 0.0);
    for draw in draws(entries, moment) {
        let (misses, single) = draw.chances();
        (none, one) = (none * misses, one * misses + none * single);
    }
    let above = |chance: f64| if chance < 1e-12 { 0.0 } else { chance };
    (above(1.0 - none), above(1.0 - none - one))
}

/// One draw: a point between 0 and 1, and the stretches in which it hits.
#[derive(Debug)]
struct Draw {
    hits: Vec<(f64, f64)>,
}

/// What faults that share a draw have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key<'e> {
    Cohort(&'e str, Unit),
    Group(usize),
}

fn draws<'e>(entries: &[&'e FaultEntry], moment: &Moment) -> Vec<Draw> {
    let mut draws: Vec<Draw> = Vec::new();
    let mut known: HashMap<Key<'e>, usize> = HashMap::new();
    let mut filled: HashMap<usize, f64> = HashMap::new();
    for entry in entries {
        let share = entry.share.amount.at(moment).fraction();
        let from = entry.group.map_or(0.0, |group| {
            let filled = filled.entry(group).or_default();
            *filled += share;
            *filled - share
        });
        let hit = (from.min(1.0), (from + share).min(1.0));
        let key = match (&entry.cohort, entry.group) {
            (Some(cohort), _) => Some(Key::Cohort(cohort, entry.share.unit)),
            (None, Some(group)) => Some(Key::Group(group)),
            (None, None) => None,
        };
        let draw = key.map_or(draws.len(), |key| *known.entry(key).or_insert(draws.len()));
        match draws.get_mut(draw) {
            Some(draw) => draw.hits.push(hit),
            None => draws.push(Draw { hits: vec![hit] }),
        }
    }
    draws
}

impl Draw {
    /// The chances of no hit and of exactly one: a walk over the edges of all stretches.
    fn chances(&self) -> (f64, f64) {
        let mut edges: Vec<(f64, i32)> =
            self.hits.iter().flat_map(|(from, to)| [(*from, 1), (*to, -1)]).collect();
        edges.push((1.0, 0));
        edges.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let (mut none, mut one, mut hits, mut last) = (0.0, 0.0, 0, 0.0);
        for (edge, change) in edges {
            match hits {
                0 => none += edge - last,
                1 => one += edge - last,
                _ => {}
            }
            (hits, last) = (hits + change, edge);
        }
        (none, one)
    }
}
