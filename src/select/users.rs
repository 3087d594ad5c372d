//! Who one user is.

use crate::{
    diag::{Code, Diagnostic},
    dice,
    read::{Field, Kind, Reader, Shape},
    select::{RequestView, condition::parameters, credential::lasting},
    yaml::{Node, Spanned},
};
use http::{HeaderMap, HeaderName, header};
use std::{borrow::Cow, net::IpAddr};

/// Where a user's identity is taken from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserSource {
    /// A header's value.
    Header(HeaderName),
    /// A cookie's value.
    Cookie(String),
    /// A query parameter's value.
    Query(String),
    /// The address at the other end of the connection.
    Peer,
}

/// One user of the service, by a hash: the identity itself may be a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct User {
    /// The hash.
    pub key: u64,
    /// Which source told, by its place in the list; one past the end is the peer's address.
    pub source: usize,
}

/// Who is one user: the first source of the list that a request has, else its peer address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Users {
    /// In order.
    pub sources: Vec<UserSource>,
}

/// The keys of one source of identity.
pub(crate) static USERS: Shape = Shape {
    what: "`users`",
    fields: &[
        Field::optional("header", Kind::Text, "a request header whose value is the user"),
        Field::optional("cookie", Kind::Text, "a cookie whose value is the user"),
        Field::optional("query", Kind::Text, "a query parameter whose value is the user"),
    ],
};

impl Default for Users {
    fn default() -> Self {
        Self {
            sources: vec![
                UserSource::Header(HeaderName::from_static("x-user-id")),
                UserSource::Header(header::AUTHORIZATION),
            ],
        }
    }
}

impl Users {
    /// Reads one source or a list of them: `{ header: x-user-id }`, `peer`.
    pub fn read(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        let sources = reader.one_or_list(node, source)?;
        Some(Self { sources })
    }

    /// The user at the other end of a connection of which nothing else is known.
    pub fn of_peer(&self, address: IpAddr) -> User {
        User { key: peer(address), source: self.sources.len() }
    }

    /// The user behind a request.
    ///
    /// The key hashes the kind of the source and the raw value, and not the name of the header or
    /// cookie: one user keeps their fate when a service renames the header. Of a signature in
    /// `authorization` only who signs counts, since it is another one each time. An empty value is none.
    pub fn identify(&self, request: &RequestView<'_>) -> User {
        let found = self
            .sources
            .iter()
            .enumerate()
            .find_map(|(at, source)| Some((at, source.key(request)?)));
        let (source, key) = found.unwrap_or_else(|| (self.sources.len(), peer(request.peer)));
        User { key, source }
    }
}

impl UserSource {
    /// As a reader would say it: `header x-user-id`.
    pub fn show(&self) -> String {
        match self {
            Self::Header(name) => format!("header {name}"),
            Self::Cookie(name) => format!("cookie {name}"),
            Self::Query(name) => format!("query {name}"),
            Self::Peer => "peer address".to_owned(),
        }
    }

    /// The source that is shown so.
    pub fn shown(text: &str) -> Option<Self> {
        Some(match text.split_once(' ')? {
            ("header", name) => Self::Header(name.parse().ok()?),
            ("cookie", name) => Self::Cookie(name.to_owned()),
            ("query", name) => Self::Query(name.to_owned()),
            ("peer", "address") => Self::Peer,
            _ => return None,
        })
    }

    fn key(&self, request: &RequestView<'_>) -> Option<u64> {
        let (kind, value): (&[u8], Cow<'_, [u8]>) = match self {
            Self::Header(name) => {
                let value = request.headers.get(name)?.as_bytes();
                let is_credential = *name == header::AUTHORIZATION;
                (b"header", if is_credential { lasting(value) } else { value.into() })
            }
            Self::Cookie(name) => (b"cookie", cookie(request.headers, name.as_bytes())?.into()),
            Self::Query(name) => {
                let mut all = parameters(request.query);
                (b"query", all.find(|(n, _)| n == name)?.1.as_bytes().into())
            }
            Self::Peer => return Some(peer(request.peer)),
        };
        (!value.is_empty()).then(|| dice::key_of(&[kind, &value]))
    }
}

fn peer(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(address) => dice::key_of(&[b"peer", &address.octets()]),
        IpAddr::V6(address) => dice::key_of(&[b"peer", &address.octets()]),
    }
}

fn cookie<'h>(headers: &'h HeaderMap, name: &[u8]) -> Option<&'h [u8]> {
    // HTTP/2 may split one cookie header into many.
    let fields = headers.get_all(header::COOKIE).iter();
    fields.flat_map(|field| field.as_bytes().split(|byte| *byte == b';')).find_map(|pair| {
        let pair = pair.trim_ascii();
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        (&pair[..equals] == name).then_some(&pair[equals + 1..])
    })
}

fn source(reader: &mut Reader<'_>, node: &Spanned<Node>) -> Option<UserSource> {
    if let Node::Text(_) = node.value {
        return reader.choice(node, &[("peer", ())]).map(|()| UserSource::Peer);
    }
    let fields = reader.fields(node, &USERS)?;
    let [(key, value)] = fields.entries() else {
        let title = "a source of `users` names one thing: `header`, `cookie` or `query`";
        let problem = Diagnostic::new(Code::E0106, title, node.span);
        reader.problem(problem.help("write several as a list: `[{ header: a }, { cookie: b }]`"));
        return None;
    };
    let name = reader.text(value)?;
    match &*key.value {
        "header" => {
            let Ok(header) = name.parse() else {
                let title = format!("`{name}` is not the name of a header");
                reader.problem(Diagnostic::new(Code::E0303, title, value.span));
                return None;
            };
            Some(UserSource::Header(header))
        }
        "cookie" => Some(UserSource::Cookie(name)),
        "query" => Some(UserSource::Query(name)),
        _ => None,
    }
}
