//! `malformed`: an answer that is not HTTP.
//!
//! ```yaml
//! - malformed: garbage
//! - malformed: { kind: chunk, after_upstream: yes }
//! ```
//!
//! What a client meets when somebody else listens on the port, when a gateway crashes, or when a
//! server has a bug in its framing: a parser's error, or a part that is taken for the whole. The
//! connection is closed with a FIN after it. It differs from `truncate`, whose every byte is right.

use crate::{
    dice::{Dice, Purpose},
    fault::{
        Cx, Denial, Effect, Fault, Loss, Raw, Stage,
        catalog::{Entry, Layer, Protocol, Traffic},
    },
    read::{Field, Kind, Reader, Shape},
    yaml::{Node, Spanned},
};
use bytes::Bytes;
use http::StatusCode;
use rand::Rng as _;
use std::sync::Arc;

/// The row of the catalogue.
pub(super) const ENTRY: Entry = Entry {
    name: "malformed",
    layer: Layer::Message,
    protocols: Protocol::HTTP,
    traffic: Traffic::Http,
    summary: "an answer that is not HTTP: garbage, nothing at all, a broken head or chunk",
    about: "The request is read, these bytes are written, and the connection is closed with a FIN:

    garbage      64 to 1024 random bytes, other ones for each request, the same for the same seed
    empty        nothing: the connection is closed without a byte
    protocol     the greeting of another protocol, as of a service that took over the port
    status_line  a first line without a number for a status, then a head and a body as they should be
    header       a good first line, then a line in the head that is no field
    length       a good head, but its `content-length` is no number
    half_head    a head that ends in the middle of a field
    chunk        a good head with the status 200, a good chunk, then a chunk whose size is no number

The upstream never sees the request, so repeating it is safe, unless `after_upstream: yes` lets it do
the work first and loses its answer; then a request that gets no answer from the upstream is not hit.
Some clients take `header`, `length` and `half_head` for a whole answer (Python does, and curl the last
one): those are worth finding. An answer to `HEAD` ends with its head, so `chunk` does it no harm.",
    examples: &[
        "malformed: garbage",
        "malformed: empty",
        "malformed: chunk",
        "malformed: { kind: status_line, after_upstream: yes }",
    ],
    kind: Kind::Any(&[Kind::Map(&SHAPE), KIND]),
    read,
};

const KIND: Kind = Kind::Word(&[
    "garbage",
    "empty",
    "protocol",
    "status_line",
    "header",
    "length",
    "half_head",
    "chunk",
]);

static SHAPE: Shape = Shape {
    what: "`malformed`",
    fields: &[
        Field::required("kind", KIND, "what is wrong with it, such as `garbage` or `chunk`"),
        Field::optional(
            "after_upstream",
            Kind::Flag,
            "whether the upstream does the work first; `no` by default",
        ),
    ],
};

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    Garbage,
    Empty,
    Protocol,
    StatusLine,
    Header,
    Length,
    HalfHead,
    Chunk,
}

const WORDS: [(&str, Flaw); 8] = [
    ("garbage", Flaw::Garbage),
    ("empty", Flaw::Empty),
    ("protocol", Flaw::Protocol),
    ("status_line", Flaw::StatusLine),
    ("header", Flaw::Header),
    ("length", Flaw::Length),
    ("half_head", Flaw::HalfHead),
    ("chunk", Flaw::Chunk),
];

impl Flaw {
    /// What is written, and the status that can be read from it.
    fn raw(self, dice: Dice) -> Raw {
        let (text, status) = match self {
            Self::Garbage => return Raw { bytes: garbage(dice), status: None },
            Self::Empty => ("", None),
            Self::Protocol => ("SSH-2.0-OpenSSH_9.6\r\n", None),
            Self::StatusLine => (
                "HTTP/1.1 2oo OK\r\ncontent-type: text/plain\r\ncontent-length: 3\r\n\r\nok\n",
                None,
            ),
            Self::Header => (
                "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nthis line is no field\r\n\
                 content-length: 3\r\n\r\nok\n",
                Some(StatusCode::OK),
            ),
            Self::Length => (
                "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: three\r\n\r\nok\n",
                Some(StatusCode::OK),
            ),
            Self::HalfHead => {
                ("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-le", Some(StatusCode::OK))
            }
            Self::Chunk => (
                "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n\
                 5\r\nhello\r\nxyz\r\nworld\r\n0\r\n\r\n",
                Some(StatusCode::OK),
            ),
        };
        Raw { bytes: Bytes::from_static(text.as_bytes()), status }
    }

