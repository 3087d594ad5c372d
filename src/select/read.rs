//! How a matcher is written.

use crate::{
    diag::{Code, Diagnostic, closest},
    read::{Field, Kind, Reader, Shape},
    select::{
        Matcher,
        condition::{Host, Named, Pointed, Protocol},
        glob::Glob,
        matcher::method,
    },
    yaml::{Node, Spanned},
};
use std::str::FromStr;

const TEXTS: Kind = Kind::Any(&[Kind::Text, Kind::List(&Kind::Text)]);
const NAMED: Kind = Kind::Any(&[Kind::Text, Kind::Names(&TEXTS)]);
const VALUES: Kind = Kind::Names(&Kind::Free);
const PROTOCOL: Kind = Kind::Word(&["http1", "h2", "grpc", "websocket", "tcp"]);
const MATCHER_REF: Kind = Kind::Ref("matcher");

/// The keys of a matcher.
pub(crate) static MATCHER: Shape = Shape {
    what: "a matcher",
    fields: &[
        Field::optional("method", TEXTS, "the method, such as `POST`"),
        Field::optional(
            "path",
            TEXTS,
            "a pattern of the raw path: `*` and `{name}` stay in a segment, `**` crosses segments",
        ),
        Field::optional(
            "host",
            TEXTS,
            "a pattern of the host, in any case; any port if none is given",
        ),
        Field::optional(
            "header",
            Kind::Any(&[NAMED, Kind::List(&NAMED)]),
            "a header that is there, or `{ name: value }` with `*` in the value",
        ),
        Field::optional(
            "query",
            Kind::Any(&[NAMED, Kind::List(&NAMED)]),
            "a parameter that is there, or `{ name: value }` with `*` in the raw value",
        ),
        Field::optional("client", TEXTS, "a peer address or a network such as `10.0.0.0/8`"),
        Field::optional(
            "body",
            Kind::Any(&[VALUES, Kind::List(&VALUES)]),
            "`{ /json/pointer: value }`, for small JSON bodies",
        ),
        Field::optional(
            "grpc",
            TEXTS,
            "a gRPC call: `pkg.Service/Method`, or `pkg.Service/*` for all methods of a service",
        ),
        Field::optional(
            "protocol",
            Kind::Any(&[PROTOCOL, Kind::List(&PROTOCOL)]),
            "how the request is spoken",
        ),
        Field::optional(
            "not",
            Kind::Any(&[MATCHER_REF, Kind::List(&MATCHER_REF)]),
            "a matcher that must not agree, or a list of them",
        ),
    ],
};

impl Matcher {
    /// Reads a matcher.
    pub fn read(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        let fields = reader.fields(node, &MATCHER)?;
        let mut matcher = Self::default();
        let mut whole = true;
        for (key, value) in fields.entries() {
            whole &= matcher.read_part(&key.value, value, reader).is_some();
        }
        if fields.entries().is_empty() {
            let title = "the matcher has no condition, so it means every request";
            let problem = Diagnostic::new(Code::E0304, title, node.span);
            reader.problem(problem.help("give it a `path`, or leave `target` out to mean all"));
            return None;
        }
        whole.then_some(matcher)
    }

    fn read_part(
        &mut self,
        key: &str,
        value: &Spanned<Node>,
        reader: &mut Reader<'_>,
    ) -> Option<()> {
        match key {
            "method" => self.methods = reader.one_or_list(value, known_method)?,
            "path" => {
                self.paths = reader.one_or_list(value, |r, n| pattern(r, n, Glob::path))?;
            }
            "host" => {
                self.hosts =
                    reader.one_or_list(value, |r, n| pattern(r, n, |t| Ok(Host::new(t))))?;
            }
            "header" => {
                let name = |text: &str| {
                    FromStr::from_str(text)
                        .map_err(|_| format!("`{text}` is not the name of a header"))
                };
                self.headers = reader.one_or_list(value, |r, n| named(r, n, "headers", name))?;
            }
            "query" => {
                let name = |text: &str| Ok(text.to_owned());
                self.query = reader.one_or_list(value, |r, n| named(r, n, "parameters", name))?;
            }
            "client" => {
                self.clients =
                    reader.one_or_list(value, |r, n| pattern(r, n, FromStr::from_str))?;
            }
            "body" => self.bodies = reader.one_or_list(value, pointed)?,
            "grpc" => self.calls = reader.one_or_list(value, |r, n| pattern(r, n, call))?,
            "protocol" => {
                self.protocols = reader.one_or_list(value, |r, n| r.choice(n, Protocol::WORDS))?;
            }
            "not" => self.not = reader.one_or_list(value, |r, n| Self::read(n, r))?,
            // What the shape does not name has been refused.
            _ => return None,
        }
        Some(())
    }
}

