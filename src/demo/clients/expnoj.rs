//! Exponential backoff without jitter: who failed together comes back together.

use crate::demo::{
    client::{Demand, Policy},
    clients::recipe::{Backoff, ONCE, Recipe, Repeats},
};
use std::time::Duration;

pub(super) const POLICY: Policy = Policy {
    name: "expnoj",
    about: "6 attempts, 0.5 s doubled each time, no jitter, purchases once",
    demand: Demand::Arriving,
    slots: 32,
    make: |seed, user| RECIPE.client(seed, user),
};

const RECIPE: Recipe = Recipe {
    attempts: 6,
    backoff: Backoff::Doubling(Duration::from_millis(500)),
    repeats: Repeats::Reads,
    ..ONCE
};
