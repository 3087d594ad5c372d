//! `firedrill run` through the door a user uses: the built binary on loopback, its exit codes, what
//! it prints where, its record, its signals, and the command beside it.

#![expect(
    clippy::disallowed_methods,
    reason = "another process and its clients go by the machine's own clock"
)]

#[path = "../support/mod.rs"]
mod support;

mod again;
mod beside;
mod bytes;
mod compare;
mod config;
mod firedrill;
mod intercept;
mod output;
mod record;
mod refusals;
mod reload;
mod reports;
mod rotate;
mod serve;
mod signals;
mod size;
mod timing;
mod tls;
mod verdict;
