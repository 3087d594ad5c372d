//! `slow_close`: the end of a stream comes late, its bytes do not.
//!
//! ```yaml
//! - slow_close: 2s
//! - slow_close: { delay: 2s, side: response }
//! ```
//!
//! Bytes pass as they come. When a direction has ended, that is passed on only `delay` later, in
//! real time: a client that reads until the end waits so much longer for an answer it has whole,
//! and connections that both ends think closed pile up in between. Each direction is delayed on
//! its own. Connections that HTTP keeps alive do not end, so nothing happens to them.

use crate::{
    diag::{Code, Diagnostic},
    dice::Dice,
    fault::{
        ByteFilter, Fault, Out, Tick, Way,
        catalog::{Entry, Layer, Protocol, Traffic},
        form::Side,
        queue::Queue,
    },
    read::{Field, Kind, Reader, Shape},
    timeline::Moment,
    units::show_duration,
    yaml::{Node, Spanned},
};
use bytes::Bytes;
use std::{sync::Arc, time::Duration};

/// The row of the catalogue.
pub(super) const ENTRY: Entry = Entry {
    name: "slow_close",
    layer: Layer::Connection,
    protocols: Protocol::ALL,
    traffic: Traffic::Any,
    summary: "the end of a connection is passed on late, its bytes are not",
    about: "Bytes pass as they come. When a direction of a connection has ended, that is passed on
only `delay` later, in real time. `side` picks `request`, `response` or `both` (the default), each
delayed on its own. A client that reads until the end waits so much longer; connections that HTTP
keeps alive do not end, so nothing happens to them. When the fault is over, a held end leaves at
once.",
    examples: &["slow_close: 2s", "slow_close: { delay: 2s, side: response }"],
    kind: Kind::Any(&[Kind::Duration, Kind::Map(&SHAPE)]),
    read,
};

static SHAPE: Shape = Shape {
    what: "`slow_close`",
    fields: &[
        Field::required("delay", Kind::Duration, "how long the end is held, such as `2s`"),
        Field::optional(
            "side",
            Kind::Word(Side::NAMES),
            "whose end: of the `request`, the `response` or `both` (the default)",
        ),
    ],
};

/// What passes in one step.
const ROOM: usize = 256 * 1024;

/// Holds the end of connections.
#[derive(Clone, Copy, Debug)]
struct SlowClose {
    delay: Duration,
    side: Side,
}

fn read(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Arc<dyn Fault>> {
    let (mut delay_node, mut side) = (node, Side::Both);
    if matches!(node.value, Node::Map(_)) {
        let fields = reader.fields(node, &SHAPE)?;
        delay_node = fields.get("delay")?;
        if let Some(word) = fields.get("side") {
            side = reader.choice(word, Side::WORDS)?;
        }
    }
    let delay: Duration = reader.quantity(delay_node)?;
    if delay.is_zero() {
        let title = "a close that is `0s` late is in time";
        let problem = Diagnostic::new(Code::E0413, title, delay_node.span);
        reader.problem(problem.help("write a time such as `2s`"));
        return None;
    }
    Some(Arc::new(SlowClose { delay, side }))
}

impl Fault for SlowClose {
    fn filter(&self, way: Way, _connection: Dice, _shared: Dice) -> Option<Box<dyn ByteFilter>> {
        let late = || Box::new(LateEnd::new(self.delay));
        self.side.includes(way).then(|| late() as Box<dyn ByteFilter>)
    }

    fn shapes_connections(&self) -> bool {
        true
    }

    fn strength(&self, _moment: &Moment) -> f64 {
        self.delay.as_secs_f64()
    }

    fn describe(&self) -> String {
        let mut text = format!("ends {} late", show_duration(self.delay));
        if self.side != Side::Both {
            text.push_str(&format!(", {}s only", self.side.name()));
        }
        text
    }
}

/// Holds the end of a stream.
#[derive(Debug)]
pub(super) struct LateEnd {
    delay: Duration,
    in_force: bool,
    gone: bool,
    held: Queue,
    /// When the end may leave, once it came.
    end: Option<Tick>,
    /// An end came while it was in force.
    acted: bool,
}

impl LateEnd {
    /// An end that comes so much later.
    pub(super) fn new(delay: Duration) -> Self {
        Self {
            delay,
            in_force: false,
            gone: false,
            held: Queue::default(),
            end: None,
            acted: false,
        }
    }
}

impl ByteFilter for LateEnd {
    fn tune(&mut self, _now: Tick, moment: Option<&Moment>) {
        self.in_force = moment.is_some() && !self.gone;
    }

    fn room(&self) -> usize {
        ROOM.saturating_sub(self.held.len())
    }

    fn push(&mut self, _now: Tick, bytes: Bytes) {
        self.held.push(bytes);
    }

    fn finish(&mut self, now: Tick) {
        self.end = Some(now.saturating_add(self.delay));
        self.acted |= self.in_force;
    }

    fn has_acted(&self) -> Option<bool> {
        Some(self.acted)
    }

    fn pull(&mut self, now: Tick) -> Option<Out> {
        if let Some(bytes) = self.held.take(usize::MAX) {
            return Some(Out::Bytes(bytes));
        }
        self.end.take_if(|due| !self.in_force || *due <= now).map(|_| Out::End)
    }

    fn wake_at(&self) -> Option<Tick> {
        self.end
    }

    fn is_empty(&self) -> bool {
        self.held.is_empty() && self.end.is_none()
    }

    fn let_go(&mut self, _now: Tick) {
        self.gone = true;
        self.in_force = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::support::{codes, cx, drain, fault, moment};

    const MS: Duration = Duration::from_millis(1);

    fn late() -> Box<dyn ByteFilter> {
        let cx = cx(0);
        let late = fault("slow_close: 2s").filter(Way::Down, cx.connection, cx.shared);
        let mut late = late.expect("a filter");
        late.tune(MS, Some(&moment(MS)));
        late
    }

    #[test]
    fn bytes_pass_at_once_and_the_end_exactly_so_much_later() {
        let mut late = late();
        late.push(MS, Bytes::from_static(b"all"));
        assert_eq!(drain(late.as_mut(), MS), (Bytes::from_static(b"all"), false));
        assert!(late.is_empty() && late.wake_at().is_none());

        late.finish(5 * MS);

        assert_eq!(drain(late.as_mut(), 2_004 * MS), (Bytes::new(), false));
        assert_eq!(late.wake_at(), Some(2_005 * MS));
        assert_eq!(drain(late.as_mut(), 2_005 * MS), (Bytes::new(), true));
        assert!(late.is_empty());
    }

    #[test]
    fn when_the_fault_is_over_a_held_end_leaves_at_once() {
        let mut late = late();
        late.finish(MS);
        assert_eq!(drain(late.as_mut(), 2 * MS), (Bytes::new(), false));

        late.tune(2 * MS, None);

        assert_eq!(drain(late.as_mut(), 2 * MS), (Bytes::new(), true));
    }

    #[test]
    fn an_end_without_a_delay_is_refused() {
        assert_eq!(codes("slow_close: 0s"), [Code::E0413]);
        assert_eq!(codes("slow_close: 2"), [Code::E0201]);
        assert_eq!(codes("slow_close: { side: both }"), [Code::E0103]);
    }
}
