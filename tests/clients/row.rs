//! What is known of one client: a row of the table, and how two rows differ.

use crate::class::RETRY_AFTER;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt::Display};

/// How much earlier or later than before still counts as then, in seconds: clocks are read on both sides,
/// and on a busy machine everybody waits, but not each time.
const LATE: f64 = 0.5;
const LATE_AT_MOST: f64 = 1.5;

fn early(time: f64) -> f64 {
    (0.1 * time).max(0.1)
}

/// What operations are asked for by.
pub(crate) const METHODS: [&str; 2] = ["GET", "POST"];

/// From the least to the most.
pub(crate) type Span<T> = [T; 2];

/// A client, and what it did in each class of faults, by method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    pub(crate) client: String,
    pub(crate) version: String,
    pub(crate) from: String,
    /// For how long it was kept waiting, in seconds.
    pub(crate) held: f64,
    pub(crate) classes: BTreeMap<String, BTreeMap<String, Cell>>,
    /// What the program's verdict could say of it, by class.
    #[serde(default)]
    pub(crate) told: BTreeMap<String, Told>,
    /// What a reader of the numbers should know.
    #[serde(default)]
    pub(crate) notes: Vec<String>,
}

/// The detectors that were put to the test in a class, none of which said what is not so.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Told {
    /// Those that were sure of what they said.
    pub(crate) right: Vec<String>,
    /// Those that had seen too little.
    pub(crate) open: Vec<String>,
}

/// What a client did with operations of one method in one class of faults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cell {
    /// Requests for one operation.
    pub(crate) attempts: Span<usize>,
    /// The time from the first failure to the next attempt, from the second to the one after it, and so
    /// on, in seconds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) gaps: Vec<Span<f64>>,
    /// What the attempts of an operation had for an idempotency key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<Key>,
    /// After how long it went away, in seconds, where it did not wait for the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) patience: Option<Span<f64>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Key {
    /// One for all attempts of an operation.
    Stable,
    /// A new one for each.
    Changing,
}

impl Row {
    /// Which client it is: the name and the version.
    pub(crate) fn key(&self) -> String {
        format!("{}@{}", self.client, self.version)
    }

    pub(crate) fn cell(&self, class: &str, method: &str) -> &Cell {
        let cell = self.classes.get(class).and_then(|methods| methods.get(method));
        cell.unwrap_or_else(|| panic!("{}: nothing of {method} in {class}", self.key()))
    }

    /// Everything in which `measured` is not what this row says, in a class.
    pub(crate) fn differences(&self, measured: &Self, class: &str) -> Vec<String> {
        let of = |method| {
            let found = self.cell(class, method).differences(measured.cell(class, method));
            let place = format!("{}, {method} in {class}", self.key());
            found.into_iter().map(move |what| format!("{place}: {what}"))
        };
        METHODS.into_iter().flat_map(of).collect()
    }

    /// This row, made to hold what was measured as well: a span that does not hold becomes wider, and what
    /// was counted and is otherwise now is taken from `measured`.
    pub(crate) fn widened(mut self, measured: &Self) -> Self {
        for (class, methods) in &measured.classes {
            for (method, now) in methods {
                let cells = self.classes.entry(class.clone()).or_default();
                cells.entry(method.clone()).or_insert_with(|| now.clone()).widen(now);
            }
        }
        self.held = measured.held;
        self.told.extend(measured.told.clone());
        self
    }
}

impl Cell {
    /// Whether a `Retry-After` was waited for; `None` if nothing was sent again.
    pub(crate) fn waits(&self) -> Option<bool> {
        let least = self.gaps.iter().map(|gap| gap[0]).reduce(f64::min)?;
        Some(least >= RETRY_AFTER - early(RETRY_AFTER))
    }

    /// Whether operations were sent again that may have been carried out, with nothing to tell by.
    pub(crate) fn is_sent_again_unguarded(&self) -> bool {
        self.attempts[1] > 1 && self.key != Some(Key::Stable)
    }

    fn differences(&self, now: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let mut differ = |what: String, was: String, is: String| {
            found.push(format!("{what} {was} before, {is} now"));
        };
        if !self.attempts_hold(now) {
            differ("attempts".into(), shown(self.attempts), shown(now.attempts));
        }
        for (at, (was, is)) in self.gaps.iter().zip(&now.gaps).enumerate() {
            if !hold(*was, *is) {
                differ(format!("gap {}", at + 1), shown(*was), shown(*is));
            }
        }
        if self.key != now.key {
            differ("key".into(), format!("{:?}", self.key), format!("{:?}", now.key));
        }
        let patience_holds = match (self.patience, now.patience) {
            (Some(was), Some(is)) => hold(was, is),
            (was, is) => was.is_none() && is.is_none(),
        };
        if !patience_holds {
            let [was, is] = [self.patience, now.patience]
                .map(|patience| patience.map_or("without end".to_owned(), shown));
            differ("patience".into(), was, is);
        }
        found
    }

