//! `dribble`: an answer that comes a few bytes at a time.
//!
//! ```yaml
//! - dribble: 10s                             # the same as { over: 10s }
//! - dribble: { over: 10s, pieces: 20 }
//! - dribble: { bytes: 8B, every: 100ms }
//! ```
//!
//! The head comes at once, and then the body so slowly that a timeout which starts anew with every
//! read never strikes. Times are real time.
//!
//! **`over`** with **`pieces`** (10 by default): the body in so many pieces of equal size, evenly
//! over the whole time. The first comes when one part of the time is over, the last at its end and
//! never before. What an upstream has not sent when a piece is due comes with a later one, or at
//! once when the time is over; so does what of a body goes beyond the first MiB.
//!
//! **`bytes`** with **`every`**: so many bytes, the first at once and the others so long after
//! those before them; the time it takes grows with the body.
//!
//! Of HTTP it is the body of the response that dribbles. Where the protocol is not known it is the
//! bytes of the connection; `side` then picks the direction. There `over` begins anew with the first
//! bytes that come when its time is over and everything has left.

mod pieces;

use crate::{
    diag::{Code, Diagnostic},
    dice::Dice,
    fault::{
        ByteFilter, Cx, Effect, Fault, Stage, Way,
        catalog::{Entry, Layer, Protocol, Traffic},
        dribble::pieces::{Pieces, Schedule},
        form::Side,
        on_bytes::{Bytewise, OnBytes},
        slice::{Cut, Slicer},
    },
    read::{Field, Fields, Kind, Reader, Shape},
    timeline::Moment,
    units::{ByteSize, Quantity, show_duration},
    yaml::{Node, Spanned},
};
use std::sync::Arc;

/// The row of the catalogue.
pub(super) const ENTRY: Entry = Entry {
    name: "dribble",
    layer: Layer::Message,
    protocols: Protocol::ALL,
    traffic: Traffic::HttpAndBytes,
    summary: "the body comes a few bytes at a time",
    about: "The head comes at once, and then the body so slowly that a timeout which starts anew
with every read never strikes. `over: 10s` spreads the body evenly over the whole time, in so many
`pieces` (10 by default), the last at its end; what goes beyond the first MiB comes with the last.
`bytes: 8B` with `every: 100ms` lets so many bytes pass at once and the next so long after them.
Times are real time.

On a proxy with `protocol: tcp` it is the bytes of the connection that dribble: `side` is then
`response` (the default), `request` or `both`, and `over` begins anew with what comes after it. To
slow down heads and handshakes as well, use `slice` with a `delay`, or `bandwidth`.",
    examples: &[
        "dribble: 10s",
        "dribble: { over: 10s, pieces: 20 }",
        "dribble: { bytes: 8B, every: 100ms }",
    ],
    kind: Kind::Any(&[Kind::Duration, Kind::Map(&SHAPE)]),
    read,
};

static SHAPE: Shape = Shape {
    what: "`dribble`",
    fields: &[
        Field::optional("over", Kind::Duration, "how long the whole body takes, such as `10s`"),
        Field::optional(
            "pieces",
            Kind::Integer(1, MOST_PIECES),
            "with `over`: in how many pieces; by default 10",
        ),
        Field::optional("bytes", Kind::Size, "how many bytes pass at once; with `every`"),
        Field::optional("every", Kind::Duration, "how long after the bytes before; with `bytes`"),
        Field::optional(
            "side",
            Kind::Word(Side::NAMES),
            "without HTTP: `request`, `response` (the default) or `both`",
        ),
    ],
};

const MOST_PIECES: i64 = 1_000_000;
const USUAL_PIECES: u64 = 10;

/// Lets bytes through a few at a time.
#[derive(Clone, Copy, Debug)]
struct Dribble {
    pace: Pace,
    side: Side,
}

#[derive(Clone, Copy, Debug)]
enum Pace {
    /// Everything over a time.
    Over(Schedule),
    /// So many bytes, then a pause.
    Steps(Cut),
}

