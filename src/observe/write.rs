//! From events to the lines of a record.

use crate::{
    event::{
        Connection, Dealt, Did, Duplicate, Event, Exchange, Flow, PhaseEdge, Tunnel, Upstream,
    },
    observe::{
        hex::Hex,
        line::{
            ByHandLine, CallLine, ClientLine, CloseLine, ConnLine, ConnectionLine, DuplicateLine,
            DuplicateTimes, ExchangeLine, FaultLine, FlowLine, Http2Line, KeysLine, Line,
            PhaseLine, ProxyLine, RelayLine, RequestLine, SentLine, Times, TunnelLine, TunnelWhole,
            UpstreamLine,
        },
    },
};
use std::borrow::Cow;

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
            if let Event::Proxy { id, name, .. } = event {
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

/// An event as the record writes it.
pub(super) fn event_line<'e>(event: &'e Event, names: &'e Names) -> Line<'e> {
    match event {
        Event::Exchange(exchange) => Line::Exchange(Box::new(exchange_line(exchange, names))),
        Event::Tunnel(tunnel) => Line::Tunnel(Box::new(TunnelWhole {
            exchange: exchange_line(&tunnel.exchange, names),
            tunnel: tunnel_line(tunnel),
        })),
        Event::Duplicate(duplicate) => Line::Duplicate(duplicate_line(duplicate, names)),
        Event::Connection(connection) => Line::Connection(connection_line(connection, names)),
        Event::Edge(PhaseEdge { phase, planned, actual }) => Line::Phase(PhaseLine {
            phase: names.phase(*phase).map(Cow::from),
            planned_us: micros(*planned),
            actual_us: micros(*actual),
        }),
        Event::Proxy { id, name, forward } => {
            Line::Proxy(ProxyLine { id: *id, name: Cow::from(&**name), forward: *forward })
        }
        Event::ByHand(by_hand) => Line::ByHand(ByHandLine {
            at: by_hand.at,
            proxy: names.proxy(by_hand.proxy).into(),
            name: Cow::from(&*by_hand.fault),
            kind: by_hand.kind.into(),
            did: by_hand.change.name().into(),
        }),
    }
}

fn exchange_line<'e>(exchange: &'e Exchange, names: &'e Names) -> ExchangeLine<'e> {
    let detail = exchange.detail.as_deref();
    let peer = names.users.last().map_or("peer", String::as_str);
    let targets = names.targets.iter().enumerate().take(64);
    ExchangeLine {
        proxy: names.proxy(exchange.proxy).into(),
        conn: ConnLine {
            id: exchange.conn,
            seq: exchange.seq,
            accepted: exchange.accepted,
            secured: exchange.secured,
            peer: exchange.peer,
        },
        client: ClientLine {
            id: Hex(exchange.user),
            by: names.users.get(exchange.user_source).map_or(peer, String::as_str).into(),
            nth: exchange.nth,
            agent: detail.and_then(|detail| cow(detail.agent.as_ref())),
            auth: detail.and_then(|detail| detail.auth).map(Hex),
        },
        phase: names.phase(exchange.phase).map(Cow::from),
        targets: targets
            .filter(|(at, _)| exchange.targets & (1 << at) != 0)
            .map(|(_, name)| Cow::from(name.as_str()))
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
            method: exchange.method.as_str().into(),
            path: detail.map(|detail| detail.path.as_str().into()),
            query: detail.and_then(|detail| cow(detail.query.as_ref())),
            bytes: exchange.received,
            body_hash: detail.map(|detail| Hex(detail.body_hash)),
            shape_hash: detail.and_then(|detail| detail.shape_hash).map(Hex),
            masked_hash: detail.and_then(|detail| detail.masked_hash).map(Hex),
            fingerprint: detail.map(|detail| Hex(detail.fingerprint)),
        },
        keys: detail.map(keys_line).unwrap_or_default(),
        faults: exchange.dealt.iter().map(fault_line).collect(),
        upstream: UpstreamLine {
            made: detail.and_then(|detail| detail.made).map(Hex),
            ..upstream_line(exchange.upstream, exchange.upstream_error)
        },
        sent: SentLine {
            status: (exchange.status > 0).then_some(exchange.status),
            bytes: exchange.sent,
            complete: exchange.complete,
            retry_after: detail.and_then(|detail| cow(detail.retry_after.as_ref())),
            retry_after_us: detail.and_then(|detail| detail.retry_wait).map(micros),
        },
        grpc: exchange.grpc.map(|call| CallLine {
            status: call.status.map(|code| code.name().into()),
            no_retry: call.never,
            up: call.up,
            down: call.down,
        }),
        outcome: exchange.outcome().name().into(),
        ended_by: exchange.ended_by.name().into(),
        http2: exchange.http2.map(|http2| Http2Line { reset: http2.reset }),
    }
}

