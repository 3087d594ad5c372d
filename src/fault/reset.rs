//! `reset`: the connection breaks with a RST.
//!
//! ```yaml
//! - reset: {}                                # at the request's head; short: reset: request
//! - reset: connect                           # as soon as it is accepted
//! - reset: { at: response, after: 10KiB }    # in the middle of the answer
//! - reset: { at: response, after: 3 messages }         # of a gRPC call
//! - reset: { at: request, after: 3 messages }          # that its client sent
//! - reset: { error: REFUSED_STREAM }         # the code on HTTP/2
//! ```
//!
//! The client's read or write fails with ECONNRESET; on HTTP/2 it is the stream that is reset. At
//! `request` (the default) the upstream never sees the request, so repeating it is safe; at
//! `response` it did the work, and a client that repeats a purchase buys twice. At `connect` there
//! is no request yet, so it is counted by connections and a `target` cannot choose. `at: request` with
//! `after` breaks a gRPC call when so many messages of its client's have gone to the upstream, whose stream
//! is reset as well, with CANCEL, as by any proxy whose client is gone.
//!
//! Where the protocol is not known, `request` means the first bytes that the client sends, of which
//! the upstream gets none, and `response` the bytes of the response stream, counted from when the
//! fault meets the connection. A share of a body cannot be known there.

use crate::{
    diag::{Code, Diagnostic},
    dice::Dice,
    fault::{
        ByteFilter, Close, Cx, Denial, Effect, Fault, Promise, Stage, Way,
        after::After,
        catalog::{Entry, Layer, Protocol, Traffic},
        h2_error::H2Error,
        limit_data::Limit,
        on_bytes::{Bytewise, OnBytes},
    },
    read::{Field, Kind, Reader, Shape},
    timeline::Moving,
    units::ByteSize,
    yaml::{Node, Spanned},
};
use std::sync::Arc;

/// The row of the catalogue.
pub(super) const ENTRY: Entry = Entry {
    name: "reset",
    layer: Layer::Message,
    protocols: Protocol::ALL,
    traffic: Traffic::HttpAndBytes,
    summary: "the connection breaks with a RST",
    about:
        "The client's socket fails with ECONNRESET. On HTTP/2 only the stream is reset, by RST_STREAM
with the code `error`; the others on its connection do not notice. The default is INTERNAL_ERROR, which
is what nginx, Envoy, Go and others send when an answer cannot be had; REFUSED_STREAM promises that
nothing was done, so that clients repeat even what is not idempotent. HTTP/1 knows no codes. `at: connect`
breaks a connection as soon as it is accepted; there is no request yet, so give a `share` of
connections and no `target`. `at: request`, the default, breaks it when the head of a request was
read; the upstream never sees it. `at: response` lets the upstream answer and breaks the body
`after` so many bytes, this share of it, so many server-sent events (`3 events`) or messages of a gRPC
call (`3 messages`) or a time, by default before the first. `at: request` with `after: 3 messages` breaks
a gRPC call when so many messages of its client have gone to the upstream, whose stream is reset with
CANCEL; a call of fewer goes on. On a proxy with `protocol:
tcp` there are no messages: `request` is the first bytes from the client, `after` counts the bytes
of the response stream, and cannot be a share.",
    examples: &[
        "reset: {}",
        "reset: connect",
        "reset: { at: response, after: 10KiB }",
        "reset: { at: response, after: 3 messages }",
        "reset: { at: request, after: 3 messages }",
        "reset: { error: REFUSED_STREAM }",
    ],
    kind: Kind::Any(&[Kind::Map(&SHAPE), Kind::Word(&["connect", "request", "response"])]),
    read,
};

