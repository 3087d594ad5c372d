//! What can go wrong. A fault decides; the data plane acts.
//!
//! One file per fault: how it is written, what it means, its rules, its behaviour, its tests. A
//! fault sees where in its phase it is asked ([`Moment`]) and a key to draw with ([`Dice`]), and
//! answers with an [`Effect`] or a [`ByteFilter`]. It knows no socket, no task and no wall clock.
//!
//! To add one: a file here, one row in [`catalog`]. The shared contract tests pick it up there.

mod after;
mod bandwidth;
mod blackhole;
mod body;
mod budget;
mod canned;
pub mod catalog;
#[cfg(test)]
mod contract;
mod corrupt;
mod distribution;
mod dribble;
mod duplicate;
pub mod extensions;
mod filter;
mod form;
pub mod frames;
mod goaway;
mod grpc;
mod h2_error;
mod hang;
mod headers;
mod latency;
mod limit_data;
mod lose_response;
mod malformed;
mod max_streams;
mod normal;
mod on_bytes;
mod overload;
mod packet_loss;
mod queue;
mod rate_limit;
mod refuse;
mod reset;
mod respond;
mod slice;
mod slow_close;
#[cfg(test)]
mod support;
mod tls;
pub mod toxic;
mod truncate;
mod unreachable;
mod websocket;

pub use body::BodyEdit;
pub use filter::{ByteFilter, Out, Promise, Tick, Way};
pub use h2_error::H2Error;
pub use headers::{HeadEdit, take_out};
pub use tls::Flaw;

use crate::{
    dice::Dice,
    fault::catalog::Protocol,
    grpc::{Code, Told},
    timeline::Moment,
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use std::{fmt, sync::Arc, time::Duration};

/// The steps of an exchange at which a fault can have its say, in the order of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// A connection was accepted.
    Connect,
    /// A request head was read: how long to hold it.
    RequestDelay,
    /// The request has come to the service's door: let it in, have it wait, or turn it away.
    /// Asked once.
    Admission,
    /// The request would now be passed on: answer it or end it instead.
    End,
    /// The request goes on: what it says is changed.
    Request,
    /// The request's body goes on: what is done to its bytes.
    RequestBody,
    /// The request's body goes on: where it breaks off.
    RequestCut,
    /// The request goes to the upstream: how often, and what becomes of its answer.
    Upstream,
    /// A response head came: how long to hold it.
    ResponseDelay,
    /// The response goes on: what it says is changed.
    Response,
    /// The response body begins: what is done to its bytes.
    Body,
    /// The response body begins: where it breaks off.
    Cut,
}

/// How a connection ends before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// A TCP FIN: the client reads an early end.
    Fin,
    /// A TCP RST: the client's read fails. On HTTP/2 only the stream is reset.
    Reset,
    /// The same, with a code of HTTP/2 for the stream.
    ResetStream(H2Error),
}

/// Where in a body something happens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Offset {
    /// After so many bytes.
    Bytes(u64),
    /// After this fraction of the length the head announced; of a body of unknown length,
    /// after this fraction of its first 64 KiB.
    Fraction(f64),
    /// After so many server-sent events.
    Events(u64),
    /// So long after the head.
    Time(Duration),
    /// After so many messages of a gRPC call; in a body of anything else, nowhere.
    Messages(u64),
}

/// An answer without the upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canned {
    /// The status.
    pub status: StatusCode,
    /// Header fields, `retry-after` included.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl Canned {
    /// Whether it denies what was asked for: it has a status that says so.
    fn denies(&self) -> Denial {
        let call = Told::of(&self.headers).is_some_and(|told| told.code != Code::Ok);
        if call || self.status.as_u16() >= 400 { Denial::Always } else { Denial::Never }
    }
}

/// Bytes in place of an answer, which need not be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raw {
    /// All that is written before the connection is closed with a FIN; perhaps nothing.
    pub bytes: Bytes,
    /// The status that a client can read from them, if it can.
    pub status: Option<StatusCode>,
}

/// What the client meets when the upstream did the work and its answer is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The connection breaks.
    Close(Close),
    /// Silence until the fault lets go.
    Hang,
    /// Another answer.
    Respond(Arc<Canned>),
    /// Bytes in its place, and the end of the connection.
    Say(Raw),
}

/// What the data plane must do to one connection or exchange.
#[derive(Debug)]
#[must_use = "an effect that nobody carries out is a fault that did not happen"]
pub enum Effect {
    /// Nothing.
    Pass,
    /// Hold it for so long. Never zero.
    Delay(Duration),
    /// Have it wait for its turn for so long, or until the fault lets go. Never zero.
    Queue(Duration),
    /// Answer it.
    Respond(Arc<Canned>),
    /// Read the request and say nothing, until the limit or until the fault lets go.
    Hang {
        /// When to give up and close, if before the fault lets go.
        limit: Option<Duration>,
    },
    /// End the connection now.
    Close(Close),
    /// Send the connection that it came on away: at [`Stage::Request`] it is served still, at
    /// [`Stage::End`] it ends with the connection.
    GoAway(H2Error),
    /// Send it to the upstream, and then again.
    Duplicate {
        /// How long after the first.
        delay: Duration,
    },
    /// Write these bytes and end the connection.
    Say(Raw),
    /// Let the upstream do the work, then lose its answer.
    Lose(Loss),
    /// Change the fields of the head.
    EditHead(HeadEdit),
    /// Change the body.
    EditBody(Arc<BodyEdit>),
    /// Break the response off, its announced length intact; at [`Stage::RequestCut`] the exchange, in
    /// the middle of the request.
    Cut {
        /// Where.
        after: Offset,
        /// How; `None` if nothing more comes and the connection stays, until the fault lets go. Of a
        /// request nothing more is read.
        close: Option<Close>,
    },
    /// Break the response off, and have trailers say how it went; at [`Stage::RequestCut`] in the
    /// middle of the request.
    Finish {
        /// Where.
        after: Offset,
        /// What they say.
        trailers: Arc<HeaderMap>,
    },
    /// Have the TLS handshake go wrong.
    Handshake(Flaw),
    /// Shape the bytes of the body.
    Shape(Box<dyn ByteFilter>),
}

