//! Traffic made up for tests of detectors: exchanges go into a judge, a verdict comes out.

use crate::{
    diag::{Look, Problems, Source, render},
    dice::{Dice, Purpose, Seed},
    event::{Connection, Dealt, Detail, Did, EndedBy, Event, Exchange, PhaseEdge, Upstream},
    scenario::Scenario,
    verdict::{Finding, Grade, Judge, Judged, Oracle, Verdict},
};
use http::Method;
use rand::RngExt;
use std::{collections::HashMap, sync::Arc, time::Duration};

/// 100 s of calm, 180 s of outage, 120 s after it.
pub(crate) const DRILL: &str = "
phases:
  - { name: calm, for: 100s }
  - { name: outage, for: 180s, faults: [{ hang: {} }] }
  - { name: after, for: 120s }
";
/// When the outage of [`DRILL`] begins and ends, and when the drill does.
pub(crate) const BEGINS: f64 = 100.0;
pub(crate) const ENDS: f64 = 280.0;
pub(crate) const OVER: f64 = 400.0;

/// One attempt. Times are seconds.
#[derive(Clone, Debug)]
pub(crate) struct Try {
    user: u64,
    at: f64,
    took: f64,
    method: Method,
    path: Option<String>,
    status: u16,
    ended_by: EndedBy,
    dealt: Option<(&'static str, Did)>,
    is_read: bool,
    /// How long after it began it was read to its end, if not at once.
    read_late: f64,
    fresh: bool,
    /// How long before the end the client was gone, if the end came nonetheless.
    gone: f64,
    proxy: u32,
    /// How long its TLS handshake took.
    secured: f64,
    key: Option<String>,
    deadline: Option<String>,
}

/// An attempt that is served in 50 ms, over the connection that the user keeps open, and asks for
/// something that nobody else does.
pub(crate) fn ok(user: u64, at: f64) -> Try {
    Try {
        user,
        at,
        took: 0.05,
        method: Method::GET,
        path: None,
        status: 200,
        ended_by: EndedBy::Completed,
        dealt: None,
        is_read: true,
        read_late: 0.0,
        fresh: false,
        gone: 0.0,
        proxy: 0,
        secured: 0.0,
        key: None,
        deadline: None,
    }
}

impl Try {
    pub(crate) fn took(self, took: f64) -> Self {
        Self { took, ..self }
    }

    /// Something that may be asked for again: `POST /buy/1`.
    pub(crate) fn of(self, route: &str) -> Self {
        let (method, path) = route.split_once(' ').unwrap();
        let method = method.parse().unwrap();
        Self { method, path: Some(path.to_owned()), ..self }
    }

    pub(crate) fn status(self, status: u16) -> Self {
        Self { status, dealt: Some(("respond", Did::Responded(status))), ..self }
    }

