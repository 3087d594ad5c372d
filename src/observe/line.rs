//! The lines of a record, as they are written and as they are read.
//!
//! One struct is both: what is written is what can be read. The way from events to lines is in
//! `write`, the way back in [`read`](crate::observe::read).

use crate::observe::hex::Hex;
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, net::SocketAddr};

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Line<'e> {
    Exchange(Box<ExchangeLine<'e>>),
    Tunnel(Box<TunnelWhole<'e>>),
    Connection(ConnectionLine<'e>),
    Duplicate(DuplicateLine<'e>),
    Phase(PhaseLine<'e>),
    Proxy(ProxyLine<'e>),
    ByHand(ByHandLine<'e>),
}

#[derive(Serialize, Deserialize)]
pub(super) struct PhaseLine<'e> {
    #[serde(borrow)]
    pub(super) phase: Option<Cow<'e, str>>,
    pub(super) planned_us: u64,
    pub(super) actual_us: u64,
}

#[derive(Serialize, Deserialize)]
pub(super) struct ProxyLine<'e> {
    pub(super) id: u32,
    #[serde(borrow)]
    pub(super) name: Cow<'e, str>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) forward: bool,
}

#[derive(Serialize, Deserialize)]
pub(super) struct ByHandLine<'e> {
    pub(super) at: u64,
    #[serde(borrow)]
    pub(super) proxy: Cow<'e, str>,
    #[serde(borrow)]
    pub(super) name: Cow<'e, str>,
    #[serde(borrow)]
    pub(super) kind: Cow<'e, str>,
    #[serde(borrow)]
    pub(super) did: Cow<'e, str>,
}

/// Times are microseconds since the drill's start; what did not happen is left out.
#[derive(Serialize, Deserialize)]
pub(super) struct ExchangeLine<'e> {
    #[serde(borrow)]
    pub(super) proxy: Cow<'e, str>,
    pub(super) conn: ConnLine,
    #[serde(borrow)]
    pub(super) client: ClientLine<'e>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) phase: Option<Cow<'e, str>>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub(super) targets: Vec<Cow<'e, str>>,
    pub(super) t: Times,
    #[serde(borrow)]
    pub(super) request: RequestLine<'e>,
    #[serde(borrow, default, skip_serializing_if = "KeysLine::is_empty")]
    pub(super) keys: KeysLine<'e>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub(super) faults: Vec<FaultLine<'e>>,
    #[serde(borrow)]
    pub(super) upstream: UpstreamLine<'e>,
    #[serde(borrow)]
    pub(super) sent: SentLine<'e>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) grpc: Option<CallLine<'e>>,
    #[serde(borrow)]
    pub(super) outcome: Cow<'e, str>,
    #[serde(borrow)]
    pub(super) ended_by: Cow<'e, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) http2: Option<Http2Line>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Http2Line {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reset: Option<u32>,
}

/// A tunnel's line: all that an exchange's holds, and its own.
#[derive(Serialize)]
pub(super) struct TunnelWhole<'e> {
    #[serde(flatten)]
    pub(super) exchange: ExchangeLine<'e>,
    pub(super) tunnel: TunnelLine<'e>,
}

/// What is read of it beside the exchange.
#[derive(Deserialize)]
pub(super) struct TunnelPart<'e> {
    #[serde(borrow)]
    pub(super) tunnel: TunnelLine<'e>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct TunnelLine<'e> {
    pub(super) up: FlowLine,
    pub(super) down: FlowLine,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) close: Option<CloseLine<'e>>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct FlowLine {
    pub(super) bytes: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) frames: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) messages: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) passed: u64,
}

#[derive(Serialize, Deserialize)]
pub(super) struct CloseLine<'e> {
    pub(super) code: u16,
    #[serde(borrow)]
    pub(super) by: Cow<'e, str>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct DuplicateLine<'e> {
    #[serde(borrow)]
    pub(super) proxy: Cow<'e, str>,
    pub(super) conn: u64,
    pub(super) seq: u32,
    #[serde(borrow)]
    pub(super) fault: Cow<'e, str>,
    pub(super) t: DuplicateTimes,
    #[serde(borrow)]
    pub(super) upstream: UpstreamLine<'e>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct DuplicateTimes {
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) forwarded: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) answered: u64,
    pub(super) end: u64,
}

