//! Several proxies in one run, all in memory.

use crate::support::{Wire, drill::in_memory};
use firedrill::{
    engine::{Hand, Run},
    proxy::Proxy,
};
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::DuplexStream;

/// A run on several proxies.
#[derive(Debug)]
pub(crate) struct Several {
    pub(crate) run: Run,
    pub(super) places: Vec<Place>,
}

/// One of its proxies.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) hand: Hand,
    proxy: Proxy,
    next_id: AtomicU64,
}

impl Several {
    /// The proxy of this name.
    pub(crate) fn at(&self, name: &str) -> &Place {
        let found = self.places.iter().find(|place| place.hand.proxy() == name);
        found.unwrap_or_else(|| panic!("no proxy `{name}`"))
    }
}

impl Place {
    pub(super) fn new(hand: Hand, proxy: Proxy) -> Self {
        Self { hand, proxy, next_id: AtomicU64::new(1) }
    }

    /// Connects, as from the address 10.0.0.`host`.
    pub(crate) fn client(&self, host: u8) -> Wire<DuplexStream> {
        in_memory(&self.proxy, self.next_id.fetch_add(1, Ordering::SeqCst), host)
    }
}
