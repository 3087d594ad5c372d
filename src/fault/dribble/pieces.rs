//! A stream spread over a time, in pieces of equal size.
//!
//! Its length is not known, so the pieces follow from what has come so far: when `k` of `n` parts of
//! the time are over, `k` of `n` parts of it may have left.

use crate::{
    fault::{ByteFilter, Out, Tick, queue::Queue},
    timeline::Moment,
};
use bytes::Bytes;
use std::time::Duration;

/// What waits at most.
pub(super) const MOST_HELD: usize = 1024 * 1024;

/// How a stream is spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Schedule {
    /// How long the whole takes; never zero.
    pub(super) over: Duration,
    /// In how many pieces; from 1 to 2^32.
    pub(super) pieces: u64,
    /// Whether what comes when the time is over and all has left is spread anew.
    pub(super) again: bool,
}

impl Schedule {
    /// How many pieces are due so long after the start.
    fn due(self, elapsed: Duration) -> u64 {
        if elapsed >= self.over {
            return self.pieces;
        }
        // Below `pieces`, and the product is below 2^128: a duration has fewer than 2^94 ns.
        let due = elapsed.as_nanos() * u128::from(self.pieces) / self.over.as_nanos();
        u64::try_from(due).unwrap_or(self.pieces)
    }

    /// How long after the start a piece is due, rounded up so that it is.
    fn time_of(self, piece: u64) -> Duration {
        let nanos = self.over.as_nanos() * u128::from(piece);
        let nanos = nanos.div_ceil(u128::from(self.pieces));
        u64::try_from(nanos).map_or(self.over, Duration::from_nanos)
    }
}

/// Spreads a stream over a time.
#[derive(Debug)]
pub(super) struct Pieces {
    schedule: Schedule,
    /// When the first bytes came.
    begun: Option<Tick>,
    /// How many have come since then.
    came: u64,
    in_force: bool,
    gone: bool,
    held: Queue,
    ending: bool,
}

impl Pieces {
    /// Nothing has come yet.
    pub(super) fn new(schedule: Schedule) -> Self {
        Self {
            schedule,
            begun: None,
            came: 0,
            in_force: false,
            gone: false,
            held: Queue::default(),
            ending: false,
        }
    }

    /// How many of the bytes held may leave.
    fn may_leave(&self, now: Tick) -> usize {
        let Schedule { pieces, .. } = self.schedule;
        let Some(begun) = self.begun.filter(|_| self.in_force) else { return self.held.len() };
        let due = self.schedule.due(now.saturating_sub(begun));
        let target = u128::from(self.came) * u128::from(due) / u128::from(pieces);
        let left = u128::from(self.came) - self.held.len() as u128;
        usize::try_from(target.saturating_sub(left)).unwrap_or(usize::MAX)
    }
}

impl ByteFilter for Pieces {
    fn tune(&mut self, _now: Tick, moment: Option<&Moment>) {
        self.in_force = moment.is_some() && !self.gone;
    }

    fn room(&self) -> usize {
        MOST_HELD.saturating_sub(self.held.len())
    }

    fn push(&mut self, now: Tick, bytes: Bytes) {
        let is_over = |begun: Tick| now.saturating_sub(begun) >= self.schedule.over;
        let starts = match self.begun {
            None => true,
            Some(begun) => self.schedule.again && self.held.is_empty() && is_over(begun),
        };
        if starts && self.in_force && !bytes.is_empty() {
            self.begun = Some(now);
            self.came = self.held.len() as u64;
        }
        self.came += bytes.len() as u64;
        self.held.push(bytes);
    }

    fn finish(&mut self, _now: Tick) {
        self.ending = true;
    }

    fn pull(&mut self, now: Tick) -> Option<Out> {
        if self.held.is_empty() {
            return std::mem::take(&mut self.ending).then_some(Out::End);
        }
        let may_leave = self.may_leave(now);
        if may_leave == self.held.len() {
            return self.held.take(may_leave).map(Out::Bytes);
        }
        self.held.gather(may_leave).map(Out::Bytes)
    }

    fn wake_at(&self) -> Option<Tick> {
        if self.held.is_empty() {
            return None;
        }
        let Some(begun) = self.begun.filter(|_| self.in_force) else { return Some(Tick::ZERO) };
        // The first piece with which one more byte may have left than has.
        let next = u128::from(self.came) - self.held.len() as u128 + 1;
        let piece = (next * u128::from(self.schedule.pieces)).div_ceil(u128::from(self.came));
        let piece = u64::try_from(piece).unwrap_or(self.schedule.pieces);
        Some(begun.saturating_add(self.schedule.time_of(piece)))
    }

    fn is_empty(&self) -> bool {
        self.held.is_empty() && !self.ending
    }

    fn let_go(&mut self, _now: Tick) {
        self.gone = true;
        self.in_force = false;
    }
}
