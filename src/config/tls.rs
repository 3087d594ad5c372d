//! TLS: how a proxy speaks it with its clients, and how with its upstream.

use crate::{
    ca::files::{self, FileError},
    config::{
        proxy::{flag, upstream_of},
        token::beside,
    },
    diag::{Code, Diagnostic},
    fault::catalog::Protocol,
    read::{Field, Fields, Kind, Reader, Shape},
    yaml::{Node, Spanned},
};
use std::path::{Path, PathBuf};

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
    let sni = fields.get("sni").map(|node| reader.name(node));
    if let (Some(span), false) = (fields.key_span("ca"), verify) {
        let title = "`ca` says whom to trust, `verify: no` trusts anybody";
        reader.problem(Diagnostic::new(Code::E0414, title, span).help("remove one of them"));
        return None;
    }
    let ca = authorities("ca", &fields, reader);
    let identity = identity(&fields, reader);
    Some(UpstreamTls { ca: ca?, verify, sni: sni.flatten(), identity: identity? })
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
    let (cert_at, key_at) = (file(cert, reader), file(key, reader));
    let identity = Identity { cert: cert_at?, key: key_at? };
    let (has_cert, has_key) = (is_here(&identity.cert, reader), is_here(&identity.key, reader));
    if has_cert && let Err(error) = files::certificates(&identity.cert) {
        refuse(&error, cert, reader);
        return None;
    }
    if has_key && let Err(error) = files::key(&identity.key) {
        refuse(&error, key, reader);
        return None;
    }
    if has_cert
        && has_key
        && let Err(error) = files::identity(&identity.cert, &identity.key)
    {
        refuse(&error, key, reader);
        return None;
    }
    Some(Some(identity))
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
    if is_here(&path, reader)
        && let Err(error) = files::certificates(&path)
    {
        refuse(&error, node, reader);
        return None;
    }
    Some(Some(path))
}

/// Whether a file can be looked into. One that is not here may be where the drill takes place; there
/// it is told at the start.
fn is_here(path: &Path, reader: &Reader<'_>) -> bool {
    reader.has_files() && path.exists()
}

fn file(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<PathBuf> {
    let name = reader.name(node)?;
    Some(beside(&name, reader))
}

/// Notes what is wrong with a file, by the name that the config has for it.
fn refuse(error: &FileError, node: &Spanned<Node>, reader: &mut Reader<'_>) {
    let name = reader.name(node).unwrap_or_default();
    let (title, help) = match error {
        FileError::Unread { source, .. } => {
            (format!("`{name}` cannot be read: {source}"), "give a PEM file")
        }
        FileError::NoCertificate(_) => (
            format!("`{name}` holds no certificate"),
            "give a PEM file with `BEGIN CERTIFICATE` in it",
        ),
        FileError::NoKey(_) => (
            format!("`{name}` holds no key"),
            "give a PEM file with `BEGIN PRIVATE KEY` in it, not encrypted",
        ),
        FileError::Mismatch { source, .. } => (
            format!("`{name}` is not the key of the certificate: {source}"),
            "give the key that the certificate was made for",
        ),
    };
    reader.problem(Diagnostic::new(Code::E0721, title, node.span).help(help));
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
