//! What has come through and may leave, and when.

use crate::fault::{Tick, queue::pop_if};
use std::collections::VecDeque;

/// Bytes that have arrived in order, by the time at which they may leave.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// Rising in time, at most one entry for each.
    due: VecDeque<(Tick, usize)>,
    /// All bytes in `due`.
    len: usize,
    end: Option<Tick>,
    last: Tick,
}

impl Arrivals {
    /// Adds bytes that may leave at `at`, but not before those that came before them.
    pub(super) fn add(&mut self, at: Tick, bytes: usize) {
        if bytes == 0 {
            return;
        }
        self.last = self.last.max(at);
        self.len += bytes;
        match self.due.back_mut() {
            Some((when, len)) if *when == self.last => *len += bytes,
            _ => self.due.push_back((self.last, bytes)),
        }
    }

    /// Notes that the end may leave at `at`.
    pub(super) fn add_end(&mut self, at: Tick) {
        self.last = self.last.max(at);
        self.end = Some(self.last);
    }

    /// How many bytes may leave by `now`; they are not counted again.
    pub(super) fn take(&mut self, now: Tick) -> usize {
        let mut taken = 0;
        while let Some((_, bytes)) = pop_if(&mut self.due, |(at, _)| *at <= now) {
            taken += bytes;
        }
        self.len -= taken;
        taken
    }

    /// Whether the end may leave by `now`; it does so once.
    pub(super) fn take_end(&mut self, now: Tick) -> bool {
        self.due.is_empty() && self.end.take_if(|at| *at <= now).is_some()
    }

    /// How many bytes wait here.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// When the next bytes, or the end, may leave.
    pub(super) fn next(&self) -> Option<Tick> {
        self.due.front().map(|(at, _)| *at).or(self.end)
    }
}
