//! What can go wrong on the data plane, for real.

use crate::units::HostPort;
use h2::Reason;
use http::StatusCode;
use std::{borrow::Cow, io, time::Duration};

/// A genuine failure on the way to the upstream. It becomes a 502 or a 504 that says so.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpstreamError {
    /// The name did not resolve.
    #[error("cannot resolve the upstream's name")]
    Resolve(#[source] io::Error),
    /// Nobody took the connection.
    #[error("cannot connect to the upstream")]
    Connect(#[source] io::Error),
    /// Nobody answered the connection in time.
    #[error("the upstream did not take the connection within {0:?}")]
    ConnectTimeout(Duration),
    /// The TLS handshake failed.
    #[error("the TLS handshake with the upstream failed")]
    Tls(#[source] io::Error),
    /// The connection broke before an answer.
    #[error("the upstream's connection broke before it answered")]
    Broken(#[source] hyper::Error),
    /// The stream, or its connection, broke before an answer.
    #[error("the upstream did not answer over HTTP/2")]
    Stream(#[source] h2::Error),
    /// Connections were made, and took no request.
    #[error("the upstream closes each connection over HTTP/2 before it takes a request")]
    Unready,
    /// No answer in time.
    #[error("the upstream did not answer within {0:?}")]
    Timeout(Duration),
    /// It answered as if it had been asked to speak another protocol.
    #[error("the upstream switched protocols unasked")]
    Switched,
    /// It opened a WebSocket without confirming the key that it was given.
    #[error(
        "the upstream opens a WebSocket with a `sec-websocket-accept` that is not that of its key"
    )]
    NotConfirmed,
    /// It opened no WebSocket, in words that say over HTTP/2 that it did.
    #[error(
        "the upstream answers the handshake of a WebSocket with {0}, which grants none over HTTP/1 (101 does), \
         but would over HTTP/2"
    )]
    NotSwitched(StatusCode),
    /// It speaks HTTP/2, and opens no WebSockets so.
    #[error(
        "the upstream does not say that it opens WebSockets over HTTP/2 (RFC 8441); if it does so over \
         HTTP/1, set `upstream_http: http1`"
    )]
    NoSockets,
    /// The client did not send the whole of its request.
    #[error("the request's body did not come to its end")]
    Upload(#[source] BodyError),
    /// The request cannot be passed on.
    #[error("the request cannot be passed on: {1}")]
    Refused(StatusCode, Cow<'static, str>),
    /// A forward proxy may not reach what the request names.
    #[error(
        "`{place}` is not among the hosts that this proxy may reach, and was not asked; add `{}` to its \
         `allow` (or to `--forward`)",
        instead(place)
    )]
    NotAllowed {
        /// What it names.
        place: HostPort,
    },
    /// The request names the proxy that it came to.
    #[error("the request names this very proxy, and would come back to it for ever")]
    Circle,
}

impl UpstreamError {
    /// The request is not one that could be passed on.
    pub(crate) fn bad_request(why: impl Into<Cow<'static, str>>) -> Self {
        Self::Refused(StatusCode::BAD_REQUEST, why.into())
    }

    /// One word for headers and records.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Resolve(_) => "resolve_failed",
            Self::Connect(_) | Self::Unready => "connect_failed",
            Self::ConnectTimeout(_) => "connect_timeout",
            Self::Tls(_) => "tls_failed",
            Self::Stream(error) if error.is_reset() => "stream_reset",
            Self::Broken(_) | Self::Stream(_) => "broken",
            Self::Timeout(_) => "timeout",
            Self::Switched | Self::NotConfirmed => "switched",
            Self::NotSwitched(_) => "not_switched",
            Self::Upload(_) => "upload_broken",
            Self::Refused(..) | Self::NoSockets => "refused",
            Self::NotAllowed { .. } => "not_allowed",
            Self::Circle => "circle",
        }
    }

    /// The error with its causes, in one line.
    pub(crate) fn with_causes(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(&format!(": {error}"));
            cause = error.source();
        }
        text.push_str(self.advice());
        text
    }

    /// What to do about an upstream that speaks another version of HTTP.
    fn advice(&self) -> &'static str {
        match self {
            Self::Broken(error) if error.is_parse() && error.to_string().contains("version") => {
                "; if it speaks HTTP/2 alone, set `upstream_http: http2`"
            }
            Self::Stream(error) if error.is_library() => {
                "; if it speaks HTTP/1 alone, set `upstream_http: http1`"
            }
            _ => "",
        }
    }

    /// Whether a connection was never made: the upstream cannot have heard of the request.
    pub(crate) const fn was_never_sent(&self) -> bool {
        !matches!(
            self,
            Self::Broken(_)
                | Self::Stream(_)
                | Self::Timeout(_)
                | Self::Switched
                | Self::NotConfirmed
                | Self::NotSwitched(_)
                | Self::Upload(_)
        )
    }

    /// Whether the upstream reset the connection as soon as it had it.
    pub(crate) fn is_reset(&self) -> bool {
        matches!(self, Self::Connect(error) if error.kind() == io::ErrorKind::ConnectionReset)
    }

    /// The code with which the upstream reset the request's stream, if that is what it did.
    pub(crate) fn reset(&self) -> Option<Reason> {
        match self {
            Self::Stream(error) if error.is_reset() && error.is_remote() => error.reason(),
            _ => None,
        }
    }

    /// Whether it is the upstream's failure, or the way's to it, and not the client's.
    pub(crate) const fn is_the_upstreams(&self) -> bool {
        !matches!(
            self,
            Self::Upload(_)
                | Self::Refused(..)
                | Self::NoSockets
                | Self::NotAllowed { .. }
                | Self::Circle
        )
    }

    /// What a broken connection came from: an upload that ended early breaks it, too.
    pub(crate) fn broken(error: hyper::Error) -> Self {
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            match error.downcast_ref() {
                Some(error) => return Self::Upload(*error),
                None => cause = error.source(),
            }
        }
        Self::Broken(error)
    }

    /// The status that says so.
    pub(crate) const fn status(&self) -> StatusCode {
        match self {
            Self::ConnectTimeout(_) | Self::Timeout(_) => StatusCode::GATEWAY_TIMEOUT,
            Self::Upload(BodyError::Stalled(_)) => StatusCode::REQUEST_TIMEOUT,
            Self::Upload(BodyError::Broken | BodyError::Reset(_)) => StatusCode::BAD_REQUEST,
            Self::Refused(status, _) => *status,
            Self::NotAllowed { .. } => StatusCode::FORBIDDEN,
            Self::Circle => StatusCode::LOOP_DETECTED,
            _ => StatusCode::BAD_GATEWAY,
        }
    }
}

/// What to add so that a place is allowed: without the port where that goes without saying.
fn instead(place: &HostPort) -> String {
    if matches!(place.port, 80 | 443) { place.host.to_string() } else { place.to_string() }
}

/// A body that ended early.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// The connection it came on ended.
    #[error("the body broke off")]
    Broken,
    /// Nothing came for too long.
    #[error("no byte of the body came for {0:?}")]
    Stalled(Duration),
    /// The other side reset the stream it came on, with this code.
    #[error("the body's stream was reset with the code {0}")]
    Reset(u32),
}

/// The connection is being ended on purpose: there is no answer to give.
#[derive(Debug, thiserror::Error)]
#[error("the connection is being ended")]
pub(crate) struct Aborted;
