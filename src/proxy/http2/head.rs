//! A request's head as HTTP/2 has it, made into what every service understands, and an answer's the
//! other way (RFC 9113 §8).

use crate::fault::frames::{PROTOCOL, is_carried_by};
use h2::ext::Protocol;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header, request, uri::PathAndQuery,
};

/// What has no place in a message over HTTP/2 (RFC 9113 §8.2.2).
const HOP: [HeaderName; 5] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// A request as it would have come over HTTP/1: its target a path, its host a field, its cookies in
/// one line, a WebSocket's asking for an upgrade. To a forward proxy (`is_asked`) its target names the
/// host, there as here. `Err` says why it could be read in two ways.
pub(super) fn inward<B>(request: Request<B>, is_asked: bool) -> Result<Request<B>, &'static str> {
    let (mut parts, body) = request.into_parts();
    if let Some(authority) = parts.uri.authority() {
        let mut hosts = parts.headers.get_all(header::HOST).iter();
        if hosts.any(|host| !host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes())) {
            return Err("it names more than one host");
        }
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| "it names no host")?;
        parts.headers.insert(header::HOST, host);
    }
    match parts.uri.path_and_query() {
        _ if is_asked => {}
        Some(target) => parts.uri = Uri::from(target.clone()),
        // `CONNECT`, which asks for a host and no path.
        None if parts.method == Method::CONNECT => {}
        None => parts.uri = Uri::from(PathAndQuery::from_static("/")),
    }
    join_cookies(&mut parts);
    if opens_socket(&parts) {
        parts.extensions.remove::<Protocol>();
        parts.method = Method::GET;
        parts.headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        parts.headers.insert(header::UPGRADE, HeaderValue::from_static(PROTOCOL));
        // A key means nothing here (RFC 8441 §5).
        parts.headers.remove(header::SEC_WEBSOCKET_KEY);
    }
    Ok(Request::from_parts(parts, body))
}

/// Whether it asks for a WebSocket (RFC 8441).
fn opens_socket(parts: &request::Parts) -> bool {
    let protocol = parts.extensions.get::<Protocol>();
    parts.method == Method::CONNECT
        && protocol.is_some_and(|protocol| is_carried_by(protocol.as_str().as_bytes()))
}

/// Cookies may come one by one, so that each is compressed well; HTTP/1 wants them in one line (RFC
/// 9113 §8.2.3).
fn join_cookies(parts: &mut request::Parts) {
    let mut crumbs = parts.headers.get_all(header::COOKIE).iter();
    if crumbs.next().is_none() || crumbs.next().is_none() {
        return;
    }
    let crumbs: Vec<&[u8]> =
        parts.headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(whole) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        parts.headers.insert(header::COOKIE, whole);
    }
}

/// Whether a field has no place in a message over HTTP/2.
pub(crate) fn is_of_a_hop(name: &HeaderName) -> bool {
    HOP.contains(name)
}

/// The answer by which a stream becomes a socket, as HTTP/2 has it.
pub(super) fn switched(headers: &mut HeaderMap) {
    outward(headers);
    headers.remove(header::SEC_WEBSOCKET_ACCEPT);
    // What comes on the stream is no body.
    headers.remove(header::CONTENT_LENGTH);
}

/// Takes out of an answer's fields what HTTP/2 has no place for.
pub(super) fn outward(headers: &mut HeaderMap) {
    if !HOP.iter().any(|name| headers.contains_key(name)) {
        return;
    }
    let mut kept = HeaderMap::with_capacity(headers.len());
    for (name, value) in &*headers {
        if !is_of_a_hop(name) {
            kept.append(name, value.clone());
        }
    }
    *headers = kept;
}
