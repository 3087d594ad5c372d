//! `firedrill ctl`: the built binary against a listener.

use crate::{
    served::served,
    stage::{Stage, free, visit},
    support::upstream::Upstream,
};
use firedrill::{config::Secret, control::Guard};
use serde_json::Value;
use std::{net::TcpListener, process::Command};

/// What it came to.
#[derive(Debug)]
struct Done {
    code: Option<i32>,
    out: String,
    err: String,
}

fn ctl(admin: &str, args: &[&str], token: Option<&str>) -> Done {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill"));
    command.arg("ctl").args(args).env("FIREDRILL_ADMIN", admin);
    for variable in ["NO_COLOR", "CLICOLOR_FORCE", "FIREDRILL_TOKEN"] {
        command.env_remove(variable);
    }
    if let Some(token) = token {
        command.env("FIREDRILL_TOKEN", token);
    }
    let done = command.output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Done { code: done.status.code(), out: text(done.stdout), err: text(done.stderr) }
}

/// Runs a command that is carried out.
fn ok(stage: &Stage, args: &[&str]) -> Done {
    let done = ctl(&stage.admin().to_string(), args, None);
    assert_eq!(done.code, Some(0), "{args:?}: {}", done.err);
    done
}

#[test]
fn a_proxy_is_made_shown_switched_and_taken_away() {
    let stage = Stage::idle();
    let url = stage.upstream().url();

    let made = ok(&stage, &["proxy", "add", "shop", "--listen", &free(), "--upstream", &url]);
    assert!(made.err.starts_with("`shop` is enabled: 127."), "{}", made.err);
    let address = stage.get("proxies/shop").json()["listen"].as_str().expect("one").to_owned();
    let listed = ok(&stage, &["proxies"]).out;
    let line = listed.lines().nth(1).expect("a line");
    assert!(line.starts_with("shop ") && line.contains(&address) && line.contains(&url), "{line}");

    ok(&stage, &["proxy", "disable", "shop"]);
    assert!(ok(&stage, &["proxy", "show", "shop"]).out.contains(" disabled "));
    ok(&stage, &["proxy", "enable", "shop"]);
    ok(&stage, &["proxy", "set", "shop", "--upstream", "http://127.0.0.1:1"]);
    assert_eq!(stage.get("proxies/shop").json()["upstream"], "http://127.0.0.1:1");

    ok(&stage, &["proxy", "remove", "shop"]);
    assert_eq!(ok(&stage, &["proxies"]).out, "no proxies\n");
}

#[test]
fn what_serves_is_commanded_where_it_says() {
    let (_served, admin) = served(["serve"]);
    let upstream = Upstream::start().url();
    let listen = free();
    for args in [
        &["proxy", "add", "shop", "--listen", &listen, "--upstream", &upstream][..],
        &["fault", "add", "shop", "respond: 503"],
    ] {
        let done = ctl(&admin, args, None);
        assert_eq!(done.code, Some(0), "{args:?}: {}", done.err);
    }
    let shown = ctl(&admin, &["proxy", "show", "shop", "--json"], None).out;
    let shop: Value = serde_json::from_str(&shown).expect("JSON");
    let address = shop["listen"].as_str().expect("an address").parse().expect("an address");
    assert_eq!(visit(address, "/a").status, 503);
}

#[test]
fn a_fault_is_put_on_changed_and_taken_away() {
    let stage = Stage::idle();
    let address = stage.http("shop");

    let put =
        ok(&stage, &["fault", "add", "shop", "respond: 503, share: 100% of users", "--ttl", "2m"]);
    assert_eq!(put.err, "put `respond` on `shop`\n");
    assert_eq!(visit(address, "/a").status, 503);
    let listed = ok(&stage, &["faults"]).out;
    let line = listed.lines().nth(1).expect("a line");
    assert!(line.starts_with("shop ") && line.contains("100% of users"), "{line}");

    ok(&stage, &["fault", "change", "shop", "respond", "respond: 429"]);
    assert_eq!(visit(address, "/a").status, 429);
    ok(&stage, &["fault", "add", "*", "latency: 1ms", "--name", "slow/1"]);
    ok(&stage, &["fault", "remove", "shop", "slow/1"]);
    ok(&stage, &["fault", "clear"]);
    assert_eq!(ok(&stage, &["faults"]).out, "no faults\n");
}

