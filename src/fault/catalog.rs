//! The list of faults: the one place that knows them all. Reader, schema, `firedrill faults`, the
//! README's table and the shared contract tests are all written from it.

use crate::{
    fault::{
        Fault, bandwidth, blackhole, body, corrupt, dribble, duplicate, goaway, grpc, hang,
        headers, latency, limit_data, lose_response, malformed, max_streams, overload, packet_loss,
        rate_limit, refuse, reset, respond, slice, slow_close, tls, truncate, unreachable,
        websocket,
    },
    read::{Kind, Reader},
    yaml::{Node, Spanned},
};
use std::sync::Arc;

/// What a fault acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// The listener: everybody who tries to connect.
    Listener,
    /// A connection's bytes, below TLS and HTTP.
    Connection,
    /// A connection's TLS handshake.
    Handshake,
    /// One request or its response.
    Message,
    /// The messages of a WebSocket that stands, whose handshake is chosen like any request.
    Socket,
}

/// What a proxy understands of the traffic it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Requests and responses.
    Http,
    /// Bytes.
    Tcp,
    /// Requests to whatever host they name, and bytes in tunnels.
    Forward,
}

impl Protocol {
    /// Faults on requests and responses.
    pub const HTTP: &'static [Self] = &[Self::Http, Self::Forward];
    /// Faults that need to know nothing of what the bytes mean.
    pub const ALL: &'static [Self] = &[Self::Http, Self::Tcp, Self::Forward];

    /// As files write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Tcp => "tcp",
            Self::Forward => "forward",
        }
    }

    /// Whether there are requests to act on.
    pub const fn has_requests(self) -> bool {
        matches!(self, Self::Http | Self::Forward)
    }
}

/// The traffic that a fault can hurt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// Whatever flows: it acts on connections, and knows nothing of what they carry.
    Any,
    /// Requests and answers, gRPC calls among them, over either version of HTTP.
    Http,
    /// The same, and bytes that nobody understands.
    HttpAndBytes,
    /// Connections over HTTP/2, and what HTTP/1 has in place of it.
    Http2,
    /// gRPC calls.
    Grpc,
    /// TLS that is spoken with the proxy.
    Tls,
    /// WebSockets.
    WebSocket,
}

impl Traffic {
    /// As tables write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Http => "HTTP/1, HTTP/2, gRPC",
            Self::HttpAndBytes => "HTTP/1, HTTP/2, gRPC, bytes",
            Self::Http2 => "HTTP/2",
            Self::Grpc => "gRPC",
            Self::Tls => "TLS",
            Self::WebSocket => "WebSocket",
        }
    }
}

/// How a fault is read.
pub type Read = fn(&Spanned<Node>, &mut Reader<'_>) -> Option<Arc<dyn Fault>>;

/// One fault of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its key in a scenario.
    pub name: &'static str,
    /// What it acts on.
    pub layer: Layer,
    /// The protocols of the proxies it works on.
    pub protocols: &'static [Protocol],
    /// The traffic that it can hurt.
    pub traffic: Traffic,
    /// What the client meets, in one line.
    pub summary: &'static str,
    /// The long page of `firedrill faults NAME`.
    pub about: &'static str,
    /// Its forms in YAML, each a whole fault entry without the leading dash.
    pub examples: &'static [&'static str],
    /// What it may hold.
    pub kind: Kind,
    /// Reads it; notes what is wrong and returns nothing if that is too much.
    pub read: Read,
}

/// All faults, in the order of the documentation.
pub static CATALOG: &[Entry] = &[
    latency::ENTRY,
    packet_loss::ENTRY,
    bandwidth::ENTRY,
    refuse::ENTRY,
    unreachable::ENTRY,
    reset::ENTRY,
    goaway::ENTRY,
    max_streams::ENTRY,
    tls::ENTRY,
    blackhole::ENTRY,
    hang::ENTRY,
    respond::ENTRY,
    grpc::ENTRY,
    lose_response::ENTRY,
    duplicate::ENTRY,
    rate_limit::ENTRY,
    overload::ENTRY,
    truncate::ENTRY,
    headers::ENTRY,
    body::ENTRY,
    malformed::ENTRY,
    dribble::ENTRY,
    corrupt::ENTRY,
    slice::ENTRY,
    limit_data::ENTRY,
    slow_close::ENTRY,
    websocket::ENTRY,
];

/// The fault of this name.
pub fn find(name: &str) -> Option<&'static Entry> {
    CATALOG.iter().find(|entry| entry.name == name)
}
