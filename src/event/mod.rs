//! What happened: the vocabulary in which the data plane tells, and everybody else listens.
//!
//! An [`Exchange`] is one attempt as the proxy saw it, with everything a judge of the client needs:
//! when each part came and went, what was dealt, what the upstream got, who closed. All times are
//! microseconds since the drill's start, of one monotonic clock.

mod call;
mod detail;
mod recorder;
mod tunnel;
mod words;

pub use call::Call;
pub use detail::{Capture, Detail, Keys, retry_wait};
pub use recorder::{Batch, Recorder};
pub use tunnel::{ClosedBy, Flow, SocketClose, Tunnel};

use http::Method;
use std::{net::SocketAddr, sync::Arc, time::Duration};

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// An exchange ended.
    Exchange(Box<Exchange>),
    /// A connection ended that had switched protocols; the exchange that made it do so was told before.
    Tunnel(Box<Tunnel>),
    /// A connection ended that carried no exchange, or whose last bytes never became one.
    Connection(Connection),
    /// A request was sent to the upstream again, or was to be.
    Duplicate(Duplicate),
    /// A phase began, or the timeline ended.
    Edge(PhaseEdge),
    /// A proxy came to be; other events tell of it by its number.
    Proxy {
        /// Its number.
        id: u32,
        /// Its name.
        name: Arc<str>,
        /// Whether clients have to be told to go through it: a forward proxy.
        forward: bool,
    },
    /// A fault was put on a proxy by hand, changed, or taken away.
    ByHand(ByHand),
}

/// Something that somebody did by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByHand {
    /// The proxy.
    pub proxy: u32,
    /// The fault's name.
    pub fault: Arc<str>,
    /// Its kind in the catalogue.
    pub kind: &'static str,
    /// What was done.
    pub change: HandChange,
    /// When, in microseconds.
    pub at: u64,
}

/// What was done to a fault by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandChange {
    /// It was put there.
    Added,
    /// It was put into the place of the one of its name.
    Changed,
    /// It was taken away.
    Removed,
    /// Its time was up.
    Expired,
}

impl HandChange {
    /// As the record writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
            Self::Expired => "expired",
        }
    }
}

/// A change of phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhaseEdge {
    /// The phase that began; `None` at the end.
    pub phase: Option<usize>,
    /// When it was due, since the drill's start.
    pub planned: Duration,
    /// When it happened.
    pub actual: Duration,
}

impl PhaseEdge {
    /// To the microsecond, as everything else that is told.
    #[must_use]
    pub fn in_micros(self) -> Self {
        Self { planned: in_micros(self.planned), actual: in_micros(self.actual), ..self }
    }
}

/// A time to the microsecond: what a record keeps of it.
pub fn in_micros(time: Duration) -> Duration {
    Duration::from_micros(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}

/// A connection and what was dealt to it as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Connection {
    /// The proxy it came to.
    pub proxy: u32,
    /// Its number.
    pub id: u64,
    /// Who is at the other end.
    pub peer: SocketAddr,
    /// When it was accepted, in microseconds.
    pub accepted: u64,
    /// When it ended, in microseconds.
    pub ended: u64,
    /// The phase in which it was accepted.
    pub phase: Option<usize>,
    /// What was dealt to it.
    pub dealt: Vec<Dealt>,
    /// Who closed it.
    pub ended_by: EndedBy,
    /// Hands were shaken for TLS, in microseconds; zero if they were not.
    pub secured: u64,
    /// Why they were not, in a word, if they were to be.
    pub tls_error: Option<&'static str>,
    /// What it carried, if the proxy passes bytes on without knowing what they mean.
    pub relay: Option<Relay>,
}

impl Connection {
    /// What was wrong on purpose with its TLS handshake, if something was.
    pub fn flaw(&self) -> Option<&'static str> {
        self.dealt.iter().find_map(|dealt| match dealt.did {
            Did::Handshake(flaw) => Some(flaw),
            _ => None,
        })
    }

    /// Whether its handshake failed because the drill would have it so, as far as can be told.
    pub fn is_handshake_dealt(&self) -> bool {
        let Some(word) = self.tls_error else { return false };
        match self.flaw() {
            _ if word == "dealt" => true,
            None | Some("no_close_notify") => false,
            Some("stall") => matches!(word, "left" | "timeout"),
            Some("untrusted" | "no_common_version" | "no_common_cipher" | "reset") => true,
            // It did not get as far as the flaw.
            Some(_) => !matches!(word, "alert_unknown_ca" | "nothing_to_show"),
        }
    }

    /// Whether hands were shaken for TLS, and the client went without asking anything.
    pub fn is_unasked(&self) -> bool {
        let left = matches!(self.ended_by, EndedBy::ClientFin | EndedBy::ClientRst);
        self.secured > 0 && self.tls_error.is_none() && self.relay.is_none() && left
    }
}

