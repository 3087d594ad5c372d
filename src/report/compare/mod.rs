//! Two drills side by side: what became better, what became worse, and what is noise.
//!
//! Of two figures with bounds the one is better only if their bounds do not overlap. Comparing many
//! figures finds some that differ by chance: with *k* of them in both drills each bound is taken at the
//! level 1 − (1 − level)/*k* (Bonferroni), so that all statements together hold at the level. What was
//! counted is certain and is compared as it is. A figure without bounds that was not counted has to
//! differ by a tenth.

mod json;
mod text;

use crate::{
    scenario::vocabulary::{Measure, Side, Term},
    verdict::{
        Measured, Taken,
        stats::{Observed, rate_ratio},
    },
};

/// What has no bounds has to differ by this share of the larger one.
const TOLERANCE: f64 = 0.1;
/// Times without bounds that are no further apart than this, in seconds, are the same: so much is a machine's.
const JITTER: f64 = 0.05;
/// How sure it has to be that two counts differ, on each side.
const CHANCE: f64 = 0.975;

/// One of the two.
#[derive(Clone, Debug, Default)]
pub struct Ran {
    /// Its record.
    pub file: String,
    /// The run.
    pub run: String,
    /// What its choices followed from.
    pub seed: u64,
    /// Exchanges.
    pub requests: u64,
}

/// How one measure went from the first drill to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The second is better, beyond noise.
    Better,
    /// The second is worse, beyond noise.
    Worse,
    /// They do not differ beyond noise.
    Same,
    /// They differ, and neither is better.
    Other,
    /// Only the first has it.
    OnlyFirst,
    /// Only the second has it.
    OnlySecond,
}

impl Change {
    /// As reports write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Same => "same",
            Self::Other => "other",
            Self::OnlyFirst => "only in A",
            Self::OnlySecond => "only in B",
        }
    }
}

/// One measure of both.
#[derive(Clone, Debug)]
pub struct Row {
    /// What it is.
    pub term: &'static Term,
    /// In the first.
    pub first: Option<Measured>,
    /// In the second.
    pub second: Option<Measured>,
    /// How it changed.
    pub change: Change,
}

/// Two drills side by side.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The drills.
    pub ran: [Ran; 2],
    /// What at least one of them has, in the order of the vocabulary.
    pub rows: Vec<Row>,
    /// At which all statements together hold.
    pub level: f64,
    /// At which each bound does.
    pub each: f64,
    /// Figures with bounds in both.
    pub bounded: usize,
    /// What a reader should know before they believe it.
    pub notes: Vec<String>,
}

impl Comparison {
    /// Compares what two drills measure, each asked for its measures at a level.
    pub fn of(
        ran: [Ran; 2],
        level: f64,
        first: impl Fn(f64) -> Vec<Taken>,
        second: impl Fn(f64) -> Vec<Taken>,
        notes: Vec<String>,
    ) -> Self {
        let pairs = pairs(first(level), second(level));
        let bounded = pairs
            .iter()
            .filter(|(_, a, b)| has_bounds(a.as_ref()) && has_bounds(b.as_ref()))
            .count();
        let each = 1.0 - (1.0 - level) / bounded.max(1) as f64;
        let pairs = if bounded > 1 { self::pairs(first(each), second(each)) } else { pairs };
        let rows = pairs.into_iter().filter_map(|(term, first, second)| {
            let change = change(term, first.as_ref(), second.as_ref())?;
            Some(Row { term, first, second, change })
        });
        Self { ran, rows: rows.collect(), level, each, bounded, notes }
    }

    /// How many changed so.
    pub fn count(&self, change: Change) -> usize {
        self.rows.iter().filter(|row| row.change == change).count()
    }
}

