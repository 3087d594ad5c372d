//! `/metrics`: bytes count while they flow, and nothing of a connection outlives it.

use crate::{
    peer::{Peer, Service, numbered},
    server::{PATIENCE, Server},
};
use std::{fs, net::SocketAddr, thread, time::Instant};

/// The value of a counter or gauge of `p` with this in its line.
fn value(server: &Server, name: &str, label: &str) -> u64 {
    let text = server.get("/metrics").body;
    let lines = text.lines().filter(|line| line.starts_with(&format!("{name}{{")));
    let mut lines = lines.filter(|line| line.contains(r#"proxy="p""#) && line.contains(label));
    let line = lines.next().unwrap_or_else(|| panic!("no {name} in {text}"));
    let value = line.rsplit(' ').next().and_then(|value| value.parse().ok());
    value.unwrap_or_else(|| panic!("{line}"))
}

fn received(server: &Server, direction: &str) -> u64 {
    let label = format!(r#"direction="{direction}""#);
    value(server, "toxiproxy_proxy_received_bytes_total", &label)
}

fn sent(server: &Server, direction: &str) -> u64 {
    let label = format!(r#"direction="{direction}""#);
    value(server, "toxiproxy_proxy_sent_bytes_total", &label)
}

/// Waits until something is so: a count may come a moment after the bytes.
#[track_caller]
fn comes_to_be(what: impl Fn() -> bool) {
    let begun = Instant::now();
    while !what() {
        assert!(begun.elapsed() < PATIENCE, "it never comes to be");
        thread::yield_now();
    }
}

/// The original counts them when the connection ends.
#[test]
fn bytes_count_while_their_connection_lives() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    let (client, behind) = service.pair(listen);
    client.time_to(&behind, &numbered(1000));
    behind.time_to(&client, &numbered(70_000));
    comes_to_be(|| (received(&server, "upstream"), sent(&server, "upstream")) == (1000, 1000));
    comes_to_be(|| received(&server, "downstream") == 70_000);
    comes_to_be(|| sent(&server, "downstream") == 70_000);
    let text = server.get("/metrics").body;
    for label in [format!(r#"listener="{listen}""#), format!(r#"upstream="{}""#, service.address())]
    {
        assert!(text.contains(&label), "{text}");
    }
    client.time_to(&behind, &numbered(500));
    comes_to_be(|| received(&server, "upstream") == 1500);
}

#[test]
fn bytes_that_are_swallowed_are_received_and_not_sent() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    server.toxic(r#"{"type":"limit_data","attributes":{"bytes":10}}"#);
    let (client, behind) = service.pair(listen);
    behind.send(&numbered(1000));
    assert_eq!(client.rest().0.len(), 10);
    comes_to_be(|| sent(&server, "downstream") == 10);
    assert!(received(&server, "downstream") >= 10);
}

fn files(server: &Server) -> usize {
    fs::read_dir(format!("/proc/{}/fd", server.id())).map_or(0, Iterator::count)
}

fn kibibytes(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).expect("a number")
}

/// Connections whose service goes on sending after they were cut: the original keeps a part of
/// each for good.
fn round(server: &Server, service: &Service, listen: SocketAddr) {
    for _ in 0..100 {
        let (client, behind) = service.pair(listen);
        behind.send(&numbered(50_000));
        client.rest();
    }
    let held = service.pairs(listen, 50);
    for (client, behind) in &held {
        client.time_to(behind, b"open");
    }
    drop(held);
    comes_to_be(|| value(server, "firedrill_connections_open", "") == 0);
}

#[test]
fn nothing_of_a_connection_outlives_it() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    server.toxic(r#"{"type":"limit_data","attributes":{"bytes":1000}}"#);
    server.toxic(r#"{"type":"latency","attributes":{"latency":1}}"#);
    round(&server, &service, listen);
    let (before, memory) = (files(&server), kibibytes(&server));
    for _ in 0..5 {
        round(&server, &service, listen);
    }
    // A command's own connection may be among them.
    assert!(files(&server) <= before + 3, "{before} files, then {}", files(&server));
    let after = kibibytes(&server);
    assert!(after < memory + 10_000, "{memory} KiB, then {after} KiB");
}

#[test]
fn a_proxy_that_is_gone_is_told_of_no_more() {
    let server = Server::start();
    let _proxy = server.proxy("x:1");
    assert!(server.get("/metrics").body.contains(r#"proxy="p""#));
    server.delete("/proxies/p");
    assert!(!server.get("/metrics").body.contains(r#"proxy="p""#));
}

#[test]
fn a_refused_upstream_leaves_nothing_open() {
    let server = Server::start();
    let listen = server.proxy("127.0.0.1:1");
    for _ in 0..20 {
        Peer::to(listen).rest();
    }
    comes_to_be(|| value(&server, "firedrill_connections_open", "") == 0);
}
