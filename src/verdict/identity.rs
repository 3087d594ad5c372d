//! Whether clients are who they seem: failures that come back under another name.
//!
//! Two clients behind one identity look like retries; one client that changes its identity hides
//! them. If more than one failed request in twenty comes again, the same in all but who sent it,
//! under another identity within half a minute, a reader is told.

use crate::verdict::{
    attempt::Attempt,
    course::{Course, Stage},
    operation::Operation,
};
use std::collections::HashMap;

/// How soon a failure has to come back to be the same client's, in microseconds.
const SOON: u64 = 30_000_000;
/// The share of failures that come back so above which a reader is told.
const TOLD: f64 = 0.05;
/// The least number of failures that says anything.
const LEAST: u64 = 20;
/// Failures remembered per generation.
const REMEMBERED: usize = 50_000;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Identities {
    /// Who last failed to get what, and when; in two generations.
    young: HashMap<u64, (u64, u64)>,
    old: HashMap<u64, (u64, u64)>,
    failures: u64,
    moved: u64,
    /// Operations under faults that failed at first.
    pub(super) failed: u64,
    /// Those whose retries could not have been told from new requests.
    pub(super) blind: u64,
}

impl Identities {
    pub(super) fn see(&mut self, attempt: &Attempt) {
        let last = self.young.get(&attempt.content).or_else(|| self.old.get(&attempt.content));
        if let Some((user, failed)) = last
            && *user != attempt.user
            && attempt.start.checked_sub(*failed).is_some_and(|gap| gap <= SOON)
        {
            self.moved += 1;
            self.young.remove(&attempt.content);
            self.old.remove(&attempt.content);
        }
        // A look at something says little: everybody looks at the same things. And a client that names
        // its operations has said which are the same. What a request wanted that broke off before its body was
        // read nobody knows.
        let is_unread = attempt.received == 0;
        if attempt.is_served() || !attempt.is_unsafe || attempt.is_declared || is_unread {
            return;
        }
        self.failures += 1;
        if self.young.len() >= REMEMBERED {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(attempt.content, (attempt.user, attempt.end));
    }

    pub(super) fn operation(&mut self, operation: &Operation, course: &Course, is_blind: bool) {
        let first = operation.first();
        if course.stage(first.phase) == Stage::Fault && !first.is_served() {
            self.failed += 1;
            self.blind += u64::from(is_blind);
        }
    }

    pub(super) fn cautions(&self) -> Vec<String> {
        let share = self.moved as f64 / self.failures.max(1) as f64;
        if self.failures < LEAST || share <= TOLD {
            return Vec::new();
        }
        vec![format!(
            "{:.0} % of failed POST and PATCH requests came again from another user within 30 s: a \
             client seems to change its identity, and retries are counted as new operations; tell \
             users by something that lasts (`users:`)",
            share * 100.0
        )]
    }
}

#[cfg(test)]
mod tests {
    use crate::verdict::tests::traffic::{BEGINS, Traffic, Try, beat, ok};

    /// Whether eight users who upload something, which fails, are taken for one.
    fn is_told(wrong: fn(Try) -> Try) -> bool {
        let mut traffic = Traffic::new();
        for (at, n) in beat(1.0, BEGINS, BEGINS + 60.0).zip(0..) {
            traffic.add(wrong(ok(1 + n % 8, at).of("POST /upload").left(0.5)));
        }
        traffic.judged().cautions.iter().any(|said| said.contains("change its identity"))
    }

    #[test]
    fn what_comes_again_from_another_user_is_told() {
        assert!(is_told(|this| this));
    }

    #[test]
    fn what_was_never_read_is_not_the_same() {
        assert!(!is_told(Try::unread));
    }
}
