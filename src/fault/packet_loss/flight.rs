//! The segments of a stream that were sent and are not acknowledged yet.
//!
//! Acknowledgements come in the order of sending, since each takes one round trip. So transmissions
//! stand in two rings in that order, those that will be acknowledged and those that were lost on
//! the way, and a loss is noticed by taking the front of the second: every step costs the same,
//! however many are under way.

use crate::fault::{Tick, queue::pop_if};
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// To be sent, for the first time or again.
    Waiting,
    InFlight,
    Acked,
}

/// A segment.
#[derive(Debug)]
pub(super) struct Segment {
    /// How many bytes it carries.
    pub(super) bytes: usize,
    /// Whether it is the end of the stream, and carries none.
    pub(super) is_end: bool,
    /// Whether it has arrived.
    pub(super) received: bool,
    /// How often it was sent.
    pub(super) attempts: u64,
    state: State,
    /// The number of its latest transmission.
    transmission: u64,
}

/// A transmission that was kept and will be acknowledged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    transmission: u64,
    segment: u64,
    acked_at: Tick,
}

/// A transmission that was lost, which nobody has noticed.
#[derive(Clone, Copy, Debug)]
struct Missing {
    transmission: u64,
    segment: u64,
}

/// What is under way. Segments are numbered from the start of the stream.
#[derive(Debug, Default)]
pub(super) struct Flight {
    /// From the first that is not acknowledged (its number is `first`) to the last one made.
    segments: VecDeque<Segment>,
    first: u64,
    kept: VecDeque<Kept>,
    missing: VecDeque<Missing>,
    /// Segments whose loss was noticed.
    lost: BinaryHeap<Reverse<u64>>,
    under_way: usize,
    transmissions: u64,
}

impl Flight {
    /// The first segment that is not acknowledged.
    pub(super) const fn first(&self) -> u64 {
        self.first
    }

    /// The number of the next new segment.
    pub(super) fn next(&self) -> u64 {
        self.first + self.segments.len() as u64
    }

    /// How many segments are taken to be under way.
    pub(super) const fn len(&self) -> usize {
        self.under_way
    }

    /// Whether nothing is under way or waits to be sent again.
    pub(super) fn is_empty(&self) -> bool {
        self.under_way == 0 && self.lost.is_empty()
    }

    /// A segment that is not acknowledged.
    pub(super) fn segment(&mut self, number: u64) -> Option<&mut Segment> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.segments.get_mut(index)
    }

    /// Makes a new segment, of the end of the stream if it has no bytes.
    pub(super) fn add(&mut self, bytes: usize) -> u64 {
        let number = self.next();
        self.segments.push_back(Segment {
            bytes,
            is_end: bytes == 0,
            received: false,
            attempts: 0,
            state: State::Waiting,
            transmission: 0,
        });
        number
    }

    /// Takes the lowest segment whose loss was noticed.
    pub(super) fn take_lost(&mut self) -> Option<u64> {
        while let Some(Reverse(number)) = self.lost.pop() {
            if self.segment(number).is_some_and(|segment| segment.state == State::Waiting) {
                return Some(number);
            }
        }
        None
    }

    /// Notes that a segment was sent, and when that will be acknowledged, unless it was lost.
    pub(super) fn launch(&mut self, number: u64, acked_at: Option<Tick>) {
        self.transmissions += 1;
        let transmission = self.transmissions;
        let Some(segment) = self.segment(number) else { return };
        segment.attempts += 1;
        segment.transmission = transmission;
        let before = std::mem::replace(&mut segment.state, State::InFlight);
        self.under_way += usize::from(before != State::InFlight);
        match acked_at {
            Some(acked_at) => {
                self.kept.push_back(Kept { transmission, segment: number, acked_at });
            }
            None => self.missing.push_back(Missing { transmission, segment: number }),
        }
    }

    /// When the next acknowledgement comes.
    pub(super) fn next_ack(&self) -> Option<Tick> {
        self.kept.front().map(|kept| kept.acked_at)
    }

    /// Takes an acknowledgement that comes at `at`.
    pub(super) fn take_ack(&mut self, at: Tick) -> Option<Kept> {
        pop_if(&mut self.kept, |kept| kept.acked_at == at)
    }

    /// Marks a segment as acknowledged; whether it was not before.
    pub(super) fn acknowledge(&mut self, kept: Kept) -> bool {
        let Some(segment) = self.segment(kept.segment) else { return false };
        match std::mem::replace(&mut segment.state, State::Acked) {
            State::InFlight => self.under_way -= 1,
            State::Waiting => {}
            State::Acked => return false,
        }
        while pop_if(&mut self.segments, |segment| segment.state == State::Acked).is_some() {
            self.first += 1;
        }
        true
    }

    /// Takes whatever was sent before an acknowledged transmission, and is still under way, for
    /// lost; whether there was any.
    pub(super) fn notice(&mut self, acked: Kept) -> bool {
        let mut any = false;
        let is_older = |missing: &Missing| missing.transmission < acked.transmission;
        while let Some(missing) = pop_if(&mut self.missing, is_older) {
            any |= self.give_up(missing);
        }
        any
    }

    /// Takes all that is under way for lost.
    pub(super) fn give_up_all(&mut self) {
        while let Some(missing) = self.missing.pop_front() {
            self.give_up(missing);
        }
    }

    /// Takes a transmission for lost, unless its segment was sent again since.
    fn give_up(&mut self, missing: Missing) -> bool {
        let Some(segment) = self.segment(missing.segment) else { return false };
        if segment.state != State::InFlight || segment.transmission != missing.transmission {
            return false;
        }
        segment.state = State::Waiting;
        self.under_way -= 1;
        self.lost.push(Reverse(missing.segment));
        true
    }

    /// The highest segment under way.
    pub(super) fn highest(&self) -> Option<u64> {
        let index = self.segments.iter().rposition(|s| s.state == State::InFlight)?;
        Some(self.first + index as u64)
    }

    /// Forgets everything but the numbers, so that no draw is made twice.
    pub(super) fn clear(&mut self) {
        self.first = self.next();
        self.segments.clear();
        self.kept.clear();
        self.missing.clear();
        self.lost.clear();
        self.under_way = 0;
    }
}
