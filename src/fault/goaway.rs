//! `goaway`: the server is done with the connection.
//!
//! ```yaml
//! - goaway: {}                              # GOAWAY with NO_ERROR: what is under way is finished
//! - goaway: { error: ENHANCE_YOUR_CALM }    # GOAWAY with this code, and the end; short: goaway: ENHANCE_YOUR_CALM
//! ```
//!
//! The first is every deployment and every scale-down: a client should open another connection and
//! lose nothing. With a code it is a server that throws its client out: every stream on the connection
//! comes to nothing, however far it was. On HTTP/1 the same ends are `connection: close`, and a FIN.

use crate::{
    fault::{
        Cx, Denial, Effect, Fault, Stage,
        catalog::{Entry, Layer, Protocol, Traffic},
        h2_error::H2Error,
    },
    read::{Field, Kind, Reader, Shape},
    yaml::{Node, Spanned},
};
use std::sync::Arc;

/// The row of the catalogue.
pub(super) const ENTRY: Entry = Entry {
    name: "goaway",
    layer: Layer::Message,
    protocols: Protocol::HTTP,
    traffic: Traffic::Http2,
    summary: "the server is done with the connection: it finishes what is under way, or it does not",
    about: "On HTTP/2 the connection that the request came on is sent GOAWAY. Without an `error`, or
with NO_ERROR, the request and all others under way are served, new ones are to come on another
connection, and this one ends when it is empty: a deployment, a scale-down. A client should not fail a
single call. With any other `error` the connection is closed with that code when the head of the
request was read: its upstream never sees it, and all others that share the connection come to nothing,
wherever they are. On HTTP/1 the same is an answer with `connection: close`, or a FIN without one.",
    examples: &["goaway: {}", "goaway: ENHANCE_YOUR_CALM", "goaway: { error: INTERNAL_ERROR }"],
    kind: Kind::Any(&[Kind::Map(&SHAPE), H2Error::KIND]),
    read,
};

static SHAPE: Shape = Shape {
    what: "`goaway`",
    fields: &[Field::optional(
        "error",
        H2Error::KIND,
        "the code of GOAWAY; `NO_ERROR`, after which all under way is served, if left out",
    )],
};

#[derive(Clone, Copy, Debug)]
struct GoAway {
    error: H2Error,
}

fn read(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Arc<dyn Fault>> {
    let error = match &node.value {
        Node::Null => H2Error::NO_ERROR,
        Node::Map(_) => match reader.fields(node, &SHAPE)?.get("error") {
            Some(word) => H2Error::read(word, reader)?,
            None => H2Error::NO_ERROR,
        },
        _ => H2Error::read(node, reader)?,
    };
    Some(Arc::new(GoAway { error }))
}

impl GoAway {
    fn is_graceful(self) -> bool {
        self.error == H2Error::NO_ERROR
    }
}

impl Fault for GoAway {
    fn stages(&self) -> &'static [Stage] {
        // One that ends the request has its say before the upstream; one that does not, beside it.
        if self.is_graceful() { &[Stage::Request] } else { &[Stage::End] }
    }

    fn decide(&self, _stage: Stage, _cx: &Cx) -> Effect {
        Effect::GoAway(self.error)
    }

    fn denies(&self) -> Denial {
        if self.is_graceful() { Denial::Never } else { Denial::Always }
    }

    fn describe(&self) -> String {
        if self.is_graceful() {
            return "GOAWAY, streams finish".to_owned();
        }
        format!("GOAWAY {}, connection closed", self.error.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diag::Code,
        fault::support::{codes, effect, fault},
    };

    #[test]
    fn without_an_error_the_request_goes_on() {
        for entry in ["goaway: {}", "goaway: NO_ERROR", "goaway: { error: NO_ERROR }"] {
            let Effect::GoAway(error) = effect(entry, Stage::Request) else { panic!("{entry}") };
            assert_eq!(error, H2Error::NO_ERROR, "{entry}");
            assert_eq!(fault(entry).denies(), Denial::Never);
        }
    }

    #[test]
    fn an_error_ends_it() {
        let Effect::GoAway(error) = effect("goaway: ENHANCE_YOUR_CALM", Stage::End) else {
            panic!("no end")
        };
        assert_eq!((error.code(), error.name()), (11, "ENHANCE_YOUR_CALM"));
        assert_eq!(codes("goaway: CALM_DOWN"), [Code::E0205]);
    }
}
