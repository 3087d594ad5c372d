//! `limit_data`: so many bytes, then the connection ends.
//!
//! ```yaml
//! - limit_data: 10KiB
//! - limit_data: { bytes: 10KiB, side: request, by: reset }
//! ```
//!
//! Exactly so many bytes of a direction pass, then the connection ends in both, right when the last
//! of them has passed; with `0B` at the first byte that comes. Bytes are counted for each connection
//! and direction from when the fault meets the connection, and only while it is in force. A stream
//! that ends before is left alone. It differs from `truncate` and from `reset: { at: response }`,
//! which count in the body of one answer: this counts below TLS and HTTP, heads included, and over
//! all that a connection carries.

use crate::{
    dice::Dice,
    fault::{
        ByteFilter, Close, Denial, Fault, Out, Promise, Tick, Way,
        catalog::{Entry, Layer, Protocol, Traffic},
        form::Side,
        queue::Queue,
    },
    read::{Field, Kind, Reader, Shape},
    timeline::{Moment, Moving},
    units::{ByteSize, Quantity},
    yaml::{Node, Spanned},
};
use bytes::Bytes;
use std::sync::Arc;

/// The row of the catalogue.
pub(super) const ENTRY: Entry = Entry {
    name: "limit_data",
    layer: Layer::Connection,
    protocols: Protocol::ALL,
    traffic: Traffic::Any,
    summary: "a connection ends after so many bytes",
    about: "Exactly so many bytes of a direction pass, then the connection ends in both, right when
the last of them has passed; with `0B` at the first byte that comes. They are counted for each
connection from when the fault meets it, below TLS and HTTP, heads included. `side` picks
`response` (the default), `request` or `both`, each counted on its own; the connection ends by
`close` (a FIN, the default) or `reset`. To cut one answer in the middle of its body, use `truncate`.",
    examples: &["limit_data: 10KiB", "limit_data: { bytes: 10KiB, side: request, by: reset }"],
    kind: Kind::Any(&[Kind::Size, Kind::Map(&SHAPE)]),
    read,
};

static SHAPE: Shape = Shape {
    what: "`limit_data`",
    fields: &[
        Field::required("bytes", Kind::Size, "how many bytes pass, such as `10KiB`"),
        Field::optional(
            "side",
            Kind::Word(Side::NAMES),
            "`request`, `response` (the default) or `both`, each counted on its own",
        ),
        Field::optional(
            "by",
            Kind::Word(&["close", "reset"]),
            "how the connection ends: `close` (the default) or `reset`",
        ),
    ],
};

/// What passes in one step.
const ROOM: usize = 256 * 1024;

/// Ends connections that carried so much.
#[derive(Clone, Copy, Debug)]
struct LimitData {
    most: ByteSize,
    side: Side,
    by: Close,
}

fn read(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Arc<dyn Fault>> {
    let (mut side, mut by) = (Side::Response, Close::Fin);
    let mut bytes = node;
    if matches!(node.value, Node::Map(_)) {
        let fields = reader.fields(node, &SHAPE)?;
        bytes = fields.get("bytes")?;
        if let Some(word) = fields.get("side") {
            side = reader.choice(word, Side::WORDS)?;
        }
        if let Some(word) = fields.get("by") {
            by = reader.choice(word, &[("close", Close::Fin), ("reset", Close::Reset)])?;
        }
    }
    Some(Arc::new(LimitData { most: reader.quantity(bytes)?, side, by }))
}

impl Fault for LimitData {
    fn filter(&self, way: Way, _connection: Dice, _shared: Dice) -> Option<Box<dyn ByteFilter>> {
        let limit = || Box::new(Limit::new(Moving::Fixed(self.most), self.by));
        self.side.includes(way).then(|| limit() as Box<dyn ByteFilter>)
    }

    fn shapes_connections(&self) -> bool {
        true
    }

    fn breaks(&self) -> &'static [Promise] {
        &[Promise::Life]
    }

    fn denies(&self) -> Denial {
        Denial::Perhaps
    }

    fn describe(&self) -> String {
        let how = match self.by {
            Close::Fin => "closed",
            Close::Reset | Close::ResetStream(_) => "reset",
        };
        let side = match self.side {
            Side::Both => "each way",
            Side::Request => "of requests",
            Side::Response => "of responses",
        };
        format!("{how} after {} {side}", self.most.show())
    }
}

/// Lets so many bytes pass and then ends the connection.
#[derive(Debug)]
pub(super) struct Limit {
    most: Moving<ByteSize>,
    by: Close,
    /// How many may pass, while the fault is in force.
    now: Option<u64>,
    gone: bool,
    /// How many passed while it was.
    passed: u64,
    held: Queue,
    next: Next,
    /// The limit was reached.
    acted: bool,
}

/// What comes after the bytes that are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// More bytes.
    More,
    /// The end that the source made.
    End,
    /// The end that the limit makes.
    Close,
    /// Nothing any more.
    Nothing,
}

impl Limit {
    /// Nothing has passed yet.
    pub(super) fn new(most: Moving<ByteSize>, by: Close) -> Self {
        let (held, next) = (Queue::default(), Next::More);
        Self { most, by, now: None, gone: false, passed: 0, held, next, acted: false }
    }
}

impl ByteFilter for Limit {
    fn tune(&mut self, _now: Tick, moment: Option<&Moment>) {
        self.now = moment.filter(|_| !self.gone).map(|moment| self.most.at(moment).0);
    }

