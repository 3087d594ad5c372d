//! `headers`: fields of a head that are missing, changed, or too many.
//!
//! ```yaml
//! - headers: { remove: [etag, cache-control], set: { x-cache: MISS } }
//! - headers: { side: request, append: { x-forwarded-for: 10.0.0.9 } }
//! - headers: { bloat: 32KiB }
//! ```
//!
//! What a broken cache, a gateway or a colleague's middleware does to heads. Fields go in this
//! order: `remove`, `set`, `append`, `bloat`. What is not named keeps its place and its spelling.
//! Fields that frame the message are the proxy's to write; `truncate`, `malformed` and
//! `body: { length: keep }` break the framing on purpose.

mod edit;

pub use edit::{HeadEdit, take_out};

use crate::{
    diag::{Code, Diagnostic},
    fault::{
        Cx, Effect, Fault, Stage,
        canned::{read_field_name, read_header_fields},
        catalog::{Entry, Layer, Protocol, Traffic},
        form::Half,
    },
    read::{Field, Fields, Kind, Reader, Shape},
    timeline::Moving,
    units::ByteSize,
    yaml::{Node, Spanned},
};
use edit::Rules;
use http::HeaderName;
use std::sync::Arc;

/// The row of the catalogue.
pub(super) const ENTRY: Entry = Entry {
    name: "headers",
    layer: Layer::Message,
    protocols: Protocol::HTTP,
    traffic: Traffic::Http,
    summary: "header fields are missing, changed, or too many",
    about: "Fields of the answer's head, or with `side: request` of the request's on its way to the
upstream, are changed in this order. `remove` takes all fields of a name out. `set` gives a field
another value, or adds it; a list gives it several lines. `append` adds a line beside those that are
there. `bloat` adds so many bytes of fields called `x-bloat-1`, `x-bloat-2` and so on, of at most
4 KiB each, and finds what chokes on large heads; it is at most 1 MiB, and may move. Other fields
keep their place and their spelling; new ones are written in lower case. A head that stays as it was
does not count as hit. Fields that frame the message or belong to the connection cannot be changed:
to break the framing, use `truncate` or `malformed`.",
    examples: &[
        "headers: { remove: [etag, cache-control], set: { x-cache: MISS } }",
        "headers: { side: request, remove: authorization, append: { x-hop: [a, b] } }",
        "headers: { bloat: 32KiB }",
        "headers: { bloat: 1KiB -> 128KiB }",
    ],
    kind: Kind::Map(&SHAPE),
    read,
};

const VALUES: Kind = Kind::Names(&Kind::Any(&[Kind::Text, Kind::List(&Kind::Text)]));

static SHAPE: Shape = Shape {
    what: "`headers`",
    fields: &[
        Field::optional("side", Half::KIND, "`response` (the default) or `request`"),
        Field::optional(
            "remove",
            Kind::Any(&[Kind::Text, Kind::List(&Kind::Text)]),
            "the names of fields to take out",
        ),
        Field::optional(
            "set",
            VALUES,
            "fields to write in place of those of the same name: a value, or a list of values",
        ),
        Field::optional(
            "append",
            VALUES,
            "fields to add to those of the same name: a value, or a list of values",
        ),
        Field::optional(
            "bloat",
            Kind::Moving(&Kind::Size),
            "how many bytes of further fields to add, at most 1 MiB; may move",
        ),
    ],
};

/// Changes heads.
#[derive(Clone, Debug)]
struct Headers {
    half: Half,
    rules: Arc<Rules>,
    bloat: Moving<ByteSize>,
}

