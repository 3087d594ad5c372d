//! `firedrill run … -- CMD`: a command beside the drill.

use crate::{
    firedrill::{Done, Running, folder, run, scenario, start},
    support::{
        client::{Ask, Connection, PATIENCE},
        upstream::Upstream,
    },
};
use rustix::process::Signal;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

const OUTAGE: &str = "name: outage
phases: [{ name: outage, for: 10m, faults: [{ respond: 503 }] }]
";

/// A command that goes on until it is told to stop, so that a drill takes as long as its test.
pub(crate) struct Beside {
    stop: PathBuf,
}

impl Beside {
    /// Has `command` run it, ending with `code`, after a line of shell.
    pub(crate) fn add(command: &mut Command, folder: &Path, first: &str, code: u8) -> Self {
        let stop = folder.join("stop");
        let script = format!(
            "{first}\nwhile [ ! -e \"$0\" ] && kill -0 $PPID; do sleep 0.02; done\nexit {code}"
        );
        command.args(["--", "sh", "-c", &script]).arg(&stop);
        Self { stop }
    }

    pub(crate) fn stop(&self) {
        fs::write(&self.stop, "").expect("a file");
    }
}

/// Plays an outage, with a request in it, until the command ends with `code`.
fn ended_with(name: &str, code: u8) -> Done {
    let (upstream, folder) = (Upstream::start(), folder(name));
    let mut command = run(&scenario(&folder, OUTAGE), &upstream.url());
    let beside = Beside::add(&mut command, &folder, "", code);
    let drill = start(command);
    let met = Ask::get("/").at(drill.address(), PATIENCE);
    assert_eq!(met.status, 503);
    beside.stop();
    drill.finish()
}

#[test]
fn the_drill_ends_with_its_command_and_passes_with_it() {
    let done = ended_with("passes", 0);
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(done.out.contains("outage ended with its command after"), "{}", done.out);
}

#[test]
fn a_command_that_fails_fails_the_drill() {
    let done = ended_with("fails", 7);
    assert_eq!(done.code, Some(1), "{}", done.err);
    assert!(done.err.contains("the command failed: exit status: 7"), "{}", done.err);
    assert!(done.out.contains("outage ended with its command after"), "{}", done.out);
}

#[test]
fn a_command_that_is_killed_fails_the_drill() {
    let (upstream, folder) = (Upstream::start(), folder("killed"));
    let mut command = run(&scenario(&folder, OUTAGE), &upstream.url());
    command.args(["--", "sh", "-c", "kill -9 $$"]);
    let done = start(command).finish();
    assert_eq!(done.code, Some(1), "{}", done.err);
    assert!(done.err.contains("the command failed: signal: 9"), "{}", done.err);
}

/// What failed first is told first, but the failure decides.
#[test]
fn a_failure_outweighs_a_fault_that_hit_nothing() {
    let (upstream, folder) = (Upstream::start(), folder("outweighs"));
    let mut command = run(&scenario(&folder, OUTAGE), &upstream.url());
    command.args(["--", "false"]);
    let done = start(command).finish();
    assert_eq!(done.code, Some(1), "{}", done.err);
    assert!(done.out.contains("hit nothing"), "{}", done.out);
}

#[test]
fn the_command_is_told_where_the_proxy_is() {
    let (upstream, folder) = (Upstream::start(), folder("told"));
    let told = folder.join("told");
    let mut command = run(&scenario(&folder, OUTAGE), &upstream.url());
    let tell = format!("echo $FIREDRILL_URL $FIREDRILL_URL_DEFAULT > {}", told.display());
    let beside = Beside::add(&mut command, &folder, &tell, 0);
    let drill = start(command);
    let address = drill.address();
    assert_eq!(Ask::get("/").at(address, PATIENCE).status, 503);
    beside.stop();
    assert_eq!(drill.finish().code, Some(0));
    let expected = format!("http://{address} http://{address}\n");
    assert_eq!(fs::read_to_string(told).expect("a file"), expected);
}

/// `0.0.0.0` is where one listens, not where one connects.
#[test]
fn a_command_is_sent_to_an_address_that_can_be_connected_to() {
    let (upstream, folder) = (Upstream::start(), folder("anywhere"));
    let told = folder.join("told");
    let path = scenario(&folder, OUTAGE);
    let mut command = crate::firedrill::firedrill(["run", &path, "--listen", "0.0.0.0:0"]);
    command.args(["--upstream", &upstream.url(), "--", "sh", "-c", "echo $FIREDRILL_URL > \"$0\""]);
    command.arg(&told);
    let done = start(command).finish();
    assert_eq!(done.code, Some(3), "nobody asked: {}", done.err);
    let told = fs::read_to_string(told).expect("a file");
    assert!(told.starts_with("http://127.0.0.1:"), "{told}");
}

/// Whoever runs a suite has things to put away.
#[test]
fn a_command_is_asked_to_end_when_the_drill_is_terminated() {
    let (upstream, folder) = (Upstream::start(), folder("asked"));
    let mut command = run(&scenario(&folder, OUTAGE), &upstream.url());
    let script = "trap 'echo put away; exit 0' TERM; echo ready >&2
        while kill -0 $PPID; do sleep 0.02; done";
    command.args(["--", "sh", "-c", script]);
    let drill = start(command);
    drill.line(|line| line == "ready");
    let told = Instant::now();
    drill.signal(Signal::TERM);
    let done = drill.finish();
    assert_eq!(done.code, Some(130), "{}", done.err);
    assert!(done.out.starts_with("put away\n"), "{}", done.out);
    assert!(told.elapsed() < Duration::from_secs(2), "{:?}", told.elapsed());
}

fn over(drill: &Running) {
    drill.line(|line| line.contains("the end: nothing is injected any more"));
}

/// A suite that is not done when the timeline is over goes on against a healthy service.
#[test]
fn traffic_passes_from_the_end_of_the_timeline_to_the_end_of_the_command() {
    let (upstream, folder) = (Upstream::start(), folder("passes-on"));
    let short = OUTAGE.replace("10m", "300ms");
    let mut command = run(&scenario(&folder, &short), &upstream.url());
    command.args(["--wait-for-traffic"]);
    let beside = Beside::add(&mut command, &folder, "", 0);
    let drill = start(command);
    let mut connection = Connection::to(drill.address());
    assert_eq!(connection.ask(&Ask::get("/"), PATIENCE).status, 503);
    over(&drill);
    // The open connection and a new one.
    assert!(connection.ask(&Ask::get("/"), PATIENCE).is_ok());
    assert!(Ask::get("/").at(drill.address(), PATIENCE).is_ok());
    beside.stop();
    let done = drill.finish();
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert_eq!(upstream.seen().len(), 2);
}