#[derive(Serialize, Deserialize)]
pub(super) struct ConnLine {
    pub(super) id: u64,
    pub(super) seq: u32,
    pub(super) accepted: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) secured: u64,
    pub(super) peer: SocketAddr,
}

#[derive(Serialize, Deserialize)]
pub(super) struct ClientLine<'e> {
    pub(super) id: Hex,
    #[serde(borrow)]
    pub(super) by: Cow<'e, str>,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) nth: u64,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) agent: Option<Cow<'e, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) auth: Option<Hex>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Times {
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) first: u64,
    pub(super) head: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) received: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) forwarded: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) answered: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) upstream_end: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) sent_first: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) client_gone: u64,
    pub(super) end: u64,
}

impl Times {
    /// The latest of them.
    pub(super) fn latest(&self) -> u64 {
        let early = self.first.max(self.head).max(self.received).max(self.forwarded);
        let late = self.answered.max(self.upstream_end).max(self.sent_first);
        early.max(late).max(self.client_gone).max(self.end)
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct RequestLine<'e> {
    #[serde(borrow)]
    pub(super) method: Cow<'e, str>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) path: Option<Cow<'e, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) query: Option<Cow<'e, str>>,
    pub(super) bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body_hash: Option<Hex>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) shape_hash: Option<Hex>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) masked_hash: Option<Hex>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fingerprint: Option<Hex>,
}

#[derive(Default, PartialEq, Serialize, Deserialize)]
pub(super) struct KeysLine<'e> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) idempotency: Option<Cow<'e, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) operation: Option<Cow<'e, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) trace: Option<Cow<'e, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) request: Option<Cow<'e, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) invocation: Option<Cow<'e, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) attempt: Option<Cow<'e, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) case: Option<Cow<'e, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) client: Option<Cow<'e, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) deadline: Option<Cow<'e, str>>,
}

impl KeysLine<'_> {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct FaultLine<'e> {
    #[serde(borrow)]
    pub(super) name: Cow<'e, str>,
    #[serde(borrow)]
    pub(super) kind: Cow<'e, str>,
    #[serde(borrow)]
    pub(super) did: Cow<'e, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) delay_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<u16>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) flaw: Option<Cow<'e, str>>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct UpstreamLine<'e> {
    #[serde(borrow)]
    pub(super) got: Cow<'e, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<u16>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<Cow<'e, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) made: Option<Hex>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct SentLine<'e> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<u16>,
    pub(super) bytes: u64,
    pub(super) complete: bool,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) retry_after: Option<Cow<'e, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) retry_after_us: Option<u64>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct CallLine<'e> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<Cow<'e, str>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) no_retry: bool,
    pub(super) up: u64,
    pub(super) down: u64,
}

#[derive(Serialize, Deserialize)]
pub(super) struct ConnectionLine<'e> {
    #[serde(borrow)]
    pub(super) proxy: Cow<'e, str>,
    pub(super) id: u64,
    pub(super) peer: SocketAddr,
    pub(super) accepted: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) secured: u64,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) tls_error: Option<Cow<'e, str>>,
    pub(super) ended: u64,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) phase: Option<Cow<'e, str>>,
    #[serde(borrow)]
    pub(super) faults: Vec<FaultLine<'e>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) relay: Option<RelayLine<'e>>,
    #[serde(borrow)]
    pub(super) ended_by: Cow<'e, str>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct RelayLine<'e> {
    pub(super) client: Hex,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) connected: u64,
    pub(super) up: u64,
    pub(super) down: u64,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) upstream_error: Option<Cow<'e, str>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_zero(value: &u64) -> bool {
    *value == 0
}