/// A text that is compiled; why not, at its place.
fn pattern<T>(
    reader: &mut Reader<'_>,
    node: &Spanned<Node>,
    compile: impl Fn(&str) -> Result<T, String>,
) -> Option<T> {
    let text = reader.text(node)?;
    compile(&text)
        .map_err(|title| reader.problem(Diagnostic::new(Code::E0303, title, node.span)))
        .ok()
}

fn known_method(reader: &mut Reader<'_>, node: &Spanned<Node>) -> Option<http::Method> {
    const KNOWN: [&str; 9] =
        ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
    let method = pattern(reader, node, method)?;
    if !KNOWN.contains(&method.as_str())
        && let Some(near) = closest(method.as_str(), KNOWN)
    {
        let title = format!("`{method}` is not a common method");
        let problem = Diagnostic::new(Code::W0303, title, node.span);
        reader.problem(problem.saying(format!("did you mean `{near}`?")));
    }
    Some(method)
}

/// A gRPC call: `pkg.Service/Method`, or a service alone for all its methods.
fn call(text: &str) -> Result<Glob, String> {
    let text = text.strip_prefix('/').unwrap_or(text);
    let (service, method) = text.split_once('/').unwrap_or((text, "*"));
    let is_word = |word: &str| {
        !word.is_empty()
            && !word.starts_with(|c: char| c.is_ascii_digit())
            && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '*'))
    };
    if !service.split('.').all(is_word) || !is_word(method) {
        let text = text.escape_debug();
        return Err(format!("`{text}` is no gRPC call: one is written `pkg.Service/Method`"));
    }
    Ok(Glob::value(&format!("{service}/{method}")))
}

/// A name that is there, or names with their values.
fn named<N>(
    reader: &mut Reader<'_>,
    node: &Spanned<Node>,
    what: &str,
    name: impl Fn(&str) -> Result<N, String>,
) -> Option<Vec<Named<N>>> {
    if let Node::Text(_) = node.value {
        return Some(vec![Named { name: pattern(reader, node, name)?, values: Vec::new() }]);
    }
    let fields = reader.names(node, &format!("a name or a mapping from {what} to values"))?;
    if fields.entries().is_empty() {
        return empty(reader, node);
    }
    let all = fields.entries().iter().map(|(key, value)| {
        let name = name(&key.value)
            .map_err(|title| reader.problem(Diagnostic::new(Code::E0303, title, key.span)));
        let values = reader.one_or_list(value, |r, n| pattern(r, n, |t| Ok(Glob::value(t))));
        Some(Named { name: name.ok()?, values: values? })
    });
    // Not lazily: every item is read for its problems.
    let all: Vec<Option<Named<N>>> = all.collect();
    all.into_iter().collect()
}

fn pointed(reader: &mut Reader<'_>, node: &Spanned<Node>) -> Option<Vec<Pointed>> {
    let fields = reader.names(node, "a mapping from JSON pointers to values")?;
    if fields.entries().is_empty() {
        return empty(reader, node);
    }
    let mut all = Vec::new();
    for (key, value) in fields.entries() {
        if !key.value.starts_with('/') {
            let title = format!("`{}` is not a JSON pointer", key.value);
            let problem = Diagnostic::new(Code::E0303, title, key.span);
            reader.problem(problem.help("start it with `/`: `{ /cart/0/sku: A7 }`"));
            return None;
        }
        let values = match &value.value {
            Node::List(items) => items.iter().map(|item| item.value.json()).collect(),
            _ => vec![value.value.json()],
        };
        all.push(Pointed { pointer: key.value.clone(), values });
    }
    Some(all)
}

fn empty<T>(reader: &mut Reader<'_>, node: &Spanned<Node>) -> Option<T> {
    let title = "the mapping is empty, so it sets no condition";
    let problem = Diagnostic::new(Code::E0107, title, node.span);
    reader.problem(problem.help("leave the key out to set no condition"));
    None
}
