//! What a request to a forward proxy names (RFC 9112 §3.2).
//!
//! Read before anything else sees the request, so that records, targets and faults meet it as the host
//! would: in origin-form, with `host` saying what the target said.

use crate::units::HostPort;
use h2::ext::Protocol;
use http::{
    HeaderMap, HeaderValue, Method, Request, Uri, Version, header,
    uri::{Authority, PathAndQuery, Scheme},
};
use std::borrow::Cow;

/// What a request names, beside it in its extensions.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// An upstream, to be spoken to over TLS or not.
    Upstream(HostPort, bool),
    /// The other end of a tunnel.
    Tunnel(HostPort),
    /// Nothing that could be gone to.
    Wrong(Cow<'static, str>),
}

/// Said to whoever takes it for a server.
const NOT_A_SERVER: &str = "this is a forward proxy, and the request is written as one to a server. Set \
     HTTP_PROXY and HTTPS_PROXY to this address and ask for the service by its own URL; to have \
     Firedrill stand in for the service, give its proxy an `upstream` instead of `protocol: forward`";

/// Reads what a request names, and makes it one as its host would get it.
pub(super) fn name<B>(mut request: Request<B>) -> Request<B> {
    let target = read(&mut request).unwrap_or_else(Target::Wrong);
    request.extensions_mut().insert(target);
    request
}

/// A request inside a tunnel goes where that leads, whatever it says.
pub(super) fn inside<B>(mut request: Request<B>, place: &HostPort) -> Request<B> {
    let target = if is_tunnel(&request) {
        Target::Wrong("it asks for a tunnel inside a tunnel".into())
    } else {
        Target::Upstream(place.clone(), true)
    };
    request.extensions_mut().insert(target);
    request
}

/// Whether it asks for a tunnel to a host. Over HTTP/2 a WebSocket is asked for by the same method, and
/// is a request like any other (RFC 8441).
pub(crate) fn is_tunnel<B>(request: &Request<B>) -> bool {
    request.method() == Method::CONNECT && request.extensions().get::<Protocol>().is_none()
}

/// What records and targets know as a request's path: of a tunnel, its host and port.
pub(crate) fn path_of(uri: &Uri) -> &str {
    match (uri.scheme(), uri.authority()) {
        (None, Some(authority)) => authority.as_str(),
        _ => uri.path(),
    }
}

fn read<B>(request: &mut Request<B>) -> Result<Target, Cow<'static, str>> {
    if is_tunnel(request) {
        return tunnel(request);
    }
    let (Some(scheme), Some(authority)) = (request.uri().scheme(), request.uri().authority())
    else {
        return Err(NOT_A_SERVER.into());
    };
    let tls = *scheme == Scheme::HTTPS;
    if !tls && *scheme != Scheme::HTTP {
        let why = format!("`{scheme}:` is not spoken here; http and https are");
        return Err(why.into());
    }
    let place = place(authority, Some(if tls { 443 } else { 80 }))?;
    // It overrules the field (RFC 9112 §3.2.2); more than one field is refused later.
    let host = HeaderValue::from_str(authority.as_str());
    set_host(request.headers_mut(), host.ok());
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    Ok(Target::Upstream(place, tls))
}

fn tunnel<B>(request: &mut Request<B>) -> Result<Target, Cow<'static, str>> {
    let uri = request.uri();
    let named = uri.authority().filter(|_| uri.scheme().is_none());
    let authority = named.ok_or("`CONNECT` names a host and a port, and nothing else")?;
    let place = place(authority, None)?;
    let host = HeaderValue::from_str(authority.as_str());
    let headers = request.headers_mut();
    // What follows the head is the tunnel's (RFC 9110 §9.3.6); two who disagree about that see two
    // different requests.
    let length = headers.get(header::CONTENT_LENGTH).is_some_and(|length| length != "0");
    if length || headers.contains_key(header::TRANSFER_ENCODING) {
        return Err("`CONNECT` has no body".into());
    }
    set_host(headers, host.ok());
    if request.version() < Version::HTTP_10 {
        return Err("`CONNECT` needs HTTP/1.0 or later".into());
    }
    Ok(Target::Tunnel(place))
}

fn place(authority: &Authority, usual: Option<u16>) -> Result<HostPort, Cow<'static, str>> {
    let text = authority.as_str();
    if text.contains('@') {
        return Err("its target has a user name, which belongs into `authorization`".into());
    }
    HostPort::parse(text, usual).ok_or_else(|| {
        let shown: String = text.chars().take(80).collect();
        let port = if usual.is_some() { "" } else { " and a port" };
        format!("`{shown}` is no host{port} that could be asked").into()
    })
}

fn set_host(headers: &mut HeaderMap, host: Option<HeaderValue>) {
    if headers.get_all(header::HOST).iter().nth(1).is_none()
        && let Some(host) = host
    {
        headers.insert(header::HOST, host);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(method: &str, uri: &str) -> (Result<String, String>, Request<()>) {
        let request = Request::builder().method(method).uri(uri).header("host", "other");
        let request = name(request.body(()).expect("a request"));
        let target = match request.extensions().get::<Target>().expect("a target") {
            Target::Upstream(place, tls) => Ok(format!("{place} {tls}")),
            Target::Tunnel(place) => Ok(format!("tunnel {place}")),
            Target::Wrong(why) => Err(why.to_string()),
        };
        (target, request)
    }

    #[test]
    fn what_names_its_host_becomes_what_the_host_gets() {
        let (target, request) = read("GET", "http://API.example.com/a?b=c");
        assert_eq!(target.as_deref(), Ok("api.example.com:80 false"));
        assert_eq!(request.uri(), "/a?b=c");
        assert_eq!(request.headers()["host"], "API.example.com");
        let (target, request) = read("GET", "https://[::1]:9000");
        assert_eq!((target.as_deref(), request.uri().path()), (Ok("[::1]:9000 true"), "/"));
    }

    #[test]
    fn a_tunnel_is_known_by_its_other_end() {
        let (target, request) = read("CONNECT", "api.example.com:443");
        assert_eq!(target.as_deref(), Ok("tunnel api.example.com:443"));
        assert_eq!(path_of(request.uri()), "api.example.com:443");
    }

    #[test]
    fn what_names_no_host_is_told_what_to_do() {
        for (method, uri, what) in [
            ("GET", "/", "HTTP_PROXY"),
            ("OPTIONS", "*", "HTTP_PROXY"),
            ("GET", "ftp://a/b", "`ftp:`"),
            ("GET", "http://me:pw@a/", "user name"),
            ("CONNECT", "me@a:443", "user name"),
            ("CONNECT", "a:0", "no host and a port"),
            ("CONNECT", "a:65536", "no host and a port"),
            ("CONNECT", "a", "no host and a port"),
            ("CONNECT", "http://a:443/", "nothing else"),
            ("CONNECT", "/", "nothing else"),
        ] {
            let why = read(method, uri).0.expect_err(uri);
            assert!(why.contains(what), "{uri}: {why}");
        }
    }
}
