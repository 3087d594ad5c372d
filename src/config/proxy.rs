//! `proxies`: each by its name, with where it listens and what it stands in front of.

use crate::{
    config::{
        Ground,
        allow::Allow,
        origin::{self, FORWARDED, Forwarded, PROXY_PROTOCOL, ProxyProtocol},
        tls::{self, Terminate, UpstreamTls},
        token::beside,
        upstream_http::UpstreamHttp,
    },
    diag::{Code, Diagnostic, Span},
    fault::catalog::Protocol,
    read::{Field, Fields, Kind, Reader, Shape},
    select::Users,
    units::{Place, bytes_upstream, http_upstream, tcp_upstream, unix_path},
    yaml::{Node, Spanned},
};
use std::collections::HashMap;

/// Longer names are hard on variables, URLs and reports.
pub(super) const LONGEST_NAME: usize = 64;

/// A proxy, as the file writes it.
#[derive(Clone, Debug)]
pub struct ProxyEntry {
    /// Its name: ASCII letters, digits, `-`, `_` and `.`, beginning with a letter or a digit.
    pub name: String,
    /// Where clients connect; port 0 takes a free one. The path of a Unix socket is one from here.
    pub listen: Place,
    /// The service behind it: a URL without a path for `http`, `host:port` for `tcp`, and the hosts
    /// that it reaches, as [`Allow`] writes them, for `forward`.
    pub upstream: String,
    /// What it understands of the traffic.
    pub protocol: Protocol,
    /// Whether it listens from the start.
    pub enabled: bool,
    /// Who is one user of it, if it is not the same as elsewhere.
    pub users: Option<Users>,
    /// Whose name the upstream is sent as `host`.
    pub host: HostHeader,
    /// Whether injected answers carry the header that tells them from genuine ones.
    pub mark: bool,
    /// Which version of HTTP the upstream is spoken to in.
    pub http: UpstreamHttp,
    /// How to speak TLS with the upstream, if it is not the usual way.
    pub tls: Option<UpstreamTls>,
    /// Upstreams for TLS that is passed on, by the name or `*.name` that clients ask for.
    pub sni: Vec<(String, String)>,
    /// How to speak TLS with clients, if they do.
    pub terminate: Option<Terminate>,
    /// Whether TLS inside the tunnels of a forward proxy is ended here, and requests in it read.
    pub intercept: bool,
    /// Who says, and who is told, whom a connection is from.
    pub proxy_protocol: ProxyProtocol,
    /// Which header fields tell the upstream who the client is.
    pub forwarded: Forwarded,
    /// Where it says so.
    pub places: Places,
}

/// Whose name the upstream is sent as `host`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HostHeader {
    /// The one the client sent.
    #[default]
    Keep,
    /// The upstream's own.
    Rewrite,
}

/// Where the parts of a proxy stand in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    /// Its name.
    pub name: Span,
    /// The value of `listen`.
    pub listen: Span,
    /// The value of `upstream`, or of `allow`.
    pub upstream: Span,
}

/// The keys of a proxy.
pub(super) static PROXY: Shape = Shape {
    what: "a proxy",
    fields: &[
        Field::required(
            "listen",
            Kind::Text,
            "where clients connect: an address and a port, or a port on loopback, 0 for a free one; or `unix:/run/shop.sock`",
        ),
        Field::optional(
            "upstream",
            Kind::Text,
            "the service behind it: `http://127.0.0.1:3000`, `127.0.0.1:5432` for `tcp`, or `unix:/run/shop.sock`; needed but for `forward`",
        ),
        Field::optional(
            "allow",
            Kind::Any(&[Kind::Text, Kind::List(&Kind::Text)]),
            "the hosts that a proxy with `protocol: forward` reaches: `api.example.com` (ports 80 and 443), `\"*.example.org\"`, `127.0.0.1:8080`; `\"*\"` is every host",
        ),
        Field::optional(
            "intercept",
            Kind::Flag,
            "whether a proxy with `protocol: forward` reads the requests inside TLS, with certificates that its client has to trust; no if left out",
        ),
        Field::optional(
            "protocol",
            Kind::Word(&["http", "tcp", "forward"]),
            "what the traffic is understood as; `http` if left out",
        ),
        Field::optional(
            "enabled",
            Kind::Flag,
            "whether it listens from the start; yes if left out",
        ),
        Field::optional("users", Kind::Ref("users"), "who is one user of it"),
        Field::optional(
            "host",
            Kind::Word(&["keep", "rewrite"]),
            "whose name the upstream is sent as `host`: the client's (`keep`, the default) or its own",
        ),
        Field::optional(
            "mark",
            Kind::Flag,
            "whether injected answers carry a header that says so; yes if left out",
        ),
        Field::optional(
            "proxy_protocol",
            Kind::Map(&PROXY_PROTOCOL),
            "who says, and who is told, in a PROXY header whom a connection is from",
        ),
        Field::optional(
            "forwarded",
            FORWARDED,
            "which header fields tell the upstream who the client is; `none` if left out",
        ),
        Field::optional(
            "upstream_http",
            Kind::Word(&["same", "http1", "http2"]),
            "the version of HTTP that the upstream is spoken to in; `same` as the client's if left out",
        ),
        Field::optional(
            "terminate",
            Kind::Any(&[Kind::Flag, Kind::Map(&tls::TERMINATE)]),
            "whether clients speak TLS with the proxy, and the certificate they are shown",
        ),
        Field::optional(
            "sni",
            Kind::Names(&Kind::Text),
            "upstreams of a tcp proxy by the name that TLS asks for: `shop.example` or `*.example`",
        ),
        Field::optional("tls", Kind::Map(&tls::TLS), "how to speak TLS with an https upstream"),
    ],
};

