//! `admin`: where a running drill is commanded, and by whom.

use crate::{
    config::token::Token,
    diag::{Code, Diagnostic, Span},
    read::{Field, Kind, Reader, Shape},
    units::listen,
    yaml::{Node, Spanned},
};
use http::uri::Authority;
use std::net::{Ipv4Addr, SocketAddr};

/// Where a running drill is commanded, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// Where it listens.
    pub listen: SocketAddr,
    /// What a command has to know.
    pub token: Option<Token>,
    /// Whether anybody who can connect may command.
    pub open: bool,
    /// By which names it is called besides its address, in lower case: a request for another name
    /// comes from a web page that plays tricks with DNS.
    pub hosts: Vec<String>,
    /// Where the file says where it listens, or else that there is one.
    pub place: Option<Span>,
}

impl Admin {
    /// Where it listens unless told otherwise: Toxiproxy's port.
    pub const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8474);
}

impl Default for Admin {
    fn default() -> Self {
        let (token, hosts, place) = (None, Vec::new(), None);
        Self { listen: Self::LISTEN, token, open: false, hosts, place }
    }
}

/// The keys of `admin`.
pub(super) static ADMIN: Shape = Shape {
    what: "`admin`",
    fields: &[
        Field::optional(
            "listen",
            Kind::Text,
            "an address and a port, or a port on loopback; `127.0.0.1:8474` if left out",
        ),
        Field::optional(
            "token",
            Kind::Map(&super::token::TOKEN),
            "where the token is that commands have to carry; needed off loopback",
        ),
        Field::optional(
            "open",
            Kind::Flag,
            "whether anybody may command, off loopback too; no if left out",
        ),
        Field::optional(
            "hosts",
            Kind::Any(&[Kind::Text, Kind::List(&Kind::Text)]),
            "names by which browsers may call it, besides its address and `localhost`",
        ),
    ],
};

pub(super) fn read(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Admin> {
    let fields = reader.fields(node, &ADMIN)?;
    let mut admin = Admin { place: Some(node.span), ..Admin::default() };
    let mut whole = true;
    for (key, value) in fields.entries() {
        let read = match &*key.value {
            "listen" => address(value, reader).map(|address| {
                admin.listen = address;
                admin.place = Some(value.span);
            }),
            "token" => Token::read_from(value, reader).map(|token| admin.token = Some(token)),
            "open" => reader.boolean(value).map(|open| admin.open = open),
            "hosts" => reader.one_or_list(value, host).map(|hosts| admin.hosts = hosts),
            _ => None,
        };
        whole &= read.is_some();
    }
    if !whole {
        return None;
    }
    let key = |name: &str| fields.key_span(name).unwrap_or(fields.span);
    if admin.open && admin.token.is_some() {
        let title = "`open` lets everybody in, `token` only those who know it";
        let problem = Diagnostic::new(Code::E0414, title, key("open"));
        reader.problem(problem.label(key("token"), "the token").help("remove one of them"));
        return None;
    }
    let near = admin.listen.ip().to_canonical().is_loopback();
    if !near && !admin.open && admin.token.is_none() {
        let title = format!("anybody who reaches `{}` could command the drill", admin.listen);
        let place = admin.place.unwrap_or(fields.span);
        let problem = Diagnostic::new(Code::E0703, title, place);
        reader.problem(problem.help(
            "add `token: { env: FIREDRILL_TOKEN }`, or listen on `127.0.0.1`; \
             `open: yes` if it really is for everybody",
        ));
        return None;
    }
    Some(admin)
}

/// An address to listen on.
fn address(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<SocketAddr> {
    let text = reader.name(node)?;
    match listen(&text) {
        Ok(address) => Some(address),
        Err(why) => {
            let title = format!("`{text}` is no address to listen on");
            reader.problem(Diagnostic::new(Code::E0701, title, node.span).help(why.to_string()));
            None
        }
    }
}

fn host(reader: &mut Reader<'_>, node: &Spanned<Node>) -> Option<String> {
    let text = reader.name(node)?;
    let authority = text.parse().ok().filter(|a: &Authority| a.host() == text);
    if authority.is_none() {
        let title = format!("`{text}` is not the name of a host");
        let problem = Diagnostic::new(Code::E0701, title, node.span);
        reader.problem(problem.help("write the name alone, such as `drill.example`"));
    }
    authority.map(|authority| authority.host().to_ascii_lowercase())
}
