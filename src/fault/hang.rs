//! `hang`: the request is read, no answer comes.
//!
//! ```yaml
//! - hang: {}
//! - hang: { for: 30s }     # gives up after 30 s; short: hang: 30s
//! - hang: { after: 3 messages }     # of a gRPC call
//! ```
//!
//! The upstream never sees the request. The client waits until its own timeout, until `for` is over
//! (then the connection is closed without an answer), or until the phase or the drill ends. `for`
//! is real time: the client's timeout is, too. It differs from `latency`, after which the request
//! goes on, and from `blackhole`, which silences whole connections.
//!
//! `after: 3 messages` is a server that stops reading in the middle of a gRPC call: so many messages of the
//! client's go to the upstream, and then nothing more is read of the call, not even its end, so that the
//! client feels the back-pressure. What the upstream answers meanwhile passes, and nothing is lost: when
//! the fault lets go, the rest follows. What is no gRPC call is left alone.

use crate::{
    diag::{Code, Diagnostic},
    fault::{
        Cx, Denial, Effect, Fault, Stage,
        after::After,
        catalog::{Entry, Layer, Protocol, Traffic},
    },
    read::{Field, Kind, Reader, Shape},
    units::show_duration,
    yaml::{Node, Spanned},
};
use std::{sync::Arc, time::Duration};

/// The row of the catalogue.
pub(super) const ENTRY: Entry = Entry {
    name: "hang",
    layer: Layer::Message,
    protocols: Protocol::HTTP,
    traffic: Traffic::Http,
    summary: "the request is read, and no answer comes",
    about: "The upstream never sees the request, and the client waits: until its own timeout, until
`for` is over (then the connection is closed), or until the phase or the drill ends. It is how one
finds calls that have no timeout. To let the request go on after a while, use `latency`; to let the
upstream do the work first, `lose_response: hang`. `after: 3 messages` is a server that stops reading in the
middle of a gRPC call: so many messages of the client go to the upstream, and the rest is held back, with
back-pressure, until the fault lets go.",
    examples: &["hang: {}", "hang: 30s", "hang: { for: 30s }", "hang: { after: 3 messages }"],
    kind: Kind::Any(&[Kind::Map(&SHAPE), Kind::Duration]),
    read,
};

static SHAPE: Shape = Shape {
    what: "`hang`",
    fields: &[
        Field::optional(
            "for",
            Kind::Duration,
            "when to give up and close the connection; by default not before the phase ends",
        ),
        Field::optional(
            "after",
            Kind::Moving(&Kind::Messages),
            "how many `messages` of a gRPC call the upstream gets first; it stands without `for`",
        ),
    ],
};

/// Silence for one request.
#[derive(Clone, Copy, Debug)]
struct Hang {
    limit: Option<Duration>,
}

/// No more of a request than its first messages.
#[derive(Clone, Debug)]
struct StopReading {
    after: After,
}

fn read(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Arc<dyn Fault>> {
    let limit = match &node.value {
        Node::Null => None,
        Node::Map(_) => {
            let fields = reader.fields(node, &SHAPE)?;
            match (fields.get("for"), fields.get("after")) {
                (None, None) => None,
                (Some(limit), None) => Some((limit, reader.quantity::<Duration>(limit)?)),
                (None, Some(after)) => {
                    let after = After::Messages(reader.moving(after)?);
                    return Some(Arc::new(StopReading { after }));
                }
                (Some(_), Some(_)) => {
                    let title = "`for` and `after` are two different ways to hang";
                    let place = fields.key_span("after").unwrap_or(node.span);
                    let help = "leave one of them out";
                    reader.problem(Diagnostic::new(Code::E0414, title, place).help(help));
                    return None;
                }
            }
        }
        _ => Some((node, reader.quantity::<Duration>(node)?)),
    };
    if let Some((place, Duration::ZERO)) = limit {
        reader.problem(
            Diagnostic::new(Code::E0413, "a request that hangs for `0s` does not hang", place.span)
                .help("write `hang: {}` to hang until the phase ends, or a longer time"),
        );
        return None;
    }
    Some(Arc::new(Hang { limit: limit.map(|(_, limit)| limit) }))
}

impl Fault for Hang {
    fn stages(&self) -> &'static [Stage] {
        &[Stage::End]
    }

    fn decide(&self, _stage: Stage, _cx: &Cx) -> Effect {
        Effect::Hang { limit: self.limit }
    }

    fn denies(&self) -> Denial {
        Denial::Always
    }

    fn describe(&self) -> String {
        match self.limit {
            Some(limit) => format!("no answer, closed after {}", show_duration(limit)),
            None => "no answer".to_owned(),
        }
    }
}

impl Fault for StopReading {
    fn stages(&self) -> &'static [Stage] {
        &[Stage::RequestCut]
    }

    fn decide(&self, _stage: Stage, cx: &Cx) -> Effect {
        if !cx.grpc {
            return Effect::Pass;
        }
        Effect::Cut { after: self.after.at(&cx.moment), close: None }
    }

    fn denies(&self) -> Denial {
        self.after.denies()
    }

    fn moves(&self) -> bool {
        self.after.moves()
    }

    fn describe(&self) -> String {
        format!("nothing read after {}", self.after.show())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{
        Offset,
        support::{codes, cx, effect, fault},
    };

    #[test]
    fn it_hangs_for_as_long_as_it_says_or_without_limit() {
        for (entry, wanted) in [
            ("hang: {}", None),
            ("hang:", None),
            ("hang: 30s", Some(Duration::from_secs(30))),
            ("hang: { for: 1.5s }", Some(Duration::from_millis(1_500))),
        ] {
            let effect = effect(entry, Stage::End);
            assert!(matches!(effect, Effect::Hang { limit } if limit == wanted), "{entry}");
        }
    }

    #[test]
    fn after_so_many_messages_it_stops_reading() {
        let entry = "hang: { after: 3 messages }";
        let stops = effect(entry, Stage::RequestCut);
        assert!(matches!(stops, Effect::Cut { after: Offset::Messages(3), close: None }));
        assert_eq!(fault(entry).describe(), "nothing read after 3 messages");
        let other = Cx { grpc: false, ..cx(0) };
        assert!(matches!(fault(entry).decide(Stage::RequestCut, &other), Effect::Pass));
        assert_eq!(codes("hang: { after: 3 messages, for: 30s }"), [Code::E0414]);
        assert_eq!(codes("hang: { after: 3 }"), [Code::E0201]);
    }

    #[test]
    fn a_hang_of_no_time_is_refused() {
        assert_eq!(codes("hang: 0s"), [Code::E0413]);
        assert_eq!(codes("hang: { for: 30 }"), [Code::E0201]);
    }
}
