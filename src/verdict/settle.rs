//! What can be said of an operation only when it is known how long its outage lasts.
//!
//! Operations are handed on while the outage still goes on, and whether one had given up before it
//! ended or was cut short by its end shows later. So each waits here for the moment up to which the
//! outage has to last. At most 50,000 wait; those beyond are not counted.

use crate::verdict::course::Course;
use std::{cmp::Ordering, collections::BinaryHeap};

/// How many may wait.
const WAITING: usize = 50_000;

/// See the module's documentation.
#[derive(Clone, Debug)]
pub struct Settle<T> {
    waiting: BinaryHeap<Waiting<T>>,
}

/// How it came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The outage lasted long enough.
    Outlived,
    /// It ended before, then.
    Cut(u64),
}

#[derive(Clone, Debug)]
struct Waiting<T> {
    until: u64,
    phase: Option<u16>,
    item: T,
}

impl<T> Default for Settle<T> {
    fn default() -> Self {
        Self { waiting: BinaryHeap::new() }
    }
}

impl<T> Settle<T> {
    /// Takes in what began in a phase and is sure if its outage lasts until then.
    pub fn push(&mut self, until: u64, phase: Option<u16>, item: T) {
        if self.waiting.len() < WAITING {
            self.waiting.push(Waiting { until, phase, item });
        }
    }

    /// Hands on what can be told by now.
    pub fn settle(&mut self, course: &Course, done: &mut dyn FnMut(T, Settled)) {
        while let Some(next) = self.waiting.peek() {
            let Some(settled) = settled(next.until, next.phase, course) else { return };
            if let Some(next) = self.waiting.pop() {
                done(next.item, settled);
            }
        }
    }

    /// What still waits at the end: an outage that has not ended lasted as long as anything was seen.
    pub fn rest<'s>(&'s self, course: &'s Course) -> impl Iterator<Item = (&'s T, Settled)> {
        self.waiting.iter().map(|waiting| {
            let settled = settled(waiting.until, waiting.phase, course);
            (&waiting.item, settled.unwrap_or(Settled::Cut(course.horizon())))
        })
    }
}

fn settled(until: u64, phase: Option<u16>, course: &Course) -> Option<Settled> {
    match course.outage_end(phase) {
        Some(end) if end < until => Some(Settled::Cut(end)),
        Some(_) => Some(Settled::Outlived),
        None => (course.horizon() >= until).then_some(Settled::Outlived),
    }
}

impl<T> PartialEq for Waiting<T> {
    fn eq(&self, other: &Self) -> bool {
        self.until == other.until
    }
}

impl<T> Eq for Waiting<T> {}

impl<T> PartialOrd for Waiting<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The earliest is the greatest, which a heap gives out first.
impl<T> Ord for Waiting<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.until.cmp(&self.until)
    }
}
