//! The client that takes a refusal for a failure.

use crate::demo::{
    client::{Demand, Policy},
    clients::{
        doublebuy,
        recipe::{Recipe, Repeats},
    },
};

pub(super) const POLICY: Policy = Policy {
    name: "retry4xx",
    about: "4 attempts even after 4xx, full jitter from 0.5 s, purchases once",
    demand: Demand::Arriving,
    slots: 32,
    make: |seed, user| RECIPE.client(seed, user),
};

const RECIPE: Recipe =
    Recipe { attempts: 4, repeats: Repeats::ReadsWhateverTheAnswer, ..doublebuy::RECIPE };
