//! A run commanded through its admin listener, as its users do: over a socket, and by `firedrill
//! ctl`.

#![expect(
    clippy::disallowed_methods,
    reason = "another process and its clients go by the machine's own clock"
)]

#[path = "../support/mod.rs"]
mod support;

mod bodies;
mod command;
mod docs;
mod drill;
mod faults;
mod metrics;
mod proxies;
mod served;
mod stage;
