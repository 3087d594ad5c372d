//! The way back from the words of a record to what they mean.

use crate::event::{ClosedBy, Did, EndedBy, HandChange};
use std::time::Duration;

impl HandChange {
    /// The change of this name.
    pub fn named(name: &str) -> Option<Self> {
        let all = [Self::Added, Self::Changed, Self::Removed, Self::Expired];
        all.into_iter().find(|change| change.name() == name)
    }
}

impl ClosedBy {
    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.name() == name)
    }
}

impl EndedBy {
    /// The end of this name.
    pub fn named(name: &str) -> Option<Self> {
        let all = [
            Self::Completed,
            Self::ProxyFin,
            Self::ProxyRst,
            Self::PhaseEdge,
            Self::Drained,
            Self::Stale,
            Self::ClientFin,
            Self::ClientRst,
            Self::UpstreamFin,
            Self::UpstreamRst,
        ];
        all.into_iter().find(|end| end.name() == name)
    }
}

impl Did {
    /// What was done, by its name, with how long it held, what it answered, or what was wrong with a
    /// handshake.
    pub fn named(
        name: &str,
        delay: Option<Duration>,
        status: Option<u16>,
        flaw: Option<&'static str>,
    ) -> Option<Self> {
        let delay = delay.unwrap_or_default();
        let all = [
            Self::Delayed(delay),
            Self::Queued(delay),
            Self::Responded(status.unwrap_or(0)),
            Self::Hung,
            Self::Closed,
            Self::Reset,
            Self::SentAway,
            Self::Duplicated,
            Self::LostResponse,
            Self::Malformed,
            Self::Handshake(flaw.unwrap_or("")),
            Self::Edited,
            Self::Cut,
            Self::Shaped,
            Self::Wire,
            Self::Messages,
        ];
        all.into_iter().find(|did| did.name() == name)
    }
}
