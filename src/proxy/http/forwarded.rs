//! Header fields that tell the upstream who the client is: `x-forwarded-*`, and `forwarded` of RFC
//! 7239.
//!
//! Each is a list to whose end every proxy adds what it knows itself. What stands there already is
//! kept and not believed: only the last entry is ours.

use crate::{
    config::Forwarded,
    proxy::{ask::Ask, ctl::ConnCtl},
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use std::net::SocketAddr;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// A client without an address (RFC 7239 §6.2).
const UNKNOWN: &str = "unknown";

/// Adds what is asked for to a request, before its own host is changed.
pub(super) fn add(request: &mut Request<Ask>, forwarded: Forwarded, ctl: &ConnCtl) {
    if forwarded == Forwarded::None {
        return;
    }
    let client = ctl.ends.map(|ends| ends.client);
    let proto = if ctl.is_over_tls() { "https" } else { "http" };
    let named = request.uri().authority().and_then(|a| HeaderValue::from_str(a.as_str()).ok());
    let host = named.or_else(|| request.headers().get(header::HOST).cloned());
    let headers = request.headers_mut();
    if matches!(forwarded, Forwarded::XForwarded | Forwarded::Both) {
        let ip = client.map_or_else(|| UNKNOWN.to_owned(), |c| c.ip().to_canonical().to_string());
        append(headers, &FOR, ip.as_bytes());
        append(headers, &PROTO, proto.as_bytes());
        if let Some(host) = &host {
            append(headers, &HOST, host.as_bytes());
        }
    }
    if matches!(forwarded, Forwarded::Standard | Forwarded::Both) {
        append(headers, &header::FORWARDED, &element(client, host.as_ref(), proto));
    }
}

/// Adds an entry to a list, which becomes one line.
fn append(headers: &mut HeaderMap, name: &HeaderName, entry: &[u8]) {
    let mut list = Vec::new();
    for value in headers.get_all(name) {
        list.extend_from_slice(value.as_bytes());
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(entry);
    // All of it has been in header fields, or is an address.
    if let Ok(value) = HeaderValue::from_bytes(&list) {
        headers.insert(name, value);
    }
}

/// Our entry of `forwarded`.
fn element(client: Option<SocketAddr>, host: Option<&HeaderValue>, proto: &str) -> Vec<u8> {
    let client = client.map_or_else(
        || UNKNOWN.to_owned(),
        |client| format!("{}", SocketAddr::new(client.ip().to_canonical(), client.port())),
    );
    let mut element = b"for=".to_vec();
    push(&mut element, client.as_bytes());
    if let Some(host) = host {
        element.extend_from_slice(b";host=");
        push(&mut element, host.as_bytes());
    }
    element.extend_from_slice(format!(";proto={proto}").as_bytes());
    element
}

/// A value, quoted if it is more than a token: every IPv6 address is, and every port.
fn push(element: &mut Vec<u8>, value: &[u8]) {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    if !value.is_empty() && value.iter().all(is_token) {
        element.extend_from_slice(value);
        return;
    }
    element.push(b'"');
    for byte in value {
        if matches!(byte, b'"' | b'\\') {
            element.push(b'\\');
        }
        element.push(*byte);
    }
    element.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(client: Option<&str>, host: Option<&'static str>) -> String {
        let client = client.map(|text| text.parse().expect("an address"));
        let host = host.map(HeaderValue::from_static);
        String::from_utf8(element(client, host.as_ref(), "http")).expect("text")
    }

    #[test]
    fn what_is_no_token_is_quoted() {
        for (client, host, expected) in [
            (
                Some("192.0.2.43:47011"),
                Some("shop"),
                "for=\"192.0.2.43:47011\";host=shop;proto=http",
            ),
            (
                Some("[2001:db8:cafe::17]:4711"),
                Some("shop:8080"),
                "for=\"[2001:db8:cafe::17]:4711\";host=\"shop:8080\";proto=http",
            ),
            (Some("[::ffff:192.0.2.1]:1"), None, "for=\"192.0.2.1:1\";proto=http"),
            (None, Some("a\"b\\c"), "for=unknown;host=\"a\\\"b\\\\c\";proto=http"),
            (None, Some(""), "for=unknown;host=\"\";proto=http"),
        ] {
            assert_eq!(entry(client, host), expected);
        }
    }

    #[test]
    fn an_entry_comes_last_in_one_line() {
        let mut headers = HeaderMap::new();
        headers.append(FOR, HeaderValue::from_static("203.0.113.1, 10.0.0.1"));
        headers.append(FOR, HeaderValue::from_static("10.0.0.2"));
        append(&mut headers, &FOR, b"192.0.2.1");
        let all: Vec<_> = headers.get_all(FOR).iter().collect();
        assert_eq!(all, ["203.0.113.1, 10.0.0.1, 10.0.0.2, 192.0.2.1"]);
    }
}
