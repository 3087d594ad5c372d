//! The lines of a record.

use crate::{
    event::{Connection, Dealt, Did, Duplicate, Event, Exchange, PhaseEdge, Upstream},
    observe::{End, Tally},
};
use serde::Serialize;

/// What numbers in events stand for.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) phases: Vec<String>,
    pub(super) targets: Vec<String>,
    pub(super) users: Vec<String>,
    /// By their numbers; they may come at any time.
    pub(super) proxies: Vec<String>,
}

impl Names {
    /// Learns the names that these events bring.
    pub(super) fn learn(&mut self, events: &[Event]) {
        for event in events {
            if let Event::Proxy { id, name } = event {
                let at = usize::try_from(*id).unwrap_or(usize::MAX);
                self.proxies.resize(self.proxies.len().max(at.saturating_add(1)), String::new());
                self.proxies[at] = name.to_string();
            }
        }
    }

    fn proxy(&self, id: u32) -> &str {
        usize::try_from(id).ok().and_then(|at| self.proxies.get(at)).map_or("", String::as_str)
    }

    fn phase(&self, phase: Option<usize>) -> Option<&str> {
        phase.and_then(|at| self.phases.get(at)).map(String::as_str)
    }
}

/// The last line.
#[derive(Serialize)]
pub(super) struct Tail<'t> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) end: End,
    pub(super) exchanges: u64,
    pub(super) dropped: u64,
    #[serde(skip_serializing_if = "<[Tally]>::is_empty")]
    pub(super) faults: &'t [Tally],
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Line<'e> {
    Exchange(Box<ExchangeLine<'e>>),
    Connection(ConnectionLine<'e>),
    Duplicate(DuplicateLine<'e>),
    Phase { phase: Option<&'e str>, planned_us: u64, actual_us: u64 },
    Proxy { id: u32, name: &'e str },
    ByHand(ByHandLine<'e>),
}

#[derive(Serialize)]
pub(super) struct ByHandLine<'e> {
    at: u64,
    proxy: &'e str,
    name: &'e str,
    kind: &'static str,
    did: &'static str,
}

/// Times are microseconds since the drill's start; what did not happen is left out.
#[derive(Serialize)]
pub(super) struct ExchangeLine<'e> {
    proxy: &'e str,
    conn: ConnLine,
    client: ClientLine<'e>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phase: Option<&'e str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    targets: Vec<&'e str>,
    t: Times,
    request: RequestLine<'e>,
    #[serde(skip_serializing_if = "KeysLine::is_empty")]
    keys: KeysLine<'e>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    faults: Vec<FaultLine<'e>>,
    upstream: UpstreamLine,
    sent: SentLine<'e>,
    outcome: &'static str,
    ended_by: &'static str,
}

#[derive(Serialize)]
pub(super) struct DuplicateLine<'e> {
    proxy: &'e str,
    conn: u64,
    seq: u32,
    fault: &'e str,
    t: DuplicateTimes,
    upstream: UpstreamLine,
}

#[derive(Serialize)]
struct DuplicateTimes {
    #[serde(skip_serializing_if = "is_zero")]
    forwarded: u64,
    #[serde(skip_serializing_if = "is_zero")]
    answered: u64,
    end: u64,
}

#[derive(Serialize)]
struct ConnLine {
    id: u64,
    seq: u32,
    accepted: u64,
    peer: String,
}

#[derive(Serialize)]
struct ClientLine<'e> {
    id: String,
    by: &'e str,
    #[serde(skip_serializing_if = "is_zero")]
    nth: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth: Option<String>,
}

#[derive(Serialize)]
struct Times {
    #[serde(skip_serializing_if = "is_zero")]
    first: u64,
    head: u64,
    #[serde(skip_serializing_if = "is_zero")]
    received: u64,
    #[serde(skip_serializing_if = "is_zero")]
    forwarded: u64,
    #[serde(skip_serializing_if = "is_zero")]
    answered: u64,
    #[serde(skip_serializing_if = "is_zero")]
    upstream_end: u64,
    #[serde(skip_serializing_if = "is_zero")]
    sent_first: u64,
    #[serde(skip_serializing_if = "is_zero")]
    client_gone: u64,
    end: u64,
}

#[derive(Serialize)]
struct RequestLine<'e> {
    method: &'e str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<&'e str>,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shape_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    masked_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<String>,
}

