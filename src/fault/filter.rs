//! Shaping a stream of bytes, free of I/O.
//!
//! A filter is told the time, takes bytes in at one end and gives them out at the other when they
//! may leave. Whoever drives it (a socket, a body, a test) does the waiting. So every filter can be
//! tested to the nanosecond, and the very same code shapes a socket and a message.

use crate::{
    dice::{Dice, Purpose, Seed},
    fault::Close,
    timeline::Moment,
};
use bytes::Bytes;
use std::{fmt, time::Duration};

/// Real time as a filter sees it: since an origin of a monotonic clock that is the same for all
/// filters of a run, since some share a pipe.
pub type Tick = Duration;

/// Which way bytes travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the client towards the upstream: requests.
    Up,
    /// From the upstream towards the client: responses.
    Down,
}

impl Way {
    /// A connection's dice for this direction: what they show is independent of the other's.
    pub(super) fn dice(self, connection: Dice) -> Dice {
        let name = match self {
            Self::Up => "up",
            Self::Down => "down",
        };
        Dice::new(Seed(connection.point(Purpose::Direction)), name)
    }
}

/// What every filter keeps, but for the fault that exists to break it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// The bytes that leave are those that came.
    Content,
    /// As many bytes leave as came.
    Count,
    /// The connection ends when its ends want it to.
    Life,
}

/// What leaves a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Out {
    /// Bytes, in the order in which they came.
    Bytes(Bytes),
    /// The end of the stream; nothing follows.
    End,
    /// The end of the whole connection, in both directions; nothing follows.
    Close(Close),
}

/// A transformation of a byte stream.
///
/// The driver's duties: call [`tune`](Self::tune) before each `push` or `pull`; push only while
/// [`room`](Self::room) is not zero (a larger chunk than the room is allowed, so that a filter
/// never splits what it need not); after each push, and whenever
/// [`wake_at`](Self::wake_at) has come, pull until `None`.
///
/// A filter's duties: it keeps every [`Promise`] that its fault does not
/// [break](super::Fault::breaks), and reorders nothing; while the fault is not in force new bytes pass at once, behind those still held; what is held is
/// bounded by `room`.
pub trait ByteFilter: fmt::Debug + Send + Sync {
    /// Says whether the fault is in force now, and where in its phase.
    fn tune(&mut self, now: Tick, moment: Option<&Moment>);

    /// How many bytes it would take in now; zero stops the reading of the source.
    fn room(&self) -> usize;

    /// Takes bytes in.
    fn push(&mut self, now: Tick, bytes: Bytes);

    /// The source has ended.
    fn finish(&mut self, now: Tick);

    /// The next thing that may leave at `now`.
    fn pull(&mut self, now: Tick) -> Option<Out>;

    /// When to pull again, if anything is held for a time that is known.
    fn wake_at(&self) -> Option<Tick>;

    /// Whether it did anything so far, if that takes more than bytes to pass while the fault is in
    /// force: bytes to hit, a limit to be reached. Asked for the counts of the fault.
    fn has_acted(&self) -> Option<bool> {
        None
    }

    /// When it ends the whole connection by itself, if that is known; what is held does not matter
    /// to it.
    fn closes_at(&self, _now: Tick) -> Option<(Tick, Close)> {
        None
    }

    /// Whether the end of the source was thrown away, so that none will ever leave unless the fault
    /// changes.
    fn has_lost_the_end(&self) -> bool {
        false
    }

    /// Whether nothing is held: it could be taken out of the way.
    fn is_empty(&self) -> bool;

    /// The drill is over: whatever is held may leave now, and nothing is held from now on.
    fn let_go(&mut self, now: Tick);

    /// The fault was changed by hand: so many bytes passed the filter that this one replaces.
    fn resume(&mut self, _passed: u64) {}
}
