//! `listen`: once a proxy listens, it tells the address that was bound.

use crate::{
    peer::{Peer, echo},
    server::Server,
};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

fn listen(server: &Server, name: &str, listen: Option<&str>) -> SocketAddr {
    let listen = listen.map_or(String::new(), |at| format!(r#""listen":"{at}","#));
    let body = format!(r#"{{"name":"{name}",{listen}"upstream":"{}"}}"#, echo());
    let answer = server.post("/proxies", &body);
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.listen()
}

fn serves(address: SocketAddr) {
    let client = Peer::to(address);
    client.time_to(&client, b"hello");
}

/// A port that was free a moment ago.
fn free() -> u16 {
    let port = TcpListener::bind("[::]:0").and_then(|port| port.local_addr());
    port.expect("a free port").port()
}

#[test]
fn localhost_is_told_as_its_address() {
    let at = listen(&Server::start(), "p", Some("localhost:0"));
    assert_eq!(at.ip(), Ipv4Addr::LOCALHOST);
    assert_ne!(at.port(), 0);
}

#[test]
fn every_way_to_say_anywhere_is_told_as_the_one_of_both_families() {
    let server = Server::start();
    let (a, b) = (free(), free());
    for (name, at, port) in [
        ("unsaid", None, None),
        ("empty", Some(String::new()), None),
        ("four", Some("0.0.0.0:0".into()), None),
        ("six", Some("[::]:0".into()), None),
        ("port", Some(format!(":{a}")), Some(a)),
        ("four and port", Some(format!("0.0.0.0:{b}")), Some(b)),
    ] {
        let got = listen(&server, name, at.as_deref());
        assert_eq!(got.ip(), Ipv6Addr::UNSPECIFIED, "{name}");
        assert_ne!(got.port(), 0, "{name}");
        assert!(port.is_none_or(|port| port == got.port()), "{name}");
        serves((Ipv4Addr::LOCALHOST, got.port()).into());
        serves((Ipv6Addr::LOCALHOST, got.port()).into());
    }
}

#[test]
fn an_empty_address_in_an_update_takes_another_port() {
    let server = Server::start();
    let old = listen(&server, "p", Some("127.0.0.1:0"));
    let answer = server.post("/proxies/p", r#"{"listen":""}"#);
    assert_eq!(answer.status, 200);
    let new = answer.listen();
    assert_eq!(new.ip(), Ipv6Addr::UNSPECIFIED);
    assert!(new.port() != 0 && new.port() != old.port(), "{new}");
    serves((Ipv4Addr::LOCALHOST, new.port()).into());
}

#[test]
fn a_port_of_anywhere_outlasts_being_disabled() {
    let server = Server::start();
    let at = listen(&server, "p", Some(":0"));
    server.post("/proxies/p", r#"{"enabled":false}"#);
    let answer = server.post("/proxies/p", r#"{"enabled":true}"#);
    assert_eq!((answer.status, answer.listen()), (200, at));
    serves((Ipv4Addr::LOCALHOST, at.port()).into());
}