    const fn describe(self) -> &'static str {
        match self {
            Self::Garbage => "garbage in place of an answer",
            Self::Empty => "closed without an answer",
            Self::Protocol => "the greeting of another protocol",
            Self::StatusLine => "answer with a broken status line",
            Self::Header => "answer with a broken header field",
            Self::Length => "answer with a broken content-length",
            Self::HalfHead => "answer that ends within its head",
            Self::Chunk => "answer with a broken chunk",
        }
    }
}

/// Random bytes, of which the first could not begin anything.
fn garbage(dice: Dice) -> Bytes {
    let mut rng = dice.rng(Purpose::Garbage);
    let length = 64 + rng.next_u64() % (1024 - 64 + 1);
    let mut bytes: Vec<u8> = (0..length).map(|_| rng.next_u64().to_le_bytes()[0]).collect();
    bytes[0] |= 0x80;
    bytes.into()
}

/// Answers with something else than HTTP.
#[derive(Clone, Copy, Debug)]
struct Malformed {
    flaw: Flaw,
    after_upstream: bool,
}

fn read(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Arc<dyn Fault>> {
    let (flaw, after_upstream) = match &node.value {
        Node::Map(_) => {
            let fields = reader.fields(node, &SHAPE)?;
            let flaw = reader.choice(fields.get("kind")?, &WORDS);
            let after = fields.get("after_upstream").map_or(Some(false), |n| reader.boolean(n));
            (flaw?, after?)
        }
        _ => (reader.choice(node, &WORDS)?, false),
    };
    Some(Arc::new(Malformed { flaw, after_upstream }))
}

impl Fault for Malformed {
    fn stages(&self) -> &'static [Stage] {
        if self.after_upstream { &[Stage::Upstream] } else { &[Stage::End] }
    }

    fn decide(&self, _stage: Stage, cx: &Cx) -> Effect {
        let raw = self.flaw.raw(cx.message);
        if self.after_upstream { Effect::Lose(Loss::Say(raw)) } else { Effect::Say(raw) }
    }

    fn denies(&self) -> Denial {
        Denial::Always
    }

    fn word(&self) -> Option<String> {
        WORDS.iter().find(|(_, flaw)| *flaw == self.flaw).map(|(word, _)| (*word).to_owned())
    }

    fn describe(&self) -> String {
        let what = self.flaw.describe();
        if self.after_upstream { format!("answer lost, {what}") } else { what.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diag::Code,
        fault::support::{codes, cx, fault},
    };
    use std::collections::HashSet;

    fn raw(entry: &str, nth: u64) -> Raw {
        match fault(entry).decide(Stage::End, &cx(nth)) {
            Effect::Say(raw) => raw,
            other => panic!("{entry}: {other:?}"),
        }
    }

    #[test]
    fn garbage_is_another_for_each_request_and_begins_no_answer() {
        let mut seen = HashSet::new();
        let (mut shortest, mut longest) = (usize::MAX, 0);
        for nth in 0..500 {
            let bytes = raw("malformed: garbage", nth).bytes;
            assert_eq!(bytes, raw("malformed: garbage", nth).bytes);
            assert!(bytes[0] >= 0x80);
            (shortest, longest) = (shortest.min(bytes.len()), longest.max(bytes.len()));
            assert!(seen.insert(bytes));
        }
        assert!((64..100).contains(&shortest) && (980..=1024).contains(&longest));
    }

    #[test]
    fn each_word_is_read_and_is_broken_in_its_own_way() {
        let mut seen = HashSet::new();
        for (word, _) in WORDS {
            let one = raw(&format!("malformed: {word}"), 0);
            assert_eq!(one, raw(&format!("malformed: {{ kind: {word} }}"), 0));
            assert_eq!(one.status.is_some(), one.bytes.starts_with(b"HTTP/1.1 200 OK\r\n"));
            assert!(seen.insert(one.bytes), "{word}");
            assert!(ENTRY.about.contains(&format!("\n    {word} ")), "{word} has a line");
        }
        assert!(raw("malformed: empty", 0).bytes.is_empty());
    }

    #[test]
    fn the_upstream_does_the_work_first_if_it_is_to() {
        let after = fault("malformed: { kind: empty, after_upstream: yes }");
        assert_eq!(after.stages(), [Stage::Upstream]);
        assert!(matches!(after.decide(Stage::Upstream, &cx(0)), Effect::Lose(Loss::Say(_))));
        let before = fault("malformed: { kind: empty, after_upstream: no }");
        assert_eq!(before.stages(), [Stage::End]);
    }

    #[test]
    fn words_are_checked() {
        assert_eq!(codes("malformed: garbled"), [Code::E0205]);
        assert_eq!(codes("malformed: {}"), [Code::E0103]);
        assert_eq!(codes("malformed:"), [Code::E0003]);
        assert_eq!(codes("malformed: { kind: chunk, after_upstream: later }"), [Code::E0003]);
    }
}
