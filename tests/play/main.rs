//! The bundled outages, each played to its end, and judged by clients of our own: what the file
//! says is what they meet.
//!
//! Most drills are held at a time of the scenario while everybody is asked, so that nothing depends
//! on how fast this machine is; the others are asked at intervals, and an answer counts for a phase
//! only if it was asked for and came within it. Seeds and users are fixed, so every count is the
//! same in every run: bounds of four standard deviations say what a count stands for.

#![expect(clippy::disallowed_methods, reason = "its clients go by the machine's own clock")]

#[path = "../support/mod.rs"]
mod support;

mod amazon;
mod apple;
mod aws;
mod crowd;
mod drill;
mod google;
mod itunes;
mod microsoft;
mod tencent;
mod twilio;
mod visits;
