//! `truncate`: the end of the body is missing, its length is not.
//!
//! ```yaml
//! - truncate: 50%
//! - truncate: { after: 10KiB }
//! - truncate: { after: 3 messages }         # of a gRPC call
//! - truncate: 3 events                       # of a stream of server-sent events
//! - truncate: { after: 30s, stall: yes }
//! ```
//!
//! The head goes out as the upstream wrote it, `content-length` included; then the body stops and
//! the connection is closed with a FIN. A client that does not compare what it got with what was
//! announced takes half a document for a whole one. A body that is shorter than `after` arrives
//! whole. With `stall` the connection is not closed: nothing more comes of that answer, as from a service
//! that hangs in the middle of it, until the fault lets go; then the rest does. It differs from `reset: { at: response }`, whose client gets an error from its socket.

use crate::{
    diag::{Code, Diagnostic},
    fault::{
        Close, Cx, Denial, Effect, Fault, Stage,
        after::After,
        catalog::{Entry, Layer, Protocol, Traffic},
        form::is_curve,
    },
    read::{Field, Kind, Reader, Shape},
    yaml::{Node, Spanned},
};
use std::sync::Arc;

/// The row of the catalogue.
pub(super) const ENTRY: Entry = Entry {
    name: "truncate",
    layer: Layer::Message,
    protocols: Protocol::HTTP,
    traffic: Traffic::Http,
    summary: "the end of the body is missing, its announced length is not",
    about: "The head goes out untouched, then the body stops `after` so many bytes, or after this
share of the announced length (of the first 64 KiB, if no length is announced), and the connection
is closed with a FIN. A body that is shorter arrives whole. Of a stream of server-sent events `after`
may be a number of them, `3 events` (of a compressed one nobody can count them, and it goes on), and of a
gRPC call a number of messages, `3 messages`; of any answer a time after its head, `30s`. With `stall: yes` the connection stays and nothing more comes until
the fault lets go; then the rest does. For a RST in place of the FIN, use
`reset: { at: response, after: 10KiB }`; for a gRPC call that ends with a status, `grpc`.",
    examples: &[
        "truncate: 50%",
        "truncate: { after: 10KiB }",
        "truncate: 3 events",
        "truncate: 3 messages",
        "truncate: { after: 30s, stall: yes }",
    ],
    kind: Kind::Any(&[Kind::Map(&SHAPE), After::KIND]),
    read,
};

static SHAPE: Shape = Shape {
    what: "`truncate`",
    fields: &[
        Field::required(
            "after",
            After::KIND,
            "where the body breaks off: `10KiB`, a share of it such as `50%`, `3 events`, `3 messages` or `30s`",
        ),
        Field::optional(
            "stall",
            Kind::Flag,
            "the connection stays, and nothing more comes; by default it is closed",
        ),
    ],
};

/// Breaks a body off.
#[derive(Clone, Debug)]
struct Truncate {
    after: After,
    stall: bool,
}

fn read(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Arc<dyn Fault>> {
    let mut stall = false;
    let place = match &node.value {
        Node::Map(_) if is_curve(&node.value) => node,
        Node::Map(_) => {
            let fields = reader.fields(node, &SHAPE)?;
            if let Some(flag) = fields.get("stall") {
                stall = reader.boolean(flag)?;
            }
            fields.get("after")?
        }
        _ => node,
    };
    let after = After::read(place, reader)?;
    if after.is_behind_the_end() {
        reader.problem(
            Diagnostic::new(Code::E0413, "a body cut after `100%` is whole", place.span)
                .help("write less than `100%`"),
        );
        return None;
    }
    Some(Arc::new(Truncate { after, stall }))
}

impl Fault for Truncate {
    fn stages(&self) -> &'static [Stage] {
        &[Stage::Cut]
    }

    fn decide(&self, _stage: Stage, cx: &Cx) -> Effect {
        let close = (!self.stall).then_some(Close::Fin);
        Effect::Cut { after: self.after.at(&cx.moment), close }
    }

    fn moves(&self) -> bool {
        self.after.moves()
    }

    fn denies(&self) -> Denial {
        self.after.denies()
    }

    fn describe(&self) -> String {
        let how = if self.stall { "stalls" } else { "ends" };
        format!("body {how} after {}", self.after.show())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{
        Offset,
        support::{codes, cx_at, effect, fault},
    };
    use std::time::Duration;

    fn offset(effect: &Effect) -> Offset {
        match effect {
            Effect::Cut { after, close: Some(Close::Fin) } => *after,
            other => panic!("{other:?} is no cut with a FIN"),
        }
    }

    #[test]
    fn sizes_and_shares_are_told_apart_by_their_unit() {
        assert_eq!(offset(&effect("truncate: 50%", Stage::Cut)), Offset::Fraction(0.5));
        assert_eq!(offset(&effect("truncate: { after: 2KiB }", Stage::Cut)), Offset::Bytes(2_048));
        assert_eq!(offset(&effect("truncate: 3 messages", Stage::Cut)), Offset::Messages(3));
    }

    #[test]
    fn streams_are_cut_by_events_and_by_time_and_may_stall() {
        assert_eq!(offset(&effect("truncate: 3 events", Stage::Cut)), Offset::Events(3));
        let time = Offset::Time(Duration::from_secs(30));
        assert_eq!(offset(&effect("truncate: 30s", Stage::Cut)), time);
        let stall = effect("truncate: { after: 1 event, stall: yes }", Stage::Cut);
        assert!(matches!(stall, Effect::Cut { after: Offset::Events(1), close: None }));
        assert_eq!(
            fault("truncate: { after: 30s, stall: yes }").describe(),
            "body stalls after 30s"
        );
        assert_eq!(codes("truncate: some events"), [Code::E0202]);
    }

    #[test]
    fn the_cut_moves_over_the_phase() {
        for entry in ["truncate: 100% -> 0%", "truncate: { curve: [[0s, 100%], [60s, 0%]] }"] {
            let fault = fault(entry);
            let halfway = fault.decide(Stage::Cut, &cx_at(0, Duration::from_secs(30)));
            assert_eq!(offset(&halfway), Offset::Fraction(0.5), "{entry}");
            assert!(fault.moves());
        }
    }

    #[test]
    fn a_cut_behind_the_end_is_refused() {
        assert_eq!(codes("truncate: 100%"), [Code::E0413]);
        assert_eq!(codes("truncate: {}"), [Code::E0103]);
        assert_eq!(codes("truncate: 10"), [Code::E0201]);
    }
}
