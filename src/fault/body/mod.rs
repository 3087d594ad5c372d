//! `body`: a body that says something else.
//!
//! ```yaml
//! - body: { replace: '{"error":1}' }
//! - body: { file: pages/captive-portal.html, content_type: text/html }
//! - body: { patch: [{ op: replace, path: /total, value: 0 }] }
//! - body: { merge: { total: 0, currency: null } }
//! - body: { replace: '{}', length: keep }
//! ```
//!
//! The status stays, and so does the head but for what describes the body: a client that trusts a
//! 200 is the one to find. The upstream did the work. For an answer without it, use `respond`; for
//! the beginning of the true body, `truncate`.

mod edit;
mod patch;

pub use edit::BodyEdit;

use crate::{
    diag::{Code, Diagnostic},
    fault::{
        Cx, Effect, Fault, Stage,
        canned::read_file,
        catalog::{Entry, Layer, Protocol, Traffic},
        form::Half,
    },
    read::{Field, Fields, Kind, Reader, Shape},
    units::{ByteSize, Quantity},
    yaml::{Node, Spanned},
};
use bytes::Bytes;
use edit::Change;
use http::{HeaderName, HeaderValue};
use std::sync::Arc;

/// The row of the catalogue.
pub(super) const ENTRY: Entry = Entry {
    name: "body",
    layer: Layer::Message,
    protocols: Protocol::HTTP,
    traffic: Traffic::Http,
    summary: "a body says something else: replaced, or its JSON changed",
    about: "The answer's body, or with `side: request` the request's on its way to the upstream, is
another. `replace` is the new one, and `file` is a file with it in the folder of the scenario, of at
most 1 MiB. `patch` is a list of operations on JSON (RFC 6902): `add`, `remove`, `replace`, `move`,
`copy`, and `test`, which lets the body be if it fails. `merge` is laid over JSON (RFC 7386): what is
null is taken out. What else the JSON says stays, though not its spaces and not the order of its keys,
and numbers of more than 64 bits lose digits. The announced length is right, unless `length: keep`
announces that of the true body: a client then waits for bytes that never come until the connection is
closed, or takes the beginning for all of it if the new body is the longer one. `content_type` stays
as it was unless it is given, and so does what else the head says, such as an `etag` or a checksum.

A body is held until all of it came. What cannot be changed passes untouched, and does not count as
hit: a message without a body, such as an answer to `HEAD` or a 304; a body of more than 1 MiB; an
event stream; and for `patch` and `merge` a body that is compressed (`content-encoding`), is no JSON,
or lacks a place that a patch names. Take `accept-encoding` from requests with `headers` to see
bodies that are not compressed. A `replace` of a compressed body takes its `content-encoding` away.",
    examples: &[
        r#"body: { replace: '{"error":1}' }"#,
        "body: { patch: [{ op: replace, path: /total, value: 0 }] }",
        "body: { side: request, merge: { currency: XXX, coupon: null } }",
        "body: { replace: '<h1>Sign in</h1>', content_type: text/html, length: keep }",
    ],
    kind: Kind::Map(&SHAPE),
    read,
};

static SHAPE: Shape = Shape {
    what: "`body`",
    fields: &[
        Field::optional("side", Half::KIND, "`response` (the default) or `request`"),
        Field::optional("replace", Kind::Text, "the new body"),
        Field::optional(
            "file",
            Kind::Text,
            "a file with the new body, relative to the scenario's folder and not outside of it",
        ),
        Field::optional(
            "patch",
            Kind::List(&Kind::Map(&patch::OPERATION)),
            "operations on a JSON body, in order (RFC 6902)",
        ),
        Field::optional(
            "merge",
            Kind::Names(&Kind::Free),
            "what to lay over a JSON body; null takes a key out (RFC 7386)",
        ),
        Field::optional("content_type", Kind::Text, "the new `content-type`"),
        Field::optional(
            "length",
            Kind::Word(&["fit", "keep"]),
            "`fit` (the default), or `keep` to announce the length of the true body",
        ),
    ],
};

/// The keys that say what becomes of the body.
const CHANGES: [&str; 4] = ["replace", "file", "patch", "merge"];

