//! Header fields that tell the upstream who the client is.

use crate::peers::{Service, serve, talk};
use std::net::TcpStream;

const ASK: &[u8] =
    b"GET / HTTP/1.1\r\nHost: shop.example:8080\r\nX-Forwarded-For: 198.51.100.1\r\n\
    X-Forwarded-For: 198.51.100.2\r\nX-Forwarded-Proto: https\r\nForwarded: for=\"_liar\"\r\n\
    Connection: close, x-forwarded-for\r\n\r\n";

/// What the upstream was sent by a proxy with these keys.
fn sent(name: &str, keys: &str) -> String {
    let service = Service::start();
    let text = format!("  shop: {{ listen: 0, upstream: \"http://{}\"{keys} }}\n", service.address);
    let server = serve(name, &text);
    let answer = talk(server.proxy("shop"), ASK, "");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    service.with("GET /").remove(0)
}

#[test]
fn nothing_is_added_unless_asked_for() {
    let sent = sent("forwarded-none", "");
    assert!(sent.contains("X-Forwarded-Proto: https\r\n"), "{sent}");
    assert!(sent.contains("Forwarded: for=\"_liar\"\r\n"), "{sent}");
    assert!(!sent.to_lowercase().contains("x-forwarded-host"), "{sent}");
}

#[test]
fn what_is_added_comes_last() {
    let sent = sent("forwarded-both", ", forwarded: both, host: rewrite").to_lowercase();
    // The client had its own list taken out; ours is not its to take.
    assert!(sent.contains("\r\nx-forwarded-for: 127.0.0.1\r\n"), "{sent}");
    assert!(sent.contains("\r\nx-forwarded-proto: https, http\r\n"), "{sent}");
    assert!(sent.contains("\r\nx-forwarded-host: shop.example:8080\r\n"), "{sent}");
    let own = sent.split("\r\nforwarded: for=\"_liar\", for=\"127.0.0.1:").nth(1).expect(&sent);
    let (port, rest) = own.split_once('"').expect("a quote");
    assert!(port.parse::<u16>().is_ok_and(|port| port > 0), "{port}");
    assert!(rest.starts_with(";host=\"shop.example:8080\";proto=http\r\n"), "{sent}");
    assert!(!sent.contains("\r\nhost: shop.example"), "{sent}");
}

#[test]
fn each_way_is_alone_if_it_is_asked_for_alone() {
    let sent_x = sent("forwarded-x", ", forwarded: x-forwarded").to_lowercase();
    assert!(sent_x.contains("\r\nforwarded: for=\"_liar\"\r\n"), "{sent_x}");
    assert!(sent_x.contains("\r\nx-forwarded-host: "), "{sent_x}");
    let sent_f = sent("forwarded-f", ", forwarded: forwarded").to_lowercase();
    assert!(!sent_f.contains("x-forwarded-host: "), "{sent_f}");
    assert!(sent_f.contains("\r\nforwarded: for=\"_liar\", for="), "{sent_f}");
}

#[test]
fn ipv6_is_told_as_the_field_wants_it() {
    if TcpStream::connect("[::1]:1").is_err_and(|e| e.raw_os_error() == Some(99)) {
        return; // No IPv6 here.
    }
    let service = Service::start();
    let text = format!(
        "  shop: {{ listen: \"[::1]:0\", upstream: \"http://{}\", forwarded: both }}\n",
        service.address
    );
    let server = serve("forwarded-v6", &text);
    talk(server.proxy("shop"), ASK, "");
    let sent = service.with("GET /").remove(0).to_lowercase();
    assert!(sent.contains("x-forwarded-for: ::1\r\n"), "{sent}");
    assert!(sent.contains("for=\"[::1]:"), "{sent}");
}
