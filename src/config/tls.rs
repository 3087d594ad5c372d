//! TLS: how a proxy speaks it with its clients, and how with its upstream.

use crate::{
    config::{proxy::flag, token::beside},
    diag::{Code, Diagnostic},
    read::{Field, Kind, Reader, Shape},
    yaml::{Node, Spanned},
};
use std::path::PathBuf;

/// How to speak TLS with clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terminate {
    /// The certificate and its key; without them they are made up by Firedrill's own authority for
    /// whatever name a client asks for.
    pub identity: Option<Identity>,
    /// Clients have to show a certificate that one of this PEM file has signed.
    pub client_ca: Option<PathBuf>,
}

/// A certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// A PEM file with the certificate, and those that lead from it to an authority.
    pub cert: PathBuf,
    /// A PEM file with its key.
    pub key: PathBuf,
}

/// How to speak TLS with an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamTls {
    /// Trust the certificates of this PEM file, and no others.
    pub ca: Option<PathBuf>,
    /// Whether its certificate has to be right.
    pub verify: bool,
}

pub(super) static TLS: Shape = Shape {
    what: "`tls`",
    fields: &[
        Field::optional(
            "ca",
            Kind::Text,
            "a PEM file: its certificates are trusted, and no others",
        ),
        Field::optional(
            "verify",
            Kind::Flag,
            "whether the upstream's certificate has to be right; yes if left out",
        ),
    ],
};

pub(super) static TERMINATE: Shape = Shape {
    what: "`terminate`",
    fields: &[
        Field::optional(
            "cert",
            Kind::Text,
            "a PEM file with the proxy's certificate; made up by `firedrill ca` if left out",
        ),
        Field::optional("key", Kind::Text, "a PEM file with the certificate's key"),
        Field::optional(
            "client_ca",
            Kind::Text,
            "a PEM file: clients have to show a certificate that one of these has signed",
        ),
    ],
};

/// Reads `terminate`; `None` if it says no, too.
pub(super) fn terminate(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Terminate> {
    if !matches!(node.value, Node::Map(_)) {
        return reader.boolean(node)?.then(Terminate::default);
    }
    let fields = reader.fields(node, &TERMINATE)?;
    let mut file = |key: &str| {
        let name = fields.get(key).map(|node| reader.name(node));
        name.map(|name| name.map(|name| beside(&name, reader)))
    };
    let (cert, key, client_ca) = (file("cert"), file("key"), file("client_ca"));
    let identity = match (cert, key) {
        (None, None) => None,
        (Some(cert), Some(key)) => Some(Identity { cert: cert?, key: key? }),
        (cert, _) => {
            let (there, missing) = if cert.is_some() { ("cert", "key") } else { ("key", "cert") };
            let title = format!("`{there}` is of no use without `{missing}`");
            let place = fields.key_span(there)?;
            let help = "give both, or neither to have a certificate made up";
            reader.problem(Diagnostic::new(Code::E0103, title, place).help(help));
            return None;
        }
    };
    let client_ca = match client_ca {
        Some(file) => Some(file?),
        None => None,
    };
    Some(Terminate { identity, client_ca })
}

/// Reads `tls`.
pub(super) fn upstream(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<UpstreamTls> {
    let fields = reader.fields(node, &TLS)?;
    let ca = fields.get("ca").map(|node| reader.name(node));
    let verify = flag(&fields, "verify", reader);
    if let (Some(span), false) = (fields.key_span("ca"), verify) {
        let title = "`ca` says whom to trust, `verify: no` trusts anybody";
        reader.problem(Diagnostic::new(Code::E0414, title, span).help("remove one of them"));
        return None;
    }
    let ca = ca.flatten().map(|name| beside(&name, reader));
    Some(UpstreamTls { ca, verify })
}
