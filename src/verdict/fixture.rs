//! Drills that never took place: what clients would have done, told attempt by attempt.

use crate::{
    diag::{Problems, Source},
    dice::{self, Seed},
    event::{
        Call, Dealt, Detail, Did, EndedBy, Event, Exchange, Flow, Http2, PhaseEdge, Tunnel,
        Upstream,
    },
    grpc::Code,
    scenario::Scenario,
    verdict::{expect::Judged, finding::Finding, judge::Judge, outcome::Verdict},
};
use http::Method;
use std::{sync::Arc, time::Duration};

/// A drill in the making: one calm phase, one outage, one calm phase after it.
#[derive(Debug)]
pub(super) struct Drill {
    /// Names and seconds; those with faults are marked.
    phases: Vec<(&'static str, f64, bool)>,
    expect: String,
    exchanges: Vec<Exchange>,
    tunnels: Vec<Tunnel>,
    operations: u64,
    /// When it was stopped, in seconds.
    stopped: f64,
}

/// One operation in the making.
#[derive(Debug)]
pub(super) struct Op<'d> {
    drill: &'d mut Drill,
    user: String,
    agent: String,
    method: Method,
    path: String,
    auth: Option<u64>,
    attempt: Option<String>,
    took: f64,
    /// When the next attempt begins, in seconds.
    at: f64,
}

impl Drill {
    /// So many seconds of calm, outage and calm.
    pub(super) fn new(calm: f64, outage: f64, after: f64) -> Self {
        let phases = vec![("calm", calm, false), ("outage", outage, true), ("after", after, false)];
        let (expect, exchanges) = (String::new(), Vec::new());
        let tunnels = Vec::new();
        Self { phases, expect, exchanges, tunnels, operations: 0, stopped: f64::INFINITY }
    }

    /// Stopped then, with nothing seen after it.
    pub(super) fn stopped(mut self, at: f64) -> Self {
        self.stopped = at;
        self
    }

    /// An operation that begins then. Unless told otherwise, nobody else asks for the same thing.
    pub(super) fn op(&mut self, at: f64) -> Op<'_> {
        self.operations += 1;
        Op {
            user: "one".to_owned(),
            agent: "test/1".to_owned(),
            method: Method::GET,
            path: format!("/items/{}", self.operations),
            auth: None,
            attempt: None,
            took: 0.002,
            at,
            drill: self,
        }
    }

    /// When this phase ends, in seconds.
    fn end_of(&self, phase: usize) -> f64 {
        self.phases[..=phase].iter().map(|(_, length, _)| length).sum()
    }

    fn phase_at(&self, at: f64) -> Option<usize> {
        (0..self.phases.len()).find(|phase| at < self.end_of(*phase))
    }

    fn scenario(&self) -> Scenario {
        let phases = self.phases.iter().map(|(name, length, is_faulty)| {
            let faults = if *is_faulty { ", faults: [{ respond: 503 }]" } else { "" };
            format!("  - {{ name: {name}, for: {}ms{faults} }}\n", (length * 1e3).round())
        });
        let expect = match &*self.expect {
            "" => String::new(),
            expect => format!("expect:\n  - {expect}\n"),
        };
        let text = format!("name: test\nphases:\n{}{expect}", phases.collect::<String>());
        let mut problems = Problems::default();
        let read = Scenario::read(&Source::new("test.yaml", &text), None, &mut problems);
        read.unwrap_or_else(|| panic!("{text}"))
    }

    /// What a judge thinks of it.
    pub(super) fn verdict(&self) -> Verdict {
        let mut judge = Judge::new(Arc::new(self.scenario()), Seed(1), 1, Box::new(()));
        let mut events: Vec<(u64, Event)> = Vec::new();
        for phase in 0..=self.phases.len() {
            let at = Duration::from_secs_f64(if phase == 0 { 0.0 } else { self.end_of(phase - 1) });
            let begins = (phase < self.phases.len()).then_some(phase);
            let edge = PhaseEdge { phase: begins, planned: at, actual: at };
            events.push((micros(at.as_secs_f64()), Event::Edge(edge)));
        }
        let exchanges = self.exchanges.iter().cloned();
        events.extend(exchanges.map(|e| (e.t_end, Event::Exchange(Box::new(e)))));
        let tunnels = self.tunnels.iter().cloned();
        events.extend(tunnels.map(|t| (t.exchange.t_end, Event::Tunnel(Box::new(t)))));
        events.sort_by_key(|(at, _)| *at);
        for (_, event) in events.iter().filter(|(at, _)| (*at as f64) <= self.stopped * 1e6) {
            judge.fold(event);
        }
        judge.finish(0)
    }

    /// What the detector of this name found in all of the traffic.
    pub(super) fn finding(&self, detector: &str) -> Finding {
        let findings = self.verdict().parts.swap_remove(0).findings;
        let names: Vec<&str> = findings.iter().map(|finding| finding.detector).collect();
        let at = names.iter().position(|name| *name == detector);
        findings[at.unwrap_or_else(|| panic!("{detector} is none of {names:?}"))].clone()
    }

    /// How an expectation comes out, such as `max_attempts: 3`.
    pub(super) fn expect(&self, expectation: &str) -> Judged {
        let drill = Self {
            expect: expectation.to_owned(),
            phases: self.phases.clone(),
            exchanges: self.exchanges.clone(),
            tunnels: self.tunnels.clone(),
            ..*self
        };
        drill.verdict().expectations.swap_remove(0)
    }
}

