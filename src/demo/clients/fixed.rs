//! A retry every second, by the clock, of what changes nothing.

use crate::demo::{
    client::{Demand, Policy},
    clients::recipe::{Backoff, ONCE, Recipe, Repeats},
};
use std::time::Duration;

pub(super) const POLICY: Policy = Policy {
    name: "fixed",
    about: "10 attempts a second apart, purchases once",
    demand: Demand::Arriving,
    slots: 32,
    make: |seed, user| RECIPE.client(seed, user),
};

const RECIPE: Recipe = Recipe {
    attempts: 10,
    backoff: Backoff::Fixed(Duration::from_secs(1)),
    repeats: Repeats::Reads,
    ..ONCE
};
