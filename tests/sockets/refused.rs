//! Connections that do not begin as they have to.

use crate::{
    firedrill::Running,
    peers::{GET, SIGN, Service, hear, serve, talk},
};
use std::{
    io::Write as _,
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

const GOOD: &[u8] = b"PROXY TCP4 203.0.113.9 192.0.2.2 4711 443\r\n";

fn proxies(service: &Service, accept: &str) -> String {
    let key = format!("proxy_protocol: {{ accept: \"{accept}\" }}");
    format!(
        "  shop: {{ listen: 0, upstream: \"http://{0}\", {key} }}\n  \
         db: {{ listen: 0, upstream: \"{0}\", protocol: tcp, {key} }}\n",
        service.address
    )
}

/// Others are served.
fn works(server: &Running) {
    let answer = talk(server.proxy("shop"), &[GOOD, GET].concat(), "");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("set");
    stream
}

#[test]
fn what_is_no_header_is_closed_without_an_answer_and_said_once() {
    let service = Service::start();
    let server = serve("refused-garbage", &proxies(&service, "127.0.0.1"));
    let huge = [SIGN, b"\x21\x11\xff\xff", &[b'x'; 5000]].concat();
    for bytes in [
        GET,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PROXY TCP4 nobody 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 203.0.113.9 192.0.2.2 1 2\n",
        &[&b"PROXY UNKNOWN "[..], &[b'x'; 4000]].concat(),
        &[SIGN, b"\x31\x11\0\x0c", &[1; 12]].concat(),
        &huge,
    ] {
        for proxy in ["shop", "db"] {
            assert_eq!(talk(server.proxy(proxy), bytes, ""), "", "{}", bytes.escape_ascii());
        }
        works(&server);
    }
    server.line(|line| line.contains("no PROXY header") && line.contains("127.0.0.1"));
    server.signal(rustix::process::Signal::TERM);
    let done = server.finish();
    // Each proxy has said it once.
    assert_eq!(done.err.matches("closed a connection").count(), 2, "{}", done.err);
    assert_eq!(service.times("GET"), 7);
}

#[test]
fn nobody_else_may_say_whom_a_connection_is_from() {
    let service = Service::start();
    let server = serve("refused-stranger", &proxies(&service, "10.0.0.0/8"));
    for bytes in [&[GOOD, GET].concat(), GET] {
        for proxy in ["shop", "db"] {
            assert_eq!(talk(server.proxy(proxy), bytes, ""), "");
        }
    }
    server.line(|line| line.contains("none of those in `proxy_protocol.accept`"));
    assert_eq!(service.heard(), [""; 0]);
}

#[test]
fn headers_that_never_end_hold_nobody_up_and_are_given_up() {
    let service = Service::start();
    let server = serve("refused-slow", &proxies(&service, "127.0.0.1"));
    let start = Instant::now();
    let begun = |bytes: &[u8]| {
        let mut stream = connect(server.proxy("shop"));
        stream.write_all(bytes).expect("written");
        stream
    };
    let mut slow = [
        begun(b""),
        begun(b"PROXY TCP4 203.0.113.9"),
        begun(&GOOD[..GOOD.len() - 1]),
        begun(SIGN),
        begun(&[SIGN, b"\x21\x11\0\x0cshort"].concat()),
    ];
    works(&server);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    for stream in &mut slow {
        assert_eq!(hear(stream, ""), "");
    }
    let took = start.elapsed();
    assert!(took >= Duration::from_secs(9) && took < Duration::from_secs(25), "{took:?}");
    works(&server);
}

#[test]
fn one_that_breaks_off_in_its_header_is_nobodys_trouble() {
    let service = Service::start();
    let server = serve("refused-cut", &proxies(&service, "127.0.0.1"));
    for length in 0..GOOD.len() {
        let mut stream = connect(server.proxy("db"));
        stream.write_all(&GOOD[..length]).expect("written");
    }
    works(&server);
    assert_eq!(service.times("GET"), 1);
}

#[test]
fn a_header_may_come_in_pieces() {
    let service = Service::start();
    let server = serve("refused-pieces", &proxies(&service, "127.0.0.1"));
    let mut stream = connect(server.proxy("db"));
    stream.set_nodelay(true).expect("set");
    for byte in [GOOD, b"hello"].concat() {
        stream.write_all(&[byte]).expect("written");
    }
    assert_eq!(hear(&mut stream, "hello"), "hello");
}
