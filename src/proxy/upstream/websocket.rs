//! The handshake of a WebSocket, which HTTP/1 (RFC 6455 §4) and HTTP/2 (RFC 8441 §5) write differently.
//!
//! Inside the proxy it is always as HTTP/1 writes it, without a key if the client had none.

use crate::{
    fault::frames::{PROTOCOL, is_carried_by},
    proxy::{ctl::lock, error::UpstreamError, http2::Duplex, upstream::two::Held},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use ring::{
    digest::{SHA1_FOR_LEGACY_USE_ONLY, digest},
    rand::{SecureRandom as _, SystemRandom},
};
use std::sync::{Arc, Mutex};

/// What a key is joined with before it is hashed (RFC 6455 §1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// The version of the protocol that everybody speaks.
const VERSION: HeaderValue = HeaderValue::from_static("13");

/// A stream that carries a WebSocket now, for whoever passes its bytes on.
#[derive(Clone, Debug)]
pub(crate) struct Opened(Arc<Mutex<Option<(Duplex, Held)>>>);

impl Opened {
    /// The stream, and what keeps its place on the connection, once.
    pub(crate) fn take(&self) -> Option<(Duplex, impl Send + use<>)> {
        lock(&self.0).take()
    }
}

/// Whether a request with these fields opens one.
pub(super) fn is_asked_for(headers: &HeaderMap) -> bool {
    headers.get(header::UPGRADE).is_some_and(|to| is_carried_by(to.as_bytes()))
}

/// What tells of a body. What comes on the stream of a WebSocket is none, whatever its client says of it:
/// an upstream that believed that would take the next request on its connection for it.
const OF_A_BODY: [HeaderName; 4] =
    [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::TRAILER, header::EXPECT];

/// Takes out of a handshake what would tell of a body.
fn without_body(headers: &mut HeaderMap) {
    for name in OF_A_BODY {
        headers.remove(name);
    }
}

/// Puts into a request what HTTP/1 wants of it beside, and takes out what has no place there, if its
/// client came over HTTP/2. Returns how the upstream has to confirm that.
pub(super) fn with_key(headers: &mut HeaderMap) -> Option<HeaderValue> {
    without_body(headers);
    let mut key = [0; 16];
    // It guards against caches that mistake it for something else, and is no secret.
    SystemRandom::new().fill(&mut key).ok()?;
    let key = HeaderValue::from_str(&BASE64_STANDARD.encode(key)).ok()?;
    let accept = accept_of(&key);
    headers.insert(header::SEC_WEBSOCKET_KEY, key);
    headers.entry(header::SEC_WEBSOCKET_VERSION).or_insert(VERSION);
    accept
}

/// Whether the upstream confirmed what it has to, if it opens a WebSocket; and whether its answer says
/// the same on a stream, if it opens none.
pub(super) fn check<B>(answer: &Response<B>, accept: &HeaderValue) -> Result<(), UpstreamError> {
    if answer.status().is_success() {
        return Err(UpstreamError::NotSwitched(answer.status()));
    }
    let said = answer.headers().get(header::SEC_WEBSOCKET_ACCEPT);
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS && said != Some(accept) {
        return Err(UpstreamError::NotConfirmed);
    }
    Ok(())
}

/// An upstream's answer on a stream, as HTTP/1 writes it: it switches protocols.
pub(super) fn switched(
    answer: Response<()>,
    key: Option<&HeaderValue>,
    (stream, held): (Duplex, Held),
) -> Response<()> {
    let (mut parts, ()) = answer.into_parts();
    parts.status = StatusCode::SWITCHING_PROTOCOLS;
    without_body(&mut parts.headers);
    parts.headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    parts.headers.insert(header::UPGRADE, HeaderValue::from_static(PROTOCOL));
    if let Some(accept) = key.and_then(accept_of) {
        parts.headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    parts.extensions.insert(Opened(Arc::new(Mutex::new(Some((stream, held))))));
    Response::from_parts(parts, ())
}

/// What confirms a key.
fn accept_of(key: &HeaderValue) -> Option<HeaderValue> {
    let text = [key.as_bytes(), GUID.as_bytes()].concat();
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &text);
    HeaderValue::from_str(&BASE64_STANDARD.encode(hash)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_confirmed_as_the_standard_has_it() {
        let key = HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==");
        let accept = HeaderValue::from_static("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(accept_of(&key), Some(accept));
    }

    #[test]
    fn a_key_of_ours_is_confirmed_by_nothing_else() {
        let mut headers = HeaderMap::new();
        let accept = with_key(&mut headers).expect("a key");
        assert_eq!(headers[header::SEC_WEBSOCKET_VERSION], "13");
        let mut answer = Response::new(());
        *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        assert!(check(&answer, &accept).is_err());
        let key = headers[header::SEC_WEBSOCKET_KEY].clone();
        answer.headers_mut().insert(header::SEC_WEBSOCKET_ACCEPT, key);
        assert!(check(&answer, &accept).is_err());
        answer.headers_mut().insert(header::SEC_WEBSOCKET_ACCEPT, accept.clone());
        assert!(check(&answer, &accept).is_ok());
    }
}
