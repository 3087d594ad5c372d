//! A pool that never lets go of a dead connection: it takes one reset to be gone for good.

use crate::demo::{
    client::{Client, Demand, Manner, Policy, Reuse},
    clients::recipe::{FIVE_SECONDS, is_success},
    http::{Boxed, Ending},
    wire::Errand,
};
use std::sync::atomic::{AtomicBool, Ordering};

pub(super) const POLICY: Policy = Policy {
    name: "stale-pool",
    about: "1 attempt, 5 s timeout, a pool of 4 that keeps its connections even when they are dead",
    demand: Demand::Arriving,
    slots: 4,
    make: |_, _| Box::<StalePool>::default(),
};

/// Whether there is a dead connection in the pool. It fails at once and so is idle at once: it is
/// always the next one to be taken.
#[derive(Default)]
struct StalePool(AtomicBool);

impl StalePool {
    async fn operate(&self, errand: &Errand<'_>) -> bool {
        if self.0.load(Ordering::Relaxed) {
            return false;
        }
        let manner = Manner { reuse: Reuse::Unchecked, ..Manner::of(FIVE_SECONDS) };
        let ended = errand.attempt(manner).await;
        if matches!(ended, Err(Ending::Lost | Ending::Broken)) {
            self.0.store(true, Ordering::Relaxed);
        }
        is_success(&ended)
    }
}

impl Client for StalePool {
    fn perform<'a>(&'a self, errand: &'a Errand<'a>) -> Boxed<'a, bool> {
        Box::pin(self.operate(errand))
    }
}
