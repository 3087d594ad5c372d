//! What the two directions of a WebSocket have in common.

use crate::{
    dice::Dice,
    engine::{armed::Armed, counted::Counted, shared::lock},
    fault::{Lanes, Way, extensions::Contexts},
};
use std::sync::{Arc, Mutex, OnceLock};

/// A socket, chosen by the request that opened it.
#[derive(Debug)]
pub struct Socket {
    pub(super) user: Arc<OnceLock<u64>>,
    /// The how-manieth request of the user opened it.
    pub(super) nth: u64,
    /// The targets that mean that request, one bit each.
    pub(super) targets: u64,
    /// What its ends agreed on, if it carries messages that are understood.
    agreed: Option<Contexts>,
    /// Each fault counts it once.
    pub(super) counted: Arc<Counted>,
    /// What each fault that met it made for it.
    lanes: Mutex<Vec<(usize, Arc<dyn Lanes>)>>,
}

impl Socket {
    /// A socket that a request of this user opened, with what the ends of a WebSocket agreed on. One that is
    /// none meets no fault.
    pub fn new(user: u64, nth: u64, targets: u64, agreed: Option<Contexts>) -> Self {
        let user = Arc::new(OnceLock::from(user));
        let (counted, lanes) = (Arc::default(), Mutex::default());
        Self { user, nth, targets, agreed, counted, lanes }
    }

    /// Whether compressed messages that go this way need those before them.
    pub(super) fn keeps_context(&self, way: Way) -> bool {
        self.agreed.is_some_and(|agreed| agreed.are_kept(way))
    }

    /// What a fault does to the two directions, the same for both.
    pub(super) fn lanes(&self, armed: &Armed, dice: Dice) -> Option<Arc<dyn Lanes>> {
        self.agreed?;
        let mut all = lock(&self.lanes);
        if let Some((_, lanes)) = all.iter().find(|(uid, _)| *uid == armed.uid) {
            return Some(Arc::clone(lanes));
        }
        let lanes = armed.fault.lanes(dice)?;
        all.push((armed.uid, Arc::clone(&lanes)));
        Some(lanes)
    }
}
