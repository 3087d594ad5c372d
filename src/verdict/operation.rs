//! What a client wants done, with all the attempts it made at it.

use crate::verdict::attempt::Attempt;
use std::time::Duration;

/// Attempts of one operation that are kept; those beyond are counted.
const KEPT: usize = 64;
/// A library that sends a refused call again by itself waits for nothing.
const AT_ONCE: u64 = 50_000;

/// How attempts were found to belong together, the surest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Link {
    /// There is one attempt, and nothing was linked.
    Alone,
    /// They carry the same key or name of an operation.
    Key,
    /// They ask for the same thing, and none was served before the next one began.
    Print,
    /// They ask for the same thing but for what is made anew for each: inferred.
    Near,
}

/// One thing a client wants done.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The first attempts, in the order in which they began. Never empty.
    attempts: Vec<Attempt>,
    /// Attempts that are not kept.
    more: u32,
    /// Those of them that the upstream accepted.
    more_accepted: u32,
    /// When the last attempt began.
    last_start: u64,
    /// When the last attempt ended.
    last_end: u64,
    /// When the first attempt that was served ended.
    served_at: Option<u64>,
    /// How they were linked, the least sure of all links.
    link: Link,
    /// Its key belonged to something else before.
    has_used_key: bool,
}

/// Two attempts, one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Gap<'o> {
    /// Which gap of the operation it is, from 0.
    pub index: usize,
    /// From the failure of the first to the beginning of the second.
    pub wait: Duration,
    /// The one that failed.
    pub before: &'o Attempt,
    /// The one that came next.
    pub after: &'o Attempt,
}

impl Operation {
    /// An operation of one attempt.
    pub fn new(attempt: Attempt) -> Self {
        Self {
            more: 0,
            more_accepted: 0,
            last_start: attempt.start,
            last_end: attempt.end,
            served_at: attempt.is_served().then_some(attempt.end),
            link: Link::Alone,
            has_used_key: false,
            attempts: vec![attempt],
        }
    }

    /// An operation of one attempt, whose key belonged to something else before.
    pub fn with_used_key(attempt: Attempt) -> Self {
        Self { has_used_key: true, ..Self::new(attempt) }
    }

    /// Whether its key belonged to something else before.
    pub fn has_used_key(&self) -> bool {
        self.has_used_key
    }

    /// Adds an attempt, found to belong by `link`.
    pub fn add(&mut self, attempt: Attempt, link: Link) {
        self.link = self.link.max(link);
        self.last_start = self.last_start.max(attempt.start);
        self.last_end = self.last_end.max(attempt.end);
        if attempt.is_served() {
            let at = self.served_at.map_or(attempt.end, |at| at.min(attempt.end));
            self.served_at = Some(at);
        }
        let place = self.attempts.partition_point(|other| other.start <= attempt.start);
        if self.attempts.len() < KEPT {
            // Very many are open at a time, and most have a few attempts.
            if self.attempts.len() < 8 {
                self.attempts.reserve_exact(1);
            }
            self.attempts.insert(place, attempt);
        } else {
            self.more += 1;
            self.more_accepted += u32::from(attempt.is_accepted());
        }
    }

    /// The attempts that are kept, in the order in which they began.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// The first attempt.
    pub fn first(&self) -> &Attempt {
        // There is always one.
        &self.attempts[0]
    }

    /// The last of the attempts that are kept.
    pub fn last(&self) -> &Attempt {
        &self.attempts[self.attempts.len() - 1]
    }

    /// How many attempts there were.
    pub fn count(&self) -> u64 {
        self.attempts.len() as u64 + u64::from(self.more)
    }

    /// How many there were without the one that the library of a gRPC client sent again by itself.
    pub fn tries(&self) -> u64 {
        self.count() - u64::from(self.transparent().is_some())
    }

    /// Which of its attempts, from 0, was refused before anything looked at it and sent again by the
    /// client's library, at once and without a number of its own: once for each call, as proposal A6 of
    /// gRPC has it. Whatever is refused after that is the client's own to try again.
    fn transparent(&self) -> Option<usize> {
        let mut pairs = self.attempts.windows(2);
        pairs.position(|pair| {
            let [before, after] = pair else { return false };
            let wait = after.start.checked_sub(before.end);
            before.call.is_some()
                && before.refused
                && before.counter == after.counter
                && wait.is_some_and(|wait| wait <= AT_ONCE)
        })
    }

    /// How many attempts the upstream accepted.
    pub fn accepted(&self) -> u64 {
        let kept = self.attempts.iter().filter(|attempt| attempt.is_accepted()).count() as u64;
        kept + u64::from(self.more_accepted)
    }

    /// When the last attempt ended.
    pub fn last_end(&self) -> u64 {
        self.last_end
    }

    /// When the last attempt began.
    pub fn last_start(&self) -> u64 {
        self.last_start
    }

    /// When the client had what it wanted.
    pub fn served_at(&self) -> Option<u64> {
        self.served_at
    }

    /// Whether it had what it wanted in the end.
    pub fn is_served(&self) -> bool {
        self.served_at.is_some()
    }

    /// How its attempts were linked.
    pub fn link(&self) -> Link {
        self.link
    }

    /// The one idempotency key that all attempts carry.
    pub fn stable_key(&self) -> Option<u64> {
        let key = self.first().key?;
        self.attempts.iter().all(|attempt| attempt.key == Some(key)).then_some(key)
    }

    /// Whether two attempts were under way at once.
    pub fn overlaps(&self) -> bool {
        self.attempts.windows(2).any(|pair| pair[1].start < pair[0].end)
    }

    /// The waits between attempts that follow each other; none from the first overlap on, where one
    /// attempt does not wait for the other.
    pub fn gaps(&self) -> impl Iterator<Item = Gap<'_>> {
        let pairs = self.attempts.windows(2).enumerate();
        pairs.map_while(|(index, pair)| {
            let [before, after] = pair else { return None };
            let wait = after.start.checked_sub(before.end)?;
            Some(Gap { index, wait: Duration::from_micros(wait), before, after })
        })
    }

    /// The same without the one before what the library of a gRPC client sent again by itself.
    pub fn own_gaps(&self) -> impl Iterator<Item = Gap<'_>> {
        let skipped = self.transparent();
        self.gaps().filter(move |gap| Some(gap.index) != skipped)
    }

    /// Each attempt as an operation of its own, where what links them cannot be trusted.
    pub fn apart(self) -> impl Iterator<Item = Self> {
        self.attempts.into_iter().map(Self::new)
    }
}
