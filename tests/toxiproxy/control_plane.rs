//! Commands wait for nobody's traffic: neither a reader that stalls, nor an upstream that does not
//! answer, nor a client that is slow to say what it wants.

use crate::{
    peer::{End, Peer, Service, echo, numbered},
    server::{AT_ONCE, Answer, Server},
};
use socket2::{Domain, SockAddr, Socket, Type};
use std::{
    io::Write,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

const MS: Duration = Duration::from_millis(1);

#[track_caller]
fn prompt(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(answer.took < AT_ONCE, "{:?}", answer.took);
}

/// The worst flaw of the original: one such client, and every command hangs for good.
#[test]
fn a_reader_that_stalls_holds_no_command() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    let (_stalled, behind) = service.pair(listen);
    behind.fill(300 * MS);
    for (kind, attributes) in [
        ("noop", "{}"),
        ("latency", r#"{"latency":5}"#),
        ("bandwidth", r#"{"rate":1000}"#),
        ("slicer", r#"{"average_size":10}"#),
        ("slow_close", r#"{"delay":5}"#),
        ("limit_data", r#"{"bytes":100000000000}"#),
    ] {
        let toxic = format!(r#"{{"name":"{kind}","type":"{kind}","attributes":{attributes}}}"#);
        prompt(&server.post("/proxies/p/toxics", &toxic), 200);
        let (client, other) = service.pair(listen);
        assert!(other.time_to(&client, b"new ones are served") < 2000 * MS, "{kind}");
        prompt(&server.post(&format!("/proxies/p/toxics/{kind}"), r#"{"toxicity":0.9}"#), 200);
        prompt(&server.get("/proxies"), 200);
        prompt(&server.get("/proxies/p"), 200);
        prompt(&server.delete(&format!("/proxies/p/toxics/{kind}")), 204);
    }
    prompt(&server.post("/proxies/p/toxics", r#"{"type":"latency"}"#), 200);
    prompt(&server.post("/reset", ""), 204);
    prompt(&server.post("/proxies/p", r#"{"enabled":false}"#), 200);
    prompt(&server.post("/proxies/p", r#"{"enabled":true}"#), 200);
    prompt(&server.delete("/proxies/p"), 204);
}

#[test]
fn a_reader_that_stalled_reads_on_whole() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    server.toxic(r#"{"name":"t","type":"latency","attributes":{"latency":5}}"#);
    let (client, behind) = service.pair(listen);
    behind.fill(300 * MS);
    prompt(&server.delete("/proxies/p/toxics/t"), 204);
    drop(behind);
    let (rest, end) = client.rest();
    assert!(rest.len() > 100_000 && rest.iter().all(|byte| *byte == 7));
    assert_eq!(end, End::Fin);
}

/// A service whose queue of clients is full, so that connecting to it hangs, as with a dead host.
struct Dead {
    address: SocketAddr,
    _queue: (Socket, Vec<TcpStream>),
}

impl Dead {
    fn start() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        socket.bind(&SockAddr::from(any)).expect("a port");
        socket.listen(0).expect("it listens");
        let address = socket.local_addr().ok().and_then(|at| at.as_socket()).expect("an address");
        let mut waiting = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, 200 * MS) {
            waiting.push(stream);
        }
        Self { address, _queue: (socket, waiting) }
    }
}

#[test]
fn an_upstream_that_does_not_answer_holds_no_command() {
    let server = Server::start();
    let (dead, service) = (Dead::start(), Service::start());
    let listen = server.proxy(dead.address);
    let waiting: Vec<_> = (0..3).map(|_| Peer::to(listen)).collect();
    waiting[0].stays_silent_for(100 * MS);
    prompt(&server.get("/proxies"), 200);
    prompt(&server.post("/proxies/p/toxics", r#"{"type":"noop"}"#), 200);
    prompt(&server.post("/proxies/p", r#"{"enabled":false}"#), 200);
    for client in &waiting {
        client.ends();
    }
    prompt(&server.post("/proxies/p", r#"{"enabled":true}"#), 200);
    let client = Peer::to(listen);
    client.stays_silent_for(100 * MS);
    let upstream = format!(r#"{{"upstream":"{}"}}"#, service.address());
    prompt(&server.post("/proxies/p", &upstream), 200);
    client.ends();
    let (client, behind) = service.pair(listen);
    client.time_to(&behind, b"served");
}

#[test]
fn an_upstream_that_does_not_answer_does_not_keep_a_proxy() {
    let server = Server::start();
    let listen = server.proxy(Dead::start().address);
    let dead = Dead::start();
    let upstream = format!(r#"{{"upstream":"{}"}}"#, dead.address);
    prompt(&server.post("/proxies/p", &upstream), 200);
    let client = Peer::to(listen);
    client.stays_silent_for(100 * MS);
    prompt(&server.delete("/proxies/p"), 204);
    client.ends();
}

#[test]
fn a_proxy_before_a_dead_upstream_leaves_the_others_alone() {
    let server = Server::start();
    let dead = Dead::start();
    let held = server.proxy_named("dead", dead.address);
    let _waiting: Vec<_> = (0..20).map(|_| Peer::to(held)).collect();
    let client = Peer::to(server.proxy(echo()));
    assert!(client.time_to(&client, &numbered(10_000)) < 2000 * MS);
}

#[test]
fn one_who_is_slow_to_say_what_he_wants_holds_nobody() {
    let server = Server::start();
    let slow: Vec<_> = (0..50)
        .map(|_| {
            let mut stream = TcpStream::connect(server.admin).expect("a connection");
            let head = "POST /populate HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n[";
            stream.write_all(head.as_bytes()).expect("half of it");
            stream
        })
        .collect();
    let _proxy = server.proxy(echo());
    prompt(&server.get("/proxies"), 200);
    prompt(&server.post("/reset", ""), 204);
    drop(slow);
}

#[test]
fn many_commands_at_once_are_all_done() {
    let server = Server::start();
    let client = Peer::to(server.proxy(echo()));
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for worker in 0..8 {
            let server = &server;
            scope.spawn(move || {
                for turn in 0..20 {
                    let toxic = format!(r#"{{"name":"{worker}-{turn}","type":"noop"}}"#);
                    server.toxic(&toxic);
                    if turn % 2 == 0 {
                        let path = format!("/proxies/p/toxics/{worker}-{turn}");
                        assert_eq!(server.delete(&path).status, 204);
                    }
                }
            });
        }
        client.time_to(&client, b"while they are at it");
    });
    let left = server.get("/proxies/p/toxics").json();
    assert_eq!(left.as_array().map(Vec::len), Some(80));
    assert!(begun.elapsed() < 20_000 * MS);
}
