//! How an exchange stands and how a connection is closed, as bytes that many may read at a time.

use crate::fault::Close;

/// Where the exchange on a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Stand {
    /// No request is under way.
    Idle = 0,
    /// A request was read, and nothing of its answer was written.
    Waiting = 1,
    /// The answer is being written.
    Responding = 2,
    /// All of the answer is written, though perhaps not flushed.
    Flushing = 3,
    /// The connection is a tunnel now.
    Tunnel = 4,
}

impl Stand {
    /// The stand of a byte.
    pub(super) const fn of(code: u8) -> Self {
        match code {
            0 => Self::Idle,
            1 => Self::Waiting,
            2 => Self::Responding,
            3 => Self::Flushing,
            _ => Self::Tunnel,
        }
    }
}

/// A close as a byte, never zero.
pub(super) const fn code(close: Close) -> u8 {
    match close {
        Close::Fin => 1,
        Close::Reset | Close::ResetStream(_) => 2,
    }
}

/// The close of a byte, if it is one.
pub(super) const fn decode(code: u8) -> Option<Close> {
    match code {
        1 => Some(Close::Fin),
        2 => Some(Close::Reset),
        _ => None,
    }
}
