//! A timeout between bytes: what drips never ends.

use crate::demo::{
    client::{Demand, Policy},
    clients::recipe::{ONCE, Recipe},
    http::Patience,
};
use std::time::Duration;

pub(super) const POLICY: Policy = Policy {
    name: "idle-timeout-only",
    about: "1 attempt, 5 s of silence at most, no limit in all",
    demand: Demand::Arriving,
    slots: 32,
    make: |seed, user| RECIPE.client(seed, user),
};

const RECIPE: Recipe = Recipe { patience: Patience::Idle(Duration::from_secs(5)), ..ONCE };
