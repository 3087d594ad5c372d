//! What only a record needs of an exchange: identities, hashed where they may be credentials.

use crate::{dice, select};
use http::{HeaderMap, HeaderName, header};
use siphasher::sip::SipHasher13;
use std::{hash::Hasher, time::Duration};

/// Bodies up to this size are looked into for their JSON shape.
const SHAPE_LIMIT: usize = 64 * 1024;

/// Header fields that change from attempt to attempt by themselves.
const VOLATILE: &[&str] = &[
    "date",
    "traceparent",
    "tracestate",
    "x-amz-date",
    "amz-sdk-request",
    "x-request-id",
    "x-stainless-retry-count",
    "x-envoy-attempt-count",
    "grpc-previous-rpc-attempts",
    "grpc-timeout",
    "x-envoy-expected-rq-timeout-ms",
    "idempotency-key",
    "x-idempotency-key",
    "content-length",
    "signature",
    "x-timestamp",
];

/// Fields of a JSON body that are made anew for each attempt, by a part of their name.
const FRESH_PARTS: &[&str] =
    &["time", "nonce", "uuid", "requestid", "request_id", "idempotency", "attempt"];

/// Header fields that hold a credential: the record has a hash of them at most.
const SECRET: &[&str] = &["authorization", "cookie", "proxy-authorization", "x-api-key"];

/// Query parameters that hold a credential, by name.
const SECRET_QUERY: &[&str] = &["key", "sig", "auth", "code", "jwt", "sid", "pwd", "session"];

/// Query parameters that hold a credential, by a part of their name: `x-amz-signature`,
/// `client_secret`, `accessToken`.
const SECRET_PARTS: &[&str] = &[
    "token",
    "secret",
    "passw",
    "passphrase",
    "signature",
    "credential",
    "api_key",
    "apikey",
    "api-key",
];

/// What only a record needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detail {
    /// The path.
    pub path: String,
    /// The query, with the values of credentials hashed.
    pub query: Option<String>,
    /// The user agent.
    pub agent: Option<String>,
    /// A hash of all header fields that do not change from attempt to attempt by themselves.
    pub fingerprint: u64,
    /// A hash of the credential it came with.
    pub auth: Option<u64>,
    /// A hash of the whole request body.
    pub body_hash: u64,
    /// A hash of the names and kinds in a JSON body, blind to its values.
    pub shape_hash: Option<u64>,
    /// A hash of a JSON body, blind to what is made anew for each attempt: times, nonces, UUIDs.
    pub masked_hash: Option<u64>,
    /// The `retry-after` that the client was sent.
    pub retry_after: Option<String>,
    /// How long that asked it to wait, when it was sent.
    pub retry_wait: Option<Duration>,
    /// A hash of what the upstream says that an unsafe request made: its `location`, else the body
    /// of its answer.
    pub made: Option<u64>,
    /// What ties it to other attempts.
    pub keys: Keys,
}

/// What ties an attempt to others of the same operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// `idempotency-key` and its kin.
    pub idempotency: Option<String>,
    /// A name of the operation that the client stamped on it.
    pub operation: Option<String>,
    /// The trace of `traceparent`.
    pub trace: Option<String>,
    /// `x-request-id`.
    pub request: Option<String>,
    /// `amz-sdk-invocation-id`.
    pub invocation: Option<String>,
    /// The number of the attempt, as the client counts it.
    pub attempt: Option<String>,
    /// The test case that `x-firedrill-case` names.
    pub case: Option<String>,
    /// The client program, as `x-firedrill-client` names it.
    pub client: Option<String>,
    /// How long its caller will wait, as it says.
    pub deadline: Option<String>,
}

impl Detail {
    /// The details of a request's head. Query parameters that tell the user (`is_identity`) may be
    /// credentials as well.
    pub fn of(
        path: &str,
        query: Option<&str>,
        headers: &HeaderMap,
        is_identity: impl Fn(&str) -> bool,
    ) -> Self {
        Self {
            path: path.to_owned(),
            query: query.map(|query| without_secrets(query, is_identity)),
            agent: text(headers, header::USER_AGENT.as_str()),
            fingerprint: fingerprint(headers),
            auth: SECRET
                .iter()
                .find_map(|name| headers.get(*name))
                .map(|value| dice::key(&select::lasting(value.as_bytes()))),
            keys: Keys::of(headers),
            ..Self::default()
        }
    }
}

