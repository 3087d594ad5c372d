//! Retries around retries: three times three, and nobody decided on nine.

use crate::demo::{
    client::{Demand, Policy},
    clients::recipe::{Backoff, Keying, ONCE, Recipe},
};
use std::time::Duration;

pub(super) const POLICY: Policy = Policy {
    name: "layered",
    about: "3 attempts 0.1 s apart, three times 1 s apart, a key for each operation",
    demand: Demand::Arriving,
    slots: 32,
    make: |seed, user| RECIPE.client(seed, user),
};

const RECIPE: Recipe = Recipe {
    attempts: 9,
    backoff: Backoff::Nested {
        inner: Duration::from_millis(100),
        every: 3,
        outer: Duration::from_secs(1),
    },
    key: Keying::PerOperation,
    ..ONCE
};
