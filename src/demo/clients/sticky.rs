//! A circuit breaker that never closes: the outage is over for everybody else.

use crate::demo::{
    client::{Demand, Policy},
    clients::recipe::{ONCE, Recipe},
};
use std::time::Duration;

pub(super) const POLICY: Policy = Policy {
    name: "sticky",
    about: "1 attempt, a breaker that opens at 5 failures in a row for good",
    demand: Demand::Arriving,
    slots: 32,
    make: |seed, user| RECIPE.client(seed, user),
};

const RECIPE: Recipe = Recipe { breaker: Some(Duration::MAX), ..ONCE };