static SHAPE: Shape = Shape {
    what: "`reset`",
    fields: &[
        Field::optional(
            "at",
            Kind::Word(&["connect", "request", "response"]),
            "`connect`, `request` (the default) or `response`",
        ),
        Field::optional(
            "error",
            H2Error::KIND,
            "the code of the reset on HTTP/2; `INTERNAL_ERROR` if left out",
        ),
        Field::optional(
            "after",
            After::KIND,
            "with `at: response`: how much of the body arrives: a size, a share, `3 events`, `3 messages` or a time such as `30s`; by default none. With `at: request`: how many `messages` of a gRPC call the upstream gets",
        ),
    ],
};

const WORDS: &[(&str, At)] =
    &[("connect", At::Connect), ("request", At::Request), ("response", At::Response)];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Connect,
    Request,
    Response,
}

/// Breaks a connection.
#[derive(Clone, Debug)]
struct Reset {
    at: At,
    /// Of the response's body; of the request's, if it is not the start.
    after: After,
    /// For HTTP/2.
    error: Option<H2Error>,
}

fn read(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Arc<dyn Fault>> {
    let (mut at, mut after, mut error) = (At::Request, After::START, None);
    match &node.value {
        Node::Null => {}
        Node::Map(_) => {
            let fields = reader.fields(node, &SHAPE)?;
            if let Some(word) = fields.get("at") {
                at = reader.choice(word, WORDS)?;
            }
            if let (Some(word), Some(key)) = (fields.get("error"), fields.key_span("error")) {
                if at == At::Connect {
                    let title = "`error` is for a stream, and `at: connect` there is none yet";
                    let help = "leave `error` out, or write `at: request`";
                    reader.problem(Diagnostic::new(Code::E0414, title, key).help(help));
                    return None;
                }
                error = Some(H2Error::read(word, reader)?);
            }
            if let (Some(place), Some(key)) = (fields.get("after"), fields.key_span("after")) {
                if at == At::Connect || fields.get("at").is_none() {
                    let title = "`after` needs `at: response`, or `at: request` for a gRPC call";
                    let help = "write whose messages or bytes are counted, or leave `after` out";
                    reader.problem(Diagnostic::new(Code::E0414, title, key).help(help));
                    return None;
                }
                after = After::read(place, reader)?;
                if at == At::Request && !matches!(after, After::Messages(_)) {
                    let title = "of a request only the messages of a gRPC call are counted";
                    let help = "write `after: 3 messages`, or `at: response`";
                    reader.problem(Diagnostic::new(Code::E0414, title, place.span).help(help));
                    return None;
                }
                if after.is_behind_the_end() {
                    let title = "a reset after `100%` of the body comes too late";
                    let help = "write less than `100%`";
                    reader.problem(Diagnostic::new(Code::E0413, title, place.span).help(help));
                    return None;
                }
            }
        }
        _ => at = reader.choice(node, WORDS)?,
    }
    Some(Arc::new(Reset { at, after, error }))
}

impl Fault for Reset {
    fn stages(&self) -> &'static [Stage] {
        match self.at {
            At::Connect => &[Stage::Connect],
            At::Request if self.is_within_request() => &[Stage::RequestCut],
            At::Request => &[Stage::End],
            At::Response => &[Stage::Cut],
        }
    }

    fn decide(&self, _stage: Stage, cx: &Cx) -> Effect {
        match self.at {
            At::Request if self.is_within_request() && !cx.grpc => Effect::Pass,
            At::Connect | At::Request if !self.is_within_request() => Effect::Close(self.close()),
            _ => Effect::Cut { after: self.after.at(&cx.moment), close: Some(self.close()) },
        }
    }

    fn on_bytes(&self) -> Option<Arc<dyn Fault>> {
        self.limit().is_some().then(|| Arc::new(OnBytes(self.clone())) as Arc<dyn Fault>)
    }

    fn works_on(&self, protocol: Protocol) -> Result<(), String> {
        match (protocol, &self.after) {
            (Protocol::Tcp, _) if self.error.is_some() => {
                Err("`error` needs `protocol: http`: bytes have no streams".to_owned())
            }
            (Protocol::Tcp, After::Events(_) | After::Time(_)) => Err(format!(
                "`after: {}` needs `protocol: http`: on bytes nobody knows where an answer begins",
                self.after.show()
            )),
            (Protocol::Tcp, After::Share(share)) => Err(format!(
                "`after: {}` needs `protocol: http`: on bytes nobody knows how long a body is",
                share.show()
            )),
            (Protocol::Tcp, After::Messages(count)) => Err(format!(
                "`after: {}` needs `protocol: http`: in bytes nobody knows a message",
                count.show()
            )),
            _ => Ok(()),
        }
    }

    fn breaks(&self) -> &'static [Promise] {
        &[Promise::Life]
    }

    fn moves(&self) -> bool {
        self.after.moves()
    }

    fn denies(&self) -> Denial {
        match self.at {
            At::Connect | At::Request if !self.is_within_request() => Denial::Always,
            _ => self.after.denies(),
        }
    }

    fn describe(&self) -> String {
        let place = match self.at {
            At::Connect => "reset on connect".to_owned(),
            At::Request if self.is_within_request() => {
                format!("reset after {} of the request", self.after.show())
            }
            At::Request => "reset at the request".to_owned(),
            At::Response if self.after == After::START => "reset before the body".to_owned(),
            At::Response => format!("reset after {} of the body", self.after.show()),
        };
        self.error.map_or(place.clone(), |error| format!("{place}, {}", error.name()))
    }
}

