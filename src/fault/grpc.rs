//! `grpc`: a call fails with a status of gRPC.
//!
//! ```yaml
//! - grpc: UNAVAILABLE                        # or its number: 14
//! - grpc: { code: RESOURCE_EXHAUSTED, message: quota, pushback: 2s }
//! - grpc: { code: UNAVAILABLE, details: { retry_delay: 2s, reason: STOCK_LOCKED } }
//! - grpc: { code: UNAVAILABLE, after: 3 messages }
//! - grpc: { code: UNAVAILABLE, after: 3 messages, side: request }
//! ```
//!
//! Without `after` the upstream never sees the call: it is answered by a head alone (`Trailers-Only`),
//! HTTP 200 with `grpc-status`, as by a server that turns it away. With `after` the upstream answers,
//! and when so many of its messages have come through, trailers say that it failed; an answer with fewer
//! messages ends as it does. `code: OK` with `after` is a stream that loses its end and says that it
//! is whole. `side: request` counts the messages that the client sends, and the call fails as soon as so
//! many have gone to the upstream, whatever it answered by then: a server that fails in the middle of an
//! upload. The upstream's stream is reset with CANCEL.
//!
//! Requests that are no gRPC calls (by their content type) are left alone: they could not read it.

use crate::{
    diag::{Code as Problem, Diagnostic},
    fault::{
        Canned, Cx, Denial, Effect, Fault, Stage,
        after::After,
        catalog::{Entry, Layer, Protocol, Traffic},
        form::Half,
    },
    grpc::{CONTENT_TYPE, Code, DETAILS, Detail, MESSAGE, PUSHBACK, STATUS, percent_encoded},
    read::{Field, Fields, Kind, Reader, Shape},
    units::show_duration,
    yaml::{Node, Spanned},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use std::{sync::Arc, time::Duration};

const NAMES: Kind = Kind::Word(&[
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
]);
const CODE: Kind = Kind::Any(&[NAMES, Kind::Integer(0, 16)]);

/// The row of the catalogue.
pub(super) const ENTRY: Entry = Entry {
    name: "grpc",
    layer: Layer::Message,
    protocols: Protocol::HTTP,
    traffic: Traffic::Grpc,
    summary: "a gRPC call fails with a status: code, message, details, pushback",
    about: "The call is answered with a `code` (`UNAVAILABLE`, or its number) and a `message`, by a head
alone, as by a server that turns it away; the upstream never sees it. `details` are a
`google.rpc.Status`: `retry_delay` makes a `RetryInfo`, `reason`, `domain` and `metadata` an
`ErrorInfo`. `pushback` (`grpc-retry-pushback-ms`) says when to try again, `pushback: never` not to.
`after: 3 messages` lets the upstream answer, and ends the answer with the status in its trailers when
so many messages have come through; an answer with fewer ends as it does. With `side: request` it is the
messages of the client that are counted, and the call fails when the upstream has got so many. Requests that are no gRPC
calls are left alone; for a proxy in between that answers with a status of HTTP, use `respond: 503`.",
    examples: &[
        "grpc: UNAVAILABLE",
        "grpc: { code: RESOURCE_EXHAUSTED, message: over quota, pushback: 2s }",
        "grpc: { code: UNAVAILABLE, details: { retry_delay: 2s, reason: STOCK_LOCKED, domain: shop } }",
        "grpc: { code: UNAVAILABLE, after: 3 messages }",
        "grpc: { code: UNAVAILABLE, after: 3 messages, side: request }",
    ],
    kind: Kind::Any(&[Kind::Map(&SHAPE), CODE]),
    read,
};

static SHAPE: Shape = Shape {
    what: "`grpc`",
    fields: &[
        Field::required("code", CODE, "the status: `UNAVAILABLE` and the others, or a number"),
        Field::optional("message", Kind::Text, "what it says to people; by default nothing"),
        Field::optional("details", Kind::Map(&DETAIL), "what it says to programs"),
        Field::optional(
            "pushback",
            Kind::Any(&[Kind::Duration, Kind::Word(&["never"])]),
            "when to try again, as `grpc-retry-pushback-ms`; `never` forbids it",
        ),
        Field::optional(
            "after",
            Kind::Moving(&Kind::Messages),
            "so many messages of the upstream's answer come through first: `3 messages`",
        ),
        Field::optional(
            "side",
            Half::KIND,
            "with `after`: whose messages are counted, the upstream's of the `response` (the default) or the client's of the `request`",
        ),
    ],
};

static DETAIL: Shape = Shape {
    what: "`details`",
    fields: &[
        Field::optional("retry_delay", Kind::Duration, "of `RetryInfo`: when to try again"),
        Field::optional("reason", Kind::Text, "of `ErrorInfo`: a constant such as `STOCK_LOCKED`"),
        Field::optional("domain", Kind::Text, "of `ErrorInfo`: whose reason it is"),
        Field::optional("metadata", Kind::Names(&Kind::Text), "of `ErrorInfo`: names and values"),
    ],
};

/// A head that holds more is refused by many clients (8 KiB of metadata).
const MOST_TEXT: usize = 4096;

/// Fails a call.
#[derive(Clone, Debug)]
struct Grpc {
    code: Code,
    canned: Arc<Canned>,
    trailers: Arc<HeaderMap>,
    after: Option<After>,
    /// Whose messages are counted.
    half: Half,
    wait: Option<Duration>,
}

fn read(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Arc<dyn Fault>> {
    let Node::Map(_) = &node.value else {
        let code = read_code(node, reader)?;
        return finished(code, node, None, None, HeaderMap::new(), reader);
    };
    let fields = reader.fields(node, &SHAPE)?;
    let mut whole = true;
    let code = part(fields.get("code"), &mut whole, |node| read_code(node, reader));
    let after = part(fields.get("after"), &mut whole, |node| reader.moving(node));
    let message = part(fields.get("message"), &mut whole, |node| read_text(node, reader));
    let details = part(fields.get("details"), &mut whole, |node| read_details(node, reader));
    let pushback = part(fields.get("pushback"), &mut whole, |node| read_pushback(node, reader));
    let half = part(fields.get("side"), &mut whole, |node| Half::read(Some(node), reader));
    if let (None, Some(place)) = (fields.get("after"), fields.key_span("side")) {
        let title = "`side` says whose messages `after` counts, and there is none";
        let help = "add `after: 3 messages`, or leave `side` out";
        reader.problem(Diagnostic::new(Problem::E0414, title, place).help(help));
        return None;
    }
    let code = code.filter(|_| whole)?;
    let message = message.unwrap_or_default();
    let mut said = HeaderMap::new();
    if !message.is_empty() {
        said.insert(MESSAGE, HeaderValue::try_from(percent_encoded(&message)).ok()?);
    }
    let mut wait = None;
    if let Some(details) = details {
        wait = details.retry_delay;
        said.insert(DETAILS, HeaderValue::try_from(details.header(code, &message)).ok()?);
    }
    if let Some(pushback) = pushback {
        let millis = match pushback {
            Pushback::After(wait) => i64::try_from(wait.as_millis()).unwrap_or(i64::MAX),
            Pushback::Never => -1,
        };
        wait = u64::try_from(millis).ok().map(Duration::from_millis);
        said.insert(PUSHBACK, HeaderValue::from(millis));
    }
    if code == Code::Ok && !is_alone(fields) {
        let title = "a call that went well has no message, details or pushback";
        let place = fields.get("code")?.span;
        reader.problem(
            Diagnostic::new(Problem::E0414, title, place)
                .help("write a code such as `UNAVAILABLE`, or leave these out"),
        );
        return None;
    }
    let after = after.map(|after| (After::Messages(after), half.unwrap_or(Half::Response)));
    finished(code, fields.get("code")?, after, wait, said, reader)
}

/// A part that may be left out; notes if it is there and could not be read.
fn part<T>(
    node: Option<&Spanned<Node>>,
    whole: &mut bool,
    read: impl FnOnce(&Spanned<Node>) -> Option<T>,
) -> Option<T> {
    let read = read(node?);
    *whole &= read.is_some();
    read
}

fn is_alone(fields: Fields<'_>) -> bool {
    fields.entries().iter().all(|(key, _)| matches!(&*key.value, "code" | "after" | "side"))
}

fn finished(
    code: Code,
    place: &Spanned<Node>,
    after: Option<(After, Half)>,
    wait: Option<Duration>,
    said: HeaderMap,
    reader: &mut Reader<'_>,
) -> Option<Arc<dyn Fault>> {
    if code == Code::Ok && after.is_none() {
        let title = "`OK` is no failure";
        reader.problem(Diagnostic::new(Problem::E0413, title, place.span).help(
            "write a code such as `UNAVAILABLE`; for a stream that ends too early, add `after: 3 messages`",
        ));
        return None;
    }
    let mut trailers = said;
    trailers.insert(STATUS, HeaderValue::from(u16::from(code.number())));
    let mut headers = trailers.clone();
    headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
    let canned = Canned { status: StatusCode::OK, headers, body: Bytes::new() };
    let (canned, trailers) = (Arc::new(canned), Arc::new(trailers));
    let (after, half) = after.map_or((None, Half::Response), |(after, half)| (Some(after), half));
    Some(Arc::new(Grpc { code, canned, trailers, after, half, wait }))
}

fn read_code(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Code> {
    if let Node::Int(_) = node.value {
        let number = reader.integer(node, 0, 16)?;
        return u8::try_from(number).ok().and_then(Code::of);
    }
    reader.choice(node, Code::WORDS)
}

fn read_text(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<String> {
    let text = reader.text(node)?;
    if text.len() > MOST_TEXT {
        let title = format!("a text of {} bytes is too long for a head", text.len());
        let help = format!("write at most {MOST_TEXT} bytes: clients refuse larger heads");
        reader.problem(Diagnostic::new(Problem::E0203, title, node.span).help(help));
        return None;
    }
    Some(text)
}

fn read_details(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Detail> {
    let fields = reader.fields(node, &DETAIL)?;
    if fields.entries().is_empty() {
        let title = "`details` says nothing";
        let help = "write `retry_delay`, `reason`, `domain` or `metadata`, or leave it out";
        reader.problem(Diagnostic::new(Problem::E0103, title, node.span).help(help));
        return None;
    }
    let mut whole = true;
    let retry_delay = part(fields.get("retry_delay"), &mut whole, |node| reader.quantity(node));
    let reason = part(fields.get("reason"), &mut whole, |node| read_text(node, reader));
    let domain = part(fields.get("domain"), &mut whole, |node| read_text(node, reader));
    let metadata = part(fields.get("metadata"), &mut whole, |node| {
        let names = reader.names(node, "a mapping from names to values")?;
        let pairs: Vec<_> = (names.entries().iter())
            .map(|(key, value)| Some((key.value.clone(), read_text(value, reader)?)))
            .collect();
        pairs.into_iter().collect()
    });
    let metadata = metadata.unwrap_or_default();
    whole.then_some(Detail { retry_delay, reason, domain, metadata })
}

/// When to try again.
#[derive(Clone, Copy, Debug)]
enum Pushback {
    After(Duration),
    Never,
}

fn read_pushback(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Pushback> {
    if matches!(&node.value, Node::Text(text) if text == "never") {
        return Some(Pushback::Never);
    }
    reader.quantity(node).map(Pushback::After)
}

impl Fault for Grpc {
    fn stages(&self) -> &'static [Stage] {
        match (&self.after, self.half) {
            (None, _) => &[Stage::End],
            (Some(_), Half::Response) => &[Stage::Cut],
            (Some(_), Half::Request) => &[Stage::RequestCut],
        }
    }

    fn decide(&self, _stage: Stage, cx: &Cx) -> Effect {
        match &self.after {
            _ if !cx.grpc => Effect::Pass,
            None => Effect::Respond(Arc::clone(&self.canned)),
            Some(after) => {
                Effect::Finish { after: after.at(&cx.moment), trailers: Arc::clone(&self.trailers) }
            }
        }
    }

    fn denies(&self) -> Denial {
        self.after.as_ref().map_or(Denial::Always, After::denies)
    }

    fn moves(&self) -> bool {
        self.after.as_ref().is_some_and(After::moves)
    }

    fn describe(&self) -> String {
        let mut text = self.code.name().to_owned();
        if let Some(wait) = self.wait {
            text.push_str(&format!(", retry after {}", show_duration(wait)));
        } else if self.trailers.contains_key(PUSHBACK) {
            text.push_str(", no retry");
        }
        if let Some(after) = &self.after {
            text.push_str(&format!(" after {}", after.show()));
            if self.half == Half::Request {
                text.push_str(" of the request");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fault::{
            Offset,
            support::{codes, cx, effect, fault},
        },
        grpc::Told,
    };

    fn canned(entry: &str) -> Arc<Canned> {
        match effect(entry, Stage::End) {
            Effect::Respond(canned) => canned,
            other => panic!("{entry}: {other:?}"),
        }
    }

    #[test]
    fn a_call_is_turned_away_by_a_head_alone() {
        for entry in ["grpc: UNAVAILABLE", "grpc: 14", "grpc: { code: 14 }"] {
            let canned = canned(entry);
            assert_eq!((canned.status, canned.body.len()), (StatusCode::OK, 0), "{entry}");
            assert_eq!(canned.headers["content-type"], "application/grpc");
            assert_eq!(canned.headers["grpc-status"], "14");
            assert!(!canned.headers.contains_key("grpc-message"));
            assert_eq!(fault(entry).describe(), "UNAVAILABLE");
        }
    }

    #[test]
    fn message_details_and_pushback_are_sent_as_clients_read_them() {
        let full =
            canned("grpc: { code: INTERNAL, message: 'r\u{fc}ck 5%', details: { reason: X } }");
        assert_eq!(full.headers["grpc-message"], "r%C3%BCck 5%25");
        assert!(full.headers.contains_key("grpc-status-details-bin"));
        for (entry, wait, never, said) in [
            (
                "{ code: 8, pushback: 1500ms }",
                Some(1_500),
                false,
                "RESOURCE_EXHAUSTED, retry after 1.5s",
            ),
            ("{ code: 14, pushback: never }", None, true, "UNAVAILABLE, no retry"),
            (
                "{ code: 14, details: { retry_delay: 2s } }",
                Some(2_000),
                false,
                "UNAVAILABLE, retry after 2s",
            ),
        ] {
            let entry = format!("grpc: {entry}");
            let told = Told::of(&canned(&entry).headers).expect("a status");
            assert_eq!(told.wait, wait.map(Duration::from_millis), "{entry}");
            assert_eq!(told.never, never, "{entry}");
            assert_eq!(fault(&entry).describe(), said);
        }
    }

    #[test]
    fn a_stream_fails_in_its_trailers() {
        let entry = "grpc: { code: OK, after: 3 messages }";
        let Effect::Finish { after, trailers } = effect(entry, Stage::Cut) else {
            panic!("{entry}")
        };
        assert_eq!(after, Offset::Messages(3));
        assert_eq!(trailers["grpc-status"], "0");
        assert!(!trailers.contains_key("content-type"));
        assert_eq!(fault(entry).describe(), "OK after 3 messages");
    }

    #[test]
    fn an_upload_fails_in_the_middle() {
        let entry = "grpc: { code: UNAVAILABLE, after: 3 messages, side: request }";
        let effect = effect(entry, Stage::RequestCut);
        assert!(matches!(effect, Effect::Finish { after: Offset::Messages(3), .. }), "{effect:?}");
        assert_eq!(fault(entry).stages(), [Stage::RequestCut]);
        assert_eq!(fault(entry).describe(), "UNAVAILABLE after 3 messages of the request");
        assert_eq!(fault(&entry.replace("request", "response")).stages(), [Stage::Cut]);
    }

    #[test]
    fn what_is_no_call_is_left_alone() {
        let other = Cx { grpc: false, ..cx(0) };
        for (entry, stage) in
            [("grpc: 14", Stage::End), ("grpc: { code: 14, after: 1 message }", Stage::Cut)]
        {
            assert!(matches!(fault(entry).decide(stage, &other), Effect::Pass), "{entry}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (entry, code) in [
            ("grpc: UNAVAILIBLE", Problem::E0205),
            ("grpc: unavailable", Problem::E0205),
            ("grpc: 17", Problem::E0203),
            ("grpc: -1", Problem::E0203),
            ("grpc: OK", Problem::E0413),
            ("grpc: { code: 0 }", Problem::E0413),
            ("grpc: { message: x }", Problem::E0103),
            ("grpc: { code: OK, after: 1 message, pushback: 1s }", Problem::E0414),
            ("grpc: { code: 14, after: 3 }", Problem::E0201),
            ("grpc: { code: 14, side: request }", Problem::E0414),
            ("grpc: { code: 14, after: 3 messages, side: both }", Problem::E0205),
            ("grpc: { code: 14, details: {} }", Problem::E0103),
            ("grpc: { code: 14, details: { retry_delay: 2 } }", Problem::E0201),
            ("grpc: { code: 14, pushback: soon }", Problem::E0202),
        ] {
            assert_eq!(codes(entry), [code], "{entry}");
        }
        let long = format!("grpc: {{ code: 14, message: {} }}", "x".repeat(5_000));
        assert_eq!(codes(&long), [Problem::E0203]);
    }
}
