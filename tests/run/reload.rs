//! SIGHUP: the config is read again while traffic goes on.

use crate::{
    bytes::{Talk, command, echo},
    firedrill::{Running, folder, start},
    serve::{serve, toxic},
    support::client::PATIENCE,
};
use rustix::process::Signal;
use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
};

/// A server, and the config that it reads.
struct Server {
    running: Running,
    path: PathBuf,
    /// What all its proxies lead to.
    upstream: SocketAddr,
    reloads: usize,
}

impl Server {
    /// With a proxy on each of these addresses.
    fn start(name: &str, proxies: &[(&str, &str)]) -> Self {
        let (path, upstream) = (folder(name).join("config.yaml"), echo());
        fs::write(&path, config(upstream, proxies)).expect("a file");
        let running = start(serve(path.to_str().expect("UTF-8")));
        let server = Self { running, path, upstream, reloads: 0 };
        server.running.admin();
        server
    }

    /// Has it read another text, which it takes.
    fn goes_over(&mut self, text: &str) {
        fs::write(&self.path, text).expect("a file");
        self.running.signal(Signal::HUP);
        self.reloads += 1;
        let count = self.reloads;
        self.running.nth_line(count, |line| line.starts_with("read `") && line.contains("` again"));
        // The list of what there is comes behind it; the answer to a command comes behind both.
        self.proxies();
    }

    /// Has it read another text, which it does not take; says what it says of it.
    fn stays(&self, text: &str, times: usize) {
        fs::write(&self.path, text).expect("a file");
        self.running.signal(Signal::HUP);
        self.running.nth_line(times, |line| line.contains("nothing was changed"));
    }

    fn proxies(&self) -> serde_json::Value {
        let (status, told) = command(self.running.admin(), "GET /proxies", None, "");
        assert_eq!(status, 200, "{told}");
        serde_json::from_str(&told).expect("JSON")
    }

    /// Where a proxy listens, if it is there.
    fn at(&self, name: &str) -> Option<SocketAddr> {
        self.proxies()[name]["listen"].as_str().map(|at| at.parse().expect("an address"))
    }
}

fn config(upstream: SocketAddr, proxies: &[(&str, &str)]) -> String {
    let mut text = "proxies:\n".to_owned();
    for (name, listen) in proxies {
        text.push_str(&format!(
            "  {name}: {{ listen: \"{listen}\", upstream: \"{upstream}\", protocol: tcp }}\n"
        ));
    }
    text
}

/// An address that was free a moment ago.
fn free() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").to_string()
}

const ANY: &str = "127.0.0.1:0";

