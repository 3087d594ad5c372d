//! `duplicate`: the request reaches the upstream twice.
//!
//! ```yaml
//! - duplicate: {}
//! - duplicate: { delay: 100ms }
//! ```
//!
//! What a network, a queue or an eager middlebox does that delivers at least once: the same head and
//! the same body come a second time, on another connection. The client gets the answer to the first
//! and hears nothing of the second, whose answer is read and thrown away. It tests the service, not
//! the client: one that takes the same idempotency key twice sells twice. For a client that repeats
//! by itself, use `lose_response`.

use crate::{
    diag::{Code, Diagnostic},
    fault::{
        Cx, Effect, Fault, Stage,
        catalog::{Entry, Layer, Protocol, Traffic},
    },
    read::{Field, Kind, Reader, Shape},
    units::show_duration,
    yaml::{Node, Spanned},
};
use std::{sync::Arc, time::Duration};

/// The row of the catalogue.
pub(super) const ENTRY: Entry = Entry {
    name: "duplicate",
    layer: Layer::Message,
    protocols: Protocol::HTTP,
    traffic: Traffic::Http,
    summary: "the request reaches the upstream twice",
    about: "The same head and body come to the upstream a second time, on another connection: as soon
as all of the request was read, or `delay` after that. The client gets the first answer; the second is
read and thrown away, and the record tells of it in a line of its own. A body of more than 256 KiB, or
one that the upstream answered before it was complete, is not sent again, and neither is a request for
an upgrade; the fault has not hit these. Copies that wait take at most 128 MiB together: what comes
beyond that is not sent again either. A copy that waits for its delay when the drill ends is not
sent.",
    examples: &["duplicate: {}", "duplicate: { delay: 100ms }"],
    kind: Kind::Map(&SHAPE),
    read,
};

static SHAPE: Shape = Shape {
    what: "`duplicate`",
    fields: &[Field::optional(
        "delay",
        Kind::Duration,
        "how long after the first the second is sent; by default at once",
    )],
};

/// Sends a request again.
#[derive(Clone, Copy, Debug)]
struct Duplicate {
    delay: Duration,
}

fn read(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Arc<dyn Fault>> {
    let mut delay = Duration::ZERO;
    if node.value != Node::Null
        && let Some(node) = reader.fields(node, &SHAPE)?.get("delay")
    {
        delay = reader.quantity(node)?;
        if delay.is_zero() {
            let problem = Diagnostic::new(Code::E0413, "a delay of `0s` is none", node.span);
            reader.problem(problem.help("leave `delay` out, or write a longer time"));
            return None;
        }
    }
    Some(Arc::new(Duplicate { delay }))
}

impl Fault for Duplicate {
    fn stages(&self) -> &'static [Stage] {
        &[Stage::Upstream]
    }

    fn decide(&self, _stage: Stage, _cx: &Cx) -> Effect {
        Effect::Duplicate { delay: self.delay }
    }

    fn describe(&self) -> String {
        if self.delay.is_zero() {
            return "sent to the upstream twice".to_owned();
        }
        format!("sent to the upstream again after {}", show_duration(self.delay))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::support::{codes, effect, fault};

    #[test]
    fn it_is_sent_again_at_once_or_after_a_while() {
        for (entry, wanted, words) in [
            ("duplicate: {}", 0, "sent to the upstream twice"),
            ("duplicate:", 0, "sent to the upstream twice"),
            ("duplicate: { delay: 100ms }", 100, "sent to the upstream again after 100ms"),
        ] {
            let Effect::Duplicate { delay } = effect(entry, Stage::Upstream) else {
                panic!("{entry}");
            };
            assert_eq!(delay, Duration::from_millis(wanted), "{entry}");
            assert_eq!(fault(entry).describe(), words);
        }
    }

    #[test]
    fn a_delay_of_nothing_and_other_keys_are_refused() {
        assert_eq!(codes("duplicate: { delay: 0s }"), [Code::E0413]);
        assert_eq!(codes("duplicate: { delay: 100 }"), [Code::E0201]);
        assert_eq!(codes("duplicate: { times: 2 }"), [Code::E0101]);
        assert_eq!(codes("duplicate: 100ms"), [Code::E0003]);
    }
}