#[derive(Default, PartialEq, Serialize)]
struct KeysLine<'e> {
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invocation: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    case: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<&'e str>,
}

impl KeysLine<'_> {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Serialize)]
struct FaultLine<'e> {
    name: &'e str,
    kind: &'static str,
    did: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
}

#[derive(Serialize)]
struct UpstreamLine {
    got: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    made: Option<String>,
}

#[derive(Serialize)]
struct SentLine<'e> {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    bytes: u64,
    complete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_us: Option<u64>,
}

#[derive(Serialize)]
pub(super) struct ConnectionLine<'e> {
    proxy: &'e str,
    id: u64,
    peer: String,
    accepted: u64,
    ended: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    phase: Option<&'e str>,
    faults: Vec<FaultLine<'e>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    relay: Option<RelayLine>,
    ended_by: &'static str,
}

#[derive(Serialize)]
struct RelayLine {
    client: String,
    #[serde(skip_serializing_if = "is_zero")]
    connected: u64,
    up: u64,
    down: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_error: Option<&'static str>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// An event as the record writes it.
pub(super) fn event_line<'e>(event: &'e Event, names: &'e Names) -> Line<'e> {
    match event {
        Event::Exchange(exchange) => Line::Exchange(Box::new(exchange_line(exchange, names))),
        Event::Duplicate(duplicate) => Line::Duplicate(duplicate_line(duplicate, names)),
        Event::Connection(connection) => Line::Connection(connection_line(connection, names)),
        Event::Edge(PhaseEdge { phase, planned, actual }) => Line::Phase {
            phase: names.phase(*phase),
            planned_us: micros(*planned),
            actual_us: micros(*actual),
        },
        Event::Proxy { id, name } => Line::Proxy { id: *id, name },
        Event::ByHand(by_hand) => Line::ByHand(ByHandLine {
            at: by_hand.at,
            proxy: names.proxy(by_hand.proxy),
            name: &by_hand.fault,
            kind: by_hand.kind,
            did: by_hand.change.name(),
        }),
    }
}

fn exchange_line<'e>(exchange: &'e Exchange, names: &'e Names) -> ExchangeLine<'e> {
    let detail = exchange.detail.as_deref();
    let peer = names.users.last().map_or("peer", String::as_str);
    let targets = names.targets.iter().enumerate().take(64);
    ExchangeLine {
        proxy: names.proxy(exchange.proxy),
        conn: ConnLine {
            id: exchange.conn,
            seq: exchange.seq,
            accepted: exchange.accepted,
            peer: exchange.peer.to_string(),
        },
        client: ClientLine {
            id: hex(exchange.user),
            by: names.users.get(exchange.user_source).map_or(peer, String::as_str),
            nth: exchange.nth,
            agent: detail.and_then(|detail| detail.agent.as_deref()),
            auth: detail.and_then(|detail| detail.auth).map(hex),
        },
        phase: names.phase(exchange.phase),
        targets: targets
            .filter(|(at, _)| exchange.targets & (1 << at) != 0)
            .map(|(_, name)| name.as_str())
            .collect(),
        t: Times {
            first: exchange.t_first,
            head: exchange.t_head,
            received: exchange.t_received,
            forwarded: exchange.t_forwarded,
            answered: exchange.t_answered,
            upstream_end: exchange.t_upstream_end,
            sent_first: exchange.t_sent_first,
            client_gone: exchange.t_client_gone,
            end: exchange.t_end,
        },
        request: RequestLine {
            method: exchange.method.as_str(),
            path: detail.map(|detail| detail.path.as_str()),
            query: detail.and_then(|detail| detail.query.as_deref()),
            bytes: exchange.received,
            body_hash: detail.map(|detail| hex(detail.body_hash)),
            shape_hash: detail.and_then(|detail| detail.shape_hash).map(hex),
            masked_hash: detail.and_then(|detail| detail.masked_hash).map(hex),
            fingerprint: detail.map(|detail| hex(detail.fingerprint)),
        },
        keys: detail.map(keys_line).unwrap_or_default(),
        faults: exchange.dealt.iter().map(fault_line).collect(),
        upstream: UpstreamLine {
            made: detail.and_then(|detail| detail.made).map(hex),
            ..upstream_line(exchange.upstream, exchange.upstream_error)
        },
        sent: SentLine {
            status: (exchange.status > 0).then_some(exchange.status),
            bytes: exchange.sent,
            complete: exchange.complete,
            retry_after: detail.and_then(|detail| detail.retry_after.as_deref()),
            retry_after_us: detail.and_then(|detail| detail.retry_wait).map(micros),
        },
        outcome: exchange.outcome().name(),
        ended_by: exchange.ended_by.name(),
    }
}

fn keys_line(detail: &crate::event::Detail) -> KeysLine<'_> {
    let keys = &detail.keys;
    KeysLine {
        idempotency: keys.idempotency.as_deref(),
        operation: keys.operation.as_deref(),
        trace: keys.trace.as_deref(),
        request: keys.request.as_deref(),
        invocation: keys.invocation.as_deref(),
        attempt: keys.attempt.as_deref(),
        case: keys.case.as_deref(),
        client: keys.client.as_deref(),
        deadline: keys.deadline.as_deref(),
    }
}

