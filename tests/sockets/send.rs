//! PROXY headers to the upstream.

use crate::{
    firedrill::{firedrill, folder, start},
    peers::{GET, LIMIT, Service, hear, serve, talk, until},
};
use std::{fs, io::Write as _, net::TcpStream};

fn to(service: &Service, keys: &str) -> String {
    format!("  shop: {{ listen: 0, upstream: \"http://{}\", {keys} }}\n", service.address)
}

#[test]
fn every_connection_begins_with_whose_it_is() {
    let service = Service::start();
    let text = format!(
        "{}  db: {{ listen: 0, upstream: \"{}\", protocol: tcp, proxy_protocol: {{ send: v1 }} }}\n",
        to(&service, "proxy_protocol: { send: v1 }"),
        service.address
    );
    let server = serve("send-v1", &text);
    for (proxy, bytes) in [("shop", GET), ("db", &b"hello"[..])] {
        let at = server.proxy(proxy);
        let mut stream = TcpStream::connect(at).expect("it listens");
        stream.set_read_timeout(Some(LIMIT)).expect("set");
        stream.write_all(bytes).expect("written");
        let enough = if proxy == "shop" { "ok" } else { "hello" };
        hear(&mut stream, enough);
        let (own, server) = (stream.local_addr().expect("own"), at);
        let line = format!("PROXY TCP4 127.0.0.1 127.0.0.1 {} {}\r\n", own.port(), server.port());
        until("the upstream is told", || {
            service.heard().iter().any(|heard| heard.starts_with(&line))
        });
    }
}

#[test]
fn clients_share_no_connection_and_one_keeps_its_own() {
    let service = Service::start();
    let server = serve("send-pool", &to(&service, "proxy_protocol: { send: v1 }"));
    let at = server.proxy("shop");
    let ask = b"GET /x HTTP/1.1\r\nhost: shop\r\n\r\n";
    let mut clients: Vec<TcpStream> = (0..4)
        .map(|_| {
            let stream = TcpStream::connect(at).expect("it listens");
            stream.set_read_timeout(Some(LIMIT)).expect("set");
            stream
        })
        .collect();
    for _ in 0..3 {
        // One after the other: a pool would have a connection to give.
        for client in &mut clients {
            client.write_all(ask).expect("written");
            hear(client, "ok");
        }
    }
    let heard = service.with("GET /x");
    assert_eq!(heard.len(), 4, "{heard:?}");
    for client in &clients {
        let port = client.local_addr().expect("an address").port();
        let own = format!("PROXY TCP4 127.0.0.1 127.0.0.1 {port} ");
        let told: Vec<&String> = heard.iter().filter(|text| text.starts_with(&own)).collect();
        assert_eq!(told.len(), 1, "{heard:?}");
        assert_eq!(told[0].matches("GET /x").count(), 3);
        assert_eq!(told[0].matches("PROXY").count(), 1);
    }
}

#[test]
fn what_the_proxy_before_us_said_is_what_the_one_behind_us_is_told() {
    let service = Service::start();
    let keys = "proxy_protocol: { accept: 127.0.0.1, send: v2 }";
    let server = serve("send-chain", &to(&service, keys));
    let header = b"PROXY TCP6 2001:db8::9 2001:db8::2 4711 443\r\n";
    let answer = talk(server.proxy("shop"), &[&header[..], GET].concat(), "");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let told = service.with("GET /");
    assert!(told[0].starts_with("\r\n\r\n\0\r\nQUIT\n!!\0$ \u{1}\r\u{fffd}"), "{told:?}");
    // Whoever speaks for itself is told of by its own address.
    let answer = talk(server.proxy("shop"), &[b"PROXY UNKNOWN\r\n", GET].concat(), "");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let told = service.with("GET /");
    assert!(told[1].starts_with("\r\n\r\n\0\r\nQUIT\n!\u{11}\0\u{c}\u{7f}\0\0\u{1}"), "{told:?}");
}

#[test]
fn a_look_whether_the_upstream_is_there_is_from_nobody() {
    let service = Service::start();
    let path = folder("send-probe").join("drill.yaml");
    let text = format!(
        "name: calm\nphases: [{{ name: calm, for: 10m }}]\nproxies:\n{}",
        to(&service, "proxy_protocol: { send: v2 }")
    );
    fs::write(&path, text).expect("a file");
    let path = path.to_str().expect("UTF-8");
    let _drill = start(firedrill(["run", path]));
    until("it was looked at", || service.heard() == ["\r\n\r\n\0\r\nQUIT\n \0\0\0"]);
}