impl Keys {
    fn of(headers: &HeaderMap) -> Self {
        let first = |names: &[&str]| names.iter().find_map(|name| text(headers, name));
        Self {
            idempotency: first(&[
                "idempotency-key",
                "x-idempotency-key",
                "paypal-request-id",
                "x-payout-idempotency",
            ]),
            operation: first(&["x-firedrill-operation", "x-chaos-op", "x-operation-id"]),
            trace: text(headers, "traceparent")
                .and_then(|value| value.split('-').nth(1).map(str::to_owned)),
            request: first(&["x-request-id"]),
            invocation: first(&["amz-sdk-invocation-id"]),
            attempt: first(&[
                "amz-sdk-request",
                "x-stainless-retry-count",
                "x-envoy-attempt-count",
                "grpc-previous-rpc-attempts",
            ]),
            case: first(&["x-firedrill-case"]),
            client: first(&["x-firedrill-client", "x-chaos-client"]),
            deadline: first(&["grpc-timeout", "x-envoy-expected-rq-timeout-ms"]),
        }
    }
}

/// How long a `Retry-After` asks to wait, in seconds or until a date (RFC 9110 §10.2.3), as of now.
pub fn retry_wait(text: &str) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    let wait = at.as_second().saturating_sub(jiff::Timestamp::now().as_second());
    Some(Duration::from_secs(u64::try_from(wait).unwrap_or(0)))
}

/// A bounded copy of a header's value.
fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    Some(value.chars().take(200).collect())
}

fn fingerprint(headers: &HeaderMap) -> u64 {
    let mut all: Vec<(&HeaderName, u64)> = headers
        .iter()
        .filter(|(name, _)| !VOLATILE.contains(&name.as_str()))
        .map(|(name, value)| (name, dice::key(&select::lasting(value.as_bytes()))))
        .collect();
    all.sort_unstable_by(|a, b| (a.0.as_str(), a.1).cmp(&(b.0.as_str(), b.1)));
    let mut hasher = SipHasher13::new();
    for (name, value) in all {
        hasher.write(name.as_str().as_bytes());
        hasher.write_u64(value);
    }
    hasher.finish()
}

fn without_secrets(query: &str, is_identity: impl Fn(&str) -> bool) -> String {
    let pairs = query.split('&').map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if is_secret(name) || is_identity(name) {
            format!("{name}=#{:016x}", dice::key(value.as_bytes()))
        } else {
            pair.to_owned()
        }
    });
    pairs.collect::<Vec<_>>().join("&")
}

/// Whether a query parameter of this name holds a credential, however the name is written.
fn is_secret(name: &str) -> bool {
    let name = decoded(name).to_lowercase();
    SECRET_QUERY.contains(&name.as_str()) || SECRET_PARTS.iter().any(|part| name.contains(part))
}

/// A name without its percent signs; what is no UTF-8 then is no name of ours either.
fn decoded(name: &str) -> String {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        if let Some(byte) = after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            bytes.push(byte);
            rest = &after[2..];
        } else {
            bytes.push(b'%');
            rest = after;
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Hashes a body as it streams by, and keeps its beginning to see its shape.
#[derive(Debug, Default)]
pub struct Capture {
    hasher: SipHasher13,
    kept: Vec<u8>,
    json: bool,
    overflown: bool,
}

impl Capture {
    /// A capture of a body that comes with these header fields.
    pub fn of(headers: &HeaderMap) -> Self {
        let json = headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.contains("json"));
        Self { json, ..Self::default() }
    }

    /// Takes the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.hasher.write(bytes);
        if !self.json || self.overflown {
            return;
        }
        if self.kept.len() + bytes.len() > SHAPE_LIMIT {
            self.overflown = true;
            self.kept = Vec::new();
        } else {
            self.kept.extend_from_slice(bytes);
        }
    }

    /// The hash of what was fed.
    pub fn hash(&self) -> u64 {
        self.hasher.finish()
    }

    /// The hash of its shape, and the one that is blind only to what is made anew for each attempt;
    /// if it is JSON and was small enough to keep.
    pub fn shape(&self) -> Option<(u64, u64)> {
        if !self.json || self.overflown {
            return None;
        }
        let value: serde_json::Value = serde_json::from_slice(&self.kept).ok()?;
        let (mut blind, mut masked) = (SipHasher13::new(), SipHasher13::new());
        shape(&value, &mut blind);
        mask(&value, &mut masked);
        Some((blind.finish(), masked.finish()))
    }
}

