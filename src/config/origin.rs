//! `proxy_protocol` and `forwarded`: how a proxy is told who its clients are, and how it tells the
//! upstream.

use crate::{
    diag::{Code, Diagnostic},
    read::{Field, Kind, Reader, Shape},
    select::Network,
    yaml::{Node, Spanned},
};

/// The PROXY protocol of HAProxy, on both sides of a proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxyProtocol {
    /// Who has to say at once whom a connection is from, and is believed. With none of them nobody is
    /// asked; with any, nobody else may connect.
    pub accept: Vec<Network>,
    /// How the upstream is told.
    pub send: Option<ProxyVersion>,
}

/// How a PROXY header is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProxyVersion {
    /// A line of text.
    V1,
    /// Bytes.
    V2,
}

/// Which header fields tell the upstream of an HTTP proxy who its client is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Forwarded {
    /// None: what the client sends passes as it is.
    #[default]
    None,
    /// `x-forwarded-for`, `-proto` and `-host`.
    XForwarded,
    /// `forwarded` (RFC 7239).
    Standard,
    /// All of them.
    Both,
}

impl Forwarded {
    const WORDS: [(&'static str, Self); 4] = [
        (Self::None.name(), Self::None),
        (Self::XForwarded.name(), Self::XForwarded),
        (Self::Standard.name(), Self::Standard),
        (Self::Both.name(), Self::Both),
    ];

    /// As a config writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::XForwarded => "x-forwarded",
            Self::Standard => "forwarded",
            Self::Both => "both",
        }
    }
}

impl ProxyVersion {
    const WORDS: [(&'static str, Self); 2] =
        [(Self::V1.name(), Self::V1), (Self::V2.name(), Self::V2)];

    /// As a config writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        }
    }
}

/// The words of `forwarded`, for the schema.
pub(super) const FORWARDED: Kind = Kind::Word(&["none", "x-forwarded", "forwarded", "both"]);

/// The keys of `proxy_protocol`.
pub(super) static PROXY_PROTOCOL: Shape = Shape {
    what: "`proxy_protocol`",
    fields: &[
        Field::optional(
            "accept",
            Kind::Any(&[Kind::Text, Kind::List(&Kind::Text)]),
            "addresses or networks whose connections begin with a PROXY header, and which alone may connect",
        ),
        Field::optional(
            "send",
            Kind::Word(&["v1", "v2"]),
            "begin connections to the upstream with a PROXY header of this version",
        ),
    ],
};

pub(super) fn proxy_protocol(
    node: &Spanned<Node>,
    reader: &mut Reader<'_>,
) -> Option<ProxyProtocol> {
    let fields = reader.fields(node, &PROXY_PROTOCOL)?;
    let accept = fields.get("accept").map(|node| reader.one_or_list(node, network));
    let send = fields.get("send").map(|node| reader.choice(node, &ProxyVersion::WORDS));
    if accept.is_none() && send.is_none() {
        let title = "`proxy_protocol` says neither whom to accept it from nor what to send";
        let problem = Diagnostic::new(Code::E0107, title, node.span);
        reader.problem(problem.help("write `accept: 10.0.0.0/8`, `send: v2`, or both"));
        return None;
    }
    Some(ProxyProtocol {
        accept: accept.unwrap_or_else(|| Some(Vec::new()))?,
        send: send.map_or(Some(None), |version| version.map(Some))?,
    })
}

pub(super) fn forwarded(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Forwarded> {
    reader.choice(node, &Forwarded::WORDS)
}

fn network(reader: &mut Reader<'_>, node: &Spanned<Node>) -> Option<Network> {
    let text = reader.name(node)?;
    let network = text.parse::<Network>();
    network
        .map_err(|why| {
            let problem = Diagnostic::new(Code::E0701, why, node.span);
            reader.problem(problem.help("write one such as `10.0.0.7` or `10.0.0.0/8`"));
        })
        .ok()
}
