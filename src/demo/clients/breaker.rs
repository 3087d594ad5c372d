//! A circuit breaker: it stops asking, which no success rate shows.

use crate::demo::{
    client::{Demand, Policy},
    clients::{
        doublebuy,
        recipe::{Keying, Recipe},
    },
};
use std::time::Duration;

pub(super) const POLICY: Policy = Policy {
    name: "breaker",
    about: "3 attempts, a key, a breaker that opens at 5 failures in a row for 10 s",
    demand: Demand::Arriving,
    slots: 32,
    make: |seed, user| RECIPE.client(seed, user),
};

const RECIPE: Recipe = Recipe {
    key: Keying::PerOperation,
    breaker: Some(Duration::from_secs(10)),
    ..doublebuy::RECIPE
};
