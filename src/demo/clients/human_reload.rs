//! A person at a browser: waits a while, presses reload, and loses interest.

use crate::{
    demo::{
        client::{Client, Demand, Manner, Policy},
        clients::recipe::is_success,
        http::{Boxed, Patience},
        wire::Errand,
    },
    dice::{Dice, Purpose},
};
use rand::RngExt;
use std::{
    ops::RangeInclusive,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use tokio::time::sleep;

pub(super) const POLICY: Policy = Policy {
    name: "human-reload",
    about: "reloads a page up to 3 times after 3 to 8 s of nothing or an error; buys once",
    demand: Demand::Arriving,
    slots: 4,
    make: |seed, user| {
        Box::new(Person { dice: Dice::new(seed, "demo person"), user, pages: AtomicU64::new(0) })
    },
};

/// How long somebody looks at a page that does not come.
const PATIENCE: RangeInclusive<Duration> = Duration::from_secs(3)..=Duration::from_secs(8);
/// How long it takes to see that a page is an error, and to press reload.
const REACTION: RangeInclusive<Duration> = Duration::from_millis(800)..=Duration::from_secs(3);
/// How often the same page is looked for.
const LOOKS: u32 = 4;
/// Nobody presses a button twice that says not to: a browser waits as long as it likes to.
const PURCHASE: Patience = Patience::Total(Duration::from_secs(60));

struct Person {
    dice: Dice,
    user: u64,
    pages: AtomicU64,
}

impl Person {
    async fn operate(&self, errand: &Errand<'_>) -> bool {
        if errand.buys() {
            return is_success(&errand.attempt(Manner::of(PURCHASE)).await);
        }
        let page = self.pages.fetch_add(1, Ordering::Relaxed);
        let mut rng = self.dice.of(self.user, page).rng(Purpose::Delay);
        for look in 0..LOOKS {
            let patience = rng.random_range(PATIENCE);
            let manner = Manner { reload: look > 0, ..Manner::within(patience) };
            if is_success(&errand.attempt(manner).await) {
                return true;
            }
            sleep(rng.random_range(REACTION)).await;
        }
        false
    }
}

impl Client for Person {
    fn perform<'a>(&'a self, errand: &'a Errand<'a>) -> Boxed<'a, bool> {
        Box::pin(self.operate(errand))
    }
}
