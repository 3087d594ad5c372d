//! `websocket`: messages of an open socket come late or not at all, it falls silent, it is closed.
//!
//! ```yaml
//! - websocket: { close: 1001 }                           # at once
//! - websocket: { close: { code: 1012, reason: restart }, after: 30s }
//! - websocket: { close: reset, after: 10 messages }
//! - websocket: { delay: 300ms }
//! - websocket: { drop: 20%, side: request }
//! - websocket: { stall: yes }
//! ```
//!
//! It acts on frames (RFC 6455), once the handshake is over; sockets that were opened before the
//! fault came are hit too. The handshake is a request, and chooses: by `target` and by `share`. To
//! hurt the handshake itself, use what hurts requests (`respond`, `reset`, `hang`).
//!
//! **`close`** sends a close frame with this code to the client and to the upstream, between two
//! frames, waits up to 5 s for the client's answer, and ends the connection. What comes meanwhile is
//! thrown away. A peer that is in the middle of a frame is let finish it, within the same 5 s.
//! `reset` breaks the connection without a frame, which clients report as 1006.
//!
//! **`delay`** holds every message, pings and pongs included, for so long from when it came, in
//! order. **`drop`** throws whole messages away, however many frames they are; control frames pass.
//! Which ones follows from the seed and their number. **`stall`**: the socket stays up and is silent,
//! pings stay unanswered. Nothing is lost: when the fault is over all flows on, in order. A client that
//! gives up and leaves is let go, and what it had sent goes to the upstream. For messages that are
//! lost while the socket stands, use `drop: 100%`.
//!
//! **`after`** spares the first messages, or the first time: from the handshake, or from when the
//! fault met the socket, if that is later.
//!
//! Sockets that a `drop` may meet are opened without compression: a message that is compressed with what
//! came before it in mind cannot be read without that. In sockets that were open already such messages
//! pass, whatever `drop` says. Once a side sends what is no frame, or none that may stand
//! there, that direction is passed on untouched.

mod lane;
#[cfg(test)]
mod tests;

use crate::{
    diag::{Code, Diagnostic},
    dice::Dice,
    fault::{
        Denial, Fault, Lanes,
        catalog::{Entry, Layer, Protocol, Traffic},
        form::Side,
        websocket::lane::Pair,
    },
    read::{Field, Fields, Kind, Reader, Shape},
    timeline::{Moment, Moving},
    units::{Percent, show_duration},
    yaml::{Node, Spanned},
};
use std::{sync::Arc, time::Duration};

/// The row of the catalogue.
pub(super) const ENTRY: Entry = Entry {
    name: "websocket",
    layer: Layer::Socket,
    protocols: Protocol::HTTP,
    traffic: Traffic::WebSocket,
    summary: "messages of open WebSockets come late or never, sockets fall silent or are closed",
    about: "Acts on the frames of WebSockets once their handshake is over, those that are open when it
begins included. The handshake chooses, as a request: by `target` and `share`; to refuse it, use
`respond`, `reset` or `hang`.

`close: 1001` sends a close frame with this code both ways, waits up to 5 s for the client's answer,
and ends the connection; `close: { code: 1012, reason: restart }` says why, and `close: reset` breaks
the connection without a frame, which clients report as 1006. `delay: 300ms` holds every message for
so long, in order, and never less. `drop: 20%` throws this share of the messages away, `drop: yes` all;
pings, pongs and closes pass. `stall: yes` leaves the socket up and silent: nothing passes, no ping is
answered, and nothing is lost: when it lets go, all flows on. A client that leaves is let go.

`after: 10 messages` or `after: 30s` spares what comes first, counted from the handshake or from when
the fault met the socket. `side` is the messages of the `request` (the client's), of the `response` (the
upstream's) or `both`, the default. Sockets that `drop` may meet are opened without compression; of those
that were open, it spares compressed messages that later ones need. Once a side sends what is no frame, it
is left alone.",
    examples: &[
        "websocket: { close: 1001 }",
        "websocket: { close: { code: 1012, reason: restart }, after: 30s }",
        "websocket: { close: reset, after: 10 messages, side: response }",
        "websocket: { delay: 300ms }",
        "websocket: { drop: 20%, side: request }",
        "websocket: { stall: yes }",
    ],
    kind: Kind::Map(&SHAPE),
    read,
};

static CLOSE: Shape = Shape {
    what: "`close`",
    fields: &[
        Field::required("code", CODE, "the code, such as 1001 (going away) or 4000 (your own)"),
        Field::optional("reason", Kind::Text, "why, in at most 123 bytes"),
    ],
};

const CODE: Kind = Kind::Integer(1_000, 4_999);

static SHAPE: Shape = Shape {
    what: "`websocket`",
    fields: &[
        Field::optional(
            "close",
            Kind::Any(&[CODE, Kind::Word(&["reset"]), Kind::Map(&CLOSE)]),
            "closes the socket: a code, `{ code: 1012, reason: restart }`, or `reset`",
        ),
        Field::optional(
            "delay",
            Kind::Moving(&Kind::Duration),
            "holds every message for so long, in order",
        ),
        Field::optional(
            "drop",
            Kind::Any(&[Kind::Flag, Kind::Moving(&Kind::Percent)]),
            "the share of messages that is thrown away; `yes` is all of them",
        ),
        Field::optional("stall", Kind::Flag, "nothing passes, and the socket stays up"),
        Field::optional(
            "after",
            Kind::Any(&[Kind::Duration, Kind::Text]),
            "what is spared first: `10 messages` or `30s`; by default nothing",
        ),
        Field::optional(
            "side",
            Kind::Word(Side::NAMES),
            "whose messages: `request`, `response` or `both` (the default)",
        ),
    ],
};

/// The longest reason that fits into a close frame.
const LONGEST_REASON: usize = 123;

/// What is spared first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    /// So many messages.
    Messages(u64),
    /// So long.
    Time(Duration),
}

