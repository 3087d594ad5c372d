//! The control: one attempt, and five seconds of patience.

use crate::demo::{
    client::{Demand, Policy},
    clients::recipe::{ONCE, Recipe},
};

pub(super) const POLICY: Policy = Policy {
    name: "oneshot",
    about: "1 attempt, 5 s timeout",
    demand: Demand::Arriving,
    slots: 32,
    make: |seed, user| RECIPE.client(seed, user),
};

const RECIPE: Recipe = ONCE;
