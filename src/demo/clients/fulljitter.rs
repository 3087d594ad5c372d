//! Backoff as the books have it, which spreads the load and does not lessen it.

use crate::demo::{
    client::{Demand, Policy},
    clients::recipe::{Backoff, Keying, ONCE, Recipe},
};
use std::time::Duration;

pub(super) const POLICY: Policy = Policy {
    name: "fulljitter",
    about: "4 attempts, full jitter from 1 s, Retry-After heeded, a key for each operation",
    demand: Demand::Arriving,
    slots: 32,
    make: |seed, user| RECIPE.client(seed, user),
};

pub(super) const RECIPE: Recipe = Recipe {
    attempts: 4,
    backoff: Backoff::FullJitter { first: Duration::from_secs(1), most: Duration::from_secs(8) },
    key: Keying::PerOperation,
    heeds: true,
    ..ONCE
};