fn duplicate_line<'e>(duplicate: &'e Duplicate, names: &'e Names) -> DuplicateLine<'e> {
    DuplicateLine {
        proxy: names.proxy(duplicate.proxy),
        conn: duplicate.conn,
        seq: duplicate.seq,
        fault: &duplicate.fault,
        t: DuplicateTimes {
            forwarded: duplicate.t_forwarded,
            answered: duplicate.t_answered,
            end: duplicate.t_end,
        },
        upstream: upstream_line(duplicate.upstream, duplicate.upstream_error),
    }
}

fn connection_line<'e>(connection: &'e Connection, names: &'e Names) -> ConnectionLine<'e> {
    let relay = connection.relay.map(|relay| RelayLine {
        client: hex(relay.user),
        connected: relay.t_connected,
        up: relay.up,
        down: relay.down,
        upstream_error: relay.upstream_error,
    });
    ConnectionLine {
        proxy: names.proxy(connection.proxy),
        id: connection.id,
        peer: connection.peer.to_string(),
        accepted: connection.accepted,
        ended: connection.ended,
        phase: names.phase(connection.phase),
        faults: connection.dealt.iter().map(fault_line).collect(),
        relay,
        ended_by: connection.ended_by.name(),
    }
}

fn fault_line(dealt: &Dealt) -> FaultLine<'_> {
    let (delay_us, status) = match dealt.did {
        Did::Delayed(time) | Did::Queued(time) => (Some(micros(time)), None),
        Did::Responded(status) => (None, Some(status)),
        _ => (None, None),
    };
    FaultLine { name: &dealt.fault, kind: dealt.kind, did: dealt.did.name(), delay_us, status }
}

fn upstream_line(upstream: Upstream, error: Option<&'static str>) -> UpstreamLine {
    let (got, status) = match upstream {
        Upstream::NotSent => ("not_sent", None),
        Upstream::NoReply => ("sent_no_reply", None),
        Upstream::Status(status) => ("answered", Some(status)),
    };
    UpstreamLine { got, status, error, made: None }
}

fn hex(key: u64) -> String {
    format!("{key:016x}")
}

fn micros(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
