//! From lines back to events.

use crate::{
    event::{
        ByHand, Call, ClosedBy, Connection, Dealt, Detail, Did, Duplicate, EndedBy, Event,
        Exchange, Flow, HandChange, Http2, Keys, PhaseEdge, Relay, SocketClose, Tunnel, Upstream,
    },
    grpc::Code,
    observe::{
        Preface,
        hex::Hex,
        line::{
            ByHandLine, CallLine, CloseLine, ConnectionLine, DuplicateLine, ExchangeLine,
            FaultLine, FlowLine, KeysLine, PhaseLine, ProxyLine, RelayLine, TunnelLine,
            UpstreamLine,
        },
        read::words::Words,
    },
};
use http::Method;
use std::{borrow::Cow, collections::HashMap, sync::Arc, time::Duration};

/// What names in lines stand for.
#[derive(Clone, Debug)]
pub(super) struct Back {
    phases: Vec<String>,
    targets: Vec<String>,
    users: Vec<String>,
    proxies: HashMap<Box<str>, u32>,
    words: Words,
}

/// What is wrong with a line, as the end of a sentence.
type Wrong = String;

impl Back {
    pub(super) fn new(preface: &Preface) -> Self {
        Self {
            phases: preface.phases.iter().map(|(name, _)| name.clone()).collect(),
            targets: preface.targets.clone(),
            users: preface.users.clone(),
            proxies: HashMap::new(),
            words: Words::default(),
        }
    }

    pub(super) fn exchange(&mut self, line: ExchangeLine<'_>) -> Result<Exchange, Wrong> {
        let ExchangeLine { conn, client, t, request, keys, sent, .. } = line;
        let (upstream, upstream_error) = self.upstream(&line.upstream)?;
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| format!("has no method `{}`", request.method.escape_debug()))?;
        let detail = request.path.map(|path| {
            Box::new(Detail {
                path: path.into_owned(),
                query: owned(request.query),
                agent: owned(client.agent),
                fingerprint: request.fingerprint.map_or(0, key),
                auth: client.auth.map(key),
                body_hash: request.body_hash.map_or(0, key),
                shape_hash: request.shape_hash.map(key),
                masked_hash: request.masked_hash.map(key),
                retry_after: owned(sent.retry_after),
                retry_wait: sent.retry_after_us.map(Duration::from_micros),
                made: line.upstream.made.map(key),
                keys: keys_of(keys),
            })
        });
        Ok(Exchange {
            proxy: self.proxy(&line.proxy),
            conn: conn.id,
            seq: conn.seq,
            peer: conn.peer,
            accepted: conn.accepted,
            secured: conn.secured,
            phase: self.phase(line.phase.as_deref())?,
            user: client.id.0,
            user_source: place(&self.users, &client.by, "source of users")?,
            nth: client.nth,
            method,
            targets: self.targets(&line.targets)?,
            dealt: self.dealt(&line.faults)?,
            upstream,
            upstream_error,
            status: sent.status.unwrap_or(0),
            received: request.bytes,
            sent: sent.bytes,
            complete: sent.complete,
            ended_by: ended_by(&line.ended_by)?,
            http2: line.http2.map(|line| Http2 { reset: line.reset }),
            t_first: t.first,
            t_head: t.head,
            t_received: t.received,
            t_forwarded: t.forwarded,
            t_answered: t.answered,
            t_upstream_end: t.upstream_end,
            t_sent_first: t.sent_first,
            t_client_gone: t.client_gone,
            t_end: t.end,
            grpc: line.grpc.map(call).transpose()?,
            detail,
        })
    }

    pub(super) fn tunnel(
        &mut self,
        line: ExchangeLine<'_>,
        own: &TunnelLine<'_>,
    ) -> Result<Event, Wrong> {
        let close = |close: &CloseLine<'_>| {
            let by = ClosedBy::named(&close.by).ok_or_else(|| unknown("closer", &close.by))?;
            Ok::<_, Wrong>(SocketClose { code: close.code, by })
        };
        Ok(Event::Tunnel(Box::new(Tunnel {
            exchange: self.exchange(line)?,
            up: flow(&own.up),
            down: flow(&own.down),
            close: own.close.as_ref().map(close).transpose()?,
        })))
    }

    pub(super) fn connection(&mut self, line: &ConnectionLine<'_>) -> Result<Event, Wrong> {
        Ok(Event::Connection(Connection {
            proxy: self.proxy(&line.proxy),
            id: line.id,
            peer: line.peer,
            accepted: line.accepted,
            ended: line.ended,
            phase: self.phase(line.phase.as_deref())?,
            dealt: self.dealt(&line.faults)?,
            ended_by: ended_by(&line.ended_by)?,
            secured: line.secured,
            tls_error: self.error(line.tls_error.as_deref())?,
            relay: line.relay.as_ref().map(|relay| self.relay(relay)).transpose()?,
        }))
    }

    pub(super) fn duplicate(&mut self, line: &DuplicateLine<'_>) -> Result<Event, Wrong> {
        let (upstream, upstream_error) = self.upstream(&line.upstream)?;
        Ok(Event::Duplicate(Duplicate {
            proxy: self.proxy(&line.proxy),
            conn: line.conn,
            seq: line.seq,
            fault: self.words.name(&line.fault),
            upstream,
            upstream_error,
            t_forwarded: line.t.forwarded,
            t_answered: line.t.answered,
            t_end: line.t.end,
        }))
    }

    pub(super) fn edge(&self, line: &PhaseLine<'_>) -> Result<Event, Wrong> {
        Ok(Event::Edge(PhaseEdge {
            phase: self.phase(line.phase.as_deref())?,
            planned: Duration::from_micros(line.planned_us),
            actual: Duration::from_micros(line.actual_us),
        }))
    }

    pub(super) fn proxy_line(&mut self, line: &ProxyLine<'_>) -> Event {
        self.proxies.insert(Box::from(&*line.name), line.id);
        Event::Proxy { id: line.id, name: Arc::from(&*line.name), forward: line.forward }
    }

    pub(super) fn by_hand(&mut self, line: &ByHandLine<'_>) -> Result<Event, Wrong> {
        Ok(Event::ByHand(ByHand {
            proxy: self.proxy(&line.proxy),
            fault: self.words.name(&line.name),
            kind: self.word(&line.kind)?,
            change: HandChange::named(&line.did).ok_or_else(|| unknown("change", &line.did))?,
            at: line.at,
        }))
    }

    /// The number of a proxy. One that told of something before it was told of itself goes by the
    /// first number.
    fn proxy(&mut self, name: &str) -> u32 {
        self.proxies.get(name).copied().unwrap_or(0)
    }

    fn phase(&self, name: Option<&str>) -> Result<Option<usize>, Wrong> {
        name.map(|name| place(&self.phases, name, "phase")).transpose()
    }

    fn targets(&self, names: &[Cow<'_, str>]) -> Result<u64, Wrong> {
        let mut bits = 0;
        for name in names {
            let at = place(&self.targets, name, "target")?;
            bits |= u32::try_from(at).ok().and_then(|at| 1_u64.checked_shl(at)).unwrap_or(0);
        }
        Ok(bits)
    }

    fn dealt(&mut self, lines: &[FaultLine<'_>]) -> Result<Vec<Dealt>, Wrong> {
        let one = |line: &FaultLine<'_>| {
            let delay = line.delay_us.map(Duration::from_micros);
            let flaw = self.error(line.flaw.as_deref())?;
            let did = Did::named(&line.did, delay, line.status, flaw);
            Ok(Dealt {
                fault: self.words.name(&line.name),
                kind: self.word(&line.kind)?,
                did: did.ok_or_else(|| unknown("deed of a fault", &line.did))?,
            })
        };
        lines.iter().map(one).collect()
    }

    fn relay(&mut self, line: &RelayLine<'_>) -> Result<Relay, Wrong> {
        Ok(Relay {
            user: line.client.0,
            up: line.up,
            down: line.down,
            t_connected: line.connected,
            upstream_error: self.error(line.upstream_error.as_deref())?,
        })
    }

    fn upstream(
        &mut self,
        line: &UpstreamLine<'_>,
    ) -> Result<(Upstream, Option<&'static str>), Wrong> {
        let upstream = match (&*line.got, line.status) {
            ("not_sent", _) => Upstream::NotSent,
            ("sent_no_reply", _) => Upstream::NoReply,
            ("answered", Some(status)) => Upstream::Status(status),
            ("answered", None) => return Err("has an upstream without a status".to_owned()),
            (other, _) => return Err(unknown("outcome at the upstream", other)),
        };
        Ok((upstream, self.error(line.error.as_deref())?))
    }

    fn error(&mut self, word: Option<&str>) -> Result<Option<&'static str>, Wrong> {
        word.map(|word| self.word(word)).transpose()
    }

    fn word(&mut self, text: &str) -> Result<&'static str, Wrong> {
        self.words.word(text).ok_or_else(|| unknown("word", text))
    }
}

