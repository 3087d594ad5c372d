//! When things happen: compressed, cut short, started late, started by traffic.

use crate::{
    beside::Beside,
    firedrill::{Done, done, folder, run, scenario, start},
    record::Record,
    support::{
        client::{Ask, Connection, End, PATIENCE},
        upstream::Upstream,
    },
};
use serde_json::Value;
use std::{fs, path::Path, time::Duration};

/// Plays a scenario to its end, with its summary as JSON.
fn summary(folder: &Path, text: &str, flags: &[&str]) -> (Done, Value) {
    let upstream = Upstream::start();
    let mut command = run(&scenario(folder, text), &upstream.url());
    command.args(flags).args(["--json", "-"]);
    let done = done(command);
    let json = serde_json::from_str(&done.out).expect("JSON");
    (done, json)
}

#[test]
fn speed_compresses_phases_and_leaves_latencies_alone() {
    let (upstream, folder) = (Upstream::start(), folder("speed"));
    let text = "name: slow
phases:
  - { name: calm, for: 30s }
  - { name: slow, for: 2m, faults: [{ latency: 300ms }] }
  - { name: after, for: 30s }
";
    let mut command = run(&scenario(&folder, text), &upstream.url());
    command.args(["--speed", "60", "--wait-for-traffic", "--json", "-"]);
    let drill = start(command);
    let mut connection = Connection::to(drill.address());
    let mut held = Vec::new();
    loop {
        let met = connection.ask(&Ask::get("/"), PATIENCE);
        match met.end {
            End::Whole if met.took() >= Duration::from_millis(200) => held.push(met.took()),
            End::Whole => {}
            _ => break,
        }
    }
    let done = drill.finish();

    // Two seconds of it: the last of them may have been cut short by nothing, since only the end
    // of the drill cuts a delay.
    assert!(!held.is_empty() && held.len() < 8, "{held:?}");
    let least = held.iter().min().expect("some");
    assert!((300..600).contains(&least.as_millis()), "{held:?}");
    let json: Value = serde_json::from_str(&done.out).expect("JSON");
    assert_eq!(json["speed"], 60.0);
    let starts: Vec<f64> =
        (0..3).filter_map(|at| json["phases"][at]["planned_ms"].as_f64()).collect();
    let lengths: Vec<f64> = starts.windows(2).map(|two| two[1] - two[0]).collect();
    // 30 s and 2 min in a sixtieth. The first begins when it is put in force, after the clock began: a
    // little, or more on a machine with other things to do.
    assert!((300.0..=500.0).contains(&lengths[0]), "{lengths:?}");
    assert!((lengths[1] - 2000.0).abs() < 0.01, "{lengths:?}");
    assert!(done.err.contains("compressed ×60"), "{}", done.err);
}

#[test]
fn the_longest_phase_cuts_plateaus_and_no_ramp() {
    let text = "name: plateaus
phases:
  - { name: calm, for: 10m }
  - { name: ramp, for: 600ms, faults: [{ respond: 503, share: 0% -> 100% of requests }] }
  - { name: outage, for: 10m, faults: [{ respond: 503 }] }
";
    let (done, json) = summary(&folder("longest"), text, &["--longest-phase", "300ms"]);

    let played: Vec<f64> =
        (0..3).filter_map(|at| json["phases"][at]["played_length_ms"].as_f64()).collect();
    assert_eq!(played, [300.0, 600.0, 300.0]);
    let took = json["took_ms"].as_f64().expect("a time");
    // 1.2 s, and then some on a machine with other things to do; uncut it were 20 minutes.
    assert!((1200.0..6000.0).contains(&took), "{took}");
    assert_eq!(done.code, Some(3), "nobody asked");
    assert!(done.err.contains("plateaus cut to 300ms"), "{}", done.err);
}

const LATE: &str = "name: late
phases:
  - { name: calm, for: 2m }
  - { name: outage, for: 2m, faults: [{ respond: 503 }] }
  - { name: after, for: 1m }
";

