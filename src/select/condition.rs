//! The parts of a matcher that hold more than a word: hosts, named values, JSON bodies, protocols.

use crate::{
    grpc,
    select::{RequestView, glob::Glob},
};
use http::{HeaderMap, HeaderName, Version, header};
use serde_json::Value;
use std::fmt;

/// A host, with or without a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    name: Glob,
    port: Option<u16>,
}

impl Host {
    /// A pattern of a host; without a port it means the host on any port.
    pub(super) fn new(text: &str) -> Self {
        let (name, port) = split_port(text.as_bytes());
        let name = std::str::from_utf8(name).unwrap_or(text);
        Self { name: Glob::host(name), port }
    }

    /// Whether the `Host` field of a request means it.
    pub(super) fn matches(&self, headers: &HeaderMap) -> bool {
        headers.get(header::HOST).is_some_and(|value| {
            let (name, port) = split_port(value.as_bytes());
            self.name.matches(name) && (self.port.is_none() || self.port == port)
        })
    }
}

/// A host and its port; the colons of `[::1]` are none.
fn split_port(text: &[u8]) -> (&[u8], Option<u16>) {
    let split = text.iter().rposition(|byte| *byte == b':').and_then(|colon| {
        let port = std::str::from_utf8(&text[colon + 1..]).ok()?.parse().ok()?;
        let name = &text[..colon];
        (!name.contains(&b':') || name.ends_with(b"]")).then_some((name, Some(port)))
    });
    split.unwrap_or((text, None))
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// A name, and what its value has to be: any of these, or if there are none, anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named<N> {
    pub(super) name: N,
    pub(super) values: Vec<Glob>,
}

impl<N> Named<N> {
    fn fits(&self, value: &[u8]) -> bool {
        self.values.is_empty() || self.values.iter().any(|glob| glob.matches(value))
    }
}

impl Named<HeaderName> {
    /// Whether a header field means it.
    pub(super) fn in_headers(&self, headers: &HeaderMap) -> bool {
        headers.get_all(&self.name).iter().any(|value| self.fits(value.as_bytes()))
    }
}

impl Named<String> {
    /// Whether a parameter of a raw query means it.
    pub(super) fn in_query(&self, query: Option<&str>) -> bool {
        parameters(query)
            .any(|(name, value)| name == self.name.as_str() && self.fits(value.as_bytes()))
    }
}

/// The parameters of a raw query, undecoded.
pub(super) fn parameters(query: Option<&str>) -> impl Iterator<Item = (&str, &str)> {
    query
        .into_iter()
        .flat_map(|query| query.split('&'))
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

impl<N: fmt::Display> fmt::Display for Named<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)?;
        for (at, value) in self.values.iter().enumerate() {
            write!(f, "{}{value}", if at == 0 { "=" } else { "|" })?;
        }
        Ok(())
    }
}

/// A place in a JSON body, and the values it may have.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pointed {
    pub(super) pointer: String,
    pub(super) values: Vec<Value>,
}

impl Pointed {
    /// Whether a document has one of the values there.
    pub(super) fn is_in(&self, document: &Value) -> bool {
        document
            .pointer(&self.pointer)
            .is_some_and(|found| self.values.iter().any(|wanted| same(wanted, found)))
    }
}

/// Equal as JSON has it: `1` and `1.0` are one number.
fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        #[expect(clippy::float_cmp, reason = "the file names the very number")]
        (Some(x), Some(y)) => a == b || x == y,
        _ => a == b,
    }
}

impl fmt::Display for Pointed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pointer)?;
        for (at, value) in self.values.iter().enumerate() {
            write!(f, "{}{value}", if at == 0 { "=" } else { "|" })?;
        }
        Ok(())
    }
}

/// How a request is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// HTTP/1.0 or 1.1.
    Http1,
    /// HTTP/2.
    H2,
    /// gRPC, by its content type.
    Grpc,
    /// The handshake of a WebSocket.
    WebSocket,
    /// Bytes without requests: no request is one.
    Tcp,
}

impl Protocol {
    /// The words for them.
    pub(super) const WORDS: &'static [(&'static str, Self)] = &[
        ("http1", Self::Http1),
        ("h2", Self::H2),
        ("grpc", Self::Grpc),
        ("websocket", Self::WebSocket),
        ("tcp", Self::Tcp),
    ];

    /// Whether a request is spoken so.
    pub(super) fn matches(self, request: &RequestView<'_>) -> bool {
        match self {
            Self::Http1 => request.version < Version::HTTP_2,
            Self::H2 => request.version == Version::HTTP_2,
            Self::Grpc => grpc::is_grpc(request.headers),
            Self::WebSocket => request
                .headers
                .get(header::UPGRADE)
                .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket")),
            Self::Tcp => false,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Self::WORDS.iter().find(|(_, protocol)| protocol == self);
        f.write_str(word.map_or("", |(word, _)| word))
    }
}
