//! Why a call failed: `google.rpc.Status` with a `RetryInfo` and an `ErrorInfo`, to the wire and back.
//!
//! Written by hand: it is four small messages of protobuf, whose crates want generated code.

use crate::grpc::{Code, DETAILS, PUSHBACK, STATUS};
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::HeaderMap;
use std::time::Duration;

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";
const ERROR_INFO: &str = "type.googleapis.com/google.rpc.ErrorInfo";

/// Values are sent without padding and read with or without (PROTOCOL-HTTP2.md).
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What is said of a failure beyond its code and message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detail {
    /// How long to wait before the next attempt.
    pub retry_delay: Option<Duration>,
    /// The reason, as a constant of its domain: `STOCK_LOCKED`.
    pub reason: Option<String>,
    /// Whose reason that is: `shop.example.com`.
    pub domain: Option<String>,
    /// More of it.
    pub metadata: Vec<(String, String)>,
}

impl Detail {
    /// The value of `grpc-status-details-bin`.
    pub fn header(&self, code: Code, message: &str) -> String {
        let mut status = Vec::new();
        number(&mut status, 1, u64::from(code.number()));
        text(&mut status, 2, message);
        if self.reason.is_some() || self.domain.is_some() || !self.metadata.is_empty() {
            let mut info = Vec::new();
            text(&mut info, 1, self.reason.as_deref().unwrap_or_default());
            text(&mut info, 2, self.domain.as_deref().unwrap_or_default());
            for (key, value) in &self.metadata {
                let mut entry = Vec::new();
                text(&mut entry, 1, key);
                text(&mut entry, 2, value);
                bytes(&mut info, 3, &entry);
            }
            wrapped(&mut status, ERROR_INFO, &info);
        }
        if let Some(delay) = self.retry_delay {
            let (mut duration, mut info) = (Vec::new(), Vec::new());
            number(&mut duration, 1, delay.as_secs());
            number(&mut duration, 2, u64::from(delay.subsec_nanos()));
            bytes(&mut info, 1, &duration);
            wrapped(&mut status, RETRY_INFO, &info);
        }
        BASE64.encode(status)
    }
}

/// What a head or trailers tell a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// How it went.
    pub code: Code,
    /// How long to wait before the next attempt; `grpc-retry-pushback-ms` before a `RetryInfo`.
    pub wait: Option<Duration>,
    /// That no attempt is to follow: a pushback below zero, or one that is no number (A6).
    pub never: bool,
}

impl Told {
    /// What these fields tell, if they tell how it went.
    pub fn of(fields: &HeaderMap) -> Option<Self> {
        let code = Code::read(fields.get(STATUS)?.as_bytes());
        let pushback = fields.get(PUSHBACK).map(|value| {
            let text = value.to_str().unwrap_or_default().trim();
            text.parse().ok().map(Duration::from_millis)
        });
        let info = || {
            let status = BASE64.decode(fields.get(DETAILS)?.as_bytes()).ok()?;
            retry_delay(&status)
        };
        let (wait, never) = match pushback {
            Some(wait) => (wait, wait.is_none()),
            None => (info(), false),
        };
        Some(Self { code, wait, never })
    }
}

