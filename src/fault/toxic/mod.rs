//! Toxiproxy's toxics as faults, made from the numbers that its clients send.
//!
//! Each is a native fault on one direction, so what a toxic does is what the fault of that name
//! does. It differs from Toxiproxy 2.12 on purpose where that loses data, stalls or crashes:
//!
//! - `timeout` closes so long after it began to act on a connection, however busy that is; there it
//!   began anew with every chunk. Taken away, it closes the connections that it acted on, no others.
//! - `reset_peer` resets connections that were there before it, too, and no others than it acts on.
//! - `bandwidth` lets bytes through sixteen times a second, not ten.
//! - `slicer` cuts into `average_size` ± `size_variation`, evenly; there a chunk was halved until its
//!   parts were small enough. An `average_size` of 0 passes everything; there it ended the server.
//! - `packet_loss` is a TCP stall, as a client of a lossy link sees it: there whole chunks were
//!   missing from the stream. `correlation` is taken and ignored: losses are independent.
//! - `latency` is held in memory up to a budget of bytes, not of chunks.

mod silence;

use crate::{
    dice::Dice,
    fault::{
        ByteFilter, Close, Fault, Promise, Way, bandwidth,
        blackhole::Dam,
        distribution::Distribution,
        latency,
        limit_data::Limit,
        packet_loss,
        slice::{Cut, Slicer},
        slow_close::LateEnd,
        toxic::silence::{Begins, Silence},
    },
    timeline::Moving,
    units::{ByteRate, ByteSize, Percent},
};
use std::{fmt, sync::Arc, time::Duration};

/// A toxic: its type and its attributes, as clients send them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Toxic {
    /// Every chunk of bytes is held from when it came; the end is not.
    Latency {
        /// For so many milliseconds; none below 1.
        latency: i64,
        /// Up to so many milliseconds more or less, drawn for each chunk. Delays below zero are
        /// none.
        jitter: i64,
    },
    /// A narrow pipe for each connection.
    Bandwidth {
        /// So many KB/s, of 1000 bytes; at 0 nothing passes. Never negative.
        rate: i64,
    },
    /// The end comes late.
    SlowClose {
        /// By so many milliseconds; in time below 1.
        delay: i64,
    },
    /// Everything is thrown away.
    Timeout {
        /// The connection is closed after so many milliseconds; below 1 when the toxic is removed.
        timeout: i64,
    },
    /// What comes first is thrown away, and the connection reset.
    ResetPeer {
        /// So many milliseconds after that; at once below 1.
        timeout: i64,
    },
    /// Bytes leave in slices.
    Slicer {
        /// Of so many bytes on average; at 0 nothing is sliced. Never negative.
        average_size: i64,
        /// Up to so many bytes more or less, but at least one. Never negative.
        size_variation: i64,
        /// With a pause of so many microseconds after each.
        delay: i64,
    },
    /// The connection is closed when so much has passed.
    LimitData {
        /// So many bytes; at 0 it is closed at the first. Never negative.
        bytes: i64,
    },
    /// The stalls that lost packets cause.
    PacketLoss {
        /// The share of packets that is lost, from 0 to 1.
        loss_rate: f64,
        /// From 0 to 1; ignored.
        correlation: f64,
    },
    /// Nothing.
    Noop,
}

/// The value of an attribute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A whole number.
    Integer(i64),
    /// Any number.
    Float(f64),
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number) => number.fmt(f),
            Self::Float(number) => number.fmt(f),
        }
    }
}

/// An attribute with a value that it cannot have.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("`{attribute}` cannot be {value}: write {wanted}")]
pub struct WrongAttribute {
    /// Which.
    pub attribute: &'static str,
    /// What it was given.
    pub value: Number,
    /// What it can be, such as `0 or more`.
    pub wanted: &'static str,
}

/// Nothing is held for longer; the clock of a run ends somewhere.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

