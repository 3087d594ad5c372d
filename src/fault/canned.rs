//! An answer that a scenario writes down: its status, header fields and body, checked as it is
//! read, so that nothing can be wrong with it when it is sent.

use crate::{
    diag::{Code, Diagnostic, Span},
    fault::Canned,
    read::{Fields, Reader},
    yaml::{Node, Spanned},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    time::Duration,
};

/// A body from a file is held in memory once per scenario.
const MAX_BODY: u64 = 1 << 20;

/// Fields that say how the message is framed or handed over; the proxy writes them.
const FRAMING: &[&str] = &[
    "connection",
    "content-length",
    "expect",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Statuses after which nothing follows (RFC 9110 §15.3.5, §15.3.6, §15.4.5).
const BODILESS: &[StatusCode] =
    &[StatusCode::NO_CONTENT, StatusCode::RESET_CONTENT, StatusCode::NOT_MODIFIED];

/// Reads a status from 200 to 599.
pub(super) fn read_status(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<StatusCode> {
    let number = match &node.value {
        Node::Int(number) => Some(*number),
        Node::Text(text) => text.parse().ok(),
        _ => None,
    };
    let Some(number) = number else {
        reader.wrong_kind(node, "a status such as `503`");
        return None;
    };
    let status = u16::try_from(number).ok().filter(|number| (200..600).contains(number));
    if let Some(status) = status.and_then(|number| StatusCode::from_u16(number).ok()) {
        return Some(status);
    }
    let title = format!("`{number}` is not a status from 200 to 599");
    let help = if (100..200).contains(&number) {
        "write the final status, or use `hang` for an answer that never comes"
    } else {
        "write a status such as `503`"
    };
    reader.problem(Diagnostic::new(Code::E0415, title, node.span).help(help));
    None
}

/// An answer with nothing but a status: its body is the status's own name.
pub(super) fn bare(status: StatusCode) -> Canned {
    let body = if BODILESS.contains(&status) {
        Bytes::new()
    } else {
        Bytes::from(format!("{}\n", status.canonical_reason().unwrap_or("Unknown Status")))
    };
    let mut headers = HeaderMap::new();
    describe_body(&mut headers, &body, None);
    Canned { status, headers, body }
}

/// Reads the keys `status`, `retry_after`, `headers`, `body` and `file` of a mapping.
pub(super) fn read_canned(fields: Fields<'_>, reader: &mut Reader<'_>) -> Option<Canned> {
    let status = fields.get("status").and_then(|node| read_status(node, reader));
    let headers = read_headers(fields, reader);
    let body = read_body(fields, reader);
    let (status, mut headers, (body, file)) = (status?, headers?, body?);
    let Some(body) = body else {
        let mut canned = bare(status);
        // What the author says of the body wins, even over a body that is ours.
        canned.headers.extend(headers);
        return Some(canned);
    };
    let place = fields.key_span("body").or(fields.key_span("file")).unwrap_or(fields.span);
    if BODILESS.contains(&status) && !body.is_empty() {
        let title = format!("an answer with the status `{}` has no body", status.as_u16());
        reader.problem(Diagnostic::new(Code::E0419, title, place).help("leave the body out"));
        return None;
    }
    describe_body(&mut headers, &body, file.as_deref());
    Some(Canned { status, headers, body })
}

/// A wait as `retry-after` counts it: rounded down, an obedient client would come too early.
pub(super) fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// Adds the `content-type` that the body looks like, unless the author gave one.
fn describe_body(headers: &mut HeaderMap, body: &[u8], file: Option<&str>) {
    if body.is_empty() || headers.contains_key(header::CONTENT_TYPE) {
        return;
    }
    let extension = file.and_then(|name| Path::new(name).extension()).and_then(|e| e.to_str());
    let kind = match extension {
        Some("html" | "htm") => "text/html; charset=utf-8",
        Some("xml") => "application/xml",
        _ if is_json(body) => "application/json",
        _ if std::str::from_utf8(body).is_ok() => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
}

/// Whether it is a JSON object or array; a bare `busy` or `503` is rather meant as text.
fn is_json(body: &[u8]) -> bool {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    matches!(first, Some(b'{' | b'['))
        && serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok()
}

fn read_headers(fields: Fields<'_>, reader: &mut Reader<'_>) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    let mut whole = true;
    if let Some(node) = fields.get("headers") {
        let fields = read_header_fields(node, reader);
        whole &= fields.is_some();
        headers = fields.unwrap_or_default();
    }
    if let (Some(node), Some(key)) = (fields.get("retry_after"), fields.key_span("retry_after")) {
        let wait = reader.quantity::<Duration>(node)?;
        if headers.contains_key(header::RETRY_AFTER) {
            let title = "`retry_after` and a field `retry-after` are given";
            reader.problem(
                Diagnostic::new(Code::E0414, title, key)
                    .help("keep `retry_after`; for a date or garbage, keep the field"),
            );
            return None;
        }
        headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
    }
    whole.then_some(headers)
}

/// Reads a mapping of header fields, each with a value or a list of values.
pub(super) fn read_header_fields(
    node: &Spanned<Node>,
    reader: &mut Reader<'_>,
) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    let mut whole = true;
    for (name, value) in reader.names(node, "a mapping of header fields")?.entries() {
        whole &= read_field(name, value, &mut headers, reader).is_some();
    }
    whole.then_some(headers)
}

/// Reads the name of a field that is not the proxy's own to write.
pub(super) fn read_field_name(
    text: &str,
    span: Span,
    reader: &mut Reader<'_>,
) -> Option<HeaderName> {
    let Ok(name) = HeaderName::from_bytes(text.as_bytes()) else {
        let title = format!("`{}` is not the name of a header field", text.escape_debug());
        reader.problem(
            Diagnostic::new(Code::E0416, title, span)
                .help("write letters, digits and dashes, such as `x-reason`"),
        );
        return None;
    };
    if FRAMING.contains(&name.as_str()) {
        let title = format!("`{name}` is for the proxy to write");
        reader.problem(
            Diagnostic::new(Code::E0417, title, span)
                .help("leave it out: it follows from the body and the connection"),
        );
        return None;
    }
    Some(name)
}

fn read_field(
    key: &Spanned<String>,
    node: &Spanned<Node>,
    headers: &mut HeaderMap,
    reader: &mut Reader<'_>,
) -> Option<()> {
    let name = read_field_name(&key.value, key.span, reader)?;
    let one = std::slice::from_ref(node);
    let values = if let Node::List(values) = &node.value { values } else { one };
    for value in values {
        let text = reader.text(value)?;
        let Ok(text) = HeaderValue::from_str(&text) else {
            let title = format!("the value of `{name}` cannot be sent");
            reader.problem(
                Diagnostic::new(Code::E0416, title, value.span)
                    .help("write printable ASCII on one line, without control characters"),
            );
            return None;
        };
        headers.append(&name, text);
    }
    Some(())
}

/// The body, if any is given, and the name of the file it is from.
type Body = (Option<Bytes>, Option<String>);

fn read_body(fields: Fields<'_>, reader: &mut Reader<'_>) -> Option<Body> {
    match (fields.get("body"), fields.get("file")) {
        (None, None) => Some((None, None)),
        (Some(body), None) => reader.text(body).map(|text| (Some(Bytes::from(text)), None)),
        (None, Some(node)) => {
            let name = reader.text(node)?;
            let body = read_file(&name, node.span, reader)?;
            Some((Some(body), Some(name)))
        }
        (Some(body), Some(file)) => {
            reader.problem(
                Diagnostic::new(Code::E0414, "`body` and `file` are both given", file.span)
                    .label(body.span, "the body is here")
                    .help("keep one of them"),
            );
            None
        }
    }
}

pub(super) fn read_file(name: &str, span: Span, reader: &mut Reader<'_>) -> Option<Bytes> {
    if !reader.has_files() {
        return Some(Bytes::new());
    }
    let outcome = match reader.folder() {
        Some(folder) => load(folder, name),
        None => Err(Unusable::NoFolder),
    };
    match outcome {
        Ok(body) => Some(body),
        Err(why) => {
            let help = match why {
                Unusable::NoFolder => "write the text itself into the scenario",
                _ => "name a file of at most 1 MiB in the folder of the scenario, or below it",
            };
            let title = format!("the file `{}` cannot be used: {why}", name.escape_debug());
            reader.problem(Diagnostic::new(Code::E0418, title, span).help(help));
            None
        }
    }
}

/// Why a file cannot be a body.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("this scenario has no folder")]
    NoFolder,
    #[error("it is outside of the scenario's folder")]
    Outside,
    #[error("it is not a regular file")]
    NotAFile,
    #[error("it is larger than 1 MiB")]
    TooLarge,
    #[error("{0}")]
    Io(#[from] io::Error),
}

fn load(folder: &Path, name: &str) -> Result<Bytes, Unusable> {
    let relative = Path::new(name);
    // Both before and after links are followed: `..` should not even tell what exists.
    let plain =
        |part| matches!(part, std::path::Component::Normal(_) | std::path::Component::CurDir);
    if !relative.components().all(plain) {
        return Err(Unusable::Outside);
    }
    // A scenario named without a folder lies in the current one.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let path = folder.join(relative).canonicalize()?;
    if !path.starts_with(folder.canonicalize()?) {
        return Err(Unusable::Outside);
    }
    // A device or a pipe might never end.
    if !path.metadata()?.is_file() {
        return Err(Unusable::NotAFile);
    }
    let mut body = Vec::new();
    File::open(&path)?.take(MAX_BODY + 1).read_to_end(&mut body)?;
    if body.len() as u64 > MAX_BODY {
        return Err(Unusable::TooLarge);
    }
    Ok(body.into())
}
