//! The client that never gives up and never waits: a purchase too, without a key.
//!
//! The 45 ms are what a turn takes that goes over a network.

use crate::demo::{
    client::{Demand, Policy},
    clients::recipe::{Backoff, ONCE, Recipe},
};
use std::time::Duration;

pub(super) const POLICY: Policy = Policy {
    name: "immediate",
    about: "retries for ever and at once, purchases too, no key",
    demand: Demand::Arriving,
    slots: 8,
    make: |seed, user| RECIPE.client(seed, user),
};

const RECIPE: Recipe =
    Recipe { attempts: u32::MAX, backoff: Backoff::Fixed(Duration::from_millis(45)), ..ONCE };