fn read(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Arc<dyn Fault>> {
    let fields = reader.fields(node, &SHAPE)?;
    let half = Half::read(fields.get("side"), reader);
    let remove = match fields.get("remove") {
        Some(names) => reader.one_or_list(names, read_name),
        None => Some(Vec::new()),
    };
    let mut values = |key: &str| match fields.get(key) {
        Some(node) => read_header_fields(node, reader),
        None => Some(http::HeaderMap::new()),
    };
    let (set, append) = (values("set"), values("append"));
    let bloat = read_bloat(fields, reader)?;
    let rules = Rules { remove: remove?, set: set?, append: append? };
    let half = half?;
    if rules.are_none() && bloat.peak() == ByteSize(0) {
        // An unknown key was told of already, and was meant to do something.
        let known = |key: &str| SHAPE.fields.iter().any(|field| field.name == key);
        if fields.entries().iter().all(|(key, _)| known(&key.value)) {
            let title = "these headers stay as they are";
            reader.problem(
                Diagnostic::new(Code::E0413, title, node.span).help(
                    "write what to `remove`, `set` or `append`, or a `bloat` such as `32KiB`",
                ),
            );
        }
        return None;
    }
    Some(Arc::new(Headers { half, rules: Arc::new(rules), bloat }))
}

fn read_name(reader: &mut Reader<'_>, node: &Spanned<Node>) -> Option<HeaderName> {
    let text = reader.text(node)?;
    read_field_name(&text, node.span, reader)
}

fn read_bloat(fields: Fields<'_>, reader: &mut Reader<'_>) -> Option<Moving<ByteSize>> {
    let Some(node) = fields.get("bloat") else {
        return Some(Moving::Fixed(ByteSize(0)));
    };
    let bloat = reader.moving::<ByteSize>(node)?;
    if bloat.peak() > HeadEdit::MAX_BLOAT {
        reader.problem(
            Diagnostic::new(Code::E0203, "a `bloat` is at most `1MiB`", node.span)
                .help("write less; clients and servers choke on heads far smaller than that"),
        );
        return None;
    }
    Some(bloat)
}

impl Fault for Headers {
    fn stages(&self) -> &'static [Stage] {
        self.half.stages()
    }

    fn decide(&self, _stage: Stage, cx: &Cx) -> Effect {
        let bloat = self.bloat.at(&cx.moment);
        if self.rules.are_none() && bloat == ByteSize(0) {
            return Effect::Pass;
        }
        Effect::EditHead(HeadEdit::new(Arc::clone(&self.rules), bloat))
    }

    fn moves(&self) -> bool {
        self.bloat.moves()
    }

    fn describe(&self) -> String {
        let mut parts = Vec::new();
        let remove: Vec<&str> = self.rules.remove.iter().map(HeaderName::as_str).collect();
        let set: Vec<&str> = self.rules.set.keys().map(HeaderName::as_str).collect();
        let append: Vec<&str> = self.rules.append.keys().map(HeaderName::as_str).collect();
        for (names, what) in [(remove, "removed"), (set, "set"), (append, "added")] {
            match &*names {
                [] => {}
                [name] if name.len() <= 30 => parts.push(format!("{name} {what}")),
                names => parts.push(format!("{} fields {what}", names.len())),
            }
        }
        if self.bloat.peak() > ByteSize(0) {
            parts.push(format!("{} of bloat", self.bloat.show()));
        }
        self.half.describe(parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::support::{codes, cx_at, effect, fault};
    use http::{HeaderMap, HeaderValue};
    use std::time::Duration;

    fn head(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn lines(headers: &HeaderMap) -> Vec<(&str, &str)> {
        let text = |value| HeaderValue::to_str(value).expect("it is text");
        headers.iter().map(|(name, value)| (name.as_str(), text(value))).collect()
    }

    fn edited(entry: &str, headers: &mut HeaderMap) -> bool {
        match effect(entry, Stage::Response) {
            Effect::EditHead(edit) => edit.apply(headers),
            other => panic!("{entry}: {other:?}"),
        }
    }

    #[test]
    fn fields_are_removed_set_and_added_and_the_others_keep_their_places() {
        let mut headers =
            head(&[("b", "1"), ("etag", "x"), ("a", "2"), ("etag", "y"), ("c", "3"), ("a", "4")]);

        assert!(edited(
            "headers: { remove: [etag, absent], set: { A: [5, 6], new: 7 }, append: { c: 8 } }",
            &mut headers
        ));

        assert_eq!(
            lines(&headers),
            [("b", "1"), ("a", "5"), ("a", "6"), ("c", "3"), ("c", "8"), ("new", "7")]
        );
    }

    #[test]
    fn a_head_that_stays_as_it_was_is_not_hit() {
        let before = head(&[("a", "1"), ("b", "2")]);
        let mut headers = before.clone();
        assert!(!edited("headers: { remove: etag, set: { a: 1 } }", &mut headers));
        assert_eq!(headers, before);
    }

    /// The bytes that fields take on the wire.
    fn weight(headers: &HeaderMap) -> usize {
        headers.iter().map(|(name, value)| name.as_str().len() + 2 + value.len() + 2).sum()
    }

    #[test]
    fn bloat_adds_exactly_so_many_bytes_in_fields_of_a_sane_size() {
        for (size, bytes) in
            [("100B", 100), ("4KiB", 4_096), ("4097B", 4_097), ("32KiB", 32_768), ("1MiB", 1 << 20)]
        {
            let mut headers = HeaderMap::new();
            assert!(edited(&format!("headers: {{ bloat: {size} }}"), &mut headers));
            assert_eq!(weight(&headers), bytes, "{size}");
            assert_eq!(headers.len(), bytes.div_ceil(4_096), "{size}");
            assert_eq!(headers.keys_len(), headers.len(), "each has a name of its own");
            assert!(headers.values().all(|value| value.len() <= 4_096));
        }
    }

    #[test]
    fn bloat_moves_over_the_phase_and_is_nothing_at_zero() {
        let fault = fault("headers: { bloat: 0B -> 2KiB }");
        let at = |seconds| fault.decide(Stage::Response, &cx_at(0, Duration::from_secs(seconds)));
        let Effect::EditHead(edit) = at(30) else { panic!("halfway there is some") };
        let mut headers = HeaderMap::new();
        assert!(edit.apply(&mut headers));
        assert_eq!(weight(&headers), 1_024);
        assert!(matches!(at(0), Effect::Pass));
    }

    #[test]
    fn a_side_is_the_response_unless_it_is_the_request() {
        assert_eq!(fault("headers: { bloat: 1KiB }").stages(), [Stage::Response]);
        assert_eq!(fault("headers: { side: request, bloat: 1KiB }").stages(), [Stage::Request]);
        let described = fault("headers: { side: request, remove: a, set: { b: 1, c: 2 } }");
        assert_eq!(described.describe(), "request: a removed, 2 fields set");
        assert_eq!(fault("headers: { bloat: 1KiB }").describe(), "1KiB of bloat");
    }

    #[test]
    fn what_would_break_the_framing_or_do_nothing_is_refused() {
        for (entry, code) in [
            ("headers: { remove: content-length }", Code::E0417),
            ("headers: { remove: [etag, Transfer-Encoding] }", Code::E0417),
            ("headers: { set: { connection: close } }", Code::E0417),
            ("headers: { append: { content-length: 3 } }", Code::E0417),
            ("headers: { side: request, remove: expect }", Code::E0417),
            ("headers: { remove: 'x y' }", Code::E0416),
            ("headers: { set: { x: \"a\\r\\nb: c\" } }", Code::E0416),
            ("headers: { side: both, remove: a }", Code::E0205),
            ("headers: { remove: [] }", Code::E0107),
            ("headers: {}", Code::E0413),
            ("headers: { side: request }", Code::E0413),
            ("headers: { bloat: 0B }", Code::E0413),
            ("headers: { bloat: 2MiB }", Code::E0203),
            ("headers: { bloat: 32 }", Code::E0201),
            ("headers: { drop: etag }", Code::E0101),
            ("headers: etag", Code::E0003),
        ] {
            assert_eq!(codes(entry), [code], "{entry}");
        }
    }
}
