//! The client without a timeout: what falls silent keeps its slot, and the rest stands in line.

use crate::demo::{
    client::{Demand, Policy},
    clients::recipe::{ONCE, Recipe},
    http::Patience,
};

pub(super) const POLICY: Policy = Policy {
    name: "naive",
    about: "1 attempt, no timeout, 8 slots, a queue without end",
    demand: Demand::Arriving,
    slots: 8,
    make: |seed, user| RECIPE.client(seed, user),
};

const RECIPE: Recipe = Recipe { patience: Patience::Endless, ..ONCE };