    /// Genuinely, with nothing injected.
    pub(crate) fn really(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// Done by the upstream, whose answer was lost; this one came instead.
    pub(crate) fn lost(self, status: u16) -> Self {
        Self { status, dealt: Some(("lose_response", Did::LostResponse)), ..self }
    }

    /// Held without an answer until the client left after so long.
    pub(crate) fn left(self, after: f64) -> Self {
        let (status, took) = (0, after);
        let ended_by = EndedBy::ClientFin;
        Self { status, took, ended_by, dealt: Some(("hang", Did::Hung)), ..self }
    }

    /// Held without an answer until the proxy let go.
    pub(crate) fn held(self, until: f64) -> Self {
        let (status, took) = (0, until - self.at);
        let ended_by = EndedBy::ProxyFin;
        Self { status, took, ended_by, dealt: Some(("hang", Did::Hung)), ..self }
    }

    /// Served after a fault held it for so long.
    pub(crate) fn delayed(self, wait: f64) -> Self {
        let did = Did::Delayed(Duration::from_secs_f64(wait));
        Self { took: wait + 0.05, dealt: Some(("latency", did)), ..self }
    }

    /// Its request was never even read.
    pub(crate) fn unread(self) -> Self {
        Self { is_read: false, dealt: Some(("blackhole", Did::Wire)), ..self }
    }

    /// A `hang` stopped reading in the middle of it; what the upstream has to say passes.
    pub(crate) fn stopped(self) -> Self {
        Self { is_read: false, dealt: Some(("hang", Did::Cut)), ..self }
    }

    /// The same, until that was over after so long; then it was read, and answered.
    pub(crate) fn let_go(self, after: f64) -> Self {
        Self { read_late: after, ..self.stopped().took(after + 0.05) }
    }

    /// It dripped for so long, and then was whole.
    pub(crate) fn dripped(self, took: f64) -> Self {
        Self { took, dealt: Some(("dribble", Did::Shaped)), ..self }
    }

    /// The edge of a phase reset its connection in the middle of the answer.
    pub(crate) fn broken_by_edge(self, at: f64) -> Self {
        Self { took: at - self.at, ended_by: EndedBy::PhaseEdge, ..self }
    }

    /// The client left in the middle of the answer.
    pub(crate) fn cut(self, after: f64) -> Self {
        Self { took: after, ended_by: EndedBy::ClientRst, ..self }
    }

    /// The client left so long before the end, and the rest was sent nonetheless.
    pub(crate) fn gone_before_the_end(self, gone: f64) -> Self {
        Self { gone, ..self }
    }

    /// Sent on a connection that was drained before.
    pub(crate) fn stale(self) -> Self {
        Self { status: 0, ended_by: EndedBy::Stale, took: 0.001, ..self }
    }

    /// The client left before there was any answer.
    pub(crate) fn cancelled(self, after: f64) -> Self {
        Self { status: 0, ..self.cut(after) }
    }

    /// Although the certificate of its connection was flawed, or its handshake.
    pub(crate) fn shown(self, flaw: &'static str) -> Self {
        Self { dealt: Some(("tls", Did::Handshake(flaw))), ..self }
    }

    /// Over TLS.
    pub(crate) fn secure(self) -> Self {
        Self { secured: 0.001, ..self }
    }

    /// After its handshake stalled for so long.
    pub(crate) fn stalled(self, held: f64) -> Self {
        Self { secured: held, took: held + 0.05, ..self.shown("stall") }
    }

    /// Served, on a connection that is to be used no more.
    pub(crate) fn sent_away(self) -> Self {
        Self { dealt: Some(("goaway", Did::SentAway)), ..self }
    }

    /// Over a new connection.
    pub(crate) fn fresh(self) -> Self {
        Self { fresh: true, ..self }
    }

    pub(crate) fn proxy(self, proxy: u32) -> Self {
        Self { proxy, ..self }
    }

    pub(crate) fn key(self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self }
    }

    pub(crate) fn deadline(self, millis: u64) -> Self {
        Self { deadline: Some(millis.to_string()), ..self }
    }
}

/// A connection that never carried a request, since its TLS went wrong. Times are seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shaken {
    flaw: Option<&'static str>,
    error: Option<&'static str>,
    at: f64,
    took: f64,
}

impl Shaken {
    /// With an alert, for what was wrong with it.
    pub(crate) fn refused(flaw: &'static str, at: f64) -> Self {
        Self { flaw: Some(flaw), error: Some("alert"), at, took: 0.01 }
    }

    /// With another word for why.
    pub(crate) fn with(self, error: &'static str) -> Self {
        Self { error: Some(error), ..self }
    }

    /// Not at all: it only wanted to see hands shaken.
    pub(crate) fn unasked(at: f64) -> Self {
        Self { flaw: None, error: None, at, took: 0.01 }
    }

    /// While the handshake stalled, after so long.
    pub(crate) fn gave_up(at: f64, took: f64) -> Self {
        Self { flaw: Some("stall"), error: Some("left"), at, took }
    }

    /// Not at all: the fault let go of the handshake after so long, or the drill ended.
    pub(crate) fn let_go(at: f64, took: f64) -> Self {
        Self { flaw: Some("stall"), error: Some("dealt"), at, took }
    }

    /// With a FIN, so long after hands were shaken.
    pub(crate) fn left(flaw: &'static str, at: f64, took: f64) -> Self {
        Self { flaw: Some(flaw), error: None, at, took }
    }

    /// For a reason of its own.
    pub(crate) fn failed(error: &'static str, at: f64) -> Self {
        Self { flaw: None, error: Some(error), at, took: 0.01 }
    }
}

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(crate) struct Traffic {
    scenario: Arc<Scenario>,
    events: Vec<(u64, Event)>,
    served: HashMap<u64, u32>,
    count: u64,
}

