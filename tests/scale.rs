//! How much a judge of very many exchanges takes: run by
//! `cargo test --release --test scale -- --ignored --nocapture`.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its own memory has failed")]

use firedrill::{
    diag::{Problems, Source},
    dice::Seed,
    event::{Dealt, Detail, Did, EndedBy, Event, Exchange, PhaseEdge, Upstream},
    scenario::Scenario,
    verdict::{Grade, Judge},
};
use std::{net::SocketAddr, sync::Arc, time::Duration};

const SCENARIO: &str = "name: scale
phases:
  - { name: calm, for: 10m }
  - { name: outage, for: 20m, faults: [{ respond: 503 }] }
  - { name: after, for: 10m }
expect: [{ retry_amplification: 1.5x }, { duplicate_side_effects: 0 }]
";

const EXCHANGES: u64 = 10_000_000;
const USERS: u64 = 100_000;
/// Microseconds of the drill's forty minutes.
const LENGTH: u64 = 2_400_000_000;

fn scenario() -> Scenario {
    let mut problems = Problems::default();
    Scenario::read(&Source::new("scale", SCENARIO), None, &mut problems).unwrap()
}

fn edge(phase: Option<usize>, minutes: u64) -> Event {
    let at = Duration::from_secs(60 * minutes);
    Event::Edge(PhaseEdge { phase, planned: at, actual: at })
}

/// The `nth` of all exchanges: two in three under faults are retries of the one a second before.
fn exchange(nth: u64) -> Exchange {
    let at = 1 + nth * (LENGTH / EXCHANGES);
    let phase = usize::try_from(at / 600_000_000).unwrap().min(3);
    let phase = [0, 1, 1, 2][phase];
    let fails = phase == 1;
    let user = nth % USERS;
    // Each user comes every 24 s; under faults each operation has three attempts.
    let order = if fails { nth / USERS / 3 } else { nth };
    let method = if user.is_multiple_of(5) { http::Method::POST } else { http::Method::GET };
    let detail = Detail {
        path: format!("/orders/{order}"),
        agent: Some(["shop-ios/1", "shop-web/2"][usize::try_from(user % 2).unwrap()].to_owned()),
        body_hash: order,
        ..Detail::default()
    };
    let dealt = Dealt { fault: "respond".into(), kind: "respond", did: Did::Responded(503) };
    Exchange {
        proxy: 0,
        conn: nth,
        seq: 1,
        peer: SocketAddr::from(([127, 0, 0, 1], 1)),
        accepted: at,
        secured: 0,
        phase: Some(phase),
        user,
        user_source: 0,
        nth: 0,
        method,
        targets: 0,
        dealt: if fails { vec![dealt] } else { Vec::new() },
        upstream: if fails { Upstream::NotSent } else { Upstream::Status(200) },
        upstream_error: None,
        status: if fails { 503 } else { 200 },
        received: 0,
        sent: 0,
        complete: true,
        ended_by: EndedBy::Completed,
        http2: None,
        t_first: at,
        t_head: at,
        t_received: at,
        t_forwarded: if fails { 0 } else { at + 1 },
        t_answered: if fails { 0 } else { at + 900 },
        t_upstream_end: 0,
        t_sent_first: at + 1_000,
        t_client_gone: 0,
        t_end: at + 1_000,
        grpc: None,
        detail: Some(Box::new(detail)),
    }
}

/// The most memory that the process has had, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
#[ignore = "takes a minute and is about the release build"]
fn ten_million_exchanges_of_a_hundred_thousand_users_are_judged_in_300_mb() {
    let scenario = Arc::new(scenario());
    let mut judge = Judge::new(scenario, Seed(1), 2, Box::new(()));
    let edges = [(0, Some(0), 0), (1, Some(1), 10), (2, Some(2), 30)];
    let started = std::time::SystemTime::now();
    let mut due = edges.into_iter().peekable();
    for nth in 0..EXCHANGES {
        let exchange = exchange(nth);
        while let Some((_, phase, minutes)) =
            due.next_if(|(_, _, minutes)| exchange.t_head >= 60_000_000 * minutes)
        {
            judge.fold(&edge(phase, minutes));
        }
        judge.fold(&Event::Exchange(Box::new(exchange)));
    }
    judge.fold(&edge(None, 40));
    let verdict = judge.finish(0);
    let took = started.elapsed().unwrap();
    let each = took.as_nanos() / u128::from(EXCHANGES);
    println!("{took:.1?}, {each} ns each, {} MB at most", peak() >> 20);

    assert_eq!(verdict.expectations[0].grade, Grade::Fail, "{:?}", verdict.expectations[0]);
    let value = verdict.expectations[0].value.unwrap();
    assert!((2.9..=3.0).contains(&value), "{value}");
    assert!(peak() < 300 << 20, "{} MB", peak() >> 20);
}
