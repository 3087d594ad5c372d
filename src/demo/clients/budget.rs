//! The same with a retry budget: the one that has nothing to be told.

use crate::demo::{
    client::{Demand, Policy},
    clients::{fulljitter, recipe::Recipe},
};

pub(super) const POLICY: Policy = Policy {
    name: "budget",
    about: "fulljitter with a budget: 10 retries, and a tenth of one for each success",
    demand: Demand::Arriving,
    slots: 32,
    make: |seed, user| RECIPE.client(seed, user),
};

const RECIPE: Recipe = Recipe { budget: true, ..fulljitter::RECIPE };
