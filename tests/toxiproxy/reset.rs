//! `POST /reset`: everything on, no toxics.

use crate::{
    peer::{End, Peer, Service, echo},
    server::Server,
};
use std::net::TcpListener;

#[test]
fn every_proxy_is_enabled_and_no_toxic_left() {
    let server = Server::start();
    let (p, q) = (server.proxy(echo()), server.proxy_named("q", echo()));
    server.toxic(r#"{"type":"latency","stream":"upstream"}"#);
    server.toxic(r#"{"type":"timeout"}"#);
    server.post("/proxies/q", r#"{"enabled":false}"#);
    let answer = server.post("/reset", "whatever this is");
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    for (name, listen) in [("p", p), ("q", q)] {
        let proxy = server.get(&format!("/proxies/{name}"));
        assert_eq!((proxy.listen(), &proxy.json()["enabled"]), (listen, &true.into()));
        assert_eq!(proxy.json()["toxics"], serde_json::json!([]));
        let client = Peer::to(listen);
        client.time_to(&client, b"hello");
    }
}

#[test]
fn connections_stay_and_are_clean() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    server.toxic(r#"{"type":"latency","attributes":{"latency":60000}}"#);
    server.toxic(r#"{"type":"bandwidth","attributes":{"rate":0}}"#);
    let (client, behind) = service.pair(listen);
    behind.send(b"late");
    assert_eq!(server.post("/reset", "").status, 204);
    client.gets(b"late");
    client.time_to(&behind, b"clean");
}

#[test]
fn a_connection_under_a_timeout_ends() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    server.toxic(r#"{"type":"timeout"}"#);
    let (client, behind) = service.pair(listen);
    behind.send(b"lost");
    assert_eq!(server.post("/reset", "").status, 204);
    assert_eq!(client.ends(), End::Fin);
}

#[test]
fn a_port_that_was_taken_meanwhile_is_told() {
    let server = Server::start();
    let listen = server.proxy("x:1");
    server.post("/proxies/p", r#"{"enabled":false}"#);
    let taken = TcpListener::bind(listen).expect("it was given up");
    let answer = server.post("/reset", "");
    answer.is_error(500, &format!("listen tcp {listen}: bind: address already in use"));
    drop(taken);
    assert_eq!(server.post("/reset", "").status, 204);
    assert_eq!(server.get("/proxies/p").json()["enabled"], true);
}
