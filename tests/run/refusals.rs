//! What keeps a drill from starting: said at once, with what to do, and with the right code.

use crate::{
    firedrill::{Done, done, firedrill, folder, run, scenario},
    support::{
        client::{Ask, PATIENCE},
        upstream::Upstream,
    },
};
use std::{fs, net::TcpListener};

const GOOD: &str = "name: good
targets: { purchase: { method: POST, path: /purchase/** } }
phases:
  - { name: calm, for: 2m }
  - { name: outage, for: 2m, faults: [{ respond: 503, target: purchase }] }
";

/// An upstream for drills that never come to it.
const NOBODY: &str = "http://127.0.0.1:9";

fn refused(name: &str, args: &[&str]) -> Done {
    let path = scenario(&folder(name), GOOD);
    let mut command = run(&path, NOBODY);
    command.args(args);
    let done = done(command);
    assert_eq!(done.out, "", "nothing was played");
    done
}

#[test]
fn a_drill_without_an_upstream_says_how_to_name_one() {
    let path = scenario(&folder("no-upstream"), GOOD);
    let done = done(firedrill(["run", &path]));
    assert_eq!(done.code, Some(2));
    assert!(done.err.contains("`--upstream http://127.0.0.1:3000`"), "{}", done.err);
}

#[test]
fn the_upstream_may_come_from_the_environment() {
    let path = scenario(&folder("upstream-env"), GOOD);
    let mut command = firedrill(["run", &path]);
    command.env("FIREDRILL_UPSTREAM", "ftp://nowhere");
    let done = done(command);
    assert_eq!(done.code, Some(2));
    assert!(done.err.contains("`ftp://nowhere`"), "{}", done.err);
}

#[test]
fn what_is_no_upstream_is_named() {
    for (at, (url, why)) in [
        ("ftp://127.0.0.1:3000", "neither `http` nor `https`"),
        ("http://127.0.0.1:3000/shop", "has a path"),
        ("http://", "write one such as"),
        ("http://user:secret@127.0.0.1", "write one such as"),
    ]
    .into_iter()
    .enumerate()
    {
        let path = scenario(&folder(&format!("bad-url-{at}")), GOOD);
        let done = done(run(&path, url));
        assert_eq!(done.code, Some(2), "{url}");
        assert!(done.err.contains(why), "{url}: {}", done.err);
    }
}

#[test]
fn an_unknown_scenario_is_answered_with_the_nearest() {
    let done = done(run("amazon-2031", NOBODY));
    assert_eq!(done.code, Some(2));
    assert!(done.err.contains("did you mean the bundled `amazon-2013`?"), "{}", done.err);
}

#[test]
fn a_scenario_with_mistakes_is_not_played() {
    let path = scenario(&folder("mistakes"), &GOOD.replace("503", "999"));
    let done = done(run(&path, NOBODY));
    assert_eq!(done.code, Some(2));
    assert!(done.err.contains("E0415") && done.err.contains("drill.yaml:5:"), "{}", done.err);
}

#[test]
fn a_target_that_is_not_there_is_answered_with_the_nearest() {
    let near = refused("near-target", &["--target", "purchases=POST /buy"]);
    assert_eq!(near.code, Some(2));
    assert!(near.err.contains("no target `purchases`; did you mean `purchase`?"), "{}", near.err);

    let far = refused("far-target", &["--target", "zebra=POST /buy"]);
    assert_eq!(far.code, Some(2));
    assert!(far.err.contains("no target `zebra`; it has `purchase`"), "{}", far.err);
}

#[test]
fn a_binding_that_binds_nothing_is_shown_how() {
    for (at, binding) in
        ["purchase", "purchase=", "purchase=POST", "purchase=buy it"].iter().enumerate()
    {
        let done = refused(&format!("binding-{at}"), &["--target", binding]);
        assert_eq!(done.code, Some(2), "{binding}: {}", done.err);
        assert!(done.err.contains("POST /api/checkout"), "{binding}: {}", done.err);
    }
}

#[test]
fn a_start_that_is_nowhere_is_refused() {
    for (at, (start, why)) in [
        ("outrage", "did you mean `outage`?"),
        ("zebra", "write a time such as 2m30s, or `calm` or `outage`"),
        ("4m", "at or beyond the end of the scenario, which is 4m long"),
        ("1h", "at or beyond the end"),
    ]
    .into_iter()
    .enumerate()
    {
        let done = refused(&format!("start-{at}"), &["--start-at", start]);
        assert_eq!(done.code, Some(2), "{start}");
        assert!(done.err.contains(why), "{start}: {}", done.err);
    }
}

#[test]
fn a_speed_that_is_none_is_refused() {
    for speed in ["0", "-1", "fast", "1000000"] {
        let done = refused(&format!("speed{speed}"), &[&format!("--speed={speed}")]);
        assert_eq!(done.code, Some(2), "{speed}");
        assert!(done.err.contains("write a number from 0.1 to 100000"), "{speed}: {}", done.err);
    }
}

#[test]
fn a_port_in_use_is_named_with_the_way_out() {
    let other = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = other.local_addr().expect("an address").to_string();
    let folder = folder("port");
    let (path, record) = (scenario(&folder, GOOD), folder.join("run.jsonl"));
    fs::write(&record, "an earlier drill\n").expect("a file");
    let mut command = firedrill(["run", &path, "--upstream", NOBODY, "--listen", &address]);
    command.arg("--record").arg(&record);
    let done = done(command);
    assert_eq!(done.code, Some(5));
    assert!(done.err.contains(&format!("cannot listen on {address}")), "{}", done.err);
    assert!(done.err.contains("`--listen`"), "{}", done.err);
    // A drill that did not take place takes nothing away.
    assert_eq!(fs::read_to_string(&record).expect("a file"), "an earlier drill\n");
}

/// Before the drill, not after the forty minutes that it was to write down.
#[test]
fn a_file_that_cannot_be_written_is_found_out_at_the_start() {
    for (at, flag) in ["--record", "--json"].into_iter().enumerate() {
        let done = refused(&format!("unwritable-{at}"), &[flag, "/proc/nowhere/run"]);
        assert_eq!(done.code, Some(5), "{flag}");
        assert!(done.err.contains("`/proc/nowhere/run`"), "{flag}: {}", done.err);
    }
}

#[test]
fn a_disk_that_is_full_at_the_start_is_found_out_there() {
    let done = refused("dev-full", &["--record", "/dev/full"]);
    assert_eq!(done.code, Some(5));
    assert!(done.err.contains("cannot write the record `/dev/full`"), "{}", done.err);
    assert!(done.err.contains("No space left"), "{}", done.err);
}

#[test]
fn a_command_that_cannot_start_is_named_and_its_record_says_so() {
    let record = folder("no-command-record").join("run.jsonl");
    let record = record.to_str().expect("UTF-8");
    let done = refused("no-command", &["--record", record, "--", "/nowhere/suite", "--fast"]);
    assert_eq!(done.code, Some(5));
    assert!(done.err.contains("cannot run `/nowhere/suite`"), "{}", done.err);
    let record = fs::read_to_string(record).expect("a record");
    assert!(record.ends_with("\"end\":\"failed\",\"exchanges\":0,\"dropped\":0}\n"), "{record}");
}

#[test]
fn roots_that_cannot_be_read_are_refused() {
    let path = scenario(&folder("roots"), GOOD);
    let mut command = run(&path, "https://127.0.0.1:9");
    command.args(["--upstream-ca", "/nowhere/roots.pem"]);
    let done = done(command);
    assert_eq!(done.code, Some(2));
    assert!(done.err.contains("`/nowhere/roots.pem`"), "{}", done.err);
}

/// A drill that was refused leaves its port to the next one.
#[test]
fn an_address_can_be_listened_on_again_at_once() {
    let upstream = Upstream::start();
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = free.local_addr().expect("an address");
    drop(free);
    let path = scenario(&folder("again"), "name: calm\nphases: [{ name: calm, for: 300ms }]\n");
    for _ in 0..2 {
        let listen = address.to_string();
        let mut command = firedrill(["run", &path, "--listen", &listen, "--wait-for-traffic"]);
        command.args(["--upstream", &upstream.url()]);
        let drill = crate::firedrill::start(command);
        assert_eq!(drill.address(), address);
        assert!(Ask::get("/").at(address, PATIENCE).is_ok());
        assert_eq!(drill.finish().code, Some(0));
    }
}
