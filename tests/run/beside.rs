//! `firedrill run … -- CMD`: a command beside the drill.

use crate::{
    firedrill::{Done, Running, done, firedrill, folder, run, scenario, start},
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
    thread,
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
    let mut command = firedrill(["run", &path, "--listen", "0.0.0.0:0"]);
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

/// The process whose number a command wrote down, once it has.
fn written(path: &Path) -> u32 {
    let mut patience = 1_000;
    loop {
        let text = fs::read_to_string(path).unwrap_or_default();
        match text.strip_suffix('\n') {
            Some(number) => return number.parse().expect("a number"),
            None if patience == 0 => panic!("nothing is written"),
            None => thread::sleep(Duration::from_millis(10)),
        }
        patience -= 1;
    }
}

/// Whether a process runs; one that ended and that nobody asked after does not.
fn runs(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

/// A drill beside a shell that runs `script`; `$0` is where it is to write down what it started.
fn beside(name: &str, script: &str) -> (Running, PathBuf, Upstream) {
    let (upstream, folder) = (Upstream::start(), folder(name));
    let mut command = run(&scenario(&folder, OUTAGE), &upstream.url());
    let pids = folder.join("pid");
    command.args(["--", "sh", "-c", script]).arg(&pids);
    (start(command), pids, upstream)
}

/// `sh -c pytest`: what counts is what the command started. It ends by itself, but late.
const GRANDCHILD: &str = "sh -c 'trap \"echo put away; exit 0\" INT TERM; echo $$ > \"$0\"
    i=0; while [ $i -lt 1000 ]; do i=$((i+1)); sleep 0.02; done' \"$0\"; exit 1";

/// What it started does not hear.
const DEAF: &str = "sh -c 'trap \"\" INT TERM; echo $$ > \"$0\"
    i=0; while [ $i -lt 1000 ]; do i=$((i+1)); sleep 0.02; done' \"$0\"; :";

fn grandchild_is_told(name: &str, signal: Signal) {
    let (drill, pids, _upstream) = beside(name, GRANDCHILD);
    let grandchild = written(&pids);
    let told = Instant::now();
    drill.signal(signal);
    let done = drill.finish();
    assert_eq!(done.code, Some(130), "{}", done.err);
    assert!(done.out.starts_with("put away\n"), "{}", done.out);
    assert!(!runs(grandchild) && told.elapsed() < Duration::from_secs(3), "{:?}", told.elapsed());
}

#[test]
fn an_interrupt_reaches_what_the_command_started() {
    grandchild_is_told("told-int", Signal::INT);
}

#[test]
fn a_request_to_terminate_reaches_what_the_command_started() {
    grandchild_is_told("told-term", Signal::TERM);
}

/// Whoever does not hear is killed, but not before the time to clean up is over.
#[test]
fn what_does_not_end_when_it_is_asked_to_is_killed() {
    let (drill, pids, _upstream) = beside("deaf", DEAF);
    let grandchild = written(&pids);
    let told = Instant::now();
    drill.signal(Signal::TERM);
    let done = drill.finish();
    assert_eq!(done.code, Some(130), "{}", done.err);
    assert!(done.err.contains("and is killed"), "{}", done.err);
    assert!(told.elapsed() >= Duration::from_secs(4), "{:?}", told.elapsed());
    assert!(!runs(grandchild));
}

#[test]
fn a_second_interrupt_kills_what_the_command_started() {
    let (drill, pids, _upstream) = beside("deaf-twice", DEAF);
    let grandchild = written(&pids);
    drill.signal(Signal::INT);
    drill.line(|line| line.contains("nothing is injected any more"));
    let told = Instant::now();
    drill.signal(Signal::INT);
    assert_eq!(drill.finish().code, Some(130));
    assert!(told.elapsed() < Duration::from_secs(2), "{:?}", told.elapsed());
    let mut patience = 100;
    while runs(grandchild) && patience > 0 {
        // Killed it is, and the system clears it away.
        thread::sleep(Duration::from_millis(10));
        patience -= 1;
    }
    assert!(!runs(grandchild));
}

/// A service that a suite started and forgot would hold the pipe that its output goes to, for ever.
#[test]
fn what_the_command_leaves_running_is_ended() {
    let (drill, pids, _upstream) = beside("left", "sleep 60 & echo $! > \"$0\"; exit 0");
    let done = drill.finish();
    assert_eq!(done.code, Some(3), "nobody asked: {}", done.err);
    assert!(done.err.contains("left processes running"), "{}", done.err);
    assert!(!runs(written(&pids)));
}

/// A `tee` is not cut off: it has a moment to end by itself.
#[test]
fn what_ends_by_itself_after_the_command_is_let_be() {
    let script = "(sleep 0.2; echo the last line) & echo $! > \"$0\"; exit 0";
    let (drill, _pids, _upstream) = beside("last-line", script);
    let done = drill.finish();
    assert!(done.out.starts_with("the last line\n"), "{}", done.out);
    assert!(!done.err.contains("left processes running"), "{}", done.err);
}

/// Else a drill stands for ever, and nobody knows why.
#[test]
fn a_command_that_is_stopped_is_spoken_of_and_can_be_ended() {
    let (drill, _pids, _upstream) = beside("stopped", "kill -STOP $$; exit 0");
    drill.line(|line| line.contains("the command was stopped"));
    drill.signal(Signal::TERM);
    assert_eq!(drill.finish().code, Some(130));
}

#[test]
fn an_abort_ends_the_command_as_well() {
    let (upstream, folder) = (Upstream::start(), folder("abort"));
    let mut command = run(&scenario(&folder, OUTAGE), &upstream.url());
    command.args(["--admin", "0", "--", "sh", "-c", GRANDCHILD]).arg(folder.join("pid"));
    let drill = start(command);
    let grandchild = written(&folder.join("pid"));
    let admin = drill.admin().to_string();
    let abort = done(firedrill(["ctl", "abort", "--admin", &admin]));
    assert_eq!(abort.code, Some(0), "{}", abort.err);
    let done = drill.finish();
    assert_eq!(done.code, Some(4), "{}", done.err);
    assert!(done.out.starts_with("put away\n"), "{}", done.out);
    assert!(!runs(grandchild));
}