impl Op<'_> {
    /// By this user.
    pub(super) fn user(self, user: u32) -> Self {
        Self { user: user.to_string(), ..self }
    }

    /// By this client program.
    pub(super) fn program(self, name: &str) -> Self {
        Self { agent: format!("{name}/1"), ..self }
    }

    /// For this path.
    pub(super) fn path(self, path: &str) -> Self {
        Self { path: path.to_owned(), ..self }
    }

    /// With this credential from here on.
    pub(super) fn auth(self, credential: u64) -> Self {
        Self { auth: Some(credential), ..self }
    }

    /// With this number of the attempt, as the client counts it.
    pub(super) fn counter(self, attempt: u32) -> Self {
        Self { attempt: Some(attempt.to_string()), ..self }
    }

    /// Attempts take so many seconds from here on.
    pub(super) fn taking(self, took: f64) -> Self {
        Self { took, ..self }
    }

    /// The next attempt begins so many seconds after the end of the last one.
    pub(super) fn after(self, wait: f64) -> Self {
        Self { at: self.at + wait, ..self }
    }

    /// An attempt that is answered so.
    pub(super) fn fails(self, status: u16) -> Self {
        self.attempt(|exchange| exchange.status = status)
    }

    /// An attempt that is answered so, with a `Retry-After` of so many seconds.
    pub(super) fn told(self, status: u16, retry_after: u64) -> Self {
        self.attempt(|exchange| {
            exchange.status = status;
            let detail = exchange.detail.as_mut().unwrap();
            detail.retry_after = Some(retry_after.to_string());
            detail.retry_wait = Some(Duration::from_secs(retry_after));
        })
    }

    /// The end of the last attempt is noted so many seconds after it was sent.
    pub(super) fn noted_late(self, by: f64) -> Self {
        self.drill.exchanges.last_mut().unwrap().t_end += micros(by);
        self
    }

    /// The same with a date, which is in whole seconds.
    pub(super) fn told_date(self, status: u16, retry_after: u64) -> Self {
        let told = self.told(status, retry_after);
        let detail = told.drill.exchanges.last_mut().unwrap().detail.as_mut().unwrap();
        detail.retry_after = Some("Sun, 06 Nov 1994 08:49:37 GMT".to_owned());
        told
    }

    /// An attempt whose connection is reset after it was read.
    pub(super) fn reset(self) -> Self {
        self.attempt(|exchange| {
            exchange.status = 0;
            exchange.complete = false;
            exchange.ended_by = EndedBy::ProxyRst;
        })
    }

    /// An attempt at a gRPC call whose stream is refused.
    pub(super) fn refused(self) -> Self {
        self.attempt(|exchange| {
            exchange.method = Method::POST;
            exchange.complete = false;
            exchange.ended_by = EndedBy::UpstreamRst;
            exchange.upstream = Upstream::NoReply;
            exchange.http2 = Some(Http2 { reset: Some(7) });
            exchange.grpc = Some(Call::default());
        })
    }

    /// An attempt at a gRPC call that is served.
    pub(super) fn buys(self) -> Self {
        self.attempt(|exchange| {
            exchange.method = Method::POST;
            exchange.status = 200;
            exchange.grpc = Some(Call { status: Some(Code::Ok), ..Call::default() });
        })
    }

    /// An attempt that is served.
    pub(super) fn served(self) -> Self {
        self.attempt(|exchange| exchange.status = 200)
    }

    /// A handshake, of whose socket [`lives_until`](Self::lives_until) or
    /// [`breaks_at`](Self::breaks_at) tells more.
    pub(super) fn opens(self) -> Self {
        self.attempt(|exchange| {
            exchange.status = 101;
            exchange.upstream = Upstream::Status(101);
        })
    }

    /// The socket is closed by one of its ends then.
    pub(super) fn lives_until(self, at: f64) -> Self {
        self.ends(at, |exchange| exchange.ended_by = EndedBy::ClientFin)
    }

    /// A fault closes the socket then.
    pub(super) fn breaks_at(self, at: f64) -> Self {
        self.ends(at, |exchange| {
            let fault = "websocket";
            exchange.dealt = vec![Dealt { fault: fault.into(), kind: fault, did: Did::Messages }];
            exchange.complete = false;
            exchange.ended_by = EndedBy::ProxyFin;
        })
    }

    fn ends(mut self, at: f64, how: impl FnOnce(&mut Exchange)) -> Self {
        let mut exchange = self.drill.exchanges.last().unwrap().clone();
        exchange.t_end = micros(at);
        exchange.phase = self.drill.phase_at(at);
        how(&mut exchange);
        let (up, down) = (Flow::default(), Flow::default());
        self.drill.tunnels.push(Tunnel { exchange, up, down, close: None });
        self.at = at;
        self
    }

    fn attempt(mut self, how: impl FnOnce(&mut Exchange)) -> Self {
        let (start, end) = (micros(self.at), micros(self.at + self.took));
        let detail = Detail {
            path: self.path.clone(),
            agent: Some(self.agent.clone()),
            auth: self.auth,
            ..Detail::default()
        };
        let mut exchange = Exchange {
            proxy: 0,
            conn: self.drill.exchanges.len() as u64 + 1,
            seq: 1,
            peer: ([127, 0, 0, 1], 4000).into(),
            accepted: start,
            secured: 0,
            phase: self.drill.phase_at(self.at),
            user: dice::key(self.user.as_bytes()),
            user_source: 0,
            nth: 1,
            method: self.method.clone(),
            targets: 0,
            dealt: Vec::new(),
            upstream: Upstream::NotSent,
            upstream_error: None,
            status: 0,
            received: 0,
            sent: 0,
            complete: true,
            ended_by: EndedBy::Completed,
            http2: None,
            t_first: start,
            t_head: start,
            t_received: start,
            t_forwarded: 0,
            t_answered: 0,
            t_upstream_end: 0,
            t_sent_first: end,
            t_client_gone: 0,
            t_end: end,
            grpc: None,
            detail: Some(Box::new(detail)),
        };
        exchange.detail.as_mut().unwrap().keys.attempt.clone_from(&self.attempt);
        how(&mut exchange);
        if exchange.status == 200 {
            exchange.upstream = Upstream::Status(200);
        }
        self.drill.exchanges.push(exchange);
        self.at += self.took;
        self
    }
}

fn micros(seconds: f64) -> u64 {
    Duration::from_secs_f64(seconds).as_micros().try_into().unwrap()
}