#[test]
fn a_drill_starts_at_a_time_or_at_a_phase() {
    for (at, start_at) in ["2m", "outage", "3m59s"].into_iter().enumerate() {
        let (upstream, folder) = (Upstream::start(), folder(&format!("start-at-{at}")));
        let mut command = run(&scenario(&folder, LATE), &upstream.url());
        command.args(["--start-at", start_at, "--wait-for-traffic"]);
        let beside = Beside::add(&mut command, &folder, "", 0);
        let drill = start(command);
        assert_eq!(Ask::get("/").at(drill.address(), PATIENCE).status, 503, "{start_at}");
        beside.stop();
        let done = drill.finish();
        assert_eq!(done.code, Some(0), "{}", done.out);
        assert!(!done.err.contains("nothing injected"), "{}", done.err);
        assert!(done.err.contains(": respond (503)"), "{}", done.err);
    }
}

/// It stands still for as long as nobody asks, longer than the whole timeline, and the first to
/// ask meets the first phase.
#[test]
fn a_drill_that_waits_for_traffic_starts_with_the_first_request() {
    let (upstream, folder) = (Upstream::start(), folder("waits"));
    let text = "name: short
phases:
  - { name: outage, for: 400ms, faults: [{ respond: 503 }] }
  - { name: after, for: 200ms }
";
    let mut command = run(&scenario(&folder, text), &upstream.url());
    let path = folder.join("run.jsonl");
    command.arg("--wait-for-traffic").arg("--record").arg(&path);
    let mut drill = start(command);
    let address = drill.address();
    drill.line(|line| line == "waiting for the first request");
    assert!(drill.is_still_there_after(Duration::from_secs(1)));
    assert_eq!(Ask::get("/").at(address, PATIENCE).status, 503);
    let done = drill.finish();

    assert_eq!(done.code, Some(0), "{}", done.err);
    let said = |what: &str| done.err.lines().filter(|line| line.contains(what)).count();
    assert_eq!(
        (said("outage, 400ms: respond"), said("after, 200ms: nothing injected")),
        (1, 1),
        "{}",
        done.err
    );
    let record = Record::read(&path);
    let (edges, first) = (record.edges(), &record.exchanges()[0]);
    let names: Vec<Option<&str>> = edges.iter().map(|edge| edge.phase.as_deref()).collect();
    assert_eq!(names, [Some("outage"), Some("after"), None]);
    assert_eq!(first["phase"], "outage");
    let head = first["t"]["head"].as_u64().expect("a time");
    assert!(edges[0].actual >= 1_000_000 && edges[0].actual <= head, "{edges:?} {head}");
    // The plan counts from the first request.
    assert!(edges[1].planned - edges[0].planned >= 399_000, "{edges:?}");
}

/// The promise is 20 ms. On a machine with other things to do the best of ten counts.
#[test]
fn phases_begin_within_20_ms_of_their_plan() {
    let phases: Vec<String> =
        (0..8).map(|at| format!("  - {{ name: p{at}, for: 100ms }}")).collect();
    let text = format!("name: edges\nphases:\n{}\n", phases.join("\n"));
    let mut worst = (0..10).map(|at| {
        let (upstream, folder) = (Upstream::start(), folder(&format!("edges-{at}")));
        let mut command = run(&scenario(&folder, &text), &upstream.url());
        let path = folder.join("run.jsonl");
        command.arg("--record").arg(&path);
        assert_eq!(done(command).code, Some(0));
        let edges = Record::read(&path).edges();
        assert_eq!(edges.len(), 9, "{edges:?}");
        for (two, at) in edges.windows(2).zip(0_u64..) {
            // The plan itself does not drift.
            let planned = two[1].planned - edges[0].planned;
            assert!(planned.abs_diff((at + 1) * 100_000) <= 1_000, "{edges:?}");
        }
        edges.iter().map(|edge| edge.actual - edge.planned).max().expect("edges")
    });
    assert!(worst.any(|worst| worst < 20_000));
    assert!(fs::exists(folder("edges-0")).expect("a folder"));
}
