//! Delays for the pieces of a body, each its own.
//!
//! Bytes cannot overtake, so a piece leaves at the latest of its own time and that of every piece
//! before it: the delay is a running maximum.

use crate::{
    fault::{ByteFilter, Out, Tick, distribution::Distribution, latency::Draws},
    timeline::Moment,
};
use bytes::Bytes;
use std::{collections::VecDeque, sync::Arc};

/// What waits at most. At 300 ms this still carries 3.5 MB/s.
const MOST_HELD: usize = 1024 * 1024;

/// Holds each piece for a delay of its own.
#[derive(Debug)]
pub(super) struct Staggered {
    distribution: Arc<Distribution>,
    draws: Draws,
    /// Where in its phase the fault is, while it is in force.
    moment: Option<Moment>,
    /// Pieces and when they may leave, once those before them have left.
    held: VecDeque<(Tick, Bytes)>,
    len: usize,
    ending: bool,
    gone: bool,
}

impl Staggered {
    /// Nothing is held yet.
    pub(super) fn new(distribution: Arc<Distribution>, draws: Draws) -> Self {
        Self {
            distribution,
            draws,
            moment: None,
            held: VecDeque::new(),
            len: 0,
            ending: false,
            gone: false,
        }
    }
}

impl ByteFilter for Staggered {
    fn tune(&mut self, _now: Tick, moment: Option<&Moment>) {
        self.moment = moment.copied();
    }

    fn room(&self) -> usize {
        MOST_HELD.saturating_sub(self.len)
    }

    fn push(&mut self, now: Tick, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        let delay = match &self.moment {
            Some(moment) if !self.gone => {
                self.distribution.quantile(self.draws.next(moment), moment)
            }
            _ => Tick::ZERO,
        };
        self.len += bytes.len();
        self.held.push_back((now.saturating_add(delay), bytes));
    }

    fn finish(&mut self, _now: Tick) {
        self.ending = true;
    }

    fn pull(&mut self, now: Tick) -> Option<Out> {
        match self.held.front() {
            Some((due, _)) if *due > now && !self.gone => None,
            Some(_) => {
                let (_, bytes) = self.held.pop_front()?;
                self.len -= bytes.len();
                Some(Out::Bytes(bytes))
            }
            None => std::mem::take(&mut self.ending).then_some(Out::End),
        }
    }

    fn wake_at(&self) -> Option<Tick> {
        self.held.front().map(|(due, _)| *due)
    }

    fn is_empty(&self) -> bool {
        self.held.is_empty() && !self.ending
    }

    fn let_go(&mut self, _now: Tick) {
        self.gone = true;
    }
}