#[test]
fn the_drill_is_shown_and_commanded() {
    let stage = Stage::playing(
        "{ name: story, phases: [{ name: calm, for: 10m }, { name: storm, for: 10m }] }",
    );
    let status = ok(&stage, &["status"]).out;
    assert!(status.contains("story: phase `calm`") && status.contains("no proxies"), "{status}");
    assert!(ok(&stage, &["seek", "storm"]).err.contains("phase `storm`"));
    assert!(ok(&stage, &["pause"]).err.contains("standing still"));
    assert!(ok(&stage, &["speed", "60"]).err.contains("×60"));
    ok(&stage, &["resume"]);
    assert_eq!(ok(&stage, &["abort"]).err, "story was aborted\n");
    assert_eq!(ctl(&stage.admin().to_string(), &["skip"], None).code, Some(2));
}

#[test]
fn a_reset_leaves_no_fault_and_every_proxy_on() {
    let stage = Stage::idle();
    let address = stage.http("shop");
    stage.put_on("{ respond: 503 }");
    ok(&stage, &["proxy", "disable", "shop"]);
    ok(&stage, &["reset"]);
    assert_eq!(visit(address, "/a").status, 200);
}

#[test]
fn scripts_get_the_answer_as_it_came() {
    let stage = Stage::idle();
    stage.http("shop");
    for args in [
        &["status", "--json"][..],
        &["--json", "proxies"],
        &["--json", "fault", "add", "shop", "latency: 1ms"],
    ] {
        let out = ok(&stage, args).out;
        let json: Value = serde_json::from_str(&out).expect("JSON");
        assert!(json.is_object(), "{out}");
    }
}

#[test]
fn what_is_refused_is_shown_with_its_place() {
    let stage = Stage::idle();
    stage.http("shop");
    let admin = stage.admin().to_string();
    let done = ctl(&admin, &["fault", "add", "shop", "latency: 300"], None);
    assert_eq!((done.code, &*done.out), (Some(2), ""));
    assert!(done.err.contains("error[E0201]") && done.err.contains("^^^"), "{}", done.err);
    let done = ctl(&admin, &["proxy", "remove", "shpo"], None);
    assert_eq!(done.code, Some(2));
    assert!(done.err.contains("did you mean `shop`?"), "{}", done.err);
}

#[test]
fn nobody_there_is_told_from_a_no() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let done = ctl(&format!("http://{free}"), &["status"], None);
    assert_eq!(done.code, Some(5), "{}", done.err);
    assert!(done.err.contains("cannot reach") && done.err.contains("refused"), "{}", done.err);
}

#[test]
fn an_address_that_is_none_is_a_wrong_command_line() {
    for admin in ["https://127.0.0.1:1", "http://127.0.0.1:1/api", "ftp://x", "http://", "a b"] {
        let done = ctl(admin, &["status"], None);
        assert_eq!(done.code, Some(2), "{admin}: {}", done.err);
        assert!(done.err.contains("no address of an admin listener"), "{admin}: {}", done.err);
    }
}

#[test]
fn the_token_is_sent_and_never_shown() {
    let guard = Guard { token: Secret::new("s3cret"), ..Guard::default() };
    let stage = Stage::guarded(guard);
    let admin = stage.admin().to_string();
    assert_eq!(ctl(&admin, &["status"], Some("s3cret")).code, Some(0));
    let done = ctl(&admin, &["status"], Some("wr0ng"));
    assert_eq!(done.code, Some(2));
    assert!(done.err.contains("a token is needed") && !done.err.contains("wr0ng"), "{}", done.err);
    assert_eq!(ctl(&admin, &["status"], Some("two words")).code, Some(2));
}

/// In CI a variable that nobody filled in is set all the same.
#[test]
fn an_empty_variable_is_none() {
    let empty = ctl("", &["status"], None);
    let none = Command::new(env!("CARGO_BIN_EXE_firedrill"))
        .args(["ctl", "status"])
        .env_remove("FIREDRILL_ADMIN")
        .output()
        .expect("it runs");
    assert_eq!(empty.code, none.status.code(), "{}", empty.err);
    assert_eq!(empty.err, String::from_utf8(none.stderr).expect("UTF-8"));
}
