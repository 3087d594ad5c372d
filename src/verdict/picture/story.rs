//! One operation told attempt by attempt.

use crate::{
    event::{Outcome, Upstream},
    verdict::{
        attempt::{Attempt, Wrong},
        detect::duplicates,
        label::Labels,
        operation::{Link, Operation},
    },
};
use std::{cmp::Reverse, time::Duration};

/// Duplicates that are told.
const DUPLICATES: usize = 5;

/// An operation, attempt by attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Story {
    /// The client program.
    pub client: String,
    /// The route: method and path without what looks like an identifier.
    pub route: String,
    /// Whether the upstream did it more than once, for want of a key that it honours.
    pub is_duplicate: bool,
    /// Whether all attempts carry the same idempotency key.
    pub has_key: bool,
    /// How its attempts were found to belong together.
    pub link: Link,
    /// How many attempts there were; not all may be told.
    pub count: u64,
    /// How many of them the upstream accepted.
    pub accepted: u64,
    /// Whether the client had what it wanted in the end.
    pub is_served: bool,
    /// The attempts, in the order in which they began.
    pub steps: Vec<Step>,
}

/// One attempt of a [`Story`]. Times are microseconds since the drill's start; zero means that it
/// did not come to that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The connection, and the how-manieth exchange on it.
    pub conn: (u64, u32),
    /// When it began.
    pub start: u64,
    /// When it was passed on to the upstream.
    pub forwarded: u64,
    /// When the upstream's answer began.
    pub answered: u64,
    /// When it was over.
    pub end: u64,
    /// How long after the end of the one before it began; `None` for the first, and where two were
    /// under way at once.
    pub wait: Option<Duration>,
    /// The status the client was sent; zero if none was.
    pub status: u16,
    /// How it went, as the client saw it.
    pub outcome: Outcome,
    /// In what way it went wrong.
    pub wrong: Option<Wrong>,
    /// What the upstream had to do with it.
    pub upstream: Upstream,
    /// Whether the upstream did the work.
    accepted: bool,
    /// Hash of what the upstream said it made.
    pub made: Option<u64>,
    /// What was dealt to it, in names; empty if nothing.
    pub dealt: String,
    /// How long it was asked to wait.
    pub retry_after: Option<Duration>,
}

impl Step {
    fn of(attempt: &Attempt, before: Option<&Attempt>, labels: &Labels) -> Self {
        let wait = before.and_then(|before| attempt.start.checked_sub(before.end));
        Self {
            conn: attempt.conn,
            start: attempt.start,
            forwarded: attempt.forwarded,
            answered: attempt.answered,
            end: attempt.end,
            wait: wait.map(Duration::from_micros),
            status: attempt.status,
            outcome: attempt.outcome,
            wrong: attempt.wrong,
            upstream: attempt.upstream,
            accepted: attempt.is_accepted(),
            made: attempt.made,
            dealt: labels.dealt_name(attempt.dealt).to_owned(),
            retry_after: attempt.retry_after,
        }
    }

    /// Whether the upstream did the work.
    pub const fn is_accepted(&self) -> bool {
        self.accepted
    }
}

/// The operations that are worth telling, as far as they came by.
#[derive(Clone, Debug, Default)]
pub(super) struct Stories {
    worst: Option<(Badness, Operation)>,
    duplicates: Vec<Operation>,
}

/// Done twice is worse than tried often, and that is worse than long; the first of equals is told.
type Badness = (bool, u64, u64, Reverse<u64>);

impl Stories {
    pub(super) fn see(&mut self, operation: &Operation) {
        let is_duplicate = duplicates::is_realised(operation);
        if is_duplicate && self.duplicates.len() < DUPLICATES {
            self.duplicates.push(operation.clone());
        }
        let start = operation.first().start;
        let took = operation.last_end().saturating_sub(start);
        let badness = (is_duplicate, operation.count(), took, Reverse(start));
        if self.worst.as_ref().is_none_or(|(worst, _)| *worst < badness) {
            self.worst = Some((badness, operation.clone()));
        }
    }

    /// The worst one, and those that were done more than once.
    pub(super) fn finish(self, labels: &Labels) -> (Option<Story>, Vec<Story>) {
        let tell = |operation: &Operation| story(operation, labels);
        let worst = self.worst.map(|(_, operation)| tell(&operation));
        (worst, self.duplicates.iter().map(tell).collect())
    }
}

fn story(operation: &Operation, labels: &Labels) -> Story {
    let attempts = operation.attempts();
    let before = std::iter::once(None).chain(attempts.iter().map(Some));
    let first = operation.first();
    Story {
        client: labels.program_name(first.program).to_owned(),
        route: labels.route_name(first.route).to_owned(),
        is_duplicate: duplicates::is_realised(operation),
        has_key: operation.stable_key().is_some(),
        link: operation.link(),
        count: operation.count(),
        accepted: operation.accepted(),
        is_served: operation.is_served(),
        steps: attempts.iter().zip(before).map(|(a, b)| Step::of(a, b, labels)).collect(),
    }
}
