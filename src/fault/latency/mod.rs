//! `latency`: hold every message for a while before it goes on.
//!
//! ```yaml
//! - latency: 300ms                                   # fixed; it may move: 100ms -> 2s
//! - latency: { mean: 300ms, jitter: 80ms }           # uniform; shape: normal | pareto | paretonormal
//! - latency: { median: 180ms, p99: 2s, side: response }          # lognormal
//! - latency: { percentiles: { p50: 20ms, p90: 80ms, p99: 900ms }, per: connection }
//! - latency: { median: 60ms, p99: 900ms, wander: 20s }
//! ```
//!
//! The delay is added to what the upstream takes. Messages do not queue behind each other: latency
//! slows a conversation down, it does not narrow the pipe (that is `bandwidth`). Delays are real
//! time whatever the speed of the drill, since the client's own timeouts are.
//!
//! **`side`**: hold the `request` before it goes to the upstream (the default), the `response`
//! before its head goes to the client, or `both`, with a draw each.
//!
//! **`per`**: draw for each `message` (the default; the body follows its head), once for each
//! `connection`, or for each `chunk` of a response body as it comes. Bytes cannot overtake, so with
//! `chunk` a delay is the largest so far: 100 ms ± 50 ms become 141 ms on average for chunks that
//! come every 0.5 ms, 126 ms at 5 ms, 111 ms at 20 ms and 102 ms at 50 ms. With `grpc_message` the
//! messages of a gRPC call leave one after the other, each its delay after it came and after the one
//! before it left: those of the `response` by default.
//!
//! Where the protocol is not known there are no messages: every chunk of bytes is held, from when
//! it came, on the same sides. A delay does not narrow the pipe there either, as far as memory goes
//! (`budget.rs`). One round trip is delayed once by the default, `side: request`. The end of a
//! connection is not delayed.
//!
//! **`jitter`** is half the width of a uniform spread, and the standard deviation of the others. It
//! is at most the mean. A normal spread is cut off at zero, which lifts its mean: by 0.2 % if the
//! jitter is a third of the mean, by 3 % if it is half, by 29 % if they are equal. Pareto is of
//! shape 3, moved and scaled to the mean and the jitter. `percentiles` are joined by lines, and
//! constant outside of those given. All spreads are cut off at the quantiles of one in a million.
//!
//! **`wander`** replaces independent draws by a smooth walk in time: everybody who asks at the same
//! time is delayed as much, as on a real link, and over a longer time the delays are spread as
//! asked. After `wander` it has nearly forgotten where it was (correlation 1/6).

mod calls;
mod chunks;
mod form;
mod wander;

use crate::{
    dice::{Dice, Purpose},
    fault::{
        ByteFilter, Cx, Effect, Fault, Stage, Way, budget,
        catalog::{Entry, Layer, Protocol, Traffic},
        distribution::{Distribution, uniform},
        form::Side,
        latency::{calls::Calls, chunks::Staggered, wander::Wander},
        on_bytes::{Bytewise, OnBytes},
    },
    timeline::Moment,
    units::show_duration,
};
use rand::Rng;
use rand_pcg::Pcg64Dxsm;
use std::{sync::Arc, time::Duration};

/// The row of the catalogue.
pub(super) const ENTRY: Entry = Entry {
    name: "latency",
    layer: Layer::Message,
    protocols: Protocol::ALL,
    traffic: Traffic::HttpAndBytes,
    summary: "messages are held for a while: fixed, spread, by percentiles, or wandering",
    about: "Holds the request before it goes to the upstream (`side: response`: the response before
it goes to the client; `both`: both). Messages do not queue behind each other. Delays are real time
whatever the speed of the drill.

A delay is fixed (`300ms`), spread around a `mean` by `jitter` (`shape: uniform`, `normal`, `pareto`
or `paretonormal`), lognormal by `median` and `p99`, or a table of `percentiles`. `jitter` is half
the width of a uniform spread and the standard deviation of the others, and at most the mean. A
normal spread is cut off at zero, which lifts its mean by 3 % if the jitter is half of it. All are
cut off at the quantiles of one in a million.

`per: message` (the default) draws for each message, `per: connection` once for each connection.
`per: chunk` draws for each piece of a response body as it comes; bytes cannot overtake, so the
delay is then the largest so far: 100 ms ± 50 ms become 141 ms for pieces every 0.5 ms, and 102 ms
for pieces every 50 ms. `per: grpc_message` draws for each message of a gRPC call, on the `response` side by
default: it leaves its delay after it came, and no sooner than its delay after the one before it left. On a proxy with `protocol: tcp` each chunk of bytes is held so, on either
side, unless it is `per: connection`. `wander: 20s` replaces draws by a smooth walk through the same spread, the
same for everybody at any one time, which is what jitter on a real link looks like.",
    examples: &[
        "latency: 300ms",
        "latency: 100ms -> 2s",
        "latency: { mean: 300ms, jitter: 80ms }",
        "latency: { mean: 300ms, jitter: 80ms, shape: pareto, side: both }",
        "latency: { median: 180ms, p99: 2s, side: response }",
        "latency: { percentiles: { p50: 20ms, p90: 80ms, p99: 900ms }, per: connection }",
        "latency: { median: 60ms, p99: 900ms, wander: 20s }",
        "latency: { mean: 40ms, per: chunk }",
        "latency: { mean: 300ms, per: grpc_message }",
        "latency: { mean: 300ms, per: grpc_message, side: request }",
    ],
    kind: form::KIND,
    read: form::read,
};

/// What a draw is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Per {
    Message,
    Connection,
    Chunk,
    GrpcMessage,
}

