//! Which requests a target means.

use crate::{
    grpc,
    select::{
        RequestView,
        client::Network,
        condition::{Host, Named, Pointed, Protocol},
        glob::Glob,
    },
};
use http::{HeaderName, Method};
use std::fmt;

/// A condition on a request. All its parts must agree; an absent one agrees, and of the items of
/// a list one is enough.
///
/// Asking allocates nothing, except for a body, which has to be parsed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matcher {
    pub(super) methods: Vec<Method>,
    pub(super) paths: Vec<Glob>,
    pub(super) hosts: Vec<Host>,
    pub(super) headers: Vec<Vec<Named<HeaderName>>>,
    pub(super) query: Vec<Vec<Named<String>>>,
    pub(super) clients: Vec<Network>,
    pub(super) bodies: Vec<Vec<Pointed>>,
    pub(super) calls: Vec<Glob>,
    pub(super) protocols: Vec<Protocol>,
    pub(super) not: Vec<Matcher>,
}

impl Matcher {
    /// A matcher of a route as a command line writes it: `POST /api/checkout/**`. Without a
    /// method it means all of them; several are separated by commas.
    ///
    /// # Errors
    ///
    /// Fails with a sentence if the text is no route.
    pub fn route(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (methods, path) = text.rsplit_once(char::is_whitespace).unwrap_or(("", text));
        let methods = methods.split(',').map(str::trim).filter(|word| !word.is_empty());
        Ok(Self {
            methods: methods.map(method).collect::<Result<_, _>>()?,
            paths: vec![Glob::path(path)?],
            ..Self::default()
        })
    }

    /// Whether it means this request.
    pub fn matches(&self, request: &RequestView<'_>) -> bool {
        any(&self.methods, |method| method == request.method)
            && any(&self.paths, |path| path.matches(request.path.as_bytes()))
            && any(&self.hosts, |host| host.matches(request.headers))
            && any(&self.headers, |all| all.iter().all(|one| one.in_headers(request.headers)))
            && any(&self.query, |all| all.iter().all(|one| one.in_query(request.query)))
            && any(&self.clients, |network| network.contains(request.peer))
            && any(&self.protocols, |protocol| protocol.matches(request))
            && self.matches_call(request)
            && self.matches_body(request)
            && !self.not.iter().any(|not| not.matches(request))
    }

    /// Whether it can only be decided once a small body has been read.
    pub fn needs_body(&self) -> bool {
        !self.bodies.is_empty() || self.not.iter().any(Self::needs_body)
    }

    /// What it matches, in a few words: `POST /purchase/**`.
    pub fn show(&self) -> String {
        self.to_string()
    }

    /// Whether no request can meet it, since it asks for bytes without requests.
    pub(crate) fn is_tcp_alone(&self) -> bool {
        self.protocols == [Protocol::Tcp]
    }

    fn matches_call(&self, request: &RequestView<'_>) -> bool {
        let is_call = |call: &Glob| {
            let name = request.path.strip_prefix('/');
            name.is_some_and(|name| call.matches(name.as_bytes()))
        };
        self.calls.is_empty()
            || (request.method == Method::POST
                && grpc::is_grpc(request.headers)
                && self.calls.iter().any(is_call))
    }

    fn matches_body(&self, request: &RequestView<'_>) -> bool {
        if self.bodies.is_empty() {
            return true;
        }
        let document = request.body.and_then(|body| serde_json::from_slice(body).ok());
        document.is_some_and(|document| {
            any(&self.bodies, |all| all.iter().all(|one| one.is_in(&document)))
        })
    }
}

/// Whether one of the items does, if there are any.
fn any<T>(items: &[T], does: impl Fn(&T) -> bool) -> bool {
    items.is_empty() || items.iter().any(does)
}

/// A method by its name; upper case is what travels, so lower case can only have meant that.
pub(super) fn method(text: &str) -> Result<Method, String> {
    let upper = text.to_ascii_uppercase();
    Method::from_bytes(upper.as_bytes()).map_err(|_| format!("`{text}` is not a method"))
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = vec![joined("", &self.methods), joined("", &self.paths)];
        parts.push(joined("grpc ", &self.calls));
        parts.push(joined("host ", &self.hosts));
        parts.push(joined("header ", &groups(&self.headers)));
        parts.push(joined("query ", &groups(&self.query)));
        parts.push(joined("client ", &self.clients));
        parts.push(joined("protocol ", &self.protocols));
        parts.push(joined("body ", &groups(&self.bodies)));
        parts.extend(self.not.iter().map(|not| format!("not ({not})")));
        parts.retain(|part| !part.is_empty());
        f.write_str(if parts.is_empty() { "everything" } else { "" })?;
        f.write_str(&parts.join(" "))
    }
}

fn joined<T: fmt::Display>(what: &str, items: &[T]) -> String {
    if items.is_empty() {
        return String::new();
    }
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    format!("{what}{}", items.join("|"))
}

fn groups<T: fmt::Display>(groups: &[Vec<T>]) -> Vec<String> {
    let group = |all: &Vec<T>| all.iter().map(ToString::to_string).collect::<Vec<_>>().join("&");
    groups.iter().map(group).collect()
}