impl Traffic {
    pub(crate) fn new() -> Self {
        Self::of(DRILL)
    }

    pub(crate) fn expecting(expect: &str) -> Self {
        Self::of(&format!("{DRILL}expect: [{expect}]\n"))
    }

    pub(crate) fn of(text: &str) -> Self {
        let source = Source::new("test.yaml", format!("name: test{text}"));
        let mut problems = Problems::default();
        let scenario = Scenario::read(&source, None, &mut problems);
        let scenario =
            scenario.unwrap_or_else(|| panic!("{}", render(&source, &problems, Look::Plain)));
        let mut events = Vec::new();
        let mut at = Duration::ZERO;
        let phases = scenario.phases.iter().enumerate();
        for (phase, length) in phases.map(|(at, phase)| (Some(at), phase.length)) {
            events.push((micros(at.as_secs_f64()), edge(phase, at)));
            at += length;
        }
        events.push((micros(at.as_secs_f64()), edge(None, at)));
        Self { scenario: Arc::new(scenario), events, served: HashMap::new(), count: 0 }
    }

    pub(crate) fn add(&mut self, this: Try) {
        self.count += 1;
        let nth = self.served.entry(this.user).or_default();
        *nth += 1;
        let nth = *nth;
        let opens = this.fresh || nth == 1;
        let (conn, seq) = if this.fresh { (1_000_000 + self.count, 1) } else { (this.user, nth) };
        let (start, end) = (micros(this.at), micros(this.at + this.took));
        let (gone, ready) = (micros(this.gone), micros(this.at + this.secured));
        let is_gone = matches!(this.ended_by, EndedBy::ClientFin | EndedBy::ClientRst);
        let is_upstream = this.dealt.is_none_or(|(kind, did)| {
            matches!(did, Did::Cut | Did::LostResponse)
                || matches!(kind, "dribble" | "goaway" | "tls")
        });
        let mut detail = Detail {
            path: this.path.unwrap_or_else(|| format!("/items/{}", 1_000_000 + self.count)),
            agent: Some("client/1.0".to_owned()),
            ..Detail::default()
        };
        detail.keys.idempotency = this.key;
        detail.keys.deadline = this.deadline;
        let is_lost = this.dealt.is_some_and(|(_, did)| did == Did::LostResponse);
        let read = start + micros(this.read_late);
        let received = if this.is_read || this.read_late > 0.0 { read } else { 0 };
        let told = if is_upstream { read + 20_000 } else { end };
        let exchange = Exchange {
            proxy: this.proxy,
            conn,
            seq,
            peer: ([10, 0, 0, 1], 40_000).into(),
            accepted: if opens { start } else { 1 },
            secured: if this.secured > 0.0 { ready } else { 0 },
            phase: self.phase_at(start),
            user: this.user,
            user_source: 0,
            nth: u64::from(nth),
            method: this.method,
            targets: 0,
            dealt: this
                .dealt
                .map(|(kind, did)| Dealt { fault: kind.into(), kind, did })
                .into_iter()
                .collect(),
            upstream: match (is_upstream, this.status) {
                (false, _) => Upstream::NotSent,
                (true, _) if is_lost => Upstream::Status(200),
                (true, 0) => Upstream::NoReply,
                (true, status) => Upstream::Status(status),
            },
            upstream_error: None,
            status: this.status,
            received: 0,
            sent: 0,
            complete: this.status > 0 && this.ended_by == EndedBy::Completed,
            ended_by: this.ended_by,
            http2: None,
            t_first: ready,
            t_head: ready,
            t_received: received,
            t_forwarded: if is_upstream { start } else { 0 },
            t_answered: if is_upstream && this.status > 0 { told } else { 0 },
            t_upstream_end: 0,
            t_sent_first: if this.status > 0 { told } else { 0 },
            t_client_gone: if is_gone || gone > 0 { end - gone } else { 0 },
            t_end: end,
            grpc: None,
            detail: Some(Box::new(detail)),
        };
        self.events.push((end, Event::Exchange(Box::new(exchange))));
    }

    /// What was added last.
    pub(crate) fn last(&self) -> &Exchange {
        let last = self.events.iter().rev().find_map(|(_, event)| match event {
            Event::Exchange(exchange) => Some(exchange),
            _ => None,
        });
        last.unwrap()
    }