/// What the listener does to connections that are being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// It refuses them: nobody listens.
    Refuse,
    /// They hang in SYN: a dead host.
    Unreachable,
}

/// What a fault is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Cx {
    /// Where in its phase.
    pub moment: Moment,
    /// Keyed to this message: the user and the user's n-th request.
    pub message: Dice,
    /// Keyed to the connection: the peer and the peer's n-th connection.
    pub connection: Dice,
    /// Keyed to the fault alone: the same for everybody.
    pub shared: Dice,
    /// The user, hashed; zero if none is known yet.
    pub user: u64,
    /// Real time since the drill's start, for what keeps account of who came when.
    pub now: Tick,
    /// Whether it is a gRPC call.
    pub grpc: bool,
}

/// Whether an attempt that a fault hits comes to nothing because of it: no answer, a broken one, or one
/// that says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// Never: it is served, if late or otherwise than it should be.
    Never,
    /// That hangs on what else happens: the load, or the length of a body.
    Perhaps,
    /// Always.
    Always,
}

/// What a fault does to one WebSocket: a filter for each of its two directions, which may know of each
/// other.
pub trait Lanes: fmt::Debug + Send + Sync {
    /// The filter of one direction, from where its frames stand now.
    fn lane(&self, way: Way, at: frames::Parser) -> Box<dyn ByteFilter>;
}

/// Something that can go wrong, as the scenario describes it.
pub trait Fault: fmt::Debug + Send + Sync {
    /// The stages at which it wants to be asked; it is asked at no other.
    fn stages(&self) -> &'static [Stage] {
        &[]
    }

    /// What to do at `stage`.
    fn decide(&self, _stage: Stage, _cx: &Cx) -> Effect {
        Effect::Pass
    }

    /// The shaper of one direction of one connection's bytes, made when the fault first meets the
    /// connection. `connection` and `shared` are as in [`Cx`].
    fn filter(&self, _way: Way, _connection: Dice, _shared: Dice) -> Option<Box<dyn ByteFilter>> {
        None
    }

    /// Whether [`filter`](Self::filter) ever returns one.
    fn shapes_connections(&self) -> bool {
        false
    }

    /// What it does to the messages of one WebSocket, made when the fault first meets the socket.
    fn lanes(&self, _connection: Dice) -> Option<Arc<dyn Lanes>> {
        None
    }

    /// Whether [`lanes`](Self::lanes) ever returns any.
    fn shapes_sockets(&self) -> bool {
        false
    }

    /// Whether it takes some of a WebSocket's messages out and leaves others in.
    fn loses_messages(&self) -> bool {
        false
    }

    /// The same fault for a connection whose protocol is not known, where there are bytes and no
    /// messages; `None` if it is the same there.
    fn on_bytes(&self) -> Option<Arc<dyn Fault>> {
        None
    }

    /// Whether it does what it says where only so much is understood of the traffic; if not, what
    /// is wrong, in a line for whoever wrote it.
    fn works_on(&self, _protocol: Protocol) -> Result<(), String> {
        Ok(())
    }

    /// Whether it acts on handshakes, so that there is nothing for it to do where a proxy does not speak
    /// TLS itself.
    fn needs_tls(&self) -> bool {
        false
    }

    /// What it exists to break of what byte filters keep.
    fn breaks(&self) -> &'static [Promise] {
        &[]
    }

    /// What it does to the listener as a whole, if anything.
    fn gate(&self) -> Option<Gate> {
        None
    }

    /// How many streams a connection may have at a time because of it, if that is what it is about.
    fn max_streams(&self) -> Option<u32> {
        None
    }

    /// A copy with state of its own for one run, for a fault whose victims share something.
    fn armed(&self) -> Option<Arc<dyn Fault>> {
        None
    }

    /// Whether it hits only those of its share that come too fast or in too great a number.
    fn follows_load(&self) -> bool {
        false
    }

    /// Whether whoever it hits is denied what they asked for.
    fn denies(&self) -> Denial {
        Denial::Never
    }

    /// Whether any of its quantities moves over the phase.
    fn moves(&self) -> bool {
        false
    }

    /// How hard it is at `moment`, in a unit of its own: only ever compared with the same kind of
    /// fault at another time, as the bars of a plan do. Above zero if it does anything.
    fn strength(&self, _moment: &Moment) -> f64 {
        1.0
    }

    /// What it does in a word or two, if faults of its kind do unlike things: `expired`, `close`. Those
    /// of one word are the same fault at different strengths.
    fn word(&self) -> Option<String> {
        None
    }

    /// What it does, in a few words for a plan or a summary: `503, retry after 30s`.
    fn describe(&self) -> String;
}