impl Reset {
    /// Whether it breaks a request in the middle.
    fn is_within_request(&self) -> bool {
        self.at == At::Request && self.after != After::START
    }

    fn close(&self) -> Close {
        self.error.map_or(Close::Reset, Close::ResetStream)
    }

    /// Which bytes are counted, and how many of them pass; `None` if that cannot be said in bytes.
    fn limit(&self) -> Option<(Way, Moving<ByteSize>)> {
        match (self.at, &self.after) {
            (At::Request, _) if !self.is_within_request() => {
                Some((Way::Up, Moving::Fixed(ByteSize(0))))
            }
            (At::Response, After::Size(size)) => Some((Way::Down, size.clone())),
            _ => None,
        }
    }
}

impl Bytewise for Reset {
    fn shaper(&self, way: Way, _connection: Dice, _shared: Dice) -> Option<Box<dyn ByteFilter>> {
        let (_, most) = self.limit().filter(|(counted, _)| *counted == way)?;
        Some(Box::new(Limit::new(most, Close::Reset)))
    }

    fn describe_bytes(&self) -> String {
        match self.at {
            At::Connect => self.describe(),
            At::Request => "reset at the client's first bytes".to_owned(),
            At::Response if self.after == After::START => "reset at the first answer".to_owned(),
            At::Response => format!("reset after {} of answers", self.after.show()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{
        Offset, Out,
        support::{codes, cx, effect, fault, moment},
    };
    use bytes::Bytes;
    use std::time::Duration;

    #[test]
    fn before_the_answer_it_closes_with_a_reset() {
        for (entry, stage) in [
            ("reset: {}", Stage::End),
            ("reset: request", Stage::End),
            ("reset: { at: connect }", Stage::Connect),
        ] {
            assert!(matches!(effect(entry, stage), Effect::Close(Close::Reset)), "{entry}");
        }
    }

    #[test]
    fn in_the_answer_it_cuts_with_a_reset() {
        for (entry, wanted) in [
            ("reset: response", Offset::Bytes(0)),
            ("reset: { at: response, after: 10KiB }", Offset::Bytes(10_240)),
            ("reset: { at: response, after: 25% }", Offset::Fraction(0.25)),
            ("reset: { at: response, after: 1 message }", Offset::Messages(1)),
        ] {
            let effect = effect(entry, Stage::Cut);
            let Effect::Cut { after, close: Some(Close::Reset) } = effect else {
                panic!("{entry}: {effect:?}")
            };
            assert_eq!(after, wanted, "{entry}");
        }
    }

    #[test]
    fn without_messages_it_resets_at_the_first_bytes_or_after_so_many_of_the_answer() {
        let cx = cx(0);
        let now = Duration::from_secs(30);
        for (entry, way, passes) in [
            ("reset: {}", Way::Up, ""),
            ("reset: response", Way::Down, ""),
            ("reset: { at: response, after: 3B }", Way::Down, "abc"),
            ("reset: { at: response, after: 0B -> 4B }", Way::Down, "ab"),
        ] {
            let fault = fault(entry).on_bytes().expect("it works on bytes");
            let both = [Way::Up, Way::Down];
            let filters = both.map(|way| fault.filter(way, cx.connection, cx.shared));
            assert_eq!(filters.each_ref().map(Option::is_some), both.map(|w| w == way), "{entry}");
            let mut filter = filters.into_iter().flatten().next().expect("one filter");
            filter.tune(now, Some(&moment(now)));
            filter.push(now, Bytes::from_static(b"abcdef"));
            let outs: Vec<Out> = std::iter::from_fn(|| filter.pull(now)).collect();
            let bytes = (!passes.is_empty()).then(|| Out::Bytes(passes.into()));
            let wanted: Vec<Out> = bytes.into_iter().chain([Out::Close(Close::Reset)]).collect();
            assert_eq!(outs, wanted, "{entry}");
        }
    }

    #[test]
    fn a_share_of_a_body_needs_messages_and_a_new_connection_is_one_anyway() {
        let share = fault("reset: { at: response, after: 25% }");
        assert!(share.on_bytes().is_none());
        let wrong = share.works_on(Protocol::Tcp).expect_err("nobody knows the length");
        assert!(wrong.contains("`after: 25%`"), "{wrong}");
        assert!(share.works_on(Protocol::Http).is_ok());

        let connect = fault("reset: connect");
        assert!(connect.on_bytes().is_none() && connect.works_on(Protocol::Tcp).is_ok());
        assert_eq!(connect.stages(), [Stage::Connect]);
    }

    #[test]
    fn in_the_request_it_counts_what_the_client_sends() {
        let entry = "reset: { at: request, after: 3 messages, error: CANCEL }";
        let Effect::Cut { after: Offset::Messages(3), close: Some(Close::ResetStream(_)) } =
            effect(entry, Stage::RequestCut)
        else {
            panic!("{entry}")
        };
        let reset = fault(entry);
        assert_eq!(reset.stages(), [Stage::RequestCut]);
        assert_eq!(reset.describe(), "reset after 3 messages of the request, CANCEL");
        assert!(reset.on_bytes().is_none() && reset.works_on(Protocol::Tcp).is_err());
        let other = Cx { grpc: false, ..cx(0) };
        assert!(matches!(reset.decide(Stage::RequestCut, &other), Effect::Pass));
    }

    #[test]
    fn a_code_is_for_a_stream() {
        let effect = effect("reset: { error: REFUSED_STREAM }", Stage::End);
        let Effect::Close(Close::ResetStream(error)) = effect else { panic!("{effect:?}") };
        assert_eq!((error.code(), error.name()), (7, "REFUSED_STREAM"));
        assert_eq!(codes("reset: { at: connect, error: CANCEL }"), [Code::E0414]);
        assert_eq!(codes("reset: { error: NOPE }"), [Code::E0205]);
    }

    #[test]
    fn bytes_are_counted_in_a_response_only() {
        assert_eq!(codes("reset: { after: 10KiB }"), [Code::E0414]);
        assert_eq!(codes("reset: { after: 3 messages }"), [Code::E0414]);
        assert_eq!(codes("reset: { at: request, after: 10KiB }"), [Code::E0414]);
        assert_eq!(codes("reset: { at: connect, after: 3 messages }"), [Code::E0414]);
        assert_eq!(codes("reset: { at: response, after: 100% }"), [Code::E0413]);
        assert_eq!(codes("reset: { at: respone }"), [Code::E0205]);
    }
}
