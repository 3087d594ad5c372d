//! Routes, methods, headers: what is the same whatever is asked.

use crate::{peer::echo, server::Server};
use std::io::{Read, Write};

#[test]
fn the_version_is_the_one_whose_contract_is_kept() {
    let answer = Server::start().get("/version");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, "{\"version\": \"2.12.0\"}\n");
    assert_eq!(answer.header("content-type"), Some("application/json;charset=utf-8"));
}

#[test]
fn no_proxies_are_an_empty_object() {
    let answer = Server::start().get("/proxies");
    assert_eq!((answer.status, answer.body.as_str()), (200, "{}"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[test]
fn an_unknown_path_is_told_in_plain_text() {
    let server = Server::start();
    for path in ["/nothing", "/proxies/", "/proxies/p/toxics/t/more", "/version/x", "/proxies/p/x"]
    {
        let answer = server.get(path);
        assert_eq!((answer.status, answer.body.as_str()), (404, "404 page not found\n"), "{path}");
        let kind = answer.header("content-type").expect("a content type");
        assert!(kind.starts_with("text/plain"), "{path}: {kind}");
    }
}

#[test]
fn a_method_that_a_path_does_not_take_is_told_without_a_body() {
    let server = Server::start();
    let _proxy = server.proxy(echo());
    for (method, path) in [
        ("PUT", "/proxies"),
        ("OPTIONS", "/proxies"),
        ("HEAD", "/proxies"),
        ("DELETE", "/proxies"),
        ("PATCH", "/proxies"),
        ("PUT", "/proxies/p"),
        ("HEAD", "/proxies/p"),
        ("OPTIONS", "/proxies/p"),
        ("PUT", "/proxies/p/toxics"),
        ("DELETE", "/proxies/p/toxics"),
        ("PUT", "/proxies/p/toxics/t"),
        ("GET", "/populate"),
        ("HEAD", "/populate"),
        ("GET", "/reset"),
        ("DELETE", "/reset"),
        ("POST", "/version"),
        ("HEAD", "/version"),
    ] {
        let answer = server.ask(method, path, &[], "");
        assert_eq!((answer.status, answer.body.as_str()), (405, ""), "{method} {path}");
    }
}

#[test]
fn a_doubled_slash_is_sent_to_the_single_one() {
    let answer = Server::start().get("//proxies");
    assert_eq!(answer.status, 301);
    assert_eq!(answer.header("location"), Some("/proxies"));
}

#[test]
fn an_answer_of_a_route_carries_an_id_of_twenty_letters() {
    let server = Server::start();
    let _proxy = server.proxy(echo());
    let mut ids = Vec::new();
    for (method, path, body, status) in [
        ("GET", "/version", "", 200),
        ("GET", "/proxies", "", 200),
        ("GET", "/proxies/p/toxics", "", 200),
        ("GET", "/proxies/missing", "", 404),
        ("POST", "/proxies", "{", 400),
        ("POST", "/proxies", r#"{"name":"p","upstream":"x:1"}"#, 409),
        ("POST", "/populate", "[]", 201),
        ("POST", "/reset", "", 204),
        ("DELETE", "/proxies/p", "", 204),
    ] {
        let answer = server.ask(method, path, &[], body);
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        let id = answer.header("x-toxiproxy-request-id").expect("an id").to_owned();
        assert_eq!(id.len(), 20, "{id}");
        assert!(id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'v')), "{id}");
        ids.push(id);
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 9, "an id is nobody else's");
}

#[test]
fn an_answer_of_no_route_carries_no_id() {
    let answer = Server::start().get("/nothing");
    assert_eq!(answer.header("x-toxiproxy-request-id"), None);
}

#[test]
fn a_browser_commands_nothing() {
    let server = Server::start();
    let browser = [("user-agent", "Mozilla/5.0 (X11; Linux x86_64)")];
    for (method, path) in [
        ("GET", "/proxies"),
        ("POST", "/proxies"),
        ("GET", "/version"),
        ("POST", "/reset"),
        ("GET", "/proxies/missing"),
    ] {
        let answer = server.ask(method, path, &browser, "");
        assert_eq!(answer.status, 403, "{method} {path}");
        assert_eq!(answer.body, "User agent not allowed\n");
        assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("text/plain")));
        assert!(answer.header("x-toxiproxy-request-id").is_some());
    }
    assert_eq!(server.ask("GET", "/nothing", &browser, "").status, 404);
    assert_eq!(server.ask("PUT", "/proxies", &browser, "").status, 405);
}

