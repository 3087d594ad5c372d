//! The client that has been through an outage before.

use crate::{
    demo::{
        client::{Call, Client, Manner, Policy, Wire},
        guard::{Breaker, Budget},
        http::Boxed,
    },
    dice::{Dice, Purpose, Seed},
};
use http::StatusCode;
use rand::RngExt;
use std::time::Duration;
use tokio::time::{Instant, sleep};

pub(super) const POLICY: Policy = Policy {
    name: "careful",
    about: "1 s timeout, 3 attempts with backoff, idempotency key, retry budget, circuit breaker",
    make: |seed, user| Box::new(Careful::new(seed, user)),
};

/// Attempts for one operation, the first included.
const ATTEMPTS: u32 = 3;
/// How long one attempt may take.
const TIMEOUT: Duration = Duration::from_secs(1);
/// How long one operation may take: what a user waits for.
const DEADLINE: Duration = Duration::from_secs(5);
/// The longest first backoff; it doubles from attempt to attempt.
const BACKOFF: Duration = Duration::from_millis(100);

struct Careful {
    dice: Dice,
    user: u64,
    retries: u64,
    budget: Budget,
    breaker: Breaker,
}

impl Careful {
    fn new(seed: Seed, user: u64) -> Self {
        let dice = Dice::new(seed, "demo backoff");
        Self { dice, user, retries: 0, budget: Budget::new(), breaker: Breaker::default() }
    }

    /// Full jitter: anything from nothing to the bound, so that users who failed together do not
    /// come back together.
    fn backoff(&mut self, attempt: u32) -> Duration {
        self.retries += 1;
        let mut rng = self.dice.of(self.user, self.retries).rng(Purpose::Delay);
        rng.random_range(Duration::ZERO..=BACKOFF * 2_u32.pow(attempt))
    }

    async fn operate(&mut self, call: &Call, wire: &mut Wire) -> bool {
        let began = Instant::now();
        if !self.breaker.lets_pass(began) {
            return false;
        }
        self.budget.deposit();
        for attempt in 0..ATTEMPTS {
            let left = DEADLINE.saturating_sub(began.elapsed());
            let manner = Manner { timeout: TIMEOUT.min(left), keyed: true, reuse: true };
            let mut asked = Duration::ZERO;
            match wire.attempt(call, manner).await {
                Ok(reply) if is_worth_a_retry(reply.status) => {
                    asked = reply.retry_after.unwrap_or_default();
                }
                Ok(reply) => {
                    self.breaker.success();
                    return reply.status.is_success();
                }
                Err(_) => {}
            }
            self.breaker.failure(Instant::now());
            // The jitter comes on top of what the service asked for: it asked everybody.
            let wait = asked.saturating_add(self.backoff(attempt));
            let give_up = attempt + 1 == ATTEMPTS
                || !self.breaker.lets_pass(Instant::now())
                // Sooner than asked would be a lie, and later there is nobody waiting.
                || wait >= DEADLINE.saturating_sub(began.elapsed())
                || !self.budget.withdraw();
            if give_up {
                return false;
            }
            sleep(wait).await;
        }
        false
    }
}

impl Client for Careful {
    fn perform<'a>(&'a mut self, call: &'a Call, wire: &'a mut Wire) -> Boxed<'a, bool> {
        Box::pin(self.operate(call, wire))
    }
}

/// Whether the same request may fare better later: a refusal of this very request will not.
fn is_worth_a_retry(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}