/// Changes bodies.
#[derive(Clone, Debug)]
struct Body {
    half: Half,
    edit: Arc<BodyEdit>,
    what: String,
}

fn read(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Arc<dyn Fault>> {
    let fields = reader.fields(node, &SHAPE)?;
    let half = Half::read(fields.get("side"), reader);
    let content_type = match fields.get("content_type") {
        Some(node) => read_content_type(node, reader).map(Some),
        None => Some(None),
    };
    let keeps_length = match fields.get("length") {
        Some(node) => reader.choice(node, &[("fit", false), ("keep", true)]),
        None => Some(false),
    };
    let change = read_change(fields, reader);
    let (half, (change, mut what)) = (half?, change?);
    let (content_type, keeps_length) = (content_type?, keeps_length?);
    if keeps_length && half == Half::Request {
        let place = fields.key_span("length").unwrap_or(node.span);
        let title = "the length of a request's body cannot be kept";
        reader.problem(
            Diagnostic::new(Code::E0414, title, place)
                .help("leave `length` out: the upstream could only wait for the rest"),
        );
        return None;
    }
    if keeps_length {
        what.push_str(", old length announced");
    }
    let edit = Arc::new(BodyEdit::new(change, content_type, keeps_length));
    Some(Arc::new(Body { half, edit, what }))
}

fn read_content_type(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<HeaderValue> {
    let text = reader.name(node)?;
    let value = HeaderValue::from_str(&text).ok();
    if value.is_none() {
        reader.problem(
            Diagnostic::new(Code::E0416, "this `content_type` cannot be sent", node.span)
                .help("write printable ASCII on one line, such as `text/html`"),
        );
    }
    value
}

/// What becomes of the body, and in a few words.
fn read_change(fields: Fields<'_>, reader: &mut Reader<'_>) -> Option<(Change, String)> {
    let mut given = CHANGES.into_iter().filter_map(|key| Some((key, fields.get(key)?)));
    let (Some((key, node)), None) = (given.next(), given.next()) else {
        let title = "`body` has exactly one of `replace`, `file`, `patch` and `merge`";
        reader.problem(
            Diagnostic::new(Code::E0106, title, fields.span)
                .help("for several changes to JSON, write them as one `patch`"),
        );
        return None;
    };
    Some(match key {
        "replace" => replaced(Bytes::from(reader.text(node)?)),
        "file" => {
            let name = reader.text(node)?;
            replaced(read_file(&name, node.span, reader)?)
        }
        "patch" => {
            let operations = patch::read_operations(node, reader)?;
            let what = match &*operations {
                [one] if one.path().as_str().len() <= 40 => format!("{} changed", one.path()),
                all => format!("{} changes", all.len()),
            };
            (Change::Patch(operations), what)
        }
        _ => {
            let entries = reader.names(node, "a mapping to lay over the body")?.entries();
            if entries.is_empty() {
                reader.problem(
                    Diagnostic::new(Code::E0413, "an empty `merge` changes nothing", node.span)
                        .help("write what is to be another: `merge: { total: 0 }`"),
                );
                return None;
            }
            let what = match entries {
                [(one, _)] if one.value.len() <= 40 => format!("{} changed", one.value),
                all => format!("{} keys changed", all.len()),
            };
            (Change::Merge(patch::read_value(node, reader)), what)
        }
    })
}

fn replaced(body: Bytes) -> (Change, String) {
    let what = match body.len() {
        0 => "emptied".to_owned(),
        bytes => format!("replaced by {}", ByteSize(bytes as u64).show()),
    };
    (Change::Replace(body), what)
}

impl Fault for Body {
    fn stages(&self) -> &'static [Stage] {
        self.half.stages()
    }

    fn decide(&self, _stage: Stage, _cx: &Cx) -> Effect {
        Effect::EditBody(Arc::clone(&self.edit))
    }

    fn describe(&self) -> String {
        self.half.describe(self.what.clone())
    }
}

/// The fields that say what a body is encoded as, or is.
const ENCODING: HeaderName = http::header::CONTENT_ENCODING;
const TYPE: HeaderName = http::header::CONTENT_TYPE;

#[cfg(test)]
mod tests;