#[test]
fn only_the_beginning_of_a_browsers_name_counts_and_its_case() {
    let server = Server::start();
    for agent in ["mozilla/5.0", "Not Mozilla/5.0", "Mozilla", "curl/8"] {
        let answer = server.ask("GET", "/proxies", &[("user-agent", agent)], "");
        assert_eq!(answer.status, 200, "{agent}");
    }
}

#[test]
fn the_content_type_of_a_request_says_nothing() {
    let server = Server::start();
    for (name, kind) in [("a", "text/html"), ("b", "application/x-www-form-urlencoded")] {
        let body = format!(r#"{{"name":"{name}","listen":"127.0.0.1:0","upstream":"x:1"}}"#);
        let answer = server.ask("POST", "/proxies", &[("content-type", kind)], &body);
        assert_eq!(answer.status, 201, "{kind}: {answer:?}");
    }
}

#[test]
fn a_name_with_a_space_is_found_by_its_escaped_form() {
    let server = Server::start();
    let _proxy = server.proxy_named("sp ace", echo());
    assert_eq!(server.get("/proxies/sp%20ace").json()["name"], "sp ace");
    assert_eq!(server.delete("/proxies/sp%20ace").status, 204);
    server.get("/proxies/sp%20ace").is_error(404, "proxy not found");
}

#[test]
fn a_name_with_a_slash_is_made_but_not_found() {
    let server = Server::start();
    let _proxy = server.proxy_named("a/b", echo());
    assert_eq!(server.get("/proxies/a/b").status, 404);
    assert!(server.get("/proxies").json()["a/b"].is_object());
}

#[test]
fn a_proxy_may_be_called_toxics() {
    let server = Server::start();
    let _proxy = server.proxy_named("toxics", echo());
    assert_eq!(server.get("/proxies/toxics").json()["name"], "toxics");
    let toxic = server.post("/proxies/toxics/toxics", r#"{"type":"noop"}"#);
    assert_eq!(toxic.status, 200);
    assert_eq!(server.get("/proxies/toxics/toxics").json().as_array().map(Vec::len), Some(1));
}

#[test]
fn a_query_says_nothing() {
    let server = Server::start();
    assert_eq!(server.get("/proxies?name=p").body, "{}");
    assert_eq!(server.post("/reset?x", "").status, 204);
}

/// As Go's client sends what it encodes on the way.
#[test]
fn a_body_may_come_in_chunks() {
    let server = Server::start();
    let (one, two) = (r#"{"name":"p","upstream":"x:1","#, r#""listen":"127.0.0.1:0"}"#);
    let request = format!(
        "POST /proxies HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         transfer-encoding: chunked\r\n\r\n{:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n",
        one.len(),
        two.len()
    );
    let answer = server.raw(request.as_bytes()).expect("an answer");
    assert_eq!((answer.status, &answer.json()["name"]), (201, &"p".into()));
}

#[test]
fn many_commands_may_be_given_on_one_connection() {
    let server = Server::start();
    let get = "GET /version HTTP/1.1\r\nhost: localhost\r\n";
    let requests = format!("{get}\r\n{get}\r\n{get}connection: close\r\n\r\n");
    let answers = server.raw(requests.as_bytes()).expect("answers");
    assert_eq!(answers.body.matches("HTTP/1.1 200 OK").count(), 2, "after the first");
}

#[test]
fn a_command_may_be_given_in_http_1_0() {
    let server = Server::start();
    let answer = server.raw(b"GET /version HTTP/1.0\r\n\r\n").expect("an answer");
    assert_eq!(answer.status, 200);
}

/// As Java's and curl's clients send what is long.
#[test]
fn one_who_waits_to_be_told_to_go_on_is_told() {
    let server = Server::start();
    let mut stream = std::net::TcpStream::connect(server.admin).expect("a connection");
    stream.set_read_timeout(Some(crate::server::PATIENCE)).expect("a timeout");
    let body = r#"{"name":"p","upstream":"x:1","listen":"127.0.0.1:0"}"#;
    let head = format!(
        "POST /proxies HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("the head");
    let mut told = [0; 25];
    stream.read_exact(&mut told).expect("what to do");
    assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(body.as_bytes()).expect("the body");
    let mut status = [0; 12];
    stream.read_exact(&mut status).expect("an answer");
    assert_eq!(&status, b"HTTP/1.1 201");
}