/// A message as `grpc-message` has it.
pub fn percent_encoded(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    for byte in message.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => text.push(char::from(byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

fn varint(into: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        into.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    into.push((value & 0x7f) as u8);
}

/// A field of a number; zero is left out, as everybody does.
fn number(into: &mut Vec<u8>, field: u8, value: u64) {
    if value > 0 {
        into.push(field << 3);
        varint(into, value);
    }
}

fn bytes(into: &mut Vec<u8>, field: u8, value: &[u8]) {
    into.push(field << 3 | 2);
    varint(into, value.len() as u64);
    into.extend_from_slice(value);
}

fn text(into: &mut Vec<u8>, field: u8, value: &str) {
    if !value.is_empty() {
        bytes(into, field, value.as_bytes());
    }
}

fn wrapped(into: &mut Vec<u8>, kind: &str, value: &[u8]) {
    let mut any = Vec::new();
    text(&mut any, 1, kind);
    bytes(&mut any, 2, value);
    bytes(into, 3, &any);
}

/// A field as it was read.
enum Value<'b> {
    Number(u64),
    Bytes(&'b [u8]),
    Other,
}

/// The fields of a message one after the other, until its end or something that is none.
struct Fields<'b>(&'b [u8]);

impl<'b> Iterator for Fields<'b> {
    type Item = (u64, Value<'b>);

    fn next(&mut self) -> Option<Self::Item> {
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Number(self.varint()?),
            1 => self.take(8).map(|_| Value::Other)?,
            2 => {
                let len = usize::try_from(self.varint()?).ok()?;
                Value::Bytes(self.take(len)?)
            }
            5 => self.take(4).map(|_| Value::Other)?,
            _ => return None,
        };
        Some((key >> 3, value))
    }
}

impl<'b> Fields<'b> {
    fn take(&mut self, len: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for at in 0..10 {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn bytes(&self, field: u64) -> impl Iterator<Item = &'b [u8]> {
        Fields(self.0).filter_map(move |(number, value)| match value {
            Value::Bytes(bytes) if number == field => Some(bytes),
            _ => None,
        })
    }

    fn number(&self, field: u64) -> u64 {
        let mut all = Fields(self.0).filter_map(|(number, value)| match value {
            Value::Number(value) if number == field => Some(value),
            _ => None,
        });
        all.next().unwrap_or(0)
    }
}

/// The `retry_delay` of a status.
fn retry_delay(status: &[u8]) -> Option<Duration> {
    let info = Fields(status).bytes(3).find_map(|any| {
        let any = Fields(any);
        let is_it = any.bytes(1).next() == Some(RETRY_INFO.as_bytes());
        is_it.then(|| any.bytes(2).next().unwrap_or_default())
    })?;
    let duration = Fields(Fields(info).bytes(1).next()?);
    // A number below zero is one of ten bytes, and no wait.
    let seconds = i64::try_from(duration.number(1)).ok()?;
    let nanos = u32::try_from(duration.number(2)).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    Some(Duration::new(u64::try_from(seconds).ok()?, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn fields(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let field = |(name, value): &(&'static str, &str)| {
            (http::HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"))
        };
        pairs.iter().map(field).collect()
    }

    #[test]
    fn a_message_is_percent_encoded() {
        assert_eq!(percent_encoded("100% no: \u{e9}\n"), "100%25 no: %C3%A9%0A");
    }

    #[test]
    fn a_wait_survives_the_way_there_and_back() {
        for delay in [Duration::ZERO, Duration::from_millis(1_500), Duration::from_secs(300)] {
            let detail = Detail {
                retry_delay: Some(delay),
                reason: Some("STOCK_LOCKED".to_owned()),
                domain: Some("shop".to_owned()),
                metadata: vec![("sku".to_owned(), "A7".to_owned())],
            };
            let value = detail.header(Code::Unavailable, "busy");
            let told =
                Told::of(&fields(&[("grpc-status", "14"), ("grpc-status-details-bin", &value)]));
            let wanted = Told { code: Code::Unavailable, wait: Some(delay), never: false };
            assert_eq!(told, Some(wanted));
        }
    }

    #[test]
    fn pushback_comes_first_and_what_is_no_number_means_never() {
        let value = Detail { retry_delay: Some(Duration::from_secs(9)), ..Detail::default() }
            .header(Code::Unavailable, "");
        for (pushback, wait, never) in [
            ("250", Some(Duration::from_millis(250)), false),
            ("-1", None, true),
            ("x", None, true),
        ] {
            let told = Told::of(&fields(&[
                ("grpc-status", "14"),
                ("grpc-retry-pushback-ms", pushback),
                ("grpc-status-details-bin", &value),
            ]));
            assert_eq!(told, Some(Told { code: Code::Unavailable, wait, never }), "{pushback}");
        }
        assert_eq!(Told::of(&HeaderMap::new()), None);
    }

    proptest! {
        /// It comes from the upstream, which may send anything.
        #[test]
        fn no_status_can_break_it(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _wait = retry_delay(&bytes);
        }
    }
}