    /// The edge of a phase closed the user's idle connection.
    pub(crate) fn drained(&mut self, user: u64, at: f64) {
        let at = micros(at);
        let connection = Connection {
            proxy: 0,
            id: user,
            peer: ([10, 0, 0, 1], 40_000).into(),
            accepted: 1,
            ended: at,
            phase: self.phase_at(1),
            dealt: Vec::new(),
            ended_by: EndedBy::Drained,
            secured: 0,
            tls_error: None,
            relay: None,
        };
        self.events.push((at, Event::Connection(connection)));
    }

    pub(crate) fn shaken(&mut self, this: Shaken) {
        self.count += 1;
        let (accepted, ended) = (micros(this.at), micros(this.at + this.took));
        let dealt = this.flaw.map(|flaw| Dealt {
            fault: "tls".into(),
            kind: "tls",
            did: Did::Handshake(flaw),
        });
        let connection = Connection {
            proxy: 0,
            id: 1_000_000 + self.count,
            peer: ([10, 0, 0, 1], 40_000).into(),
            accepted,
            ended,
            phase: self.phase_at(accepted),
            dealt: dealt.into_iter().collect(),
            ended_by: if this.error == Some("dealt") {
                EndedBy::ProxyFin
            } else {
                EndedBy::ClientFin
            },
            secured: if this.error.is_none() { accepted } else { 0 },
            tls_error: this.error,
            relay: None,
        };
        self.events.push((ended, Event::Connection(connection)));
    }

    pub(crate) fn extend(&mut self, tries: impl IntoIterator<Item = Try>) {
        tries.into_iter().for_each(|this| self.add(this));
    }

    pub(crate) fn judged(self) -> Verdict {
        self.judged_by(Box::new(()))
    }

    /// What a judge says who knows this of what the drill would have done.
    pub(crate) fn judged_by(mut self, oracle: Box<dyn Oracle>) -> Verdict {
        self.events.sort_by_key(|(at, _)| *at);
        let mut judge = Judge::new(self.scenario, Seed(1), 1, oracle);
        for (_, event) in &self.events {
            judge.fold(event);
        }
        judge.finish(0)
    }

    /// What a detector found in all of the traffic.
    pub(crate) fn finding(self, detector: &str) -> Finding {
        let verdict = self.judged();
        let mut findings = verdict.parts[0].findings.iter();
        findings.find(|finding| finding.detector == detector).unwrap().clone()
    }

    /// How the only expectation came out.
    pub(crate) fn expectation(self) -> Judged {
        self.judged().expectations.remove(0)
    }

    fn phase_at(&self, at: u64) -> Option<usize> {
        let begun = self.events.iter().rev().find_map(|(begun, event)| match event {
            Event::Edge(edge) if *begun <= at => Some(edge.phase),
            _ => None,
        });
        begun.flatten()
    }
}

/// Grade and text, to assert on and to read when that fails.
#[track_caller]
pub(crate) fn graded(finding: &Finding, grade: Grade, said: &str) {
    assert_eq!(finding.grade, grade, "{finding:#?}");
    assert!(finding.said.contains(said), "{:?} is not in {:?}", said, finding.said);
}

/// As [`graded`].
#[track_caller]
pub(crate) fn judged_as(judged: &Judged, grade: Grade, said: &str) {
    assert_eq!(judged.grade, grade, "{judged:#?}");
    assert!(judged.said.contains(said), "{:?} is not in {:?}", said, judged.said);
}

/// Times of a clock with so many beats per second.
pub(crate) fn beat(rate: f64, from: f64, to: f64) -> impl Iterator<Item = f64> {
    (0_u32..).map(move |n| from + f64::from(n) / rate).take_while(move |at| *at < to)
}

/// Times that are independent of each other, so many per second.
pub(crate) fn chance(seed: u64, rate: f64, from: f64, to: f64) -> impl Iterator<Item = f64> {
    let mut rng = Dice::new(Seed(seed), "traffic").rng(Purpose::Resample);
    let mut at = from;
    std::iter::from_fn(move || {
        at -= (1.0 - rng.random_range(0.0..1.0_f64)).ln() / rate;
        (at < to).then_some(at)
    })
}

fn edge(phase: Option<usize>, at: Duration) -> Event {
    Event::Edge(PhaseEdge { phase, planned: at, actual: at })
}

fn micros(seconds: f64) -> u64 {
    crate::verdict::micros(seconds)
}