/// Hashes all but what looks made anew for each attempt.
fn mask(value: &serde_json::Value, hasher: &mut SipHasher13) {
    use serde_json::Value;
    match value {
        Value::Array(items) => {
            hasher.write_u8(4);
            for item in items {
                mask(item, hasher);
            }
        }
        Value::Object(entries) => {
            hasher.write_u8(5);
            for (name, item) in entries {
                hasher.write(name.as_bytes());
                let name = name.to_lowercase();
                if !FRESH_PARTS.iter().any(|part| name.contains(part)) {
                    mask(item, hasher);
                }
            }
        }
        other => hasher.write(other.to_string().as_bytes()),
    }
}

fn shape(value: &serde_json::Value, hasher: &mut SipHasher13) {
    use serde_json::Value;
    match value {
        Value::Null => hasher.write_u8(0),
        Value::Bool(_) => hasher.write_u8(1),
        Value::Number(_) => hasher.write_u8(2),
        Value::String(_) => hasher.write_u8(3),
        Value::Array(items) => {
            hasher.write_u8(4);
            for item in items {
                shape(item, hasher);
            }
        }
        Value::Object(entries) => {
            hasher.write_u8(5);
            for (name, item) in entries {
                hasher.write(name.as_bytes());
                shape(item, hasher);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (HeaderName::from_static(name), http::HeaderValue::from_static(value))
            })
            .collect()
    }

    #[test]
    fn no_credential_is_kept() {
        let headers = headers(&[("authorization", "Bearer s3cr3t"), ("cookie", "sid=s3cr3t")]);

        let detail =
            Detail::of("/a", Some("token=s3cr3t&me=s3cr3t&page=2"), &headers, |name| name == "me");

        assert!(!format!("{detail:?}").contains("s3cr3t"));
        assert!(detail.auth.is_some());
        assert!(detail.query.is_some_and(|query| query.ends_with("&page=2")));
    }

    /// Else the same question, asked again, would never be seen to be the same.
    #[test]
    fn a_signature_made_anew_is_the_same_credential() {
        let signed =
            |value| Detail::of("/a", None, &headers(&[("authorization", value)]), |_| false);
        let (one, other) = (signed("AWS me:f00d"), signed("AWS me:beef"));
        assert_eq!((one.auth, one.fingerprint), (other.auth, other.fingerprint));
        assert_ne!(one.auth, signed("AWS you:f00d").auth);
    }

    #[test]
    fn a_credential_is_known_however_its_name_is_written() {
        for name in ["token", "Access_Token", "%74oken", "X-Amz-Signature", "client_secret", "key"]
        {
            assert!(is_secret(name), "{name}");
        }
        for name in ["page", "q", "monkey", "100%", "%zz", "%"] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn the_fingerprint_is_blind_to_order_and_to_what_changes_by_itself() {
        let one = headers(&[("a", "1"), ("b", "2"), ("date", "now")]);
        let two = headers(&[("b", "2"), ("a", "1"), ("date", "later")]);
        let other = headers(&[("a", "1"), ("b", "3")]);

        assert_eq!(fingerprint(&one), fingerprint(&two));
        assert_ne!(fingerprint(&one), fingerprint(&other));
    }

    #[test]
    fn the_shape_is_blind_to_values_and_the_hash_is_not() {
        let capture = |body: &[u8]| {
            let mut capture = Capture::of(&headers(&[("content-type", "application/json")]));
            capture.feed(body);
            capture
        };
        let (one, two) = (capture(br#"{"id":1}"#), capture(br#"{"id":2}"#));

        let blind = |capture: &Capture| capture.shape().map(|(blind, _)| blind);
        let masked = |capture: &Capture| capture.shape().map(|(_, masked)| masked);
        assert_eq!(blind(&one), blind(&two));
        assert_ne!(masked(&one), masked(&two));
        let fresh =
            [1, 2].map(|nonce| capture(format!(r#"{{"id":1,"nonce":{nonce}}}"#).as_bytes()));
        assert_eq!(masked(&fresh[0]), masked(&fresh[1]));
        assert_ne!(one.hash(), two.hash());
        assert_ne!(blind(&one), blind(&capture(br#"{"key":1}"#)));
    }
}
