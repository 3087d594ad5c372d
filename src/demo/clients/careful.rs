//! The client that has been through an outage before.

use crate::{
    demo::{
        client::{Client, Demand, Key, Manner, Policy},
        clients::recipe::{is_worth_a_retry, lock},
        guard::{Breaker, Budget},
        http::Boxed,
        wire::Errand,
    },
    dice::{Dice, Purpose, Seed},
};
use rand::RngExt;
use std::{sync::Mutex, time::Duration};
use tokio::time::{Instant, sleep};

pub(super) const POLICY: Policy = Policy {
    name: "careful",
    about: "1 s timeout, 3 attempts with backoff, idempotency key, retry budget, circuit breaker",
    demand: Demand::Thinking,
    slots: 1,
    make: |seed, user| Box::new(Careful::new(seed, user)),
};

/// Attempts for one operation, the first included.
const ATTEMPTS: u32 = 3;
/// How long one attempt may take.
const TIMEOUT: Duration = Duration::from_secs(1);
/// How long one operation may take: what a user waits for.
const DEADLINE: Duration = Duration::from_secs(5);
/// How long its breaker stays open before the next trial.
const OPEN: Duration = Duration::from_secs(2);
/// A client that has hardly begun may retry twice.
const RESERVE: u32 = 2;
/// The longest first backoff; it doubles from attempt to attempt.
const BACKOFF: Duration = Duration::from_millis(100);

struct Careful {
    dice: Dice,
    user: u64,
    state: Mutex<State>,
}

struct State {
    retries: u64,
    budget: Budget,
    breaker: Breaker,
}

impl Careful {
    fn new(seed: Seed, user: u64) -> Self {
        let dice = Dice::new(seed, "demo backoff");
        let (budget, breaker) = (Budget::of(RESERVE), Breaker::new(OPEN));
        Self { dice, user, state: Mutex::new(State { retries: 0, budget, breaker }) }
    }

    /// Full jitter: anything from nothing to the bound, so that users who failed together do not
    /// come back together.
    fn backoff(&self, attempt: u32) -> Duration {
        let nth = {
            let mut state = lock(&self.state);
            state.retries += 1;
            state.retries
        };
        let mut rng = self.dice.of(self.user, nth).rng(Purpose::Delay);
        rng.random_range(Duration::ZERO..=BACKOFF * 2_u32.pow(attempt))
    }

    async fn operate(&self, errand: &Errand<'_>) -> bool {
        let began = Instant::now();
        if !lock(&self.state).breaker.lets_pass(began) {
            return false;
        }
        lock(&self.state).budget.deposit();
        for attempt in 0..ATTEMPTS {
            let left = DEADLINE.saturating_sub(began.elapsed());
            let manner = Manner { key: Key::Operation, ..Manner::within(TIMEOUT.min(left)) };
            let mut asked = Duration::ZERO;
            match errand.attempt(manner).await {
                Ok(reply) if is_worth_a_retry(reply.status) => {
                    asked = reply.retry_after.unwrap_or_default();
                }
                Ok(reply) => {
                    lock(&self.state).breaker.success();
                    return reply.status.is_success();
                }
                Err(_) => {}
            }
            lock(&self.state).breaker.failure(Instant::now());
            // The jitter comes on top of what the service asked for: it asked everybody.
            let wait = asked.saturating_add(self.backoff(attempt));
            let give_up = attempt + 1 == ATTEMPTS
                || !lock(&self.state).breaker.lets_pass(Instant::now())
                // Sooner than asked would be a lie, and later there is nobody waiting.
                || wait >= DEADLINE.saturating_sub(began.elapsed())
                || !lock(&self.state).budget.withdraw();
            if give_up {
                return false;
            }
            sleep(wait).await;
        }
        false
    }
}

impl Client for Careful {
    fn perform<'a>(&'a self, errand: &'a Errand<'a>) -> Boxed<'a, bool> {
        Box::pin(self.operate(errand))
    }
}
