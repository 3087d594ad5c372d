//! Toxics on a proxy that understands its traffic, as a config file makes it: they act on the bytes
//! of its connections all the same.

use crate::{
    peer::{Peer, Service},
    server::Server,
};
use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

const MS: Duration = Duration::from_millis(1);
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: shop.example\r\n\r\n";
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

/// A server with an HTTP proxy `p` before a service.
fn shop(name: &str, service: &Service) -> (Server, Peer) {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("toxiproxy-{name}.yaml"));
    let upstream = service.address();
    let text =
        format!("proxies:\n  p: {{ listen: \"127.0.0.1:0\", upstream: \"http://{upstream}\" }}\n");
    fs::write(&path, text).expect("a file");
    let server = Server::with(["--config", path.to_str().expect("UTF-8")]);
    let client = Peer::to(server.get("/proxies/p").listen());
    (server, client)
}

fn answer(service: &Service) -> Peer {
    let behind = service.accept();
    behind.gets(b"GET / HTTP/1.1\r\n");
    behind.send(RESPONSE);
    behind
}

#[test]
fn a_response_is_cut_in_the_middle_of_its_bytes() {
    let service = Service::start();
    let (server, client) = shop("cut", &service);
    server.toxic(r#"{"type":"limit_data","attributes":{"bytes":12}}"#);
    client.send(REQUEST);
    let _behind = answer(&service);
    assert_eq!(client.rest().0, b"HTTP/1.1 200");
}

#[test]
fn a_response_is_late() {
    let service = Service::start();
    let (server, client) = shop("late", &service);
    server.toxic(r#"{"type":"latency","attributes":{"latency":600}}"#);
    let begun = Instant::now();
    client.send(REQUEST);
    let _behind = answer(&service);
    client.gets(b"HTTP/1.1 200 OK\r\n");
    let took = begun.elapsed();
    assert!((600 * MS..2500 * MS).contains(&took), "{took:?}");
}

#[test]
fn its_upstream_is_told_as_the_config_writes_it() {
    let service = Service::start();
    let (server, _client) = shop("told", &service);
    let upstream = format!("http://{}", service.address());
    assert_eq!(server.get("/proxies/p").json()["upstream"], upstream);
}
