//! A hedger: if there is no answer yet, the same again beside it, and the first one counts.

use crate::demo::{
    client::{Client, Demand, Manner, Policy},
    clients::recipe::{FIVE_SECONDS, is_success},
    http::Boxed,
    wire::Errand,
};
use futures_util::future::{Either, select};
use std::{pin::pin, time::Duration};
use tokio::time::sleep;

pub(super) const POLICY: Policy = Policy {
    name: "hedger",
    about: "a second GET beside the first after 400 ms, purchases once, 5 s timeout",
    demand: Demand::Arriving,
    slots: 32,
    make: |_, _| Box::new(Hedger),
};

/// How long an answer may take before a second request is sent: what few healthy ones take.
const AFTER: Duration = Duration::from_millis(400);
const MANNER: Manner = Manner::of(FIVE_SECONDS);

struct Hedger;

impl Hedger {
    async fn operate(errand: &Errand<'_>) -> bool {
        let mut first = pin!(errand.attempt(MANNER));
        if errand.buys() {
            return is_success(&first.await);
        }
        tokio::select! {
            biased;
            ended = &mut first => return is_success(&ended),
            () = sleep(AFTER) => {}
        }
        let second = pin!(errand.attempt(MANNER));
        // The loser is dropped, and its connection with it.
        let (ended, other) = match select(first, second).await {
            Either::Left((ended, other)) => (ended, Either::Left(other)),
            Either::Right((ended, other)) => (ended, Either::Right(other)),
        };
        is_success(&ended) || is_success(&other.await)
    }
}

impl Client for Hedger {
    fn perform<'a>(&'a self, errand: &'a Errand<'a>) -> Boxed<'a, bool> {
        Box::pin(Self::operate(errand))
    }
}