/// Holds messages, or the pieces of a body.
#[derive(Clone, Debug)]
struct Latency {
    distribution: Arc<Distribution>,
    side: Side,
    per: Per,
    wander: Option<Wander>,
}

/// One direction of a connection whose every chunk is held so long, drawn for each.
pub(super) fn of_chunks(delays: Distribution, way: Way, connection: Dice) -> Box<dyn ByteFilter> {
    let draws = Draws::Each(way.dice(connection).rng(Purpose::Delay));
    Box::new(Staggered::new(Arc::new(delays), draws, &budget::SHARED))
}

impl Latency {
    fn staggered(&self, draws: Draws) -> Staggered {
        Staggered::new(Arc::clone(&self.distribution), draws, &budget::SHARED)
    }
}

impl Fault for Latency {
    fn stages(&self) -> &'static [Stage] {
        match (self.per, self.side) {
            (Per::Chunk, _) | (Per::GrpcMessage, Side::Response) => &[Stage::Body],
            (Per::GrpcMessage, Side::Request) => &[Stage::RequestBody],
            (Per::GrpcMessage, Side::Both) => &[Stage::RequestBody, Stage::Body],
            (_, Side::Request) => &[Stage::RequestDelay],
            (_, Side::Response) => &[Stage::ResponseDelay],
            (_, Side::Both) => &[Stage::RequestDelay, Stage::ResponseDelay],
        }
    }

    fn decide(&self, stage: Stage, cx: &Cx) -> Effect {
        let dice = match self.per {
            Per::Message => cx.message,
            Per::Connection => cx.connection,
            Per::Chunk => {
                let draws = Draws::new(cx.message, self.wander, cx.shared);
                return Effect::Shape(Box::new(self.staggered(draws)));
            }
            Per::GrpcMessage if !cx.grpc => return Effect::Pass,
            Per::GrpcMessage => {
                // Of its own for each way, so that the delays of `both` are independent.
                let up = stage == Stage::RequestBody;
                let dice = if up { Way::Up.dice(cx.message) } else { cx.message };
                let draws = Draws::new(dice, self.wander, cx.shared);
                return Effect::Shape(Box::new(Calls::new(Arc::clone(&self.distribution), draws)));
            }
        };
        let mut draws = Draws::new(dice, self.wander, cx.shared);
        if stage == Stage::ResponseDelay {
            // The second number, so that the two delays of `both` are independent.
            draws.next(&cx.moment);
        }
        match self.distribution.quantile(draws.next(&cx.moment), &cx.moment) {
            Duration::ZERO => Effect::Pass,
            delay => Effect::Delay(delay),
        }
    }

    fn on_bytes(&self) -> Option<Arc<dyn Fault>> {
        if self.per == Per::GrpcMessage {
            return None;
        }
        Some(Arc::new(OnBytes(self.clone())))
    }

    fn works_on(&self, protocol: Protocol) -> Result<(), String> {
        if protocol == Protocol::Tcp && self.per == Per::GrpcMessage {
            return Err(
                "`per: grpc_message` needs `protocol: http`: in bytes nobody knows a message"
                    .to_owned(),
            );
        }
        Ok(())
    }

    fn moves(&self) -> bool {
        self.distribution.moves()
    }

    fn strength(&self, moment: &Moment) -> f64 {
        self.distribution.quantile(0.5, moment).as_secs_f64()
    }

    fn describe(&self) -> String {
        let mut text = self.distribution.show();
        if let Some(wander) = self.wander {
            text.push_str(&format!(", wandering over {}", show_duration(wander.period)));
        }
        match (self.per, self.side) {
            (Per::Chunk, _) => text.push_str(", per chunk of the response"),
            (Per::GrpcMessage, Side::Request) => text.push_str(", per gRPC message of the request"),
            (Per::GrpcMessage, Side::Response) => {
                text.push_str(", per gRPC message of the response");
            }
            (Per::GrpcMessage, Side::Both) => text.push_str(", per gRPC message, each way"),
            (_, Side::Request) => {}
            (_, Side::Response) => text.push_str(", on the response"),
            (_, Side::Both) => text.push_str(", each way"),
        }
        if self.per == Per::Connection {
            text.push_str(", per connection");
        }
        text
    }
}

impl Bytewise for Latency {
    fn shaper(&self, way: Way, connection: Dice, shared: Dice) -> Option<Box<dyn ByteFilter>> {
        if !self.side.includes(way) {
            return None;
        }
        let mut draws = Draws::new(way.dice(connection), self.wander, shared);
        if self.per == Per::Connection {
            draws = draws.once();
        }
        Some(Box::new(self.staggered(draws)))
    }
}

/// Where in the distribution one delay after the other lies.
#[derive(Debug)]
enum Draws {
    /// Each at a place of its own.
    Each(Pcg64Dxsm),
    /// All at the same.
    Once(f64),
    /// Where a walk is.
    Walk(Wander, Dice),
}

impl Draws {
    fn new(dice: Dice, wander: Option<Wander>, shared: Dice) -> Self {
        match wander {
            Some(wander) => Self::Walk(wander, shared),
            None => Self::Each(dice.rng(Purpose::Delay)),
        }
    }

    /// The first draw for all, unless they follow a walk.
    fn once(self) -> Self {
        match self {
            Self::Each(mut rng) => Self::Once(uniform(rng.next_u64())),
            other => other,
        }
    }

    fn next(&mut self, moment: &Moment) -> f64 {
        match self {
            Self::Each(rng) => uniform(rng.next_u64()),
            Self::Once(place) => *place,
            Self::Walk(wander, shared) => wander.quantile(*shared, moment.run),
        }
    }
}

#[cfg(test)]
mod tests;
