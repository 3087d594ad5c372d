//! Redis behind a proxy: clean without a fault, late by exactly one round trip a command, cut in the
//! middle of an answer, and gone with a reset.

use crate::program::{Done, Folder, Service, done, free_port, proxied};
use std::{
    io::Write,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const MS: Duration = Duration::from_millis(1);

/// A store of its own.
struct Store {
    folder: Folder,
    port: u16,
    _server: Service,
}

impl Store {
    fn start(name: &str) -> Self {
        let (folder, port) = (Folder::new(name), free_port());
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
        command.args(["--appendonly", "no", "--dir"]).arg(folder.path());
        let server = Service::start(command, "eady to accept connections");
        Self { folder, port, _server: server }
    }
}

fn client(name: &str, port: u16) -> Command {
    let mut command = Command::new(name);
    command.args(["-h", "127.0.0.1", "-p", &port.to_string()]);
    command
}

fn cli(port: u16, words: &[&str]) -> Done {
    let mut command = client("redis-cli", port);
    command.args(words);
    done(command)
}

#[test]
#[ignore = "needs Redis; .ci/run installs it and runs this"]
fn redis_runs_clean_without_a_fault() {
    let store = Store::start("redis-clean");
    let (_firedrill, port) = proxied(&store.folder, store.port);
    assert_eq!(cli(port, &["set", "answer", "42"]).told, "OK\n");
    assert_eq!(cli(port, &["get", "answer"]).told, "42\n");
    let mut command = client("redis-benchmark", port);
    command.args(["-n", "2000", "-c", "20", "-P", "4", "-d", "1000", "-t", "set,get,lpush", "-q"]);
    let met = done(command);
    assert_eq!(met.code, Some(0), "{}", met.told);
    assert_eq!(met.told.matches("requests per second").count(), 3, "{}", met.told);
    assert!(!met.told.contains("rror"), "{}", met.told);
}

#[test]
#[ignore = "needs Redis; .ci/run installs it and runs this"]
fn a_command_of_redis_is_late_by_one_round_trip() {
    let store = Store::start("redis-late");
    let (firedrill, port) = proxied(&store.folder, store.port);
    firedrill.toxic(r#"{"type":"latency","attributes":{"latency":200}}"#);
    let mut command = client("redis-cli", port);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let begun = Instant::now();
    let mut cli = command.spawn().expect("it starts");
    let mut asks = cli.stdin.take().expect("piped");
    asks.write_all(b"ping\nping\nping\nping\nping\n").expect("it listens");
    drop(asks);
    let met = cli.wait_with_output().expect("its end");
    let took = begun.elapsed();
    assert_eq!(met.stdout, b"PONG\n".repeat(5));
    assert!((1000 * MS..2000 * MS).contains(&took), "two round trips each take 2 s: {took:?}");
    firedrill.delete("/proxies/p/toxics/latency_downstream");
    let prompt = self::cli(port, &["ping"]).took;
    assert!(prompt < 200 * MS, "{prompt:?}");
}

#[test]
#[ignore = "needs Redis; .ci/run installs it and runs this"]
fn a_reset_ends_the_connection_of_redis() {
    let store = Store::start("redis-reset");
    let (firedrill, port) = proxied(&store.folder, store.port);
    firedrill.toxic(r#"{"type":"reset_peer"}"#);
    let met = cli(port, &["ping"]);
    assert_ne!(met.code, Some(0), "{}", met.told);
    assert!(met.told.contains("onnection reset by peer"), "{}", met.told);
    firedrill.post("/reset", "");
    assert_eq!(cli(port, &["ping"]).told, "PONG\n", "it lets go");
}

#[test]
#[ignore = "needs Redis; .ci/run installs it and runs this"]
fn an_answer_of_redis_is_cut_in_its_middle() {
    let store = Store::start("redis-cut");
    let (firedrill, port) = proxied(&store.folder, store.port);
    let value = "x".repeat(10_000);
    assert_eq!(cli(port, &["set", "long", &value]).told, "OK\n");
    firedrill.toxic(r#"{"type":"limit_data","attributes":{"bytes":5000}}"#);
    let met = cli(port, &["get", "long"]);
    assert_ne!(met.code, Some(0), "{}", met.told);
    assert!(met.told.contains("Server closed the connection"), "{}", met.told);
}
