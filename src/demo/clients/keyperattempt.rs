//! A key in every purchase, and a new one for each attempt: it looks safe and is not.

use crate::demo::{
    client::{Demand, Policy},
    clients::{
        doublebuy,
        recipe::{Keying, Recipe},
    },
};

pub(super) const POLICY: Policy = Policy {
    name: "keyperattempt",
    about: "doublebuy with a new key for each attempt",
    demand: Demand::Arriving,
    slots: 32,
    make: |seed, user| RECIPE.client(seed, user),
};

const RECIPE: Recipe = Recipe { key: Keying::PerAttempt, ..doublebuy::RECIPE };