#[test]
fn what_is_new_is_made_what_is_gone_goes_and_the_rest_carries_on() {
    let mut server = Server::start("goes-over", &[("old", ANY), ("same", ANY), ("moved", ANY)]);
    let all = ["old", "same", "moved"].map(|name| server.at(name).expect("it is there"));
    let mut talks = all.map(Talk::to);
    assert!(talks.iter_mut().all(|talk| talk.works(PATIENCE)));
    toxic(&server.running, "same", r#"{"type":"latency","attributes":{"latency":5}}"#);

    let elsewhere = free();
    let proxies = [("same", ANY), ("moved", &*elsewhere), ("new", ANY)];
    server.goes_over(&config(server.upstream, &proxies));

    let [old, same, moved] = &mut talks;
    assert!(same.works(PATIENCE), "its connections stay open");
    assert_eq!(server.at("same"), Some(all[1]), "and its port");
    assert_eq!(server.proxies()["same"]["toxics"][0]["type"], "latency", "and its toxics");
    assert_eq!(old.hear(PATIENCE).expect("an end"), "");
    assert!(TcpStream::connect(all[0]).is_err(), "nobody listens there");
    assert_eq!(moved.hear(PATIENCE).expect("an end"), "");
    assert!(TcpStream::connect(all[2]).is_err(), "nobody listens there");
    assert!(Talk::to(elsewhere.parse().expect("an address")).works(PATIENCE));
    assert!(Talk::to(server.at("new").expect("it is there")).works(PATIENCE));
    assert_eq!(server.at("old"), None);

    server.running.signal(Signal::TERM);
    assert_eq!(server.running.finish().code, Some(0));
}

#[test]
fn another_upstream_is_gone_over_to_on_the_same_port() {
    let listen = free();
    let mut server = Server::start("upstream", &[("db", &listen)]);
    let at = server.at("db").expect("it is there");
    let mut before = Talk::to(at);
    assert!(before.works(PATIENCE));
    let other = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = other.local_addr().expect("an address");
    server.goes_over(&config(address, &[("db", &listen)]));

    assert_eq!(before.hear(PATIENCE).expect("an end"), "");
    let _client = Talk::to(at);
    other.accept().expect("it dials the new one");
}

#[test]
fn two_proxies_may_change_places() {
    let (one, other) = (free(), free());
    let mut server = Server::start("places", &[("a", &one), ("b", &other)]);
    server.goes_over(&config(server.upstream, &[("a", &other), ("b", &one)]));
    assert_eq!(server.at("a").map(|at| at.to_string()), Some(other));
    assert_eq!(server.at("b").map(|at| at.to_string()), Some(one));
    for name in ["a", "b"] {
        assert!(Talk::to(server.at(name).expect("there")).works(PATIENCE), "{name}");
    }
}

#[test]
fn a_proxy_may_open_its_port_to_everybody() {
    let listen = free();
    let mut server = Server::start("everybody", &[("db", &listen)]);
    let port = listen.rsplit(':').next().expect("a port");
    let everybody = format!("0.0.0.0:{port}");
    server.goes_over(&config(server.upstream, &[("db", &everybody)]));
    assert_eq!(server.at("db").map(|at| at.to_string()), Some(everybody));
    // Which it did not answer at before.
    let other = format!("127.0.0.2:{port}").parse().expect("an address");
    assert!(Talk::to(other).works(PATIENCE));
}

#[test]
fn a_wrong_or_half_written_config_changes_nothing() {
    let server = Server::start("stays", &[("db", ANY)]);
    let at = server.at("db").expect("it is there");
    let mut talk = Talk::to(at);
    assert!(talk.works(PATIENCE));
    let good = config(server.upstream, &[("db", ANY), ("new", ANY)]);
    let bad = good.replace("protocol: tcp", "protokol: tcp");
    let half = &good[..good.len() - 10];
    for (text, times, why) in [
        (&*bad, 1, "config.yaml:2:"),
        (half, 2, "config.yaml:3:"),
        ("", 3, "config.yaml"),
        ("proxies: {", 4, "config.yaml:1:"),
    ] {
        server.stays(text, times);
        server.running.line(|line| line.contains(why));
        assert!(talk.works(PATIENCE), "{text}");
        assert_eq!((server.at("db"), server.at("new")), (Some(at), None), "{text}");
    }
    fs::remove_file(&server.path).expect("it was there");
    server.running.signal(Signal::HUP);
    server.running.nth_line(5, |line| line.contains("nothing was changed"));
    assert!(talk.works(PATIENCE) && Talk::to(at).works(PATIENCE));

    // And what is put right is taken.
    let mut server = server;
    server.goes_over(&good);
    assert!(talk.works(PATIENCE) && server.at("new").is_some());
}

#[test]
fn a_port_in_use_changes_nothing() {
    let server = Server::start("in-use", &[("db", ANY), ("old", ANY)]);
    let all = ["db", "old"].map(|name| server.at(name).expect("it is there"));
    let mut talks = all.map(Talk::to);
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();

    server.stays(&config(server.upstream, &[("new", ANY), ("db", &address)]), 1);

    server.running.line(|line| line.contains(&address));
    assert!(talks.iter_mut().all(|talk| talk.works(PATIENCE)));
    assert_eq!(["db", "old"].map(|name| server.at(name).expect("it is there")), all);
    assert_eq!(server.at("new"), None);
}

/// A proxy that is switched off has no port to give up: its own may be somebody else's by now.
#[test]
fn a_proxy_that_is_switched_on_while_its_port_is_in_use_changes_nothing() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let mut server = Server::start("switched-on", &[("db", ANY), ("old", ANY)]);
    let proxies = [("db", ANY), ("old", ANY), ("off", address.as_str())];
    let on = config(server.upstream, &proxies);
    let (start, end) = on.rsplit_once(" }").expect("the last");
    server.goes_over(&format!("{start}, enabled: false }}{end}"));
    let all = ["db", "old"].map(|name| server.at(name).expect("it is there"));
    let mut talks = all.map(Talk::to);

    server.stays(
        &on.replace(&format!("  old: {{ listen: \"{ANY}\""), "  new: { listen: \"127.0.0.1:0\""),
        1,
    );

    assert!(talks.iter_mut().all(|talk| talk.works(PATIENCE)));
    assert_eq!(["db", "old"].map(|name| server.at(name).expect("it is there")), all);
    assert_eq!(server.at("new"), None);
}

/// One that the config knows nothing of, and that stays.
#[test]
fn a_port_of_a_proxy_made_by_hand_changes_nothing() {
    let server = Server::start("by-hand", &[("db", ANY)]);
    let make =
        format!(r#"{{"name":"mine","listen":"127.0.0.1:0","upstream":"{}"}}"#, server.upstream);
    assert_eq!(command(server.running.admin(), "POST /proxies", None, &make).0, 201);
    let (db, mine) = (server.at("db").expect("there"), server.at("mine").expect("there"));
    let mut talks = [db, mine].map(Talk::to);

    server.stays(&config(server.upstream, &[("db", &mine.to_string())]), 1);

    assert!(talks.iter_mut().all(|talk| talk.works(PATIENCE)));
    assert_eq!((server.at("db"), server.at("mine")), (Some(db), Some(mine)));
}

#[test]
fn what_the_file_says_as_before_keeps_what_was_done_to_it_by_hand() {
    let listen = free();
    let mut server = Server::start("same", &[("db", &listen)]);
    let text = fs::read_to_string(&server.path).expect("a file");
    let admin = server.running.admin();
    command(admin, "POST /proxies/db", None, r#"{"upstream":"127.0.0.1:1"}"#);
    command(admin, "POST /proxies/db/toxics", None, r#"{"type":"latency"}"#);
    server.goes_over(&text);

    let db = &server.proxies()["db"];
    assert_eq!(
        (&db["upstream"], &db["toxics"][0]["type"]),
        (&"127.0.0.1:1".into(), &"latency".into())
    );
}
