//! The programs that `firedrill serve` is for, as they are: clients of Toxiproxy in other languages,
//! PostgreSQL, Redis.
//!
//! They need what a machine with nothing but Rust lacks, so `cargo test` names them as ignored and
//! leaves them out. `.ci/run` installs it and runs them with
//! `cargo test --test peers -- --ignored`; pins and places are written there.

#![expect(
    clippy::disallowed_methods,
    reason = "another process and its clients go by the machine's own clock"
)]

mod clients;
mod postgres;
mod program;
mod redis;
#[expect(dead_code, reason = "the contract's tests use more of it")]
#[path = "../toxiproxy/server.rs"]
mod server;