/// A connection whose bytes were passed on as they came. Times are microseconds since the drill's
/// start; zero means that it did not come to that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Relay {
    /// The user, hashed.
    pub user: u64,
    /// Bytes that reached the upstream.
    pub up: u64,
    /// Bytes that reached the client.
    pub down: u64,
    /// The upstream took the connection.
    pub t_connected: u64,
    /// Why it did not, in a word.
    pub upstream_error: Option<&'static str>,
}

/// A copy of a request, as the upstream met it. Times are as in an [`Exchange`].
#[derive(Clone, Debug, PartialEq)]
pub struct Duplicate {
    /// The proxy that the first request came to.
    pub proxy: u32,
    /// The connection that it came on.
    pub conn: u64,
    /// The how-manieth on that connection it was.
    pub seq: u32,
    /// The fault whose doing it is.
    pub fault: Arc<str>,
    /// What the upstream had to do with it; nothing, if the drill ended before it was sent.
    pub upstream: Upstream,
    /// A genuine failure on the way to the upstream, in a word.
    pub upstream_error: Option<&'static str>,
    /// It was sent to the upstream.
    pub t_forwarded: u64,
    /// The head of its answer came.
    pub t_answered: u64,
    /// It was over.
    pub t_end: u64,
}

/// One fault that hit.
#[derive(Clone, Debug, PartialEq)]
pub struct Dealt {
    /// The fault's name in the scenario.
    pub fault: Arc<str>,
    /// Its kind in the catalogue.
    pub kind: &'static str,
    /// What it did.
    pub did: Did,
}

/// What a fault did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Did {
    /// Held the message for so long.
    Delayed(Duration),
    /// Had the message wait in a queue for so long, unless it let go before.
    Queued(Duration),
    /// Answered in the upstream's place.
    Responded(u16),
    /// Said nothing.
    Hung,
    /// Closed the connection with a FIN.
    Closed,
    /// Closed the connection with a RST.
    Reset,
    /// Had the connection sent away, by GOAWAY or what HTTP/1 has for it.
    SentAway,
    /// Had the request sent to the upstream again; a [`Duplicate`] tells of that.
    Duplicated,
    /// Let the upstream do the work and lost its answer.
    LostResponse,
    /// Wrote something that is no HTTP, and closed the connection with a FIN.
    Malformed,
    /// Had the connection's TLS handshake go wrong in this way, or its end.
    Handshake(&'static str),
    /// Changed what the head or the body says.
    Edited,
    /// Broke the response off, or the request.
    Cut,
    /// Shaped the body's bytes.
    Shaped,
    /// Shaped the connection's bytes while this exchange was on it.
    Wire,
    /// Did something to the messages of the socket that the exchange opened.
    Messages,
}

impl Did {
    /// One word for records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delayed(_) => "delayed",
            Self::Queued(_) => "queued",
            Self::Responded(_) => "responded",
            Self::Hung => "hung",
            Self::Closed => "closed",
            Self::Reset => "reset",
            Self::SentAway => "sent_away",
            Self::Duplicated => "duplicated",
            Self::LostResponse => "lost_response",
            Self::Malformed => "malformed",
            Self::Handshake(_) => "handshake",
            Self::Edited => "edited",
            Self::Cut => "cut",
            Self::Shaped => "shaped",
            Self::Wire => "wire",
            Self::Messages => "messages",
        }
    }
}

/// What the upstream had to do with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Upstream {
    /// It never heard of the request.
    #[default]
    NotSent,
    /// It got the request, or part of it, and no answer came.
    NoReply,
    /// It answered.
    Status(u16),
}

/// How an exchange or a connection ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EndedBy {
    /// It ran to its end and the connection lives on.
    #[default]
    Completed,
    /// The proxy closed the connection with a FIN.
    ProxyFin,
    /// The proxy closed the connection with a RST.
    ProxyRst,
    /// The edge of a phase that resets open connections: a RST, injected.
    PhaseEdge,
    /// The edge of a phase that drains: a FIN, while the connection was idle.
    Drained,
    /// The request came on a connection that had been drained already: a RST, as from any server that
    /// is not there any more.
    Stale,
    /// The client closed its side.
    ClientFin,
    /// The client reset the connection.
    ClientRst,
    /// The upstream closed its side.
    UpstreamFin,
    /// The upstream reset the connection.
    UpstreamRst,
}

