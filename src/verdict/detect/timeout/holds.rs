//! Holds: how long a client waited, and whether it left.

use crate::verdict::{
    course::Course,
    detect::Cx,
    finding::Measured,
    stats::{Interval, Quantile, quantile},
};

/// Holds of each kind that are looked at, per phase; as many that were left, and that were not.
const KEPT: usize = 2_000;
/// Fewer holds than this tell nothing.
pub(super) const LEAST: usize = 3;
/// How close to the end of the drill a harness ends its clients, in microseconds.
const FINALE: u64 = 1_000_000;

/// The first of either sort.
#[derive(Clone, Debug, Default)]
pub(super) struct Holds {
    pub(super) left: Vec<Hold>,
    pub(super) stayed: Vec<Hold>,
}

impl Holds {
    pub(super) fn push(&mut self, hold: Hold) {
        let sort = if hold.left > 0 { &mut self.left } else { &mut self.stayed };
        if sort.len() < KEPT {
            sort.push(hold);
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Hold {
    /// For how long, in seconds.
    pub(super) lasted: f64,
    /// When the client left, in microseconds; zero if it did not.
    pub(super) left: u64,
}

/// What the holds of one kind say.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// After how long clients left, in order.
    pub(super) left: Vec<f64>,
    /// How long others were held and stayed, in order.
    pub(super) stayed: Vec<f64>,
}

impl Found {
    pub(super) fn of(holds: &[Hold], course: &Course) -> Self {
        let is_late = |hold: &Hold| hold.left.saturating_add(FINALE) >= course.horizon();
        let mut found = Self::default();
        let gone = holds.iter().filter(|hold| hold.left > 0);
        found.left = gone.clone().filter(|hold| !is_late(hold)).map(|hold| hold.lasted).collect();
        found.left.sort_by(f64::total_cmp);
        found.stayed = holds.iter().filter(|h| h.left == 0).map(|h| h.lasted).collect();
        let middle = median(&found.left);
        for hold in gone.filter(|hold| is_late(hold)) {
            let agrees = middle.is_some_and(|middle| (hold.lasted - middle).abs() <= middle / 10.0);
            if agrees { &mut found.left } else { &mut found.stayed }.push(hold.lasted);
        }
        found.left.sort_by(f64::total_cmp);
        found.stayed.sort_by(f64::total_cmp);
        found
    }

    pub(super) fn count(&self) -> usize {
        self.left.len() + self.stayed.len()
    }

    /// The one of two that says more.
    pub(super) fn or(self, other: Self) -> Self {
        if self.count() > other.count() { self } else { other }
    }

    /// How long three attempts at least were held and stayed.
    pub(super) fn longest(&self) -> Option<f64> {
        self.stayed.iter().rev().nth(LEAST - 1).copied()
    }

    /// How many stayed for much longer than others waited.
    pub(super) fn outlasted(&self, middle: f64) -> usize {
        self.stayed.iter().filter(|lasted| **lasted > middle * 1.1 + 0.5).count()
    }

    pub(super) fn measured(&self, cx: &Cx<'_>, never: &str, needs: &str) -> Measured {
        let sample = format!("{} held, {} of them left", self.count(), self.left.len());
        if self.count() == 0 {
            return Measured::NotExercised(never.to_owned());
        }
        let longest = self.longest();
        if let Some(middle) = median(&self.left)
            && self.left.len() >= LEAST
        {
            if self.outlasted(middle) < LEAST {
                return Measured::interval(bounds(&self.left, middle, cx.level), sample);
            }
        } else if longest.is_none() {
            return Measured::too_few(sample, format!("{LEAST} {needs}"));
        }
        let low = longest.unwrap_or_default();
        Measured::Number { low, value: f64::INFINITY, high: f64::INFINITY, sample }
    }
}

/// The median with bounds; of a handful the bounds are the extremes.
fn bounds(sorted: &[f64], middle: f64, level: f64) -> Interval {
    match quantile(sorted, 0.5, level) {
        Quantile::Estimated(interval) => interval,
        Quantile::NotEstimable { .. } => Interval {
            low: sorted.first().copied().unwrap_or(middle),
            value: middle,
            high: sorted.last().copied().unwrap_or(middle),
        },
    }
}

pub(super) fn median(sorted: &[f64]) -> Option<f64> {
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

/// The median of how far off the middle they are.
pub(super) fn spread(sorted: &[f64], middle: f64) -> f64 {
    let mut off: Vec<f64> = sorted.iter().map(|value| (value - middle).abs()).collect();
    off.sort_by(f64::total_cmp);
    median(&off).unwrap_or_default()
}
