//! `bandwidth`: a narrow pipe.
//!
//! ```yaml
//! - bandwidth: 64KiB/s
//! - bandwidth: { rate: 1MiB/s -> 64KiB/s, side: response }
//! - bandwidth: { rate: 2Mbit/s, scope: proxy, burst: 64KiB }
//! ```
//!
//! Every byte takes its time to go through, so `n` bytes take `n / rate` and never less; whoever
//! sends less than that meets no queue. `burst` is what passes at once after a rest (a token bucket
//! of that depth, full at the start); there is none by default. Each direction is a pipe of its own,
//! as on a full-duplex link. With `scope: connection` (the default) every connection has its own
//! pipe; with `scope: proxy` all of them share one, in turn. A full pipe stops reading from the
//! sender, so its window closes and it feels the narrowness too. Bytes are counted below TLS and
//! HTTP: heads and handshakes take their time as well. It differs from `latency`, which holds a
//! message for as long however large it is.

mod pipe;

use crate::{
    diag::{Code, Diagnostic},
    dice::Dice,
    fault::{
        ByteFilter, Fault, Way,
        bandwidth::pipe::{Narrow, Pipe},
        catalog::{Entry, Layer, Protocol, Traffic},
        form::{Side, is_curve},
    },
    read::{Field, Kind, Reader, Shape},
    timeline::{Moment, Moving},
    units::{ByteRate, ByteSize, Quantity},
    yaml::{Node, Spanned},
};
use std::sync::{Arc, Mutex};

/// The row of the catalogue.
pub(super) const ENTRY: Entry = Entry {
    name: "bandwidth",
    layer: Layer::Connection,
    protocols: Protocol::ALL,
    traffic: Traffic::Any,
    summary: "a narrow pipe: so many bytes per second",
    about: "`n` bytes take `n / rate` and never less; whoever sends less than that meets no queue.
Each direction is a pipe of its own; `side` picks `request`, `response` or `both` (the default).
With `scope: connection` (the default) every connection has its own pipe; with `scope: proxy` all
share one, in turn. `burst` passes at once after a rest. Bytes are counted below TLS and HTTP, heads
and handshakes included. The rate may move, and a change acts at once.",
    examples: &[
        "bandwidth: 64KiB/s",
        "bandwidth: { rate: 1MiB/s -> 64KiB/s, side: response }",
        "bandwidth: { rate: 2Mbit/s, scope: proxy, burst: 64KiB }",
    ],
    kind: Kind::Any(&[RATE, Kind::Map(&SHAPE)]),
    read,
};

const RATE: Kind = Kind::Moving(&Kind::Rate);

static SHAPE: Shape = Shape {
    what: "`bandwidth`",
    fields: &[
        Field::required("rate", RATE, "bytes or bits per second, such as `64KiB/s` or `2Mbit/s`"),
        Field::optional(
            "side",
            Kind::Word(Side::NAMES),
            "`request`, `response` or `both` (the default), each direction a pipe of its own",
        ),
        Field::optional(
            "scope",
            Kind::Word(&["connection", "proxy"]),
            "`connection` (the default): a pipe for each; `proxy`: all share one",
        ),
        Field::optional(
            "burst",
            Kind::Size,
            "what passes at once after a rest; by default nothing",
        ),
    ],
};

/// Narrows connections.
#[derive(Clone, Debug)]
struct Bandwidth {
    rate: Arc<Moving<ByteRate>>,
    side: Side,
    burst: ByteSize,
    scope: Scope,
}

#[derive(Clone, Debug)]
enum Scope {
    Connection,
    /// The pipes that all share, upwards and downwards; made when the fault is armed for a run.
    Proxy(Option<[Arc<Mutex<Pipe>>; 2]>),
}

fn read(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Arc<dyn Fault>> {
    let mut fault = Bandwidth {
        rate: Arc::new(Moving::Curve(Vec::new())),
        side: Side::Both,
        burst: ByteSize(0),
        scope: Scope::Connection,
    };
    if !matches!(node.value, Node::Map(_)) || is_curve(&node.value) {
        fault.rate = Arc::new(reader.moving(node)?);
        return Some(Arc::new(fault));
    }
    let fields = reader.fields(node, &SHAPE)?;
    let rate = fields.get("rate").and_then(|rate| reader.moving(rate));
    if let Some(side) = fields.get("side") {
        fault.side = reader.choice(side, Side::WORDS)?;
    }
    if let Some(scope) = fields.get("scope") {
        let is_shared = reader.choice(scope, &[("connection", false), ("proxy", true)])?;
        fault.scope = if is_shared { Scope::Proxy(None) } else { Scope::Connection };
    }
    if let Some(burst) = fields.get("burst") {
        fault.burst = reader.quantity(burst)?;
        if fault.burst.0 == 0 {
            let title = "a burst of `0B` is none";
            let problem = Diagnostic::new(Code::E0413, title, burst.span);
            reader.problem(problem.help("leave `burst` out, or write what passes at once"));
            return None;
        }
    }
    fault.rate = Arc::new(rate?);
    Some(Arc::new(fault))
}

/// A stream through a pipe of its own, which lets nothing through at once.
pub(super) fn alone(rate: ByteRate) -> Box<dyn ByteFilter> {
    let pipe = Arc::new(Mutex::new(Pipe::new(0)));
    Box::new(Narrow::new(pipe, Arc::new(Moving::Fixed(rate))))
}

impl Bandwidth {
    fn pipe(&self) -> Arc<Mutex<Pipe>> {
        Arc::new(Mutex::new(Pipe::new(self.burst.0)))
    }
}

impl Fault for Bandwidth {
    fn filter(&self, way: Way, _connection: Dice, _shared: Dice) -> Option<Box<dyn ByteFilter>> {
        if !self.side.includes(way) {
            return None;
        }
        let pipe = match (&self.scope, way) {
            (Scope::Proxy(Some([up, _])), Way::Up) => Arc::clone(up),
            (Scope::Proxy(Some([_, down])), Way::Down) => Arc::clone(down),
            _ => self.pipe(),
        };
        Some(Box::new(Narrow::new(pipe, Arc::clone(&self.rate))))
    }

    fn shapes_connections(&self) -> bool {
        true
    }

    fn armed(&self) -> Option<Arc<dyn Fault>> {
        let Scope::Proxy(_) = self.scope else { return None };
        let scope = Scope::Proxy(Some([self.pipe(), self.pipe()]));
        Some(Arc::new(Self { scope, ..self.clone() }))
    }

    fn moves(&self) -> bool {
        self.rate.moves()
    }

    fn strength(&self, moment: &Moment) -> f64 {
        // Time per byte: a pipe of half the rate is twice as hard.
        1.0 / self.rate.at(moment).bytes_per_second()
    }

    fn describe(&self) -> String {
        let mut text = self.rate.show();
        if self.side != Side::Both {
            text.push_str(&format!(", {}s only", self.side.name()));
        }
        if matches!(self.scope, Scope::Proxy(_)) {
            text.push_str(", shared by all");
        }
        if self.burst.0 > 0 {
            text.push_str(&format!(", bursts of {}", self.burst.show()));
        }
        text
    }
}

#[cfg(test)]
mod tests;
