//! What one connection was counted for.

use crate::engine::armed::FaultCount;
use std::sync::{Arc, Mutex, PoisonError};

/// The faults that met a connection: each counts it once, though it may act when the connection is
/// accepted and on its bytes in both directions.
#[derive(Debug, Default)]
pub struct Counted(Mutex<Vec<Seen>>);

#[derive(Debug)]
struct Seen {
    /// What all phases that name the fault share.
    count: Arc<FaultCount>,
    hit: bool,
}

impl Counted {
    /// A fault is meant for the connection.
    pub(super) fn consider(&self, count: &Arc<FaultCount>) {
        self.note(count, false);
    }

    /// A fault did something to the connection.
    pub(super) fn hit(&self, count: &Arc<FaultCount>) {
        self.note(count, true);
    }

    /// The request that it became a tunnel by counted already.
    pub(super) fn was_counted(&self, count: &Arc<FaultCount>, hit: bool) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.iter_mut().find(|seen| Arc::ptr_eq(&seen.count, count)) {
            Some(seen) => seen.hit |= hit,
            None => all.push(Seen { count: Arc::clone(count), hit }),
        }
    }

    fn note(&self, count: &Arc<FaultCount>, hit: bool) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = all.iter().position(|seen| Arc::ptr_eq(&seen.count, count)).unwrap_or_else(|| {
            count.consider();
            all.push(Seen { count: Arc::clone(count), hit: false });
            all.len() - 1
        });
        if hit && !std::mem::replace(&mut all[at].hit, true) {
            count.hit();
        }
    }
}
