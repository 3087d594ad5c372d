//! Users: they want things, one after the other or whenever it comes to them.

use crate::{
    demo::{
        client::{Call, Client, Demand, Policy, Want},
        http::Dialer,
        shop,
        tally::Tally,
        wire::{Papers, Wire},
    },
    dice::{Dice, Purpose, Seed},
    units::Percent,
};
use futures_util::{StreamExt, stream::FuturesUnordered};
use rand::RngExt;
use std::{ops::RangeInclusive, pin::pin, time::Duration};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// How long a user thinks before an operation.
const THINK: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_millis(400);
/// How many operations in a hundred buy.
const PURCHASES: f64 = 0.2;

/// The users of one client.
#[derive(Clone, Copy, Debug)]
pub struct Crowd {
    /// How many they are.
    pub users: u64,
    /// How often each of them wants something, on average, if what came before does not matter.
    pub every: Duration,
    /// How many operations of one user may be under way at once; what the client itself says, if
    /// nothing else is said.
    pub slots: Option<usize>,
    /// What their names begin with; the client's name, if nothing else is said.
    pub named: Option<&'static str>,
    /// Whether each request says which operation it is for, in `x-firedrill-operation`. A judge who
    /// is to find that out must not be told.
    pub truth: bool,
}

impl Crowd {
    /// The one of a demonstration: enough users that a share of 17 % hurts some and spares some.
    pub const DEMO: Self = Self {
        users: 40,
        every: Duration::from_millis(250),
        slots: None,
        named: None,
        truth: false,
    };
}

/// A user of a client.
#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) policy: Policy,
    pub(super) crowd: Crowd,
    pub(super) number: u64,
    pub(super) seed: Seed,
    /// The number of the demonstration at its shop.
    pub(super) visit: u64,
}

impl Policy {
    /// What the names of its orders begin with at the shop's `visit`th demonstration.
    pub(super) fn orders(&self, visit: u64) -> String {
        format!("{}-{visit}-", self.name)
    }
}

impl User {
    /// Wants things until `stop`.
    pub(super) async fn live(
        self,
        doors: &[Dialer],
        began: Instant,
        stop: CancellationToken,
    ) -> Tally {
        let name = self.crowd.named.unwrap_or(self.policy.name);
        let papers = Papers {
            user: format!("{name}-{}", self.number),
            agent: format!("firedrill-{}/1", self.policy.name),
            truth: self.crowd.truth,
        };
        let wire = Wire::new(papers, doors, began);
        let client = (self.policy.make)(self.seed, self.number);
        stop.run_until_cancelled(async {
            if self.policy.demand == Demand::Thinking {
                self.one_by_one(client.as_ref(), &wire).await;
            } else {
                self.whenever(client.as_ref(), &wire).await;
            }
        })
        .await;
        wire.close()
    }

    /// Wants one thing after the other.
    async fn one_by_one(&self, client: &dyn Client, wire: &Wire) {
        for nth in 0.. {
            sleep(self.pause(nth)).await;
            let call = self.call(nth);
            wire.operate(client, &call, wire.wanted(&call)).await;
        }
    }

    /// Wants things whether or not those before have ended; who finds no slot free waits in line.
    async fn whenever(&self, client: &dyn Client, wire: &Wire) {
        let slots = Semaphore::new(self.crowd.slots.unwrap_or(self.policy.slots));
        let mut under_way = FuturesUnordered::new();
        let mut next = pin!(sleep_until(Instant::now() + self.pause(0)));
        let mut nth = 0;
        loop {
            tokio::select! {
                biased;
                () = &mut next => {
                    let call = self.call(nth);
                    let (operation, slots) = (wire.wanted(&call), &slots);
                    under_way.push(async move {
                        let _slot = slots.acquire().await;
                        wire.operate(client, &call, operation).await;
                    });
                    nth += 1;
                    let due = next.deadline() + self.pause(nth);
                    next.as_mut().reset(due);
                }
                _ = under_way.next(), if !under_way.is_empty() => {}
            }
        }
    }

    /// The dice of the user's `nth` operation: the same whatever the client, so that all clients
    /// are asked for the same things.
    fn dice(&self, what: &str, nth: u64) -> Dice {
        Dice::new(self.seed, what).of(self.number, nth)
    }

    /// How long after the one before the `nth` operation is wanted, or after the start.
    fn pause(&self, nth: u64) -> Duration {
        let mut rng = self.dice("demo think", nth).rng(Purpose::Delay);
        match self.policy.demand {
            Demand::Thinking => rng.random_range(THINK),
            Demand::Arriving => self.crowd.every.mul_f64(-(1.0 - rng.random::<f64>()).ln()),
            // Nobody begins at the same moment as another.
            Demand::Polling(every) if nth == 0 => every.mul_f64(rng.random::<f64>()),
            Demand::Polling(every) => every,
        }
    }

    pub(super) fn call(&self, nth: u64) -> Call {
        let item = self.dice("demo item", nth).rng(Purpose::Share).random_range(1..=shop::ITEMS);
        let buys = self.dice("demo purchase", nth).point(Purpose::Share);
        let want = if matches!(self.policy.demand, Demand::Polling(_)) {
            Want::List
        } else if Percent::from_fraction(PURCHASES).includes(buys) {
            Want::Purchase { amount: shop::price(item) }
        } else {
            Want::Item(item)
        };
        Call { id: format!("{}{}-{nth}", self.policy.orders(self.visit), self.number), want }
    }
}
