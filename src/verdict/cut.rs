//! Cuts operations where two were taken for one.
//!
//! A wait of more than ten times the median of its index, and of more than a second, is no wait
//! within an operation: there, a link by content joined two. Medians are those of the waits seen so
//! far, apart for each program and kind of failure, from ten waits on; that of an index that too few
//! got to is taken as twice the one before. Twice the median is too much already where of a hundred
//! operations less than one gets. What is closed before enough was seen stays whole, so that figures
//! over operations should still prefer a 95th percentile to a maximum.
//! Links by a key or a name are never cut, nor are waits that a `Retry-After` asked for.

use crate::verdict::{
    attempt::{Attempt, Wrong},
    operation::{Link, Operation},
};
use std::collections::HashMap;

/// A wait of more than this many times the median, and of [`LONG`], joins what is not one.
const TIMES: f64 = 10.0;
const LONG: f64 = 1.0;
/// The same where hardly any operation gets: one in so many.
const RARE_TIMES: f64 = 2.0;
const MANY: u32 = 100;
/// By how much a wait is taken to exceed the one before where nothing else is known.
const GROWTH: f64 = 2.0;
/// Waits of an index from which on its median is trusted.
const LEAST: u32 = 10;
/// Indices told apart; all later ones count as the last.
const INDICES: usize = 8;
/// Quarters of an octave from a millisecond on.
const BINS: usize = 72;
/// Programs and kinds of failure told apart; others are not cut.
const KINDS: usize = 32;

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub struct Cuts {
    waits: HashMap<(u16, Wrong), Box<[Column; INDICES]>>,
}

#[derive(Clone, Debug)]
struct Column {
    bins: [u32; BINS],
    all: u32,
}

/// What is one operation, as far as can be told.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'o> {
    /// Its attempts, as far as they were kept. Never empty.
    pub attempts: &'o [Attempt],
    /// How many there were.
    pub count: u64,
    /// When the last one ended.
    pub end: u64,
    /// When the client had what it wanted.
    pub served_at: Option<u64>,
}

impl Cuts {
    /// The pieces of an operation: itself, unless it is more than one.
    pub fn pieces<'o>(&mut self, operation: &'o Operation) -> Vec<Piece<'o>> {
        let all = operation.attempts();
        let mut ends: Vec<usize> = Vec::new();
        for gap in operation.gaps() {
            let Some(wrong) = gap.before.wrong else { continue };
            if gap.before.retry_after.is_some() {
                continue;
            }
            let wait = gap.wait.as_secs_f64();
            let from = ends.last().copied().unwrap_or(0);
            let (kind, index) = ((gap.before.program, wrong), gap.index - from);
            let limit = self.limit(kind, index);
            if operation.link() > Link::Key && limit.is_some_and(|limit| wait > limit) {
                ends.push(gap.index + 1);
            } else {
                self.note(kind, index, wait);
            }
        }
        ends.push(all.len());
        let more = operation.count() - all.len() as u64;
        let mut pieces = Vec::with_capacity(ends.len());
        let mut from = 0;
        for end in ends {
            let attempts = &all[from..end];
            let is_last = end == all.len();
            let ended = attempts.iter().map(|attempt| attempt.end).max().unwrap_or(0);
            let served =
                attempts.iter().filter(|attempt| attempt.is_served()).map(|attempt| attempt.end);
            pieces.push(Piece {
                attempts,
                count: attempts.len() as u64 + if is_last { more } else { 0 },
                end: if is_last { operation.last_end() } else { ended },
                served_at: served.min().or(operation.served_at().filter(|_| is_last)),
            });
            from = end;
        }
        pieces
    }

    /// The median wait of this index, from 0, in seconds; `None` while too few were seen.
    pub fn median(&self, kind: (u16, Wrong), index: usize) -> Option<f64> {
        let column = self.waits.get(&kind)?.get(index.min(INDICES - 1))?;
        if column.all < LEAST {
            return None;
        }
        let mut below = 0;
        let at = column.bins.iter().position(|count| {
            below += count;
            below * 2 >= column.all
        })?;
        // The middle of the bin.
        Some(((at as f64 + 0.5) / 4.0).exp2() / 1e3)
    }

    /// The longest wait of this index that may be one within an operation, in seconds.
    fn limit(&self, kind: (u16, Wrong), index: usize) -> Option<f64> {
        let usual = self.usual(kind, index)?;
        let times = if self.is_rare(kind, index) { RARE_TIMES } else { TIMES };
        Some((times * usual).max(LONG))
    }

    /// Whether hardly any of the many operations that got to the index before got to this one: the
    /// client makes no more attempts.
    fn is_rare(&self, kind: (u16, Wrong), index: usize) -> bool {
        let Some(columns) = self.waits.get(&kind) else { return false };
        let all = |at: usize| columns.get(at).map_or(0, |column| column.all);
        index > 0 && index < INDICES && all(index - 1) >= MANY && all(index) < all(index - 1) / MANY
    }

    /// The median wait of this index; where too few got as far, twice that of the one before.
    fn usual(&self, kind: (u16, Wrong), index: usize) -> Option<f64> {
        let known = (0..=index.min(INDICES - 1)).rev().zip(0..);
        let mut known =
            known.filter_map(|(at, steps)| Some(self.median(kind, at)? * GROWTH.powi(steps)));
        known.next()
    }

    fn note(&mut self, kind: (u16, Wrong), index: usize, wait: f64) {
        if self.waits.len() >= KINDS && !self.waits.contains_key(&kind) {
            return;
        }
        let columns = self.waits.entry(kind).or_insert_with(|| {
            Box::new(std::array::from_fn(|_| Column { bins: [0; BINS], all: 0 }))
        });
        let column = &mut columns[index.min(INDICES - 1)];
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 0 to BINS"
        )]
        let bin = ((wait * 1e3).max(1.0).log2() * 4.0).clamp(0.0, (BINS - 1) as f64) as usize;
        column.bins[bin] = column.bins[bin].saturating_add(1);
        column.all = column.all.saturating_add(1);
    }
}

impl Piece<'_> {
    /// How many of its attempts began before `end`, and when the last of those was over. Of attempts
    /// that are not kept, all but one did.
    pub fn before(&self, end: u64) -> (u64, u64) {
        let inside = self.attempts.iter().filter(|attempt| attempt.start < end);
        let kept = inside.clone().count();
        let more = (self.count - self.attempts.len() as u64).saturating_sub(1);
        if kept == self.attempts.len() && more > 0 {
            return (kept as u64 + more, end);
        }
        (kept as u64, inside.map(|attempt| attempt.end.min(end)).max().unwrap_or(end))
    }

    /// The first attempt.
    pub fn first(&self) -> &Attempt {
        // There is always one.
        &self.attempts[0]
    }

    /// The last attempt that is kept.
    pub fn last(&self) -> &Attempt {
        &self.attempts[self.attempts.len() - 1]
    }
}
