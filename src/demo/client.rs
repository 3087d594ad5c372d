//! What clients have in common: how they are told apart, what they are asked to do, and how.

use crate::{
    demo::{
        http::{Boxed, Patience},
        tally::Kind,
        wire::Errand,
    },
    dice::Seed,
};
use std::time::Duration;

/// A way to treat a service: one file each, listed in [`crate::demo::CATALOGUE`].
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Its name: the start of its users' names and of its orders.
    pub name: &'static str,
    /// What it does, in half a sentence.
    pub about: &'static str,
    /// When its users want something.
    pub(super) demand: Demand,
    /// How many operations of one user may be under way at once; the others wait in line.
    pub(super) slots: usize,
    /// The client of one user.
    pub(super) make: fn(Seed, u64) -> Box<dyn Client>,
}

/// When a user wants something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Demand {
    /// A moment after the last operation ended: a slow service is asked for less.
    Thinking,
    /// At any time, however many operations are under way (a Poisson process, as often as the crowd
    /// says).
    Arriving,
    /// The same thing each time, as often as this.
    Polling(Duration),
}

/// The client program of one user: it does each operation its own way, several at once.
pub(super) trait Client: Send + Sync {
    /// Does an operation with as many attempts as it thinks right; true if it got what it wanted.
    fn perform<'a>(&'a self, errand: &'a Errand<'a>) -> Boxed<'a, bool>;
}

/// One thing a user wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    /// Its name, unique in the life of the shop.
    pub(super) id: String,
    pub(super) want: Want,
}

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    List,
    Item(u64),
    Purchase { amount: u64 },
}

impl Want {
    pub(super) const fn kind(self) -> Kind {
        if matches!(self, Self::Purchase { .. }) { Kind::Purchase } else { Kind::Browse }
    }
}

/// How to make an attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    pub(super) patience: Patience,
    pub(super) key: Key,
    pub(super) reuse: Reuse,
    /// Which of the service's addresses to go to; there may be fewer, they are taken in turn.
    pub(super) door: usize,
    /// Whether it is somebody who pressed reload, which a browser says in its headers.
    pub(super) reload: bool,
}

impl Manner {
    /// One that waits for so long, and else does as everybody does.
    pub(super) const fn of(patience: Patience) -> Self {
        Self { patience, key: Key::None, reuse: Reuse::Checked, door: 0, reload: false }
    }

    pub(super) const fn within(timeout: Duration) -> Self {
        Self::of(Patience::Total(timeout))
    }
}

/// The `Idempotency-Key` of a purchase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// It has none.
    None,
    /// The operation's name: what the key is for.
    Operation,
    /// A new one for this attempt, which defeats it.
    Attempt(u32),
    /// One for all that this user ever buys, which defeats it too.
    User,
}

/// Whether an idle connection may be used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reuse {
    /// If it is still open.
    Checked,
    /// Without looking whether it is.
    Unchecked,
    /// No: each attempt dials anew.
    Never,
}
