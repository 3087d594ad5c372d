//! The obedient one: everybody who was told the same moment comes at that moment.

use crate::demo::{
    client::{Demand, Policy},
    clients::recipe::{Backoff, Keying, ONCE, Recipe},
};
use std::time::Duration;

pub(super) const POLICY: Policy = Policy {
    name: "retry-after-exact",
    about: "3 attempts, exactly after what Retry-After says, a second without it, a key",
    demand: Demand::Arriving,
    slots: 32,
    make: |seed, user| RECIPE.client(seed, user),
};

const RECIPE: Recipe = Recipe {
    attempts: 3,
    backoff: Backoff::Fixed(Duration::from_secs(1)),
    heeds: true,
    key: Keying::PerOperation,
    ..ONCE
};
