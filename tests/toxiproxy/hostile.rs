//! Input that nobody means well with: it changes nothing, or all that it says, and ends nobody.

use crate::{
    peer::{Peer, echo, numbered},
    server::{PATIENCE, Server},
};
use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
};

#[test]
fn a_body_that_breaks_off_does_nothing() {
    let mut server = Server::start();
    let _proxy = server.proxy("x:1");
    let before = server.get("/proxies").body;
    for (path, body) in [
        ("/proxies", r#"{"name":"q","listen":"127.0.0.1:0","upstream":"x:1"}"#),
        ("/populate", r#"[{"name":"q","listen":"127.0.0.1:0","upstream":"x:1"}]"#),
        ("/proxies/p", r#"{"enabled":false}"#),
        ("/proxies/p/toxics", r#"{"type":"noop"}"#),
    ] {
        let mut stream = TcpStream::connect(server.admin).expect("a connection");
        let length = body.len() + 1;
        let text = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(text.as_bytes()).expect("it takes it");
        stream.shutdown(Shutdown::Write).expect("it is open");
        // Whatever it says to that: when it is done with it, it closes.
        let _answered = stream.read_to_end(&mut Vec::new());
        assert_eq!(server.get("/proxies").body, before, "{path}");
    }
    server.is_well();
}

/// The original gives up after fifteen seconds. Whoever waits for ever could be made to wait for
/// many.
#[test]
fn a_body_that_never_comes_is_given_up() {
    let server = Server::start();
    let mut stream = TcpStream::connect(server.admin).expect("a connection");
    stream.set_read_timeout(Some(2 * PATIENCE)).expect("a timeout");
    let head = "POST /populate HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n[";
    stream.write_all(head.as_bytes()).expect("it takes it");
    // With an answer or without: it ends.
    let ended = stream.read_to_end(&mut Vec::new());
    let waits = |error: &io::Error| error.kind() == io::ErrorKind::WouldBlock;
    assert!(!ended.as_ref().is_err_and(waits), "it waits on");
    assert_eq!(server.get("/proxies").body, "{}");
}

#[test]
fn what_is_no_json_is_refused_and_changes_nothing() {
    let mut server = Server::start();
    let _proxy = server.proxy("x:1");
    server.toxic(r#"{"name":"t","type":"latency"}"#);
    let before = server.get("/proxies").body;
    let deep = "[".repeat(100_000);
    let nested = format!(r#"{{"name":{}"#, r#"{"a":"#.repeat(100_000));
    let bodies = ["{]", "\"", "'x'", "{\"name\":}", "nul", "\u{feff}{}", "\0", &deep, &nested];
    for path in ["/proxies", "/populate", "/proxies/p", "/proxies/p/toxics", "/proxies/p/toxics/t"]
    {
        for body in bodies {
            let answer = server.post(path, body);
            let start = &body[..body.len().min(10)];
            assert_eq!(answer.status, 400, "{path} {start:?}: {answer:?}");
            assert!(answer.body.contains("bad request body: "), "{path} {start:?}: {answer:?}");
        }
    }
    assert_eq!(server.get("/proxies").body, before);
    server.is_well();
}

#[test]
fn values_of_wrong_types_are_refused_and_change_nothing() {
    let mut server = Server::start();
    let _proxy = server.proxy("x:1");
    server.toxic(r#"{"name":"t","type":"latency"}"#);
    let before = server.get("/proxies").body;
    for (path, body) in [
        ("/proxies", r#"{"name":[],"upstream":"x:1"}"#),
        ("/proxies", r#"{"name":"q","upstream":{}}"#),
        ("/proxies", r#"{"name":"q","upstream":"x:1","enabled":1}"#),
        ("/proxies", r#"{"name":"q","upstream":"x:1","listen":8080}"#),
        ("/proxies/p", r#"{"upstream":7}"#),
        ("/proxies/p", r#"{"enabled":"true"}"#),
        ("/proxies/p/toxics", r#"{"type":7}"#),
        ("/proxies/p/toxics", r#"{"type":"noop","name":7}"#),
        ("/proxies/p/toxics", r#"{"type":"noop","stream":7}"#),
        ("/proxies/p/toxics", r#"{"type":"noop","toxicity":"1"}"#),
        ("/proxies/p/toxics", r#"{"type":"latency","attributes":[]}"#),
        ("/proxies/p/toxics", r#"{"type":"latency","attributes":"x"}"#),
        ("/proxies/p/toxics/t", r#"{"toxicity":"1"}"#),
        ("/proxies/p/toxics/t", r#"{"attributes":7}"#),
    ] {
        server.post(path, body).is_error_like(400, "bad request body: ");
    }
    assert_eq!(server.get("/proxies").body, before);
    server.is_well();
}

#[test]
fn ten_thousand_toxics_at_once_are_all_there_or_none() {
    let mut server = Server::start();
    let toxic = |at| format!(r#"{{"name":"t{at}","type":"noop"}}"#);
    let toxics = (0..10_000).map(toxic).collect::<Vec<_>>().join(",");
    let body = format!(
        r#"[{{"name":"p","listen":"127.0.0.1:0","upstream":"{}","toxics":[{toxics}]}}]"#,
        echo()
    );
    let answer = server.post("/populate", &body);
    let there = server.get("/proxies").json();
    if answer.status == 201 {
        assert_eq!(there["p"]["toxics"].as_array().map(Vec::len), Some(10_000));
        let client = Peer::to(server.get("/proxies/p").listen());
        client.time_to(&client, &numbered(1000));
        assert_eq!(server.post("/reset", "").status, 204);
        client.time_to(&client, &numbered(1000));
    } else {
        assert_eq!(there, serde_json::json!({}), "{}", answer.status);
    }
    server.is_well();
}

#[test]
fn many_toxics_one_by_one_are_all_in_force() {
    let server = Server::start();
    let client = Peer::to(server.proxy(echo()));
    for at in 0..300 {
        server
            .toxic(&format!(r#"{{"name":"t{at}","type":"latency","attributes":{{"latency":1}}}}"#));
    }
    let took = client.time_to(&client, b"?");
    assert!(took >= std::time::Duration::from_millis(300), "{took:?}");
}

#[test]
fn a_body_without_end_is_refused() {
    let mut server = Server::start();
    let head = "POST /populate HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99999999999\r\n\r\n";
    let mut stream = TcpStream::connect(server.admin).expect("a connection");
    stream.write_all(head.as_bytes()).expect("it takes it");
    let chunk = vec![b' '; 1 << 20];
    // It stops listening some time.
    let refused = (0..200).any(|_| stream.write_all(&chunk).is_err());
    assert!(refused, "it took two hundred mebibytes");
    server.is_well();
}

#[test]
fn what_is_no_http_ends_nobody() {
    let mut server = Server::start();
    for bytes in
        [&b"\0\0\0\0\r\n\r\n"[..], b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00", b"\r\n\r\n\r\n"]
    {
        let mut stream = TcpStream::connect(server.admin).expect("a connection");
        stream.write_all(bytes).expect("it takes it");
        stream.shutdown(Shutdown::Write).expect("it is open");
        let _answered = stream.read_to_end(&mut Vec::new());
    }
    server.is_well();
}

#[test]
fn names_of_every_kind_are_names() {
    let server = Server::start();
    for (name, path) in [
        ("..", "%2E%2E"),
        ("%", "%25"),
        ("ü", "%C3%BC"),
        ("a?b#c", "a%3Fb%23c"),
        ("proxies", "proxies"),
    ] {
        server.proxy_named(name, "x:1");
        let answer = server.get(&format!("/proxies/{path}"));
        assert_eq!((answer.status, &answer.json()["name"]), (200, &name.into()));
    }
}