    fn room(&self) -> usize {
        if self.next == Next::More { ROOM.saturating_sub(self.held.len()) } else { 0 }
    }

    fn push(&mut self, _now: Tick, mut bytes: Bytes) {
        if self.next != Next::More || bytes.is_empty() {
            return;
        }
        if let Some(most) = self.now {
            let left = most.saturating_sub(self.passed);
            bytes.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            self.passed = self.passed.saturating_add(bytes.len() as u64);
            if self.passed >= most {
                self.next = Next::Close;
                self.acted = true;
            }
        }
        self.held.push(bytes);
    }

    fn finish(&mut self, _now: Tick) {
        if self.next == Next::More {
            self.next = Next::End;
        }
    }

    fn pull(&mut self, _now: Tick) -> Option<Out> {
        if let Some(bytes) = self.held.take(usize::MAX) {
            return Some(Out::Bytes(bytes));
        }
        let out = match self.next {
            Next::More | Next::Nothing => return None,
            Next::End => Out::End,
            Next::Close => Out::Close(self.by),
        };
        self.next = Next::Nothing;
        Some(out)
    }

    fn wake_at(&self) -> Option<Tick> {
        None
    }

    fn is_empty(&self) -> bool {
        self.held.is_empty() && matches!(self.next, Next::More | Next::Nothing)
    }

    fn let_go(&mut self, _now: Tick) {
        self.gone = true;
        self.now = None;
    }

    fn has_acted(&self) -> Option<bool> {
        Some(self.acted)
    }

    fn resume(&mut self, passed: u64) {
        self.passed = self.passed.saturating_add(passed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diag::Code,
        fault::support::{codes, cx, fault, moment},
    };

    const NOW: Tick = Tick::from_secs(1);

    fn limit(entry: &str) -> Box<dyn ByteFilter> {
        let cx = cx(0);
        let mut limit = fault(entry).filter(Way::Down, cx.connection, cx.shared).expect("a filter");
        limit.tune(NOW, Some(&moment(NOW)));
        limit
    }

    fn outs(limit: &mut dyn ByteFilter) -> Vec<Out> {
        std::iter::from_fn(|| limit.pull(NOW)).collect()
    }

    fn bytes(text: &'static str) -> Out {
        Out::Bytes(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn exactly_so_many_bytes_pass_and_the_end_comes_with_the_last() {
        let mut limit = limit("limit_data: 6B");
        limit.push(NOW, Bytes::from_static(b"abc"));
        assert_eq!(outs(limit.as_mut()), [bytes("abc")]);

        limit.push(NOW, Bytes::from_static(b"def"));
        assert_eq!(outs(limit.as_mut()), [bytes("def"), Out::Close(Close::Fin)]);
        assert!(limit.is_empty() && limit.room() == 0);
    }

    #[test]
    fn what_lies_behind_the_limit_never_leaves() {
        let mut limit = limit("limit_data: { bytes: 4B, by: reset }");
        limit.push(NOW, Bytes::from_static(b"abcdef"));
        limit.push(NOW, Bytes::from_static(b"ghi"));
        limit.finish(NOW);
        limit.let_go(NOW);

        assert_eq!(outs(limit.as_mut()), [bytes("abcd"), Out::Close(Close::Reset)]);
    }

    #[test]
    fn a_limit_of_nothing_ends_at_the_first_byte() {
        let mut limit = limit("limit_data: 0B");
        assert_eq!(outs(limit.as_mut()), []);

        limit.push(NOW, Bytes::from_static(b"a"));

        assert_eq!(outs(limit.as_mut()), [Out::Close(Close::Fin)]);
    }

    #[test]
    fn a_stream_that_is_shorter_ends_by_itself() {
        let mut limit = limit("limit_data: 4B");
        limit.push(NOW, Bytes::from_static(b"abc"));
        limit.finish(NOW);

        assert_eq!(outs(limit.as_mut()), [bytes("abc"), Out::End]);
    }

    #[test]
    fn bytes_count_only_while_it_is_in_force() {
        let mut limit = limit("limit_data: 4B");
        limit.push(NOW, Bytes::from_static(b"abc"));
        limit.tune(NOW, None);
        limit.push(NOW, Bytes::from_static(b"0123456789"));
        limit.tune(NOW, Some(&moment(NOW)));
        limit.push(NOW, Bytes::from_static(b"de"));

        let close = Out::Close(Close::Fin);
        assert_eq!(outs(limit.as_mut()), [bytes("abc"), bytes("0123456789"), bytes("d"), close]);
    }

    #[test]
    fn the_side_is_the_response_unless_another_is_asked_for() {
        let cx = cx(0);
        for (entry, up, down) in [
            ("limit_data: 1B", false, true),
            ("limit_data: { bytes: 1B, side: request }", true, false),
            ("limit_data: { bytes: 1B, side: both }", true, true),
        ] {
            let fault = fault(entry);
            let has = |way| fault.filter(way, cx.connection, cx.shared).is_some();
            assert_eq!((has(Way::Up), has(Way::Down)), (up, down), "{entry}");
        }
    }

    #[test]
    fn forms_that_make_no_sense_are_refused() {
        assert_eq!(codes("limit_data: 10"), [Code::E0201]);
        assert_eq!(codes("limit_data: { side: both }"), [Code::E0103]);
        assert_eq!(codes("limit_data: { bytes: 1B, by: hang }"), [Code::E0205]);
    }
}