/// How a socket is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    /// With a close frame.
    Close { code: u16, reason: String },
    /// With a RST.
    Reset,
}

/// What is done to a socket.
#[derive(Clone, Debug)]
struct Spec {
    close: Option<End>,
    delay: Moving<Duration>,
    drop: Moving<Percent>,
    stall: bool,
    after: After,
    side: Side,
}

/// Hurts open sockets.
#[derive(Clone, Debug)]
struct WebSocket(Arc<Spec>);

fn read(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Arc<dyn Fault>> {
    let fields = reader.fields(node, &SHAPE)?;
    let close = match fields.get("close") {
        Some(close) => Some(read_close(close, reader)?),
        None => None,
    };
    let delay = match fields.get("delay") {
        Some(delay) => reader.moving(delay)?,
        None => Moving::Fixed(Duration::ZERO),
    };
    let drop = match fields.get("drop") {
        Some(share) => read_drop(share, reader)?,
        None => Moving::Fixed(Percent::NONE),
    };
    let stall = match fields.get("stall") {
        Some(stall) => reader.boolean(stall)?,
        None => false,
    };
    let after = match fields.get("after") {
        Some(after) => read_after(after, reader)?,
        None => After::Messages(0),
    };
    let side = match fields.get("side") {
        Some(side) => reader.choice(side, Side::WORDS)?,
        None => Side::Both,
    };
    let spec = Spec { close, delay, drop, stall, after, side };
    spec.check(fields, reader)?;
    Some(Arc::new(WebSocket(Arc::new(spec))))
}

fn read_close(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<End> {
    if matches!(&node.value, Node::Text(_)) {
        return reader.choice(node, &[("reset", ())]).map(|()| End::Reset);
    }
    let (mut code, mut reason) = (node, String::new());
    if matches!(node.value, Node::Map(_)) {
        let fields = reader.fields(node, &CLOSE)?;
        code = fields.get("code")?;
        if let Some(text) = fields.get("reason") {
            reason = reader.text(text)?;
            if reason.len() > LONGEST_REASON {
                let title = format!("a reason has at most {LONGEST_REASON} bytes");
                let problem = Diagnostic::new(Code::E0203, title, text.span);
                reader.problem(problem.help(format!("this one has {}", reason.len())));
                return None;
            }
        }
    }
    let number = u16::try_from(reader.integer(code, 1_000, 4_999)?).ok()?;
    if matches!(number, 1005 | 1006 | 1015) {
        let title = format!("`{number}` is never sent: clients report it when no code came");
        let problem = Diagnostic::new(Code::E0413, title, code.span);
        reader.problem(problem.help("write `close: reset` for an end without a close frame"));
        return None;
    }
    Some(End::Close { code: number, reason })
}

fn read_drop(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Moving<Percent>> {
    let is_flag = match &node.value {
        Node::Bool(_) => true,
        Node::Text(text) => matches!(&**text, "yes" | "no" | "on" | "off"),
        _ => false,
    };
    if is_flag {
        let all = reader.boolean(node)?;
        return Some(Moving::Fixed(if all { Percent::ALL } else { Percent::NONE }));
    }
    reader.moving(node)
}

fn read_after(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<After> {
    if let Node::Text(text) = &node.value
        && let Some((number, unit)) = text.trim().split_once(' ')
        && matches!(unit.trim(), "message" | "messages")
    {
        if let Ok(number) = number.parse() {
            return Some(After::Messages(number));
        }
        let title = format!("`{text}` is no number of messages");
        let problem = Diagnostic::new(Code::E0202, title, node.span);
        reader.problem(problem.help("write `10 messages`"));
        return None;
    }
    if let Node::Int(number) = &node.value {
        let title = format!("`{number}` has no unit");
        let problem = Diagnostic::new(Code::E0201, title, node.span);
        reader.problem(problem.help(format!("write `{number} messages` or `{number}s`")));
        return None;
    }
    reader.quantity(node).map(After::Time)
}

impl Spec {
    fn delays(&self) -> bool {
        self.delay.peak() > Duration::ZERO
    }

    fn drops(&self) -> bool {
        self.drop.peak() > Percent::NONE
    }

    /// Whether it does anything, and nothing that excludes something else of it.
    fn check(&self, fields: Fields<'_>, reader: &mut Reader<'_>) -> Option<()> {
        let does = [
            ("close", self.close.is_some()),
            ("delay", self.delays()),
            ("drop", self.drops()),
            ("stall", self.stall),
        ];
        if !does.iter().any(|(_, is)| *is) {
            let written = does.iter().find_map(|(key, _)| fields.get(key));
            let (code, title, span) = match written {
                Some(node) => (Code::E0413, "this `websocket` does nothing", node.span),
                None => (Code::E0103, "`websocket` needs something to do", fields.span),
            };
            let problem = Diagnostic::new(code, title, span);
            reader.problem(problem.help("write `close`, `delay`, `drop` or `stall`"));
            return None;
        }
        let other = does.iter().find(|(key, is)| *is && *key != "stall" && self.stall);
        if let Some((key, _)) = other {
            let title = format!("`stall` lets nothing pass, so `{key}` has nothing to act on");
            let span = fields.key_span(key).unwrap_or(fields.span);
            let problem = Diagnostic::new(Code::E0414, title, span);
            reader.problem(problem.help("leave one of them out, or write two faults"));
            return None;
        }
        Some(())
    }
}

impl Fault for WebSocket {
    fn lanes(&self, connection: Dice) -> Option<Arc<dyn Lanes>> {
        let spec = Arc::clone(&self.0);
        Some(Arc::new(Pair { spec, dice: connection, both: Arc::default() }))
    }

    fn shapes_sockets(&self) -> bool {
        true
    }

    fn loses_messages(&self) -> bool {
        self.0.drops()
    }

    fn denies(&self) -> Denial {
        // The handshake is served, and what its socket is for is nobody's to know.
        Denial::Never
    }

    fn moves(&self) -> bool {
        self.0.delay.moves() || self.0.drop.moves()
    }

    fn strength(&self, moment: &Moment) -> f64 {
        let spec = &self.0;
        let whole = spec.stall || spec.close.is_some();
        let dropped = if whole { 1.0 } else { spec.drop.at(moment).fraction() };
        dropped.max(spec.delay.at(moment).as_secs_f64())
    }

    fn word(&self) -> Option<String> {
        let end = match self.0.close {
            Some(End::Close { .. }) => Some("close"),
            Some(End::Reset) => Some("reset"),
            None => None,
        };
        let others =
            [("stall", self.0.stall), ("delay", self.0.delays()), ("drop", self.0.drops())];
        let others = others.into_iter().filter_map(|(word, does)| does.then_some(word));
        let words: Vec<&str> = others.chain(end).collect();
        Some(words.join("+"))
    }

    fn describe(&self) -> String {
        let spec = &self.0;
        let mut parts = Vec::new();
        if spec.stall {
            parts.push("sockets fall silent".to_owned());
        }
        if spec.delays() {
            parts.push(format!("messages {} late", spec.delay.show()));
        }
        if spec.drops() {
            parts.push(format!("{} of messages dropped", spec.drop.show()));
        }
        match &spec.close {
            Some(End::Reset) => parts.push("sockets reset".to_owned()),
            Some(End::Close { code, .. }) => parts.push(format!("sockets closed with {code}")),
            None => {}
        }
        let mut text = parts.join(", ");
        match spec.after {
            After::Messages(0) => {}
            After::Messages(1) => text.push_str(" after 1 message"),
            After::Messages(number) => text.push_str(&format!(" after {number} messages")),
            After::Time(time) => text.push_str(&format!(" after {}", show_duration(time))),
        }
        match spec.side {
            Side::Both => {}
            Side::Request => text.push_str(", of clients only"),
            Side::Response => text.push_str(", of the upstream only"),
        }
        text
    }
}
