//! How long a client waits before each retry: a sample of bounded size.

use crate::verdict::{
    operation::Operation,
    stats::{Backoff, IMMEDIATE, classify},
};

/// Operations of one client that are kept.
const KEPT: usize = 300;
/// Waits of one operation that are kept.
const INDICES: usize = 8;

/// The waits of one client program.
#[derive(Clone, Debug, PartialEq)]
pub struct Waits {
    /// The program.
    pub client: String,
    /// How many operations had a retry.
    pub operations: u64,
    /// Of some of them, the waits in seconds, in their order, without those that a `Retry-After`
    /// asked for.
    pub sample: Vec<Vec<f64>>,
    /// What shape they have; `None` if there is none to speak of.
    pub shape: Option<Backoff>,
}

/// A sample while it grows: every so-manieth operation, and ever fewer of them.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    seen: u64,
    every: u64,
    kept: Vec<Vec<f64>>,
}

impl Default for Sample {
    fn default() -> Self {
        Self { seen: 0, every: 1, kept: Vec::new() }
    }
}

impl Sample {
    pub(super) fn see(&mut self, operation: &Operation) {
        // What somebody else said how long to wait is not the client's own; what comes after such
        // a wait has lost its place.
        let own = operation.own_gaps().take_while(|gap| gap.before.retry_after.is_none());
        let waits: Vec<f64> = own.take(INDICES).map(|gap| gap.wait.as_secs_f64()).collect();
        if waits.is_empty() {
            return;
        }
        let is_due = self.seen.is_multiple_of(self.every);
        self.seen += 1;
        if !is_due {
            return;
        }
        if self.kept.len() == KEPT {
            let mut nth = 0;
            self.kept.retain(|_| {
                nth += 1;
                nth % 2 == 1
            });
            self.every *= 2;
            if !(self.seen - 1).is_multiple_of(self.every) {
                return;
            }
        }
        self.kept.push(waits);
    }

    pub(super) fn finish(self, client: &str) -> Option<Waits> {
        (self.seen > 0).then(|| Waits {
            client: client.to_owned(),
            operations: self.seen,
            shape: classify(&self.kept, IMMEDIATE),
            sample: self.kept,
        })
    }
}
