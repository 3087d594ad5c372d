//! Firedrill replays outages.
//!
//! Reverse proxies for HTTP and TCP stand in front of services and play a scenario while the real
//! client talks through them; at the end it says what was injected and what came of it. Without a
//! scenario they take faults by hand, from its own commands or from Toxiproxy's clients.
//!
//! # In a test
//!
//! A [`Drill`] is the same in a test of one's own: it plays a scenario in front of a service, inside the
//! test's own runtime, and says at its end what was seen. See its page.
//!
//! # The floors of the house
//!
//! ```text
//!  7  cli                                       wires everything; nobody imports it
//!  6  drill                                     a drill in somebody else's program
//!  5  control          demo                     command  |  an embedded shop and its clients
//!  4  proxy            report ── observe        act  |  tell (never meet)
//!  3  engine                                    play
//!  2  config ── scenario   event               describe  |  name
//!  1  fault   select                            what, whom
//!  0  timeline  read  units  dice  diag  yaml  grpc   words
//!     ca                                        whom clients trust
//! ```
//!
//! Down only; `tests/architecture.rs` keeps it so.

pub mod ca;
pub mod cli;
pub mod config;
pub mod control;
pub mod demo;
pub mod diag;
pub mod dice;
pub mod drill;
pub mod engine;
pub mod event;
pub mod fault;
pub mod grpc;
pub mod observe;
pub mod proxy;
pub mod read;
pub mod report;
pub mod scenario;
pub mod select;
pub mod timeline;
pub mod units;
pub mod verdict;
pub mod yaml;

pub use drill::Drill;
