//! PROXY headers from a proxy before us.

use crate::{
    firedrill::{done, firedrill, folder, start},
    peers::{GET, SIGN, Service, serve, talk, until},
};
use rustix::process::Signal;
use std::fs;

/// Version 2, from 203.0.113.9:4711, with something that we have no use for behind the addresses.
fn binary() -> Vec<u8> {
    let ends = b"\xcb\0\x71\x09\xc0\0\x02\x02\x12\x67\x01\xbb";
    [SIGN, b"\x21\x11\0\x13", ends, b"\xee\0\x04tlvs"].concat()
}

const LINE: &[u8] = b"PROXY TCP4 203.0.113.9 192.0.2.2 4711 443\r\n";

fn shop(service: &Service) -> String {
    format!(
        "  shop: {{ listen: 0, upstream: \"http://{}\", proxy_protocol: {{ accept: 127.0.0.0/8 }}, \
         forwarded: x-forwarded }}\n",
        service.address
    )
}

#[test]
fn the_client_is_who_the_header_says() {
    let service = Service::start();
    let server = serve("accept-http", &shop(&service));
    for header in [LINE.to_vec(), binary()] {
        let before = service.times("x-forwarded-for: 203.0.113.9\r\n");
        let answer = talk(server.proxy("shop"), &[&header[..], GET].concat(), "");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert_eq!(service.times("x-forwarded-for: 203.0.113.9\r\n"), before + 1);
        assert_eq!(service.times("PROXY") + service.times("QUIT"), 0);
    }
}

#[test]
fn whoever_speaks_for_itself_is_itself() {
    let service = Service::start();
    let server = serve("accept-local", &shop(&service));
    for header in [b"PROXY UNKNOWN\r\n".to_vec(), [SIGN, b"\x20\0\0\0"].concat()] {
        let before = service.times("x-forwarded-for: 127.0.0.1\r\n");
        let answer = talk(server.proxy("shop"), &[&header[..], GET].concat(), "");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert_eq!(service.times("x-forwarded-for: 127.0.0.1\r\n"), before + 1);
    }
}

#[test]
fn users_targets_and_the_record_know_the_client() {
    let (service, folder) = (Service::start(), folder("accept-drill"));
    let path = folder.join("drill.yaml");
    let record = folder.join("record.jsonl");
    let text = format!(
        "name: by address\ntargets:\n  them: {{ client: 203.0.113.0/24 }}\nphases:\n  \
         - name: outage\n    for: 10m\n    faults: [{{ respond: 503, target: them }}]\nproxies:\n{}",
        shop(&service)
    );
    fs::write(&path, text).expect("a file");
    let (path, record) = (path.to_str().expect("UTF-8"), record.to_str().expect("UTF-8"));
    let drill = start(firedrill(["run", path, "--record", record]));
    let at = drill.proxy("shop");
    let ours = talk(at, &[b"PROXY UNKNOWN\r\n", GET].concat(), "");
    assert!(ours.starts_with("HTTP/1.1 200"), "{ours}");
    let theirs = talk(at, &[LINE, GET].concat(), "");
    assert!(theirs.starts_with("HTTP/1.1 503"), "{theirs}");
    drill.signal(Signal::INT);
    drill.finish();
    let record = fs::read_to_string(record).expect("a record");
    assert!(record.contains("\"203.0.113.9:4711\""), "{record}");
}

#[test]
fn the_header_is_none_of_the_bytes_that_a_fault_counts() {
    let service = Service::start();
    let text = format!(
        "  db: {{ listen: 0, upstream: \"{}\", protocol: tcp, proxy_protocol: {{ accept: [127.0.0.1] }} }}\n",
        service.address
    );
    let server = serve("accept-bytes", &text);
    let admin = format!("http://{}", server.admin());
    let fault = "limit_data: { bytes: 5B, side: request }";
    let fault = ["ctl", "--admin", &admin, "fault", "add", "db", fault];
    let put = done(firedrill(fault));
    assert_eq!(put.code, Some(0), "{}", put.err);
    talk(server.proxy("db"), &[&binary()[..], b"12345678"].concat(), "12345");
    until("the upstream has heard it", || service.heard() == ["12345"]);
}

#[test]
fn proxies_made_over_the_api_take_the_same_keys() {
    let service = Service::start();
    let server = serve("accept-api", "  { }\n");
    let post = |body: &str| {
        let head = format!(
            "POST /api/v1/proxies HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        talk(server.admin(), head.as_bytes(), "")
    };
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("it");
    let made = post(&format!(
        r#"{{"name":"shop","listen":"{port}","upstream":"http://{}","forwarded":"both",
        "proxy_protocol":{{"accept":["127.0.0.1"],"send":"v1"}}}}"#,
        service.address
    ));
    assert!(made.starts_with("HTTP/1.1 201"), "{made}");
    let answer = talk(port, &[LINE, GET].concat(), "");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let heard = service.with("GET /").remove(0);
    assert!(heard.starts_with("PROXY TCP4 203.0.113.9 192.0.2.2 4711 443\r\n"), "{heard}");
    assert!(heard.contains("for=\"203.0.113.9:4711\";host=shop"), "{heard}");
    let refused = post(
        r#"{"name":"two","listen":"0","upstream":"http://a","proxy_protocol":{"accept":"nobody"}}"#,
    );
    assert!(refused.starts_with("HTTP/1.1 4") && refused.contains("E0701"), "{refused}");
}
