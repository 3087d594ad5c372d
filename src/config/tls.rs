//! TLS: how a proxy speaks it with its clients, and how with its upstream.

use crate::{
    ca::{
        files::{self, FileError},
        is_name,
    },
    config::{
        proxy::{flag, upstream_of},
        token::beside,
    },
    diag::{Code, Diagnostic},
    fault::catalog::Protocol,
    read::{Field, Fields, Kind, Reader, Shape},
    yaml::{Node, Spanned},
};
use std::path::PathBuf;

/// How to speak TLS with clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terminate {
    /// What clients are shown; if nothing is given it is made up by Firedrill's own authority for
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
    /// The name that it is asked for and has to have, if not the one of its address.
    pub sni: Option<String>,
    /// What it is shown, if it wants to know who asks.
    pub identity: Option<Identity>,
}

impl Default for UpstreamTls {
    fn default() -> Self {
        Self { ca: None, verify: true, sni: None, identity: None }
    }
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
        Field::optional(
            "sni",
            Kind::Text,
            "the name that the upstream is asked for and has to have; its address's if left out",
        ),
        Field::optional(
            "cert",
            Kind::Text,
            "a PEM file with a certificate for an upstream that wants to know who asks",
        ),
        Field::optional("key", Kind::Text, "a PEM file with the certificate's key"),
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
    let identity = identity(&fields, reader);
    let client_ca = authorities("client_ca", &fields, reader);
    Some(Terminate { identity: identity?, client_ca: client_ca? })
}

/// Reads `tls`.
pub(super) fn upstream(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<UpstreamTls> {
    let fields = reader.fields(node, &TLS)?;
    let verify = flag(&fields, "verify", reader);
    let sni = fields.get("sni").map(|node| asked(node, reader));
    if let (Some(span), false) = (fields.key_span("ca"), verify) {
        let title = "`ca` says whom to trust, `verify: no` trusts anybody";
        reader.problem(Diagnostic::new(Code::E0414, title, span).help("remove one of them"));
        return None;
    }
    let ca = authorities("ca", &fields, reader);
    let identity = identity(&fields, reader);
    Some(UpstreamTls { ca: ca?, verify, sni: sni.flatten(), identity: identity? })
}

/// The name that an upstream is asked for.
fn asked(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<String> {
    let name = reader.name(node)?;
    if is_name(&name) {
        return Some(name);
    }
    let title = format!("`{}` is not a name that a certificate can be for", name.escape_debug());
    let help = "write one name, such as `shop.example`, or an address without brackets and port";
    reader.problem(Diagnostic::new(Code::E0701, title, node.span).help(help));
    None
}

/// A certificate and its key, if any are given; the outer `None` if they are of no use.
#[expect(clippy::option_option, reason = "what is not there is not wrong")]
fn identity(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Option<Identity>> {
    let (cert, key) = match (fields.get("cert"), fields.get("key")) {
        (None, None) => return Some(None),
        (Some(cert), Some(key)) => (cert, key),
        (cert, _) => {
            let (there, missing) = if cert.is_some() { ("cert", "key") } else { ("key", "cert") };
            let title = format!("`{there}` is of no use without `{missing}`");
            let place = fields.key_span(there)?;
            reader
                .problem(Diagnostic::new(Code::E0103, title, place).help("give both, or neither"));
            return None;
        }
    };
    let identity = Identity { cert: file(cert, reader)?, key: file(key, reader)? };
    if !reader.has_files() {
        return Some(Some(identity));
    }
    // Both are told of before it is asked whether they belong together.
    let has_cert = holds(&files::certificates(&identity.cert), cert, reader);
    let has_key = holds(&files::key(&identity.key), key, reader);
    if !has_cert || !has_key {
        return None;
    }
    let whole = files::identity(&identity.cert, &identity.key);
    let place = if matches!(whole, Err(FileError::BadCertificate { .. } | FileError::Broken(_))) {
        cert
    } else {
        key
    };
    holds(&whole, place, reader).then_some(Some(identity))
}

/// A file with authorities, if one is given; the outer `None` if it is of no use.
#[expect(clippy::option_option, reason = "what is not there is not wrong")]
fn authorities(
    name: &str,
    fields: &Fields<'_>,
    reader: &mut Reader<'_>,
) -> Option<Option<PathBuf>> {
    let Some(node) = fields.get(name) else { return Some(None) };
    let path = file(node, reader)?;
    let fits = !reader.has_files() || holds(&files::authorities(&path), node, reader);
    fits.then_some(Some(path))
}

fn file(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<PathBuf> {
    let name = reader.name(node)?;
    Some(beside(&name, reader))
}

/// Whether a file is of use; notes what is wrong with it, by the name that the config has for it.
fn holds<T>(read: &Result<T, FileError>, node: &Spanned<Node>, reader: &mut Reader<'_>) -> bool {
    let Err(error) = read else { return true };
    let name = reader.name(node).unwrap_or_default();
    let (title, help) = match error {
        FileError::Missing(_) => {
            (format!("there is no file `{name}`"), "write its path, from the folder of the config")
        }
        FileError::Unread { source, .. } => {
            (format!("`{name}` cannot be read: {source}"), "give a PEM file")
        }
        FileError::Broken(_) => (
            format!("`{name}` is cut off or garbled"),
            "give it as it was made, from the first `-----BEGIN` to the last `-----`",
        ),
        FileError::NoCertificate(_) => (
            format!("`{name}` holds no certificate"),
            "give a PEM file with `BEGIN CERTIFICATE` in it",
        ),
        FileError::NoKey(_) => (
            format!("`{name}` holds no key"),
            "give a PEM file with `BEGIN PRIVATE KEY` in it, not encrypted",
        ),
        FileError::BadCertificate { source, .. } => (
            format!("the certificate in `{name}` cannot be used: {source}"),
            "give a certificate of X.509 version 3, made anew if need be",
        ),
        FileError::BadKey { source, .. } => (
            format!("the key in `{name}` cannot be used: {source}"),
            "give a key for RSA of at least 2048 bits, ECDSA on P-256 or P-384, or Ed25519",
        ),
        FileError::Mismatch { .. } => (
            format!("`{name}` is not the key of the certificate"),
            "give the key that the certificate was made for, which comes first in its file",
        ),
    };
    reader.problem(Diagnostic::new(Code::E0721, title, node.span).help(help));
    false
}

/// Reads `sni`: upstreams by the name that TLS asks for.
pub(super) fn sni(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Vec<(String, String)> {
    let names = reader.names(node, "a mapping from names to upstreams");
    let entries = names.map_or(&[][..], |names| names.entries());
    if names.is_some() && entries.is_empty() {
        let problem = Diagnostic::new(Code::E0107, "there is no name in it", node.span);
        reader.problem(problem.help("write `shop.example: 10.0.0.1:443`, or leave `sni` out"));
    }
    let mut routes = Vec::new();
    for (name, upstream) in entries {
        let plain = name.value.strip_prefix("*.").unwrap_or(&name.value);
        let fits = !plain.is_empty()
            && plain.split('.').all(|label| {
                (1..=63).contains(&label.len())
                    && label.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
            });
        if !fits {
            let title = format!("`{}` is no name that TLS asks for", name.value.escape_debug());
            let help = "write a name such as `shop.example`, or `*.example` for all below it";
            reader.problem(Diagnostic::new(Code::E0701, title, name.span).help(help));
            continue;
        }
        let upstream = upstream_of(upstream, Protocol::Tcp, reader);
        routes.extend(upstream.map(|upstream| (name.value.clone(), upstream)));
    }
    routes
}
