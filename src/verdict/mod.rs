//! What to think of a client, from what it did on the wire.
//!
//! A [`Judge`] takes events in as they come and keeps little of them. Attempts are
//! [linked](link) to operations; [detectors](detect), one for each respect, look at both; at the end
//! each says what it found, and `expect:` is compared with it. The same judge reads a live drill and
//! its record, so that a report can be made again from the record alone.
//!
//! It never asks what the client is or was told to do: whatever it says follows from the traffic.

mod attempt;
mod baseline;
mod bench;
mod benches;
mod call;
mod course;
pub mod cut;
pub mod detect;
mod doubt;
mod expect;
mod finding;
#[cfg(test)]
mod fixture;
mod flow;
mod gates;
mod identity;
pub mod impact;
mod judge;
mod label;
pub mod link;
mod opening;
mod operation;
mod oracle;
mod outcome;
mod outlived;
pub mod phases;
pub mod picture;
pub mod pulse;
pub mod ratio;
pub mod settle;
mod span;
pub mod stats;
mod taken;
#[cfg(test)]
mod tests;
mod tracks;
pub mod waits;
mod window;
pub mod words;

pub use attempt::{Answer, Attempt, Class, Wrong};
pub use baseline::Baseline;
pub use bench::{Bench, Scope};
pub use course::{Course, Leg, Stage};
pub use expect::Judged;
pub use finding::{Claim, Finding, Grade, Measured, Opens, Sighting, Sightings, Weight};
pub use flow::{FINE, Flow, Second};
pub use gates::{Facts, Gate, Gates};
pub use judge::Judge;
pub use label::Labels;
pub use operation::{Gap, Link, Operation};
pub use oracle::Oracle;
pub use outcome::{Part, Verdict};
pub use span::{Came, Span};
pub use taken::Taken;
pub use tracks::{Series, Sums, Tick, Track, Tracks};
pub use window::Windows;

/// Seconds as microseconds.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
fn micros(seconds: f64) -> u64 {
    (seconds * 1e6) as u64
}
