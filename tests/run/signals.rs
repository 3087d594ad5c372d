//! Ctrl-C and its kin: a drill lets go at once.

use crate::{
    firedrill::{Running, folder, run, scenario, start},
    support::{
        client::{Ask, Connection, End, PATIENCE},
        upstream::Upstream,
    },
};
use rustix::process::Signal;
use serde_json::Value;
use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

const OUTAGE: &str = "name: outage
phases:
  - name: outage
    for: 10m
    faults:
      - { hang: {}, target: { path: /hang } }
      - { respond: 503, target: { path: /buy } }
";

/// What is promised of the end of a drill.
const AT_ONCE: Duration = Duration::from_millis(100);

fn outage(folder: &Path, upstream: &Upstream) -> Running {
    let mut command = run(&scenario(folder, OUTAGE), &upstream.url());
    command.arg("--record").arg(folder.join("run.jsonl"));
    start(command)
}

/// Ends a drill with a request that hangs, one that the service is slow to answer, and others
/// that are refused without end. Says how long the first went on hanging.
fn interrupted(name: &str, signal: Signal) -> Duration {
    let (upstream, folder) = (Upstream::start(), folder(name));
    let drill = outage(&folder, &upstream);
    let address = drill.address();
    let mut hung = Connection::to(address);
    hung.send(&Ask::get("/hang")).expect("it connects");
    let mut slow = Connection::to(address);
    slow.send(&Ask::get("/slow/800")).expect("it connects");
    assert_eq!(hung.hear(Duration::from_millis(300)).end, End::Silent, "it does not hang");
    let last_injected = thread::spawn(move || {
        let mut last = None;
        loop {
            let met = Ask::get("/buy").at(address, PATIENCE);
            match met.status {
                503 => last = Some(met.asked),
                _ => return last,
            }
        }
    });
    drill.signal(signal);
    let told = Instant::now();
    let released = hung.hear(PATIENCE);
    let took = told.elapsed();

    assert!(released.is_ok(), "let go, it is answered by the service: {released:?}");
    let slow = slow.hear(PATIENCE);
    assert!(slow.is_ok(), "what was under way comes to its end: {slow:?}");
    let last_injected = last_injected.join().expect("it ends").unwrap_or(told);
    let done = drill.finish();
    assert_eq!(done.code, Some(130), "{}", done.err);
    assert!(done.out.starts_with("outage interrupted after "), "{}", done.out);
    let record = fs::read_to_string(folder.join("run.jsonl")).expect("a record");
    let last: Value = serde_json::from_str(record.lines().last().expect("lines")).expect("JSON");
    assert_eq!((&last["type"], &last["end"]), (&"end".into(), &"interrupted".into()));
    took.max(last_injected.saturating_duration_since(told))
}

/// On a machine with other things to do a process may itself be kept waiting; so the best of
/// three counts.
fn lets_go_at_once(name: &str, signal: Signal) {
    let all: Vec<Duration> =
        (0..3).map(|at| interrupted(&format!("{name}-{at}"), signal)).collect();
    assert!(all.iter().min() < Some(&AT_ONCE), "{all:?}");
}

#[test]
fn an_interrupt_lets_go_within_100_ms_and_reports() {
    lets_go_at_once("interrupt", Signal::INT);
}

#[test]
fn a_request_to_terminate_lets_go_within_100_ms_and_reports() {
    lets_go_at_once("terminate", Signal::TERM);
}

#[test]
fn a_terminal_that_is_closed_lets_go_within_100_ms_and_reports() {
    lets_go_at_once("hangup", Signal::HUP);
}

#[test]
fn a_second_interrupt_leaves_at_once() {
    let (upstream, folder) = (Upstream::start(), folder("twice"));
    let drill = outage(&folder, &upstream);
    let mut slow = Connection::to(drill.address());
    slow.send(&Ask::get("/slow/60000")).expect("it connects");
    while upstream.seen().is_empty() {
        thread::yield_now();
    }
    drill.signal(Signal::INT);
    drill.line(|line| line.contains("nothing is injected any more"));
    let told = Instant::now();
    drill.signal(Signal::INT);
    let done = drill.finish();

    assert_eq!(done.code, Some(130));
    // The patience with exchanges under way is five seconds.
    assert!(told.elapsed() < Duration::from_secs(2), "{:?}", told.elapsed());
    assert!(done.out.starts_with("outage interrupted after "), "{}", done.out);
}

#[test]
fn patience_with_what_is_under_way_ends() {
    let (upstream, folder) = (Upstream::start(), folder("patience"));
    let drill = outage(&folder, &upstream);
    let mut slow = Connection::to(drill.address());
    slow.send(&Ask::get("/slow/60000")).expect("it connects");
    while upstream.seen().is_empty() {
        thread::yield_now();
    }
    drill.signal(Signal::INT);
    let cut = slow.hear(PATIENCE);
    let done = drill.finish();

    assert_eq!((cut.end, cut.status), (End::Closed, 0));
    assert_eq!(done.code, Some(130));
    assert!(done.err.contains("did not finish in time and were closed"), "{}", done.err);
    assert!(done.out.starts_with("outage interrupted after "), "{}", done.out);
}