    fn attempts_hold(&self, now: &Self) -> bool {
        self.attempts[0] <= now.attempts[0] && now.attempts[1] <= self.attempts[1]
    }

    fn widen(&mut self, now: &Self) {
        let same_patience = self.patience.is_some() == now.patience.is_some();
        if !self.attempts_hold(now) || self.key != now.key || !same_patience {
            self.clone_from(now);
        }
        let spans = self.gaps.iter_mut().chain(&mut self.patience);
        for (was, is) in spans.zip(now.gaps.iter().chain(&now.patience)) {
            if !hold(*was, *is) {
                *was = [was[0].min(is[0]), was[1].max(is[1])];
            }
        }
    }
}

/// Whether a time is what it was before.
fn hold(was: Span<f64>, is: Span<f64>) -> bool {
    let [least, most] = is;
    was[0] - early(was[0]) <= least && least <= was[1] + LATE && most <= was[1] + LATE_AT_MOST
}

fn shown<T: Display + PartialEq>([least, most]: Span<T>) -> String {
    if least == most { least.to_string() } else { format!("{least} to {most}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell() -> Cell {
        Cell {
            attempts: [3, 3],
            gaps: vec![[1.0, 1.0], [2.0, 2.01]],
            key: None,
            patience: Some([5.0, 5.0]),
        }
    }

    type Change = fn(&mut Cell);

    #[test]
    fn a_cell_is_held_to_everything_in_it() {
        let before = cell();
        assert_eq!(before.differences(&cell()), Vec::<String>::new());
        let cases: [(&str, Change); 8] = [
            ("attempts 3 before, 3 to 4 now", |cell| cell.attempts = [3, 4]),
            ("attempts 3 before, 1 now", |cell| cell.attempts = [1, 1]),
            ("gap 1 1 before, 0.5 to 1 now", |cell| cell.gaps[0][0] = 0.5),
            ("gap 2 2 to 2.01 before, 2 to 4 now", |cell| cell.gaps[1][1] = 4.0),
            ("gap 1 1 before, 1.6 now", |cell| cell.gaps[0] = [1.6, 1.6]),
            ("key None before, Some(Stable) now", |cell| cell.key = Some(Key::Stable)),
            ("patience 5 before, without end now", |cell| cell.patience = None),
            ("patience 5 before, 4 to 5 now", |cell| cell.patience = Some([4.0, 5.0])),
        ];
        for (expected, change) in cases {
            let mut now = cell();
            change(&mut now);
            assert_eq!(before.differences(&now), [expected]);
        }
    }

    #[test]
    fn a_busy_machine_is_no_difference() {
        let mut now = cell();
        now.gaps = vec![[0.95, 2.4], [1.85, 3.5]];
        now.patience = Some([4.6, 6.4]);
        assert_eq!(cell().differences(&now), Vec::<String>::new());
    }

    #[test]
    fn what_is_rewritten_holds_what_was_measured_and_what_was_there() {
        let (mut row, mut now) = (cell(), cell());
        now.gaps = vec![[0.2, 0.9], [2.0, 9.0]];
        row.widen(&now);
        assert_eq!(row.gaps, [[0.2, 1.0], [2.0, 9.0]]);
        now.gaps = vec![[0.95, 1.2], [2.1, 2.2]];
        row.widen(&now);
        assert_eq!(row.gaps, [[0.2, 1.0], [2.0, 9.0]], "both still hold");
        now.attempts = [4, 4];
        row.widen(&now);
        assert_eq!(row, now);
    }

    #[test]
    fn a_retry_after_is_waited_for_by_all_gaps_or_not_at_all() {
        let with = |gaps: &[Span<f64>]| Cell { gaps: gaps.to_vec(), ..cell() }.waits();
        assert_eq!(with(&[]), None);
        assert_eq!(with(&[[3.0, 3.1], [2.9, 4.0]]), Some(true));
        assert_eq!(with(&[[3.0, 3.1], [1.0, 4.0]]), Some(false));
    }
}