type Pair = (&'static Term, Option<Measured>, Option<Measured>);

fn pairs(first: Vec<Taken>, second: Vec<Taken>) -> Vec<Pair> {
    let mut all: Vec<Pair> =
        first.into_iter().map(|taken| (taken.term, Some(taken.measured), None)).collect();
    for Taken { term, measured } in second {
        match all.iter_mut().find(|(known, ..)| known.name == term.name) {
            Some((_, _, place)) => *place = Some(measured),
            None => all.push((term, None, Some(measured))),
        }
    }
    all
}

fn has_bounds(measured: Option<&Measured>) -> bool {
    matches!(measured, Some(Measured::Number { low, high, .. }) if low < high)
}

/// Whether it was measured, and not merely looked for.
fn is_there(measured: Option<&Measured>) -> bool {
    !matches!(measured, None | Some(Measured::TooFew { .. } | Measured::NotExercised(_)))
}

/// How a measure changed; `None` if neither has it.
fn change(term: &Term, first: Option<&Measured>, second: Option<&Measured>) -> Option<Change> {
    match (is_there(first), is_there(second)) {
        (false, false) => return None,
        (true, false) => return Some(Change::OnlyFirst),
        (false, true) => return Some(Change::OnlySecond),
        (true, true) => {}
    }
    Some(match (first?, second?) {
        (
            Measured::Number { low, value, high, .. },
            Measured::Number { low: low_b, value: value_b, high: high_b, .. },
        ) => {
            let rises = order(term, (*low, *value, *high), (*low_b, *value_b, *high_b));
            match (rises, term.side) {
                (None, _) => Change::Same,
                (Some(false), Side::Most) | (Some(true), Side::Least) => Change::Better,
                (Some(true), Side::Most) | (Some(false), Side::Least) => Change::Worse,
                (Some(_), Side::Both | Side::Is) => Change::Other,
            }
        }
        (Measured::Word { word, .. }, Measured::Word { word: other, .. }) => {
            match (rank(term, word), rank(term, other)) {
                _ if word == other => Change::Same,
                (Some(one), Some(two)) if one < two => Change::Better,
                (Some(one), Some(two)) if one > two => Change::Worse,
                _ => Change::Other,
            }
        }
        (Measured::Flag { is, .. }, Measured::Flag { is: other, .. }) => match (is, other) {
            _ if is == other => Change::Same,
            // It may, and need not.
            _ if term.name == "first_retry_immediate" => Change::Other,
            (false, _) => Change::Better,
            (true, _) => Change::Worse,
        },
        _ => Change::Other,
    })
}

/// Whether the second figure surely is above the first (`true`) or below it (`false`).
fn order(term: &Term, first: (f64, f64, f64), second: (f64, f64, f64)) -> Option<bool> {
    let is_exact = first.0 >= first.2 && second.0 >= second.2;
    if is_exact && !matches!(term.measure, Measure::Count) {
        let (one, two) = (first.1, second.1);
        let least = if matches!(term.measure, Measure::Duration) { JITTER } else { 0.0 };
        let is_far = one.is_finite() != two.is_finite()
            || (one - two).abs() > (one.abs().max(two.abs()) * TOLERANCE).max(least);
        return is_far.then_some(two > one);
    }
    if is_exact && first.1 > 0.0 && second.1 > 0.0 {
        // Two counts of the same differ by chance: the conditional test of two Poisson counts.
        return by_more_than_chance(first.1, second.1);
    }
    if second.0 > first.2 {
        Some(true)
    } else if second.2 < first.0 {
        Some(false)
    } else {
        None
    }
}

/// Whether the second of two counts is surely larger (`true`) or smaller (`false`).
fn by_more_than_chance(first: f64, second: f64) -> Option<bool> {
    let observed = |count: f64| Observed { events: whole(count), exposure: 1.0 };
    let ratio = rate_ratio(observed(second), observed(first), CHANCE)?;
    if ratio.low > 1.0 {
        Some(true)
    } else if ratio.high < 1.0 {
        Some(false)
    } else {
        None
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is a count")]
fn whole(count: f64) -> u64 {
    count.round() as u64
}

/// The place of a word among those of its term, the best last; `None` if it says nothing.
fn rank(term: &Term, word: &str) -> Option<u8> {
    match (term.name, word) {
        ("backoff", "immediate") | ("idempotency_key", "optional") => Some(0),
        ("backoff", "constant") | ("idempotency_key", "required") => Some(1),
        ("backoff", "linear" | "growing" | "exponential") | ("idempotency_key", "stable") => {
            Some(2)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
