//! `hang`: the request is read, no answer comes.
//!
//! ```yaml
//! - hang: {}
//! - hang: { for: 30s }     # gives up after 30 s; short: hang: 30s
//! ```
//!
//! The upstream never sees the request. The client waits until its own timeout, until `for` is over
//! (then the connection is closed without an answer), or until the phase or the drill ends. `for`
//! is real time: the client's timeout is, too. It differs from `latency`, after which the request
//! goes on, and from `blackhole`, which silences whole connections.

use crate::{
    diag::{Code, Diagnostic},
    fault::{
        Cx, Denial, Effect, Fault, Stage,
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
upstream do the work first, `lose_response: hang`.",
    examples: &["hang: {}", "hang: 30s", "hang: { for: 30s }"],
    kind: Kind::Any(&[Kind::Map(&SHAPE), Kind::Duration]),
    read,
};

static SHAPE: Shape = Shape {
    what: "`hang`",
    fields: &[Field::optional(
        "for",
        Kind::Duration,
        "when to give up and close the connection; by default not before the phase ends",
    )],
};

/// Silence for one request.
#[derive(Clone, Copy, Debug)]
struct Hang {
    limit: Option<Duration>,
}

fn read(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Arc<dyn Fault>> {
    let limit = match &node.value {
        Node::Null => None,
        Node::Map(_) => match reader.fields(node, &SHAPE)?.get("for") {
            Some(limit) => Some((limit, reader.quantity::<Duration>(limit)?)),
            None => None,
        },
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::support::{codes, effect};

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
    fn a_hang_of_no_time_is_refused() {
        assert_eq!(codes("hang: 0s"), [Code::E0413]);
        assert_eq!(codes("hang: { for: 30 }"), [Code::E0201]);
    }
}
