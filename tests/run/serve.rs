//! `firedrill serve`: proxies that are there until they are told to go.

use crate::{
    bytes::{Talk, command, echo},
    firedrill::{Running, done, firedrill, folder, start},
    support::{
        client::{Ask, PATIENCE},
        upstream::Upstream,
    },
};
use rustix::process::Signal;
use std::{
    fs,
    net::{SocketAddr, TcpListener},
    process::Command,
    time::{Duration, Instant},
};

/// Serves what a config says, commanded on a free port.
pub(crate) fn serve(config: &str) -> Command {
    firedrill(["serve", "--admin", "127.0.0.1:0", "--config", config])
}

/// Puts a toxic on a proxy.
pub(crate) fn toxic(server: &Running, proxy: &str, toxic: &str) {
    let at = format!("POST /proxies/{proxy}/toxics");
    let (status, told) = command(server.admin(), &at, None, toxic);
    assert_eq!(status, 200, "{told}");
}

fn config(name: &str, text: &str) -> String {
    let path = folder(name).join("config.yaml");
    fs::write(&path, text).expect("a file");
    path.to_str().expect("UTF-8").to_owned()
}

fn db(listen: &str) -> String {
    format!("proxies:\n  db: {{ listen: \"{listen}\", upstream: \"{}\", protocol: tcp }}\n", echo())
}

#[test]
fn proxies_of_both_kinds_serve_until_they_are_told_to_go() {
    let upstream = Upstream::start();
    let text = format!("{}  shop: {{ listen: 0, upstream: \"{}\" }}\n", db("0"), upstream.url());
    for (name, signal) in [("serve-term", Signal::TERM), ("serve-int", Signal::INT)] {
        let server = start(serve(&config(name, &text)));
        assert!(Talk::to(server.proxy("db")).works(PATIENCE));
        assert!(Ask::get("/").at(server.proxy("shop"), PATIENCE).is_ok());
        server.signal(signal);
        let done = server.finish();
        assert_eq!((done.code, &*done.out), (Some(0), ""), "{}", done.err);
    }
}

#[test]
fn it_lets_go_of_what_it_holds_when_it_is_told_to_end() {
    let server = start(serve(&config("lets-go", &db("0"))));
    let latency = r#"{"type":"latency","attributes":{"latency":600000}}"#;
    toxic(&server, "db", latency);
    let mut talk = Talk::to(server.proxy("db"));
    talk.say("held");
    let silence = talk.hear(Duration::from_millis(300));
    assert!(silence.is_err(), "{silence:?}");
    server.signal(Signal::TERM);
    let told = Instant::now();
    assert_eq!(talk.hear(PATIENCE).expect("what was held"), "held");
    assert_eq!(talk.hear(PATIENCE).expect("an end"), "");
    assert!(told.elapsed() < Duration::from_secs(2), "{:?}", told.elapsed());
    let done = server.finish();
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(told.elapsed() < Duration::from_secs(4), "{:?}", told.elapsed());
}

#[test]
fn nothing_is_needed_to_start_with() {
    let server = start(firedrill(["serve", "--admin", "127.0.0.1:0"]));
    let admin = server.admin();
    assert_eq!(command(admin, "GET /proxies", None, ""), (200, "{}".to_owned()));
    server.signal(Signal::HUP);
    server.line(|line| line == "there is no config file to read again");
    assert_eq!(command(admin, "GET /version", None, "").0, 200);
    server.signal(Signal::TERM);
    assert_eq!(server.finish().code, Some(0));
}

#[test]
fn the_proxies_of_a_toxiproxy_config_have_their_toxics() {
    let text = format!(
        r#"[{{"name":"db","listen":"127.0.0.1:0","upstream":"{}","toxics":
            [{{"type":"latency","attributes":{{"latency":300}}}}]}}]"#,
        echo()
    );
    let path = folder("toxiproxy").join("config.json");
    fs::write(&path, text).expect("a file");
    let mut command = firedrill(["serve", "--admin", "127.0.0.1:0", "--toxiproxy-config"]);
    command.arg(path);
    let server = start(command);
    let mut talk = Talk::to(server.proxy("db"));
    let asked = Instant::now();
    assert!(talk.works(PATIENCE));
    assert!(asked.elapsed() >= Duration::from_millis(300), "{:?}", asked.elapsed());
}

#[test]
fn what_keeps_it_from_serving_is_said_with_its_code() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let folder = folder("not-serving");
    let json = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).expect("a file");
        vec!["--toxiproxy-config".to_owned(), path.to_str().expect("UTF-8").to_owned()]
    };
    let port = format!(r#"[{{"name":"db","listen":"{address}","upstream":"127.0.0.1:9"}}]"#);
    let by_config = |name: &str, text: &str| vec!["--config".to_owned(), config(name, text)];
    for (args, code, why) in [
        (json("bad.json", "[{"), 2, "bad.json"),
        (json("port.json", &port), 5, &*address),
        (vec!["--toxiproxy-config".to_owned(), "/nowhere.json".to_owned()], 2, "/nowhere.json"),
        (by_config("serve-port", &db(&address)), 5, &*address),
        (by_config("serve-half", "proxies:\n  db: { list"), 2, "config.yaml:2:"),
        (vec!["--config".to_owned(), "/nowhere.yaml".to_owned()], 2, "/nowhere.yaml"),
    ] {
        let mut command = firedrill(["serve", "--admin", "127.0.0.1:0"]);
        command.args(&args);
        let done = done(command);
        assert_eq!(done.code, Some(code), "{args:?}: {}", done.err);
        assert!(done.err.contains(why), "{args:?}: {}", done.err);
    }
    let done = done(firedrill(["serve", "--admin", &address]));
    assert_eq!(done.code, Some(5), "{}", done.err);
    assert!(done.err.contains(&address) && done.err.contains("--admin"), "{}", done.err);
}

fn reachable(admin: SocketAddr) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], admin.port()))
}

#[test]
fn off_loopback_commands_need_a_token() {
    let without = done(firedrill(["serve", "--admin", "0.0.0.0:0"]));
    assert_eq!(without.code, Some(2));
    assert!(without.err.contains("`FIREDRILL_TOKEN`"), "{}", without.err);
    let mut empty = firedrill(["serve", "--admin", "0.0.0.0:0"]);
    empty.env("FIREDRILL_TOKEN", "");
    assert_eq!(done(empty).code, Some(2));

    let mut with = firedrill(["serve", "--admin", "0.0.0.0:0"]);
    with.env("FIREDRILL_TOKEN", "s3cret");
    let server = start(with);
    let admin = reachable(server.admin());
    assert_eq!(command(admin, "GET /proxies", None, "").0, 401);
    assert_eq!(command(admin, "GET /proxies", Some("wrong"), "").0, 401);
    let make = r#"{"name":"p","listen":"127.0.0.1:0","upstream":"127.0.0.1:9"}"#;
    assert_eq!(command(admin, "POST /proxies", None, make).0, 401);
    let (status, told) = command(admin, "GET /proxies", Some("s3cret"), "");
    assert_eq!((status, &*told), (200, "{}"), "nothing was made");
    server.signal(Signal::TERM);
    let done = server.finish();
    assert!(!done.err.contains("s3cret"), "{}", done.err);
}

#[test]
fn off_loopback_anybody_may_if_that_is_said() {
    let server = start(firedrill(["serve", "--admin", "0.0.0.0:0", "--admin-open"]));
    assert_eq!(command(reachable(server.admin()), "GET /proxies", None, "").0, 200);
}