impl Toxic {
    /// Its type, as the API writes it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Latency { .. } => "latency",
            Self::Bandwidth { .. } => "bandwidth",
            Self::SlowClose { .. } => "slow_close",
            Self::Timeout { .. } => "timeout",
            Self::ResetPeer { .. } => "reset_peer",
            Self::Slicer { .. } => "slicer",
            Self::LimitData { .. } => "limit_data",
            Self::PacketLoss { .. } => "packet_loss",
            Self::Noop => "noop",
        }
    }

    /// Its attributes and their values, in the order of the API.
    pub fn attributes(&self) -> Vec<(&'static str, Number)> {
        let integers = |list: &[(&'static str, i64)]| {
            list.iter().map(|(name, value)| (*name, Number::Integer(*value))).collect()
        };
        match *self {
            Self::Latency { latency, jitter } => {
                integers(&[("latency", latency), ("jitter", jitter)])
            }
            Self::Bandwidth { rate } => integers(&[("rate", rate)]),
            Self::SlowClose { delay } => integers(&[("delay", delay)]),
            Self::Timeout { timeout } | Self::ResetPeer { timeout } => {
                integers(&[("timeout", timeout)])
            }
            Self::Slicer { average_size, size_variation, delay } => integers(&[
                ("average_size", average_size),
                ("size_variation", size_variation),
                ("delay", delay),
            ]),
            Self::LimitData { bytes } => integers(&[("bytes", bytes)]),
            Self::PacketLoss { loss_rate, correlation } => vec![
                ("loss_rate", Number::Float(loss_rate)),
                ("correlation", Number::Float(correlation)),
            ],
            Self::Noop => Vec::new(),
        }
    }

    /// Whether its attributes make sense.
    ///
    /// # Errors
    ///
    /// The first attribute that does not: a size or rate below zero, a share that is none. Times
    /// below zero are none, as everywhere in Toxiproxy.
    pub fn check(&self) -> Result<(), WrongAttribute> {
        for (attribute, value) in self.attributes() {
            let wanted = match (attribute, value) {
                ("rate" | "average_size" | "size_variation" | "bytes", Number::Integer(..0)) => {
                    "0 or more"
                }
                (_, Number::Float(share)) if !(0.0..=1.0).contains(&share) => {
                    "a share from 0 to 1, such as 0.02"
                }
                _ => continue,
            };
            return Err(WrongAttribute { attribute, value, wanted });
        }
        Ok(())
    }

    /// The fault that this toxic is on one direction of connections. What [`check`](Self::check)
    /// refuses counts as zero.
    pub fn fault(&self, way: Way) -> Arc<dyn Fault> {
        Arc::new(Acting { toxic: *self, way })
    }

    /// Whether it does nothing at all.
    fn is_nothing(&self) -> bool {
        match *self {
            Self::Latency { latency, jitter } => latency <= 0 && jitter <= 0,
            Self::SlowClose { delay } => delay <= 0,
            Self::Slicer { average_size, .. } => average_size <= 0,
            Self::PacketLoss { loss_rate, .. } => share(loss_rate) == Percent::NONE,
            Self::Noop => true,
            Self::Bandwidth { .. }
            | Self::Timeout { .. }
            | Self::ResetPeer { .. }
            | Self::LimitData { .. } => false,
        }
    }

    fn filter(&self, way: Way, connection: Dice, shared: Dice) -> Option<Box<dyn ByteFilter>> {
        if self.is_nothing() {
            return None;
        }
        Some(match *self {
            Self::Latency { latency, jitter } => {
                latency::of_chunks(delays(latency, jitter), way, connection)
            }
            Self::Bandwidth { rate: ..=0 } => Box::new(Dam::default()),
            Self::Bandwidth { rate } => {
                bandwidth::alone(ByteRate::per_second(natural(rate).saturating_mul(1_000)))
            }
            Self::SlowClose { delay } => Box::new(LateEnd::new(millis(delay))),
            Self::Timeout { timeout } => {
                let wait = (timeout > 0).then(|| millis(timeout));
                Box::new(Silence::new(Begins::AtOnce, wait, Close::Fin))
            }
            Self::ResetPeer { timeout } => {
                let wait = Some(millis(timeout));
                Box::new(Silence::new(Begins::WithTheFirst, wait, Close::Reset))
            }
            Self::Slicer { average_size, size_variation, delay } => {
                let (size, variation) = (natural(average_size), natural(size_variation));
                let pause = Duration::from_micros(natural(delay)).min(LONGEST);
                Box::new(Slicer::new(Cut { size, variation, pause }, way.dice(connection)))
            }
            Self::LimitData { bytes } => {
                Box::new(Limit::new(Moving::Fixed(ByteSize(natural(bytes))), Close::Fin))
            }
            Self::PacketLoss { loss_rate, .. } => {
                packet_loss::one_way(share(loss_rate), way, connection, shared)
            }
            Self::Noop => return None,
        })
    }
}

/// A number from zero on.
fn natural(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn millis(number: i64) -> Duration {
    Duration::from_millis(natural(number)).min(LONGEST)
}

fn share(number: f64) -> Percent {
    Percent::from_fraction(number)
}

/// Evenly from `latency - jitter` to `latency + jitter`, all below zero being zero.
fn delays(latency: i64, jitter: i64) -> Distribution {
    let (latency, jitter) = (millis(latency), millis(jitter));
    if jitter.is_zero() {
        return Distribution::Fixed(Moving::Fixed(latency));
    }
    let below_zero = jitter.saturating_sub(latency).as_secs_f64() / (2.0 * jitter.as_secs_f64());
    Distribution::Percentiles(vec![
        (below_zero, Moving::Fixed(latency.saturating_sub(jitter))),
        (1.0, Moving::Fixed(latency + jitter)),
    ])
}

/// A toxic on one direction.
#[derive(Debug)]
struct Acting {
    toxic: Toxic,
    way: Way,
}

impl Fault for Acting {
    fn filter(&self, way: Way, connection: Dice, shared: Dice) -> Option<Box<dyn ByteFilter>> {
        if way == self.way { self.toxic.filter(way, connection, shared) } else { None }
    }

    fn shapes_connections(&self) -> bool {
        !self.toxic.is_nothing()
    }

    fn breaks(&self) -> &'static [Promise] {
        match self.toxic {
            Toxic::LimitData { .. } => &[Promise::Life],
            Toxic::Timeout { .. } | Toxic::ResetPeer { .. } => &[Promise::Life, Promise::Count],
            _ => &[],
        }
    }

    fn describe(&self) -> String {
        let attributes = self.toxic.attributes();
        if attributes.is_empty() {
            return "nothing".to_owned();
        }
        let all: Vec<String> =
            attributes.iter().map(|(name, value)| format!("{name} {value}")).collect();
        all.join(", ")
    }
}

#[cfg(test)]
mod tests;
