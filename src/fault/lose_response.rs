//! `lose_response`: the upstream does the work, and the client never hears of it.
//!
//! ```yaml
//! - lose_response: {}               # a RST in place of the answer
//! - lose_response: 503              # another answer
//! - lose_response: { by: hang }     # silence
//! ```
//!
//! The request reaches the upstream and is answered; the answer is thrown away. It is the failure
//! that a client can't tell from one that happened before the work was done, and the best test of
//! idempotency keys: a client that repeats a purchase buys twice. It differs from `reset`,
//! `respond` and `hang`, which keep the request from the upstream.

use crate::{
    fault::{
        Close, Cx, Denial, Effect, Fault, Loss, Stage,
        canned::{bare, read_status},
        catalog::{Entry, Layer, Protocol, Traffic},
    },
    read::{Field, Kind, Reader, Shape},
    yaml::{Node, Spanned},
};
use http::StatusCode;
use std::sync::Arc;

/// The row of the catalogue.
pub(super) const ENTRY: Entry = Entry {
    name: "lose_response",
    layer: Layer::Message,
    protocols: Protocol::HTTP,
    traffic: Traffic::Http,
    summary: "the upstream does the work, and the client never hears of it",
    about: "The request reaches the upstream, and its answer is thrown away. The client meets a RST
(`by: reset`, the default), an early end (`close`), silence until the phase ends (`hang`), or an
answer with another status. A client that repeats a request which is not idempotent does the work
twice: the report counts those duplicates.",
    examples: &["lose_response: {}", "lose_response: 503", "lose_response: { by: hang }"],
    kind: Kind::Any(&[Kind::Map(&SHAPE), BY]),
    read,
};

const BY: Kind = Kind::Any(&[Kind::Word(&["reset", "close", "hang"]), Kind::Integer(200, 599)]);

static SHAPE: Shape = Shape {
    what: "`lose_response`",
    fields: &[Field::optional(
        "by",
        BY,
        "`reset` (the default), `close`, `hang`, or the status to answer with",
    )],
};

#[derive(Clone, Copy, Debug)]
enum By {
    Reset,
    Close,
    Hang,
    Status(StatusCode),
}

/// Throws an answer away.
#[derive(Clone, Debug)]
struct LoseResponse {
    by: By,
    loss: Loss,
}

fn read(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Arc<dyn Fault>> {
    let by = match &node.value {
        Node::Null => By::Reset,
        Node::Map(_) => match reader.fields(node, &SHAPE)?.get("by") {
            Some(by) => read_by(by, reader)?,
            None => By::Reset,
        },
        _ => read_by(node, reader)?,
    };
    let loss = match by {
        By::Reset => Loss::Close(Close::Reset),
        By::Close => Loss::Close(Close::Fin),
        By::Hang => Loss::Hang,
        By::Status(status) => Loss::Respond(Arc::new(bare(status))),
    };
    Some(Arc::new(LoseResponse { by, loss }))
}

fn read_by(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<By> {
    let is_status = match &node.value {
        Node::Int(_) => true,
        Node::Text(text) => text.starts_with(|first: char| first.is_ascii_digit()),
        _ => false,
    };
    if is_status {
        return read_status(node, reader).map(By::Status);
    }
    reader.choice(node, &[("reset", By::Reset), ("close", By::Close), ("hang", By::Hang)])
}

impl Fault for LoseResponse {
    fn stages(&self) -> &'static [Stage] {
        &[Stage::Upstream]
    }

    fn decide(&self, _stage: Stage, _cx: &Cx) -> Effect {
        Effect::Lose(self.loss.clone())
    }

    fn denies(&self) -> Denial {
        match &self.loss {
            Loss::Respond(canned) => canned.denies(),
            Loss::Close(_) | Loss::Hang | Loss::Say(_) => Denial::Always,
        }
    }

    fn describe(&self) -> String {
        match self.by {
            By::Reset => "answer lost, reset".to_owned(),
            By::Close => "answer lost, closed".to_owned(),
            By::Hang => "answer lost, silence".to_owned(),
            By::Status(status) => format!("answer lost, {} instead", status.as_u16()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diag::Code,
        fault::support::{codes, effect},
    };

    fn loss(entry: &str) -> Loss {
        match effect(entry, Stage::Upstream) {
            Effect::Lose(loss) => loss,
            other => panic!("{entry}: {other:?}"),
        }
    }

    #[test]
    fn the_client_meets_what_is_asked_for() {
        assert_eq!(loss("lose_response: {}"), Loss::Close(Close::Reset));
        assert_eq!(loss("lose_response: reset"), Loss::Close(Close::Reset));
        assert_eq!(loss("lose_response: { by: close }"), Loss::Close(Close::Fin));
        assert_eq!(loss("lose_response: hang"), Loss::Hang);
        assert!(matches!(loss("lose_response: { by: 502 }"), Loss::Respond(c) if c.status == 502));
        assert!(matches!(loss("lose_response: 504"), Loss::Respond(c) if c.status == 504));
    }

    #[test]
    fn words_and_statuses_are_checked() {
        assert_eq!(codes("lose_response: rest"), [Code::E0205]);
        assert_eq!(codes("lose_response: 101"), [Code::E0415]);
        assert_eq!(codes("lose_response: { with: 503 }"), [Code::E0101]);
    }
}
