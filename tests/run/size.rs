//! How much memory and time a report takes on a record of a large drill. Not run by itself: it writes
//! gigabytes. `FIREDRILL_EXCHANGES` says how many exchanges, `FIREDRILL_BIN` which binary.

use crate::firedrill::folder;
use firedrill::{
    dice,
    event::{Dealt, Detail, Did, EndedBy, Event, Exchange, PhaseEdge, Upstream},
    observe::{End, Ending, Journal, Preface},
};
use http::Method;
use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

const SCENARIO: &str = "name: large
targets: { purchase: { method: POST, path: /purchase/** } }
phases:
  - { name: calm, for: 1m }
  - name: outage
    for: 2m
    faults: [{ respond: { status: 503, retry_after: 1s }, share: 17% of users }]
  - { name: after, for: 1m }
expect:
  - duplicate_side_effects: 0
  - retry_amplification: { max: 1.5x, target: purchase }
";

/// Microseconds of each phase.
const PHASES: [u64; 3] = [60_000_000, 120_000_000, 60_000_000];
const USERS: u64 = 100_000;
/// No more than this for ten million exchanges, in KiB.
const MOST: u64 = 300 * 1024;

fn preface() -> Preface {
    Preface {
        run: "0badcafe".to_owned(),
        firedrill: "0.1.0".to_owned(),
        scenario: "large".to_owned(),
        scenario_hash: format!("{:016x}", dice::key(SCENARIO.as_bytes())),
        seed: 7,
        speed: 1.0,
        started: "2026-11-22T14:32:02Z".to_owned(),
        phases: vec![
            ("calm".to_owned(), 60_000),
            ("outage".to_owned(), 120_000),
            ("after".to_owned(), 60_000),
        ],
        targets: vec!["purchase".to_owned()],
        users: ["header x-user-id", "header authorization", "peer address"]
            .map(str::to_owned)
            .to_vec(),
        scenario_text: SCENARIO.to_owned(),
        bindings: Vec::new(),
        start_at_ms: 0,
        longest_phase_ms: None,
        proxies: vec![("default".to_owned(), "http".to_owned())],
    }
}

/// The exchange of this number of so many. Whoever meets the outage tries again a second later.
fn exchange(nth: u64, of: u64) -> Event {
    let start = nth * PHASES.iter().sum::<u64>() / of;
    let phase = match start {
        at if at < PHASES[0] => 0,
        at if at < PHASES[0] + PHASES[1] => 1,
        _ => 2,
    };
    let user = dice::key_of(&[b"user", &(nth % USERS).to_le_bytes()]);
    let is_hit = phase == 1 && (nth % USERS).is_multiple_of(6);
    let is_purchase = nth.is_multiple_of(5);
    let end = start + 20_000;
    let dealt = Dealt { fault: Arc::from("respond"), kind: "respond", did: Did::Responded(503) };
    let name = if is_purchase { "purchase" } else { "items" };
    Event::Exchange(Box::new(Exchange {
        proxy: 0,
        conn: nth,
        seq: 1,
        peer: SocketAddr::from(([127, 0, 0, 1], 40_000)),
        accepted: start,
        secured: 0,
        phase: Some(phase),
        user,
        user_source: 0,
        nth: nth / USERS + 1,
        method: if is_purchase { Method::POST } else { Method::GET },
        targets: u64::from(is_purchase),
        dealt: if is_hit { vec![dealt] } else { Vec::new() },
        upstream: if is_hit { Upstream::NotSent } else { Upstream::Status(200) },
        upstream_error: None,
        status: if is_hit { 503 } else { 200 },
        received: 20,
        sent: 100,
        complete: true,
        ended_by: EndedBy::Completed,
        http2: None,
        t_first: start + 100,
        t_head: start + 120,
        t_received: start + 140,
        t_forwarded: if is_hit { 0 } else { start + 150 },
        t_answered: if is_hit { 0 } else { end - 200 },
        t_upstream_end: if is_hit { 0 } else { end - 100 },
        t_sent_first: end - 150,
        t_client_gone: 0,
        t_end: end,
        grpc: None,
        detail: Some(Box::new(Detail {
            path: format!("/{name}/{}", nth / USERS % 50),
            agent: Some("suite/1.0".to_owned()),
            fingerprint: 7,
            body_hash: nth / USERS % 50,
            retry_after: is_hit.then(|| "1".to_owned()),
            retry_wait: is_hit.then(|| Duration::from_secs(1)),
            ..Detail::default()
        })),
    }))
}

fn write(path: &Path, exchanges: u64) {
    let mut journal = Journal::create(path, &preface()).expect("a record");
    let edge = |phase, at: u64| {
        let at = Duration::from_micros(at);
        Event::Edge(PhaseEdge { phase, planned: at, actual: at })
    };
    let mut edges = vec![(0, Some(0)), (PHASES[0], Some(1)), (PHASES[0] + PHASES[1], Some(2))];
    let mut batch = vec![Event::Proxy { id: 0, name: Arc::from("default"), forward: false }];
    for nth in 0..exchanges {
        let start = nth * PHASES.iter().sum::<u64>() / exchanges;
        if edges.first().is_some_and(|(at, _)| *at <= start) {
            let (at, phase) = edges.remove(0);
            batch.push(edge(phase, at));
        }
        batch.push(exchange(nth, exchanges));
        if batch.len() >= 10_000 {
            journal.write(&batch).expect("written");
            batch.clear();
        }
    }
    let over = PHASES.iter().sum();
    batch.push(edge(None, over));
    journal.write(&batch).expect("written");
    let end = Ending { exchanges, took_us: Some(over), ..Ending::of(End::Finished) };
    journal.end(&end).expect("written");
}

#[test]
#[ignore = "writes gigabytes, and a debug build is no measure"]
fn a_report_on_a_large_record_takes_little_memory() {
    let exchanges = std::env::var("FIREDRILL_EXCHANGES").ok().and_then(|n| n.parse().ok());
    let exchanges = exchanges.unwrap_or(1_000_000);
    let binary = std::env::var("FIREDRILL_BIN");
    let binary = binary.unwrap_or_else(|_| env!("CARGO_BIN_EXE_firedrill").to_owned());
    let path = folder("size").join("large.jsonl");
    write(&path, exchanges);
    let size = fs::metadata(&path).expect("a record").len();

    let began = Instant::now();
    let mut report = Command::new(binary)
        .arg("report")
        .arg(&path)
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let status = format!("/proc/{}/status", report.id());
    let mut most = 0;
    while report.try_wait().expect("a child").is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        most = most.max(kib.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(20));
    }
    let took = began.elapsed();
    println!("{exchanges} exchanges, {} MB: {took:.1?}, {} MiB", size / 1_000_000, most / 1024);
    assert!(most > 0 && most < MOST, "{most} KiB");
    fs::remove_file(path).expect("a record");
}
