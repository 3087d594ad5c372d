//! What comes is thrown away, and the connection ends after a while.

use crate::{
    fault::{ByteFilter, Close, Out, Tick, queue::Queue},
    timeline::Moment,
};
use bytes::Bytes;
use std::time::Duration;

/// What is read at a time, to be thrown away.
const ROOM: usize = 256 * 1024;

/// When bytes begin to be thrown away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begins {
    /// As soon as the fault is in force.
    AtOnce,
    /// With the first bytes or the end, whatever comes first.
    WithTheFirst,
}

/// Throws away what comes, and ends the connection some time after it began to. Traffic does not
/// prolong it. When the fault is over it ends what it acted on: bytes are missing there.
#[derive(Debug)]
pub(super) struct Silence {
    begins: Begins,
    wait: Option<Duration>,
    by: Close,
    in_force: bool,
    gone: bool,
    /// What came before it began.
    held: Queue,
    stage: Stage,
    /// The source ended while nothing passed.
    lost_end: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Everything passes.
    Open,
    /// The source ended while everything passed.
    Ending,
    /// Nothing passes, since then.
    Silent(Tick),
    /// The connection is to end.
    Closing,
    /// It has.
    Ended,
}

impl Silence {
    /// A silence that ends after `wait`, or not before the fault does.
    pub(super) fn new(begins: Begins, wait: Option<Duration>, by: Close) -> Self {
        let (held, stage) = (Queue::default(), Stage::Open);
        Self { begins, wait, by, in_force: false, gone: false, held, stage, lost_end: false }
    }

    fn set_in_force(&mut self, in_force: bool) {
        self.in_force = in_force;
        if !in_force && matches!(self.stage, Stage::Silent(_)) {
            self.stage = Stage::Closing;
        }
    }

    /// Bytes or the end came: whether they pass.
    fn meets(&mut self, now: Tick) -> bool {
        if self.stage == Stage::Open && self.in_force {
            self.stage = Stage::Silent(now);
        }
        self.stage == Stage::Open
    }

    fn due(&self) -> Option<Tick> {
        match (self.stage, self.wait) {
            (Stage::Silent(since), Some(wait)) => Some(since.saturating_add(wait)),
            _ => None,
        }
    }
}

impl ByteFilter for Silence {
    fn tune(&mut self, now: Tick, moment: Option<&Moment>) {
        self.set_in_force(moment.is_some() && !self.gone);
        if self.begins == Begins::AtOnce {
            self.meets(now);
        }
    }

    fn room(&self) -> usize {
        ROOM.saturating_sub(self.held.len())
    }

    fn push(&mut self, now: Tick, bytes: Bytes) {
        if !bytes.is_empty() && self.meets(now) {
            self.held.push(bytes);
        }
    }

    fn finish(&mut self, now: Tick) {
        if self.meets(now) {
            self.stage = Stage::Ending;
        } else {
            self.lost_end = true;
        }
    }

    fn pull(&mut self, now: Tick) -> Option<Out> {
        if let Some(bytes) = self.held.take(usize::MAX) {
            return Some(Out::Bytes(bytes));
        }
        let out = match self.stage {
            Stage::Ending => Out::End,
            Stage::Closing => Out::Close(self.by),
            Stage::Silent(_) if self.due().is_some_and(|due| due <= now) => Out::Close(self.by),
            Stage::Open | Stage::Silent(_) | Stage::Ended => return None,
        };
        self.stage = Stage::Ended;
        Some(out)
    }

    fn wake_at(&self) -> Option<Tick> {
        self.due()
    }

    fn closes_at(&self, now: Tick) -> Option<(Tick, Close)> {
        let at = if self.stage == Stage::Closing { Some(now) } else { self.due() };
        at.map(|at| (at, self.by))
    }

    fn has_lost_the_end(&self) -> bool {
        self.lost_end && self.due().is_none()
    }

    fn is_empty(&self) -> bool {
        // A connection that has lost bytes is not let out of sight before it has ended.
        self.held.is_empty() && matches!(self.stage, Stage::Open | Stage::Ended)
    }

    fn let_go(&mut self, _now: Tick) {
        self.gone = true;
        self.set_in_force(false);
    }
}
