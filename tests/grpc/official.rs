//! The official client of Python, trying again by the policy of its service config, and streaming.

use crate::service::start;
use serde_json::Value;
use std::{fs, net::SocketAddr, path::Path, process::Stdio};
use tokio::process::Command;

/// Operations of the client.
const OPERATIONS: usize = 8;

/// What came of a client.
struct Played {
    exchanges: Vec<Value>,
    findings: Vec<Value>,
    /// All that was said.
    told: String,
}

/// Plays a fault to the client for all that it does; gives its exchanges and the findings on it.
async fn play(name: &str, fault: &str, upstream: SocketAddr) -> (Vec<Value>, Vec<Value>) {
    let played = drive(name, fault, upstream, &["retries.py", &OPERATIONS.to_string()]).await;
    (played.exchanges, played.findings)
}

/// The same with any driver and its arguments.
async fn drive(name: &str, fault: &str, upstream: SocketAddr, driver: &[&str]) -> Played {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/grpc/python/bin/python");
    assert!(python.exists(), "{} is not there: see .ci/run", python.display());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("grpc").join(name);
    fs::create_dir_all(&folder).expect("a folder");
    let [scenario, record, json] =
        ["drill.yaml", "drill.jsonl", "drill.json"].map(|name| folder.join(name));
    let text = format!("name: {name}\nphases: [{{ name: outage, for: 10m, faults: [{fault}] }}]\n");
    fs::write(&scenario, text).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill"));
    command.arg("run").arg(&scenario).args(["--upstream", &upstream.to_string()]);
    command.args(["--listen", "127.0.0.1:0", "--wait-for-traffic", "--record"]).arg(&record);
    command.arg("--json").arg(&json).args(["--", "timeout", "120"]).arg(python);
    command.arg(root.join("tests/grpc/drivers").join(driver[0])).args(&driver[1..]);
    command.stdin(Stdio::null()).env_remove("http_proxy").env_remove("FIREDRILL_LOG");
    let output = command.output().await.expect("it starts");
    let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    fs::write(folder.join("told"), &told).expect("a file");
    assert_eq!(output.status.code(), Some(0), "{told}");
    let lines = fs::read_to_string(&record).expect("a record");
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let exchanges = lines.filter(|line| line["type"] == "exchange").collect();
    let summary = fs::read_to_string(&json).expect("a summary");
    let summary: Value = serde_json::from_str(&summary).expect("JSON");
    let findings = summary["verdict"]["parts"][0]["findings"].as_array().cloned();
    let findings = findings.unwrap_or_else(|| panic!("no findings in {summary}"));
    Played { exchanges, findings, told }
}

/// What the client that uploads tells: its code, how long it took, how many messages were taken from it.
fn upload(told: &str) -> (String, f64, u64) {
    let line = told.lines().find_map(|line| line.strip_prefix("told "));
    let line = line.unwrap_or_else(|| panic!("nothing in {told}"));
    let mut words = line.split(' ');
    let mut next = || words.next().expect("a word");
    let (code, took, taken) = (next(), next(), next());
    (code.to_owned(), took.parse().expect("a number"), taken.parse().expect("a number"))
}

/// How long it waited before each attempt but the first ones, in seconds, by the number of the attempt.
fn waits(exchanges: &[Value]) -> Vec<(u64, f64)> {
    let attempt = |line: &Value| -> u64 {
        line["keys"]["attempt"].as_str().map_or(0, |text| text.parse().expect("a number"))
    };
    let at = |line: &Value, what: &str| line["t"][what].as_f64().map(|micros| micros / 1e6);
    // A refused one has no head.
    let told = |line: &Value| at(line, "sent_first").or(at(line, "end")).expect("a time");
    let pairs = exchanges.windows(2).filter(|pair| attempt(&pair[1]) > 0);
    pairs
        .map(|pair| (attempt(&pair[1]), at(&pair[1], "head").expect("a time") - told(&pair[0])))
        .collect()
}

fn finding<'f>(findings: &'f [Value], detector: &str) -> &'f Value {
    let found = findings.iter().find(|finding| finding["detector"] == detector);
    found.unwrap_or_else(|| panic!("no {detector} in {findings:?}"))
}

#[tokio::test]
#[ignore = "needs grpcio from PyPI; .ci/run installs it and runs this"]
async fn it_tries_four_times_and_waits_longer_each_time() {
    let (upstream, _counting) = start().await;
    let (exchanges, findings) = play("policy", "{ grpc: UNAVAILABLE }", upstream).await;
    assert_eq!(exchanges.len(), 4 * OPERATIONS);
    let waits = waits(&exchanges);
    assert_eq!(waits.len(), 3 * OPERATIONS, "each retry says which it is: {waits:?}");
    for (attempt, wait) in &waits {
        // 0.1 s, 0.2 s, 0.4 s, each ± 20 % (proposal A6 as it is now).
        let meant = 0.1 * f64::from(1_u32 << (attempt - 1));
        assert!(*wait > meant * 0.7 && *wait < meant * 1.2 + 0.3, "{attempt}: {wait}");
    }
    assert!(exchanges.iter().all(|line| line["grpc"]["status"] == "UNAVAILABLE"));
    assert!(exchanges.iter().all(|line| line["keys"]["deadline"].is_string()));
    // Its owner told it what may be tried again, and the service took none of it.
    assert_eq!(finding(&findings, "duplicates")["figures"]["unsafe_resends"], 0);
    let shape = &finding(&findings, "backoff")["figures"]["shape"];
    assert!(shape == "exponential" || shape == "growing", "{shape}");
    let deadline = finding(&findings, "deadline");
    assert_eq!(deadline["grade"], "pass", "{deadline}");
}