fn read(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Arc<dyn Fault>> {
    if !matches!(node.value, Node::Map(_)) {
        let over = not_nothing(node, reader)?;
        let pace = Pace::Over(Schedule { over, pieces: USUAL_PIECES, again: false });
        return Some(Arc::new(Dribble { pace, side: Side::Response }));
    }
    let fields = reader.fields(node, &SHAPE)?;
    let side = match fields.get("side") {
        Some(word) => reader.choice(word, Side::WORDS)?,
        None => Side::Response,
    };
    let pace = read_pace(fields, reader)?;
    Some(Arc::new(Dribble { pace, side }))
}

fn read_pace(fields: Fields<'_>, reader: &mut Reader<'_>) -> Option<Pace> {
    let span = |key| fields.key_span(key);
    match (fields.get("over"), fields.get("bytes"), fields.get("every")) {
        (Some(over), None, None) => {
            let pieces = match fields.get("pieces") {
                Some(pieces) => u64::try_from(reader.integer(pieces, 1, MOST_PIECES)?).ok()?,
                None => USUAL_PIECES,
            };
            Some(Pace::Over(Schedule { over: not_nothing(over, reader)?, pieces, again: false }))
        }
        (None, Some(bytes), Some(every)) => {
            if let Some(place) = span("pieces") {
                let problem = Diagnostic::new(Code::E0414, "`pieces` needs `over`", place);
                reader
                    .problem(problem.help("leave `pieces` out, or write `over` in place of both"));
                return None;
            }
            let size: ByteSize = not_nothing(bytes, reader)?;
            let pause = not_nothing(every, reader)?;
            Some(Pace::Steps(Cut { size: size.0, variation: 0, pause }))
        }
        (Some(_), ..) => {
            let place = span("bytes").or_else(|| span("every")).unwrap_or(fields.span);
            let title = "`over` is one pace, `bytes` with `every` is another";
            let problem = Diagnostic::new(Code::E0414, title, place);
            reader.problem(problem.help("write `over: 10s`, or `bytes: 8B, every: 100ms`"));
            None
        }
        (None, None, None) => {
            let title = "`dribble` needs `over`, or `bytes` with `every`";
            let problem = Diagnostic::new(Code::E0103, title, fields.span);
            reader.problem(problem.help("write `over: 10s`, or `bytes: 8B, every: 100ms`"));
            None
        }
        (None, bytes, _) => {
            let (there, missing) = match bytes {
                Some(_) => ("bytes", "every: 100ms"),
                None => ("every", "bytes: 8B"),
            };
            let title = "`bytes` and `every` belong together";
            let problem = Diagnostic::new(Code::E0414, title, span(there).unwrap_or(fields.span));
            reader.problem(problem.help(format!("add `{missing}`")));
            None
        }
    }
}

/// A quantity above zero.
fn not_nothing<T: Quantity + Default + PartialEq>(
    node: &Spanned<Node>,
    reader: &mut Reader<'_>,
) -> Option<T> {
    let quantity: T = reader.quantity(node)?;
    if quantity == T::default() {
        let title = format!("nothing dribbles at `{}`", quantity.show());
        let problem = Diagnostic::new(Code::E0413, title, node.span);
        reader.problem(problem.help("write more than nothing"));
        return None;
    }
    Some(quantity)
}

impl Dribble {
    fn dribbler(self, dice: Dice) -> Box<dyn ByteFilter> {
        match self.pace {
            Pace::Over(schedule) => Box::new(Pieces::new(schedule)),
            Pace::Steps(cut) => Box::new(Slicer::new(cut, dice)),
        }
    }
}

impl Fault for Dribble {
    fn stages(&self) -> &'static [Stage] {
        // The body of a request has no stage: see `works_on`.
        if self.side.includes(Way::Down) { &[Stage::Body] } else { &[] }
    }

    fn decide(&self, _stage: Stage, cx: &Cx) -> Effect {
        Effect::Shape(self.dribbler(cx.message))
    }

    fn on_bytes(&self) -> Option<Arc<dyn Fault>> {
        let mut fault = *self;
        if let Pace::Over(schedule) = &mut fault.pace {
            schedule.again = true;
        }
        Some(Arc::new(OnBytes(fault)))
    }

    fn works_on(&self, protocol: Protocol) -> Result<(), String> {
        if protocol.has_requests() && self.side != Side::Response {
            let side = self.side.name();
            return Err(format!(
                "`side: {side}` needs `protocol: tcp`: of HTTP, the body of responses dribbles"
            ));
        }
        Ok(())
    }

    fn strength(&self, _moment: &Moment) -> f64 {
        match self.pace {
            Pace::Over(schedule) => schedule.over.as_secs_f64(),
            Pace::Steps(cut) => cut.pause.as_secs_f64() / cut.size as f64,
        }
    }

    fn describe(&self) -> String {
        let mut text = match self.pace {
            Pace::Over(Schedule { over, pieces, .. }) => {
                format!("in {pieces} pieces over {}", show_duration(over))
            }
            Pace::Steps(cut) => {
                format!("{} every {}", ByteSize(cut.size).show(), show_duration(cut.pause))
            }
        };
        match self.side {
            Side::Response => {}
            Side::Request => text.push_str(", requests only"),
            Side::Both => text.push_str(", both ways"),
        }
        text
    }
}

impl Bytewise for Dribble {
    fn shaper(&self, way: Way, connection: Dice, _shared: Dice) -> Option<Box<dyn ByteFilter>> {
        self.side.includes(way).then(|| self.dribbler(way.dice(connection)))
    }
}

#[cfg(test)]
mod tests;
