//! What gRPC says on top of HTTP: how a call is known, how messages lie in a body, and what a status is.
//!
//! A call is a POST of `application/grpc` to `/pkg.Service/Method`. Both bodies are messages, each with
//! five bytes before it: whether it is compressed, and its length. How it went is not in the status of
//! HTTP, which is 200: it is in `grpc-status`, in the trailers after the last message, or in the head if
//! there is nothing else to say.
//!
//! Sources: gRPC over HTTP/2 (PROTOCOL-HTTP2.md), status codes (statuscodes.md), proposal A6 (retries,
//! `grpc-retry-pushback-ms`), `google/rpc/status.proto` and `error_details.proto`.

mod code;
mod detail;
mod messages;

pub use code::Code;
pub use detail::{Detail, Told, percent_encoded};
pub use messages::{Messages, Piece};

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// How the call went.
pub const STATUS: HeaderName = HeaderName::from_static("grpc-status");
/// Why, for people; percent-encoded.
pub const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
/// Why, for programs: a `google.rpc.Status`.
pub const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
/// When to try again, in milliseconds; below zero: never.
pub const PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");

/// The content type of calls.
pub const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/grpc");

/// Whether a message is gRPC: `application/grpc`, with or without `+proto` and parameters. gRPC-Web
/// (`application/grpc-web`) is none: it frames its trailers into the body.
pub fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    kind.is_some_and(|kind| {
        let word = CONTENT_TYPE;
        let word = word.as_bytes();
        kind.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
            && kind.get(word.len()).is_none_or(|next| b"+; ".contains(next))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_known_by_its_content_type() {
        for (kind, is) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("Application/GRPC; x=y", true),
            ("application/grpc-web", false),
            ("application/grpc-web+proto", false),
            ("application/json", false),
        ] {
            let headers = [(header::CONTENT_TYPE, HeaderValue::from_static(kind))];
            assert_eq!(is_grpc(&headers.into_iter().collect()), is, "{kind}");
        }
        assert!(!is_grpc(&HeaderMap::new()));
    }
}
