//! What most clients are made of: how long to wait, what to try again, when, how often.

use crate::{
    demo::{
        client::{Client, Key, Manner},
        guard::{Breaker, Budget},
        http::{Boxed, Ending, Patience, Reply},
        wire::Errand,
    },
    dice::{Dice, Purpose, Seed},
};
use http::StatusCode;
use rand::RngExt;
use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// What a client gives a slow service before it gives up on an attempt.
pub(super) const FIVE_SECONDS: Patience = Patience::Total(Duration::from_secs(5));

/// How a client behaves, as far as it can be said in a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recipe {
    /// Attempts for one operation, the first included.
    pub(super) attempts: u32,
    pub(super) patience: Patience,
    pub(super) backoff: Backoff,
    /// Which operations are tried again.
    pub(super) repeats: Repeats,
    /// Which idempotency key a purchase carries.
    pub(super) key: Keying,
    /// Whether it comes back no sooner than a `Retry-After` says.
    pub(super) heeds: bool,
    /// How long its breaker stays open, if it has one: it opens at five failures in a row.
    pub(super) breaker: Option<Duration>,
    /// Whether retries are paid for out of a budget of a tenth of what succeeds.
    pub(super) budget: bool,
}

/// How long a client waits before a retry.
#[derive(Clone, Copy, Debug)]
pub(super) enum Backoff {
    Fixed(Duration),
    /// Twice as long each time.
    Doubling(Duration),
    /// Anything up to a bound that doubles each time, from `first` up to `most`.
    FullJitter {
        first: Duration,
        most: Duration,
    },
    /// A loop around a loop: a short wait, but a long one after every so many attempts.
    Nested {
        inner: Duration,
        every: u32,
        outer: Duration,
    },
}

/// Which operations are tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeats {
    /// Everything, unless the request itself was wrong.
    All,
    /// Only what changes nothing.
    Reads,
    /// Only what changes nothing, but even if the answer was that the request is wrong.
    ReadsWhateverTheAnswer,
}

/// The kind of key a purchase carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keying {
    None,
    PerOperation,
    PerAttempt,
    PerUser,
}

/// One attempt and nothing else: what the others are made from.
pub(super) const ONCE: Recipe = Recipe {
    attempts: 1,
    patience: FIVE_SECONDS,
    backoff: Backoff::Fixed(Duration::ZERO),
    repeats: Repeats::All,
    key: Keying::None,
    heeds: false,
    breaker: None,
    budget: false,
};

/// A client that goes by a recipe.
#[derive(Debug)]
pub(super) struct Cook {
    recipe: Recipe,
    dice: Dice,
    user: u64,
    retries: AtomicU64,
    breaker: Option<Mutex<Breaker>>,
    budget: Option<Mutex<Budget>>,
}

/// Nothing that is locked here is left half done by a panic.
pub(super) fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recipe {
    /// The client of a user that goes by it.
    pub(super) fn client(self, seed: Seed, user: u64) -> Box<dyn Client> {
        Box::new(Cook {
            recipe: self,
            dice: Dice::new(seed, "demo backoff"),
            user,
            retries: AtomicU64::new(0),
            breaker: self.breaker.map(|open| Mutex::new(Breaker::new(open))),
            budget: self.budget.then(|| Mutex::new(Budget::of(Budget::MOST))),
        })
    }

    fn manner(self, nth: u32) -> Manner {
        let key = match self.key {
            Keying::None => Key::None,
            Keying::PerOperation => Key::Operation,
            Keying::PerAttempt => Key::Attempt(nth),
            Keying::PerUser => Key::User,
        };
        Manner { key, ..Manner::of(self.patience) }
    }

    /// Whether it tries again what ended like this.
    fn repeats(self, errand: &Errand<'_>, ended: &Result<Reply, Ending>) -> bool {
        let is_final = ended.as_ref().is_ok_and(|reply| !is_worth_a_retry(reply.status));
        match self.repeats {
            Repeats::All => !is_final,
            Repeats::Reads => !is_final && !errand.buys(),
            Repeats::ReadsWhateverTheAnswer => !errand.buys(),
        }
    }
}

impl Cook {
    async fn operate(&self, errand: &Errand<'_>) -> bool {
        for nth in 1..=self.recipe.attempts {
            let now = Instant::now();
            if self.breaker.as_ref().is_some_and(|breaker| !lock(breaker).lets_pass(now)) {
                return false;
            }
            let ended = errand.attempt(self.recipe.manner(nth)).await;
            if is_success(&ended) {
                self.succeeded();
                return true;
            }
            if let Some(breaker) = &self.breaker {
                lock(breaker).failure(Instant::now());
            }
            let goes_on = nth < self.recipe.attempts
                && self.recipe.repeats(errand, &ended)
                && self.budget.as_ref().is_none_or(|budget| lock(budget).withdraw());
            if !goes_on {
                return false;
            }
            let asked = ended.ok().and_then(|reply| reply.retry_after);
            let asked = asked.filter(|_| self.recipe.heeds).unwrap_or_default();
            sleep(asked.saturating_add(self.backoff(nth))).await;
        }
        false
    }

    fn succeeded(&self) {
        if let Some(breaker) = &self.breaker {
            lock(breaker).success();
        }
        if let Some(budget) = &self.budget {
            lock(budget).deposit();
        }
    }

    /// How long to wait after the `nth` attempt, from 1.
    fn backoff(&self, nth: u32) -> Duration {
        let retry = self.retries.fetch_add(1, Ordering::Relaxed);
        let doubled = |first: Duration| first.saturating_mul(2_u32.saturating_pow(nth - 1));
        match self.recipe.backoff {
            Backoff::Fixed(wait) => wait,
            Backoff::Doubling(first) => doubled(first),
            Backoff::FullJitter { first, most } => {
                let mut rng = self.dice.of(self.user, retry).rng(Purpose::Delay);
                rng.random_range(Duration::ZERO..=doubled(first).min(most))
            }
            Backoff::Nested { outer, every, .. } if nth.is_multiple_of(every) => outer,
            Backoff::Nested { inner, .. } => inner,
        }
    }
}

impl Client for Cook {
    fn perform<'a>(&'a self, errand: &'a Errand<'a>) -> Boxed<'a, bool> {
        Box::pin(self.operate(errand))
    }
}

/// Whether an attempt got what it was for.
pub(super) fn is_success(ended: &Result<Reply, Ending>) -> bool {
    ended.as_ref().is_ok_and(|reply| reply.status.is_success())
}

/// Whether the same request may fare better later: a refusal of this very request will not.
pub(super) fn is_worth_a_retry(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}