const PROTOCOLS: [(&str, Protocol); 3] = [
    (Protocol::Http.name(), Protocol::Http),
    (Protocol::Tcp.name(), Protocol::Tcp),
    (Protocol::Forward.name(), Protocol::Forward),
];

impl ProxyEntry {
    /// As far as faults have to fit it.
    pub(super) fn ground(&self) -> Ground<'_> {
        Ground {
            name: &self.name,
            protocol: self.protocol,
            terminates: self.terminate.is_some(),
            intercepts: self.intercept,
        }
    }

    /// The variable in which a command beside the drill finds where this proxy listens:
    /// `FIREDRILL_URL_MY_SHOP` for `my-shop`.
    pub fn variable(&self) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        format!("FIREDRILL_URL_{}", self.name.chars().map(plain).collect::<String>())
    }
}

/// Reads `proxies:`, which may be empty.
pub(super) fn read_all(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Vec<ProxyEntry> {
    if node.value == Node::Null {
        return Vec::new();
    }
    let Some(names) = reader.names(node, "a mapping from names to proxies") else {
        return Vec::new();
    };
    let all = names.entries().iter().filter_map(|(name, value)| {
        let named = check_name(name, reader);
        let proxy = read(name, value, reader);
        proxy.filter(|_| named)
    });
    let all: Vec<ProxyEntry> = all.collect();
    told_apart(&all, reader);
    all
}

impl ProxyEntry {
    /// Reads one proxy that stands alone, its name beside it.
    pub fn read(
        name: &Spanned<String>,
        node: &Spanned<Node>,
        reader: &mut Reader<'_>,
    ) -> Option<Self> {
        let named = check_name(name, reader);
        read(name, node, reader).filter(|_| named)
    }
}

/// Names end up in variables, URLs and commands.
fn check_name(name: &Spanned<String>, reader: &mut Reader<'_>) -> bool {
    let text = &name.value;
    let fits = text.len() <= LONGEST_NAME
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if !fits {
        let title = format!("`{}` cannot be the name of a proxy", text.escape_debug());
        reader.problem(Diagnostic::new(Code::E0705, title, name.span).help(format!(
            "use letters, digits, `-`, `_` and `.`, at most {LONGEST_NAME}; begin with a letter or a digit"
        )));
    }
    fits
}

/// Two names that are one as a variable would hide a proxy from the command beside the drill.
fn told_apart(proxies: &[ProxyEntry], reader: &mut Reader<'_>) {
    let mut firsts: HashMap<String, &ProxyEntry> = HashMap::new();
    for proxy in proxies {
        let variable = proxy.variable();
        let first = *firsts.entry(variable.clone()).or_insert(proxy);
        // The same name twice has been told already.
        if first.name == proxy.name {
            continue;
        }
        let title = format!("`{}` and `{}` would share a variable", first.name, proxy.name);
        let problem = Diagnostic::new(Code::E0302, title, proxy.places.name);
        let problem = problem.label(first.places.name, "the other proxy");
        reader.problem(problem.help(format!("rename one of them: both would be `{variable}`")));
    }
}

fn read(
    name: &Spanned<String>,
    node: &Spanned<Node>,
    reader: &mut Reader<'_>,
) -> Option<ProxyEntry> {
    let fields = reader.fields_so_far(node, &PROXY)?;
    let protocol = match fields.get("protocol") {
        Some(node) => reader.choice(node, &PROTOCOLS),
        None => Some(Protocol::Http),
    };
    let listen = fields.get("listen").and_then(|node| place(node, reader));
    let behind = protocol.and_then(|protocol| behind(&fields, protocol, reader));
    let enabled = flag(&fields, "enabled", reader);
    let mark = flag(&fields, "mark", reader);
    let users = fields.get("users").map(|node| Users::read(node, reader));
    let host = fields.get("host").map(|node| {
        let words = [("keep", HostHeader::Keep), ("rewrite", HostHeader::Rewrite)];
        reader.choice(node, &words)
    });
    let intercept = fields.get("intercept").and_then(|node| reader.boolean(node)) == Some(true);
    let tls = fields.get("tls").map(|node| tls::upstream(node, reader));
    let terminate = fields.get("terminate").map(|node| tls::terminate(node, reader));
    let http = fields.get("upstream_http").map(|node| reader.choice(node, &UpstreamHttp::WORDS));
    let proxy_protocol =
        fields.get("proxy_protocol").map(|node| origin::proxy_protocol(node, reader));
    let forwarded = fields.get("forwarded").map(|node| origin::forwarded(node, reader));
    let sni = fields.get("sni").map(|node| tls::sni(node, reader));
    if let (Some(protocol), Some(listen), Some(node)) = (protocol, &listen, fields.get("listen")) {
        can_be_told_of(listen, protocol, node, reader);
    }
    let ((upstream, upstream_span), protocol) = (behind?, protocol?);
    fit_together(&fields, &upstream, protocol, reader);
    let terminate = terminate.flatten();
    let ground = Ground {
        name: &name.value,
        protocol,
        terminates: terminate.is_some(),
        intercepts: intercept,
    };
    if let Some(title) = ground.unread()
        && let Some(span) = fields.key_span("terminate")
    {
        let problem = Diagnostic::new(Code::E0414, title, span);
        reader.problem(problem.help("remove `terminate` or `intercept`"));
    }
    Some(ProxyEntry {
        name: name.value.clone(),
        listen: listen?,
        upstream,
        protocol,
        enabled,
        users: users.flatten(),
        host: host.flatten().unwrap_or_default(),
        http: http.flatten().unwrap_or_default(),
        mark,
        tls: tls.flatten(),
        sni: sni.unwrap_or_default(),
        terminate,
        intercept,
        proxy_protocol: proxy_protocol.flatten().unwrap_or_default(),
        forwarded: forwarded.flatten().unwrap_or_default(),
        places: Places {
            name: name.span,
            listen: fields.get("listen")?.span,
            upstream: upstream_span,
        },
    })
}

/// What a proxy stands in front of, and where that is written.
fn behind(
    fields: &Fields<'_>,
    protocol: Protocol,
    reader: &mut Reader<'_>,
) -> Option<(String, Span)> {
    let (key, other) = match protocol {
        Protocol::Forward => ("allow", "upstream"),
        Protocol::Http | Protocol::Tcp => ("upstream", "allow"),
    };
    if let Some(span) = fields.key_span(other) {
        let (title, help) = match protocol {
            Protocol::Forward => (
                "a forward proxy goes where each request says, so `upstream` means nothing to it",
                "write the host into `allow`, or remove `protocol: forward`",
            ),
            Protocol::Http | Protocol::Tcp => (
                "`allow` is for proxies that go where each request says",
                "add `protocol: forward`, or remove `allow`",
            ),
        };
        reader.problem(Diagnostic::new(Code::E0414, title, span).help(help));
    }
    let Some(node) = fields.get(key) else {
        if fields.key_span(other).is_none() {
            let title = format!("a proxy for {} needs `{key}`", protocol.name());
            let field = PROXY.fields.iter().find(|field| field.name == key);
            let doc = field.map_or("", |field| field.doc);
            let problem = Diagnostic::new(Code::E0103, title, fields.span);
            reader.problem(problem.help(format!("`{key}`: {doc}")));
        }
        return None;
    };
    Some((upstream_of(node, protocol, reader)?, node.span))
}

/// A yes or no that is yes if left out.
pub(super) fn flag(fields: &Fields<'_>, key: &str, reader: &mut Reader<'_>) -> bool {
    fields.get(key).and_then(|node| reader.boolean(node)).unwrap_or(true)
}

/// An address or a Unix socket to listen on.
pub(super) fn place(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Place> {
    let text = reader.name(node)?;
    let place = Place::parse(&beside_file(text.clone(), reader));
    place
        .map_err(|why| {
            let title = format!("`{text}` is no address to listen on");
            reader.problem(Diagnostic::new(Code::E0701, title, node.span).help(why.to_string()));
        })
        .ok()
}

/// Notes a forward proxy of which no client can be told: the variables for that hold URLs.
pub(super) fn can_be_told_of(
    place: &Place,
    protocol: Protocol,
    node: &Spanned<Node>,
    reader: &mut Reader<'_>,
) {
    if protocol == Protocol::Forward && matches!(place, Place::Unix(_)) {
        let title = "no client can be told of a forward proxy on a Unix socket";
        let help = "listen on an address and a port, such as `127.0.0.1:3128`";
        reader.problem(Diagnostic::new(Code::E0701, title, node.span).help(help));
    }
}

/// The path of a Unix socket as one from the file that names it.
fn beside_file(text: String, reader: &Reader<'_>) -> String {
    match unix_path(&text).and_then(Result::ok) {
        Some(path) => match path.to_str() {
            Some(path) => Place::Unix(beside(path, reader)).to_string(),
            None => text,
        },
        None => text,
    }
}

pub(super) fn upstream_of(
    node: &Spanned<Node>,
    protocol: Protocol,
    reader: &mut Reader<'_>,
) -> Option<String> {
    if protocol == Protocol::Forward {
        return Allow::read(node, reader).map(|allow| allow.to_string());
    }
    let text = reader.name(node)?;
    let text = beside_file(text, reader);
    let read = match protocol {
        // Of bytes as well as of requests: which was meant has to be said.
        Protocol::Http if !text.contains("://") && tcp_upstream(&text).is_ok() => Err(format!(
            "write `http://{text}` for a service that speaks HTTP, or add `protocol: tcp` to pass on bytes"
        )),
        Protocol::Http => match http_upstream(&text) {
            Ok(address) => Ok(address),
            Err(_) if tcp_upstream(&text).is_ok() => {
                Err("the proxy understands http; add `protocol: tcp` to pass on bytes".to_owned())
            }
            Err(why) => Err(why.to_string()),
        },
        Protocol::Tcp | Protocol::Forward => bytes_upstream(&text).map_err(|why| why.to_string()),
    };
    read.map_err(|why| {
        let title = format!("`{text}` is no upstream of a proxy for {}", protocol.name());
        reader.problem(Diagnostic::new(Code::E0701, title, node.span).help(why));
    })
    .ok()
}

/// Notes keys that such a proxy has no use for.
fn fit_together(fields: &Fields<'_>, upstream: &str, protocol: Protocol, reader: &mut Reader<'_>) {
    if let Some(span) = fields.key_span("intercept").filter(|_| protocol != Protocol::Forward) {
        let title = "`intercept` is for the tunnels of a forward proxy";
        let problem = Diagnostic::new(Code::E0414, title, span);
        reader.problem(problem.help(match protocol {
            Protocol::Tcp => "remove it",
            _ => "write `terminate: yes` for a proxy that its clients speak TLS with",
        }));
    }
    if protocol == Protocol::Tcp {
        for key in ["users", "host", "mark", "upstream_http", "tls", "terminate", "forwarded"] {
            let Some(span) = fields.key_span(key) else { continue };
            let title = format!("a tcp proxy passes on bytes, so `{key}` means nothing to it");
            let problem = Diagnostic::new(Code::E0414, title, span);
            reader.problem(problem.help(format!("remove `{key}`, or `protocol: tcp`")));
        }
    } else if let Some(span) = fields.key_span("sni") {
        let title = "an http proxy has one upstream: `sni` is for TLS that is passed on untouched";
        let problem = Diagnostic::new(Code::E0414, title, span);
        reader.problem(problem.help("add `protocol: tcp`, or remove `sni`"));
    } else if protocol == Protocol::Forward {
        for (key, title) in [
            ("host", "a forward proxy sends each host its own name, so `host` means nothing to it"),
            ("proxy_protocol", "hosts out there do not speak the PROXY protocol"),
            ("forwarded", "hosts out there are not told who the client is"),
        ] {
            let Some(span) = fields.key_span(key) else { continue };
            let problem = Diagnostic::new(Code::E0414, title, span);
            reader.problem(problem.help(format!("remove `{key}`")));
        }
    } else if let Some(span) = fields.key_span("tls").filter(|_| !upstream.starts_with("https://"))
    {
        let title = "the upstream is spoken to without TLS";
        let problem = Diagnostic::new(Code::E0414, title, span);
        reader.problem(problem.help("write the upstream as `https://…`, or remove `tls`"));
    }
}
