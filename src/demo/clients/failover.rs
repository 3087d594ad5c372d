//! Two addresses of one service: who fails is left for the other.

use crate::demo::{
    client::{Client, Demand, Key, Manner, Policy},
    clients::recipe::{FIVE_SECONDS, is_success, is_worth_a_retry},
    http::Boxed,
    wire::Errand,
};
use std::sync::atomic::{AtomicUsize, Ordering};

pub(super) const POLICY: Policy = Policy {
    name: "failover",
    about: "2 attempts, the second at the other address, which it stays with; a key",
    demand: Demand::Arriving,
    slots: 32,
    make: |_, _| Box::<Failover>::default(),
};

/// The address that worked last.
#[derive(Default)]
struct Failover(AtomicUsize);

impl Failover {
    async fn operate(&self, errand: &Errand<'_>) -> bool {
        let first = self.0.load(Ordering::Relaxed);
        for door in [first, first + 1] {
            let manner = Manner { door, key: Key::Operation, ..Manner::of(FIVE_SECONDS) };
            let ended = errand.attempt(manner).await;
            if is_success(&ended) {
                self.0.store(door, Ordering::Relaxed);
                return true;
            }
            if ended.is_ok_and(|reply| !is_worth_a_retry(reply.status)) {
                return false;
            }
        }
        false
    }
}

impl Client for Failover {
    fn perform<'a>(&'a self, errand: &'a Errand<'a>) -> Boxed<'a, bool> {
        Box::pin(self.operate(errand))
    }
}
