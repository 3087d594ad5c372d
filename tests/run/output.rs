//! What goes to standard output, what to standard error, and what scripts can rely on.

use crate::{
    beside::Beside,
    firedrill::{Done, folder, run, scenario, start},
    support::{
        client::{Ask, PATIENCE},
        upstream::Upstream,
    },
};
use serde_json::Value;
use std::{fs, path::Path, process::Command};

const DRILL: &str = "name: drill
targets: { buy: { path: /buy } }
phases:
  - { name: calm, for: 1s }
  - { name: outage, for: 10m, faults: [{ respond: 503, target: buy }] }
";

/// Plays the drill until one request has met the outage, with `flags` and a line of shell beside.
fn played(folder: &Path, flags: &[&str], first: &str) -> Done {
    let upstream = Upstream::start();
    let told = folder.join("address");
    let mut command: Command = run(&scenario(folder, DRILL), &upstream.url());
    command.args(flags);
    let first = format!("echo ${{FIREDRILL_URL#http://}} > {}\n{first}", told.display());
    let beside = Beside::add(&mut command, folder, &first, 0);
    let drill = start(command);
    // With `--quiet` nobody else says where it listens.
    let address = loop {
        let text = fs::read_to_string(&told).unwrap_or_default();
        if let Some(address) = text.strip_suffix('\n') {
            break address.parse().expect("an address");
        }
        std::thread::yield_now();
    };
    while Ask::get("/buy").at(address, PATIENCE).status != 503 {}
    // The first may have come before the edge and been answered after it.
    assert_eq!(Ask::get("/buy").at(address, PATIENCE).status, 503);
    beside.stop();
    drill.finish()
}

#[test]
fn the_summary_is_data_and_the_rest_is_not() {
    let done = played(&folder("streams"), &[], "");

    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(done.out.starts_with("drill ended with its command after "), "{}", done.out);
    for row in ["phase ", "calm ", "outage ", "respond:buy "] {
        assert!(done.out.lines().any(|line| line.starts_with(row)), "{row}: {}", done.out);
    }
    assert!(!done.err.contains("ended with its command"), "{}", done.err);
}

#[test]
fn a_pipe_gets_one_line_per_phase_and_no_escapes() {
    let done = played(&folder("pipe"), &[], "");

    let lines: Vec<&str> = done.err.lines().collect();
    assert_eq!(lines.len(), 3, "{}", done.err);
    assert!(lines[0].starts_with("http://127.0.0.1:") && lines[0].contains("drill, seed "));
    assert!(lines[1].ends_with("calm, 1s: nothing injected"), "{}", lines[1]);
    assert!(lines[2].ends_with("outage, 10m: respond:buy (503)"), "{}", lines[2]);
    assert!(!done.err.contains('\x1b') && !done.out.contains('\x1b'));
}

#[test]
fn a_quiet_drill_says_nothing_but_the_summary() {
    let done = played(&folder("quiet"), &["--quiet"], "");

    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
    assert!(done.out.starts_with("drill ended with its command after "), "{}", done.out);
}

/// Whoever collects logs gets objects, and nothing in between.
#[test]
fn every_line_of_a_json_log_is_an_object() {
    let done = played(&folder("log"), &["--log", "json"], "");

    let lines: Vec<Value> = done
        .err
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect();
    let said: Vec<&str> =
        lines.iter().filter_map(|line| line["fields"]["message"].as_str()).collect();
    assert!(said.iter().any(|line| line.contains("outage, 10m: respond:buy (503)")), "{said:?}");
    assert!(lines.iter().all(|line| line["level"] == "INFO" && line["timestamp"].is_string()));
    assert!(done.out.starts_with("drill ended with its command after "), "{}", done.out);
}

const KEYS: [&str; 29] = [
    "cautions",
    "connections",
    "dropped_events",
    "duplicates",
    "end",
    "faults",
    "format",
    "genuine_failures",
    "handshakes",
    "injected",
    "longest_phase_ms",
    "longest_retry_gap_ms",
    "ok",
    "phases",
    "requests",
    "run",
    "scenario",
    "seed",
    "silent_faults",
    "speed",
    "standing",
    "start_at_ms",
    "took_ms",
    "users",
    "users_hit",
    "verdict",
    "version",
    "worst_edge_ms",
    "worst_operation",
];

fn holds_what_is_documented(summary: &Value) {
    let keys: Vec<&String> = summary.as_object().expect("an object").keys().collect();
    assert_eq!(keys, KEYS);
    assert_eq!(summary["format"], 1);
    assert_eq!(summary["scenario"], "drill");
    assert_eq!(summary["end"], "command_ended");
    assert_eq!(summary["users"], 1);
    let outage = &summary["phases"][1];
    assert_eq!(outage["phase"], "outage");
    assert_eq!(outage["length_ms"], 600_000.0);
    let off = outage["actual_ms"].as_f64().expect("it began")
        - outage["planned_ms"].as_f64().expect("planned");
    assert!(off >= 0.0, "a phase began {off} ms early");
    let buy = &outage["targets"]["buy"];
    let requests = buy["requests"].as_u64().expect("a count");
    assert!((1..=2).contains(&requests), "{buy}");
    assert_eq!((&buy["injected"], &buy["outcomes"]["5xx"]), (&requests.into(), &requests.into()));
    assert!(buy["latency_ms"]["p99"].as_f64() > Some(0.0));
    let fault = &summary["faults"][0];
    assert_eq!(
        (&fault["fault"], &fault["kind"], &fault["hit"]),
        (&"respond:buy".into(), &"respond".into(), &2.into())
    );
    assert_eq!(summary["silent_faults"], Value::Array(Vec::new()));
}

#[test]
fn the_json_summary_has_its_keys_and_the_text_is_there_too() {
    let folder = folder("json");
    let path = folder.join("summary.json");
    let done = played(&folder, &["--json", path.to_str().expect("UTF-8")], "");

    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(done.out.starts_with("drill ended with its command after "), "{}", done.out);
    let text = fs::read_to_string(path).expect("a file");
    holds_what_is_documented(&serde_json::from_str(&text).expect("JSON"));
}

/// Also when the command beside it talks.
#[test]
fn json_on_standard_output_is_all_there_is_on_it() {
    let done = played(&folder("json-out"), &["--json", "-"], "echo all tests passed");

    assert_eq!(done.code, Some(0), "{}", done.err);
    holds_what_is_documented(&serde_json::from_str(&done.out).expect("JSON and nothing else"));
    assert!(done.err.contains("all tests passed\n"), "{}", done.err);
    assert!(done.err.contains("drill ended with its command after "), "{}", done.err);
}

/// A summary that cannot be written where it was to go is still read.
#[test]
fn a_full_disk_takes_the_json_and_leaves_the_text() {
    let done = played(&folder("json-full"), &["--json", "/dev/full"], "");

    assert_eq!(done.code, Some(5));
    assert!(done.out.starts_with("drill ended with its command after "), "{}", done.out);
    assert!(done.err.contains("cannot write the report"), "{}", done.err);
}
