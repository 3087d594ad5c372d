//! A drill told event by event.

use firedrill::{
    diag::{Problems, Source},
    dice::Seed,
    engine::FaultTally,
    event::{Dealt, Detail, Did, EndedBy, Event, Exchange, PhaseEdge, Upstream},
    observe::{End, Observations},
    report::summary::{Origin, Summary},
    scenario::Scenario,
    timeline::{Speed, Timeline},
    verdict::{Judge, Verdict},
};
use http::Method;
use std::{fs, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

/// A minute of calm, two of faults, a minute after.
pub(crate) const SHOP: &str = "name: shop
title: The shop stumbles
targets: { purchase: { method: POST, path: /purchase/** } }
phases:
  - { name: calm, for: 1m }
  - name: outage
    for: 2m
    faults:
      - { respond: 503, share: 40% of requests }
      - { lose_response: reset, target: purchase, share: 20% of requests }
  - { name: after, for: 1m }
expect:
  - duplicate_side_effects: 0
  - retry_amplification: { max: 1.5x, phase: outage }
  - respects_retry_after: true
impact: { per_minute: [1000, 2000], currency: USD, target: purchase }
";

/// What was judged.
pub(crate) struct Drill {
    scenario: Arc<Scenario>,
    timeline: Timeline,
    observations: Observations,
    tallies: Vec<FaultTally>,
    pub(crate) verdict: Verdict,
    origin: Origin,
    pub(crate) end: End,
}

/// Events of a drill on their way.
pub(crate) struct Telling {
    scenario: Arc<Scenario>,
    judge: Judge,
    observations: Observations,
    conn: u64,
}

/// One attempt to be told, at so many seconds.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) at: f64,
    pub(crate) took: f64,
    pub(crate) user: u64,
    pub(crate) agent: String,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: u64,
    /// `None` lets the upstream do it and loses the answer.
    pub(crate) status: Option<u16>,
    pub(crate) fault: Option<&'static str>,
    pub(crate) case: Option<String>,
}

impl Told {
    pub(crate) fn get(at: f64, user: u64) -> Self {
        Self {
            at,
            took: 0.005,
            user,
            agent: "careful/1.0".to_owned(),
            method: Method::GET,
            path: format!("/items/{user}"),
            body: user,
            status: Some(200),
            fault: None,
            case: None,
        }
    }

    pub(crate) fn purchase(at: f64, user: u64) -> Self {
        let path = "/purchase/1".to_owned();
        Self { method: Method::POST, path, agent: "naive/1.0".to_owned(), ..Self::get(at, user) }
    }

    pub(crate) fn failing(self, status: u16) -> Self {
        Self { status: Some(status), fault: Some("respond"), ..self }
    }

    /// The upstream does it, and nobody hears of it.
    pub(crate) fn lost(self) -> Self {
        Self { status: None, fault: Some("lose_response:purchase"), ..self }
    }
}

impl Telling {
    pub(crate) fn of(text: &str) -> Self {
        let mut problems = Problems::default();
        let scenario = Scenario::read(&Source::new("shop.yaml", text), None, &mut problems);
        let scenario = Arc::new(scenario.unwrap_or_else(|| panic!("{:?}", problems.sorted())));
        let judge = Judge::new(Arc::clone(&scenario), Seed(7), 1, Box::new(()));
        Self { scenario, judge, observations: Observations::default(), conn: 0 }
    }

    fn fold(&mut self, event: &Event) {
        self.judge.fold(event);
        self.observations.fold(event);
    }

    pub(crate) fn edge(&mut self, phase: Option<usize>, at: f64) {
        let at = Duration::from_secs_f64(at);
        self.fold(&Event::Edge(PhaseEdge { phase, planned: at, actual: at }));
    }

    pub(crate) fn attempt(&mut self, phase: Option<usize>, told: &Told) {
        self.conn += 1;
        let start = micros(told.at);
        let end = micros(told.at + told.took);
        let injected = told.status.is_some() && told.fault.is_some();
        let lost = told.status.is_none();
        let upstream = match told.status {
            Some(_) if injected => Upstream::NotSent,
            Some(status) => Upstream::Status(status),
            None => Upstream::Status(201),
        };
        let dealt = told.fault.map(|fault| Dealt {
            fault: Arc::from(fault),
            kind: if lost { "lose_response" } else { "respond" },
            did: if lost { Did::LostResponse } else { Did::Responded(503) },
        });
        let mut detail = Detail {
            path: told.path.clone(),
            agent: Some(told.agent.clone()),
            body_hash: told.body,
            made: matches!(upstream, Upstream::Status(_)).then_some(self.conn << 32),
            ..Detail::default()
        };
        detail.keys.case.clone_from(&told.case);
        let is_purchase = told.method == Method::POST;
        self.fold(&Event::Exchange(Box::new(Exchange {
            proxy: 0,
            conn: self.conn,
            seq: 1,
            peer: SocketAddr::from(([127, 0, 0, 1], 40_000)),
            accepted: start,
            secured: 0,
            phase,
            user: told.user,
            user_source: 0,
            nth: 1,
            method: told.method.clone(),
            targets: u64::from(is_purchase),
            dealt: dealt.into_iter().collect(),
            upstream,
            upstream_error: None,
            status: told.status.unwrap_or(0),
            received: 0,
            sent: 2,
            complete: !lost,
            ended_by: if lost { EndedBy::ProxyRst } else { EndedBy::Completed },
            http2: None,
            t_first: start,
            t_head: start,
            t_received: start + 1,
            t_forwarded: if injected { 0 } else { start + 2 },
            t_answered: if injected { 0 } else { end - 2 },
            t_upstream_end: end - 2,
            t_sent_first: if lost { 0 } else { end - 1 },
            t_client_gone: 0,
            t_end: end,
            grpc: None,
            detail: Some(Box::new(detail)),
        })));
    }

    pub(crate) fn over(self) -> Drill {
        let tally = |name: &str, kind: &'static str, hit: u64| FaultTally {
            name: Arc::from(name),
            kind,
            describe: String::new(),
            considered: hit * 2,
            hit,
            held: Duration::ZERO,
            gate: false,
        };
        Drill {
            timeline: self.scenario.timeline(None),
            scenario: self.scenario,
            observations: self.observations,
            tallies: vec![
                tally("respond", "respond", 40),
                tally("lose_response:purchase", "lose_response", 3),
            ],
            verdict: self.judge.finish(0),
            end: End::Finished,
            origin: Origin::default(),
        }
    }
}

impl Drill {
    pub(crate) fn summary(&self) -> Summary<'_> {
        Summary {
            scenario: &self.scenario,
            timeline: &self.timeline,
            run: "0badcafe",
            seed: Seed(7),
            speed: Speed::REAL,
            start_at: Duration::ZERO,
            longest_phase: None,
            end: self.end,
            took: Duration::from_secs(240),
            observations: &self.observations,
            tallies: &self.tallies,
            verdict: &self.verdict,
            origin: &self.origin,
        }
    }

    /// A fault that hit nothing.
    pub(crate) fn silence(&mut self, at: usize) {
        self.tallies[at].hit = 0;
        self.tallies[at].considered = 0;
    }
}

/// A shop with a careful client that reads and a naive one that buys, for four minutes: of its
/// purchases under faults, some are refused thrice and some are made and never acknowledged.
pub(crate) fn shop(text: &str) -> Drill {
    let mut telling = Telling::of(text);
    let mut phase = None;
    for nth in 0..4_800_u32 {
        let at = f64::from(nth) / 20.0;
        let now = if at < 60.0 { 0 } else { 1 + usize::from(at >= 180.0) };
        if phase != Some(now) {
            phase = Some(now);
            telling.edge(phase, at);
        }
        let user = u64::from(nth) + 1;
        telling.attempt(phase, &Told::get(at, user % 40));
        if nth % 4 == 0 {
            buy(&mut telling, phase, at + 0.01, user, nth % 20 == 0);
        }
    }
    telling.edge(None, 240.0);
    telling.over()
}

fn buy(telling: &mut Telling, phase: Option<usize>, at: f64, user: u64, is_lost: bool) {
    let bought = Told { status: Some(201), ..Told::purchase(at, user) };
    let later = |seconds: f64| Told { at: at + seconds, ..bought.clone() };
    match (phase, is_lost) {
        (Some(1), true) => {
            telling.attempt(phase, &later(0.0).lost());
            telling.attempt(phase, &later(0.2));
        }
        (Some(1), false) => {
            // Doubling waits of a fifth of a second.
            for (nth, wait) in [0.0, 0.2, 0.6, 1.4].into_iter().enumerate() {
                let attempt = later(wait + 0.005 * nth as f64);
                telling.attempt(phase, &if nth < 3 { attempt.failing(503) } else { attempt });
            }
        }
        _ => telling.attempt(phase, &bought),
    }
}

/// Keeps a report where somebody can look at it.
pub(crate) fn keep(name: &str, text: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("report");
    fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join(name);
    fs::write(&path, text).expect("a file");
    path
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few hours")]
fn micros(seconds: f64) -> u64 {
    (seconds * 1e6).round() as u64 + 1_000
}
