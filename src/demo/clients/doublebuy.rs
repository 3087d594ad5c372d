//! The double purchaser: a lost answer is taken for a lost request.

use crate::demo::{
    client::{Demand, Policy},
    clients::recipe::{Backoff, ONCE, Recipe},
};
use std::time::Duration;

pub(super) const POLICY: Policy = Policy {
    name: "doublebuy",
    about: "3 attempts on any error, purchases too, no key",
    demand: Demand::Arriving,
    slots: 32,
    make: |seed, user| RECIPE.client(seed, user),
};

pub(super) const RECIPE: Recipe = Recipe {
    attempts: 3,
    backoff: Backoff::FullJitter {
        first: Duration::from_millis(500),
        most: Duration::from_secs(8),
    },
    ..ONCE
};
