//! Toxiproxy's HTTP contract as its clients see it: the built binary, plain sockets, no library of
//! ours or of theirs in between.
//!
//! Where `firedrill` differs on purpose (half-close is kept, chances are not drawn again, a reset
//! hurts only whom it hits, attributes are checked), the tests say what it does instead.

#![expect(
    clippy::disallowed_methods,
    reason = "another process and its clients go by the machine's own clock"
)]

mod bandwidth;
mod control_plane;
mod errors;
mod half_close;
mod hostile;
mod http;
mod json;
mod latency;
mod limit_data;
mod listen;
mod metrics;
mod peer;
mod populate;
mod proxies;
mod reset;
mod reset_peer;
mod routes;
mod seed;
mod server;
mod slicer;
mod slow_close;
mod startup;
mod timeout;
mod torture;
mod toxicity;
mod toxics;
mod update;
mod validation;