#[tokio::test]
#[ignore = "needs grpcio from PyPI; .ci/run installs it and runs this"]
async fn it_honours_a_pushback() {
    let (upstream, _counting) = start().await;
    let (exchanges, findings) =
        play("pushback", "{ grpc: { code: UNAVAILABLE, pushback: 700ms } }", upstream).await;
    assert_eq!(exchanges.len(), 4 * OPERATIONS);
    let waits = waits(&exchanges);
    assert!(waits.iter().all(|(_, wait)| *wait > 0.69), "{waits:?}");
    // On a busy machine a few are late.
    let soon = waits.iter().filter(|(_, wait)| *wait < 0.85).count();
    assert!(soon * 2 > waits.len(), "{waits:?}");
    let found = finding(&findings, "retry_after");
    assert!(matches!(found["grade"].as_str(), Some("pass" | "warn")), "{found}");

    let (exchanges, _) =
        play("never", "{ grpc: { code: UNAVAILABLE, pushback: never } }", upstream).await;
    assert_eq!(exchanges.len(), OPERATIONS, "it was told not to");
    assert!(exchanges.iter().all(|line| line["grpc"]["no_retry"] == true));
}

/// The service did the work, and the client cannot know.
#[tokio::test]
#[ignore = "needs grpcio from PyPI; .ci/run installs it and runs this"]
async fn what_it_repeats_of_work_that_was_done_is_told() {
    let (upstream, counting) = start().await;
    let (_, findings) = play("lost", "{ lose_response: 503, times: 1 }", upstream).await;
    // Calls of one method are one operation to `times`, which does not look into them.
    assert_eq!(counting.seen.lock().expect("no panic").len(), OPERATIONS + 1);
    let found = finding(&findings, "duplicates");
    assert_eq!((&found["grade"], &found["figures"]["duplicated"]), (&"fail".into(), &1.into()));
}

/// Refused streams are UNAVAILABLE to it: it repeats none of them by itself, and by its policy as any other.
#[tokio::test]
#[ignore = "needs grpcio from PyPI; .ci/run installs it and runs this"]
async fn it_repeats_what_is_refused_by_its_policy_alone() {
    let (upstream, counting) = start().await;
    let (exchanges, findings) =
        play("refused", "{ reset: { error: REFUSED_STREAM } }", upstream).await;
    assert_eq!(exchanges.len(), 4 * OPERATIONS);
    assert!(exchanges.iter().all(|line| line["http2"]["reset"] == 7), "{exchanges:?}");
    let waits = waits(&exchanges);
    assert_eq!(waits.len(), 3 * OPERATIONS, "each retry says which it is: {waits:?}");
    assert_eq!(counting.seen.lock().expect("no panic").len(), 0);
    assert_eq!(finding(&findings, "duplicates")["figures"]["unsafe_resends"], 0);
    let shape = &finding(&findings, "backoff")["figures"]["shape"];
    assert!(shape == "exponential" || shape == "growing", "{shape}");
}

#[tokio::test]
#[ignore = "needs grpcio from PyPI; .ci/run installs it and runs this"]
async fn its_uploads_are_delayed_and_broken_off() {
    let (upstream, counting) = start().await;
    for (name, fault, code, least) in [
        ("paced", "{ latency: { mean: 100ms, per: grpc_message, side: request } }", "OK", 1.0),
        ("reset", "{ reset: { at: request, after: 3 messages } }", "INTERNAL", 0.0),
        ("failed", "{ grpc: { code: ABORTED, after: 3 messages, side: request } }", "ABORTED", 0.0),
    ] {
        let played = drive(name, fault, upstream, &["uploads.py", "10", "2", "20"]).await;
        let (met, took, _) = upload(&played.told);
        assert_eq!(met, code, "{fault}: {}", played.told);
        assert!(took >= least && took < 10.0, "{fault}: {took}");
        assert_eq!(played.exchanges.len(), 1, "{fault}");
    }
    // Of the two that were broken off it may have missed the last ones.
    let heard = counting.heard.lock().expect("no panic").len();
    assert!((10..=16).contains(&heard), "{heard}");
}

#[tokio::test]
#[ignore = "needs grpcio from PyPI; .ci/run installs it and runs this"]
async fn its_uploads_are_held_back_by_a_service_that_stops_reading() {
    let (upstream, counting) = start().await;
    let driver = ["uploads.py", "100000", "1024", "2"];
    let played = drive("stopped", "{ hang: { after: 3 messages } }", upstream, &driver).await;
    let (code, took, taken) = upload(&played.told);
    assert_eq!(code, "DEADLINE_EXCEEDED", "{}", played.told);
    assert!(took >= 2.0, "{took}");
    assert!(taken < 1_000, "{taken} messages were taken from it");
    assert_eq!(counting.heard.lock().expect("no panic").len(), 3);
}
