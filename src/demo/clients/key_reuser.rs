//! One key for everything: the second purchase is taken for the first.

use crate::demo::{
    client::{Demand, Policy},
    clients::{
        doublebuy,
        recipe::{Keying, Recipe},
    },
};

pub(super) const POLICY: Policy = Policy {
    name: "key-reuser",
    about: "3 attempts on any error, one key for all purchases of a user",
    demand: Demand::Arriving,
    slots: 32,
    make: |seed, user| RECIPE.client(seed, user),
};

const RECIPE: Recipe = Recipe { key: Keying::PerUser, ..doublebuy::RECIPE };
