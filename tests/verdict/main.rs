//! Clients whose behaviour is known, each in outages that are known: what a judge of clients is
//! held against.
//!
//! Client, proxy and shop run in memory under a clock of their own, so that the 400 seconds of a
//! play take one or two. What was recorded is all a judge may look at; what was really so is known beside
//! it, from the clients' own books and the shop's.

mod cell;
mod count;
mod expected;
mod golden;
mod judged;
mod scores;
mod truth;
mod world;
