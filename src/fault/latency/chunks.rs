//! Delays for the pieces of a body, or for the chunks of a connection, each its own.
//!
//! Bytes cannot overtake, so a piece leaves at the latest of its own time and that of every piece
//! before it: the delay is a running maximum. It counts from when the piece came, so however long it
//! is, as much flows as without; what that takes in memory comes from a [budget](crate::fault::budget). The
//! end of a stream is not delayed, and comes behind what is.

use crate::{
    fault::{
        ByteFilter, Out, Tick,
        budget::{Account, Budget},
        distribution::Distribution,
        latency::Draws,
    },
    timeline::Moment,
};
use bytes::Bytes;
use std::{collections::VecDeque, sync::Arc};

/// Holds each piece for a delay of its own.
#[derive(Debug)]
pub(super) struct Staggered {
    distribution: Arc<Distribution>,
    draws: Draws,
    /// Where in its phase the fault is, while it is in force.
    moment: Option<Moment>,
    /// Pieces and when they may leave, once those before them have left.
    held: VecDeque<(Tick, Bytes)>,
    account: Account,
    ending: bool,
    gone: bool,
}

impl Staggered {
    /// Nothing is held yet; what is will be charged to `budget`.
    pub(super) fn new(
        distribution: Arc<Distribution>,
        draws: Draws,
        budget: &'static Budget,
    ) -> Self {
        Self {
            distribution,
            draws,
            moment: None,
            held: VecDeque::new(),
            account: Account::new(budget),
            ending: false,
            gone: false,
        }
    }
}

impl ByteFilter for Staggered {
    fn tune(&mut self, _now: Tick, moment: Option<&Moment>) {
        self.moment = moment.copied();
        self.account.make_room();
    }

    fn room(&self) -> usize {
        self.account.room()
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
        self.account.take(bytes.len());
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
                self.account.release(bytes.len());
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
