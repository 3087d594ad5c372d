//! What a client did and what it got, attempt by attempt.

use crate::demo::http::Ending;
use std::{collections::BTreeMap, time::Duration};
use tokio::time::Instant;

/// How many attempts, and how many operations, one user's log holds; those after are counted and no
/// more.
const LOG: usize = 20_000;

/// What an operation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A look at the goods.
    Browse,
    /// A purchase.
    Purchase,
}

/// One request of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When it began, since the demonstration did.
    pub at: Duration,
    /// Which operation of its user it belongs to, from 0.
    pub operation: u64,
    /// What the operation is for.
    pub kind: Kind,
    /// How it ended; `None` if its client dropped it, or the demonstration ended first.
    pub ending: Option<Ending>,
}

/// Something a user wanted done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// When it was wanted, since the demonstration began.
    pub at: Duration,
    /// What it is for.
    pub kind: Kind,
    /// The requests sent for it.
    pub attempts: u32,
    /// Whether it got what it wanted; `None` if it was under way at the end.
    pub success: Option<bool>,
}

/// The sums of a client, or of one of its users.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Operations begun.
    pub operations: u64,
    /// Operations that got what they wanted.
    pub succeeded: u64,
    /// Operations given up. Those neither succeeded nor failed were under way at the end.
    pub failed: u64,
    /// Requests sent for them.
    pub attempts: u64,
    /// Purchases the client believes placed.
    pub purchases: u64,
    /// The longest an operation took, or had taken when the demonstration ended.
    pub worst: Duration,
    /// The attempts, up to a bound per user.
    pub log: Vec<Attempt>,
    /// The operations, up to a bound per user.
    pub wanted: Vec<Operation>,
}

impl Tally {
    /// The attempts per operation begun; `None` without any.
    pub fn amplification(&self) -> Option<f64> {
        (self.operations > 0).then(|| self.attempts as f64 / self.operations as f64)
    }

    /// The share of ended operations that succeeded, 0 to 1; `None` without any.
    pub fn served(&self) -> Option<f64> {
        let ended = self.succeeded + self.failed;
        (ended > 0).then(|| self.succeeded as f64 / ended as f64)
    }

    /// The most attempts that began in one second of the demonstration's clock.
    pub fn peak_per_second(&self) -> usize {
        let mut seconds: Vec<_> = self.log.iter().map(|attempt| attempt.at.as_secs()).collect();
        seconds.sort_unstable();
        seconds.chunk_by(u64::eq).map(<[_]>::len).max().unwrap_or(0)
    }

    pub(super) fn add(&mut self, other: Self) {
        self.operations += other.operations;
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        self.attempts += other.attempts;
        self.purchases += other.purchases;
        self.worst = self.worst.max(other.worst);
        self.log.extend(other.log);
        self.wanted.extend(other.wanted);
    }
}

/// A tally being kept, right at every moment: a user may be stopped in the middle of anything.
#[derive(Debug)]
pub(super) struct Journal {
    tally: Tally,
    began: Instant,
    /// The operations under way, by number.
    open: BTreeMap<u64, (Kind, Instant)>,
}

impl Journal {
    /// An empty journal of a demonstration that `began` then.
    pub(super) fn new(began: Instant) -> Self {
        Self { tally: Tally::default(), began, open: BTreeMap::new() }
    }

    /// Notes an operation as it is wanted, and gives its number, from 0.
    pub(super) fn begin(&mut self, kind: Kind) -> u64 {
        let number = self.tally.operations;
        self.tally.operations += 1;
        self.open.insert(number, (kind, Instant::now()));
        if self.tally.wanted.len() < LOG {
            let at = self.began.elapsed();
            self.tally.wanted.push(Operation { at, kind, attempts: 0, success: None });
        }
        number
    }

    pub(super) fn end(&mut self, operation: u64, success: bool) {
        let Some((kind, since)) = self.open.remove(&operation) else { return };
        self.tally.worst = self.tally.worst.max(since.elapsed());
        if let Some(wanted) = self.wanted(operation) {
            wanted.success = Some(success);
        }
        if success {
            self.tally.succeeded += 1;
            self.tally.purchases += u64::from(kind == Kind::Purchase);
        } else {
            self.tally.failed += 1;
        }
    }

    /// Notes an attempt as it goes out, and gives its place for [`Journal::ended`].
    pub(super) fn sent(&mut self, operation: u64) -> usize {
        self.tally.attempts += 1;
        if let Some(wanted) = self.wanted(operation) {
            wanted.attempts += 1;
        }
        if let Some((kind, _)) = self.open.get(&operation)
            && self.tally.log.len() < LOG
        {
            let at = self.began.elapsed();
            self.tally.log.push(Attempt { at, operation, kind: *kind, ending: None });
            return self.tally.log.len() - 1;
        }
        usize::MAX
    }

    pub(super) fn ended(&mut self, place: usize, ending: Ending) {
        if let Some(attempt) = self.tally.log.get_mut(place) {
            attempt.ending = Some(ending);
        }
    }

    pub(super) fn close(mut self) -> Tally {
        let longest = self.open.values().map(|(_, since)| since.elapsed()).max();
        self.tally.worst = self.tally.worst.max(longest.unwrap_or_default());
        self.tally
    }

    fn wanted(&mut self, operation: u64) -> Option<&mut Operation> {
        self.tally.wanted.get_mut(usize::try_from(operation).ok()?)
    }
}
