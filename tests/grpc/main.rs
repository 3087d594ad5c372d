//! gRPC through the proxy, with tonic at both ends: what passes unharmed, what is hurt, and what is
//! recorded and judged of it. One test has the official client of Python retry by its own policy; it
//! needs what a machine with nothing but Rust lacks, so `cargo test` names it as ignored and `.ci/run`
//! installs that and runs it.

mod drill;
mod faults;
mod judged;
mod memory;
mod official;
mod passes;
mod requests;
mod service;
mod told;