fn place(names: &[String], name: &str, what: &str) -> Result<usize, Wrong> {
    let found = names.iter().position(|known| known == name);
    found.ok_or_else(|| format!("{}, which the first line does not name", about(what, name)))
}

const fn flow(line: &FlowLine) -> Flow {
    Flow { bytes: line.bytes, frames: line.frames, messages: line.messages, passed: line.passed }
}

fn ended_by(name: &str) -> Result<EndedBy, Wrong> {
    EndedBy::named(name).ok_or_else(|| unknown("end", name))
}

fn call(line: CallLine<'_>) -> Result<Call, Wrong> {
    let status = line.status.map(|name| {
        let known = Code::WORDS.iter().find(|(word, _)| *word == name);
        known.map(|(_, code)| *code).ok_or_else(|| unknown("status of gRPC", &name))
    });
    Ok(Call { status: status.transpose()?, never: line.no_retry, up: line.up, down: line.down })
}

fn unknown(what: &str, name: &str) -> Wrong {
    format!("{}, which this version does not know", about(what, name))
}

fn about(what: &str, name: &str) -> String {
    let name: String = name.chars().take(60).collect();
    format!("tells of the {what} `{}`", name.escape_debug())
}

fn keys_of(line: KeysLine<'_>) -> Keys {
    Keys {
        idempotency: owned(line.idempotency),
        operation: owned(line.operation),
        trace: owned(line.trace),
        request: owned(line.request),
        invocation: owned(line.invocation),
        attempt: owned(line.attempt),
        case: owned(line.case),
        client: owned(line.client),
        deadline: owned(line.deadline),
    }
}

fn owned(text: Option<Cow<'_, str>>) -> Option<String> {
    text.map(Cow::into_owned)
}

const fn key(hex: Hex) -> u64 {
    hex.0
}