impl EndedBy {
    /// As the record writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::ProxyFin => "proxy_fin",
            Self::ProxyRst => "proxy_rst",
            Self::PhaseEdge => "phase_edge",
            Self::Drained => "drained",
            Self::Stale => "stale",
            Self::ClientFin => "client_fin",
            Self::ClientRst => "client_rst",
            Self::UpstreamFin => "upstream_fin",
            Self::UpstreamRst => "upstream_rst",
        }
    }
}

/// The stream of HTTP/2 that an exchange was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Http2 {
    /// The code of the `RST_STREAM` that ended it, if one did (RFC 9113 §7); who sent it is
    /// [`ended_by`](Exchange::ended_by).
    pub reset: Option<u32>,
}

/// One attempt, as the proxy saw it. Times are microseconds since the drill's start; zero means it
/// did not come to that.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    /// The proxy it came to.
    pub proxy: u32,
    /// The connection it came on.
    pub conn: u64,
    /// The how-manieth on that connection, from one.
    pub seq: u32,
    /// Who is at the other end.
    pub peer: SocketAddr,
    /// When the connection was accepted.
    pub accepted: u64,
    /// When hands were shaken for TLS on it; zero if it is in clear.
    pub secured: u64,
    /// The phase in which the head was read; `None` before the drill plays or after it.
    pub phase: Option<usize>,
    /// The user, hashed.
    pub user: u64,
    /// Which source of the scenario's `users` told.
    pub user_source: usize,
    /// The how-manieth request of this user, from one; zero if nothing counted.
    pub nth: u64,
    /// The method.
    pub method: Method,
    /// The targets it is meant by, one bit each in the order of the scenario (the first 64).
    pub targets: u64,
    /// What was dealt to it.
    pub dealt: Vec<Dealt>,
    /// What the upstream had to do with it.
    pub upstream: Upstream,
    /// A genuine failure on the way to the upstream, in a word.
    pub upstream_error: Option<&'static str>,
    /// The status the client was sent; zero if none was.
    pub status: u16,
    /// Body bytes read from the client.
    pub received: u64,
    /// Body bytes given to the client's connection.
    pub sent: u64,
    /// Whether the response ran to its end.
    pub complete: bool,
    /// How it ended.
    pub ended_by: EndedBy,
    /// What is to be said of the stream it was, if it came over HTTP/2.
    pub http2: Option<Http2>,
    /// The request's first byte was read.
    pub t_first: u64,
    /// The request's head was read.
    pub t_head: u64,
    /// The request's last byte was read.
    pub t_received: u64,
    /// It was passed on to the upstream.
    pub t_forwarded: u64,
    /// The upstream's head came.
    pub t_answered: u64,
    /// The upstream's last byte came.
    pub t_upstream_end: u64,
    /// The response's head was given to the client's connection.
    pub t_sent_first: u64,
    /// The client closed or reset its side.
    pub t_client_gone: u64,
    /// It was over.
    pub t_end: u64,
    /// What came of it as a gRPC call, if it is one.
    pub grpc: Option<Call>,
    /// What only a record needs.
    pub detail: Option<Box<Detail>>,
}

impl Exchange {
    /// Whether something was injected into it.
    pub fn injected(&self) -> bool {
        !self.dealt.is_empty() || matches!(self.ended_by, EndedBy::PhaseEdge | EndedBy::Stale)
    }

    /// Whether it is the way to requests that are told of by themselves, and nothing else: the `CONNECT`
    /// of a tunnel that is read. No details of it are kept, since there is nothing to judge.
    pub fn is_wrapping(&self) -> bool {
        self.method == Method::CONNECT && self.detail.is_none()
    }

    /// How it went, for a table.
    pub fn outcome(&self) -> Outcome {
        if !self.complete {
            let gone = matches!(self.ended_by, EndedBy::ClientFin | EndedBy::ClientRst);
            return if gone { Outcome::ClientGone } else { Outcome::Broken };
        }
        match self.status {
            0 => Outcome::Broken,
            500.. => Outcome::ServerError,
            400.. => Outcome::ClientError,
            200 => self.grpc.map_or(Outcome::Ok, |call| call.outcome(self.injected())),
            _ => Outcome::Ok,
        }
    }
}

/// How an exchange went, as the client saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// A whole answer below 400.
    Ok,
    /// A whole answer from 400 to 499.
    ClientError,
    /// A whole answer from 500 on.
    ServerError,
    /// No answer, or not the whole of it.
    Broken,
    /// The client went away first.
    ClientGone,
}

impl Outcome {
    /// All of them, best first.
    pub const ALL: [Self; 5] =
        [Self::Ok, Self::ClientError, Self::ServerError, Self::Broken, Self::ClientGone];

    /// As tables and records write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::ClientError => "4xx",
            Self::ServerError => "5xx",
            Self::Broken => "broken",
            Self::ClientGone => "client_gone",
        }
    }
}
