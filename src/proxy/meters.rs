//! What went through a proxy so far, counted while it goes.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of one proxy. Each is exact; two of them may be a moment apart.
#[derive(Debug, Default)]
pub struct Meters {
    accepted: AtomicU64,
    ended: AtomicU64,
    /// Read from clients.
    pub(crate) from_clients: Counter,
    /// Written to the upstream.
    pub(crate) to_upstream: Counter,
    /// Read from the upstream.
    pub(crate) from_upstream: Counter,
    /// Written to clients.
    pub(crate) to_clients: Counter,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, more: usize) {
        self.0.fetch_add(more as u64, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the counters say at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metered {
    /// Connections accepted since the proxy came to be.
    pub accepted: u64,
    /// Connections that are open.
    pub open: u64,
    /// Bytes read from clients.
    pub from_clients: u64,
    /// Bytes written to the upstream.
    pub to_upstream: u64,
    /// Bytes read from the upstream.
    pub from_upstream: u64,
    /// Bytes written to clients.
    pub to_clients: u64,
}

impl Meters {
    /// A connection begins.
    pub(crate) fn begin(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    /// It is over.
    pub(crate) fn end(&self) {
        self.ended.fetch_add(1, Ordering::Relaxed);
    }

    /// Looks at all of them.
    pub fn read(&self) -> Metered {
        // In this order, so that what ended was accepted before.
        let ended = self.ended.load(Ordering::Relaxed);
        let accepted = self.accepted.load(Ordering::Relaxed);
        Metered {
            accepted,
            open: accepted.saturating_sub(ended),
            from_clients: self.from_clients.get(),
            to_upstream: self.to_upstream.get(),
            from_upstream: self.from_upstream.get(),
            to_clients: self.to_clients.get(),
        }
    }
}