fn tunnel_line(tunnel: &Tunnel) -> TunnelLine<'static> {
    let flow = |flow: Flow| FlowLine {
        bytes: flow.bytes,
        frames: flow.frames,
        messages: flow.messages,
        passed: flow.passed,
    };
    let close =
        tunnel.close.map(|close| CloseLine { code: close.code, by: close.by.name().into() });
    TunnelLine { up: flow(tunnel.up), down: flow(tunnel.down), close }
}

fn keys_line(detail: &crate::event::Detail) -> KeysLine<'_> {
    let keys = &detail.keys;
    KeysLine {
        idempotency: cow(keys.idempotency.as_ref()),
        operation: cow(keys.operation.as_ref()),
        trace: cow(keys.trace.as_ref()),
        request: cow(keys.request.as_ref()),
        invocation: cow(keys.invocation.as_ref()),
        attempt: cow(keys.attempt.as_ref()),
        case: cow(keys.case.as_ref()),
        client: cow(keys.client.as_ref()),
        deadline: cow(keys.deadline.as_ref()),
    }
}

fn duplicate_line<'e>(duplicate: &'e Duplicate, names: &'e Names) -> DuplicateLine<'e> {
    DuplicateLine {
        proxy: names.proxy(duplicate.proxy).into(),
        conn: duplicate.conn,
        seq: duplicate.seq,
        fault: Cow::from(&*duplicate.fault),
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
        client: Hex(relay.user),
        connected: relay.t_connected,
        up: relay.up,
        down: relay.down,
        upstream_error: relay.upstream_error.map(Cow::from),
    });
    ConnectionLine {
        proxy: names.proxy(connection.proxy).into(),
        id: connection.id,
        peer: connection.peer,
        accepted: connection.accepted,
        secured: connection.secured,
        tls_error: connection.tls_error.map(Cow::from),
        ended: connection.ended,
        phase: names.phase(connection.phase).map(Cow::from),
        faults: connection.dealt.iter().map(fault_line).collect(),
        relay,
        ended_by: connection.ended_by.name().into(),
    }
}

fn fault_line(dealt: &Dealt) -> FaultLine<'_> {
    let line = FaultLine {
        name: Cow::from(&*dealt.fault),
        kind: dealt.kind.into(),
        did: dealt.did.name().into(),
        delay_us: None,
        status: None,
        flaw: None,
    };
    match dealt.did {
        Did::Delayed(time) | Did::Queued(time) => {
            FaultLine { delay_us: Some(micros(time)), ..line }
        }
        Did::Responded(status) => FaultLine { status: Some(status), ..line },
        Did::Handshake(flaw) if !flaw.is_empty() => FaultLine { flaw: Some(flaw.into()), ..line },
        _ => line,
    }
}

fn upstream_line(upstream: Upstream, error: Option<&'static str>) -> UpstreamLine<'static> {
    let (got, status) = match upstream {
        Upstream::NotSent => ("not_sent", None),
        Upstream::NoReply => ("sent_no_reply", None),
        Upstream::Status(status) => ("answered", Some(status)),
    };
    UpstreamLine { got: got.into(), status, error: error.map(Cow::from), made: None }
}

fn cow(text: Option<&String>) -> Option<Cow<'_, str>> {
    text.map(|text| Cow::from(text.as_str()))
}

fn micros(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
