//! A poller: the same request every five seconds is no retry.

use crate::demo::{
    client::{Demand, Policy},
    clients::recipe::ONCE,
};
use std::time::Duration;

pub(super) const POLICY: Policy = Policy {
    name: "poller",
    about: "the same GET every 5 s, 1 attempt, 5 s timeout",
    demand: Demand::Polling(Duration::from_secs(5)),
    slots: 32,
    make: |seed, user| ONCE.client(seed, user),
};
